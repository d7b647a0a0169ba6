"""The releases whose manifests are on the disk beside the one that a process serves."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from typing import NamedTuple

from ..errors import ManifestError
from ..line_differences import files_span, unlike
from ..lines import DAMAGE, as_written, foreign_names, head_of, name_at
from ..manifest import check_schema, line_entry, load
from ..model import Entry
from ..regular import open_regular, read_regular
from .forks import renew_in_child
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

    What cannot be read takes nothing away that is known, and is tried again after a second.
    """

    # A file that comes within the clock's grain after a look leaves the folder's time as it was; until that time is
    # this old it proves nothing.
    _SETTLED = 2.0
    _AGAIN = 1.0
    """Seconds until what could not be read is tried again, and between two looks at a folder of a time to come."""

    def __init__(self, folder: str, own: Collection[str]) -> None:
        self._folder = folder
        self._own = own
        self._renew()
        renew_in_child(self._renew)
        self._listed: int | None = None
        """The folder's time at a look after which only another time means that there is something new."""
        self._looked: int | None = None
        """The folder's time at the last look."""
        self._next = 0.0
        """When the next look may be, if the folder's time is still that of the last one."""
        self._unread: set[str] = set()
        """The files that could not be read at the last look."""
        self._read: dict[str, _State] = {}
        self._places: dict[str, _Line | Entry] = {}
        self._parsed: dict[str, Entry] = {}
        self._reported: set[object] = set()

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def is_known(self) -> bool:
        """Whether `entry` can answer without looking through the folder, which may take a tenth of a second."""
        try:
            return not self._is_due(os.stat(self._folder).st_mtime_ns)
        except (OSError, ValueError):
            return True

    def _is_due(self, changed: int) -> bool:
        """Whether it is time to look through the folder, whose time is ``changed``."""
        if changed == self._listed:
            return False
        return changed != self._looked or time.monotonic() >= self._next

    def entry(self, name: str) -> Entry | None:
        """The entry with the hashed name ``name``. Raises ``OSError`` only if its number is in `BUSY`."""
        try:
            changed: int | None = os.stat(self._folder).st_mtime_ns
        except (FileNotFoundError, ValueError):
            return None
        except OSError:
            changed = None  # out of reach for now: what is known goes on
        if changed is not None and self._is_due(changed):
            with self._lock:
                if self._is_due(changed):
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
        unread: set[str] = set()
        try:
            states = self._states(unread)
        except FileNotFoundError:
            states = {}
        except OSError as error:
            if error.errno in BUSY:
                raise
            self._report((self._folder, error.errno), f"{self._folder}: cannot be read: {error.strerror}.")
            self._later(changed)
            return
        if states != self._read:
            new = states.keys() - self._read.keys()
            newest = max(self._read.values(), default=(0, 0, 0))
            places = dict(self._places)
            if self._read.items() - states.items() or any(states[name] < newest for name in new):
                # One went or was replaced, and what it had may be in an older one; or an older one came.
                places, new = {}, set(states)
            try:
                search = _Search({*self._own})
            except ManifestError as error:
                # The process's own, written over while it is in use.
                self._report((self._folder, str(error)), f"{error} Files of other releases are not served.")
                self._later(changed)
                return
            if known := states.keys() - new:
                last = max(known, key=lambda name: states[name])
                with suppress(OSError):
                    search.begin_after(read_regular(os.path.join(self._folder, last)))
            # Where two releases have a name, the later one has written the variants that lie beside it.
            for name in sorted(new, key=lambda name: states[name]):
                path = os.path.join(self._folder, name)
                if (names := self._names(path, states[name], search)) is not None:
                    places.update(names)
                    continue
                unread.add(name)
                del states[name]
            if unread & self._read.keys():
                # What it had keeps its place; a place in a manifest that is gone has no entry.
                places = {**self._places, **places}
            self._read, self._places, self._parsed = states, places, {}
        age = time.time() - changed / 1e9
        self._looked, self._unread = changed, unread
        self._listed = changed if age > self._SETTLED and not unread else None
        self._next = time.monotonic() + self._AGAIN if unread or age < 0 else 0.0

    def _later(self, changed: int) -> None:
        """Look through the folder, whose time is ``changed``, again in a while."""
        self._looked, self._listed, self._next = changed, None, time.monotonic() + self._AGAIN

    def _states(self, unread: set[str]) -> dict[str, _State]:
        """What the files of the folder look like: those that can be read. ``unread`` gets the names of the others.

        Raises ``OSError`` if the folder cannot be read.
        """
        states = {}
        with os.scandir(self._folder) as listing:
            for file in listing:
                if not file.name.endswith(".json"):
                    continue
                try:
                    states[file.name] = _state_of(file.path, tried=file.name in self._unread)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    if error.errno in BUSY:
                        raise
                    self._say_unread(file.path, error)
                    unread.add(file.name)
                    if file.name in self._read:
                        states[file.name] = self._read[file.name]
        return states

    def _names(self, path: str, state: _State, search: _Search) -> Mapping[str, _Line | Entry] | None:
        """Where the entries of the manifest at ``path`` are; none, and a line in the log, if it is damaged.

        ``None`` if it cannot be read now.
        """
        try:
            body = read_regular(path)
            if (head := head_of(body)) is not None:
                check_schema(head, path)
                try:
                    if (names := search.names(body)) is not None:
                        return {name: _Line(path, start) for name, start in names.items()}
                except ValueError:
                    pass  # no text; what is wrong is said below
            return {entry.name: entry for entry in load(body, path).entries.values() if entry.name not in self._own}
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno in BUSY:
                raise
            self._say_unread(path, error)
            return None
        except ManifestError as error:
            self._report((path, state), f"{error} The files of that release are not served.")
        return {}

    def _say_unread(self, path: str, error: OSError) -> None:
        self._report(
            (path, error.errno), f"{path}: cannot be read: {error.strerror}. The files of that release are not served."
        )

    def _report(self, what: object, text: str) -> None:
        """Say ``text`` once for each ``what``."""
        if what not in self._reported:
            self._reported.add(what)
            logger.warning("%s", text)


class _Search:
    """Looks for the names of manifests that are not among ``own``, in one manifest after the other.

    Most releases have most files in common with the one before, so only the lines that differ are taken apart.
    """

    def __init__(self, own: Collection[str]) -> None:
        self._own = own
        self._before: bytes | None = None

    def begin_after(self, body: bytes) -> None:
        """The names in the manifest ``body`` are known."""
        self._before = body if head_of(body) is not None else None

    def names(self, body: bytes) -> dict[str, int] | None:
        """Where the lines begin of the names in ``body``, which has a head, that the manifest before did not have so.

        ``None`` if there is a line that is not `dump`'s. Raises ``ValueError`` for bytes that are no text.
        """
        before, self._before = self._before, None
        if before is None:
            found = foreign_names(body, as_written(self._own))
            found = found and {name: start for name, start in found.items() if name not in self._own}
        else:
            found = {}
            for _, start in unlike(before, files_span(before), body, files_span(body)):
                if start is not None:
                    if (name := name_at(body, start)) is None:
                        return None
                    if name not in self._own:
                        found[name] = start
        if found is not None:
            self._before = body
        return found


def _state_of(path: str, *, tried: bool) -> _State:
    """What is another whenever the file at ``path`` is. Raises ``OSError``, if it was ``tried`` also for its bytes."""
    if tried:
        with open_regular(path) as file:
            file.read(1)
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size, status.st_ino
