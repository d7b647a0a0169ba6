"""Which releases of a store others may count on, where no lock tells that nobody else is publishing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

from ..digest import Digest
from ..errors import ManifestError
from ..records import (
    MANIFESTS_PREFIX,
    RELEASES_PREFIX,
    Pointer,
    is_manifest_key,
    load_record,
    manifest_key,
    now,
    read_pointer,
    record_key,
    release_of,
)
from ..stores.store import Locks, Store, read_all
from .retention import GRACE
from .unsettled import ended

_SECOND = timedelta(seconds=1)
"""The grain of the times in records."""


def in_use(store: Store, own: Digest, before: str) -> Mapping[str, set[str]]:
    """Key of each manifest that another run than the one with the manifest ``own`` may need → the keys of its records.

    That of the current release, unless it is the one ``before``, which is about to be so no longer; and on a store
    without locks those of runs that may be under way: with a note in the pointer, or put less than an hour ago for a
    release that has not become current since.
    """
    pointer = _pointer(store)
    records = _records(store)
    release_at = {activation.release: activation.at for activation in pointer.history} if pointer else {}
    used: set[str] = set()
    if pointer is not None and pointer.release != before:
        used |= {key for key, releases in records.items() if pointer.release in releases}
        used |= {manifest_key(pointer.manifest)} if pointer.manifest is not None else set()
    if not isinstance(store, Locks):
        gone = ended(pointer.unsettled, store) if pointer else set()
        notes = pointer.unsettled if pointer else ()
        used |= {manifest_key(note.manifest) for note in notes if note.manifest is not None and note.run not in gone}
        for stored in store.list(MANIFESTS_PREFIX):
            put = datetime.fromtimestamp(stored.modified, UTC)
            live = [release_at[release] for release in records.get(stored.key, ()) if release in release_at]
            if put > now() - GRACE and not any(at + _SECOND >= put for at in live):
                used.add(stored.key)
    used.discard(manifest_key(own))
    return {key: {record_key(release) for release in records.get(key, ())} for key in used if is_manifest_key(key)}


def _pointer(store: Store) -> Pointer | None:
    try:
        return read_pointer(partial(read_all, store))
    except ManifestError:
        return None


def _records(store: Store) -> dict[str, set[str]]:
    """Key of a manifest → the releases that have it."""
    found: dict[str, set[str]] = {}
    for stored in store.list(RELEASES_PREFIX):
        release = release_of(stored.key)
        body = None if release is None else read_all(store, stored.key)
        if release is None or body is None:
            continue
        try:
            found.setdefault(manifest_key(load_record(body, release).manifest), set()).add(release)
        except ManifestError:
            continue
    return found
