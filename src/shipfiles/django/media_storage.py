"""The storage of media files."""

from __future__ import annotations

import errno
import io
import os
import posixpath
import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar, Self
from urllib.parse import unquote, urlencode, urljoin, urlsplit

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.utils import validate_file_name
from django.core.signals import setting_changed
from django.utils import timezone
from django.utils._os import safe_join
from django.utils.encoding import filepath_to_uri
from django.utils.functional import Promise

from ..digest import Digest
from ..errors import KeyExists, KeyNotFound
from ..media.config import MediaConfig
from ..media.inspecting import Hook, inspect_upload, inspection_hooks
from ..media.links import secure_link_query, signed_query
from ..media.naming import KEY_BYTES, alternative, proposed
from ..media.safety import check_upload, media_type_of, stored_fields
from ..media_types import DEFAULT, media_type
from ..paths import RESERVED, is_temporary
from ..regular import open_regular
from ..stores.local import LocalStore
from ..stores.store import Body, Folders, PutMode, Signs, Store, Stored
from ..stores.store import digest_of as digest_there
from .media_alias import Deconstructed, deconstructed
from .media_async import AsyncStorage
from .media_bodies import as_django, digest_of, head_of, media_body, missing, remove, share_group, size_of
from .media_conf import PlacedMedia, link_keys, media_config, media_store
from .media_files import MediaFile, Reader, opened_in_place, part_of
from .media_kinds import MediaKind
from .media_spool import Spool, checked_mode
from .media_urls import granted, saved_only

_TRIES = 100
_POSITIONAL = ("location", "base_url", "file_permissions_mode", "directory_permissions_mode", "allow_overwrite")
"""The arguments of Django's ``FileSystemStorage``, in order."""
_PLACES = frozenset({"MEDIA_ROOT", "FILE_UPLOAD_PERMISSIONS", "FILE_UPLOAD_DIRECTORY_PERMISSIONS"})
"""Settings that decide where files are kept on disk, and how."""


_PLACE_OPTIONS = frozenset({
    "location", "store", "store_options", "file_permissions_mode", "directory_permissions_mode",
})  # fmt: skip
"""Options that decide where files are kept, and how."""
_OF_SETTINGS = frozenset({
    "base_location", "location", "base_url", "file_permissions_mode", "directory_permissions_mode", "link_keys",
})  # fmt: skip
_CACHED = _OF_SETTINGS | {"config", "_store", "_signs", "_hooks"}


