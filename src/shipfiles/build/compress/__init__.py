"""Content codings made ahead of time: which files get them, by which quality, and when a result is worth keeping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from ...config import Coding, CompressConfig, Profile
from ...media_types import is_compressible, is_packed
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


@dataclass(frozen=True, slots=True)
class _Qualities:
    """What a profile stands for; docs/guide.md names them for people."""

    brotli: int
    brotli_tiny: int
    """Below `_TINY` bytes."""
    brotli_spare: int
    """Of a spare file of `_LARGE_SPARE` bytes or more."""
    gzip: int
    zstd: int


_PROFILES: dict[Profile, _Qualities] = {
    "small": _Qualities(brotli=11, brotli_tiny=11, brotli_spare=10, gzip=9, zstd=19),
    "fast": _Qualities(brotli=10, brotli_tiny=9, brotli_spare=10, gzip=6, zstd=12),
}
_TINY = 1_000
_LARGE_SPARE = 50_000


def compressors(config: CompressConfig, size: int, *, spare: bool = False) -> tuple[Compressor, ...]:
    """The compressors that ``config`` asks for, in its order, for a body of ``size`` bytes.

    ``spare`` says that the body is the plain copy of a file that was rewritten: pages load the rewritten one.
    Raises `ConfigError` for zstd if this Python has no encoder.
    """

    def compressor(token: Coding) -> Compressor:
        if token == "br":
            return _brotli(_brotli_quality(config, size, spare=spare))
        return _gzip(_gzip_level(config)) if token == "gzip" else _zstd(_zstd_level(config))

    return tuple(map(compressor, config.codings))


def _brotli_quality(config: CompressConfig, size: int, *, spare: bool) -> int:
    if config.brotli_quality is not None:
        return config.brotli_quality
    qualities = _PROFILES[config.profile]
    if size < _TINY:
        return qualities.brotli_tiny
    return qualities.brotli_spare if spare and size >= _LARGE_SPARE else qualities.brotli


def _gzip_level(config: CompressConfig) -> int:
    return _PROFILES[config.profile].gzip if config.gzip_level is None else config.gzip_level


def _zstd_level(config: CompressConfig) -> int:
    return _PROFILES[config.profile].zstd if config.zstd_level is None else config.zstd_level


@lru_cache
def _brotli(quality: int) -> Compressor:
    from .brotli import Brotli

    return Brotli(quality)


@lru_cache
def _gzip(level: int) -> Compressor:
    from .gzip import Gzip

    return Gzip(level)


@lru_cache
def _zstd(level: int) -> Compressor:
    from .zstd import Zstd

    return Zstd(level)


def settings_of(config: CompressConfig) -> str:
    """All that decides which variants exist and what their bytes are, as a line of text."""
    # One size for each quality that a body may get.
    bodies = ((_LARGE_SPARE, False), (_LARGE_SPARE, True), (0, False))
    found = [c.settings for size, spare in bodies for c in compressors(config, size, spare=spare)]
    parts = [*dict.fromkeys(found), f"tiny={_TINY}", f"spare={_LARGE_SPARE}"]
    parts += [f"min={config.min_size}", f"max={config.max_size}", f"margin={config.margin}"]
    if config.skip_extensions:
        parts.append("skip=" + ",".join(sorted(_extensions(config.skip_extensions))))
    if config.always:
        parts.append("always=" + ",".join(sorted(_extensions(config.always))))
    return " ".join(parts)


def is_wanted(config: CompressConfig, logical: str, media_type: str, size: int) -> bool:
    """Whether the file is worth trying: its type shrinks, and its size is within the limits; or it is always to be."""
    return is_always(config, logical) or (
        bool(config.codings)
        and config.min_size <= size <= config.max_size
        and is_compressible(media_type)
        and not is_packed(logical)
        and split_name(logical)[1].casefold() not in _extensions(config.skip_extensions)
    )


def is_always(config: CompressConfig, logical: str) -> bool:
    """Whether the file has variants whatever its size, and however large they are."""
    return bool(config.always and config.codings) and split_name(logical)[1].casefold() in _extensions(config.always)


def is_kept(config: CompressConfig, size: int, compressed: int) -> bool:
    """Whether a variant of ``compressed`` bytes of a file of ``size`` bytes saves enough to be kept."""
    return compressed < size * (1 - config.margin)


def _extensions(given: Iterable[str]) -> Sequence[str]:
    return ["." + e.removeprefix(".").casefold() for e in given]
