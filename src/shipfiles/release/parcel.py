"""What is carried of a release: its record, its manifest, and every key whose bytes never change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, Protocol

from ..decode import decoded
from ..digest import Digest, Digester, digest_bytes
from ..errors import ManifestError, StoreError, printable
from ..manifest import Manifest, dump, load, plain_key, suffix
from ..model import Entry, Variant, under_name
from ..records import Record, dump_record, manifest_key, read_manifest_body, record_key
from ..stores.store import Store, digest_of, read_all
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
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Where those of them are that lie in the store under another key, or in another form."""

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

    def read(self, store: Store, key: str) -> Iterator[bytes]:
        """The bytes of the file ``key``, from ``store``, as they are to be. Nobody has looked at them yet.

        Raises `StoreError`.
        """
        origin = self.origins.get(key, Origin(key))
        if not origin.coding:
            yield from store.read(origin.key)
            return
        try:
            yield from decoded(store.read(origin.key), origin.coding)
        except ValueError as error:
            raise StoreError(origin.key, f"stored as {origin.coding}, and not to be decoded: {error}") from None


class Origin(NamedTuple):
    """Where the bytes of a file are."""

    key: str
    coding: str = ""
    """What they are to be decoded from; empty for nothing."""


def parcel_of(store: Store, record: Record) -> Parcel:
    """What is carried of a release of ``store``, as if it had been built there. Raises `ManifestError`, `StoreError`.

    Of a release that was sent, what is stored in a content coding is carried as it is without, and as a variant. The
    source of a rewritten file is carried if it still lies under the plain name.
    """
    body = read_manifest_body(partial(read_all, store), record)
    manifest = load(body, manifest_key(record.manifest))
    stored = any(of is not None and of.stored for entry in manifest.entries.values() for of in (entry, entry.plain))
    if manifest.spares and not stored:
        return parcel(record.release, body, manifest)
    origins: dict[str, Origin] = {}
    entries = {entry.logical: _as_built(store, manifest, entry, origins) for entry in manifest.entries.values()}
    made = replace(manifest, entries=entries, spares=True)
    return parcel(record.release, dump(made), made, origins)


def _as_built(store: Store, manifest: Manifest, entry: Entry, origins: dict[str, Origin]) -> Entry:
    """``entry`` as it would be where it is built; adds to ``origins`` where its files are."""
    if entry.stored:
        origins[entry.name] = Origin(entry.name, entry.stored)
        origins[entry.name + suffix(entry.stored)] = Origin(entry.name)
    plain = entry.plain
    if plain is not None and not manifest.spares:
        under = under_name(plain)
        if manifest.hashed_only or not _has(store, entry.logical, under):
            return replace(entry, stored="", plain=None)
        keeper = plain_key(plain.digest)
        origins[keeper] = Origin(entry.logical, plain.stored)
        ends = {token: suffix(token) for token in plain.beside}
        codings = {t: v for t, v in plain.beside.items() if _has(store, entry.logical + ends[t], v)}
        origins.update((keeper + ends[token], Origin(entry.logical + ends[token])) for token in codings)
        if plain.stored:
            codings[plain.stored] = under
            origins[keeper + suffix(plain.stored)] = Origin(entry.logical)
        plain = replace(plain, codings=codings)
    return replace(entry, stored="", plain=plain and replace(plain, stored=""))


def _has(store: Store, key: str, wanted: Variant) -> bool:
    there = store.head(key)
    return there is not None and there.size == wanted.size and digest_of(store, key)[0] == wanted.digest


def parcel(release: str, body: bytes, manifest: Manifest, origins: Mapping[str, Origin] = {}) -> Parcel:
    """What is carried of the release whose ``manifest`` is ``body``. Raises `ManifestError`."""
    made = record_of(release, digest_bytes(body), [size_of(entry) for entry in manifest.entries.values()], 0)
    return Parcel(replace(made, made=NO_TIME), body, manifest, files_of(manifest), origins)


def files_of(manifest: Manifest) -> dict[str, Variant]:
    """Every key of a release but those of plain names, sorted, and its bytes. Raises `ManifestError`.

    That is raised if two files claim one key, plain names included: no publication makes such a manifest.
    """
    found: dict[str, Variant] = {}
    for entry in manifest.entries.values():
        for key, variant in _immutable(entry, manifest):
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
        if manifest.linked or manifest.hashed_only or entry.kept:
            continue
        source = entry.name if entry.plain is None else plain_key(entry.plain.digest)
        yield entry.logical, _variant(entry.plain or entry), source
        for token, variant in (entry.plain or entry).codings.items():
            if entry.logical + suffix(token) not in taken:
                yield entry.logical + suffix(token), variant, source + suffix(token)


def _immutable(entry: Entry, manifest: Manifest) -> Iterator[tuple[str, Variant]]:
    yield entry.name, _variant(entry)
    for token, variant in entry.codings.items():
        yield entry.name + suffix(token), variant
    if entry.plain is not None and manifest.spares and not (manifest.linked or manifest.hashed_only):
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
