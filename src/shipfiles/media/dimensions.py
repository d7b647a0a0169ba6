"""Width and height of a picture, from its header alone: nothing is unpacked, so no picture is too large to ask."""

from __future__ import annotations

import struct
from typing import BinaryIO

# Segments of a JPEG before its frame; with more it is no photograph.
_MOST_SEGMENTS = 1000
# ITU T.81 table B.1: start of frame; C4, C8 and CC are others. And markers without a length.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))


def dimensions(file: BinaryIO) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF, WebP or BMP; ``None`` if ``file`` is none of these or damaged.

    Reads some hundred bytes. ``file`` can seek.
    """
    file.seek(0)
    head = file.read(40)
    try:
        found = _jpeg(file) if head.startswith(b"\xff\xd8\xff") else _of_head(head)
    except struct.error:
        # It ends too early.
        return None
    return found if found and min(found) > 0 else None


def _of_head(head: bytes) -> tuple[int, int] | None:
    if head.startswith(b"\x89PNG\r\n\x1a\n") and head[12:16] == b"IHDR":  # PNG section 11.2.1
        return _pair(">2L", head, 16)
    if head.startswith((b"GIF87a", b"GIF89a")):  # GIF89a section 18
        return _pair("<2H", head, 6)
    if head.startswith(b"BM"):
        if head[14:18] == b"\x0c\0\0\0":  # BITMAPCOREHEADER
            return _pair("<2H", head, 18)
        width, height = _pair("<2l", head, 18)
        return width, abs(height)  # below zero if its first line is at the top
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head)
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    """RFC 9649 sections 2.5 to 2.7."""
    kind = head[12:16]
    if kind == b"VP8 " and head[23:26] == b"\x9d\x01\x2a":
        width, height = _pair("<2H", head, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L" and head[20:21] == b"\x2f":
        (bits,) = struct.unpack_from("<L", head, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        size = head[24:30]
        if len(size) == 6:
            return int.from_bytes(size[:3], "little") + 1, int.from_bytes(size[3:], "little") + 1
    return None


def _jpeg(file: BinaryIO) -> tuple[int, int] | None:
    """ITU T.81 sections B.1.1 and B.2.2."""
    file.seek(2)
    for _ in range(_MOST_SEGMENTS):
        if file.read(1) != b"\xff":
            return None
        marker = file.read(1)
        while marker == b"\xff":  # fill bytes
            marker = file.read(1)
        if not marker:
            return None
        if marker[0] in _BARE:
            continue
        (length,) = struct.unpack(">H", file.read(2))
        if marker[0] in _FRAMES:
            height, width = _pair(">x2H", file.read(5), 0)
            return width, height
        if length < 2 or marker[0] == 0xDA:
            return None
        file.seek(length - 2, 1)
    return None


def _pair(form: str, head: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, head, at)
    return first, second
