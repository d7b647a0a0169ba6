"""Files of a media storage, open: read in parts as they are needed, or written as a whole when they are closed."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from django.core.files.base import File

from ..errors import KeyNotFound, Replaced, printable
from ..regular import READ_FLAGS, open_regular
from ..stores.store import Part, Parts, Store, Stored
from ..work import aside
from .media_bodies import missing
from .media_spool import Spool, checked_mode

ENCODING = "utf-8"
"""That of files that are opened as text."""
_BLOCK = 64 * 1024
_GROWTH = 8
_LARGEST = 4 << 20
_BLOCKS = 4
_ENDS = (StopIteration, StopAsyncIteration)
"""With these what was to be written has come to its end."""
_log = logging.getLogger("shipfiles")


def part_of(store: Store, key: str, start: int, stop: int | None, version: str = "") -> Part:
    """`Parts.read_part` of any store: of one that gives no parts, what is before ``start`` is read in vain."""
    if isinstance(store, Parts):
        return store.read_part(key, start, stop, version=version)
    stored = store.head(key)
    if stored is None:
        raise KeyNotFound(key)
    found = f"{stored.size} {stored.modified}"
    if version and version != found:
        raise Replaced(key)
    return Part(stored, found, _cut(store.read(key), start, stored.size if stop is None else stop))


def _cut(chunks: Iterator[bytes], start: int, stop: int) -> Iterator[bytes]:
    at = 0
    for chunk in chunks:
        if found := chunk[max(0, start - at) : max(0, stop - at)]:
            yield found
        at += len(chunk)
        if at >= stop:
            break


class Reader(io.RawIOBase):
    """The bytes under ``key`` in ``store``, of which what is needed is fetched.

    The first block comes with the question whether there is anything. Who reads on gets ever larger parts, up to one
    that goes to the end and is taken as it comes; who goes elsewhere gets the block around. All parts are of the same
    bytes: raises `Replaced` if others are there meanwhile. Raises `KeyNotFound` at once.
    """

    def __init__(self, store: Store, key: str) -> None:
        super().__init__()
        self._store = store
        self._key = key
        self._position = 0
        self._blocks: list[tuple[int, bytes]] = []
        """Where each begins, and its bytes; the last used one is the last."""
        self._coming: Iterator[bytes] = iter(())
        self._comes_at = 0
        """Where the next bytes of ``_coming`` belong."""
        self._comes_to = 0
        self._came_from = -1
        """Where the part began."""
        self._asked = _BLOCK
        part = part_of(store, key, 0, _BLOCK)
        self.stored: Stored = part.stored
        self._version = part.version
        first = b"".join(part.body)
        self._blocks.append((0, first))
        self._comes_at = self._comes_to = len(first)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.stored.size

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        self._check_open()
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._check_open()
        if whence == os.SEEK_CUR:
            offset += self._position
        elif whence == os.SEEK_END:
            offset += self.size
        elif whence != os.SEEK_SET:
            raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if offset < 0:
            raise ValueError(f"negative seek value {offset}")
        self._position = offset
        return offset

    def readinto(self, buffer: Any) -> int:
        self._check_open()
        view = memoryview(buffer).cast("B")
        if not view.nbytes or self._position >= self.size:
            return 0
        found = self._at(self._position)[: view.nbytes]
        view[: len(found)] = found
        self._position += len(found)
        return len(found)

    def close(self) -> None:
        if not self.closed:
            self._leave()
            self._blocks.clear()
        super().close()

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file.")

    def _at(self, position: int) -> memoryview:
        """What is held from ``position`` on, at least a byte of it; fetched if nothing is."""
        for number in range(len(self._blocks) - 1, -1, -1):
            start, block = self._blocks[number]
            if start <= position < start + len(block):
                self._blocks.append(self._blocks.pop(number))
                return memoryview(block)[position - start :]
        while True:
            if not self._comes_at <= position < self._comes_to:
                self._ask(position)
            start = self._comes_at
            chunk = next(self._coming, b"")
            if not chunk:
                # It broke off where it should not have; what is left is asked for again, if anything came.
                if start == self._came_from:
                    raise EOFError(f"{self._key}: less than its {self.size} bytes came")
                self._comes_to = start
                continue
            self._comes_at += len(chunk)
            self._keep(start, chunk)
            if position < self._comes_at:
                return memoryview(chunk)[position - start :]

    def _ask(self, position: int) -> None:
        """Begin a part with the byte at ``position`` in it."""
        self._leave()
        if position == self._comes_at:
            # Who has read to here reads on.
            self._asked *= _GROWTH
            start = position
            stop = self.size if self._asked > _LARGEST else min(self.size, start + self._asked)
        else:
            self._asked = _BLOCK
            start = position - position % _BLOCK
            # Not a few bytes that are gone with the next read.
            stop = min(self.size, start + _BLOCK * (2 if position % _BLOCK > _BLOCK // 2 else 1))
        try:
            part = part_of(self._store, self._key, start, stop, self._version)
        except KeyNotFound as error:
            raise missing(self._key) from error
        self._coming, self._comes_at, self._comes_to = iter(part.body), start, stop
        self._came_from = start
        if stop - start <= 2 * _BLOCK:
            # A block is wanted whole, and its connection by others.
            self._coming = iter((b"".join(self._coming),))

    def _keep(self, start: int, chunk: bytes) -> None:
        if len(chunk) > 2 * _BLOCK:
            self._blocks.clear()
        self._blocks.append((start, chunk))
        del self._blocks[:-_BLOCKS]

    def _leave(self) -> None:
        """Let go of the part that is coming."""
        if (close := getattr(self._coming, "close", None)) is not None:
            close()
        self._coming = iter(())


def opened_in_place(path: str, mode: str) -> io.FileIO:
    """The file at ``path``, open in the ``mode`` ``a``, ``a+`` or ``r+``: what is written is there at once.

    Raises ``OSError``, also if it is not there.
    """
    verb, both, _ = checked_mode(mode)
    flags = READ_FLAGS | (os.O_RDWR if both else os.O_WRONLY) | (os.O_APPEND if verb == "a" else 0)
    return open_regular(path, flags, f"{verb}{'+' * both}b")


def _buffered(behind: Reader | io.FileIO) -> io.BufferedReader | io.BufferedWriter | io.BufferedRandom:
    if not behind.writable():
        return io.BufferedReader(behind, _BLOCK)
    return io.BufferedRandom(behind) if behind.readable() else io.BufferedWriter(behind)


if TYPE_CHECKING:
    _File = File[Any]
else:
    _File = File


class MediaFile(_File):
    """A file of a storage; ``begin`` gives what is behind it in a mode."""

    def __init__(self, begin: Callable[[str], Reader | io.FileIO | Spool], name: str, mode: str) -> None:
        super().__init__(None, name)
        self._begin = begin
        self._start(mode)

    def _start(
        self, mode: str, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> None:
        self._behind = self._begin(mode)
        self.begun_during(sys.exception())
        self.file: Any = self._behind if isinstance(self._behind, Spool) else _buffered(self._behind)
        if checked_mode(mode)[2]:
            self.file = io.TextIOWrapper(self.file, encoding or ENCODING, errors, newline)
        self.mode = mode

    @property
    def size(self) -> int:
        """How many bytes there are."""
        if not self.closed and self._behind.writable():
            self.file.flush()
        if isinstance(self._behind, io.FileIO):
            return os.path.getsize(self.name or "") if self.closed else os.fstat(self._behind.fileno()).st_size
        return self._behind.size

    def open(
        self,
        mode: str | None = None,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Callable[[str, int], int] | None = None,
    ) -> Self:
        """Begin anew: at the beginning, if it is not closed; else with what is there now.

        ``buffering``, ``closefd`` and ``opener`` mean nothing here.
        """
        if self.closed:
            self._start(mode or self.mode, encoding, errors, newline)
        else:
            self.seek(0)
        return self

    def begun_during(self, error: BaseException | None) -> None:
        """Say which error was being handled when the file was opened: that is not one of writing it."""
        # Not the error itself, which has the frame in which the file is.
        self._begun_during = id(error)

    def close(self) -> None:
        """Store what was written, unless an error is being handled that came after the file was opened.

        So also ``with`` around a `FieldFile`, and ``finally``, store no half of a file.
        """
        self._close(sys.exception())

    def _close(self, error: BaseException | None) -> None:
        behind = self._behind
        if not isinstance(behind, Spool):
            super().close()
        elif behind.closed:
            return
        elif error is None or id(error) == self._begun_during or isinstance(error, _ENDS):
            self._keep(behind)
        else:
            text = "%s: closed because of %s; nothing was stored."
            _log.warning(text, printable(self.name or ""), type(error).__name__)
            behind.discard()

    def _keep(self, spool: Spool) -> None:
        try:
            self.file.flush()
        except BaseException:
            spool.discard()
            raise
        spool.keep()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Half of what was to be written is nothing that anybody wants.
        if isinstance(self._behind, Spool) and kind is not None:
            self._behind.discard()
        else:
            self._close(None)

    async def aread(self, size: int = -1) -> Any:
        """As ``read``, without blocking the loop."""
        return await aside(self.read, size)

    async def achunks(self, chunk_size: int | None = None) -> AsyncIterator[Any]:
        """As ``chunks``, without blocking the loop."""
        chunks = self.chunks(chunk_size)
        while chunk := await aside(next, chunks, b""):
            yield chunk

    async def aclose(self) -> None:
        """As ``close``, without blocking the loop: what was written is stored now."""
        await aside(self._close, sys.exception(), to_its_end=True)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await aside(self.__exit__, kind, error, trace, to_its_end=True)
