"""Which releases a prune keeps, and why. No input, no output: what is known of the releases goes in."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
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

    Whatever clocks said, the current release and the one before it stay: they are known by their places in the
    pointer's history. What seems to have happened after ``at`` counts as just now.
    """
    reasons: dict[str, str] = {}

    def keep(releases: Iterable[str], why: str) -> None:
        for release in releases:
            reasons.setdefault(release, why)

    keep([pointer.release], "current")
    before = [activation.release for activation in pointer.history if activation.release != pointer.release]
    keep(before[-1:], "current before this one")
    keep(terms.protected, "protected")
    since = duration_text(terms.younger_than)
    newest = sorted(records, key=lambda record: (record.made, record.release), reverse=True)
    # Of what was made by a clock that was ahead nobody knows how new it is: it takes no other's place.
    keep((record.release for record in newest if record.made > at), "made later than now, as its record says")
    keep(_maybe_current(newest, pointer, terms, at), f"maybe current less than {since} ago, or before this one")
    past = [record.release for record in newest if record.made <= at]
    keep(past[: terms.keep], f"one of the newest {terms.keep}" if terms.keep > 1 else "the newest")
    keep((r.release for r in records if at - r.made < terms.younger_than), f"made less than {since} ago")
    ends = ends_of(pointer, at)
    keep((one for one, end in ends.items() if at - end < terms.younger_than), f"current less than {since} ago")
    if len(pointer.history) >= MOST_ACTIVATIONS and at - pointer.history[0].at < terms.younger_than:
        why = f"{MOST_ACTIVATIONS} releases became current in less than {since}"
        keep((record.release for record in records), why)
    known = {record.release for record in records}
    return {release: why for release, why in reasons.items() if release in known}


def _maybe_current(newest: Sequence[Record], pointer: Pointer, terms: Terms, at: datetime) -> list[str]:
    """Releases of which nobody knows how long they were current: the history of that was lost."""
    if pointer.lost is None:
        return []
    unsure = [record.release for record in newest if record.made <= pointer.lost and record.release != pointer.release]
    if at - pointer.lost < terms.younger_than:
        return unsure
    # Which one was current before the one that is has to be among them.
    return unsure[:1] if all(activation.release == pointer.release for activation in pointer.history) else []


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