class _Making:
    """A lock of the process, not of the storage, which people copy and pickle."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        self.lock = threading.RLock()


_making = _Making()
if hasattr(os, "register_at_fork"):
    # A lock that another thread held when the process forked would never be free again in the child.
    os.register_at_fork(after_in_child=_making.renew)


# Of the save that is going on, for `MediaStorage._save`, which Django gives only a name and the content.
_max_length: ContextVar[int | None] = ContextVar("max_length", default=None)


class MediaStorage(AsyncStorage):
    """Uploads on disk, in a bucket or on another server, with the same behaviour everywhere.

    Stands where ``FileSystemStorage`` stands, with its attributes and arguments. A file is never replaced by another
    that is saved under its name, also if both are saved at one instant, unless ``overwrite`` says so. It is there whole
    or not at all.
    """

    kind: ClassVar[MediaKind | None] = None
    config: MediaConfig

    def __init__(self, *arguments: Any, **options: Any) -> None:
        given = dict(zip(_POSITIONAL, arguments, strict=False))
        if len(arguments) > len(_POSITIONAL) or given.keys() & options.keys():
            raise TypeError(f"{type(self).__qualname__}() takes {', '.join(_POSITIONAL)}, each once, and options.")
        self._options = given | options
        self._shares: MediaStorage | None = None
        # A lazy URL cannot be asked for yet: the project's URLs may not be there.
        lazy = isinstance(self._options.get("base_url"), Promise)
        known = {name: value for name, value in self._options.items() if name != "base_url" or not lazy}
        self.config = media_config(type(self), known)
        setting_changed.connect(self._forget)

    # Where it is.

    @cached_property
    def base_location(self) -> str:
        """The folder of the files as the settings give it; of a store elsewhere, what it is called."""
        if self.config.store is not None:
            return self.store.root if isinstance(self.store, LocalStore) else str(self.store)
        return settings.MEDIA_ROOT if self.config.location is None else self.config.location

    @cached_property
    def location(self) -> str:
        """The folder of the files; of a store elsewhere, what it is called."""
        return os.path.abspath(self.base_location) if self.config.store is None else self.base_location

    @cached_property
    def base_url(self) -> str | None:
        """The URL below which browsers find the files."""
        url = self.config.base_url
        if isinstance(lazy := self._options.get("base_url"), Promise):
            url = str(lazy)
        if url is None:
            return settings.MEDIA_URL
        return url if url.endswith("/") else f"{url}/"

    @cached_property
    def file_permissions_mode(self) -> int | None:
        """Permissions of new files; ``None`` leaves them to the umask."""
        given = self.config.file_permissions_mode
        return settings.FILE_UPLOAD_PERMISSIONS if given is None else given

    @cached_property
    def directory_permissions_mode(self) -> int | None:
        """Permissions of new folders; ``None`` leaves them to the umask."""
        given = self.config.directory_permissions_mode
        return settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS if given is None else given

    @property
    def store(self) -> Store:
        """The store in which the files are."""
        if self._shares is not None:
            return self._shares.store
        store: Store | None = vars(self).get("_store")
        if store is None:
            with _making.lock:  # of one in memory there must not be two
                store = vars(self).get("_store")
                if store is None:
                    store = self._store = media_store(self.config, self)
        return store

    @property
    def _is_local(self) -> bool:
        return isinstance(self.store, LocalStore)

    def _forget(self, **signal: Any) -> None:
        """Take up a setting that a test has changed."""
        for name in _OF_SETTINGS:
            vars(self).pop(name, None)
        if signal["setting"] in _PLACES and self.config.store is None:
            vars(self).pop("_store", None)

    # Names.

    def key(self, name: str) -> str:
        """What ``name`` is called in the store; empty for the folder of all files.

        Raises ``SuspiciousFileOperation`` for a name that leads elsewhere, and for one that belongs to Shipfiles.
        """
        text = str(name).replace("\\", "/")
        if os.path.isabs(text) and self._is_local:
            # As Django's: the full path of one of the files is a name, too.
            text = os.path.relpath(safe_join(self.location, text), self.location).replace(os.sep, "/")
        key = posixpath.normpath(text) if text else "."
        if key == "..":
            key = "../"
        if key.startswith(("/", "../")) or "\0" in key:
            raise SuspiciousFileOperation(f"Detected path traversal attempt in {name!r}")
        # Of a store's unfinished files there may be some in every folder.
        parts = key.split("/")
        if _is_ours(parts[0], top=True) or any(map(is_temporary, parts)):
            raise SuspiciousFileOperation(f"{name!r} is a name that Shipfiles keeps for itself")
        return "" if key == "." else key

    def path(self, name: str) -> str:
        """Where ``name`` is on this disk. Raises ``NotImplementedError`` if the files are elsewhere."""
        if not isinstance(self.store, LocalStore):
            raise NotImplementedError(f"The files are in {self.store}, not on this disk.")
        key = self.key(name)
        return self.store.path(key) if key else self.store.root

    def is_name_available(self, name: str, max_length: int | None = None) -> bool:
        """Whether a file can be saved under ``name``; `save` does not ask, and finds out as it saves."""
        if self.config.overwrite:
            return not (max_length and len(name) > max_length)
        return not self.exists(name) and not (max_length and len(name) > max_length)

    def get_alternative_name(self, file_root: str, file_ext: str) -> str:
        """The name of a file that was to be called ``file_root + file_ext``, which is taken."""
        if self.config.overwrite:
            return f"{file_root}{file_ext}"
        return super().get_alternative_name(file_root, file_ext)

    # Saving.

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        """Store ``content`` under ``name`` or, if that is taken, under another; the name that it got.

        With one request if it is small: what is there is not asked before, the store refuses to replace it.
        """
        if name is None:
            name = content.name
        if not hasattr(content, "chunks"):
            content = File(content, name)
        name = str(name)
        validate_file_name(name, allow_relative_path=True)
        name = name.replace("\\", "/")
        if not self.config.names.content:
            name = self._chosen(name, None, max_length)
            validate_file_name(name, allow_relative_path=True)
        token = _max_length.set(max_length)
        try:
            # The class of a project may store something else than it was given: the bytes are taken no earlier.
            saved = self._save(name, content)
        finally:
            _max_length.reset(token)
        validate_file_name(saved, allow_relative_path=True)
        return saved

    def _chosen(self, name: str, digest: Digest | None, max_length: int | None) -> str:
        """The name to try first; made of the ``digest`` of the bytes if that is wanted."""
        names = self.config.names
        try:
            name = proposed(name, names, _local_now(), digest, None if self._is_local else KEY_BYTES)
            if names.content:
                _check_length(name, max_length)
            elif self._names_itself:
                name = self.get_available_name(name, max_length=max_length)
            else:
                validate_file_name(posixpath.basename(name))
                if max_length and len(name) > max_length:
                    name = alternative(name, max_length, self.get_alternative_name)
        except ValueError as error:
            raise SuspiciousFileOperation(
                f'Storage can not find an available filename for "{name}": {error}. Please make sure that the '
                'corresponding file field allows sufficient "max_length".'
            ) from None
        return name

    @property
    def _names_itself(self) -> bool:
        """Whether the class of a project says which names are available."""
        return any(
            getattr(getattr(self, method), "__func__", None) is not getattr(MediaStorage, method)
            for method in ("get_available_name", "is_name_available", "exists")
        )

    def _save(self, name: str, content: File[Any]) -> str:
        max_length = _max_length.get()
        with media_body(content, copied=self._looks_inside) as (body, passing):
            if not self.config.names.content:
                return self._put(name, body, None, max_length, passing=passing)
            digest = digest_of(body)
            name = self._chosen(name, digest, max_length)
            validate_file_name(name, allow_relative_path=True)
            return self._put(name, body, digest, max_length, passing=passing)

    @property
    def _looks_inside(self) -> bool:
        """Whether something depends on the bytes of a file before they are stored."""
        config = self.config
        limited = config.safety.check_content or config.safety.max_size is not None
        return bool(self._hooks) or config.names.content or limited

    def _put(self, name: str, body: Body, digest: Digest | None, max_length: int | None, *, passing: bool) -> str:
        """Store ``body`` under ``name``, or another if that is taken by anything that has not its ``digest``; the name.

        Whether it is a temporary file that nobody needs afterwards is ``passing``.
        """
        key = self._file_key(name)
        self._admit(key, body)
        if self.config.overwrite:
            self._send(key, body, "overwrite", passing=passing)
            return key
        tried: set[str] = set()
        for _ in range(_TRIES):
            # A name that is given again is taken still: it is not worth sending everything.
            if key not in tried:
                tried.add(key)
                try:
                    self._send(key, body, "create", passing=passing)
                except KeyExists:
                    if digest and self._has(key, body, digest):
                        return key
                else:
                    return key
            key = self._file_key(self._next(name, max_length))
        raise FileExistsError(
            errno.EEXIST, "there already, and so are all other names that get_available_name() gives; to replace "
            "what is there, set OPTIONS['overwrite']", name,
        )  # fmt: skip

    def _next(self, name: str, max_length: int | None) -> str:
        if self._names_itself:
            return self.get_available_name(name, max_length=max_length)
        try:
            return alternative(name, max_length, self.get_alternative_name)
        except ValueError as error:
            raise SuspiciousFileOperation(
                f'Storage can not find an available filename for "{name}": {error}. Please make sure that the '
                'corresponding file field allows sufficient "max_length".'
            ) from None

    @cached_property
    def _hooks(self) -> tuple[Hook, ...]:
        return inspection_hooks(self.config.inspect)

    def _admit(self, key: str, body: Body) -> None:
        """Raise `UploadRefused` if ``body`` shall not be stored under ``key``."""
        check_upload(key, size_of(body), head_of(body), self.config.safety)
        if self._hooks:
            with io.BytesIO(body) if isinstance(body, bytes) else open(body, "rb") as file:
                inspect_upload(key, file, self._hooks)

    def _send(self, key: str, body: Body, mode: PutMode, *, passing: bool = False) -> None:
        """Put ``body`` under ``key``. Raises `KeyExists` in mode ``create``."""
        with self._as_django(key):
            store = self.store
            if not isinstance(store, LocalStore):
                kind = media_type_of(key, self.config.safety, head_of(body))
                store.put(key, body, mode=mode, fields=stored_fields(key, kind, self.config))
                return
            if passing and isinstance(body, str) and store.take(body, key, mode=mode):
                remove(body)
            else:
                store.put(key, body, mode=mode)
        share_group(store.path(key), store.root)

    def _as_django(self, key: str) -> AbstractContextManager[None]:
        """What the store says of ``key``, as Django's own storage would say it."""
        return as_django(self.path(key) if self._is_local else key)

    def _has(self, key: str, body: Body, digest: Digest) -> bool:
        """Whether under ``key`` are the bytes of ``body``, whose ``digest`` it is made of. They are read: under a name
        that can be known beforehand somebody may have put others.
        """
        with self._as_django(key):
            stored = self.store.head(key)
            try:
                return (
                    stored is not None and stored.size == size_of(body) and digest_there(self.store, key)[0] == digest
                )
            except KeyNotFound:
                return False

    def _file_key(self, name: str) -> str:
        key = self.key(name)
        if not key:
            raise SuspiciousFileOperation(f"Could not derive file name from {name!r}")
        return key

    # What is there.

    def _open(self, name: str, mode: str = "rb") -> File[Any]:
        checked_mode(mode)
        key = self._file_key(name)

        def begin(mode: str) -> Reader | io.FileIO | Spool:
            verb, both, _ = checked_mode(mode)
            if verb == "r" and not both:
                if self._is_local:
                    return open_regular(self.path(name))
                with self._as_django(key):
                    return Reader(self.store, key)
            if verb in ("r", "a") and self._is_local and self._refuses_nothing:
                return self._in_place(key, mode)
            return self._spool(key, name, mode)

        return MediaFile(begin, self.path(name) if self._is_local else name, mode)

    @property
    def _refuses_nothing(self) -> bool:
        """Whether no option wants to see what is stored before it is."""
        safety = self.config.safety
        return not (self._hooks or safety.extensions or safety.check_content or safety.max_size is not None)

    def _in_place(self, key: str, mode: str) -> io.FileIO:
        """The file under ``key`` on this disk, open to be changed as Django's storage changes it: others see it, and
        several that append do not lose what the others do.
        """
        path = self.path(key)
        if checked_mode(mode)[0] == "a" and not os.path.lexists(path):
            with suppress(KeyExists):
                self._send(key, b"", "create")
        return opened_in_place(path, mode)

    def _spool(self, key: str, name: str, mode: str) -> Spool:
        """What is stored under ``key`` when it is closed, unless what it begins with has changed by then."""
        verb = checked_mode(mode)[0]
        taken = FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        before: Iterable[bytes] = ()
        version = ""
        with self._as_django(key):
            if verb == "x" and self.store.head(key) is not None:
                raise taken
            if verb in ("r", "a"):
                try:
                    part = part_of(self.store, key, 0, None)
                    before, version = part.body, part.version
                except KeyNotFound:
                    if verb == "r":
                        raise

        def store(body: Body) -> None:
            self._admit(key, body)
            if version:
                with self._as_django(key):
                    part_of(self.store, key, 0, 0, version)
            try:
                fresh = verb == "x" or (verb == "a" and not version)
                self._send(key, body, "create" if fresh else "overwrite", passing=isinstance(body, str))
            except KeyExists as error:
                raise taken from error

        with self._as_django(key):
            return Spool(store, mode, before, name=name, folder=settings.FILE_UPLOAD_TEMP_DIR)

    def delete(self, name: str) -> None:
        """Remove ``name``; nothing happens if it is not there. An empty folder on this disk is removed, too."""
        if not name:
            raise ValueError("The name must be given to delete().")
        key = self._file_key(name)
        if self._is_local:
            # As Django's: folders stay, which somebody may have made with care.
            path = self.path(name)
            with suppress(FileNotFoundError, NotADirectoryError):
                os.rmdir(path) if os.path.isdir(path) and not os.path.islink(path) else os.remove(path)
            return
        with self._as_django(key):
            self.store.delete([key])

    def exists(self, name: str) -> bool:
        """Whether there is a file or folder ``name``."""
        key = self.key(name)
        if self._is_local:
            return os.path.lexists(self.path(name))
        if not key:
            return True
        with self._as_django(key):
            if self.store.head(key) is not None:
                return True
            # Another request, which is not worth it for a folder that is called photo.jpg.
            return media_type(key) == DEFAULT and any(self._folder(f"{key}/"))

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        """Folders and files in the folder ``path``, without what belongs to Shipfiles alone."""
        key = self.key(path)
        if self._is_local:
            folders: list[str] = []
            files: list[str] = []
            with os.scandir(self.path(path)) as entries:
                for entry in entries:
                    (folders if entry.is_dir() else files).append(entry.name)
        else:
            with self._as_django(key):
                folders, files = self._folder(f"{key}/" if key else "")
            if key and not folders and not files:
                raise missing(path)
        top = not key
        return (
            [name for name in folders if not _is_ours(name, top)],
            [name for name in files if not _is_ours(name, top)],
        )

    def _folder(self, prefix: str) -> tuple[list[str], list[str]]:
        if isinstance(self.store, Folders):
            return self.store.folder(prefix)
        folders: set[str] = set()
        files: set[str] = set()
        for stored in self.store.list(prefix):
            name, slash, _ = stored.key[len(prefix) :].partition("/")
            (folders if slash else files).add(name)
        return sorted(folders), sorted(files)

    def size(self, name: str) -> int:
        """Size of ``name`` in bytes."""
        return os.path.getsize(self.path(name)) if self._is_local else self._stored(name).size

    def get_accessed_time(self, name: str) -> datetime:
        """When ``name`` was last read. Raises ``NotImplementedError`` where the files are not on this disk."""
        if not self._is_local:
            raise NotImplementedError(f"{self.store} does not tell when a file was read.")
        return _moment(os.path.getatime(self.path(name)))

    def get_created_time(self, name: str) -> datetime:
        """When ``name`` was stored; on disk, when its metadata changed, as Django has it."""
        return _moment(os.path.getctime(self.path(name)) if self._is_local else self._stored(name).modified)

    def get_modified_time(self, name: str) -> datetime:
        """When ``name`` was last written."""
        return _moment(os.path.getmtime(self.path(name)) if self._is_local else self._stored(name).modified)

    def _stored(self, name: str) -> Stored:
        key = self._file_key(name)
        with self._as_django(key):
            found = self.store.head(key)
        if found is None:
            raise missing(name)
        return found

    # URLs.

    def url(
        self,
        name: str | None,
        parameters: Mapping[str, str] | None = None,
        expire: float | timedelta | None = None,
        http_method: str | None = None,
    ) -> str:
        """The URL at which browsers find ``name``; no request is made for it.

        Of ``access`` ``signed`` one that works for ``expire`` seconds at least, for ``http_method``, and whose answer
        has the ``parameters`` ``content_disposition`` and ``content_type``, or ``ResponseContentDisposition`` and
        ``ResponseContentType``. Raises ``ValueError`` if there is none, and for what an upload must not be shown as.
        """
        if self.config.access == "signed":
            return self._signed_url(name or "", parameters or {}, expire, http_method)
        url = self._plain_url(name)
        return f"{url}?{urlencode(parameters)}" if parameters else url

    def _plain_url(self, name: str | None) -> str:
        if self.base_url is None:
            raise ValueError("This file is not accessible via a URL.")
        return urljoin(self.base_url, (filepath_to_uri(name) or "").lstrip("/"))

    def _signed_url(
        self, name: str, parameters: Mapping[str, str], expire: float | timedelta | None, http_method: str | None
    ) -> str:
        key = self._file_key(name)
        grant = granted(self.config, key, parameters, expire, http_method)
        if (signs := self._signs) is not None:
            return signs.signed_url(key, saved_only(grant, key, self.config.safety))
        url = self._plain_url(key)
        path = unquote(urlsplit(url).path)
        if self.config.signed.secure_link:
            return f"{url}?{secure_link_query(path, grant, self.config.signed.key or '')}"
        return f"{url}?{signed_query(path, grant, self.link_keys[0])}"

    @cached_property
    def _signs(self) -> Signs | None:
        """The store, if it answers browsers itself."""
        return self.store if isinstance(self.store, Signs) else None

    @cached_property
    def link_keys(self) -> tuple[bytes, ...]:
        """What our own links are signed with: the first signs, and all are good."""
        return link_keys(self)

    # As others see it.

    def varied(self, options: Mapping[str, Any]) -> MediaStorage:
        """The same with ``options`` changed; of a section, what they say of it."""
        given = dict(self._options)
        for name, value in options.items():
            before = given.get(name)
            if isinstance(before, Mapping) and isinstance(value, Mapping):
                value = {**before, **value}
            given[name] = value
        other = type(self)(**given)
        if not _PLACE_OPTIONS & options.keys() and not isinstance(self.config, PlacedMedia):
            other._shares = self
        return other

    def deconstruct(self) -> Deconstructed:
        """How migrations write it. Raises ``ValueError`` if secrets would get into them."""
        return deconstructed(self, self._options)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _CACHED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        MediaStorage.__init__(self, **state["_options"])
        self._shares = state["_shares"]

    def __copy__(self) -> Self:
        other = type(self).__new__(type(self))
        other.__setstate__(self.__getstate__())
        # What is in memory is in one place.
        other._store = self.store
        return other

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.__copy__()


def _check_length(name: str, max_length: int | None) -> None:
    if max_length and len(name) > max_length:
        raise ValueError(f"it is longer than {max_length} characters")


def _is_ours(name: str, top: bool) -> bool:
    """Whether ``name``, at the ``top`` or in a folder, is one of what we keep beside the files."""
    return (top and name.casefold().startswith(RESERVED)) or is_temporary(name)


def _local_now() -> datetime:
    """The time of the project's time zone."""
    return datetime.now(timezone.get_default_timezone())


def _moment(seconds: float) -> datetime:
    """Aware, in UTC, if the project uses time zones; else naive, in the local one."""
    return datetime.fromtimestamp(seconds, tz=UTC if settings.USE_TZ else None)
