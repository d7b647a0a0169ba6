"""Where the release that a process uses is read: a folder of this machine, or a store that it was sent to."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar, Protocol

from ..errors import ReleaseError, StoreError
from ..manifest import reader_of
from ..records import POINTER_KEY
from ..stores.store import Store, read_all


class Origin(Protocol):
    """What a process that uses releases needs to know of the place that they are in."""

    @property
    def where(self) -> str:
        """As people know it."""
        ...

    @property
    def interval(self) -> float:
        """How long what the pointer said may be believed. Seconds."""
        ...

    @property
    def is_far(self) -> bool:
        """Whether a look takes so long that no request should wait for it."""
        ...

    def read(self, key: str) -> bytes | None:
        """The body of ``key``; ``None`` if there is none. Raises ``OSError`` or `ReleaseError`."""
        ...

    def state(self) -> object:
        """What is another if the pointer may be another; ``None`` if there is none. Raises as `read`."""
        ...

    def is_certain(self, state: object) -> bool:
        """Whether the pointer is the same as long as its ``state`` is."""
        ...


class Folder:
    """The folder ``where``."""

    is_far = False
    interval = 1.0
    # A file replaced within the clock's grain may look as before; until its time is this old it is read again.
    _SETTLED = 2.0

    def __init__(self, where: str) -> None:
        self.where = where
        self.read = reader_of(where)
        self._pointer = os.path.join(where, POINTER_KEY)

    def __reduce__(self) -> tuple[Any, ...]:
        return Folder, (self.where,)

    def state(self) -> object:
        try:
            status = os.stat(self._pointer)
        except OSError:
            # Not there yet, or out of reach for now: what is in use goes on.
            return None
        return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino

    def is_certain(self, state: object) -> bool:
        assert isinstance(state, tuple)
        modified, changed, *_ = state
        return bool(time.time() - max(modified, changed) / 1e9 > self._SETTLED)


class Limits(Protocol):
    """How long a store is waited for."""

    def hurried(self) -> Limits:
        """The same for who has no time."""
        ...


class Place(Protocol):
    """The options of a store, a dataclass: which, and the way to it."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def limits(self) -> Limits:
        """How long it is waited for."""
        ...

    @property
    def name(self) -> str:
        """As people know it, without credentials."""
        ...

    def store(self) -> Store:
        """The store. Nothing is asked yet."""
        ...


class Remote:
    """The store at ``place``, which is opened when it is first asked."""

    is_far = True
    interval = 5.0
    PAUSE = 5.0
    """Seconds for which a store that did not answer is not asked again: each name of each page would wait for it."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._failure: tuple[float, str] = 0.0, ""

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the connection, which belongs to this process.
        return Remote, (self.place,)

    def __deepcopy__(self, memo: object) -> Remote:
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remote) and self.place == other.place

    def __hash__(self) -> int:
        return hash(self.where)

    def __repr__(self) -> str:
        return f"Remote({self.where!r})"

    @property
    def where(self) -> str:
        """As people know it."""
        return self.place.name

    @cached_property
    def store(self) -> Store:
        """The store itself: one for the process, so that its connections are."""
        return self.place.store()

    @cached_property
    def _hurried(self) -> Store:
        """The same for a request that waits: unless the options say for how long, not as a publication would."""
        limits = self.place.limits
        if limits != type(limits)():
            return self.store
        return replace(self.place, limits=limits.hurried()).store()

    def read(self, key: str) -> bytes | None:
        until, failed = self._failure
        if time.monotonic() < until:
            raise ReleaseError(failed)
        try:
            return read_all(self._hurried, key)
        except StoreError as error:
            failed = (
                f"The release that this process uses cannot be read from {self.where}. {error}. 'manage.py ship store "
                "check' tells whether the store can be used from here."
            )
            self._failure = time.monotonic() + self.PAUSE, failed
            raise ReleaseError(failed) from None

    def state(self) -> object:
        return self.read(POINTER_KEY)

    def is_certain(self, state: object) -> bool:  # noqa: ARG002
        return True
