"""A store that only says what would happen: reads go to the real store, writes are remembered and lead nowhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..digest import Digest, Digester, digest_bytes
from ..errors import KeyExists, KeyNotFound, StoreError
from .store import Body, Links, PutMode, Store, Stored, check_digest, check_key, chunks_of, digest_of, read_all


class Rehearsal:
    """``store`` as it would be after the writes that this object was asked for."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._written: dict[str, tuple[Digest, int]] = {}
        self._fields: dict[str, Mapping[str, str]] = {}
        self._links: dict[str, str] = {}
        self._deleted: set[str] = set()
        self._swapped: dict[str, bytes] = {}

    def put(
        self,
        key: str,
        body: Body,
        *,
        mode: PutMode = "overwrite",
        digest: Digest | None = None,
        fields: Mapping[str, str] = {},
    ) -> Stored:
        check_key(key)
        if mode == "create" and self.head(key) is not None:
            raise KeyExists(key)
        digester = Digester()
        for chunk in chunks_of(body, key):
            digester.update(chunk)
        check_digest(key, digester.digest(), digest)
        self._forget(key)
        self._written[key] = (digester.digest(), digester.size)
        self._fields[key] = dict(fields)
        return Stored(key, digester.size)

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        check_key(key)
        if key in self._written:
            if expected is None or self._written[key] != (digest_bytes(expected), len(expected)):
                return False
        elif (None if key in self._deleted else read_all(self._store, key)) != expected:
            return False
        self.put(key, body)
        self._swapped[key] = body
        return True

    def head(self, key: str) -> Stored | None:
        check_key(key)
        if key in self._written:
            return Stored(key, self._written[key][1], fields=self._fields[key])
        return None if key in self._deleted or key in self._links else self._store.head(key)

    def read(self, key: str) -> Iterator[bytes]:
        check_key(key)
        if key in self._written:
            if key not in self._swapped:
                raise StoreError(key, "a rehearsal keeps no bytes")
            yield self._swapped[key]
            return
        if key in self._deleted:
            raise KeyNotFound(key)
        yield from chunks_of(self._links[key], key) if key in self._links else self._store.read(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        yield from (Stored(key, size) for key, (_, size) in self._written.items() if key.startswith(prefix))
        for stored in self._store.list(prefix):
            if not any(stored.key in known for known in (self._written, self._links, self._deleted)):
                yield stored

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            check_key(key)
            self._forget(key)
            self._deleted.add(key)

    def copy(self, source: str, target: str, *, fields: Mapping[str, str] = {}) -> bool:
        check_key(target)
        wanted = self.facts(source)
        there, answered = self.head(target), dict(fields) or self._fields_of(source)
        if there is not None and self.facts(target) == wanted and there.fields == answered:
            return False
        self._forget(target)
        self._written[target] = wanted
        self._fields[target] = answered
        return True

    def symlink(self, path: str, key: str) -> bool:
        if self.link_of(key) == path:
            return False
        self._forget(key)
        self._links[key] = path
        return True

    def link_of(self, key: str) -> str | None:
        check_key(key)
        if key in self._links:
            return self._links[key]
        if key in self._written or key in self._deleted or not isinstance(self._store, Links):
            return None
        return self._store.link_of(key)

    def facts(self, key: str) -> tuple[Digest, int]:
        """The digest and size of what would be under ``key``. Raises `KeyNotFound`."""
        return self._written.get(key) or digest_of(self, key)

    def _fields_of(self, key: str) -> Mapping[str, str]:
        found = self.head(key)
        return found.fields if found is not None else {}

    def _forget(self, key: str) -> None:
        """Let go of what was said of ``key`` before."""
        self._written.pop(key, None)
        self._swapped.pop(key, None)
        self._links.pop(key, None)
        self._deleted.discard(key)
