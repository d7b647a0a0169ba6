"""Uploads in every kind of place, and what there must be afterwards."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from .object_servers import S3_KEY

MIB = 1 << 20
NAME = "photos/photo.jpg"
# https://docs.djangoproject.com/en/6.1/ref/files/storage/#django.core.files.storage.Storage.get_available_name
ALTERNATIVE = re.compile(r"photos/photo(_[A-Za-z0-9]{7})?\.jpg")


def storage_in(store: Any, **options: Any) -> Any:
    """A storage in a store, in an open one or at a URL; the storage of a folder for the path of one."""
    from shipfiles.django.storage import MediaStorage

    given = {"base_url": "/media/", **options}
    if isinstance(store, str) and "://" not in store:
        return MediaStorage(location=store, **given)
    return MediaStorage(store=store, **given)


def s3_options(url: str, **limits: float) -> dict[str, Any]:
    """What the bucket of the tests behind ``url`` is opened with."""
    return {**S3_KEY, "endpoint_url": url, "limits": {"request": 20, "total": 60, **limits}}


def body(number: int, size: int) -> bytes:
    """Bytes that no other number has, also of the same size, and that are as long as they say."""
    mark = f"<{number} of {size}>".encode()
    return (mark * (size // len(mark) + 1))[: max(0, size - 5)] + b"</end"[: min(5, size)]


def digest(found: bytes) -> str:
    """Short enough to be said."""
    return hashlib.sha256(found).hexdigest()


def stored(storage: Any, folder: str = "") -> Iterator[str]:
    """The names of all files that can be seen."""
    folders, files = storage.listdir(folder)
    before = f"{folder}/" if folder else ""
    for name in files:
        yield before + name
    for name in folders:
        yield from stored(storage, before + name)


def read(storage: Any, name: str) -> bytes:
    """All of a file."""
    with storage.open(name) as file:
        return bytes(file.read())


def check_whole(storage: Any, acknowledged: Mapping[str, str], given: Iterable[str]) -> set[str]:
    """What was acknowledged (name → digest) is there, and nothing is that is not one of the bodies that were ``given``.

    A body is there twice only if it was given twice. Gives all names.
    """
    left = Counter(given)
    found: set[str] = set()
    for name in stored(storage):
        whole = digest(read(storage, name))
        assert left[whole], f"{name} has half a body, or one that is there already"
        left[whole] -= 1
        assert acknowledged.get(name, whole) == whole, f"{name} has another's body"
        assert storage.exists(name)
        found.add(name)
    assert not acknowledged.keys() - found, "lost"
    return found
