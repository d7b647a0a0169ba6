"""What is done beside a loop: who waits for it, and what becomes of it when nobody does."""

from __future__ import annotations

import asyncio
import threading

import pytest

from shipfiles.work import aside, given_up


def test_what_is_done_to_its_end_is_over_when_the_cancellation_comes() -> None:
    begun = threading.Event()
    over = threading.Event()

    def work() -> None:
        tells = given_up()
        begun.set()
        while not tells():
            pass
        over.set()

    async def main() -> None:
        task = asyncio.create_task(aside(work, to_its_end=True))
        assert await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert over.is_set()

    asyncio.run(main())


def test_a_second_cancellation_waits_too() -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(20)

    async def main() -> None:
        task = asyncio.create_task(aside(work, to_its_end=True))
        assert await asyncio.to_thread(begun.wait, 20)
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
            assert not task.done()
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


def test_who_only_asks_is_let_go_at_once() -> None:
    begun, go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(20)

    async def main() -> None:
        task = asyncio.create_task(aside(work))
        assert await asyncio.to_thread(begun.wait, 20)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not go.is_set()
        go.set()

    asyncio.run(main())


def test_an_error_is_raised() -> None:
    def work() -> None:
        raise LookupError("none")

    with pytest.raises(LookupError):
        asyncio.run(aside(work))


def test_more_than_there_are_threads_wait_for_others_of_their_kind() -> None:
    everybody = threading.Barrier(16, timeout=20)

    def outer(number: int) -> int:
        if number < 16:
            everybody.wait()  # all threads are taken
        return asyncio.run(asyncio.wait_for(aside(lambda: number), 20))

    async def main() -> list[int]:
        return await asyncio.wait_for(asyncio.gather(*(aside(outer, number) for number in range(40))), 20)

    assert asyncio.run(main()) == list(range(40))
