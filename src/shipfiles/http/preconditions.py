"""Conditional requests: RFC 9110 section 13, for GET and HEAD.

For other methods a static file answers neither 2xx nor 412, and then section 13.2.1 has preconditions ignored.
"""

from __future__ import annotations

import re
from typing import Literal

from .dates import parse_http_date

Verdict = Literal[200, 304, 412]

# Section 8.8.3: an opaque tag may hold anything but quotes, spaces and controls; commas too, so a list cannot be split.
_ENTITY_TAG = re.compile(r'(?<![^\s,])(W/)?("[\x21\x23-\x7e\x80-\xff]*")(?![^\s,])')


def evaluate(
    *,
    if_match: str | None,
    if_unmodified_since: str | None,
    if_none_match: str | None,
    if_modified_since: str | None,
    etag: str,
    modified: int | None,
    dates_only_grow: bool,
) -> Verdict:
    """What the preconditions of a GET or HEAD come to, in the order of section 13.2.2: go on, 304 or 412.

    ``etag`` is the tag of the selected representation, with its quotes and with ``W/`` if it is a weak one, and
    ``modified`` its Last-Modified in seconds since 1970, or ``None`` where it has none: then the conditions on dates
    are ignored.

    ``dates_only_grow`` says whether an earlier date than the client's proves that nothing is new. Where a URL may go
    back to a file made earlier, If-Modified-Since has to name the very date: section 13.1.3 has the server evaluate it
    as "earlier or equal", but its purpose is a client who has these bytes, and that one has no other date.
    """
    if if_match is not None:
        if not _matches(if_match, etag, weak=False):
            return 412
    elif if_unmodified_since is not None and modified is not None:
        since = parse_http_date(if_unmodified_since)
        if since is not None and modified > since:
            return 412
    if if_none_match is not None:
        if _matches(if_none_match, etag, weak=True):
            return 304
    elif if_modified_since is not None and modified is not None:
        since = parse_http_date(if_modified_since)
        if since is not None and (modified == since or (dates_only_grow and modified < since)):
            return 304
    return 200


def range_applies(if_range: str | None, *, etag: str, modified: int | None, date_is_strong: bool) -> bool:
    """Whether Range is to be heeded: section 13.1.5.

    ``date_is_strong`` says whether the representation is known not to have changed twice within one second
    (section 8.8.2.2); else a date proves nothing and the whole file is the safe answer.
    """
    if if_range is None:
        return True
    if if_range == etag:
        return not etag.startswith("W/")
    if '"' in if_range[:3]:  # a weak tag or another one
        return False
    return date_is_strong and modified is not None and parse_http_date(if_range) == modified


def names_tag(field: str, etag: str, *, weak: bool = True) -> bool:
    """Whether a list of entity tags names ``etag`` itself: by weak or strong comparison (section 8.8.3.2)."""
    is_weak = etag.startswith("W/")
    if is_weak and not weak:
        return False
    opaque = etag[2:] if is_weak else etag
    return field == etag or any(tag == opaque and (weak or not mark) for mark, tag in _ENTITY_TAG.findall(field))


def _matches(field: str, etag: str, *, weak: bool) -> bool:
    """Whether a list of entity tags, or ``*``, has ``etag``."""
    return field.strip() == "*" or names_tag(field, etag, weak=weak)
