"""Byte ranges: RFC 9110 section 14."""

from __future__ import annotations

import re
import sys
from typing import Literal

_RANGE = re.compile(r"([0-9]+)-([0-9]*)|-([0-9]+)")

Selection = tuple[int, int] | Literal["unsatisfiable"] | None


def select(field: str, size: int) -> Selection:
    """The bytes that a Range field asks for, as ``(start, stop)`` with ``0 <= start < stop <= size``.

    ``None`` means that the field is to be ignored and the whole sent, which section 14.2 leaves to the server: another
    unit than bytes, something malformed (``bytes=--5``, ``bytes=5-2``), an empty file, or several ranges, whose
    answer in parts nearly no client reads.
    """
    unit, equals, listed = field.partition("=")
    if not equals or unit.lower() != "bytes" or size == 0:
        return None
    # Section 5.6.1.2: empty members of a list are passed over.
    members = [member for member in (part.strip(" \t") for part in listed.split(",")) if member]
    match = _RANGE.fullmatch(members[0]) if len(members) == 1 else None
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        length = min(_number(suffix), size)
        return (size - length, size) if length else "unsatisfiable"
    start = _number(first)
    if last and _number(last) < start:
        return None
    if start >= size:
        return "unsatisfiable"
    return start, min(_number(last) + 1, size) if last else size


def _number(digits: str) -> int:
    """A decimal of any length; beyond what a file can have, one number is as good as the other (section 14.1.2)."""
    digits = digits.lstrip("0")
    return int(digits or "0") if len(digits) <= 18 else sys.maxsize
