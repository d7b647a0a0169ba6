"""What the options and settings of django-storages mean here, for a project that replaces its classes and nothing else.

Its documentation of version 1.14 says what they mean there: an option counts more than the attribute of a class of the
project's own, and that more than a setting, of which the first that is there counts, whatever its value.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from ..config import StaticConfig
from ..errors import ConfigError, did_you_mean, nearest_names

if TYPE_CHECKING:
    from ..serve.origins import Place

Setting = Callable[[str, object], object]
"""The value of a setting, or what is given with its name if there is none."""

_ABSENT = object()
_LOCAL = frozenset({"location"})
"""What means the place of the build where releases stay on this machine, and a folder in the store here."""
OURS = frozenset(f.name for f in dataclasses.fields(StaticConfig)) - _LOCAL
"""The options that mean the same in all classes for static files."""


@dataclass(frozen=True, slots=True)
class Other:
    """An option of django-storages that does nothing here."""

    why: str
    instead: str
    nothing: tuple[object, ...] = ()
    """The values, beside ``None``, that ask for nothing but what happens without it."""
    setting: str = ""
    """The setting that means the same, if it is not only for media files."""


@dataclass(frozen=True, slots=True)
class Meant:
    """What a project's options and settings mean."""

    place: Place
    url: str
    """Where browsers find the files; empty if only STATIC_URL says it."""
    gzip: bool = False
    """Whether files are stored with gzip."""
    cache_control: str = ""
    """What files under plain names are answered with, if the project says it."""
    faults: tuple[str, ...] = ()
    """What was read as it was meant, and is written otherwise than django-storages would take it."""


M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class KindOf(Generic[M]):
    """One of django-storages' classes; ``M`` is what its options are read as."""

    settings: Mapping[str, tuple[str, ...]]
    """Option → the settings that mean the same."""
    others: Mapping[str, Other]
    meant: Callable[[Values], M]
    methods: Mapping[str, str]
    """Methods that a project's own class may have there, and nobody calls here → what to do instead."""
    environment: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Option → variables of the environment, after the settings."""
    more: tuple[str, ...] = ()
    """Options of our store that django-storages does not have."""
    picks: bool = False
    """Whether a web server is before the store, which picks among variants by what a browser accepts."""
    unheeded: Callable[[Setting], Iterator[tuple[str, str, str]]] | None = None
    """As the function `unheeded`, of what only a part of a setting says."""
    ours: frozenset[str] = OURS
    """The options that mean the same in all classes."""


Kind: TypeAlias = KindOf[Meant]
"""One that stands for a storage of static files."""


class Values(dict[str, Any]):
    """Option → value, of those that are given; ``sources`` tells of each where: empty for an option, else the setting,
    the ``$VARIABLE`` or the class that says it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sources: dict[str, str] = {}

    def text(self, name: str) -> str:
        """The value of ``name``, empty without one. Raises `ConfigError` if it is no string."""
        value = self.get(name)
        if value is False:
            return ""  # many write so that they have none
        if value is not None and not isinstance(value, str):
            raise ConfigError(f"{name} must be a string.")
        return value or ""

    def drop(self, *names: str) -> None:
        """Forget ``names``."""
        for name in names:
            self.pop(name, None)

    def only(self, place: type) -> dict[str, Any]:
        """What our store has options for."""
        known = {f.name for f in dataclasses.fields(place)}
        return {name: value for name, value in self.items() if name in known and value not in (None, "")}


