"""A storage of STORAGES as a model's field names it, with other options if need be, and without secrets."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import Storage, storages
from django.core.signals import setting_changed
from django.utils.functional import LazyObject, empty

if TYPE_CHECKING:
    from .media_storage import MediaStorage

_MODULE = "shipfiles.django.storage"
_PLACES = (("s3", "S3"), ("google", "Google"), ("azure", "Azure"), ("ssh", "Ssh"))

Deconstructed = tuple[str, tuple[Any, ...], dict[str, Any]]


class Alias:
    """The storage of STORAGES that is called so, with some options changed: ``storage=Alias("default",
    overwrite=True)``.

    What a section does not say stays as it is there. Another ``access`` needs another place, too: one folder cannot be
    for everybody and for few. Migrations name it so, and nothing of STORAGES gets into them.
    """

    def __init__(self, alias: str = "default", **options: Any) -> None:
        self.alias = alias
        self.options = options

    def __call__(self) -> Storage:
        """The storage; as Django's own, it is another when a test changes STORAGES."""
        return cast("Storage", AliasStorage(self))

    def __repr__(self) -> str:
        return f"Alias({self.alias!r}{''.join(f', {name}=...' for name in self.options)})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Alias) and (self.alias, self.options) == (other.alias, other.options)

    def __hash__(self) -> int:
        return hash(self.alias)

    def deconstruct(self) -> Deconstructed:
        """As migrations write it. Raises ``ValueError`` if there are secrets among the options."""
        _check_written(self.options)
        return f"{_MODULE}.Alias", (self.alias,), dict(self.options)

    def made(self) -> Storage:
        """The storage as STORAGES is now. Raises ``ImproperlyConfigured`` for options that it does not have."""
        from .media_storage import MediaStorage

        storage = storages[self.alias]
        if not self.options:
            return storage
        if not isinstance(storage, MediaStorage):
            raise ImproperlyConfigured(
                f"{self!r}: STORAGES[{self.alias!r}] is a {type(storage).__qualname__}, which has none of these "
                "options. With another storage in tests, use MediaStorage with the option 'store': "
                "'shipfiles.stores.memory.MemoryStore'."
            )
        return storage.varied(self.options)


if TYPE_CHECKING:
    _Lazy = LazyObject[Storage]
else:
    _Lazy = LazyObject


class AliasStorage(_Lazy):
    """The storage that an `Alias` means."""

    def __init__(self, alias: Alias) -> None:
        super().__init__()
        vars(self)["_alias"] = alias
        setting_changed.connect(self._changed)

    def _setup(self) -> None:
        self._wrapped = vars(self)["_alias"].made()

    def _changed(self, **signal: Any) -> None:
        if signal["setting"] == "STORAGES":
            self._wrapped = empty

    def __reduce__(self) -> tuple[Any, ...]:
        return vars(self)["_alias"].__call__, ()

    def __copy__(self) -> AliasStorage:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> AliasStorage:
        return self


def deconstructed(storage: MediaStorage, options: Mapping[str, Any]) -> Deconstructed:
    """How migrations write ``storage``: as an alias if it is one of STORAGES, else as its class with its ``options``.

    Raises ``ValueError`` if there are secrets among these.
    """
    for alias in storages.backends:
        # Another that cannot be made, for whatever reason, is not this one, and somebody else's to report.
        with suppress(Exception):
            if storages[alias] is storage:
                return f"{_MODULE}.Alias", (alias,), {}
    _check_written(options)
    cls = type(storage)
    ours = getattr(import_module(_MODULE), cls.__name__, None) is cls
    return f"{_MODULE if ours else cls.__module__}.{cls.__qualname__}", (), dict(options)


def _check_written(options: Mapping[str, Any]) -> None:
    secret = next(_secrets(options), None)
    store = options.get("store")
    if secret is None and (store is None or isinstance(store, (str, os.PathLike))):
        return
    what = f"The option {secret!r} is secret and" if secret else "A store that is an object"
    raise ValueError(
        f"{what} cannot stand in a migration. Name the storage in STORAGES, and give the field "
        "storage=shipfiles.django.storage.Alias('its name'), or a function that gives storages['its name']."
    )


def _secrets(options: Mapping[str, Any]) -> Iterator[str]:
    """The options that migrations and logs must not show."""
    from ..media.config import SignedConfig

    kinds: list[type] = [SignedConfig]
    kinds += [getattr(import_module(f"shipfiles.stores.{module}"), name) for module, name in _PLACES]
    hidden = {f.name for kind in kinds for f in dataclasses.fields(kind) if not f.repr}
    for name, value in options.items():
        if name in hidden and value:
            yield name
        if isinstance(value, Mapping):
            yield from _secrets(value)
        elif dataclasses.is_dataclass(value):
            yield from _secrets({f.name: getattr(value, f.name) for f in dataclasses.fields(value)})
