"""How fast a store is asked for many things: as many at once as it takes, and what fails in passing again.

**How many at once.** A window is about as many answers as may be on their way at once. When the store has asked for
fewer requests in one (`Busy`) there are fewer, by half of the share that it refused: if it refused all, half as many.
When it has not refused most, there is one more; when it has, everybody pauses. So a store that takes so many at once is
asked for one or two more, and one that refuses a tenth, whatever it is asked, is still asked for twenty.

**What is asked again.** What no answer came to (`NoAnswer`), after ever longer pauses of random length, so that those
that were refused together do not come back together. Once nothing has succeeded for the time limit, all is given up.

**What ends all.** Any other error: the credentials may not do it, there is no such bucket, a source is gone. What is on
its way is waited for, and all that failed is told.
"""

from __future__ import annotations

import heapq
import random
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar, cast

from ..errors import Busy, NoAnswer, StoreError, StoreErrors
from ..events import Event, Listener, Retried
from ..work import Crew

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 64
LIMIT = 150.0
"""After which, if nothing has succeeded meanwhile, what fails is given up. Seconds."""

_WINDOW = 8  # of fewer answers no share is made
_GROWS_AFTER = 16  # answers at least
_FIRST_PAUSE = 0.2  # seconds
_LONGEST_PAUSE = 10.0
_FIRST_REST = 0.1
_LONGEST_REST = 5.0
_LOOK = 1.0  # an interrupt is not seen on every system while one waits
_GRACE = 3.0
_COUNTS = 60.0
"""Of what a try took that failed, at most so much counts for the limit: a large body is sent for long. Seconds."""
SMALL = 10.0
"""How long is waited for an answer of a few bytes before it is asked for again. Seconds."""


class Pace:
    """How many requests may be on their way at once."""

    def __init__(self, at_once: int, chance: Callable[[], float] = random.random) -> None:
        self._most = max(1, at_once)
        self._chance = chance
        self._level = float(self._most)
        self._answers = 0
        self._refusals = 0
        self._bad_windows = 0
        self.window = 0
        """The number of cuts: what was begun before the last says nothing of what became of it."""
        self.rests_until = 0.0

    @property
    def at_once(self) -> int:
        """So many."""
        return int(self._level)

    def answered(self, now: float, window: int, *, refused: bool, after: float = 0.0) -> None:
        """The store has answered what was begun in the ``window``; ``after`` is the pause that it wants."""
        self.rests_until = max(self.rests_until, now + after)
        if window != self.window:
            return
        self._answers += 1
        self._refusals += refused
        if self._answers < max(self.at_once, _WINDOW):
            return
        share, more = self._refusals / self._answers, min(1.0, self._answers / _GROWS_AFTER)
        self._answers = self._refusals = 0
        self.window += share > 0
        self._level *= 1.0 - share / 2
        if share <= 0.5:
            self._bad_windows = 0
            self._level = min(self._level + more, float(self._most))
            return
        self._level = max(1.0, self._level)
        rest = min(_LONGEST_REST, _FIRST_REST * 2.0 ** min(self._bad_windows, 16))
        self._bad_windows += 1
        self.rests_until = max(self.rests_until, now + rest * self._chance())


@dataclass(slots=True, eq=False)
class Job(Generic[T]):
    """One request, with what became of its tries."""

    item: T
    window: int = 0
    began: float = 0.0
    failed: int = 0
    fault: StoreError | None = None


