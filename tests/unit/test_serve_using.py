"""Which release a process uses, and going over to another while it runs."""

from __future__ import annotations

import asyncio
import copy
import errno
import gc
import io
import logging
import os
import pickle
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper

import pytest

from shipfiles.build.find import ignore_matcher, select, walk
from shipfiles.build.pipeline import build
from shipfiles.config import CompressConfig, RewriteConfig, ServeConfig
from shipfiles.digest import digest_bytes
from shipfiles.errors import ConfigError, ManifestError, ReleaseIdError, ReleaseNotMade
from shipfiles.manifest import reader_of
from shipfiles.model import SourceFile
from shipfiles.records import MANIFESTS_PREFIX, POINTER_KEY, read_current, record_key
from shipfiles.release.pointing import Pointing
from shipfiles.release.publish import publish
from shipfiles.serve import asgi, following, wsgi
from shipfiles.serve.following import AsyncPieces, Following, FollowingTable, never_wait_here, one_release
from shipfiles.serve.origins import Folder
from shipfiles.serve.ready import ready_respond
from shipfiles.serve.respond import Request, respond
from shipfiles.serve.table import FileTable, Table, choose_table, read_table
from shipfiles.serve.using import Used, log_use, read_release_file, release_to_use, write_release_file
from shipfiles.stores.local import LocalStore
from tests.shells import ask_asgi, ask_wsgi, environ_of, scope_of


class Place:
    """A folder of releases."""

    def __init__(self, folder: Path) -> None:
        self.src = folder / "src"
        self.src.mkdir()
        self.root = str(folder / "root")
        self.store = LocalStore(self.root)
        self.read = reader_of(self.root)

    def deploy(self, release: str, text: str) -> str:
        """Make ``release``, in which a.css is ``text``; the hashed name of a.css."""
        (self.src / "a.css").write_text(text)
        (self.src / "b.css").write_text(f"{text} too")
        found = select(SourceFile(logical, path) for logical, path in walk(str(self.src), ignore_matcher([])))
        built = build(found.sources, RewriteConfig())
        published = publish(built, self.store, CompressConfig(codings=()), release=release)
        assert published.release == release
        return published.manifest.entries["a.css"].name

    def activate(self, release: str) -> None:
        Pointing(self.store, "", lambda _: None, lambda _: None).point(release, digest_bytes(b""))

    def use(self, own: str = "", file: str = "", **more: bool) -> Used | None:
        return release_to_use(self.read, self.root, own=lambda: (own, "release_id"), file=file, **more)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def names(used: Used | None) -> str:
    assert used is not None
    return used.release


# Which one -----------------------------------------------------------------------------------------------------------


def test_its_own_else_the_baked_else_the_current(place: Place, tmp_path: Path) -> None:
    assert place.use() is None
    file = str(tmp_path / "image" / "release")
    for release in ("one", "two", "three"):
        place.deploy(release, release)
        if release == "two":
            assert write_release_file(file, place.read, release)
    assert names(place.use()) == "three"
    assert names(place.use(file=file)) == "two"
    assert names(place.use("one", file)) == "one"
    assert names(place.use("one", file, follow=True)) == "three"
    assert place.use("one", file).names == {
        e.logical: e.name for e in read_table(place.root, "/static/", release="one")._logical.values()
    }


def test_what_the_log_says(place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "shipfiles")
    place.deploy("one", "a{}")
    file = str(tmp_path / "release")
    write_release_file(file, place.read, "one")
    for used in (place.use(), place.use("one"), place.use(file=file), place.use("one", file)):
        assert used is not None
        log_use(used, place.root)
    assert [r.getMessage() for r in caplog.records if r.name == "shipfiles"] == [
        f"Release one: the current one, 2 files, in {place.root}.",
        f"Release one: its own by release_id, 2 files, in {place.root}.",
        f"Release one: baked into {file}, 2 files, in {place.root}.",
        f"Release one: its own by release_id, baked into {file}, 2 files, in {place.root}.",
    ]


def test_an_own_release_that_was_not_made_is_an_error_that_says_what_to_run(place: Place) -> None:
    place.deploy("one", "a{}")
    with pytest.raises(ReleaseNotMade) as caught:
        place.use("two")
    assert caught.value.release == "two"
    assert all(part in str(caught.value) for part in ("'two'", "release_id", place.root, "manage.py collectstatic"))
    assert names(place.use("two", strict=False)) == "one"


