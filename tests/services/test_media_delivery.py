"""nginx, Caddy and Apache hand over what a view has said yes to, configured as the documentation has it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from shipfiles.testing import Answer
from tests.guides import block

from .apache import run_apache
from .caddy import run_caddy
from .nginx import run_nginx
from .servers import free_port, run, wait_until_listening
from .wire import Wire

pytestmark = pytest.mark.services

BODY = bytes(range(256)) * 300
NAMES = [
    "photo.jpg", "a b.jpg", "100%.jpg", "%41.jpg", "%2e%2e.jpg", "naïve ☃.jpg", "quo'te\".jpg", "semi;colon=1,2.jpg",
    "q?x=1.jpg", "hash#.jpg", "plus+and&.jpg", "{brace}[x].jpg", "$uri.jpg", "dots..jpg", "~user.jpg", "a:b@c.jpg",
    "deep/in folders/ü.jpg", "new^|`<>.jpg", "no-extension", "index.html", "deep/index.html", "-rf.jpg",
]  # fmt: skip
HTML = b"<script>alert(1)</script>"
ME = {"X-Me": "yes"}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("delivered") / "media"
    for name in NAMES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(HTML if name.endswith(".html") else BODY)
    (folder / "page.svg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "packed.svgz").write_bytes(b"\x1f\x8b packed")
    (folder.parent / "secret.txt").write_bytes(b"secret")
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    return folder


@pytest.fixture(scope="module")
def application(media: Path) -> Iterator[int]:
    """The port of the site."""
    port, log = free_port(), media.parent / "application.txt"
    command = [
        sys.executable, "-m", "waitress", "--listen", f"127.0.0.1:{port}", "tests.services.media_site:application",
    ]  # fmt: skip
    os.environ["MEDIA_FOLDER"] = str(media)
    try:
        with log.open("wb") as out, run(command, out, media) as process:
            wait_until_listening(port, process, log)
            yield port
    finally:
        del os.environ["MEDIA_FOLDER"]


def configured(name: str, mechanism: str, application: int, media: Path) -> str:
    """The block of the documentation with this machine's places in it."""
    given = block("../media.md", name).replace("127.0.0.1:8000", f"127.0.0.1:{application}")
    assert "/srv/site/media" in given
    return given.replace("/srv/site/media", str(media)).replace("/media/", f"/{mechanism}/", 1)


@contextlib.contextmanager
def nginx(folder: Path, application: int, media: Path) -> Iterator[int]:
    port = free_port()
    given = configured("nginx_delivery", "x-accel-redirect", application, media)
    with run_nginx(folder, f"server {{ listen 127.0.0.1:{port}; {given} }}", port):
        yield port


@contextlib.contextmanager
def caddy(folder: Path, application: int, media: Path) -> Iterator[int]:
    port = free_port()
    given = configured("caddy_delivery", "x-accel-redirect", application, media)
    with run_caddy(folder, f":{port} {{\n{given}\n}}\n", port):
        yield port


@contextlib.contextmanager
def apache(folder: Path, application: int, media: Path) -> Iterator[int]:
    port = free_port()
    # ProxyPass is given the path of the site.
    given = configured("apache_delivery", "x-sendfile", application, media).replace("/media/", "/x-sendfile/", 1)
    modules = ("mpm_event", "authz_core", "proxy", "proxy_http", "xsendfile")
    with run_apache(folder, f"Listen 127.0.0.1:{port}\n{given}", port, modules):
        yield port


SERVERS: dict[str, tuple[Callable[..., contextlib.AbstractContextManager[int]], str]] = {
    "nginx": (nginx, "x-accel-redirect"), "caddy": (caddy, "x-accel-redirect"), "apache": (apache, "x-sendfile"),
}  # fmt: skip


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_sends_what_the_view_has_said_yes_to(name: str, tmp_path: Path, application: int, media: Path) -> None:
    start, mechanism = SERVERS[name]
    with start(tmp_path, application, media) as port:
        wire, plain = Wire(port), Wire(application)

        def ask(name: str, method: str = "GET", **fields: str) -> Answer:
            return wire.ask(method, f"/{mechanism}/{quote(name)}", {**ME, **fields})

        for odd in NAMES:
            answer = ask(odd)
            body = HTML if odd.endswith(".html") else BODY
            assert (answer.status, answer.body) == (200, body), (odd, answer.status, answer.body[:80])
            streamed = plain.ask("GET", f"/stream/{quote(odd)}", ME)
            assert streamed.status == 200
            # Whoever sends it, the browser is told the same.
            for field in ("Content-Type", "Content-Disposition", "Content-Security-Policy", "X-Content-Type-Options",
                          "Cache-Control", "Cross-Origin-Resource-Policy", "Content-Length"):  # fmt: skip
                assert answer.get(field) == streamed.get(field), (odd, field)
            for field in ("X-Accel-Redirect", "X-Sendfile"):
                assert answer.get(field) is None
            part = ask(odd, Range="bytes=5-9")
            assert (part.status, part.body) == (206, body[5:10]), odd
            assert part.get("Content-Range") == f"bytes 5-9/{len(body)}"
            assert part.get("X-Content-Type-Options") == "nosniff"
            assert part.get("Content-Security-Policy") == streamed.get("Content-Security-Policy")
            tag = answer.get("etag")
            assert tag is not None
            assert ask(odd, **{"If-None-Match": tag}).status == 304
            head = ask(odd, "HEAD")
            assert (head.status, head.get("Content-Length")) == (200, str(len(body)))
            refused = ask(odd, **{"X-Me": "no"})
            assert refused.status == 404
            assert refused.body != body

        for odd in ("page.svg", "index.html"):
            answer = ask(odd)
            assert (answer.get("Content-Disposition") or "").startswith("attachment")
            assert "sandbox" in (answer.get("Content-Security-Policy") or "")
        assert ask("packed.svgz").get("Content-Encoding") == "gzip"
        for none in ("none.jpg", "link.txt", "deep", "deep/"):
            assert ask(none).status == 404, none
        assert ask("photo.jpg", "POST").status == 405
        assert ask("photo.jpg", Range="bytes=999999-").status == 416
        # Nobody gets around the view.
        for direct in ("/protected/photo.jpg", "/protected/../protected/photo.jpg", "/photo.jpg",
                       f"/{mechanism}/../protected/photo.jpg"):  # fmt: skip
            assert wire.ask("GET", direct, ME).body != BODY, direct
        wire.close()
        plain.close()
