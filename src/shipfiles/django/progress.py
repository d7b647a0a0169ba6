"""What a run tells people while it lasts: how long each phase took, and a line for it. For a terminal see `bars`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, Self

from django.core.management.base import BaseCommand

from ..errors import printable
from ..events import Event, Phase, PhaseEnded, PhaseStarted, Progress, Retried

TITLES: dict[Phase, str] = {
    "find": "Find",
    "prove": "Prove names",
    "compare": "Look for changes",
    "read": "Read and scan",
    "rewrite": "Rewrite",
    "wait": "Wait for other run",
    "publish": "Compress and publish",
    "copy": "Copy plain names",
    "send": "Send",
    "fields": "Set header fields",
    "mark": "Read manifests",
    "sweep": "Delete",
    "verify": "Read and compare",
    "repair": "Repair",
}
_OFTEN = 10.0
"""While a phase lasts, a log gets a line after so many seconds."""
_SHORTEST = 0.05
"""Of a shorter time no rate is made: it would be one of the clock. Seconds."""


def is_plain(command: BaseCommand) -> bool:
    """Whether the ``command`` shall print neither colours nor bold text: --no-color, or DJANGO_COLORS says so."""
    return bool(command.style.ERROR("text") == "text")


class Shows(Protocol):
    """What shows progress."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def __call__(self, event: Event) -> None: ...


@dataclass(slots=True)
class Spent:
    """What one phase took."""

    files: int = 0
    bytes: int = 0
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Bytes per second; 0 if there is nothing to tell."""
        return self.bytes / self.seconds if self.seconds >= _SHORTEST else 0.0


@dataclass(slots=True)
class Timing:
    """What each phase took, collected from the events."""

    phases: dict[Phase, Spent] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def __call__(self, event: Event) -> None:
        if isinstance(event, (Progress, PhaseEnded)):
            spent = self.phases.setdefault(event.phase, Spent())
            if isinstance(event, Progress):
                spent.files += event.files
                spent.bytes += event.bytes
            else:
                spent.seconds += event.seconds

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started


class PlainProgress:
    """One line a phase, for logs; and one now and then while it lasts long."""

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float] = time.monotonic) -> None:
        self._write = write
        self._clock = clock
        self._started = PhaseStarted("find")
        self._done = Spent()
        self._began = self._told = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self._started, self._done = event, Spent()
            self._began = self._told = self._clock()
        elif isinstance(event, Progress):
            self._done.files += event.files
            self._done.bytes += event.bytes
            if event.phase in ("send", "fields") and (now := self._clock()) >= self._told + _OFTEN:
                self._told, self._done.seconds = now, now - self._began
                self._write(f"{TITLES[event.phase]}: {_so_far(self._done, self._started)}")
        elif isinstance(event, PhaseEnded):
            self._done.seconds = event.seconds
            self._write(f"{TITLES[event.phase]}: {_told(self._done)}")


class Retries:
    """The lines for what is asked of a store again: the first time, and then now and then."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._number = 0
        self._told = float("-inf")

    def __call__(self, event: Retried) -> str:
        """What is to be said of one more; mostly nothing."""
        self._number += 1
        now = self._clock()
        if now < self._told + _OFTEN:
            return ""
        self._told = now
        number = "" if self._number == 1 else f"{self._number:,} times so far, last "
        if not event.at_once:
            again = f"Asking again, {number}" if number else "Asking again for "
            return f"{again}{printable(event.key)}: {printable(event.why)}"
        paced = f"{event.at_once:,} at once from now on"
        return f"Asked again, {number}{printable(event.key)}: {printable(event.why)}; {paced}"


def _so_far(done: Spent, expected: PhaseStarted) -> str:
    parts = [f"{done.files:,} of {expected.files:,} files"]
    parts += [f"{human(done.bytes)} of {human(expected.bytes)}"] if expected.bytes else []
    parts += [f"{human(done.rate)}/s"] if done.rate else []
    return ", ".join(parts)


def _told(done: Spent) -> str:
    parts = [count(done.files, "file")] if done.files else []
    parts += [human(done.bytes)] if done.bytes else []
    parts += [duration(done.seconds)]
    parts += [f"{human(done.rate)}/s"] if done.rate else []
    return ", ".join(parts)


def human(size: float) -> str:
    """A number of bytes for people: ``1.5 MB``; powers of 1000, as disks and networks are sold."""
    if size == 1:
        return "1 byte"
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def duration(seconds: float) -> str:
    """A time for people: ``0.04 s``, ``1.5 s``, ``12 s``, ``2:05 min``, ``1:02:05 h``."""
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02} h"


def count(number: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
