"""A store in memory: a real one, for tests and for trying things out."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from ..digest import Digest, digest_bytes
from ..errors import KeyExists, KeyNotFound, Replaced
from .parts import pieces
from .store import Body, Listing, Part, PutMode, Stored, check_digest, check_folder, check_key, chunks_of


class MemoryStore:
    """A dict of bytes, safe to use from several threads. ``clock`` gives seconds since the epoch."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._bodies: dict[str, bytes] = {}
        self._fields: dict[str, dict[str, str]] = {}
        self._versions: dict[str, int] = {}
        self._times: dict[str, float] = {}
        self._writes = itertools.count()
        self._guard = threading.Lock()
        self._publisher = threading.Lock()

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
        whole = b"".join(chunks_of(body, key))
        if digest is not None:
            check_digest(key, digest_bytes(whole), digest)
        with self._guard:
            if mode == "create" and key in self._bodies:
                raise KeyExists(key)
            self._write(key, whole, fields)
        return Stored(key, len(whole))

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        check_key(key)
        with self._guard:
            if self._bodies.get(key) != expected:
                return False
            self._write(key, body, {})
        return True

    def head(self, key: str) -> Stored | None:
        check_key(key)
        with self._guard:
            return self._stored(key) if key in self._bodies else None

    def read(self, key: str) -> Iterator[bytes]:
        yield from self.read_part(key).body

    def read_part(self, key: str, start: int = 0, stop: int | None = None, *, version: str = "") -> Part:
        check_key(key)
        with self._guard:
            if key not in self._bodies:
                raise KeyNotFound(key)
            body, stored, found = self._bodies[key], self._stored(key), str(self._versions[key])
        if version and version != found:
            raise Replaced(key)
        return Part(stored, found, pieces(body[start:stop]))

    def list(self, prefix: str = "") -> Iterator[Stored]:
        with self._guard:
            found = [self._stored(key) for key in self._bodies if key.startswith(prefix)]
        return iter(found)

    def folder(self, prefix: str) -> Listing:
        check_folder(prefix)
        with self._guard:
            found = [key.removeprefix(prefix).partition("/") for key in self._bodies if key.startswith(prefix)]
        folders = {name for name, slash, _ in found if slash}
        return sorted(folders), sorted(name for name, slash, _ in found if not slash)

    def versions(self) -> dict[str, str]:
        with self._guard:
            return {key: str(self._versions[key]) for key in self._bodies}

    def version(self, key: str) -> str | None:
        check_key(key)
        with self._guard:
            return str(self._versions[key]) if key in self._bodies else None

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            check_key(key)
            with self._guard:
                self._bodies.pop(key, None)

    def copy(self, source: str, target: str, *, fields: Mapping[str, str] = {}) -> bool:
        check_key(target)
        with self._guard:
            if source not in self._bodies:
                raise KeyNotFound(source)
            wanted = self._bodies[source], dict(fields) or self._fields[source]
            changed = (self._bodies.get(target), self._fields.get(target)) != wanted
            if changed:
                self._write(target, *wanted)
        return changed

    def refield(self, key: str, fields: Mapping[str, str]) -> None:
        check_key(key)
        with self._guard:
            if key not in self._bodies:
                raise KeyNotFound(key)
            self._fields[key] = dict(fields)

    @contextmanager
    def lock(self, waiting: Callable[[], None]) -> Iterator[bool]:
        if not self._publisher.acquire(blocking=False):
            waiting()
            self._publisher.acquire()
        try:
            yield False
        finally:
            self._publisher.release()

    def _write(self, key: str, body: bytes, fields: Mapping[str, str]) -> None:
        self._bodies[key] = body
        self._fields[key] = dict(fields)
        self._versions[key] = next(self._writes)
        self._times[key] = self._clock()

    def _stored(self, key: str) -> Stored:
        return Stored(key, len(self._bodies[key]), self._times[key], fields=dict(self._fields[key]))
