"""Files at the root of the site, index files and the page in place of a 404, from collectstatic to the answer."""

from __future__ import annotations

import gzip
import io
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import run_checks
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import CommandError, call_command
from django.http import Http404, HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from shipfiles.config import ServeConfig
from shipfiles.django.checks.places import check_static_root
from shipfiles.django.tables import static_table
from shipfiles.http.negotiation import accepts
from shipfiles.serve import asgi, wsgi
from shipfiles.serve.lane import Lane, LaneFields
from shipfiles.serve.places import Places
from shipfiles.testing import Answer
from tests.shells import ask_asgi, ask_wsgi, environ_of, scope_of

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
SCRIPT = "export const a = 1;\n" * 40


def no_article(request: HttpRequest) -> HttpResponse:
    raise Http404


urlpatterns = [path("api/", lambda request: HttpResponse("api")), path("article/", no_article)]

FILES: dict[str, str | bytes] = {"img/icon.ico": b"\0\0\1\0", "js/app.js": SCRIPT, "docs/index.html": "<p>static docs"}
ROOT: dict[str, str | bytes] = {
    "robots.txt": "User-agent: *\nDisallow:\n",
    ".well-known/security.txt": "Contact: mailto:a@example.com\n",
    ".well-known/.secret": "no",
    ".env": "PASSWORD=1",
    "index.html": '<!doctype html><script type=module src="app.mjs"></script><script src="/static/js/app.js"></script>',
    "app.mjs": SCRIPT,
    "docs/index.html": "<p>docs",
    "a:b/index.html": "<p>odd",
}
SERVE: dict[str, object] = {
    "root_folder": "public", "root_files": {"/favicon.ico": "img/icon.ico"}, "index_file": "index.html",
}  # fmt: skip

Ask = Callable[..., Answer]


def storages(**serve: object) -> dict[str, object]:
    backend = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": {"serve": serve}}
    return {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}, "staticfiles": backend}


def put(folder: Path, files: Mapping[str, str | bytes]) -> None:
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body if isinstance(body, bytes) else body.encode())


@pytest.fixture
def site(project: Path) -> Iterator[Path]:
    put(project / "src", FILES)
    put(project / "public", ROOT)
    with override_settings(STORAGES=storages(**SERVE), ROOT_URLCONF=__name__):
        yield project


def collect() -> str:
    out = io.StringIO()
    call_command("collectstatic", "--noinput", stdout=out, stderr=out)
    return out.getvalue()


def way(name: str) -> Ask:
    """How to ask the project that collectstatic was run for."""
    under_asgi = "ASGI" in name
    # Around the application, where it has its use, `StaticApp` needs nothing of the middleware.
    given = {} if name.startswith("middleware") else {"MIDDLEWARE": ["django.middleware.common.CommonMiddleware"]}

    def ask(target: str, method: str = "GET", **fields: str) -> Answer:
        asked = method, target, {field.replace("_", "-"): value for field, value in fields.items()}
        with override_settings(**given):
            if under_asgi:
                app = ASGIHandler()
                return ask_asgi(asgi.StaticApp(app, table=static_table()) if given else app, scope_of(*asked))
            app = WSGIHandler()
            return ask_wsgi(wsgi.StaticApp(app, table=static_table()) if given else app, environ_of(*asked))

    return ask


WAYS = ["middleware", "middleware, ASGI", "StaticApp", "StaticApp, ASGI"]
every_way = pytest.mark.parametrize("name", WAYS)


@every_way
def test_a_folder_is_served_at_the_root_from_the_release(site: Path, name: str) -> None:
    collect()
    # What is served is the release: the folder is not needed any more.
    (site / "public" / "robots.txt").write_text("changed after the release")
    ask = way(name)
    robots = ask("/robots.txt")
    assert (robots.status, robots.body) == (200, b"User-agent: *\nDisallow:\n")
    assert robots.get("content-type") == "text/plain; charset=utf-8"
    assert robots.get("cache-control") == "max-age=60, public"
    assert ask("/.well-known/security.txt").body == b"Contact: mailto:a@example.com\n"
    # RFC 9110 section 13.1.2.
    assert ask("/robots.txt", if_none_match=robots.get("etag") or "").status == 304
    for hidden in ("/.env", "/.well-known/.secret", "/public/robots.txt", "/site-root/robots.txt"):
        assert ask(hidden).status == 404


