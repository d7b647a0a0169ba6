"""The references in an import map (HTML Standard 8.1.5.4, "import maps").

Keys are references, too, where they are URLs: a module that imports ``./a.js`` asks for its hashed name once it is
rewritten, and only a key with that name is then found. A key need not name a file that exists, so a missing one is only
noted. Keys that are bare names and those that end with a slash, and stand for all below it, stay.
"""

from __future__ import annotations

from ...model import Reference, ReferenceKind
from .json_strings import strings
from .reference import is_local

_DEPTH = 3


def references(body: bytes) -> list[Reference]:
    """The references of an import map; none if it is not JSON."""
    found: list[Reference] = []
    for path, start, end, is_key, text in strings(body, _DEPTH):
        kind: ReferenceKind = "module"
        url = text
        match path:
            case ("imports", str()) | ("scopes", str(), str()):
                pass
            case ("scopes", str()) if is_key:
                kind = "url"
            case ("integrity", str(guarded)):
                if not is_key:
                    kind, url = "integrity", guarded
            case _:
                continue
        if start < end and is_local(url, "url" if kind == "url" else "module"):
            found.append(Reference(start, end, url, kind, required=not is_key and kind != "integrity"))
    return found
