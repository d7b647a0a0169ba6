"""Bodies that come from a store while they are sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from ..http.headers import Header
from .opened import MESSAGE, Span, cut_short


class Stream:
    """``size`` bytes that ``chunks`` have. Its owner must `close` it; an end before that is an error.

    The bytes are handed on in pieces of at most `MESSAGE`, of one chunk at a time: so much is held, and no more.
    """

    __slots__ = ("_at", "_chunk", "_chunks", "left", "size")

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks = chunks
        self._chunk = b""
        self._at = 0
        self.size = self.left = size

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next bytes. Raises ``OSError`` if there are fewer than was announced, and what the store raises."""
        if self.left <= 0:
            raise StopIteration
        self.fetch()
        return self.piece()

    @property
    def is_at_hand(self) -> bool:
        """Whether `piece` has bytes without a question to the store."""
        return self._at < len(self._chunk)

    def fetch(self) -> None:
        """Wait for the store until `is_at_hand`; raises as ``next`` does."""
        while not self.is_at_hand:
            self._chunk, self._at = b"", 0
            chunk = next(self._chunks, None)
            if chunk is None:
                raise cut_short()
            self._chunk = chunk

    def piece(self) -> bytes:
        """Bytes that are at hand."""
        stop = min(self._at + MESSAGE, self._at + self.left)
        piece = self._chunk[self._at : stop]
        self._at += len(piece)
        self.left -= len(piece)
        return piece

    def close(self) -> None:
        """Let the store go. May be called again, and raises nothing."""
        self._chunk, self.left = b"", 0
        close_chunks(self._chunks)


def close_chunks(chunks: Iterator[bytes]) -> None:
    """Say that nobody reads on. Raises nothing: a connection that is broken already is as good as closed."""
    close: Callable[[], object] | None = getattr(chunks, "close", None)
    if close is not None:
        with suppress(Exception):
            close()


class Delivery(NamedTuple):
    """What to send, as `respond.Response`. If ``body`` is a `Span` or a `Stream`, the shell must close it whatever
    happens.
    """

    status: int
    headers: list[Header]
    body: bytes | Span | Stream | None
    """``None`` where there is none: HEAD, 304."""