def split(kind: KindOf[Any], options: Mapping[str, Any], storage: type) -> tuple[dict[str, Any], dict[str, Any]]:
    """``options`` as those that all our storages have, and those of the ``kind``.

    Raises `ConfigError` for one that there is not, and for one that does nothing here, also if it is an attribute of
    the class ``storage`` of the project.
    """
    for name, idle in kind.others.items():
        if name not in options and (found := _of_class(storage, name)) is not _ABSENT and _asks(idle, found):
            raise ConfigError(f"{storage.__qualname__}.{name} is not honoured: {idle.why}. {idle.instead}")
    theirs: dict[str, Any] = {}
    for name, value in options.items():
        where = f"OPTIONS[{name!r}]"
        if name in kind.ours and name not in kind.settings:
            continue
        if (other := kind.others.get(name)) is not None:
            if _asks(other, value):
                raise ConfigError(f"{where} is not honoured: {other.why}. {other.instead}")
        elif name in kind.settings or name in kind.more:
            theirs[name] = value
        else:
            known = {*kind.ours, *kind.settings, *kind.more}
            raise ConfigError(f"{where} is not an option{did_you_mean(nearest_names(str(name), known))}", sorted(known))
    return {name: value for name, value in options.items() if name in kind.ours and name not in kind.settings}, theirs


def _asks(other: Other, value: object) -> bool:
    value = tuple(value) if isinstance(value, list) else value
    return value is not None and value not in other.nothing


def values_of(kind: KindOf[Any], theirs: Mapping[str, Any], storage: type, setting: Setting) -> Values:
    """What ``theirs``, the class ``storage`` of the project, its settings and the environment say together."""
    values = Values()
    for name in (*kind.settings, *kind.more):
        value, source = _value_of(kind, name, theirs, storage, setting)
        if source is not None:
            values[name] = value
            values.sources[name] = source
    return values


def _value_of(
    kind: KindOf[Any], name: str, theirs: Mapping[str, Any], storage: type, setting: Setting
) -> tuple[object, str | None]:
    if name in theirs:
        return theirs[name], ""
    if (found := _of_class(storage, name)) is not _ABSENT:
        return found, f"{storage.__qualname__}.{name}"
    for known in kind.settings.get(name, ()):
        if (found := setting(known, _ABSENT)) is not _ABSENT:
            return found, known
    for variable in kind.environment.get(name, ()):
        if found := os.environ.get(variable):
            return found, f"${variable}"
    return None, None


def _of_class(storage: type, name: str) -> object:
    for cls in _of_project(storage):
        if name in vars(cls):
            found: object = vars(cls)[name]
            if hasattr(found, "__get__"):
                raise ConfigError(f"{cls.__qualname__}.{name} must be a value, not a property or method.")
            return found
    return _ABSENT


def _of_project(storage: type) -> Iterator[type]:
    """``storage`` and what it is made of, up to what is ours, where the names mean something else."""
    for cls in storage.__mro__:
        if cls.__module__.startswith("shipfiles."):
            return
        yield cls


def meant(kind: KindOf[M], theirs: Mapping[str, Any], storage: type, setting: Setting, base_url: object = None) -> M:
    """What a storage of this ``kind`` is to do; ``base_url`` is that among our own options. Raises `ConfigError`."""
    for cls in _of_project(storage):
        for name in kind.methods.keys() & vars(cls).keys():
            raise ConfigError(f"{cls.__qualname__}.{name}() would never be called. {kind.methods[name]}")
    values = values_of(kind, theirs, storage, setting)
    values.setdefault("base_url", base_url)
    try:
        return kind.meant(values)
    except ConfigError as error:
        text = str(error)
        known = [f"{name} from {source}" for name, source in values.sources.items() if source and name in text]
        read = f" Read are {' and '.join(known)}." if known else ""
        if "needs the key" in text:
            read = "".join(f" Or set {of[0]}." for name, of in kind.settings.items() if of and f"'{name}'" in text)
        raise ConfigError(text.rstrip(".") + "." + read, error.options) from None


def unheeded(kind: KindOf[Any], setting: Setting) -> Iterator[tuple[str, str, str]]:
    """The settings that would concern these files, and do nothing: name, why, and what to do instead."""
    for other in kind.others.values():
        value = setting(other.setting, None) if other.setting else None
        if _asks(other, value):
            yield other.setting, other.why, other.instead
    if kind.unheeded is not None:
        yield from kind.unheeded(setting)
