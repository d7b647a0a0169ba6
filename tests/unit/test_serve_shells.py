"""What the WSGI and ASGI applications and the middleware do around respond()."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.core.signals import request_finished
from django.http import HttpResponse
from django.test import AsyncRequestFactory, RequestFactory, override_settings

from shipfiles.django.middleware import ShipfilesMiddleware
from shipfiles.django.storage import StaticStorage
from shipfiles.serve import asgi, held, wsgi
from shipfiles.serve.asgi import field_getter, path_below_root
from shipfiles.serve.table import FileTable, read_table
from shipfiles.testing import PREFIX, Site
from shipfiles.testing.site import FILES
from tests import shells


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(str(tmp_path_factory.mktemp("site")))


@pytest.fixture(scope="module")
def table(site: Site) -> FileTable:
    return read_table(site.root, "/static/")


@pytest.fixture
def descriptors() -> Iterator[None]:
    """Fail if a descriptor is left open."""
    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("counts descriptors in /proc")
    before = set(os.listdir("/proc/self/fd"))
    yield
    left = {d for d in set(os.listdir("/proc/self/fd")) - before if os.path.exists(f"/proc/self/fd/{d}")}
    found = [os.readlink(f"/proc/self/fd/{d}") for d in left]
    # A table reads its manifest line by line, as long as there is the table.
    assert not [path for path in found if "site" in path and "/.shipfiles/manifests/" not in path]


FILM = "/static/big.bin"


def environ_of(path: str, **more: object) -> dict[str, object]:
    return {"REQUEST_METHOD": "GET", "PATH_INFO": path, **more}


def application(environ, start_response):
    start_response("418 I'm a teapot", [])
    return [b"application"]


# WSGI ----------------------------------------------------------------------------------------------------------------


def test_wsgi_hands_on_what_is_not_its_own(table: FileTable) -> None:
    statuses = []
    app = wsgi.StaticApp(application, table=table)
    for path in ("/", "/static/none.css", "/static/\xff.css"):
        environ = environ_of(path)
        assert app(environ, lambda status, headers: statuses.append(status)) == [b"application"]
        assert environ == environ_of(path)
    assert app({"REQUEST_METHOD": "GET"}, lambda status, headers: None) == [b"application"]
    assert statuses == ["418 I'm a teapot"] * 3


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("fields", [{}, {"HTTP_RANGE": "bytes=1-"}])
@pytest.mark.parametrize("wrapper", [None, "wrapper"])
def test_wsgi_closes_the_file_of_a_client_who_leaves(table: FileTable, fields, wrapper) -> None:
    from wsgiref.util import FileWrapper

    environ = environ_of(FILM, **fields)
    if wrapper:
        environ["wsgi.file_wrapper"] = FileWrapper
    result = wsgi.StaticApp(application, table=table)(environ, lambda status, headers: None)
    assert isinstance(result, FileWrapper) == (wrapper is not None and not fields)
    next(iter(result))
    result.close()


@pytest.mark.usefixtures("descriptors")
def test_wsgi_closes_the_file_if_the_server_refuses_the_headers(table: FileTable) -> None:
    def refuse(status, headers):
        raise RuntimeError("headers already sent")

    with pytest.raises(RuntimeError):
        wsgi.StaticApp(application, table=table)(environ_of(FILM), refuse)


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("way", ["app", "middleware"])
def test_wsgi_a_file_that_is_cut_while_a_server_sends_it_breaks_the_connection(tmp_path: Path, way: str) -> None:
    """RFC 9112 section 6.3: fewer bytes than Content-Length says are no answer, and no other one may follow them."""
    from wsgiref.util import FileWrapper

    site = Site(str(tmp_path / "site"))
    path = site.path(site.manifest.entries["big.bin"].name)
    environ = environ_of(
        site.hashed_url("big.bin"), SERVER_NAME="x", SERVER_PORT="80",
        **{"wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "wsgi.file_wrapper": FileWrapper},
    )  # fmt: skip
    middleware = ["shipfiles.django.middleware.ShipfilesMiddleware"]
    with override_settings(MIDDLEWARE=middleware, STATIC_ROOT=site.root):
        app = WSGIHandler() if way == "middleware" else wsgi.StaticApp(application, root=site.root)
        by_server, by_kernel, undisturbed = (app(environ, lambda status, headers: None) for _ in range(3))
        assert all(isinstance(result, FileWrapper) for result in (by_server, by_kernel, undisturbed))
        undisturbed.close()
        assert len(next(by_server)) == 65536
        os.truncate(path, 100_000)
        assert len(next(by_server)) == 100_000 - 65536
        with pytest.raises(OSError, match="was cut"):
            next(by_server)
        # A kernel that was told to send the file ends without a word.
        for result in (by_server, by_kernel):
            with pytest.raises(OSError, match="was cut"):
                result.close()


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("way", ["app", "middleware"])
@pytest.mark.parametrize("fields", [{}, {"HTTP_RANGE": "bytes=100000-"}])
@pytest.mark.parametrize("logical", ["big.bin", "film.mp4"])
def test_waitress_holds_nothing_of_a_large_body(site: Site, way: str, fields: dict[str, str], logical: str) -> None:
    """Of all but its own file wrapper it keeps what the client has not taken: 1 MB in memory, the rest on the disk."""
    buffers = pytest.importorskip("waitress.buffers")
    environ = environ_of(
        site.hashed_url(logical), SERVER_NAME="x", SERVER_PORT="80", **fields,
        **{"wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "wsgi.file_wrapper": buffers.ReadOnlyFileBasedBuffer},
    )  # fmt: skip
    middleware = ["shipfiles.django.middleware.ShipfilesMiddleware"]
    with override_settings(MIDDLEWARE=middleware, STATIC_ROOT=site.root):
        app = WSGIHandler() if way == "middleware" else wsgi.StaticApp(application, root=site.root)
        for _ in range(3):  # film.mp4 is ready in memory from then on
            headers: dict[str, str] = {}
            result = app(environ, lambda _, given, headers=headers: headers.update(given))
            assert type(result) is buffers.ReadOnlyFileBasedBuffer
            # As waitress does it: a piece is looked at, and passed over when the client has it.
            assert result.prepare(int(headers["Content-Length"])) == int(headers["Content-Length"])
            body = b""
            while piece := result.get(2_500_000):
                assert len(piece) <= 65536 or logical == "film.mp4"
                assert result.get(len(piece), skip=True) == piece
                body += piece
            assert body == FILES[logical].body[100_000 if fields else 0 :]
            result.close()


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("logical", ["big.bin", "film.mp4"])
def test_garbage_sends_no_signal(site: Site, forgets: bool, logical: str) -> None:
    """Django puts ``response.close`` into the file that a wrapper gets; Python calls that when it collects the file."""
    buffers = pytest.importorskip("waitress.buffers")
    environ = environ_of(
        site.hashed_url(logical), SERVER_NAME="x", SERVER_PORT="80",
        **{"wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "wsgi.file_wrapper": buffers.ReadOnlyFileBasedBuffer},
    )  # fmt: skip
    finished: list[object] = []

    def count(**given: object) -> None:
        finished.append(given)

    middleware = ["shipfiles.django.middleware.ShipfilesMiddleware"]
    with override_settings(MIDDLEWARE=middleware, STATIC_ROOT=site.root):
        app = WSGIHandler()
        request_finished.connect(count)
        try:
            result = app(environ, lambda status, headers: None)
            if not forgets:
                result.close()
            del result
            gc.collect()
        finally:
            request_finished.disconnect(count)
    assert len(finished) == (0 if forgets else 1)


def test_wsgi_headers_are_a_list_of_its_own_each_time(table: FileTable) -> None:
    seen = []
    app = wsgi.StaticApp(application, table=table)
    for _ in range(2):
        app(environ_of("/static/img/dot.png"), lambda status, headers: seen.append(headers))
        seen[-1].append(("X-Added", "by a middleware"))
    assert len(seen[0]) == len(seen[1])


# ASGI ----------------------------------------------------------------------------------------------------------------


def scope_of(path: str, headers: list[tuple[bytes, bytes]] | None = None, **more: object) -> dict[str, object]:
    return {"type": "http", "method": "GET", "path": path, "headers": headers or [], **more}


async def never() -> dict[str, object]:
    await asyncio.Event().wait()
    raise AssertionError


def test_asgi_hands_on_what_is_not_its_own(table: FileTable) -> None:
    seen = []

    async def inner(scope, receive, send):
        seen.append(scope)

    app = asgi.StaticApp(inner, table=table)
    scopes = [
        {"type": "websocket", "path": FILM, "headers": []}, {"type": "lifespan"}, {"type": "anything"}, scope_of("/"),
        scope_of("/static/none.css"), scope_of("/static/\ufffd.css"),
    ]  # fmt: skip
    for scope in scopes:
        asyncio.run(app(scope, never, never))
    assert all(a is b for a, b in zip(seen, scopes, strict=True))


def test_asgi_small_files_are_one_message_and_read_nothing(table: FileTable) -> None:
    sent = []

    async def send(message):
        sent.append(message)

    coroutine = asgi.StaticApp(never, table=table)(scope_of("/static/img/dot.png"), never, send)
    # Driven by hand: it must come to its end without ever waiting for a loop or a thread.
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
    assert all(isinstance(part, bytes) for pair in sent[0]["headers"] for part in pair)
    assert all(name == name.lower() for name, _ in sent[0]["headers"])
    sent[0]["headers"].append((b"x-added", b"by a middleware"))
    asyncio.run(asgi.StaticApp(never, table=table)(scope_of("/static/img/dot.png"), never, send))
    assert (b"x-added", b"by a middleware") not in sent[2]["headers"]


@pytest.mark.usefixtures("descriptors")
@pytest.mark.parametrize("full", [False, True])
def test_asgi_slow_clients_do_not_keep_many_bodies_in_memory(
    table: FileTable, monkeypatch: pytest.MonkeyPatch, full: bool
) -> None:
    """What others are sent meanwhile may have left the memory of the table long ago."""
    monkeypatch.setattr(held, "MOST_HELD", 1_000_000)
    table.ready.clear()
    app = asgi.StaticApp(never, table=table)
    others = bytes(1_000_000 if full else 999_999)
    pieces, sizes = [], set()

    async def send(message):
        if message["type"] == "http.response.body":
            sizes.add(app._held.size - len(others))
            pieces.append(message["body"])

    app._held.add(others)
    for _ in range(2):  # before the answer is ready, and when it is
        pieces.clear()
        sizes.clear()
        asyncio.run(app(scope_of("/static/film.mp4"), never, send))
        assert b"".join(pieces) == FILES["film.mp4"].body
        assert sizes == {0 if full else 300_000}
        app._held.remove(others)
        asyncio.run(app(scope_of("/static/film.mp4"), never, send))
        app._held.add(others)
    assert app._held.size == len(others)


@pytest.mark.usefixtures("descriptors")
def test_asgi_stops_when_the_client_leaves(table: FileTable) -> None:
    sent = []
    left = asyncio.Event()

    async def receive():
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)
        if len(sent) == 3:
            left.set()

    asyncio.run(asgi.StaticApp(never, table=table)(scope_of("/static/big.bin"), receive, send))
    assert 3 <= len(sent) < 40


@pytest.mark.usefixtures("descriptors")
def test_asgi_closes_the_file_if_sending_fails(table: FileTable) -> None:
    async def send(message):
        if message["type"] == "http.response.body":
            raise OSError("the client has left")

    with pytest.raises(OSError, match="left"):
        asyncio.run(asgi.StaticApp(never, table=table)(scope_of(FILM), never, send))


@pytest.mark.usefixtures("descriptors")
def test_asgi_closes_the_file_if_it_is_cancelled(table: FileTable) -> None:
    async def send(message):
        await asyncio.sleep(0 if message["type"] == "http.response.start" else 60)

    async def run():
        task = asyncio.create_task(asgi.StaticApp(never, table=table)(scope_of(FILM), never, send))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())


def test_asgi_other_requests_go_on_beside_a_large_one(table: FileTable) -> None:
    order = []

    async def send(message):
        order.append("large")

    async def other():
        for _ in range(3):
            await asyncio.sleep(0)
            order.append("other")

    async def run():
        await asyncio.gather(asgi.StaticApp(never, table=table)(scope_of("/static/big.bin"), never, send), other())

    asyncio.run(run())
    # Of the 357 messages: twelve pieces, and twelve again while the other one begins.
    assert order.index("other") < 30


@pytest.mark.parametrize(
    ("path", "root", "expected"),
    [
        ("/static/a", "", "/static/a"),
        ("/app/static/a", "/app", "/static/a"),
        ("/static/a", "/app", "/static/a"),
        ("/application/static/a", "/app", "/application/static/a"),
        ("/app", "/app", ""),
        ("/app/static/a", "/app/", "/static/a"),
    ],
)
def test_asgi_root_path(path: str, root: str, expected: str) -> None:
    assert path_below_root({"path": path, "root_path": root}) == expected
    assert path_below_root({"path": path, "root_path": root or None}) == expected


@pytest.mark.parametrize("path", ["/app/static/img/dot.png", "/static/img/dot.png", "/other/static/img/dot.png"])
@pytest.mark.parametrize("root", ["", "/app", "/other"])
def test_a_forced_script_name_is_the_same_for_the_application_and_the_middleware(
    site: Site, path: str, root: str
) -> None:
    def statuses(around_wsgi, around_asgi) -> tuple[int, int]:
        environ = {**shells.environ_of("GET", path, {}), "SCRIPT_NAME": root}
        scope = shells.scope_of("GET", path, {}, root)
        return (
            shells.ask_wsgi(around_wsgi(WSGIHandler()), environ).status,
            shells.ask_asgi(around_asgi(ASGIHandler()), scope).status,
        )

    served = {"STATIC_ROOT": site.root, "STATIC_URL": "static/", "FORCE_SCRIPT_NAME": "/app"}
    with override_settings(**served, MIDDLEWARE=["shipfiles.django.middleware.ShipfilesMiddleware"]):
        expected = statuses(lambda app: app, lambda app: app)
    with override_settings(**served, MIDDLEWARE=[]):
        assert statuses(wsgi.StaticApp, asgi.StaticApp) == expected
    # Under ASGI the forced name counts; under WSGI the server has taken the mount point off the path already.
    assert expected[1] == (404 if path.startswith("/other") else 200)


def test_asgi_field_lines_are_joined() -> None:
    get = field_getter([(b"accept-encoding", b"gzip"), (b"x", b"y"), (b"accept-encoding", b"br")])
    assert get("accept-encoding") == "gzip, br"
    assert get("range") is None


# What is loaded ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", ["shipfiles.serve.wsgi", "shipfiles.serve.asgi", "shipfiles.serve.watch"])
def test_serving_loads_neither_django_nor_the_build(module: str) -> None:
    assert loaded(f"import {module}") == set()


def test_a_web_process_of_django_does_not_load_the_build(site: Site) -> None:
    """The linter cannot see that an import within a function is not run by the web process."""
    program = f"""
        from django.conf import settings
        settings.configure(
            INSTALLED_APPS=["shipfiles.django", "django.contrib.staticfiles"], STATIC_URL="/static/",
            STATIC_ROOT={site.root!r}, MIDDLEWARE=["shipfiles.django.middleware.ShipfilesMiddleware"],
            STORAGES={{"staticfiles": {{"BACKEND": "shipfiles.django.storage.StaticStorage"}}}},
        )
        from django.core.wsgi import get_wsgi_application
        from shipfiles.serve.wsgi import StaticApp
        app = StaticApp(get_wsgi_application())
        environ = {{"REQUEST_METHOD": "GET", "PATH_INFO": {PREFIX + "img/dot.png"!r}}}
        assert len(app(environ, lambda *_: None)[0]) == 1000
        """
    assert loaded(program) - {"django"} == set()


def loaded(program: str) -> set[str]:
    """What of Django, the build and its libraries a process has loaded after ``program``."""
    end = "\nimport sys; print(*[m for m in sys.modules if m.count('.') < 2])"
    names = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program) + end], capture_output=True, text=True, check=True
    ).stdout.split()
    return set(names) & {"django", "brotli", "rich", "obstore", "shipfiles.build", "shipfiles.release"}


# Middleware ----------------------------------------------------------------------------------------------------------


def test_middleware_takes_the_side_of_what_it_wraps(table: FileTable) -> None:
    async def view(request):
        return HttpResponse(b"async")

    sync = ShipfilesMiddleware(lambda request: HttpResponse(b"sync"), table)
    assert sync(RequestFactory().get("/")).content == b"sync"
    both = ShipfilesMiddleware(view, table)
    # By this Django decides whether it needs a thread around the middleware.
    assert iscoroutinefunction(both)
    assert not iscoroutinefunction(sync)
    assert asyncio.run(both(AsyncRequestFactory().get("/"))).content == b"async"


def test_middleware_reads_a_small_file_without_leaving_the_loop(table: FileTable) -> None:
    async def view(request):
        raise AssertionError

    coroutine = ShipfilesMiddleware(view, table)(AsyncRequestFactory().get("/static/img/dot.png"))
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value.status_code == 200


def test_middleware_has_only_its_own_headers(table: FileTable) -> None:
    middleware = ShipfilesMiddleware(lambda request: HttpResponse(), table)
    tag = middleware(RequestFactory().get("/static/img/dot.png"))["ETag"]
    response = middleware(RequestFactory().get("/static/img/dot.png", headers={"If-None-Match": tag}))
    assert response.status_code == 304
    assert set(response.headers) == {"Cache-Control", "ETag", "Access-Control-Allow-Origin"}


@pytest.mark.usefixtures("descriptors")
def test_middleware_gives_a_whole_file_to_the_servers_wrapper(table: FileTable) -> None:
    middleware = ShipfilesMiddleware(lambda request: HttpResponse(), table)
    whole = middleware(RequestFactory().get(FILM))
    part = middleware(RequestFactory().get(FILM, headers={"Range": "bytes=0-199999"}))
    assert isinstance(whole.file_to_stream, io.FileIO)
    assert part.file_to_stream is None
    # As Django's WSGIHandler does it.
    whole.file_to_stream.close = whole.close
    whole.file_to_stream.close()
    assert whole.closed
    part.close()


@pytest.mark.usefixtures("descriptors")
def test_middleware_below_one_that_compresses(site: Site) -> None:
    """Django's WSGI handler prefers ``file_to_stream`` to whatever body another middleware has put in its place."""
    from wsgiref.util import FileWrapper

    environ = environ_of(
        FILM, SERVER_NAME="x", SERVER_PORT="80", HTTP_ACCEPT_ENCODING="gzip",
        **{"wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http", "wsgi.file_wrapper": FileWrapper},
    )  # fmt: skip
    headers: dict[str, str] = {}
    middleware = ["django.middleware.gzip.GZipMiddleware", "shipfiles.django.middleware.ShipfilesMiddleware"]
    with override_settings(MIDDLEWARE=middleware, STATIC_ROOT=site.root):
        result = WSGIHandler()(environ, lambda _, fields: headers.update(fields))
        body = b"".join(result)
        result.close()
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == FILES["big.bin"].body


