"""Read every byte of releases, and say what is not as their manifests have it.

Nothing is written and no lock is held, so that it may run beside anything, on a disk that is read-only too. A fault is
looked at again in the end: another run may have moved the pointer, or pruned, since.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from ..decode import decoder_of
from ..errors import StoreError
from ..events import Listener, ignore, phase
from ..lines import DAMAGE, damaged
from ..manifest import SUFFIXES, Flags, line_entry, load, suffix
from ..model import Entry, Variant
from ..records import Record, manifest_key, record_key
from ..stores.store import Refields, Store, digest_of
from ..work import in_parallel
from .given import Given
from .ownership import owned_keys
from .pace import in_pace
from .pieces import Finding, Known, Piece, look, pieces_of, plain_pieces_of
from .survey import Fault, Survey, django_fault, marked, read_lines, said, survey
from .text import ManifestText
from .unsettled import Unsettled

# A smaller file is read before another thread has begun. Bytes.
_LARGE = 128 * 1024
_SHOWN = 3


@dataclass(slots=True)
class Verified:
    """What came of it."""

    releases: list[str] = field(default_factory=list)
    """Ids, the current one first, then the newest."""
    current: str = ""
    """The current release, if its plain names were looked at."""
    objects: int = 0
    """Keys that were looked at; again where another release has other variants for the same file."""
    bytes: int = 0
    """Of these, as the manifests have it."""
    faults: list[Fault] = field(default_factory=list)
    unsettled: list[Fault] = field(default_factory=list)
    """Plain names that are not those of the current release while a run is under way, or because one did not end. The
    next run puts them right; they are no faults."""
    notes: list[str] = field(default_factory=list)

    @property
    def left(self) -> list[Fault]:
        """The faults that are not repaired."""
        return [fault for fault in self.faults if not fault.repaired]


def verify(
    store: Store,
    release: str = "",
    *,
    manifest_name: str = "staticfiles.json",
    workers: int = 0,
    at_once: int = 0,
    listener: Listener = ignore,
) -> Verified:
    """Verify ``release``, or all releases. Raises `ReleaseError` if there is none, `UnknownRelease`, `StoreError`.

    ``manifest_name`` is empty where there is no manifest for stock Django. To a store to which each request takes its
    time ``at_once`` are under way.
    """
    return Verification(store, release, manifest_name, listener).run(workers, at_once)


class _Job(NamedTuple):
    """A file of a release, and what of it is to be looked at."""

    entry: Entry
    release: str
    mark: bytes
    flags: Flags
    hashed: bool
    """Else it was looked at with another release."""
    plain: bool


class _Looked(NamedTuple):
    """What was seen of a file."""

    pieces: int
    bytes: int
    found: list[tuple[Piece, Finding]]


class Verification:
    """One look at one release, or at all."""

    def __init__(self, store: Store, release: str, manifest_name: str, listener: Listener) -> None:
        self._store = store
        self._release = release
        self._manifest_name = manifest_name
        self._listener = listener
        self._survey: Survey = survey(store, release)
        self._sizes: dict[bytes, int] = {}
        self._bad: dict[bytes, list[Fault]] = {}
        self._encoded: dict[str, None] = {}
        self._by_key: dict[tuple[str, str], Fault] = {}
        self._whole: list[Record] = []
        """Releases whose manifests can be read."""
        self._taken: set[str] = set()
        self.result = Verified([record.release for record in self._survey.chosen], faults=list(self._survey.faults))

    def run(self, workers: int = 0, at_once: int = 0) -> Verified:
        """Look at all that there is."""
        self._read_manifests()
        total = sum(self._sizes.values())
        with phase(self._listener, "verify", len(self._sizes), total) as progress:
            for job, looked in self._each(workers, at_once):
                self.result.objects += looked.pieces
                self.result.bytes += looked.bytes
                for piece, finding in looked.found:
                    self._note(job, piece, finding)
                if job.hashed:
                    progress(1, job.entry.size)
        self._confirm()
        self._tell_releases()
        if nobodys := self._survey.nobodys:
            what = (
                "No release has these manifests; prunes or runs that did not end left them, or their records are lost"
            )
            self.result.notes.append(f"{what}: {_some(nobodys)}.")
        if self._encoded:
            what = "were made with other settings than those that the manifest has, and decode to the right bytes"
            self.result.notes.append(f"Compressed files {what}: {_some(self._encoded)}.")
        return self.result

    def _each(self, workers: int, at_once: int) -> Iterator[tuple[_Job, _Looked]]:
        if at_once:
            return in_pace(self._look, self._jobs(), self._listener, at_once=at_once)
        return in_parallel(self._look, self._jobs(), workers, heavy=lambda job: job.entry.size >= _LARGE)

    def _read_manifests(self) -> None:
        """Find out which files there are, and whether records and manifests agree."""
        result, sums, broken = self.result, dict[str, tuple[int, int]](), dict[str, Fault]()
        with phase(self._listener, "mark", len(self._survey.chosen)) as progress:
            for record in self._survey.chosen:
                progress(1, 0)
                key = manifest_key(record.manifest)
                if key in broken:
                    broken[key].releases += (record.release,)
                    continue
                if key not in sums:
                    lines = read_lines(self._store, record)
                    fault = lines if isinstance(lines, Fault) else self._read(lines, key, record, sums)
                    if fault is not None:
                        broken[key] = fault
                        result.faults.append(fault)
                        continue
                self._whole.append(record)
                if sums[key] != (record.files, record.bytes):
                    what = "it says {:,} files of {:,} bytes, and its manifest has {:,} of {:,}"
                    told = what.format(record.files, record.bytes, *sums[key])
                    result.faults.append(Fault(record_key(record.release), "damaged", told, (record.release,)))

    def _read(self, lines: ManifestText, key: str, record: Record, sums: dict[str, tuple[int, int]]) -> Fault | None:
        files = size = 0
        for mark, line in marked(lines):
            if mark not in self._sizes:
                try:
                    self._sizes[mark] = line_entry(line).size
                except DAMAGE as error:
                    what = said(damaged(key, line[:80].decode("ascii", "replace"), error), key)
                    return Fault(key, "damaged", what, (record.release,), manifest=record.manifest)
            files += 1
            size += self._sizes[mark]
        sums[key] = files, size
        if record is self._survey.current:
            name = self._manifest_name
            if name and (fault := django_fault(self._store, lines, record.release, name)) is not None:
                (self.result.unsettled if Unsettled(self._store).found else self.result.faults).append(fault)
            if not (lines.linked or lines.hashed_only):
                self.result.current = record.release
                ends = tuple(SUFFIXES.values())
                self._taken = {key for pair in lines.names().items() for key in pair if key.endswith(ends)}
        return None

    def _jobs(self) -> Iterator[_Job]:
        done: set[bytes] = set()
        manifests: set[str] = set()
        for record in self._whole:
            key = manifest_key(record.manifest)
            lines = read_lines(self._store, record) if key not in manifests else None
            manifests.add(key)
            if isinstance(lines, ManifestText):
                plain = record.release == self.result.current
                for mark, line in marked(lines):
                    if plain or mark not in done:
                        yield _Job(line_entry(line), record.release, mark, lines.flags, mark not in done, plain)
                        done.add(mark)

    def _look(self, job: _Job) -> _Looked:
        known: Known = {}
        pieces = list(pieces_of(job.entry, job.flags)) if job.hashed else []
        pieces += plain_pieces_of(job.entry, self._taken, job.flags) if job.plain else []
        found = [(piece, finding) for piece in pieces if (finding := look(self._store, piece, known))]
        # Where a store answers itself, nobody takes a file beside another for its variant.
        if job.plain and (job.flags.spares or not isinstance(self._store, Refields)):
            found += self._stale(job.entry, known)
        return _Looked(len(pieces), sum(piece.size for piece in pieces), found)

    def _stale(self, entry: Entry, known: Known) -> Iterator[tuple[Piece, Finding]]:
        """Variants beside a plain name that the release does not have and that decode to other bytes."""
        if entry.kept:
            return
        plain = entry.plain or entry
        for token in SUFFIXES:
            key = entry.logical + suffix(token)
            if token in plain.beside or key in self._taken or decoder_of(token) is None:
                continue
            if self._store.head(key) is not None:
                content = Variant(plain.size, plain.digest)
                piece = Piece(key, 0, plain.digest, token, content, beside=True, plain=True, holder=entry.logical)
                finding = look(self._store, piece, known)
                if finding is not None and finding.kind == "damaged":
                    what = "it is no variant of the file beside it, but web servers may send it as one"
                    yield piece, Finding("stale", what)

    def _note(self, job: _Job, piece: Piece, finding: Finding) -> None:
        if finding.kind == "re-encoded":
            self._encoded[piece.key] = None
            return
        if self._is_taken(job.entry, piece, finding):
            beside = piece.key.removesuffix(suffix(piece.coding))
            what = f"Shipfiles did not write what is there, but web servers may send it as {beside}, compressed"
            finding = Finding("taken", f"{what}: move it away")
        fault = Fault(piece.key, finding.kind, finding.what, (job.release,), piece=piece, entry=job.entry)
        if not piece.plain:
            # ManifestText that differ may have keys in common: sources of equal bytes, or files with other variants.
            known = self._by_key.setdefault((piece.key, finding.kind), fault)
            self._bad.setdefault(job.mark, []).append(known)
            if known is not fault:
                return
            if job.entry.kept and job.release != self.result.current and self._is_plain_of_current(piece.key):
                fault.what += ": a later release has another file of that name"
                fault.why_not = "the current release needs what is there"
        elif finding.kind == "stale" and not (piece.key in self._owned and self._given.ours(piece.key)):
            self.result.notes.append(f"{piece.key}: {finding.what}. No release has put it there; remove it yourself.")
            return
        elif not piece.beside and (other := self._keeper(piece.key)):
            what = f"left as it is: release {other} has the bytes that are there cached for ever under that name"
            self.result.notes.append(f"{piece.key}: {what}.")
            return
        self.result.faults.append(fault)

    def _is_taken(self, entry: Entry, piece: Piece, finding: Finding) -> bool:
        """Whether somebody else has put a file in the place of a variant beside a name that is not ours alone."""
        may_be_theirs = piece.beside and (piece.plain or entry.kept) and finding.kind in ("damaged", "missing")
        return may_be_theirs and not self._given.may_be_ours(piece.key, piece.size, piece.holder)

    @cached_property
    def _given(self) -> Given:
        return Given(self._store, trusting=Unsettled(self._store).found)

    @cached_property
    def _owned(self) -> frozenset[str]:
        return owned_keys(self._store, self._manifest_name, self._listener)

    def _is_plain_of_current(self, key: str) -> bool:
        current = self._survey.pointer and self._survey.records.get(self._survey.pointer.release)
        lines = read_lines(self._store, current) if current else None
        return isinstance(lines, ManifestText) and lines.names().get(key, key) != key

    @cached_property
    def _kept(self) -> dict[str, list[tuple[Entry, str]]]:
        """Names that a bundler gave, in any release that is there → the file, and the release."""
        found: dict[str, list[tuple[Entry, str]]] = {}
        for record in self._survey.records.values():
            lines = read_lines(self._store, record)
            if isinstance(lines, ManifestText):
                manifest = load(lines.body, lines.where, lazily=True)
                for logical, name in manifest.names().items():
                    if logical == name:
                        found.setdefault(name, []).append((manifest.entries[logical], record.release))
        return found

    def _keeper(self, key: str) -> str:
        """The release that has the bytes that are under ``key`` under a name that a bundler gave; empty if none."""
        try:
            there = digest_of(self._store, key)
        except StoreError:
            return ""
        return next((id_ for entry, id_ in self._kept.get(key, ()) if (entry.digest, entry.size) == there), "")

    def _confirm(self) -> None:
        """Drop the faults that are none any more."""
        result = self.result
        suspected = [fault for fault in result.faults if fault.piece is not None]
        if not suspected:
            return
        again = survey(self._store)
        moved = (again.pointer and again.pointer.release) != (self._survey.pointer and self._survey.pointer.release)
        gone = self._survey.records.keys() - again.records.keys()
        unfinished = Unsettled(self._store).found
        dropped = set()
        for fault in suspected:
            assert fault.piece is not None
            plain = fault.piece.plain
            if (plain and moved) or {*fault.releases} <= gone or still(self._store, fault) is None:
                dropped.add(id(fault))
            elif plain and unfinished:
                dropped.add(id(fault))
                result.unsettled.append(fault)
        result.faults = [fault for fault in result.faults if id(fault) not in dropped]
        if moved:
            result.notes.append("Another release became current meanwhile: its plain names were not looked at.")
        for release in sorted(gone & {*result.releases}):
            result.notes.append(f"The release {release} was pruned meanwhile.")

    def _tell_releases(self) -> None:
        """Say of each fault which releases have it: only the first was seen."""
        faults = {id(fault) for fault in self.result.faults}
        bad = {mark: kept for mark, some in self._bad.items() if (kept := [f for f in some if id(f) in faults])}
        if not bad:
            return
        for record in self._whole:
            lines = read_lines(self._store, record)
            if isinstance(lines, ManifestText):
                for mark, _ in marked(lines):
                    for fault in bad.get(mark, ()):
                        if record.release not in fault.releases:
                            fault.releases += (record.release,)


def still(store: Store, fault: Fault) -> Finding | None:
    """What is wrong now with the piece of ``fault``, if anything that is one."""
    assert fault.piece is not None
    finding = look(store, fault.piece, {})
    if finding is None or finding.kind == "re-encoded" or (fault.kind == "stale" and finding.kind == "missing"):
        return None
    return finding


def _some(names: Collection[str]) -> str:
    keys = list(names)
    return ", ".join(keys[:_SHOWN]) + (f" and {len(keys) - _SHOWN:,} more" if len(keys) > _SHOWN else "")
