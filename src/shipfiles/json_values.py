"""What is read from JSON, as what it must be. Each raises ``TypeError`` or ``ValueError`` for what it is not."""

from __future__ import annotations

from .digest import Digest, is_digest


def text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def items(value: object) -> list[object]:
    """The items of a list."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is no list")
    return value


def digest(value: object) -> Digest:
    """A digest as manifests have it."""
    if not is_digest(value):
        raise ValueError(f"{value!r} is no digest")
    return Digest(str(value))


def count(value: object) -> int:
    """A number of bytes or files."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is no number of bytes or files")
    return value
