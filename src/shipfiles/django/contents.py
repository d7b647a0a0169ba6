"""What is in a Django file, taken without holding a large one in memory."""

from __future__ import annotations

import errno
import io
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.files.base import File

from ..stores.store import Body
from ..work import given_up

_HELD = 1 << 20


def chunks_of(content: File[Any]) -> Iterator[bytes]:
    """The bytes of ``content`` in chunks, those of a text file in UTF-8.

    It is not read on when nobody waits any more for this thread (`work.given_up`): raises ``InterruptedError`` then.
    """
    stops = given_up()
    for chunk in content.chunks():
        if stops():
            raise InterruptedError(errno.EINTR, "broken off")
        yield _bytes_of(chunk)


def _bytes_of(chunk: str | bytes | bytearray | memoryview) -> bytes:
    if isinstance(chunk, str):
        return chunk.encode()
    # What lies in a buffer may be another's when it is read again.
    return chunk if isinstance(chunk, bytes) else bytes(memoryview(chunk))


@contextmanager
def body_of(content: File[Any]) -> Iterator[Body]:
    """``content`` as a store takes it: its file if it is one on this disk; else its bytes, spooled if they are many."""
    path = path_of(content)
    if path is not None:
        yield path
        return
    with spooled(content) as body:
        yield body


@contextmanager
def spooled(content: File[Any]) -> Iterator[Body]:
    """The bytes of ``content`` or, if they are many, a file of them, which may be moved away; it is there as long as
    the context is.
    """
    chunks = chunks_of(content)
    head = bytearray()
    for chunk in chunks:
        head += chunk
        if len(head) > _HELD:
            break
    else:
        yield bytes(head)
        return
    with tempfile.TemporaryDirectory(prefix="shipfiles-", dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        path = os.path.join(folder, "content")
        with open(path, "wb") as spool:
            spool.write(head)
            spool.writelines(chunks)
        yield path


def path_of(content: File[Any]) -> str | None:
    """The file whose bytes are those of ``content``, if it surely is one: opened in binary and not wrapped."""
    raw: Any = content.file if type(content) is File else None
    if type(raw) is not io.BufferedReader or type(raw.raw) is not io.FileIO or not isinstance(raw.name, str):
        return None
    try:
        # The name may be another file's by now.
        status = os.fstat(raw.fileno())
        same = stat.S_ISREG(status.st_mode) and os.path.samestat(status, os.stat(raw.name))
    except OSError:
        return None
    return raw.name if same else None
