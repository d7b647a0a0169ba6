"""Names of static files in the templates of Django's own engine."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from django.template import Engine
from django.utils.text import unescape_string_literal

from ...build.find import walk
from ...errors import SourceError, os_reason
from ...regular import open_regular, read_at_most
from ..sources import in_package_folder, ownership
from .blocks import blocks
from .names import NameUse, Scan, is_left_over

_LITERAL = re.compile(r"""\s+("[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')(?=\s|$)""", re.DOTALL)
_COMPARING = frozenset(("not", "or", "==", "!=", "is", "in", "<", ">", "<=", ">="))
_NO_TEMPLATES = frozenset((".git", ".hg", ".svn", ".venv", "venv", "node_modules", "__pycache__"))
_MAX_SIZE = 4 << 20
"""Larger files among the templates are none. Bytes."""


def uses_in(source: str, path: str, own: bool, tags: Collection[str] = ("static",)) -> Iterator[NameUse]:
    """The static files that the template ``source`` names with one of the ``tags``."""
    at = begin = 0
    line = 1
    foreign = False
    branches = _Branches()
    for start, end, contents in blocks(source):
        tag = contents.split(None, 1)[0] if contents else ""
        if tag == "load":
            foreign = _is_foreign(contents.split(), foreign)
        branches.take(tag, contents)
        if tag not in tags or len(contents) == len(tag):
            continue
        line += source.count("\n", at, start)
        begin = max(begin, source.rfind("\n", at, start) + 1)
        at = start
        literal = None if foreign and tag == "static" else _LITERAL.match(contents, len(tag))
        name = unescape_string_literal(literal[1]) if literal else None
        yield NameUse(
            path, line, start - begin + 1, source[start:end], name, f"{{% {tag} %}}", own, not branches.guarded
        )


class _Branches:
    """Whether a place is only reached in development: ``{% if debug %}``, ``{% if settings.DEBUG %}``."""

    def __init__(self) -> None:
        # For each open "if": whether this branch is one, and whether "else" will be.
        self._open: list[tuple[bool, bool]] = []
        self._guarding = 0

    @property
    def guarded(self) -> bool:
        """Whether it is so here."""
        return self._guarding > 0

    def take(self, tag: str, contents: str) -> None:
        """Go on behind a tag."""
        if tag == "if":
            self._enter(contents)
        elif tag in ("elif", "else", "endif") and self._open:
            here, otherwise = self._open.pop()
            self._guarding -= here
            if tag == "elif":
                self._enter(contents)
            elif tag == "else":
                self._open.append((otherwise, False))
                self._guarding += otherwise

    def _enter(self, contents: str) -> None:
        words = contents.split()[1:]
        debug = any(word.rpartition(".")[2].lower() == "debug" for word in words)
        # With "or", or a comparison, production may get there, too.
        here, otherwise = debug and _COMPARING.isdisjoint(words), debug and words[0] == "not" and len(words) == 2
        self._open.append((here, otherwise))
        self._guarding += here


def _is_foreign(words: list[str], before: bool) -> bool:
    """Whether ``static`` is another library's tag after this ``{% load %}``."""
    if len(words) >= 4 and words[-2] == "from":
        return words[-1] != "static" if "static" in words[1:-2] else before
    return False if "static" in words[1:] else before


def scan_engine(params: Mapping[str, Any], tags: Collection[str], scan: Scan) -> None:
    """Add what the templates of one entry of the TEMPLATES setting name: each template that can be loaded, once.

    The entry's engine is not made for this: it would import every library of tags that is installed.
    """
    options = params.get("OPTIONS") or {}
    engine = Engine(
        dirs=[os.fspath(folder) for folder in params.get("DIRS") or ()],
        app_dirs=bool(params.get("APP_DIRS")),
        loaders=options.get("loaders"),
        file_charset=str(options.get("file_charset", "utf-8")),
    )
    reader = _Reader(engine.file_charset, tags, scan)
    for loader in _each(engine.template_loaders):
        contents = getattr(loader, "templates_dict", None)
        if isinstance(contents, dict):
            for name, source in contents.items():
                reader.take(str(name), f"{name} (in the TEMPLATES setting)", True, partial(str, source))
        elif hasattr(loader, "get_dirs"):
            for folder in loader.get_dirs():
                reader.take_folder(os.fspath(folder))
        else:
            kind = type(loader)
            scan.leave_out(f"{kind.__module__}.{kind.__qualname__}", "this loader cannot list its templates")


def _each(loaders: Iterable[Any]) -> Iterator[Any]:
    for loader in loaders:
        inner = getattr(loader, "loaders", None)
        if inner is None:
            yield loader
        else:
            yield from _each(inner)


class _Reader:
    """Reads templates under their names: the first of a name is the one that is loaded."""

    def __init__(self, charset: str, tags: Collection[str], scan: Scan) -> None:
        self._charset = charset
        self._tags = tags
        # Most templates need not be decoded. In an encoding that writes letters otherwise than ASCII, all are.
        self._marks = [tag.encode() for tag in tags] if "static".encode(charset) == b"static" else [b""]
        self._scan = scan
        self._taken: set[str] = set()
        self._own = ownership()

    def take_folder(self, folder: str) -> None:
        """Read what is below ``folder``."""
        if not os.path.isdir(folder):
            return
        own = self._own(folder)
        try:
            for name, path in walk(folder, _NO_TEMPLATES.__contains__):
                self.take(name, path, own and not in_package_folder(name), partial(self._read, path))
        except SourceError as error:
            self._scan.leave_out(folder, f"read in part: {error}")

    def take(self, name: str, path: str, own: bool, read: Callable[[], str]) -> None:
        """Read the template ``name``, unless there was one."""
        if name in self._taken or is_left_over(name):
            return
        self._taken.add(name)
        self._scan.take(path, name)
        try:
            source = read()
        except OSError as error:
            self._scan.leave_out(path, f"cannot be read: {os_reason(error)}")
        except UnicodeDecodeError as error:
            self._scan.leave_out(path, f"not read as a template: {error}")
        else:
            self._scan.uses += uses_in(source, path, own, self._tags)

    def _read(self, path: str) -> str:
        with open_regular(path) as file:
            body = read_at_most(file, _MAX_SIZE + 1)
        if len(body) > _MAX_SIZE or not any(mark in body for mark in self._marks):
            return ""
        # As a file that is opened as text: every line ends with one character.
        return body.decode(self._charset).replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
