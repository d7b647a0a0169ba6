"""The references in a ``browserconfig.xml``: the images of a pinned site's tiles (Microsoft, "Browser configuration
schema reference"). The addresses of badges and notifications, which a server answers, stay as they are.
"""

from __future__ import annotations

from ...model import Reference
from .markup import Decoded, Piece
from .reference import is_local
from .xml_tags import XmlMarkup

_TILES = frozenset({"square70x70logo", "square150x150logo", "wide310x150logo", "square310x310logo", "tileimage"})


def references(body: bytes) -> list[Reference]:
    """The references of a browser configuration, as far as it is well-formed."""
    markup = XmlMarkup(body, "")
    found: list[Reference] = []
    for tag in markup.tags():
        if tag.name.lower() not in _TILES:
            continue
        for name, start, end in markup.attributes(tag):
            if name == "src" and not markup.has_entity(start, end):
                text = Decoded(body, (Piece(start, end, True),), markup.character, in_attribute=True).text
                url = text.decode("utf-8", "replace")
                if is_local(url, "url"):
                    found.append(Reference(start, end, url, "url", in_markup=True))
    return found
