"""What a command that sends to stores shows while it lasts: bars on a terminal, a few lines in a log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand

from ..errors import fit_to_show
from ..events import Event, Listener, Notice, Retried
from ..release.target import Target
from .progress import PlainProgress, Retries, Shows, is_plain

Write = Callable[[str], object]


@contextmanager
def shown(
    command: BaseCommand, target: Target, *, as_json: bool, verbosity: int, release: str = ""
) -> Iterator[Listener]:
    """What shows what happens while a ``release`` is sent to ``target``, or header fields alone without one.

    With JSON, notices alone, to the standard error.
    """

    def say(text: str) -> None:
        command.stdout.write(fit_to_show(text))

    quiet = as_json or verbosity < 1
    write: Write = (lambda _: None) if quiet else say
    terminal = not quiet and bool(command.stdout.isatty())
    progress: Shows = PlainProgress(write)
    if terminal:
        from .bars import BarProgress

        # The wrapper of the output stream adds line ends of its own, which a progress bar must not have.
        unwrapped: Any = command.stdout
        stream = getattr(unwrapped, "_out", unwrapped)
        progress = bars = BarProgress(stream, plain=is_plain(command))
        write = bars.print
    retries = Retries()

    def listen(event: Event) -> None:
        progress(event)
        if isinstance(event, Retried) and (text := retries(event)):
            write(text)
        elif isinstance(event, Notice) and not terminal and verbosity >= 1:
            command.stderr.write(fit_to_show(event.text))

    what = f"Sending the release {release} to {target}"
    with progress:
        write(what if release else f"Giving the objects of {target} the header fields of the options")
        yield listen
