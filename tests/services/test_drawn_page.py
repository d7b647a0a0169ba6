"""A collected page in Chromium from every server: nothing fails, and it looks as its sources do from a plain server."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import override_settings

from .drawn_page import ICON, LARGE, PAGE, SIZE, SQUARES, UNUSED, Colour, points, write_page
from .nginx import launch_nginx
from .servers import SERVERS, WAYS, launch
from .watched import HASHED, watch

pytestmark = pytest.mark.services

# A decoder of PNG that is not ours: the browser's own. Each character is a byte: red, green, blue, alpha.
DECODE = """async (png) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    const bytes = context.getImageData(0, 0, image.width, image.height).data;
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}"""
# The ways differ in what is around the same function, and each server's contract is tested in both.
ROWS = [*((name, WAYS[0]) for name in SERVERS), ("gunicorn-gthread", WAYS[1]), ("uvicorn-httptools", WAYS[1])]


@dataclass(frozen=True)
class Collected:
    """The page, as it was written and as it was collected."""

    sources: Path
    root: Path
    url: str
    """The path of the page's hashed name."""


@dataclass
class Drawing:
    """What was seen of the page."""

    pixels: str = ""
    fonts: str = ""
    """State of each font, ``loaded`` if it was of use."""
    faults: list[str] = field(default_factory=list)
    codings: dict[str, str | None] = field(default_factory=dict)
    """Path of each answer → its content coding."""

    def at(self, x: int, y: int) -> Colour:
        """The colour of a pixel."""
        start = (y * SIZE["width"] + x) * 4
        red, green, blue = map(ord, self.pixels[start : start + 3])
        return red, green, blue

    def wrong(self) -> set[str]:
        """The squares that have not the colour that they should have, all over."""
        return {name for name, x, y, colour in points() if self.at(x, y) != colour}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    folder = tmp_path_factory.mktemp("drawn")
    sources, root = folder / "src", folder / "root"
    write_page(sources)
    with override_settings(
        STATICFILES_DIRS=[sources], STATIC_ROOT=root, BASE_DIR=folder,
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
    ):  # fmt: skip
        call_command("collectstatic", "--noinput", verbosity=0)
        return Collected(sources, root, staticfiles_storage.url(PAGE))


@contextlib.contextmanager
def plain_server(folder: Path) -> Iterator[int]:
    """Python's own server of files, with the files in ``folder``. Gives its port."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def draw(browser: Any, url: str, screenshot: Path, *, without: Sequence[str] = ()) -> Drawing:
    """The page at ``url``, in a browser without a history; requests for files called one of ``without`` fail."""
    context = browser.new_context(viewport=SIZE)
    page, seen = context.new_page(), Drawing()
    watch(page, seen.faults)
    page.on(
        "response",
        lambda answer: seen.codings.update({path_of(answer.url): answer.headers.get("content-encoding")}),
    )
    if without:
        page.route(lambda url: path_of(url).rpartition("/")[2] in without, lambda route: route.abort())
    page.goto(url)
    with contextlib.suppress(playwright_timeout()):
        page.wait_for_selector("html[data-ready]", state="attached", timeout=500 if without else 20_000)
    seen.fonts = page.get_attribute("html", "data-ready") or ""
    page.screenshot(path=screenshot)
    page.goto("about:blank")
    seen.pixels = page.evaluate(DECODE, base64.b64encode(screenshot.read_bytes()).decode())
    context.close()
    return seen


def path_of(url: str) -> str:
    return unquote("/" + url.split("/", 3)[3])


def playwright_timeout() -> type[Exception]:
    from playwright.sync_api import TimeoutError as Late

    return Late


def check(seen: Drawing, expected: Drawing, collected: Collected, coding: str) -> None:
    """Every file of the page came, under its hashed name and in ``coding``, and is in use."""
    assert seen.faults == []
    assert seen.fonts == "loaded"
    assert seen.wrong() == set()
    assert len(seen.pixels) == SIZE["width"] * SIZE["height"] * 4
    assert seen.pixels == expected.pixels
    found = {path: HASHED.fullmatch(path.removeprefix("/static/")) for path in seen.codings}
    logical = {name["stem"] + name["extension"]: seen.codings[path] for path, name in found.items() if name}
    assert len(logical) == len(found), found.keys()
    files = {path.relative_to(collected.sources).as_posix() for path in collected.sources.rglob("*") if path.is_file()}
    # The browser does not tell of a page's icon.
    assert files - {UNUSED} - logical.keys() <= {ICON}
    assert logical.pop(LARGE) is None
    assert set(logical.values()) == {coding}


@pytest.fixture(scope="module")
def expected(browser: Any, collected: Collected, tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    """The page from its sources."""
    with plain_server(collected.sources) as port:
        return draw(browser, f"http://127.0.0.1:{port}/{PAGE}", tmp_path_factory.mktemp("sources") / "page.png")


def test_the_sources_are_what_they_should_look_like(expected: Drawing) -> None:
    assert expected.faults == []
    assert expected.fonts == "loaded"
    assert expected.wrong() == set()


@pytest.mark.parametrize(("name", "way"), ROWS)
def test_from_a_server(
    browser: Any, collected: Collected, expected: Drawing, name: str, way: str, tmp_path: Path
) -> None:
    with launch(name, way, collected.root, tmp_path / "log.txt") as (port, _):
        seen = draw(browser, f"http://127.0.0.1:{port}{collected.url}", tmp_path / "page.png")
    check(seen, expected, collected, "br")


def test_from_nginx(browser: Any, collected: Collected, expected: Drawing, tmp_path: Path) -> None:
    """The released folder holds all that a web server needs. Debian's has no Brotli."""
    with launch_nginx(tmp_path, collected.root) as (port, _):
        seen = draw(browser, f"http://127.0.0.1:{port}{collected.url}", tmp_path / "page.png")
    check(seen, expected, collected, "gzip")


@pytest.mark.parametrize(
    ("without", "wrong"),
    [
        (("page.css", "main.mjs"), {*SQUARES, "page"}),
        (
            (
                "imported.css",
                "background.svg",
                "lazy.mjs",
                "gr\u00f6\u00dfe (1).svg",
                "wide.svg",
                "square.ttf",
                "large.png",
            ),
            SQUARES.keys() - {"sheet", "module"},
        ),
        (("colours.json",), {"fetched"}),
    ],
)  # fmt: skip
def test_a_file_that_is_not_in_use_is_seen(
    browser: Any, collected: Collected, without: tuple[str, ...], wrong: set[str], tmp_path: Path
) -> None:
    """The witness itself."""
    with plain_server(collected.sources) as port:
        seen = draw(browser, f"http://127.0.0.1:{port}/{PAGE}", tmp_path / "page.png", without=without)
    assert seen.wrong() == wrong
    assert len([fault for fault in seen.faults if fault.startswith("failed: ")]) == len(without)
