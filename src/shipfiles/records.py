"""What a store says of its releases: a small record for each, and the pointer to the current one.

::

    .shipfiles/current.json             which release is current, and which were before it
    .shipfiles/releases/<id>.json       the record of one release: when it was made, and which manifest it has
    .shipfiles/manifests/<digest>.json  a manifest, under the digest of its bytes; releases with equal files share it
    .shipfiles/plain/<digest>           the source's bytes of a file that was rewritten, to be put back under its plain
                                        name when the release is made current again
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any

from . import json_values
from .digest import Digest, digest_bytes, hex_prefix
from .errors import ManifestError, OtherRecord, ReleaseIdError, UnknownRelease, nearest_names
from .manifest import Manifest, check_schema, load, object_in
from .paths import RESERVED

SCHEMA = 1
"""The version of the format of records and the pointer. Readers refuse a newer one."""

POINTER_KEY = f"{RESERVED}/current.json"
"""Where a store says which release is current."""
RELEASES_PREFIX = f"{RESERVED}/releases/"
"""The beginning of the keys of all records."""
MANIFESTS_PREFIX = f"{RESERVED}/manifests/"
"""The beginning of the keys of all manifests."""
MOST_ACTIVATIONS = 500
"""So long is the pointer's history at most."""

TO_DECIDE = "'manage.py ship activate ID' makes a release the current one, and so does collectstatic."
"""What to do where it is not known which release is current."""

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")
_MANIFEST = re.compile(re.escape(MANIFESTS_PREFIX) + r"[0-9a-f]{32}\.json")
# Names that Windows has for devices, with whatever behind the first dot.
_DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Record:
    """One release: what it is called, when it was made, which manifest it has, and the sums of that."""

    release: str
    made: datetime
    """In UTC, whole seconds."""
    manifest: Digest
    """The digest of the manifest's bytes."""
    files: int = 0
    bytes: int = 0
    """Of its assets, uncompressed."""
    codings: Mapping[str, int] = field(default_factory=dict)
    """Content coding → bytes of the variants that its assets have."""
    new_bytes: int = 0
    """What the run that made it had to store, variants included."""


@dataclass(frozen=True, slots=True)
class Activation:
    """A release became the current one."""

    release: str
    at: datetime
    """In UTC, whole seconds."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A run began to change plain names."""

    run: str
    at: datetime
    """In UTC, whole seconds."""
    manifest: Digest | None = None
    """The digest of the manifest of the release that they are to be those of; ``None`` if it is not known."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Which release is current; ``history`` has it last."""

    history: tuple[Activation, ...]
    lost: datetime | None = None
    """When the history began anew because what was before could not be read: any release may have been current until
    then."""
    manifest: Digest | None = None
    """The digest of the current release's manifest, where the run that made it current has said it."""
    unsettled: tuple[Unfinished, ...] = ()
    """Runs that have begun to change plain names: these may be those of several releases."""
    settled: str = ""
    """The last run of them that has ended: who finds another here than at the beginning was not alone."""
    fields: str = ""
    """Stands for the options that all objects have their header fields by; empty if that is not known."""

    @property
    def release(self) -> str:
        """The id of the current release."""
        return self.history[-1].release

    def moved(self, release: str, at: datetime, manifest: Digest) -> Pointer:
        """The pointer after ``release``, which has that ``manifest``, has become current, if it was not."""
        moved = not self.history or self.release != release
        history = (*self.history, Activation(release, at))[-MOST_ACTIVATIONS:] if moved else self.history
        return replace(self, history=history, manifest=manifest)


def record_key(release: str) -> str:
    """The key of the record of ``release``."""
    return f"{RELEASES_PREFIX}{release}.json"


def manifest_key(manifest: Digest) -> str:
    """The key of the manifest whose bytes have the digest ``manifest``."""
    return f"{MANIFESTS_PREFIX}{hex_prefix(manifest, 32)}.json"


def release_of(key: str) -> str | None:
    """The release whose record has the key ``key``; ``None`` for a file that is there and none of ours."""
    release = key.removeprefix(RELEASES_PREFIX).removesuffix(".json")
    return release if record_key(release) == key and _ID.fullmatch(release) else None


