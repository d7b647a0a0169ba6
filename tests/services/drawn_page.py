"""A page of squares in known colours, each drawn by another kind of file: one that is not in use is seen."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from .square_font import square_font

Colour = tuple[int, int, int]

SIZE = {"width": 410, "height": 170}
"""The window that it is drawn for. Pixels."""
PAGE = "drawn/page.html"
SQUARES: dict[str, Colour] = {
    "sheet": (200, 30, 30), "imported": (30, 160, 60), "background": (40, 60, 200), "module": (230, 140, 20),
    "lazy": (20, 170, 170), "fetched": (150, 40, 160), "image": (120, 90, 30), "picture": (90, 200, 30),
    "font": (10, 80, 120), "large": (250, 60, 130),
}  # fmt: skip
"""Id of an element → the colour of its square. The page is white."""
UNUSED = "drawn/img/narrow.svg"
"""The file of the page that a window of that size has no use for."""

ICON = "drawn/img/icon.svg"
LARGE = "drawn/img/large.png"
"""The one file of the page that has no content codings."""


def points() -> list[tuple[str, int, int, Colour]]:
    """Where which square must have its colour, near its corners and in the middle, and the ``page`` its own between."""
    found: list[tuple[str, int, int, Colour]] = []
    for place, (name, colour) in enumerate(SQUARES.items()):
        left, top = 10 + place % 5 * 80, 10 + place // 5 * 80
        found += [(name, left + x, top + y, colour) for x, y in ((2, 2), (57, 2), (2, 57), (57, 57), (30, 30))]
        found += [("page", left + beside, top + beside, (255, 255, 255)) for beside in (-5, 65)]
    return found


def write_page(folder: Path) -> None:
    """Put the sources of the page into ``folder``."""
    for name, made in _FILES.items():
        path = folder / "drawn" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(made if isinstance(made, bytes) else made().encode())


def _css(name: str) -> str:
    return "rgb({} {} {})".format(*SQUARES[name])


def _svg(colour: str) -> str:
    rows = "".join(f'<rect y="{y}" width="60" height="1" fill="{colour}"/>\n' for y in range(60))
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60" shape-rendering="crispEdges">{rows}</svg>'


def _large_png(colour: Colour, side: int) -> bytes:
    """A picture of one colour whose pixels are stored as they are (PNG, third edition)."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + bytes(colour) * side) * side, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def html(url: Callable[[str], str]) -> str:
    """The page, whose files are at ``url`` of their logical paths."""

    def at(name: str) -> str:
        return url(f"drawn/{name}")

    image = at("img/gr\u00f6\u00dfe (1).svg")
    inner = {
        "image": f'<img src="{image}" alt="">',
        "picture": f'<picture><source srcset="{at("img/wide.svg")}" media="(min-width: 300px)">'
        f'<img src="{at("img/narrow.svg")}" alt=""></picture>',
        "font": "A",
        "large": f'<img src="{at("img/large.png")}" alt="">',
    }
    squares = "\n".join(f'<div id="{name}" class="square">{inner.get(name, "")}</div>' for name in SQUARES)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Squares</title>
<link rel="icon" href="{at("img/icon.svg")}">
<link rel="stylesheet" href="{at("css/page.css")}">
<script type="module" src="{at("js/main.mjs")}"></script>
</head>
<body>
{squares}
</body>
</html>
"""


def _sheet() -> str:
    return f"""@import "parts/imported.css";
@font-face {{ font-family: "Square"; src: url("../fonts/square.ttf") format("truetype"); }}
body {{ margin: 5px; width: 400px; background: white; }}
.square {{ float: left; width: 60px; height: 60px; margin: 5px 15px 15px 5px; overflow: hidden; }}
.square img {{ display: block; width: 60px; height: 60px; }}
#sheet {{ background: {_css("sheet")}; }}
#background {{ background: url(../img/background.svg); }}
#font {{ font: 60px/1 "Square", serif; color: {_css("font")}; }}
"""


def _main() -> str:
    return """import { paint } from "./paint.mjs";
paint("module", "MODULE");
const { colour } = await import("./lazy.mjs");
paint("lazy", colour);
const answer = await fetch(new URL("./colours.json", import.meta.url));
paint("fetched", (await answer.json()).fetched);
await document.fonts.load('60px "Square"');
await Promise.all(Array.from(document.images, (image) => image.decode()));
document.documentElement.dataset.ready = Array.from(document.fonts, (font) => font.status).join();
""".replace("MODULE", _css("module"))


_LONG = "// So long that it pays to compress it.\n" * 20
_FILES: dict[str, bytes | Callable[[], str]] = {
    "page.html": lambda: html(lambda logical: logical.removeprefix("drawn/")),
    "css/page.css": _sheet,
    "css/parts/imported.css": lambda: f"#imported {{ background: {_css('imported')}; }}\n" * 20,
    "js/main.mjs": _main,
    "js/paint.mjs": lambda: (
        "export function paint(id, colour) {\n  document.getElementById(id).style.background = colour;\n}\n" + _LONG
    ),
    "js/lazy.mjs": lambda: f'export const colour = "{_css("lazy")}";\n' + _LONG,
    "js/colours.json": lambda: json.dumps({"fetched": _css("fetched"), "others": ["red"] * 100}),
    "img/icon.svg": lambda: _svg("navy"),
    "img/background.svg": lambda: _svg(_css("background")),
    "img/gr\u00f6\u00dfe (1).svg": lambda: _svg(_css("image")),
    "img/wide.svg": lambda: _svg(_css("picture")),
    "img/narrow.svg": lambda: _svg("black"),
    # More than is kept ready in memory or read at once: it goes by sendfile, a file wrapper or in pieces.
    "img/large.png": _large_png(SQUARES["large"], 300),
    "fonts/square.ttf": square_font(),
}
