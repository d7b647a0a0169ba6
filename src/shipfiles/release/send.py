"""Send a release that was built in a folder to a store elsewhere, with as few requests as that takes.

First the release's manifest, then what stands for its bytes, the record, the plain names, and the pointer: killed
between any two steps, the release that was current there before is whole and still current, and the next run goes on.
From the manifest on, no prune takes away what the release needs; should it never be finished, a prune finds by it what
there is of it. What is there already is known from the manifest of the release that is current there, never from times;
what that does not tell, such as what a run has sent that did not end, from a list.

Requests: 1 for the pointer, which tells the manifest by its digest, and 1 for that if it is not kept here; 1 for each
object (of more than 5 MiB one for each 5 MiB and 2); 1 each for the manifest, the record and the pointer; 1 for the
note in the pointer that plain names are changing, if a release was current and they do.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from ..digest import Digest, digest_bytes
from ..errors import KeyExists, KeyNotFound, ManifestError, OtherRecord, ReleaseError, ReleaseTwin, StoreError
from ..events import Changed, Listener, Notice, Phase, ignore, phase
from ..manifest import dump, dump_django, load
from ..records import (
    POINTER_KEY,
    RELEASES_PREFIX,
    Pointer,
    dump_pointer,
    dump_record,
    load_pointer,
    load_record,
    manifest_key,
    now,
    read_record,
    record_key,
    release_of,
)
from ..stores.local import LocalStore
from ..stores.store import Body, Copies, Settles, Store, digest_of, read_all, unrepeated
from .catalog import manifest_of, record_of_release
from .difference import Difference, difference
from .fields import fields_of
from .ids import refuse_taken_id
from .items import Item, items_of, sent_manifest
from .kept import Kept
from .lock import locked
from .outcome import size_of
from .ownership import in_the_way, owned_keys, without_twins
from .pace import in_pace
from .publish import record_of
from .target import Target
from .unsettled import ended, new_note, settled

_PART = 5 * 1024 * 1024
"""A larger body is sent in parts. Bytes."""
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
    with locked(target.store, listener):
        return run.run()


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the store says."""

    body: bytes | None
    pointer: Pointer | None
    there: Mapping[str, Item]
    """What the current release has there, by key."""
    doubtful: frozenset[str] = frozenset()
    """Plain names under which runs that did not end, or are under way, may have put something else."""
    requests: int = 1

    @property
    def current(self) -> tuple[str, Digest | None]:
        """The id of the current release, empty if there is none, and its manifest."""
        return (self.pointer.release, self.pointer.manifest) if self.pointer else ("", None)

    @property
    def settled(self) -> str:
        """The run that changed plain names last and has ended."""
        return self.pointer.settled if self.pointer else ""


