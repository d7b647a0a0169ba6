"""What the finders find."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.staticfiles.finders import find, get_finders
from django.core.exceptions import SuspiciousOperation

from ..config import ROOT_PREFIX
from ..paths import path_fault


def find_source(path: str, root_folder: str = "") -> str | None:
    """The file on disk that the finders find for the logical ``path``, ``None`` if there is none.

    What is in the ``root_folder`` comes before what they find.
    """
    if root_folder and path.startswith(ROOT_PREFIX) and not path_fault(path):
        file = os.path.join(root_folder, path[len(ROOT_PREFIX) :])
        if os.path.isfile(file):
            return file
    try:
        found = find(path)
    except (ValueError, OSError, SuspiciousOperation):
        # A hostile path: refused by Django's safe_join or by the system.
        return None
    return os.fspath(found) if isinstance(found, (str, os.PathLike)) else None


def source_exists(path: str, root_folder: str = "") -> bool:
    """Whether the finders find a file, not a folder, for the logical ``path``; or there is one in ``root_folder``."""
    found = find_source(path, root_folder)
    return found is not None and not os.path.isdir(found)


def source_names() -> list[str]:
    """Every logical path that the finders list, to find the one that was meant."""
    return [logical_path(storage, path) for finder in get_finders() for path, storage in finder.list([])]


def logical_path(storage: Any, path: str) -> str:
    """The logical path of a finder's ``path``: with the prefix that STATICFILES_DIRS may give its folder."""
    prefix = getattr(storage, "prefix", None)
    joined = os.path.join(prefix, path) if prefix else path
    return joined.replace(os.sep, "/")
