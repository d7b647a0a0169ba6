"""A release as one archive or one folder, and back into a store.

What is carried: the record, the manifest, every hashed name with its variants, and the kept sources of rewritten files
with theirs. The copies under plain names are left out of archives: each has the bytes of one of those.

Same files and same encodings, same bytes, whenever and wherever the release was made: the record that is carried has no
time and does not say what was new. Where it is imported it gets the time of the import, so that it is not pruned for
its age before anybody has activated it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO

from ..digest import Digest, looks_hashed
from ..errors import (
    ArchiveError,
    KeyExists,
    ManifestError,
    ReleaseError,
    ReleaseIdError,
    ReleaseTaken,
    ReleaseUnclear,
    StoreError,
    os_reason,
    printable,
)
from ..events import Listener, Notice, ignore
from ..manifest import Manifest, dump_django, load, load_line_by_line
from ..records import (
    POINTER_KEY,
    Activation,
    Pointer,
    Record,
    check_release_id,
    dump_pointer,
    dump_record,
    load_record,
    manifest_key,
    read_manifest_body,
    read_record,
    record_key,
)
from ..stores.local import LocalStore
from ..stores.store import Settles, Store, read_all
from . import tarball
from .catalog import record_of_release
from .deposit import Deposit
from .ids import refuse_twin
from .lock import locked
from .outcome import size_of
from .parcel import NO_TIME, Parcel, checked, parcel, parcel_of, plains_of
from .pointing import current_id
from .publish import record_of
from .unpack import Archive, Folder, Source

SUFFIXES = (".tar", ".tar.gz", ".tgz")
"""The ends of the names of archives; what ends otherwise is a folder."""
_OTHER_ARCHIVES = (".zip", ".gz", ".7z", ".rar", ".bz2", ".xz", ".zst", ".br", ".tbz2", ".txz", ".tzst", ".jar", ".whl")


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    release: str
    path: str
    files: int
    bytes: int
    """Of the files, as they are in the store."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an archive or folder."""

    release: str
    files: int
    written: int
    """Files that the store did not have."""
    bytes_written: int
    new: bool
    """Whether the store did not have this release before."""


def is_archive(path: str) -> bool:
    """Whether ``path`` has the name of an archive, rather than of a folder."""
    return path.lower().endswith(SUFFIXES)


def export_release(
    store: Store, release: str, path: str, *, manifest_name: str = "staticfiles.json", listener: Listener = ignore
) -> Exported:
    """Write ``release`` to ``path``: an archive if it is named like one, else a folder.

    A folder must not be there yet, or be empty; it is a store of its own, in which the release is current. An archive
    of the same release is replaced, any other file is left as it is. Neither is seen before it is whole. Raises
    `UnknownRelease`, `ManifestError`, `StoreError` and `ReleaseError`.
    """
    if not path:
        raise ReleaseError("Nothing was exported: the path to export to is empty.")
    if not is_archive(path) and path.lower().endswith(_OTHER_ARCHIVES):
        what = "ends as an archive of another kind does: a release is exported to a file that ends with"
        raise ReleaseError(f"{printable(path)} {what} .tar, .tar.gz or .tgz, or to a folder.")
    carried = parcel_of(store, record_of_release(store, release))
    if carried.manifest.linked:
        what = "was collected with --link: its plain names are links to sources, which are not exported"
        listener(Notice(f"The release {release} {what}."))
    if is_archive(path):
        with _replacing(path, release) as file:
            _write_archive(store, carried, tarball.Writer(file, compressed=path.lower().endswith((".gz", ".tgz"))))
    else:
        _write_folder(store, carried, path, manifest_name)
    return Exported(release, path, len(carried.files), carried.size)


def import_release(
    store: Store,
    path: str,
    *,
    release: str = "",
    manifest_name: str = "staticfiles.json",
    listener: Listener = ignore,
) -> Imported:
    """Put the release in the archive or folder ``path`` into ``store``; it does not become current.

    ``release`` chooses one of those in a folder: without it the only one, or the current one. Nothing in ``path`` is
    trusted: every byte has the digest that the manifest says, and the manifest that of the record, or nothing is
    imported. Raises `ArchiveError`, `ReleaseTaken`, `UnknownRelease`, `ManifestError` and `StoreError`.
    """
    if os.path.isdir(path):
        return _import(store, Folder(LocalStore(path), path, release), path, manifest_name, listener)
    with tarball.opened(path) as reader:
        return _import(store, Archive(reader, path, release), path, manifest_name, listener)


