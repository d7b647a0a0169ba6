"""``ship prune``: delete old releases, and the files that only they have."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...durations import duration_text
from ...records import now
from ...release.clocks import check_clocks
from ...release.marks import Part
from ...release.meant import MEANT, release_meant
from ...release.prune import PrunePlan, plan_prune, prune
from ...stores.local import LocalStore
from ..ends import INTERRUPTED
from ..progress import count, human
from ..pruning import prune_facts, prune_total
from .shared import (
    Column,
    abbreviated,
    add_json,
    add_store,
    duration,
    errors_as_json,
    local_time,
    notices,
    on_terminal,
    place_of,
    print_json,
    print_table,
)

HELP = "Delete old releases, and the files that only they have."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "--keep",
        type=_number,
        metavar="N",
        help="Keep at least the newest N releases. Default: OPTIONS['retain']['keep'].",
    )
    parser.add_argument(
        "--younger-than",
        type=duration,
        metavar="AGE",
        help="Keep what was made, or was still current, less than this ago: 45s, 30m, 12h, 7d, 2w or a sum such as "
        "1d12h. Default: OPTIONS['retain']['younger_than'].",
    )
    parser.add_argument(
        "--protect",
        action="append",
        default=[],
        metavar="ID",
        help=f"Keep this release, too: one that a process is pinned to. {MEANT} May be given several times.",
    )
    parser.add_argument("--dry-run", "-n", action="store_true", help="Say what would be deleted, and delete nothing.")
    parser.add_argument(
        "--noinput",
        "--no-input",
        action="store_false",
        dest="interactive",
        help="Ask nothing before files are deleted.",
    )
    add_store(parser)
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Say what goes, ask, delete. Raises ``CommandError``, which ends with status 1, if that was not to be."""
    with errors_as_json(command, options):
        place = place_of(options)
        store, config = place.store, place.storage.config
        if not options["dry_run"]:
            check_clocks(store, notices(command))
        plan = plan_prune(
            store,
            keep=config.retain.keep if options["keep"] is None else options["keep"],
            younger_than=config.retain.age if options["younger_than"] is None else options["younger_than"],
            at=now(),
            protect=[release_meant(store, text) for text in options["protect"]],
            manifest_name=place.manifest_name,
            listener=notices(command),
        )
        as_json, quiet = options["json"], options["json"] or options["verbosity"] < 1
        if not quiet:
            _show(command, plan, options["verbosity"], on_disk=isinstance(store, LocalStore))
        deleted = False
        if not plan.is_empty and not options["dry_run"]:
            if options["interactive"] and not as_json and on_terminal(command):
                _ask()
            plan, deleted = prune(store, plan, notices(command)), True
        if as_json:
            dry = options["dry_run"]
            print_json(command, {**prune_facts(plan), "dry_run": dry, "done": not dry})
    if quiet or not deleted:
        return None
    return f"Deleted {prune_total(plan)}."


def _ask() -> None:
    try:
        answer = input("Delete them? [y/N] ")
    except EOFError:
        answer = ""
    except KeyboardInterrupt:
        raise CommandError("Interrupted. Nothing was deleted.", returncode=INTERRUPTED) from None
    if answer.strip().casefold() not in ("y", "yes"):
        raise CommandError("Nothing was deleted.")


def _show(command: BaseCommand, plan: PrunePlan, verbosity: int, *, on_disk: bool) -> None:
    for release, why in plan.kept.items():
        command.stdout.write(f"Kept: {release}, {why}")
    if plan.parts:
        columns = [Column("Release"), Column("Made"), Column("Files", right=True), Column("Frees", right=True)]
        ids = [part.release or "(left of earlier runs)" for part in plan.parts]
        shown = abbreviated([*ids, *plan.kept])[: len(ids)] if on_terminal(command) else ids
        print_table(command, columns, [_row(text, part) for text, part in zip(shown, plan.parts, strict=True)])
    if verbosity >= 2:
        for key in plan.sweep:
            command.stdout.write(f"To be deleted: {key}")
    for key in plan.foreign:
        command.stdout.write(f"Left in place: {key}: its bytes are not those that the release says")
    if plan.waiting:
        files = count(plan.waiting, "file")
        age = duration_text(plan.terms.grace)
        why = f"maybe by another run{'; chown and chmod of all files count, too' if on_disk else ''}"
        command.stdout.write(f"Left for the next time: {files} put there less than {age} ago, {why}")
    if plan.spared:
        files = count(len(plan.spared), "file")
        command.stdout.write(f"Left in place: {files} whose names some systems take for those of files that are needed")
    command.stdout.write(
        f"To be deleted: {prune_total(plan)}." if not plan.is_empty else "There is nothing to be deleted."
    )


def _row(text: str, part: Part) -> tuple[str, str, str, str]:
    made = local_time(part.made) if part.made else "-"
    return text, made, f"{part.files:,}", human(part.bytes)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of releases: write 0 or more")
    return int(text)
