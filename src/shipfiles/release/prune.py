"""Delete what only releases need that nobody needs any more.

Mark, then sweep. What is needed is known from the manifests of the kept releases alone, and what may be deleted from
the manifests of the others: no other key is ever touched. Deleted are first the records of the dropped releases, then
their files, their manifests last: a prune that is cut short leaves manifests without records, by which the next one
finds what is left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from ..digest import Digest, digest_bytes
from ..durations import duration_text
from ..errors import ManifestError, ReleaseError
from ..events import Changed, Listener, Notice, ignore, phase
from ..records import (
    MANIFESTS_PREFIX,
    POINTER_KEY,
    RELEASES_PREFIX,
    Pointer,
    Record,
    is_manifest_key,
    load_pointer,
    load_record,
    manifest_key,
    record_key,
    release_of,
    unknown_release,
)
from ..stores.store import Locks, Settles, Store, Stored, Versions, read_all
from .claims import Sweep
from .listed import listed
from .lock import locked
from .marks import Marks, Part, refused
from .ownership import django_keys
from .retention import GRACE, Terms, kept_releases
from .state import objects_of, read_state, write_state
from .unsettled import Unsettled, ended

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What a prune would do."""

    terms: Terms
    at: datetime
    kept: Mapping[str, str]
    """Id → why it is kept."""
    parts: Sequence[Part]
    """Newest first; what was left of others last, if anything."""
    sweep: Mapping[str, int]
    """The keys of files to be deleted → size."""
    records: Sequence[str]
    manifests: Sequence[str]
    """Keys to be deleted before and after those."""
    waiting: int = 0
    """Keys that nothing needs but that were put there so recently that another run may be about to need them."""
    held: Sequence[str] = ()
    """Ids of releases that go as soon as none of their files is such a one. Till then they are kept, whole."""
    spared: Sequence[str] = ()
    """Keys that nothing needs, but that some file systems take for others which are needed. They stay."""
    foreign: Sequence[str] = ()
    """Keys that a dropped release names but whose bytes are not those that it says. They stay."""
    changed: Sequence[str] = ()
    """Keys that became others between plan and deed. They stay."""
    basis: Digest | str = ""
    """Stands for the releases that the store had."""
    found: Sweep = field(default_factory=Sweep, compare=False, repr=False)
    """What was under the keys to be deleted."""
    manifest_name: str = "staticfiles.json"
    contested: bool = False
    """Whether bytes of a dropped release may stay under a plain name of a kept one, where no manifest tells whose they
    are."""

    @property
    def dropped(self) -> list[str]:
        """Ids of the releases that go, newest first."""
        return [part.release for part in self.parts if part.release]

    @property
    def bytes(self) -> int:
        """What is freed in total."""
        return sum(part.bytes for part in self.parts)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be done."""
        return not (self.sweep or self.records or self.manifests)


def plan_prune(
    store: Store,
    *,
    keep: int,
    younger_than: timedelta,
    at: datetime,
    protect: Collection[str] = (),
    grace: timedelta = GRACE,
    manifest_name: str = "staticfiles.json",
    listener: Listener = ignore,
) -> PrunePlan:
    """What a prune at the time ``at`` would delete. Nothing is changed.

    See `kept_releases` for what stays. ``protect`` has ids of releases that stay, too.
    Raises `ReleaseError` if what is needed cannot be known, `UnknownRelease` for an id in ``protect``.
    """
    terms = Terms(keep, younger_than, frozenset(protect), grace)
    return _planned(store, terms, at, manifest_name, listener)


def prune(store: Store, plan: PrunePlan, listener: Listener = ignore) -> PrunePlan:
    """Do what ``plan`` says; what was done.

    If the store has other releases by now than when the plan was made, a new one is made, which drops no other release.
    Raises `ReleaseError` and `StoreError`; the releases that are kept are whole whatever happens.
    """
    with locked(store, listener):
        known = _read_known(store, plan.manifest_name)
        if known.basis != plan.basis:
            plan = _planned(store, plan.terms, plan.at, plan.manifest_name, listener, only=frozenset(plan.dropped))
        if plan.is_empty:
            return plan
        # With the memory of the last run corrected, the next one need not look at everything again.
        state = read_state(store) if isinstance(store, Versions) else None
        versions = dict(store.versions()) if state and isinstance(store, Versions) else {}
        remembers = state is not None and objects_of(versions) == state.objects
        if plan.contested:
            Unsettled(store).begin()
        run = _Run(store, plan, known, listener)
        plan = run.run()
        if state is not None and remembers:
            for key in run.gone:
                versions.pop(key, None)
            write_state(store, replace(state, objects=objects_of(versions)), listener)
    return plan


class _Run:
    """Deletes what a plan says, and of that only what is as it was when the plan was made.

    Whoever does not ask for the lock, a person or another program, may put something under a key at any time. Where
    there is none, a run that begins to send a release puts its manifest first, by which its files are known.
    """

    def __init__(self, store: Store, plan: PrunePlan, known: _Known, listener: Listener) -> None:
        self._store = store
        self._plan = plan
        self._known = known
        self._in_use = {manifest_key(known.records[known.pointer.release].manifest)}
        self._listener = listener
        self._left: list[str] = []
        self.gone: list[str] = []
        """The keys that were deleted."""

    def run(self) -> PrunePlan:
        """What was done."""
        plan, sweep = self._plan, self._plan.found
        self._delete(plan.records)
        with phase(self._listener, "sweep", len(plan.sweep)) as progress:
            self._delete(list(plan.sweep), self._unchanged, progress)
        # What stays is found by the manifest that names it.
        needed = {sweep.owners[key][0] for key in self._left}
        manifests = [key for key in plan.manifests if key not in needed]
        self._delete(manifests)
        if not self._left:
            return plan
        shown = ", ".join(self._left[:3]) + (f" and {len(self._left) - 3} more" if len(self._left) > 3 else "")
        self._listener(Notice(f"Left in place: {shown}: changed since it was found out what is to be deleted."))
        for key in self._left:
            part = next(part for part in plan.parts if part.release == sweep.owners[key][1])
            part.files -= 1
            part.bytes = max(0, part.bytes - plan.sweep[key])
        swept = {key: size for key, size in plan.sweep.items() if key not in {*self._left}}
        return replace(plan, sweep=swept, manifests=manifests, changed=self._left)

    def _unchanged(self, keys: Sequence[str]) -> Iterator[str]:
        for key in keys:
            same = self._plan.found.is_as_planned(self._store, key)
            if same:
                yield key
            elif same is not None:
                self._left.append(key)

    def _unused(self, keys: Sequence[str]) -> list[str]:
        """Those of ``keys`` that no release needs that others have begun to send, or to make current, since this run
        began.
        """
        try:
            # Until there is nothing new: what is read of it takes its time, too.
            while new := self._wanted_now() - self._in_use:
                for key in sorted(new):
                    self._in_use.update(item.key for item in listed(read_all(self._store, key) or b"", key))
                self._in_use |= new
        except ManifestError as error:
            raise refused(error) from error
        records = self._known.records.values()
        self._in_use |= {record_key(one.release) for one in records if manifest_key(one.manifest) in self._in_use}
        self._left += [key for key in keys if key in self._in_use and key in self._plan.sweep]
        return [key for key in keys if key not in self._in_use]

    def _wanted_now(self) -> set[str]:
        """The keys of manifests that were put since this run began, and of those that the pointer names."""
        known = self._known
        put = {
            stored.key
            for stored in self._store.list(MANIFESTS_PREFIX)
            if is_manifest_key(stored.key)
            and (stored.key not in known.manifests or known.manifests[stored.key].modified != stored.modified)
        }
        pointer = load_pointer(read_all(self._store, POINTER_KEY) or b"", POINTER_KEY)
        current = known.records.get(pointer.release)
        return put | _noted_manifests(self._store, pointer) | ({manifest_key(current.manifest)} if current else set())

    def _delete(
        self,
        keys: Sequence[str],
        chosen: Callable[[Sequence[str]], Iterable[str]] = iter,
        progress: Callable[[int, int], object] | None = None,
    ) -> None:
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            gone: list[str] = []
            chosen_now = chosen(some)
            if not isinstance(self._store, Locks):
                # To look at each has taken its time: what has come meanwhile is looked for last.
                chosen_now = self._unused([*chosen_now])
            # A store that deletes one by one asks for each at the moment before it goes.
            self._store.delete(_noted(chosen_now, gone))
            self.gone += gone
            for key in gone:
                self._listener(Changed(key, "delete", self._plan.sweep.get(key, 0), kind="stale"))
            if progress is not None:
                progress(len(some), 0)
        # Not before it is certain that they are gone is what tells of them deleted.
        if isinstance(self._store, Settles):
            self._store.settle()


def _noted(keys: Iterable[str], noted: list[str]) -> Iterator[str]:
    for key in keys:
        noted.append(key)
        yield key


@dataclass(frozen=True, slots=True)
class _Known:
    """What a store says of its releases."""

    pointer: Pointer
    records: Mapping[str, Record]
    manifests: Mapping[str, Stored]
    """By key."""
    basis: Digest


def _read_known(store: Store, manifest_name: str) -> _Known:
    """Raises `ReleaseError` if anything is damaged."""
    body = read_all(store, POINTER_KEY)
    if body is None:
        raise ReleaseError(
            f"There is no current release in {store}, so nothing was deleted. Run collectstatic, or ship activate."
        )
    bodies = {POINTER_KEY: body}
    records = {}
    try:
        pointer = load_pointer(body, POINTER_KEY)
        for stored in store.list(RELEASES_PREFIX):
            release = release_of(stored.key)
            if release is not None and (body := read_all(store, stored.key)) is not None:
                bodies[stored.key] = body
                records[release] = load_record(body, release)
    except ManifestError as error:
        raise refused(error) from error
    manifests = {stored.key: stored for stored in store.list(MANIFESTS_PREFIX) if is_manifest_key(stored.key)}
    if pointer.release not in records:
        raise refused(f"{record_key(pointer.release)}: missing, but {POINTER_KEY} names it. Run collectstatic again.")
    # Its names are needed, too.
    if manifest_name:
        bodies[manifest_name] = read_all(store, manifest_name) or b""
    parts = [part for key in sorted(bodies) for part in (key.encode(), bodies[key])]
    # A manifest that is put once more is that of a release that is being sent again.
    put = [f"{key} {manifests[key].modified}".encode() for key in sorted(manifests)]
    basis = digest_bytes(b"\n".join([*parts, *put]))
    return _Known(pointer, records, manifests, basis)


def _planned(
    store: Store,
    terms: Terms,
    at: datetime,
    manifest_name: str,
    listener: Listener,
    only: frozenset[str] | None = None,
) -> PrunePlan:
    """The plan; it drops ``only`` those releases, if given."""
    known = _read_known(store, manifest_name)
    if only is None and (unknown := sorted(terms.protected - known.records.keys())):
        raise unknown_release(unknown[0], known.records, str(store))
    kept = kept_releases(known.records.values(), known.pointer, terms, at)
    noted = _noted_manifests(store, known.pointer)
    why = "maybe about to become current: a run has left a note in the pointer"
    kept = {**{id_: why for id_, record in known.records.items() if manifest_key(record.manifest) in noted}, **kept}
    if only is not None:
        kept = {**dict.fromkeys(known.records.keys() - only, "made meanwhile"), **kept}
    plan, unfinished = _marked(store, known, terms, at, manifest_name, listener, kept)
    recent = at.timestamp() - terms.grace.total_seconds()
    # A release whose manifest was put just now may be one that is sent again.
    unfinished = {*unfinished, *(key for key, stored in known.manifests.items() if stored.modified > recent)}
    held = [release for release in plan.dropped if manifest_key(known.records[release].manifest) in unfinished]
    if held:
        # Half a release would be of no use, and nobody would know whose the other half is.
        why = f"until none of its files was put there less than {duration_text(terms.grace)} ago"
        waiting = plan.waiting
        plan, _ = _marked(store, known, terms, at, manifest_name, listener, {**kept, **dict.fromkeys(held, why)})
        plan = replace(plan, waiting=waiting, held=held)
    return plan


def _noted_manifests(store: Store, pointer: Pointer) -> set[str]:
    """The keys of the manifests of runs that may be under way, by their notes in the pointer."""
    gone = ended(pointer.unsettled, store)
    notes = (note for note in pointer.unsettled if note.run not in gone)
    return {manifest_key(note.manifest) for note in notes if note.manifest is not None}


def _marked(
    store: Store,
    known: _Known,
    terms: Terms,
    at: datetime,
    manifest_name: str,
    listener: Listener,
    kept: Mapping[str, str],
) -> tuple[PrunePlan, Collection[str]]:
    """The plan where these releases are ``kept``, and the keys of manifests of which it takes not all files."""
    dropped = [record for release, record in known.records.items() if release not in kept]
    dropped.sort(key=lambda record: (record.made, record.release), reverse=True)
    needed = {manifest_key(known.records[release].manifest) for release in kept}
    doomed = {manifest_key(record.manifest) for record in dropped}
    # A run that is under way may have put a manifest and not yet its record.
    unsure_since = at.timestamp() - max(terms.younger_than, terms.grace).total_seconds()
    noted = _noted_manifests(store, known.pointer)
    left = []
    for key, stored in sorted(known.manifests.items()):
        if key not in needed and key not in doomed:
            if stored.modified > unsure_since or key in noted:
                needed.add(key)
            else:
                left.append(key)
    parts = [Part(record.release, record.made) for record in dropped]
    rest = Part("", None)
    marks = Marks(store, {manifest_name, *django_keys(store, manifest_name, listener)}, listener)
    with phase(listener, "mark", len(needed) + len(dropped) + len(left)) as progress:
        # First the current release.
        current = manifest_key(known.records[known.pointer.release].manifest)
        for key in sorted(needed, key=lambda key: (key != current, key)):
            marks.need(key)
            if key == current:
                marks.settled()
            progress(1, 0)
        for record, part in zip(dropped, parts, strict=True):
            marks.drop(manifest_key(record.manifest), part)
            progress(1, 0)
        for key in left:
            marks.drop(key, rest)
            progress(1, 0)
        swept = marks.swept(at.timestamp() - terms.grace.total_seconds())
    manifests = sorted(key for key in swept.manifests if key not in needed)
    plan = PrunePlan(
        terms, at, kept, [*parts, rest] if rest.files else parts, dict(sorted(swept.keys.items())),
        [record_key(record.release) for record in dropped], manifests, swept.waiting, foreign=sorted(swept.foreign),
        spared=sorted(swept.spared), basis=known.basis, found=swept.sweep, manifest_name=manifest_name,
        contested=marks.contested,
    )  # fmt: skip
    return plan, swept.waiting_for
