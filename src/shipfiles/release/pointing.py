"""Record a release and move the pointer to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..digest import Digest, digest_bytes
from ..errors import ManifestError, OtherRecord, ReleaseTwin, StoreError
from ..events import Changed, Listener, Notice
from ..records import (
    POINTER_KEY,
    RELEASES_PREFIX,
    Pointer,
    Record,
    dump_pointer,
    dump_record,
    load_pointer,
    load_record,
    manifest_key,
    now,
    read_pointer,
    record_key,
    release_of,
)
from ..stores.store import Settles, Store, read_all

Tell = Callable[[Changed], None]

ENDED_LATER = "which another run made current meanwhile, is so no longer: this run ended later"
"""What is said of a release that another run has made current while this one was under way."""


class Pointing:
    """Writes what is small and decides: manifest, record, pointer, in this order, each on the disk before the next.

    ``began_at`` is the release that was current when the run began; ``tell`` learns of every key that was written.
    """

    def __init__(self, store: Store, began_at: str, tell: Tell, listener: Listener) -> None:
        self._store = store
        self._began_at = began_at
        self._tell = tell
        self._listener = listener
        self.alone = True
        """Whether no other run was seen to move the pointer since this one began."""

    def manifest(self, body: bytes) -> None:
        """Put a manifest."""
        self.put_small(manifest_key(digest_bytes(body)), body)
        self.settle()

    def record(self, record: Record) -> Record:
        """Put the ``record`` of a release whose manifest is there; what it is now.

        A release that is recorded already keeps the time when it was made.
        """
        known = read_all(self._store, record_key(record.release))
        # If it has another manifest, that has other encodings of the same files, or `ReleaseTaken` would have been
        # raised.
        record = record if known is None else as_old_as(known, record, self._listener)
        self.put_small(record_key(record.release), dump_record(record))
        self.settle()
        return record

    def point(self, release: str, manifest: Digest) -> str:
        """Make ``release`` the current one; the id of the one that was, empty if none.

        ``manifest`` is the digest of its manifest. Another run may have moved the pointer since this one began: this
        one ends later, and it says so.
        """
        while True:
            body = read_all(self._store, POINTER_KEY)
            pointer = self._loaded(body)
            before = pointer.release if pointer else ""
            at = now()
            if pointer is None:
                pointer = Pointer((), at if body is not None or has_others(self._store, release) else None)
            moved = pointer.moved(release, at, manifest)
            if moved == pointer:
                return before
            if self._store.swap(POINTER_KEY, body, dump_pointer(moved)):
                break
        if before != release:
            self._tell(Changed(POINTER_KEY, "write", len(dump_pointer(moved)), kind="manifest"))
        self.settle()
        if before not in ("", release, self._began_at):
            self.alone = False
            self._listener(Notice(f"The release {before}, {ENDED_LATER}."))
        return before

    def check_still(self, release: str) -> None:
        """Say so if another run has made another release than ``release`` the current one by now."""
        current = current_id(self._store)
        if current not in ("", release):
            what = "is current now: another run ended later than this one"
            self._listener(Notice(f"The release {current} {what}. {release} is whole and can be activated."))

    def put_small(self, key: str, body: bytes) -> None:
        """Make ``key`` hold ``body``."""
        if read_all(self._store, key) != body:
            self._store.put(key, body)
            self._tell(Changed(key, "write", len(body), kind="manifest"))

    def settle(self) -> None:
        """Wait until all that was put survives a power cut."""
        if isinstance(self._store, Settles):
            self._store.settle()

    def _loaded(self, body: bytes | None) -> Pointer | None:
        if body is None:
            return None
        try:
            return load_pointer(body, POINTER_KEY)
        except ManifestError as error:
            self._listener(Notice(f"The pointer to the current release was made anew. {error.what}"))
            return None


def as_old_as(body: bytes, record: Record, listener: Listener) -> Record:
    """``record`` with the time at which that in ``body``, of the same release, was made; the same if it cannot be read.

    Raises `ReleaseTwin` if it is that of another release.
    """
    try:
        known = load_record(body, record.release)
    except OtherRecord as error:
        raise ReleaseTwin(record.release, error.release) from None
    except ManifestError as error:
        listener(Notice(f"The record of this release was made anew. {error.what}"))
        return record
    return known if known.manifest == record.manifest else replace(record, made=known.made)


def has_others(store: Store, release: str) -> bool:
    """Whether there are other releases in ``store``."""
    found = (release_of(stored.key) for stored in store.list(RELEASES_PREFIX))
    return any(other not in (None, release) for other in found)


def current_id(store: Store) -> str:
    """The id of the current release; empty if there is none, or if that cannot be read."""
    try:
        pointer = read_pointer(lambda key: read_all(store, key))
    except (ManifestError, StoreError):
        return ""
    return pointer.release if pointer else ""
