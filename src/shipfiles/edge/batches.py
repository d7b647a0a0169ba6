"""Many requests for one purge: several at a time, each outcome kept, and exactly what is left said in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ..errors import PurgeError
from ..work import Crew
from .patience import Patience

_MOST_REASONS = 3


class Refused(Exception):
    """A request was not granted: ``what`` says why, in words for people and without credentials.

    ``status`` is that of the answer, 0 without one. ``for_all``: no other request would be granted either.
    """

    def __init__(self, what: str, *, status: int = 0, for_all: bool = False) -> None:
        self.what = what
        self.status = status
        self.for_all = for_all
        super().__init__(what)


@dataclass
class Done:
    """What came of a batch, or of all of them."""

    ids: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    """What may not be purged, with the reason."""
    stop: str = ""
    """Why nothing else would be granted either, if so."""

    def add(self, other: Done) -> None:
        """Take in what came of ``other``."""
        self.ids += other.ids
        self.left |= other.left
        self.stop = self.stop or other.stop


def sliced(items: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """``items`` in order, ``size`` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def each_batch(
    batches: Iterable[Sequence[str]], do: Callable[[Sequence[str]], Done], patience: Patience, workers: int = 1
) -> Done:
    """What comes of all ``batches``: ``do`` is given each, ``workers`` at a time, and raises `Refused`.

    After a refusal that is one for all nothing more is begun. What has not ended in time is left, whatever comes of it.
    """
    crew: Crew[tuple[str, ...], Done] = Crew(do)
    waiting = [tuple(batch) for batch in batches]
    waiting.reverse()
    running: set[tuple[str, ...]] = set()
    found = Done()
    try:
        while running or (waiting and not found.stop):
            while waiting and not found.stop and len(running) < workers:
                batch = waiting.pop()
                running.add(batch)
                crew.begin(batch)
            ended = crew.done(patience.left)
            if ended is None:
                found.stop = patience.over
                break
            batch, done, error = ended
            running.discard(batch)
            if done is not None:
                found.add(done)
            elif isinstance(error, Refused):
                found.add(_refused(batch, error))
            elif error is not None:
                raise error
    finally:
        crew.leave(0.0)
    for batch in (*waiting, *running):
        found.left |= dict.fromkeys(batch, found.stop)
    return found


def _refused(batch: Sequence[str], error: Refused) -> Done:
    return Done(left=dict.fromkeys(batch, error.what), stop=error.what if error.for_all else "")


def halved(batch: Sequence[str], do: Callable[[Sequence[str]], Done]) -> Done:
    """What comes of ``batch`` where one item that is wrong spoils the request for all: halves are asked for, until
    those are left alone that are wrong. ``do`` raises `Refused`; with the status 400 or 413 an item may be wrong."""
    try:
        return do(batch)
    except Refused as error:
        if error.for_all or error.status not in (400, 413) or len(batch) == 1:
            return _refused(batch, error)
    middle = len(batch) // 2
    found = halved(batch[:middle], do)
    if found.stop:
        found.left |= dict.fromkeys(batch[middle:], found.stop)
    else:
        found.add(halved(batch[middle:], do))
    return found


def check_left(purger: object, asked: Sequence[str], left: Mapping[str, str], noun: str = "URLs") -> None:
    """Raise `PurgeError` if anything of what was ``asked`` is ``left``; the reasons are said, each once."""
    if not left:
        return
    reasons = [*dict.fromkeys(left.values())]
    text = "; ".join(reasons[:_MOST_REASONS])
    if (more := len(reasons) - _MOST_REASONS) > 0:
        text += f"; and {more} other reasons"
    text += f". It may still have {len(left)} of {len(asked)} {noun}"
    raise PurgeError(str(purger), text, [one for one in asked if one in left])
