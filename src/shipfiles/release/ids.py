"""An id belongs to one release for ever: what stands in the way of a new one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from ..digest import Digest
from ..errors import ManifestError, OtherRecord, ReleaseTaken, ReleaseTwin, ReleaseUnclear
from ..records import RELEASES_PREFIX, read_record, read_release
from ..stores.store import Store, read_all


def refuse_twin(store: Store, release: str) -> None:
    """Raise `ReleaseTwin` if a release of ``store`` has an id that differs from ``release`` only in case.

    A file system that folds case would have one record for the two.
    """
    read = partial(read_all, store)
    places = {stored.key.removeprefix(RELEASES_PREFIX).removesuffix(".json") for stored in store.list(RELEASES_PREFIX)}
    for place in {release} | {place for place in places if place.casefold() == release.casefold()}:
        known = place
        try:
            read_record(read, place)
        except OtherRecord as error:
            known = error.release
        except ManifestError:
            pass  # told by who needs it
        if known != release:
            raise ReleaseTwin(release, known)


def refuse_taken_id(store: Store, release: str, files: Mapping[str, str], size: int = -1) -> ReleaseUnclear | None:
    """Raise `ReleaseTaken` if there is a release of that id whose ``files``, logical path → name, are others.

    Where its manifest cannot be read, the error for a release that does not turn out to have that very manifest.
    ``size`` is the bytes of all of them, where that is known.
    """
    refuse_twin(store, release)
    read = partial(read_all, store)
    try:
        record = read_record(read, release)
    except ManifestError:
        return None  # made anew; what it was cannot be known
    if record is None:
        return None
    try:
        manifest = read_release(read, release)
    except ManifestError as error:
        unclear = ReleaseUnclear(release, error.what)
        if record.files != len(files) or size not in (-1, record.bytes):
            raise unclear from None
        return unclear
    names = manifest.names() if manifest is not None else files
    different = sorted(logical for logical in {*names, *files} if names.get(logical) != files.get(logical))
    if different:
        raise ReleaseTaken(release, f"{record.made:%Y-%m-%d %H:%M} UTC", different)
    return None


def has_manifest(store: Store, release: str, manifest: Digest) -> bool:
    """Whether ``manifest`` is the one that the record of ``release`` names."""
    record = read_record(partial(read_all, store), release)
    return record is not None and record.manifest == manifest
