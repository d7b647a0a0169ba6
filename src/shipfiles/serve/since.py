"""Since when a release is the one to use: what tells a newer release from an older one that still answers."""

from __future__ import annotations

import logging
import threading
import time

from ..errors import ManifestError
from ..manifest import reader_of
from ..records import moment_text, read_pointer, read_record
from .forks import renew_in_child

logger = logging.getLogger("shipfiles")


class Since:
    """When releases of the folder ``root`` became current, by the store's small files; never by a manifest.

    These are read once a second at most. What cannot be read is said in the log, and what was known stays.
    """

    INTERVAL = 1.0
    """Seconds between two looks."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._read = reader_of(root)
        self._renew()
        renew_in_child(self._renew)
        self._known = ("", "")
        self._next = 0.0
        self._said = ""

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def of(self, release: str) -> str:
        """The time when ``release`` became current last, else when it was made: UTC, as the pointer has it.

        Two such texts are in the order of their times. Empty if the store does not tell.
        """
        with self._lock:
            if time.monotonic() >= self._next or self._known[0] != release:
                self._look(release)
                self._next = time.monotonic() + self.INTERVAL
            return self._known[1]

    def _look(self, release: str) -> None:
        before = self._known[1] if self._known[0] == release else ""
        try:
            since = self._ask(release)
        except (ManifestError, OSError) as error:
            since = before
            if str(error) != self._said:
                self._said = str(error)
                logger.warning("Since when release %s is used in %s cannot be read. %s", release, self._root, error)
        self._known = release, since

    def _ask(self, release: str) -> str:
        pointer = read_pointer(self._read)
        for activation in reversed(pointer.history if pointer else ()):
            if activation.release == release:
                return moment_text(activation.at)
        record = read_record(self._read, release)
        return moment_text(record.made) if record else ""
