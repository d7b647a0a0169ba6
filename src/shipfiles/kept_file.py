"""Files that stay open for as long as a process lives, to be read here and there."""

from __future__ import annotations

import os

from .regular import open_regular

_CHUNK = 1 << 20
_LINE = 2048

_State = tuple[int, int, int]


class _Descriptor:
    """The number of an open file, which is closed with the last who knows of it.

    Programs that become daemons close all descriptors, and the number is another file's then: that one stays open.
    """

    __slots__ = ("fd", "state")

    def __init__(self, fd: int, state: _State) -> None:
        self.fd = fd
        self.state = state

    def __del__(self) -> None:
        try:
            if _state_of(self.fd) == self.state:
                os.close(self.fd)
        except OSError:
            pass  # closed


class KeptFile:
    """The file at ``path`` less its first ``skip`` bytes, in any thread and after any fork, even if it is removed."""

    __slots__ = ("_open", "_path", "_skip")

    def __init__(self, path: str, skip: int = 0) -> None:
        """Raises ``OSError``."""
        self._path = path
        self._skip = skip
        self._open = _opened(path)

    @property
    def size(self) -> int:
        """In bytes, when it was opened."""
        return self._open.state[2] - self._skip

    def read(self, start: int, size: int) -> bytes:
        """Up to ``size`` bytes from ``start`` on. Raises ``OSError``."""
        return os.pread(self._open.fd, size, self._skip + start)

    def line(self, start: int) -> bytes:
        """From ``start`` through the end of the line, or what is there of it. Raises ``OSError``."""
        line, size = b"", _LINE
        while piece := self.read(start + len(line), size):
            line += piece
            if b"\n" in piece:
                return line[: line.index(b"\n") + 1]
            size *= 2
        return line

    def body(self) -> bytes:
        """All of it. Raises ``OSError``, also if it is not as large as it was."""
        pieces, done = [], 0
        while piece := self.read(done, self.size - done):
            pieces.append(piece)
            done += len(piece)
        if done != self.size:
            raise OSError(f"{self._path} has become shorter")
        return b"".join(pieces)

    def reopen(self) -> bool:
        """Open it again, for somebody has closed it perhaps; whether it is still at its path."""
        try:
            again = _opened(self._path)
        except OSError:
            return False
        if again.state != self._open.state:
            return False
        if again.fd == self._open.fd:
            again.fd = -1  # the number that was closed: it has an owner, who would close it once more
        else:
            self._open = again
        return True


def keep_file(path: str, skip: int, body: bytes) -> KeptFile | None:
    """The file at ``path`` without its first ``skip`` bytes, if it has ``body`` there and this system can keep it."""
    if not hasattr(os, "pread"):
        return None
    try:
        file, done = KeptFile(path, skip), 0
        if file.size != len(body):
            return None
        while (piece := file.read(done, _CHUNK)) and body.startswith(piece, done):
            done += len(piece)
    except (OSError, ValueError):
        return None
    return file if done == len(body) else None


def _opened(path: str) -> _Descriptor:
    with open_regular(path) as file:
        return _Descriptor(os.dup(file.fileno()), _state_of(file.fileno()))


def _state_of(fd: int) -> _State:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino, status.st_size
