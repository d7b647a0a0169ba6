"""Whose bytes lie under a plain name, or under a variant's name beside one: ours, or somebody else's.

People keep other files in the same folder, and may put one where a release had, or is to have, its own. A file is ours
to replace or delete if its bytes are those that a manifest in the store gives its key.
"""

from __future__ import annotations

import threading

from ..digest import Digest
from ..errors import KeyNotFound, ManifestError, StoreError
from ..events import Listener, Notice
from ..records import MANIFESTS_PREFIX
from ..stores.store import Links, Store, digest_of, read_all
from .listed import listed


class Given:
    """What the manifests of ``store`` say of such keys; they are read when a question first needs them.

    ``trusting`` takes every key for ours: copies without a release (``--no-post-process``) are in no manifest, and
    leave the same note as a run that did not end.
    Safe to use from several threads.
    """

    def __init__(self, store: Store, *, trusting: bool) -> None:
        self.trusting = trusting
        self._store = store
        self._given: dict[str, set[object]] | None = None
        self._lock = threading.Lock()

    def ours(self, key: str, *likely: Digest) -> bool:
        """Whether ``key`` may be replaced or deleted: nothing is there, or ours. ``likely`` are bytes that are ours."""
        if self.trusting:
            return True
        if isinstance(self._store, Links) and self._store.link_of(key) is not None:
            # The manifest of a run that links says so by naming no size.
            return None in self._known().get(key, ())
        if self._store.head(key) is None:
            return True
        try:
            found = digest_of(self._store, key)[0]
        except KeyNotFound:
            return True
        return found in likely or found in self._known().get(key, ())

    def names(self, key: str) -> bool:
        """Whether a manifest names what lies under ``key``, a variant beside a plain name."""
        try:
            return digest_of(self._store, key)[0] in self._known().get(key, ())
        except KeyNotFound:
            return False

    def may_be_ours(self, key: str, size: int, holder: str = "") -> bool:
        """Whether what is under ``key``, a variant that is not right, is ours, or what damage left of it.

        Damage changes bytes, or cuts them off; whoever keeps a file of their own there has bytes of another size.
        ``size`` is the variant's, and under ``holder``, if there is such a key, are its bytes.
        """
        there = self._store.head(key)
        if there is not None and there.size in (0, size):
            return True
        whole = self._store.head(holder) if holder else None
        if there is not None and whole is not None and there.size <= whole.size:
            body, wanted = read_all(self._store, key), read_all(self._store, holder)
            if body is not None and wanted is not None and wanted.startswith(body):
                return True
        return self.ours(key)

    def is_taken(self, key: str) -> bool:
        """Whether a manifest names ``key`` as one of these, and somebody else has taken it."""
        return not self.trusting and key in self._known() and not self.ours(key)

    def _known(self) -> dict[str, set[object]]:
        """Key → the digests that manifests give it, ``None`` for a link."""
        with self._lock:
            if self._given is None:
                given: dict[str, set[object]] = {}
                seen: set[bytes] = set()
                for stored in self._store.list(MANIFESTS_PREFIX):
                    try:
                        for item in listed(read_all(self._store, stored.key) or b"", stored.key, seen):
                            if item.plain:
                                given.setdefault(item.key, set()).add(
                                    item.facts["digest"] if "size" in item.facts else None
                                )
                    except (ManifestError, StoreError):
                        continue  # what only this one names stays
                self._given = given
            return self._given


def leave(listener: Listener, key: str, beside: str = "") -> None:
    """Tell that ``key`` is not ours; ``beside`` is the plain name that it would be a variant of."""
    what = "left as it is: Shipfiles did not write what is there"
    if beside:
        what += f", but web servers may send it as {beside}, compressed"
    listener(Notice(f"{key}: {what}. Move it away."))