def is_manifest_key(key: str) -> bool:
    """Whether ``key`` is that of a manifest, and not of a file that is there and none of ours."""
    return _MANIFEST.fullmatch(key) is not None


def content_id(manifest: Digest) -> str:
    """The id of a release that nobody has named: 16 hexadecimal digits of its manifest's digest."""
    return hex_prefix(manifest, 16)


def is_content_id(release: str) -> bool:
    """Whether ``release`` looks like an id that `content_id` gave."""
    return len(release) == 16 and set(release) <= set("0123456789abcdef")


def check_release_id(release: object, where: str) -> str:
    """``release`` if it can be an id: up to 100 letters, digits, ``.``, ``_``, ``-``. Raises `ReleaseIdError`.

    ``where`` says who gave it.
    """
    if not isinstance(release, str):
        raise ReleaseIdError(where, release, "it must be a string")
    if not release:
        raise ReleaseIdError(where, release, "it is empty")
    if not _ID.fullmatch(release):
        what = "it may have up to 100 ASCII letters, digits, '.', '_' and '-', begins with a letter or digit"
        raise ReleaseIdError(where, release, f"{what} and does not end with a dot")
    if release.partition(".")[0].casefold() == "current":
        raise ReleaseIdError(where, release, "'current' stands for the current release in 'manage.py ship'")
    if _DEVICES.fullmatch(release):
        raise ReleaseIdError(where, release, "some systems take files of that name for something else")
    return release


def now() -> datetime:
    """The time, as records have it."""
    return datetime.now(tz=UTC).replace(microsecond=0)


def dump_record(record: Record) -> bytes:
    """The record as bytes."""
    raw = {
        "schema": SCHEMA,
        "release": record.release,
        "made": moment_text(record.made),
        "manifest": record.manifest,
        "files": record.files,
        "bytes": record.bytes,
        "codings": dict(sorted(record.codings.items())),
        "new_bytes": record.new_bytes,
    }
    return (json.dumps(raw, indent=1) + "\n").encode()


