"""The clients of one server, in a process of their own: ``python -m tests.soak.crowd PORT BODIES SEED RATE``.

It hears messages of `Known.hear`, one a line, and asks from the first release on until ``{"do": "end"}``. Then it says
what it saw and ends.
"""

from __future__ import annotations

import json
import random
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .asking import ask, pipeline
from .known import Known
from .rude import begin, leave, read_slowly
from .tally import Tally

ASKING = 3
SLOW = 3
HALVES = 2
LEAVE = 1.0
"""Seconds between two clients that leave."""


class Crowd:
    """All clients of the server at ``port``; those that behave send about ``rate`` requests a second."""

    def __init__(self, port: int, known: Known, seed: str, rate: float) -> None:
        self.tally = Tally()
        self._ending = threading.Event()
        clients: list[Callable[..., None]] = [
            *[partial(ask, interval=ASKING / (rate * 0.75))] * ASKING,
            # Five requests at once, in the middle.
            partial(pipeline, interval=5 / (rate * 0.25)),
            partial(leave, interval=LEAVE),
            *[read_slowly] * SLOW,
            *[begin] * HALVES,
        ]
        self._threads = [
            threading.Thread(
                target=self._work,
                args=(partial(client, port, known, self.tally, random.Random(f"{seed} {i}"), self._ending),),
            )
            for i, client in enumerate(clients)
        ]

    def start(self) -> None:
        """Let all begin."""
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """Let all go. Who waits for an answer gets it first."""
        self._ending.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _work(self, client: Callable[[], None]) -> None:
        try:
            client()
        except BaseException:
            self.tally.trouble("client", traceback.format_exc())
            raise


def main() -> None:
    """Hear, ask, and say what came."""
    port, bodies, seed, rate = sys.argv[1:]
    known = Known(Path(bodies))
    crowd = Crowd(int(port), known, seed, float(rate))
    is_asking = False
    for line in sys.stdin:
        message = json.loads(line)
        if message["do"] == "end":
            break
        known.hear(message)
        if message["do"] == "switched" and not is_asking:
            is_asking = True
            crowd.start()
    crowd.end()
    tally = crowd.tally
    sys.stdout.write(json.dumps({"counts": tally.counts, "troubles": tally.troubles, "slowest": tally.slowest}))


if __name__ == "__main__":
    main()