class Course(Generic[T]):
    """What is to be done next, and what came of it. It knows neither threads nor a clock: ``now`` is told."""

    def __init__(
        self, items: Iterable[T], at_once: int, limit: float, chance: Callable[[], float] = random.random
    ) -> None:
        self.pace = Pace(at_once, chance)
        self._items = iter(items)
        self._limit = limit
        self._chance = chance
        self._most = max(1, at_once)
        self._busy = 0
        self._exhausted = False
        self._again: list[tuple[float, int, Job[T]]] = []
        self._number = 0
        self._failing_since: float | None = None
        self._succeeded = float("-inf")
        self._faults: list[StoreError] = []
        self._given_up: list[StoreError] = []
        self._why = ""
        self.stopped = False

    def next(self, now: float) -> Job[T] | None:
        """What is to be begun now, ``None`` if nothing is."""
        if self.stopped or self._busy >= self.pace.at_once or now < self._rests_until:
            return None
        if self._again and self._again[0][0] <= now:
            _, _, job = heapq.heappop(self._again)
        elif self._exhausted or len(self._again) >= self._most:
            return None
        else:
            try:
                job = Job(next(self._items))
            except StopIteration:
                self._exhausted = True
                return None
        self._busy += 1
        job.window = self.pace.window
        job.began = now
        return job

    def pause(self, now: float) -> float | None:
        """In how many seconds `next` is to be asked again if nothing ends until then; ``None`` for never."""
        if self.stopped or self._busy >= self.pace.at_once:
            return None
        if not self._exhausted and len(self._again) < self._most:
            return max(0.0, self._rests_until - now)
        if self._again:
            return max(0.0, self._rests_until - now, self._again[0][0] - now)
        return None

    def succeeded(self, job: Job[T], now: float) -> None:
        """The ``job`` is done."""
        self._busy -= 1
        self._failing_since = None
        self._succeeded = now
        self.pace.answered(now, job.window, refused=False)

    def failed(self, job: Job[T], fault: StoreError, now: float) -> float | None:
        """The ``job`` was not done. After how many seconds it is tried again, ``None`` if it is not."""
        self._busy -= 1
        job.failed += 1
        job.fault = fault
        if not isinstance(fault, NoAnswer):
            self._faults.append(fault)
            self._stop("")
            return None
        if self._failing_since is None:
            self._failing_since = max(job.began, self._succeeded, now - _COUNTS)
        end = self._end
        if isinstance(fault, Busy):
            self.pace.answered(now, job.window, refused=True, after=fault.after)
        if self.stopped or now >= end:
            self._given_up.append(fault)
            self._stop(f"nothing has succeeded for {self._limit:.0f} seconds")
            return None
        longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(job.failed - 1, 16))
        due = min(now + longest * self._chance(), end)
        self._number += 1
        heapq.heappush(self._again, (due, self._number, job))
        return max(due, self._rests_until) - now

    @property
    def _end(self) -> float:
        """When all is given up, if nothing succeeds until then."""
        return float("inf") if self._failing_since is None else self._failing_since + self._limit

    @property
    def _rests_until(self) -> float:
        """Until when everybody pauses; the time limit is not slept through."""
        return min(self.pace.rests_until, self._end)

    def raise_faults(self) -> None:
        """Raise `StoreErrors` if anything failed for good."""
        if self.stopped:
            raise StoreErrors([*self._faults, *self._given_up], self._why)

    def _stop(self, why: str) -> None:
        if self.stopped:
            return
        self.stopped, self._why = True, why
        self._given_up += [job.fault for _, _, job in self._again if job.fault]
        self._again.clear()


def in_pace(
    work: Callable[[T], R],
    items: Iterable[T],
    listener: Listener,
    *,
    at_once: int = AT_ONCE,
    limit: float = LIMIT,
) -> Iterator[tuple[T, R]]:
    """``(item, work(item))`` for each item, in the order in which they are done.

    ``work`` asks a store for one thing that can be asked for again, such as a put; it runs in up to ``at_once`` threads
    at once, as the store takes it. ``items`` are taken and ``listener`` is told (`Retried`) in the caller's thread;
    at most ``at_once`` items more are held than are on their way.
    Raises `StoreErrors` when what was on its way has ended, if anything failed for good or nothing has succeeded for
    ``limit`` seconds. Other errors than a store's, of ``work``, ``items`` or the caller, end it within seconds.
    """
    course = Course(items, at_once, limit)
    crew: Crew[Job[T], R] = Crew(lambda job: work(job.item))
    try:
        while True:
            now = time.monotonic()
            while (job := course.next(now)) is not None:
                crew.begin(job)
            pause = course.pause(now)
            if pause is None and not crew.busy:
                break
            ended = crew.done(_LOOK if pause is None else min(pause, _LOOK))
            if ended is None:
                continue
            job, result, error = ended
            now = time.monotonic()
            if error is None:
                course.succeeded(job, now)
                yield job.item, cast("R", result)
            elif isinstance(error, StoreError):
                after = course.failed(job, error, now)
                if after is not None:
                    listener(Retried(error.key, error.what, after, course.pace.at_once))
            else:
                raise error
        course.raise_faults()
    finally:
        crew.leave(_GRACE)


def heard(work: Callable[[], R], listener: Listener, *, limit: float = LIMIT) -> R:
    """``work()``, which asks a store for a little: asked again and told as by `in_pace`, and given up like there."""

    def listen(event: Event) -> None:
        listener(replace(event, at_once=0) if isinstance(event, Retried) else event)

    try:
        ((_, result),) = in_pace(lambda _: work(), [None], listen, at_once=1, limit=limit)
    except StoreErrors as errors:
        if isinstance(errors.errors[0], NoAnswer):
            raise
        raise errors.errors[0] from None
    return result
