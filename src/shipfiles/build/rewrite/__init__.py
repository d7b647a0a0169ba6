"""Which files can refer to others, and what finds those references.

A rewriter only *finds* byte spans; `splice` makes every edit. A new language is one module with a ``references``
function and one line in `REWRITERS`, or in `REWRITERS_BY_NAME` where only the file's name tells its language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from ...model import Reference


class Rewriter(Protocol):
    """Finds the references in the files of one language. A module or an object."""

    def references(self, body: bytes) -> Iterable[Reference]:
        """What in ``body`` could name another file, in the order of the bytes, spans never overlapping.

        Any bytes are accepted and no error is raised. Only the language's grammar and the shape of the URL decide;
        whether the file exists is the caller's to find out.
        """
        ...


class Rewriting(NamedTuple):
    """What rewrites the files of a language."""

    language: str
    """The module of this package that is its `Rewriter`."""
    option: str
    """The option in `RewriteConfig` that switches it."""

    @property
    def rewriter(self) -> Rewriter:
        """The rewriter, imported when it is needed: a run with nothing to scan starts without."""
        return cast("Rewriter", import_module(f"{__name__}.{self.language}"))


REWRITERS: Mapping[str, Rewriting] = {
    "text/css": Rewriting("css", "css"),
    "text/javascript": Rewriting("javascript", "javascript"),
    "text/html": Rewriting("html", "html"),
    "application/xhtml+xml": Rewriting("xhtml", "html"),
    "image/svg+xml": Rewriting("svg", "svg"),
    "application/manifest+json": Rewriting("web_manifest", "json"),
    "application/importmap+json": Rewriting("import_map", "json"),
}
"""Media type → what rewrites such files."""

REWRITERS_BY_NAME: Mapping[str, Rewriting] = {
    "manifest.json": Rewriting("web_manifest", "json"),
    "importmap.json": Rewriting("import_map", "json"),
    "browserconfig.xml": Rewriting("browserconfig", "json"),
}
"""File name in lower case → what rewrites such a file, whatever its media type."""


def rewriter_for(logical: str, media_type: str) -> Rewriting | None:
    """What rewrites the file at the path ``logical``; ``None`` if its language is none that refers to files."""
    name = logical.rpartition("/")[2].lower()
    if name.endswith(".importmap.json"):
        return REWRITERS_BY_NAME["importmap.json"]
    if name.endswith(".svgz"):
        return None  # compressed in itself
    return REWRITERS_BY_NAME.get(name) or REWRITERS.get(media_type)
