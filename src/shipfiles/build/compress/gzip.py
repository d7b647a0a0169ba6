"""The ``gzip`` content coding (RFC 1952), by libdeflate.

Not by the standard library's zlib: that is whichever the Python was built with (zlib, zlib-ng, Apple's or Microsoft's),
and each makes other bytes. The wheels of ``deflate`` bring their libdeflate along.
"""

from __future__ import annotations

import struct
import zlib

import deflate

# ID1 ID2, CM = deflate, FLG = 0 (no name), MTIME = 0 (none), XFL = 0, OS = 255 (unknown): section 2.3 of the RFC. An
# encoder's own header may name the operating system, and the same input shall give the same bytes on any of them.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Gzip:
    """Level 1 to 12. The encoder lets other threads run."""

    token = "gzip"

    def __init__(self, level: int) -> None:
        self._level = level
        self.settings = f"gzip={level}/libdeflate-{deflate.__version__}"

    def compress(self, body: bytes) -> bytes:
        """``body`` as one gzip member."""
        # Section 2.3.1: CRC32 and ISIZE, the length modulo 2^32.
        trailer = struct.pack("<LL", deflate.crc32(body), len(body) & 0xFFFFFFFF)
        return b"".join((_HEADER, deflate.deflate_compress(body, self._level), trailer))

    def decompress(self, encoded: bytes) -> bytes:
        """What ``encoded`` was made from. Raises ``ValueError``."""
        try:
            return zlib.decompress(encoded, wbits=16 + zlib.MAX_WBITS)
        except zlib.error as error:
            raise ValueError(str(error)) from error
