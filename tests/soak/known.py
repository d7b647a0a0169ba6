"""What clients know of a site whose releases follow each other: what each URL must answer with, and until when."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .tally import Trouble

LARGE = 250_000
"""Files from this size on are large. Bytes."""
FILM = 10_000_000
"""And those from this size on are asked for rarely, and mostly in parts."""


@dataclass(frozen=True)
class File:
    """A file of a release."""

    logical: str
    url: str
    """The path of its hashed name."""
    body: bytes
    """What is published under it, not compressed."""
    source: bytes
    """What is published under its plain name: the same, but for references."""


class Known:
    """What the messages of `hear` tell; bodies are in the folder ``bodies``, under their digests."""

    LAG = 6.0
    """Seconds after a release has been replaced until which it may be answered as the current one: a server looks at
    the pointer once a second, at the next request, and goes over in a thread; the machine is busy."""

    def __init__(self, bodies: Path) -> None:
        self._bodies = bodies
        self._changed = threading.Condition()
        self._by_digest: dict[str, bytes] = {}
        self._releases: dict[int, dict[str, File]] = {}
        self._retired: set[int] = set()
        self._current: dict[int, float] = {}
        """Generation → until when it may be answered as the current one, by the monotonic clock."""
        self._switching: int | None = None
        self._seen: dict[tuple[str, str], tuple[str, int]] = {}
        self.pages: Sequence[Sequence[str]] = ()
        self.root_files: Mapping[str, str] = {}
        self.small: Sequence[File] = ()
        self.large: Sequence[File] = ()
        self.films: Sequence[File] = ()
        self.retired: Sequence[File] = ()
        """Files that only releases have that a prune may have taken away."""
        self._certain: frozenset[str] = frozenset()

    def hear(self, message: Mapping[str, Any]) -> None:
        """Learn what is true from now on."""
        with self._changed:
            match message["do"]:
                case "site":
                    self.pages, self.root_files = message["pages"], message["root_files"]
                case "switching":
                    # Until it is over, both are current.
                    self._switching = message["to"]
                case "switched":
                    self._switched(message["to"], message["files"])
                case "retire":
                    self._retired.update(message["generations"])
            self._sort()
            self._changed.notify_all()

    def _switched(self, generation: int, files: Mapping[str, Sequence[str]]) -> None:
        self._releases[generation] = {
            logical: File(logical, url, self._body(digest), self._body(plain))
            for logical, (url, digest, plain) in files.items()
        }
        self._switching = None
        now = time.monotonic()
        self._current = {g: min(until, now + self.LAG) for g, until in self._current.items()}
        self._current[generation] = float("inf")
        self._retired.discard(generation)

    def _body(self, digest: str) -> bytes:
        if digest not in self._by_digest:
            self._by_digest[digest] = (self._bodies / digest).read_bytes()
        return self._by_digest[digest]

    def _sort(self) -> None:
        certain = {f.url: f for g, files in self._releases.items() if g not in self._retired for f in files.values()}
        retired = {f.url: f for g in self._retired for f in self._releases[g].values()}
        self._certain = frozenset(certain)
        self.small = [file for file in certain.values() if len(file.body) < LARGE]
        self.large = [file for file in certain.values() if LARGE <= len(file.body) < FILM]
        self.films = [file for file in certain.values() if len(file.body) >= FILM]
        self.retired = [file for url, file in retired.items() if url not in certain]

    def any_file(self, chance: random.Random) -> File:
        """One that must be there; most are small."""
        draw = chance.random()
        return chance.choice(self.films if draw < 0.01 else self.large if draw < 0.08 else self.small)

    def is_certain(self, file: File) -> bool:
        """Whether it must still be there."""
        return file.url in self._certain

    def current(self, since: float) -> Iterator[Mapping[str, File]]:
        """The files, by logical path, of each release that may have been answered as the current one since ``since``.

        Who still wants one waits while another release is being made current, and is given them all again.
        """
        yield from self._current_since(since)
        with self._changed:
            if not self._changed.wait_for(lambda: self._switching is None, 120):
                raise Trouble("client", "a release was not current within two minutes")
        yield from self._current_since(since)

    def _current_since(self, since: float) -> list[dict[str, File]]:
        with self._changed:
            return [self._releases[g] for g, until in self._current.items() if until >= since]

    def ever(self, logical: str) -> list[File]:
        """What the file ``logical`` has ever been."""
        with self._changed:
            return [files[logical] for files in self._releases.values() if logical in files]

    def check_tag(self, file: File, coding: str, tag: str, length: int) -> None:
        """Tag and length of a representation under a hashed name never change."""
        with self._changed:
            before = self._seen.setdefault((file.url, coding), (tag, length))
        if before != (tag, length):
            raise Trouble("wrong", f"{file.url} {coding}: {before} before, now {(tag, length)}")

    def tag(self, file: File, coding: str) -> str:
        """The tag of a representation; empty if it has not been seen."""
        with self._changed:
            return self._seen.get((file.url, coding), ("", 0))[0]
