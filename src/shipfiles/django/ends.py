"""How a command ends that is cut off: by Ctrl-C, or because nobody can be told."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

from django.core.management.base import BaseCommand, CommandError

from ..errors import os_reason

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it: 128 and the number of SIGINT."""

CUT = 141
"""The same for SIGPIPE, by which other tools end when nobody reads what they write."""


@contextmanager
def clear_ends(command: BaseCommand, interrupted: str = "Interrupted.") -> Iterator[None]:
    """Within, Ctrl-C and an output that takes nothing end the ``command`` with one line and a status other than 0.
    If whoever read the output has enough, as ``head`` has, there is not even that line.

    What was printed is on its way in the end: nothing is left to fail when the interpreter ends.
    """
    try:
        yield
        command.stdout.flush()
    except KeyboardInterrupt as error:
        raise CommandError(interrupted, returncode=INTERRUPTED) from error
    except OSError as error:
        # Of a file that was opened; those that were not ours to foresee are faults of the program.
        if error.filename is not None:
            raise
        enough = isinstance(error, BrokenPipeError) and (_is_cut(sys.stdout) or _is_cut(sys.stderr))
        _forget_output()
        if enough:
            sys.exit(CUT)
        raise CommandError(f"The output cannot be written: {os_reason(error)}.") from error


def _forget_output() -> None:
    """Let what waits to be written go nowhere: the interpreter would try again when it ends, and complain."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _is_cut(stream: TextIO) -> bool:
    """Whether nobody reads what is written to ``stream``; other pipes can be broken, too."""
    if not hasattr(select, "poll"):  # on Windows, where a broken pipe is another error
        return False
    with suppress(OSError, ValueError):
        asked = select.poll()
        asked.register(stream.fileno(), 0)
        # POSIX poll(): these two are told whether asked for or not.
        return any(told & (select.POLLERR | select.POLLHUP) for _, told in asked.poll(0))
    return False
