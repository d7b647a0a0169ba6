"""Width and height of a picture, from its headers alone: nothing is unpacked, so no picture is too large to ask.

A second header that says otherwise is what decoders go by, some of them; so all are looked for.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

# Segments of a JPEG before its frame; with more it is no photograph.
_MOST_SEGMENTS = 1000
# Blocks of a GIF, frames among them, and how many within a frame may be smaller than that in the mean.
_MOST_BLOCKS = 10_000
_MOST_SMALL = 1000
_LEAST_BLOCK = 64
_READ = 1 << 12
# ITU T.81 table B.1: start of frame; C4, C8 and CC are others. And markers without a length.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))


def dimensions(file: BinaryIO) -> tuple[int, int] | None:
    """Width and height in pixels of a PNG, JPEG, GIF, WebP or BMP; ``None`` if ``file`` is none of these or damaged.

    Reads some hundred bytes, of a GIF all. ``file`` can seek.
    """
    file.seek(0)
    head = file.read(40)
    try:
        if head.startswith(b"\xff\xd8\xff"):
            found = _jpeg(file)
        elif head.startswith(b"\x89PNG\r\n\x1a\n"):
            found = _png(file)
        elif head.startswith((b"GIF87a", b"GIF89a")):
            found = _gif(file)
        else:
            found = _of_head(head)
    except struct.error:
        # It ends too early.
        return None
    return found if found and min(found) > 0 else None


def _of_head(head: bytes) -> tuple[int, int] | None:
    if head.startswith(b"BM"):
        if head[14:18] == b"\x0c\0\0\0":  # BITMAPCOREHEADER
            return _pair("<2H", head, 18)
        width, height = _pair("<2l", head, 18)
        return width, abs(height)  # below zero if its first line is at the top
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return _webp(head)
    return None


def _png(file: BinaryIO) -> tuple[int, int] | None:
    """PNG sections 5.3 and 11.2.1: one header, and that first."""
    file.seek(8)
    found = None
    for _ in range(_MOST_SEGMENTS):
        start = file.read(8)
        if found and (len(start) < 8 or start[4:] in (b"IDAT", b"IEND")):
            return found
        length, kind = struct.unpack(">L4s", start)
        if (kind == b"IHDR") != (found is None):
            return None
        if found is None:
            if length != 13:
                return None
            found = _pair(">2L", file.read(8), 0)
            length -= 8
        file.seek(length + 4, 1)
    return None


def _gif(file: BinaryIO) -> tuple[int, int] | None:
    """GIF89a sections 18 to 27: whatever is larger, the screen or a picture on it, which some decoders widen it for."""
    file.seek(6)
    width, height, flags = struct.unpack("<2HBxx", file.read(7))
    file.seek(_table(flags), 1)
    for _ in range(_MOST_BLOCKS):
        kind = file.read(1)
        if kind in (b"", b";"):
            return width, height
        if kind == b"\0":  # some have one too many
            continue
        if kind == b",":
            left, top, wide, high, flags = struct.unpack("<4HB", file.read(9))
            width, height = max(width, left + wide), max(height, top + high)
            file.seek(_table(flags), 1)
        elif kind != b"!":
            return None
        file.seek(1, 1)  # the size of a code, or the kind of an extension
        if not _skipped(file):
            return None
    return None


def _table(flags: int) -> int:
    """GIF89a sections 19 and 21: how many bytes a table of colours has."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _skipped(file: BinaryIO) -> bool:
    """GIF89a section 15: pass over blocks of up to 255 bytes, the last of which has none; whether they are so."""
    start, count = file.tell(), 0
    buffered, at = file.read(_READ), 0
    while buffered:
        if at >= len(buffered):
            at -= len(buffered)
            buffered = file.read(_READ)
            continue
        length, count = buffered[at], count + 1
        at += length + 1
        if not length:
            file.seek(at - len(buffered), 1)
            return True
        # Encoders fill them: so many small ones only take time.
        if count > _MOST_SMALL and file.tell() - start < _LEAST_BLOCK * count:
            return False
    return True


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
    """ITU T.81 sections B.1.1 and B.2.2: one frame, before the first scan."""
    file.seek(2)
    found = None
    for _ in range(_MOST_SEGMENTS):
        start = file.read(1)
        if start != b"\xff":
            return None if start else found
        marker = file.read(1)
        while marker == b"\xff":  # fill bytes
            marker = file.read(1)
        if not marker:
            return found
        if marker[0] in _BARE:
            continue
        if marker[0] in (0xD9, 0xDA) and found:  # end of image, start of scan
            return found
        (length,) = struct.unpack(">H", file.read(2))
        if length < 2 or marker[0] == 0xDA:
            return None
        if marker[0] in _FRAMES:
            if found or length < 7:
                return None
            height, width = _pair(">x2H", file.read(5), 0)
            found = width, height
            length -= 5
        file.seek(length - 2, 1)
    return None


def _pair(form: str, head: bytes, at: int) -> tuple[int, int]:
    first, second = struct.unpack_from(form, head, at)
    return first, second
