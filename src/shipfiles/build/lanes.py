"""References found on more than one processor.

Rewriters are Python code, of which a process runs one thread at a time. A thread that hands a body to a child process
and waits lets the others go on. A child costs as much as scanning a few megabytes, so it is started only where there is
much to scan, and sent only what is large.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from types import ModuleType, TracebackType
from typing import Final, Self

from ..model import Reference
from ..work import processors
from . import rewrite
from .lane import ANSWER, ANSWERED, ASKED, REQUEST
from .plain import references_of
from .rewrite import Rewriter

LARGE: Final = 64 * 1024
"""The size from which a body goes to a child. Bytes."""
AFTER: Final = 8 * 1024 * 1024
"""How much of such bodies is scanned before the first child is started. Bytes."""

# The shortest reference takes seven bytes, and a hundred in an answer.
_MOST_PER_BYTE, _MOST_BESIDE = 16, 4096
# The parent's own package; after the standard library, which no other package of that folder may stand in for.
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
_RUN = "import sys; sys.path.append(sys.argv[1]); from shipfiles.build.lane import run; run()"
# Windows: no console, whose Ctrl-C the child would get.
_NO_WINDOW = getattr(subprocess, "CREATE_NO_WINDOW", 0)


class Broken(Exception):
    """A child that does not do what it is for."""


def useful_lanes(workers: int) -> int:
    """How many children so many threads can make use of; 0 where they gain nothing. 0 means one for each processor."""
    available = processors()
    threads_run_together = not getattr(sys, "_is_gil_enabled", lambda: True)()
    return 0 if available == 1 or workers == 1 or threads_run_together else workers or available


class Lanes:
    """At most ``limit`` child processes. They end when the context does.

    What goes wrong with a child is no error: the body is scanned here, and no child is asked again.
    """

    def __init__(self, limit: int, *, large: int = LARGE, after: int = AFTER) -> None:
        self._limit = limit if _can_start() else 0
        self._large = large
        self._after = after
        self._guard = threading.Lock()
        self._started = 0
        self._idle: list[_Lane] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def references(self, rewriter: Rewriter, body: bytes) -> Iterable[Reference]:
        """What ``rewriter`` finds in ``body``. Safe to call from several threads."""
        if len(body) >= self._large and self._limit and (name := _name(rewriter)):
            found = self._asked(name, body)
            if found is not None:
                return found
        return rewriter.references(body)

    def _asked(self, name: str, body: bytes) -> list[Reference] | None:
        """A child's answer; ``None`` if there is none."""
        lane = None
        try:
            lane = self._take(len(body))
            found = lane.references(name, body) if lane else None
        except (Broken, OSError, ValueError, subprocess.SubprocessError):
            self._stop()
            found = None
        except BaseException:
            # The answer is still to come: it must not be taken for the next one.
            if lane:
                lane.close()
            raise
        if lane:
            self._give_back(lane)
        return found

    def _take(self, size: int) -> _Lane | None:
        with self._guard:
            self._after -= size
            if self._after > 0 or not self._limit:
                return None
            if self._idle:
                return self._idle.pop()
            if self._started == self._limit:
                return None
            self._started += 1
        return _Lane()

    def _give_back(self, lane: _Lane) -> None:
        with self._guard:
            if self._limit:
                self._idle.append(lane)
                return
        lane.close()

    def _stop(self) -> None:
        """End the children that have nothing to do; the others end when they are given back."""
        with self._guard:
            self._limit = 0
            idle, self._idle = self._idle, []
        for lane in idle:
            lane.close()


class _Lane:
    """One child process, for one thread at a time."""

    def __init__(self) -> None:
        options = ["-I", "-S", "-B", *["-O"] * sys.flags.optimize]
        if sys.pycache_prefix:
            options += ["-X", f"pycache_prefix={sys.pycache_prefix}"]
        self._process = subprocess.Popen(  # noqa: S603 - this Python, and nothing from outside
            [sys.executable, *options, "-c", _RUN, _ROOT],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, creationflags=_NO_WINDOW,
        )  # fmt: skip
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._to, self._from = self._process.stdin, self._process.stdout
        if min(self._to.fileno(), self._from.fileno()) < 3:
            # Standard streams were closed; what any library prints would go to the child.
            self.close()
            raise Broken

    def references(self, name: str, body: bytes) -> list[Reference] | None:
        """What the rewriter ``name`` finds in ``body``; ``None`` if it fails. Raises `Broken` and `OSError`."""
        encoded = name.encode()
        self._to.write(b"".join((REQUEST.pack(ASKED, len(encoded), len(body)), encoded, body)))
        self._to.flush()
        header = self._from.read(ANSWER.size)
        if len(header) < ANSWER.size:
            raise Broken
        answered, length = ANSWER.unpack(header)
        if answered != ANSWERED:
            raise Broken
        if length > _MOST_PER_BYTE * len(body) + _MOST_BESIDE:
            raise Broken
        answer = self._from.read(length)
        if len(answer) < length:
            raise Broken
        return _checked(answer, len(body))

    def close(self) -> None:
        """End the process, whatever it does."""
        # It holds nothing that could be lost, and waiting for its own end would cost time.
        self._process.kill()
        self._process.wait()
        for pipe in (self._to, self._from):
            with suppress(OSError):  # what was still to be written has no reader
                pipe.close()


def _can_start() -> bool:
    """Whether a child can be expected to run: what embeds Python may be anything but an interpreter itself."""
    program = os.path.basename(sys.executable or "").lower()
    return program.startswith(("python", "pypy")) and not getattr(sys, "frozen", False)


def _name(rewriter: Rewriter) -> str:
    """By what name a child knows ``rewriter``; empty if it does not."""
    if isinstance(rewriter, ModuleType) and rewriter.__name__.startswith(f"{rewrite.__name__}."):
        return rewriter.__name__
    return ""


def _checked(answer: bytes, body_size: int) -> list[Reference] | None:
    """The references in ``answer``, or ``None`` if the rewriter failed. Raises `Broken` if it is no answer."""
    try:
        found = json.loads(answer)
        return None if found is None else references_of(found, body_size)
    except (ValueError, RecursionError) as error:
        raise Broken from error
