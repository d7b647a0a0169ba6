"""What a run tells people: progress while it lasts, a table when it is over; and the same as JSON."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any, Self

from ..build.find import Found
from ..config import Severity
from ..errors import BrokenReferences, ShipfilesError
from ..events import Changed, Event, Notice, Phase, PhaseEnded, PhaseStarted, Progress
from ..model import Problem
from .collect import Collected

_TITLES: dict[Phase, str] = {
    "find": "Find",
    "read": "Read and scan",
    "rewrite": "Rewrite",
    "prove": "Prove names",
    "publish": "Compress and publish",
}
_SHOWN = 20
"""So many problems are shown one by one; more are counted, and shown at verbosity 2."""


@dataclass(slots=True)
class Timing:
    """Seconds by phase, collected from the events."""

    phases: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def __call__(self, event: Event) -> None:
        if isinstance(event, PhaseEnded):
            self.phases[event.phase] = self.phases.get(event.phase, 0.0) + event.seconds

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started


class PlainProgress:
    """One line a phase, for logs."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._sizes: dict[str, tuple[int, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        pass

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress):
            files, size = self._sizes.get(event.phase, (0, 0))
            self._sizes[event.phase] = (files + event.files, size + event.bytes)
        elif isinstance(event, PhaseEnded):
            files, size = self._sizes.get(event.phase, (0, 0))
            self._write(f"{_TITLES[event.phase]}: {count(files, 'file')}, {human(size)}, {event.seconds:.1f} s")


