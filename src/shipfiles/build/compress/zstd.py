"""The ``zstd`` content coding (RFC 8878), by Facebook's own encoder."""

from __future__ import annotations

from ...zstd import zstd_module

# RFC 9659 section 3: in this content coding no window is larger than 8 MB, and browsers refuse what needs a larger one.
# Levels from 20 on would take one for such a body; to smaller ones the encoder fits the window by itself.
_WINDOW_LOG = 23
_WINDOW = 1 << _WINDOW_LOG


class Zstd:
    """Level 1 to 22. The encoder lets other threads run. Raises `ConfigError` if there is no encoder."""

    token = "zstd"

    def __init__(self, level: int) -> None:
        self._zstd = zstd_module()
        self._level = level
        self.settings = f"zstd={level}/{self._zstd.zstd_version}/{_WINDOW_LOG}"

    def compress(self, body: bytes) -> bytes:
        """``body`` as one frame, with its size and without a checksum: the digest of the variant is one."""
        parameter = self._zstd.CompressionParameter
        options = {parameter.compression_level: self._level}
        if len(body) > _WINDOW:
            options[parameter.window_log] = _WINDOW_LOG
        return bytes(self._zstd.compress(body, options=options))

    def decompress(self, encoded: bytes) -> bytes:
        """What ``encoded`` was made from. Raises ``ValueError``."""
        try:
            return bytes(self._zstd.decompress(encoded))
        except self._zstd.ZstdError as error:
            raise ValueError(str(error)) from error
