"""What is carried of a release: its record, its manifest, and every key whose bytes never change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

from ..digest import Digest, Digester, digest_bytes
from ..errors import ManifestError, printable
from ..manifest import Manifest, load, plain_key, suffix
from ..model import Entry, Variant
from ..records import Record, dump_record, manifest_key, read_manifest_body, record_key
from ..stores.store import Store, read_all
from .outcome import size_of
from .publish import record_of

NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)
"""Stands where the same files shall give the same bytes whenever they are carried."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is carried of a release."""

    record: Record
    """Without time."""
    body: bytes
    """The manifest."""
    manifest: Manifest
    files: Mapping[str, Variant]
    """Every other key, sorted."""

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(variant.size for variant in self.files.values())

    @property
    def small(self) -> list[tuple[str, bytes]]:
        """The keys of record and manifest, and their bodies."""
        return [
            (record_key(self.record.release), dump_record(self.record)),
            (manifest_key(self.record.manifest), self.body),
        ]


def parcel_of(store: Store, record: Record) -> Parcel:
    """What is carried of a release of ``store``. Raises `ManifestError`."""
    body = read_manifest_body(partial(read_all, store), record)
    return parcel(record.release, body, load(body, manifest_key(record.manifest)))


def parcel(release: str, body: bytes, manifest: Manifest) -> Parcel:
    """What is carried of the release whose ``manifest`` is ``body``. Raises `ManifestError`."""
    made = record_of(release, digest_bytes(body), [size_of(entry) for entry in manifest.entries.values()], 0)
    return Parcel(replace(made, made=NO_TIME), body, manifest, files_of(manifest))


def files_of(manifest: Manifest) -> dict[str, Variant]:
    """Every key of a release but those of plain names, sorted, and its bytes. Raises `ManifestError`.

    That is raised if two files claim one key, plain names included: no publication makes such a manifest.
    """
    found: dict[str, Variant] = {}
    for entry in manifest.entries.values():
        for key, variant in _immutable(entry, linked=manifest.linked):
            if found.setdefault(key, variant) != variant:
                raise ManifestError(f"{printable(key)}: two files of one release claim this place.")
    for key, variant, _ in plains_of(manifest):
        if found.get(key, variant) != variant:
            raise ManifestError(f"{printable(key)}: two files of one release claim this place.")
    return dict(sorted(found.items()))


def plains_of(manifest: Manifest) -> Iterator[tuple[str, Variant, str]]:
    """Every key under a plain name, its bytes, and the key that has the same bytes and stays.

    Hashed names that are plain names, too, are left out, and all of a release whose plain names are links.
    """
    # A source may be called what a variant would be called (app.js.gz beside app.js): the source wins.
    taken = {key for entry in manifest.entries.values() for key in (entry.logical, entry.name)}
    for entry in manifest.entries.values():
        if manifest.linked or entry.kept:
            continue
        source = entry.name if entry.plain is None else plain_key(entry.plain.digest)
        yield entry.logical, _variant(entry.plain or entry), source
        for token, variant in (entry.plain or entry).codings.items():
            if entry.logical + suffix(token) not in taken:
                yield entry.logical + suffix(token), variant, source + suffix(token)


def _immutable(entry: Entry, *, linked: bool) -> Iterator[tuple[str, Variant]]:
    yield entry.name, _variant(entry)
    for token, variant in entry.codings.items():
        yield entry.name + suffix(token), variant
    if entry.plain is not None and not linked:
        keeper = plain_key(entry.plain.digest)
        yield keeper, _variant(entry.plain)
        for token, variant in entry.plain.codings.items():
            yield keeper + suffix(token), variant


class _Bytes(Protocol):
    @property
    def size(self) -> int: ...
    @property
    def digest(self) -> Digest: ...


def _variant(of: _Bytes) -> Variant:
    return Variant(of.size, of.digest)


def checked(chunks: Iterable[bytes], wanted: Variant, error: Callable[[], Exception]) -> Iterator[bytes]:
    """``chunks``, with ``error`` at the end if they are not the bytes ``wanted``, at once if they are too many."""
    digester = Digester()
    for chunk in chunks:
        digester.update(chunk)
        if digester.size > wanted.size:
            raise error()
        yield chunk
    if (digester.digest(), digester.size) != (wanted.digest, wanted.size):
        raise error()
