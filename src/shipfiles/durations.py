"""Lengths of time as people write them: ``7d``, ``12h``, ``1d12h``."""

from __future__ import annotations

import re
from datetime import timedelta

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:[0-9]{1,9}[wdhms])+", re.ASCII)
_PART = re.compile(r"([0-9]+)([wdhms])", re.ASCII)
_MOST = 36_500 * 86_400


def parse_duration(text: str) -> timedelta:
    """``7d``, ``12h``, ``30m``, ``45s``, ``2w`` and their sums. Raises ``ValueError``, saying what is possible."""
    written = text.strip()
    if written == "0":
        return timedelta()
    if not _WHOLE.fullmatch(written):
        raise ValueError(f"{text!r} is no length of time: write 7d, 12h, 30m, 45s, 2w or a sum such as 1d12h")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(written))
    if seconds > _MOST:
        raise ValueError(f"{text!r} is longer than a hundred years")
    return timedelta(seconds=seconds)


def duration_text(length: timedelta) -> str:
    """``length`` as `parse_duration` reads it, in whole seconds."""
    rest = int(length.total_seconds())
    parts = []
    for unit, seconds in _UNITS.items():
        if unit != "w" and rest >= seconds:
            parts.append(f"{rest // seconds}{unit}")
            rest %= seconds
    return "".join(parts) or "0s"
