"""A page in Chromium: what it looks like, what went wrong with it, and how each file came."""

from __future__ import annotations

import base64
import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from .drawn_page import ICON, LARGE, SIZE, UNUSED, Colour, points
from .watched import HASHED, watch

# A decoder of PNG that is not ours: the browser's own. Each character is a byte: red, green, blue, alpha.
DECODE = """async (png) => {
    const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const context = new OffscreenCanvas(image.width, image.height).getContext("2d");
    context.drawImage(image, 0, 0);
    const bytes = context.getImageData(0, 0, image.width, image.height).data;
    return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}"""


@dataclass
class Drawing:
    """What was seen of the page."""

    pixels: str = ""
    fonts: str = ""
    """State of each font, ``loaded`` if it was of use."""
    faults: list[str] = field(default_factory=list)
    answers: dict[str, dict[str, str]] = field(default_factory=dict)
    """URL of each answer, unquoted → its header fields, with names in lower case."""

    def at(self, x: int, y: int) -> Colour:
        """The colour of a pixel."""
        start = (y * SIZE["width"] + x) * 4
        red, green, blue = map(ord, self.pixels[start : start + 3])
        return red, green, blue

    def wrong(self) -> set[str]:
        """The squares that have not the colour that they should have, all over."""
        return {name for name, x, y, colour in points() if self.at(x, y) != colour}


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


def draw(browser: Any, url: str, screenshot: Path, *, without: Sequence[str] = (), wait: int = 20_000) -> Drawing:
    """The page at ``url``, in a browser without a history, after ``wait`` milliseconds if it never gets ready.

    Requests for files called one of ``without`` fail.
    """
    context = browser.new_context(viewport=SIZE)
    page, seen = context.new_page(), Drawing()
    watch(page, seen.faults)
    page.on("response", lambda answer: seen.answers.update({unquote(answer.url): answer.headers}))
    if without:
        page.route(lambda url: unquote(url).rpartition("/")[2] in without, lambda route: route.abort())
    page.goto(url)
    with contextlib.suppress(playwright_timeout()):
        page.wait_for_selector("html[data-ready]", state="attached", timeout=wait)
    seen.fonts = page.get_attribute("html", "data-ready") or ""
    page.screenshot(path=screenshot)
    page.goto("about:blank")
    seen.pixels = page.evaluate(DECODE, base64.b64encode(screenshot.read_bytes()).decode())
    context.close()
    return seen


def playwright_timeout() -> type[Exception]:
    from playwright.sync_api import TimeoutError as Late

    return Late


def check(seen: Drawing, expected: Drawing, base: str, files: AbstractSet[str], coding: str) -> None:
    """Every one of ``files`` came from below the URL ``base``, under its hashed name and in ``coding``, and is in use.

    ``files`` are logical paths.
    """
    assert seen.faults == []
    assert seen.fonts == "loaded"
    assert seen.wrong() == set()
    assert len(seen.pixels) == SIZE["width"] * SIZE["height"] * 4
    assert seen.pixels == expected.pixels
    answers = {url.removeprefix(base): answer for url, answer in seen.answers.items() if url.startswith(base)}
    found = {name: HASHED.fullmatch(name) for name in answers}
    codings = {
        match["stem"] + match["extension"]: answers[name].get("content-encoding")
        for name, match in found.items() if match
    }  # fmt: skip
    assert len(codings) == len(found), found.keys()
    assert codings.keys() <= files
    # The browser does not tell of a page's icon.
    assert files - {UNUSED} - codings.keys() <= {ICON}
    assert codings.pop(LARGE) is None
    assert set(codings.values()) == {coding}
