"""What the verbs about releases share: the store, ids that may be abbreviated, moments, tables and JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ...errors import ShipfilesError
from ...events import Event, Listener, Notice
from ...records import RELEASES_PREFIX, unknown_release
from ...release.catalog import pointer_of
from ...stores.local import LocalStore
from ..storage import StaticStorage

CURRENT = "current"
"""What may be written for the id of the current release; no release can have it as its own."""

_SHORTEST = 4
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    right: bool = False
    """Whether it holds numbers, which stand at its right."""


def static_storage() -> StaticStorage:
    """The static files storage. Raises ``CommandError`` if it is not ours."""
    try:
        # A lazy object, whose class is that of what it stands for.
        if isinstance(staticfiles_storage, StaticStorage):
            return staticfiles_storage
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
    other = staticfiles_storage.__class__
    raise CommandError(
        "There are releases only where STORAGES['staticfiles'] is shipfiles.django.storage.StaticStorage; "
        f"here it is {other.__module__}.{other.__qualname__}."
    )


def static_store() -> LocalStore:
    """The store of the releases. Raises ``CommandError`` if the storage is not ours, or has no place."""
    try:
        return static_storage().store
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error


def release_meant(store: LocalStore, text: str) -> str:
    """The id that ``text`` stands for: an id, ``current``, or the first four or more characters of one id alone.

    Raises ``CommandError`` if several begin so, `UnknownRelease` if none does.
    """
    if text == CURRENT:
        return current_release(store)
    # Compared, never joined to a path: the text may be anything.
    known = sorted(s.key.removeprefix(RELEASES_PREFIX).removesuffix(".json") for s in store.list(RELEASES_PREFIX))
    if text in known:
        return text
    found = [release for release in known if release.startswith(text)] if len(text) >= _SHORTEST else []
    if len(found) > 1:
        listed = ", ".join(found[:_SHOWN]) + (f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else "")
        raise CommandError(f"{text!r} is ambiguous: {len(found)} releases begin so: {listed}. Write more of the id.")
    if not found:
        raise unknown_release(text, known, store.root)
    return found[0]


def current_release(store: LocalStore) -> str:
    """The id of the current release. Raises ``CommandError`` if there is none, `ManifestError` if that is damaged."""
    pointer = pointer_of(store)
    if pointer is None:
        raise CommandError(f"There is no release in {store.root} yet. Run collectstatic.")
    return pointer.release


def add_json(parser: CommandParser) -> None:
    """The option of every verb."""
    parser.add_argument("--json", action="store_true", help="Print one JSON object instead of text.")


def print_json(command: BaseCommand, facts: Mapping[str, Any]) -> None:
    """The answer to ``--json``."""
    command.stdout.write(json.dumps(facts, indent=2))


@contextmanager
def errors_as_json(command: BaseCommand, options: Mapping[str, Any]) -> Iterator[None]:
    """With ``--json``, errors within are an object, too; they are raised all the same."""
    try:
        yield
    except (CommandError, ShipfilesError) as error:
        if options["json"]:
            print_json(command, {"error": str(error)})
        raise


def notices(command: BaseCommand, also: Callable[[Event], object] | None = None) -> Listener:
    """A listener that writes what a person should know to the standard error, and tells ``also`` everything."""

    def listen(event: Event) -> None:
        if isinstance(event, Notice):
            command.stderr.write(event.text)
        if also is not None:
            also(event)

    return listen


def local_time(moment: datetime) -> str:
    """``moment`` for people, in the project's time zone."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")


def utc_time(moment: datetime) -> str:
    """``moment`` for programs, as records have it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def on_terminal(command: BaseCommand) -> bool:
    """Whether a person sees what the command prints."""
    return bool(command.stdout.isatty())


def print_table(
    command: BaseCommand,
    columns: Sequence[Column],
    rows: Sequence[Sequence[str]],
    *,
    marked: frozenset[int] = frozenset(),
) -> None:
    """A table with titles; rows whose numbers are ``marked`` stand out on a terminal."""
    if on_terminal(command):
        _print_rich(command, columns, rows, marked)
        return
    widths = [max(map(len, cells)) for cells in zip(*[[c.title for c in columns], *rows], strict=True)]
    for row in [[column.title for column in columns], *rows]:
        cells = [
            cell.rjust(width) if column.right else cell.ljust(width)
            for cell, width, column in zip(row, widths, columns, strict=True)
        ]
        command.stdout.write("  ".join(cells).rstrip())


def print_facts(command: BaseCommand, rows: Sequence[tuple[str, str]]) -> None:
    """Names and values: a table without titles on a terminal, else a line each."""
    if on_terminal(command):
        from ..bars import print_table as print_rich_facts

        print_rich_facts(_stream(command), list(rows))
        return
    for name, value in rows:
        command.stdout.write(f"{name}: {value}")


def _print_rich(
    command: BaseCommand, columns: Sequence[Column], rows: Sequence[Sequence[str]], marked: frozenset[int]
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(Text(column.title), justify="right" if column.right else "left", overflow="fold")
    for number, row in enumerate(rows):
        table.add_row(*(Text(cell) for cell in row), style="bold green" if number in marked else None)
    Console(file=_stream(command)).print(table)


def _stream(command: BaseCommand) -> Any:
    # The wrapper of the output stream adds line ends of its own, which a table must not have.
    return getattr(command.stdout, "_out", command.stdout)
