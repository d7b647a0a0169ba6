"""Notes in a store that its plain names may be those of several releases.

A run that changes plain names leaves such a note first, and takes it away when all of them are those of the release
that it made current. The note of a run that was killed, or that another run on a store without locks came between,
stays: whoever makes a release current next looks at all plain names, not only at those that differ between two of them.
"""

from __future__ import annotations

import os
import time

from ..paths import RESERVED
from ..stores.store import Locks, Store

UNSETTLED_PREFIX = f"{RESERVED}/unsettled/"
_ENDED = 3600.0
"""Seconds. A run that left its note so long ago is not under way any more, on a store that cannot tell by a lock."""


class Unsettled:
    """The note of one run, and those of runs before it that did not end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._own = ""
        self._found = list(store.list(UNSETTLED_PREFIX))

    @property
    def found(self) -> bool:
        """Whether another run left plain names as they may be."""
        return bool(self._found)

    def begin(self) -> None:
        """Leave a note: from now on plain names change."""
        if not self._own:
            self._own = f"{UNSETTLED_PREFIX}{os.urandom(8).hex()}"
            self._store.put(self._own, b"", mode="create")

    def end(self, *, alone: bool, all_of_them: bool) -> None:
        """All that this run knows of is right; ``alone`` if no other run came between.

        After a look at ``all_of_them`` the notes of earlier runs go, too.
        """
        gone = [self._own] if self._own and alone else []
        if alone and all_of_them:
            exclusive = isinstance(self._store, Locks)
            ended = time.time() - _ENDED
            gone += [stored.key for stored in self._found if exclusive or stored.modified < ended]
        if gone:
            self._store.delete(gone)
