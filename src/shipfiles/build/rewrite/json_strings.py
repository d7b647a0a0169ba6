"""The strings of a JSON text with their places, by RFC 8259."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

Path = tuple[str | int, ...]

_BLANK = rb"[ \t\n\r]*+"
# Section 7.
_STRING = rb"\"(?P<string>(?>[^\"\\\x00-\x1f]++|\\(?>[\"\\/bfnrt]|u[0-9a-fA-F]{4}))*+)\""
# Sections 2, 3 and 6.
_TOKEN = re.compile(
    _BLANK + rb"(?>(?P<object>\{)|(?P<array>\[)|(?P<object_end>\})|(?P<array_end>\])|(?P<colon>:)|(?P<comma>,)"
    + rb"|" + _STRING + rb"|(?P<other>true|false|null|-?+(?>0|[1-9][0-9]*+)(?>\.[0-9]++)?+(?>[eE][+\-]?+[0-9]++)?+))"
)  # fmt: skip
# What is expected and what comes → what is expected then. After a comma in an array it is a value.
_NEXT = {
    (expected, what): following
    for expected in ("value", "first value")
    for what, following in (("object", "first key"), ("array", "first value"), ("string", "after"), ("other", "after"))
} | {
    ("first value", "array_end"): "after",
    ("first key", "object_end"): "after",
    ("first key", "string"): "colon",
    ("key", "string"): "colon",
    ("colon", "colon"): "value",
    ("after", "comma"): "key",
    ("after", "array_end"): "after",
    ("after", "object_end"): "after",
}
_BLANKS = re.compile(_BLANK)
_BOM = b"\xef\xbb\xbf"


class JsonString(NamedTuple):
    """One string: ``body[start:end]``, without quotes."""

    path: Path
    """The names and positions that lead to the value; for a key, the path of its value."""
    start: int
    end: int
    is_key: bool
    text: str
    """The string with its escapes undone."""


def strings(body: bytes, depth: int) -> list[JsonString]:
    """The strings of ``body`` that at most ``depth`` objects and arrays are around; none if ``body`` is not JSON.

    In the order of the bytes, in one pass. A byte order mark is passed over (section 8.1).
    """
    found, fault = _read(body, depth)
    return found if fault < 0 else []


def fault_in(body: bytes) -> int:
    """Where ``body`` ceases to be JSON: the offset of the first token that cannot stand there; negative if it is JSON.

    Where something is missing at the end, that is the end.
    """
    return _read(body, 0)[1]


def _read(body: bytes, depth: int) -> tuple[list[JsonString], int]:
    """The strings that `strings` gives, as far as ``body`` is JSON, and what `fault_in` gives."""
    found: list[JsonString] = []
    # One entry for each open object (its last key) and array (its position).
    open_: list[str | int] = []
    at = len(_BOM) if body.startswith(_BOM) else 0
    expected = "value"
    while expected != "after" or open_:
        token = _TOKEN.match(body, at)
        what = str(token.lastgroup) if token else ""
        following = _NEXT.get((expected, what))
        if token is None or following is None:
            return found, _blank_end(body, at)
        if what in ("object", "array"):
            open_.append("" if what == "object" else 0)
        elif what in ("object_end", "array_end"):
            if isinstance(open_.pop(), str) != (what == "object_end"):
                return found, _blank_end(body, at)
        elif what == "comma":
            last = open_[-1]
            if isinstance(last, int):
                open_[-1] = last + 1
                following = "value"
        elif what == "string" and len(open_) <= depth:
            text, is_key = _text(token["string"]), following == "colon"
            if is_key:
                open_[-1] = text
            found.append(JsonString(tuple(open_), *token.span("string"), is_key, text))
        at = token.end()
        expected = following
    at = _blank_end(body, at)
    return found, at if at < len(body) else -1


def _blank_end(body: bytes, at: int) -> int:
    """Where the white space at ``at`` ends."""
    blank = _BLANKS.match(body, at)
    return blank.end() if blank else at


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    if "\\" not in text:
        return text
    unescaped: str = json.loads(f'"{text}"')
    # A half of a surrogate pair alone is U+FFFD in a URL.
    return unescaped.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
