"""The files behind a static storage, as Django's storage API asks for them: in a folder, or in a store far away."""

from __future__ import annotations

import errno
import io
import os
import posixpath
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, Protocol

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File

from ..errors import KeyNotFound
from ..paths import path_fault
from ..serve.origins import Remote
from ..stores.store import Store

_IN_MEMORY = 1 << 20


class Files(Protocol):
    """What can be asked of the files, each by its name."""

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder ``name``."""
        ...

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Folders and files in the folder ``path``, without what belongs to Shipfiles alone."""
        ...

    def size(self, name: str) -> int:
        """Size in bytes. Raises ``FileNotFoundError``, as the others below."""
        ...

    def open(self, name: str, mode: str) -> File[Any]:
        """The file, to be read."""
        ...

    def accessed(self, name: str) -> datetime:
        """When it was last read."""
        ...

    def created(self, name: str) -> datetime:
        """When it was made."""
        ...

    def modified(self, name: str) -> datetime:
        """When it was last written."""
        ...


class FolderFiles:
    """Those of a folder, in which ``path`` gives the path of each."""

    def __init__(self, path: Callable[[str], str]) -> None:
        self._path = path

    def exists(self, name: str) -> bool:
        return os.path.lexists(self._path(name))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        folders: list[str] = []
        files: list[str] = []
        with os.scandir(self._path(path)) as entries:
            for entry in entries:
                if path_fault(entry.name) or entry.name.startswith(".shipfiles"):
                    continue
                (folders if entry.is_dir() else files).append(entry.name)
        return folders, files

    def size(self, name: str) -> int:
        return os.path.getsize(self._path(name))

    def open(self, name: str, mode: str) -> File[Any]:
        return File(open(self._path(name), mode))

    def accessed(self, name: str) -> datetime:
        return _moment(os.stat(self._path(name)).st_atime)

    def created(self, name: str) -> datetime:
        return _moment(os.stat(self._path(name)).st_ctime)

    def modified(self, name: str) -> datetime:
        return _moment(os.stat(self._path(name)).st_mtime)


class RemoteFiles:
    """Those of a store far away. Each answer costs a request, that of `listdir` one for every thousand names below."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    @property
    def _store(self) -> Store:
        return self._remote.store

    def exists(self, name: str) -> bool:
        if _is_top(name):
            return True
        key = _key(name)
        return self._store.head(key) is not None or next(iter(self._store.list(f"{key}/")), None) is not None

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        prefix = "" if _is_top(path) else f"{_key(path)}/"
        folders: set[str] = set()
        files: set[str] = set()
        for stored in self._store.list(prefix):
            name, slash, _ = stored.key[len(prefix) :].partition("/")
            if name and not path_fault(name) and not name.startswith(".shipfiles"):
                (folders if slash else files).add(name)
        return sorted(folders), sorted(files)

    def size(self, name: str) -> int:
        return self._stored(name)[0]

    def open(self, name: str, mode: str) -> File[Any]:
        with ExitStack() as opened:
            body = opened.enter_context(tempfile.SpooledTemporaryFile(_IN_MEMORY))
            try:
                for chunk in self._store.read(_key(name)):
                    body.write(chunk)
            except KeyNotFound:
                raise self._missing(name) from None
            body.seek(0)
            opened.pop_all()
        return File(body if "b" in mode else io.TextIOWrapper(body, "utf-8"), name)

    def accessed(self, name: str) -> datetime:
        raise NotImplementedError(f"{self._remote.where} does not tell when a file was read.")

    def created(self, name: str) -> datetime:
        return self.modified(name)

    def modified(self, name: str) -> datetime:
        return _moment(self._stored(name)[1])

    def _stored(self, name: str) -> tuple[int, float]:
        found = self._store.head(_key(name))
        if found is None:
            raise self._missing(name)
        return found.size, found.modified

    def _missing(self, name: str) -> FileNotFoundError:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"{self._remote.where}/{name}")


def _is_top(name: str) -> bool:
    """Whether that is the storage's folder itself."""
    return name.strip("/") in ("", ".")


def _key(name: str) -> str:
    """The key of ``name``. Raises ``SuspiciousFileOperation`` for a name outside of the storage's folder."""
    key = posixpath.normpath(name.replace("\\", "/")).lstrip("/")
    if key in (".", "..") or key.startswith("../") or "\0" in key:
        raise SuspiciousFileOperation(f"{name!r} cannot be the name of a file in a store.")
    return key


def _moment(seconds: float) -> datetime:
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment if settings.USE_TZ else moment.astimezone().replace(tzinfo=None)
