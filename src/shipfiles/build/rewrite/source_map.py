"""The comment that names a file's source map (ECMA-426, JavaScriptExtractSourceMapURL and CSSExtractSourceMapURL)."""

from __future__ import annotations

import re
from typing import NamedTuple

_NAME = b"sourceMappingURL="
# What both ECMA-262 and the pattern of MatchSourceMapURL call white space, beyond ASCII.
_WIDE = rb"(?:\xc2\xa0|\xef\xbb\xbf|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe1\x9a\x80|\xe2\x81\x9f|\xe3\x80\x80)"
_SPACE = rb"(?>[ \t\n\r\f\v]++|" + _WIDE + rb")*+"
# The comment's first characters, as far as they can stand before the name.
_OPENING = re.compile(rb"/[/*][#@]" + _SPACE + rb"\Z")
_BLANK = re.compile(_SPACE)
_BLOCK = re.compile(rb"/\*(?>[^*]++|\*(?!/))*+\*/")
_LINE = re.compile(rb"//(?>[^\r\n\xe2]++|\xe2(?!\x80[\xa8\xa9]))*+")
# MatchSourceMapURL: from the sign to the end of the comment's text.
_TEXT = re.compile(
    rb"[#@]" + _SPACE + _NAME + rb"(?P<url>(?>[^ \t\n\r\f\v\x80-\xff]++|(?!" + _WIDE + rb")[\x80-\xff])*+)" + _SPACE
)


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
    nobody: code makes the extraction forget what it found.
    """
    found = None
    at = _next_opening(body, 0)
    while 0 <= at < len(body):
        comment = _BLOCK.match(body, at) or (_LINE.match(body, at) if line_comments else None)
        if comment is None:
            found = None
            if body.startswith(b"/*", at):
                break  # it has no end
            at = _next_opening(body, at + 1)
            continue
        end = comment.end() - 2 * body.startswith(b"/*", at)
        if text := _TEXT.fullmatch(body, at + 2, end):
            found = (at, text.start("url"), text.end("url"))
        at = comment.end()
        if blank := _BLANK.match(body, at):
            at = blank.end()
    if found is None:
        return None
    line = max(body.rfind(b"\n", 0, found[0]), body.rfind(b"\r", 0, found[0])) + 1
    return SourceMapComment(*found, whole_line=not body[line : found[0]].strip())


def _next_opening(body: bytes, at: int) -> int:
    """Where the next comment that may name a source map begins, from ``at`` on; negative if there is none."""
    name = body.find(_NAME, at)
    while name >= 0:
        if opening := _OPENING.search(body, max(at, name - 64), name):
            return opening.start()
        name = body.find(_NAME, name + 1)
    return -1
