"""Let all caches in front forget something: one that fails does not keep the others from it."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from ..errors import PurgeError, ShipfilesError
from .changed import Stale
from .purger import Purged, Purger, PurgesTags


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be forgotten."""

    stale: Stale = field(default_factory=Stale)
    pages: tuple[str, ...] = ()
    """URLs of pages, which have no tags."""
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.stale or self.pages)

    @property
    def urls(self) -> tuple[str, ...]:
        """Those of files and pages, sorted."""
        return tuple(sorted({*self.stale.urls, *self.pages}))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one cache."""

    purger: str
    """How people know it."""
    wish: Wish
    by_tag: bool = False
    """Whether files were purged by their tags."""
    done: Purged = field(default_factory=Purged)
    seconds: float = 0.0
    error: Exception | SystemExit | None = None

    @property
    def fault(self) -> str:
        """What went wrong; empty if nothing did. Without credentials."""
        if self.error is None or isinstance(self.error, ShipfilesError):
            return str(self.error or "")
        # It may hold anything; whose class it is can look at it with --traceback.
        return f"{self.purger}: it raised {type(self.error).__name__}, where a purger raises PurgeError"

    @property
    def left(self) -> tuple[str, ...]:
        """URLs and tags that it may still have; none if nothing failed, and if it was to forget everything."""
        if self.error is None or self.wish.everything:
            return ()
        if isinstance(self.error, PurgeError) and self.error.left:
            return self.error.left
        return (*self.wish.stale.tags, *self.wish.pages) if self.by_tag else self.wish.urls


def purge_all_of(purgers: Sequence[Purger], wish: Wish, *, reference: str, by_tag: bool = False) -> tuple[Outcome, ...]:
    """Let each of the ``purgers`` forget what is wished, all at the same time; what came of it, in their order.

    ``by_tag`` purges files by their tags, where the purger knows tags. ``reference`` is as `reference_of` gives it.
    """
    if len(purgers) == 1:
        return (_purged(purgers[0], wish, reference, by_tag=by_tag),)
    with ThreadPoolExecutor(max(1, len(purgers))) as pool:
        each = [pool.submit(_purged, purger, wish, reference, by_tag=by_tag) for purger in purgers]
        return tuple(one.result() for one in each)


def _purged(purger: Purger, wish: Wish, reference: str, *, by_tag: bool) -> Outcome:
    steps: list[tuple[tuple[str, ...], Callable[[], Purged]]] = []
    tags = by_tag and isinstance(purger, PurgesTags)
    if wish.everything:
        steps.append(((), lambda: purger.purge_all(reference=reference)))
    elif by_tag and isinstance(purger, PurgesTags):
        knows_tags: PurgesTags = purger
        steps.append((wish.stale.tags, lambda: knows_tags.purge_tags(wish.stale.tags, reference=reference)))
        steps.append((wish.pages, lambda: purger.purge(wish.pages, reference=reference)))
    else:
        steps.append((wish.urls, lambda: purger.purge(wish.urls, reference=reference)))
    error: Exception | SystemExit | None = None
    began, done, left = time.monotonic(), Purged(), list[str]()
    for wanted, step in steps:
        if not (wanted or wish.everything):
            continue
        try:
            one: object = step()
        except (Exception, SystemExit) as fault:  # noqa: BLE001 - a class of the project's own may raise anything
            error = error or fault
            left += fault.left if isinstance(fault, PurgeError) and fault.left else wanted
            continue
        if not isinstance(one, Purged):
            told = f"it returned {type(one).__name__}, where a purger returns Purged"
            error, left = error or PurgeError(str(purger), told), [*left, *wanted]
        else:
            done = Purged(done.requests + one.requests, (*done.ids, *one.ids), (*done.notes, *one.notes))
    if isinstance(error, PurgeError):
        error = PurgeError(error.purger, error.what, left)
    return Outcome(str(purger), wish, tags, done, time.monotonic() - began, error)


def reference_of(release: str, moment: str, wish: Wish) -> str:
    """What stands for the purge of ``wish`` after the pointer moved to ``release`` at that ``moment``."""
    known = repr((release, moment, wish.everything, wish.urls, wish.stale.tags))
    digest = hashlib.sha256(known.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return "-".join(part for part in (re.sub(r"[^A-Za-z0-9]+", "-", release)[:46].strip("-"), digest) if part)
