"""Work of processes of their own, which can be killed. To start Python anew for each would take far longer.

What this module does by itself is to send releases.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .asked import Asked
from .proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]


class Killing:
    """Kills a process when the answer to a request of that number comes in; nothing gets over then.

    Before the store hears of the request, if ``unheard``.
    """

    def __init__(self, way: Proxy, last: int, *, unheard: bool = False) -> None:
        self._way = way
        self._last = last
        self.pid = 0
        way.clear()
        if unheard:
            way.plan = self
        else:
            way.heard = self

    def __call__(self, asked: Asked) -> None:
        if asked.number == self._last:
            self._way.freeze(True)
            while not self.pid:
                pass
            os.kill(self.pid, signal.SIGKILL)

    def over(self) -> None:
        """Let the others live."""
        self._way.plan = self._way.heard = None
        self._way.freeze(False)


@dataclass
class Sending:
    """One run, under way."""

    pid: int
    """Of its process."""
    _sender: Sender

    def end(self) -> Ended:
        """Wait for it."""
        return Ended(**self._sender.hear())


@dataclass(frozen=True)
class Ended:
    """What became of a run."""

    status: int
    """Of the process, as that of a command; minus the number of the signal that killed it."""
    words: str
    sent: dict[str, Any] = field(default_factory=dict)
    """What it says that it did."""


class Sender:
    """A process that forks one for each run. ``before`` are words that its command begins with.

    ``module`` is what it runs: one that calls `serve`.
    """

    def __init__(self, before: Sequence[str] = (), module: str = "tests.services.senders") -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
        command = [*before, sys.executable, "-m", module]
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def start(self, **task: Any) -> Sending:
        """Begin; ``task`` has the arguments of what the module serves: here, of `_send`."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return Sending(self.hear()["pid"], self)

    def run(self, **task: Any) -> Ended:
        """The same, to its end."""
        return self.start(**task).end()

    def hear(self) -> dict[str, Any]:
        """What the process says next."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the process that sends has died"
        told: dict[str, Any] = json.loads(line)
        return told


def serve(work: Callable[..., int]) -> None:
    """Do ``work`` in a fork for each task that comes in, with what is loaded by now."""
    for line in sys.stdin:
        with tempfile.TemporaryFile() as words:
            child = os.fork()
            if not child:
                os.dup2(words.fileno(), 1)
                os.dup2(words.fileno(), 2)
                sys.stdin.close()
                sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
                sys.exit(work(**json.loads(line)))
            _say({"pid": child})
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            words.seek(0)
            said = words.read().decode()
            text, _, sent = said.partition("\nSENT ")
            _say({"status": status, "words": text, "sent": json.loads(sent) if sent else {}})


def _say(message: dict[str, Any]) -> None:
    sys.__stdout__.write(json.dumps(message) + "\n")  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]


def _send(
    source: str, release: str, place: str, options: dict[str, Any], kept: str = "", at_once: int = 64, limit: float = 60
) -> int:
    """Send the ``release`` of the folder ``source`` to the store at ``place``; the exit status of a command.

    Like a command it says notices and the error, and no more of that than its text.
    """
    from shipfiles.errors import ShipfilesError
    from shipfiles.events import Event, Notice
    from shipfiles.release.kept import Kept
    from shipfiles.release.send import send
    from shipfiles.release.target import Target
    from shipfiles.stores.local import LocalStore
    from shipfiles.stores.opening import open_store

    def listen(event: Event) -> None:
        if isinstance(event, Notice):
            sys.stdout.write(event.text + "\n")

    if place.startswith("gs://"):
        from google.auth.credentials import AnonymousCredentials

        options = {**options, "credentials": AnonymousCredentials()}
    try:
        target = Target(open_store(place, "the test", options), at_once=at_once, limit=limit)
        sent = send(LocalStore(source), release, target, kept=Kept(kept), listener=listen)
    except ShipfilesError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    told = {"before": sent.before, "kept": sent.kept, "copied": sent.copied, "bytes": sent.bytes}
    sys.stdout.write("\nSENT " + json.dumps(told) + "\n")
    return 0


if __name__ == "__main__":
    # All that a run needs, so that it is there in each fork; and nothing of it is used before.
    import obstore  # noqa: F401

    import shipfiles.release.send
    import shipfiles.stores.s3  # noqa: F401

    serve(_send)
