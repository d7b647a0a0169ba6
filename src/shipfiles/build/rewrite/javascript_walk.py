"""Tells what is code in a script: the lexical grammar of ECMA-262 section 12, as far as it takes to skip the rest.

What has to be known is where comments, strings, templates and regular expressions begin and end. The hard part is the
slash, which divides or begins a regular expression by what stands before it; for that, brackets are matched.
"""

from __future__ import annotations

import re
from typing import Final

from .javascript_past import WIDE, Past
from .javascript_slash import Slashes

_LINE = rb"(?>[^\r\n\xe2]++|\xe2(?!\x80[\xa8\xa9]))*+"
BLANK: Final = rb"(?>\s++|/\*(?>[^*]++|\*(?!/))*+\*/|//" + _LINE + rb"|" + WIDE + rb")*+"
_DOUBLE = rb"(?>[^\"\\\r\n]++|\\(?:\r\n|[\s\S]))*+"
_SINGLE = rb"(?>[^'\\\r\n]++|\\(?:\r\n|[\s\S]))*+"
STRING: Final = rb"(?:\"" + _DOUBLE + rb"\"|'" + _SINGLE + rb"')"
_TEMPLATE_CHARACTERS = rb"(?>[^`\\$]++|\\[\s\S]|\$(?!\{))*+"
TEMPLATE: Final = rb"`" + _TEMPLATE_CHARACTERS + rb"`"

# From one place in code to the next that needs a look. A pair of brackets with no bracket in it is passed whole,
# unless a slash may follow (or white space beyond ASCII and then one): the kind of pair decides about that.
_PLAIN = rb"[^\"'`/(){}]++"
_NO_SLASH = rb"(?!\s*+[/\x80-\xff])"
_PAIR = (
    rb"\((?>" + _PLAIN + rb"|" + STRING + rb")*+\)" + _NO_SLASH
    + rb"|\{(?>" + _PLAIN + rb"|" + STRING + rb")*+\}" + _NO_SLASH
)  # fmt: skip
_CODE = re.compile(rb"(?>" + _PLAIN + rb"|" + STRING + rb"|" + _PAIR + rb")*+")
_HTML_PLAIN = rb"(?:[^\"'`/(){}<\-]++|<(?!!--)|-(?!->))"
_HTML_CODE = re.compile(rb"(?>" + _HTML_PLAIN + rb"|" + STRING + rb")*+")
_REST_OF_LINE = re.compile(_LINE)
_ANY_STRING = re.compile(rb"\"" + _DOUBLE + rb"\"?+|'" + _SINGLE + rb"'?+")
_TEMPLATE_PART = re.compile(_TEMPLATE_CHARACTERS)
# Section 12.9.5. The "v" flag changes nothing here: a class ends at the first "]".
_REGEX = re.compile(rb"/(?>[^/\\\[\r\n]++|\\[^\r\n]|\[(?>[^\]\\\r\n]++|\\[^\r\n])*+\])++/[\w$]*+")

_PAREN, _PAREN_END, _BRACE, _BRACE_END = b"(){}"
_SLASH, _BACKTICK, _LESS, _MINUS = b"/`<-"


class Walk:
    """A walk through the code of one file, forward only."""

    def __init__(self, body: bytes, html_comments: bool | None = None) -> None:
        """``html_comments`` makes comments of ``<!--`` and ``-->`` as in scripts (ECMA-262 section B.1.1).

        With ``None`` they are none, and whether that matters is in `in_doubt`.
        """
        self.at = 0
        """What is before has been walked."""
        self.past = Past(body)
        """What was in it."""
        self.body = body
        self._slashes = Slashes(body, self.past)
        self.in_doubt = False
        """Whether something was met that is a comment in a script, but not in a module."""
        # What could be of that kind further on, the next one last; not looked for before it is needed.
        self._doubts: list[int] | None = None if html_comments is None else []
        self._code = _HTML_CODE if html_comments else _CODE
        # Up to here no regular expression closes.
        self._no_regex = 0
        start = 3 if body.startswith(b"\xef\xbb\xbf") else 0
        if body.startswith(b"#!", start):
            self.at = self.past.comment(start, self._line_end(start))

    def reach(self, goal: int) -> bool:
        """Walk on to ``goal``, if that is not before `at`; whether it is in code."""
        if self._doubts is None:
            self._doubts = _html_comments(self.body)
        doubts = self._doubts
        while doubts and doubts[-1] < goal:
            doubt = doubts.pop()
            if self._reach(doubt) and self._is_html_comment(doubt):
                self.in_doubt = True
                doubts.clear()
        return self._reach(goal)

    def _reach(self, goal: int) -> bool:
        if goal < self.at:
            return False
        body, code, past = self.body, self._code, self.past
        at = self.at
        while True:
            match = code.match(body, at, goal)
            assert match is not None  # it matches nothing, too
            at = match.end()
            if at >= goal:
                break
            byte = body[at]
            if byte in (_PAREN, _BRACE):
                past.open.append(at)
                at += 1
            elif byte == _PAREN_END:
                past.close_paren(at)
                at += 1
            elif byte == _BRACE_END:
                at = self._template(at + 1) if past.close_brace(at) else at + 1
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

    def _line_end(self, at: int) -> int:
        match = _REST_OF_LINE.match(self.body, at)
        return match.end() if match else at

    def _slash(self, at: int) -> int:
        """Read on from a slash: over a comment, a regular expression, or itself alone."""
        body = self.body
        following = body[at + 1 : at + 2]
        if following == b"/":
            return self.past.comment(at, self._line_end(at))
        if following == b"*":
            end = body.find(b"*/", at + 2)
            return self.past.comment(at, end + 2 if end >= 0 else len(body))
        if at < self._no_regex or self._slashes.divides(at):
            return at + 1
        regex = _REGEX.match(body, at)
        if regex is None:
            # This is no JavaScript, or we misread it. Taken for a division the rest of the line has its best chance;
            # not to try again on this line keeps the whole linear.
            self._no_regex = self._line_end(at)
            return at + 1
        return self.past.regex(at, regex.end())

    def _template(self, at: int) -> int:
        """Read on inside a template: to its end, or into the code of a substitution."""
        match = _TEMPLATE_PART.match(self.body, at)
        end = match.end() if match else at
        if self.body.startswith(b"${", end):
            self.past.open.append(end)
            return end + 2
        return end + 1

    def _html_comment(self, at: int) -> int:
        """Read on from ``<!--`` or ``-->``."""
        return self.past.comment(at, self._line_end(at)) if self._is_html_comment(at) else at + 3

    def _is_html_comment(self, at: int) -> bool:
        """Whether ``<!--`` or ``-->`` in code begins a comment: the latter only if code has not begun on its line."""
        return self.body[at] == _LESS or self.past.begins_line(self.past.before(at), at)


def _html_comments(body: bytes) -> list[int]:
    """Where ``<!--`` and ``-->`` are, from last to first."""
    return sorted(
        (match.start() for sign in (b"<!--", b"-->") if sign in body for match in re.finditer(sign, body)), reverse=True
    )
