"""The references in an HTML page, by the HTML Standard (https://html.spec.whatwg.org/).

References are what the page fetches by itself: ``src``, ``srcset``, ``poster``, ``data``, ``background``, links to
style sheets, icons, manifests and what is loaded ahead, style sheets and scripts in the page, import maps, drawings.

Addresses that people see, keep or type stay as they are: those of ``a`` and ``area``, of forms, ``meta`` and links such
as ``canonical``, ``alternate`` and ``next``. What only a script reads stays, too (``data-src``), and so does the
page in ``srcdoc``. A value that a template engine fills in is no reference.

A part of a page, without ``html``, ``head`` or ``body``, is put into pages that other files name: whether its relative
references lead somewhere depends on them, and a missing target is only noted.
"""

from __future__ import annotations

import re

from ...model import Reference
from .elements import Elements
from .html_tags import HtmlMarkup

# Every element or attribute that refers to something has one of these.
_MAY_REFER = re.compile(rb"(?i)src|href|style|poster|data|background|script|\(")
_WHOLE_PAGE = re.compile(rb"(?i)<(?:!doctype|html|head|body)[\s>]")


def references(body: bytes) -> list[Reference]:
    """The references of a page. Any bytes are accepted; text in UTF-16 yields nothing."""
    if not _MAY_REFER.search(body):
        return []
    return Elements(body, HtmlMarkup(body), required=_WHOLE_PAGE.search(body) is not None).references()
