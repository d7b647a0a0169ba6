"""The tags of an HTML document, by the tokenizer of the HTML Standard (13.2.5) and what it needs of the tree (13.2.6).

As a page without scripting is read: the content of ``noscript`` is markup. Nothing is an error, every input is HTML.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Final

from .markup import Attribute, Piece, Space, Tag, named, numeric

_S = rb"[\t\n\f\r ]"
# 13.2.5.6 to .8: what "<" can begin.
_OPEN = re.compile(rb"<(?>(?P<comment>!--)|(?P<bogus>[!?])|(?P<close>/)?(?P<name>[A-Za-z][^\t\n\f\r />]*+)|(?P<end>/))")
_COMMENT_END = re.compile(rb"--!?+>")
_SHORT_COMMENT = re.compile(rb"-?+>")

# 13.2.5.32 to .40. A quote that is never closed takes the rest of the file, and the tag with it.
_NAME = rb"(?>=[^\t\n\f\r />=]*+|[^\t\n\f\r />=]++)"
_IS = _S + rb"*+=" + _S + rb"*+"
_ATTRIBUTES = re.compile(
    rb"(?>[\t\n\f\r /]++|" + _NAME + rb"(?>" + _IS
    + rb"(?>\"[^\"]*+(?>\"|\Z)|'[^']*+(?>'|\Z)|[^\t\n\f\r >\"'][^\t\n\f\r >]*+|(?=>)))?+)*+"
)  # fmt: skip
_ATTRIBUTE = re.compile(
    rb"(?P<name>" + _NAME + rb")(?>" + _IS
    + rb"(?>\"(?P<double>[^\"]*+)\"|'(?P<single>[^']*+)'|(?P<bare>[^\t\n\f\r >\"'][^\t\n\f\r >]*+)|(?=>)|\Z))?+"
)  # fmt: skip

# Elements whose content is no markup, 13.2.6.4.4 and .7.
_WITH_TEXT: Final = frozenset({"script", "style"})
_RAW: Final = _WITH_TEXT | {"textarea", "title", "xmp", "iframe", "noembed", "noframes", "plaintext"}
_OF_SCRIPT = re.compile(rb"<!--|-->|<(?P<close>/)?[sS][cC][rR][iI][pP][tT](?=[\t\n\f\r />])")

# 13.2.6.5: where foreign elements begin, where HTML begins again in them, and what HTML elements end them.
_FOREIGN: Final[dict[str, Space]] = {"svg": "svg", "math": "math"}
_INTEGRATION: Final = frozenset({"foreignobject", "desc", "title"})
_BREAKOUT: Final = frozenset({
    "b", "big", "blockquote", "body", "br", "center", "code", "dd", "div", "dl", "dt", "em", "embed", "h1", "h2", "h3",
    "h4", "h5", "h6", "head", "hr", "i", "img", "li", "listing", "menu", "meta", "nobr", "ol", "p", "pre", "ruby", "s",
    "small", "span", "strong", "strike", "sub", "sup", "table", "tt", "u", "ul", "var",
})  # fmt: skip


class HtmlMarkup:
    """A document as an HTML parser reads it."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        # The open elements that decide in which namespace the next one is, and how many there are of each name.
        self._stack: list[str] = []
        self._open_of: Counter[str] = Counter()

    def tags(self) -> Iterator[Tag]:
        """All start tags in order."""
        body = self._body
        at = 0
        while match := _OPEN.search(body, at):
            at = match.end()
            if match["name"] is None:
                at = self._after_other(match)
                if at < 0:
                    return
                continue
            inside = _ATTRIBUTES.match(body, at)
            end = inside.end() if inside else at
            if end >= len(body):
                return  # 13.2.5: at the end of the file in a tag, the tag is dropped
            name = match["name"].decode("utf-8", "replace").lower()
            if match["close"]:
                self._close(name)
                at = end + 1
                continue
            tag, at = self._entered(Tag(name, self._space_for(name), at, end))
            yield tag

    def attributes(self, tag: Tag) -> list[Attribute]:
        """The attributes of ``tag`` that have a value; of those with the same name the first."""
        found: list[Attribute] = []
        seen: set[str] = set()
        for match in _ATTRIBUTE.finditer(self._body, tag.start, tag.end):
            name = match["name"].decode("utf-8", "replace").lower()
            if name not in seen:
                seen.add(name)
                kind = match.lastgroup
                if kind and kind != "name":
                    found.append(Attribute(name, *match.span(kind)))
        return found

    def character(self, reference: str, following: str, in_attribute: bool) -> str | None:
        """What the character ``reference`` (``&lt;``) stands for, or ``None`` if it is but text."""
        if reference[1] == "#":
            return numeric(reference, windows=True)
        return named(reference, following, in_attribute)

    def has_entity(self, start: int, end: int) -> bool:  # noqa: ARG002
        """Never: what names no character of HTML is but text."""
        return False

    def _entered(self, tag: Tag) -> tuple[Tag, int]:
        """The start ``tag`` with its text, and where to read on."""
        at, name = tag.end + 1, tag.name
        if tag.space == "html":
            if name in _FOREIGN:
                self._open(tag)
            elif name in _RAW:
                at = self._raw_end(name, at)
                if name in _WITH_TEXT:
                    tag = tag._replace(pieces=(Piece(tag.end + 1, at, False),))
        elif name in _WITH_TEXT:
            if not self._is_empty(tag):
                pieces, at = self._pieces(at)
                tag = tag._replace(pieces=pieces)
        elif name in _FOREIGN or name in _INTEGRATION:
            self._open(tag)
        return tag, at

    def _after_other(self, match: re.Match[bytes]) -> int:
        """Where a comment or declaration ends that ``match`` begins; negative if nothing follows it."""
        body, at = self._body, match.end()
        if match["comment"]:
            end = _SHORT_COMMENT.match(body, at) or _COMMENT_END.search(body, at)
            return end.end() if end else -1
        if body.startswith(b"<![CDATA[", match.start()) and self._space() != "html":
            end_of_text = body.find(b"]]>", at)
            return end_of_text + 3 if end_of_text >= 0 else -1
        return body.find(b">", at) + 1 or -1

    def _raw_end(self, name: str, at: int) -> int:
        """Where the content of a raw text element ends that begins at ``at``."""
        body = self._body
        if name == "plaintext":
            return len(body)
        if name == "script":
            return _script_end(body, at)
        match = _end_tag(name).search(body, at)
        return match.start() if match else len(body)

    def _pieces(self, at: int) -> tuple[tuple[Piece, ...], int]:
        """The text of a foreign element from ``at`` to its first tag, and where that is."""
        body = self._body
        pieces: list[Piece] = []
        start = at
        while match := _OPEN.search(body, at):
            at = match.end()
            if match["name"]:
                pieces.append(Piece(start, match.start(), True))
                return tuple(pieces), match.start()
            pieces.append(Piece(start, match.start(), True))
            at = self._after_other(match)
            if body.startswith(b"<![CDATA[", match.start()):
                pieces.append(Piece(match.start() + 9, at - 3 if at >= 0 else len(body), False))
            if at < 0:
                return tuple(pieces), len(body)
            start = at
        pieces.append(Piece(start, len(body), True))
        return tuple(pieces), len(body)

    def _space(self) -> Space:
        return _FOREIGN.get(self._stack[-1], "html") if self._stack else "html"

    def _space_for(self, name: str) -> Space:
        """The namespace of a start tag ``name`` that comes next."""
        if name in _BREAKOUT:
            while self._stack and self._stack[-1] in _FOREIGN:
                self._pop()
        return self._space()

    def _open(self, tag: Tag) -> None:
        if not self._is_empty(tag):
            self._stack.append(tag.name)
            self._open_of[tag.name] += 1

    def _close(self, name: str) -> None:
        # To look through the stack for each end tag would be quadratic where none of them is open.
        if self._open_of[name]:
            while self._pop() != name:
                pass

    def _pop(self) -> str:
        name = self._stack.pop()
        self._open_of[name] -= 1
        return name

    def _is_empty(self, tag: Tag) -> bool:
        """Whether a foreign ``tag`` ends itself with ``/>``."""
        if self._body[tag.end - 1 : tag.end] != b"/" or tag.start == tag.end:
            return False
        return all(attribute.end < tag.end for attribute in self.attributes(tag))


def _script_end(body: bytes, at: int) -> int:
    """Where a script ends that begins at ``at``: 13.2.5.15 to .31, script data and its escaped states."""
    escaped = double = False
    while match := _OF_SCRIPT.search(body, at):
        at = match.end()
        text = match[0]
        if text == b"<!--":
            if not escaped:
                # Its dashes may also be those of the end.
                escaped, at = True, at - 2
        elif text == b"-->":
            escaped = double = False
        elif not match["close"]:
            double = escaped
        elif double:
            double = False
        else:
            return match.start()
    return len(body)


@cache
def _end_tag(name: str) -> re.Pattern[bytes]:
    letters = "".join(f"[{letter}{letter.upper()}]" for letter in name)
    return re.compile(rf"</{letters}(?=[\t\n\f\r />])".encode())
