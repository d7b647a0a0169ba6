"""Tokens and component values of style sheets: CSS Syntax Level 3, as far as it takes to find URLs.

All patterns are linear in what they read, and none reads a stretch of a file more than a few times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# White space and names as section 4.2 has them; a byte above 0x7F is part of a letter, a NUL has become U+FFFD.
SPACE: Final = rb"[ \t\n\r\f]"
LETTER: Final = rb"[\w\-\x80-\xff\x00]"
ESCAPE: Final = rb"\\(?:[0-9a-fA-F]{1,6}+(?>\r\n|[ \t\n\r\f])?+|[^\n\r\f0-9a-fA-F]|\Z)"
NAME: Final = rb"(?>" + LETTER + rb"++|" + ESCAPE + rb")"
"""A piece of a name: a name is one or more of them."""
BEGINS_NAME: Final = rb"(?=--|-?+(?>[A-Za-z_\x80-\xff\x00]|" + ESCAPE + rb"))"
"""Would start an identifier (section 4.3.9)."""
COMMENT: Final = rb"/\*(?>[^*]++|\*(?!/))*+\*/"
# In a string, an escaped newline or end of the file is nothing; a newline after the digits of an escape belongs to it.
_STRING_ESCAPE = rb"\\(?:[0-9a-fA-F]{1,6}+(?>\r\n|[ \t\n\r\f])?+|\r\n|[\s\S])"
_DOUBLE = rb"(?>[^\"\\\n\r\f]++|" + _STRING_ESCAPE + rb")*+"
_SINGLE = rb"(?>[^'\\\n\r\f]++|" + _STRING_ESCAPE + rb")*+"

# From one place in code to the next that needs a look. It never runs past the place it is asked to reach.
_CODE = re.compile(rb"(?>[^\"'/\\]++|\"" + _DOUBLE + rb"\"|'" + _SINGLE + rb"'|/(?!\*)|\\[\s\S])*+")
# A string to its end, or without one: then to the newline or the end of the file (section 4.3.5).
_ANY_STRING = re.compile(rb"\"" + _DOUBLE + rb"\"?+|'" + _SINGLE + rb"'?+")
_QUOTED = re.compile(rb"\"(?P<double>" + _DOUBLE + rb")(?:\"|\\?\Z)|'(?P<single>" + _SINGLE + rb")(?:'|\\?\Z)")
_BLANK = re.compile(rb"(?>" + SPACE + rb"++|" + COMMENT + rb")*+")
_SPACES = re.compile(SPACE + rb"*+")
# Section 4.3.6, "consume a url token", and section 4.3.14, "consume the remnants of a bad url".
_UNQUOTED = re.compile(SPACE + rb"*+((?>[^\"'()\\\x01-\x20\x7f]++|" + ESCAPE + rb")*+)" + SPACE + rb"*+(?:\)|\Z)")
_BAD_URL = re.compile(rb"(?>[^)\\]++|\\[\s\S]?+)*+\)?+")
# What follows the string in url("..."): the end, be it in a comment that is never closed, or a modifier, which is an
# identifier or a function (CSS Values 4 section 4.5.4).
_AFTER_STRING = re.compile(rb"\)|\Z|/\*|(?!-->)" + BEGINS_NAME)
# One component value, or an end of one, as far as it takes to find URLs among them (section 5.4.7).
_PART = re.compile(
    rb"(?P<blank>" + SPACE + rb"++|" + COMMENT + rb")|(?P<string>[\"'])"
    rb"|(?P<name>[#@]?+" + NAME + rb"++)(?P<call>\()?+"
    rb"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<unclosed>/\*[\s\S]*+)|(?P<other><!--|[\s\S])"
)

_ESCAPED = re.compile(r"\\(?:([0-9a-fA-F]{1,6})(?:\r\n|[ \t\n\r\f])?|(\r\n|[\n\r\f])|([\s\S])|\Z)")
_CLOSING: Final = {b"(": b")", b"[": b"]", b"{": b"}"}
URLS: Final = frozenset({b"url", b"src"})


def walk(body: bytes, at: int, goal: int) -> int:
    """Walk through code from ``at``; ``goal`` if that is code, else the first place after the comment or string."""
    while True:
        match = _CODE.match(body, at, goal)
        assert match is not None  # it matches nothing, too
        at = match.end()
        if at >= goal:
            return at
        byte = body[at]
        if byte == 0x2F:
            end = body.find(b"*/", at + 2)
            at = end + 2 if end >= 0 else len(body)
        elif byte == 0x5C:
            at += 2
        else:
            at = end_of(_ANY_STRING, body, at)
        if at >= goal:
            return at


def is_token(body: bytes, name: bytes, at: int) -> bool:
    """Whether a name and the parenthesis before ``at`` begin a url token, rather than a function (section 4.3.4)."""
    first = end_of(_SPACES, body, at)
    return name == b"url" and body[first : first + 1] not in (b'"', b"'")


def url_token(body: bytes, at: int) -> tuple[tuple[int, int] | None, int]:
    """Where the URL of the token is that was begun before ``at``, unless it is a bad one; and where the token ends."""
    token = _UNQUOTED.match(body, at)
    return (token.span(1), token.end()) if token else (None, end_of(_BAD_URL, body, at))


def argument(body: bytes, at: int) -> tuple[int, int] | None:
    """Where the URL is of the function ``url()`` or ``src()`` that was begun before ``at``, if it is a string."""
    string = _QUOTED.match(body, end_of(_BLANK, body, at))
    if string and _AFTER_STRING.match(body, end_of(_BLANK, body, string.end())):
        return _inside(string)
    return None


class Component(NamedTuple):
    """A component value (section 5.4.7), or the bracket at an end of one."""

    what: str
    """``string`` or ``url``, whose span is that of its text; ``open`` or ``close``; ``stray`` for a bracket that closes
    nothing. The string within ``url()`` comes after the URL and a bracket deeper."""
    start: int
    end: int
    depth: int
    """How many brackets are open around it."""
    after: int
    """Where the next one may begin."""


def components(body: bytes, at: int, closing: list[bytes]) -> Iterator[Component]:
    """Component values from ``at`` on, without blanks and comments; ``closing`` says which brackets are open."""
    while part := _PART.match(body, at):
        start, at = part.span()
        what = str(part.lastgroup)
        depth = len(closing)
        span: tuple[int, int] | None = (start, at)
        if what == "blank":
            continue
        if what == "string":
            string = _QUOTED.match(body, start)
            span, at = (_inside(string), string.end()) if string else (None, end_of(_ANY_STRING, body, start))
        elif what == "call":
            name = name_of(part["name"])
            if is_token(body, name, at):
                span, at = url_token(body, at)
            else:
                span = argument(body, at) if name in URLS else None
                closing.append(b")")
            what = "url"
        elif what == "open":
            closing.append(_CLOSING[part[0]])
        elif what == "close":
            if closing and part[0] == closing[-1]:
                closing.pop()
                depth -= 1
            else:
                what = "stray"
        yield Component(what, *span, depth, at) if span else Component("other", start, at, depth, at)


def name_of(raw: bytes) -> bytes:
    """A name with escapes undone and ASCII letters in lower case."""
    return text_of(raw).encode().lower() if b"\\" in raw else raw.lower()


def text_of(raw: bytes) -> str:
    """What ``raw`` means once escapes are undone (section 4.3.7). Bytes that are not UTF-8 become U+FFFD."""
    text = raw.decode("utf-8", "replace").replace("\0", "\ufffd")
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _unescaped(match: re.Match[str]) -> str:
    digits, newline, other = match.groups()
    if digits:
        code = int(digits, 16)
        return chr(code) if 0 < code < 0xD800 or 0xDFFF < code < 0x110000 else "\ufffd"
    return "" if newline else other or "\ufffd"


def _inside(string: re.Match[bytes]) -> tuple[int, int]:
    return string.span("double" if string["double"] is not None else "single")


def end_of(pattern: re.Pattern[bytes], body: bytes, at: int) -> int:
    """Where ``pattern``, which matches anywhere at least nothing, ends its match at ``at``."""
    match = pattern.match(body, at)
    return match.end() if match else at
