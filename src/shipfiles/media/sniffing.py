"""What the first bytes of a file say of its type: the signatures of the MIME Sniffing standard.

Only what begins as a browser looks for it is told; there is no guess beyond its tables.
"""

from __future__ import annotations

import re

LONGEST = 1445
"""So many first bytes are looked at: section 5.2, "resource header"."""

# Section 7.1: white space, then one of these in any case, then a byte that ends the tag; a comment needs none.
_HTML = re.compile(
    rb"[\t\n\f\r ]*+<(?:(?:!DOCTYPE HTML|HTML|HEAD|SCRIPT|IFRAME|H1|DIV|FONT|TABLE|A|STYLE|TITLE|B|BODY|BR|P)[ >]|!--)",
    re.IGNORECASE,
)
_XML = re.compile(rb"[\t\n\f\r ]*+<\?xml")

# Sections 6.1 (images), 6.2 (sound and film), 6.3 (fonts), 6.4 (archives): bytes, media type. RIFF and FORM have four
# bytes of a length behind them.
_BEGINNINGS = (
    (b"%PDF-", "application/pdf"),
    (b"\0\0\1\0", "image/x-icon"),
    (b"\0\0\2\0", "image/x-icon"),
    (b"BM", "image/bmp"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"ID3", "audio/mpeg"),
    (b"OggS\0", "application/ogg"),
    (b"MThd\0\0\0\6", "audio/midi"),
    (b"\x1f\x8b\x08", "application/x-gzip"),
    (b"PK\3\4", "application/zip"),
    (b"Rar \x1a\7\0", "application/x-rar-compressed"),
    (b"\0\1\0\0", "font/ttf"),
    (b"OTTO", "font/otf"),
    (b"ttcf", "font/collection"),
    (b"wOFF", "font/woff"),
    (b"wOF2", "font/woff2"),
)
_CHUNKS = {
    (b"RIFF", b"WEBPVP"): "image/webp",
    (b"FORM", b"AIFF"): "audio/aiff",
    (b"RIFF", b"AVI "): "video/avi",
    (b"RIFF", b"WAVE"): "audio/wave",
}

# What the standard calls otherwise than our table of extensions.
_SAME = {
    "application/x-gzip": "application/gzip",
    "application/x-rar-compressed": "application/vnd.rar",
    "audio/wave": "audio/wav",
    "video/avi": "video/x-msvideo",
    "image/apng": "image/png",
    "image/vnd.microsoft.icon": "image/x-icon",
}
# Whatever has one of these types begins as the tables say. Others may begin otherwise (MP3 without tags), or have no
# signature there (AVIF, TIFF).
_MUST_BEGIN = frozenset({
    "image/x-icon", "image/bmp", "image/gif", "image/webp", "image/png", "image/jpeg", "font/woff", "font/woff2",
    "application/pdf",
})  # fmt: skip
_MARKUP = frozenset({"text/html", "text/xml"})
# Section 3, "binary data byte".
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
# Where readers of PDF look for its beginning: ISO 32000-1 annex H, implementation note 13.
_PDF_WITHIN = 1024


def sniffed(head: bytes) -> str:
    """The media type that the first bytes of a file show; empty if they show none."""
    head = head[:LONGEST]
    if _HTML.match(head):
        return "text/html"
    if _XML.match(head):
        return "text/xml"
    for beginning, found in _BEGINNINGS:
        if head.startswith(beginning):
            return found
    for (outer, inner), found in _CHUNKS.items():
        if head.startswith(outer) and head.startswith(inner, 8):
            return found
    if _is_mp4(head):
        return "video/mp4"
    if _is_webm(head):
        return "video/webm"
    if head[34:36] == b"LP":
        return "application/vnd.ms-fontobject"
    return ""


def agreed(media_type: str, head: bytes) -> str | None:
    """The type of a file that begins with ``head`` and has ``media_type`` by its name; ``None`` if they contradict.

    Pictures are known by their bytes: a PNG that is called ``.jpg`` is a picture all the same. A file whose name
    promises a picture, sound, film, font or PDF must not be something else, least of all markup. Text may be about
    anything, and types that no browser shows may be what they like.
    """
    found, own = sniffed(head), _SAME.get(media_type, media_type)
    found = _SAME.get(found, found)
    if found == own:
        return media_type
    kind = own.partition("/")[0]
    if own == "application/pdf":
        return media_type if not found and b"%PDF-" in head[:_PDF_WITHIN] else None
    if own != "image/svg+xml" and kind in ("image", "font"):
        if found.startswith(f"{kind}/"):
            return found
        return None if found or own in _MUST_BEGIN else media_type
    if kind in ("audio", "video"):
        return media_type if not found or found.startswith(("audio/", "video/", "application/ogg")) else None
    if kind == "text" or own.endswith(("xml", "json")):
        return None if found and found not in _MARKUP and _BINARY.search(head[:LONGEST]) else media_type
    return media_type


def _is_mp4(head: bytes) -> bool:
    """Section 6.2.1."""
    size = int.from_bytes(head[:4], "big")
    if len(head) < 12 or len(head) < size or size % 4 or head[4:8] != b"ftyp":
        return False
    return head[8:11] == b"mp4" or any(head[at : at + 3] == b"mp4" for at in range(16, size, 4))


def _is_webm(head: bytes) -> bool:
    """Section 6.2.2: the DocType (EBML 0x4282) among the first elements, padded with NULs at most."""
    if not head.startswith(b"\x1a\x45\xdf\xa3"):
        return False
    for at in range(4, min(len(head), 38)):
        if head[at : at + 2] == b"\x42\x82" and at + 2 < len(head):
            # The length is a number whose first set bit says how many bytes it has: RFC 8794 section 4.
            size = max(1, 9 - head[at + 2].bit_length())
            return head[at + 2 + size :].lstrip(b"\0").startswith(b"webm")
    return False
