"""Files that another store has and this disk has not: fetched once, checked, put in place, and never half."""

from __future__ import annotations

import asyncio
import errno
import gzip
import logging
import os
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings

from shipfiles.config import ServeConfig
from shipfiles.errors import ConfigError, StoreError
from shipfiles.manifest import Manifest, load, reader_of
from shipfiles.records import MANIFESTS_PREFIX, POINTER_KEY, read_current
from shipfiles.release.items import Shape
from shipfiles.release.pointing import current_id
from shipfiles.serve import pull
from shipfiles.serve.asgi import StaticApp
from shipfiles.serve.patience import PatientStore
from shipfiles.serve.pull import Pull
from shipfiles.serve.remote import RemoteNames
from shipfiles.serve.respond import Request, Response, respond
from shipfiles.serve.table import FileTable, read_table
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Body, Stored
from tests.sent import send_by_hand

TEXT = "a { color: red }\n" * 50


def ask(table: FileTable, name: str, **fields: str) -> Response:
    response = respond(table, Request("GET", "/static/" + name, lambda field: fields.get(field.replace("-", "_"))))
    assert response is not None
    return response


class Watched(LocalStore):
    """A folder that remembers what it was asked, and may be slow or out of order."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.reads: list[str] = []
        self.lists = 0
        self.threads: set[threading.Thread] = set()
        self.seconds = 0.0
        self.down = False

    def read(self, key: str) -> Iterator[bytes]:
        self.reads.append(key)
        self.threads.add(threading.current_thread())
        time.sleep(self.seconds)
        if self.down:
            raise StoreError(key, "no answer")
        return super().read(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        self.lists += 1
        return super().list(prefix)


class ReadOnly(LocalStore):
    """A disk that takes nothing."""

    def put(self, key: str, body: Body, **options: Any) -> Stored:
        error = OSError(errno.EROFS, "Read-only file system")
        raise StoreError(key, f"cannot be written in {self.root}: {error.strerror}") from error


@pytest.fixture
def deploy(tmp_path: Path, project: Path, write):
    """Publish a.css with ``text`` in ``tmp_path/other`` and give its hashed name."""

    def publish(text: str, *options: str) -> str:
        write({"a.css": text, "same.js": "let unchanged"})
        with override_settings(STATIC_ROOT=str(tmp_path / "other")):
            call_command("collectstatic", "--noinput", *options, verbosity=0)
        current = read_current(reader_of(str(tmp_path / "other")))
        assert current is not None
        return current[1].entries["a.css"].name

    return publish


@pytest.fixture
def other(tmp_path: Path) -> Watched:
    return Watched(str(tmp_path / "other"))


@pytest.fixture
def disk(tmp_path: Path, deploy) -> Path:
    """A disk with a release of its own, that the other store has too."""
    deploy("own")
    return Path(shutil.copytree(tmp_path / "other", tmp_path / "disk"))


@pytest.fixture
def table(disk: Path, other: Watched) -> FileTable:
    return read_table(str(disk), "/static/", ServeConfig(pull_from=other))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask the other store about its pointer each time."""
    monkeypatch.setattr(RemoteNames, "_ASK_EVERY", 0.0)
    monkeypatch.setattr(Pull, "_REST", 0.0)
    monkeypatch.setattr(Pull, "_LACKING_FOR", 0.0)


def test_a_file_of_a_release_that_this_disk_never_had(table: FileTable, disk: Path, deploy, other: Watched) -> None:
    name = deploy(TEXT)
    response = ask(table, name, accept_encoding="gzip")
    assert (response.status, dict(response.headers)["Content-Encoding"]) == (200, "gzip")
    assert "immutable" in dict(response.headers)["Cache-Control"]
    assert ask(table, name).body == TEXT.encode() == (disk / name).read_bytes()
    root = Path(other.root)
    for key in (name + ".br", name + ".gz"):
        assert (disk / key).read_bytes() == (root / key).read_bytes()
    # Its manifest came too: other processes know the name, and a prune knows whose file it is.
    assert ask(read_table(str(disk), "/static/"), name).status == 200
    assert not list(disk.rglob(".shipfiles-*"))
    # The process's own release is what it was.
    assert ask(table, "a.css").body == b"own"
    before = len(other.reads)
    assert ask(table, name).status == 200
    assert len(other.reads) == before


