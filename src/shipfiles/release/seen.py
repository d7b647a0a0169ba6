"""What a store says that it has, as far as who sends a release to it needs to know."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ..digest import Digest, digest_bytes
from ..errors import ManifestError
from ..events import Listener, Notice
from ..manifest import load
from ..records import POINTER_KEY, Pointer, Unfinished, load_pointer, manifest_key, read_record
from ..stores.store import Store, read_all, unrepeated
from .items import Item, items_of
from .kept import Kept
from .pace import SMALL, heard
from .target import Target

_MOST_NOTES = 16
"""Of so many runs it is looked up what they put under plain names; of more all of these are in doubt."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store says."""

    body: bytes | None
    pointer: Pointer | None
    there: Mapping[str, Item]
    """What the current release has there, by key."""
    doubtful: frozenset[str] = frozenset()
    """Plain names under which runs that did not end, or are under way, may have put something else."""
    stale: tuple[Item, ...] = ()
    """Variants beside plain names of the release, which has none such: web servers would send them as those files."""
    requests: int = 1

    @property
    def current(self) -> tuple[str, Digest | None]:
        """The id of the current release, empty if there is none, and its manifest."""
        return (self.pointer.release, self.pointer.manifest) if self.pointer else ("", None)

    @property
    def settled(self) -> str:
        """The run that changed plain names last and has ended."""
        return self.pointer.settled if self.pointer else ""


class There:
    """What lists of the store have shown. Safe to use from several threads.

    It is listed by folders, those at its top that are asked for, and only once: beside them there may be others, with
    millions of uploads. What is in no folder is asked for by itself.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[str, int | None] = {}
        self._listed: set[str] = set()
        self._guard = threading.Lock()
        self.requests = 0
        """How many were made."""

    def sizes(self, keys: Iterable[str]) -> dict[str, int]:
        """Key → size of those of ``keys`` that are there."""
        found = {key: self.size(key, surely=False) for key in keys}
        return {key: size for key, size in found.items() if size is not None}

    def has(self, key: str) -> bool:
        """Whether ``key`` is known to be there, without asking."""
        return self._sizes.get(key) is not None

    def size(self, key: str, *, surely: bool) -> int | None:
        """The size of what is under ``key``, ``None`` if nothing is. ``surely`` if it has come there since the list."""
        folder, slash, _ = key.partition("/")
        with self._guard:
            if slash and folder not in self._listed:
                found = {stored.key: stored.size for stored in self._store.list(folder + slash)}
                self._sizes |= found
                self._listed.add(folder)
                self.requests += 1 + len(found) // 1000
        if (slash and not surely) or self._sizes.get(key) is not None:
            return self._sizes.get(key)
        stored = self._store.head(key)
        with self._guard:
            self._sizes[key] = None if stored is None else stored.size
            self.requests += 1
        return self._sizes[key]

    def forget(self) -> None:
        """Ask again, when something is asked for."""
        self._sizes, self._listed = {}, set()


class Look:
    """Looks at a ``target`` for a run that is to make a release current whose items are the ``wanted``.

    ``manifest`` is the digest of that release's manifest, ``note`` is what the run leaves in the pointer.
    """

    def __init__(
        self,
        target: Target,
        manifest: Digest,
        wanted: Mapping[str, Item],
        note: Unfinished,
        kept: Kept,
        listener: Listener,
    ) -> None:
        self.round_trip = 0.0
        """How long the first request took, the way to the store included. Seconds."""
        self._target = target
        self._store = unrepeated(target.store, SMALL)
        self._digest = manifest
        self._wanted = wanted
        self._note = note
        self._kept = kept
        self._listener = listener

    def look(self) -> Seen:
        """What there is now. What cannot be read is told and taken for missing."""
        began = time.monotonic()
        body = self._read(POINTER_KEY)
        self.round_trip = self.round_trip or time.monotonic() - began
        if body is None:
            return Seen(None, None, {})
        try:
            pointer = load_pointer(body, POINTER_KEY)
        except ManifestError as error:
            self._listener(Notice(f"The pointer to the current release of {self._target} is made anew. {error.what}"))
            return Seen(body, None, {})
        requests = 1
        manifest = pointer.manifest
        if manifest is None:
            record = read_record(self._read, pointer.release)
            manifest, requests = (record.manifest if record else None), requests + 1
        there, asked = self._items(manifest, "release is current")
        doubtful: set[str] = set()
        stale = [*self._stale(there or {})]
        for number, note in enumerate(pointer.unsettled):
            if note.run == self._note.run:
                continue
            # So many runs are not under way at once: something else has written that, and may have written more.
            manifest = note.manifest if number < _MOST_NOTES else None
            others, more = self._items(manifest, "run has not ended")
            asked += more
            plains = self._wanted if others is None else {k: i for k, i in others.items() if not i.hashed}
            doubtful.update(key for key in plains if key in self._wanted and not self._wanted[key].hashed)
            stale += self._stale(others or {})
        return Seen(body, pointer, there or {}, frozenset(doubtful), tuple(stale), requests + asked)

    def _read(self, key: str) -> bytes | None:
        return heard(partial(read_all, self._store, key), self._listener, limit=self._target.limit)

    def _stale(self, items: Mapping[str, Item]) -> Iterator[Item]:
        """Variants among ``items`` that must not stay beside a plain name of the release."""
        for key, item in items.items():
            file = self._wanted.get(item.logical)
            beside = not item.hashed and key != item.logical and key not in self._wanted
            if beside and file is not None and not file.hashed:
                yield item

    def _items(self, manifest: Digest | None, what: str) -> tuple[Mapping[str, Item] | None, int]:
        """What a manifest of the store has, by key, ``None`` if that cannot be read; and the requests it took."""
        if manifest is None:
            return None, 0
        if manifest == self._digest:
            return self._wanted, 0
        key = manifest_key(manifest)
        body, requests = self._kept.get(manifest), 0
        if body is None:
            body, requests = self._read(key), 1
        if body is None or digest_bytes(body) != manifest:
            fault = "missing" if body is None else "damaged"
            self._listener(Notice(f"{key} in {self._target}, whose {what}, is {fault}: more is sent than is needed."))
            return None, requests
        try:
            found = {item.key: item for item in items_of(load(body, key))}
        except ManifestError as error:
            self._listener(Notice(f"{error.what} More is sent to {self._target} than is needed."))
            return None, requests
        if requests:
            self._kept.put(manifest, body)
        return found, requests
