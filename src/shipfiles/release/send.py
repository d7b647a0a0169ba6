"""Send a release that was built in a folder to a store elsewhere, with as few requests as that takes.

First the release's manifest, then what stands for its bytes, the record, the plain names, and the pointer: killed
between any two steps, the release that was current there before is whole and still current, and the next run goes on.
From the manifest on, no prune takes away what the release needs; should it never be finished, a prune finds by it what
there is of it. What is there already is known from the manifest of the release that is current there, never from times;
what that does not tell, such as what a run has sent that did not end, from a list of the folder.

Requests: 1 for the pointer, which tells the manifest by its digest, and 1 for that if it is not kept here; 1 for each
object (of more than 5 MiB one for each 5 MiB and 2); 1 each for the manifest, the record and the pointer; 1 for the
note in the pointer that plain names are changing, if a release was current and they do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from ..digest import digest_bytes
from ..errors import KeyExists, KeyNotFound, ReleaseError, StoreError
from ..events import Changed, Listener, Notice, ignore
from ..manifest import dump, dump_django
from ..records import (
    POINTER_KEY,
    RELEASES_PREFIX,
    Pointer,
    dump_pointer,
    dump_record,
    manifest_key,
    now,
    record_key,
)
from ..stores.local import LocalStore
from ..stores.store import Copies, Refields, Settles, Store, digest_of, read_all
from ..work import give_back_memory
from .catalog import manifest_of, record_of_release
from .clearing import unneeded
from .delivery import Delivery, requests_of
from .difference import Difference, difference
from .fields import options_id
from .given import leave
from .ids import refuse_taken_id
from .items import Item, items_of, sent_manifest
from .kept import Kept
from .lock import locked
from .outcome import size_of
from .ownership import in_the_way
from .pointing import ENDED_LATER, as_old_as, has_others
from .publish import record_of
from .seen import Look, Seen, There
from .target import Target
from .unsettled import ended, new_note, settled

_TRIES = 20
"""So often the pointer may be moved by others before this run gives up."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent."""

    target: str
    release: str
    before: str
    """The id of the release that is current in the store; empty if there is none."""
    difference: Difference
    sizes: Mapping[str, int]
    """Of what would be deleted: key → size."""
    requests: int
    """How many the store would be asked, those that the plan took included."""
    nothing: bool
    """Whether the release is current in the store as it is to be."""
    round_trip: float = 0.0
    """How long the first request took, the way to the store included. Seconds."""


@dataclass(slots=True)
class Sent:
    """What was sent."""

    target: str
    release: str
    """The id of the release that is current in the store now."""
    before: str = ""
    """The id of the one that was; the same if it was current already, empty if there was none."""
    changed: list[Changed] = field(default_factory=list)
    """Every key that was written or deleted."""
    kept: int = 0
    """How many objects of the release were there already."""
    copied: int = 0
    """How many were copied within the store."""
    bytes: int = 0
    """Of the bodies that were sent."""
    requests: int = 0
    """What the store was asked, without what it repeats by itself and what is asked to clear it."""


def planned(
    source: Store, release: str, target: Target, *, kept: Kept | None = None, clear: bool = False, verify: bool = False,
    listener: Listener = ignore,
) -> Plan:  # fmt: skip
    """What `send` would do now. Raises as that does."""
    run = _Sending(source, release, target, kept or Kept(), listener, clear=clear, verify=verify)
    return run.plan()


def send(
    source: Store, release: str, target: Target, *, kept: Kept | None = None, clear: bool = False, verify: bool = False,
    listener: Listener = ignore,
) -> Sent:  # fmt: skip
    """Make ``release`` of ``source`` the current release of ``target``.

    ``kept`` has manifests that were sent before. ``verify`` lists the store and sends what is missing there, or has
    another size, whatever its manifest says. ``clear`` deletes afterwards all else that Shipfiles or Django's own
    manifest put there; nothing else is ever deleted.
    Raises `UnknownRelease`, `ReleaseTaken`, `ManifestError`, `StoreError` (`StoreErrors` with every key that failed);
    the release that was current in the store then stays so.
    """
    run = _Sending(source, release, target, kept or Kept(), listener, clear=clear, verify=verify)
    give_back_memory()
    with locked(target.store, listener):
        return run.run()


