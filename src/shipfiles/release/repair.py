"""Put right what verifying has found, from what is in the store itself, other places, or an encoder.

Only what is wrong at the moment when it is replaced is replaced, each key at one instant and by bytes that have been
compared with the manifest: killed at any moment, there are as many faults as before, or fewer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..build.compress import compressors
from ..config import Coding, CompressConfig
from ..decode import decoded
from ..digest import digest_bytes
from ..errors import ConfigError, KeyNotFound, ShipfilesError, StoreError
from ..events import Changed, Listener, Notice, ignore, phase
from ..manifest import line_entry
from ..model import Entry, Variant
from ..records import POINTER_KEY, dump_record, now
from ..stores.store import Copies, Settles, Store, read_all
from .deposit import spooled
from .fields import Fields, by_default
from .items import Item
from .lock import locked
from .outcome import size_of
from .parcel import NO_TIME, checked
from .pieces import Piece, pieces_of, plain_pieces_of
from .publish import record_of
from .supply import Supply
from .survey import Fault, django_manifest, read_lines, survey
from .text import ManifestText
from .unsettled import Unsettled
from .verify import Verified, still, verify

_ENCODERS: dict[str, Coding] = {"br": "br", "gzip": "gzip", "zstd": "zstd"}
# A record, its manifest, and a look at what those say.
_ROUNDS = 3
_WITHIN = "the store itself"
_NOWHERE = "its bytes are nowhere to be found"


def repair(
    store: Store,
    found: Verified,
    supplies: Sequence[Supply],
    config: CompressConfig,
    release: str = "",
    *,
    manifest_name: str = "staticfiles.json",
    fields: Fields = by_default,
    workers: int = 0,
    at_once: int = 0,
    listener: Listener = ignore,
) -> Verified:
    """What `verify` says of ``release``, or of all, after a repair of what it has ``found`` before.

    ``supplies`` are asked in turn for what the store does not have itself; ``config`` says how variants are compressed
    that nobody has, ``fields`` with which header fields what is put is answered. The others are as for `verify`. Raises
    `StoreError`; what cannot be repaired is no error.
    """
    if not (found.faults or found.unsettled):
        return found
    with locked(store, listener):
        unsettled = Unsettled(store)
        run = _Repair(store, supplies, config, manifest_name, fields, listener)
        fixed: list[Fault] = []
        # With a record a manifest may come to light that is missing, and with that the files.
        for _ in range(_ROUNDS):
            for fault in found.faults:
                if fault.piece is None and fault.key != manifest_name:
                    run.small(fault)
            if not any(fault.repaired for fault in found.faults):
                break
            fixed += [fault for fault in found.faults if fault.repaired]
            found = verify(
                store, release, manifest_name=manifest_name, workers=workers, at_once=at_once, listener=listener
            )
        # With the lock held, nothing is about to change by itself.
        found.faults += found.unsettled
        found.unsettled = []
        found.faults = [*fixed, *run.pieces(found.faults)]
        unsettled.end(found.current, all_of_them=not found.left)
    return found


class _Repair:
    """One run."""

    def __init__(
        self,
        store: Store,
        supplies: Sequence[Supply],
        config: CompressConfig,
        manifest_name: str,
        fields: Fields,
        listener: Listener,
    ) -> None:
        self._store = store
        self._supplies = supplies
        self._config = config
        self._manifest_name = manifest_name
        self._fields = fields
        self._listener = listener
        # By key, what went wrong when a repair was tried.
        self._reasons: dict[str, str] = {}

    # What tells of releases.

    def small(self, fault: Fault) -> None:
        """Repair a record, a manifest or Django's manifest."""
        try:
            if fault.key == POINTER_KEY:
                fault.why_not = "'manage.py ship activate ID' says which release is to be current"
            elif fault.key == self._manifest_name:
                self._django(fault)
            elif fault.manifest is not None:
                self._manifest(fault)
            else:
                self._record(fault)
        except StoreError as error:
            fault.why_not = error.what
        if not (fault.repaired or fault.why_not):
            fault.why_not = _NOWHERE

    def _manifest(self, fault: Fault) -> None:
        assert fault.manifest is not None
        for supply in self._supplies:
            body = supply.manifest(fault.manifest)
            if body is not None:
                self._put_small(fault, body, supply.name)
                return
        fault.why_not = "no other place has it. collectstatic makes it again from the sources of this release"

    def _record(self, fault: Fault) -> None:
        release = fault.releases[0]
        known = survey(self._store).records.get(release)
        if known is not None:
            lines = read_lines(self._store, known)
            if isinstance(lines, ManifestText):
                sizes = [size_of(line_entry(line)) for line in lines.files()]
                made = record_of(release, known.manifest, sizes, known.new_bytes)
                self._put_small(fault, dump_record(replace(made, made=known.made)), _WITHIN)
            return
        for supply in self._supplies:
            record = supply.record(release)
            if record is not None:
                # An archive has no times.
                record = replace(record, made=now()) if record.made == NO_TIME else record
                self._put_small(fault, dump_record(record), supply.name)
                return
        fault.why_not = "no other place has it. collectstatic makes it again from the sources of this release"

    def _django(self, fault: Fault) -> None:
        known = survey(self._store)
        record = known.records.get(known.pointer.release) if known.pointer else None
        lines = read_lines(self._store, record) if record else None
        if isinstance(lines, ManifestText):
            self._put_small(fault, django_manifest(lines), _WITHIN)

    def _put_small(self, fault: Fault, body: bytes, origin: str) -> None:
        self._store.put(fault.key, body)
        self._settle()
        self._tell(fault.key, len(body))
        fault.repaired = origin

    # Files.

    def pieces(self, faults: list[Fault]) -> list[Fault]:
        """Repair files and variants; the faults that were there, which say what became of them."""
        there = [fault for fault in faults if fault.piece is None or still(self._store, fault) is not None]
        for fault in there:
            if fault.kind == "taken":
                fault.why_not = "it is somebody else's"
        bad = [fault for fault in there if fault.piece is not None and not fault.why_not]
        plain = [fault for fault in bad if _of(fault)[0].plain]
        hashed = [fault for fault in bad if not _of(fault)[0].plain]
        files = [fault for fault in hashed if not _of(fault)[0].beside]
        variants = [fault for fault in hashed if _of(fault)[0].beside]
        # Nothing else in the store has their bytes, if not a variant or a file of that name.
        alone = [fault for fault in plain if not _of(fault)[0].holder and fault.kind != "stale"]
        steps: tuple[Callable[[], None], ...] = (
            partial(self._from_within, files),
            partial(self._supplied, files),
            partial(self._from_within, variants),
            partial(self._supplied, variants),
            partial(self._encoded, variants),
            partial(self._from_within, alone),
            partial(self._supplied, alone),
            partial(self._plain, plain),
        )
        with phase(self._listener, "repair", len(bad)) as progress:
            done = 0
            for step in steps:
                step()
                before, done = done, sum(bool(fault.repaired) for fault in bad)
                progress(done - before, 0)
            self._settle()
        for fault in bad:
            if fault.repaired and (finding := still(self._store, fault)) is not None:
                fault.repaired, fault.why_not = "", f"written, and yet {finding.kind} again"
            elif not (fault.repaired or fault.why_not):
                fault.why_not = self._reasons.get(fault.key, _NOWHERE)
        # Last, as in publishing.
        for fault in there:
            if fault.key == self._manifest_name and fault.piece is None:
                self.small(fault)
        return there

    def _from_within(self, faults: Iterable[Fault]) -> None:
        """From another key that has the same bytes, or from a variant of them."""
        for fault in faults:
            piece, entry = _of(fault)
            others = [*pieces_of(entry), *plain_pieces_of(entry, ())]
            for other in others:
                if other.key != piece.key and (other.digest, other.coding) == (piece.digest, piece.coding):
                    self._put(fault, self._store.read(other.key), _WITHIN)
            for other in others:
                if not piece.coding and other.content == Variant(piece.size, piece.digest):
                    self._put(fault, _decoded(self._store, other), _WITHIN)

    def _supplied(self, faults: Iterable[Fault]) -> None:
        """From other places."""
        left = {fault.key: fault for fault in faults if not (fault.repaired or fault.why_not)}
        for supply in self._supplies:
            wanted = {key: _of(fault)[0] for key, fault in left.items()}
            if not wanted:
                return
            try:
                for key, chunks in supply.parts(wanted):
                    if key in left:
                        self._put(left[key], chunks, supply.name)
                        if left[key].repaired:
                            del left[key]
            except ShipfilesError as error:
                self._listener(Notice(f"Nothing more is to be had from {supply.name}: {error}"))

    def _encoded(self, faults: Iterable[Fault]) -> None:
        """From an encoder: the bytes may be others than the manifest's if its settings are."""
        for fault in faults:
            piece, entry = _of(fault)
            coding = _ENCODERS.get(piece.coding)
            if fault.repaired or fault.why_not or piece.content is None or coding is None:
                continue
            spare = not piece.key.startswith(entry.name)
            body = read_all(self._store, piece.key[: piece.key.rindex(".")]) or b""
            if digest_bytes(body) != piece.content.digest:
                fault.why_not = "the file that it is a variant of could not be repaired either"
                continue
            try:
                (compressor,) = compressors(replace(self._config, codings=(coding,)), len(body), spare=spare)
            except ConfigError as error:
                fault.why_not = str(error)
                continue
            encoded = compressor.compress(body)
            made = replace(piece, size=len(encoded), digest=digest_bytes(encoded))
            self._put(fault, [encoded], "the file, compressed again", made)

    def _plain(self, faults: Sequence[Fault]) -> None:
        """Plain names, from the keys that have the same bytes for ever; a wrong variant never beside right bytes."""
        for fault in faults:
            if fault.kind in ("stale", "damaged") and _of(fault)[0].beside and not fault.repaired:
                self._store.delete([fault.key])
                self._listener(Changed(fault.key, "delete", 0, kind="stale"))
                fault.repaired = "removed" if fault.kind == "stale" else ""
        for fault in faults:
            piece, entry = _of(fault)
            if fault.kind == "stale" or fault.repaired:
                continue
            if not piece.holder:
                fault.why_not = fault.why_not or "no other place has it. To publish the release again brings it back"
                continue
            if still(self._store, Fault(piece.holder, "missing", "", piece=replace(piece, key=piece.holder))):
                fault.why_not = f"{piece.holder}, which has the same bytes, could not be repaired either"
                continue
            try:
                if isinstance(self._store, Copies):
                    self._store.copy(piece.holder, piece.key, fields=self._fields_of(piece, entry))
                    self._tell(piece.key, piece.size)
                    fault.repaired = _WITHIN
                else:
                    # A variant there may have other bytes than the manifest says; what it decodes to was looked at.
                    body = read_all(self._store, piece.holder) or b""
                    made = replace(piece, size=len(body), digest=digest_bytes(body))
                    self._put(fault, [body], _WITHIN, made)
            except StoreError as error:
                fault.why_not = error.what

    def _put(self, fault: Fault, chunks: Iterable[bytes], origin: str, made: Piece | None = None) -> None:
        """Put ``chunks`` under the key of ``fault``, if they are the bytes that belong there and it has others."""
        piece, entry = made or _of(fault)[0], _of(fault)[1]
        if fault.repaired or fault.why_not:
            return
        wrong = StoreError(piece.key, "other bytes than those that are wanted")
        try:
            proven = checked(chunks, Variant(piece.size, piece.digest), lambda: wrong)
            with spooled(piece.key, proven, piece.size) as body:
                fields = self._fields_of(piece, entry)
                self._write(fault, lambda: self._store.put(piece.key, body, digest=piece.digest, fields=fields))
        except ShipfilesError as error:
            # It is not to be had from there.
            if error is not wrong and not isinstance(error, KeyNotFound):
                self._reasons[fault.key] = str(error)
        if fault.repaired:
            fault.repaired = origin
            self._tell(piece.key, piece.size)

    def _fields_of(self, piece: Piece, entry: Entry) -> Mapping[str, str]:
        return self._fields(
            Item(
                piece.key, (), piece.size, piece.digest, entry.logical, entry.media_type, piece.coding, not piece.plain
            )
        )

    def _write(self, fault: Fault, put: Callable[[], object]) -> None:
        try:
            put()
        except StoreError as error:
            fault.why_not = error.what
        else:
            fault.repaired = "written"

    def _tell(self, key: str, size: int) -> None:
        self._listener(Changed(key, "write", size))

    def _settle(self) -> None:
        if isinstance(self._store, Settles):
            self._store.settle()


def _of(fault: Fault) -> tuple[Piece, Entry]:
    assert fault.piece is not None
    assert fault.entry is not None
    return fault.piece, fault.entry


def _decoded(store: Store, piece: Piece) -> Iterator[bytes]:
    """What a variant decodes to. Raises `StoreError` if it does not decode."""
    try:
        yield from decoded(store.read(piece.key), piece.coding)
    except ValueError as error:
        raise StoreError(piece.key, str(error)) from None
