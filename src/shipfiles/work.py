"""The threads that work is given to. Only this module starts any; every result is consumed, every failure reported."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import os
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from functools import cache, partial
from importlib import import_module
from typing import Any, Generic, TypeVar

# https://man7.org/linux/man-pages/man3/mallopt.3.html
_M_MMAP_THRESHOLD = -3
_MMAP_THRESHOLD = 128 * 1024

T = TypeVar("T")
R = TypeVar("R")

# Objects, made and not freed.
_COLLECT_AFTER = 100_000


def processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


@cache
def give_back_memory() -> None:
    """From now on give the system back at once what large bodies took. For processes that mostly send such.

    The C library of most Linuxes keeps it for each thread, and ever more of it: to send ten files of 60 MiB, of which
    32 MiB are held at once, took 180 MB, and takes 70. Others have no such setting.
    """
    with suppress(ImportError, OSError, AttributeError, TypeError):
        import_module("ctypes").CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MMAP_THRESHOLD)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Let Python look for garbage cycles seldom: a run makes many objects that stay and hardly a cycle, and to look
    through them again and again takes a sixth of its time."""
    _rarely.enter()
    try:
        yield
    finally:
        _rarely.leave()


class _Rarely:
    """Who wants rare collections now: the threshold is the process's, and the last one to leave restores it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._inside = 0
        self._before: tuple[int, ...] = ()

    def enter(self) -> None:
        with self._guard:
            self._inside += 1
            if self._inside == 1:
                self._before = gc.get_threshold()
                # Where it is off (0), or rarer still, somebody has chosen so.
                if 0 < self._before[0] < _COLLECT_AFTER:
                    gc.set_threshold(_COLLECT_AFTER, *self._before[1:])

    def leave(self) -> None:
        with self._guard:
            self._inside -= 1
            if self._inside == 0:
                gc.set_threshold(*self._before)


_rarely = _Rarely()


def in_parallel(
    function: Callable[[T], R], items: Iterable[T], workers: int = 0, *, heavy: Callable[[T], bool] | None = None
) -> Generator[tuple[T, R]]:
    """``(item, function(item))`` for each item, in the order in which they are done.

    At most four times ``workers`` items are taken from ``items`` ahead of the results, so that an endless iterable
    holds no endless memory. The first failure stops new work; what has begun is waited for; then the failure is
    raised, with the others as notes. With ``heavy`` only the items for which it is true are given to other threads: to
    hand over a small file costs more than the file does.
    """
    count = workers or processors()
    source = iter(items)
    running: dict[Future[R], T] = {}
    pool = ThreadPoolExecutor(count, thread_name_prefix="shipfiles")
    try:
        exhausted = False
        while True:
            while not exhausted and len(running) < 4 * count:
                try:
                    item = next(source)
                except StopIteration:
                    exhausted = True
                else:
                    if heavy is None or heavy(item):
                        running[pool.submit(function, item)] = item
                    else:
                        yield item, function(item)
            if not running:
                return
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                item = running.pop(future)
                yield item, future.result()
    except BaseException as error:
        for future in running:
            future.cancel()
        wait(running)
        for future in running:
            other = None if future.cancelled() else future.exception()
            if other is not None:
                error.add_note(f"and also: {other}")
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_ASIDE = 16


class _Aside:
    """The threads of this process for what a loop must not wait for. None is there before it is needed.

    What waits in one of these threads for another has it done by threads of the next depth: if all of its own wait in
    this way, nobody would ever begin.
    """

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """In a forked child, which has none of its parent's threads."""
        self._pools: list[ThreadPoolExecutor] = []
        self._guard = threading.Lock()

    def pool(self, depth: int) -> ThreadPoolExecutor:
        """The sixteen threads of ``depth``."""
        with self._guard:
            while len(self._pools) <= depth:
                self._pools.append(ThreadPoolExecutor(_ASIDE, thread_name_prefix=f"shipfiles-aside-{len(self._pools)}"))
            return self._pools[depth]


_aside = _Aside()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_aside.renew)
# Of the context and not of the thread, since who asks from one of these threads does so with a loop in yet another.
_depth: contextvars.ContextVar[int] = contextvars.ContextVar("depth", default=0)
_this = threading.local()


async def aside(function: Callable[..., R], *arguments: Any, to_its_end: bool = False) -> R:
    """What ``function`` gives in one of sixteen threads, in the context of who asks; the loop runs on meanwhile.

    Who is cancelled does not wait for it: it goes on, and what it gives is lost. But ``to_its_end``, for what changes
    something or reads what is not its own, who is cancelled waits until it has ended, as what looks at `given_up` does
    early; then the cancellation is raised.
    """
    left = threading.Event()
    depth = _depth.get()
    context = contextvars.copy_context()
    context.run(_depth.set, depth + 1)
    future = _aside.pool(depth).submit(context.run, partial(_attended, left.is_set, function, *arguments))
    result = asyncio.wrap_future(future)
    try:
        await asyncio.wait((result,))
    except asyncio.CancelledError:
        left.set()
        result.add_done_callback(_passed_over)
        if not to_its_end:
            result.cancel()
        elif not future.cancel():
            while not result.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait((result,))
        raise
    return result.result()


def _attended(given_up: Callable[[], bool], function: Callable[..., R], *arguments: Any) -> R:
    _this.given_up = given_up
    try:
        return function(*arguments)
    finally:
        del _this.given_up


def _passed_over(result: asyncio.Future[Any]) -> None:
    """Take note of what it failed with, of which the loop would tell as of something that nobody looked at."""
    if not result.cancelled():
        result.exception()


def given_up() -> Callable[[], bool]:
    """What tells, in whatever thread, whether nobody waits any more for what this thread does."""
    tells: Callable[[], bool] = getattr(_this, "given_up", bool)
    return tells


class Crew(Generic[T, R]):
    """Threads that wait for others, each for one at a time: as many as are needed at once, and no more.

    None keeps the process from ending: who does not want to wait any more `leave`s them.
    """

    def __init__(self, function: Callable[[T], R]) -> None:
        self._function = function
        self._given: queue.SimpleQueue[T | _End] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[T, R | None, BaseException | None]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._left = threading.Event()
        self.busy = 0
        """How many items were begun whose results have not been taken."""

    def begin(self, item: T) -> None:
        """Let a thread do ``item``."""
        self.busy += 1
        if self.busy > len(self._threads):
            thread = threading.Thread(target=self._work, name=f"shipfiles-{len(self._threads)}", daemon=True)
            try:
                thread.start()
            except RuntimeError:  # the system gives no more; those that are there do it later
                if not self._threads:
                    raise
            else:
                self._threads.append(thread)
        self._given.put(item)

    def done(self, seconds: float) -> tuple[T, R | None, BaseException | None] | None:
        """An item that is done, with its result or what it failed with; ``None`` if none is after so many seconds."""
        try:
            found = self._done.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None
        self.busy -= 1
        return found

    def leave(self, seconds: float) -> None:
        """Let the threads end. What they do is waited for at most so many seconds, its results are lost.

        What looks at `given_up` ends early.
        """
        self._left.set()
        for _ in self._threads:
            self._given.put(_END)
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _work(self) -> None:
        _this.given_up = self._left.is_set
        while not isinstance(item := self._given.get(), _End):
            try:
                self._done.put((item, self._function(item), None))
            except BaseException as error:  # noqa: BLE001
                self._done.put((item, None, error))


class _End:
    """The item after which a thread ends."""


_END = _End()
