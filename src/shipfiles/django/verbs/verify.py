"""``ship verify``: whether every file of the releases is there and right, and repairs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...build.cache import Cache
from ...events import Event, Listener, Notice
from ...records import POINTER_KEY, TO_DECIDE
from ...release.contents import Content, contents_of
from ...release.meant import CURRENT, MEANT, release_meant
from ...release.repair import repair
from ...release.supply import ArchiveSupply, Built, OtherStore, Supply
from ...release.survey import Fault
from ...release.transfer import is_archive
from ...release.verify import Verified, verify
from ...stores.local import LocalStore
from ...stores.opening import open_store
from ...work import rare_collections
from .. import conf, static_urls
from ..progress import count, human, is_plain
from ..sources import find_sources
from ..static_storage import StaticStorage
from .shared import (
    Column,
    Place,
    add_json,
    add_store,
    errors_as_json,
    on_terminal,
    place_of,
    print_json,
    print_table,
    stream_of,
)

HELP = "Read every file of the releases and compare it with their manifests; repair what is missing or damaged."

_SHOWN = 50


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "release",
        nargs="?",
        default="",
        help=f"{MEANT} Default: all releases.",
    )
    parser.add_argument("--current", action="store_true", help="The current release alone.")
    parser.add_argument(
        "--repair",
        action="store_true",
        help="Put right what is not: from what the store has, from the static files that the project has now, or from "
        "what --from names. Nothing that is right is written again.",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        metavar="PLACE",
        help="Repair from there rather than from the project's static files: an archive of 'ship export', a folder "
        "with releases, or the dotted path of a store.",
    )
    add_store(parser)
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Verify. Raises ``CommandError``, which ends with status 1, if anything is left that is not right."""
    if options["current"] and options["release"]:
        raise CommandError("Say either an id or --current.", returncode=2)
    if options["origin"] and not options["repair"]:
        raise CommandError("--from says where a repair takes its bytes from: it needs --repair.", returncode=2)
    with errors_as_json(command, options):
        place = place_of(options)
        storage, store = place.storage, place.store
        meant = CURRENT if options["current"] else options["release"]
        release = release_meant(store, meant) if meant else ""
        shared: dict[str, Any] = {
            "manifest_name": place.manifest_name, "workers": storage.config.workers, "at_once": place.at_once,
        }  # fmt: skip
        with _listening(command, options) as listener, ExitStack() as stack, rare_collections():
            # Before anything is read: a wrong --from is wrong, whether it is needed or not.
            supplies = _supplies(place, options["origin"], stack, listener) if options["repair"] else []
            found = verify(store, release, **shared, listener=listener)
            if options["repair"] and (found.faults or found.unsettled):
                found = repair(
                    store, found, supplies, storage.config.compress, release, **shared, **place.answering,
                    listener=listener,
                )  # fmt: skip
    if options["json"]:
        print_json(command, _facts(found))
    elif options["verbosity"] >= 1:
        _show(command, found, options["verbosity"])
    if found.left:
        raise CommandError(_summary(found, repair=options["repair"]))
    return None if options["json"] or options["verbosity"] < 1 else _summary(found, repair=options["repair"])


@contextmanager
def _listening(command: BaseCommand, options: dict[str, Any]) -> Iterator[Listener]:
    """Bars on a terminal; notices to the standard error else."""
    if on_terminal(command) and not options["json"] and options["verbosity"] >= 1:
        from ..bars import BarProgress

        with BarProgress(stream_of(command), plain=is_plain(command)) as bars:
            yield bars
        return

    def listen(event: Event) -> None:
        if isinstance(event, Notice) and options["verbosity"] >= 1:
            command.stderr.write(event.text)

    yield listen


def _supplies(place: Place, origin: str | None, stack: ExitStack, listener: Listener) -> Sequence[Supply]:
    storage = place.storage
    if origin is None:
        built = [Built(_contents(storage, stack, listener))]
        # What was sent is, as a rule, still where it was built.
        here = [OtherStore(storage.store, str(storage.store))] if place.target and storage.location else []
        return [*here, *built]
    if is_archive(origin) and not os.path.isdir(origin):
        return [ArchiveSupply(origin, storage.manifest_name)]
    if os.path.isdir(origin):
        return [OtherStore(LocalStore(origin), origin)]
    if (os.sep in origin or "." not in origin) and "://" not in origin:
        raise CommandError(f"--from: there is no folder and no archive {origin}.")
    return [OtherStore(open_store(origin, "--from"), origin)]


