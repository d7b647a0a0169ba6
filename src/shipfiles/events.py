"""What happened, as values: progress bars, logs and reports listen here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Phase = Literal["find", "read", "rewrite", "publish"]


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    """A phase begins, with what is known of its size beforehand."""

    phase: Phase
    files: int = 0
    bytes: int = 0


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
    kind: Literal["asset", "variant", "plain", "manifest", "stale"] = "asset"
    source: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know but that does not stop the work."""

    text: str
    level: Literal["info", "warning"] = "warning"


Event = PhaseStarted | Progress | PhaseEnded | Changed | Notice
Listener = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The listener that does not listen."""
