"""Tells what is code in a script: the lexical grammar of ECMA-262 section 12, as far as it takes to skip the rest.

What has to be known is where comments, strings, templates and regular expressions begin and end. The hard part is the
slash, which divides or begins a regular expression by what stands before it; for that, brackets are matched.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from typing import Final

# White space and line ends beyond ASCII (sections 12.2 and 12.3).
WIDE: Final = rb"(?:\xc2\xa0|\xef\xbb\xbf|\xe2\x80[\x80-\x8a\xa8\xa9\xaf]|\xe1\x9a\x80|\xe2\x81\x9f|\xe3\x80\x80)"
_LINE = rb"(?>[^\r\n\xe2]++|\xe2(?!\x80[\xa8\xa9]))*+"
BLANK: Final = rb"(?>\s++|/\*(?>[^*]++|\*(?!/))*+\*/|//" + _LINE + rb"|" + WIDE + rb")*+"
_DOUBLE = rb"(?>[^\"\\\r\n]++|\\(?:\r\n|[\s\S]))*+"
_SINGLE = rb"(?>[^'\\\r\n]++|\\(?:\r\n|[\s\S]))*+"
STRING: Final = rb"(?:\"" + _DOUBLE + rb"\"|'" + _SINGLE + rb"')"
_TEMPLATE_CHARACTERS = rb"(?>[^`\\$]++|\\[\s\S]|\$(?!\{))*+"
TEMPLATE: Final = rb"`" + _TEMPLATE_CHARACTERS + rb"`"

# From one place in code to the next that needs a look. A pair of brackets with no bracket in it is passed whole,
# unless a slash follows: the kind of pair decides about that.
_PLAIN = rb"[^\"'`/(){}]++"
_PAIR = rb"\((?>" + _PLAIN + rb"|" + STRING + rb")*+\)(?!\s*+/)|\{(?>" + _PLAIN + rb"|" + STRING + rb")*+\}(?!\s*+/)"
_CODE = re.compile(rb"(?>" + _PLAIN + rb"|" + STRING + rb"|" + _PAIR + rb")*+")
_HTML_PLAIN = rb"(?:[^\"'`/(){}<\-]++|<(?!!--)|-(?!->))"
_HTML_CODE = re.compile(rb"(?>" + _HTML_PLAIN + rb"|" + STRING + rb")*+")
_REST_OF_LINE = re.compile(_LINE)
_ANY_STRING = re.compile(rb"\"" + _DOUBLE + rb"\"?+|'" + _SINGLE + rb"'?+")
_TEMPLATE_PART = re.compile(_TEMPLATE_CHARACTERS)
# Section 12.9.5. The "v" flag changes nothing here: a class ends at the first "]".
_REGEX = re.compile(rb"/(?>[^/\\\[\r\n]++|\\[^\r\n]|\[(?>[^\]\\\r\n]++|\\[^\r\n])*+\])++/[\w$]*+")
_WIDE_END = re.compile(WIDE + rb"\Z")
_WORD_BEFORE = re.compile(rb"(?<![\w$\\])[a-z]{2,10}\Z")

_SPACES = frozenset(b" \t\n\r\f\v")
_NEWLINE = re.compile(rb"[\r\n]|\xe2\x80[\xa8\xa9]")
# Words after which an operand is due, so that a slash begins a regular expression. "of" is missing: minifiers name
# variables so, and nobody loops over a regular expression.
_BEFORE_OPERAND: Final = frozenset(
    b"await case delete do else extends in instanceof new return throw typeof void yield default".split()
)
_BEFORE_BLOCK: Final = frozenset(b"do else".split())
_BEFORE_HEAD: Final = frozenset(b"if while for with".split())
_LETTERS: Final = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$\\") | frozenset(
    range(0x80, 0x100)
)
_PAREN, _PAREN_END, _BRACE, _BRACE_END = b"(){}"
_SLASH, _BACKTICK, _DOLLAR, _DOT, _COLON, _LESS, _MINUS = b"/`$.:<-"


class Walk:
    """A walk through the code of one file, forward only."""

    def __init__(self, body: bytes, html_comments: bool) -> None:
        """``html_comments`` makes comments of ``<!--`` and ``-->`` as in scripts (ECMA-262 section B.1.1)."""
        self.at = 0
        """What is before has been walked."""
        self._body = body
        self._code = _HTML_CODE if html_comments else _CODE
        # Offsets of "(", "{" and the "$" of "${" that are open.
        self._open: list[int] = []
        # The closing bracket that was met last, and its opening one.
        self._closed = (-1, -1)
        self._regex_end = -1
        # Up to here no regular expression closes.
        self._no_regex = 0
        # Where each comment ends, and where the code before it does.
        self._comment_ends = array("q")
        self._code_ends = array("q")
        # Whether a line has begun between the last comment's end and the code before it.
        self._fresh_line = False
        # Opening brackets that have been looked at → whether a value is due there. One may be asked for many times.
        self._values: dict[int, bool] = {}
        start = 3 if body.startswith(b"\xef\xbb\xbf") else 0
        if body.startswith(b"#!", start):
            self.at = self._comment(start, self._line_end(start))

    def reach(self, goal: int) -> bool:
        """Walk on to ``goal``, which is not before `at`; whether it is in code."""
        body, code = self._body, self._code
        at = self.at
        while True:
            match = code.match(body, at, goal)
            assert match is not None  # it matches nothing, too
            at = match.end()
            if at >= goal:
                break
            byte = body[at]
            if byte in (_PAREN, _BRACE):
                self._open.append(at)
                at += 1
            elif byte == _PAREN_END:
                if self._open and body[self._open[-1]] == _PAREN:
                    self._closed = (at, self._open.pop())
                at += 1
            elif byte == _BRACE_END:
                at = self._close_brace(at)
            elif byte == _SLASH:
                at = self._slash(at)
            elif byte == _BACKTICK:
                at = self._template(at + 1)
            elif byte in (_LESS, _MINUS):
                at = self._html_comment(at)
            else:
                # A string that goes on beyond the goal, or has no end: then it ends with its line.
                string = _ANY_STRING.match(body, at)
                at = string.end() if string else at + 1
            if at >= goal:
                break
        self.at = at
        return at == goal

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

    def _comment(self, start: int, end: int) -> int:
        code_end = self.before(start)
        self._fresh_line = self._begins_line(code_end, start) or bool(_NEWLINE.search(self._body, start, end))
        self._comment_ends.append(end)
        self._code_ends.append(code_end)
        return end

    def _begins_line(self, code_end: int, at: int) -> bool:
        """Whether only comments and white space stand before ``at`` on its line; ``code_end`` is where code does."""
        if code_end == 0:
            return True
        last = self._comment_ends[-1] if self._comment_ends else 0
        if last <= code_end:
            return bool(_NEWLINE.search(self._body, code_end, at))
        return self._fresh_line or bool(_NEWLINE.search(self._body, last, at))

    def _line_end(self, at: int) -> int:
        match = _REST_OF_LINE.match(self._body, at)
        return match.end() if match else at

    def _slash(self, at: int) -> int:
        """Read on from a slash: over a comment, a regular expression, or itself alone."""
        body = self._body
        following = body[at + 1 : at + 2]
        if following == b"/":
            return self._comment(at, self._line_end(at))
        if following == b"*":
            end = body.find(b"*/", at + 2)
            return self._comment(at, end + 2 if end >= 0 else len(body))
        if at < self._no_regex or self._after_operand(at):
            return at + 1
        regex = _REGEX.match(body, at)
        if regex is None:
            # This is no JavaScript, or we misread it. Taken for a division the rest of the line has its best chance;
            # not to try again on this line keeps the whole linear.
            self._no_regex = self._line_end(at)
            return at + 1
        self._regex_end = regex.end()
        return regex.end()

    def _template(self, at: int) -> int:
        """Read on inside a template: to its end, or into the code of a substitution."""
        match = _TEMPLATE_PART.match(self._body, at)
        end = match.end() if match else at
        if self._body.startswith(b"${", end):
            self._open.append(end)
            return end + 2
        return end + 1

    def _close_brace(self, at: int) -> int:
        while self._open:
            opening = self._open.pop()
            kind = self._body[opening]
            if kind == _DOLLAR:
                return self._template(at + 1)
            if kind == _BRACE:
                self._closed = (at, opening)
                break
        return at + 1

    def _html_comment(self, at: int) -> int:
        """Read on from ``<!--`` or ``-->``; the latter is a comment only where code has not begun on its line."""
        if self._body[at] == _LESS:
            return self._comment(at, self._line_end(at))
        if self._begins_line(self.before(at), at):
            return self._comment(at, self._line_end(at))
        return at + 3

    def _after_operand(self, at: int) -> bool:
        """Whether what stands before ``at`` is a whole operand, so that a slash there divides."""
        body = self._body
        end = self.before(at)
        if end == 0:
            return False
        byte = body[end - 1]
        if end == self._regex_end:
            return True
        if byte in _LETTERS:
            return self._word(end) not in _BEFORE_OPERAND
        if byte in b"\"'`]":
            return True
        if byte == _PAREN_END:
            return not (self._closed[0] == end - 1 and self._word(self.before(self._closed[1])) in _BEFORE_HEAD)
        if byte == _BRACE_END:
            return self._closed[0] == end - 1 and self._is_object(self._closed[1])
        if byte == _DOT:
            return body[end - 3 : end] != b"..."
        if byte in b"+-":
            # "a++ / b", but "a + /b/": an even run is a postfix operator.
            return body[end - 2 : end - 1] == body[end - 1 : end] and body[end - 3 : end - 2] != body[end - 1 : end]
        return False

    def _is_object(self, brace: int) -> bool:
        """Whether the brace at ``brace``, just closed, began an object literal, not a block or a body.

        A body's closing brace is taken for the end of a statement, although a function expression can be divided: the
        quotient is never a number.
        """
        body = self._body
        end = self.before(brace)
        if end == 0:
            return False
        byte = body[end - 1]
        if byte in _LETTERS:
            word = self._word(end)
            return word in _BEFORE_OPERAND and word not in _BEFORE_BLOCK
        if byte == _BRACE:
            return bool(self._open) and self._open[-1] == end - 2 and body[end - 2] == _DOLLAR
        if byte == _COLON:
            # In an object a value; after a label or "case" a block.
            outer = self._open[-1] if self._open else -1
            return outer >= 0 and (body[outer] != _BRACE or self._value_due(outer))
        return self._value_due(brace)

    def _value_due(self, bracket: int) -> bool:
        """Whether an operator, a comma or another opening bracket stands before ``bracket``."""
        known = self._values.get(bracket)
        if known is None:
            end = self.before(bracket)
            is_body = self._body.endswith(b"=>", 0, end)
            known = self._values[bracket] = end > 0 and not is_body and self._body[end - 1] in b"=([,?:&|^+-*%!~<>/"
        return known

    def _word(self, end: int) -> bytes:
        """The plain word that ends at ``end``; empty if it is a property's name or anything else."""
        match = _WORD_BEFORE.search(self._body, max(0, end - 12), end)
        if match is None:
            return b""
        before = self.before(match.start())
        if before == match.start() > 0 and self._body[before - 1] >= 0x80:
            return b""  # the end of a longer name
        if self._body[before - 1 : before] in (b".", b"#") and self._body[before - 3 : before] != b"...":
            return b""
        return match[0]
