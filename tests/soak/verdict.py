"""Whether a server has stood a soak."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .tally import KINDS

GROWTH = 0.05
"""By this part of the second fifth's median ..."""
GROWTH_MB = 4.0
"""... and this much may memory have grown in the last fifth."""
MORE_DESCRIPTORS = 8
"""How many more connections and files may be open in the last fifth: which clients there are is chance."""
MORE_THREADS = 8
"""How many more threads than ever in the second fifth: pools are filled by and by, and have an end."""
AT_REST = 2
"""How many more descriptors may be open when all clients have gone than before they came."""
SHORTEST = 120.0
"""Seconds: in less, caches are still being filled."""


@dataclass(frozen=True)
class Sample:
    """What a server and its workers held at one time."""

    at: float
    """Seconds since the clients began."""
    memory_mb: float
    descriptors: int
    threads: int


def fifth(samples: Sequence[Sample], number: int, what: Callable[[Sample], float]) -> list[float]:
    """``what`` of the samples in that fifth of the time; the first is number 1."""
    whole = samples[-1].at
    return [what(s) for s in samples if (number - 1) * whole / 5 <= s.at <= number * whole / 5] or [what(samples[-1])]


def faults(samples: Sequence[Sample], before: Sample, after: Sample, counts: Mapping[str, int]) -> list[str]:
    """What is wrong with a server, in words.

    The first fifth is for warming up: memory may not be more in the median of the last fifth than `GROWTH` and
    `GROWTH_MB` above that of the second, descriptors and threads not more than a few. ``before`` and ``after`` are
    those at rest.
    """
    found = [f"{counts[kind]} times {kind}: {words}" for kind, words in KINDS.items() if counts.get(kind)]
    if after.descriptors > before.descriptors + AT_REST:
        found.append(f"{after.descriptors} descriptors are open at rest, {before.descriptors} before the clients came")
    if samples[-1].at < SHORTEST:
        return found
    early, late = (median(fifth(samples, number, lambda s: s.memory_mb)) for number in (2, 5))
    if late > early * (1 + GROWTH) + GROWTH_MB:
        found.append(f"memory grew from {early:.1f} MB to {late:.1f} MB")
    early, late = (median(fifth(samples, number, lambda s: s.descriptors)) for number in (2, 5))
    if late > early + MORE_DESCRIPTORS:
        found.append(f"open descriptors grew from {early:.0f} to {late:.0f}")
    most, late = max(fifth(samples, 2, lambda s: s.threads)), median(fifth(samples, 5, lambda s: s.threads))
    if late > most + MORE_THREADS:
        found.append(f"threads grew from {most:.0f} to {late:.0f}")
    return found
