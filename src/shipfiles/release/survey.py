"""What a store says of its releases, and whether that can be read and agrees: the small things that verifying begins
with."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..digest import Digest, digest_bytes
from ..errors import ManifestError, ReleaseError, StoreError
from ..manifest import dump_django, load_django
from ..model import Entry
from ..records import (
    MANIFESTS_PREFIX,
    POINTER_KEY,
    RELEASES_PREFIX,
    TO_DECIDE,
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
from ..stores.store import Store, read_all
from .pieces import Kind, Piece
from .text import ManifestText, text_of


@dataclass(slots=True)
class Fault:
    """Something that is not as it should be."""

    key: str
    kind: Kind
    what: str
    """For people; empty where the kind says all."""
    releases: tuple[str, ...] = ()
    """Ids of the releases that have it."""
    repaired: str = ""
    """What it was repaired from; empty if it was not."""
    why_not: str = ""
    """Why it was not, where it was tried."""
    piece: Piece | None = None
    entry: Entry | None = None
    """What it is a piece of; neither for what tells of releases."""
    manifest: Digest | None = None
    """The digest of the manifest that is missing or damaged."""


@dataclass(slots=True)
class Survey:
    """What there is to be verified."""

    pointer: Pointer | None
    records: dict[str, Record]
    """All that can be read, by id."""
    chosen: list[Record]
    """Those to be verified, the current one first, then the newest."""
    faults: list[Fault] = field(default_factory=list)
    nobodys: list[str] = field(default_factory=list)
    """The keys of manifests that no release has."""

    @property
    def current(self) -> Record | None:
        """The record of the current release, if it is one of the ``chosen``."""
        first = self.chosen[0] if self.chosen else None
        return first if first and self.pointer and first.release == self.pointer.release else None


def survey(store: Store, release: str = "") -> Survey:
    """What the pointer and the records say; of ``release`` alone if that is given.

    Raises `ReleaseError` if there is no release at all, `UnknownRelease` for one that is not there.
    """
    faults: list[Fault] = []
    body = read_all(store, POINTER_KEY)
    pointer = None
    try:
        pointer = None if body is None else load_pointer(body, POINTER_KEY)
    except ManifestError as error:
        faults.append(Fault(POINTER_KEY, "damaged", f"{said(error, POINTER_KEY)}. {TO_DECIDE}"))
    records, unread = _records(store)
    if not (records or unread or body):
        raise ReleaseError(f"There is no release in {store}. Run collectstatic.")
    if body is None:
        faults.append(Fault(POINTER_KEY, "missing", f"which release is current cannot be known. {TO_DECIDE}"))
    known = {*records, *(fault.releases[0] for fault in unread)}
    if pointer and pointer.release not in known:
        what = f"{POINTER_KEY} names it as the current release. {TO_DECIDE}"
        unread.append(Fault(record_key(pointer.release), "missing", what, (pointer.release,)))
        known.add(pointer.release)
    if release and release not in known:
        raise unknown_release(release, known, str(store))
    wanted = [record for record in records.values() if release in ("", record.release)]
    wanted.sort(key=lambda record: (record.made, record.release), reverse=True)
    wanted.sort(key=lambda record: pointer is None or record.release != pointer.release)
    faults += [fault for fault in unread if release in ("", *fault.releases)]
    had = {manifest_key(record.manifest) for record in records.values()}
    nobodys = (
        []
        if release or unread
        else sorted({stored.key for stored in store.list(MANIFESTS_PREFIX) if is_manifest_key(stored.key)} - had)
    )
    return Survey(pointer, records, wanted, faults, nobodys)


def _records(store: Store) -> tuple[dict[str, Record], list[Fault]]:
    records, faults = {}, []
    for stored in store.list(RELEASES_PREFIX):
        if (release := release_of(stored.key)) is None:
            continue
        try:
            body = read_all(store, stored.key)
            if body is not None:
                records[release] = load_record(body, release)
        except ManifestError as error:
            faults.append(Fault(stored.key, "damaged", said(error, stored.key), (release,)))
        except StoreError as error:
            faults.append(Fault(stored.key, "unreadable", error.what, (release,)))
    return records, faults


def read_lines(store: Store, record: Record) -> ManifestText | Fault:
    """The lines of the manifest of a release, or what is wrong with it."""
    key = manifest_key(record.manifest)

    def fault(kind: Kind, what: str) -> Fault:
        return Fault(key, kind, what, (record.release,), manifest=record.manifest)

    try:
        body = read_all(store, key)
    except StoreError as error:
        return fault("unreadable", error.what)
    if body is None:
        return fault("missing", "")
    if digest_bytes(body) != record.manifest:
        return fault("damaged", "it has other bytes than its release says")
    try:
        return text_of(body, key)
    except ManifestError as error:
        return fault("damaged", said(error, key))


def marked(lines: ManifestText) -> Iterator[tuple[bytes, bytes]]:
    """Each line, and what stands for it: the same in every manifest in which it means the same."""
    prefix = lines.flags.mark
    for line in lines.files():
        yield hashlib.blake2b(line, digest_size=16, key=prefix).digest(), line


def django_fault(store: Store, lines: ManifestText, release: str, manifest_name: str) -> Fault | None:
    """What is wrong with the manifest that stock Django reads, which must have the names of the current ``release``."""
    try:
        body = read_all(store, manifest_name)
        if body is None:
            return Fault(manifest_name, "missing", "", (release,))
        if body == lines.django_names() or load_django(body, manifest_name)[0] == lines.names():
            return None
    except StoreError as error:
        return Fault(manifest_name, "unreadable", error.what, (release,))
    except ManifestError as error:
        return Fault(manifest_name, "damaged", said(error, manifest_name), (release,))
    return Fault(manifest_name, "damaged", "it has other names than the current release", (release,))


def django_manifest(lines: ManifestText) -> bytes:
    """What it should be."""
    return lines.django_names() or dump_django(lines.names())


def said(error: ManifestError, key: str) -> str:
    """The error's text without what the fault says itself."""
    text = error.what.removesuffix(" Run collectstatic again.").removesuffix(".")
    return text.removeprefix(f"Couldn't load manifest '{key}': ").removeprefix(f"{key}: ").removeprefix("damaged: ")
