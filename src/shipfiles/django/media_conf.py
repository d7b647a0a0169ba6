"""The options of a media storage, the store that they mean, and what its links are signed with."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.crypto import salted_hmac

from ..config import from_mapping
from ..errors import ConfigError
from ..media.config import MediaConfig, SignedConfig
from ..media.links import key_for
from ..stores.local import LocalStore
from ..stores.opening import of_url, open_store
from ..stores.store import Store
from . import django_storages, media_kinds
from .media_kinds import MediaKind, MediaMeant

if TYPE_CHECKING:
    from ..serve.origins import Place
    from .media_storage import MediaStorage

_SALT = "shipfiles.media.links"
_CREDENTIALS = re.compile(r"(?:[^/?#:]*:)?//[^/?#]*@")


@dataclass(frozen=True, slots=True)
class PlacedMedia(MediaConfig):
    """The options of a storage whose files are in a bucket or on another server."""

    place: Place = field(kw_only=True)
    """Which, and the way to it. ``store`` is its name."""
    replaced_there: bool = False
    """Whether django-storages would replace a file where this storage does not, and nobody has said which is wanted."""
    faults: tuple[str, ...] = ()
    """What was read as it was meant, and is written otherwise than it should be."""


def media_config(storage_class: type[MediaStorage], options: Mapping[str, Any]) -> MediaConfig:
    """The options of a storage of the class ``storage_class``.

    What they leave to Django's settings stays ``None``: these may change while tests run. Raises
    ``ImproperlyConfigured`` for an unknown or wrong option.
    """
    try:
        given = dict(options)
        kind = storage_class.kind
        if kind is None and isinstance(given.get("store"), str):
            kind, given = _of_store_url(given)
        _check_shown(given.get("base_url"))
        return _local_config(given) if kind is None else _placed_config(kind, storage_class, given)
    except ConfigError as error:
        raise ImproperlyConfigured(f"{storage_class.__qualname__}: {error}") from None


def _of_store_url(options: dict[str, Any]) -> tuple[MediaKind | None, dict[str, Any]]:
    """What OPTIONS["store"] names, if that is a bucket or a server, and the options that it has."""
    more = options.get("store_options", {})
    if not isinstance(more, Mapping):
        raise ConfigError(f"OPTIONS['store_options'] must be a dict of options, not {type(more).__name__}.")
    given = {name: value for name, value in options.items() if name not in ("store", "store_options")}
    if twice := sorted(given.keys() & more.keys()):
        raise ConfigError(f"{', '.join(twice)} must be in OPTIONS or in OPTIONS['store_options'], not in both.")
    scheme, found = of_url(options["store"], {**more, **given}, "OPTIONS['store']")
    return (media_kinds.OF_SCHEME[scheme], found) if scheme else (None, options)


def _check_shown(base_url: object) -> None:
    if isinstance(base_url, str) and _CREDENTIALS.match(base_url):
        raise ConfigError("OPTIONS['base_url'] has credentials, and every page would show them.")


def _local_config(given: dict[str, Any]) -> MediaConfig:
    if "allow_overwrite" in given:  # as FileSystemStorage calls it
        value = given.pop("allow_overwrite")
        if given.setdefault("overwrite", value) != value:
            raise ConfigError("OPTIONS['overwrite'] and ['allow_overwrite'] contradict each other.")
    if given.get("base_url") is not None:
        given["base_url"] = str(given["base_url"])  # which may be a lazy one
    if given.get("store") is not None and given.get("location") is not None:
        raise ConfigError("OPTIONS['store'] and ['location'] are two places: give one of them.")
    if given.get("store_options"):
        # Refused at once: which of them are secret is not known.
        why = "which is not given" if given.get("store") is None else "which has none: it is no bucket or server"
        raise ConfigError(f"OPTIONS['store_options'] are those of OPTIONS['store'], {why}.")
    try:
        return from_mapping(MediaConfig, given)
    except ConfigError as error:
        theirs = sorted(given.keys() & media_kinds.WORDS) if error.options else ()
        if theirs:
            raise ConfigError(
                f"OPTIONS['{theirs[0]}'] is an option of a store. Say which in OPTIONS['store'], as "
                "s3://bucket/folder, gs://, az:// or ssh://, or use S3-, Google-, Azure- or SFTPMediaStorage.",
                error.options,
            ) from None
        raise


def _placed_config(kind: MediaKind, storage_class: type, options: dict[str, Any]) -> PlacedMedia:
    ours, theirs = django_storages.split(kind, options, storage_class)
    meant = django_storages.meant(kind, theirs, storage_class, _setting, ours.get("base_url"))
    ours |= {
        "access": meant.access,
        "overwrite": bool(meant.overwrite),
        "base_url": meant.url or None,
        "store": meant.place.name,
        "signed": _signed(ours.get("signed", {}), meant),
    }
    if meant.cache_control:
        ours.setdefault("cache_control", meant.cache_control)
    config = from_mapping(MediaConfig, ours)
    if config.access == "signed" and meant.longest is not None and config.signed.expires > meant.longest:
        raise ConfigError(
            f"A signed URL works for {meant.longest.days} days at most in this store, not for {config.signed.expires}."
        )
    values = {f.name: getattr(config, f.name) for f in dataclasses.fields(MediaConfig)}
    from_settings = any(kind.settings.values())  # else the project has never had it at django-storages
    unsaid = from_settings and meant.replaces and meant.overwrite is None
    return PlacedMedia(**values, place=meant.place, replaced_there=unsaid, faults=meant.faults)


def _signed(given: object, meant: MediaMeant) -> object:
    """OPTIONS["signed"], in which ``expires`` is as django-storages calls it if it is said there alone."""
    if meant.expires is None or isinstance(given, SignedConfig) or not isinstance(given, Mapping):
        return given
    return {"expires": meant.expires, **given}


def _setting(name: str, default: object) -> object:
    return getattr(settings, name, default)


def media_store(config: MediaConfig, storage: MediaStorage) -> Store:
    """The store in which the files of ``storage`` are. Raises ``ImproperlyConfigured``."""
    if isinstance(config, PlacedMedia):
        return config.place.store()
    modes = {"file_mode": storage.file_permissions_mode, "folder_mode": storage.directory_permissions_mode}
    if config.store is None:
        return LocalStore(storage.location, **modes, at_once=True)
    try:
        store = open_store(config.store, "OPTIONS['store']")
    except ConfigError as error:
        raise ImproperlyConfigured(str(error)) from None
    # A folder by its path or URL has the permissions that the options say; an object of the project's own, its own.
    is_named = isinstance(config.store, (str, os.PathLike)) and "/" in os.fspath(config.store)
    return LocalStore(store.root, **modes, at_once=True) if is_named and isinstance(store, LocalStore) else store


def link_keys(storage: MediaStorage) -> tuple[bytes, ...]:
    """What our own links to the files of ``storage`` are signed with: the first; and those with which they were signed
    before.

    A key that is made of Django's is another than any that Django signs with itself. Storages that differ in the host
    of their URLs or in their place have different ones; one and the same has one key however it is made, on every
    instance.
    """
    if given := storage.config.signed.key:
        secrets = [given.encode()]
    else:
        django = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        secrets = [salted_hmac(_SALT, b"", secret=secret, algorithm="sha256").digest() for secret in django]
    url = urlsplit(storage.base_url or "")
    names = (url.scheme, url.netloc.lower(), *_place_names(storage))
    return tuple(key_for(secret, *names) for secret in secrets)


def _place_names(storage: MediaStorage) -> tuple[str, ...]:
    """What the place of the files is called on every instance of the site, and that of no other storage."""
    config = storage.config
    if isinstance(config, PlacedMedia):
        return "place", config.place.name
    if isinstance(storage.store, LocalStore):
        return "folder", _relative(storage.store.root)
    cls = type(storage.store)
    if cls.__str__ is not object.__str__:
        return "store", str(storage.store)
    # Its ``repr`` may have an address in memory.
    options = (f"{name}={value!r}" for name, value in config.store_options.items() if isinstance(value, (str, int)))
    return "class", f"{cls.__module__}.{cls.__qualname__}", *sorted(options)


def _relative(folder: str) -> str:
    """``folder`` as seen from MEDIA_ROOT: each release of a project, and each instance, may have both elsewhere."""
    root = os.fspath(settings.MEDIA_ROOT or "")
    folder = os.path.realpath(folder)
    try:
        return os.path.relpath(folder, os.path.realpath(root)) if root else folder
    except ValueError:  # another drive of Windows
        return folder
