"""How fast a store is asked: on a clock of its own, and with threads."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.errors import Busy, Denied, KeyExists, NoAnswer, StoreError, StoreErrors
from shipfiles.events import Event, Retried, ignore
from shipfiles.release.pace import LIMIT, Course, Job, Pace, heard, in_pace

ROUND_TRIP = 0.06  # seconds

Fault = Callable[[int, float, int], StoreError | None]
"""What becomes of the item, at this time, with so many on their way."""


@dataclass
class Run:
    """A course on a clock of its own, with a store that fails as ``fault`` says."""

    fault: Fault
    items: int = 300
    at_once: int = 16
    limit: float = 30.0
    seed: int = 0
    now: float = 0.0
    most: int = 0
    requests: int = 0
    done: list[int] = field(default_factory=list)
    begun: list[tuple[float, int]] = field(default_factory=list)
    last_success: float = 0.0
    errors: StoreErrors | None = None

    def __call__(self) -> Run:
        course = Course(iter(range(self.items)), self.at_once, self.limit, Random(self.seed).random)
        under_way: list[tuple[float, int, Job[int]]] = []
        while True:
            while (job := course.next(self.now)) is not None:
                self.requests += 1
                self.begun.append((self.now, job.item))
                heapq.heappush(under_way, (self.now + ROUND_TRIP, self.requests, job))
                self.most = max(self.most, len(under_way))
                assert self.requests < 200_000
            pause = course.pause(self.now)
            if pause is None and not under_way:
                break
            if pause is not None and (not under_way or self.now + pause < under_way[0][0]):
                # Never a turn for nothing: what was waited for is there.
                self.now += pause
                assert not under_way or pause > 0
                continue
            at_once = len(under_way)
            self.now, _, job = heapq.heappop(under_way)
            fault = self.fault(job.item, self.now, at_once)
            if fault is None:
                course.succeeded(job, self.now)
                self.done.append(job.item)
                self.last_success = self.now
            else:
                course.failed(job, fault, self.now)
        try:
            course.raise_faults()
        except StoreErrors as errors:
            self.errors = errors
        return self


def busy(item: int) -> Busy:
    return Busy(str(item), "fewer")


def reset(item: int) -> NoAnswer:
    return NoAnswer(str(item), "reset")


def fails(_: int, __: float, ___: int) -> None:
    """Nothing fails."""


def test_without_faults_as_many_at_once_as_may_be() -> None:
    run = Run(fails, items=320, at_once=16)()
    assert sorted(run.done) == list(range(320))
    assert (run.most, run.requests) == (16, 320)
    assert run.now == pytest.approx(320 / 16 * ROUND_TRIP)


@given(
    seed=st.integers(0, 1 << 32),
    at_once=st.integers(1, 70),
    share=st.floats(0, 0.25),
    resets=st.floats(0, 0.25),
    outage=st.tuples(st.floats(0, 5), st.floats(0, 20)),
)
def test_whatever_passes_all_is_done_once_and_never_too_much_at_once(
    seed: int, at_once: int, share: float, resets: float, outage: tuple[float, float]
) -> None:
    chance = Random(seed + 1)

    def fault(item: int, now: float, _: int) -> StoreError | None:
        if outage[0] <= now < sum(outage):
            return chance.choice((busy, reset))(item)
        if chance.random() < share:
            return busy(item)
        return reset(item) if chance.random() < resets else None

    run = Run(fault, items=100, at_once=at_once, limit=LIMIT, seed=seed)()
    assert run.errors is None
    assert sorted(run.done) == list(range(100))
    assert run.most <= at_once


@given(seed=st.integers(0, 1 << 32), at_once=st.integers(1, 70), dies=st.floats(0, 3), limit=st.floats(0.1, 200))
def test_a_store_that_is_gone_is_given_up_within_the_limit(seed: int, at_once: int, dies: float, limit: float) -> None:
    chance = Random(seed + 1)

    def fault(item: int, now: float, _: int) -> StoreError | None:
        return chance.choice((busy, reset))(item) if now >= dies else None

    run = Run(fault, items=2000, at_once=at_once, limit=limit, seed=seed)()
    if len(run.done) == 2000:
        return
    assert run.errors is not None
    # All that was begun and not done is told, once, and nothing that was not begun.
    tried = {item for _, item in run.begun}
    assert sorted(int(error.key) for error in run.errors.errors) == sorted(tried - set(run.done))
    assert len(run.errors.errors) <= 2 * at_once
    # Failing began within one round trip after the last success; the last try may take one more.
    assert limit <= run.now - run.last_success <= limit + 3 * ROUND_TRIP


@settings(max_examples=30)
@given(seed=st.integers(0, 1 << 32), takes=st.integers(4, 40))
def test_as_many_at_once_as_the_store_takes(seed: int, takes: int) -> None:
    """A store that refuses whatever is more than it takes at once."""
    run = Run(lambda item, _, at_once: busy(item) if at_once > takes else None, items=2000, at_once=64, seed=seed)()
    assert len(run.done) == 2000
    # Little is refused after the first windows, and hardly a place stays empty.
    assert run.requests <= 1.25 * 2000 + 64 * 5
    assert run.now <= 1.6 * 2000 / takes * ROUND_TRIP + 12


def test_it_recovers_from_slow_downs() -> None:
    """For half a second everything is refused; then all goes."""
    run = Run(lambda item, now, _: busy(item) if now < 0.5 else None, items=6000, at_once=64)()
    assert len(run.done) == 6000
    begun_at = [now for now, _ in run.begun]
    in_the_last_round_trip = sum(1 for now in begun_at if run.now - 5 * ROUND_TRIP <= now < run.now - 4 * ROUND_TRIP)
    assert in_the_last_round_trip >= 60


def test_what_fails_for_good_stops_all_and_all_that_failed_is_told() -> None:
    def fault(item: int, _: float, __: int) -> StoreError | None:
        if item in (20, 22):
            return StoreError(str(item), "access denied")
        return reset(item) if item in (3, 21) else None

    run = Run(fault, items=1000, at_once=8)()
    assert run.errors is not None
    assert [error.key for error in run.errors.errors][:2] == ["20", "22"]
    assert sorted(int(error.key) for error in run.errors.errors) == [3, 20, 21, 22]
    assert max(item for _, item in run.begun) < 20 + 8
    assert str(run.errors).splitlines()[:2] == [
        "The store did not do what it was asked about 4 keys:",
        "  20: access denied",
    ]


def test_one_failure_is_told_as_it_is() -> None:
    run = Run(lambda item, _, __: KeyExists("a") if item == 5 else None, items=6)()
    assert str(run.errors) == str(KeyExists("a"))


class TestPace:
    def test_halved_if_all_is_refused(self) -> None:
        pace = Pace(64, lambda: 0.5)
        for expected in (32, 16, 8, 4, 2, 1, 1):
            for _ in range(max(8, pace.at_once)):
                pace.answered(1.0, pace.window, refused=True)
            assert pace.at_once == expected
        # 0.1 s twice as long each time, at most 5, and half of that by chance.
        assert pace.rests_until == 1.0 + 5.0 / 2

    def test_a_tenth_that_is_refused_takes_a_twentieth(self) -> None:
        pace = Pace(64)
        for number in range(64):
            pace.answered(1.0, 0, refused=number % 8 == 0)
        assert pace.at_once == 61  # 64 * (1 - 1/16) + 1
        assert pace.rests_until == 1.0

    def test_one_more_after_as_many_successes(self) -> None:
        pace = Pace(64, lambda: 0.0)
        for _ in range(64):
            pace.answered(0.0, 0, refused=True)
        for expected in (33, 34, 35):
            for _ in range(pace.at_once):
                assert pace.at_once == expected - 1
                pace.answered(0.0, pace.window, refused=False)
            assert pace.at_once == expected

    def test_what_was_begun_before_a_cut_is_no_reason_for_another(self) -> None:
        pace = Pace(64)
        for _ in range(128):
            pace.answered(0.0, 0, refused=True)
        assert pace.at_once == 32

    def test_a_pause_that_the_store_asks_for_is_made(self) -> None:
        course = Course(iter(range(10)), 4, 60.0)
        job = course.next(0.0)
        assert job is not None
        assert course.failed(job, Busy("0", "fewer", after=7.0), 1.0) == 7.0
        assert course.next(7.9) is None
        assert course.pause(2.0) == 6.0
        assert course.next(8.0) is not None

    def test_a_pause_that_lasts_too_long_is_not(self) -> None:
        course = Course(iter(range(10)), 4, 60.0)
        job = course.next(0.0)
        assert job is not None
        assert course.failed(job, Busy("0", "fewer", after=1e9), 1.0) == 59.0  # 60 from when it began


# With threads


def test_each_item_gives_its_result_and_retries_are_told() -> None:
    guard, failed, told = threading.Lock(), set[int](), list[Event]()

    def work(item: int) -> int:
        with guard:
            if item % 10 == 0 and item not in failed:
                failed.add(item)
                raise reset(item)
        return item * item

    found = dict(in_pace(work, range(200), told.append, at_once=8))
    assert found == {n: n * n for n in range(200)}
    assert sorted(int(event.key) for event in told if isinstance(event, Retried)) == list(range(0, 200, 10))


def test_as_many_threads_as_may_be_and_no_more() -> None:
    barrier = threading.Barrier(5, timeout=20)
    threads = set[int]()

    def work(_: int) -> None:
        threads.add(threading.get_ident())
        barrier.wait()  # all five must be here at once, or this fails

    assert len(list(in_pace(work, range(20), ignore, at_once=5))) == 20
    assert len(threads) == 5


def test_items_are_not_taken_far_ahead() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = in_pace(lambda n: n, endless(), ignore, at_once=3)
    for _ in range(10):
        next(results)
    results.close()  # type: ignore[attr-defined]
    assert taken <= 10 + 2 * 3


@pytest.mark.parametrize("where", ["work", "items", "listener", "caller"])
def test_an_error_that_is_no_stores_ends_it(where: str) -> None:
    began = threading.Event()

    def work(item: int) -> int:
        began.set()
        if where == "work" and item == 3:
            raise ValueError("here")
        if where == "listener" and item == 3:
            raise reset(item)
        return item

    def items() -> Iterator[int]:
        yield from range(5)
        if where == "items":
            raise ValueError("here")

    def listener(_: Any) -> None:
        raise ValueError("here")

    def run() -> None:
        for _ in in_pace(work, items(), listener, at_once=2):
            if where == "caller":
                raise ValueError("here")

    with pytest.raises(ValueError, match="here"):
        run()
    assert began.is_set()


def test_what_is_on_its_way_is_waited_for_when_one_fails_for_good() -> None:
    failed, ended = threading.Event(), threading.Event()

    def work(item: int) -> int:
        if item == 1:
            failed.set()
            raise StoreError("1", "access denied")
        assert failed.wait(20)
        ended.set()
        return item

    results = in_pace(work, range(2), ignore, at_once=2)
    assert next(results) == (0, 0)
    assert ended.is_set()
    with pytest.raises(StoreErrors, match="1: access denied"):
        next(results)


def test_what_hangs_does_not_keep_an_interrupt_waiting() -> None:
    let_go, begun = threading.Event(), threading.Event()

    def work(_: int) -> None:
        begun.set()
        let_go.wait(60)

    def items() -> Iterator[int]:
        yield 0
        assert begun.wait(20)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(in_pace(work, items(), ignore, at_once=2))
    assert not let_go.is_set()
    let_go.set()


def test_one_thing_that_is_asked_for_again() -> None:
    told: list[Event] = []
    answers = iter([NoAnswer("a", "silence"), NoAnswer("a", "silence"), None])

    def work() -> str:
        if (fault := next(answers)) is not None:
            raise fault
        return "answer"

    assert heard(work, told.append) == "answer"
    assert [(event.key, event.why, event.at_once) for event in told if isinstance(event, Retried)] == [
        ("a", "silence", 0)
    ] * 2


def test_one_thing_that_never_comes_or_is_refused() -> None:
    def silent() -> None:
        raise NoAnswer("a", "silence")

    def refuses() -> None:
        raise Denied("a", "no")

    with pytest.raises(StoreErrors, match="nothing has succeeded for 0 seconds"):
        heard(silent, lambda _: None, limit=0.1)
    with pytest.raises(Denied):
        heard(refuses, lambda _: None)


def test_how_long_a_try_lasted_counts() -> None:
    """A minute of silence is a minute without success; but the long way of a large body is no failure yet."""
    course = Course(iter(range(10)), 1, 150.0)
    job = course.next(0.0)
    assert job is not None
    assert course.failed(job, NoAnswer("0", "silence"), 60.0) is not None
    job = course.next(140.0)
    assert job is not None
    assert course.failed(job, NoAnswer("0", "silence"), 160.0) is None
    course = Course(iter(range(10)), 1, 150.0)
    job = course.next(0.0)
    assert job is not None
    assert course.failed(job, NoAnswer("0", "silence"), 1000.0) is not None
