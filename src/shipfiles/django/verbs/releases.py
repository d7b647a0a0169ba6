"""``ship releases``: what releases there are."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...errors import ManifestError, ShipfilesError
from ...events import Event, Listener, Notice
from ...records import Pointer, Record, now
from ...release.catalog import pointer_of, records_of
from ...release.meant import no_current
from ...release.pace import SMALL, heard
from ...release.retention import ends_of
from ...serve.using import Used
from ...stores.store import Store, unrepeated
from .. import own_release
from ..progress import human
from .shared import (
    Column,
    abbreviated,
    add_json,
    add_store,
    errors_as_json,
    local_second,
    notices,
    on_terminal,
    place_of,
    print_json,
    print_table,
    static_storage,
    utc_time,
    zone_line,
)

HELP = "List the releases that there are, newest first, and say which is current."

_COLUMNS = (
    Column("Release"), Column("Made"), Column("Files", right=True), Column("Size", right=True, spare=True),
    Column("New", right=True, spare=True), Column("Current"),
)  # fmt: skip


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    add_store(parser)
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Show the list. Raises ``CommandError`` and `ShipfilesError`."""
    told: list[str] = []

    def keep(event: Event) -> None:
        if isinstance(event, Notice):
            told.append(event.text)

    with errors_as_json(command, options):
        store = place_of(options).store
        listener = notices(command, keep)
        # First what is asked again with a word about it: a store that does not answer at all is told soon.
        hasty = unrepeated(store, SMALL)
        pointer = heard(lambda: readable_pointer(hasty, listener), listener)
        records = [*reversed(records_of(store, listener).values())]
        used = _used(listener) if options["store"] is None else None
    current = pointer.release if pointer else ""
    times = current_times(pointer)
    if options["json"]:
        facts = [record_facts(record, current, times.get(record.release)) for record in records]
        uses = {"release": used.release, "why": used.why} if used else None
        print_json(command, {"current": current or None, "used": uses, "releases": facts, "notices": told})
        return None
    if not records:
        return no_current(store)
    ids = [record.release for record in records]
    shown = abbreviated(ids) if on_terminal(command) else ids
    rows = [
        (
            text,
            local_second(record.made),
            f"{record.files:,}",
            human(record.bytes),
            human(record.new_bytes),
            _current(record, current, times.get(record.release)),
        )
        for text, record in zip(shown, records, strict=True)
    ]
    marked = frozenset(number for number, release in enumerate(ids) if release == current)
    print_table(command, _COLUMNS, rows, marked=marked)
    command.stdout.write(zone_line())
    if used and current and used.release != current:
        command.stdout.write(f"A process that starts with these settings uses {used.release}: {used.why}.")
    if not pointer:
        command.stdout.write(no_current(store))
    if current and not marked:
        return f"The record of the current release, {current}, is missing or damaged. Run collectstatic."
    return None


def _used(listener: Listener) -> Used | None:
    """The release that a process with these settings would use; of other processes nothing is known."""
    try:
        return own_release.release_of_processes(static_storage().config)
    except ShipfilesError as error:
        listener(Notice(f"A process that starts with these settings does not start. {error}"))
        return None


def readable_pointer(store: Store, listener: Listener) -> Pointer | None:
    """The pointer; ``None`` also if it is damaged, of which the listener is told."""
    try:
        return pointer_of(store)
    except ManifestError as error:
        listener(Notice(str(error)))
        return None


def current_times(pointer: Pointer | None) -> dict[str, datetime]:
    """For the current release since when it is that, for others until when they last were."""
    if pointer is None:
        return {}
    return {**ends_of(pointer, now()), pointer.release: pointer.history[-1].at}


def record_facts(record: Record, current: str, at: datetime | None) -> dict[str, Any]:
    """A release for ``--json``."""
    is_current = record.release == current
    return {
        "release": record.release,
        "made": utc_time(record.made),
        "files": record.files,
        "bytes": record.bytes,
        "compressed": {token: {"bytes": size} for token, size in sorted(record.codings.items())},
        "new_bytes": record.new_bytes,
        "manifest": record.manifest,
        "current": is_current,
        "current_since": utc_time(at) if at and is_current else None,
        "current_until": utc_time(at) if at and not is_current else None,
    }


def _current(record: Record, current: str, at: datetime | None) -> str:
    if record.release == current:
        return "now"
    return f"until {local_second(at)}" if at else "never"
