"""``ship diff``: what one release has and another has not, and whether browsers have too much more to load."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import printable
from ...manifest import Manifest
from ...release.catalog import manifest_of, record_of_release
from ...release.compare import IDENTITY, Difference, Limit, compare, growth, limit_of, loaded, source_of
from ...release.meant import CURRENT, release_meant
from ...stores.store import Store
from ..progress import count, human
from .shared import (
    Column,
    add_json,
    add_release,
    add_store,
    errors_as_json,
    place_of,
    print_json,
    print_table,
)

HELP = "Compare two releases: which files were added, removed, changed or renamed, and what that is in bytes."

_SHOWN = 40
"""So many files are shown one by one; all of them at verbosity 2."""


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    add_release(parser, "before")
    add_release(parser, "after", nargs="?", default=CURRENT, help="The same; the current one by default.")
    parser.add_argument(
        "--max-growth",
        type=_limit,
        metavar="LIMIT",
        help="End with status 1 if browsers have more than this to load in addition, uncompressed or in any content "
        "coding, all files taken together: a percentage (with its sign) or bytes (50kB, 1.5MB, 20KiB, 20000).",
    )
    add_store(parser)
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Show what differs. Raises `ShipfilesError`, and ``CommandError`` also if --max-growth is exceeded."""
    with errors_as_json(command, options):
        store = place_of(options).store
        old, before = _read(store, options["before"])
        new, after = _read(store, options["after"])
    difference = compare(before, after)
    sizes = growth(loaded(before), loaded(after))
    limit: Limit | None = options["max_growth"]
    exceeded = [token for token, pair in sizes.items() if limit and limit.is_exceeded(*pair)]
    if options["json"]:
        facts = {
            "before": old, "after": new, **_file_facts(difference),
            "bytes": {token: {"before": was, "after": now, "growth": now - was} for token, (was, now) in sizes.items()},
            "max_growth": limit.text if limit else None, "exceeded": exceeded,
        }  # fmt: skip
        print_json(command, facts)
    elif options["verbosity"]:
        _show_files(command, difference, old, new, all_of_them=options["verbosity"] >= 2)
        _show_sizes(command, sizes)
    if exceeded and limit:
        told = ", ".join(f"{_as(token)} {_grown(*sizes[token])}" for token in exceeded)
        raise CommandError(f"With {new}, browsers have over {limit.with_unit} more to load than with {old}: {told}.")
    return None


def _limit(text: str) -> Limit:
    try:
        return limit_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _read(store: Store, text: str) -> tuple[str, Manifest]:
    record = record_of_release(store, release_meant(store, text))
    return record.release, manifest_of(store, record)


def _file_facts(difference: Difference) -> dict[str, Any]:
    return {
        "added": [{"path": entry.logical, "size": entry.size} for entry in difference.added],
        "removed": [{"path": entry.logical, "size": entry.size} for entry in difference.removed],
        "changed": [
            {
                "path": new.logical, "before": old.size, "after": new.size,
                "source_changed": source_of(old) != source_of(new),
            }
            for old, new in difference.changed
        ],
        "renamed": [
            {"from": old.logical, "path": new.logical, "before": old.size, "after": new.size}
            for old, new in difference.renamed
        ],
        "recompressed": [entry.logical for entry in difference.recompressed],
    }  # fmt: skip


def _show_files(command: BaseCommand, difference: Difference, old: str, new: str, *, all_of_them: bool) -> None:
    rows = [("added", printable(entry.logical), "", human(entry.size)) for entry in difference.added]
    rows += [("removed", printable(entry.logical), human(entry.size), "") for entry in difference.removed]
    for was, now in difference.changed:
        # What only names files whose hashed names are others now is no work of anybody.
        what = "changed" if source_of(was) != source_of(now) else "references"
        rows.append((what, printable(now.logical), human(was.size), human(now.size)))
    for was, now in difference.renamed:
        names = f"{printable(was.logical)} -> {printable(now.logical)}"
        rows.append(("renamed", names, human(was.size), human(now.size)))
    rows += [("recompressed", printable(e.logical), human(e.size), human(e.size)) for e in difference.recompressed]
    if not rows:
        command.stdout.write(f"The files of {old} and {new} are the same.\n\n")
        return
    shown = rows if all_of_them else rows[:_SHOWN]
    columns = (Column("What"), Column("File"), Column("Before", right=True), Column("After", right=True))
    print_table(command, columns, shown)
    if len(rows) > len(shown):
        command.stdout.write(f"... and {count(len(rows) - len(shown), 'more file')}; --verbosity 2 shows them all")
    kinds: dict[str, int] = {}
    for kind, *_ in rows:
        kinds[kind] = kinds.get(kind, 0) + 1
    command.stdout.write(f"\nFrom {old} to {new}: {_summary(kinds)}.\n\n")


def _summary(kinds: dict[str, int]) -> str:
    """How many rows there are of each kind; of what changed also how many in references alone."""
    told = []
    for kind, number in kinds.items():
        if kind == "changed" and (references := kinds.get("references", 0)):
            told.append(f"{number + references:,} changed ({references:,} in references only)")
        elif kind == "references" and "changed" not in kinds:
            told.append(f"{number:,} changed in references only")
        elif kind != "references":
            told.append(f"{number:,} {kind}")
    return ", ".join(told)


def _show_sizes(command: BaseCommand, sizes: dict[str, tuple[int, int]]) -> None:
    columns = (Column("All files"), *(Column(title, right=True) for title in ("Before", "After", "Growth")))
    rows = [(_as(token), human(was), human(now), _grown(was, now)) for token, (was, now) in sizes.items()]
    print_table(command, columns, rows)


def _as(token: str) -> str:
    return "uncompressed" if token == IDENTITY else f"as {token}"


def _grown(before: int, after: int) -> str:
    """``+1.2 kB (+3.4%)``."""
    more = after - before
    sign = "+" if more > 0 else "-" if more < 0 else ""
    return f"{sign}{human(abs(more))}" + (f" ({more / before:+.1%})" if more and before else "")
