"""Logical paths, and their way to a URL and back: the only module that knows about ``..``, ``\\`` and percent signs.

A *logical path* is what a template names: ``css/app.css``. Relative, with ``/`` between its parts, none of them empty,
``.`` or ``..``; any text but control characters, backslashes and what UTF-8 cannot write.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, unquote_to_bytes

RESERVED = ".shipfiles"
"""The folder in a store that belongs to Shipfiles: manifests, the pointer, the lock. No source file may claim it."""
PROBES = f"{RESERVED}/probe"
"""The folder in a store of what is put there for a try, and read as browsers do. Anything there may be deleted at any
time."""
TEMPORARY = f"{RESERVED}-"
"""The beginning of the names of files that are not whole yet; see `is_temporary`."""

# What RFC 3986 section 3.3 allows in a path (pchar and "/"), less the characters that would end an unquoted CSS url()
# or a string: ' ( ). A URL made with this set needs no escape in HTML attributes, CSS or JavaScript but "&".
_URL_SAFE = "/~:@!$&*+,;="

_SPECIAL = re.compile(r"[%?#]|\A\s|\s\Z")
_REST = re.compile(r"[?#]")
# Names that stores make, and none that people give theirs.
_TEMPORARY = re.compile(re.escape(TEMPORARY) + r"[0-9a-f]+-[0-9a-f]+").fullmatch
# Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties.txt). Linux passes over them in folders that fold
# case, HFS+ over some of them (Technical Note TN1150, "Case-Insensitive String Comparison Algorithm").
_IGNORED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# What FAT and NTFS call that folder where they give each long name a short one, too: six letters and a number, or two
# letters, four digits of a checksum and a number.
_SHORT = re.compile(f"(?:{RESERVED[1:7]}|{RESERVED[1:3]}[0-9a-f]{{4}})~[0-9]+")
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
    if _is_reserved(parts[0]):
        if parts[0] == RESERVED:
            return f"the folder '{RESERVED}' is reserved for Shipfiles"
        return f"some systems take {parts[0]!a} for the folder '{RESERVED}', which is reserved for Shipfiles"
    if is_temporary(parts[-1]):
        return "Shipfiles gives files such names while it writes them, and removes those that are left over"
    return ""


def is_temporary(name: str) -> bool:
    """Whether the file ``name`` is one that a store has begun to write: such are not listed, and swept."""
    return name.startswith(TEMPORARY) and _TEMPORARY(name) is not None


def _is_reserved(part: str) -> bool:
    """Whether some file system takes ``part``, the first of a path, for the reserved folder."""
    if part.isascii():
        if part[:1] not in ".sS":
            return False
    else:
        # Composed or decomposed and fullwidth or not, too: what is compared depends on the file system.
        part = unicodedata.normalize("NFKC", _IGNORED.sub("", part))
    # Windows drops dots and spaces at the end; behind a colon stands the name of a stream (":$I30:$INDEX_ALLOCATION").
    name = part.casefold().partition(":")[0].rstrip(". ")
    return name == RESERVED or _SHORT.fullmatch(name) is not None


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
