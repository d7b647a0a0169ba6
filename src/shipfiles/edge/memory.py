"""A cache in memory and what purges it, in one: a real one, for tests and for trying things out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import PurgeError
from .purger import Purged


class Asked(NamedTuple):
    """A request that was made."""

    what: str
    """``urls``, ``tags`` or ``all``."""
    of: frozenset[str]
    reference: str


class MemoryPurger:
    """Forgets what it was told to `keep`, and remembers what it was `asked`."""

    def __init__(self, name: str = "memory") -> None:
        self.asked: list[Asked] = []
        self._name = name
        self._kept: dict[str, frozenset[str]] = {}
        self._refuses = False

    def __str__(self) -> str:
        return self._name

    def keep(self, url: str, tags: Sequence[str] = ()) -> None:
        """Have an answer for ``url``, with these tags."""
        self._kept[url] = frozenset(tags)

    def has(self, url: str) -> bool:
        """Whether there is still an answer for ``url``."""
        return url in self._kept

    def refuse(self, yes: bool) -> None:
        """Fail from now on, or no longer."""
        self._refuses = yes

    def purge(self, urls: Sequence[str], *, reference: str) -> Purged:
        if not urls:
            return Purged()
        self._ask("urls", urls, reference)
        for url in urls:
            self._kept.pop(url, None)
        return Purged(requests=1)

    def purge_tags(self, tags: Sequence[str], *, reference: str) -> Purged:
        if not tags:
            return Purged()
        self._ask("tags", tags, reference)
        self._kept = {url: found for url, found in self._kept.items() if found.isdisjoint(tags)}
        return Purged(requests=1)

    def purge_all(self, *, reference: str) -> Purged:
        self._ask("all", (), reference)
        self._kept.clear()
        return Purged(requests=1)

    def _ask(self, what: str, of: Sequence[str], reference: str) -> None:
        self.asked.append(Asked(what, frozenset(of), reference))
        if self._refuses:
            raise PurgeError(str(self), "it refuses all requests", of)
