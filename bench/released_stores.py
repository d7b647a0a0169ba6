"""Stores with many releases, made without collecting: the same for the same numbers each time, but for the times."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import brotli

from shipfiles.digest import digest_bytes, hashed_name
from shipfiles.manifest import Manifest, dump, dump_django, plain_key, replaced, suffix
from shipfiles.model import Entry, Plain, Variant
from shipfiles.records import POINTER_KEY, Activation, Pointer, Record, dump_pointer, dump_record, manifest_key, now
from shipfiles.records import record_key as key_of_record

CHANGED = 100
"""One file in so many is another in the next release."""
FEW = 10_000
"""In the last release only one in so many is."""
# Of a hundred files so many are text, which has variants, and of those so many refer to others.
_TEXTS, _REWRITTEN = 60, 25
_KINDS = ("js", "css", "svg", "json", "js"), ("png", "woff2")


def release_id(number: int) -> str:
    """The id of the release ``number``."""
    return f"r{number:04}"


def manifest(files: int, number: int = 0) -> Manifest:
    """The release ``number`` of a site of so many files, on no disk."""
    entries = {}
    for file in range(files):
        made = _made(file, number)
        entries[made[0].logical] = made[0]
    return Manifest(entries, "br=11 gzip=12")


def many_releases(root: Path, files: int, releases: int, *, days: float = 1.0) -> int:
    """Make a store of so many releases, ``days`` apart, the newest current and made now; how many keys it has.

    A file that changes gets other bytes; `CHANGED` and `FEW` say how many do. The plain names are those of the newest
    release.
    """
    entries: dict[str, Entry] = {}
    body = b""
    last = now()
    history = []
    keys: set[str] = set()
    for number in range(releases):
        changed: dict[str, Entry] = {}
        one_in = FEW if number == releases - 1 else CHANGED
        for file in range(files):
            if number == 0 or file % one_in == number % one_in:
                entry, bodies = _made(file, number)
                changed[entry.logical] = entry
                keys |= bodies.keys()
                _write(root, bodies)
        entries |= changed
        body = replaced(body, entries, changed) if number else dump(Manifest(entries, "br=11 gzip=12"))
        made = last - timedelta(days=days * (releases - 1 - number))
        record = Record(release_id(number), made, digest_bytes(body), files, sum(e.size for e in entries.values()))
        _write(root, {manifest_key(record.manifest): body, key_of_record(record.release): dump_record(record)})
        history.append(Activation(record.release, made))
    for entry in entries.values():
        source = entry.name if entry.plain is None else plain_key(entry.plain.digest)
        for end in ("", *map(suffix, (entry.plain or entry).codings)):
            os.link(root / (source + end), root / (entry.logical + end))
            keys.add(entry.logical + end)
    names = Manifest(entries).names()
    _write(root, {POINTER_KEY: dump_pointer(Pointer(tuple(history))), "staticfiles.json": dump_django(names)})
    return len(keys) + 2 * releases + 2


def _made(file: int, number: int) -> tuple[Entry, Mapping[str, bytes]]:
    """A file as it is since the release ``number``, and the bodies of its keys that never change."""
    chance = random.Random(file * 10_007 + number)
    part = file % 100
    text = part < _TEXTS
    kinds = _KINDS[0] if text else _KINDS[1]
    logical = f"p{file // 100}/f{part}.{kinds[part % len(kinds)]}"
    body = chance.randbytes(chance.randrange(500, 16_000))
    if text:
        # As hexadecimal digits it becomes half of that when compressed.
        body = body[: len(body) // 2].hex().encode()
    entry = Entry(logical, hashed_name(logical, digest_bytes(body)), len(body), digest_bytes(body), "text/plain")
    bodies = {entry.name: body}
    if not text:
        return entry, bodies
    entry = replace(entry, codings=_variants(entry.name, body, bodies))
    if part < _REWRITTEN:
        source = body[:-1] + b"!"
        digest = digest_bytes(source)
        bodies[plain_key(digest)] = source
        plain = Plain(len(source), digest, _variants(plain_key(digest), source, bodies))
        references = (f"p{file // 100}/f{_TEXTS}.{_KINDS[1][_TEXTS % 2]}",)
        entry = replace(entry, plain=plain, references=references)
    return entry, bodies


def _variants(key: str, body: bytes, bodies: dict[str, bytes]) -> dict[str, Variant]:
    """Real variants, made at the lowest effort: only that they decode to the body counts here."""
    found = {}
    for coding, coded in (("br", brotli.compress(body, quality=1)), ("gzip", gzip.compress(body, 1, mtime=0))):
        bodies[key + suffix(coding)] = coded
        found[coding] = Variant(len(coded), digest_bytes(coded))
    return found


def _write(root: Path, bodies: Mapping[str, bytes]) -> None:
    for key, body in bodies.items():
        path = root / key
        try:
            path.write_bytes(body)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
