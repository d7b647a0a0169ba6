"""The contract of a storage of media files: what `MediaStorage` does the same over every store.

It needs pytest and Django's settings, which `shipfiles.testing` does without.
"""

from __future__ import annotations

import asyncio
import copy
import io
import os
import pickle
import threading
import zipfile
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import Storage
from django.core.files.uploadedfile import InMemoryUploadedFile, TemporaryUploadedFile
from django.test import override_settings

from ..errors import Replaced
from .media_storage import MediaStorage

_MIB = 1 << 20


def content_of(storage: Storage, name: str) -> bytes:
    """The bytes of ``name``."""
    with storage.open(name) as file:
        body: bytes = file.read()
        return body


class _Pipe(io.RawIOBase):
    """What can be read once, as the answer to a request."""

    def __init__(self, left: bytes) -> None:
        self._left = left

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        found, self._left = self._left[:size], self._left[size:]
        return found


class _Broken(io.RawIOBase):
    """What breaks off after some bytes."""

    _begun = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self._begun:
            raise ConnectionResetError
        self._begun = True
        return b"half"[:size]


def _copy_of_broken(file: File[Any]) -> None:
    broken = _Broken()
    while True:
        file.write(broken.read())


class MediaContract:
    """What every media storage must do. Subclass it, and give a fresh one in a fixture named ``storage``.

    Give a second one of the same place in a fixture named ``other``, where there can be one.
    """

    on_disk = False
    """Whether its files are on this disk, where they have paths and folders can be empty."""
    notices_replacing = True
    """Whether who has a file open is told that another one is there now; on a disk he reads on what he has opened."""
    signs = True
    """Whether there is something to sign URLs with."""
    together = 16
    """How many save one name at a time."""

    @pytest.fixture
    def other(self, storage: MediaStorage) -> MediaStorage:
        """Another storage of the place of ``storage``; ``storage`` itself unless a subclass has one."""
        return storage

    def test_save_open_delete(self, storage: MediaStorage, other: MediaStorage) -> None:
        """What was saved is what is read, by another, too; a name that is taken is not given again."""
        one = storage.save("papers/ä b.tar.gz", ContentFile(b"one"))
        two = other.save("papers/ä b.tar.gz", ContentFile("zwö"))
        assert one == "papers/ä b.tar.gz"
        assert two.startswith("papers/ä b_")
        assert two.endswith(".tar.gz")
        assert len(two) == len(one) + 8
        assert (content_of(other, one), content_of(storage, two)) == (b"one", "zwö".encode())
        assert storage.size(two) == 4
        storage.delete(one)
        storage.delete(one)
        storage.delete("papers/never.txt")
        assert not other.exists(one)
        assert storage.save(one, ContentFile(b"again")) == one
        with pytest.raises(ValueError, match="name"):
            storage.delete("")

    def test_what_can_be_saved(self, storage: MediaStorage) -> None:
        """Whatever Django takes: from its beginning, and left open."""
        large = os.urandom(_MIB + 7)
        stream = io.BytesIO(large)
        stream.read(5)
        assert content_of(storage, storage.save("stream", stream)) == large
        assert not stream.closed
        assert content_of(storage, storage.save("text", io.StringIO("zwö\n"))) == "zwö\n".encode()
        assert content_of(storage, storage.save("empty", ContentFile(b""))) == b""
        assert storage.save(None, ContentFile(b"x", name="named.txt")) == "named.txt"
        held = InMemoryUploadedFile(io.BytesIO(b"held"), "field", "held", "text/plain", 4, None)
        assert content_of(storage, storage.save("held", held)) == b"held"
        with TemporaryUploadedFile("spooled", "text/plain", len(large), None) as upload:
            upload.write(large)
            assert content_of(storage, storage.save("spooled", upload)) == large
            assert not upload.closed

        assert content_of(storage, storage.save("pipe", File(cast("Any", _Pipe(large)), "pipe"))) == large

    def test_nothing_is_stored_of_what_breaks_off(self, storage: MediaStorage) -> None:
        """Nor is anything replaced by it."""

        with pytest.raises(ConnectionResetError):
            storage.save("a/broken", File(cast("Any", _Broken()), "broken"))
        assert not storage.exists("a/broken")
        storage.save("kept", ContentFile(b"kept"))
        with pytest.raises(ConnectionResetError), storage.open("kept", "wb") as file:
            _copy_of_broken(file)
        assert content_of(storage, "kept") == b"kept"

    @pytest.mark.parametrize(
        "name", ["../a", "/etc/passwd", "a/../../b", "a\0b", "..\\a", ".shipfiles/a", ".shipfiles-1-2"]
    )
    def test_names_that_lead_elsewhere(self, storage: MediaStorage, name: str) -> None:
        """Are refused by every verb."""
        for ask in (storage.open, storage.exists, storage.delete, storage.size, storage.get_modified_time):
            with pytest.raises(SuspiciousFileOperation):
                ask(name)
        with pytest.raises(SuspiciousFileOperation):
            storage.open(name, "wb")
        with pytest.raises(SuspiciousFileOperation):
            storage.save(name, ContentFile(b"x"))
        assert storage.listdir("") == ([], []) or self.on_disk

    def test_odd_names(self, storage: MediaStorage) -> None:
        """Any other is a name, and comes back as it was; one too long for a file system is made shorter."""
        for name in ("a'b\"c.txt", "a%20b?c#d.txt", "日本/語.txt", "a b+c&d.txt", ".hidden", "folder.d/file"):
            assert storage.save(name, ContentFile(name)) == name
            assert content_of(storage, name) == name.encode()
            folder, _, file = name.rpartition("/")
            assert file in storage.listdir(folder)[1]
        assert storage.save("a//b/./c.txt", ContentFile(b"x")) == "a/b/c.txt"
        assert storage.save("a\\d.txt", ContentFile(b"x")) == "a/d.txt"
        for _ in range(2):
            name = storage.save("ü" * 200 + ".txt", ContentFile(b"x"))
            assert len(name.encode()) <= 255
            assert name.startswith("ü" * 100)
            assert name.endswith(".txt")
            assert content_of(storage, name) == b"x"

    def test_the_longest_name(self, storage: MediaStorage) -> None:
        """A name is shortened for its suffix, not its extension."""
        assert storage.save("f/twelve.txt", ContentFile(b"1"), max_length=12) == "f/twelve.txt"
        with pytest.raises(SuspiciousFileOperation, match="max_length"):
            storage.save("f/twelve.txt", ContentFile(b"2"), max_length=12)
        second = storage.save("f/twelve.txt", ContentFile(b"2"), max_length=16)
        assert len(second) == 16
        assert second.startswith("f/tw_")
        assert second.endswith(".txt")
        assert storage.get_available_name("f/twelve.txt", max_length=16) not in ("f/twelve.txt", second)
        assert content_of(storage, "f/twelve.txt") == b"1"

    def test_of_many_who_save_one_name_none_is_lost(self, storage: MediaStorage, other: MediaStorage) -> None:
        """Each gets a name of its own."""
        saved: list[tuple[str, bytes]] = []
        start = threading.Barrier(self.together)

        def save(number: int) -> None:
            body = b"%d" % number
            start.wait()
            saved.append(((storage, other)[number % 2].save("photo.jpg", ContentFile(body)), body))

        threads = [threading.Thread(target=save, args=(number,)) for number in range(self.together)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({name for name, _ in saved}) == self.together
        assert all(content_of(other, name) == body for name, body in saved)

    def test_nothing_there(self, storage: MediaStorage) -> None:
        """An unknown name is told by every verb as Django tells it."""
        for ask in (storage.open, storage.size, storage.get_created_time, storage.get_modified_time):
            with pytest.raises(FileNotFoundError, match=r"a/missing\.txt"):
                ask("a/missing.txt")
        with pytest.raises(FileNotFoundError):
            storage.open("a/missing.txt", "r+b")
        with pytest.raises(FileNotFoundError):
            storage.listdir("missing")
        assert not storage.exists("a/missing.txt")
        assert not storage.exists("missing")

    def test_folders(self, storage: MediaStorage) -> None:
        """What is directly below a folder, and no name of ours."""
        for name in ("one.txt", "a/two.txt", "a/b/three.txt", "a-c/four.txt"):
            storage.save(name, ContentFile(b"x"))
        folders, files = storage.listdir("")
        assert (sorted(folders), files) == (["a", "a-c"], ["one.txt"])
        for path in ("a", "a/", "./a"):
            assert storage.listdir(path) == (["b"], ["two.txt"])
        assert all(storage.exists(name) for name in ("", "a", "a/b", "a/b/three.txt"))
        assert not any(storage.exists(name) for name in ("a/b/three", "a-", "b"))

    def test_times(self, storage: MediaStorage) -> None:
        """Aware in UTC, or naive in the local time, as the project has it."""
        name = storage.save("a.txt", ContentFile(b"x"))
        for ask in (storage.get_created_time, storage.get_modified_time):
            with override_settings(USE_TZ=True):
                told = ask(name)
                assert told.tzinfo is UTC
                assert abs((told - datetime.now(UTC)).total_seconds()) < 60
            with override_settings(USE_TZ=False):
                told = ask(name)
                assert told.tzinfo is None
                assert abs((told - datetime.now()).total_seconds()) < 60  # noqa: DTZ005
        if self.on_disk:
            assert storage.get_accessed_time(name) <= datetime.now(UTC)
        else:
            with pytest.raises(NotImplementedError):
                storage.get_accessed_time(name)

    def test_paths(self, storage: MediaStorage) -> None:
        """Only what is on this disk has one."""
        name = storage.save("a/b.txt", ContentFile(b"x"))
        if not self.on_disk:
            with pytest.raises(NotImplementedError):
                storage.path(name)
            return
        assert storage.path(name) == os.path.join(storage.location, "a", "b.txt")
        assert content_of(storage, storage.path(name)) == b"x"
        with pytest.raises(SuspiciousFileOperation):
            storage.path("/etc/passwd")

    def test_reading(self, storage: MediaStorage) -> None:
        """A file is one of Python's in all that can be done with it."""
        body = os.urandom(300_000) + b"\nlast\r\nline"
        name = storage.save("a", ContentFile(body))
        whole = io.BytesIO(body)
        with storage.open(name) as file:
            assert (file.size, len(file), file.closed, file.readable(), file.seekable()) == (
                len(body), len(body), False, True, True,
            )  # fmt: skip
            for offset, whence, count in (
                (0, 0, 10), (5, 1, 10), (-7, 2, 100), (200_000, 0, 3), (199_000, 0, 2_000), (0, 2, 5), (9, 2, 1),
                (65_530, 0, 12), (131_072, 0, 70_000), (1, 0, -1),
            ):  # fmt: skip
                assert file.seek(offset, whence) == whole.seek(offset, whence)
                assert file.read(count) == whole.read(count)
                assert file.tell() == whole.tell()
            buffer = bytearray(20)
            file.seek(100)
            assert file.readinto(buffer) == 20
            assert buffer == body[100:120]
            with pytest.raises((ValueError, OSError)):  # as the two kinds of files that Python has
                file.seek(-1)
            with pytest.raises(io.UnsupportedOperation):
                file.write(b"x")
            assert b"".join(file.chunks(50_000)) == body
            assert file.open() is file
            assert b"".join(file) == body
            file.seek(300_001)
            assert file.readlines() == [b"last\r\n", b"line"]
        assert file.closed
        file.close()
        with pytest.raises(ValueError, match="closed"):
            file.read()
        with file.open() as again:
            assert again.read(5) == body[:5]

    def test_reading_text(self, storage: MediaStorage) -> None:
        """In UTF-8, lines as Python has them."""
        storage.save("a.txt", ContentFile("eins\r\nzwö\n".encode()))
        with storage.open("a.txt", "r") as file:
            assert [file.readline() for _ in range(3)] == ["eins\n", "zwö\n", ""]
        with file.open("rb") as file, file.open("rb") as same:
            assert same.read() == "eins\r\nzwö\n".encode()
        storage.save("b.txt", ContentFile("zwö".encode("latin-1")))
        with storage.open("b.txt", "rt") as file, pytest.raises(UnicodeDecodeError):
            file.read()
        with file.open("r", encoding="latin-1") as file:
            assert file.read() == "zwö"
        for mode in ("", "rw", "q", "rbt", "U", "br+w"):
            with pytest.raises(ValueError, match="mode"):
                storage.open("a.txt", mode)

    def test_reading_here_and_there(self, storage: MediaStorage) -> None:
        """An archive's list of contents, and one of its files."""
        archive = io.BytesIO()
        parts = {f"{number}": os.urandom(400_000) for number in range(6)}
        with zipfile.ZipFile(archive, "w") as packed:
            for part, body in parts.items():
                packed.writestr(part, body)
        name = storage.save("a.zip", archive)
        with storage.open(name) as file, zipfile.ZipFile(file) as packed:
            assert packed.namelist() == list(parts)
            for part in ("5", "0", "3"):
                assert packed.read(part) == parts[part]

    def test_a_file_that_is_replaced_while_it_is_read(self, storage: MediaStorage, other: MediaStorage) -> None:
        """Nobody gets the beginning of one and the end of another."""
        bodies = [bytes([number]) * (_MIB + 1000 * number) for number in (1, 2)]
        storage.save("a", ContentFile(bodies[0]))
        with storage.open("a") as file:
            assert file.read(1000) == bodies[0][:1000]
            with other.open("a", "wb") as written:
                written.write(bodies[1])
            file.seek(_MIB)
            if self.notices_replacing:
                with pytest.raises(Replaced):
                    file.read(1000)
            else:
                assert file.read(1000) == bodies[0][:1000]
        assert content_of(storage, "a") == bodies[1]

    def test_writing(self, storage: MediaStorage) -> None:
        """All that Python's modes do; stored as a whole when the file is closed."""

        def write(mode: str, text: Any, at: int | None = None) -> bytes:
            with storage.open("f/a.txt", mode) as file:
                if at is not None:
                    file.seek(at)
                file.write(text)
                assert file.size
            file.close()
            return content_of(storage, "f/a.txt")

        assert write("xb", b"one") == b"one"
        with pytest.raises(FileExistsError):
            storage.open("f/a.txt", "xb")
        assert write("ab", b"two") == b"onetwo"
        assert write("r+b", b"O", 3) == b"oneOwo"
        assert write("w", "zwö") == "zwö".encode()
        assert write("a", "drei") == "zwödrei".encode()
        assert write("wb+", b"x" * (_MIB + 1)) == b"x" * (_MIB + 1)
        with storage.open("f/b.txt", "w+b") as file:
            file.write(b"abcdef")
            file.seek(2)
            assert file.read(2) == b"cd"
            file.truncate(4)
            assert not storage.exists("f/b.txt")
        assert content_of(storage, "f/b.txt") == b"abcd"
        with storage.open("f/c.txt", "wb") as file, pytest.raises(io.UnsupportedOperation):
            file.read()
        assert content_of(storage, "f/c.txt") == b""

    def test_urls(self, storage: MediaStorage) -> None:
        """No request is made for one, so any name has one."""
        storage = storage.varied({"access": "public", "base_url": "https://example.com/m"})
        assert storage.url("a/ä b&c.txt") == "https://example.com/m/a/%C3%A4%20b%26c.txt"
        assert storage.url("//evil.example/a") == "https://example.com/m/evil.example/a"
        if self.signs:
            assert storage.varied({"access": "signed"}).url("a.txt") != storage.url("a.txt")
        assert storage.varied({"access": "private"}).url("a.txt") == "https://example.com/m/a.txt"

    def test_overwriting(self, storage: MediaStorage) -> None:
        """If the options say so."""
        replacing = storage.varied({"overwrite": True})
        for body in (b"one", b"three", b"x" * (_MIB + 1)):
            assert replacing.save("a.txt", ContentFile(body)) == "a.txt"
            assert content_of(storage, "a.txt") == body
        assert storage.save("a.txt", ContentFile(b"other")) != "a.txt"

    def test_names_made_of_content(self, storage: MediaStorage) -> None:
        """Equal files are stored once, others never in their place."""
        content = storage.varied({"names": {"content": True, "shards": 1}})
        one = content.save("a/one.txt", ContentFile(b"x"))
        assert content.save("a/two.txt", ContentFile(b"x")) == one
        assert content.save("a/one.txt", ContentFile(b"y")) != one
        assert one.endswith(".txt")

    def test_without_blocking_the_loop(self, storage: MediaStorage) -> None:
        """The same verbs, for who must not wait."""

        async def ask() -> None:
            names = await asyncio.gather(*(storage.asave("a.txt", ContentFile(b"x")) for _ in range(4)))
            assert len(set(names)) == 4
            assert await storage.aexists("a.txt")
            assert await storage.asize("a.txt") == 1
            assert sorted((await storage.alistdir(""))[1]) == sorted(names)
            assert await storage.aget_modified_time("a.txt") == storage.get_modified_time("a.txt")
            async with await storage.aopen("a.txt") as file:
                assert [chunk async for chunk in file.achunks()] == [b"x"]
            await storage.adelete("a.txt")
            with pytest.raises(FileNotFoundError):
                await storage.aopen("a.txt")

        asyncio.run(ask())

    def test_copies(self, storage: MediaStorage) -> None:
        """Of a storage are of one place."""
        name = storage.save("a.txt", ContentFile(b"x"))
        for other in (copy.copy(storage), copy.deepcopy(storage)):
            assert content_of(other, name) == b"x"

    def test_pickled(self, storage: MediaStorage) -> None:
        """If its options can be."""
        if not isinstance(storage.config.store, str | None):
            pytest.skip("its store is an object of the project's own")
        pickled = pickle.dumps(storage)
        name = storage.save("a.txt", ContentFile(b"x"))
        assert content_of(pickle.loads(pickled), name) == b"x"  # noqa: S301