class _Sending:
    """One run."""

    def __init__(
        self, source: Store, release: str, target: Target, kept: Kept, listener: Listener, *, clear: bool, verify: bool
    ) -> None:
        roots = {os.path.realpath(store.root) for store in (source, target.store) if isinstance(store, LocalStore)}
        if len(roots) == 1 and isinstance(source, LocalStore) and isinstance(target.store, LocalStore):
            raise ReleaseError(f"{target}: the release was built there, and is not sent to itself.")
        self._target = target
        self._store = target.store
        self._kept = kept
        self._listener = listener
        self._clear = clear
        self._verify = verify
        self._release = release
        manifest = manifest_of(source, record_of_release(source, release))
        self._manifest = sent_manifest(manifest, target.shape)
        self._body = dump(self._manifest)
        self._digest = digest_bytes(self._body)
        self._wanted = {item.key: item for item in items_of(self._manifest)}
        self._result = Sent(str(target), release)
        self._note = new_note(self._digest)
        self._eyes = Look(target, self._digest, self._wanted, self._note, kept, listener)
        self._there = There(self._store)
        self._delivery = Delivery(source, release, target, self._there, listener, self._tell)
        self._described = self._recorded = False
        self._lost = frozenset[str]()
        """The keys of the manifest and the record, if they are not there though the pointer names them."""

    def plan(self) -> Plan:
        """What the run would do."""
        seen = self._look()
        found = self._difference(seen)
        objects = sum(map(requests_of, (*found.hashed, *found.plains)))
        sent = {item.key for item in found.hashed}
        # What is copied and was not put by this run is looked at before.
        objects += sum(source not in sent for source in found.copies.values())
        deleted = {item.key: item.size for item in seen.stale} | (
            self._unneeded(seen.current[0]) if self._clear else {}
        )
        requests = seen.requests + objects
        is_current = self._is_current(seen, found)
        requests += is_current and bool(self._target.django_manifest)
        nothing = is_current and not self._lacks_django_manifest()
        if is_current:
            requests += not nothing
        else:
            notes = bool((found.plains or seen.stale) and seen.pointer)
            moves = seen.current != (self._release, self._digest)
            # The manifest, the record, Django's manifest; the pointer before and after the plain names.
            requests += seen.current[1] != self._digest or manifest_key(self._digest) in self._lost
            requests += moves or record_key(self._release) in self._lost
            requests += bool(self._target.django_manifest)
            requests += notes + (moves or notes)
            # Each is looked at before they are deleted.
            requests += len(seen.stale) + -(-len(seen.stale) // 1000)
        return Plan(
            str(self._target), self._release, seen.current[0], found, deleted, requests, nothing, self._eyes.round_trip
        )  # fmt: skip

    def run(self) -> Sent:
        """Send."""
        began = None
        for tried in range(_TRIES):
            seen = self._look()
            if tried:
                self._begin_again()
            if began is None:
                began = seen.current[0]
                self._tell_of_other_fields(seen.pointer)
            found = self._difference(seen)
            if not self._described:
                self._result.kept = found.kept
            if self._is_current(seen, found):
                self._result.before = self._release
                self._result.requests += bool(self._target.django_manifest)
                if self._lacks_django_manifest():
                    self._put_django_manifest()
                break
            self._refuse_taken(seen)
            self._make_way(seen)
            self._put_manifest(seen)
            self._delivery.put("send", found.hashed, found.copies)
            self._delivery.put_again()
            self._put_record(seen)
            # If another run has made its release current meanwhile, what it has put under plain names is to be put
            # again: this run ends later.
            if self._place(seen, found, began):
                if self._target.shared_manifest:
                    self._put_django_manifest()
                break
        else:
            raise StoreError(POINTER_KEY, f"others keep publishing to {self._target}; run again")
        if self._clear:
            self._delete(self._unneeded())
        self._result.kept += self._delivery.kept
        self._result.requests += self._delivery.requests + self._there.requests
        self._result.copied, self._result.bytes = self._delivery.copied, self._delivery.bytes
        return self._result

    def _tell_of_other_fields(self, pointer: Pointer | None) -> None:
        """Say so if what is there was sent by other options for header fields than what is sent now."""
        if pointer is not None and pointer.fields not in ("", options_id(self._target.serve)):
            what = "objects that are there were sent by other options for header fields, and keep those"
            self._listener(
                Notice(f"{self._target}: {what}. 'manage.py ship publish --metadata' gives them the new ones.")
            )

    # What is there.

    def _look(self) -> Seen:
        seen = self._eyes.look()
        self._result.requests += seen.requests
        if not self._verify or self._described:
            return seen
        sizes = self._there.sizes(self._wanted)
        # What a bundler named, and a manifest does not know to be ours, is never replaced.
        self._delivery.wrong = frozenset(
            key
            for key, item in self._wanted.items()
            if sizes.get(key) != item.size and not (item.key == item.logical and key in sizes and key not in seen.there)
        )
        manifest, record = manifest_key(self._digest), record_key(self._release)
        said = self._there.sizes([manifest, record])
        right = {manifest: said.get(manifest) == len(self._body), record: record in said}
        self._lost = frozenset(key for key in right if not right[key])
        return replace(seen, requests=seen.requests + self._there.requests)

    def _difference(self, seen: Seen) -> Difference:
        return difference(
            self._wanted, seen.there, doubtful=seen.doubtful, wrong=self._delivery.wrong - self._delivery.done.keys(),
            copies=isinstance(self._store, Copies),
        )  # fmt: skip

    def _is_current(self, seen: Seen, found: Difference) -> bool:
        same = seen.current == (self._release, self._digest) and not self._lost
        return same and not (found.hashed or found.plains or seen.stale) and not self._is_noted(seen.pointer)

    def _is_noted(self, pointer: Pointer | None) -> bool:
        """Whether ``pointer`` says that this run changes plain names."""
        return pointer is not None and self._note in pointer.unsettled

    def _refuse_taken(self, seen: Seen) -> None:
        """Raise `ReleaseTaken` early if the id is known to be that of a release with other files."""
        known = {activation.release for activation in seen.pointer.history} if seen.pointer else set()
        if self._release in known and seen.current != (self._release, self._digest):
            refuse_taken_id(self._store, self._release, self._manifest.names())

    def _lacks_django_manifest(self) -> bool:
        """Whether the manifest that stock Django reads is wanted, and is not there, or is that of another release."""
        key = self._django_key
        return bool(key) and read_all(self._store, key) != dump_django(self._manifest.names())

    # What is put.

    def _begin_again(self) -> None:
        """Another run came before: it may have deleted what this one has put (``--clear``), which then is put again."""
        self._delivery.doubt()
        if self._described and self._store.head(manifest_key(self._digest)) is None:
            self._put_small(manifest_key(self._digest), self._body)
            self._settle()
        if self._recorded and self._store.head(record_key(self._release)) is None:
            self._record()
            self._settle()

    def _make_way(self, seen: Seen) -> None:
        """Delete plain names where a folder is needed, in stores that have folders."""
        if not isinstance(self._store, Settles):
            return
        gone = in_the_way(seen.there, self._wanted, all_of_them=False)
        self._delete({key: seen.there[key].size for key in gone})

    def _put_manifest(self, seen: Seen) -> None:
        if (seen.current[1] != self._digest or manifest_key(self._digest) in self._lost) and not self._described:
            self._put_small(manifest_key(self._digest), self._body)
            self._kept.put(self._digest, self._body)
            self._settle()
        self._described = True

    def _put_record(self, seen: Seen) -> None:
        """Put the record, and Django's manifest if each release has its own."""
        if self._recorded:
            return
        self._recorded = True
        if seen.current != (self._release, self._digest) or record_key(self._release) in self._lost:
            self._record()
            self._settle()
        self._lost = frozenset()
        if self._target.django_manifest and not self._target.shared_manifest:
            self._put_django_manifest()

    @property
    def _django_key(self) -> str:
        return self._target.django_manifest.replace("{release}", self._release)

    def _put_django_manifest(self) -> None:
        """Put what stock Django reads: one for all releases after the pointer, by whoever has moved it last."""
        self._put_small(self._django_key, dump_django(self._manifest.names()))

    def _record(self) -> None:
        new = sum(change.size for change in self._result.changed if change.kind in ("asset", "variant"))
        sizes = [size_of(entry) for entry in self._manifest.entries.values()]
        record = record_of(self._release, self._digest, sizes, new)
        key = record_key(self._release)
        self._result.requests += 1
        try:
            self._store.put(key, dump_record(record), mode="create")
        except KeyExists:
            body = read_all(self._store, key) or b""
            record = as_old_as(body, record, self._listener)
            if dump_record(record) == body:
                return
            refuse_taken_id(self._store, self._release, self._manifest.names())
            self._store.put(key, dump_record(record))
        self._tell(Changed(key, "write", len(dump_record(record)), kind="manifest"))

    def _place(self, seen: Seen, found: Difference, began: str) -> bool:
        """Put what changes under plain names, then move the pointer; whether no other run came before that."""
        pointer, body = seen.pointer, seen.body
        # What runs may have put that did not end is put again; of one that may be under way the note has to stay.
        gone = ended(() if pointer is None else pointer.unsettled, self._store) - {self._note.run}
        if pointer is not None and (found.plains or seen.stale) and not self._is_noted(pointer):
            noted = replace(pointer, unsettled=(*pointer.unsettled, self._note))
            if not self._swap(body, noted):
                return False
            pointer, body = noted, dump_pointer(noted)
        self._drop(seen.stale)
        self._delivery.put("copy", found.plains, found.copies)
        for _ in range(_TRIES):
            moved = settled(self._moved(pointer, body), self._note.run, gone)
            if moved == pointer:
                return True
            if self._swap(body, moved):
                self._tell_of_move(pointer, moved, began)
                return True
            later = self._look()
            if (later.current, later.settled) != (seen.current, seen.settled):
                return False
            # Another run has only noted that it changes plain names: it ends later, and sees to them.
            pointer, body = later.pointer, later.body
        return False

    def _moved(self, pointer: Pointer | None, body: bytes | None) -> Pointer:
        at = now()
        if pointer is None:
            fields = options_id(self._target.serve) if isinstance(self._store, Refields) else ""
            pointer = Pointer((), at if body is not None or self._has_others() else None, fields=fields)
        return pointer.moved(self._release, at, self._digest)

    def _has_others(self) -> bool:
        """Whether the store has other releases, though no pointer. Not asked where nothing of ours has shown up."""
        return self._there.requests > 0 and has_others(self._store, self._release)

    def _tell_of_move(self, pointer: Pointer | None, moved: Pointer, began: str) -> None:
        before = self._result.before = pointer.release if pointer else ""
        self._tell(Changed(POINTER_KEY, "write", len(dump_pointer(moved)), kind="manifest"))
        if before not in ("", began, self._release):
            self._listener(Notice(f"The release {before} of {self._target}, {ENDED_LATER}."))

    def _swap(self, expected: bytes | None, pointer: Pointer) -> bool:
        done = self._store.swap(POINTER_KEY, expected, dump_pointer(pointer))
        self._result.requests += 1
        if done:
            self._settle()
        return done

    def _put_small(self, key: str, body: bytes) -> None:
        self._store.put(key, body)
        self._result.requests += 1
        self._tell(Changed(key, "write", len(body), kind="manifest"))

    def _settle(self) -> None:
        if isinstance(self._store, Settles):
            self._store.settle()

    # What is deleted.

    def _unneeded(self, before: str = "") -> dict[str, int]:
        """Key → size of what is ours in the store, or Django's, and not the release's.

        ``before`` is the release that is current as long as this run has not moved the pointer.
        """
        needed = {*self._wanted, record_key(self._release), manifest_key(self._digest), POINTER_KEY}
        if self._django_key:
            needed.add(self._django_key)
        return unneeded(self._target, needed, self._digest, self._there, self._listener, before)

    def _drop(self, stale: Iterable[Item]) -> None:
        """Delete variants that are ``stale``, as far as they are what was put there."""
        gone: dict[str, int] = {}
        others: dict[str, str] = {}
        for item in stale:
            self._result.requests += 1
            with suppress(KeyNotFound):
                if digest_of(self._store, item.key)[0] == item.digest:
                    gone[item.key] = item.size
                else:
                    others[item.key] = item.logical
        for key in sorted(others.keys() - gone.keys()):
            leave(self._listener, key, others[key])
        self._delete(gone)

    def _delete(self, keys: Mapping[str, int]) -> None:
        """Delete ``keys``: records first, since a release that is not recorded is none; manifests last."""
        order = sorted(keys, key=lambda key: (not key.startswith(RELEASES_PREFIX), key.startswith(".shipfiles/"), key))
        if order:
            self._store.delete(order)
            self._result.requests += -(-len(order) // 1000)
        for key in order:
            self._tell(Changed(key, "delete", keys[key], kind="stale"))

    def _tell(self, change: Changed) -> None:
        self._result.changed.append(change)
