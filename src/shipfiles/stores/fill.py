"""Fill a new file, and know what is in it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import BinaryIO

from ..digest import Digest, Digester
from ..errors import StoreError, os_reason, printable
from ..regular import READ_FLAGS
from .store import Body, chunks_of

_CHUNK = 1 << 20
# A smaller file is read and written in as many steps. Bytes.
_LARGE = 1 << 20


def fill(file: BinaryIO, body: Body, key: str) -> tuple[Digest, int]:
    """Write ``body`` into the empty ``file``, which can be read too, and say what is in it now.

    Where the file system can, a large file shares the blocks of its source until one of the two is written to.
    """
    digester = Digester()
    if isinstance(body, str) and _copied(body, file, key):
        file.seek(0)
        while chunk := file.read(_CHUNK):
            digester.update(chunk)
    else:
        for chunk in chunks_of(body, key):
            _write_all(file, chunk)
            digester.update(chunk)
    return digester.digest(), digester.size


def _copied(path: str, file: BinaryIO, key: str) -> bool:
    """Whether the system has copied the file ``path`` into ``file`` by itself; else ``file`` is empty.

    copy_file_range(2): a reflink on Btrfs and XFS, a copy on the server over NFS 4.2 and SMB 3. On others it costs what
    reading and writing cost.
    """
    if not hasattr(os, "copy_file_range"):
        return False
    try:
        source = os.open(path, READ_FLAGS)
    except OSError as error:
        raise StoreError(key, f"its source {printable(path)} cannot be read: {os_reason(error)}") from error
    try:
        size = os.fstat(source).st_size
        if size < _LARGE:
            return False
        # Not between these file systems, not this file, or the disk is full, as writing will find as well.
        with suppress(OSError):
            rest = size
            # Zero is the end of a file that has become shorter, or a file system that gives no bytes this way.
            while rest > 0 and (done := os.copy_file_range(source, file.fileno(), rest)):
                rest -= done
            if rest == 0:
                return True
    finally:
        os.close(source)
    os.ftruncate(file.fileno(), 0)
    file.seek(0)
    return False


def _write_all(file: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]
