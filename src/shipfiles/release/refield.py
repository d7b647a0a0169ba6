"""Give the objects of releases that were sent the header fields that they would be sent with now, without their bodies.

A hashed name is put once, so what the options say of it reaches the objects that are there in this way only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from ..errors import KeyNotFound, ManifestError, ReleaseError, StoreError
from ..events import Listener, Notice, ignore, phase
from ..manifest import Manifest, load
from ..records import MANIFESTS_PREFIX, Record, is_manifest_key, manifest_key
from ..stores.store import Refields, read_all, unrepeated
from .catalog import manifest_of, record_of_release
from .fields import fields_of, not_held, options_id
from .items import Item, items_of
from .lock import locked
from .pace import in_pace
from .pointing import current_id
from .target import Target
from .unsettled import Unsettled, change_pointer


@dataclass(slots=True)
class Refielded:
    """What came of it."""

    target: str
    release: str
    """The current release."""
    releases: int = 1
    """How many releases were looked at, by their manifests; those among them whose sending has not ended."""
    objects: int = 0
    """How many objects have the fields now."""
    missing: list[str] = field(default_factory=list)
    """Objects of the current release that are not there, sorted."""


def refield(target: Target, listener: Listener = ignore) -> Refielded:
    """Let every object of the current release of ``target``, and of what others have under hashed names, be answered
    with the header fields that the options say.

    Requests: 1 for each object (see the stores), and 1 more where manifests say several codings of one name; 1 for each
    manifest and a few more.
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
        forms: dict[str, dict[str, Item]] = {item.key: {item.coding: item} for item in current if item.hashed}
        for other in _others(target, record, listener):
            result.releases += 1
            for item in items_of(other):
                if item.hashed:
                    forms.setdefault(item.key, {}).setdefault(item.coding, item)
        own = frozenset(item.key for item in current)
        _apply(target, [*forms.values()], own, result, listener)
        plain = [{item.coding: item} for item in current if not item.hashed]
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
        change_pointer(store, lambda pointer: replace(pointer, fields=options_id(target.serve)))
    result.missing.sort()
    return result


def _others(target: Target, current: Record, listener: Listener) -> Iterator[Manifest]:
    """The other manifests that can be read, those of runs that have not ended among them."""
    for stored in target.store.list(MANIFESTS_PREFIX):
        if not is_manifest_key(stored.key) or stored.key == manifest_key(current.manifest):
            continue
        body = read_all(target.store, stored.key)
        try:
            if body is not None:
                yield load(body, stored.key)
        except ManifestError as error:
            listener(Notice(f"{target}: what only this manifest names stays as it is. {error}"))


def _apply(
    target: Target, forms: list[dict[str, Item]], own: frozenset[str], result: Refielded, listener: Listener
) -> None:
    """Let objects be answered as the options say, each in one of the ``forms`` that it may have, by coding."""
    store = unrepeated(target.store)
    assert isinstance(store, Refields)

    def one(forms: dict[str, Item]) -> bool:
        item = next(iter(forms.values()))
        if len(forms) > 1:
            # A run may have put it in another form since. What it is answered with now tells in which.
            there = store.head(item.key)
            if there is None:
                return False
            coding = there.fields.get("Content-Encoding", "")
            if coding not in forms:
                raise StoreError(item.key, f"its Content-Encoding {coding!r} is none of those that manifests say")
            item = forms[coding]
        try:
            store.refield(item.key, fields_of(item, target.serve))
        except KeyNotFound:
            return False
        return True

    with phase(listener, "fields", len(forms)) as progress:
        for found, done in in_pace(one, forms, listener, at_once=target.at_once):
            progress(1, 0)
            result.objects += done
            key = next(iter(found.values())).key
            if not done and key in own:
                result.missing.append(key)
