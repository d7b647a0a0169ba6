"""A store in memory: a real one, for tests and for trying things out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from ..digest import Digest, digest_bytes
from ..errors import KeyExists, KeyNotFound, StoreError, os_reason, printable
from .store import Body, PutMode, Stored


class MemoryStore:
    """A dict of bytes, safe to use from several threads."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._guard = threading.Lock()
        self._publisher = threading.Lock()

    def put(self, key: str, body: Body, *, mode: PutMode = "overwrite", digest: Digest | None = None) -> Stored:
        _check(key)
        if isinstance(body, str):
            body = _read(key, body)
        if digest is not None and digest_bytes(body) != digest:
            raise StoreError(key, "the file changed while it was read; run again")
        with self._guard:
            if mode == "create" and key in self._bodies:
                raise KeyExists(key)
            self._bodies[key] = body
        return Stored(key, len(body))

    def head(self, key: str) -> Stored | None:
        _check(key)
        with self._guard:
            body = self._bodies.get(key)
        return None if body is None else Stored(key, len(body))

    def read(self, key: str) -> Iterator[bytes]:
        _check(key)
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

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            _check(key)
            with self._guard:
                self._bodies.pop(key, None)

    def copy(self, source: str, target: str) -> bool:
        _check(target)
        with self._guard:
            if source not in self._bodies:
                raise KeyNotFound(source)
            changed = self._bodies.get(target) != self._bodies[source]
            self._bodies[target] = self._bodies[source]
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


def _read(key: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise StoreError(key, f"its source {printable(path)} cannot be read: {os_reason(error)}") from error


def _check(key: str) -> None:
    if not key or "\0" in key or any(part in ("", ".", "..") for part in key.split("/")):
        raise StoreError(key, "not a key: it has an empty part, '.', '..' or a NUL")
