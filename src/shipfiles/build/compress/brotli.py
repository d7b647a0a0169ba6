"""The ``br`` content coding (RFC 7932), by Google's own encoder."""

from __future__ import annotations

import brotli


class Brotli:
    """Quality 0 to 11. The encoder lets other threads run."""

    token = "br"

    def __init__(self, quality: int) -> None:
        self._quality = quality
        self.settings = f"br={quality}/{brotli.__version__}"

    def compress(self, body: bytes) -> bytes:
        """``body`` as a brotli stream."""
        return bytes(brotli.compress(body, quality=self._quality))

    def decompress(self, encoded: bytes) -> bytes:
        """What ``encoded`` was made from. Raises ``ValueError``."""
        try:
            return bytes(brotli.decompress(encoded))
        except brotli.error as error:
            raise ValueError(str(error)) from error
