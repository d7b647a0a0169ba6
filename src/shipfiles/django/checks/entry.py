"""What STORAGES says of static files, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.utils.module_loading import import_string

from ...config import StaticConfig
from .. import conf
from ..django_storages import Kind

if TYPE_CHECKING:
    from ..static_storage import StaticStorage


def storage_config(options: Mapping[str, Any] | None = None) -> StaticConfig:
    """The options of the static storage, whichever of ours it is. Raises ``ImproperlyConfigured``."""
    options = storage_options() if options is None else options
    backend = our_backend()
    return conf.static_config(options) if backend is None else conf.config_of(backend, options)


def storage_kind() -> Kind | None:
    """What the storage's store is, if releases are used from one."""
    backend = our_backend()
    return None if backend is None else backend.kind


def storage_entry() -> Any:
    entry = (getattr(settings, "STORAGES", None) or {}).get(STATICFILES_STORAGE_ALIAS)
    return entry if isinstance(entry, dict) else {}


def storage_options() -> dict[str, Any]:
    options = storage_entry().get("OPTIONS") or {}
    return dict(options) if isinstance(options, Mapping) else {}


def backend_is_ours() -> bool:
    return our_backend() is not None


def our_backend() -> type[StaticStorage] | None:
    from ..static_storage import StaticStorage

    try:
        backend = import_string(backend_name())
    except ImportError:
        return None  # Django's own error when the storage is used
    return backend if isinstance(backend, type) and issubclass(backend, StaticStorage) else None


def backend_name() -> str:
    return str(storage_entry().get("BACKEND", ""))


def collectors() -> tuple[list[str], list[str]]:
    """The applications above ours, and those below, that have a collectstatic of their own for django-storages.

    Of commands with the same name that of the application above runs.
    """
    names = [config.name for config in apps.get_app_configs()]
    ours = names.index("shipfiles.django") if "shipfiles.django" in names else 0
    found = [(number < ours, name) for number, name in enumerate(names) if name.startswith("collectfast")]
    return [name for above, name in found if above], [name for above, name in found if not above]
