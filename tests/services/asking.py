"""A client that asks for every file of every release, over and over, while people work on the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from tests.rolling.client import CODINGS, Connections


class Asking:
    """A thread that knows what may be answered to each URL, and keeps what was answered otherwise."""

    def __init__(self) -> None:
        self.rounds = 0
        self.early = 0
        """How many were asked for before they had to be there, and were not."""
        self.wrong: list[str] = []
        self._bodies: dict[str, frozenset[bytes]] = {}
        self._promised: set[str] = set()
        self._seen: set[tuple[str, str]] = set()
        self._changed = threading.Condition()
        self._ending = False

    def expect(self, files: Mapping[str, Iterable[bytes]], *, there: bool) -> None:
        """Ask for these URLs from now on; ``there``: as `promise`. One of its bodies is what each must have."""
        with self._changed:
            for url, bodies in files.items():
                self._bodies[url] = self._bodies.get(url, frozenset()).union(bodies)
        if there:
            self.promise(files)

    def promise(self, urls: Iterable[str]) -> None:
        """From now on they have to be there; others only from when they were there first, for who accepts the same.

        A server that looks again after a second may know of a variant earlier than of the file itself.
        """
        with self._changed:
            self._promised.update(urls)

    def forget(self, urls: Iterable[str]) -> None:
        """Ask for them no more."""
        with self._changed:
            for url in urls:
                del self._bodies[url]

    def another_round(self) -> None:
        """Wait until everything that is known now has been asked for, in each coding."""
        with self._changed:
            until = self.rounds + len(CODINGS) + 1
            assert self._changed.wait_for(lambda: self.rounds >= until, 60), "no answers"

    @contextmanager
    def asking(self) -> Iterator[None]:
        thread = threading.Thread(target=self._work)
        thread.start()
        try:
            yield
        finally:
            self._ending = True
            thread.join()

    def _work(self) -> None:
        connections = Connections(0)
        while not self._ending:
            accepted = CODINGS[self.rounds % len(CODINGS)]
            for url in [*self._bodies]:
                with self._changed:
                    promised = url in self._promised or (url, accepted) in self._seen
                status, body = connections.get(url, accepted)
                self._judge(url, status, body, accepted, promised=promised)
            with self._changed:
                self.rounds += 1
                self._changed.notify_all()
            time.sleep(0.05)
        connections.close()

    def _judge(self, url: str, status: int, body: bytes, accepted: str, *, promised: bool) -> None:
        with self._changed:
            expected = self._bodies.get(url)
            if expected is None:  # forgotten since
                return
            if status == 200 and body in expected:
                self._seen.add((url, accepted))
            elif status == 404 and not promised:
                self.early += 1
            else:
                self.wrong.append(f"{url} ({accepted}): {status} {body[:60]!r}")
