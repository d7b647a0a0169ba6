"""What one release has and another has not, and by how much what browsers load has grown."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from ..digest import Digest
from ..manifest import Manifest
from ..model import Entry
from .outcome import size_of
from .state import totals_of

IDENTITY = "identity"
"""Stands for no content coding (RFC 9110 section 12.5.3)."""

_LIMIT = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*(%|[kmg]?i?b|bytes|)", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "b": 1, "bytes": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}


@dataclass(frozen=True, slots=True)
class Difference:
    """The files by which two releases differ, each sorted by logical path."""

    added: tuple[Entry, ...]
    removed: tuple[Entry, ...]
    changed: tuple[tuple[Entry, Entry], ...]
    """Before and after: files with one logical path and other bytes, or another hashed name."""
    renamed: tuple[tuple[Entry, Entry], ...]
    """Before and after: files of the same source's bytes, whose logical path is another."""
    recompressed: tuple[Entry, ...]
    """Files with the same bytes and other variants, as they are after."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How much more browsers may load: a part of what they loaded before, or so many bytes."""

    percent: Decimal | None
    bytes: int
    text: str
    """As it was written."""

    @property
    def with_unit(self) -> str:
        """For people, whom a number alone does not tell of what."""
        if not self.text.replace(".", "", 1).isdecimal():
            return self.text
        return f"{self.text} {'byte' if self.text == '1' else 'bytes'}"

    def is_exceeded(self, before: int, after: int) -> bool:
        """Whether to grow from ``before`` to ``after`` bytes is too much."""
        if self.percent is None:
            return after - before > self.bytes
        return (after - before) * 100 > before * self.percent


def compare(before: Manifest, after: Manifest) -> Difference:
    """By what ``after`` differs from ``before``."""
    old, new = before.entries, after.entries
    removed = [old[logical] for logical in sorted(old.keys() - new.keys())]
    added = [new[logical] for logical in sorted(new.keys() - old.keys())]
    renamed = _renamed(removed, added)
    gone, come = {entry.logical for entry, _ in renamed}, {entry.logical for _, entry in renamed}
    both = [(old[logical], new[logical]) for logical in sorted(old.keys() & new.keys())]
    return Difference(
        tuple(entry for entry in added if entry.logical not in come),
        tuple(entry for entry in removed if entry.logical not in gone),
        tuple((first, second) for first, second in both if _differ(first, second)),
        tuple(renamed),
        tuple(second for first, second in both if not _differ(first, second) and first.codings != second.codings),
    )


def loaded(manifest: Manifest) -> dict[str, int]:
    """What browsers load: the bytes of all files as they are, and as those get them that take a content coding.

    `IDENTITY` comes first; a file that has no variant in a coding counts as it is.
    """
    totals = totals_of(map(size_of, manifest.entries.values()), {})
    return {IDENTITY: totals["bytes"], **{token: part["bytes_with"] for token, part in totals["compressed"].items()}}


def growth(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, tuple[int, int]]:
    """Coding → bytes before and after, from two results of `loaded`, of all codings that one of them has."""
    tokens = [IDENTITY, *sorted((before.keys() | after.keys()) - {IDENTITY})]
    return {token: (before.get(token, before[IDENTITY]), after.get(token, after[IDENTITY])) for token in tokens}


def limit_of(text: str) -> Limit:
    """The limit that ``text`` means: ``5%``, ``50kB``, ``1.5 MB``, ``20000``. Raises ``ValueError``."""
    found = _LIMIT.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text!r} is no limit: write a percentage or a number of bytes, such as 5%, 50kB or 1.5MB")
    number, unit = Decimal(found[1]), found[2].lower()
    if unit == "%":
        return Limit(number, 0, text.strip())
    if unit not in _UNITS:
        raise ValueError(f"{text!r} is no limit: there is no unit {found[2]!r}. Write kB, MB, GB, KiB, MiB or GiB")
    return Limit(None, int(number * _UNITS[unit]), text.strip())


def _renamed(removed: Iterable[Entry], added: Iterable[Entry]) -> list[tuple[Entry, Entry]]:
    """Pairs of the two that have the same source, each in one pair; of several, those with the same file name first."""
    pairs = []
    # All empty files are alike, so they tell nothing.
    left_old, left_new = [old for old in removed if old.size], [new for new in added if new.size]
    keys: tuple[Callable[[Entry], object], ...] = (lambda entry: (source_of(entry), _file_name(entry)), source_of)
    for key in keys:
        candidates: dict[object, deque[Entry]] = {}
        for old in left_old:
            candidates.setdefault(key(old), deque()).append(old)
        unpaired = []
        for new in left_new:
            if alike := candidates.get(key(new)):
                pairs.append((alike.popleft(), new))
            else:
                unpaired.append(new)
        left_old, left_new = [old for alike in candidates.values() for old in alike], unpaired
    return sorted(pairs, key=lambda pair: pair[1].logical)


def _differ(first: Entry, second: Entry) -> bool:
    return first.digest != second.digest or first.name != second.name


def source_of(entry: Entry) -> Digest:
    """What the file was before it was rewritten."""
    return (entry.plain or entry).digest


def _file_name(entry: Entry) -> str:
    return entry.logical.rpartition("/")[2]
