"""A process that goes over to each new current release while it runs."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..config import ServeConfig
from ..errors import ManifestError, ReleaseError
from ..records import read_current, read_pointer
from .forks import renew_in_child
from .origins import Folder, Origin
from .using import Used, log_use

if TYPE_CHECKING:
    from .ready import Ready
    from .table import FileTable, Resource, Table

logger = logging.getLogger("shipfiles")

_T = TypeVar("_T")


class _Pin:
    """What a request holds on to until it is answered.

    Tasks and threads that it starts have a copy of its context, and may outlive it: what they have is this, which then
    says nothing any more, and not a release that nobody else uses.
    """

    __slots__ = ("following", "used")

    def __init__(self, following: Following | None, used: Used | None) -> None:
        self.following = following
        self.used = used

    def end(self) -> None:
        self.following = self.used = None


_pinned: ContextVar[_Pin | None] = ContextVar("shipfiles_release", default=None)


def _same_pin() -> _Pin | None:
    """One for what is still to be done when the request is over."""
    pin = _pinned.get()
    return None if pin is None else _Pin(pin.following, pin.used)


class _Locks:
    """Locks of the process, not of what follows: a storage is copied and pickled."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.looking = threading.Lock()
        self.building = threading.Lock()


_locks = _Locks()
renew_in_child(_locks.renew)
_here = threading.local()


def never_wait_here() -> None:
    """This thread waits for many connections: what takes a while is done in another one."""
    _here.hurries = True


def _hurries() -> bool:
    """Whether this thread must not be kept: it runs an event loop, or said so."""
    asyncio = sys.modules.get("asyncio")
    return getattr(_here, "hurries", False) or (asyncio is not None and asyncio._get_running_loop() is not None)


def _run(lock: threading.Lock, do: Callable[[], None], *, apart: bool = False) -> None:
    """Do ``do``, then release ``lock``: before this returns, or in a thread if this one must not be kept, or ``apart``
    if it takes too long for any.
    """

    def run() -> None:
        try:
            do()
        finally:
            lock.release()

    if not (apart or _hurries()):
        run()
        return
    try:
        threading.Thread(target=run, name="shipfiles-following", daemon=True).start()
    except RuntimeError:
        lock.release()  # there can be no more threads just now


class Following:
    """The current release at ``origin``, which may be the path of a folder, as it is now; ``used`` is what it was when
    the process began.

    The pointer is looked at once a second at most, by the request that comes then; in a thread, which ends with the
    look, where that request is answered in an event loop. In a store over the network it is looked at every five
    seconds, and always in a thread. While one thread reads a new manifest, all others go on with the release before.
    What cannot be read changes nothing, is said once in the log, and is tried again at the next look.
    """

    def __init__(self, origin: str | Origin, used: Used | None) -> None:
        self._origin: Origin = Folder(origin) if isinstance(origin, str) else origin
        self._latest = used
        self._seen: object = None
        self._next = 0.0
        self._said = ""

    def __deepcopy__(self, memo: object) -> Following:
        # A copied storage goes over at the same moment, and its pages too are of one release.
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return Following, (self._origin, None)

    def used(self) -> Used | None:
        """The release for the request that is being answered: the same from its beginning to its end."""
        pinned = _pinned.get()
        return pinned.used if pinned is not None and pinned.following is self else self.latest()

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """While this lasts, in this thread or task, `used` gives one release."""
        pin = _Pin(self, self.latest())
        token = _pinned.set(pin)
        try:
            yield
        finally:
            _pinned.reset(token)
            pin.end()

    def latest(self) -> Used | None:
        """The release that is current, or was a second ago."""
        if time.monotonic() >= self._next and (lock := _locks.looking).acquire(blocking=False):
            _run(lock, self._look_once, apart=self._origin.is_far)
        return self._latest

    def _look_once(self) -> None:
        try:
            self._look()
        finally:
            self._next = time.monotonic() + self._origin.interval

    def adopt(self, used: Used | None) -> None:
        """Go over to ``used``, which this process has just published or read."""
        self._latest = used

    def _look(self) -> None:
        try:
            state = self._origin.state()
            if state is None or state == self._seen:
                self._seen = state
                return
            self._switch()
        except (ManifestError, ReleaseError, OSError) as error:
            # Out of descriptors, a store out of reach, or a copy of the folder that is not finished: perhaps it can be
            # read next time.
            self._seen = None
            if str(error) != self._said:
                self._said = str(error)
                logger.warning("The current release cannot be read, so the one before goes on being used. %s", error)
            return
        self._said = ""
        self._seen = state if self._origin.is_certain(state) else None

    def _switch(self) -> None:
        pointer = read_pointer(self._origin.read)
        if pointer is None or (self._latest is not None and pointer.release == self._latest.release):
            return
        current = read_current(self._origin.read, lazily=True)
        if current is not None:
            used = Used(*current, "the current one, followed")
            if not self._origin.is_far:
                used.manifest.rest_in(self._origin.where)
            log_use(used, self._origin.where)
            self._latest = used


