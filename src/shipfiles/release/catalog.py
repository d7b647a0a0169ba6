"""What releases a store has."""

from __future__ import annotations

from functools import partial

from ..errors import ManifestError
from ..events import Listener, Notice, ignore
from ..manifest import Manifest, load
from ..records import (
    RELEASES_PREFIX,
    Pointer,
    Record,
    check_release_id,
    load_record,
    manifest_key,
    read_manifest_body,
    read_pointer,
    read_record,
    release_of,
    unknown_release,
)
from ..stores.store import Store, read_all


def records_of(store: Store, listener: Listener = ignore) -> dict[str, Record]:
    """The record of every release by its id, oldest first; the listener is told of those that cannot be read."""
    found = []
    for stored in store.list(RELEASES_PREFIX):
        release = release_of(stored.key)
        if release is None or (body := read_all(store, stored.key)) is None:
            continue  # none of ours, or pruned meanwhile
        try:
            found.append(load_record(body, release))
        except ManifestError as error:
            listener(Notice(f"Passed over: {error}"))
    return {record.release: record for record in sorted(found, key=lambda record: (record.made, record.release))}


def record_of_release(store: Store, release: str) -> Record:
    """The record of ``release``. Raises `UnknownRelease`, `ReleaseIdError` and `ManifestError`."""
    check_release_id(release, "The release")
    record = read_record(partial(read_all, store), release)
    if record is None:
        raise unknown_release(release, records_of(store), str(store))
    return record


def manifest_of(store: Store, record: Record) -> Manifest:
    """The manifest of a release. Raises `ManifestError`."""
    return load(read_manifest_body(partial(read_all, store), record), manifest_key(record.manifest))


def pointer_of(store: Store) -> Pointer | None:
    """The pointer of ``store``; ``None`` if it has none. Raises `ManifestError`."""
    return read_pointer(partial(read_all, store))
