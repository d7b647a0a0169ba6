"""Which files can refer to others, and what finds those references.

A rewriter only *finds* byte spans; `splice` makes every edit. A new language is one module with a ``references``
function and one line in `REWRITERS`, or in `REWRITERS_BY_NAME` where only the file's name tells its language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from ...model import Reference
from . import browserconfig, css, html, import_map, javascript, svg, web_manifest, xhtml


class Rewriter(Protocol):
    """Finds the references in the files of one language. A module or an object."""

    def references(self, body: bytes) -> Iterable[Reference]:
        """What in ``body`` could name another file, in the order of the bytes, spans never overlapping.

        Any bytes are accepted and no error is raised. Only the language's grammar and the shape of the URL decide;
        whether the file exists is the caller's to find out.
        """
        ...


class Rewriting(NamedTuple):
    """A rewriter, and the name of the option in `RewriteConfig` that switches it."""

    rewriter: Rewriter
    option: str

    @property
    def language(self) -> str:
        """What tells the rewriter from others, also in another run."""
        return str(getattr(self.rewriter, "__name__", type(self.rewriter).__qualname__))


REWRITERS: Mapping[str, Rewriting] = {
    "text/css": Rewriting(css, "css"),
    "text/javascript": Rewriting(javascript, "javascript"),
    "text/html": Rewriting(html, "html"),
    "application/xhtml+xml": Rewriting(xhtml, "html"),
    "image/svg+xml": Rewriting(svg, "svg"),
    "application/manifest+json": Rewriting(web_manifest, "json"),
    "application/importmap+json": Rewriting(import_map, "json"),
}
"""Media type → what rewrites such files."""

REWRITERS_BY_NAME: Mapping[str, Rewriting] = {
    "manifest.json": Rewriting(web_manifest, "json"),
    "importmap.json": Rewriting(import_map, "json"),
    "browserconfig.xml": Rewriting(browserconfig, "json"),
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
