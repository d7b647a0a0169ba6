"""Put the objects of a release into a store, from the folder that it was built in."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from shlex import quote
from typing import Literal

from ..errors import KeyExists, KeyNotFound, OtherBytes, StoreError
from ..events import Changed, Listener, Phase, phase
from ..model import Variant
from ..stores.local import LocalStore
from ..stores.store import Body, Copies, PutMode, Settles, Store, digest_of, read_all, unrepeated
from .fields import fields_of
from .items import Item
from .pace import in_pace
from .pieces import is_file
from .seen import There
from .target import Target

_PART = 5 * 1024 * 1024
"""A larger body is sent in parts. Bytes."""


def requests_of(item: Item) -> int:
    """How many requests it takes to put ``item``."""
    return 1 if item.size <= _PART else -(-item.size // _PART) + 2


class Delivery:
    """What one run puts into ``target``; ``tell`` learns of every object."""

    def __init__(
        self,
        source: Store,
        release: str,
        target: Target,
        there: There,
        listener: Listener,
        tell: Callable[[Changed], object],
    ) -> None:
        self._source = source
        self._release = release
        self._target = target
        self._store = target.store
        self._paced = unrepeated(target.store)
        self._there = there
        self._listener = listener
        self._tell = tell
        self._asked: list[int] = []  # to add to it is safe in several threads
        self._believed: dict[str, Item] = {}
        self.wrong: frozenset[str] = frozenset()
        """Keys under which there is nothing, or something else, though a manifest says otherwise."""
        self.done: dict[str, Item] = {}
        """What was seen to, by key."""
        self.kept = 0
        """Objects that were there already."""
        self.copied = 0
        """Objects that were copied within the store."""
        self.bytes = 0
        """Of the bodies that were sent."""

    @property
    def requests(self) -> int:
        """How many were made."""
        return sum(self._asked)

    def put(self, name: Phase, items: Collection[Item], copies: Mapping[str, str]) -> None:
        """Put ``items`` but those that this run has put under names that stand for their bytes."""
        wanted = [item for item in items if not (item.hashed and item.key in self.done)]
        with phase(self._listener, name, len(wanted), sum(item.size for item in wanted)) as progress:
            put = lambda item: self._one(item, copies.get(item.key, ""))  # noqa: E731
            for item, how in in_pace(
                put, wanted, self._listener, at_once=self._target.at_once, limit=self._target.limit
            ):
                self.done[item.key] = item
                self.copied += how == "copied"
                self.kept += how == "kept"
                if how == "kept":
                    self._believed[item.key] = item
                self.bytes += item.size if how == "sent" else 0
                if how != "kept":
                    self._tell(Changed(item.key, "write", item.size, item.logical, _kind(item)))
                progress(1, item.size)
        if isinstance(self._store, Settles):
            self._store.settle()

    def _one(self, item: Item, copy_of: str) -> str:
        """Put one object: ``sent``, ``copied``, or ``kept`` if it was there."""
        fields = fields_of(item, self._target.serve)
        if item.hashed and item.key not in self.wrong and self._there.has(item.key):
            return self._taken(item, fields)
        named = item.hashed and item.key == item.logical
        if copy_of and isinstance(self._paced, Copies) and not named and self._is_as_said(copy_of, item.size):
            self._asked.append(1)
            try:
                self._paced.copy(copy_of, item.key, fields=fields)
            except KeyNotFound:
                pass  # taken away by another; the bytes are here, too
            else:
                return "copied"
        create = item.hashed and item.key not in self.wrong
        try:
            self._send(item, fields, "create" if create else "overwrite")
        except KeyExists:
            return self._taken(item, fields)
        return "sent"

    def _is_as_said(self, source: str, size: int) -> bool:
        """Whether ``source`` has the ``size`` that a manifest says.

        A run that did not end, with other settings, may have put it in another form: compressed, or no longer so.
        """
        if source in self.done:
            return True
        self._asked.append(1)
        there = self._paced.head(source)
        return there is not None and there.size == size

    def _taken(self, item: Item, fields: Mapping[str, str]) -> str:
        """What to do about a name that stands for its bytes and is there already."""
        size = self._there.size(item.key, surely=True)
        kept = item.key == item.logical
        if size == item.size and (not kept or digest_of(self._store, item.key)[0] == item.digest):
            return "kept"
        if kept and not self._is_same_file(item):
            what = "has other bytes under this name, which a bundler gave and which browsers keep for ever"
            raise StoreError(item.key, f"{self._target} {what}. Let the bundler give it another name.")
        self._send(item, fields, "overwrite")
        return "sent"

    def _send(self, item: Item, fields: Mapping[str, str], mode: PutMode) -> None:
        """Put the bytes of ``item``. Raises `StoreError`, also if they are not those of the release."""
        self._asked.append(requests_of(item))
        try:
            self._paced.put(item.key, self._bytes_of(item), mode=mode, digest=item.digest, fields=fields)
        except OtherBytes:
            # Files of a release are never changed in place, so to run again would find the same.
            raise StoreError(
                item.key,
                f"the file in {self._source} is damaged: its bytes are not those of the release {self._release}. Run "
                f"'manage.py ship verify {self._release} --store {quote(str(self._source))} --repair', or "
                "collectstatic with the sources, and publish again.",
            ) from None

    def _is_same_file(self, item: Item) -> bool:
        """Whether under a name that a bundler gave is the same file in another form: as it is, or in a coding."""
        digest, size = digest_of(self._source, item.logical)
        return is_file(self._store, item.key, Variant(size, digest))

    def _bytes_of(self, item: Item) -> Body:
        for key in item.sources:
            if isinstance(self._source, LocalStore):
                path = self._source.path(key)
                if os.path.isfile(path) and not os.path.islink(path):
                    return path
            body = read_all(self._source, key)
            if body is not None:
                return body
        what = f"is not in {self._source}, where the release {self._release} was built"
        raise StoreError(item.sources[0], f"{what}. Run collectstatic again.")

    def doubt(self) -> None:
        """Believe no longer that what this run has put is there: another run may have deleted it (``--clear``)."""
        self._believed |= {key: item for key, item in self.done.items() if item.hashed}

    def put_again(self) -> None:
        """Put once more what was there before, and has been pruned meanwhile."""
        if self._believed:
            self._there.forget()
            sizes = self._there.sizes(self._believed)
            gone = [self._believed[key] for key in sorted(self._believed) if key not in sizes]
            self._believed.clear()
            for item in gone:
                del self.done[item.key]
            self.put("send", gone, {})


def _kind(item: Item) -> Literal["asset", "variant", "plain"]:
    if not item.hashed:
        return "plain"
    return "variant" if item.coding and item.key == item.sources[0] else "asset"
