"""The tables of what storages of uploads take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import figures
from media_contenders import REFERENCE, SHIPFILES
from media_rows import SAVE_SMALL, SIGNED, URLS

HUGE_MEMORY = 40e6
"""Bytes that a save or a read of 2 GB may hold."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One time that one contender did what a row says."""

    row: str
    delay: float | None
    """Seconds each way; ``None`` on disk."""
    contender: str
    seconds: float
    requests: int = 0
    kinds: dict[str, int] = field(default_factory=dict)
    up: int = 0
    """Bytes that travelled to the store."""
    down: int = 0
    """And back."""
    memory: int | None = None
    """Bytes."""
    failure: str = ""


def report(samples: Sequence[Sample]) -> str:
    """The tables."""

    parts = []
    for delay in dict.fromkeys(s.delay for s in samples):
        mine = [s for s in samples if s.delay == delay]
        where = "On disk" if delay is None else f"In a bucket, {delay * 2000:.0f} ms away (there and back)"
        others = [name for name in dict.fromkeys(s.contender for s in mine) if name != SHIPFILES]
        heads = ["", SHIPFILES]
        for name in others:
            heads += [name, "×"]
        rows = []
        for row in dict.fromkeys(s.row for s in mine):
            ours = _of(mine, row, SHIPFILES)
            line = [row, _cell(ours, delay)]
            for name in others:
                theirs = _of(mine, row, name)
                line += [_cell(theirs, delay), _ratio(ours, theirs)]
            rows.append(line)
        what = "ms" if delay is None else "ms / requests / KB that travelled / MB of memory"
        parts.append(f"### {where}: {what}\n\n{figures.table(heads, rows)}")
    return "\n\n".join([*parts, *_reached(samples)])


def _of(samples: Sequence[Sample], row: str, contender: str) -> list[Sample]:
    return [s for s in samples if s.row == row and s.contender == contender]


def _cell(samples: Sequence[Sample], delay: float | None) -> str:
    if not samples:
        return "-"
    if any(s.failure for s in samples):
        return "failed"
    text = figures.number(figures.median(s.seconds for s in samples) * 1000)
    if delay is None:
        return text
    text += f" / {figures.median(s.requests for s in samples):.0f}"
    text += f" / {figures.number(figures.median(s.up + s.down for s in samples) / 1000)}"
    if (memory := _memory(samples)) is not None:
        text += f" / {memory / 1e6:.0f}"
    return text


def _ratio(ours: Sequence[Sample], theirs: Sequence[Sample]) -> str:
    if not ours or not theirs or any(s.failure for s in (*ours, *theirs)):
        return "-"
    return figures.ratio(figures.median(s.seconds for s in ours), figures.median(s.seconds for s in theirs))


def _memory(samples: Sequence[Sample]) -> float | None:
    return max((s.memory for s in samples if s.memory is not None), default=None)


def _reached(samples: Sequence[Sample]) -> list[str]:
    """What Shipfiles is to reach, and whether it does."""

    rows: list[list[str]] = []

    def wanted(where: str, what: str, found: float, most: float, shown: Callable[[float], str]) -> None:
        rows.append([where, what, shown(found), shown(most), "yes" if found <= most else "no"])

    for delay in dict.fromkeys(s.delay for s in samples):
        mine = [s for s in samples if s.delay == delay]
        for row in dict.fromkeys(s.row for s in mine):
            ours, theirs = _of(mine, row, SHIPFILES), _of(mine, row, REFERENCE)
            if not ours or any(s.failure for s in ours):
                continue
            seconds = figures.median(s.seconds for s in ours)
            where = row if delay is None else f"{row}, {delay * 2000:.0f} ms"
            if theirs:
                most = figures.median(s.requests for s in theirs)
                wanted(where, "requests", max(s.requests for s in ours), most, lambda n: f"{n:,.0f}")
            memory, reference = _memory(ours), _memory(theirs)
            if memory is not None and reference is not None:
                wanted(where, "MB of memory", memory / 1e6, reference / 4e6, lambda n: f"{n:.1f}")
            elif memory is not None:
                wanted(where, "MB of memory", memory / 1e6, HUGE_MEMORY / 1e6, lambda n: f"{n:.1f}")
            if row == SAVE_SMALL and delay:
                wanted(where, "round trips", seconds / delay / 2, 1.5, lambda n: f"{n:.2f}")
            if row == SIGNED:
                wanted(where, "µs for one", seconds / URLS * 1e6, 100, lambda n: f"{n:.1f}")
    return [f"### Shipfiles: wanted at most\n\n{figures.table(['', 'of', 'is', 'wanted', 'reached'], rows)}"]
