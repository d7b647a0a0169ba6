"""The block tags of a Django template, found without compiling it: libraries of tags need not be loadable for this."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OPENING = re.compile(r"\{[%{#]")
_CLOSING = {"%": "%}", "{": "}}", "#": "#}"}


def blocks(source: str) -> Iterator[tuple[int, int, str]]:
    """``(start, end, contents)`` of each ``{% ... %}`` that Django would act on, in order.

    As Django's lexer has them: a tag ends on its line, and nothing between ``{% verbatim %}`` or ``{% comment %}`` and
    its end is one. In time linear in the source, whatever it holds.
    """
    verbatim, in_comment = "", False
    for start, end in _tags(source):
        if source[start + 1] != "%":
            continue
        contents = source[start + 2 : end - 2].strip()
        if verbatim:
            if contents == verbatim:
                verbatim = ""
            continue
        if contents[:9] in ("verbatim", "verbatim "):
            verbatim = "end" + contents
        elif in_comment:
            in_comment = contents != "endcomment"
        elif contents.split(None, 1)[:1] == ["comment"]:
            in_comment = True
        else:
            yield start, end, contents


def _tags(source: str) -> Iterator[tuple[int, int]]:
    """The spans of ``{% %}``, ``{{ }}`` and ``{# #}``: what begins first wins, and a newline ends nothing."""
    length = len(source)
    at = 0
    line_end = -1
    # The next place of each closing mark. Kept: a mark that does not come must not be looked for again and again.
    closings = dict.fromkeys(_CLOSING, -1)
    while (opening := _OPENING.search(source, at)) is not None:
        start = opening.start()
        kind = source[start + 1]
        if closings[kind] < start + 2:
            closings[kind] = _find(source, _CLOSING[kind], start + 2, length)
        if line_end < start:
            line_end = _find(source, "\n", start, length)
        if closings[kind] < line_end:
            at = closings[kind] + 2
            yield start, at
        else:
            at = start + 1


def _find(source: str, mark: str, start: int, otherwise: int) -> int:
    found = source.find(mark, start)
    return otherwise if found < 0 else found
