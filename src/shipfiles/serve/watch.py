"""The table of development: it looks at the disk on every request, so that an edit shows at once."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Callable

from ..config import ServeConfig
from ..digest import Digest
from ..http.added import header_function, with_added
from ..http.headers import Header, file_headers
from ..media_types import media_type
from ..paths import path_fault
from .opened import DigestMemory, Opened
from .places import Places
from .table import Resource, open_changing


class WatchTable:
    """The source files, wherever ``find`` finds them: a function from a logical path to a file's path or ``None``.

    Every answer is ``no-cache`` with a tag of the bytes that the file has then. ``prefix`` as for `FileTable`.
    """

    # As many large files as a person looks at in a day; their digests are kept so that seeking in a film stays quick.
    _REMEMBERED = 256

    def __init__(self, find: Callable[[str], str | None], prefix: str, config: ServeConfig | None = None) -> None:
        self.config = dataclasses.replace(config or ServeConfig(), max_age=0)
        self._places = Places(prefix, self.config)
        self._add_headers = header_function(self.config)
        self.release = ""
        self.ready = None
        self._find = find
        self._memories: dict[str, DigestMemory] = {}

    def find(self, path: str) -> Resource | None:
        """The file at the URL path ``path``, if a regular file is there now."""
        for place in (self._places.below_prefix(path), self._places.at_root(path)):
            if place is not None and (found := self._source(path, place.name)) is not None:
                return found
        return None

    def _source(self, url: str, logical: str) -> _SourceFile | None:
        file = self._file(logical)
        if file is None:
            return None
        if len(self._memories) >= self._REMEMBERED:
            self._memories.clear()
        memory = self._memories.setdefault(file, DigestMemory())

        def headers(digest: Digest) -> tuple[Header, ...]:
            type_ = media_type(logical, self.config.media_types)
            made = file_headers(logical, type_, self.config, immutable=False, digest=digest)
            return with_added(made, self._add_headers, file, url)

        return _SourceFile(logical, file, headers, memory)

    def _file(self, logical: str) -> str | None:
        file = None if path_fault(logical) else self._find(logical)
        return file if file is not None and _is_regular(file) else None

    def redirect(self, path: str, /) -> str | None:
        """As `Table.redirect`."""
        return self._places.redirect(path, lambda logical: self._file(logical) is not None)

    def page(self, path: str, /) -> Resource | None:
        """As `Table.page`."""
        logical = self.config.single_page
        return self._source("", logical) if logical and not self._places.is_static(path) else None

    def may_wait(self, _path: str, /) -> bool:
        """Never: the files of development are on this disk."""
        return False

    def is_static(self, path: str, /) -> bool:
        """As `Table.is_static`."""
        return self._places.is_static(path)

    def is_lost(self, _path: str, /) -> bool:
        """Never: in development the application's own 404 page says more."""
        return False


class _SourceFile:
    """A `Resource` of a `WatchTable`."""

    codings: tuple[str, ...] = ()

    def __init__(
        self, logical: str, path: str, headers: Callable[[Digest], tuple[Header, ...]], memory: DigestMemory
    ) -> None:
        self.logical = logical
        self._path = path
        self._headers = headers
        self._memory = memory

    def known(self, _coding: str, /) -> None:
        """Nothing is certain of a file that is being edited."""

    def distrust(self, _coding: str, /) -> None:
        """Nothing vouches for its bytes, so they are never wrong."""

    def open(self, _coding: str, /) -> Opened | None:
        return open_changing(self._path, self._headers, self._memory)


def _is_regular(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
