"""The media storages of the whole project: those of STORAGES, and those that fields of models have made in code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeGuard, cast

from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import default_storage, storages
from django.core.signals import setting_changed
from django.db.models import FileField
from django.utils.module_loading import import_string

from ..errors import ShipfilesError
from ..stores.local import LocalStore
from .media_conf import PlacedMedia
from .media_storage import MediaStorage

_known: list[tuple[object, tuple[str, ...]]] = []


def closed_folders() -> tuple[str, ...]:
    """The folders on this machine of which not everybody may see everything.

    One may be in a folder that is public, or is for others: in MEDIA_ROOT, as a rule. Raises ``ImproperlyConfigured``
    for wrong options of one on this machine: nobody knows then what it closes.
    """
    if not apps.models_ready:
        return _folders()
    # A list of its own for each state of the registry.
    models = apps.get_models()
    if not _known or _known[0][0] is not models:
        _known[:] = [(models, _folders())]
    return _known[0][1]


def _forget(**_signal: Any) -> None:
    _known.clear()


setting_changed.connect(_forget)


def _folders() -> tuple[str, ...]:
    storages_ = (*(storage for _, storage in storages_of_settings()), *_of_fields())
    found = [_folder(storage) for storage in storages_ if storage.config.access != "public"]
    return tuple(dict.fromkeys(folder for folder in found if folder))


def _folder(storage: MediaStorage) -> str:
    """Where its files are; empty if they are not on this machine."""
    if isinstance(storage.config, PlacedMedia):
        return ""
    try:
        store = storage.store
    except (ImproperlyConfigured, ShipfilesError):
        return ""  # a store of the project's own, which this process may not need
    return store.root if isinstance(store, LocalStore) else ""


def storages_of_settings() -> Iterator[tuple[str, MediaStorage]]:
    """Those of STORAGES that are, or may be, on this machine, with their aliases.

    Raises ``ImproperlyConfigured`` for wrong options of one.
    """
    for alias, given in cast("Mapping[str, Mapping[str, Any]]", settings.STORAGES).items():
        backend = given.get("BACKEND", "")
        try:
            found = import_string(backend)
        except (ImportError, AttributeError):
            continue  # Django's own error where it is used; this process may lack what it needs
        if isinstance(found, type):
            # Those that are elsewhere are not made here: that may need what this process lacks.
            storage: object = storages[alias] if issubclass(found, MediaStorage) and found.kind is None else None
        else:
            storage = _made(alias)
        if isinstance(storage, MediaStorage):
            yield alias, storage


def _made(alias: str) -> object:
    """What a function makes that stands as BACKEND; ``None`` if it cannot here."""
    # Whatever it raises, it does so again where it is used.
    with suppress(Exception):
        return storages[alias]
    return None


def _of_fields() -> Iterator[MediaStorage]:
    for model in apps.get_models() if apps.models_ready else ():
        for field in model._meta.get_fields():
            storage = getattr(field, "storage", None) if isinstance(field, FileField) else None
            if storage is not default_storage and _is_media(storage):
                yield storage


def _is_media(storage: object) -> TypeGuard[MediaStorage]:
    # Asks a lazy one what it stands for. What it raises, the model says as soon as it is used.
    with suppress(Exception):
        return isinstance(storage, MediaStorage)
    return False
