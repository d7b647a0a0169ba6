"""The tags of an XML document, by XML 1.0 (https://www.w3.org/TR/xml/) and Namespaces in XML 1.0.

Reading ends where the document is not well-formed (XML 1.0 section 1.2, "fatal error"), as in a browser. Entities that
the document declares are not expanded: `XmlMarkup.has_entity` says where there are any. A namespace is known for the
document as a whole, whichever element declares it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .markup import Attribute, Piece, Space, Tag, numeric

_S = rb"[ \t\r\n]"
_NAME = rb"[A-Za-z_:\x80-\xff][\w\-.:\x80-\xff]*+"
_COMMENT = rb"<!--(?>[^-]++|-(?!->))*+-->"
_INSTRUCTION = rb"<\?(?>[^?]++|\?(?!>))*+\?>"
_STRING = rb"\"[^\"]*+\"|'[^']*+'"
# Section 2.8, productions 28 to 29.
_DOCTYPE = re.compile(
    rb"<!DOCTYPE(?>[^\"'\[>]++|" + _STRING + rb")*+"
    rb"(?>\[(?>[^\]\"'<]++|"
    + _STRING
    + rb"|"
    + _COMMENT
    + rb"|"
    + _INSTRUCTION
    + rb"|<(?!!--|\?))*+\]"
    + _S
    + rb"*+)?+>"
)
_CDATA = re.compile(rb"<!\[CDATA\[(?P<text>(?>[^\]]++|\](?!\]>))*+)\]\]>")
_PASSED = re.compile(_COMMENT + rb"|" + _CDATA.pattern + rb"|(?P<instruction>" + _INSTRUCTION + rb")")
# Section 3.1, productions 40 to 44.
_ATTRIBUTES = rb"(?>" + _S + rb"++" + _NAME + _S + rb"*+=" + _S + rb"*+(?>\"[^\"<]*+\"|'[^'<]*+'))*+" + _S + rb"*+"
_TAG = re.compile(rb"<(?>(?P<name>" + _NAME + rb")(?P<inside>" + _ATTRIBUTES + rb")(?P<empty>/)?|(?P<close>/)"
                  rb"(?P<closed>" + _NAME + rb")" + _S + rb"*+)>")  # fmt: skip
_ATTRIBUTE = re.compile(
    rb"(?P<name>" + _NAME + rb")" + _S + rb"*+=" + _S + rb"*+(?>\"(?P<double>[^\"<]*+)\"|'(?P<single>[^'<]*+)')"
)
_STYLESHEET = re.compile(rb"<\?xml-stylesheet(?=[ \t\r\n])")
_DECLARED = re.compile(rb"xmlns:(?P<prefix>[\w\-.\x80-\xff]++)" + _S + rb"*+=" + _S + rb"*+(?P<uri>" + _STRING + rb")")

_XLINK: Final = b"http://www.w3.org/1999/xlink"
_SPACES: Final[dict[bytes, Space]] = {
    b"http://www.w3.org/2000/svg": "svg",
    b"http://www.w3.org/1999/xhtml": "html",
    b"http://www.w3.org/1998/Math/MathML": "math",
}
# Section 4.1, production 68, less the five of section 4.6.
_ENTITY = re.compile(rb"&(?!(?:lt|gt|amp|quot|apos);)" + _NAME + rb";")
_PREDEFINED: Final = {"&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&apos;": "'"}
_INSIDE: Final[dict[str, Space]] = {"svg": "svg", "math": "math", "foreignObject": "html"}


class XmlMarkup:
    """A document as an XML parser reads it. ``space`` is the namespace of its root element."""

    def __init__(self, body: bytes, space: Space) -> None:
        self._body = body
        self._spaces: list[tuple[str, Space]] = [("", space)]
        self._bound: dict[bytes, Space] = {}
        self._links: set[bytes] = {b"xlink"}
        for match in _DECLARED.finditer(body) if b"xmlns:" in body else ():
            prefix, uri = match["prefix"], match["uri"][1:-1]
            # Some programs write a namespace as an entity that they declare; nearly always it is XLink's or SVG's.
            if uri == _XLINK or b"&" in uri:
                self._links.add(prefix)
            if uri in _SPACES:
                self._bound[prefix] = _SPACES[uri]

    def tags(self) -> Iterator[Tag]:
        """All start tags in order, and instructions with a style sheet, whose name begins with ``?``."""
        body = self._body
        at = 0
        while (at := body.find(b"<", at)) >= 0:
            match = _TAG.match(body, at)
            if match is None:
                passed = _PASSED.match(body, at) or _DOCTYPE.match(body, at)
                if passed is None:
                    return
                if found := _STYLESHEET.match(body, at):
                    yield Tag("?xml-stylesheet", "", found.end(), passed.end() - 2)
                at = passed.end()
                continue
            at = match.end()
            if match["close"]:
                self._close(match["closed"])
                continue
            tag = Tag(*self._named(match["name"]), *match.span("inside"))
            if not match["empty"]:
                if tag.name in _INSIDE:
                    self._spaces.append((match["name"].decode("utf-8", "replace"), _INSIDE[tag.name]))
                elif tag.name in ("script", "style"):
                    pieces, at = self._pieces(at)
                    tag = tag._replace(pieces=pieces)
            yield tag

    def attributes(self, tag: Tag) -> list[Attribute]:
        """The attributes of ``tag``; of those with the same name the first."""
        found: list[Attribute] = []
        seen: set[str] = set()
        for match in _ATTRIBUTE.finditer(self._body, tag.start, tag.end):
            prefix, colon, local = match["name"].partition(b":")
            if colon and prefix in self._links:
                prefix = b"xlink"
            name = (prefix + colon + local).decode("utf-8", "replace")
            if name not in seen:
                seen.add(name)
                found.append(Attribute(name, *match.span("double" if match["double"] is not None else "single")))
        return found

    def character(self, reference: str, following: str, in_attribute: bool) -> str | None:  # noqa: ARG002
        """What the character ``reference`` (``&lt;``) stands for, or ``None`` if it is but text."""
        if reference[1] != "#":
            return _PREDEFINED.get(reference)
        return numeric(reference, windows=False) if reference[-1] == ";" and reference[2] != "X" else None

    def has_entity(self, start: int, end: int) -> bool:
        """Whether ``body[start:end]`` refers to an entity that only the document type declares (section 4.1)."""
        return _ENTITY.search(self._body, start, end) is not None

    def _named(self, name: bytes) -> tuple[str, Space]:
        """The local name of an element and its namespace."""
        prefix, colon, local = name.partition(b":")
        space = self._bound.get(prefix, "") if colon else self._spaces[-1][1]
        text = (local if colon else name).decode("utf-8", "replace")
        return text, "svg" if text == "svg" and not colon else space

    def _close(self, name: bytes) -> None:
        # End tags match their start tags, or the document is not well-formed.
        if len(self._spaces) > 1 and name.decode("utf-8", "replace") == self._spaces[-1][0]:
            self._spaces.pop()

    def _pieces(self, at: int) -> tuple[tuple[Piece, ...], int]:
        """The text of an element from ``at`` to its first tag, and where that is."""
        body = self._body
        pieces: list[Piece] = []
        while (end := body.find(b"<", at)) >= 0:
            pieces.append(Piece(at, end, True))
            passed = _PASSED.match(body, end)
            if passed is None:
                return tuple(pieces), end
            if passed["text"] is not None:
                pieces.append(Piece(*passed.span("text"), False))
            at = passed.end()
        return tuple(pieces), len(body)
