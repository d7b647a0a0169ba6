"""Make a release that is there the current one, in a time that depends on what differs and not on how much there is.

As in publishing first the copies under plain names, then the pointer, then the manifest that stock Django reads. Killed
between any two steps, the release that was current before is whole and still current; to activate again heals.

A plain name of the release that was current stays, with its bytes, where the wanted release has no file of that name:
pages of the old one may ask for it, and publishing leaves it too. Plain names are taken away by prune alone.

A release that was made with links to the sources (``collectstatic --link``) keeps no copies of them: when it is made
current, the plain names stay what they are.

A store that a release was sent to does not keep the sources of rewritten files either. There a plain name whose bytes
are gone becomes a copy of the hashed name's, and the release is recorded again with a manifest that says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from ..digest import digest_bytes
from ..errors import ManifestError, NoEarlierRelease, ReleaseError, StoreError
from ..events import Changed, Event, Listener, Notice, ignore, phase
from ..line_differences import logical_of
from ..manifest import dump, dump_django, plain_key, suffix
from ..model import Entry, Plain, Variant, under_name
from ..records import Pointer, Record, manifest_key, read_manifest_body, read_record
from ..stores.store import Copies, Locks, Store, digest_of, read_all
from .catalog import pointer_of, record_of_release, records_of
from .examine import MANY, Examination, each
from .fields import Fields, by_default
from .given import Given, leave
from .items import Item
from .lock import locked
from .pointing import Pointing, current_id
from .text import ManifestText, differing, text_of
from .unsettled import Unsettled


@dataclass(slots=True)
class Activated:
    """What an activation did."""

    release: str
    """The id of the release that is current now."""
    before: str = ""
    """The id of the one that was; the same if it was current already, empty if there was none."""
    differing: int = 0
    """Files of the release that the one before did not have so."""
    changed: list[Changed] = field(default_factory=list)
    """Every key that was written or deleted."""


def activate(
    store: Store,
    release: str | Callable[[], str],
    *,
    manifest_name: str = "staticfiles.json",
    fields: Fields | None = None,
    at_once: int = 0,
    listener: Listener = ignore,
) -> Activated:
    """Make ``release`` the current one: an id, or what tells it, which is asked again when no other run is under way.

    For the current release itself, and after a run that did not end (see `Unsettled`), all plain names are looked at
    and put right; else those that differ between the two.

    ``manifest_name`` is empty where stock Django's manifest is not wanted. ``fields`` says with which header fields a
    copy is answered; without, where a release was sent, as the options are by default. For a store to which each
    request takes its time, ``at_once`` are under way, and of what lies under names that stand for their bytes only the
    sizes are looked at.

    Raises `UnknownRelease`, `ReleaseIdError`, `ManifestError`, `StoreError`, and `ReleaseDamaged` if a file is missing
    among those that differ. The release that was current then stays so.
    """
    chosen = release if callable(release) else lambda: release
    return _activate(store, chosen, _Way(manifest_name, fields, at_once, listener))


def rollback(
    store: Store,
    steps: int = 1,
    *,
    manifest_name: str = "staticfiles.json",
    fields: Fields | None = None,
    at_once: int = 0,
    listener: Listener = ignore,
) -> Activated:
    """Make current again what was so ``steps`` releases ago: see `earlier`. Raises as `activate`, `NoEarlierRelease`.

    To roll back twice by 1 leads back to where one was, as ``cd -`` does; by 2 it leads further back. If another run is
    under way, this one waits for it, and goes back from what is current then.
    """
    return _activate(store, partial(release_before, store, steps), _Way(manifest_name, fields, at_once, listener))


@dataclass(frozen=True, slots=True)
class _Way:
    """How it is done: what `activate` is given."""

    manifest_name: str
    fields: Fields | None
    at_once: int
    listener: Listener


def _activate(store: Store, chosen: Callable[[], str], way: _Way) -> Activated:
    """Make current what is ``chosen`` when no other run is under way any more."""
    listener = way.listener
    # An error need not wait for the other run.
    record_of_release(store, first := chosen())
    began_at = current_id(store)
    with locked(store, listener):
        # Again: while this run waited, the pointer may have moved, or the release may have been pruned.
        release = chosen()
        if release != first:
            current = current_id(store)
            what = f"{first} went away" if current == began_at else f"{current} became current"
            listener(Notice(f"The release {what} while this run waited: {release} is meant now, not {first}."))
            began_at = current
        return _Activation(store, record_of_release(store, release), began_at, way).run()


def release_before(store: Store, steps: int) -> str:
    """The release that was current ``steps`` releases ago: see `earlier`. Raises `ReleaseError`, `ManifestError`."""
    if steps < 1:
        raise ReleaseError(f"One goes back by 1 release or more, not by {steps}.")
    pointer = pointer_of(store)
    there = earlier(pointer, records_of(store)) if pointer else []
    if len(there) < steps:
        raise NoEarlierRelease(steps, there)
    return there[steps - 1]


def earlier(pointer: Pointer, there: Iterable[str]) -> list[str]:
    """The releases that were current before the one that is, each once, last first; those that are still ``there``."""
    known = {*there} - {pointer.release}
    past = dict.fromkeys(activation.release for activation in reversed(pointer.history))
    return [release for release in past if release in known]


class _Activation:
    """One run: what the two releases are, what differs, and the result so far."""

    def __init__(self, store: Store, record: Record, began_at: str, way: _Way) -> None:
        self._store = store
        self._way = way
        self._lock = threading.Lock()
        self._record = record
        self._manifest = record.manifest
        self._pointing = Pointing(store, began_at, self._tell, way.listener)
        self._unsettled = Unsettled(store)
        self._before = current_id(store)
        # Who makes the current release current again asks to have its plain names put right.
        self._mends = self._before == record.release
        self._given = Given(store, trusting=self._unsettled.found)
        self._result = Activated(record.release, self._before)
        key = manifest_key(record.manifest)
        body = read_all(store, key)
        # To prove all of the manifest takes about as long as all that can be done with it meanwhile.
        with ThreadPoolExecutor(1) as pool:
            proven = pool.submit(read_manifest_body, lambda _: body, record)
            self._wanted = text_of(proven.result() if body is None else body, key)
            self._django = self._wanted.django_names()
            self._current = self._read_current()
            self._look = Examination(store, record.release, self._wanted, way.at_once, self._listener)
            self._old, self._new = self._compared()
            proven.result()
        no_fields: dict[str, str] = {}
        # What was built here is in a folder, as a rule, and its copies are answered as their sources are.
        self._fields = way.fields or (by_default if not self._wanted.spares else lambda _: no_fields)
        if self._django is None:
            self._django = dump_django(self._wanted.names())

    def run(self) -> Activated:
        """Activate; after a run that did not end look at all plain names, those that did not differ at the end."""
        all_of_them = self._unsettled.found
        was = self._parsed_current(self._old)
        will = self._wanted.parsed(self._new).entries
        fixed = self._look.checked(will, was)
        if fixed:
            self._record_again(fixed)
        shared = not (isinstance(self._store, Locks) or self._mends)
        if shared or (will and not self._wanted.hashed_only):
            self._unsettled.begin(self._manifest)
        if shared:
            # A prune that began before the note, of which it knows nothing, deletes the record first.
            record_of_release(self._store, self._record.release)
        self._place_plains({**will, **fixed}, was)
        self._result.before = self._pointing.point(self._record.release, self._manifest)
        try:
            if self._way.manifest_name:
                self._pointing.put_small(self._way.manifest_name, self._django or b"")
            self._pointing.settle()
            if all_of_them and self._current is not None:
                every, before = self._wanted.parsed(self._wanted.files()).entries, self._parsed_current(None)
                self._place_plains({logical: every[logical] for logical in every if logical not in will}, before)
        except StoreError as error:
            what = f"{error.what}. The release {self._record.release} is live all the same"
            raise StoreError(error.key, f"{what}; activate it again") from error
        if self._pointing.alone:
            self._unsettled.end(self._record.release, all_of_them=all_of_them)
        self._pointing.check_still(self._record.release)
        return self._result

    def _compared(self) -> tuple[list[bytes], list[bytes]]:
        """The lines to look at, of the release that was current and of the wanted one."""
        if self._current is None:
            new = self._wanted.files()
            self._result.differing = len(new)
            return [], new
        old, new = differing(self._current, self._wanted)
        self._result.differing = len(new)
        # Where no sources are kept, what is under plain names must be known before the release is recorded.
        unknown = self._unsettled.found and not self._wanted.spares
        if self._before == self._record.release or self._current.flags != self._wanted.flags or unknown:
            return self._current.files(), self._wanted.files()
        return old, new

    def _read_current(self) -> ManifestText | None:
        """The manifest of the release that is current; ``None`` if there is none, or if it is damaged.

        Its bytes are not proven: damage makes it differ in more lines, which are then looked at.
        """
        if self._before == self._record.release:
            return self._wanted
        try:
            record = read_record(partial(read_all, self._store), self._before) if self._before else None
            if record is None:
                return None
            key = manifest_key(record.manifest)
            return text_of(read_all(self._store, key) or b"", key)
        except ManifestError as error:
            self._listener(Notice(f"The release that was current cannot be read, so all files are looked at. {error}"))
            self._given.trusting = True
            return None

    def _parsed_current(self, lines: list[bytes] | None) -> Mapping[str, Entry]:
        """What the release that was current says in these ``lines``, or in all; nothing if it is damaged there."""
        if self._current is None:
            return {}
        try:
            return self._current.parsed(self._current.files() if lines is None else lines).entries
        except ManifestError as error:
            self._listener(Notice(str(error)))
            self._given.trusting = True
            return {}

    def _record_again(self, fixed: Mapping[str, Entry]) -> None:
        """Give the release a manifest that says what variants there are; its files stay the same."""
        from .outcome import size_of
        from .publish import record_of  # which imports all that builds and compresses, and is rarely needed

        whole = self._wanted.with_entries(fixed)
        body = dump(whole)
        sizes = [size_of(entry) for entry in whole.entries.values()]
        record = record_of(self._record.release, digest_bytes(body), sizes, self._record.new_bytes)
        self._pointing.manifest(body)
        self._manifest = self._pointing.record(record).manifest
        had = self._wanted.parsed([line for line in self._new if logical_of(line) in fixed]).entries
        bare = [logical for logical in sorted(fixed) if had[logical].plain is not None and fixed[logical].plain is None]
        if bare:
            what = "this store keeps no sources of rewritten files, so under the plain name is what the hashed name has"
            self._listener(Notice(f"{_shown(bare)}: {what}. It works as well; nothing needs to be done."))
        encoded = [name for name in sorted(fixed) if _codings_of(fixed[name]) != _codings_of(had[name], fixed[name])]
        if encoded:
            what = "are missing, or were made anew with other settings: the release goes on with those that are there"
            self._listener(Notice(f"Compressed variants of {_shown(encoded)} {what}. collectstatic makes them again."))

    def _place_plains(self, will: Mapping[str, Entry], was: Mapping[str, Entry]) -> None:
        """Put the copies under plain names, each at one instant, with the variants that belong to them."""
        if self._wanted.hashed_only:
            return
        if self._wanted.linked:
            if will:
                what = "was made with --link and keeps no copies: the files under plain names stay as they are"
                self._listener(Notice(f"The release {self._record.release} {what}."))
            return
        wanted = [entry for entry in will.values() if not entry.kept]

        def place(entry: Entry) -> None:
            if entry.plain is not None and not self._wanted.spares:
                # It has been looked at, and has the bytes that nothing else has.
                self._drop_others(entry, was.get(entry.logical), has)
            else:
                self._place_plain(entry, was.get(entry.logical), has)

        has: Callable[[str], bool] = self._wanted.has
        if len(wanted) > MANY:
            names = self._wanted.names()
            has = {*names, *names.values()}.__contains__
        with phase(self._listener, "copy", len(wanted), sum(_plain_of(entry).size for entry in wanted)) as progress:
            for entry, _ in each(place, wanted, self._way.at_once, self._listener):
                progress(1, _plain_of(entry).size)
            self._pointing.settle()

    def _place_plain(self, entry: Entry, old: Entry | None, has: Callable[[str], bool]) -> None:
        plain = _plain_of(entry)
        wanted = under_name(plain)
        if old is not None and old.kept and old.digest != plain.digest:
            what = "left as it is: the release that was current has its bytes cached for ever under that name"
            self._listener(Notice(f"{entry.logical}: {what}."))
            return
        holder = entry.name if entry.plain is None else plain_key(plain.digest)
        same = not self._look.fault(entry.logical, wanted.size, wanted.digest)
        likely = () if old is None else (under_name(_plain_of(old)).digest,)
        if not (same or self._mends or self._given.ours(entry.logical, *likely)):
            leave(self._listener, entry.logical)
            return
        beside = self._beside(entry, old, holder, has)
        # A web server sends a variant beside a file as that file: no old one may stand beside new bytes.
        for token, key in beside.items():
            if token not in plain.beside or not same:
                self._delete(key)
        if not same:
            try:
                self._copy(holder, entry, entry.logical, wanted, plain.stored)
            except StoreError as error:
                if not isinstance(error.__cause__, IsADirectoryError):
                    raise
                what = "not put under its plain name: there is a folder of that name, with files of other releases"
                self._listener(Notice(f"{entry.logical}: {what}."))
                return
        for token, variant in plain.beside.items():
            if (target := beside.get(token)) is not None:
                self._copy(holder + suffix(token), entry, target, variant, token)

    def _drop_others(self, entry: Entry, old: Entry | None, has: Callable[[str], bool]) -> None:
        """Remove variants beside a plain name that stays as it is, if they are ours and the release has none such."""
        for token, key in self._beside(entry, old, "", has).items():
            if token not in _plain_of(entry).beside:
                self._delete(key)

    def _beside(self, entry: Entry, old: Entry | None, holder: str, has: Callable[[str], bool]) -> dict[str, str]:
        """Coding → key of each variant beside the plain name that there is, or is to be, and that is ours."""
        plain = _plain_of(entry)
        # Only what a manifest names is ours to remove.
        bare = self._current is not None and (self._current.linked or self._current.hashed_only)
        known = {} if old is None or (bare and not old.kept) else _plain_of(old).beside
        # A file of the release may be called what a variant would be called: it is none.
        beside = {}
        for token in {**known, **plain.beside}:
            if has(key := entry.logical + suffix(token)):
                continue
            likely = [codings[token].digest for codings in (known, plain.beside) if token in codings]
            if self._given.ours(key, *likely) or (self._mends and self._is_damaged(key, token, plain, holder)):
                beside[token] = key
            else:
                leave(self._listener, key, entry.logical)
        return beside

    def _is_damaged(self, key: str, token: str, plain: Entry | Plain, holder: str) -> bool:
        """Whether what is under ``key``, a variant's beside a plain name, may be what damage left of it."""
        variant = plain.beside.get(token)
        end = suffix(token) if holder else ""
        return variant is not None and self._given.may_be_ours(key, variant.size, holder + end)

    def _copy(self, source: str, entry: Entry, target: str, made: Variant, coding: str) -> None:
        item = Item(target, (source,), made.size, made.digest, entry.logical, entry.media_type, coding, hashed=False)
        fields = self._fields(item)
        if isinstance(self._store, Copies):
            written = self._store.copy(source, target, fields=fields)
        else:
            there = self._store.head(target)
            written = there is None or there.size != made.size or digest_of(self._store, target)[0] != made.digest
            if written:
                self._store.put(target, b"".join(self._store.read(source)), digest=made.digest, fields=fields)
        if written:
            is_plain = target == entry.logical
            kind: Literal["plain", "variant"] = "plain" if is_plain else "variant"
            self._tell(Changed(target, "write", made.size, entry.logical if is_plain else "", kind, source))

    def _delete(self, key: str) -> None:
        stored = self._store.head(key)
        if stored is not None:
            self._store.delete([key])
            self._tell(Changed(key, "delete", stored.size, kind="stale"))

    def _tell(self, change: Changed) -> None:
        with self._lock:
            self._result.changed.append(change)
            self._way.listener(change)

    def _listener(self, event: Event) -> None:
        with self._lock:
            self._way.listener(event)


def _plain_of(entry: Entry) -> Entry | Plain:
    """What lies under the plain name of ``entry``."""
    return entry.plain or entry


def _codings_of(entry: Entry, like: Entry | None = None) -> object:
    """The variants of ``entry``; those of its plain copy only if it has one in ``like``, too."""
    plain = entry.plain if like is None or like.plain is not None else None
    return entry.codings, plain and plain.codings


def _shown(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
