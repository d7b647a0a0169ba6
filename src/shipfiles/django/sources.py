"""Django's finders as source files."""

from __future__ import annotations

import os
import site
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, BaseFinder, FileSystemFinder, get_finders
from django.core.files.storage import FileSystemStorage, Storage

from ..build.find import Found, ignore_matcher, select, walk
from ..errors import SourceError, os_reason
from ..model import SourceFile
from .conf import logical_path


@contextmanager
def find_sources(ignore_patterns: Sequence[str]) -> Iterator[Found]:
    """All files that the finders of STATICFILES_FINDERS list, less those that match ``ignore_patterns``.

    A finder may keep its files elsewhere than on this disk; those are copied into a temporary folder that lasts as
    long as the context.
    """
    with tempfile.TemporaryDirectory(prefix="shipfiles-") as spool:
        yield select(_candidates(ignore_patterns, spool))


@contextmanager
def collected_sources(paths: Mapping[str, tuple[Storage, str]]) -> Iterator[Found]:
    """The files that Django's own command has found: logical path → (storage, path in it)."""
    with tempfile.TemporaryDirectory(prefix="shipfiles-") as spool:
        own = _ownership()
        yield select(
            _from_storage(logical.replace(os.sep, "/"), storage, path, own, spool)
            for logical, (storage, path) in paths.items()
        )


def _candidates(ignore_patterns: Sequence[str], spool: str) -> Iterator[SourceFile]:
    own = _ownership()
    ignored = ignore_matcher(ignore_patterns)
    for finder in get_finders():
        folders = _plain_folders(finder)
        if folders is not None:
            for prefix, root in folders:
                mine = own(root)
                for relative, path in walk(root, ignored):
                    yield SourceFile(f"{prefix}/{relative}" if prefix else relative, path, mine)
            continue
        for path, storage in finder.list(list(ignore_patterns)):
            yield _from_storage(logical_path(storage, path), storage, path, own, spool)


def _plain_folders(finder: BaseFinder) -> list[tuple[str, str]] | None:
    """``(prefix, folder)`` if ``finder`` does no more than list folders, so that we may list them ourselves, faster."""
    if not isinstance(finder, (FileSystemFinder, AppDirectoriesFinder)):
        return None
    if type(finder).list not in (FileSystemFinder.list, AppDirectoriesFinder.list):
        return None
    storages: list[Any] = (
        [finder.storages[root] for _, root in finder.locations]
        if isinstance(finder, FileSystemFinder)
        else list(finder.storages.values())
    )
    if any(type(storage) is not FileSystemStorage for storage in storages):
        return None
    return [
        (str(getattr(storage, "prefix", "") or "").replace(os.sep, "/"), storage.location)
        for storage in storages
        if os.path.isdir(storage.location)
    ]


def _from_storage(logical: str, storage: Storage, path: str, own: Callable[[str], bool], spool: str) -> SourceFile:
    try:
        real = storage.path(path)
    except NotImplementedError:
        real = ""
    # Some storages that are on no disk name a path all the same, Django's InMemoryStorage among them.
    if not isinstance(storage, FileSystemStorage) and not os.path.lexists(real):
        return SourceFile(logical, _spooled(logical, storage, path, spool), own=True)
    return SourceFile(logical, real, own(real))


def _spooled(logical: str, storage: Storage, path: str, spool: str) -> str:
    target = os.path.join(spool, *logical.split("/"))
    try:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with storage.open(path) as source, open(target, "wb") as copy:
            copy.writelines(chunk if isinstance(chunk, bytes) else chunk.encode() for chunk in source.chunks())
    except OSError as error:
        raise SourceError(path, f"cannot be read from {storage!r}: {os_reason(error)}") from error
    return target


def _ownership() -> Callable[[str], bool]:
    """A function that says whether a path is the project's own rather than an installed package's.

    What lies in a folder for installed packages is a package's, unless STATICFILES_DIRS names it: that is a choice of
    the project, but not its own work, so it stays a package's too.
    """
    installed = {os.path.realpath(p) for key in ("purelib", "platlib") if (p := sysconfig.get_path(key))}
    installed |= {os.path.realpath(p) for p in (*site.getsitepackages(), site.getusersitepackages())}
    markers = ("site-packages", "dist-packages", "node_modules", "bower_components")

    def own(path: str) -> bool:
        real = os.path.realpath(path)
        if any(real == folder or real.startswith(folder + os.sep) for folder in installed):
            return False
        return not any(part in markers for part in real.split(os.sep))

    return own


def source_folders() -> list[str]:
    """The folders that the standard finders read, for the checks."""
    given: Any = settings.STATICFILES_DIRS
    folders = [os.fspath(root[1] if isinstance(root, (list, tuple)) else root) for root in given]
    for finder in get_finders():
        if isinstance(finder, AppDirectoriesFinder):
            folders += [str(storage.location) for storage in finder.storages.values()]
    return folders