# Out.


def _write_archive(store: Store, carried: Parcel, writer: tarball.Writer) -> None:
    """What an import needs to know beforehand comes first, all else in the order of the names."""
    for key, body in carried.small:
        writer.begin(key, len(body))
        writer.write(body)
    for key, variant in carried.files.items():
        writer.begin(key, variant.size)
        for chunk in checked(carried.read(store, key), variant, partial(_other_bytes, key)):
            writer.write(chunk)
    writer.end()


def _write_folder(store: Store, carried: Parcel, path: str, manifest_name: str) -> None:
    path = os.path.abspath(path)
    made = _beside(path)
    try:
        if os.path.lexists(path) and (not os.path.isdir(path) or os.listdir(path)):
            what = "is there already: a release is exported to an empty or a new folder"
            raise ReleaseError(f"{printable(path)} {what}, or to a file that ends with .tar or .tar.gz.")
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            os.mkdir(made)
            _fill(store, carried, LocalStore(made), manifest_name)
            with suppress(FileNotFoundError):
                os.rmdir(path)
            os.rename(made, path)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise ReleaseError(f"{printable(path)}: cannot be written: {os_reason(error)}.") from error


def _fill(store: Store, carried: Parcel, target: LocalStore, manifest_name: str) -> None:
    """Put all of a release into the empty ``target`` and make it current there, in the order of publishing."""
    deposit = Deposit(target, ignore)
    with deposit:
        for key, variant in carried.files.items():
            deposit.put(key, checked(carried.read(store, key), variant, partial(_other_bytes, key)), variant)
    for key, _, source in plains_of(carried.manifest):
        target.copy(source, key)
    for key, body in reversed(carried.small):
        target.put(key, body)
    pointer = Pointer((Activation(carried.record.release, NO_TIME),), manifest=carried.record.manifest)
    target.put(POINTER_KEY, dump_pointer(pointer))
    if manifest_name:
        target.put(manifest_name, dump_django(carried.manifest.names()))
    target.settle()


