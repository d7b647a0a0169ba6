"""Header fields that a project gives to files by pattern: what may stand in them, and which of them a file gets.

Everything is checked when the options are read, so that no field can be wrong, or add another one, in an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from .errors import ConfigError, did_you_mean, nearest_names

Fields = Mapping[str, str | None]
"""Field name → value; ``None`` takes a field away that would be sent."""

PRESETS: Mapping[str, Fields] = {
    # Fetch section 3.3: scripts of any origin may read the file, and use it as a font or a module.
    "cors": {"Access-Control-Allow-Origin": "*"},
    # Fetch section 3.7: pages of any origin may load the file, those under Cross-Origin-Embedder-Policy too.
    "cross-origin": {"Cross-Origin-Resource-Policy": "cross-origin"},
    # Only pages of the same origin may load it.
    "same-origin": {"Access-Control-Allow-Origin": None, "Cross-Origin-Resource-Policy": "same-origin"},
    # Resource Timing section 4.5: scripts of any origin see how long it took, and its size.
    "timing": {"Timing-Allow-Origin": "*"},
    # An SVG or HTML file that is opened by itself runs no script and has an origin of its own (CSP 3; HTML 7.1.5).
    "inert": {"Content-Security-Policy": "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"},
}
"""What a rule may be called instead of being written out."""

# RFC 9110 section 5.6.2: a field's name is a token.
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Section 5.5: visible characters, spaces and tabs within, and bytes above ASCII, which WSGI and ASGI carry as Latin-1.
_VALUE = re.compile(r"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?")

_COMPUTED = "it is computed from the file and the request"
_MESSAGE = "it belongs to the connection, which the server keeps"
_REASONS: Mapping[str, str] = {
    **dict.fromkeys(("accept-ranges", "content-encoding", "content-length", "content-range", "date", "etag",
                     "last-modified", "vary"), _COMPUTED),
    **dict.fromkeys(("connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
                    _MESSAGE),
    "age": "a cache adds it",
    "allow": "which methods a file has is not a choice",
    "content-type": "set OPTIONS['serve']['media_types'] and ['charset']",
    "expires": "set OPTIONS['serve']['max_age'], or Cache-Control",
    "location": "a file is no redirect",
    "server": "the server adds it",
    "set-cookie": "files are kept by caches that many people share",
    "status": "the status is computed from the file and the request",
    "www-authenticate": "files are public",
}  # fmt: skip


def is_field_name(text: str) -> bool:
    """Whether ``text`` can be the name of a header field."""
    return _NAME.fullmatch(text) is not None


def reserved(name: str) -> str:
    """Why a project cannot set the field ``name``; empty if it can."""
    return _REASONS.get(name.lower(), "")


def field_fault(name: object, value: object) -> str:
    """What is wrong with a field that a project wants to set; empty if nothing is."""
    if not isinstance(name, str) or not is_field_name(name):
        return f"{name!r} is not the name of a header"
    if reason := reserved(name):
        return f"{name} cannot be set: {reason}"
    if not isinstance(value, str):
        return f"{name} must be a string, not {value!r}"
    if not _VALUE.fullmatch(value):
        return (
            f"the value of {name} has a line break, a control character, a space at its end or a character that is "
            f"not in Latin-1: {value!r}"
        )
    return ""


def checked_rules(given: Mapping[str, object], where: str) -> dict[str, Fields]:
    """Pattern → fields, presets written out. Raises `ConfigError`, which calls the rules ``where``."""
    return {pattern: _checked_fields(value, f"{where}[{pattern!r}]") for pattern, value in given.items()}


def _checked_fields(given: object, place: str) -> Fields:
    if isinstance(given, str):
        if given not in PRESETS:
            raise ConfigError(
                f"{place}: {given!r} is none of the presets {', '.join(map(repr, PRESETS))}"
                + did_you_mean(nearest_names(given, PRESETS))
            )
        return PRESETS[given]
    if isinstance(given, (list, tuple)):
        merged: dict[str, str | None] = {}
        for number, part in enumerate(given):
            merged |= _checked_fields(part, f"{place}[{number}]")
        return merged
    if not isinstance(given, Mapping):
        raise ConfigError(f"{place} must be a dict of headers, the name of a preset or a list of these, not {given!r}")
    for name, value in given.items():
        if fault := field_fault(name, "" if value is None else value):
            raise ConfigError(f"{place}: {fault}")
    return dict(given)


def fields_for(rules: Iterable[tuple[str, Fields]], logical: str) -> dict[str, tuple[str, str | None]]:
    """The fields that ``rules`` give to the file ``logical``: name in lower case → name as written, value.

    Of several rules that fit, a later one counts more.
    """
    found: dict[str, tuple[str, str | None]] = {}
    for pattern, fields in rules:
        if fnmatchcase(logical, pattern):
            found.update((name.lower(), (name, value)) for name, value in fields.items())
    return found
