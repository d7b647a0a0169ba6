"""The references in a drawing, by SVG 2 (https://www.w3.org/TR/SVG2/) and SVG 1.1.

``href`` and ``xlink:href`` of every element but ``a``, whose address people go to; ``url()`` in ``style`` elements,
``style`` attributes and presentation attributes; scripts; ``<?xml-stylesheet?>``. What an animation gives to an
``href`` stays as it is.
"""

from __future__ import annotations

import re

from ...model import Reference
from .elements import Elements
from .xml_tags import XmlMarkup

# Most drawings refer to nothing, which shows without reading them: without an "href" (or the "src" of HTML in them),
# and with neither "url(" nor an escape that could hide it, there is nothing to find but the text of scripts.
_MAY_REFER = re.compile(rb"href|src|script|foreignObject|[lLcCtT]\(|[\\&@]")


def references(body: bytes) -> list[Reference]:
    """The references of a drawing, as far as it is well-formed. Any bytes are accepted."""
    if not _MAY_REFER.search(body):
        return []
    return Elements(body, XmlMarkup(body, "svg")).references()
