"""Put files into a store beside those that are there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Self

from ..errors import KeyExists, KeyNotFound, ManifestError, StoreError, os_reason
from ..events import Listener, Notice
from ..manifest import plain_key
from ..model import Entry, Variant
from ..records import MANIFESTS_PREFIX
from ..stores.store import Body, Store, digest_of, read_all
from .listed import listed
from .parcel import Parcel

# Larger files go to the store by way of a temporary file.
_SMALL = 1 << 20


@contextmanager
def spooled(key: str, chunks: Iterable[bytes], size: int) -> Iterator[Body]:
    """``chunks``, ``size`` bytes in all, as a store takes them: by way of a temporary file if they are many.

    Raises `StoreError` with ``key`` if that cannot be written.
    """
    if size <= _SMALL:
        yield b"".join(chunks)
        return
    try:
        with tempfile.TemporaryDirectory(prefix="shipfiles-") as folder:
            path = os.path.join(folder, "file")
            with open(path, "wb") as file:
                file.writelines(chunks)
            yield path
    except OSError as error:
        raise StoreError(key, f"no temporary file for it can be written: {os_reason(error)}") from error


class Deposit:
    """Puts files into a store without changing any that is there; what was put is taken back if not all can be."""

    def __init__(self, store: Store, listener: Listener) -> None:
        self._store = store
        self._listener = listener
        self.written: list[str] = []
        self.bytes_written = 0
        self._others: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None:
            # No manifest names them, so nothing else would ever remove them.
            with suppress(StoreError):
                self._store.delete(self.written)

    def put(self, key: str, chunks: Iterator[bytes], variant: Variant) -> None:
        """Make ``key`` hold ``chunks``, which raise if they are not the bytes of ``variant``."""
        if self._store.head(key) is not None:
            for _ in chunks:
                pass
            self._compare(key, variant)
            return
        try:
            with spooled(key, chunks, variant.size) as body:
                self._store.put(key, body, mode="create", digest=variant.digest)
        except KeyExists:
            self._compare(key, variant)
        else:
            self.written.append(key)
            self.bytes_written += variant.size

    def say_what_stays(self, parcel: Parcel) -> None:
        """Raise `StoreError` for files that the store has with other bytes; only say so of variants of ours."""
        assets = {key for entry in parcel.manifest.entries.values() for key in _identities(entry)}
        known = self._known() if self._others else frozenset[str]()
        for key in self._others:
            if key in assets or key not in known:
                what = "the store has other bytes under this name: it is damaged there, or not Shipfiles' own"
                raise StoreError(key, f"{what}. 'manage.py ship verify' knows more. Nothing was imported")
        if self._others:
            what = "were made with other settings in the store and stay as they are there"
            self._listener(Notice(f"{len(self._others):,} compressed files {what}: {self._others[0]}."))

    def _known(self) -> frozenset[str]:
        """Every key that a manifest in the store names."""
        found: set[str] = set()
        seen: set[bytes] = set()
        for stored in self._store.list(MANIFESTS_PREFIX):
            with suppress(ManifestError):
                body = read_all(self._store, stored.key) or b""
                found.update(item.key for item in listed(body, stored.key, seen))
        return frozenset(found)

    def _compare(self, key: str, variant: Variant) -> None:
        with suppress(KeyNotFound):
            if digest_of(self._store, key) == (variant.digest, variant.size):
                return
        self._others.append(key)


def _identities(entry: Entry) -> Iterator[str]:
    yield entry.name
    if entry.plain is not None:
        yield plain_key(entry.plain.digest)
