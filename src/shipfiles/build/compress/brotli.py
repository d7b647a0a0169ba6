"""The ``br`` content coding (RFC 7932), by Google's own encoder."""

from __future__ import annotations

import brotli

# WBITS of section 9.1 of the RFC: the window is 16 bytes less than this power of two. The smallest header is that of
# 16, and quality 9 sets up its tables twenty times as fast as for 22, the encoder's own choice; a window that does not
# hold the whole file costs bytes, and 24 is the largest that every decoder must take.
_WINDOWS = tuple((bits, (1 << bits) - 16) for bits in (16, 22, 24))


class Brotli:
    """Quality 0 to 11. The encoder lets other threads run."""

    token = "br"

    def __init__(self, quality: int) -> None:
        self._quality = quality
        self.settings = f"br={quality}/{brotli.__version__}/16,22,24"

    def compress(self, body: bytes) -> bytes:
        """``body`` as a brotli stream."""
        window = next((bits for bits, size in _WINDOWS if len(body) <= size), _WINDOWS[-1][0])
        return bytes(brotli.compress(body, quality=self._quality, lgwin=window))

    def decompress(self, encoded: bytes) -> bytes:
        """What ``encoded`` was made from. Raises ``ValueError``."""
        try:
            return bytes(brotli.decompress(encoded))
        except brotli.error as error:
            raise ValueError(str(error)) from error
