"""Where on the site the files of a release are: URL path → name in the release. Looks at no file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ..bundler_names import is_bundled, is_scrambled
from ..config import ROOT_PREFIX, ServeConfig
from ..digest import looks_hashed
from ..errors import ConfigError
from ..paths import url_quote, url_unquote


class Place(NamedTuple):
    """A name in a release, logical or hashed, that a URL path may stand for."""

    name: str
    at_root: bool
    """Whether the path is at the root of the site, not below the prefix of static files."""
    is_alias: bool = False
    """Whether the path is not made from the name, and so stands for whatever bytes the file has in this release."""


class Places:
    """Where files are: below ``prefix``, and as ``config`` says at the root of the site.

    Raises `ConfigError` for a prefix without slashes around it.
    """

    def __init__(self, prefix: str, config: ServeConfig) -> None:
        self.prefix = checked_prefix(prefix)
        self._files: Mapping[str, str] = config.root_files
        self._index = config.index_file
        self._has_folder = config.root_folder is not None
        self._has_root = bool(self._files) or self._has_folder

    def below_prefix(self, path: str) -> Place | None:
        """What the URL path ``path`` stands for below the prefix of static files, if it is there."""
        return self._place(path[len(self.prefix) :], False) if path.startswith(self.prefix) else None

    def at_root(self, path: str) -> Place | None:
        """What the URL path ``path`` stands for at the root of the site, if anything can be there."""
        if not self._has_root:
            return None
        if (logical := self._files.get(path)) is not None:
            return Place(logical, at_root=True, is_alias=True)
        if not self._has_folder or not path.startswith("/"):
            return None
        place = self._place(path[1:], True)
        return place and Place(ROOT_PREFIX + place.name, True)

    def is_static(self, path: str) -> bool:
        """Whether ``path`` is below a prefix that is for static files alone."""
        return self.prefix != "/" and path.startswith(self.prefix)

    def _place(self, name: str, at_root: bool) -> Place | None:
        index = self._index
        if index:
            if not name or name.endswith("/"):
                return Place(name + index, at_root)
            if name == index or name.endswith("/" + index):
                return None  # redirected
        return Place(name, at_root)

    def redirect(self, path: str, has: Callable[[str], bool]) -> str | None:
        """Where the file that ``path`` means is: relative to ``path``, as in Location; ``None`` if it is nowhere else.

        ``has`` says whether the release has a logical path. The folder's path is the one that counts, with its slash:
        relative references in the index file are meant from there.
        """
        index = self._index
        if not index or path in self._files:
            return None
        folder, _, last = path.rpartition("/")
        place = f"{folder}/" if last == index else f"{path}/"
        if not last or not any(found and has(found.name) for found in (self.below_prefix(place), self.at_root(place))):
            return None
        # "./": a name with a colon would be taken for a scheme (RFC 3986 section 4.2).
        return "./" if last == index else f"./{url_quote(last)}/"


def may_be_hashed(name: str) -> bool:
    """Whether ``name`` has a form of hashed names, ours or a bundler's."""
    return looks_hashed(name) or is_bundled(name) or is_scrambled(name)


def checked_prefix(prefix: str) -> str:
    """``prefix`` as request paths have it: percent signs undone. Raises `ConfigError` without a slash at either end."""
    if not prefix.startswith("/") or not prefix.endswith("/"):
        raise ConfigError(f"The URL prefix of static files must begin and end with '/', but is {prefix!r}.")
    decoded = url_unquote(prefix)
    if decoded is None:
        raise ConfigError(f"The URL prefix {prefix!r} is not UTF-8 when its percent signs are undone.")
    return decoded
