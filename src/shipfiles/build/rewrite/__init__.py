"""Which files can refer to others, and what finds those references.

A rewriter only *finds* byte spans; `splice` makes every edit. A new language is one module with a ``references``
function and one line in `REWRITERS`, or in `REWRITERS_BY_NAME` where only the file's name tells its language.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

from ...model import Reference
from . import css, javascript


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


REWRITERS: Mapping[str, Rewriting] = {
    "text/css": Rewriting(css, "css"),
    "text/javascript": Rewriting(javascript, "javascript"),
}
"""Media type → what rewrites such files."""

REWRITERS_BY_NAME: Mapping[str, Rewriting] = {}
"""File name in lower case → what rewrites such a file, whatever its media type."""


def rewriter_for(logical: str, media_type: str) -> Rewriting | None:
    """What rewrites the file at the path ``logical``; ``None`` if its language is none that refers to files."""
    name = logical.rpartition("/")[2].lower()
    return REWRITERS_BY_NAME.get(name) or REWRITERS.get(media_type)
