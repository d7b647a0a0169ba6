"""The references in a web app manifest (https://www.w3.org/TR/appmanifest/): images, and no pages.

``start_url``, ``scope``, ``id`` and the addresses of shortcuts stay: people go there. A ``manifest.json`` that is a
browser extension's or a bundler's has no lists of images in these places, and so no references.
"""

from __future__ import annotations

from ...model import Reference
from .json_strings import strings
from .reference import is_local

# Where image resources are: Application Manifest sections 1.9 and 3 and its "localized members", Application
# Information section 2, Manifest Incubations for "file_handlers", and Microsoft's "Define widgets" for Windows.
_LISTS = ("icons", "screenshots")
_NESTED = {"shortcuts": ("icons",), "file_handlers": ("icons",), "widgets": _LISTS}
_DEPTH = 6


def references(body: bytes) -> list[Reference]:
    """The references of a manifest; none if it is not JSON."""
    if b'"src"' not in body and b"\\" not in body:
        return []
    found: list[Reference] = []
    for path, start, end, is_key, url in strings(body, _DEPTH):
        if is_key or not path or path[-1] != "src":
            continue
        match path:
            case (str(of), int(), _) if of in _LISTS:
                pass
            case (str(of), int(), str(images), int(), _) if images in _NESTED.get(of, ()):
                pass
            case ("icons_localized", str(), int(), _) | ("shortcuts", int(), "icons_localized", str(), int(), _):
                pass
            case _:
                continue
        if start < end and is_local(url, "url"):
            found.append(Reference(start, end, url, "url"))
    return found
