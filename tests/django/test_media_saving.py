"""What is stored is what was given, looked at and named; names that nearly cannot be."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import threading
from ast import literal_eval
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile, File
from django.core.files.storage import storages
from django.core.files.uploadedfile import InMemoryUploadedFile, SimpleUploadedFile
from django.test import override_settings

from shipfiles.digest import digest_bytes
from shipfiles.django.storage import MediaStorage
from shipfiles.errors import UploadRefused
from shipfiles.media.naming import proposed
from shipfiles.stores.memory import MemoryStore
from tests.guides import FOLDER

OURS = "shipfiles.django.storage.MediaStorage"


@pytest.fixture(params=["disk", "memory"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    return {"location": tmp_path / "media"} if request.param == "disk" else {"store": MemoryStore()}


def read(storage: MediaStorage, name: str) -> bytes:
    with storage.open(name) as file:
        return file.read()


def sha384(body: bytes) -> str:
    return hashlib.sha384(body).hexdigest()[:40]


# Contents -------------------------------------------------------------------------------------------------------------


class Stripping(MediaStorage):
    """Without what a camera writes into pictures."""

    def _save(self, name: str, content: File[Any]) -> str:
        content.file = io.BytesIO(content.read().replace(b"GPS", b""))
        return super()._save(name, content)


class Shortening(MediaStorage):
    def _save(self, name: str, content: File[Any]) -> str:
        content.seek(0)
        content.truncate()
        content.write(b"short")
        return super()._save(name, content)


class Replacing(MediaStorage):
    def _save(self, name: str, content: File[Any]) -> str:
        return super()._save(name, ContentFile(b"other"))


@pytest.mark.parametrize("names", [{}, {"content": True}])
@pytest.mark.parametrize(("kind", "kept"), [(Stripping, b"a  picture"), (Shortening, b"short"), (Replacing, b"other")])
def test_what_a_subclass_makes_of_the_content(
    place: dict[str, Any], names: dict[str, Any], kind: type[MediaStorage], kept: bytes
) -> None:
    storage = kind(**place, names=names)
    for content in (
        ContentFile(b"a GPS picture"),
        SimpleUploadedFile("a.jpg", b"a GPS picture"),
        InMemoryUploadedFile(io.BytesIO(b"a GPS picture"), None, "a.jpg", "image/jpeg", 13, None),
    ):
        name = storage.save("a.jpg", content)
        assert read(storage, name) == kept
        if names:
            assert name == f"{sha384(kept)}.jpg"


def test_a_planted_file_is_not_taken_for_an_upload_of_equal_size(place: dict[str, Any]) -> None:
    storage = MediaStorage(**place, names={"content": True})
    planted = MediaStorage(**place).save(f"{sha384(b'the contract')}.txt", ContentFile(b"the forgery!"))
    name = storage.save("a.txt", ContentFile(b"the contract"))
    assert name != planted
    assert read(storage, name) == b"the contract"


def test_what_a_hook_has_seen_is_what_is_stored(place: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "import.bin"
    path.write_bytes(b"good")

    def scan(file: io.BufferedReader, name: str) -> None:
        if file.read() != b"good":
            raise UploadRefused(name, "it is bad")
        path.write_bytes(b"evil")

    storage = MediaStorage(**place, inspect=(scan,))
    with path.open("rb") as file:
        assert read(storage, storage.save("a", File(file))) == b"good"


def test_what_is_copied_for_a_hook_is_moved_where_it_belongs(tmp_path: Path) -> None:
    seen: list[tuple[Path, int]] = []

    def look(file: io.BufferedReader, name: str) -> None:
        seen.append((Path(file.name), os.fstat(file.fileno()).st_ino))

    temporary = tmp_path / "temporary"
    temporary.mkdir()
    storage = MediaStorage(location=tmp_path / "media", inspect=(look,), file_permissions_mode=0o640)
    body = bytes(3_000_000)
    with override_settings(FILE_UPLOAD_TEMP_DIR=str(temporary)):
        status = os.stat(storage.path(storage.save("film.bin", ContentFile(body))))
    ((path, inode),) = seen
    assert path.is_relative_to(temporary)
    assert (status.st_ino, status.st_mode & 0o777, status.st_size) == (inode, 0o640, len(body))
    assert not list(temporary.iterdir())


def test_a_pipe(place: dict[str, Any], tmp_path: Path) -> None:
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    writer = threading.Thread(target=Path(path).write_bytes, args=(b"through a pipe",))
    writer.start()
    storage = MediaStorage(**place)
    with open(path, "rb") as file:
        assert read(storage, storage.save("a", File(file))) == b"through a pipe"
    writer.join()


def test_chunks_of_any_kind(place: dict[str, Any]) -> None:
    class Reused(ContentFile):
        def chunks(self, chunk_size: int | None = None) -> Any:
            buffer = bytearray(2)
            for two in (b"ab", b"cd"):
                buffer[:] = two
                yield memoryview(buffer)
            yield buffer
            yield "é"

    storage = MediaStorage(**place)
    assert read(storage, storage.save("a", Reused(b""))) == b"abcdcd\xc3\xa9"


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    storage = MediaStorage(location=tmp_path)
    with pytest.raises(IsADirectoryError) as raised:
        storage.open("folder", "wb").close()
    # As FileSystemStorage has it from open().
    assert (raised.value.errno, raised.value.strerror, raised.value.filename) == (
        errno.EISDIR, os.strerror(errno.EISDIR), str(tmp_path / "folder"),
    )  # fmt: skip


# Names ----------------------------------------------------------------------------------------------------------------


class Counting(MemoryStore):
    """How often a body was sent."""

    sent = 0

    def put(self, *arguments: Any, **options: Any) -> Any:
        self.sent += 1
        return super().put(*arguments, **options)


def test_a_name_that_is_given_again_is_not_tried_again() -> None:
    class Stubborn(MediaStorage):
        def get_available_name(self, name: str, max_length: int | None = None) -> str:
            return name

    store = Counting()
    storage = Stubborn(store=store)
    storage.save("a", ContentFile(b"first"))
    with pytest.raises(FileExistsError):
        storage.save("a", ContentFile(b"second"))
    assert store.sent == 2
    assert read(storage, "a") == b"first"


def test_names_that_an_instance_gives(place: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    storage = MediaStorage(**place)
    monkeypatch.setattr(storage, "get_available_name", lambda name, max_length: f"ours-{name}")
    assert storage.save("a.txt", ContentFile(b"x")) == "ours-a.txt"


def test_a_name_is_measured_as_it_is_cut(place: dict[str, Any]) -> None:
    storage = MediaStorage(**place)
    name = storage.save("dir/" + "😀" * 255 + ".jpg", ContentFile(b"x"), max_length=100)
    # 255 bytes: 62 of four bytes and the extension.
    assert name == "dir/" + "😀" * 62 + ".jpg"


def test_folders_may_be_as_deep_as_the_disk_takes_them(tmp_path: Path) -> None:
    deep = "/".join(["d" * 200] * 7) + "/a.txt"
    disk = MediaStorage(location=tmp_path)
    assert disk.save(deep, ContentFile(b"x")) == deep
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html: 1,024 bytes
    with pytest.raises(SuspiciousFileOperation, match="1024 bytes"):
        MediaStorage(store=MemoryStore()).save(deep, ContentFile(b"x"))


@pytest.mark.parametrize("name", ["Dr. " + "x" * 245 + ".pdf", "a" + ".b" * 125 + ".pdf"])
def test_a_long_name_with_dots_is_taken_twice(place: dict[str, Any], name: str) -> None:
    storage = MediaStorage(**place)
    assert storage.save(name, ContentFile(b"one")) == name[:255]
    second = storage.save(name, ContentFile(b"two"))
    assert re.fullmatch(r".{240,247}_[A-Za-z0-9]{7}\.pdf", second)
    assert len(second) <= 255
    assert read(storage, second) == b"two"


NAMES = re.compile(r"^\| `(\{.*\})` \| `(\S+)` \|$", re.MULTILINE)


def test_names_in_the_guide() -> None:
    text = (FOLDER.parent / "media.md").read_text()
    rows = NAMES.findall(text[text.index("## Names") : text.index("## URLs")])
    assert len(rows) == 5
    # As sha384sum has it of "x" and of "docs/report.pdf".
    digest = digest_bytes(b"x")
    for options, stored in rows:
        config = MediaStorage(store=MemoryStore(), names=literal_eval(options)).config
        assert proposed("docs/report.pdf", config.names, datetime(2026, 11, 22, tzinfo=UTC), digest) == stored


def test_names_that_are_ours_are_not_seen(place: dict[str, Any]) -> None:
    storage = MediaStorage(**place)
    storage.save("a.txt", ContentFile(b"x"))
    storage.store.put(".shipfiles/uploads/1", b"x")
    assert storage.listdir("") == ([], ["a.txt"])


# Options --------------------------------------------------------------------------------------------------------------


def test_a_migration_names_a_storage_beside_one_that_cannot_be_made(tmp_path: Path) -> None:
    good = {"BACKEND": OURS, "OPTIONS": {"location": str(tmp_path)}}
    for bad in ({"BACKEND": "nowhere.Storage"}, {"BACKEND": OURS, "OPTIONS": {"acces": "x"}}, {"BACKEND": 3}):
        with override_settings(STORAGES={"broken": bad, "default": good}):
            storage = storages["default"]
            assert isinstance(storage, MediaStorage)
            assert storage.deconstruct() == ("shipfiles.django.storage.Alias", ("default",), {})
            path, _, options = MediaStorage(location="/srv/a").deconstruct()
            assert (path, options) == (OURS, {"location": "/srv/a"})


@pytest.mark.parametrize(
    "options",
    [
        {"store": "shipfiles.stores.memory.MemoryStore", "store_options": {"token": "hidden"}},
        {"base_url": "https://me:hidden@files.example.com/"},
        {"base_url": "//me:hidden@files.example.com/"},
        {"store": "s3://b-1", "access": "public", "base_url": "https://me:hidden@files.example.com/"},
    ],
)
def test_secrets_where_none_belong(options: dict[str, Any]) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        MediaStorage(**options)
    assert "hidden" not in str(raised.value)
