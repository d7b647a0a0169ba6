"""The storage of media files in models, forms and migrations, and how it is copied."""

from __future__ import annotations

import asyncio
import contextvars
import copy
import pickle
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from django import forms
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import connection, models
from django.db.migrations.writer import MigrationWriter
from django.test import override_settings
from django.test.utils import isolate_apps

from shipfiles.django.storage import Alias, MediaStorage
from shipfiles.errors import LinkRefused
from shipfiles.media.links import check_link
from shipfiles.stores.memory import MemoryStore

MEMORY = "shipfiles.stores.memory.MemoryStore"
OURS = "shipfiles.django.storage.MediaStorage"


@pytest.fixture
def configured() -> Iterator[None]:
    with override_settings(
        STORAGES={
            "default": {"BACKEND": OURS, "OPTIONS": {"store": MEMORY, "names": {"prefix": "up"}}},
            "keyed": {"BACKEND": OURS, "OPTIONS": {"store": MEMORY, "signed": {"key": "hush-hush"}}},
            "other": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        }
    ):
        yield


def test_an_alias_is_the_storage_with_other_options(configured: None) -> None:
    public, private = default_storage, Alias("default", access="private", names={"shards": 1})()
    name = public.save("a.txt", ContentFile(b"one"))
    with private.open(name) as file:
        assert file.read() == b"one"
    assert isinstance(private, MediaStorage)
    assert (private.config.access, private.config.names.prefix, private.config.names.shards) == ("private", "up", 1)
    assert default_storage.config.access == "public"
    assert Alias("default")().store is default_storage.store
    with pytest.raises(ImproperlyConfigured, match="InMemoryStorage"):
        Alias("other", access="private")().url("a")
    with override_settings(STORAGES={"default": {"BACKEND": OURS, "OPTIONS": {"store": MEMORY}}}):
        assert not private.exists(name)
    assert pickle.loads(pickle.dumps(private)).config.access == "private"
    assert copy.deepcopy(private) is private


@isolate_apps("tests")
def test_migrations_name_an_alias_and_hold_no_secret(configured: None, tmp_path: Path) -> None:
    alias = Alias("keyed", access="private")
    field = models.FileField(storage=alias)
    field.set_attributes_from_name("file")
    text, imports = MigrationWriter.serialize(field)
    assert "shipfiles.django.storage.Alias('keyed', access='private')" in text
    assert "import shipfiles.django.storage" in imports
    assert field.clone().storage.config.access == "private"
    text, _ = MigrationWriter.serialize(models.FileField(storage=storages["keyed"]))
    assert "shipfiles.django.storage.Alias('keyed')" in text
    text, _ = MigrationWriter.serialize(models.FileField(storage=MediaStorage(location=str(tmp_path), overwrite=True)))
    assert f"shipfiles.django.storage.MediaStorage(location={str(tmp_path)!r}, overwrite=True)" in text
    for secret in (MediaStorage(signed={"key": "hush-hush"}), MediaStorage(store=MemoryStore())):
        with pytest.raises(ValueError, match="cannot stand in a migration") as caught:
            MigrationWriter.serialize(models.FileField(storage=secret))
        assert "hush-hush" not in str(caught.value)
    assert "hush-hush" not in repr(storages["keyed"].config) + repr(alias) + repr(
        Alias("a", signed={"key": "hush-hush"})
    )


def test_models_and_forms(configured: None, database: None) -> None:
    class Paper(models.Model):
        file = models.FileField(upload_to="papers/%Y", max_length=40)
        private = models.FileField(storage=Alias("default", access="private"), upload_to="private", blank=True)

        class Meta:
            app_label = "staticfiles"  # one that is installed

    class PaperForm(forms.ModelForm):
        class Meta:
            model = Paper
            fields = ("file",)

    with connection.schema_editor() as editor:
        editor.create_model(Paper)
    try:
        names = set()
        for body in (b"one", b"two"):
            form = PaperForm({}, {"file": SimpleUploadedFile("a b" + "c" * 60 + ".pdf", body)})
            assert not form.is_valid()
            form = PaperForm({}, {"file": SimpleUploadedFile("a b.pdf", body)})
            paper = form.save()
            paper.private.save("ü.txt", ContentFile("x"))
            paper.refresh_from_db()
            names.add(paper.file.name)
            assert paper.file.name.startswith(f"up/papers/{time.strftime('%Y')}/a_b")
            assert paper.file.name.endswith(".pdf")
            assert len(paper.file.name) <= 40
            assert paper.file.size == 3
            with paper.file.open() as file:
                assert file.read() == body
            for other in (copy.deepcopy(paper), pickle.loads(pickle.dumps(paper))):
                with other.file.open("rb") as file:
                    assert file.read() == body
            assert copy.deepcopy(paper).private.url.startswith("/media/up/private/%C3%BC")
        assert len(names) == 2
        paper.file.delete()
        assert not default_storage.exists(paper.file.name or "up/papers/a")
    finally:
        with connection.schema_editor() as editor:
            editor.delete_model(Paper)
        del apps.all_models["staticfiles"]["paper"]
        apps.clear_cache()


