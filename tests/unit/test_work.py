"""The thread pool: every result is consumed, every failure told, nothing taken far ahead."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from shipfiles.work import Crew, given_up, in_parallel, processors, rare_collections


def test_every_item_gives_its_result() -> None:
    assert sorted(in_parallel(lambda n: n * n, range(500), 4)) == [(n, n * n) for n in range(500)]


def test_nothing_to_do() -> None:
    assert list(in_parallel(lambda n: n, [], 3)) == []


def test_as_many_at_once_as_workers_and_no_more() -> None:
    barrier = threading.Barrier(3, timeout=20)
    running = 0
    most = 0
    guard = threading.Lock()

    def work(_: int) -> None:
        nonlocal running, most
        with guard:
            running += 1
            most = max(most, running)
        barrier.wait()  # all three must be here at once, or this fails
        with guard:
            running -= 1

    list(in_parallel(work, range(9), 3))
    assert most == 3


def test_items_are_not_taken_far_ahead() -> None:
    taken = 0

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    results = in_parallel(lambda n: n, endless(), 2)
    for _ in range(10):
        next(results)
    results.close()
    assert taken <= 10 + 2 * 4 + 2


def test_the_first_failure_stops_new_work_and_others_are_told() -> None:
    started: list[int] = []
    both = threading.Barrier(2, timeout=20)

    def work(n: int) -> int:
        started.append(n)
        both.wait()
        raise ValueError(f"item {n}")

    with pytest.raises(ValueError, match="item") as caught:
        list(in_parallel(work, range(1000), 2))
    assert len(started) <= 2 * 4  # what was handed to the pool by then; not the other 992
    told = str(caught.value) + "".join(getattr(caught.value, "__notes__", []))
    assert "item 0" in told
    assert "item 1" in told


def test_light_items_stay_in_the_calling_thread() -> None:
    here = threading.current_thread()
    found = dict(in_parallel(lambda _: threading.current_thread() is here, range(100), 3, heavy=lambda n: n % 10 == 0))
    assert found == {n: n % 10 != 0 for n in range(100)}


def test_a_failure_of_a_light_item_stops_new_work_and_others_are_told() -> None:
    began, go_on = threading.Event(), threading.Event()

    def work(n: int) -> int:
        if n == 0:
            began.set()
            go_on.wait(20)
        else:
            began.wait(20)
            go_on.set()
        raise ValueError(f"item {n}")

    with pytest.raises(ValueError, match="item 1") as caught:
        list(in_parallel(work, range(1000), 2, heavy=lambda n: n == 0))
    assert caught.value.__notes__ == ["and also: item 0"]


def test_no_thread_is_left(recwarn: pytest.WarningsRecorder) -> None:
    before = threading.enumerate()
    list(in_parallel(lambda n: n, range(10), 4))
    assert not [t for t in threading.enumerate() if t not in before]


def test_processors() -> None:
    assert processors() >= 1


def test_collections_are_as_before_afterwards() -> None:
    before = gc.get_threshold()

    def fail() -> None:
        with rare_collections():
            assert gc.get_threshold()[0] > before[0]
            assert gc.get_threshold()[1:] == before[1:]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert gc.get_threshold() == before


def test_collections_that_are_off_stay_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with rare_collections():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)


def test_collections_stay_rare_until_the_last_who_wants_that_is_done() -> None:
    before = gc.get_threshold()
    first, second = rare_collections(), rare_collections()
    with first:
        rare = gc.get_threshold()
        assert rare[0] > before[0]
        second.__enter__()
    # The first is gone, and the second goes after it.
    assert gc.get_threshold() == rare
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_a_crew_has_as_many_threads_as_are_needed_at_once() -> None:
    crew = Crew(lambda _: threading.get_ident())
    threads = set()
    for number in range(10):
        crew.begin(number)
        done = crew.done(20)
        assert done is not None
        threads.add(done[1])
    assert len(threads) == 1
    crew.leave(20)
    assert not [thread for thread in threading.enumerate() if thread.ident in threads]


def test_what_looks_whether_it_is_given_up_ends_when_a_crew_is_left() -> None:
    begun, ended = threading.Event(), threading.Event()

    def work(_: int) -> None:
        tells = given_up()
        begun.set()
        while not tells():
            pass
        ended.set()

    crew = Crew(work)
    crew.begin(1)
    assert begun.wait(20)
    assert crew.done(0) is None
    crew.leave(20)
    assert ended.is_set()
    assert not given_up()()
