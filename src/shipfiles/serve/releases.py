"""The releases whose manifests are on the disk beside the one that a process serves."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Mapping
from typing import NamedTuple

from ..errors import ManifestError
from ..lines import DAMAGE, as_written, foreign_names, head_of
from ..manifest import check_schema, line_entry, load
from ..model import Entry
from ..regular import read_regular
from .opened import BUSY

logger = logging.getLogger("shipfiles.serve")

_State = tuple[int, int, int]
_MOST_PARSED = 1024


class _Line(NamedTuple):
    """Where the entry of a name is."""

    manifest: str
    """The path of its file."""
    start: int


class Releases:
    """The entries of every manifest in ``folder`` by hashed name, without the names in ``own``.

    While a release is rolled out, pages made by old and by new processes ask either kind for their files, and browsers
    keep pages open for longer still. Nothing is read before a name is missed; then every manifest is searched once for
    its names, of which those are kept that no other release has, and the folder is looked through again only when its
    time says that a file came or went. An entry is read from its manifest when somebody asks for its name.
    """

    # A file that comes within the clock's grain after a look leaves the folder's time as it was; until that time is
    # this old it proves nothing.
    _SETTLED = 2.0

    def __init__(self, folder: str, own: Collection[str]) -> None:
        self._folder = folder
        self._own = own
        self._lock = threading.Lock()
        self._listed: int | None = None
        self._read: dict[str, _State] = {}
        self._places: dict[str, _Line | Entry] = {}
        self._parsed: dict[str, Entry] = {}
        self._reported: set[object] = set()

    def is_known(self) -> bool:
        """Whether `entry` can answer without looking through the folder, which may take a tenth of a second."""
        try:
            return os.stat(self._folder).st_mtime_ns == self._listed
        except (OSError, ValueError):
            return True

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
        place = self._places.get(name)
        if not isinstance(place, _Line):
            return place
        parsed = self._parsed.get(name)
        return self._parse(name, place) if parsed is None else parsed

    def _parse(self, name: str, line: _Line) -> Entry | None:
        try:
            with open(line.manifest, "rb") as file:
                file.seek(line.start)
                entry = line_entry(file.readline())
            if entry.name != name:
                raise ValueError(f"its line is that of {entry.name!r}")
        except OSError as error:
            if error.errno in BUSY:
                raise
            return None  # pruned at this moment
        except DAMAGE as error:
            self._report((line.manifest, name), f"{line.manifest}: damaged at {name!r}: {error}. It is not served.")
            return None
        if len(self._parsed) >= _MOST_PARSED:
            self._parsed = {}
        self._parsed[name] = entry
        return entry

    def _list(self, changed: int) -> None:
        """Bring what is known in line with the folder, whose time is ``changed``."""
        try:
            with os.scandir(self._folder) as listing:
                states = {f.name: state for f in listing if f.name.endswith(".json") and (state := _state_of(f.path))}
        except OSError as error:
            if error.errno in BUSY:
                raise
            states = {}
        if states != self._read:
            new = states.keys() - self._read.keys()
            newest = max(self._read.values(), default=(0, 0, 0))
            places = dict(self._places)
            if self._read.items() - states.items() or any(states[name] < newest for name in new):
                # One went or was replaced, and what it had may be in an older one; or an older one came.
                places, new = {}, set(states)
            own = as_written(self._own)
            # Where two releases have a name, the later one has written the variants that lie beside it.
            for name in sorted(new, key=lambda name: states[name]):
                places.update(self._names(os.path.join(self._folder, name), states[name], own))
            self._read, self._places, self._parsed = states, places, {}
        self._listed = changed if time.time() - changed / 1e9 > self._SETTLED else None

    def _names(self, path: str, state: _State, own: set[bytes]) -> Mapping[str, _Line | Entry]:
        """Where the entries of the manifest at ``path`` are; none, and a line in the log, if it cannot be read."""
        try:
            body = read_regular(path)
            if (head := head_of(body)) is not None:
                check_schema(head, path)
                try:
                    if (names := foreign_names(body, own)) is not None:
                        return {name: _Line(path, start) for name, start in names.items() if name not in self._own}
                except ValueError:
                    pass  # no text; what is wrong is said below
            return {entry.name: entry for entry in load(body, path).entries.values() if entry.name not in self._own}
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in BUSY:
                raise
            self._report(
                (path, state), f"{path}: cannot be read: {error.strerror}. The files of that release are not served."
            )
        except ManifestError as error:
            self._report((path, state), f"{error} The files of that release are not served.")
        return {}

    def _report(self, what: object, text: str) -> None:
        """Say ``text`` once for each ``what``."""
        if what not in self._reported:
            self._reported.add(what)
            logger.warning("%s", text)


def _state_of(path: str) -> _State | None:
    """What is another whenever the file at ``path`` is; ``None`` if there is none."""
    try:
        status = os.stat(path)
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