def test_an_own_release_whose_record_is_damaged_is_not_taken_for_another(place: Place) -> None:
    place.deploy("one", "a{}")
    place.deploy("two", "b{}")
    Path(place.root, record_key("one")).write_text("{")
    with pytest.raises(ManifestError):
        place.use("one")


def test_an_id_that_cannot_be_told_in_an_image_with_a_release_file(place: Place, tmp_path: Path) -> None:
    place.deploy("one", "a{}")

    def untold() -> tuple[str, str]:
        raise ReleaseIdError("git_commit", None, "git is not installed")

    file = str(tmp_path / "release")
    ask = partial(release_to_use, place.read, place.root, own=untold, file=file)
    with pytest.raises(ReleaseIdError):
        ask()
    assert names(ask(strict=False)) == "one"
    write_release_file(file, place.read, "one")
    place.deploy("two", "b{}")
    assert names(ask()) == "one"


def test_a_release_file_is_enough_for_its_own_id(place: Place, tmp_path: Path) -> None:
    """The store may be far away, or not there when the process starts."""
    place.deploy("one", "a{}")
    file = str(tmp_path / "release")
    write_release_file(file, place.read, "one")

    def unreachable(key: str) -> bytes | None:
        raise AssertionError(key)

    used = release_to_use(unreachable, "far away", own=lambda: ("one", "release_id"), file=file)
    assert names(used) == names(release_to_use(unreachable, "far away", file=file)) == "one"


