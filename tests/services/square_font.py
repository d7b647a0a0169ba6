"""A font in which the letter A is the whole square of its line: where it is drawn, every pixel has its colour."""

from __future__ import annotations

import struct

EM, TOP, BOTTOM = 1000, 800, -200


def square_font() -> bytes:
    """The font as TrueType (OpenType specification 1.9; the names below are those of its tables and their fields)."""
    corners = ((0, BOTTOM), (0, EM), (EM, 0), (0, -EM))  # each from the one before, clockwise
    glyph = (
        struct.pack(">hhhhh", 1, 0, BOTTOM, EM, TOP) + struct.pack(">HH", len(corners) - 1, 0) + b"\1" * len(corners)
        + b"".join(struct.pack(">h", x) for x, _ in corners) + b"".join(struct.pack(">h", y) for _, y in corners)
        + b"\0\0"
    )  # fmt: skip
    name = "Square".encode("utf-16-be")
    named = b"".join(struct.pack(">HHHHHH", 3, 1, 0x409, number, len(name), 0) for number in (1, 2, 4, 6))
    # Format 4: one segment for "A", which is glyph 1, and the one that ends them.
    cmap = struct.pack(">16H", 4, 32, 0, 4, 4, 1, 0, 65, 0xFFFF, 0, 65, 0xFFFF, (1 - 65) & 0xFFFF, 1, 0, 0)
    tables = {
        b"OS/2": struct.pack(">HhHHH", 0, EM, 400, 5, 0) + struct.pack(">10h", *[100] * 10) + struct.pack(">h", 0)
        + bytes(10) + struct.pack(">4I", 1, 0, 0, 0) + b"NONE" + struct.pack(">HHH", 64, 65, 65)
        + struct.pack(">hhhHH", TOP, BOTTOM, 0, TOP, -BOTTOM),
        b"cmap": struct.pack(">HHHHI", 0, 1, 3, 1, 12) + cmap,
        b"glyf": glyph * 2,
        b"head": struct.pack(">HHIIIHHqq", 1, 0, 0x10000, 0, 0x5F0F3CF5, 3, EM, 0, 0)
        + struct.pack(">hhhhHHhhh", 0, BOTTOM, EM, TOP, 0, 8, 2, 1, 0),
        b"hhea": struct.pack(">HHhhhH", 1, 0, TOP, BOTTOM, 0, EM) + struct.pack(">11hH", 0, 0, EM, 1, *[0] * 7, 2),
        b"hmtx": struct.pack(">HhHh", EM, 0, EM, 0),
        b"loca": struct.pack(">III", 0, len(glyph), 2 * len(glyph)),
        b"maxp": struct.pack(">I14H", 0x10000, 2, len(corners), 1, 0, 0, 1, *[0] * 8),
        b"name": struct.pack(">HHH", 0, 4, 6 + len(named)) + named + name,
        b"post": struct.pack(">IihhIIIII", 0x30000, 0, -100, 50, 0, 0, 0, 0, 0),
    }  # fmt: skip
    head, body = struct.pack(">IHHHH", 0x10000, len(tables), 128, 3, len(tables) * 16 - 128), b""
    for tag, table in tables.items():
        padded = table + bytes(-len(table) % 4)
        checksum = sum(struct.unpack(f">{len(padded) // 4}I", padded)) & 0xFFFFFFFF
        head += tag + struct.pack(">III", checksum, 12 + 16 * len(tables) + len(body), len(table))
        body += padded
    return head + body
