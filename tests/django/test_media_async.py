"""Saving beside a loop: what becomes of a save that is cancelled, and of many whose hooks ask the storage."""

from __future__ import annotations

import asyncio
import io
import threading
from pathlib import Path

import pytest
from asgiref.sync import async_to_sync
from django.core.files.base import ContentFile, File

from shipfiles.django.storage import MediaStorage
from shipfiles.stores.memory import MemoryStore

BODY = bytes(range(256)) * (8 << 10)


class Slow(io.BytesIO):
    """Bytes whose reading waits, after the first part, until ``go`` is set."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self.begun, self.go = threading.Event(), threading.Event()

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell():
            self.begun.set()
            self.go.wait(20)
        return super().read(size)


def test_a_save_that_is_cancelled_reads_no_more_and_stores_nothing(tmp_path: Path) -> None:
    storage = MediaStorage(location=tmp_path)
    slow = Slow(BODY)
    content = File(slow, "film")

    async def main() -> str:
        task = asyncio.create_task(storage.asave("film", content))
        assert await asyncio.to_thread(slow.begun.wait, 20)
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
        slow.go.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert slow.tell() < len(BODY)
        assert storage.listdir("") == ([], [])
        return await storage.asave("film", content)

    assert asyncio.run(main()) == "film"
    assert (tmp_path / "film").read_bytes() == BODY


def test_more_saves_than_threads_whose_hooks_ask_the_storage() -> None:
    everybody = threading.Barrier(16, timeout=20)
    first = iter(range(16))

    def hook(file: io.BytesIO, name: str) -> None:
        if next(first, None) is not None:
            everybody.wait()
        assert not async_to_sync(storage.aexists)(f"other/{name}")

    storage = MediaStorage(store=MemoryStore(), inspect=[hook])

    async def main() -> list[str]:
        saves = (storage.asave(f"{number}.txt", ContentFile(b"x")) for number in range(32))
        return await asyncio.wait_for(asyncio.gather(*saves), 20)

    assert asyncio.run(main()) == [f"{number}.txt" for number in range(32)]
