"""Walk folders for source files, and decide which of two files with one logical path wins."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..errors import KeyCollision, SourceError, SourceErrors, os_reason, printable
from ..model import SourceFile
from ..paths import path_fault

Matches = Callable[[str], object]
Refuse = Callable[[SourceError], object]
"""What is told of each file or folder that cannot be used. If it returns, the rest is looked at all the same."""

RENAME = "Rename it, or leave it out with --ignore."
_UNLINK = "Mend or remove the link, or leave it out with --ignore."
_CORRECT = "Correct that, or leave it out with --ignore."


def _raise(error: SourceError) -> None:
    raise error


class Stat(NamedTuple):
    """What tells a file that may have changed from one that has not."""

    size: int
    changed: int
    """When its bytes were last changed, as whoever copied it may have set it. Nanoseconds since the epoch."""
    inode: int
    device: int
    noted: int
    """When the file system last noted a change of any kind (POSIX ctime): nobody sets that. Nanoseconds."""


def _stat(status: os.stat_result) -> Stat:
    return Stat(status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev, status.st_ctime_ns)


@dataclass(slots=True)
class Found:
    """What the finders gave, after the rules: one source file for each logical path."""

    sources: list[SourceFile] = field(default_factory=list)
    shadowed: list[tuple[SourceFile, SourceFile]] = field(default_factory=list)
    """``(loser, winner)`` for each file whose logical path was taken already."""
    skipped: list[tuple[str, str]] = field(default_factory=list)
    """``(path, why)`` for what is no file, such as a pipe."""
    looked: int = field(default_factory=time.time_ns)
    """When the first of them was looked at. Nanoseconds since the epoch."""
    stats: dict[str, Stat] = field(default_factory=dict)
    """What the file system said of each source file, by logical path."""
    case_twins: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of logical paths that differ only by case: some file systems and browsers' caches take them for one."""


def ignore_matcher(patterns: Sequence[str]) -> Matches:
    """A function that says whether a name matches one of the shell-style ``patterns``; case matters."""
    if not patterns:
        return lambda _: None
    return re.compile("|".join(fnmatch.translate(p) for p in sorted(patterns))).match


def walk(root: str, ignored: Matches, refuse: Refuse = _raise) -> Iterator[tuple[str, str]]:
    """``(relative path with slashes, path)`` for all below ``root`` that is not a folder, sorted.

    As Django's finders do: a file is left out if its name or its relative path is ``ignored``, a folder if its name
    is. Symbolic links are followed, but a folder inside itself is an error rather than an endless walk.
    ``refuse`` is called for it and for a folder that cannot be read; by default it raises the `SourceError`.
    """
    try:
        # A stack of our own: folders may be nested deeper than Python calls.
        stack = [_listed(root, "")]
    except OSError as error:
        refuse(SourceError(root, f"the folder cannot be read: {os_reason(error)}"))
        return
    inside = {stack[0].identity}
    while stack:
        level = stack[-1]
        entry = next(level.entries, None)
        if entry is None:
            inside.discard(stack.pop().identity)
            continue
        if ignored(entry.name):
            continue
        relative = level.prefix + entry.name
        if _is_folder(entry):
            try:
                below = _listed(entry.path, relative + "/")
            except OSError as error:
                refuse(SourceError(entry.path, f"the folder cannot be read: {os_reason(error)}", _CORRECT))
                continue
            if below.identity in inside:
                refuse(SourceError(entry.path, "a symbolic link makes this folder contain itself", _UNLINK))
                continue
            inside.add(below.identity)
            stack.append(below)
        elif not (level.prefix and ignored(relative)):
            yield relative, entry.path


@dataclass(frozen=True, slots=True)
class _Level:
    """A folder that a walk is in: which it is, and what is left of it."""

    prefix: str
    identity: tuple[int, int]
    entries: Iterator[os.DirEntry[str]]


def _listed(folder: str, prefix: str) -> _Level:
    """Raises ``OSError``."""
    status = os.stat(folder)
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda e: e.name)
    return _Level(prefix, (status.st_dev, status.st_ino), iter(found))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def select(candidates: Iterable[SourceFile], refused: list[SourceError] | None = None) -> Found:
    """Apply the rules to ``candidates`` in the finders' order: the first with a logical path wins.

    Raises `SourceError` for names that cannot be published and files that are not there, `SourceErrors` for several.
    With them are those that were ``refused`` while the candidates were looked for; the list grows. Raises
    `KeyCollision` if one file's path is another's folder.
    """
    found = Found()
    taken: dict[str, SourceFile] = {}
    faults = [] if refused is None else refused
    for source in candidates:
        winner = taken.get(source.logical)
        if winner is not None:
            if winner.path != source.path:
                found.shadowed.append((source, winner))
            continue
        if fault := path_fault(source.logical):
            faults.append(SourceError(source.place, fault, RENAME))
            continue
        try:
            status = os.stat(source.path)
        except OSError as error:
            faults.append(_unseen(source.path, error))
            continue
        if not stat.S_ISREG(status.st_mode):
            found.skipped.append((source.path, _kind(status.st_mode)))
            continue
        found.stats[source.logical] = _stat(status)
        taken[source.logical] = source
    if faults:
        raise faults[0] if len(faults) == 1 else SourceErrors(faults)
    _refuse_file_folder_clash(taken)
    found.case_twins = _case_twins(taken)
    found.sources = [taken[logical] for logical in sorted(taken)]
    return found


def _unseen(path: str, error: OSError) -> SourceError:
    """What it means that the file at ``path`` cannot be looked at."""
    if os.path.islink(path):
        dangling = isinstance(error, FileNotFoundError)
        what = "to a file that does not exist" if dangling else f"that cannot be followed: {os_reason(error)}"
        return SourceError(path, f"a symbolic link {what}", _UNLINK)
    if isinstance(error, FileNotFoundError):
        return SourceError(path, "the file went away while it was collected; run again")
    return SourceError(path, os_reason(error), _CORRECT)


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return f"{kinds.get(stat.S_IFMT(mode), 'special')}, not a file"


def _refuse_file_folder_clash(taken: dict[str, SourceFile]) -> None:
    folders: dict[str, SourceFile] = {}
    for logical, source in taken.items():
        parent = logical
        while (slash := parent.rfind("/")) > 0:
            parent = parent[:slash]
            if parent in folders:
                break
            folders[parent] = source
    for logical in taken.keys() & folders.keys():
        raise KeyCollision(
            logical,
            taken[logical].place,
            folders[logical].place,
            f"One needs a file {printable(logical)}, the other a folder of that name. Rename one of them.",
        )


def _case_twins(taken: dict[str, SourceFile]) -> list[tuple[str, str]]:
    seen: dict[str, str] = {}
    twins = []
    for logical in sorted(taken):
        first = seen.setdefault(logical.casefold(), logical)
        if first != logical:
            twins.append((first, logical))
    return twins
