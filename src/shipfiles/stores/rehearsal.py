"""A store that only says what would happen: reads go to the real store, writes are remembered and lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..digest import Digest, digest_bytes, digest_stream
from ..errors import KeyExists, KeyNotFound, StoreError, os_reason, printable
from .store import Body, PutMode, Store, Stored, digest_of


class Rehearsal:
    """``store`` as it would be after the writes that this object was asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._written: dict[str, tuple[Digest, int]] = {}
        self._deleted: set[str] = set()

    def put(self, key: str, body: Body, *, mode: PutMode = "overwrite", digest: Digest | None = None) -> Stored:
        if mode == "create" and self.head(key) is not None:
            raise KeyExists(key)
        if isinstance(body, bytes):
            found, size = digest_bytes(body), len(body)
        else:
            try:
                with open(body, "rb", buffering=0) as file:
                    found, size = digest_stream(file)
            except OSError as error:
                raise StoreError(key, f"its source {printable(body)} cannot be read: {os_reason(error)}") from error
        if digest is not None and found != digest:
            raise StoreError(key, "the file changed while it was read; run again")
        self._written[key] = (found, size)
        self._deleted.discard(key)
        return Stored(key, size)

    def head(self, key: str) -> Stored | None:
        if key in self._written:
            return Stored(key, self._written[key][1])
        return None if key in self._deleted else self._store.head(key)

    def read(self, key: str) -> Iterator[bytes]:
        if key in self._written:
            raise StoreError(key, "a rehearsal keeps no bytes")
        if key in self._deleted:
            raise KeyNotFound(key)
        yield from self._store.read(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        yield from (Stored(key, size) for key, (_, size) in self._written.items() if key.startswith(prefix))
        for stored in self._store.list(prefix):
            if stored.key not in self._written and stored.key not in self._deleted:
                yield stored

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._written.pop(key, None)
            self._deleted.add(key)

    def copy(self, source: str, target: str) -> bool:
        wanted, size = self._facts(source)
        if self.head(target) is not None and self._facts(target) == (wanted, size):
            return False
        self._written[target] = (wanted, size)
        self._deleted.discard(target)
        return True

    def symlink(self, path: str, key: str) -> bool:
        self._written[key] = (digest_bytes(path.encode()), 0)
        return True

    def _facts(self, key: str) -> tuple[Digest, int]:
        return self._written.get(key) or digest_of(self._store, key)