def test_the_longest_name(tmp_path: Path) -> None:
    storage = MediaStorage(location=tmp_path)
    assert storage.save("a" * 20 + ".txt", ContentFile(b"x"), max_length=24) == "a" * 20 + ".txt"
    second = storage.save("a" * 20 + ".txt", ContentFile(b"x"), max_length=24)
    assert len(second) == 24
    assert second.endswith(".txt")
    assert second.startswith("a" * 12 + "_")
    with pytest.raises(SuspiciousFileOperation, match="max_length"):
        storage.save("folder/a.txt", ContentFile(b"x"), max_length=11)
    assert not storage.exists("folder")


def test_signed_urls_of_a_disk(tmp_path: Path) -> None:
    storage = MediaStorage(location=tmp_path, access="signed", base_url="https://example.com/m/")
    url = urlsplit(storage.url("ü b.txt", expire=60, parameters={"ResponseContentDisposition": "attachment"}))
    assert (url.scheme, url.netloc, unquote(url.path)) == ("https", "example.com", "/m/ü b.txt")
    grant = check_link("/m/ü b.txt", url.query, "GET", storage.link_keys, time.time())
    assert grant.content_disposition == "attachment"
    assert 60 <= grant.expires - time.time() <= 60 + 60 / 4 + 1
    with pytest.raises(LinkRefused):
        check_link("/m/ü c.txt", url.query, "GET", storage.link_keys, time.time())
    with override_settings(SECRET_KEY="new", SECRET_KEY_FALLBACKS=["tests"]):
        check_link("/m/ü b.txt", url.query, "GET", storage.link_keys, time.time())
    with override_settings(SECRET_KEY="new"), pytest.raises(LinkRefused):
        check_link("/m/ü b.txt", url.query, "GET", storage.link_keys, time.time())
    for parameters in (
        {"content_disposition": "inline"}, {"content_type": "text/html"}, {"VersionId": "1"},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"inline|parameter"):
            storage.url("a.html", parameters=parameters)
    assert parse_qs(urlsplit(storage.url("a", http_method="put")).query)["method"] == ["PUT"]


def test_private_urls_are_those_of_the_view(tmp_path: Path) -> None:
    storage = MediaStorage(location=tmp_path, access="private", base_url="/private")
    assert storage.url("a/ü.txt") == "/private/a/%C3%BC.txt"


def test_copies_are_of_one_place(tmp_path: Path) -> None:
    memory = MediaStorage(store=MEMORY)
    memory.save("a", ContentFile(b"x"))
    for other in (copy.copy(memory), copy.deepcopy(memory)):
        assert other.exists("a")
    disk = MediaStorage(tmp_path, "/m/", overwrite=True)
    disk.save("a", ContentFile(b"x"))
    other = pickle.loads(pickle.dumps(disk))
    assert other.exists("a")
    assert (other.location, other.base_url, other.config) == (disk.location, disk.base_url, disk.config)


def test_names_of_content_shards_and_dates(tmp_path: Path) -> None:
    names = {"content": True, "prefix": "%Y", "shards": 2}
    storage = MediaStorage(location=tmp_path, names=names)
    # printf x | sha384sum
    digest = "d752c2c51fba0e29aa190570a9d4253e44077a058d3297fa3a5630d5bd012622f97c28acaed313b5c83bb990caa7da85"
    first = storage.save("docs/a.txt", ContentFile(b"x"))
    assert first == f"{time.strftime('%Y')}/{digest[:2]}/{digest[2:4]}/docs/{digest[:40]}.txt"
    assert storage.save("docs/b.txt", ContentFile(b"x")) == first
    assert storage.save("docs/b.txt", ContentFile(b"y")) != first
    with pytest.raises(SuspiciousFileOperation):
        storage.save("docs/b.txt", ContentFile(b"z"), max_length=40)
    with override_settings(TIME_ZONE="Pacific/Kiritimati"):
        ahead = MediaStorage(location=tmp_path, names={"prefix": "%z"}).save("a", ContentFile(b"x"))
    assert ahead == "+1400/a"


