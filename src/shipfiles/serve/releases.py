"""The releases whose manifests are on the disk beside the one that a process serves."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Container, Mapping

from ..errors import ManifestError
from ..manifest import load
from ..model import Entry
from .opened import BUSY

logger = logging.getLogger("shipfiles.serve")

_State = tuple[int, int, int]


class Releases:
    """The entries of every manifest in ``folder`` by hashed name, without the names in ``own``.

    While a release is rolled out, pages made by old and by new processes ask either kind for their files, and browsers
    keep pages open for longer still. Nothing is read before a name is missed; then a manifest is read once, and the
    folder is looked through again only when its time says that a file came or went.
    """

    # A file that comes within the clock's grain after a look leaves the folder's time as it was; until that time is
    # this old it proves nothing.
    _SETTLED = 2.0

    def __init__(self, folder: str, own: Container[str]) -> None:
        self._folder = folder
        self._own = own
        self._lock = threading.Lock()
        self._listed: int | None = None
        self._read: dict[str, tuple[_State, Mapping[str, Entry]]] = {}
        self._entries: Mapping[str, Entry] = {}

    def entry(self, name: str) -> Entry | None:
        """The entry with the hashed name ``name``. Raises ``OSError`` only if its number is in `BUSY`."""
        try:
            changed = os.stat(self._folder).st_mtime_ns
        except (OSError, ValueError):
            return None
        if changed != self._listed:
            with self._lock:
                if changed != self._listed:
                    self._list(changed)
        return self._entries.get(name)

    def _list(self, changed: int) -> None:
        """Bring what is known in line with the folder, whose time is ``changed``."""
        found: dict[str, tuple[_State, Mapping[str, Entry]]] = {}
        try:
            with os.scandir(self._folder) as listing:
                names = [file.name for file in listing if file.name.endswith(".json")]
        except OSError as error:
            if error.errno in BUSY:
                raise
            names = []
        for name in names:
            manifest = self._manifest(name)
            if manifest is not None:
                found[name] = manifest
        entries: dict[str, Entry] = {}
        # Where two releases have a name, the later one has written the variants that lie beside it.
        for _, of_release in sorted(found.values(), key=lambda read: read[0]):
            entries.update(of_release)
        self._read, self._entries = found, entries
        self._listed = changed if time.time() - changed / 1e9 > self._SETTLED else None

    def _manifest(self, name: str) -> tuple[_State, Mapping[str, Entry]] | None:
        """The state of the manifest file ``name`` and its entries, read if they are new; ``None`` if it has gone."""
        path = os.path.join(self._folder, name)
        try:
            status = os.stat(path)
            state = (status.st_mtime_ns, status.st_size, status.st_ino)
            known = self._read.get(name)
            if known is not None and known[0] == state:
                return known
            return state, self._load(path)
        except FileNotFoundError:
            return None

    def _load(self, path: str) -> Mapping[str, Entry]:
        """The entries of the manifest at ``path``; none, and a line in the log, if it cannot be read."""
        try:
            with open(path, "rb") as file:
                body = file.read()
            return {entry.name: entry for entry in load(body, path).entries.values() if entry.name not in self._own}
        except OSError as error:
            if error.errno in BUSY or isinstance(error, FileNotFoundError):
                raise
            logger.warning("%s: cannot be read: %s. The files of that release are not served.", path, error.strerror)
        except ManifestError as error:
            logger.warning("%s The files of that release are not served.", error)
        return {}
