"""Which names the releases of another store have."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from typing import NamedTuple

from ..digest import digest_bytes, hex_prefix
from ..errors import ManifestError
from ..lines import as_written, foreign_names, head_of
from ..manifest import check_schema, load
from ..model import Entry
from ..records import MANIFESTS_PREFIX, POINTER_KEY
from ..stores.store import Store, read_all
from .forks import renew_in_child


class Found(NamedTuple):
    """An entry, and the manifest that has it."""

    entry: Entry
    key: str
    body: bytes


class RemoteNames:
    """The hashed names in the manifests of ``store``, without those in ``own``.

    Manifests are read newest first and only until a name is found. A name that none of them has costs one look into
    memory: the store is asked for its pointer every second at most, and lists its manifests when that has moved, or a
    minute later.
    """

    _ASK_EVERY = 1.0
    _LIST_EVERY = 60.0

    def __init__(self, store: Store, own: Collection[str]) -> None:
        self._store = store
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

    def find(self, name: str) -> Found | None:
        """The entry of ``name``, ``None`` if no manifest has it. Raises `StoreError` and `ManifestError`."""
        key = self._places.get(name)
        if key is None:
            fault: ManifestError | None = None
            # Under the lock, so that no manifest is read twice at once.
            with self._lock:
                self._look()
                while name not in self._places and self._unread:
                    unread = self._unread[-1]
                    try:
                        self._take_in(unread, self._read(unread))
                    except ManifestError as error:
                        fault = error  # one that is damaged shall not keep the others from being read
                    self._unread.pop()
                key = self._places.get(name)
            if key is None and fault is not None:
                raise fault
        if key is None:
            return None
        body = self._read(key)
        entry = _entry_in(body, key, name)
        return None if entry is None else Found(entry, key, body)

    def _look(self) -> None:
        """List the manifests, if it may be that there are others than before."""
        if time.monotonic() - self._asked < self._ASK_EVERY:
            return
        try:
            self._list()
        finally:
            # Those who waited meanwhile shall not each wait for the same again.
            self._asked = time.monotonic()

    def _list(self) -> None:
        now = time.monotonic()
        pointer = read_all(self._store, POINTER_KEY)
        if pointer == self._pointer and now - self._listed < self._LIST_EVERY:
            return
        modified = {s.key: s.modified for s in self._store.list(MANIFESTS_PREFIX) if s.key.endswith(".json")}
        gone = self._modified.keys() - modified.keys()
        if gone and max(self._modified[key] for key in gone) > min(modified.values(), default=0.0):
            # What a pruned one has, an older one may have too.
            self._modified, self._unread, self._places = {}, [], {}
        unread = {*self._unread, *(modified.keys() - self._modified.keys())} & modified.keys()
        self._places = {name: key for name, key in self._places.items() if key in modified}
        self._modified = modified
        self._unread = sorted(unread, key=lambda key: (modified[key], key))
        self._pointer, self._listed = pointer, now

    def _read(self, key: str) -> bytes:
        body = read_all(self._store, key)
        if body is None:
            raise ManifestError(f"{key}: it was pruned at this moment.")
        if hex_prefix(digest_bytes(body), 32) != key.removeprefix(MANIFESTS_PREFIX).removesuffix(".json"):
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


def _entry_in(body: bytes, key: str, name: str) -> Entry | None:
    manifest = load(body, key, lazily=True)
    logical = manifest.by_name().get(name)
    return None if logical is None else manifest.entries[logical]
