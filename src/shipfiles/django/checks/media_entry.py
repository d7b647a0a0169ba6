"""What STORAGES says of uploads, as it is written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from ...errors import ShipfilesError
from ...media.config import MediaConfig
from ...stores.local import LocalStore
from ...stores.opening import open_store
from ...stores.store import Store
from .. import media_conf, static_urls
from ..media_conf import PlacedMedia

if TYPE_CHECKING:
    from ..media_storage import MediaStorage


@dataclass(frozen=True, slots=True)
class Media:
    """A media storage of STORAGES."""

    alias: str
    backend: type[MediaStorage]
    config: MediaConfig
    store: Store | None
    """``None`` for the folder that ``location`` or ``MEDIA_ROOT`` says."""

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
        """The URL below which browsers find the files, as it is written; empty for none."""
        if self.config.base_url is not None:
            return self.config.base_url
        return "" if isinstance(self.config, PlacedMedia) else static_urls.url_setting("MEDIA_URL")

    def __str__(self) -> str:
        return f"STORAGES['{self.alias}']"


def media_storages() -> Iterator[Media]:
    """Those whose options are sound; E029 speaks of the others."""
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
    store: Store | None = None
    if isinstance(config, PlacedMedia):
        store = config.place.store()
    elif config.store is not None:
        store = open_store(config.store, "OPTIONS['store']", config.store_options)
    return Media(alias, backend, config, store)


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
