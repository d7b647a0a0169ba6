"""Open files: how the serving rooms open them, and what they then know of the bytes."""

from __future__ import annotations

import errno
import io
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass

from ..digest import Digest, digest_bytes, digest_stream
from ..http.headers import Header
from ..regular import READ_FLAGS

SMALL = 64 * 1024
"""Files up to this size, in bytes, are read at once."""

PIECE = 64 * 1024
"""Of larger ones a server's own file wrapper reads so many bytes at a time."""

MESSAGE = 44 * 1024
"""We ourselves hand over so many bytes at a time.

Servers hold what a slow client has not taken, uvicorn up to 64 KB and one more message: with what else it takes for
each, 100 clients cost it 15 MB; with messages of 64 KB 22 MB. Smaller ones cost more CPU with quick clients.
"""

# The machine's troubles of the moment, not the file's: the answer is "try again", not "there is no such file".
BUSY = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})


@dataclass(slots=True)
class Opened:
    """One representation of a file, open for reading. Whoever holds it closes ``fd`` or hands it on."""

    fd: int
    size: int
    """Bytes in the representation."""
    modified: int | None
    """Seconds since 1970 for Last-Modified, or ``None`` where the disk's time says nothing."""
    etag: str
    headers: tuple[Header, ...]
    """From `file_headers`, with the ETag."""
    steady: bool
    """Whether the bytes under this URL never change, so that even a date tells versions apart."""
    body: bytes | None = None
    """The bytes, if they had to be read in order to know them."""


def cut_short() -> OSError:
    """What is raised when there are fewer bytes than was announced."""
    return OSError(errno.EIO, "the file was cut while it was being sent")


class SentFile(io.FileIO):
    """An open file of which a server is told that it goes on to ``stop``: then an end before that is an error.

    The length is sent already, and only a broken connection can tell the client that what came is not all. A server
    that took the end for the end would wait, or keep the connection for a next request.
    """

    def __init__(self, fd: int, stop: int) -> None:
        # Rather than a bare descriptor: if a server forgets to close the body, it still is closed.
        super().__init__(fd, "rb")
        self._stop = stop

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file, but at most `PIECE` at once: waitress asks for what a socket might take, megabytes.

        Raises ``OSError`` if it has become shorter than was announced.
        """
        piece = super().read(min(size, PIECE) if size else size) or b""
        if not piece and size != 0 and self.tell() < self._stop:
            raise cut_short()
        return piece

    def is_cut(self) -> bool:
        """Whether the file has become shorter than was announced."""
        try:
            return not self.closed and os.fstat(self.fileno()).st_size < self._stop
        except OSError:
            return False  # somebody has closed the descriptor

    def close(self) -> None:
        """Raises ``OSError`` if the file has become shorter, of which a server learns that had the kernel send it."""
        cut = self.is_cut()
        super().close()
        if cut:
            raise cut_short()

    def __del__(self) -> None:
        # Python would call `close`, and Django puts the response's own in its place, which sends a signal: while
        # garbage is collected, that waits for ever if a signal is being sent.
        io.FileIO.close(self)


class SentBytes(io.BytesIO):
    """A body in memory as a file for a server's wrapper."""

    def __del__(self) -> None:
        # As of a `SentFile`.
        io.BytesIO.close(self)


class Span:
    """A part of an open file that is still to be sent. Its owner must `close` it; reading past the end is an error."""

    __slots__ = ("file", "left", "size", "whole")

    def __init__(self, fd: int, start: int, stop: int, *, whole: bool) -> None:
        self.file = SentFile(fd, stop)
        self.size = self.left = stop - start
        self.whole = whole
        """Whether it is the file from its first byte to its last, so that a server may send it by itself."""
        if start:
            self.file.seek(start)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        """The next bytes, at most `MESSAGE`. Raises ``OSError`` if the file has become shorter than was announced."""
        if self.left <= 0:
            raise StopIteration
        chunk = self.file.read(min(self.left, MESSAGE))
        self.left -= len(chunk)
        return chunk

    def peek(self) -> bytes | None:
        """All bytes of a whole file, which is then as unsent as before; ``None`` if they cannot be read."""
        try:
            self.file.seek(0)
            body = read_exactly(self.file.fileno(), self.size)
            self.file.seek(0)
        except OSError:
            return None
        return body

    def close(self) -> None:
        """Give the descriptor back. May be called again, and raises nothing."""
        io.FileIO.close(self.file)


class DigestMemory:
    """The digest of a large file that may change, computed once for each state of the file that the disk reports."""

    __slots__ = ("_known",)

    # A file written twice within the clock's grain keeps size and time; until its time is this old it is read again.
    _SETTLED = 2.0

    def __init__(self) -> None:
        self._known: tuple[tuple[int, ...], Digest] | None = None

    def is_known(self, status: os.stat_result) -> bool:
        """Whether `digest_of` can tell that of a file with this ``status`` without reading it."""
        return self._known is not None and self._known[0] == _disk_state(status)

    def digest_of(self, fd: int, status: os.stat_result) -> Digest | None:
        """The digest of the open file, whose ``status`` is of now; ``None`` if it changes while being read."""
        state = _disk_state(status)
        if self._known is not None and self._known[0] == state:
            return self._known[1]
        with io.FileIO(fd, "rb", closefd=False) as file:
            digest, size = digest_stream(file)
            file.seek(0)
        if size != status.st_size:
            return None
        now = time.time()
        # Times to come, of an archive or of a clock that was ahead, are as good: a write now would leave others.
        if min(abs(now - status.st_mtime), abs(now - status.st_ctime)) > self._SETTLED:
            self._known = state, digest
        return digest


def _disk_state(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def opened_regular(path: str) -> tuple[int, os.stat_result] | None:
    """The descriptor and the status of the regular file at ``path``; ``None`` if there is none that can be read.

    Never waits, whatever stands at ``path``. Raises ``OSError`` only if its number is in `BUSY`.
    """
    try:
        fd = os.open(path, READ_FLAGS)
    except ValueError:  # a null character
        return None
    except OSError as error:
        if error.errno in BUSY:
            raise
        return None
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode):
            return fd, status
    except OSError:
        pass
    os.close(fd)
    return None


def read_exactly(fd: int, size: int) -> bytes | None:
    """``size`` bytes from where ``fd`` stands, or ``None`` if there are fewer or they cannot be read."""
    try:
        body = os.read(fd, size)
        while len(body) < size:  # a network file system may give less than was asked for
            more = os.read(fd, size - len(body))
            if not more:
                return None
            body += more
    except OSError:
        return None
    return body


def digest_open(fd: int, status: os.stat_result, memory: DigestMemory) -> tuple[Digest, bytes | None] | None:
    """The digest of the bytes that will be sent from ``fd``, and the bytes themselves if they are few.

    For files whose bytes no manifest vouches for. ``None`` if the file changes while it is being read.
    """
    try:
        if status.st_size <= SMALL:
            body = read_exactly(fd, status.st_size)
            return None if body is None else (digest_bytes(body), body)
        digest = memory.digest_of(fd, status)
    except OSError:
        return None
    return None if digest is None else (digest, None)


def modified_at(status: os.stat_result) -> int | None:
    """Seconds since 1970 for Last-Modified.

    ``None`` for a time in the future, which RFC 9110 section 8.8.2.1 forbids to send, and for the first second of 1970,
    which package builders write where they mean no time at all.
    """
    modified = int(status.st_mtime)
    return modified if 1 < modified <= time.time() else None
