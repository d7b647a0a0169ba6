"""A store in memory: a real one, for tests and for trying things out."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..digest import Digest, digest_bytes
from ..errors import KeyExists, KeyNotFound
from .store import Body, PutMode, Stored, check_digest, check_key, chunks_of


class MemoryStore:
    """A dict of bytes, safe to use from several threads."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._versions: dict[str, int] = {}
        self._writes = itertools.count()
        self._guard = threading.Lock()
        self._publisher = threading.Lock()

    def put(self, key: str, body: Body, *, mode: PutMode = "overwrite", digest: Digest | None = None) -> Stored:
        check_key(key)
        whole = b"".join(chunks_of(body, key))
        if digest is not None:
            check_digest(key, digest_bytes(whole), digest)
        with self._guard:
            if mode == "create" and key in self._bodies:
                raise KeyExists(key)
            self._bodies[key] = whole
            self._versions[key] = next(self._writes)
        return Stored(key, len(whole))

    def head(self, key: str) -> Stored | None:
        check_key(key)
        with self._guard:
            body = self._bodies.get(key)
        return None if body is None else Stored(key, len(body))

    def read(self, key: str) -> Iterator[bytes]:
        check_key(key)
        with self._guard:
            body = self._bodies.get(key)
        if body is None:
            raise KeyNotFound(key)
        for start in range(0, len(body), 1 << 20):
            yield body[start : start + (1 << 20)]

    def list(self, prefix: str = "") -> Iterator[Stored]:
        with self._guard:
            found = [Stored(key, len(body)) for key, body in self._bodies.items() if key.startswith(prefix)]
        return iter(found)

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

    def copy(self, source: str, target: str) -> bool:
        check_key(target)
        with self._guard:
            if source not in self._bodies:
                raise KeyNotFound(source)
            changed = self._bodies.get(target) != self._bodies[source]
            if changed:
                self._bodies[target] = self._bodies[source]
                self._versions[target] = next(self._writes)
        return changed

    @contextmanager
    def lock(self, waiting: Callable[[], None]) -> Iterator[bool]:
        if not self._publisher.acquire(blocking=False):
            waiting()
            self._publisher.acquire()
        try:
            yield False
        finally:
            self._publisher.release()