def _contents(storage: StaticStorage, stack: ExitStack, listener: Listener) -> Callable[[], Iterable[Content]]:
    """What the static files that the finders find now are published as; copies of such as are on no disk last as long
    as the ``stack``."""

    def made() -> Iterable[Content]:
        from ...build.pipeline import build

        config = storage.config
        cache = stack.enter_context(Cache(conf.cache_folder(config), config.cache.max_size, listener))
        found = stack.enter_context(find_sources([]))
        built = build(
            found.sources, config.rewrite, stats=found.stats, static_url=static_urls.base_url(config) or "",
            site_url=static_urls.site_url(config), media_types=config.serve.media_types, cache=cache,
            workers=config.workers, listener=listener,
        )  # fmt: skip
        return contents_of(built.assets, config.compress)

    return made


def _facts(found: Verified) -> dict[str, Any]:
    return {
        "clean": not found.left,
        "releases": found.releases,
        "objects": found.objects,
        "bytes": found.bytes,
        "faults": [_fault_facts(fault) for fault in found.faults],
        "unsettled": [_fault_facts(fault) for fault in found.unsettled],
        "notes": found.notes,
    }


def _fault_facts(fault: Fault) -> dict[str, Any]:
    return {
        "key": fault.key,
        "kind": fault.kind,
        "what": fault.what,
        "releases": list(fault.releases),
        "repaired_from": fault.repaired or None,
        "not_repaired": fault.why_not or None,
    }


def _show(command: BaseCommand, found: Verified, verbosity: int) -> None:
    # What is left for people to do stands first.
    faults = sorted(found.faults, key=lambda fault: bool(fault.repaired))
    faults = faults if verbosity >= 2 else faults[:_SHOWN]
    tried = any(fault.repaired or fault.why_not for fault in faults)
    if faults:
        columns = [Column("Key"), Column("What"), Column("Releases"), *([Column("Repair")] if tried else [])]
        print_table(command, columns, [_row(fault, tried=tried) for fault in faults])
    if found.faults[len(faults) :]:
        more = len(found.faults) - len(faults)
        command.stdout.write(f"... and {count(more, 'fault')} more; --verbosity 2 or --json lists all")
    if found.unsettled:
        names = ", ".join(fault.key for fault in found.unsettled[:3]) + (", ..." if found.unsettled[3:] else "")
        what = "not as the current release has it, because a run is under way, or did not end"
        how = "The next collectstatic puts that right, and so do 'ship activate current' and --repair"
        command.stdout.write(f"Note: {count(len(found.unsettled), 'plain name')} {what} ({names}). {how}.")
    for note in found.notes:
        command.stdout.write(f"Note: {note}")


def _row(fault: Fault, *, tried: bool) -> tuple[str, ...]:
    releases = ", ".join(fault.releases[:3]) + (f" and {len(fault.releases) - 3} more" if fault.releases[3:] else "")
    became = f"from {fault.repaired}" if fault.repaired else f"no: {fault.why_not}" if fault.why_not else ""
    what = fault.kind + (f": {fault.what}" if fault.what else "")
    return (fault.key, what, releases, *([became] if tried else []))


def _summary(found: Verified, *, repair: bool) -> str:
    """The outcome in one line."""
    what = f"{count(len(found.releases), 'release')}, {count(found.objects, 'object')}, {human(found.bytes)}"
    if not found.faults:
        return f"{what}: all is as it should be."
    faults, repaired = count(len(found.faults), "fault"), len(found.faults) - len(found.left)
    if not found.left:
        return f"{what}: {faults}, all repaired."
    hint = " 'ship verify --repair' repairs from the project's static files, or --from another place."
    if all(fault.key == POINTER_KEY for fault in found.left):
        hint = f" {TO_DECIDE}"
    elif all(fault.kind == "taken" for fault in found.left):
        hint = " What somebody else has put there is theirs to move away."
    elif repair:
        hint = " For what is left, --from names another place: an archive of 'ship export', or a store with releases."
    return f"{what}: {faults}" + (f", {repaired:,} repaired" if repaired else "") + f".{hint}"
