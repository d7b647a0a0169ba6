"""Bodies that are read piece by piece, as `Part` has them: what the stores that give parts have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..errors import NoAnswer, Replaced

CHUNK = 1 << 20


def pieces(body: bytes) -> Iterator[bytes]:
    """``body`` in chunks."""
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]


class Pieces(Iterator[bytes]):
    """The bytes of ``key`` from ``start`` to ``stop``; ``read(at, size)`` gives up to ``size`` of them from ``at`` on.

    ``close`` is called once: behind the last byte, after an error, or when nobody reads on.
    """

    def __init__(
        self, key: str, start: int, stop: int, read: Callable[[int, int], bytes], close: Callable[[], object]
    ) -> None:
        self._key, self._at, self._stop, self._read = key, start, stop, read
        self._close: Callable[[], object] | None = close
        if start >= stop:
            self.close()

    def __next__(self) -> bytes:
        if self._close is None:
            raise StopIteration
        try:
            chunk = self._read(self._at, min(CHUNK, self._stop - self._at))
        except BaseException:
            self.close()
            raise
        self._at += len(chunk)
        if not chunk or self._at >= self._stop:
            self.close()
        if not chunk:
            raise Replaced(self._key)  # there were more bytes when it was opened
        return chunk

    def close(self) -> None:
        """Read no more."""
        close, self._close = self._close, None
        if close is not None:
            close()

    def __del__(self) -> None:
        self.close()


def resumed(
    stream: Iterator[bytes], start: int, stop: int, again: Callable[[int], Iterator[bytes]], broken: NoAnswer,
    retries: int = 0,
) -> Iterator[bytes]:  # fmt: skip
    """The bytes from ``start`` to ``stop`` that a ``stream`` gives in larger or smaller pieces, as chunks.

    Where it breaks off (`NoAnswer`, or an end before ``stop``) it is asked for ``again`` from there on. That is given
    up, with what it broke off with, else ``broken``, where nothing at all has come more often than ``retries`` in
    succession.
    """
    at = begun = start
    left = retries
    while at < stop:
        error = broken
        try:
            body = next(stream, b"")
        except NoAnswer as told:
            body, error = b"", told
        if body:
            at += len(body)
            yield from pieces(body)
        else:
            left = retries if at > begun else left - 1
            if left < 0:
                raise error
            begun = at
            stream = again(at)
