"""What a variant decodes to, piece by piece, however much that is."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, Protocol

from .errors import ConfigError
from .zstd import zstd_module

# Brotli before 1.2 gives all that its input makes at once: little goes in at a time.
_BITE = 16 * 1024
_MOUTHFUL = 1 << 20


class Decoder(Protocol):
    """Decodes one body. Raises ``ValueError`` for bytes that are not of its coding."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What more the body decodes to with ``chunk``."""
        ...

    def close(self) -> None:
        """Raise ``ValueError`` unless the body has come to its end."""
        ...


def decoder_of(coding: str) -> Decoder | None:
    """A decoder of a content coding; ``None`` for one that is not known here, or that this Python cannot decode."""
    if coding == "br":
        return _Brotli()
    if coding == "gzip":
        return _Gzip()
    return _zstd() if coding == "zstd" else None


def decoded(chunks: Iterable[bytes], coding: str) -> Iterator[bytes]:
    """What ``chunks`` decode to. Raises ``ValueError`` where they do not, and for a ``coding`` without a decoder."""
    decoder = decoder_of(coding)
    if decoder is None:
        raise ValueError(f"this Python cannot decode {coding}" + (_ZSTD if coding == "zstd" else ""))
    for chunk in chunks:
        yield from decoder.feed(chunk)
    decoder.close()


_ZSTD = ": run pip install 'shipfiles[zstd]'"


class _Gzip:
    """RFC 1952, of one member: more than one no encoder of ours writes."""

    def __init__(self) -> None:
        self._state = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        try:
            while chunk:
                yield self._state.decompress(chunk, _MOUTHFUL)
                chunk = self._state.unconsumed_tail
        except zlib.error as error:
            raise ValueError(str(error)) from None
        if self._state.unused_data:
            raise ValueError("there is more behind its end")

    def close(self) -> None:
        if not self._state.eof:
            raise ValueError("it is cut off")


class _Brotli:
    """RFC 7932."""

    def __init__(self) -> None:
        # Not with this module: a web process has seldom anything to decode.
        brotli = import_module("brotli")
        self._error: type[Exception] = brotli.error
        self._state = brotli.Decompressor()
        self._limit = {"output_buffer_limit": _MOUTHFUL} if hasattr(self._state, "can_accept_more_data") else {}

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        try:
            for start in range(0, len(chunk), _BITE):
                yield self._state.process(chunk[start : start + _BITE], **self._limit)
                while self._limit and not self._state.can_accept_more_data() and not self._state.is_finished():
                    yield self._state.process(b"", **self._limit)
        except self._error:
            raise ValueError("it is no brotli stream, or there is more behind its end") from None

    def close(self) -> None:
        if not self._state.is_finished():
            raise ValueError("it is cut off")


def _zstd() -> Decoder | None:
    try:
        return _Zstd(zstd_module())
    except ConfigError:
        return None


class _Zstd:
    """RFC 8878, of one frame."""

    def __init__(self, zstd: Any) -> None:
        self._error = zstd.ZstdError
        # RFC 9659 section 3: no window of this content coding is larger than 8 MB.
        self._state = zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: 23})

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        try:
            while chunk or not (self._state.needs_input or self._state.eof):
                yield self._state.decompress(chunk, _MOUTHFUL)
                chunk = b""
        except (self._error, EOFError):
            raise ValueError("it is no zstd frame, or there is more behind its end") from None
        if self._state.unused_data:
            raise ValueError("there is more behind its end")

    def close(self) -> None:
        if not self._state.eof:
            raise ValueError("it is cut off")
