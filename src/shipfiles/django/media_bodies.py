"""What is known of a body before it is stored, and a store's errors in the words of Django's API."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from ..digest import Digest, digest_bytes, digest_stream
from ..errors import Denied, KeyNotFound, StoreError
from ..paths import folder_of
from ..regular import open_regular
from ..stores.store import Body

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
        if isinstance(cause, OSError) and cause.errno:
            raise OSError(cause.errno, error.what, name) from error
        raise


def missing(name: str) -> FileNotFoundError:
    """The error of a file that is not there."""
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
