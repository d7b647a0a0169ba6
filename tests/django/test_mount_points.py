"""Every URL that a page names is answered, wherever the application is mounted and whatever the file is called."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from html import unescape
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import Context, Template
from django.test import override_settings
from django.urls import path, set_script_prefix

from shipfiles.serve import asgi, wsgi
from shipfiles.testing import Answer
from tests.django.test_root_files import put, storages
from tests.shells import ask_asgi, ask_wsgi, environ_of, scope_of

NAMES = [
    "css/app.css", "with space.txt", "100%.txt", "50%25.txt", "a+b&c.txt", "na\u00efve/\u2603 snow.txt",
    "q?.txt", "h#.txt", "(x)'s;=,@$.txt", "\u65e5\u672c\u8a9e.txt", "e\u0301.txt", "UPPER.TXT",
]  # fmt: skip


def page(request: HttpRequest) -> HttpResponse:
    lines = '{% load static %}{% for name in names %}<a href="{% static name %}">{% endfor %}'
    return HttpResponse(Template(lines).render(Context({"names": NAMES})))


urlpatterns = [path("page/", page)]


def ask(kind: str, mount: str, target: str, *, wrapped: bool) -> Answer:
    """As a server asks that was told its mount point, or took it from a proxy."""
    if kind == "WSGI":
        app = get_wsgi_application()
        return ask_wsgi(wsgi.StaticApp(app) if wrapped else app, environ_of("GET", target, {}, mount))
    app = get_asgi_application()
    scope = scope_of("GET", target, {}, mount, strips=kind != "ASGI")
    return ask_asgi(asgi.StaticApp(app) if wrapped else app, scope)


# What the project says, where the server says it is mounted, and the beginning of each URL in a page.
MOUNTS = {
    "at the root": ({"STATIC_URL": "/static/"}, "", "/static/"),
    "a relative STATIC_URL": ({"STATIC_URL": "static/"}, "", "/static/"),
    "a relative STATIC_URL below a mount point": ({"STATIC_URL": "static/"}, "/app", "/app/static/"),
    "the mount point in STATIC_URL": ({"STATIC_URL": "/app/static/"}, "/app", "/app/static/"),
    "a mount point with other letters": ({"STATIC_URL": "static/"}, "/%C3%A4pp", "/%C3%A4pp/static/"),
    "FORCE_SCRIPT_NAME": ({"STATIC_URL": "static/", "FORCE_SCRIPT_NAME": "/app"}, "/app", "/app/static/"),
    "FORCE_SCRIPT_NAME and a whole path": (
        {"STATIC_URL": "/app/static/", "FORCE_SCRIPT_NAME": "/app"}, "/app", "/app/static/",
    ),
    "files beside the application": ({"STATIC_URL": "/static/"}, "/app", "/static/"),
    "a host": ({"STATIC_URL": "https://cdn.example/static/"}, "", "https://cdn.example/static/"),
    "a host without a scheme": ({"STATIC_URL": "//cdn.example/s/t/"}, "", "//cdn.example/s/t/"),
    "a host without a folder": ({"STATIC_URL": "https://cdn.example/"}, "", "https://cdn.example/"),
    "a host with a port": ({"STATIC_URL": "http://[::1]:8000/static/"}, "", "http://[::1]:8000/static/"),
    "spaces and percent signs": ({"STATIC_URL": "/my%20st%C3%A4tic/"}, "", "/my%20st%C3%A4tic/"),
}  # fmt: skip


@pytest.fixture(autouse=True)
def prefix() -> Iterator[None]:
    """Leave Django's script prefix, a variable of the thread, as it was."""
    yield
    set_script_prefix("/")


@pytest.fixture
def site(project: Path) -> Path:
    put(project / "src", {name: f"the file {name}" for name in NAMES})
    return project


@pytest.mark.parametrize("wrapped", [False, True], ids=["middleware", "StaticApp"])
@pytest.mark.parametrize("kind", ["WSGI", "ASGI", "ASGI, mount point taken off"])
@pytest.mark.parametrize("name", MOUNTS)
def test_what_a_page_names_is_there(site: Path, name: str, kind: str, wrapped: bool) -> None:
    given, mount, beginning = MOUNTS[name]
    asked = partial(ask, kind, mount, wrapped=wrapped)
    with override_settings(ROOT_URLCONF=__name__, STORAGES=storages(), **given):
        call_command("collectstatic", "--noinput", verbosity=0)
        answer = asked(f"{mount}/page/")
        assert answer.status == 200
        urls = [unescape(url) for url in re.findall(r'href="([^"]+)"', answer.body.decode())]
        assert len(urls) == len(NAMES)
        for url, file in zip(urls, NAMES, strict=True):
            assert url.startswith(beginning), url
            assert not re.search(r"[\s\"'<>?#]", url), "it needs no escape"
            found = asked(urlsplit(url).path)
            assert (found.status, found.body.decode()) == (200, f"the file {file}"), url
            # In capitals and with more encoded than need be, it is the same URL (RFC 3986 section 6.2.2).
            last = urlsplit(url).path.rsplit("/", 1)[1]
            every = "".join(f"%{byte:02x}" for byte in unquote_to_bytes(last))
            assert asked(urlsplit(url).path.removesuffix(last) + every).body == found.body
        assert asked(urlsplit(urls[0]).path + "x").status == 404


@pytest.mark.parametrize("kind", ["WSGI", "ASGI"])
def test_root_files_are_below_the_mount_point(site: Path, kind: str) -> None:
    put(site / "public", {"robots.txt": "robots", "docs/index.html": "docs", "app/index.html": "app"})
    serve = {"root_folder": "public", "index_file": "index.html"}
    with override_settings(ROOT_URLCONF=__name__, STORAGES=storages(**serve), STATIC_URL="static/"):
        call_command("collectstatic", "--noinput", verbosity=0)
        for wrapped in (False, True):
            asked = partial(ask, kind, "/app", wrapped=wrapped)
            assert asked("/app/robots.txt").body == b"robots"
            assert asked("/app/docs/").body == b"docs"
            # Relative, so that it is /app/docs/ for the browser.
            assert asked("/app/docs").status == 302
            # What is called as the mount point is below it too.
            assert asked("/app/app/").body == b"app"
            assert asked("/app/").status == asked("/app/index.html").status == 404


def test_a_mount_point_gives_nothing_away(site: Path) -> None:
    (site / "root").mkdir()
    (site / "secret.txt").write_text("secret")
    with override_settings(ROOT_URLCONF=__name__, STORAGES=storages(), STATIC_URL="/static/"):
        call_command("collectstatic", "--noinput", verbosity=0)
        for mount, target in (
            ("/static/..", "/secret.txt"), ("/static/../..", "/secret.txt"), ("/static/.", "/css/app.css"),
            ("/static/\0", "/css/app.css"), ("/static", "/\xff"),
        ):  # fmt: skip
            assert ask("WSGI", mount, mount + target, wrapped=True).status == 404
        assert staticfiles_storage.url("css/app.css").startswith("/static/css/app.")
