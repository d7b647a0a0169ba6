"""Notes in the pointer that the plain names of a store may be those of several releases.

A run that changes plain names leaves such a note first, and takes it away when all of them are those of the release
that it made current. The note of a run that was killed, or that another run on a store without locks came between,
stays: whoever makes a release current next looks at all plain names, not only at those that differ between two of them.

A store without a pointer has no notes: where no release is current all plain names are looked at anyway.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from ..digest import Digest
from ..errors import ManifestError
from ..records import POINTER_KEY, Pointer, Unfinished, dump_pointer, load_pointer, now
from ..stores.store import Locks, Settles, Store, read_all

_ENDED = timedelta(hours=1)
"""A run that left its note so long ago is not under way any more, on a store that cannot tell by a lock."""


class Unsettled:
    """The note of one run, and those of runs before it that did not end."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._own = ""
        pointer = _pointer(read_all(store, POINTER_KEY))
        self._found = pointer.unsettled if pointer is not None else ()

    @property
    def found(self) -> bool:
        """Whether another run left plain names as they may be."""
        return bool(self._found)

    def begin(self, manifest: Digest | None = None) -> None:
        """Leave a note: from now on plain names become those of the release with that ``manifest``."""
        if not self._own:
            note = new_note(manifest)
            if change_pointer(self._store, lambda pointer: replace(pointer, unsettled=(*pointer.unsettled, note))):
                self._own = note.run
                # Not after what it tells of.
                if isinstance(self._store, Settles):
                    self._store.settle()

    def end(self, release: str, *, all_of_them: bool) -> None:
        """All plain names that this run knows of are those of ``release``; nothing is done if that is not current.

        After a look at ``all_of_them`` the notes of earlier runs go, too.
        """
        gone = ended(self._found, self._store) if all_of_them else set()
        change_pointer(
            self._store,
            lambda pointer: settled(pointer, self._own, gone) if pointer.release == release else pointer,
        )


def new_note(manifest: Digest | None) -> Unfinished:
    """The note of a run that begins to make plain names those of the release with that ``manifest``."""
    return Unfinished(os.urandom(8).hex(), now(), manifest)


def settled(pointer: Pointer, run: str, gone: set[str]) -> Pointer:
    """``pointer`` after the end of this ``run``, without its note and those of the others that are ``gone``."""
    kept = tuple(note for note in pointer.unsettled if note.run not in {run, *gone})
    noted = any(note.run == run for note in pointer.unsettled)
    return replace(pointer, unsettled=kept, settled=run if noted else pointer.settled)


def ended(notes: tuple[Unfinished, ...], store: Store) -> set[str]:
    """The runs among those of ``notes`` that are not under way any more, for who could publish now."""
    exclusive, at = isinstance(store, Locks), now()
    return {note.run for note in notes if exclusive or _has_ended(note, at)}


def _has_ended(note: Unfinished, at: datetime) -> bool:
    return note.at < at - _ENDED


def change_pointer(store: Store, changed: Callable[[Pointer], Pointer]) -> bool:
    """Change the pointer; false if there is none that can be read. Nothing is written where nothing changes."""
    while True:
        body = read_all(store, POINTER_KEY)
        pointer = _pointer(body)
        if pointer is None:
            return False
        after = changed(pointer)
        if after == pointer or store.swap(POINTER_KEY, body, dump_pointer(after)):
            return True


def _pointer(body: bytes | None) -> Pointer | None:
    try:
        return None if body is None else load_pointer(body, POINTER_KEY)
    except ManifestError:
        return None
