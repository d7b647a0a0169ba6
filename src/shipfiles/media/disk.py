"""Files on this machine, opened so that none outside of their folder is."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from ..serve.opened import opened_regular


def open_inside(root: str, path: str, closed: Sequence[str] = ()) -> tuple[int, os.stat_result] | None:
    """The descriptor and the status of the regular file ``path``, if it is in the folder ``root``; else ``None``.

    Links are followed only where they lead to another place in the folder. What is in a folder of ``closed`` below it
    is not in it. Raises ``OSError`` only if the machine has no descriptor or memory left.
    """
    real = _real_inside(root, path, closed)
    found = None if real is None else opened_regular(real)
    if found is None or real is None:
        return None
    fd, status = found
    try:
        # What was opened is what was looked at, and no link that took its place meanwhile.
        if os.path.samestat(os.lstat(real), status) and _real_inside(root, real, closed) == real:
            return found
    except OSError:
        pass
    os.close(fd)
    return None


def status_inside(root: str, path: str, closed: Sequence[str] = ()) -> os.stat_result | None:
    """The status of the regular file ``path``, as for `open_inside`, which is not opened."""
    real = _real_inside(root, path, closed)
    try:
        status = None if real is None else os.lstat(real)
    except OSError:
        return None
    return status if status is not None and stat.S_ISREG(status.st_mode) else None


def _real_inside(root: str, path: str, closed: Sequence[str]) -> str | None:
    try:
        # Strict, it ends at the first part that is not there, instead of asking for thousands behind it.
        real, folder = os.path.realpath(path, strict=True), _real_folder(root)
        is_inside = real.startswith(folder)
        for other in map(_real_folder, closed):
            if other != folder and other.startswith(folder) and real.startswith(other):
                return None
    except (OSError, ValueError):
        return None
    return real if is_inside else None


def _real_folder(path: str) -> str:
    return os.path.join(os.path.realpath(path), "")
