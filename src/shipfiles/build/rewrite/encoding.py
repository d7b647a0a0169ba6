"""The character encoding of a file, where it is not UTF-8.

Rewriters read UTF-8. A file that says that it is in another encoding is read as what it says, and the spans that were
found are mapped back to its own bytes, so that an edit changes nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from ...model import Reference
from .encoding_labels import REPLACEMENT, codec_of

# A byte order mark counts more than all else (Encoding Standard, "BOM sniff"). JSON is UTF-8 always: RFC 8259 s. 8.1.
_UTF_16: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}
_BOM: Final = b"\xef\xbb\xbf"
_NEVER_UTF_16 = ("json", "manifest")
# CSS Syntax 3 section 3.2; HTML Standard, "prescan a byte stream"; XML 1.0 section 4.3.3.
_CHARSET_RULE = re.compile(rb'@charset "([^"]{1,1000}+)";')
_META = re.compile(
    rb"<meta[ \t\n\r\f/][^>]{0,500}?charset[ \t\n\r\f]*+=[ \t\n\r\f]*+[\"']?+([^\"'>; \t\n\r\f]++)", re.IGNORECASE
)
_DECLARATION = re.compile(rb"<\?xml[ \t\n\r][^>]{0,200}?encoding[ \t\n\r]*+=[ \t\n\r]*+[\"']([A-Za-z][\w.\-]*+)[\"']")
_META_WITHIN = 1024
# What is all ASCII bytes and still another text (Encoding Standard sections 12.2 and 14.1).
_ASCII_BYTES: Final = frozenset({"iso2022-jp", REPLACEMENT})


@dataclass(frozen=True, slots=True)
class Text:
    """A file as a rewriter reads it."""

    utf8: bytes
    codec: str = ""
    """Python's name of the file's encoding; empty if it is read as UTF-8."""
    skipped: int = 0
    """Bytes of the byte order mark, which ``utf8`` lacks."""
    fault: str = ""
    """What is wrong with the file's encoding, for people."""
    fault_at: int = -1
    """The offset of the first byte that is wrong, in the file; negative if the whole file is meant."""
    readable: bool = True
    """Whether references may be looked for in ``utf8``; else that is empty."""

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
    label = "" if body.startswith(_BOM) else _declared(body, media_type)
    codec = codec_of(label)
    if body.isascii() and codec not in _ASCII_BYTES:
        return Text(body)
    if codec == REPLACEMENT:
        return _unread("", f"browsers refuse to read its encoding '{label}'; published as it is")
    if label and not codec:
        return Text(body, fault=f"its encoding '{label}' is not known; read as UTF-8")
    if codec not in ("", "utf-8"):
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
        return _unread(codec, f"cannot be read as {codec} from here on; published as it is", skipped + error.start)
    except (UnicodeError, LookupError):
        # Such errors name no place; and a Python may have been built without some codecs.
        return _unread("", f"cannot be read as {codec}; published as it is")
    try:
        is_usual = text.encode(codec) == body[skipped:]
        utf8 = text.encode()
    except UnicodeError:
        is_usual = False
    if not is_usual:
        # Spans could not be mapped back: some encodings have two ways to write one character.
        return _unread(codec, f"not written in the usual form of {codec}; published as it is")
    return Text(utf8, codec, skipped)


def _unread(codec: str, fault: str, fault_at: int = -1) -> Text:
    return Text(b"", codec, fault=fault, fault_at=fault_at, readable=False)


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
    return found[1].decode("latin-1") if found else ""
