"""What came of a purge, in words and as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..edge.purging import Outcome, Wish
from .progress import count, duration

_SHOWN = 20
"""So many URLs are shown one by one; all of them with --json."""
AGAIN = "'manage.py ship purge' repeats it"


@dataclass(frozen=True, slots=True)
class Purges:
    """What came of it."""

    wish: Wish = field(default_factory=Wish)
    outcomes: tuple[Outcome, ...] = ()
    faults: tuple[str, ...] = ()
    """What could not be found out."""
    release: str = ""
    """That is live."""

    @property
    def lines(self) -> list[str]:
        """What people are told if all went well, and of what did."""
        if not self.wish:
            return [] if self.faults else ["Purge: nothing has changed that caches keep."]
        return [text for one in self.outcomes if one.error is None for text in (_line(one), *one.done.notes)]

    @property
    def failure(self) -> str:
        """What failed, and where old bytes may be; empty if nothing did."""
        failed = [one for one in self.outcomes if one.error is not None]
        if not failed and not self.faults:
            return ""
        live = f"The release {self.release} is live, and stays so; but caches" if self.release else "Caches"
        told = [f"{live} were not all purged, and may answer with old files."]
        for one in failed:
            told.append(f"{one.fault}.".replace("..", "."))
            told += [f"  {url}" for url in one.left[:_SHOWN]]
            told += [f"  and {len(one.left) - _SHOWN:,} more"] if one.left[_SHOWN:] else []
        told += self.faults
        return "\n".join([*told, f"{AGAIN[0].upper()}{AGAIN[1:]}."])

    @property
    def facts(self) -> dict[str, Any]:
        """The same for ``--json``."""
        return {
            "everything": self.wish.everything,
            "urls": list(self.wish.stale.urls),
            "tags": list(self.wish.stale.tags),
            "pages": list(self.wish.pages),
            "faults": list(self.faults),
            "caches": [
                {
                    "cache": one.purger, "ok": one.error is None, "by_tag": one.by_tag, "urls": _urls_of(one),
                    "tags": len(one.wish.stale.tags) if one.by_tag else 0,
                    "requests": one.done.requests if one.error is None else None,
                    "ids": list(one.done.ids), "notes": list(one.done.notes), "seconds": round(one.seconds, 3),
                    "left": list(one.left), "error": one.fault or None,
                }
                for one in self.outcomes
            ],
        }  # fmt: skip

    @property
    def cause(self) -> BaseException | None:
        """What raised the first failure."""
        return next((one.error for one in self.outcomes if one.error is not None), None)


def _urls_of(one: Outcome) -> int:
    if one.wish.everything:
        return 0
    return len(one.wish.pages if one.by_tag else one.wish.urls)


def _line(one: Outcome) -> str:
    what = [count(_urls_of(one), "URL")] if _urls_of(one) else []
    what += [count(len(one.wish.stale.tags), "tag")] if one.by_tag and one.wish.stale.tags else []
    if one.wish.everything:
        what = ["everything"]
    spent = f"{count(one.done.requests, 'request')}, {duration(one.seconds)}"
    return f"{one.purger}: purged {' and '.join(what)} in {spent}."