def test_overwrite(tmp_path: Path) -> None:
    for options in ({"overwrite": True}, {"allow_overwrite": True}):
        storage = MediaStorage(location=tmp_path, **options)
        for body in (b"one", b"three", b"2"):
            assert storage.save("a.txt", ContentFile(body)) == "a.txt"
            with storage.open("a.txt") as file:
                assert file.read() == body
        assert storage.save("long_name.txt", ContentFile(b"x"), max_length=8) == "long.txt"


def test_names_that_a_subclass_gives(tmp_path: Path) -> None:
    class Numbered(MediaStorage):
        def get_available_name(self, name: str, max_length: int | None = None) -> str:
            number = 1
            while self.exists(found := f"{number}-{name}"):
                number += 1
            return found

    class Stubborn(MediaStorage):
        def get_available_name(self, name: str, max_length: int | None = None) -> str:
            return name

    class Dashed(MediaStorage):
        def get_alternative_name(self, file_root: str, file_ext: str) -> str:
            self.count = getattr(self, "count", 0) + 1
            return f"{file_root}-{self.count}{file_ext}"

    storage = Numbered(location=tmp_path)
    assert [storage.save("a", ContentFile(b"x")) for _ in range(2)] == ["1-a", "2-a"]
    dashed = Dashed(location=tmp_path)
    assert [dashed.save("b.txt", ContentFile(b"x")) for _ in range(3)] == ["b.txt", "b-1.txt", "b-2.txt"]
    stubborn = Stubborn(location=tmp_path)
    with pytest.raises(FileExistsError, match="overwrite"):
        stubborn.save("1-a", ContentFile(b"y"))


def save_at_once(storage: MediaStorage, start: threading.Barrier, number: int, names: list[tuple[str, bytes]]) -> None:
    body = b"%d" % number
    start.wait()
    names.append((storage.save("photo.jpg", ContentFile(body)), body))


def test_many_at_once(tmp_path: Path) -> None:
    for storage in (MediaStorage(location=tmp_path), MediaStorage(store=MEMORY)):
        names: list[tuple[str, bytes]] = []
        start = threading.Barrier(64)

        threads = [threading.Thread(target=save_at_once, args=(storage, start, number, names)) for number in range(64)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({name for name, _ in names}) == 64
        for name, body in names:
            with storage.open(name) as file:
                assert file.read() == body


def test_uploads_in_a_temporary_file(tmp_path: Path) -> None:
    storage = MediaStorage(location=tmp_path, file_permissions_mode=0o640)
    with TemporaryUploadedFile("a.bin", "text/plain", 3, None) as upload:
        upload.write(b"one")
        name = storage.save("a.bin", upload)
        with storage.open(name) as file:
            assert file.read() == b"one"
        status = (tmp_path / name).stat()
        assert (status.st_mode & 0o777, status.st_nlink) == (0o640, 1)
        assert not Path(upload.temporary_file_path()).exists()
    copied = MediaStorage(location=tmp_path, file_permissions_mode=None)
    for storage in (copied, MediaStorage(store=MEMORY)):
        with TemporaryUploadedFile("a.bin", "text/plain", 3, None) as upload:
            upload.write(b"two")
            with storage.open(storage.save("b.bin", upload)) as file:
                assert file.read() == b"two"


who: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="")


def test_a_loop_runs_on_meanwhile() -> None:
    """Sixteen hooks that wait for the loop to go on do not keep it from going on; they know who asked."""
    gate = threading.Event()
    seen: list[str] = []

    def hook(file: object, name: str) -> None:
        assert gate.wait(30)
        seen.append(who.get())

    storage = MediaStorage(store=MEMORY, inspect=[hook])

    async def save(number: int) -> str:
        who.set(str(number))
        return await storage.asave("a", ContentFile(b"x"))

    async def go() -> set[str]:
        saves = [asyncio.create_task(save(number)) for number in range(20)]
        await asyncio.sleep(0)
        gate.set()
        names = set(await asyncio.gather(*saves))
        assert await storage.aexists("a")
        assert (await storage.alistdir(""))[1] == sorted(names)
        async with await storage.aopen("a") as file:
            assert await file.aread() == b"x"
            assert [chunk async for chunk in file.achunks()] == [b"x"]
        async with await storage.aopen("b", "wb") as file:
            file.write(b"yy")
        assert await storage.asize("b") == 2
        assert await storage.aget_modified_time("b") == storage.get_modified_time("b")
        assert await storage.aurl("b") == storage.url("b")
        await storage.adelete("b")
        assert not storage.exists("b")
        return names

    assert len(asyncio.run(go())) == 20
    assert sorted(filter(None, seen), key=int) == [str(number) for number in range(20)]