def test_a_missing_release_file_is_said(place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    place.deploy("one", "a{}")
    file = str(tmp_path / "release")
    assert names(place.use(file=file)) == "one"
    assert f"There is no release file {file}" in caplog.text


# The release file ----------------------------------------------------------------------------------------------------


def test_a_release_file_holds_what_the_store_holds(place: Place, tmp_path: Path) -> None:
    place.deploy("one", "a{}")
    file = str(tmp_path / "release")
    assert write_release_file(file, place.read, "one")
    assert not write_release_file(file, place.read, "one")
    current = read_current(place.read)
    assert current is not None
    used = read_release_file(file)
    assert used is not None
    assert (used.release, used.manifest.names()) == (current[0], current[1].names())
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["release"]
    with pytest.raises(ManifestError, match="no release two"):
        write_release_file(file, place.read, "two")


@pytest.mark.parametrize(
    "damage",
    [
        lambda body: b"",
        lambda body: body[:-1],
        lambda body: body[1:],
        lambda body: body.replace(b"a.css", b"c.css"),
        lambda body: body.replace(b'"one"', b'"../one"'),
        lambda body: body.replace(b'"one"', b"1", 1),
        lambda body: body.replace(b'"schema": 1', b'"schema": 2', 1),
        lambda body: b"[]\n" + body,
        lambda body: b"[" * 100_000,
        lambda body: b"\xff" + body,
    ],
)
def test_a_damaged_release_file(place: Place, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    place.deploy("one", "a{}")
    file = tmp_path / "release"
    write_release_file(str(file), place.read, "one")
    file.write_bytes(damage(file.read_bytes()))
    for ask in (lambda: read_release_file(str(file)), lambda: place.use(file=str(file))):
        with pytest.raises(ManifestError, match="Run collectstatic again"):
            ask()
    assert names(place.use(file=str(file), strict=False)) == "one"


def test_no_release_file_at_all(tmp_path: Path) -> None:
    assert read_release_file(str(tmp_path / "none")) is None
    with pytest.raises(ManifestError, match=r"OPTIONS\['release_file'\] must name a file, and .* is a folder"):
        read_release_file(str(tmp_path))


# The table and the header --------------------------------------------------------------------------------------------


def ask(table: Table, path: str) -> tuple[int, dict[str, str], bytes]:
    response = respond(table, Request("GET", path, lambda _: None))
    assert response is not None
    assert isinstance(response.body, bytes)
    return response.status, dict(response.headers), response.body


def test_every_answer_has_the_header(place: Place) -> None:
    name = place.deploy("one", "a{}")
    table = read_table(place.root, "/static/", ServeConfig(release_header="X-Release"))
    lost = "a.0123456789ab.css"
    for path, status in ((name, 200), ("a.css", 200), (lost, 404)):
        found, headers, _ = ask(table, f"/static/{path}")
        assert (found, headers["X-Release"]) == (status, "one")
    tag = ask(table, f"/static/{name}")[1]["ETag"]
    unchanged = respond(table, Request("GET", f"/static/{name}", {"if-none-match": tag}.get))
    assert unchanged is not None
    assert (unchanged.status, dict(unchanged.headers)["X-Release"]) == (304, "one")
    assert "X-Release" not in ask(read_table(place.root, "/static/"), f"/static/{name}")[1]


@pytest.mark.parametrize(
    "name", ["X Release", "X-Rélease", "X:", "X-Release\r\nSet-Cookie", "etag", "Content-Type", "\n"]
)
def test_what_is_no_name_of_a_header(name: str) -> None:
    with pytest.raises(ConfigError, match=r"serve\.release_header"):
        ServeConfig(release_header=name)


def test_the_apps_take_a_release(place: Place) -> None:
    first = place.deploy("one", "a{}")
    place.deploy("two", "b{}")
    app = wsgi.StaticApp(lambda environ, start: [], root=place.root, release="one")
    assert isinstance(app.table, FileTable)
    assert app.table.release == "one"
    assert app.table._hashed.keys() >= {first}
    with pytest.raises(ReleaseNotMade):
        wsgi.StaticApp(lambda environ, start: [], root=place.root, release="three")
    with pytest.raises(ReleaseIdError):
        wsgi.StaticApp(lambda environ, start: [], root=place.root, release="../one")
    with pytest.raises(ConfigError, match="only together with root="):
        wsgi.StaticApp(lambda environ, start: [], release="one")
    with pytest.raises(ConfigError, match="not both"):
        choose_table(None, place.root, None, ServeConfig(follow_current=True), "one")


# Following -----------------------------------------------------------------------------------------------------------

FOLLOW = ServeConfig(follow_current=True, release_header="X-Release")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at every request, so that no test waits."""
    monkeypatch.setattr(Folder, "interval", 0.0)


@pytest.mark.usefixtures("at_once")
def test_it_goes_over_and_back_and_old_names_are_served_on(place: Place) -> None:
    first = place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, FOLLOW)
    assert ask(table, "/static/a.css")[2] == b"a{}"
    second = place.deploy("two", "b{}")
    assert ask(table, "/static/a.css")[1]["X-Release"] == "two"
    for name, body in ((first, b"a{}"), (second, b"b{}")):
        status, headers, found = ask(table, f"/static/{name}")
        assert (status, headers["X-Release"], found) == (200, "two", body)
        assert "immutable" in headers["Cache-Control"]
    place.activate("one")
    assert ask(table, f"/static/{second}")[1]["X-Release"] == "one"


@pytest.mark.usefixtures("at_once")
def test_a_file_is_never_labelled_with_another_release(place: Place) -> None:
    place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, replace(FOLLOW, memory=0))
    assert isinstance(table, FollowingTable)
    make, go_on = table._table_of, threading.Event()

    def slow_to_make(used: Used | None) -> FileTable:
        assert go_on.wait(60)
        return make(used)

    table._table_of = slow_to_make
    place.deploy("two", "b{}")

    def run() -> None:
        deadline = time.monotonic() + 60
        while names(table.following.latest()) != "two" and time.monotonic() < deadline:
            time.sleep(0.01)
        # The pointer is read, the new table is being made, and the one before answers.
        status, headers, body = ask(table, "/static/a.css")
        assert (status, headers["X-Release"], body) == (200, "one", b"a{}")

    async def in_loop() -> None:
        run()

    try:
        asyncio.run(in_loop())
    finally:
        go_on.set()


@pytest.mark.usefixtures("at_once")
def test_the_table_before_is_given_back_at_once(place: Place) -> None:
    """Not when Python next looks for cycles, which may be many releases later: it holds answers, and a descriptor."""
    first = place.deploy("one", "a{}")
    config = replace(FOLLOW, add_headers=lambda headers, path, url: None, root_files={"/b": "b.css"})
    table = choose_table(None, place.root, None, config)
    assert isinstance(table, FollowingTable)
    gc.collect()
    gc.disable()
    try:
        for path in (f"/static/{first}", "/static/a.css", "/b", "/static/missing.css", f"/static/{'0' * 12}.css"):
            ready_respond(table, Request("GET", path, lambda _: None))
        before, kept = weakref.ref(table._now[1]), weakref.ref(table._now[1].ready)
        answering = table.ready
        assert answering
        assert answering.size > 0
        place.deploy("two", "b{}")
        assert ask(table, "/static/a.css")[2] == b"b{}"
        # A request that is being answered ends as it began.
        assert before() is not table._now[1]
        assert answering.size == 0
        response = answering.respond(Request("GET", f"/static/{first}", lambda _: None))
        assert response
        assert (response.status, response.body) == (200, b"a{}")
        del answering
        assert (before(), kept()) == (None, None)
    finally:
        gc.enable()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_an_exception_of_the_application_keeps_no_table(place: Place, kind: str) -> None:
    """Django's own 404 is one. With its traceback it keeps every frame on the way, until cycles are looked for."""
    place.deploy("one", "a{}")
    caught = []

    def fail() -> None:
        try:
            {}["view"]
        except LookupError as error:
            caught.append(error)

    def application(environ: Any, start: Any) -> list[bytes]:
        fail()
        start("404 Not Found", [])
        return []

    async def async_application(scope: Any, receive: Any, send: Any) -> None:
        fail()
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    gc.collect()
    gc.disable()
    try:
        if kind == "wsgi":
            app = wsgi.StaticApp(application, root=place.root, config=FOLLOW)
            assert ask_wsgi(app, environ_of("GET", "/page", {})).status == 404
        else:
            app = asgi.StaticApp(async_application, root=place.root, config=FOLLOW)
            assert ask_asgi(app, scope_of("GET", "/page", {})).status == 404
        assert caught
        before = weakref.ref(app.table._now[1])
        place.deploy("two", "b{}")
        assert ask(app.table, "/static/a.css")[2] == b"b{}"
        assert before() is None
    finally:
        gc.enable()


@pytest.mark.usefixtures("at_once")
def test_a_task_that_outlives_its_request_keeps_no_release(place: Place) -> None:
    """It has a copy of the request's context; what it asks for after that is of the release that is current then."""
    place.deploy("one", "a{}")
    place.deploy("two", "b{}")
    place.activate("one")
    followed = Following(place.root, place.use(follow=True))

    async def request() -> tuple[list[str], Used | None]:
        seen, is_over = [], asyncio.Event()

        async def task() -> None:
            seen.append(names(followed.used()))
            await is_over.wait()
            seen.append(names(followed.used()))

        with followed.pinned():
            used = weakref.ref(followed.used())
            started = asyncio.create_task(task())
            place.activate("two")
            await asyncio.sleep(0)
            assert names(followed.used()) == "one"
        # In an event loop another thread looks, here this one.
        await asyncio.to_thread(followed.used)
        still = used()
        is_over.set()
        await started
        return seen, still

    assert asyncio.run(request()) == (["one", "two"], None)


def test_it_looks_no_more_than_once_an_interval(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.deploy("one", "a{}")
    monkeypatch.setattr(Folder, "interval", 3600.0)
    looks = []
    look = Following._look

    def counted(self: Following) -> None:
        looks.append(1)
        look(self)

    monkeypatch.setattr(Following, "_look", counted)
    following = Following(place.root, place.use(follow=True))
    assert names(following.latest()) == "one"
    place.deploy("two", "b{}")
    for _ in range(1000):
        assert names(following.latest()) == "one"
    assert len(looks) == 1
    following._next = 0.0  # an hour later
    assert names(following.latest()) == "two"
    assert len(looks) == 2


@pytest.mark.usefixtures("at_once")
def test_an_old_pointer_is_not_read_again(place: Place) -> None:
    place.deploy("one", "a{}")
    pointer = Path(place.root, POINTER_KEY)
    read = []

    def counting(key: str) -> bytes | None:
        read.append(key)
        return place.read(key)

    following = Following(place.root, place.use(follow=True))
    following._origin.read = counting
    following.latest()
    following.latest()
    assert read == [POINTER_KEY, POINTER_KEY]  # written just now: its time proves nothing yet
    ctime = pointer.stat().st_ctime
    following._origin._SETTLED = time.time() - ctime - 1e9
    following.latest()
    read.clear()
    following.latest()
    assert read == []
    place.activate("one")
    place.deploy("two", "b{}")
    assert names(following.latest()) == "two"


@pytest.mark.usefixtures("at_once")
def test_a_damaged_pointer_or_manifest_changes_nothing(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.deploy("one", "a{}")
    following = Following(place.root, place.use(follow=True))
    pointer = Path(place.root, POINTER_KEY)
    good = pointer.read_bytes()
    pointer.write_bytes(b"{")
    for _ in range(5):
        assert names(following.latest()) == "one"
    assert caplog.text.count("goes on being used") == 1
    pointer.unlink()
    assert names(following.latest()) == "one"
    pointer.write_bytes(good)
    assert names(following.latest()) == "one"
    place.deploy("two", "b{}")
    for manifest in Path(place.root, MANIFESTS_PREFIX).iterdir():
        manifest.write_bytes(b"{")
    assert names(following.latest()) == "one"
    Path(place.root, POINTER_KEY).unlink()
    place.deploy("three", "c{}")
    assert names(following.latest()) == "three"


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many open files"), OSError(errno.EIO, "I/O error")])
def test_what_could_not_be_read_once_is_read_again(
    place: Place, error: OSError, caplog: pytest.LogCaptureFixture
) -> None:
    place.deploy("one", "a{}")
    following = Following(place.root, place.use(follow=True))
    assert names(following.latest()) == "one"
    place.deploy("two", "b{}")
    following._origin._SETTLED = -1e9  # its time proves that nobody has written it since

    def failing(_: str) -> bytes | None:
        raise error

    following._origin.read = failing
    for _ in range(3):
        assert names(following.latest()) == "one"
    assert len(caplog.messages) == 1
    following._origin.read = place.read
    assert names(following.latest()) == "two"


@pytest.mark.usefixtures("at_once")
def test_a_pointer_that_is_copied_before_its_release(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    """As rsync does, which goes by the order of names."""
    place.deploy("one", "a{}")
    following = Following(place.root, place.use(follow=True))
    place.deploy("two", "b{}")
    following._origin._SETTLED = -1e9
    record = Path(place.root, record_key("two"))
    body = record.read_bytes()
    record.unlink()
    for _ in range(3):
        assert names(following.latest()) == "one"
    assert len(caplog.messages) == 1
    record.write_bytes(body)
    assert names(following.latest()) == "two"


@pytest.mark.usefixtures("at_once")
def test_it_waits_for_the_first_release(place: Place) -> None:
    following = Following(place.root, place.use(follow=True))
    assert following.latest() is None
    place.deploy("one", "a{}")
    assert names(following.latest()) == "one"
    with pytest.raises(ConfigError, match="There is no release"):
        choose_table(None, f"{place.root}/none", None, FOLLOW)


@pytest.mark.usefixtures("at_once")
def test_a_request_is_answered_from_one_release(place: Place) -> None:
    place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, FOLLOW)
    assert isinstance(table, FollowingTable)
    used = table.following.used
    with one_release(table):
        place.deploy("two", "b{}")
        assert (names(used()), table.release) == ("one", "one")
        seen: list[str] = []
        # Another request, in another thread.
        thread = threading.Thread(target=lambda: seen.append(names(used())))
        thread.start()
        thread.join()
        assert seen == ["two"]
    assert names(used()) == "two"
    with one_release(read_table(place.root, "/static/")):
        assert names(used()) == "two"


@pytest.mark.usefixtures("at_once")
def test_tasks_do_not_see_each_others_release(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_hurries", lambda: False)
    place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, FOLLOW)
    assert isinstance(table, FollowingTable)
    used = table.following.used
    seen: list[tuple[str, str]] = []

    async def inner(scope: object, receive: object, send: object) -> None:
        before = names(used())
        if before == "one":
            place.deploy("two", "b{}")
            await asyncio.create_task(app({"type": "http", "method": "GET", "path": "/", "headers": []}, None, None))
        seen.append((before, names(used())))

    app = asgi.StaticApp(inner, table=table)
    asyncio.run(app({"type": "http", "method": "GET", "path": "/", "headers": []}, None, None))
    assert seen == [("two", "two"), ("one", "one")]


def test_threads_while_releases_come_and_go(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request sees the names of two releases, nor a name that cannot be had; all of them end on the last one."""
    monkeypatch.setattr(Folder, "interval", 0.001)
    texts = {f"r{n}": f"a{n}{{}}" for n in range(6)}
    hashed = {release: place.deploy(release, text) for release, text in texts.items()}
    table = choose_table(None, place.root, None, FOLLOW)
    assert isinstance(table, FollowingTable)
    stop = threading.Event()
    wrong: list[object] = []
    seen: set[str] = set()
    requests = [0] * 8

    def client(number: int) -> None:
        try:
            while not stop.is_set():
                with one_release(table):
                    used = table.following.used()
                    assert used is not None
                    first, release = used.names["a.css"], used.release
                    again = table.following.used()
                    assert again is not None
                    assert (first, again.names["b.css"]) == (hashed[release], used.names["b.css"])
                status, headers, body = ask(table, f"/static/{first}")
                assert (status, body) == (200, texts[release].encode()), (status, release)
                assert headers["X-Release"] in texts
                seen.add(release)
                requests[number] += 1
        except (OSError, ValueError, LookupError, RuntimeError, AttributeError, AssertionError) as error:
            wrong.append(error)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(len(requests))]
    for thread in threads:
        thread.start()
    for turn in range(60):
        place.activate(f"r{turn % 6}")
        time.sleep(0.005)
    place.activate("r3")
    deadline = time.monotonic() + 60
    while names(table.following.latest()) != "r3" and time.monotonic() < deadline:
        time.sleep(0.01)
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert names(table.following.latest()) == "r3"
    assert ask(table, "/static/b.css")[1]["X-Release"] == "r3"
    assert len(seen) > 1
    assert min(requests) > 0


def test_one_thread_reads_while_the_others_go_on(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "interval", 0.0)
    place.deploy("one", "a{}")
    following = Following(place.root, place.use(follow=True))
    assert names(following.latest()) == "one"
    place.deploy("two", "b{}")
    reading, go_on = threading.Event(), threading.Event()

    def slow(key: str) -> bytes | None:
        if key == record_key("two"):
            reading.set()
            assert go_on.wait(60)
        return place.read(key)

    following._origin.read = slow
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(names(following.latest())))
    thread.start()
    assert reading.wait(60)
    assert names(following.latest()) == "one"
    go_on.set()
    thread.join()
    assert got == ["two"]


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("how", ["an event loop", "a thread that said so"])
def test_a_thread_that_must_not_be_kept_goes_on_with_the_old_release(place: Place, how: str) -> None:
    place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, FOLLOW)
    assert isinstance(table, FollowingTable)
    place.deploy("two", "b{}")
    read, make = table.following._origin.read, table._table_of
    threads, go_on = [], threading.Event()

    def slow(key: str) -> bytes | None:
        threads.append(threading.current_thread())
        assert go_on.wait(60)
        return read(key)

    def slow_to_make(used: Used | None) -> Table:
        threads.append(threading.current_thread())
        return make(used)

    table.following._origin.read, table._table_of = slow, slow_to_make

    def run() -> None:
        for _ in range(3):
            assert not table.may_wait("/static/a.css")
            assert ask(table, "/static/a.css")[2] == b"a{}"
        assert threading.current_thread() not in threads
        go_on.set()
        deadline = time.monotonic() + 60
        while table._now[1].release != "two" and time.monotonic() < deadline:
            assert ask(table, "/static/a.css")[0] == 200
            time.sleep(0.01)
        assert ask(table, "/static/a.css")[2] == b"b{}"
        assert threads
        assert threading.current_thread() not in threads

    async def in_loop() -> None:
        run()

    def said_so() -> None:
        never_wait_here()
        run()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(said_so if how == "a thread that said so" else lambda: asyncio.run(in_loop())).result()


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("as_", ["generator", "django"])
def test_a_page_that_is_made_while_it_is_sent_is_of_one_release(place: Place, as_: str) -> None:
    place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, FOLLOW)
    assert isinstance(table, FollowingTable)
    used = table.following.used
    closed = []

    class Page:
        """As Django's StreamingHttpResponse shows itself to a server."""

        streaming = True

        def __iter__(self) -> Iterator[bytes]:
            return page()

        def close(self) -> None:
            closed.append(True)

    def page() -> Iterator[bytes]:
        try:
            yield names(used()).encode()
            place.deploy("two", "b{}")
            yield names(used()).encode()
        finally:
            closed.append(True)

    started: list[Any] = []
    pages = page if as_ == "generator" else Page
    app = wsgi.StaticApp(lambda environ, start: (start("200 OK", []), pages())[1], table=table)
    made = app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *given: started.append(given))
    assert [(piece, names(used())) for piece in made] == [(b"one", "one"), (b"one", "two")]
    assert started == [("200 OK", [("X-Release", "one")])]
    closed.clear()
    made.close()
    assert closed == ([True] if as_ == "django" else [])  # the generator has ended by itself


@pytest.mark.usefixtures("at_once")
def test_what_a_server_may_know_by_its_type_stays_what_it_is(place: Place) -> None:
    place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, FOLLOW)
    for given in ([b"x"], FileWrapper(io.BytesIO(b"x"))):
        app = wsgi.StaticApp(lambda environ, start, given=given: given, table=table)
        assert app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *_: None) is given


@pytest.mark.usefixtures("at_once")
def test_pieces_that_are_waited_for_are_of_one_release(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_hurries", lambda: False)
    place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, FOLLOW)
    assert isinstance(table, FollowingTable)
    used = table.following.used

    async def page() -> AsyncIterator[str]:
        yield names(used())
        place.deploy("two", "b{}")
        await asyncio.sleep(0)
        yield names(used())

    async def read() -> list[tuple[str, str]]:
        with one_release(table):
            pieces = AsyncPieces(page())
        return [(piece, names(used())) async for piece in pieces]

    assert asyncio.run(read()) == [("one", "one"), ("one", "two")]


def test_a_copy_of_what_follows_is_itself_and_a_pickled_one_finds_out(place: Place) -> None:
    place.deploy("one", "a{}")
    following = Following(place.root, place.use(follow=True))
    assert copy.deepcopy(following) is following
    assert names(pickle.loads(pickle.dumps(following)).latest()) == "one"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.usefixtures("at_once")
def test_a_child_goes_over_though_a_thread_was_looking_when_the_process_forked(place: Place) -> None:
    place.deploy("one", "a{}")
    table = choose_table(None, place.root, None, FOLLOW)
    assert isinstance(table, FollowingTable)
    place.deploy("two", "b{}")
    looking, go_on = threading.Event(), threading.Event()
    read = table.following._origin.read

    def slow(key: str) -> bytes | None:
        looking.set()
        assert go_on.wait(60)
        return read(key)

    table.following._origin.read = slow
    thread = threading.Thread(target=table.following.latest)
    thread.start()
    assert looking.wait(60)
    child = os.fork()
    if not child:
        table.following._origin.read = read
        # 0 only if both the names and the files are those of the second release.
        os._exit(0 if names(table.following.latest()) == "two" and ask(table, "/static/a.css")[2] == b"b{}" else 1)
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(("own", "label"), [([], [("X-Release", "one")]), ([("x-release", "mine")], [])])
def test_the_applications_own_answers_have_the_header(place: Place, own: list[Any], label: list[Any]) -> None:
    place.deploy("one", "a{}")
    table = read_table(place.root, "/static/", ServeConfig(release_header="X-Release"))
    started: list[Any] = []
    error = (ValueError, ValueError(), None)
    app = wsgi.StaticApp(lambda environ, start: (start("500 Oh", own, error), [])[1], table=table)
    app({"REQUEST_METHOD": "GET", "PATH_INFO": "/"}, lambda *given: started.append(given))
    assert started == [("500 Oh", [*own, *label], error)]

    async def answer(scope: object, receive: object, send: Any) -> None:
        headers = [(name.encode(), value.encode()) for name, value in own]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asyncio.run(asgi.StaticApp(answer, table=table)(scope, None, send))
    assert sent[0]["headers"] == [(name.lower().encode(), value.encode()) for name, value in [*own, *label]]
    assert sent[1] == {"type": "http.response.body", "body": b"x"}


def test_a_process_that_does_not_follow_is_pinned(place: Place) -> None:
    place.deploy("one", "a{}")
    table = read_table(place.root, "/static/", ServeConfig(release_header="X-Release"))
    place.deploy("two", "b{}")
    assert ask(table, "/static/b.css")[1]["X-Release"] == "one"
    assert os.listdir(os.path.join(place.root, ".shipfiles", "releases"))
