"""What caches may still have of earlier releases, noted on this machine before the pointer moves.

A run that is killed between the pointer and the purge, or whose purge fails, leaves its note: the next one reads which
manifests were current since the last purge that succeeded, and purges what differs from any of them. Notes are files
in the build cache; who has none, or another machine, is told by the pointer's history alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress

from .. import json_values
from ..digest import Digest, digest_bytes, hex_prefix
from ..regular import READ_FLAGS, open_regular, read_regular
from ..stores.file_lock import lock_file

States = Mapping[str, Mapping[Digest, bytes]]
"""Of each store the manifests that a cache may have files of."""

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
        self._read: list[str] = []

    def left(self) -> dict[str, dict[Digest, bytes]]:
        """What the notes of other runs say. Those that cannot be read say nothing."""
        found: dict[str, dict[Digest, bytes]] = {}
        self._read = [path for path in self._notes() if path != self._own_path]
        for path in self._read:
            for place, manifest in _told(path):
                body = self._body(manifest)
                if body is not None:
                    found.setdefault(place, {})[manifest] = body
        return found

    def begin(self, states: States) -> None:
        """Note ``states``. What cannot be written is done without."""
        if not self._folder or not any(states.values()):
            return
        with suppress(OSError):
            os.makedirs(self._folder, exist_ok=True)
            self._let_go()
            path = os.path.join(self._folder, os.urandom(8).hex() + _NOTE)
            self._own, self._own_path = _Held(path), path
            self._own.write(json.dumps({place: [*manifests] for place, manifests in states.items()}).encode())
            # Afterwards: where there is no note, what lies there is let go.
            for manifests in states.values():
                for manifest, body in manifests.items():
                    self._put(self._path(manifest), body)

    def done(self) -> None:
        """All is purged: forget the own note, and those read whose runs have ended; what is left of it is let go."""
        self.close()
        for path in (self._own_path, *self._read):
            with suppress(OSError):
                if path and _has_ended(path):
                    os.unlink(path)
        with suppress(OSError):
            if not [*self._notes()] and self._folder:
                for name in os.listdir(self._folder):
                    os.unlink(os.path.join(self._folder, name))

    def close(self) -> None:
        """Leave the own note to the next run."""
        self._own = None

    def _let_go(self) -> None:
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

    def _put(self, path: str, body: bytes) -> None:
        if os.path.exists(path):
            return
        whole = f"{path}.{os.urandom(8).hex()}"
        with open(whole, "xb") as file:
            file.write(body)
        os.replace(whole, path)


def _told(path: str) -> Iterator[tuple[str, Digest]]:
    try:
        raw = json.loads(read_regular(path))
        yield from [(str(place), json_values.digest(one)) for place, told in raw.items() for one in told]
    except (OSError, ValueError, TypeError, AttributeError):
        return


def _has_ended(path: str) -> bool:
    """Whether the run that wrote the note has ended."""
    with open_regular(path, READ_FLAGS & ~os.O_RDONLY | os.O_RDWR, "r+b") as file:
        return lock_file(file.fileno(), wait=False)
