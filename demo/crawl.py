"""What a page, a style sheet or a script refers to: plain parsers, independent of those that Shipfiles has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_CSS = re.compile(
    r"""url\(\s*(?:"(?P<double>[^"\n]*)"|'(?P<single>[^'\n]*)'|(?P<bare>[^"'()\s]+))\s*\)"""
    r"""|@import\s+(?:"(?P<import_double>[^"\n]*)"|'(?P<import_single>[^'\n]*)')""",
    re.IGNORECASE,
)
_MODULE = re.compile(
    r"""(?:^|[;}\s])(?:import|export)\b(?:[\w\s{},*$]*?\bfrom)?\s*["'](?P<static>[^"'\n]+)["']"""
    r"""|\bimport\s*\(\s*["'](?P<dynamic>[^"'\n]+)["']\s*\)"""
)
_ASSET_ATTRIBUTES = {
    "audio": ("src",),
    "embed": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
_ASSET_RELATIONS = {"stylesheet", "icon", "apple-touch-icon", "preload", "modulepreload", "manifest", "mask-icon"}


class Page(HTMLParser):
    """The references of one HTML page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.assets: set[str] = set()
        self.modules: set[str] = set()
        """Those of the assets that are loaded as JavaScript modules."""
        self.links: set[str] = set()
        self.fields: dict[str, str] = {}
        """Name and value of every form field."""
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of what the tag refers to."""
        given = {name: value or "" for name, value in attrs}
        for name in _ASSET_ATTRIBUTES.get(tag, ()):
            if given.get(name):
                urls = srcset(given[name]) if name == "srcset" else [given[name]]
                self.assets.update(urls)
        if tag == "script":
            module = given.get("type") == "module"
            if module and given.get("src"):
                self.modules.add(given["src"])
            self._inside = "module" if module else ""
        elif tag == "link" and _ASSET_RELATIONS & set(given.get("rel", "").lower().split()):
            self.assets.add(given.get("href", ""))
        elif tag == "a" and given.get("href"):
            self.links.add(given["href"])
        elif tag == "style":
            self._inside = "style"
        elif tag == "input" and given.get("name"):
            self.fields[given["name"]] = given.get("value", "")
        self.assets.update(css_references(given.get("style", "")))

    def handle_endtag(self, tag: str) -> None:
        """The end of a style or a script."""
        if tag in ("script", "style"):
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """The text of a style or a script."""
        if self._inside == "style":
            self.assets.update(css_references(data))
        elif self._inside == "module":
            found = set(module_references(data))
            self.assets |= found
            self.modules |= found


def srcset(value: str) -> list[str]:
    """The URLs of a ``srcset`` attribute."""
    return [part.split()[0] for part in value.split(",") if part.strip()]


def css_references(text: str) -> Iterator[str]:
    """What the ``url()`` and ``@import`` of a style sheet name."""
    for match in _CSS.finditer(_COMMENT.sub(" ", text)):
        yield from (value for value in match.groupdict().values() if value)


def module_references(text: str) -> Iterator[str]:
    """What the imports and re-exports of a JavaScript module name, where it is a URL and not the name of a package."""
    without = re.sub(r"^\s*//.*$", "", _COMMENT.sub(" ", text), flags=re.MULTILINE)
    for match in _MODULE.finditer(without):
        url = match["static"] or match["dynamic"]
        if url.startswith(("./", "../", "/", "http:", "https:")):
            yield url