@every_way
def test_a_static_file_is_served_at_another_path_too(site: Path, name: str) -> None:
    collect()
    icon = way(name)("/favicon.ico")
    assert (icon.status, icon.body) == (200, b"\0\0\1\0")
    assert icon.get("content-type") == "image/x-icon"
    assert "immutable" not in (icon.get("cache-control") or "")
    assert way(name)("/favicon.ico", "POST").status == 405


@every_way
def test_an_index_file_answers_for_its_folder_and_redirects_to_it(site: Path, name: str) -> None:
    collect()
    ask = way(name)
    assert ask("/docs/").body == b"<p>docs"
    assert ask("/static/docs/").body == b"<p>static docs"
    # Locations are relative (RFC 9110 section 10.2.2), so that they fit whatever the site is mounted at.
    for asked, location in {
        "/docs": "./docs/", "/docs/index.html": "./", "/docs?a=1&b=%20": "./docs/?a=1&b=%20", "/index.html": "./",
        "/static/docs": "./docs/", "/static/docs/index.html?x": "./?x", "/a:b": "./a:b/",
    }.items():  # fmt: skip
        answer = ask(asked)
        assert (answer.status, answer.get("location"), answer.get("cache-control")) == (302, location, "no-store")
    assert ask("/docs/none/").status == 404
    assert ask("/none/index.html").status == 404
    assert ask("/docs", "POST").status == 404


@every_way
def test_a_query_adds_no_header_and_keeps_its_bytes(site: Path, name: str) -> None:
    collect()
    answer = way(name)("/docs?a\r\nSet-Cookie: b=\xe9")
    # RFC 3986 section 2.5: the bytes that came, with percent signs.
    assert answer.get("location") == "./docs/?a%0D%0ASet-Cookie:%20b=%C3%A9"


@every_way
def test_the_page_at_the_root_names_files_that_are_there(site: Path, name: str) -> None:
    collect()
    ask = way(name)
    page = ask("/").body.decode()
    module, script = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert re.fullmatch(r"app\.[0-9a-f]{12}\.mjs", module)
    found = ask(f"/{module}")
    assert (found.body.decode(), found.get("cache-control")) == (SCRIPT, "max-age=31536000, public, immutable")
    assert ask(f"/{module}", accept_encoding="gzip").get("content-encoding") == "gzip"
    assert re.fullmatch(r"/static/js/app\.[0-9a-f]{12}\.js", script)
    assert ask(script).body.decode() == SCRIPT
    # A page of this release that is still open when the next one is there asks for it in vain nowhere.
    put(site / "public", {"app.mjs": SCRIPT * 2})
    collect()
    assert way(name)(f"/{module}").body.decode() == SCRIPT


def test_rolled_back_they_are_those_of_the_release_before(site: Path) -> None:
    collect()
    put(site / "public", {"robots.txt": "second"})
    put(site / "src", {"img/icon.ico": b"second icon"})
    collect()
    ask = way("middleware")
    assert (ask("/robots.txt").body, ask("/favicon.ico").body) == (b"second", b"second icon")
    call_command("ship", "rollback", stdout=io.StringIO())
    staticfiles_storage.__dict__.clear()
    with override_settings(STORAGES=storages(**SERVE)):
        ask = way("middleware")
        assert (ask("/robots.txt").body, ask("/favicon.ico").body) == (b"User-agent: *\nDisallow:\n", b"\0\0\1\0")


