"""What HTML and XML share for those who look for references: tags, attributes, and text with its way back to the bytes.

The tokenizers are in `html_tags` and `xml_tags`. They give start tags only, each with the byte span of its attributes;
comments, declarations and text are passed over. What an element means is not known here.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from html.entities import html5
from typing import Literal, NamedTuple, Protocol

Space = Literal["html", "svg", "math", ""]
"""The namespace that an element's name belongs to; empty for any other."""


class Attribute(NamedTuple):
    """An attribute with a value: ``body[start:end]``, without quotes."""

    name: str
    """In lower case in HTML. In XML as it stands, but that XLink's prefix is always ``xlink``."""
    start: int
    end: int


class Piece(NamedTuple):
    """A part of an element's text: ``body[start:end]``."""

    start: int
    end: int
    escaped: bool
    """Whether character references have a meaning in it."""


class Tag(NamedTuple):
    """A start tag."""

    name: str
    """In lower case in HTML. In XML as it stands, without prefix."""
    space: Space
    start: int
    end: int
    """``body[start:end]`` holds the attributes."""
    pieces: tuple[Piece, ...] = ()
    """The text of a ``script`` or ``style`` element, up to the first tag in it."""


class Markup(Protocol):
    """The tags of one document."""

    def tags(self) -> Iterator[Tag]:
        """All start tags in order, as far as the document can be read."""
        ...

    def attributes(self, tag: Tag) -> list[Attribute]:
        """The attributes of ``tag`` that have a value; of those with the same name the first."""
        ...

    def character(self, reference: str, following: str, in_attribute: bool) -> str | None:
        """What the character ``reference`` (``&lt;``) stands for, or ``None`` if it is but text."""
        ...

    def has_entity(self, start: int, end: int) -> bool:
        """Whether ``body[start:end]``, where references have a meaning, has one whose text only a parser knows."""
        ...


_REFERENCE = re.compile(rb"&(?>#[0-9]++;?+|#[xX][0-9a-fA-F]++;?+|[A-Za-z][A-Za-z0-9]*+;?+)")


class Decoded:
    """Text with its character references undone, that knows where in the body each part of it stands."""

    def __init__(
        self,
        body: bytes,
        pieces: Sequence[Piece],
        character: Callable[[str, str, bool], str | None],
        in_attribute: bool = False,
    ) -> None:
        # Three lists, one entry for each run of bytes that stand in the body as they are, and for each reference.
        self._at: list[int] = []
        self._from: list[tuple[int, int, bool]] = []
        self._pieces: list[Piece] = []
        parts: list[bytes] = []
        at = 0
        for piece in pieces:
            for start, end, meant in _runs(body, piece, character, in_attribute):
                part = body[start:end] if meant is None else meant.encode("utf-8", "replace")
                if part:
                    self._at.append(at)
                    self._from.append((start, end, meant is None))
                    self._pieces.append(piece)
                    parts.append(part)
                    at += len(part)
        self.text = b"".join(parts)

    def span(self, start: int, end: int) -> tuple[int, int, bool] | None:
        """Where ``text[start:end]``, which is not empty, stands in the body, and whether it is escaped there.

        ``None`` if markup interrupts it: what stands in its place could not be written in one go.
        """
        first, last = bisect_right(self._at, start) - 1, bisect_left(self._at, end) - 1
        if self._pieces[first] != self._pieces[last]:
            return None
        begin, _, plain = self._from[first]
        if plain:
            begin += start - self._at[first]
        before, stop, plain = self._from[last]
        if plain:
            stop = before + end - self._at[last]
        return begin, stop, self._pieces[first].escaped


def _runs(
    body: bytes, piece: Piece, character: Callable[[str, str, bool], str | None], in_attribute: bool
) -> Iterable[tuple[int, int, str | None]]:
    """The spans of ``piece`` that are text as they stand (``None``) or stand for a text."""
    start, end, escaped = piece
    if escaped and body.find(b"&", start, end) >= 0:
        for match in _REFERENCE.finditer(body, start, end):
            following = body[match.end() : min(match.end() + 1, end)].decode("latin-1")
            meant = character(match[0].decode("ascii"), following, in_attribute)
            if meant is not None:
                yield start, match.start(), None
                yield match.start(), match.end(), meant
                start = match.end()
    yield start, end, None


def numeric(reference: str, windows: bool) -> str:
    """What ``&#65;`` or ``&#x41;`` stands for, by "numeric character reference end state", HTML Standard 13.2.5.80.

    ``windows`` says whether C1 controls mean the characters of windows-1252: in HTML, not in XML.
    """
    digits = reference[2:].rstrip(";")
    is_hex = digits[:1] in ("x", "X")
    digits = digits.lstrip("xX").lstrip("0")
    # More digits than a character can have; Python would take its time for a million of them.
    code = int(digits or "0", 16 if is_hex else 10) if len(digits) <= 7 else 0
    if not 0 < code < 0x110000 or 0xD800 <= code < 0xE000:
        return "\ufffd"
    if windows and 0x80 <= code < 0xA0:
        return bytes([code]).decode("cp1252", "ignore") or chr(code)
    return chr(code)


def named(reference: str, following: str, in_attribute: bool) -> str | None:
    """What ``&lt;`` or ``&lt`` stands for, by "named character reference state", HTML Standard 13.2.5.73."""
    if meant := html5.get(reference[1:]):
        # The ambiguous ampersand: "?a=b&copy=c" in an attribute is no copyright sign.
        return None if in_attribute and reference[-1] != ";" and following == "=" else meant
    if in_attribute:
        return None
    text = html.unescape(reference)
    return None if text == reference else text
