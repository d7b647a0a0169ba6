"""Which names the releases of another store have."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..digest import digest_bytes, hex_prefix
from ..errors import ManifestError, StoreError
from ..lines import as_written, foreign_names, head_of
from ..manifest import Manifest, check_schema, load
from ..model import Entry
from ..records import MANIFESTS_PREFIX, POINTER_KEY
from .flights import Flights
from .forks import renew_in_child
from .patience import PatientStore, silent


class Found(NamedTuple):
    """An entry, and the manifest that has it."""

    entry: Entry
    key: str
    body: bytes


class RemoteNames:
    """The hashed names in the manifests of ``store``, without those in ``own``.

    Manifests are read newest first and only until a name is found. A name that none of them has costs one look into
    memory: the store is asked for its pointer every second at most, and lists its manifests when that has moved, or a
    minute later. While one thread looks, the others wait for it a second at most. A manifest that is damaged, or cannot
    be read, is passed over, and read again a while later. ``local`` gives the manifests that are on this disk.
    """

    _ASK_EVERY = 1.0
    _LIST_EVERY = 60.0
    _FAULTY_FOR = 10.0
    """Seconds until a manifest that could not be read is read again."""

    def __init__(
        self, store: PatientStore, own: Collection[str], local: Callable[[str], bytes | None] = lambda _: None
    ) -> None:
        self._store = store
        self._local = local
        self._loads = Flights[tuple[Manifest, bytes]](self._store.is_silent)
        self._fresh: tuple[str, bytes] | None = None
        self._recent: tuple[str, Manifest, bytes] | None = None
        self._faulty: dict[str, float] = {}
        self._own = own
        self._renew()
        renew_in_child(self._renew)
        self._modified: dict[str, float] = {}
        self._unread: list[str] = []
        self._places: dict[str, str] = {}
        self._pointer: bytes | None = None
        self._asked = self._listed = float("-inf")

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._began = 0.0
        """When the thread that looks has begun to."""

    def find(self, name: str) -> Found | None:
        """The entry of ``name``, ``None`` if no manifest has it.

        Raises what the store raises, ``OSError`` where it is not waited for, and `ManifestError` if none of those that
        could be read has the name.
        """
        key = self._places.get(name)
        if key is None:
            # One at a time, so that no manifest is read twice at once.
            with self._turn():
                key = self._search(name)
        if key is None:
            return None
        manifest, body = self._loads.run(key, lambda: self._load(key))
        logical = manifest.by_name().get(name)
        return None if logical is None else Found(manifest.entries[logical], key, body)

    def forget(self) -> None:
        """Hold no manifest in memory: the last one that `find` found is on the disk now."""
        self._recent = self._fresh = None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        lock = self._lock
        if not lock.acquire(blocking=False) and not lock.acquire(
            timeout=max(0.0, self._began + PatientStore.PATIENCE - time.monotonic())
        ):
            raise silent()
        try:
            self._began = time.monotonic()
            yield
        finally:
            lock.release()

    def _search(self, name: str) -> str | None:
        """The key of the manifest that has ``name``."""
        self._look()
        fault: Exception | None = None
        while name not in self._places and self._unread:
            unread = self._unread.pop()
            try:
                body = self._read(unread)
                self._take_in(unread, body)
                if name in self._places:
                    self._fresh = unread, body
            except (StoreError, ManifestError) as error:
                # One that is damaged or out of reach shall not keep the others from being read.
                self._faulty[unread] = time.monotonic() + self._FAULTY_FOR
                if not isinstance(error, ManifestError):
                    raise
                fault = error
            except BaseException:
                self._unread.append(unread)
                raise
        key = self._places.get(name)
        if key is None and fault is not None:
            raise fault
        return key

    def _look(self) -> None:
        """List the manifests, if it may be that there are others than before."""
        if time.monotonic() - self._asked < self._ASK_EVERY:
            return
        try:
            self._list()
        finally:
            # Those who waited meanwhile shall not each wait for the same again.
            now = self._asked = time.monotonic()
        again = [key for key, until in self._faulty.items() if until <= now]
        for key in again:
            del self._faulty[key]
        if again:
            self._unread = sorted({*self._unread, *again}, key=self._age)

    def _age(self, key: str) -> tuple[float, str]:
        return self._modified[key], key

    def _list(self) -> None:
        now = time.monotonic()
        pointer = self._store.whole(POINTER_KEY)
        if pointer == self._pointer and now - self._listed < self._LIST_EVERY:
            return
        modified = {s.key: s.modified for s in self._store.list(MANIFESTS_PREFIX) if s.key.endswith(".json")}
        gone = self._modified.keys() - modified.keys()
        if gone and max(self._modified[key] for key in gone) > min(modified.values(), default=0.0):
            # What a pruned one has, an older one may have too.
            self._modified, self._unread, self._places, self._faulty = {}, [], {}, {}
        self._faulty = {key: until for key, until in self._faulty.items() if key in modified}
        unread = {*self._unread, *(modified.keys() - self._modified.keys())} & modified.keys()
        self._places = {name: key for name, key in self._places.items() if key in modified}
        self._modified = modified
        self._unread = sorted(unread, key=self._age)
        self._pointer, self._listed = pointer, now

    def _load(self, key: str) -> tuple[Manifest, bytes]:
        """The manifest ``key``: from memory, from this disk or from the store."""
        recent = self._recent
        if recent is not None and recent[0] == key:
            return recent[1:]
        fresh, self._fresh = self._fresh, None
        here = fresh[1] if fresh is not None and fresh[0] == key else self._local(key)
        body = here if here is not None and _is_whole(key, here) else self._read(key)
        manifest = load(body, key, lazily=True)
        self._recent = key, manifest, body
        return manifest, body

    def _read(self, key: str) -> bytes:
        body = self._store.whole(key)
        if body is None:
            raise ManifestError(f"{key}: it was pruned at this moment.")
        if not _is_whole(key, body):
            raise ManifestError(f"{key}: damaged: its bytes are not those that its name tells of.")
        return body

    def _take_in(self, key: str, body: bytes) -> None:
        names = _names_in(body, key, as_written(self._own))
        for name in names:
            known = self._places.get(name)
            if name not in self._own and (known is None or self._modified[known] < self._modified[key]):
                self._places[name] = key


def _names_in(body: bytes, key: str, own: Collection[bytes]) -> Collection[str]:
    if (head := head_of(body)) is not None:
        check_schema(head, key)
        try:
            if (names := foreign_names(body, own)) is not None:
                return names
        except ValueError:
            pass
    return [entry.name for entry in load(body, key).entries.values()]


def _is_whole(key: str, body: bytes) -> bool:
    return hex_prefix(digest_bytes(body), 32) == key.removeprefix(MANIFESTS_PREFIX).removesuffix(".json")
