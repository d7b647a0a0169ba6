"""Give the objects of releases that were sent the header fields that they would be sent with now, without their bodies.

A hashed name is put once, so what the options say of it reaches the objects that are there in this way only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ..digest import Digest
from ..errors import KeyNotFound, ManifestError, ReleaseError
from ..events import Listener, Notice, ignore, phase
from ..manifest import Manifest
from ..records import Record
from ..stores.store import Refields
from .catalog import manifest_of, record_of_release, records_of
from .fields import fields_of, not_held
from .items import Item, items_of
from .lock import locked
from .pace import in_pace
from .pointing import current_id
from .target import Target
from .unsettled import Unsettled


@dataclass(slots=True)
class Refielded:
    """What came of it."""

    target: str
    release: str
    """The current release."""
    releases: int = 1
    """How many releases were looked at."""
    objects: int = 0
    """How many objects have the fields now."""
    missing: list[str] = field(default_factory=list)
    """Objects of the current release that are not there, sorted."""


def refield(target: Target, listener: Listener = ignore) -> Refielded:
    """Let every object of the current release of ``target``, and of what others have under hashed names, be answered
    with the header fields that the options say.

    Requests: 1 for each object (see the stores), 1 for each release and each manifest, a few more.
    Raises `ReleaseError` if the store has no current release, or does not answer requests itself; `ManifestError`,
    `StoreError` and `StoreErrors`, after which some objects have the new fields and all can be answered.
    """
    store = target.store
    if not isinstance(store, Refields):
        raise ReleaseError(
            f"{target} keeps no header fields: the web server that answers there has its own configuration."
        )
    if names := not_held(target.serve):
        what = "cannot be kept with objects; set them where the CDN or the bucket has rules for answers"
        listener(Notice(f"{target}: {', '.join(names)} {what}."))
    with locked(store, listener):
        release = current_id(store)
        if not release:
            raise ReleaseError(f"There is no current release in {target}, and so nothing to do.")
        record = record_of_release(store, release)
        current = list(items_of(manifest_of(store, record)))
        result = Refielded(str(target), release)
        items = {item.key: item for item in current}
        for other in _others(target, record, listener):
            result.releases += 1
            for item in items_of(other):
                if item.hashed:
                    items.setdefault(item.key, item)
        own = frozenset(item.key for item in current)
        _apply(target, [item for item in items.values() if item.hashed], own, result, listener)
        plain = [item for item in items.values() if not item.hashed]
        if plain:
            # Where to answer otherwise is to write, another run's bytes under a plain name might be undone: it, or the
            # next one, is told to look.
            unsettled = Unsettled(store)
            unsettled.begin(record.manifest)
            _apply(target, plain, own, result, listener)
            if current_id(store) == release:
                unsettled.end(release, all_of_them=False)
            else:
                what = "became current meanwhile. Publish it again if its plain names are not what they should be"
                listener(Notice(f"{target}: another release {what}."))
    result.missing.sort()
    return result


def _others(target: Target, current: Record, listener: Listener) -> Iterator[Manifest]:
    """The manifests of the other releases that can be read."""
    seen: set[Digest] = {current.manifest}
    for release, record in records_of(target.store, listener).items():
        if record.manifest in seen:
            continue
        seen.add(record.manifest)
        try:
            yield manifest_of(target.store, record)
        except ManifestError as error:
            listener(Notice(f"{target}: the objects of the release {release} stay as they are. {error}"))


def _apply(target: Target, items: list[Item], own: frozenset[str], result: Refielded, listener: Listener) -> None:
    store = target.store
    assert isinstance(store, Refields)

    def one(item: Item) -> bool:
        assert isinstance(store, Refields)
        try:
            store.refield(item.key, fields_of(item, target.serve))
        except KeyNotFound:
            return False
        return True

    with phase(listener, "send", len(items)) as progress:
        for item, done in in_pace(one, items, listener, at_once=target.at_once):
            progress(1, 0)
            result.objects += done
            if not done and item.key in own:
                result.missing.append(item.key)
