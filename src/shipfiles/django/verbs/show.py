"""``ship show``: what a release is, and what is in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import did_you_mean, nearest_names, printable
from ...manifest import Manifest
from ...model import Entry, Plain, Variant
from ...records import Record, manifest_key
from ...release.catalog import manifest_of, record_of_release
from ...release.meant import release_meant
from ...release.outcome import size_of
from ...release.state import totals_of
from ..progress import count, human
from .releases import current_times, readable_pointer, record_facts
from .shared import (
    Column,
    add_json,
    add_release,
    add_store,
    errors_as_json,
    local_time,
    notices,
    place_of,
    print_facts,
    print_json,
    print_table,
)

HELP = "Show a release: what it is, what is in it, or what it says of one file."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    add_release(parser)
    parser.add_argument("file", nargs="?", default="", help="One file of it, by its logical path or hashed name.")
    parser.add_argument("--files", action="store_true", help="List all files, too; so does --verbosity 2.")
    add_store(parser)
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Show it. Raises ``CommandError`` and `ShipfilesError`."""
    with errors_as_json(command, options):
        store = place_of(options).store
        record = record_of_release(store, release_meant(store, options["release"]))
        manifest = manifest_of(store, record)
        entry = _entry(manifest, options["file"], record.release) if options["file"] else None
        pointer = readable_pointer(store, notices(command))
    if entry is not None:
        _show_file(command, options, manifest, entry)
        return None
    current, at = pointer.release if pointer else "", current_times(pointer).get(record.release)
    totals = totals_of(map(size_of, manifest.entries.values()), {})
    rewritten = sum(entry.plain is not None for entry in manifest.entries.values())
    files = [manifest.entries[logical] for logical in sorted(manifest.entries)]
    listed = options["files"] or options["verbosity"] >= 2
    if options["json"]:
        facts = {
            **record_facts(record, current, at), "compressed": totals["compressed"], "rewritten": rewritten,
            "kept": totals["kept"], "compress": manifest.compress, "linked": manifest.linked,
            "hashed_only": manifest.hashed_only, "spares": manifest.spares,
        }  # fmt: skip
        print_json(command, {**facts, "entries": [entry_facts(entry) for entry in files]} if listed else facts)
        return None
    rows = _rows(record, manifest, current, at)
    rows[3:3] = _total_rows(totals, rewritten)
    print_facts(command, rows)
    if listed and files:
        command.stdout.write("")
        _list_files(command, files)
    return None


def entry_facts(entry: Entry) -> dict[str, Any]:
    """A file of a release for ``--json``."""
    facts = {
        "path": entry.logical, "name": entry.name, "size": entry.size, "digest": entry.digest,
        "type": entry.media_type, "codings": _coding_facts(entry.codings), "references": list(entry.references),
        "kept": entry.kept, "stored": entry.stored,
    }  # fmt: skip
    if entry.plain is None:
        return {**facts, "source": None}
    plain = entry.plain
    source = {
        "size": plain.size, "digest": plain.digest, "codings": _coding_facts(plain.codings), "stored": plain.stored,
    }  # fmt: skip
    return {**facts, "source": source}


def _coding_facts(codings: Mapping[str, Variant]) -> dict[str, Any]:
    return {token: {"size": variant.size, "digest": variant.digest} for token, variant in sorted(codings.items())}


def _entry(manifest: Manifest, name: str, release: str) -> Entry:
    """The file that is meant. Raises ``CommandError``."""
    if (entry := manifest.entries.get(name)) is not None:
        return entry
    names = manifest.names()
    for logical, hashed in names.items():
        if hashed == name:
            return manifest.entries[logical]
    hint = did_you_mean(nearest_names(name, names)) or "."
    raise CommandError(f"There is no file {printable(name)} in the release {release}{hint}")


def _rows(record: Record, manifest: Manifest, current: str, at: datetime | None) -> list[tuple[str, str]]:
    when = "never"
    if at is not None:
        when = f"{'since' if record.release == current else 'until'} {local_time(at)}"
    rows = [
        ("Release", record.release),
        ("Made", local_time(record.made)),
        ("Current", when),
        ("New", f"{human(record.new_bytes)}, stored by the run that made it"),
        ("Compression", manifest.compress or "none"),
        ("Manifest", manifest_key(record.manifest)),
        ("Digest", record.manifest),
    ]
    if manifest.hashed_only:
        rows.append(("Plain names", "none: the files were sent under their hashed names alone"))
    if stored := sum(bool(entry.stored) for entry in manifest.entries.values()):
        rows.append(("Stored", f"{count(stored, 'file')} in a content coding, under their own names"))
    if manifest.linked:
        rows.append(("Plain names", "symbolic links to the sources (collectstatic --link)"))
    return rows


def _total_rows(totals: dict[str, Any], rewritten: int) -> list[tuple[str, str]]:
    size = totals["bytes"]
    rows = [("Files", f"{totals['files']:,}, {human(size)}")]
    for token, part in totals["compressed"].items():
        share = f" ({part['bytes_with'] / size:.0%} of the original)" if size else ""
        having = f"{count(part['files'], 'file')} compressed to {human(part['bytes'])}"
        rows.append((f"As {token}", f"{human(part['bytes_with'])}{share}; {having}"))
    rows.append(("Rewritten", count(rewritten, "file")))
    if totals["kept"]:
        rows.append(("Kept", f"{count(totals['kept'], 'name')} that a bundler has made from the contents"))
    return rows


def _list_files(command: BaseCommand, files: Sequence[Entry]) -> None:
    tokens = sorted({token for entry in files for token in entry.codings})
    columns = [Column("File"), Column("Size", right=True), *(Column(token, right=True) for token in tokens)]
    rows = []
    for entry in files:
        coded = [human(entry.codings[token].size) if token in entry.codings else "-" for token in tokens]
        rows.append((printable(entry.logical), human(entry.size), *coded, printable(entry.name)))
    print_table(command, [*columns, Column("Hashed name", spare=True)], rows)


def _show_file(command: BaseCommand, options: dict[str, Any], manifest: Manifest, entry: Entry) -> None:
    users = sorted(other.logical for other in manifest.entries.values() if entry.logical in other.references)
    if options["json"]:
        print_json(command, {**entry_facts(entry), "referenced_by": users})
        return
    rows = [
        ("File", printable(entry.logical)),
        ("Hashed name", printable(entry.name) + (", which a bundler gave" if entry.kept else "")),
        ("Type", entry.media_type),
        *_byte_rows("Size", entry),
    ]
    if entry.plain is None:
        rows.append(("Source", "the same bytes"))
    else:
        rows += _byte_rows("Source", entry.plain)
    rows += [("Refers to", printable(logical)) for logical in entry.references]
    rows += [("Used by", printable(logical)) for logical in users]
    print_facts(command, rows)


def _byte_rows(title: str, item: Entry | Plain) -> list[tuple[str, str]]:
    rows = [(title, count(item.size, "byte")), ("  Digest", item.digest)]
    for token, variant in sorted(item.codings.items()):
        share = f" ({variant.size / item.size:.0%})" if item.size else ""
        where = ", under the name itself" if token == item.stored else ""
        rows.append((f"  As {token}", f"{count(variant.size, 'byte')}{share}{where}"))
    return rows
