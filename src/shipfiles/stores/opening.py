"""From what a setting says to a store."""

from __future__ import annotations

import os
import re
from typing import cast
from urllib.parse import unquote, urlsplit

from ..dotted import imported
from ..errors import ConfigError
from .local import LocalStore
from .store import Store

_VERBS = ("put", "swap", "head", "read", "list", "delete")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")


def open_store(place: object, where: str) -> Store:
    """The store that ``place`` means; ``where`` names the option in errors. Raises `ConfigError`.

    A store itself; the absolute path of a folder, or its ``file://`` URL; or the dotted path of a store or of a
    callable without arguments that gives one.
    """
    if isinstance(place, str) and (scheme := _SCHEME.match(place)):
        if scheme[1].lower() != "file":
            raise ConfigError(
                f"{where}: there is no store for {scheme[1]}:// yet. It can be the absolute path of a folder, a "
                "file:// URL, or a store object of your own or its dotted path."
            )
        url = urlsplit(place)
        if url.netloc not in ("", "localhost"):
            raise ConfigError(f"{where}: {place!r} names another machine. Write file:///, with three slashes.")
        return LocalStore(_absolute(unquote(url.path), where))
    if isinstance(place, os.PathLike) or (isinstance(place, str) and not _DOTTED.fullmatch(place)):
        return LocalStore(_absolute(os.fspath(place), where))
    found = imported(place, where) if isinstance(place, str) else place
    if not _is_store(found) and callable(found):
        found = found()
    if not _is_store(found) or isinstance(found, type):
        raise ConfigError(f"{where}: {place!r} is no store: it must have {', '.join(_VERBS)}.")
    return cast("Store", found)


def _absolute(path: str | bytes, where: str) -> str:
    path = os.fsdecode(path)
    if not os.path.isabs(path):
        raise ConfigError(f"{where}: the path of a folder must be absolute, not {path!r}.")
    return path


def _is_store(found: object) -> bool:
    return not isinstance(found, type) and all(callable(getattr(found, verb, None)) for verb in _VERBS)
