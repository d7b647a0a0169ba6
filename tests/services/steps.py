"""Management commands in forks of one process, each killed before any change that it is about to make to a folder.

Python tells of every such change beforehand (PEP 578). To start Django anew for each would take ten times as long.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

_PATHS = {
    "os.link": 1, "os.mkdir": 0, "os.remove": 0, "os.rename": 1, "os.rmdir": 0, "os.symlink": 1, "os.truncate": 0,
}  # fmt: skip
"""Event → which of its arguments says what is changed."""


@dataclass(frozen=True)
class Run:
    """What became of a command."""

    status: int
    """Of the process; minus the number of the signal that killed it."""
    words: str
    steps: list[str]
    """What it changed, and last what it was about to change when it was killed."""


class Forks:
    """The process, with this ``environment`` and in this ``folder``; steps are changes of ``root``."""

    def __init__(self, folder: str, root: str, environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, root], cwd=folder, env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, *arguments: str, kill_at: int = 0) -> Run:
        """Run a command; it is killed before its step of number ``kill_at``, if there is one."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([kill_at, arguments]) + "\n")
        self._process.stdin.flush()
        return Run(**json.loads(self._process.stdout.readline()))

    def succeed(self, *arguments: str) -> Run:
        """Run a command that must do what it was asked for."""
        done = self.run(*arguments)
        assert done.status == 0, done.words
        return done


def _serve(root: str) -> None:
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    from tests.rolling.impatient import hurry

    hurry()
    for line in sys.stdin:
        kill_at, arguments = json.loads(line)
        with tempfile.TemporaryFile() as words, tempfile.TemporaryFile() as steps:
            child = os.fork()
            if not child:
                os.dup2(words.fileno(), 1)
                os.dup2(words.fileno(), 2)
                sys.stdin.close()
                sys.stdout = sys.stderr = io.TextIOWrapper(words, write_through=True)
                _tell(root, steps.fileno(), kill_at)
                execute_from_command_line(["manage.py", *arguments])
                # As any error, it ends this process.
                sys.exit(0)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            words.seek(0)
            steps.seek(0)
            answer = {"status": status, "words": words.read().decode(), "steps": steps.read().decode().splitlines()}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _tell(root: str, descriptor: int, kill_at: int) -> None:
    """Write every step to ``descriptor`` from now on, and end with the one of number ``kill_at``."""
    inside = root + os.sep
    taken = 0

    def hear(event: str, arguments: Sequence[Any]) -> None:
        nonlocal taken
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
                return
        elif event in _PATHS:
            path = arguments[_PATHS[event]]
            if isinstance(path, int):
                path = os.readlink(f"/proc/self/fd/{path}")
        else:
            return
        if isinstance(path, str) and path.startswith(inside):
            taken += 1
            os.write(descriptor, f"{event} {path[len(inside) :]}\n".encode())
            if taken == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hear)


if __name__ == "__main__":
    _serve(sys.argv[1])
