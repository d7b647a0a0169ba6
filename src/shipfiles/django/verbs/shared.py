"""What the verbs about releases share: the store, ids that may be abbreviated, moments, tables and JSON."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from ...durations import parse_duration
from ...errors import ShipfilesError, fit_to_show
from ...events import Event, Listener, Notice, Retried
from ...release.fields import fields_of
from ...release.meant import MEANT
from ...release.target import Target
from ...stores.local import LocalStore
from ...stores.store import Store
from .. import conf, own_release
from ..progress import Retries, is_plain
from ..static_storage import StaticStorage

_COMMIT = re.compile("[0-9a-f]{40,64}")
_SHORT_COMMIT = 12


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    title: str
    right: bool = False
    """Whether it holds numbers, which stand at its right."""
    spare: bool = False
    """Whether a terminal that is too narrow for all columns is spared this one; the last such goes first."""


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
        f"There are releases only where STORAGES['staticfiles'] is {conf.BACKENDS}; "
        f"here it is {other.__module__}.{other.__qualname__}."
    )


def static_store() -> LocalStore:
    """The store of the releases. Raises ``CommandError`` if the storage is not ours, or has no place."""
    try:
        return static_storage().store
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error


@dataclass(frozen=True, slots=True)
class Place:
    """A store that a verb is about, and what is to be known of it."""

    store: Store
    target: Target | None
    """What releases are sent to it as; ``None`` for the folder in which they are built."""
    storage: StaticStorage

    def __str__(self) -> str:
        return str(self.store)

    @property
    def manifest_name(self) -> str:
        """The key of the manifest that stock Django reads; empty if there is none for all releases."""
        return self.storage.manifest_name if self.target is None else self.target.shared_manifest

    @property
    def at_once(self) -> int:
        """How many requests are under way where each takes its time; 0 where none does."""
        return 0 if self.target is None or isinstance(self.store, LocalStore) else self.target.at_once

    @property
    def answering(self) -> dict[str, Any]:
        """With which header fields what is put there is answered, if that is not left to a web server."""
        return {} if self.target is None else {"fields": partial(fields_of, config=self.target.serve)}

    @property
    def activating(self) -> dict[str, Any]:
        """What `activate` and `rollback` are given."""
        return {"manifest_name": self.manifest_name, "at_once": self.at_once, **self.answering}


def add_store(
    parser: argparse._ActionsContainer,
    default: str = "the store that releases are used from, which is STATIC_ROOT for StaticStorage.",
) -> None:
    """The option of the verbs that can act elsewhere than where releases are used from: see `place_of`."""
    parser.add_argument(
        "--store",
        metavar="STORE",
        help="Act there: s3://bucket/folder, gs://, az://, ssh://, file://, a folder, or the dotted path of a store. "
        f"Default: {default}",
    )


def place_of(options: Mapping[str, Any]) -> Place:
    """The store that --store names, else that from which releases are used.

    Raises ``CommandError`` if the storage is not ours, or there is no such store.
    """
    storage = static_storage()
    if (named := options.get("store")) is not None:
        return place_named(storage, named, "--store")
    if storage.remote is None:
        return Place(static_store(), None, storage)
    return Place(storage.remote.store, targets_of_storage(storage)[0], storage)


def place_named(storage: StaticStorage, text: str, where: str) -> Place:
    """The store that ``text`` names. Raises ``CommandError``."""
    target = conf.target_named(storage.config, text, where)
    store = target.store
    if isinstance(store, LocalStore) and storage.location and store.root == os.path.abspath(storage.location):
        return Place(static_store(), None, storage)
    return Place(store, target, storage)


def targets_of_storage(storage: StaticStorage) -> tuple[Target, ...]:
    """The stores that releases are sent to. Raises ``CommandError``."""
    try:
        return conf.targets(storage.config)
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error


def add_release(parser: CommandParser, name: str = "release", **more: Any) -> None:
    """An argument that `shipfiles.release.meant.release_meant` reads."""
    parser.add_argument(name, **{"help": MEANT, **more})


def abbreviated(ids: Sequence[str]) -> list[str]:
    """The ``ids``, those of commits as short as they can be told apart: 40 digits leave no room for anything else."""
    most = max(map(len, ids))
    lengths = range(_SHORT_COMMIT, most + _SHORT_COMMIT)
    length = next(n for n in lengths if len({release[:n] for release in ids}) == len(ids))
    return [release[:length] if _COMMIT.fullmatch(release) else release for release in ids]


def pinned_elsewhere(release: str) -> str:
    """Which release web processes use that start now, if not ``release``, the current one; else empty."""
    config = static_storage().config
    if not own_release.may_be_pinned(config):
        return ""
    try:
        used = own_release.release_of_processes(config)
    except ShipfilesError as error:
        return f"A process that starts with these settings does not start. {error}"
    if used is None or used.release == release:
        return ""
    return (
        f"Processes with these settings use {used.release} ({used.why}), and go on with it: pages keep its names. "
        f"For {release} deploy the code that belongs to it, or let processes follow the current release "
        "(OPTIONS['serve']['follow_current'])."
    )


def duration(text: str) -> timedelta:
    """The type of an argument such as ``1d12h``."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


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
    """A listener that writes what a person should know to the standard error, and tells ``also`` everything.

    So it does with what a store is asked again for, now and then.
    """
    retries = Retries()

    def listen(event: Event) -> None:
        if isinstance(event, Notice):
            command.stderr.write(fit_to_show(event.text))
        elif isinstance(event, Retried) and (text := retries(event)):
            command.stderr.write(fit_to_show(text))
        if also is not None:
            also(event)

    return listen


def local_time(moment: datetime) -> str:
    """``moment`` for people, in the project's time zone."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S %Z")


def local_second(moment: datetime) -> str:
    """The same without the zone, where `zone_line` says it for all."""
    return timezone.localtime(moment).strftime("%Y-%m-%d %H:%M:%S")


def zone_line() -> str:
    """Which time zone the project has."""
    return f"Times are in {timezone.get_current_timezone_name()}."


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
    widths = _widths(columns, rows)
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

        print_rich_facts(stream_of(command), list(rows), plain=is_plain(command))
        return
    for name, value in rows:
        command.stdout.write(f"{name}: {value}")


def _print_rich(
    command: BaseCommand, columns: Sequence[Column], rows: Sequence[Sequence[str]], marked: frozenset[int]
) -> None:
    from rich.table import Table
    from rich.text import Text

    from ..bars import console_on

    console = console_on(stream_of(command), plain=is_plain(command))
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    shown = [*range(len(columns))]
    widths = _widths(columns, rows)
    for number in reversed(shown[:]):
        too_wide = sum(widths[one] for one in shown) + 2 * (len(shown) - 1) > console.width
        if too_wide and columns[number].spare:
            shown.remove(number)
    for column in (columns[number] for number in shown):
        table.add_column(Text(column.title), justify="right" if column.right else "left", overflow="fold")
    for number, row in enumerate(rows):
        style = "bold green" if number in marked else None
        table.add_row(*(Text(row[one]) for one in shown), style=style)
    console.print(table)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, cells)) for cells in zip(*[[c.title for c in columns], *rows], strict=True)]


def stream_of(command: BaseCommand) -> Any:
    """What the command writes to."""
    # The wrapper of the output stream adds line ends of its own, which a table must not have.
    return getattr(command.stdout, "_out", command.stdout)
