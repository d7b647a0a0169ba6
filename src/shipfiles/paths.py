"""Logical paths, and their way to a URL and back: the only module that knows about ``..``, ``\\`` and percent signs.

A *logical path* is what a template names: ``css/app.css``. Relative, with ``/`` between its parts, none of them empty,
``.`` or ``..``; any text but control characters, backslashes and what UTF-8 cannot write.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes

RESERVED = ".shipfiles"
"""The folder in a store that belongs to Shipfiles: manifests, the pointer, the lock. No source file may claim it."""

# What RFC 3986 section 3.3 allows in a path (pchar and "/"), less the characters that would end an unquoted CSS url()
# or a string: ' ( ). A URL made with this set needs no escape in HTML attributes, CSS or JavaScript but "&".
_URL_SAFE = "/~:@!$&*+,;="

_SPECIAL = re.compile(r"[%?#]|\A\s|\s\Z")
_REST = re.compile(r"[?#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def path_fault(path: str) -> str:
    """Why ``path`` is no logical path; empty if it is one."""
    if _CONTROL.search(path):
        return "the name has a control character"
    if "\\" in path:
        return "the name has a backslash, which browsers and Windows take for a slash"
    try:
        path.encode()
    except UnicodeEncodeError:
        return "the name is not valid UTF-8"
    parts = path.split("/")
    if not path or "" in parts or "." in parts or ".." in parts:
        return "the name has an empty part, '.' or '..'"
    if parts[0].casefold() == RESERVED:
        return f"the folder '{RESERVED}' is reserved for Shipfiles"
    return ""


def url_path_fault(path: str) -> str:
    """Why ``path`` cannot be the path of a URL, decoded, below which or at which the site has a file; else empty."""
    if not path.startswith("/"):
        return "it does not begin with '/'"
    return "" if path == "/" else path_fault(path[1:])


def split_name(path: str) -> tuple[str, str]:
    """``path`` without its last extension, and that extension with its dot: as ``os.path.splitext`` on every system."""
    folder, slash, name = path.rpartition("/")
    bare = name.lstrip(".")
    stem, dot, extension = bare.rpartition(".")
    if not dot or not stem:
        return path, ""
    dots = len(name) - len(bare)
    return f"{folder}{slash}{name[:dots]}{stem}", f".{extension}"


def folder_of(path: str) -> str:
    """The folder part of ``path`` with its closing slash, or nothing."""
    return path[: path.rfind("/") + 1]


def url_quote(path: str) -> str:
    """``path`` as the path of a URL. The result is safe in an unquoted CSS ``url()`` and in any string."""
    return quote(path, safe=_URL_SAFE)


def url_unquote(text: str) -> str | None:
    """The text that a percent-encoded ``text`` stands for; ``None`` if that is not UTF-8."""
    if "%" not in text:
        return text
    try:
        return unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return None


def path_and_rest(name: str, has: Callable[[str], bool]) -> tuple[str, str]:
    """A name as templates write it → logical path, and query and fragment as they were.

    A name that is one as it stands is not taken apart: a file may be called ``a#b.css`` or ``100%.png``. White space
    around any other is dropped, as Django's storage does.
    """
    found = _SPECIAL.search(name)
    if found is None or has(name):
        return name, ""
    cut = _REST.search(name)
    path, rest = (name[: cut.start()], name[cut.start() :]) if cut else (name, "")
    path = url_unquote(path) or path
    return path if has(path) else path.strip(), rest


def resolve(base: str, relative: str) -> str | None:
    """The logical path that ``relative`` means in a file at the logical path ``base``; ``None`` if it leaves the root.

    Dot segments are removed as in RFC 3986 section 5.2.4, but ``..`` above the root is an error rather than dropped.
    """
    parts = base.split("/")[:-1]
    for part in relative.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
