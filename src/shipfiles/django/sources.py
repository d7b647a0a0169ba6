"""Django's finders as source files."""

from __future__ import annotations

import itertools
import os
import re
import site
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import AppDirectoriesFinder, BaseFinder, FileSystemFinder, get_finders
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.storage import FileSystemStorage, Storage

from ..build.find import RENAME, Found, Refuse, ignore_matcher, select, walk
from ..config import ROOT_PREFIX
from ..errors import SourceError, os_reason
from ..model import SourceFile
from ..paths import path_fault
from .conf import root_folder_option, used_root_folder
from .contents import chunks_of
from .finding import logical_path

_PACKAGE_FOLDERS = ("site-packages", "dist-packages", "node_modules", "bower_components")
_CORRECT_PATH = "Correct the path, which begins at BASE_DIR if it is relative, or make the folder."
in_package_folder = re.compile(rf"(?:^|/)(?:{'|'.join(_PACKAGE_FOLDERS)})/").search


@contextmanager
def find_sources(ignore_patterns: Sequence[str]) -> Iterator[Found]:
    """All files that the finders of STATICFILES_FINDERS list, less those that match ``ignore_patterns``.

    Before them come those in the folder for the root of the site, if there is one.

    A finder may keep its files elsewhere than on this disk; those are copied into a temporary folder that lasts as
    long as the context.
    """
    with tempfile.TemporaryDirectory(prefix="shipfiles-") as folder:
        refused: list[SourceError] = []
        candidates = itertools.chain(
            _at_root(used_root_folder(), ignore_patterns, refused.append),
            _candidates(ignore_patterns, _Spool(folder), refused.append),
        )
        yield select(candidates, refused)


@contextmanager
def collected_sources(paths: Mapping[str, tuple[Storage, str]]) -> Iterator[Found]:
    """The files that Django's own command has found: logical path → (storage, path in it)."""
    with tempfile.TemporaryDirectory(prefix="shipfiles-") as folder:
        refused: list[SourceError] = []
        files = ((logical.replace(os.sep, "/"), storage, path) for logical, (storage, path) in paths.items())
        candidates = itertools.chain(
            _at_root(used_root_folder(), _ignore_patterns(), refused.append),
            _from_storages(files, ownership(), _Spool(folder), refused.append),
        )
        yield select(candidates, refused)


# RFC 8615: the folder of what the web has agreed upon, whose name the default patterns would ignore.
_WELL_KNOWN = ".well-known"


def _at_root(folder: str, ignore_patterns: Sequence[str], refuse: Refuse) -> Iterator[SourceFile]:
    """The files in ``folder``, which are served at the root of the site. Refuses a folder that is not there."""
    if not folder:
        return
    if not os.path.isdir(folder):
        what = "is no folder" if os.path.lexists(folder) else "does not exist"
        refuse(SourceError(folder, f"{root_folder_option()} names it, and it {what}", _CORRECT_PATH))
        return
    matches = ignore_matcher(ignore_patterns)

    def ignored(name: str) -> object:
        return name != _WELL_KNOWN and matches(name.removeprefix(_WELL_KNOWN + "/"))

    mine = ownership()(folder)
    for relative, path in walk(folder, ignored, refuse):
        yield SourceFile(ROOT_PREFIX + relative, path, mine and not in_package_folder(relative))


def _ignore_patterns() -> Sequence[str]:
    """The patterns that Django's own command ignores by default."""
    try:
        patterns: Sequence[str] = getattr(apps.get_app_config("staticfiles"), "ignore_patterns", [])
    except LookupError:
        return []
    return patterns


def _candidates(ignore_patterns: Sequence[str], spool: _Spool, refuse: Refuse) -> Iterator[SourceFile]:
    own = ownership()
    ignored = ignore_matcher(ignore_patterns)
    for finder in get_finders():
        folders = _plain_folders(finder)
        if folders is not None:
            for prefix, root in folders:
                mine = own(root)
                for relative, path in walk(root, ignored, refuse):
                    # By the path alone: to look each file up on disk would take longer than to walk the folder.
                    yield SourceFile(
                        f"{prefix}/{relative}" if prefix else relative, path, mine and not in_package_folder(relative)
                    )
            continue
        listed = finder.list(list(ignore_patterns))
        files = ((logical_path(storage, path), storage, path) for path, storage in listed)
        yield from _from_storages(files, own, spool, refuse)


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


class _Spool:
    """The copies of files that are on no disk, in the folder ``folder``.

    Under numbers, not their names: those may lead out of the folder, and two storages may have the same.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._numbers = itertools.count()

    def copy(self, logical: str, storage: Storage, path: str) -> SourceFile:
        """A source for the file ``path`` of ``storage``. Raises `SourceError`."""
        origin = _origin(storage, path)
        if fault := path_fault(logical):
            raise SourceError(origin, fault, RENAME)
        target = os.path.join(self._folder, str(next(self._numbers)))
        try:
            with storage.open(path) as source, open(target, "wb") as copy:
                copy.writelines(chunks_of(source))
        except OSError as error:
            raise SourceError(origin, f"cannot be read from {storage!r}: {os_reason(error)}") from error
        return SourceFile(logical, target, own=True, origin=origin)


def _origin(storage: Storage, path: str) -> str:
    return f"{type(storage).__name__}:{path}"


def _from_storages(
    files: Iterable[tuple[str, Storage, str]], own: Callable[[str], bool], spool: _Spool, refuse: Refuse
) -> Iterator[SourceFile]:
    """The sources of ``files``: logical path, storage and path in it."""
    for logical, storage, path in files:
        try:
            source = _from_storage(logical, storage, path, own, spool)
        except SourceError as error:
            refuse(error)
        else:
            yield source


def _from_storage(logical: str, storage: Storage, path: str, own: Callable[[str], bool], spool: _Spool) -> SourceFile:
    try:
        real = storage.path(path)
    except NotImplementedError:
        real = ""
    except SuspiciousFileOperation as error:
        raise SourceError(_origin(storage, path), str(error)) from error
    # Some storages that are on no disk name a path all the same, Django's InMemoryStorage among them.
    if not isinstance(storage, FileSystemStorage) and not os.path.lexists(real):
        return spool.copy(logical, storage, path)
    return SourceFile(logical, real, own(real))


def ownership() -> Callable[[str], bool]:
    """A function that says whether a path is the project's own rather than an installed package's.

    What lies in a folder for installed packages is a package's, unless STATICFILES_DIRS names it: that is a choice of
    the project, but not its own work, so it stays a package's too.
    """
    installed = {os.path.realpath(p) for key in ("purelib", "platlib") if (p := sysconfig.get_path(key))}
    installed |= {os.path.realpath(p) for p in (*site.getsitepackages(), site.getusersitepackages())}

    def own(path: str) -> bool:
        real = os.path.realpath(path)
        if any(real == folder or real.startswith(folder + os.sep) for folder in installed):
            return False
        return not any(part in _PACKAGE_FOLDERS for part in real.split(os.sep))

    return own


def source_folders() -> list[str]:
    """The folders that the standard finders read, for the checks."""
    given: Any = settings.STATICFILES_DIRS
    folders = [os.fspath(root[1] if isinstance(root, (list, tuple)) else root) for root in given]
    for finder in get_finders():
        if isinstance(finder, AppDirectoriesFinder):
            folders += [str(storage.location) for storage in finder.storages.values()]
    return folders
