"""The storage of media files, as Django uses it."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.test import override_settings

from shipfiles.django.storage import MediaStorage
from shipfiles.errors import UploadRefused
from shipfiles.paths import TEMPORARY
from shipfiles.stores.memory import MemoryStore


@pytest.fixture(params=["disk", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> MediaStorage:
    return MediaStorage(location=tmp_path) if request.param == "disk" else MediaStorage(store=MemoryStore())


def read(storage: MediaStorage, name: str) -> bytes:
    with storage.open(name) as file:
        return file.read()


def test_a_taken_name_gets_a_suffix(storage: MediaStorage) -> None:
    first = storage.save("a/b.txt", ContentFile(b"one"))
    second = storage.save("a/b.txt", ContentFile("zwei"))
    assert first == "a/b.txt"
    assert second != first
    assert [read(storage, name) for name in (first, second)] == [b"one", b"zwei"]


def test_a_large_stream_is_read_in_parts(storage: MediaStorage) -> None:
    body = bytes(range(256)) * 20_000
    name = storage.save("film", io.BytesIO(body))
    with storage.open(name) as file:
        assert file.size == len(body)
        file.seek(3_000_000)
        assert file.read(10) == body[3_000_000:3_000_010]
        file.seek(0)
        assert file.read() == body


def test_what_is_written_is_there_when_it_is_closed(storage: MediaStorage) -> None:
    with storage.open("new/x.txt", "w") as file:
        file.write("hö")
        assert not storage.exists("new/x.txt")
    assert read(storage, "new/x.txt") == "hö".encode()
    with pytest.raises(UnicodeEncodeError), storage.open("new/x.txt", "w") as file:
        file.write("half\udc80")
    assert read(storage, "new/x.txt") == "hö".encode()


def test_what_django_has_in_a_file_is_taken_from_there(
    storage: MediaStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TemporaryUploadedFile("film.bin", "video/mp4", 3_000_000, None) as upload:
        upload.write(b"film" * 750_000)
        # Whoever wants a temporary file besides finds no place for it.
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
        assert read(storage, storage.save("film.bin", upload)) == b"film" * 750_000


@pytest.mark.parametrize(
    "name",
    [
        "../a", "/etc/passwd", "a/../../b", "a\0b", ".shipfiles/a", "..\\..\\a",
        # As a store names what it has not finished.
        f"a/{TEMPORARY}1a2b-{'0' * 16}", f"{TEMPORARY}1a2b-{'0' * 16}",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere(storage: MediaStorage, name: str) -> None:
    for ask in (storage.open, storage.exists, storage.delete, storage.size):
        with pytest.raises(SuspiciousFileOperation):
            ask(name)
    with pytest.raises(SuspiciousFileOperation):
        storage.save(name, ContentFile(b"x"))


def test_a_hook_sees_what_would_be_stored(tmp_path: Path) -> None:
    def scan(file: io.BytesIO, name: str) -> None:
        if b"EICAR" in file.read():
            raise UploadRefused(name, "it has a virus")

    storage = MediaStorage(location=tmp_path, inspect=[scan])
    storage.save("good", ContentFile(b"good"))
    with pytest.raises(UploadRefused):
        storage.save("bad", ContentFile(b"EICAR"))
    with pytest.raises(UploadRefused), storage.open("good", "wb") as file:
        file.write(b"EICAR")
    assert storage.listdir("") == ([], ["good"])
    assert read(storage, "good") == b"good"


def test_settings_of_a_test_take_effect(tmp_path: Path) -> None:
    storage = MediaStorage()
    with override_settings(MEDIA_ROOT=tmp_path / "one", MEDIA_URL="/one/"):
        storage.save("a", ContentFile(b"x"))
        assert storage.url("a") == "/one/a"
        assert (tmp_path / "one" / "a").read_bytes() == b"x"
    with override_settings(MEDIA_ROOT=tmp_path / "two"):
        assert not storage.exists("a")
