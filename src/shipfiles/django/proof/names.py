"""What the readers of templates and Python hand on: the places where a static file is named."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from ...model import Problem


@dataclass(frozen=True, slots=True)
class NameUse:
    """One place that asks for the URL of a static file."""

    path: str
    """The template or module, as the developer knows it."""
    line: int
    """Counted from 1."""
    column: int
    """Where ``text`` begins, in characters, counted from 1; 0 if it is not known."""
    text: str
    """The place as it is written: ``{% static "css/app.css" %}``."""
    name: str | None
    """The name that is asked for; ``None`` if only running the program could tell."""
    how: str
    """What asks: ``{% static %}``, ``static()``, ``Media``, ..."""
    own: bool = True
    """Whether the project's own people wrote it; else it came with an installed package."""

    sure: bool = True
    """Whether production asks for it: not if a condition or an exception may stand before, or the class is unknown."""

    def unknown(self) -> NameUse:
        """The same place, its name not known."""
        return replace(self, name=None)

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}:{self.column}" if self.column else f"{self.path}:{self.line}"
        return f"{place}: {self.text}"


def plain_uses(uses: Iterable[NameUse]) -> list[list[Any]]:
    """``uses`` in one file as lists of what JSON knows; the file is left out."""
    return [[use.line, use.column, use.text, use.name, use.how, use.sure] for use in uses]


def uses_of(raw: Any, path: str, own: bool) -> list[NameUse]:
    """What `plain_uses` made of the uses in a file like ``path``. Raises ``ValueError`` if it cannot be that."""
    if not isinstance(raw, list) or not all(isinstance(values, list) for values in raw):
        raise ValueError("no list of uses")
    if any(tuple(map(type, values)) not in _TYPES for values in raw):
        raise ValueError("no use")
    return [NameUse(path, line, column, text, name, how, own, sure) for line, column, text, name, how, sure in raw]


_TYPES = tuple((int, int, str, name, str, bool) for name in (str, type(None)))


@dataclass(slots=True)
class Scan:
    """What was read, and what was found in it."""

    uses: list[NameUse] = field(default_factory=list)
    unread: list[Problem] = field(default_factory=list)
    """What could not be read, and why."""
    names: dict[str, set[str]] = field(default_factory=dict)
    """The files that were read as templates, and the names by which they are loaded."""
    templates: int = 0
    modules: int = 0

    def take(self, path: str, name: str) -> None:
        """Note that ``path`` is the template ``name``."""
        self.templates += 1
        self.names.setdefault(path, set()).add(name)

    def leave_out(self, path: str, why: str, line: int = 0) -> None:
        """Note that ``path`` could not be read."""
        self.unread.append(Problem(path, line, 0, "", why))


is_left_over = re.compile(r"(?:~|\.(?:bak|orig|pyc?|rej|sw[op]))\Z").search
"""Whether a file among the templates is none by its name: what editors and merges leave behind, and Python."""


def shortened(text: str) -> str:
    """``text`` in one line, for a message."""
    first, newline, _ = text.partition("\n")
    return first.rstrip() + " ..." if newline else first
