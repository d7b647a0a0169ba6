"""Make files and folders survive a power cut."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Collection, Iterable

# Errors with which a file system says that its folders cannot be flushed: some network and FUSE ones.
_NO_FOLDER_FLUSH = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF})
# From so many files on, to flush the whole file system once is cheaper than to flush each of them.
_MANY = 64


def flush(files: Collection[str], folders: Collection[str]) -> None:
    """Return when ``files`` and the entries of ``folders`` are on the disk. Those that are gone are passed over.

    Raises ``OSError`` with the path in it.
    """
    if len(files) >= _MANY and sys.platform == "linux" and _flush_file_systems({os.path.dirname(f) for f in files}):
        return
    for path in files:
        _flush(path)
    if os.name != "posix":
        return  # Windows cannot open a folder for flushing; NTFS journals its renames.
    for path in folders:
        try:
            _flush(path)
        except OSError as error:
            if error.errno not in _NO_FOLDER_FLUSH:
                raise


def _flush(path: str) -> None:
    # Windows flushes only what is open for writing.
    flags = os.O_RDONLY if os.name == "posix" else os.O_RDWR
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(descriptor)


def _flush_file_systems(folders: Iterable[str]) -> bool:
    """Flush the file systems of all ``folders``, by syncfs(2); false where the C library does not have it."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if not hasattr(library, "syncfs"):
        return False
    done: set[int] = set()
    for folder in folders:
        try:
            descriptor = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        try:
            device = os.fstat(descriptor).st_dev
            if device in done:
                continue
            done.add(device)
            if library.syncfs(descriptor):
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), folder)
        finally:
            os.close(descriptor)
    return True
