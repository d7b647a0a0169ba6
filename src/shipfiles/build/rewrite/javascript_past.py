"""What a walk through a script has passed: comments, regular expressions and brackets (ECMA-262 section 12)."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Final

# White space and line ends beyond ASCII (sections 12.2 and 12.3).
WIDE: Final = rb"(?:\xc2\xa0|\xef\xbb\xbf|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe1\x9a\x80|\xe2\x81\x9f|\xe3\x80\x80)"
NEWLINE: Final = re.compile(rb"[\r\n]|\xe2\x80[\xa8\xa9]")
# How far back names and numbers are looked for: farther than any that people or their tools write.
NEAR: Final = 512

_WIDE_END = re.compile(WIDE + rb"\Z")
_NUMBER_BEFORE = re.compile(rb"(?<![\w$.\\\x80-\xff])\d[\d_]*+\.\Z")
_BRACE_FOLLOWS = re.compile(rb"\s*+[{/\x80-\xff]")
_NO_BRACE = frozenset(bytes((byte,)) for byte in b");,.[]=?:&|+-*<>")
_SPACES = frozenset(b" \t\n\r\f\v")
_PAREN, _BRACE, _DOLLAR = b"({$"


class Past:
    """What a walk has passed. All offsets are those of bytes."""

    def __init__(self, body: bytes) -> None:
        self.open: list[int] = []
        """Offsets of "(", "{" and the "$" of "${" that are open."""
        self.specifier_end = -1
        """Where the string of the last import or export ends: no operand, for nothing can be done with it."""
        self.closed = (-1, -1)
        """The closing bracket that was met last, and its opening one."""
        self.heads: dict[int, int] = {}
        """Closing round brackets with a brace behind them → their opening ones."""
        self._body = body
        # Where each regular expression begins and ends.
        self._regex_starts = array("q")
        self._regex_ends = array("q")
        # Where each comment ends, and where the code before it does.
        self._comment_ends = array("q")
        self._code_ends = array("q")
        # Whether a line has begun between the last comment's end and the code before it.
        self._fresh_line = False

    def comment(self, start: int, end: int) -> int:
        """Note a comment; gives its end."""
        code_end = self.before(start)
        self._fresh_line = self.begins_line(code_end, start) or bool(NEWLINE.search(self._body, start, end))
        self._comment_ends.append(end)
        self._code_ends.append(code_end)
        return end

    def regex(self, start: int, end: int) -> int:
        """Note a regular expression; gives its end."""
        self._regex_starts.append(start)
        self._regex_ends.append(end)
        return end

    def ends_regex(self, end: int) -> bool:
        """Whether a regular expression ends at ``end``."""
        index = bisect_left(self._regex_ends, end)
        return index < len(self._regex_ends) and self._regex_ends[index] == end

    def without_regexes(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of ``body[start:end]`` that are in no regular expression."""
        for index in range(bisect_right(self._regex_ends, start), len(self._regex_ends)):
            if self._regex_starts[index] >= end:
                break
            yield start, self._regex_starts[index]
            start = self._regex_ends[index]
        yield start, end

    def close_paren(self, at: int) -> None:
        """Note a ")"."""
        if self.open and self._body[self.open[-1]] == _PAREN:
            self.closed = (at, self.open.pop())
            # Mostly the next byte tells that there is none.
            if self._body[at + 1 : at + 2] not in _NO_BRACE and _BRACE_FOLLOWS.match(self._body, at + 1):
                self.heads[at] = self.closed[1]

    def close_brace(self, at: int) -> bool:
        """Note a "}"; whether it ends the substitution of a template."""
        while self.open:
            opening = self.open.pop()
            kind = self._body[opening]
            if kind == _DOLLAR:
                return True
            if kind == _BRACE:
                self.closed = (at, opening)
                break
        return False

    def before(self, at: int) -> int:
        """Where the code before ``at`` ends: ``at`` without white space and comments before it."""
        body = self._body
        while at:
            if body[at - 1] in _SPACES:
                at -= 1
                continue
            if body[at - 1] >= 0x80 and (wide := _WIDE_END.search(body, max(0, at - 3), at)):
                at = wide.start()
                continue
            index = bisect_left(self._comment_ends, at)
            if index == len(self._comment_ends) or self._comment_ends[index] != at:
                break
            return self._code_ends[index]
        return at

    def begins_line(self, code_end: int, at: int) -> bool:
        """Whether only comments and white space stand before ``at`` on its line; ``code_end`` is where code does."""
        if code_end == 0:
            return True
        last = self._comment_ends[-1] if self._comment_ends else 0
        if last <= code_end:
            return bool(NEWLINE.search(self._body, code_end, at))
        return self._fresh_line or bool(NEWLINE.search(self._body, last, at))

    def is_property(self, end: int) -> bool:
        """Whether the code that ends at ``end`` does so with the dot before a property's name."""
        if self._body[end - 1 : end] != b"." or self._body[end - 3 : end] == b"...":
            return False
        return not _NUMBER_BEFORE.search(self._body, max(0, end - NEAR), end)
