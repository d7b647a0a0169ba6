"""Files of a media storage, open: read in parts as they are needed, or written as a whole when they are closed."""

from __future__ import annotations

import io
import logging
import os
import sys
import tempfile
import warnings
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from django.core.files.base import File

from ..errors import KeyNotFound, Replaced, printable
from ..regular import READ_FLAGS, open_regular
from ..stores.store import Body, Part, Parts, Store, Stored
from ..work import aside
from .media_bodies import missing, remove

ENCODING = "utf-8"
"""That of files that are opened as text."""
_BLOCK = 64 * 1024
_GROWTH = 8
_LARGEST = 4 << 20
_BLOCKS = 4
_HELD = 1 << 20
_MODES = frozenset({"r", "w", "a", "x"})
_ENDS = (StopIteration, StopAsyncIteration)
"""With these what was to be written has come to its end."""
_log = logging.getLogger("shipfiles")


def checked_mode(mode: str) -> tuple[str, bool, bool]:
    """What a ``mode`` of ``open`` says: one of ``rwax``, whether it is for both, whether as text.

    Raises ``ValueError`` as ``open`` does.
    """
    verbs = [letter for letter in mode if letter in _MODES]
    if len(verbs) != 1 or len(set(mode)) != len(mode) or set(mode) - {*_MODES, *"+bt"} or {*"bt"} <= set(mode):
        raise ValueError(f"invalid mode: {mode!r}")
    return verbs[0], "+" in mode, "b" not in mode


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


class Spool(io.BufferedIOBase):
    """A temporary file that is written as ``mode`` says: ``store`` is given all of it by `keep`.

    ``before`` are the bytes that are there to begin with. To close it stores nothing: that is also what becomes of a
    file that somebody loses, maybe for an error. A forked child cannot write or store what its parent has begun.
    """

    def __init__(
        self, store: Callable[[Body], object], mode: str, before: Iterable[bytes] = (), *, name: str = "",
        folder: str | None = None,
    ) -> None:  # fmt: skip
        verb, self._both, _ = checked_mode(mode)
        self._store = store
        self._name = name
        self._size = 0
        self._inherited = False
        descriptor, self._path = tempfile.mkstemp(prefix="shipfiles-", dir=folder)
        self._remove = weakref.finalize(self, remove, self._path)
        with open(descriptor, "wb") as spool:
            spool.writelines(before)
        self._file = open(self._path, "a+b" if verb == "a" else "r+b")  # noqa: SIM115
        _open_spools.add(self)

    def readable(self) -> bool:
        return self._both

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_readable()
        return self._file.read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        self._check_readable()
        return self._file.read1(size)

    def write(self, body: Any, /) -> int:
        return self._file.write(body)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None, /) -> int:
        return self._file.truncate(size)

    def flush(self) -> None:
        if not self.closed:
            self._file.flush()

    @property
    def closed(self) -> bool:
        return self._file.closed

    @property
    def size(self) -> int:
        """How many bytes have been written so far, or had been when it was closed."""
        if not self.closed:
            self._file.flush()
            self._size = os.fstat(self._file.fileno()).st_size
        return self._size

    def keep(self) -> None:
        """Store what was written, and close it; not again if it is closed already."""
        if self.closed:
            return
        if self._inherited:
            text = "%s: opened for writing before the process forked; only the parent can store it."
            _log.error(text, printable(self._name))
            self.discard()
            return
        try:
            self._size = self.size
            self._file.close()
            if self._size > _HELD:
                self._store(self._path)
            else:
                with open(self._path, "rb") as whole:
                    body = whole.read()
                self._store(body)
        finally:
            self._file.close()
            self._remove()

    def discard(self) -> None:
        """Close it, and store nothing."""
        try:
            self._file.close()
        finally:
            self._remove()

    def close(self) -> None:
        """As `discard`, and tell of it: whoever wanted the bytes would miss them."""
        if not self.closed:
            self.discard()
            if not self._inherited:
                text = f"{printable(self._name)}: opened for writing and never closed; nothing was stored."
                _log.error(text)
                warnings.warn(text, ResourceWarning, source=self, stacklevel=2)

    def inherit(self) -> None:
        """In a forked child: leave the file to the parent, and let what is buffered here go nowhere."""
        self._inherited = True
        self._remove.detach()
        if not self.closed:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, self._file.fileno(), inheritable=False)
            os.close(nowhere)

    def __del__(self) -> None:
        # Not as other files, which finish what was begun: who loses it may do so for an error.
        if "_file" in vars(self):
            self.close()

    def _check_readable(self) -> None:
        if not self._both:
            raise io.UnsupportedOperation("not readable")


_open_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


def _inherit_all() -> None:
    for spool in list(_open_spools):
        spool.inherit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit_all)


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
