"""The ``gzip`` content coding (RFC 1952), by zlib."""

from __future__ import annotations

import struct
import zlib

# ID1 ID2, CM = deflate, FLG = 0 (no name), MTIME = 0, XFL = 2 (slowest), OS = 255 (unknown): section 2.3 of the RFC.
# zlib's own header would name the operating system, and the same input shall give the same bytes on any of them.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"


class Gzip:
    """Level 1 to 9. The encoder lets other threads run."""

    token = "gzip"

    def __init__(self, level: int) -> None:
        self._level = level
        self.settings = f"gzip={level}/{zlib.ZLIB_RUNTIME_VERSION}"

    def compress(self, body: bytes) -> bytes:
        """``body`` as one gzip member."""
        deflate = zlib.compressobj(self._level, zlib.DEFLATED, -zlib.MAX_WBITS)
        trailer = struct.pack("<LL", zlib.crc32(body), len(body) & 0xFFFFFFFF)
        return b"".join((_HEADER, deflate.compress(body), deflate.flush(), trailer))

    def decompress(self, encoded: bytes) -> bytes:
        """What ``encoded`` was made from. Raises ``ValueError``."""
        try:
            return zlib.decompress(encoded, wbits=16 + zlib.MAX_WBITS)
        except zlib.error as error:
            raise ValueError(str(error)) from error