class _Sending:
    """One run."""

    def __init__(
        self, source: Store, release: str, target: Target, kept: Kept, listener: Listener, *, clear: bool, verify: bool
    ) -> None:
        roots = {os.path.realpath(store.root) for store in (source, target.store) if isinstance(store, LocalStore)}
        if len(roots) == 1 and isinstance(source, LocalStore) and isinstance(target.store, LocalStore):
            raise ReleaseError(f"{target}: the release was built there, and is not sent to itself.")
        self._source = source
        self._target = target
        self._store = target.store
        self._paced = unrepeated(target.store)
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
        self._there = _There(self._store)
        self._wrong: frozenset[str] = frozenset()
        self._sent: set[str] = set()
        self._note = new_note(self._digest)
        self._believed: set[str] = set()
        self._described = self._recorded = False

    def plan(self) -> Plan:
        """What the run would do."""
        seen = self._look()
        found = self._difference(seen)
        objects = sum(map(_requests, (*found.hashed, *found.plains)))
        deleted = self._unneeded() if self._clear else {}
        requests = seen.requests + objects
        nothing = self._is_current(seen, found)
        if not nothing:
            notes = bool(found.plains and seen.pointer)
            moves = seen.current != (self._release, self._digest)
            # The manifest, the record, Django's manifest; the pointer before and after the plain names.
            requests += (seen.current[1] != self._digest) + moves + bool(self._target.django_manifest)
            requests += notes + (moves or notes)
        return Plan(str(self._target), self._release, seen.current[0], found, deleted, requests, nothing)

    def run(self) -> Sent:
        """Send."""
        began = None
        for _ in range(_TRIES):
            seen = self._look()
            began = seen.current[0] if began is None else began
            found = self._difference(seen)
            if not self._sent:
                self._result.kept = found.kept
            if self._is_current(seen, found):
                self._result.before = self._release
                break
            self._refuse_taken(seen)
            self._make_way(seen)
            self._put_manifest(seen)
            self._put("send", found.hashed, found.copies)
            self._look_again()
            self._put_record(seen)
            # If another run has made its release current meanwhile, what it has put under plain names is to be put
            # again: this run ends later.
            if self._place(seen, found, began):
                break
        else:
            raise StoreError(POINTER_KEY, f"others keep publishing to {self._target}; run again")
        if self._clear:
            self._delete(self._unneeded())
        return self._result

    # What is there.

    def _look(self) -> _Seen:
        body = read_all(self._store, POINTER_KEY)
        if body is None:
            return self._checked(_Seen(None, None, {}))
        try:
            pointer = load_pointer(body, POINTER_KEY)
        except ManifestError as error:
            self._listener(Notice(f"The pointer to the current release of {self._target} is made anew. {error.what}"))
            return self._checked(_Seen(body, None, {}))
        requests = 1
        manifest, asked = pointer.manifest, 0
        if manifest is None:
            record = read_record(partial(read_all, self._store), pointer.release)
            manifest, requests = (record.manifest if record else None), requests + 1
        there, asked = self._items(manifest, "release is current")
        doubtful: set[str] = set()
        for note in pointer.unsettled:
            if note.run == self._note.run:
                continue
            others, more = self._items(note.manifest, "run has not ended")
            asked += more
            plains = self._wanted if others is None else {k: i for k, i in others.items() if not i.hashed}
            doubtful.update(key for key in plains if key in self._wanted and not self._wanted[key].hashed)
        return self._checked(_Seen(body, pointer, there or {}, frozenset(doubtful), requests + asked))

    def _checked(self, seen: _Seen) -> _Seen:
        """``seen``, with a look at all that is there if that is wanted."""
        if not self._verify or self._described:
            return seen
        sizes = self._there.sizes()
        self._wrong = frozenset(key for key, item in self._wanted.items() if sizes.get(key) != item.size)
        return replace(seen, requests=seen.requests + 1 + len(sizes) // 1000)

    def _items(self, manifest: Digest | None, what: str) -> tuple[Mapping[str, Item] | None, int]:
        """What a manifest of the store has, by key, ``None`` if that cannot be read; and the requests it took."""
        if manifest is None:
            return None, 0
        if manifest == self._digest:
            return self._wanted, 0
        key = manifest_key(manifest)
        body, requests = self._kept.get(manifest), 0
        if body is None:
            body, requests = read_all(self._store, key), 1
        if body is None or digest_bytes(body) != manifest:
            fault = "missing" if body is None else "damaged"
            self._listener(Notice(f"{key} in {self._target}, whose {what}, is {fault}: more is sent than is needed."))
            return None, requests
        try:
            found = {item.key: item for item in items_of(load(body, key))}
        except ManifestError as error:
            self._listener(Notice(f"{error.what} More is sent to {self._target} than is needed."))
            return None, requests
        if requests:
            self._kept.put(manifest, body)
        return found, requests

    def _difference(self, seen: _Seen) -> Difference:
        return difference(
            self._wanted, seen.there, doubtful=seen.doubtful, wrong=self._wrong - self._sent,
            copies=isinstance(self._store, Copies),
        )  # fmt: skip

    def _is_current(self, seen: _Seen, found: Difference) -> bool:
        same = seen.current == (self._release, self._digest)
        return same and not found.hashed and not found.plains and not self._is_noted(seen.pointer)

    def _is_noted(self, pointer: Pointer | None) -> bool:
        """Whether ``pointer`` says that this run changes plain names."""
        return pointer is not None and self._note in pointer.unsettled

    def _refuse_taken(self, seen: _Seen) -> None:
        """Raise `ReleaseTaken` early if the id is known to be that of a release with other files."""
        known = {activation.release for activation in seen.pointer.history} if seen.pointer else set()
        if self._release in known and seen.current != (self._release, self._digest):
            refuse_taken_id(self._store, self._release, self._manifest.names())

    # What is put.

    def _make_way(self, seen: _Seen) -> None:
        """Delete plain names where a folder is needed, in stores that have folders."""
        if not isinstance(self._store, Settles):
            return
        gone = in_the_way(seen.there, self._wanted, all_of_them=False)
        self._delete({key: seen.there[key].size for key in gone})

    def _put(self, name: Phase, items: Collection[Item], copies: Mapping[str, str]) -> None:
        """Put ``items`` but those that this run has put under names that stand for their bytes."""
        wanted = [item for item in items if not (item.hashed and item.key in self._sent)]
        with phase(self._listener, name, len(wanted), sum(item.size for item in wanted)) as progress:
            put = lambda item: self._one(item, copies.get(item.key, ""))  # noqa: E731
            for item, how in in_pace(put, wanted, self._listener, at_once=self._target.at_once):
                self._sent.add(item.key)
                self._result.copied += how == "copied"
                self._result.kept += how == "kept"
                if how == "kept":
                    self._believed.add(item.key)
                self._result.bytes += item.size if how == "sent" else 0
                if how != "kept":
                    self._result.changed.append(Changed(item.key, "write", item.size, item.logical, _kind(item)))
                progress(1, item.size)
        self._settle()

    def _one(self, item: Item, copy_of: str) -> str:
        """Put one object: ``sent``, ``copied``, or ``kept`` if it was there."""
        fields = fields_of(item, self._target.serve)
        if item.hashed and item.key not in self._wrong and self._there.has(item):
            return self._taken(item, fields)
        if copy_of and isinstance(self._paced, Copies):
            try:
                self._paced.copy(copy_of, item.key, fields=fields)
            except KeyNotFound:
                pass  # taken away by another; the bytes are here, too
            else:
                return "copied"
        create = item.hashed and item.key not in self._wrong
        try:
            self._paced.put(
                item.key, self._bytes_of(item), mode="create" if create else "overwrite", digest=item.digest,
                fields=fields,
            )  # fmt: skip
        except KeyExists:
            return self._taken(item, fields)
        return "sent"

    def _taken(self, item: Item, fields: Mapping[str, str]) -> str:
        """What to do about a name that stands for its bytes and is there already."""
        size = self._there.size(item.key)
        kept = item.key == item.logical
        if size == item.size and (not kept or digest_of(self._store, item.key)[0] == item.digest):
            return "kept"
        if kept:
            what = "has other bytes under this name, which a bundler gave and which browsers keep for ever"
            raise StoreError(item.key, f"{self._target} {what}. Let the bundler give it another name.")
        self._paced.put(item.key, self._bytes_of(item), digest=item.digest, fields=fields)
        return "sent"

    def _bytes_of(self, item: Item) -> Body:
        for key in item.sources:
            if isinstance(self._source, LocalStore):
                path = self._source.path(key)
                if os.path.isfile(path) and not os.path.islink(path):
                    return path
            body = read_all(self._source, key)
            if body is not None:
                return body
        what = f"is not in {self._source}, where the release {self._release} was built"
        raise StoreError(item.sources[0], f"{what}. Run collectstatic again.")

    def _look_again(self) -> None:
        """Put once more what was there before the manifest was, and has been pruned meanwhile."""
        if self._believed:
            sizes = self._there.sizes(anew=True)
            gone = [self._wanted[key] for key in sorted(self._believed) if key not in sizes]
            self._believed.clear()
            self._sent.difference_update(item.key for item in gone)
            self._put("send", gone, {})

    def _put_manifest(self, seen: _Seen) -> None:
        if seen.current[1] != self._digest and not self._described:
            self._put_small(manifest_key(self._digest), self._body)
            self._kept.put(self._digest, self._body)
            self._settle()
        self._described = True

    def _put_record(self, seen: _Seen) -> None:
        """Put the record, and Django's manifest if that is wanted."""
        if self._recorded:
            return
        self._recorded = True
        if seen.current != (self._release, self._digest):
            self._record()
            self._settle()
        if self._target.django_manifest:
            key = self._target.django_manifest.replace("{release}", self._release)
            self._put_small(key, dump_django(self._manifest.names()))

    def _record(self) -> None:
        new = sum(change.size for change in self._result.changed if change.kind in ("asset", "variant"))
        sizes = [size_of(entry) for entry in self._manifest.entries.values()]
        record = record_of(self._release, self._digest, sizes, new)
        key = record_key(self._release)
        try:
            self._store.put(key, dump_record(record), mode="create")
        except KeyExists:
            known = None
            try:
                known = load_record(read_all(self._store, key) or b"", self._release)
            except OtherRecord as error:
                raise ReleaseTwin(self._release, error.release) from None
            except ManifestError as error:
                self._listener(Notice(f"The record of this release is made anew in {self._target}. {error.what}"))
            if known is not None and known.manifest == self._digest:
                return
            if known is not None:
                refuse_taken_id(self._store, self._release, self._manifest.names())
                record = replace(record, made=known.made)
            self._store.put(key, dump_record(record))
        self._tell(Changed(key, "write", len(dump_record(record)), kind="manifest"))

    def _place(self, seen: _Seen, found: Difference, began: str) -> bool:
        """Put what changes under plain names, then move the pointer; whether no other run came before that."""
        pointer, body = seen.pointer, seen.body
        # What runs may have put that did not end is put again; of one that may be under way the note has to stay.
        gone = ended(() if pointer is None else pointer.unsettled, self._store) - {self._note.run}
        if pointer is not None and found.plains and not self._is_noted(pointer):
            noted = replace(pointer, unsettled=(*pointer.unsettled, self._note))
            if not self._swap(body, noted):
                return False
            pointer, body = noted, dump_pointer(noted)
        self._put("copy", found.plains, found.copies)
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
            pointer = Pointer((), at if body is not None or self._has_others() else None)
        return pointer.moved(self._release, at, self._digest)

    def _has_others(self) -> bool:
        """Whether the store is known to have other releases, though no pointer."""
        others = (release_of(key) for key in self._there.known() if key.startswith(RELEASES_PREFIX))
        return any(other not in (None, self._release) for other in others)

    def _tell_of_move(self, pointer: Pointer | None, moved: Pointer, began: str) -> None:
        before = self._result.before = pointer.release if pointer else ""
        self._tell(Changed(POINTER_KEY, "write", len(dump_pointer(moved)), kind="manifest"))
        if before not in ("", began, self._release):
            what = "which another run made current meanwhile, is so no longer: this run ended later"
            self._listener(Notice(f"The release {before} of {self._target}, {what}."))

    def _swap(self, expected: bytes | None, pointer: Pointer) -> bool:
        done = self._store.swap(POINTER_KEY, expected, dump_pointer(pointer))
        if done:
            self._settle()
        return done

    def _put_small(self, key: str, body: bytes) -> None:
        self._store.put(key, body)
        self._tell(Changed(key, "write", len(body), kind="manifest"))

    def _settle(self) -> None:
        if isinstance(self._store, Settles):
            self._store.settle()

    # What is deleted.

    def _unneeded(self) -> dict[str, int]:
        """Key → size of what is ours in the store, or Django's, and not the release's."""
        owned = owned_keys(self._store, "staticfiles.json", self._listener)
        own = {record_key(self._release), manifest_key(self._digest), POINTER_KEY}
        if self._target.django_manifest:
            own.add(self._target.django_manifest.replace("{release}", self._release))
        sizes = self._there.sizes(anew=True)
        gone = without_twins(owned, [*self._wanted, *own])
        return {key: sizes[key] for key in gone if key in sizes}

    def _delete(self, keys: Mapping[str, int]) -> None:
        """Delete ``keys``: records first, since a release that is not recorded is none; manifests last."""
        order = sorted(keys, key=lambda key: (not key.startswith(RELEASES_PREFIX), key.startswith(".shipfiles/"), key))
        if order:
            self._store.delete(order)
        for key in order:
            self._tell(Changed(key, "delete", keys[key], kind="stale"))

    def _tell(self, change: Changed) -> None:
        self._result.changed.append(change)


class _There:
    """What a list of the store has shown. Safe to use from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._sizes: dict[str, int] | None = None
        self._guard = threading.Lock()

    def sizes(self, *, anew: bool = False) -> Mapping[str, int]:
        """Key → size, of all of them; listed the first time that it is asked for, and ``anew`` again."""
        with self._guard:
            if self._sizes is None or anew:
                self._sizes = {stored.key: stored.size for stored in self._store.list()}
            return self._sizes

    def known(self) -> Iterable[str]:
        """The keys that are known without asking."""
        return self._sizes or ()

    def has(self, item: Item) -> bool:
        """Whether ``item`` is known to be there."""
        return self._sizes is not None and item.key in self._sizes

    def size(self, key: str) -> int:
        """The size of what is under ``key``, of which a put has said that it is there; -1 if it is gone again."""
        if (size := self.sizes().get(key)) is not None:
            return size
        found = self._store.head(key)  # it came after the list
        return -1 if found is None else found.size


def _requests(item: Item) -> int:
    return 1 if item.size <= _PART else -(-item.size // _PART) + 2


def _kind(item: Item) -> Literal["asset", "variant", "plain"]:
    if not item.hashed:
        return "plain"
    return "variant" if item.coding and item.key == item.sources[0] else "asset"
