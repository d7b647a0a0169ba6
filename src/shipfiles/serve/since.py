"""Since when a release is the one to use: what tells a newer release from an older one that still answers."""

from __future__ import annotations

import logging
import threading
import time

from ..errors import ManifestError, ReleaseError
from ..records import moment_text, read_pointer, read_record
from .forks import renew_in_child
from .origins import Origin

logger = logging.getLogger("shipfiles")


class Since:
    """When releases at ``origin`` became current, by the store's small files; never by a manifest.

    These are read once in the origin's interval at most; if that is far away, by a thread, and what was known stays
    meanwhile. What cannot be read is said in the log, and what was known stays.
    """

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
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
            is_new = self._known[0] != release
            if is_new or time.monotonic() >= self._next:
                self._next = time.monotonic() + self._origin.interval
                if is_new or not self._origin.is_far or not self._look_apart(release):
                    self._look(release)
            return self._known[1]

    def _look_apart(self, release: str) -> bool:
        """Look in a thread; whether there could be one."""
        try:
            threading.Thread(target=self._look, args=(release,), name="shipfiles-since", daemon=True).start()
        except RuntimeError:
            return False
        return True

    def _look(self, release: str) -> None:
        before = self._known[1] if self._known[0] == release else ""
        try:
            since = self._ask(release)
        except (ManifestError, ReleaseError, OSError) as error:
            since = before
            if str(error) != self._said:
                self._said = str(error)
                where = self._origin.where
                logger.warning("Since when release %s is used in %s cannot be read. %s", release, where, error)
        self._known = release, since

    def _ask(self, release: str) -> str:
        pointer = read_pointer(self._origin.read)
        for activation in reversed(pointer.history if pointer else ()):
            if activation.release == release:
                return moment_text(activation.at)
        record = read_record(self._origin.read, release)
        return moment_text(record.made) if record else ""
