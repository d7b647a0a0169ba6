"""Content codings made ahead of time: which files get them, and when a result is worth keeping."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ...config import CompressConfig
from ...media_types import is_compressible
from ...paths import split_name


class Compressor(Protocol):
    """One content coding (RFC 9110 section 8.4.1). The same body must always give the same bytes."""

    token: str
    """The coding's name in Content-Encoding: ``br``."""
    settings: str
    """All that its output depends on beside the body: variants made with other settings are made again."""

    def compress(self, body: bytes) -> bytes:
        """``body`` under this coding."""
        ...

    def decompress(self, encoded: bytes) -> bytes:
        """What ``encoded`` was made from. Raises ``ValueError`` if it is not of this coding."""
        ...


def compressors(config: CompressConfig) -> tuple[Compressor, ...]:
    """The compressors that ``config`` asks for, in its order."""
    made: list[Compressor] = []
    for token in config.codings:
        if token == "br":
            from .brotli import Brotli

            made.append(Brotli(config.brotli_quality))
        else:
            from .gzip import Gzip

            made.append(Gzip(config.gzip_level))
    return tuple(made)


def settings_of(config: CompressConfig) -> str:
    """All that decides which variants exist and what their bytes are, as a line of text."""
    parts = [c.settings for c in compressors(config)]
    parts += [f"min={config.min_size}", f"max={config.max_size}", f"margin={config.margin}"]
    if config.skip_extensions:
        parts.append("skip=" + ",".join(sorted(_extensions(config))))
    return " ".join(parts)


def is_wanted(config: CompressConfig, logical: str, media_type: str, size: int) -> bool:
    """Whether the file is worth trying: its type shrinks, and its size is within the limits."""
    return (
        bool(config.codings)
        and config.min_size <= size <= config.max_size
        and is_compressible(media_type)
        and split_name(logical)[1].casefold() not in _extensions(config)
    )


def is_kept(config: CompressConfig, size: int, compressed: int) -> bool:
    """Whether a variant of ``compressed`` bytes of a file of ``size`` bytes saves enough to be kept."""
    return compressed < size * (1 - config.margin)


def _extensions(config: CompressConfig) -> Sequence[str]:
    return ["." + e.removeprefix(".").casefold() for e in config.skip_extensions]
