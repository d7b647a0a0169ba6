"""What media storages ask of a store, and how much they hold."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile, File
from django.core.files.images import ImageFile, get_image_dimensions
from PIL import Image

from shipfiles.digest import Digest
from shipfiles.django.storage import MediaStorage
from shipfiles.errors import KeyNotFound, Replaced
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Body, Part, PutMode, Stored

MIB = 1 << 20


class Counting(MemoryStore):
    """A store in memory that knows what it was asked, with bodies that nobody has to hold."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[Any, ...]] = []
        self.large: dict[str, int] = {}
        """Key → size, of bodies whose byte at n is n // 65536 % 251."""
        self.given = 0
        """How many bytes have been read of those."""

    def put(
        self,
        key: str,
        body: Body,
        *,
        mode: PutMode = "overwrite",
        digest: Digest | None = None,
        fields: Mapping[str, str] = {},
    ) -> Stored:
        self.asked.append(("put", key, type(body)))
        return super().put(key, body, mode=mode, digest=digest, fields=fields)

    def head(self, key: str) -> Stored | None:
        self.asked.append(("head", key))
        return super().head(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        self.asked.append(("list", prefix))
        return super().list(prefix)

    def read_part(self, key: str, start: int = 0, stop: int | None = None, *, version: str = "") -> Part:
        self.asked.append(("read", start, stop))
        if key not in self.large:
            return super().read_part(key, start, stop, version=version)
        size = self.large[key]
        return Part(Stored(key, size), "1", self._chunks(start, size if stop is None else min(stop, size)))

    def _chunks(self, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            block = start // 65536
            chunk = bytes([block % 251]) * (min(stop, (block + 1) * 65536) - start)
            self.given += len(chunk)
            yield chunk
            start += len(chunk)


@pytest.fixture
def store() -> Counting:
    return Counting()


@pytest.fixture
def storage(store: Counting) -> MediaStorage:
    return MediaStorage(store=store)


def test_a_save_is_one_request(store: Counting, storage: MediaStorage) -> None:
    storage.save("a/b.txt", ContentFile(b"x"))
    assert store.asked == [("put", "a/b.txt", bytes)]
    store.asked.clear()
    second = storage.save("a/b.txt", ContentFile(b"x"))
    assert store.asked == [("put", "a/b.txt", bytes), ("put", second, bytes)]
    store.asked.clear()
    storage.save("large", ContentFile(b"x" * (MIB + 1)))
    assert store.asked == [("put", "large", str)]
    store.asked.clear()
    MediaStorage(store=store, names={"content": True}).save("a.txt", ContentFile(b"x"))
    assert [ask[0] for ask in store.asked] == ["put"]
    store.asked.clear()
    for access in ("public", "private", "signed"):
        storage.varied({"access": access}).url("a.txt")
    assert store.asked == []


def test_what_is_there_is_one_question(store: Counting, storage: MediaStorage) -> None:
    storage.save("a/b", ContentFile(b"x"))
    store.asked.clear()
    assert storage.exists("a/b")
    assert not storage.exists("a/photo.jpg")
    assert [ask[0] for ask in store.asked] == ["head", "head"]


def test_ten_bytes_are_one_request(store: Counting, storage: MediaStorage) -> None:
    store.large["film"] = 30 * MIB
    with storage.open("film") as file:
        assert file.read(10) == bytes(10)
        assert file.size == 30 * MIB
        file.seek(100)
        file.read(1000)
    assert store.asked == [("read", 0, 65536)]
    store.asked.clear()
    with storage.open("film") as file:
        file.seek(-10, os.SEEK_END)
        assert file.read() == bytes([479 % 251]) * 10
        file.seek(10 * MIB + 5)
        assert file.read(1) == bytes([160])
        file.seek(-20, os.SEEK_CUR)
        file.read(30)
    assert len(store.asked) <= 4
    assert store.given <= 6 * 65536
    assert store.asked[1] == ("read", 479 * 65536, 30 * MIB)


def test_who_reads_on_has_one_stream(store: Counting, storage: MediaStorage) -> None:
    """200 MB in a few requests, of which a few hundred KB are held."""
    size = store.large["film"] = 200 * MIB + 5
    tracemalloc.start()
    with storage.open("film") as file:
        at = 0
        for chunk in file.chunks():
            assert chunk[0] == at // 65536 % 251
            at += len(chunk)
        _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert at == size
    assert store.asked == [
        ("read", 0, 65536), ("read", 65536, 9 * 65536), ("read", 9 * 65536, 73 * 65536), ("read", 73 * 65536, size),
    ]  # fmt: skip
    assert most < 2 * MIB
    store.asked.clear()
    with storage.open("film") as file:
        file.read(5 * MIB)
    # What was asked for and not read was not sent either.
    assert store.given < size + 6 * MIB


def test_an_archive_is_read_where_it_is_asked(store: Counting, storage: MediaStorage) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for number in range(40):
            packed.writestr(str(number), os.urandom(200_000))
    storage.save("a.zip", archive)
    store.asked.clear()
    with storage.open("a.zip") as file, zipfile.ZipFile(file) as packed:
        assert len(packed.read("30")) == 200_000
    assert sum(stop - start for _, start, stop in store.asked) < 1_500_000
    assert len(store.asked) <= 6


def test_the_dimensions_of_an_image_are_in_its_beginning(store: Counting, storage: MediaStorage) -> None:
    picture = io.BytesIO()
    Image.frombytes("RGB", (900, 700), os.urandom(900 * 700 * 3)).save(picture, "PNG")
    name = storage.save("a.png", picture)
    store.asked.clear()
    with storage.open(name) as file:
        assert get_image_dimensions(file) == (900, 700)
        assert ImageFile(file).width == 900
    assert store.asked == [("read", 0, 65536)]


def test_a_stream_is_held_in_pieces(tmp_path: Path) -> None:
    """Of 64 MiB that come from a stream, none of which anybody knows the length."""

    class Zeros(io.RawIOBase):
        left = 64 * MIB

        def readable(self) -> bool:
            return True

        def read(self, size: int = -1) -> bytes:
            found = min(self.left, MIB if size < 0 else size)
            self.left -= found
            return bytes(found)

    storage = MediaStorage(location=tmp_path)
    tracemalloc.start()
    name = storage.save("zeros", File(Zeros(), "zeros"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert storage.size(name) == 64 * MIB
    assert most < 8 * MIB


def test_what_was_replaced_or_deleted_is_said(store: Counting, storage: MediaStorage) -> None:
    for name in ("a", "b"):
        storage.save(name, ContentFile(bytes(3 * MIB)))
    with storage.open("a") as replaced, storage.open("b") as deleted:
        store.put("a", bytes(3 * MIB))
        storage.delete("b")
        for file, error in ((replaced, Replaced), (deleted, FileNotFoundError)):
            assert file.read(10) == bytes(10)
            file.seek(2 * MIB)
            with pytest.raises(error):
                file.read(10)


def test_a_body_that_ends_early_is_no_end(store: Counting, storage: MediaStorage) -> None:
    """A store whose answer breaks off is asked for the rest, and not again without an end."""
    store.large["film"] = 3 * MIB
    whole = store._chunks

    def cut(start: int, stop: int) -> Iterator[bytes]:
        for number, chunk in enumerate(whole(start, stop)):
            if number == 3:
                return
            yield chunk

    store._chunks = cut  # type: ignore[method-assign]
    with storage.open("film") as file:
        assert len(file.read()) == 3 * MIB
    store._chunks = lambda start, stop: iter(())  # type: ignore[method-assign]
    with storage.open("film") as file, pytest.raises(EOFError, match="film"):
        file.read()


def test_an_unknown_key_of_a_store_is_no_file(storage: MediaStorage) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        storage.open("a/b")
    assert caught.value.filename == "a/b"
    assert isinstance(caught.value.__cause__, KeyNotFound)
