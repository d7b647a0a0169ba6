"""``ship activate``: make a release the current one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import ShipfilesError, fit_to_show
from ...events import Listener
from ...release.activate import Activated, activate
from ...release.meant import MEANT, is_relative, release_meant
from ..progress import count
from ..purges import Purges
from ..purging import purging_of
from .shared import (
    Place,
    add_json,
    add_release,
    add_store,
    errors_as_json,
    notices,
    pinned_elsewhere,
    place_of,
    print_json,
    targets_of_storage,
)

HELP = "Make a release that is there the current one; nothing is collected, compressed or sent."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    add_release(parser, help=f"{MEANT} 'current' puts its plain names right.")
    add_activating(parser)


def add_activating(parser: CommandParser) -> None:
    """What ``ship rollback`` has, too."""
    which = parser.add_mutually_exclusive_group()
    add_store(which, "all stores that collectstatic publishes to, if releases are used from a store; else STATIC_ROOT.")
    which.add_argument(
        "--everywhere",
        action="store_true",
        help="In STATIC_ROOT and all stores of OPTIONS['publish']['to'], where releases are used from STATIC_ROOT.",
    )
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Activate it. Raises ``CommandError`` and `ShipfilesError`; the release that was current then stays so."""

    def first(place: Place, listener: Listener) -> Activated:
        # Which release is the current one is asked again when no other run is under way; an id stays what it is.
        meant = partial(release_meant, place.store, options["release"])
        release = meant if is_relative(options["release"]) else meant()
        return activate(place.store, release, **place.activating, listener=listener)

    return activate_all(command, options, first)


@dataclass(frozen=True, slots=True)
class _Became:
    """What became of one store."""

    place: Place
    done: Activated | None
    error: str = ""


def activate_all(
    command: BaseCommand, options: dict[str, Any], first: Callable[[Place, Listener], Activated]
) -> str | None:
    """Let ``first`` activate a release in the store from which processes use releases, and then the same release in
    the others. Raises ``CommandError`` if that failed anywhere; what fails in the first is tried nowhere else.
    """
    listener = notices(command)
    with errors_as_json(command, options):
        places = _places(options)
        if purging := purging_of(places[0].storage):
            purging.watch(place.target for place in places if place.target)
        became = [_Became(places[0], done := first(places[0], listener))]
    for place in places[1:]:
        try:
            became.append(_Became(place, activate(place.store, done.release, **place.activating, listener=listener)))
        except ShipfilesError as error:
            became.append(_Became(place, None, str(error)))
    return _show(command, options, became, purging.finish() if purging else None)


def _places(options: dict[str, Any]) -> Sequence[Place]:
    """The stores that are meant, that from which releases are used first."""
    own = place_of(options)
    if options["store"] is not None or not (own.target or options["everywhere"]):
        return [own]
    others = [target for target in targets_of_storage(own.storage) if target.store is not own.store]
    return [own, *(Place(target.store, target, own.storage) for target in others)]


def _show(
    command: BaseCommand, options: dict[str, Any], became: Sequence[_Became], purged: Purges | None
) -> str | None:
    """The outcome; what the first store has is what processes use."""
    done = became[0].done
    assert done is not None
    faults = [f"{one.place}: {one.error}" for one in became if one.error]
    failure = ""
    if faults:
        whole = ", ".join(str(one.place) for one in became if not one.error)
        failure = "\n".join([f"The release {done.release} was made current in {whole}, and not everywhere:", *faults])
    if purged and purged.failure:
        failure = "\n".join(filter(None, (failure, purged.failure)))
    if pinned := pinned_elsewhere(done.release) if options["store"] is None else "":
        command.stderr.write(pinned)
    if options["json"]:
        facts: dict[str, Any] = {"error": failure} if failure else {}
        facts |= {**_facts(done), "pinned": pinned or None}
        if became[1:] or became[0].place.target:
            facts["stores"] = [
                {"store": str(one.place), **(_facts(one.done) if one.done else {}), "error": one.error or None}
                for one in became
            ]
        if purged:
            facts["purge"] = purged.facts
        print_json(command, facts)
    text = None
    if not options["json"] and options["verbosity"] >= 1:
        lines = [_line(one.place, one.done, named=bool(one.place.target or became[1:])) for one in became if one.done]
        lines += purged.lines if purged else ()
        text = fit_to_show("\n".join(lines))
    if failure:
        if text:
            command.stdout.write(text)
        raise CommandError(fit_to_show(failure)) from (purged.cause if purged else None)
    return text


def _facts(done: Activated) -> dict[str, Any]:
    writes = [change for change in done.changed if change.action != "delete"]
    return {
        "release": done.release, "before": done.before or None, "differing": done.differing,
        "written": len(writes), "bytes_written": sum(change.size for change in writes),
        "deleted": len(done.changed) - len(writes),
    }  # fmt: skip


def _line(place: Place, done: Activated, *, named: bool) -> str:
    """The outcome in a line; ``named`` with the store."""
    where = f"{place}: " if named else ""
    if done.before == done.release:
        put_right = f"; {count(len(done.changed), 'object')} had to be put right" if done.changed else ""
        return f"{where}The release {done.release} was current already{put_right}."
    instead = f" instead of {done.before}" if done.before else ""
    return (
        f"{where}Made {done.release} the current release{instead}. Changed or added: {count(done.differing, 'file')}."
    )