class BarProgress:
    """A bar a phase, on a terminal."""

    def __init__(self, stream: IO[str]) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._bars = Bars(
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("files"),
            TextColumn("{task.fields[bytes]:>9}"),
            TimeRemainingColumn(),
            console=Console(file=stream),
        )
        self._tasks: dict[str, Any] = {}
        self._bytes: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self._bytes[event.phase] = 0
            self._tasks[event.phase] = self._bars.add_task(_TITLES[event.phase], total=event.files or None, bytes="")
        elif isinstance(event, Progress):
            self._bytes[event.phase] += event.bytes
            self._bars.update(self._tasks[event.phase], advance=event.files, bytes=human(self._bytes[event.phase]))
        elif isinstance(event, PhaseEnded):
            task = self._bars.tasks[self._tasks[event.phase]]
            self._bars.update(task.id, total=task.completed)
        elif isinstance(event, Notice):
            self._bars.console.print(event.text, markup=False, highlight=False)


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run, ready to be shown."""

    found: Found
    collected: Collected
    seconds: float
    phases: dict[str, float]

    def rows(self) -> list[tuple[str, str]]:
        """The table: what, and how much."""
        facts = self.facts()
        files, size = facts["files"], facts["bytes"]
        rows = [("Files", f"{files:,}, {human(size)}")]
        for token, part in facts["compressed"].items():
            share = f" ({part['bytes_with'] / size:.0%} of the original)" if size else ""
            having = count(part["files"], "file")
            rows.append((f"As {token}", f"{human(part['bytes_with'])}{share}; {having} compressed"))
        rows.append(("Rewritten", f"{count(facts['rewritten'], 'file')}, {count(facts['references'], 'reference')}"))
        if facts["kept"]:
            rows.append(("Kept", f"{count(facts['kept'], 'name')} that a bundler has made from the contents"))
        rows.append(("Written", f"{count(facts['written'], 'object')}, {human(facts['bytes_written'])}"))
        if facts["deleted"]:
            rows.append(("Deleted", count(facts["deleted"], "object")))
        if facts["shadowed"]:
            losers = count(facts["shadowed"], "file")
            rows.append(("Not collected", f"{losers} whose name another file has (first found wins)"))
        for path, why in self.found.skipped:
            rows.append(("Not collected", f"{path}: {why}"))
        if facts["warnings"]:
            rows.append(("Warnings", count(facts["warnings"], "place to look at", "places to look at")))
        if facts["notes"]:
            rows.append(("Notes", f"{count(facts['notes'], 'note')}; --verbosity 2 shows them"))
        spent = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self.phases.items())
        rows.append(("Time", f"{self.seconds:.1f} s ({spent})"))
        if facts["release"]:
            rows.append(("Release", facts["release"]))
        return rows

    def problems(self, *, all_of_them: bool) -> list[str]:
        """The problems, one a line: warnings, and at length also notes and shadowed files."""
        return problem_lines(
            [*self.collected.warnings, *self._case_twins()], self.collected.notes, all_of_them=all_of_them
        )

    def _case_twins(self) -> list[Problem]:
        what = "'{}' differs only by case: on some systems they are one file"
        return [Problem(first, 0, 0, "", what.format(second)) for first, second in self.found.case_twins]

    def facts(self) -> dict[str, Any]:
        """The numbers, for ``--json``."""
        published = self.collected.published
        writes = [change for change in published.changed if change.action != "delete"]
        return {
            "release": published.release,
            **self.collected.totals,
            "written": len(writes),
            "bytes_written": sum(change.size for change in writes),
            "deleted": len(published.changed) - len(writes),
            "encoded": published.encoded,
            "encoder_seconds": round(published.encoder_seconds, 3),
            "shadowed": len(self.found.shadowed),
            "skipped": [{"path": path, "why": why} for path, why in self.found.skipped],
            "warnings": len(self.collected.warnings) + len(self.found.case_twins),
            "notes": len(self.collected.notes),
            "problems": [
                *(problem_facts("warning", problem) for problem in [*self.collected.warnings, *self._case_twins()]),
                *(problem_facts("note", problem) for problem in self.collected.notes),
            ],
            "seconds": round(self.seconds, 3),
            "phases": {name: round(seconds, 3) for name, seconds in self.phases.items()},
        }


def problem_lines(warnings: Sequence[Problem], notes: Sequence[Problem], *, all_of_them: bool) -> list[str]:
    """The problems, one a line; else the first warnings, and how many more there are."""
    lines = [f"warning: {problem}" for problem in warnings]
    if all_of_them:
        return [*lines, *(f"note: {problem}" for problem in notes)]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"... and {len(lines) - _SHOWN} more; --verbosity 2 shows them all"]
    return lines


def problem_facts(severity: Severity, problem: Problem) -> dict[str, Any]:
    """A problem for ``--json``."""
    return {"severity": severity, **dataclasses.asdict(problem), "message": str(problem)}


def failure_problems(error: ShipfilesError) -> list[dict[str, Any]]:
    """The problems that a failed run found, for ``--json``; none if it failed of something else."""
    if not isinstance(error, BrokenReferences):
        return []
    return [
        *(problem_facts("error", problem) for problem in error.problems),
        *(problem_facts("warning", problem) for problem in error.warnings),
        *(problem_facts("note", problem) for problem in error.notes),
    ]


def print_table(stream: IO[str], rows: list[tuple[str, str]]) -> None:
    """The table on a terminal."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in rows:
        table.add_row(f"[bold]{name}[/bold]", value.replace("[", r"\["))
    Console(file=stream).print(table)


def human(size: float) -> str:
    """A number of bytes for people: ``1.5 MB``; powers of 1000, as disks and networks are sold."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def count(number: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def changes(event: Changed, *, dry_run: bool) -> tuple[str, int]:
    """A line for a change, and the verbosity from which it is shown; in the words of Django's own command."""
    subject = event.source if event.kind == "plain" else event.key
    verb = {"write": "copy" if event.kind == "plain" else "write", "link": "link", "delete": "delete"}[event.action]
    if dry_run:
        return f"Pretending to {verb} '{subject}'", 1
    doing = {"copy": "Copying", "write": "Writing", "link": "Linking", "delete": "Deleting"}[verb]
    return f"{doing} '{subject}'", 2
