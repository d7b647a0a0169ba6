"""The tables, and what respond() makes of them beside the HTTP contract."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.config import ServeConfig
from shipfiles.errors import ConfigError, ManifestError
from shipfiles.manifest import Manifest
from shipfiles.serve import asgi, default, table, wsgi
from shipfiles.serve.default import default_table, set_provider
from shipfiles.serve.opened import MESSAGE, DigestMemory, Opened, Span, digest_open
from shipfiles.serve.respond import Request, Response, respond
from shipfiles.serve.table import FileTable, Table, read_table
from shipfiles.serve.waiting import respond_soon
from shipfiles.serve.watch import WatchTable
from shipfiles.testing import Site
from shipfiles.testing.site import FILES


def get(
    table: Table, path: str | None, fields: Mapping[str, str] | None = None, method: str = "GET"
) -> Response | None:
    return respond(table, Request(method, path, (fields or {}).get))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(str(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def served(site: Site) -> FileTable:
    return read_table(site.root, "/static/")


def test_nothing_is_looked_at_before_it_is_asked_for(site: Site) -> None:
    table = FileTable(site.manifest, "/there/is/no/such/folder", "/static/")
    assert table.find("/static/css/site.css") is not None
    response = get(table, "/static/css/site.css")
    assert response is not None
    assert response.status == 404


@given(path=st.text() | st.text().map("/static/".__add__) | st.none())
def test_any_path_has_an_answer(served: FileTable, path: str | None) -> None:
    response = get(served, path)
    assert response is None or response.status in (200, 404)


@given(first=st.integers(0, 1100), last=st.integers(0, 1100))
def test_a_206_is_the_slice(served: FileTable, first: int, last: int) -> None:
    body = FILES["img/dot.png"].body
    response = get(served, "/static/img/dot.png", {"range": f"bytes={first}-{last}"})
    assert response is not None
    if response.status == 206:
        assert response.body == body[first : last + 1]
        assert dict(response.headers)["Content-Range"] == f"bytes {first}-{min(last, 999)}/1000"
    else:
        assert response.status == (200 if last < first else 416)


@given(st.dictionaries(st.sampled_from(["range", "if-range", "if-match", "if-none-match", "accept-encoding",
                                        "if-modified-since", "if-unmodified-since"]), st.text()))  # fmt: skip
def test_any_fields_have_an_answer(fields: dict[str, str]) -> None:
    folder = Path(__file__).parent
    table = WatchTable(lambda name: str(folder / name), "/")
    response = get(table, "/test_serve_table.py", fields)
    assert response is not None
    assert response.status in (200, 206, 304, 412, 416)


def test_a_missing_file_is_reported_once(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    table = FileTable(site.manifest, "/there/is/no/such/folder", "/static/")
    with caplog.at_level(logging.WARNING, "shipfiles.serve"):
        for _ in range(3):
            get(table, "/static/img/dot.png")
            get(table, "/static/js/app.js")
    assert len(caplog.messages) == 2
    assert "collectstatic" in caplog.messages[0]
    assert "no/such/folder" in caplog.messages[0]


def test_out_of_descriptors_is_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, flags: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    table = FileTable(site.manifest, site.root, "/static/")
    monkeypatch.setattr(os, "open", full)
    response = get(table, "/static/img/dot.png")
    assert response is not None
    assert response.status == 503
    assert dict(response.headers)["Retry-After"] == "1"
    assert dict(response.headers)["Cache-Control"] == "no-store"


def test_a_large_plain_copy_is_digested_once_it_has_settled(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    path = site.path("harm/plain-large-replaced.js")
    os.utime(path, (1e9, 1e9))
    read: list[int] = []
    digest_stream = table.digest_open.__globals__["digest_stream"]

    def counting(stream):
        read.append(1)
        return digest_stream(stream)

    monkeypatch.setitem(table.digest_open.__globals__, "digest_stream", counting)
    # The change time cannot be set, so the clock is.
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10)
    served = FileTable(site.manifest, site.root, "/static/")
    for _ in range(3):
        response = get(served, "/static/harm/plain-large-replaced.js", method="HEAD")
        assert response is not None
        assert response.status == 200
    assert len(read) == 1


@pytest.mark.parametrize("moment", [1e9, 4e9])
def test_an_event_loop_digests_no_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: float) -> None:
    """It is read in a thread, once, whether its time is past or, as in an archive, to come."""
    (tmp_path / "film.mp4").write_bytes(b"x" * 2_000_000)
    (tmp_path / "small.css").write_bytes(b"x" * 200_000)
    os.utime(tmp_path / "film.mp4", (moment, moment))
    # The change time cannot be set, so the clock is.
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 10)
    threads: list[str] = []
    config = ServeConfig(add_headers=lambda headers, path, url: threads.append(threading.current_thread().name))
    names = {"film.mp4": "film.0123456789ab.mp4", "small.css": "small.0123456789ab.css"}
    served = FileTable(Manifest({}), str(tmp_path), "/static/", config, names=names)

    async def head(name: str) -> int | None:
        response = await respond_soon(served, Request("HEAD", f"/static/{name}", {}.get))
        return response and response.status

    for name in ("film.mp4", "film.mp4", "small.css"):
        assert asyncio.run(head(name)) == 200
    main = threading.current_thread().name
    assert [name == main for name in threads] == [False, True, True]
    assert not served.may_wait("/static/film.mp4")
    (tmp_path / "film.mp4").write_bytes(b"y" * 2_000_001)
    assert served.may_wait("/static/film.mp4")
    (tmp_path / "film.mp4").unlink()
    assert not served.may_wait("/static/film.mp4")


def test_a_file_cut_while_it_is_sent_ends_with_an_error(tmp_path: Path) -> None:
    path = tmp_path / "film"
    path.write_bytes(b"x" * 200_000)
    span = Span(os.open(path, os.O_RDONLY), 0, 200_000, whole=True)
    assert len(next(span)) == MESSAGE
    os.truncate(path, MESSAGE)
    with pytest.raises(OSError, match="cut"):
        next(span)
    span.close()
    span.close()


def test_a_file_whose_descriptor_somebody_closed_is_closed(tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(b"x" * 200_000)
    span = Span(os.open(tmp_path / "film", os.O_RDONLY), 0, 200_000, whole=True)
    os.close(span.file.fileno())
    assert not span.file.is_cut()
    with pytest.raises(OSError, match="descriptor"):
        span.file.close()
    assert span.file.closed
    assert not span.file.is_cut()


def test_a_prefix_has_slashes_around_it(site: Site) -> None:
    for wrong in ("static/", "/static", "", "https://cdn.example/static/", "/%ff/"):
        with pytest.raises(ConfigError, match="prefix"):
            FileTable(site.manifest, site.root, wrong)
    assert get(FileTable(site.manifest, site.root, "/st%C3%A4tic/"), "/stätic/img/dot.png") is not None
    assert get(FileTable(site.manifest, site.root, "/"), "/img/dot.png") is not None


def test_an_empty_table_leaves_all_to_the_application() -> None:
    table = FileTable(Manifest({}), "", "/static/")
    assert get(table, "/static/css/site.css") is None
    response = get(table, "/static/css/site.0123456789ab.css")
    assert response is not None
    assert response.status == 404


def test_the_options_reach_the_headers(site: Site) -> None:
    table = FileTable(site.manifest, site.root, "/static/", ServeConfig(max_age=1, allow_all_origins=False))
    response = get(table, "/static/img/dot.png")
    assert response is not None
    assert dict(response.headers)["Cache-Control"] == "max-age=1, public"
    assert "Access-Control-Allow-Origin" not in dict(response.headers)


def test_what_a_static_app_needs(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*args: object) -> None: ...

    for name in ("_provider", "_script_name", "_passed_over", "_root", "_uploads"):
        monkeypatch.setattr(default, name, None)
    for app in (wsgi.StaticApp, asgi.StaticApp):
        with pytest.raises(ConfigError, match=r"get_wsgi_application.*INSTALLED_APPS.*root="):
            app(nothing)
        with pytest.raises(ConfigError, match=r"no release in .*run 'manage.py collectstatic' first.*STATICFILES_DIRS"):
            app(nothing, root=tmp_path)
        with pytest.raises(ConfigError, match="not both"):
            app(nothing, root=tmp_path, table=FileTable(Manifest({}), "", "/"))
        with pytest.raises(ConfigError, match="together with root"):
            app(nothing, prefix="/static/")
        assert app(nothing, root=Path(site.root), prefix="/s/").table.find("/s/img/dot.png") is not None
    given = FileTable(Manifest({}), "", "/")
    set_provider(lambda: given)
    assert default_table() is wsgi.StaticApp(nothing).table is given


def test_a_damaged_release_is_one_error_that_names_the_file(site: Site, tmp_path: Path) -> None:
    (tmp_path / ".shipfiles").mkdir()
    pointer = tmp_path / ".shipfiles" / "current.json"
    pointer.write_text("{")
    with pytest.raises(ManifestError, match=r"current\.json"):
        read_table(str(tmp_path), "/static/")
    pointer.write_text('{"schema": 1, "release": "abc", "history": [["abc", "2026-01-01T00:00:00Z"]]}')
    with pytest.raises(ManifestError, match=r"abc\.json"):
        read_table(str(tmp_path), "/static/")


# Development ---------------------------------------------------------------------------------------------------------


def watch(folder: Path) -> WatchTable:
    return WatchTable(lambda name: str(folder / name) if (folder / name).exists() else None, "/static/")


def test_an_edit_shows_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.css").write_text("a {}")
    table = watch(tmp_path)
    first = get(table, "/static/a.css")
    assert first is not None
    assert (first.status, first.body) == (200, b"a {}")
    headers = dict(first.headers)
    assert headers["Cache-Control"] == "no-cache"
    assert headers["Content-Type"] == "text/css; charset=utf-8"
    again = get(table, "/static/a.css", {"if-none-match": headers["ETag"]})
    assert again is not None
    assert again.status == 304
    (tmp_path / "a.css").write_text("b {}")
    second = get(table, "/static/a.css", {"if-none-match": headers["ETag"]})
    assert second is not None
    assert (second.status, second.body) == (200, b"b {}")


def test_large_edits_of_the_same_size_and_time_show(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    table = watch(tmp_path)
    tags = set()
    for byte in (b"a", b"b", b"c"):
        film.write_bytes(byte * 100_000)
        os.utime(film, (1e9, 1e9))
        response = get(table, "/static/film.mp4")
        assert response is not None
        assert isinstance(response.body, Span)
        assert b"".join(response.body) == byte * 100_000
        response.body.close()
        tags.add(dict(response.headers)["ETag"])
    assert len(tags) == 3


def test_new_and_removed_files_show_at_once(tmp_path: Path) -> None:
    table = watch(tmp_path)
    assert get(table, "/static/new.js") is None
    (tmp_path / "new.js").write_text("1")
    assert get(table, "/static/new.js") is not None
    (tmp_path / "new.js").unlink()
    assert get(table, "/static/new.js") is None
    # In development the application's 404 page answers for hashed names too.
    assert get(table, "/static/new.0123456789ab.js") is None


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../x", "", "a//x", "x\\y", "x\0y", "folder", "loop", "fifo", "nowhere"]
)
def test_no_file_in_development(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("missing")
    os.mkfifo(tmp_path / "fifo")
    table = WatchTable(lambda logical: str(tmp_path / logical), "/static/")
    done: list[Response | None] = []
    thread = threading.Thread(target=lambda: done.append(get(table, "/static/" + name)), daemon=True)
    thread.start()
    thread.join(5)
    assert done == [None]


def test_a_file_that_goes_between_finding_and_opening(tmp_path: Path) -> None:
    path = tmp_path / "a.css"
    path.write_text("a {}")
    table = WatchTable(lambda _: str(path), "/static/")
    resource = table.find("/static/a.css")
    assert resource is not None
    path.unlink()
    assert resource.open("identity") is None


def test_memories_are_bounded(tmp_path: Path) -> None:
    table = WatchTable(lambda name: str(tmp_path / name), "/")
    for i in range(300):
        (tmp_path / str(i)).write_text("")
        table.find(f"/{i}")
    assert len(table._memories) <= 256


# A file that changes between being opened and being read ------------------------------------------------------------


class Shrinking:
    """A resource whose ``br`` file has become shorter since its size was taken."""

    codings = ("br",)

    def __init__(self, folder: Path) -> None:
        for coding, size in (("br", 10), ("identity", 100)):
            (folder / coding).write_bytes(b"x" * size)
        self.folder = folder
        self.opened: list[int] = []

    def known(self, coding: str) -> None:
        return None

    def open(self, coding: str) -> Opened:
        fd = os.open(self.folder / coding, os.O_RDONLY)
        self.opened.append(fd)
        return Opened(fd, 50 if coding == "br" else 100, None, f'"{coding}"', (), steady=True)


class OneFile:
    config = ServeConfig()

    def __init__(self, resource: Shrinking) -> None:
        self.resource = resource

    def find(self, _path: str) -> Shrinking:
        return self.resource

    def may_wait(self, _path: str) -> bool:
        return False

    def is_lost(self, _path: str) -> bool:
        return False

    def redirect(self, _path: str) -> None:
        return None


def test_a_file_that_shrinks_before_it_is_read_gives_the_next_representation(tmp_path: Path) -> None:
    resource = Shrinking(tmp_path)
    response = get(OneFile(resource), "/x", {"accept-encoding": "br"})
    assert response is not None
    assert (response.status, response.body) == (200, b"x" * 100)
    part = get(OneFile(resource), "/x", {"accept-encoding": "br", "range": "bytes=20-29"})
    assert part is not None
    assert (part.status, part.body) == (206, b"x" * 10)
    assert len(resource.opened) == 4
    for fd in resource.opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_a_changing_file_that_shrinks_while_it_is_digested_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size in (100, 100_000):
        path.write_bytes(b"x" * size)
        fd = os.open(path, os.O_RDONLY)
        status = os.fstat(fd)
        os.truncate(path, size // 2)
        assert digest_open(fd, status, DigestMemory()) is None
        os.close(fd)
        assert digest_open(fd, status, DigestMemory()) is None


def test_a_root_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".shipfiles" / "current.json").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_table(str(tmp_path), "/static/")


def test_a_304_for_bytes_that_never_change_needs_no_file(tmp_path: Path) -> None:
    site = Site(str(tmp_path))
    files = read_table(site.root, "/static/")
    path = "/static/" + site.manifest.entries["css/site.css"].name

    def ask(**fields: str) -> Response | None:
        return respond(files, Request("GET", path, lambda f: fields.get(f.replace("-", "_"))))

    whole = ask(accept_encoding="br")
    assert whole is not None
    etag = dict(whole.headers)["ETag"]
    for file in Path(site.root).rglob("*"):
        if file.is_file():
            file.unlink()
    answer = ask(accept_encoding="br", if_none_match=f'"other", W/{etag}')
    assert answer is not None
    assert (answer.status, answer.body) == (304, None)
    assert dict(answer.headers)["ETag"] == etag
    # "*" asks whether there is any representation, and there is none.
    for fields in (
        {"if_none_match": "*"},
        {"if_none_match": '"other"'},
        {"if_none_match": etag, "if_match": '"other"'},
    ):
        missing = ask(accept_encoding="br", **fields)
        assert missing is not None
        assert missing.status == 404
