"""Where the bytes for a repair come from: another store, an archive of a release, or the sources. None is trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol

from ..digest import Digest, digest_bytes
from ..errors import ArchiveError, KeyNotFound, ManifestError, StoreError
from ..manifest import plain_key, suffix
from ..records import Record, load_record, manifest_key, record_key
from ..stores.store import Store, chunks_of, read_all
from . import tarball
from .contents import Content
from .parcel import Parcel
from .pieces import Piece
from .transfer import received
from .unpack import Archive

Parts = Iterator[tuple[str, Iterable[bytes]]]
"""Keys that were wanted, and bytes that nobody has looked at yet. Iterating may raise `ShipfilesError`."""


class Supply(Protocol):
    """What may have the bytes that a store lacks."""

    name: str
    """For people."""

    def parts(self, wanted: Mapping[str, Piece]) -> Parts:
        """What it has of ``wanted``, which is by key."""
        ...

    def manifest(self, digest: Digest) -> bytes | None:
        """The manifest with that digest."""
        ...

    def record(self, release: str) -> Record | None:
        """The record of that release."""
        ...


class OtherStore:
    """Another store, an exported folder among these; or one that releases were sent to, or that they were built in."""

    def __init__(self, store: Store, name: str) -> None:
        self._store = store
        self.name = name

    def parts(self, wanted: Mapping[str, Piece]) -> Parts:
        """Those that are there under the same keys, or where a store of another shape has them."""
        for key, piece in wanted.items():
            for place in (key, *_elsewhere(piece)):
                if self._store.head(place) is not None:
                    with suppress(KeyNotFound):
                        yield key, self._store.read(place)

    def manifest(self, digest: Digest) -> bytes | None:
        """The one under the same key."""
        return _with_digest(read_all(self._store, manifest_key(digest)), digest)

    def record(self, release: str) -> Record | None:
        """The one under the same key."""
        try:
            body = read_all(self._store, record_key(release))
            return None if body is None else load_record(body, release)
        except (ManifestError, StoreError):
            return None


class ArchiveSupply:
    """An archive of one release, as ``ship export`` writes it."""

    def __init__(self, path: str, manifest_name: str) -> None:
        """Raises `ArchiveError`."""
        self.name = path
        self._path = path
        with _said_of("Nothing was repaired."), tarball.opened(path) as reader:
            self._carried: Parcel = received(Archive(reader, path, ""), path, manifest_name)
        self._manifest_name = manifest_name

    def parts(self, wanted: Mapping[str, Piece]) -> Parts:
        """Those that the archive holds under the same keys."""
        with _said_of(""), tarball.opened(self._path) as reader:
            archive = Archive(reader, self._path, "")
            carried = received(archive, self._path, self._manifest_name)
            for key, chunks in archive.files(carried.files):
                if key in wanted:
                    yield key, chunks
                for _ in chunks:  # the next member begins where this one ends
                    pass

    def manifest(self, digest: Digest) -> bytes | None:
        """That of its release."""
        return _with_digest(self._carried.body, digest)

    def record(self, release: str) -> Record | None:
        """That of its release."""
        return self._carried.record if self._carried.record.release == release else None


class Built:
    """The contents of a build of the sources, which is made when something is wanted."""

    name = "the sources"

    def __init__(self, contents: Callable[[], Iterable[Content]]) -> None:
        self._contents = contents

    def parts(self, wanted: Mapping[str, Piece]) -> Parts:
        """Those whose digest a source or an asset has, whatever it is called."""
        by_digest: dict[Digest, list[str]] = {}
        for key, piece in wanted.items():
            if not piece.coding:
                by_digest.setdefault(piece.digest, []).append(key)
        for content in self._contents() if by_digest else ():
            for key in by_digest.get(content.digest, ()):
                yield key, chunks_of(content.body(), key)

    def manifest(self, digest: Digest) -> bytes | None:
        """None: a manifest is made by publishing."""
        del digest
        return None

    def record(self, release: str) -> Record | None:
        """None either."""
        del release
        return None


def _elsewhere(piece: Piece) -> Iterator[str]:
    """Other keys that may have the bytes of ``piece`` in a store where files are stored in another form."""
    if piece.coding and piece.beside:
        yield piece.key.removesuffix(suffix(piece.coding))
    elif piece.coding:
        yield piece.key + suffix(piece.coding)
    if piece.plain:
        content = piece.content.digest if piece.content is not None else piece.digest
        yield plain_key(content) + (suffix(piece.coding) if piece.coding else "")


@contextmanager
def _said_of(outcome: str) -> Iterator[None]:
    """Let errors of archives end with this ``outcome``: there is no import here."""
    try:
        yield
    except ArchiveError as error:
        raise ArchiveError(error.path, error.what, outcome) from error


def _with_digest(body: bytes | None, digest: Digest) -> bytes | None:
    return body if body is not None and digest_bytes(body) == digest else None
