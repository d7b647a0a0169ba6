"""Open files that are files: what else may stand in a file's place must not make anybody wait."""

from __future__ import annotations

import errno
import io
import os
import stat

# O_NONBLOCK: opening a FIFO must not wait for a writer. O_BINARY: on Windows only.
READ_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)
"""With what a file is opened to be read."""

_CHUNK = 64 * 1024


def open_regular(path: str, flags: int = READ_FLAGS, mode: str = "rb") -> io.FileIO:
    """The regular file at ``path``, open to be read, or as ``flags`` and ``mode`` say, which must agree.

    Raises ``OSError``, also for what is no regular file.
    """
    descriptor = os.open(path, flags, 0o666)
    try:
        _check_regular(descriptor, path)
        return io.FileIO(descriptor, mode)
    except BaseException:
        os.close(descriptor)
        raise


def _check_regular(descriptor: int, path: str) -> None:
    # Before there is a file object: it would refuse a folder, by the number of the descriptor.
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "a pipe or a device, not a file", path)


def read_at_most(file: io.FileIO, most: int) -> bytes:
    """Up to ``most`` bytes of what is left in ``file``, however it grows meanwhile. Raises ``OSError``."""
    # One more than there seem to be, so that the next read finds the end.
    body = file.read(min(most, os.fstat(file.fileno()).st_size + 1)) or b""
    while len(body) < most and (more := file.read(min(most - len(body), _CHUNK))):
        body += more
    return body


def read_regular(path: str) -> bytes:
    """All bytes of the regular file at ``path``. Raises ``OSError``, also for what is no regular file."""
    with open_regular(path) as file:
        return file.readall()
