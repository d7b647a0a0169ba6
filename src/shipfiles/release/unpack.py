"""Where a release is imported from: an archive or a folder, neither of which is trusted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Protocol

from ..errors import ArchiveError, NoEarlierRelease, UnknownRelease, printable
from ..model import Variant
from ..records import MANIFESTS_PREFIX, RELEASES_PREFIX, load_record, manifest_key, record_key
from ..stores.local import LocalStore
from ..stores.store import read_all
from .catalog import records_of
from .meant import begins, is_relative, release_meant, some
from .pointing import current_id
from .tarball import Reader

_LARGEST_RECORD = 64 * 1024
# A manifest is read whole: one of 100,000 files with two codings has less than 60 MB.
_LARGEST_MANIFEST = 256 * 1024 * 1024
# Digests cannot be compressed: half of a manifest is theirs, and the files take up more than it does.
_DENSEST = 50
_SMALL = 1 << 20


class Source(Protocol):
    """What a release is imported from."""

    def head(self) -> tuple[str, bytes, bytes]:
        """The id that its record is under, the record, and the manifest."""
        ...

    def files(self, wanted: Mapping[str, Variant]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Each of the keys that are ``wanted``, once, and its bytes, which nobody has looked at yet."""
        ...


class Archive:
    """A release in an archive. Record and manifest come first."""

    def __init__(self, reader: Reader, path: str, release: str) -> None:
        self._reader = reader
        self._path = path
        self._wanted = release
        # What is not there yet takes up no memory: how much may come is known from what there is.
        self._most = min(_LARGEST_MANIFEST, _SMALL + _DENSEST * os.path.getsize(path))

    def head(self) -> tuple[str, bytes, bytes]:
        """The first two members."""
        name, record = self._whole(RELEASES_PREFIX, _LARGEST_RECORD)
        release = name.removeprefix(RELEASES_PREFIX).removesuffix(".json")
        if self._wanted and not begins(release, self._wanted):
            raise ArchiveError(self._path, f"it holds the release {printable(release)}, not {printable(self._wanted)}")
        _, manifest = self._whole(MANIFESTS_PREFIX, self._most)
        return release, record, manifest

    def files(self, wanted: Mapping[str, Variant]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The other members, none but those that are ``wanted``."""
        seen: set[str] = set()
        while (member := self._reader.next()) is not None:
            shown = printable(member.name)
            if member.name not in wanted:
                raise ArchiveError(self._path, f"it holds {shown}, which its manifest does not name")
            if member.name in seen:
                raise ArchiveError(self._path, f"it holds {shown} twice")
            if member.size != wanted[member.name].size:
                what = f"{shown} has {member.size:,} bytes, and the manifest says {wanted[member.name].size:,}"
                raise ArchiveError(self._path, what)
            seen.add(member.name)
            yield member.name, self._reader.chunks()
        missing = [key for key in wanted if key not in seen]
        if missing:
            what = f"it lacks {printable(missing[0])}" + (f" and {len(missing) - 1:,} more" if missing[1:] else "")
            raise ArchiveError(self._path, what)

    def _whole(self, prefix: str, most: int) -> tuple[str, bytes]:
        member = self._reader.next()
        if member is None or not member.name.startswith(prefix):
            found = "its end" if member is None else printable(member.name)
            raise ArchiveError(self._path, f"no archive of 'ship export': it has {found} where {prefix}... should be")
        if member.size > most:
            raise ArchiveError(
                self._path,
                f"{printable(member.name)} has {member.size:,} bytes, more than {most:,} which are plausible",
            )
        return member.name, b"".join(self._reader.chunks())


class Folder:
    """A release in a folder that is a store."""

    def __init__(self, store: LocalStore, path: str, release: str) -> None:
        self._store = store
        self._path = path
        self._release = release

    def head(self) -> tuple[str, bytes, bytes]:
        """Those of the release that was asked for, else of the only one, else of the current one."""
        release = self._chosen()
        body = self._whole(record_key(release), _LARGEST_RECORD)
        return release, body, self._whole(manifest_key(load_record(body, release).manifest), _LARGEST_MANIFEST)

    def files(self, wanted: Mapping[str, Variant]) -> Iterator[tuple[str, Iterable[bytes]]]:
        """All of them, one after the other."""
        for key, variant in wanted.items():
            stored = self._store.head(key)
            if stored is None:
                raise ArchiveError(self._path, f"it lacks {printable(key)}")
            if stored.size != variant.size:
                what = f"{printable(key)} has {stored.size:,} bytes, and the manifest says {variant.size:,}"
                raise ArchiveError(self._path, what)
            yield key, self._store.read(key)

    def _chosen(self) -> str:
        if self._release:
            return self._meant()
        known = list(records_of(self._store))
        if not known:
            raise ArchiveError(self._path, "there is no release in this folder")
        current = current_id(self._store)
        if len(known) > 1 and current not in known:
            what = f"it has {len(known)} releases and none is current: say which with --release"
            raise ArchiveError(self._path, what)
        return known[0] if len(known) == 1 else current

    def _meant(self) -> str:
        """The one that was asked for. What releases there are is told: the verbs list those of another store."""
        current = current_id(self._store)
        if current or not is_relative(self._release):
            with suppress(UnknownRelease, NoEarlierRelease):
                return release_meant(self._store, self._release)
        known = some([*records_of(self._store)]) or "none at all"
        what = f"it has no release {self._release!r}, but {known}" + ("" if current else "; none is current")
        raise ArchiveError(self._path, what)

    def _whole(self, key: str, most: int) -> bytes:
        stored = self._store.head(key)
        if stored is None:
            raise ArchiveError(self._path, f"it lacks {printable(key)}")
        if stored.size > most:
            raise ArchiveError(self._path, f"{printable(key)} has {stored.size:,} bytes, more than {most:,}")
        return read_all(self._store, key) or b""
