"""What many threads saw, counted, and what was wrong first."""

from __future__ import annotations

import threading
from collections import Counter

MOST_WORDS = 20


class Trouble(Exception):
    """An answer that is not right. ``kind`` is one of `KINDS`."""

    def __init__(self, kind: str, words: str) -> None:
        super().__init__(words)
        self.kind = kind


KINDS = {
    "wrong": "bytes or headers that are not those of the file",
    "missing": "404 although the file must be there",
    "5xx": "a status of 500 or more",
    "status": "any other status that is not right",
    "stale": "what belongs to no release that may be current",
    "broken": "no HTTP, or a body or connection that was cut",
    "hang": "nothing came for 20 seconds",
    "client": "an error of the client itself",
}
"""Kinds of trouble."""


class Tally:
    """Counts of what was asked and of `KINDS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()
        self.troubles: list[str] = []
        """The first of each kind in words."""
        self.slowest = 0.0
        """Seconds that the slowest whole answer took."""

    def took(self, seconds: float) -> None:
        """An answer took so long."""
        with self._lock:
            self.slowest = max(self.slowest, seconds)

    def count(self, what: str, number: int = 1) -> None:
        """One more."""
        with self._lock:
            self.counts[what] += number

    def trouble(self, kind: str, words: str) -> None:
        """Something was wrong."""
        with self._lock:
            self.counts[kind] += 1
            if self.counts[kind] <= MOST_WORDS:
                self.troubles.append(f"{kind}: {words}")
