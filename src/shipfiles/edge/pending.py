"""What caches may still have of earlier releases, noted on this machine before the pointer moves.

A run that is killed between the pointer and the purge, or whose purge fails, leaves its note: the next one reads which
manifests were current since the last purge that succeeded, and purges what differs from any of them. Notes are files
in the build cache; who has none, or another machine, is told by the pointer's history alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from .. import json_values
from ..digest import Digest, digest_bytes, hex_prefix
from ..records import Activation
from ..regular import READ_FLAGS, open_regular, read_regular
from ..stores.file_lock import lock_file


@dataclass(frozen=True, slots=True)
class Was:
    """What a run has found in a store when it began."""

    manifests: Mapping[Digest, bytes]
    """Those that a cache may have files of; that of the current release first."""
    moves: int = 0
    """How often the pointer had moved, as far as its history told."""
    release: str = ""
    """That was current; empty if none was."""
    at: str = ""
    """Since when, as text that sorts."""

    def later(self, history: Sequence[Activation]) -> Sequence[Activation]:
        """What of the pointer's ``history`` has come since then."""
        mine = (self.release, self.at)
        if not self.moves:
            return history
        if len(history) >= self.moves and _moment(history[self.moves - 1]) == mine:
            return history[self.moves :]
        # What is longest ago is left out of a history that is full.
        for number, one in enumerate(history):
            if _moment(one) == mine:
                return history[number + 1 :]
        return [one for one in history if one.at.isoformat() >= self.at]


def _moment(one: Activation) -> tuple[str, str]:
    return one.release, one.at.isoformat()


def was(history: Sequence[Activation], manifests: Mapping[Digest, bytes]) -> Was:
    """What is found where the pointer has this ``history``, and caches may have files of ``manifests``."""
    return Was(manifests, len(history), *_moment(history[-1])) if history else Was(manifests)


_WRITTEN = READ_FLAGS & ~os.O_RDONLY | os.O_RDWR | os.O_CREAT | os.O_EXCL
_MOST = 64
"""So many notes are kept: no cache keeps files for as long as others are published."""
_NOTE, _MANIFEST = ".note.json", ".manifest.json"


class _Held:
    """An open file that is locked until nobody knows of it any more."""

    def __init__(self, path: str) -> None:
        """Make it. Raises ``OSError``."""
        self._descriptor = os.open(path, _WRITTEN, 0o666)
        lock_file(self._descriptor, wait=False)

    def write(self, body: bytes) -> None:
        """So that it is on the disk. Raises ``OSError``."""
        os.write(self._descriptor, body)
        os.fsync(self._descriptor)

    def __del__(self) -> None:
        with suppress(OSError, AttributeError):
            os.close(self._descriptor)


class Pending:
    """The notes in ``folder``; without one nothing is noted. It may be deleted, and several processes may share it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._own: _Held | None = None
        self._own_path = ""
        self._ended: list[str] = []
        self.unclear = False
        """Whether a note was `left` that cannot be read, or one whose manifests cannot."""

    def left(self) -> dict[str, list[Was]]:
        """What the notes of other runs say of each store. Those that cannot be read say nothing; see `unclear`."""
        found: dict[str, list[Was]] = {}
        others = [path for path in self._notes() if path != self._own_path]
        # A run that ends later may move pointers when nobody looks any more who has read its note now.
        self._ended = [path for path in others if _has_ended(path)]
        for path in others:
            notes = _told(path)
            # Who has not written a line has done nothing yet.
            self.unclear |= not notes and path in self._ended and _size(path) > 0
            for place, told in notes.items():
                bodies = {one: body for one in told.manifests if (body := self._body(one)) is not None}
                self.unclear |= len(bodies) < len(told.manifests) and path in self._ended
                if bodies:
                    found.setdefault(place, []).append(replace(told, manifests=bodies))
        return found

    def begin(self, states: Mapping[str, Was]) -> None:
        """Note ``states``, one for each store. What cannot be written is done without."""
        if not self._folder or not any(one.manifests for one in states.values()):
            return
        with suppress(OSError):
            os.makedirs(self._folder, exist_ok=True)
            self._let_go()
            path = os.path.join(self._folder, os.urandom(8).hex() + _NOTE)
            self._own, self._own_path = _Held(path), path
            self._own.write(_dumped(states))
            # Afterwards: where there is no note, what lies there is let go.
            for one in states.values():
                for manifest, body in one.manifests.items():
                    self._put(self._path(manifest), body)

    def done(self, places: Collection[str] | None = None) -> None:
        """All is purged that caches may have of ``places``, by default of all: forget the own note, and those of runs
        that had ended when they were read, as far as they tell of these; what is left of it is let go.
        """
        self.close()
        for path in (self._own_path, *self._ended):
            with suppress(OSError):
                told = {} if places is None else _told(path)
                others = {place: one for place, one in told.items() if place not in (places or ())}
                if path and others:
                    self._put(path, _dumped(others), anew=True)
                elif path:
                    os.unlink(path)
        with suppress(OSError):
            # What another run puts there meanwhile is not among these.
            names = os.listdir(self._folder) if self._folder else []
            if not any(name.endswith(_NOTE) for name in names):
                for name in names:
                    os.unlink(os.path.join(self._folder, name))

    def close(self) -> None:
        """Leave the own note to the next run."""
        self._own = None

    def _let_go(self) -> None:
        with suppress(OSError):
            notes = sorted((os.stat(path).st_mtime, path) for path in self._notes())
            for _, path in notes[: 1 - _MOST]:
                if _has_ended(path):
                    os.unlink(path)

    def _notes(self) -> Iterator[str]:
        with suppress(OSError):
            yield from (os.path.join(self._folder, name) for name in os.listdir(self._folder) if name.endswith(_NOTE))

    def _path(self, manifest: Digest) -> str:
        return os.path.join(self._folder, hex_prefix(manifest, 32) + _MANIFEST)

    def _body(self, manifest: Digest) -> bytes | None:
        try:
            body = read_regular(self._path(manifest))
        except OSError:
            return None
        return body if digest_bytes(body) == manifest else None

    def _put(self, path: str, body: bytes, *, anew: bool = False) -> None:
        if not anew and os.path.exists(path):
            return
        whole = f"{path}.{os.urandom(8).hex()}"
        with open(whole, "xb") as file:
            file.write(body)
        os.replace(whole, path)


def _dumped(states: Mapping[str, Was]) -> bytes:
    return json.dumps(
        {place: [one.moves, one.release, one.at, [*one.manifests]] for place, one in states.items()}
    ).encode()


def _told(path: str) -> dict[str, Was]:
    """What a note says; of the manifests only which."""
    try:
        raw = json.loads(read_regular(path))
        return {str(place): _read(*told) for place, told in raw.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _read(moves: Any, release: Any, at: Any, manifests: Any) -> Was:
    return Was(
        {json_values.digest(one): b"" for one in json_values.items(manifests)},
        json_values.count(moves), json_values.text(release), json_values.text(at),
    )  # fmt: skip


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _has_ended(path: str) -> bool:
    """Whether the run that wrote the note has ended; a note that cannot be opened stays, as that of one under way."""
    try:
        with open_regular(path, READ_FLAGS & ~os.O_RDONLY | os.O_RDWR, "r+b") as file:
            return lock_file(file.fileno(), wait=False)
    except OSError:
        return False
