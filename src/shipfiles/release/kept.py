"""Manifests that were sent, kept on this machine: what a store has need not be read from it again.

Found by their digest, so that one that is damaged or missing costs a request, never a wrong byte.
"""

from __future__ import annotations

import os
from contextlib import suppress

from ..digest import Digest, digest_bytes, hex_prefix
from ..regular import read_regular

_MOST = 32
"""So many are kept; those that were not used for longest go first."""


class Kept:
    """The folder ``folder``; without one nothing is kept. It may be deleted, and several processes may share it."""

    def __init__(self, folder: str = "") -> None:
        self._folder = folder

    def get(self, manifest: Digest) -> bytes | None:
        """The manifest with that digest; ``None`` if it is not kept."""
        if not self._folder:
            return None
        path = self._path(manifest)
        try:
            body = read_regular(path)
            os.utime(path)
        except OSError:
            return None
        return body if digest_bytes(body) == manifest else None

    def put(self, manifest: Digest, body: bytes) -> None:
        """Keep ``body``, a manifest with that digest; what cannot be written is done without."""
        if not self._folder:
            return
        path = self._path(manifest)
        whole = f"{path}.{os.urandom(8).hex()}"
        with suppress(OSError):
            os.makedirs(self._folder, exist_ok=True)
            try:
                with open(whole, "xb") as file:
                    file.write(body)
                os.replace(whole, path)
            except OSError:
                os.unlink(whole)
                raise
            self._let_go()

    def _let_go(self) -> None:
        """Remove what was not used for longest, and what a run left that was killed while it wrote."""
        with os.scandir(self._folder) as entries:
            found = sorted((entry.stat().st_mtime, entry.path) for entry in entries if ".json" in entry.name)
        for _, path in found[:-_MOST]:
            with suppress(OSError):
                os.unlink(path)

    def _path(self, manifest: Digest) -> str:
        return os.path.join(self._folder, f"{hex_prefix(manifest, 32)}.json")
