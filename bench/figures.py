"""Medians, tables and what has to be known about a run to judge its figures."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from collections.abc import Iterable, Sequence
from importlib import metadata
from statistics import median

__all__ = ["machine", "median", "number", "program_version", "ratio", "table", "versions"]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table: first column to the left, the others to the right, padded so that it reads as text too."""
    lines = [list(heads), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]

    def drawn(cells: Sequence[str]) -> str:
        first, *others = cells
        padded = [first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True))]
        return "| " + " | ".join(padded) + " |"

    rule = ["-" * widths[0], *("-" * (w - 1) + ":" for w in widths[1:])]
    return "\n".join([drawn(lines[0]), "| " + " | ".join(rule) + " |", *map(drawn, lines[1:])])


def number(value: float | None) -> str:
    """Three significant digits, whole numbers from a hundred on."""
    if value is None:
        return "-"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def ratio(value: float | None, reference: float | None) -> str:
    """``value`` as a multiple of ``reference``."""
    if value is None or not reference:
        return "-"
    times = value / reference
    return f"{times:.3f}" if times < 0.1 else f"{times:.2f}"


def versions(names: Iterable[str]) -> dict[str, str]:
    """The versions of Python and of the installed packages among ``names``."""
    found = {"Python": platform.python_version()}
    for name in names:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, object]:
    """The machine in general words, and how busy it is now."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        system = platform.system()
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(memory),
        "system": system,
        "load": round(os.getloadavg()[0], 2),
    }


def program_version(command: Sequence[str]) -> str:
    """The number in what a program prints when asked for its version; empty if it is missing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    found = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    return found.group() if found else ""
