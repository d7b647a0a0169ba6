"""References as plain lists, for other processes and other runs, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args

from ..model import Reference, ReferenceKind

FIELDS = tuple(Reference.__slots__)
"""The fields of a reference, in the order in which `Reference` takes them."""

_TYPES = (int, int, str, str, bool, bool, str)
_KINDS = frozenset(get_args(ReferenceKind))


def plain(references: Iterable[Reference]) -> list[list[Any]]:
    """``references`` as lists of what JSON knows."""
    return [[getattr(reference, field) for field in FIELDS] for reference in references]


def references_of(raw: Any, size: int) -> list[Reference]:
    """What `plain` made of the references in a body of ``size`` bytes. Raises ``ValueError`` if it cannot be that."""
    found = []
    end = 0
    if not isinstance(raw, list):
        raise ValueError("no list of references")  # noqa: TRY004 - one error for all that is wrong
    for values in raw:
        if not isinstance(values, list) or tuple(map(type, values)) != _TYPES:
            raise ValueError("no reference")
        reference = Reference(*values)
        if not (end <= reference.start <= reference.end <= size and reference.kind in _KINDS):
            raise ValueError("no reference in this body")
        end = reference.end
        found.append(reference)
    return found
