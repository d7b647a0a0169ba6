"""Which releases a prune keeps, and why. No input, no output: what is known of the releases goes in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..durations import duration_text
from ..records import MOST_ACTIVATIONS, Pointer, Record

GRACE = timedelta(hours=1)
"""What was put into the store less than this ago may belong to a run that is under way."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a person wants to be kept."""

    keep: int
    """At least so many of the newest releases."""
    younger_than: timedelta
    """All releases that were made, or were still current, less than this ago."""
    protected: frozenset[str] = frozenset()
    """Ids of releases that are kept whatever their age."""
    grace: timedelta = GRACE
    """No file that was put less than this ago is deleted."""


def kept_releases(records: Collection[Record], pointer: Pointer, terms: Terms, at: datetime) -> dict[str, str]:
    """Id → why it is kept, for those of the ``records`` that are.

    A clock that went wrong keeps more, never less: the current release and the one before it are known by their places
    in the pointer's history, and what seems to have happened after ``at`` counts as just now.
    """
    reasons: dict[str, str] = {}

    def keep(release: str, why: str) -> None:
        reasons.setdefault(release, why)

    keep(pointer.release, "current")
    before = [activation.release for activation in pointer.history if activation.release != pointer.release]
    if before:
        keep(before[-1], "current before this one")
    for release in terms.protected:
        keep(release, "protected")
    newest = sorted(records, key=lambda record: (record.made, record.release), reverse=True)
    for record in newest[: terms.keep]:
        keep(record.release, f"one of the newest {terms.keep}" if terms.keep > 1 else "the newest")
    since = duration_text(terms.younger_than)
    for record in records:
        if at - record.made < terms.younger_than:
            keep(record.release, f"made less than {since} ago")
    for release, end in ends_of(pointer, at).items():
        if at - end < terms.younger_than:
            keep(release, f"current less than {since} ago")
    if len(pointer.history) >= MOST_ACTIVATIONS and at - pointer.history[0].at < terms.younger_than:
        for record in records:
            keep(record.release, f"{MOST_ACTIVATIONS} releases became current in less than {since}")
    known = {record.release for record in records}
    return {release: why for release, why in reasons.items() if release in known}


def ends_of(pointer: Pointer, at: datetime) -> dict[str, datetime]:
    """Release → when it was last no longer current; ``at`` for the one that still is.

    That is when another became current, by the earliest of the later times that is possible: one before its own
    beginning was told by a clock that was wrong.
    """
    ends: dict[str, datetime] = {}
    for number, activation in enumerate(pointer.history):
        later = (other.at for other in pointer.history[number + 1 :] if other.at >= activation.at)
        end = min(later, default=at)
        ends[activation.release] = max(end, ends.get(activation.release, end))
    return ends
