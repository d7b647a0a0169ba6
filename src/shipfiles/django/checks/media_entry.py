"""What STORAGES, as it is written, and the fields of models say of uploads."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage
from django.db.models import FileField
from django.utils.functional import LazyObject, empty
from django.utils.module_loading import import_string

from ...errors import ShipfilesError
from ...media.config import MediaConfig
from ...stores.local import LocalStore
from ...stores.opening import open_store
from ...stores.store import Store
from .. import media_conf, static_urls
from ..media_alias import AliasStorage
from ..media_conf import PlacedMedia

if TYPE_CHECKING:
    from ..media_storage import MediaStorage


@dataclass(frozen=True, slots=True)
class Media:
    """A media storage of STORAGES, or of a model's field."""

    alias: str
    """Empty for that of a field."""
    backend: type[MediaStorage]
    config: MediaConfig
    store: Store | None
    """``None`` for the folder that ``location`` or ``MEDIA_ROOT`` says."""
    of_field: str = ""
    """The model's field whose it is: ``shop.Invoice.file``; empty for one of STORAGES."""

    @property
    def folder(self) -> str:
        """The folder of the files on this machine, without symbolic links; empty if they are elsewhere, or nowhere."""
        if isinstance(self.store, LocalStore):
            return os.path.realpath(self.store.root)
        if self.store is not None:
            return ""
        given = os.fspath(settings.MEDIA_ROOT or "") if self.config.location is None else self.config.location
        return os.path.realpath(given) if given else ""

    @property
    def is_here(self) -> bool:
        """Whether the files are in a folder of this machine."""
        return self.store is None or isinstance(self.store, LocalStore)

    @property
    def place(self) -> str:
        """Where the files are, as people know it, with a closing slash; empty if nobody can tell."""
        if isinstance(self.config, PlacedMedia):
            return self.config.place.name.rstrip("/") + "/"
        return self.folder.rstrip(os.sep) + os.sep if self.folder else ""

    @property
    def url(self) -> str:
        """The URL below which browsers find the files, so far as settings tell; empty for none."""
        if self.config.base_url is not None:
            return static_urls.told_url(self.config.base_url)
        setting = "" if isinstance(self.config, PlacedMedia) else static_urls.url_setting("MEDIA_URL")
        return static_urls.told_url(setting)

    def __str__(self) -> str:
        return f"the storage of {self.of_field}" if self.of_field else f"STORAGES['{self.alias}']"


def media_storages() -> Iterator[Media]:
    """Those of STORAGES, and those of models' fields that have other options than each of these.

    Only those whose options are sound; E029 speaks of the others.
    """
    known: list[tuple[type, MediaConfig]] = []
    for media in itertools.chain(media_of_settings(), _media_of_fields()):
        # They cannot be hashed: there are dicts among the options.
        if media.alias or (media.backend, media.config) not in known:
            known.append((media.backend, media.config))
            yield media


def media_places() -> Iterator[Media]:
    """The same without fields' storages of which another is in the same place: of a place one is enough to tell."""
    told: set[str] = set()
    for media in media_storages():
        where = media.place or str(media.store or "")
        if media.alias or where not in told:
            told.add(where)
            yield media


def media_of_settings() -> Iterator[Media]:
    """Those of STORAGES whose options are sound."""
    for alias, backend, options in media_entries():
        if not isinstance(options, Mapping):
            continue
        try:
            yield media_of(alias, backend, options)
        except (ImproperlyConfigured, ShipfilesError):
            continue


def media_of(alias: str, backend: type[MediaStorage], options: Mapping[str, Any]) -> Media:
    """Raises ``ImproperlyConfigured`` and `ConfigError`."""
    config = media_conf.media_config(backend, options)
    return Media(alias, backend, config, _store_of(config))


def _store_of(config: MediaConfig) -> Store | None:
    if isinstance(config, PlacedMedia):
        return config.place.store()
    return None if config.store is None else open_store(config.store, "OPTIONS['store']", config.store_options)


def _media_of_fields() -> Iterator[Media]:
    from ..media_storage import MediaStorage

    for model in apps.get_models():
        for field in model._meta.get_fields():
            if not isinstance(field, FileField):
                continue
            try:
                storage = _made(getattr(field, "storage", None))
                if isinstance(storage, MediaStorage):
                    store = _store_of(storage.config)
                    yield Media("", type(storage), storage.config, store, f"{model._meta.label}.{field.name}")
            except (ImproperlyConfigured, ShipfilesError):
                continue  # the model says so as soon as it is used


def _made(storage: object) -> object:
    """What a lazy ``storage`` stands for; ``None`` for one of STORAGES, and for what nobody has asked for yet.

    To make what others are lazy about might ask a server.
    """
    if storage is default_storage:
        return None
    if not isinstance(storage, LazyObject):
        return storage
    # isinstance() would ask what it stands for.
    if issubclass(type(storage), AliasStorage) and vars(storage)["_wrapped"] is empty:
        storage._setup()
    made: object = vars(storage)["_wrapped"]
    return None if made is empty else made


def media_entries() -> Iterator[tuple[str, type[MediaStorage], Any]]:
    """Alias, class and OPTIONS of each media storage."""
    from ..media_storage import MediaStorage

    for alias, entry in (getattr(settings, "STORAGES", None) or {}).items():
        if not isinstance(entry, Mapping):
            continue
        backend = entry.get("BACKEND")
        try:
            found = import_string(backend) if isinstance(backend, str) else backend
        except ImportError:
            continue  # Django's own error when the storage is used
        if isinstance(found, type) and issubclass(found, MediaStorage):
            yield alias, found, entry.get("OPTIONS") or {}
