"""How a command ends that is cut off: by Ctrl-C, or because nobody can be told."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from django.core.management.base import BaseCommand, CommandError

from ..errors import os_reason

INTERRUPTED = 130
"""The exit status after Ctrl-C, as shells have it: 128 and the number of SIGINT."""


@contextmanager
def clear_ends(command: BaseCommand, interrupted: str = "Interrupted.") -> Iterator[None]:
    """Within, Ctrl-C and an output that takes nothing end the ``command`` with one line and a status other than 0.

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
        _forget_output()
        raise CommandError(f"The output cannot be written: {os_reason(error)}.") from error


def _forget_output() -> None:
    """Let what waits to be written go nowhere: the interpreter would try again when it ends, and complain."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
