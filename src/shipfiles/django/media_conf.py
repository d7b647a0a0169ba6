"""The options of a media storage, and the store that they mean."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ImproperlyConfigured

from ..config import from_mapping
from ..errors import ConfigError
from ..media.config import MediaConfig
from ..stores.local import LocalStore
from ..stores.opening import open_store
from ..stores.store import Store

if TYPE_CHECKING:
    from .media_storage import MediaStorage


def media_config(storage_class: type[MediaStorage], options: Mapping[str, Any]) -> MediaConfig:
    """The options of a storage of the class ``storage_class``.

    What they leave to Django's settings stays ``None``: these may change while tests run. Raises
    ``ImproperlyConfigured`` for an unknown or wrong option.
    """
    given = dict(options)
    if "allow_overwrite" in given:  # as FileSystemStorage calls it
        given["overwrite"] = given.pop("allow_overwrite")
    for name in ("location", "base_url"):
        if given.get(name) is not None:
            given[name] = os.fspath(given[name]) if name == "location" else str(given[name])
    try:
        return from_mapping(MediaConfig, given)
    except ConfigError as error:
        raise ImproperlyConfigured(f"{storage_class.__qualname__}: {error}") from None


def media_store(config: MediaConfig, storage: MediaStorage) -> Store:
    """The store in which the files of ``storage`` are. Raises ``ImproperlyConfigured``."""
    if config.store is None:
        return LocalStore(
            storage.location,
            file_mode=storage.file_permissions_mode,
            folder_mode=storage.directory_permissions_mode,
        )
    try:
        return open_store(config.store, "OPTIONS['store']", config.store_options)
    except ConfigError as error:
        raise ImproperlyConfigured(str(error)) from None