def test_they_are_compressed_and_ready(site: Path) -> None:
    put(site / "public", {"llms.txt": "text " * 400})
    collect()
    table = static_table()
    answer = Lane(table).answer("GET", "/llms.txt", LaneFields("gzip", None, False))
    assert answer is not None
    assert gzip.decompress(answer.body) == b"text " * 400
    assert table.ready is not None
    assert table.ready.find("/llms.txt") is not None
    assert Lane(table).answer("GET", "/api/", LaneFields("gzip", None, False)) is None


@pytest.mark.parametrize("debug", [False, True])
def test_without_the_options_nothing_is_there(site: Path, debug: bool) -> None:
    with override_settings(STORAGES=storages(), DEBUG=debug):
        collect()
        for asked in ("/robots.txt", "/favicon.ico", "/", "/docs/", "/static/docs/", "/docs"):
            assert way("middleware")(asked).status == 404
        assert not (site / "root" / "site-root").exists()


@every_way
def test_in_development_they_are_what_is_on_the_disk_now(site: Path, name: str) -> None:
    with override_settings(DEBUG=True):
        ask = way(name)
        assert ask("/robots.txt").body == b"User-agent: *\nDisallow:\n"
        (site / "public" / "robots.txt").write_text("edited")
        assert ask("/robots.txt").body == b"edited"
        assert ask("/static/site-root/robots.txt").body == b"edited"
        assert ask("/favicon.ico").body == b"\0\0\1\0"
        assert ask("/docs/").body == b"<p>docs"
        assert ask("/docs").get("location") == "./docs/"
        assert ask("/static/docs/index.html").get("location") == "./"
        for hostile in ("/../src/js/app.js", "/docs/../robots.txt", "//robots.txt", "/docs//", "/\0", "/a\\b"):
            assert ask(hostile).status == 404
        assert staticfiles_storage.url("site-root/robots.txt") == "/static/site-root/robots.txt"


def test_what_is_promised_and_not_there_stops_collecting(site: Path) -> None:
    for serve, part in (
        ({"root_files": {"/favicon.ico": "img/icom.ico"}}, "img/icon.ico"),
        ({"single_page": "site-root/index.html"}, "no static file is called 'site-root/index.html'"),
        ({"root_folder": "nowhere"}, "OPTIONS['serve']['root_folder'] names it, and it does not exist"),
        ({"root_folder": "src/img/icon.ico"}, "OPTIONS['serve']['root_folder'] names it, and it is no folder"),
    ):
        with override_settings(STORAGES=storages(**serve)), pytest.raises(CommandError, match=re.escape(part)):
            collect()
    assert not (site / "root" / "staticfiles.json").exists()


def test_a_root_folder_that_is_not_there_is_told_before_the_site_is_deployed(site: Path) -> None:
    def told() -> list[str]:
        return [m.msg for m in run_checks(tags=["staticfiles"], include_deployment_checks=True) if m.id]

    with override_settings(STORAGES=storages(root_folder="pubic")):
        (message,) = told()
        assert message == (
            f"The static files cannot be collected: {site}/pubic: OPTIONS['serve']['root_folder'] names it, and it "
            "does not exist\n  Correct the path, which begins at BASE_DIR if it is relative, or make the folder."
        )
    with override_settings(STORAGES=storages(), WHITENOISE_ROOT=str(site / "pubic")):
        (message,) = [text for text in told() if "cannot be collected" in text]
        assert "pubic: WHITENOISE_ROOT names it" in message


# The page in place of a 404 -------------------------------------------------------------------------------------------


@pytest.fixture
def single(site: Path) -> Iterator[Path]:
    with override_settings(STORAGES=storages(**SERVE, single_page="site-root/index.html")):
        collect()
        yield site