@pytest.mark.usefixtures("descriptors")
def test_middleware_under_asgi_behind_a_sync_one(table: FileTable) -> None:
    """A synchronous middleware below ours makes ours synchronous; the body still has to be asynchronous."""
    request = AsyncRequestFactory().get(FILM)
    assert isinstance(request, ASGIRequest)
    response = ShipfilesMiddleware(lambda request: HttpResponse(), table)(request)
    assert response.is_async
    response.close()


def test_middleware_is_mounted_below_a_script_name(table: FileTable) -> None:
    middleware = ShipfilesMiddleware(lambda request: HttpResponse(b"application"), table)
    request = RequestFactory(SCRIPT_NAME="/app").get("/app/static/img/dot.png", SCRIPT_NAME="/app")
    assert request.path_info == "/app/static/img/dot.png"
    request.path_info = "/static/img/dot.png"
    assert middleware(request).status_code == 200


def test_middleware_in_development(settings, tmp_path: Path) -> None:
    from django.contrib.staticfiles.finders import get_finder

    get_finder.cache_clear()
    settings.DEBUG = True
    settings.STATICFILES_DIRS = [tmp_path]
    try:
        (tmp_path / "dev.css").write_text("a {}")
        middleware = ShipfilesMiddleware(lambda request: HttpResponse(b"application", status=404))
        assert middleware(RequestFactory().get("/static/dev.css")).content == b"a {}"
        (tmp_path / "dev.css").write_text("b {}")
        response = middleware(RequestFactory().get("/static/dev.css"))
        assert (response.content, response["Cache-Control"]) == (b"b {}", "no-cache")
        for name in ("none.css", "../settings.py", "%2e%2e/x", "admin"):
            assert middleware(RequestFactory().get("/static/" + name)).status_code == 404
    finally:
        get_finder.cache_clear()


