"""The references in an HTML page that is written as XML. Those of `html`, found as an XML parser would."""

from __future__ import annotations

from ...model import Reference
from .elements import Elements
from .xml_tags import XmlMarkup


def references(body: bytes) -> list[Reference]:
    """The references of a page, as far as it is well-formed."""
    return Elements(body, XmlMarkup(body, "html")).references()