def load_record(body: bytes, release: str) -> Record:
    """The record of ``release``. Raises `ManifestError` if it is damaged, newer, or that of another release."""
    where = record_key(release)
    raw = _readable(body, where, to_restore(release))
    try:
        record = Record(
            str(raw["release"]),
            _to_moment(raw["made"]),
            json_values.digest(raw["manifest"]),
            json_values.count(raw["files"]),
            json_values.count(raw["bytes"]),
            {str(token): json_values.count(size) for token, size in raw["codings"].items()},
            json_values.count(raw["new_bytes"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"{where}: damaged: {type(error).__name__}: {error}."
        raise ManifestError(what, to_restore(release)) from None
    if record.release != release:
        raise OtherRecord(where, record.release)
    return record


def dump_pointer(pointer: Pointer) -> bytes:
    """The pointer as bytes."""
    raw: dict[str, Any] = {
        "schema": SCHEMA,
        "release": pointer.release,
        "history": [[activation.release, moment_text(activation.at)] for activation in pointer.history],
    }
    if pointer.lost is not None:
        raw["lost"] = moment_text(pointer.lost)
    if pointer.manifest is not None:
        raw["manifest"] = pointer.manifest
    if pointer.settled:
        raw["settled"] = pointer.settled
    if pointer.fields:
        raw["fields"] = pointer.fields
    if pointer.unsettled:
        raw["unsettled"] = [[note.run, moment_text(note.at), note.manifest] for note in pointer.unsettled]
    return (json.dumps(raw, indent=1) + "\n").encode()


def load_pointer(body: bytes, where: str) -> Pointer:
    """The pointer in ``body``; ``where`` names it in errors. Raises `ManifestError`."""
    raw = _readable(body, where, TO_DECIDE)
    try:
        history = tuple(Activation(check_release_id(release, where), _to_moment(at)) for release, at in raw["history"])
        release = raw["release"]
        lost = _to_moment(raw["lost"]) if "lost" in raw else None
        manifest = json_values.digest(raw["manifest"]) if "manifest" in raw else None
        unsettled = tuple(_to_unfinished(note) for note in json_values.items(raw.get("unsettled", [])))
        settled = json_values.text(raw.get("settled", ""))
        fields = json_values.text(raw.get("fields", ""))
    except (KeyError, TypeError, ValueError, ReleaseIdError) as error:
        raise ManifestError(f"{where}: damaged: {type(error).__name__}: {error}.", TO_DECIDE) from None
    if not history or history[-1].release != release:
        raise ManifestError(f"{where}: damaged: its history does not end with {release!r}.", TO_DECIDE)
    return Pointer(history, lost, manifest, unsettled, settled, fields)


Read = Callable[[str], bytes | None]
"""Gives the body of a key, or ``None`` for a key that the store does not have."""


def read_pointer(read: Read) -> Pointer | None:
    """The pointer of a store; ``None`` if it has none. Raises `ManifestError`."""
    body = read(POINTER_KEY)
    return None if body is None else load_pointer(body, POINTER_KEY)


def read_record(read: Read, release: str) -> Record | None:
    """The record of ``release``; ``None`` if there is none. Raises `ManifestError`."""
    body = read(record_key(release))
    return None if body is None else load_record(body, release)


def read_manifest_body(read: Read, record: Record) -> bytes:
    """The bytes of the manifest of a release, certain to be those. Raises `ManifestError`."""
    return _certain(read(manifest_key(record.manifest)), record)


def _certain(body: bytes | None, record: Record) -> bytes:
    key = manifest_key(record.manifest)
    if body is None:
        raise ManifestError(f"{key}: missing, but release {record.release} has it.", to_restore(record.release))
    if digest_bytes(body) != record.manifest:
        what = f"{key}: damaged: its bytes do not have the digest that they had."
        raise ManifestError(what, to_restore(record.release))
    return body


def read_release(read: Read, release: str, *, lazily: bool = False) -> Manifest | None:
    """The manifest of ``release``; ``None`` if there is no such release. Raises `ManifestError`.

    ``lazily`` as for `load`.
    """
    record = read_record(read, release)
    if record is None:
        return None
    return load(read_manifest_body(read, record), manifest_key(record.manifest), lazily=lazily)


def read_current(read: Read, *, lazily: bool = False) -> tuple[str, Manifest] | None:
    """The id and the manifest of the current release of a store; ``None`` if it has none. Raises `ManifestError`.

    ``lazily`` as for `load`.
    """
    missing = None
    # A run with --clear may move the pointer and remove the old release between two reads; the pointer then tells of
    # the new one. A second such run in the same instant is as good as none.
    while True:
        pointer = read_pointer(read)
        if pointer is None:
            return None
        record = read_record(read, pointer.release)
        if record is not None:
            key = manifest_key(record.manifest)
            body = read(key)
            if body is not None or pointer.release == missing:
                return pointer.release, load(_certain(body, record), key, lazily=lazily)
        if pointer.release == missing:
            key = record_key(missing)
            raise ManifestError(f"{key}: missing, but {POINTER_KEY} names it. Run collectstatic again.")
        missing = pointer.release


def unknown_release(release: str, known: Iterable[str], where: str) -> UnknownRelease:
    """The error for a release that is not among the ``known``."""
    known = sorted(known)
    return UnknownRelease(release, nearest_names(release, known), where, known=bool(known))


def to_restore(release: str) -> str:
    """What to do where what tells of ``release`` is damaged or lost."""
    return (
        f"collectstatic from the code of the release {release} makes it again; 'manage.py ship verify --repair --from "
        "PLACE' takes it from an export or another store."
    )


def _to_unfinished(raw: object) -> Unfinished:
    run, at, manifest = json_values.items(raw)
    return Unfinished(json_values.text(run), _to_moment(at), None if manifest is None else json_values.digest(manifest))


def _readable(body: bytes, where: str, advice: str) -> dict[str, Any]:
    try:
        raw = object_in(body)
    except ValueError as error:
        raise ManifestError(f"{where}: damaged: {error}.", advice) from None
    check_schema(raw, where, SCHEMA)
    return raw


def moment_text(moment: datetime) -> str:
    """``moment`` as records and the pointer have it: ``2026-11-21T10:00:00Z``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _to_moment(text: Any) -> datetime:
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    if moment.year in (MINYEAR, MAXYEAR):
        # It would be in no year at all in some time zones.
        raise ValueError(f"{text!r} is no time of a release")
    return moment
