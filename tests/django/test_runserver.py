"""Development: ``runserver`` and the middleware, with no collectstatic."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SETTINGS = """
import os
SECRET_KEY = "x"
DEBUG = {debug}
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.website.urls"
INSTALLED_APPS = ["shipfiles.django", "django.contrib.staticfiles"]
MIDDLEWARE = [{middleware}]
STATIC_URL = "/static/"
STATIC_ROOT = os.path.join(os.path.dirname(__file__), "root")
STATICFILES_DIRS = [os.path.join(os.path.dirname(__file__), "src")]
STORAGES = {{"staticfiles": {{"BACKEND": "shipfiles.django.storage.StaticStorage"}}}}
"""
OURS = '"shipfiles.django.middleware.ShipfilesMiddleware"'


@contextlib.contextmanager
def runserver(project: Path, *arguments: str, debug: bool = True, middleware: str = OURS) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (project / "dev_settings.py").write_text(SETTINGS.format(debug=debug, middleware=middleware))
    root = Path(__file__).resolve().parents[2]
    path = os.pathsep.join([str(project), str(root), os.environ.get("PYTHONPATH", "")])
    server = subprocess.Popen(
        [sys.executable, "-m", "django", "runserver", "--noreload", f"127.0.0.1:{port}", *arguments],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "dev_settings", "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        until = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert server.poll() is None, server.communicate()[0]
            assert time.monotonic() < until, "runserver does not answer"
            time.sleep(0.05)
        yield port
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.communicate()


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, body


@pytest.mark.parametrize("arguments", [(), ("--nostatic",)])
def test_an_edit_shows_at_once(project: Path, write, arguments: tuple[str, ...]) -> None:
    write({"a.css": "one", "ü b.css": "umlaut"})
    with runserver(project, *arguments) as port:
        status, headers, body = get(port, "/static/a.css")
        assert (status, body) == (200, b"one")
        # Ours, not Django's own handler, which sends no ETag.
        etag = headers["etag"]
        assert headers["cache-control"] == "no-cache"
        assert get(port, "/static/a.css", If_None_Match=etag)[0] == 304
        write({"a.css": "two", "new.css": "new"})
        assert get(port, "/static/a.css", If_None_Match=etag)[2] == b"two"
        assert get(port, "/static/new.css")[2] == b"new"
        assert get(port, "/static/%C3%BC%20b.css")[2] == b"umlaut"
        assert get(port, "/static/missing.css")[0] == 404
        assert get(port, "/static/../dev_settings.py")[0] == 404
        assert get(port, "/static/%2e%2e/dev_settings.py")[0] == 404
        assert get(port, "/")[2] == b"home"


def test_without_our_middleware_djangos_own_handler_answers(project: Path, write) -> None:
    write({"a.css": "one"})
    with runserver(project, middleware="") as port:
        status, headers, body = get(port, "/static/a.css")
        assert (status, body) == (200, b"one")
        assert "etag" not in headers


def test_without_debug_the_release_is_served(project: Path, write) -> None:
    from .test_collectstatic import collect

    write({"a.css": "one"})
    collect()
    write({"a.css": "two"})
    with runserver(project, debug=False) as port:
        assert get(port, "/static/a.css")[2] == b"one"
    with runserver(project, "--insecure", debug=False) as port:
        assert get(port, "/static/a.css")[2] == b"two"