def one_release(table: Table) -> AbstractContextManager[None]:
    """While an application answers a request, all names in the page are of one release."""
    return table.following.pinned() if isinstance(table, FollowingTable) else _NOTHING


_NOTHING: AbstractContextManager[None] = nullcontext()


def table_now(table: Table) -> Table:
    """The table for all of an answer: a file and the header that names its release are of one."""
    return table.now() if isinstance(table, FollowingTable) else table


class Pieces(Generic[_T]):
    """``pieces`` of a page that are made while they are sent, each with the release that counts now."""

    # No generator: a variable that one sets is set for who asks it too, until it is asked again.

    def __init__(self, pieces: Iterable[_T]) -> None:
        self._pieces = pieces
        self._rest = iter(pieces)
        self._pin = _same_pin()

    def __iter__(self) -> Iterator[_T]:
        return self

    def __next__(self) -> _T:
        token = _pinned.set(self._pin)
        try:
            return next(self._rest)
        finally:
            _pinned.reset(token)

    def close(self) -> None:
        """As PEP 3333 has it for what an application returns."""
        if callable(close := getattr(self._pieces, "close", None)):
            close()


class AsyncPieces(Generic[_T]):
    """As `Pieces`, for those that are waited for."""

    def __init__(self, pieces: AsyncIterable[_T]) -> None:
        self._rest = aiter(pieces)
        self._pin = _same_pin()

    def __aiter__(self) -> AsyncIterator[_T]:
        return self

    async def __anext__(self) -> _T:
        token = _pinned.set(self._pin)
        try:
            return await anext(self._rest)
        finally:
            _pinned.reset(token)


class FollowingTable:
    """The table of the release that ``following`` gives, which ``table_of`` makes."""

    def __init__(self, following: Following, table_of: Callable[[Used | None], FileTable]) -> None:
        self.following = following
        self._table_of = table_of
        used = following.latest()
        # Both at once, so that no thread sees the table of one release and the name of another.
        self._now = used, table_of(used)

    @property
    def config(self) -> ServeConfig:
        """How files are answered."""
        return self._now[1].config

    @property
    def release(self) -> str:
        """The id of the release, empty if there is none."""
        used = self.following.used()
        return used.release if used else ""

    @property
    def ready(self) -> Ready | None:
        """Those of the release that is current now."""
        return self.now().ready

    def find(self, path: str, /) -> Resource | None:
        """As `Table.find`, in the release that is current now; names of those before are found by their manifests."""
        return self.now().find(path)

    def may_wait(self, path: str, /) -> bool:
        """As `Table.may_wait`."""
        return self.now().may_wait(path)

    def is_static(self, path: str, /) -> bool:
        """As `Table.is_static`."""
        return self._now[1].is_static(path)

    def is_lost(self, path: str, /) -> bool:
        """As `Table.is_lost`."""
        return self._now[1].is_lost(path)

    def redirect(self, path: str, /) -> str | None:
        """As `Table.redirect`."""
        return self.now().redirect(path)

    def page(self, path: str, /) -> Resource | None:
        """As `Table.page`, in the release that is current now."""
        return self.now().page(path)

    def now(self) -> FileTable:
        """That of the release that is current now."""
        used = self.following.latest()
        known, _ = self._now
        # One thread makes the table, which takes a while; the one before has the files of all releases too.
        if used is not known and (lock := _locks.building).acquire(blocking=False):
            _run(lock, partial(self._go_over, used))
        return self._now[1]

    def _go_over(self, used: Used | None) -> None:
        known, before = self._now
        if used is known:
            return  # another thread has done it meanwhile
        self._now = used, self._table_of(used)
        before.retire()
