"""Files of a media storage that are written: when what was written is stored, and when it is not."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.db.models.fields.files import FieldFile, FileField
from django.test import override_settings

from shipfiles.django.storage import MediaStorage
from shipfiles.errors import Replaced, UploadRefused
from shipfiles.stores.memory import MemoryStore


@pytest.fixture(params=["disk", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStorage:
    return MediaStorage(location=tmp_path / "m") if request.param == "disk" else MediaStorage(store=MemoryStore())


def read(storage: MediaStorage, name: str) -> bytes:
    with storage.open(name) as file:
        return bytes(file.read())


class Broken(Exception):
    """What goes wrong while a file is written."""


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("mode", ["w", "wb", "w+b"])
def test_a_file_that_is_lost_stores_nothing_and_says_so(
    storage: MediaStorage, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    storage.save("a.txt", ContentFile(b"whole"))

    def write() -> None:
        file = storage.open("a.txt", mode)
        file.write(b"half" if "b" in mode else "half")
        raise Broken

    with caplog.at_level(logging.ERROR, "shipfiles"):
        with suppress(Broken):
            write()
        gc.collect()
    assert read(storage, "a.txt") == b"whole"
    assert [record.getMessage() for record in caplog.records] == [
        "a.txt: opened for writing and never closed; nothing was stored."
    ]


def test_a_file_that_is_lost_is_a_resource_warning(storage: MediaStorage) -> None:
    def write() -> None:
        storage.open("a.txt", "wb").write(b"half")
        gc.collect()

    with pytest.warns(ResourceWarning, match="never closed"):
        write()
    assert not storage.exists("a.txt")


@pytest.mark.parametrize("mode", ["w", "wb"])
def test_with_around_a_field_file_stores_no_half(storage: MediaStorage, mode: str) -> None:
    storage.save("a.txt", ContentFile(b"whole"))
    field = FileField(storage=storage)
    field.name = "file"
    document = FieldFile(type("Document", (), {})(), field, "a.txt")
    half = b"half" if "b" in mode else "half"

    def write() -> None:
        with document.open(mode) as file:
            file.write(half)
            raise Broken

    with pytest.raises(Broken):
        write()
    assert read(storage, "a.txt") == b"whole"
    with document.open(mode) as file:
        file.write(half)
    assert read(storage, "a.txt") == b"half"


def test_finally_stores_no_half(storage: MediaStorage) -> None:
    def write() -> None:
        file = storage.open("a.txt", "wb")
        try:
            file.write(b"half")
            raise Broken
        finally:
            file.close()

    with pytest.raises(Broken):
        write()
    assert not storage.exists("a.txt")


def test_what_is_written_while_an_error_is_handled_is_stored(storage: MediaStorage) -> None:
    async def alone() -> None:
        file = await storage.aopen("c.txt", "wb")
        file.write(b"c")
        await file.aclose()

    def fail() -> None:
        raise Broken

    try:
        fail()
    except Broken:
        file = storage.open("a.txt", "wb")
        file.write(b"a")
        file.close()
        with storage.open("b.txt", "w") as text:
            text.write("b")
        asyncio.run(alone())
    assert [read(storage, name) for name in ("a.txt", "b.txt", "c.txt")] == [b"a", b"b", b"c"]


def test_the_size_is_known_when_it_is_closed(storage: MediaStorage) -> None:
    for mode, body in (("xb", b"abc"), ("w", "de"), ("ab", b"f")):
        file = storage.open("a.txt", mode)
        file.write(body)
        file.close()
        assert file.size == 3 if mode != "w" else file.size == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("mode", ["w", "wb"])
def test_a_forked_child_leaves_an_open_file_to_its_parent(storage: MediaStorage, mode: str) -> None:
    file = storage.open("a.txt", mode)
    file.write("one " if mode == "w" else b"one ")
    child = os.fork()
    if not child:
        try:
            file.write("child" if mode == "w" else b"child")
            file.flush()
            file.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    file.write("two" if mode == "w" else b"two")
    file.close()
    assert read(storage, "a.txt") == b"one two"


def test_several_append_to_one_file_on_disk(tmp_path: Path) -> None:
    storage = MediaStorage(location=tmp_path)

    def append(number: int) -> None:
        for line in range(20):
            with storage.open("log/a.txt", "a") as file:
                file.write(f"{number} {line}\n")

    threads = [threading.Thread(target=append, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "log" / "a.txt").read_text().splitlines()
    assert sorted(lines) == sorted(f"{number} {line}" for number in range(4) for line in range(20))


@pytest.mark.skipif(os.name != "posix", reason="permissions and links of POSIX")
def test_what_is_changed_on_disk_stays_the_same_file(tmp_path: Path) -> None:
    storage = MediaStorage(location=tmp_path)
    (tmp_path / "real").write_bytes(b"abc")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    with storage.open("link", "r+b") as file:
        assert file.read(1) == b"a"
        file.seek(1)
        file.write(b"B")
        assert file.size == 3
    with storage.open("link", "a+b") as file:
        file.write(b"d")
        file.seek(0)
        assert file.read() == b"aBcd"
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"aBcd"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
    with pytest.raises(FileNotFoundError):
        storage.open("missing", "r+b")
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        storage.open("folder", "ab")


@pytest.mark.parametrize("mode", ["ab", "r+b"])
def test_elsewhere_what_others_have_stored_meanwhile_stays(mode: str) -> None:
    storage = MediaStorage(store=MemoryStore(), overwrite=True)
    storage.save("a.txt", ContentFile(b"one"))
    file = storage.open("a.txt", mode)
    file.write(b"mine")
    storage.save("a.txt", ContentFile(b"another's"))
    with pytest.raises(Replaced):
        file.close()
    assert read(storage, "a.txt") == b"another's"


def test_elsewhere_what_comes_meanwhile_stays() -> None:
    storage = MediaStorage(store=MemoryStore())
    file = storage.open("a.txt", "ab")
    file.write(b"mine")
    storage.save("a.txt", ContentFile(b"another's"))
    with pytest.raises(FileExistsError):
        file.close()
    assert read(storage, "a.txt") == b"another's"


def test_what_is_appended_is_inspected(tmp_path: Path) -> None:
    storage = MediaStorage(location=tmp_path, safety={"max_size": 5})
    with storage.open("a.txt", "ab") as file:
        file.write(b"12345")
    file = storage.open("a.txt", "ab")
    file.write(b"6")
    with pytest.raises(UploadRefused):
        file.close()
    assert read(storage, "a.txt") == b"12345"


def test_what_is_being_written_is_in_the_folder_of_the_setting(storage: MediaStorage, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(folder)), storage.open("a.bin", "wb") as file:
        file.write(b"x" * 3_000_000)
        assert len(list(folder.iterdir())) == 1
    assert list(folder.iterdir()) == []
    assert read(storage, "a.bin") == b"x" * 3_000_000