@contextmanager
def _replacing(path: str, release: str) -> Iterator[BinaryIO]:
    """A new file that takes the place of ``path``, or of an archive of ``release`` there, when it is whole."""
    path = os.path.abspath(path)
    temporary = _beside(path)
    _refuse_other(path, release)
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        try:
            with open(temporary, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            # Again: to write all of it may have taken minutes.
            _refuse_other(path, release)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise ReleaseError(f"{printable(path)}: cannot be written: {os_reason(error)}.") from error


def _refuse_other(path: str, release: str) -> None:
    """Raise `ReleaseError` if something is at ``path`` that is no archive of ``release``."""
    if not os.path.lexists(path):
        return
    found = ""
    if os.path.isfile(path):
        with suppress(ArchiveError), tarball.opened(path) as reader:
            found, _, _ = Archive(reader, path, "").head()
    if found != release:
        what = f"holds the release {printable(found)}" if found else f"is no archive of the release {release}"
        raise ReleaseError(
            f"{printable(path)} is there already and {what}: it was left as it is. Move it away, or name another file "
            "with --to."
        )


def _beside(path: str) -> str:
    """A fresh name in the same folder."""
    return os.path.join(os.path.dirname(path), f".shipfiles-{os.urandom(6).hex()}-export")


def _other_bytes(key: str) -> StoreError:
    what = "its bytes are not those that the manifest says: it is damaged, or another release has compressed it with"
    return StoreError(key, f"{what} other settings since. 'manage.py ship verify --repair' may heal it")


# In.


def _import(store: Store, source: Source, path: str, manifest_name: str, listener: Listener) -> Imported:
    carried = received(source, path, manifest_name)
    record = carried.record
    with locked(store, listener):
        known = _known(store, carried, listener)
        if known is not None:
            return Imported(record.release, len(carried.files), 0, 0, new=False)
        damaged, is_whole = _state_of_record(store, record.release)
        with Deposit(store, listener) as deposit:
            for key, chunks in source.files(carried.files):
                variant = carried.files[key]
                what = f"damaged: {printable(key)} has other bytes than its manifest says"
                deposit.put(key, checked(chunks, variant, partial(ArchiveError, path, what)), variant)
            deposit.say_what_stays(carried)
        sizes = [size_of(entry) for entry in carried.manifest.entries.values()]
        now_made = record_of(record.release, record.manifest, sizes, deposit.bytes_written)
        _settle(store)
        if read_all(store, manifest_key(record.manifest)) != carried.body:
            store.put(manifest_key(record.manifest), carried.body)
        _settle(store)
        try:
            if not is_whole:
                store.put(record_key(record.release), dump_record(now_made), mode="overwrite" if damaged else "create")
        except KeyExists:
            # A store without locks, and another run at the same time: that was first.
            _known(store, carried, listener)
        _settle(store)
    return Imported(record.release, len(carried.files), len(deposit.written), deposit.bytes_written, new=True)


def received(source: Source, path: str, manifest_name: str) -> Parcel:
    """What ``source`` says that it holds. Raises `ArchiveError`."""
    release, record_body, body = source.head()
    try:
        check_release_id(release, "The record in it")
        record = load_record(record_body, release)
        carried = parcel(release, body, load_line_by_line(body, "its manifest"))
    except (ManifestError, ReleaseIdError) as error:
        text = error.what if isinstance(error, ManifestError) else str(error)
        what = text.removesuffix(" Run collectstatic again.").removesuffix(".")
        raise ArchiveError(path, f"damaged: {what}") from None
    if carried.record.manifest != record.manifest:
        raise ArchiveError(path, "damaged: its manifest has not the digest that its record says")
    if any(of is not None and of.stored for entry in carried.manifest.entries.values() for of in (entry, entry.plain)):
        what = "its files are stored in a content coding, for a store that says so to browsers"
        raise ArchiveError(path, f"{what}: export the release from there, or from where it was built")
    claimed = {*carried.manifest.keys()}
    if manifest_name and any(key == manifest_name or key.startswith(manifest_name + "/") for key in claimed):
        raise ArchiveError(path, f"it has a file in the place of {manifest_name}, which is Django's manifest here")
    for entry in carried.manifest.entries.values():
        if not entry.kept and not looks_hashed(entry.name):
            what = f"{printable(entry.logical)} has the name {printable(entry.name)}, which is no hashed name"
            raise ArchiveError(path, f"damaged: {what}, nor its own")
    return carried


def _known(store: Store, carried: Parcel, listener: Listener) -> Record | None:
    """The record of the release if ``store`` has it; ``None`` if it does not, or if it cannot be read.

    Raises `ReleaseTaken` if the release of that id has other files, or if that cannot be told.
    """
    release, read = carried.record.release, partial(read_all, store)
    refuse_twin(store, release)
    try:
        record = read_record(read, release)
    except ManifestError as error:
        if release == current_id(store):
            raise ReleaseUnclear(release, error.what) from error
        listener(Notice(f"The record of this release was made anew. {error}"))
        return None
    if record is None:
        return None
    try:
        if record.manifest == carried.record.manifest:
            read_manifest_body(read, record)
            return record
        theirs = _files_only(load(read_manifest_body(read, record), manifest_key(record.manifest)))
    except ManifestError as error:
        if record.manifest != carried.record.manifest:
            raise ReleaseUnclear(release, error.what) from error
        listener(Notice(f"The manifest of this release was put back. {error}"))
        return None
    ours = _files_only(carried.manifest)
    different = sorted(logical for logical in {*ours, *theirs} if ours.get(logical) != theirs.get(logical))
    if different:
        raise ReleaseTaken(release, f"{record.made:%Y-%m-%d %H:%M} UTC", different)
    listener(Notice(f"The release {release} is there with the same files in other encodings, which stay."))
    return record


def _state_of_record(store: Store, release: str) -> tuple[bool, bool]:
    """Whether there is a record of ``release``, and whether it can be read: then it is that of the same manifest."""
    try:
        record = read_record(partial(read_all, store), release)
    except ManifestError:
        return True, False
    return record is not None, record is not None


def _files_only(manifest: Manifest) -> dict[str, tuple[str, Digest, Digest]]:
    return {e.logical: (e.name, e.digest, (e.plain or e).digest) for e in manifest.entries.values()}


def _settle(store: Store) -> None:
    if isinstance(store, Settles):
        store.settle()
