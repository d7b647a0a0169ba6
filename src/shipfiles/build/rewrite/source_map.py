"""The comment that names a file's source map (ECMA-426, "Extraction methods for JavaScript sources" and for CSS)."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = b"sourceMappingURL="
# The comment's first characters, as far as they can stand before the name.
_OPENING = re.compile(rb"(?:(//)|/\*)[#@][ \t\n\r\f\v]*+\Z")
_BLOCK = rb"/\*(?>[^*]++|\*(?!/))*+\*/"
_REST_OF_LINE = re.compile(rb"([^ \t\n\r\f\v]*+)[ \t\f\v]*+(?:[\r\n]|\Z)")
_REST_OF_BLOCK = re.compile(rb"((?>[^ \t\n\r\f\v*]++|\*(?!/))*+)[ \t\n\r\f\v]*+\*/")
_ONLY_BLOCKS = re.compile(rb"(?>[ \t\n\r\f\v]++|" + _BLOCK + rb")*+\Z")
_ONLY_COMMENTS = re.compile(rb"(?>[ \t\n\r\f\v]++|" + _BLOCK + rb"|//[^\r\n]*+)*+\Z")


class SourceMapComment(NamedTuple):
    """The last such comment of a file, with nothing but comments and white space after it."""

    opening: int
    """Where the comment begins, if that place is code: the caller knows."""
    start: int
    end: int
    """``body[start:end]`` is the URL."""
    whole_line: bool
    """Whether only white space stands before the comment on its line."""


def source_map_comment(body: bytes, line_comments: bool) -> SourceMapComment | None:
    """The last comment of ``body`` that reads ``# sourceMappingURL=`` and is followed by no code.

    ``line_comments`` says whether the language has ``//`` comments too. A comment with code after it counts for
    nobody: there, what ECMA-426 finds with and without parsing differs.
    """
    name = body.rfind(_NAME)
    if name < 0:
        return None
    opening = _OPENING.search(body, max(0, name - 64), name)
    if opening is None or (opening[1] and not line_comments):
        return None
    rest = (_REST_OF_LINE if opening[1] else _REST_OF_BLOCK).match(body, name + len(_NAME))
    if rest is None or not (_ONLY_COMMENTS if line_comments else _ONLY_BLOCKS).match(body, rest.end()):
        return None
    begin = opening.start()
    line = max(body.rfind(b"\n", 0, begin), body.rfind(b"\r", 0, begin)) + 1
    return SourceMapComment(begin, rest.start(1), rest.end(1), not body[line:begin].strip())
