"""Which files can refer to others, and what finds those references.

A rewriter only *finds* byte spans; `splice` makes every edit. A new language is one module with a ``references``
function and one line in `REWRITERS`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

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


REWRITERS: Mapping[str, Rewriter] = {"text/css": css, "text/javascript": javascript}
"""Media type → the rewriter of its files."""
