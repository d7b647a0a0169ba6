"""Progress and report on a terminal. Imported only where there is one: the library that draws costs a start."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import IO, Self

from rich.console import Console
from rich.progress import BarColumn, Task, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.progress import ProgressColumn as Column
from rich.table import Column as Layout
from rich.table import Table
from rich.text import Text

from ..errors import fit_to_show
from ..events import Event, Notice, Phase, PhaseEnded, PhaseStarted, Progress
from .progress import TITLES, Spent, duration, human

_OFTEN = 0.05
"""Drawing costs more than placing a small file: so many seconds lie between two looks at the numbers."""
_WIDE = 100
"""From so many characters on there are whole titles, rates and the word "files"."""
_NARROW = 50
"""From so many on there are sizes."""
_UNKNOWN = 80
"""So many are taken for granted where ``COLUMNS`` or the terminal says 0."""
_FILES, _SIZE, _RATE, _LEFT = 15, 9, 10, 14
"""Widths of the columns: ``99,999/100,000``, ``999.9 MB``, ``999.9 MB/s``, ``12:05 min left``."""
_LONGEST, _SHORTEST = 30, 4
"""Widths of a bar; where there is no room for the shorter, there is none."""


def console_on(stream: IO[str], *, plain: bool) -> Console:
    """What draws on ``stream``, also where its width is said to be none; ``plain`` without colours and bold text."""
    made = Console(file=stream, color_system=None if plain else "auto")
    if made.width < 1:
        made.width = _UNKNOWN
    return made


class BarProgress:
    """A bar a phase. It grows by bytes where they are known, else by files; so does the time that is left."""

    def __init__(self, stream: IO[str], *, plain: bool) -> None:
        self._console = console_on(stream, plain=plain)
        self._wide = self._console.width >= _WIDE
        self._bars = Bars(*_columns(self._console.width), console=self._console)
        self._running: dict[Phase, _Running] = {}
        self._lines: list[str] = []
        self._printed = 0.0

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._flush()
        self._bars.stop()

    def __call__(self, event: Event) -> None:
        if isinstance(event, PhaseStarted):
            self._flush()
            title = TITLES[event.phase] if self._wide else event.phase.capitalize()
            total = event.bytes or event.files or None
            task = self._bars.add_task(title, total=total, files="", size="", rate="", seconds=None)
            self._running[event.phase] = _Running(task, event, Spent(), time.monotonic())
        elif isinstance(event, Progress):
            running = self._running[event.phase]
            running.done.files += event.files
            running.done.bytes += event.bytes
            now = time.monotonic()
            if now >= running.shown + _OFTEN:
                running.shown = now
                running.done.seconds = now - running.started
                self._show(running)
        elif isinstance(event, PhaseEnded):
            running = self._running.pop(event.phase)
            running.done.seconds = event.seconds
            self._show(running, ended=True)
        elif isinstance(event, Notice):
            self._lines.append(event.text)
            self._flush()

    def print(self, text: str) -> None:
        """A line above the bars, soon; what is written past them would be drawn over."""
        self._lines.append(text)
        if time.monotonic() >= self._printed + _OFTEN:
            self._flush()

    def _flush(self) -> None:
        # Each time the bars are drawn anew.
        if self._lines:
            self._console.print(fit_to_show("\n".join(self._lines)), markup=False, highlight=False, soft_wrap=True)
            self._lines.clear()
            self._printed = time.monotonic()

    def _show(self, running: _Running, *, ended: bool = False) -> None:
        done, expected = running.done, running.event
        completed = done.bytes if expected.bytes else done.files
        files = f"{done.files:,}/{expected.files:,}" if expected.files else f"{done.files:,}" if done.files else ""
        self._bars.update(
            running.task,
            completed=completed,
            # What is finished is full, even if it had fewer bytes than were expected.
            total=completed if ended else expected.bytes or expected.files or None,
            files=f"{files} files" if files and self._wide else files,
            size=human(done.bytes) if done.bytes else "",
            rate=f"{human(done.rate)}/s" if done.rate else "",
            seconds=done.seconds if ended else None,
        )


@dataclass(slots=True)
class _Running:
    """A phase that is not over."""

    task: TaskID
    event: PhaseStarted
    done: Spent
    started: float
    shown: float = 0.0


class _Left(Column):
    """The time that a phase will still take, and in the end, or while that cannot be known, what it took."""

    max_refresh = 0.5

    def render(self, task: Task) -> Text:
        spent, left = task.fields["seconds"], task.time_remaining
        if spent is None and left is not None:
            return Text(f"{duration(left)} left")
        return Text(duration(task.elapsed or 0.0 if spent is None else spent))


def _columns(width: int) -> list[Column]:
    """The columns for a terminal of ``width`` characters."""
    wide = width >= _WIDE
    title = max(map(len, TITLES.values() if wide else TITLES))
    texts = [("files", _FILES + len(" files") * wide)]
    texts += [("size", _SIZE)] if width >= _NARROW else []
    texts += [("rate", _RATE)] if wide else []
    # Between two columns is one space.
    bar = width - title - 1 - sum(column + 1 for _, column in texts) - _LEFT - 1
    return [
        TextColumn("{task.description}", table_column=Layout(no_wrap=True, min_width=title)),
        *([BarColumn(bar_width=min(bar, _LONGEST))] if bar >= _SHORTEST else []),
        *(_text(field, column) for field, column in texts),
        _Left(table_column=Layout(no_wrap=True, min_width=_LEFT, justify="right")),
    ]


def _text(field: str, width: int) -> TextColumn:
    layout = Layout(no_wrap=True, min_width=width, justify="right")
    return TextColumn(f"{{task.fields[{field}]}}", justify="right", markup=False, table_column=layout)


def print_table(stream: IO[str], rows: list[tuple[str, str]], *, plain: bool) -> None:
    """The table on a terminal."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(fit_to_show(value)))
    console_on(stream, plain=plain).print(table)