def test_a_file_of_the_own_release(table: FileTable, disk: Path) -> None:
    name = next(disk.glob("a.*.css")).name
    body = (disk / name).read_bytes()
    (disk / name).unlink()
    assert ask(table, name).body == body == (disk / name).read_bytes()


def test_without_a_store_to_pull_from_it_is_lost(disk: Path, deploy) -> None:
    response = ask(read_table(str(disk), "/static/"), deploy(TEXT))
    assert (response.status, dict(response.headers)["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize("damage", [b"", b"short", b"x" * len(TEXT), TEXT.encode() + b"more"])
def test_other_bytes_than_the_manifest_says_are_never_served(
    table: FileTable, disk: Path, deploy, tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    name = deploy(TEXT)
    for key in (name, name + ".gz", name + ".br"):
        (tmp_path / "other" / key).write_bytes(damage)
    with caplog.at_level(logging.WARNING, "shipfiles.serve"):
        for _ in range(3):
            response = ask(table, name)
            assert (response.status, dict(response.headers)["Cache-Control"]) == (404, "no-store")
    assert not [path for path in disk.iterdir() if path.name.startswith(name)]
    assert len([line for line in caplog.messages if "cannot be fetched" in line]) == 1
    for key in (name, name + ".gz", name + ".br"):
        (tmp_path / "other" / key).unlink()
    deploy(TEXT)
    assert ask(table, name).body == TEXT.encode()


@pytest.fixture
def bucket(tmp_path: Path, table: FileTable, disk: Path) -> FileTable:
    """The table with another store to pull from: one to which releases were sent, with their files as gzip."""
    del table
    return read_table(str(disk), "/static/", ServeConfig(pull_from=LocalStore(str(tmp_path / "bucket"))))


def sent(tmp_path: Path, *releases: str) -> Manifest:
    built, target = LocalStore(str(tmp_path / "other")), LocalStore(str(tmp_path / "bucket"))
    return [send_by_hand(built, release, target, Shape(coding="gzip")) for release in releases][-1]


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_what_is_stored_in_a_coding_there_lies_here_as_it_is(
    bucket: FileTable, disk: Path, deploy, tmp_path: Path, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who cannot decode it gets it too, and so does who can, as it was sent there."""
    monkeypatch.setattr(pull, "_IN_MEMORY", most)
    name = deploy(TEXT)
    manifest = sent(tmp_path, current_id(LocalStore(str(tmp_path / "other"))))
    assert manifest.entries["a.css"].stored == "gzip"
    response = ask(bucket, name, accept_encoding="gzip")
    assert (response.status, dict(response.headers)["Content-Encoding"]) == (200, "gzip")
    assert ask(bucket, name).body == TEXT.encode() == (disk / name).read_bytes()
    assert (disk / (name + ".gz")).read_bytes() == (tmp_path / "bucket" / name).read_bytes()
    # The manifest that came with it says what is here.
    found = [load(path.read_bytes(), "m") for path in (disk / MANIFESTS_PREFIX).glob("*.json")]
    (here,) = [manifest.entries["a.css"] for manifest in found if manifest.entries["a.css"].name == name]
    assert (here.stored, {*here.codings}) == ("", {"gzip"})
    assert ask(read_table(str(disk), "/static/"), name).status == 200


def test_a_file_of_the_own_release_that_was_sent_in_another_form(
    disk: Path, deploy, tmp_path: Path, other: Watched
) -> None:
    """The manifest on this disk does not say that it lies there as gzip."""
    name = deploy(TEXT)
    own = Path(shutil.copytree(other.root, tmp_path / "own"))
    sent(tmp_path, current_id(other))
    for path in own.glob("a.*.css*"):
        path.unlink()
    table = read_table(str(own), "/static/", ServeConfig(pull_from=LocalStore(str(tmp_path / "bucket"))))
    assert ask(table, name).body == TEXT.encode()


@pytest.mark.parametrize(
    "damage",
    [b"", TEXT.encode(), gzip.compress(b"x" * len(TEXT)), gzip.compress(b"0" * 10**7)],
    ids=["nothing", "not packed", "other text", "too much"],
)
def test_what_does_not_decode_to_the_file_is_never_served(
    bucket: FileTable, disk: Path, deploy, tmp_path: Path, damage: bytes
) -> None:
    name = deploy(TEXT)
    sent(tmp_path, current_id(LocalStore(str(tmp_path / "other"))))
    (tmp_path / "bucket" / name).write_bytes(damage)
    assert ask(bucket, name).status == 404
    assert not [path for path in disk.iterdir() if path.name.startswith(name)]


def test_a_variant_that_is_gone_is_done_without(table: FileTable, deploy, tmp_path: Path) -> None:
    name = deploy(TEXT)
    (tmp_path / "other" / (name + ".gz")).unlink()
    response = ask(table, name, accept_encoding="gzip")
    assert (response.status, response.body) == (200, TEXT.encode())


def test_a_manifest_with_other_bytes_is_not_believed(
    table: FileTable, deploy, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = set((tmp_path / "other" / MANIFESTS_PREFIX).iterdir())
    name = deploy(TEXT)
    (new,) = set((tmp_path / "other" / MANIFESTS_PREFIX).iterdir()) - before
    new.write_bytes(new.read_bytes().replace(b'"type":"text/css"', b'"type":"text/xml"'))
    assert ask(table, name).status == 404
    assert "are not those that its name tells of" in caplog.text
    # The others are read all the same.
    third = deploy("third")
    assert ask(table, third).body == b"third"


def test_of_many_at_once_one_fetches(table: FileTable, deploy, other: Watched) -> None:
    name = deploy(TEXT)
    other.seconds = 0.05
    start = threading.Barrier(8)

    def get(_: int) -> bytes | None:
        start.wait(5)
        return ask(table, name).body

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(get, range(8))) == {TEXT.encode()}
    assert other.reads.count(name) == 1


def test_unknown_names_cost_no_listing(
    table: FileTable, deploy, other: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = deploy(TEXT)
    monkeypatch.setattr(RemoteNames, "_ASK_EVERY", 60.0)
    for i in range(200):
        assert ask(table, f"{i}.0123456789ab.css").status == 404
    assert (other.lists, other.reads.count(POINTER_KEY)) == (1, 1)
    assert len(other.reads) == 3  # with the two manifests
    assert ask(table, name).status == 200


def test_a_pointer_that_stands_still_costs_no_listing(table: FileTable, other: Watched) -> None:
    for i in range(5):
        assert ask(table, f"{i}.0123456789ab.css").status == 404
    assert (other.lists, other.reads.count(POINTER_KEY)) == (1, 5)


def test_only_the_newest_manifest_is_read_for_a_name_of_it(table: FileTable, deploy, other: Watched) -> None:
    for n in range(3):
        deploy(f"/* {n} */")
        time.sleep(0.02)
    name = deploy(TEXT)
    other.reads.clear()
    assert ask(table, name).status == 200
    assert len({key for key in other.reads if key.startswith(MANIFESTS_PREFIX)}) == 1


def test_a_store_that_does_not_answer(
    table: FileTable, deploy, other: Watched, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = deploy(TEXT)
    other.down = True
    for _ in range(3):
        response = ask(table, name)
        assert (response.status, dict(response.headers)["Cache-Control"]) == (404, "no-store")
    assert len([line for line in caplog.messages if "no answer" in line]) == 1
    # It is let alone for a moment, so that not every request waits for it.
    before = len(other.reads)
    monkeypatch.setattr(Pull, "_REST", 60.0)
    assert ask(table, name).status == 404
    assert len(other.reads) == before
    other.down = False
    monkeypatch.setattr(Pull, "_REST", 0.0)
    assert ask(table, name).status == 200


def test_what_a_release_had_that_was_pruned_is_lost(table: FileTable, deploy) -> None:
    first = deploy(TEXT)
    ask(table, "x.0123456789ab.css")
    second = deploy("second", "--clear")
    assert ask(table, first).status == 404
    assert ask(table, second).status == 200


def test_a_large_file_goes_by_way_of_the_disk(
    table: FileTable, disk: Path, deploy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "_IN_MEMORY", 100)
    name = deploy(TEXT)
    assert ask(table, name).body == TEXT.encode() == (disk / name).read_bytes()


def test_a_disk_that_takes_nothing(
    disk: Path, deploy, other: Watched, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    own = read_current(reader_of(str(disk)))
    assert own is not None
    table = FileTable(own[1], str(disk), "/static/", ServeConfig(pull_from=other), store=ReadOnly(str(disk)))
    first, second = deploy(TEXT), deploy(TEXT + TEXT)
    for _ in range(2):
        response = ask(table, first, accept_encoding="gzip", range="bytes=0-3")
        assert (response.status, dict(response.headers)["Content-Encoding"]) == (206, "gzip")
        assert (response.body or b"")[:2] == b"\x1f\x8b"
        assert ask(table, first).body == TEXT.encode()
    assert other.reads.count(first) == 1
    assert len(caplog.messages) == 1
    assert "Read-only" in caplog.text
    # As much as there is room for.
    monkeypatch.setattr(Pull, "_MOST_HELD", len(TEXT) * 3)
    assert ask(table, second).body == (TEXT + TEXT).encode()
    assert ask(table, first).body == TEXT.encode()
    assert other.reads.count(first) == 2
    monkeypatch.setattr(pull, "_IN_MEMORY", 10)
    assert ask(table, deploy("/* large */" * 9)).status == 404


def test_the_loop_goes_on_while_another_store_is_asked(table: FileTable, disk: Path, deploy, other: Watched) -> None:
    name = deploy(TEXT)
    other.seconds = 0.05
    sent: list[dict[str, object]] = []

    async def never():
        await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    async def run() -> None:
        scope = {"type": "http", "method": "GET", "path": f"/static/{name}", "headers": []}
        await StaticApp(never, table=table)(scope, never, send)

    asyncio.run(run())
    assert (sent[0]["status"], sent[1]["body"]) == (200, TEXT.encode())
    assert threading.current_thread() not in other.threads
    # A folder that has just changed is looked through again; an hour later it is not.
    os.utime(disk / MANIFESTS_PREFIX, (1e9, 1e9))
    assert ask(table, name).status == 200
    assert not table.may_wait(f"/static/{name}")
    assert not table.may_wait("/static/a.css")
    assert not table.may_wait("/elsewhere/a.0123456789ab.css")
    assert table.may_wait("/static/x.0123456789ab.css")


def test_a_request_that_is_given_up_closes_the_file(table: FileTable, disk: Path, deploy, other: Watched) -> None:
    name = deploy("/* large */" * 20_000)
    other.seconds = 0.1

    async def run() -> None:
        scope = {"type": "http", "method": "GET", "path": f"/static/{name}", "headers": []}
        task = asyncio.create_task(StaticApp(run, table=table)(scope, run, run))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    # What was begun is brought to its end, for the next who asks.
    deadline = time.monotonic() + 20
    while not (disk / name).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    response = ask(table, name)
    assert response.status == 200
    response.body.close()


def test_settings_say_where_from(project: Path, disk: Path, deploy, tmp_path: Path) -> None:
    from django.core.files.storage import storages
    from django.test import Client

    name = deploy(TEXT)
    options = {
        "location": str(disk),
        "serve": {"pull_from": (tmp_path / "other").as_uri()},
        "file_permissions_mode": 0o640,
    }
    alias = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": options}
    with override_settings(STORAGES={"staticfiles": alias, "default": {"BACKEND": "x"}}):
        response = Client().get(f"/static/{name}")
        assert b"".join(response.streaming_content if response.streaming else [response.content]) == TEXT.encode()
        assert (disk / name).stat().st_mode & 0o777 == 0o640
        response = Client().get("/static/a.0123456789ab.css")
        assert (response.status_code, response["Cache-Control"]) == (404, "no-store")
        assert storages["staticfiles"].config.serve.pull_from == options["serve"]["pull_from"]


# A store that is slow, damaged or of somebody else -------------------------------------------------------------------


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures of one file are remembered, as they are outside of tests."""
    monkeypatch.setattr(Pull, "_LACKING_FOR", 1e9)


@pytest.mark.usefixtures("memory")
@pytest.mark.parametrize("harm", ["gone", "other bytes"])
def test_a_file_that_the_store_lacks_is_not_fetched_each_time(
    table: FileTable, deploy, other: Watched, harm: str
) -> None:
    name = deploy(TEXT)
    if harm == "gone":
        Path(other.root, name).unlink()
    else:
        Path(other.root, name).write_bytes(b"x" * len(TEXT))
    for _ in range(20):
        assert ask(table, name).status == 404
    assert other.reads.count(name) == 1
    assert table._pull is not None
    table._pull._lacking.clear()  # later
    Path(other.root, name).write_text(TEXT)
    assert ask(table, name).body == TEXT.encode()


@pytest.mark.usefixtures("memory")
def test_a_large_file_for_which_there_is_no_room_is_not_fetched_each_time(
    disk: Path, deploy, other: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull, "_IN_MEMORY", 10)
    name = deploy(TEXT)
    fetching = Pull(other, ReadOnly(str(disk)), {})
    entry = fetching.entry(name)
    assert entry is not None
    for _ in range(20):
        assert fetching.fetch(entry) is None
    assert other.reads.count(name) == 1


def test_one_manifest_is_read_once_for_all_its_names_on_a_disk_that_takes_none(
    tmp_path: Path, disk: Path, other: Watched, write
) -> None:
    write({f"f{i}.txt": str(i) for i in range(50)})
    with override_settings(STATIC_ROOT=str(tmp_path / "other")):
        call_command("collectstatic", "--noinput", verbosity=0)
    current = read_current(reader_of(other.root))
    assert current is not None
    fetching = Pull(other, ReadOnly(str(disk)), {})
    for entry in current[1].entries.values():
        assert fetching.entry(entry.name) == entry
    assert len([key for key in other.reads if key.startswith(MANIFESTS_PREFIX)]) == 1


def test_one_manifest_is_read_once_for_many_at_once(disk: Path, deploy, other: Watched) -> None:
    name = deploy(TEXT)
    other.seconds = 0.02
    fetching = Pull(other, LocalStore(str(disk)), {})
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(fetching.entry, [name] * 16))
    assert {entry and entry.name for entry in found} == {name}
    assert len([key for key in other.reads if key.startswith(MANIFESTS_PREFIX)]) == 1


def test_a_manifest_that_was_damaged_is_read_again_later(
    table: FileTable, deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = set((tmp_path / "other" / MANIFESTS_PREFIX).iterdir())
    name = deploy(TEXT)
    (new,) = set((tmp_path / "other" / MANIFESTS_PREFIX).iterdir()) - before
    good = new.read_bytes()
    new.write_bytes(good[:-5])
    assert ask(table, name).status == 404
    new.write_bytes(good)
    assert ask(table, name).status == 404  # not each time
    monkeypatch.setattr(RemoteNames, "_FAULTY_FOR", 0.0)
    assert table._pull is not None
    table._pull._names._faulty = dict.fromkeys(table._pull._names._faulty, 0.0)  # later
    assert ask(table, name).body == TEXT.encode()


def test_one_manifest_that_cannot_be_read_keeps_no_other_from_being_read(
    table: FileTable, deploy, other: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = deploy(TEXT)
    time.sleep(0.02)
    before = set(Path(other.root, MANIFESTS_PREFIX).iterdir())
    deploy("newer")
    (newest,) = set(Path(other.root, MANIFESTS_PREFIX).iterdir()) - before
    read = other.read

    def refuse(key: str) -> Iterator[bytes]:
        if key.endswith(newest.name):
            raise StoreError(key, "access denied")
        return read(key)

    monkeypatch.setattr(other, "read", refuse)
    ask(table, name)
    assert ask(table, name).status == 200


@pytest.mark.parametrize("verb", ["read", "list"])
def test_what_a_store_of_somebody_else_raises(
    table: FileTable, deploy, other: Watched, verb: str, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    name = deploy(TEXT)

    def fail(_: str = "") -> Iterator[bytes]:
        raise RuntimeError("ConnectTimeout")

    with monkeypatch.context() as patch:
        patch.setattr(other, verb, fail)
        assert ask(table, name).status == 404
    assert "RuntimeError: ConnectTimeout" in caplog.text
    assert ask(table, name).status == 200


class Silent(Watched):
    """A store that does not answer until it is told to."""

    def __init__(self, root: str) -> None:
        super().__init__(root)
        self.answers = threading.Event()
        self.silent_for = ""
        self.asked = threading.Semaphore(0)

    def read(self, key: str) -> Iterator[bytes]:
        if self.silent_for in key and not self.answers.is_set():
            self.asked.release()
            assert self.answers.wait(60)
        return super().read(key)


@pytest.fixture
def quiet(other: Watched, disk: Path, monkeypatch: pytest.MonkeyPatch) -> Silent:
    monkeypatch.setattr(PatientStore, "PATIENCE", 0.05)
    return Silent(other.root)


def test_one_thread_alone_waits_for_a_silent_store(disk: Path, deploy, quiet: Silent) -> None:
    """A name that nobody has must not cost a thread until the store answers."""
    name = deploy(TEXT)
    table = read_table(str(disk), "/static/", ServeConfig(pull_from=quiet))
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(ask, table, name)
        assert quiet.asked.acquire(timeout=60)
        for i in range(20):
            response = ask(table, f"{i}.0123456789ab.css")
            assert (response.status, dict(response.headers)["Cache-Control"]) == (404, "no-store")
        assert not first.done()
        quiet.answers.set()
        assert first.result(60).body == TEXT.encode()
    assert ask(table, name).status == 200


def test_a_few_threads_alone_wait_for_files_of_a_silent_store(tmp_path: Path, disk: Path, quiet: Silent, write) -> None:
    write({f"f{i}.txt": str(i) for i in range(8)})
    with override_settings(STATIC_ROOT=quiet.root):
        call_command("collectstatic", "--noinput", verbosity=0)
    current = read_current(reader_of(quiet.root))
    assert current is not None
    names = [entry.name for entry in current[1].entries.values() if entry.name.endswith(".txt")]
    table = read_table(str(disk), "/static/", ServeConfig(pull_from=quiet))
    quiet.answers.set()
    for name in names:
        assert table.find(f"/static/{name}")
    quiet.answers.clear()
    quiet.silent_for = ".txt"
    most = PatientStore.AT_ONCE
    with ThreadPoolExecutor(most) as pool:
        waiting = [pool.submit(ask, table, name) for name in names[:most]]
        for _ in waiting:
            assert quiet.asked.acquire(timeout=60)
        for name in (*names[most:], names[0]):
            response = ask(table, name)
            assert (response.status, dict(response.headers)["Retry-After"]) == (503, "1")
        quiet.answers.set()
        assert {done.result(60).status for done in waiting} == {200}
    assert {ask(table, name).status for name in names} == {200}


# What can be a place -------------------------------------------------------------------------------------------------

STORE = MemoryStore()


def made() -> MemoryStore:
    return STORE


NO_STORE = 5


def test_places(tmp_path: Path) -> None:
    for place in (str(tmp_path), tmp_path, tmp_path.as_uri(), f"file://localhost{tmp_path}"):
        store = open_store(place, "here")
        assert isinstance(store, LocalStore)
        assert store.root == str(tmp_path)
    for place in (STORE, made, f"{__name__}.STORE", f"{__name__}.made"):
        assert open_store(place, "here") is STORE
    assert isinstance(open_store(MemoryStore, "here"), MemoryStore)


def test_stores_in_memory_are_each_their_own() -> None:
    first, second = open_store("memory://", "here"), open_store("memory://", "here")
    first.put("a", b"1")
    assert isinstance(second, MemoryStore)
    assert second.head("a") is None
    for place, options in (("memory://name", {}), ("memory://", {"limits": {}})):
        with pytest.raises(ConfigError, match="it has no name and no options"):
            open_store(place, "here", options)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("ftp://host/static", r"^here: there is no store for ftp:// yet\. It can be .* folder"),
        ("file://server/share", "names another machine"),
        ("./releases", "must be absolute"),
        ("", "must be absolute"),
        ("no.such.module", "cannot be imported"),
        (f"{__name__}.nothing", "cannot be imported"),
        (f"{__name__}.NO_STORE", "is no store: it must have put, swap"),
        (5, "is no store"),
    ],
)
def test_what_is_no_place(place: object, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        open_store(place, "here")
