"""The storage of static files, which inherits from ``Storage`` alone."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import Storage

from ..digest import Digest, Digester, hashed_name, hex_prefix
from ..errors import MissingEntry, ReleaseError, ShipfilesError, nearest_names
from ..manifest import DJANGO_VERSION, Manifest, dump_django, load_django, names_hash
from ..paths import path_and_rest, url_quote
from ..serve.following import Following
from ..serve.origins import Origin, Remote
from ..serve.using import Used
from ..stores.local import LocalStore
from . import conf, finding, kinds, own_release, static_urls
from .contents import body_of, chunks_of
from .django_storages import Kind
from .files import Files, FolderFiles, RemoteFiles

logger = logging.getLogger("shipfiles")

_UNREAD = "unread"


class _Choosing:
    """A lock of the process, not of the storage, which people copy and pickle."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.lock = threading.RLock()
        self.asking = threading.Lock()
        """Held by the thread that asks once more for a first release."""


_choosing = _Choosing()
if hasattr(os, "register_at_fork"):
    # A lock that another thread held when the process forked would never be free again in the child.
    os.register_at_fork(after_in_child=_choosing.renew)


class StaticStorage(Storage):
    """Static files under hashed names: a view of the current release, and the way to make one.

    Stands where ``ManifestStaticFilesStorage`` stands, with the attributes of it that code in the wild uses. The
    release is read once, when the first name is asked for, and stays for the life of the process, unless
    OPTIONS["serve"]["follow_current"] has it otherwise. While a store over the network has none, nor names that another
    storage wrote, it is asked again every five seconds at most.
    """

    manifest_version = DJANGO_VERSION
    manifest_name: str
    manifest_strict: bool

    kind: ClassVar[Kind | None] = None
    """The options of the store that releases are used from; ``None`` if that is the folder in which they are built."""

    def __init__(self, **options: Any) -> None:
        self.config = conf.config_of(type(self), options)
        # A subclass may set these two on the class, as with Django's own storage.
        stated = conf.with_whitenoise(options)
        given = {"manifest_name": self.config.manifest_name, "manifest_strict": self.config.manifest_strict}
        for name, value in given.items():
            if name in stated or not hasattr(type(self), name):
                setattr(self, name, value)
        self._used: Used | str | None = _UNREAD
        self._following: Following | None = None
        self._asks_at = 0.0
        self._names: dict[str, str] | None = None
        self._names_hash: str | None = None
        self._quoted: dict[str, str] = {}
        self._reported: set[str] = set()

    # Where it is.

    @property
    def location(self) -> str | None:
        """The folder in which releases are built, and from which they are used unless `remote` is another place;
        ``None`` if STATIC_ROOT is not set.
        """
        return os.path.abspath(self.config.location) if self.config.location else None

    @property
    def base_location(self) -> str | None:
        """The folder of the releases as the settings give it."""
        return self.config.location

    @property
    def base_url(self) -> str | None:
        """The URL at which browsers find the files, STATIC_URL by default."""
        return static_urls.base_url(self.config)

    @cached_property
    def store(self) -> LocalStore:
        """The store in which releases are built. Raises ``ImproperlyConfigured`` if STATIC_ROOT is not set."""
        return conf.static_store(self.config)

    @property
    def remote(self) -> Remote | None:
        """The store that releases are sent to and used from; ``None`` if that is the folder in which they are built."""
        return self.config.remote if isinstance(self.config, conf.RemoteConfig) else None

    @cached_property
    def _files(self) -> Files:
        return FolderFiles(self.path) if self.remote is None else RemoteFiles(self.remote)

    @property
    def where(self) -> str | None:
        """The place from which releases are used, as people know it; ``None`` if there is none."""
        return self.config.location if self.remote is None else self.remote.where

    # Names.

    @property
    def used(self) -> Used | None:
        """The release that this process uses, or that this request is answered from; ``None`` if there is none yet.

        Raises `ReleaseError` if it is to use one that is not there, and `ManifestError` if that is damaged.
        """
        used = self._used
        if isinstance(used, str):
            with _choosing.lock:
                used = self._used
                if isinstance(used, str):
                    used = self._use(own_release.release_to_use(self.config))
                    self._asks_at = time.monotonic() + Remote.PAUSE
        elif used is None and self._following is None and self.remote is not None:
            used = self._used_by_now()
        return used if self._following is None else self._following.used()

    def _used_by_now(self) -> Used | None:
        """The first release, if there is one by now; asked by one thread at most every `Remote.PAUSE` seconds.

        Not where the manifest of stock Django gives names: pages work, and are of one release for the process's life.
        Raises as `used`.
        """
        stock: tuple[dict[str, str], str] | None = vars(self).get("_stock")
        # Another process, to which this was pickled, has another clock.
        waits = 0.0 < self._asks_at - time.monotonic() <= Remote.PAUSE
        if waits or (stock and stock[0]) or not own_release.asks_remote(self.config):
            return None
        if not (asking := _choosing.asking).acquire(blocking=False):
            return None
        try:
            used = self._used
            if used is None:
                used = own_release.release_to_use(self.config)
                if used is not None:
                    self._used = used  # before the rest: what another thread keeps meanwhile of the names is let go of
                    self._names_hash = None
                    self._quoted = {}
                # Not after an error, for which `Remote` waits itself.
                self._asks_at = time.monotonic() + Remote.PAUSE
            return None if isinstance(used, str) else used
        finally:
            asking.release()

    @property
    def following(self) -> Following | None:
        """What follows the current release, if the options say so."""
        _ = self.used
        return self._following

    @property
    def release(self) -> Manifest | None:
        """The manifest of the release that this process uses, as `used`."""
        return self.used.manifest if self.used else None

    @property
    def release_id(self) -> str:
        """The id of the release that this process uses; empty with ``DEBUG``, where there is none, and before the
        first.
        """
        return "" if settings.DEBUG or self.used is None else self.used.release

    def adopt(self, release: str, manifest: Manifest) -> None:
        """Use this release from now on: this process has just published it."""
        self.forget()
        self._use(Used(release, manifest, "just published"))

    def _use(self, used: Used | None) -> Used | None:
        if self._following is not None:
            # The same that the applications of this process have: pages and their files are of one release.
            self._following.adopt(used)
        elif self.config.serve.follow_current and (origin := self._origin()) is not None:
            self._following = Following(origin, used)
        self._used = used
        return used

    def _origin(self) -> Origin | None:
        """What is followed."""
        if self.remote is None or own_release.asks_remote(self.config):
            return own_release.origin_of(self.config)
        return None

    def forget(self) -> None:
        """Read the release again when it is needed: this process has just published another."""
        self._names = self._names_hash = None
        self._quoted = {}
        vars(self).pop("_stock", None)
        self._used = _UNREAD

    @property
    def hashed_files(self) -> dict[str, str]:
        """Logical path → hashed name: of the release, or else of the ``staticfiles.json`` that stock Django wrote."""
        if self._names is not None:
            return self._names
        used = self.used
        names = self._stock[0] if used is None else used.all_names
        if self._following is None and used is not None:
            self._names = names
        return names

    @hashed_files.setter
    def hashed_files(self, names: dict[str, str]) -> None:
        self._names = names
        self._quoted = {}

    @hashed_files.deleter
    def hashed_files(self) -> None:
        self._names = None
        self._quoted = {}

    @property
    def _known(self) -> Mapping[str, str]:
        """As `hashed_files`, but no name is made before it is asked for."""
        if self._names is not None:
            return self._names
        used = self.used
        return self._stock[0] if used is None else used.names

    @property
    def manifest_hash(self) -> str:
        """A short hash of all names; empty before the first ``collectstatic``."""
        if self._names_hash is None:
            return self._stock[1] if self.used is None else names_hash(self.hashed_files)
        return self._names_hash

    @manifest_hash.setter
    def manifest_hash(self, text: str) -> None:
        self._names_hash = text

    @cached_property
    def _stock(self) -> tuple[dict[str, str], str]:
        found = self.load_manifest() if self.config.location or self.remote else ({}, "")
        if found[0]:
            logger.info("There is no release in %s yet: names are those of %s there.", self.where, self.manifest_name)
        return found

    def url(self, name: str | None, force: bool = False) -> str:
        """The URL of the logical path ``name``; with ``DEBUG`` the plain one, unless ``force``.

        A query and a fragment stay as they are. Raises ``ValueError`` (`MissingEntry`) for a name that the release
        does not have, unless ``manifest_strict`` is off and a file with that plain name is there; with ``DEBUG`` and
        in tests for a name that no finder has, unless ``check_names`` is off.
        """
        name = str(name or "")
        if settings.DEBUG and not force:
            return self._source_url(name)
        quoted = self._quoted.get(name)
        if quoted is None or self._following is not None:
            quoted = self._quote(name)
        if quoted is not None:
            return self._based(quoted)
        path, rest = path_and_rest(name, self._has)
        # A folder is not hashed: templates put file names behind it.
        return self._absolute(path if path.endswith("/") else self._stored(path)) + rest

    def _quote(self, name: str) -> str | None:
        """The hashed name of the logical path ``name``, quoted and kept; ``None`` if there is none."""
        names: Mapping[str, str] | None = self._names
        kept = self._quoted
        if names is None:
            used = self.used
            names = self._stock[0] if used is None else used.names
            if used is not None and self._following is not None:
                kept = used.quoted
        quoted = kept.get(name)
        if quoted is None and (stored := names.get(name)) is not None:
            quoted = kept[name] = url_quote(stored)
        return quoted

    def _source_url(self, name: str) -> str:
        path, rest = path_and_rest(name, self._source_exists)
        if self.config.check_names and not path.endswith("/") and not self._source_exists(path):
            raise self._missing(path, "no finder has it", finding.source_names())
        return self._based(url_quote(path.lstrip("/")), static_urls.source_url(self.config)) + rest

    def stored_name(self, name: str) -> str:
        """The hashed name of the logical path ``name``, with the query and fragment that came with it."""
        path, rest = path_and_rest(str(name), self._has)
        return self._stored(path) + rest

    def hashed_name(self, name: str, content: Any = None, filename: str | None = None) -> str:
        """What ``name`` would be called with ``content``, a Django file; without, with the file that is there."""
        path, rest = path_and_rest(name, self._has)
        if content is None:
            with self.open(filename or path) as found:
                return self.hashed_name(name, found)
        return hashed_name(path, _digest_of(content)) + rest

    def file_hash(self, name: str | None, content: Any = None) -> str | None:
        """The part of a hashed name that depends on ``content``; ``None`` without content."""
        return None if content is None else hex_prefix(_digest_of(content))

    def clean_name(self, name: str) -> str:
        """``name`` with slashes between its parts."""
        return name.replace("\\", "/")

    def hash_key(self, name: str) -> str:
        """The key of ``name`` in `hashed_files`: the name itself."""
        return name

    def _stored(self, path: str) -> str:
        found = self._known.get(path)
        if found is not None:
            return found
        # Of a store over the network no release is known in tests: without the check there would be no name at all.
        testing = conf.in_tests() and (self.config.check_names or self.remote is not None)
        if testing and self._source_exists(path):
            # Tests run with DEBUG off and, as a rule, without collectstatic: the finders answer, with plain names.
            return path
        if self.manifest_strict:
            if testing:
                raise self._missing(path, "no finder has it", finding.source_names())
            where = "" if self._known else f"there is no release in {self.where}; run collectstatic"
            raise self._missing(path, where, self._known)
        out_of_reach = self.remote is not None and not own_release.asks_remote(self.config)
        if not self.where or out_of_reach or not self.exists(path):
            raise ValueError(f"The file '{path}' could not be found with {self!r}.")
        if path not in self._reported:
            self._reported.add(path)
            logger.warning("Static file '%s' is not in the release; its plain URL is used.", path)
        return path

    def _source_exists(self, name: str) -> bool:
        return finding.source_exists(name, conf.root_folder(self.config))

    def _has(self, name: str) -> bool:
        return name in self._known or (conf.in_tests() and self._source_exists(name))

    def _missing(self, path: str, where: str, known: Any) -> MissingEntry:
        return MissingEntry(path, nearest_names(path, known), where)

    def _absolute(self, path: str) -> str:
        return self._based(url_quote(path.lstrip("/")))

    def _based(self, quoted: str, base: str | None = None) -> str:
        base = base or self.base_url
        if base is None:
            raise ValueError("This file is not accessible via a URL: STATIC_URL is not set.")
        return base + quoted

    # Django's manifest.

    def read_manifest(self) -> str | None:
        """The text of ``staticfiles.json``; ``None`` if there is none."""
        if self.remote is not None:
            try:
                body = self.remote.read(self.manifest_name) if own_release.asks_remote(self.config) else None
            except ReleaseError as error:
                # As a rule there was none, and who may read releases alone is not even told so.
                raise ReleaseError(
                    f"There is no release in {self.where} yet: run collectstatic. Nor can the manifest of another "
                    f"storage be read there. {error}"
                ) from None
            return None if body is None else body.decode()
        try:
            with open(self.path(self.manifest_name), "rb") as manifest:
                return manifest.read().decode()
        except FileNotFoundError:
            return None

    def load_manifest(self) -> tuple[dict[str, str], str]:
        """Logical path → hashed name, and the hash, of ``staticfiles.json``. Raises ``ValueError`` if it is damaged."""
        text = self.read_manifest()
        return ({}, "") if text is None else load_django(text.encode(), self.manifest_name)

    def save_manifest(self) -> None:
        """Write `hashed_files` as ``staticfiles.json``."""
        self._refuse_far("writes")
        self.manifest_hash = names_hash(self.hashed_files)
        self.store.put(self.manifest_name, dump_django(self.hashed_files))

    # Files.

    def path(self, name: str) -> str:
        """Where ``name`` is on this disk. Raises ``SuspiciousFileOperation`` for a name outside of the folder, and
        ``NotImplementedError`` if the files are in a store far away.
        """
        if self.remote is not None:
            raise NotImplementedError(f"The files are in {self.remote.where}, not on this disk.")
        store = self.store
        relative = os.path.relpath(os.path.join(store.root, name), store.root).replace(os.sep, "/")
        if relative == ".":
            return store.root
        if os.path.isabs(relative) or relative == ".." or relative.startswith("../") or "\0" in name:
            raise SuspiciousFileOperation(f"The joined path of {name!r} is located outside of {store.root}")
        return store.path(relative)

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder ``name``."""
        return self._files.exists(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Folders and files in the folder ``path``, without what belongs to Shipfiles alone."""
        return self._files.listdir(path)

    def size(self, name: str) -> int:
        """Size of ``name`` in bytes."""
        return self._files.size(name)

    def delete(self, name: str) -> None:
        """Remove ``name``; nothing happens if it is not there."""
        if not name:
            raise ValueError("The name must be given to delete().")
        self._refuse_far("removes")
        path = self.path(name)
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
            return
        self.store.delete([self._key(path)])

    def _refuse_far(self, does: str) -> None:
        """Raise ``NotImplementedError`` if the files are in a store far away, where only releases change anything."""
        if self.remote is not None:
            from .far import OnlyReleases  # what it inherits from is a command's, which a web process does without

            raise OnlyReleases(does, self.remote.where)

    def get_accessed_time(self, name: str) -> datetime:
        """When ``name`` was last read."""
        return self._files.accessed(name)

    def get_created_time(self, name: str) -> datetime:
        """When ``name`` was made, or its metadata changed, as the system says."""
        return self._files.created(name)

    def get_modified_time(self, name: str) -> datetime:
        """When ``name`` was last written."""
        return self._files.modified(name)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:
        """``name`` itself: static files are replaced, never given another name."""
        return str(name).replace("\\", "/")

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        if mode.strip("bt") != "r":
            raise ValueError(f"Static files are opened for reading; write them with save(), not with mode {mode!r}.")
        return self._files.open(name, mode)

    def _save(self, name: str, content: File[Any]) -> str:
        self._refuse_far("writes")
        key = self._key(self.path(name))
        if hasattr(content, "seek") and getattr(content, "seekable", lambda: True)():
            content.seek(0)
        with body_of(content) as body:
            self.store.put(key, body)
        return key

    def _key(self, path: str) -> str:
        return os.path.relpath(path, self.store.root).replace(os.sep, "/")

    # Collecting with Django's own command.

    def post_process(
        self, paths: dict[str, tuple[Storage, str]], dry_run: bool = False, **options: Any
    ) -> Iterator[tuple[str, str | None, bool | Exception]]:
        """Publish a release of ``paths``, as Django's own ``collectstatic`` asks for after it has copied them.

        Yields ``(logical path, hashed name, whether it was written)``, and one failure instead if there is one.
        Raises ``NotImplementedError`` if the files are in a store far away: that command could write none there.
        """
        self._refuse_far("writes")
        if dry_run:
            return
        from .collect import collect_found

        try:
            processed = {*collect_found(self, paths).post_processed}
        except ShipfilesError as error:
            yield "All", None, error
            return
        for logical, name in self.hashed_files.items():
            yield logical, name, logical in processed


def _digest_of(content: Any) -> Digest:
    """The digest of a Django file."""
    digester = Digester()
    for chunk in chunks_of(content):
        digester.update(chunk)
    return digester.digest()


class S3StaticStorage(StaticStorage):
    """Releases in an S3 bucket, or in one of what speaks S3; options and settings in django-storages' words.

    Stands where ``storages.backends.s3.S3StaticStorage`` and ``S3ManifestStaticStorage`` stand.
    """

    kind = kinds.S3


class GoogleStaticStorage(StaticStorage):
    """Releases in a bucket of Google Cloud Storage; options and settings in django-storages' words.

    Stands where ``storages.backends.gcloud.GoogleCloudStorage`` stands.
    """

    kind = kinds.GOOGLE


class AzureStaticStorage(StaticStorage):
    """Releases in a container of Azure Blob Storage; options and settings in django-storages' words.

    Stands where ``storages.backends.azure_storage.AzureStorage`` stands.
    """

    kind = kinds.AZURE


class SFTPStaticStorage(StaticStorage):
    """Releases in a folder of a server of one's own, over SSH; options and settings in django-storages' words.

    Stands where ``storages.backends.sftpstorage.SFTPStorage`` stands.
    """

    kind = kinds.SFTP
