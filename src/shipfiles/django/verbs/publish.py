"""``ship publish``: send a release that was built to the stores."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import ShipfilesError, fit_to_show
from ...release.meant import CURRENT, MEANT, current_release, release_meant
from ...release.refield import Refielded, refield
from ...release.target import Target
from ..ends import INTERRUPTED
from ..progress import count
from ..purging import purging_of
from ..sending import Sending
from ..shows import shown
from ..static_storage import StaticStorage
from .shared import add_json, errors_as_json, place_named, print_json, static_storage, static_store, targets_of_storage

HELP = "Send a release that collectstatic --build-only, or any run of it, has built to the stores of the options."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    add_sending(parser)
    parser.add_argument(
        "--metadata",
        action="store_true",
        help="Send nothing: give what is there the header fields that the options say now, Cache-Control for one. Of "
        "all releases that are there, so that none is named.",
    )
    add_json(parser)


def add_sending(parser: CommandParser) -> None:
    """What is sent and where to, for this verb and for ``ship plan``."""
    parser.add_argument(
        "release",
        nargs="?",
        default="",
        help=f"A release in the folder in which they are built. {MEANT} Default: the current one.",
    )
    parser.add_argument(
        "--to",
        action="append",
        default=[],
        metavar="STORE",
        help="Where to: s3://bucket/folder, gs://, az://, ssh://, file://, a folder, or the dotted path of a store; "
        "may be given several times. A store, bucket or server of the options is used with its options. Default: all "
        "of the options.",
    )
    parser.add_argument(
        "--verify", action="store_true", help="List what is there, and send what is missing or has another size."
    )
    parser.add_argument(
        "--clear",
        action="store_true",
        help="Delete afterwards what else Shipfiles, or stock Django, has put there: all other releases.",
    )


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Send it. Raises ``CommandError``, which ends with status 1, if that failed anywhere; all stores are tried."""
    as_json, verbosity = options["json"], options["verbosity"]
    if options["metadata"]:
        _refield(command, options)
        return None
    with errors_as_json(command, options):
        storage = static_storage()
        release, targets = what_and_where(storage, options)
        if purging := purging_of(storage):
            purging.watch(targets)
    sending = Sending(
        static_store(), release, targets, storage.config, clear=options["clear"], verify=options["verify"]
    )  # fmt: skip
    try:
        sending.run(partial(shown, command, as_json=as_json, verbosity=verbosity, release=release))
    except KeyboardInterrupt as error:
        if as_json:
            print_json(command, sending.facts(sending.interrupted))
        raise CommandError(fit_to_show(sending.interrupted), returncode=INTERRUPTED) from error
    purged = purging.finish() if purging else None
    failure = "\n".join(filter(None, (sending.failure, purged.failure if purged else "")))
    if as_json:
        print_json(command, sending.facts(failure) | ({"purge": purged.facts} if purged else {}))
    elif verbosity >= 1:
        for text in (*(outcome.text for outcome in sending.outcomes), *(purged.lines if purged else ())):
            command.stdout.write(fit_to_show(text))
    if failure:
        raise CommandError(fit_to_show(failure)) from (purged.cause if purged else None)
    return None


def what_and_where(storage: StaticStorage, options: dict[str, Any]) -> tuple[str, Sequence[Target]]:
    """The id of the release that is meant, and the stores. Raises ``CommandError``, `ReleaseError`, `ConfigError`."""
    targets = where_to(storage, options["to"])
    store = static_store()
    # An error that says that there is none at all, and how to make one without sending it.
    current_release(store, "Run 'manage.py collectstatic --build-only'.")
    return release_meant(store, options["release"] or CURRENT), targets


def where_to(storage: StaticStorage, named: Sequence[str]) -> Sequence[Target]:
    """The stores that are ``named``, else those of the options. Raises ``CommandError`` and `ConfigError`."""
    if not named:
        if not (targets := targets_of_storage(storage)):
            raise CommandError(
                "The options name no store to send releases to. Name one with --to, or in OPTIONS['publish']['to']; or "
                "let STORAGES['staticfiles'] be a storage of a store, such as shipfiles.django.storage.S3StaticStorage."
            )
        return targets
    found: dict[str, Target] = {}
    for text in named:
        place = place_named(storage, text, "--to")
        if place.target is None:
            raise CommandError(f"--to {text}: releases are built in that folder, and there already.")
        found[str(place)] = place.target
    return list(found.values())


def _refield(command: BaseCommand, options: dict[str, Any]) -> None:
    for option in ("release", "verify", "clear"):
        if options[option]:
            raise CommandError("--metadata sends nothing, so it goes with --to alone.", returncode=2)
    with errors_as_json(command, options):
        targets = where_to(static_storage(), options["to"])
    done: list[tuple[Target, Refielded | None, str]] = []
    for target in targets:
        with shown(command, target, as_json=options["json"], verbosity=options["verbosity"]) as listener:
            try:
                done.append((target, refield(target, listener), ""))
            except ShipfilesError as error:
                done.append((target, None, str(error)))
    _tell(command, options, done)


def _tell(command: BaseCommand, options: dict[str, Any], done: Sequence[tuple[Target, Refielded | None, str]]) -> None:
    faults = [f"{target}: {error}" for target, _, error in done if error]
    faults += [
        f"{target}: {count(len(found.missing), 'object')} of the current release missing: "
        f"{', '.join(found.missing[:3])}{', ...' if found.missing[3:] else ''}. 'ship publish --verify' sends them."
        for target, found, _ in done
        if found and found.missing
    ]
    failure = "\n".join(faults)
    if options["json"]:
        facts = [
            {
                "target": str(target), "ok": not error and not (found and found.missing),
                "release": found.release if found else None, "releases": found.releases if found else 0,
                "objects": found.objects if found else 0, "missing": found.missing if found else [],
                "error": error or None,
            }
            for target, found, error in done
        ]  # fmt: skip
        print_json(command, ({"error": failure} if failure else {}) | {"targets": facts})
    elif options["verbosity"] >= 1:
        for target, found, _ in done:
            if found:
                what = f"{count(found.objects, 'object')} of {count(found.releases, 'release')}"
                command.stdout.write(fit_to_show(f"{target}: {what} answered as the options say."))
        if static_storage().config.purge.caches:
            command.stdout.write("Caches go on with the old fields until they ask again, or until 'ship purge --all'.")
    if failure:
        raise CommandError(fit_to_show(failure))
