"""Headers that a function of the project adds to those of a file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import cast
from wsgiref.headers import Headers

from ..config import ServeConfig
from ..dotted import imported
from ..errors import ConfigError
from ..header_rules import field_fault, reserved
from .headers import Header

logger = logging.getLogger("shipfiles.serve")

AddHeaders = Callable[[Headers, str, str], object]
"""Given the headers, the path of the file on the disk and the path of its URL; changes the headers."""

_OPTION = "OPTIONS['serve']['add_headers']"


def header_function(config: ServeConfig) -> AddHeaders | None:
    """The function that the options name, if any. Raises `ConfigError` if it cannot be imported or called."""
    given = config.add_headers
    found = imported(given, _OPTION) if isinstance(given, str) and given else given
    if found and not callable(found):
        raise ConfigError(f"{_OPTION}: {given!r} cannot be called: it must take the headers, a path and a URL.")
    return cast("AddHeaders | None", found or None)


def with_added(headers: tuple[Header, ...], add: AddHeaders | None, path: str, url: str) -> tuple[Header, ...]:
    """``headers`` as ``add`` leaves them.

    A function that fails changes nothing, and fields that a project cannot set stay as they were, whatever else it
    does; both are written to the log: a site without a header is better than one without its style sheets.
    """
    if add is None:
        return headers
    changed = Headers(list(headers))
    try:
        add(changed, path, url)
        result = tuple(changed.items())
    except Exception:
        logger.exception("%s failed for %s, whose headers are those without it.", _OPTION, url or path)
        return headers
    if faults := _faults(headers, result):
        what = "; ".join(faults.values())
        logger.error("%s: %s. Of %s these stay as they are without it.", _OPTION, what, url or path)
        kept = tuple(field for field in result if field[0].lower() not in faults)
        result = (*(field for field in headers if field[0].lower() in faults), *kept)
    return _joined(result)


def _joined(fields: tuple[Header, ...]) -> tuple[Header, ...]:
    """``fields``, each of them once: the values of one that is there twice as a list (RFC 9110 section 5.3).

    Django has no place for a second one.
    """
    found: dict[str, Header] = {}
    for name, value in fields:
        first, before = found.get(name.lower(), (name, None))
        found[name.lower()] = first, value if before is None else f"{before}, {value}"
    return tuple(found.values())


def _faults(before: tuple[Header, ...], after: tuple[Header, ...]) -> dict[str, str]:
    """What a function has done that no project can do: field name in lower case → what is wrong."""
    faults: dict[str, str] = {}
    for name, value in after:
        if (name, value) not in before and (fault := field_fault(name, value)):
            faults[str(name).lower()] = fault
    names = [str(name).lower() for name, _ in after]
    for name, _ in before:
        if reserved(name) and names.count(name.lower()) != 1:
            gone = f"{name} cannot be left out: {reserved(name)}"
            faults.setdefault(name.lower(), f"{name.lower()} is there twice" if name.lower() in names else gone)
    return faults
