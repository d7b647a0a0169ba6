"""The character encoding of a file, where it is not UTF-8.

Rewriters read UTF-8. A file that says that it is in another encoding is read as what it says, and the spans that were
found are mapped back to its own bytes, so that an edit changes nothing else.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ...model import Reference

# A byte order mark counts more than all else (Encoding Standard, "BOM sniff"). JSON is UTF-8 always: RFC 8259 s. 8.1.
_UTF_16: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_NEVER_UTF_16 = ("json", "manifest")
# CSS Syntax 3 section 3.2; HTML Standard, "prescan a byte stream"; XML 1.0 section 4.3.3.
_CHARSET_RULE = re.compile(rb'@charset "([^"]{1,1000}+)";')
_META = re.compile(
    rb"<meta[ \t\n\r\f/][^>]{0,500}?charset[ \t\n\r\f]*+=[ \t\n\r\f]*+[\"']?+([^\"'>; \t\n\r\f]++)", re.IGNORECASE
)
_DECLARATION = re.compile(rb"<\?xml[ \t\n\r][^>]{0,200}?encoding[ \t\n\r]*+=[ \t\n\r]*+[\"']([A-Za-z][\w.\-]*+)[\"']")
_META_WITHIN = 1024
# What the web means by a label where Python means another encoding (Encoding Standard section 4.2).
_WEB: Final = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "iso8859-11": "cp874", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Text:
    """A file as a rewriter reads it."""

    utf8: bytes
    codec: str = ""
    """Python's name of the file's encoding; empty if ``utf8`` is the file's own bytes."""
    skipped: int = 0
    """Bytes of the byte order mark, which ``utf8`` lacks."""
    fault: str = ""
    """What is wrong with the file's encoding, for people."""
    fault_at: int = -1
    """The offset of the first byte that is wrong, in the file; negative if the whole file is meant."""
    readable: bool = True
    """Whether references may be looked for."""

    def own_spans(self, found: Iterable[Reference]) -> Iterator[Reference]:
        """The references ``found`` in ``utf8``, in order, with their spans in the file's own bytes."""
        if not self.codec:
            yield from found
            return
        done, at = 0, self.skipped
        for reference in found:
            start = at + self._length(done, reference.start)
            at = start + self._length(reference.start, reference.end)
            done = reference.end
            yield replace(reference, start=start, end=at)

    def _length(self, start: int, end: int) -> int:
        return len(self.utf8[start:end].decode().encode(self.codec))


def text_of(body: bytes, media_type: str) -> Text:
    """``body`` as a rewriter of files of this ``media_type`` reads it.

    Bytes that are not UTF-8 though nothing else is declared stay as they are: for a browser they are replacement
    characters, and what is ASCII around them is as good as ever.
    """
    if (codec := _UTF_16.get(body[:2])) and not media_type.endswith(_NEVER_UTF_16):
        return _decoded(body, codec, 2)
    if body.isascii():
        return Text(body)
    label = _declared(body, media_type)
    if label:
        codec = _codec(label)
        if not codec:
            return Text(body, fault=f"its encoding '{label}' is not known; read as UTF-8")
        if codec != "utf-8":
            return _decoded(body, codec, 0)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return Text(body, fault="not UTF-8 from here on; browsers show U+FFFD instead", fault_at=error.start)
    return Text(body)


def _decoded(body: bytes, codec: str, skipped: int) -> Text:
    try:
        text = body[skipped:].decode(codec)
    except UnicodeDecodeError as error:
        at = skipped + error.start
        return Text(
            body, fault=f"cannot be read as {codec} from here on; published as it is", fault_at=at, readable=False
        )
    if text.encode(codec) != body[skipped:]:
        # Spans could not be mapped back: some encodings have two ways to write one character.
        return Text(body, fault=f"not written in the usual form of {codec}; published as it is", readable=False)
    return Text(text.encode(), codec, skipped)


def _declared(body: bytes, media_type: str) -> str:
    """The label of the encoding that the file itself names; empty if it names none."""
    if media_type == "text/css":
        found = _CHARSET_RULE.match(body)
    elif media_type == "text/html":
        found = _META.search(body, 0, _META_WITHIN)
    elif media_type.endswith("xml"):
        found = _DECLARATION.match(body)
    else:
        return ""
    return found[1].decode("latin-1").strip() if found else ""


def _codec(label: str) -> str:
    """Python's name of the encoding that the web calls ``label``; empty if there is none."""
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ""
    if name.startswith("utf-16"):
        # Nothing that can be read as ASCII is UTF-16: both standards say UTF-8 instead.
        return "utf-8"
    return _WEB.get(name, name)
