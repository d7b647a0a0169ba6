"""Which keys of a store are ours, and which of them a new release must not meet."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable
from functools import partial

from ..build.pipeline import Build
from ..errors import KeyCollision, ManifestError
from ..events import Listener, Notice
from ..manifest import load_django
from ..paths import path_fault
from ..records import (
    MANIFESTS_PREFIX,
    POINTER_KEY,
    RELEASES_PREFIX,
    is_manifest_key,
    manifest_key,
    read_current,
    read_record,
    record_key,
    release_of,
)
from ..stores.store import Store, read_all
from .claims import Claims
from .listed import listed


def refuse_collisions(built: Build, manifest_name: str) -> None:
    """Raise `KeyCollision` if two files of ``built``, or one and the manifest, need one place."""
    by_logical = {asset.logical: asset for asset in built.assets}
    for asset in built.assets:
        if asset.logical == manifest_name or asset.logical.startswith(manifest_name + "/"):
            raise KeyCollision(manifest_name, asset.source.place, "the manifest")
        other = by_logical.get(asset.name)
        if other is not None and other.source_digest != asset.digest:
            raise KeyCollision(asset.name, asset.source.place, other.source.place)


def owned_keys(store: Store, manifest_name: str, listener: Listener, claims: Claims | None = None) -> frozenset[str]:
    """Every key that a manifest of ours, or Django's own, says was put there by one of us.

    ``claims`` learns what ours say of it. The name of Django's is empty for none.
    """
    owned: set[str] = set()
    seen: set[bytes] = set()
    owned.update(stored.key for stored in store.list(RELEASES_PREFIX) if release_of(stored.key))
    for stored in store.list(MANIFESTS_PREFIX):
        if not is_manifest_key(stored.key):
            continue
        try:
            items = list(listed(read_all(store, stored.key) or b"", stored.key, seen))
        except ManifestError as error:
            listener(Notice(f"Left in place what only this manifest names: {error}"))
            continue
        owned.update((stored.key, *(item.key for item in items)))
        if claims is not None:
            for item in items:
                claims.add(item)
    owned |= django_keys(store, manifest_name, listener)
    return frozenset(owned)


def django_keys(store: Store, manifest_name: str, listener: Listener) -> set[str]:
    """The keys that ``staticfiles.json`` names; ``manifest_name`` is empty where there is none."""
    body = read_all(store, manifest_name) if manifest_name else None
    if body is None:
        return set()
    try:
        paths, _ = load_django(body, manifest_name)
    except ManifestError as error:
        listener(Notice(f"Left in place what only this manifest names: {error}"))
        return set()
    return {key for pair in paths.items() for key in pair if not path_fault(key)}


def live_keys(store: Store, manifest_name: str, listener: Listener) -> frozenset[str]:
    """Every key that the current release needs, by our pointer or, without one, by Django's manifest."""
    read = partial(read_all, store)
    try:
        current = read_current(read)
        record = read_record(read, current[0]) if current else None
    except ManifestError as error:
        listener(Notice(f"The current release cannot be read: {error}"))
        current = record = None
    if current is not None and record is not None:
        own = (record_key(current[0]), manifest_key(record.manifest), POINTER_KEY, manifest_name)
        return frozenset({*current[1].keys(), *own})
    return frozenset({*django_keys(store, manifest_name, listener), manifest_name})


def without_twins(keys: Collection[str], kept: Iterable[str]) -> list[str]:
    """``keys`` without those that a file system which folds case or normalizes Unicode takes for one of ``kept``."""
    # Of the two the ``kept`` are far more: they are looked at one by one.
    folded = {_folded(key) for key in keys}
    taken = {twin for key in kept if (twin := _folded(key)) in folded}
    return sorted(key for key in keys if _folded(key) not in taken)


def in_the_way(old: Iterable[str], wanted: Iterable[str], *, all_of_them: bool) -> list[str]:
    """The ``old`` keys that stand where those that are ``wanted`` need a folder; sorted.

    With ``all_of_them`` also those in folders whose name a new file needs. Those may be assets that a page still asks
    for, so only who clears may remove them.
    """
    old, wanted = set(old), set(wanted)
    found = old & {parent for key in wanted for parent in _parents(key)}
    if all_of_them:
        found |= {key for key in old if any(parent in wanted for parent in _parents(key))}
    return sorted(found)


def _folded(key: str) -> str:
    return unicodedata.normalize("NFC", key).casefold()


def _parents(key: str) -> Iterable[str]:
    while (slash := key.rfind("/")) > 0:
        key = key[:slash]
        yield key