@every_way
def test_a_browser_that_navigates_gets_the_page(single: Path, name: str) -> None:
    ask = way(name)
    page = ask("/deep/er?x=1", accept=BROWSER)
    assert page.status == 200
    assert page.body == ask("/").body
    assert page.get("cache-control") == "no-cache"
    assert "Accept" in (page.get("vary") or "").replace(" ", "").split(",")
    assert page.get("content-type") == "text/html; charset=utf-8"
    assert page.get("content-length") == str(len(page.body))
    head = ask("/deep/er", "HEAD", accept=BROWSER)
    assert (head.status, head.body, head.get("content-length")) == (200, b"", str(len(page.body)))


@every_way
def test_everybody_else_gets_the_404(single: Path, name: str) -> None:
    ask = way(name)
    assert ask("/api/", accept=BROWSER).body == b"api"
    for target, method, accept in (
        ("/deep/er", "GET", "*/*"),
        ("/deep/er", "GET", "application/json"),
        ("/deep/er", "GET", "text/html;q=0, */*"),
        ("/deep/er", "POST", BROWSER),
        ("/static/none.css", "GET", BROWSER),
        ("/static/none.0123456789ab.css", "GET", BROWSER),
    ):
        answer = ask(target, method, accept=accept)
        assert answer.status == 404
        assert b"<script" not in answer.body
        # RFC 9110 section 12.5.5: another client would have got the page, so no cache may give this to all.
        varies = "Accept" in (answer.get("vary") or "").replace(" ", "").split(",")
        assert varies == (target == "/deep/er" and method == "GET")
    assert ask("/api/", accept=BROWSER).get("vary") is None


def test_what_a_view_says_counts_with_the_middleware(single: Path) -> None:
    assert way("middleware")("/article/", accept=BROWSER).status == 404
    assert way("middleware, ASGI")("/article/", accept=BROWSER).status == 404


def test_an_application_that_begins_late_or_writes_has_its_way(single: Path) -> None:
    def late(environ, start_response):
        start_response("404 Not Found", [])
        yield b"late"

    def writes(environ, start_response):
        start_response("404 Not Found", [("X-A", "1")])(b"written ")
        return [b"more"]

    written: list[bytes] = []

    def start(status, headers, exc_info=None):
        started.append((status, headers))
        return written.append

    for application, body in ((late, b"late"), (writes, b"more")):
        started: list[tuple[str, list[tuple[str, str]]]] = []
        app = wsgi.StaticApp(application, table=static_table())
        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/x", "HTTP_ACCEPT": BROWSER}
        assert b"".join(app(environ, start)) == body
        assert [field for field in started[0][1] if field[0] == "Vary"] == [("Vary", "Accept")] * (body == b"more")
        assert len(started) == 1
    assert written == [b"written "]


# The pure parts -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "expected"),
    # RFC 9110 section 12.5.1.
    [
        (BROWSER, True), ("text/html", True), ("TEXT/HTML;level=1;q=0.5", True), ("text/html;q=0", False),
        ("text/html; q=0.000", False), ("*/*", False), ("text/*", False), ("", False), (None, False),
        ("text/htmlx", False), ("text/plain, text/html ;q=1", True),
    ],
)  # fmt: skip
def test_who_asks_for_a_page(accept: str | None, expected: bool) -> None:
    assert accepts(accept, "text/html") is expected


def test_places_where_static_files_have_no_folder_of_their_own() -> None:
    places = Places("/", ServeConfig(root_folder="x", index_file="index.html"))
    found = places.below_prefix("/docs/"), places.at_root("/docs/")
    assert [place and place.name for place in found] == ["docs/index.html", "site-root/docs/index.html"]
    assert not places.is_static("/docs/")


def test_the_folder_must_not_hold_the_releases(site: Path) -> None:
    with override_settings(STORAGES=storages(root_folder=site)):
        assert "shipfiles.E005" in [message.id for message in check_static_root()]


def test_the_folder_may_be_absolute(site: Path) -> None:
    with override_settings(STORAGES=storages(root_folder=site / "public"), BASE_DIR=os.sep):
        collect()
        assert way("middleware")("/robots.txt").status == 200
