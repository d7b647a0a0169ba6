"""What is known of a body before it is stored, and a store's errors in the words of Django's API."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.core.files.base import File

from ..digest import Digest, digest_bytes, digest_stream
from ..errors import Denied, KeyNotFound, StoreError
from ..paths import folder_of
from ..regular import open_regular
from ..stores.store import Body
from .contents import path_of, spooled

_HEAD = 4096


def digest_of(body: Body) -> Digest:
    """The digest of ``body``."""
    if isinstance(body, bytes):
        return digest_bytes(body)
    with open_regular(body) as file:
        return digest_stream(file)[0]


def size_of(body: Body) -> int:
    """The bytes of ``body``."""
    return len(body) if isinstance(body, bytes) else os.path.getsize(body)


def head_of(body: Body) -> bytes:
    """The first bytes of ``body``."""
    if isinstance(body, bytes):
        return body[:_HEAD]
    with open_regular(body) as file:
        return file.read(_HEAD) or b""


@contextmanager
def media_body(content: File[Any], *, copied: bool) -> Iterator[tuple[Body, bool]]:
    """``content`` from its beginning as a store takes it, and whether it is a temporary file that may be moved.

    Uploads that Django has put into a temporary file are taken as they are there, and no larger ones are held whole.
    Other files on this disk are taken so, too, unless they must be ``copied``: who looks at them first must see what is
    stored afterwards, and anybody may write to them meanwhile.
    """
    if hasattr(content, "seek") and getattr(content, "seekable", lambda: True)():
        content.seek(0)  # which writes what is still to be written, too
    if hasattr(content, "temporary_file_path"):
        yield content.temporary_file_path(), True
        return
    if not copied and (path := path_of(content)) is not None:
        yield path, False
        return
    with spooled(content) as body:
        yield body, True


def remove(path: str) -> None:
    """Remove the file ``path``, if it is there."""
    with suppress(OSError):
        os.unlink(path)


def share_group(path: str, root: str) -> None:
    """Give the file ``path`` to the group of the folder ``root``, if one may: as Django does, for files that come from
    elsewhere.
    """
    if os.name == "posix":
        with suppress(OSError):
            group = os.stat(root).st_gid
            if os.stat(path).st_gid != group:
                os.chown(path, -1, group)


@contextmanager
def as_django(name: str) -> Iterator[None]:
    """What a store says of ``name`` as Django's own storage would say it; else as it is.

    What is wrong with a disk becomes an ``OSError`` of the kind that it was.
    """
    try:
        yield
    except KeyNotFound as error:
        raise missing(name) from error
    except Denied as error:
        raise PermissionError(errno.EACCES, str(error), name) from error
    except StoreError as error:
        cause = error.__cause__
        if isinstance(cause, NotADirectoryError):
            raise FileExistsError(f"{folder_of(name)[:-1]} exists and is not a directory.") from error
        if isinstance(cause, IsADirectoryError):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name) from error
        if isinstance(cause, OSError) and cause.errno:
            raise OSError(cause.errno, error.what, name) from error
        raise


def missing(name: str) -> FileNotFoundError:
    """The error of a file that is not there."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