def test_djangos_test_client_follows_our_redirects(project: Path, write, settings) -> None:
    from django.test import Client

    write({"docs/index.html": "<p>"})
    settings.MIDDLEWARE = ["shipfiles.django.middleware.ShipfilesMiddleware"]
    options = {"serve": {"index_file": "index.html"}}
    settings.STORAGES = {"staticfiles": {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": options}}
    call_command("collectstatic", "--noinput", verbosity=0)
    response = Client().get("/static/docs", follow=True)
    assert (response.status_code, response.content) == (200, b"<p>")
    assert response.redirect_chain == [("./docs/", 302)]


# From settings ---------------------------------------------------------------------------------------------------


def test_what_stock_django_collected_is_served_before_the_first_release(project: Path, write) -> None:
    write({"css/a.css": "a { background: url(b.png) }", "css/b.png": b"\x89PNG"})
    stock = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
    with override_settings(STORAGES={"staticfiles": {"BACKEND": stock}}):
        call_command("collectstatic", "--noinput", verbosity=0, skip_checks=True)
    middleware = ShipfilesMiddleware(lambda request: HttpResponse(b"application", status=404))
    url = StaticStorage().url("css/a.css")
    hashed = middleware(RequestFactory().get(url, headers={"Accept-Encoding": "br, gzip"}))
    assert (hashed.status_code, hashed.content) == (200, (project / "root" / url[len(PREFIX) :]).read_bytes())
    assert "immutable" in hashed["Cache-Control"]
    assert hashed["Content-Type"] == "text/css; charset=utf-8"
    assert middleware(RequestFactory().get(url, headers={"If-None-Match": hashed["ETag"]})).status_code == 304
    plain = middleware(RequestFactory().get(PREFIX + "css/a.css"))
    assert (plain.content, plain["Cache-Control"]) == (b"a { background: url(b.png) }", "max-age=60, public")
    for name in ("css/c.css", "staticfiles.json", "css/a.0123456789ab.css"):
        assert middleware(RequestFactory().get(PREFIX + name)).status_code == 404
    # The first release of ours: this process serves its hashed names too.
    write({"css/b.png": b"new"})
    call_command("collectstatic", "--noinput", verbosity=0)
    assert middleware(RequestFactory().get(StaticStorage().url("css/b.png"))).content == b"new"


def test_hashed_names_belong_to_the_application_if_static_files_have_no_folder(project: Path, write) -> None:
    write({"a.css": "a {}"})
    with override_settings(STATIC_URL="https://cdn.example/"):
        call_command("collectstatic", "--noinput", verbosity=0)
        middleware = ShipfilesMiddleware(lambda request: HttpResponse(b"application"))
        assert middleware(RequestFactory().get("/a.css")).content == b"a {}"
        assert middleware(RequestFactory().get("/media/photo.1a2b3c4d5e6f.jpg")).content == b"application"
