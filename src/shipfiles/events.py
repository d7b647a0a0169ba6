"""What happened, as values: progress bars, logs and reports listen here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

Phase = Literal[
    "find",
    "prove",
    "compare",
    "read",
    "rewrite",
    "wait",
    "publish",
    "copy",
    "send",
    "fields",
    "mark",
    "sweep",
    "verify",
    "repair",
]
"""``compare`` reads what may have changed since the last run, ``read`` what is built; ``wait`` is for another run that
publishes to the same place; ``copy`` is for the copies under plain names; ``send`` is for what goes to another store;
``fields`` for objects there that get header fields alone; ``mark`` and ``sweep`` are what a prune does: read what is
needed, and delete what is not."""


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase begins, with what is known of its size beforehand."""

    phase: Phase
    files: int = 0
    bytes: int = 0
    """0 stands for unknown, as of the files."""


@dataclass(frozen=True, slots=True)
class Progress:
    """So much more of the phase is done."""

    phase: Phase
    files: int = 1
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class PhaseEnded:
    """A phase is over."""

    phase: Phase
    seconds: float


@dataclass(frozen=True, slots=True)
class Changed:
    """A key of the store was written or deleted, or would be in a dry run."""

    key: str
    action: Literal["write", "link", "delete"]
    size: int
    logical: str = ""
    kind: Literal["asset", "variant", "plain", "spare", "manifest", "stale"] = "asset"
    source: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know but that does not stop the work."""

    text: str
    level: Literal["info", "warning"] = "warning"


@dataclass(frozen=True, slots=True)
class Retried:
    """A store did not do what it was asked about ``key``, and is asked once more."""

    key: str
    why: str
    after: float
    """How long that is waited with. Seconds."""
    at_once: int
    """How many requests are on their way at once from now on; 0 if it is the only one."""


Event = PhaseStarted | Progress | PhaseEnded | Changed | Notice | Retried
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that does not listen."""


@contextmanager
def phase(listener: Listener, name: Phase, files: int = 0, size: int = 0) -> Iterator[Callable[[int, int], None]]:
    """Tell ``listener`` of a phase's begin and end; the value takes ``(files, bytes)`` of progress."""
    started = time.monotonic()
    listener(PhaseStarted(name, files, size))
    yield lambda more_files, more_bytes: listener(Progress(name, more_files, more_bytes))
    listener(PhaseEnded(name, time.monotonic() - started))
