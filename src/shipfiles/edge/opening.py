"""From what OPTIONS["purge"]["caches"] says to purgers."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, cast

from ..config import PurgeConfig
from ..dotted import imported
from ..errors import ConfigError, did_you_mean, nearest_names
from ..stores.opening import checked_place
from .purger import Purger

WHERE = "OPTIONS['purge']['caches']"
"""The option."""

_NAMED = {"cloudfront": "CloudFront", "cloudflare": "Cloudflare", "fastly": "Fastly", "varnish": "Varnish"}
"""Module of this package → the class in it."""
_NEEDS = {"cloudfront": "botocore", "cloudflare": "urllib3", "fastly": "urllib3", "varnish": "urllib3"}
"""The same module → the package without which it can do nothing; the extra that brings that is called as the module."""
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)+")


def open_purgers(config: PurgeConfig, where: str = WHERE) -> tuple[Purger, ...]:
    """The CDNs and caches of ``config``, in their order; ``where`` names the option in errors. Raises `ConfigError`.

    Nothing is asked over the network yet.
    """
    assert isinstance(config.caches, tuple)
    return tuple(_opened(given, f"{where}[{number}]") for number, given in enumerate(config.caches))


def packages_of(config: PurgeConfig) -> dict[str, str]:
    """The packages that the caches of ``config`` need, and the extra that brings each."""
    assert isinstance(config.caches, tuple)
    names = [str(given["purger"]) for given in config.caches if isinstance(given, Mapping)]
    return {_NEEDS[name]: name for name in names if name in _NEEDS}


def _opened(given: object, where: str) -> Purger:
    if not isinstance(given, Mapping):
        return _checked(given, where)
    rest = {str(key): value for key, value in given.items() if key != "purger"}
    name = given["purger"]
    if name in _NAMED:
        kind: type[Any] = getattr(import_module(f".{name}", __package__), _NAMED[name])
        return _checked(checked_place(kind, rest, where), where)
    if not _DOTTED.fullmatch(name):
        near = did_you_mean(nearest_names(name.lower(), _NAMED))
        known = ", ".join(_NAMED)
        raise ConfigError(f"{where}['purger'] {name!r} is none of {known}, nor the dotted path of a class{near}")
    found = imported(name, f"{where}['purger']")
    if callable(found):
        _check_keywords(found, rest, where)
        found = found(**rest)
    elif rest:
        raise ConfigError(f"{where}: {name} is an object, which takes no options.")
    return _checked(found, f"{where}['purger'] {name!r}")


def _check_keywords(kind: Callable[..., object], given: Mapping[str, Any], where: str) -> None:
    """Raise `ConfigError` if ``kind`` cannot be called with ``given``; no value is shown, it may be a secret."""
    try:
        parameters = inspect.signature(kind).parameters.values()
    except (TypeError, ValueError):
        return
    takes_any = any(one.kind is one.VAR_KEYWORD for one in parameters)
    known = {one.name for one in parameters if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}
    for key in given:
        if key not in known and not takes_any:
            near = did_you_mean(nearest_names(key, known))
            raise ConfigError(f"{where}[{key!r}] is not an option{near}", sorted(known))
    for one in parameters:
        needed = one.default is one.empty and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
        if needed and one.name not in given:
            raise ConfigError(f"{where} needs the key {one.name!r}")


def _checked(found: object, where: str) -> Purger:
    if isinstance(found, type) or not all(callable(getattr(found, verb, None)) for verb in ("purge", "purge_all")):
        raise ConfigError(f"{where} is no purger: it must have purge and purge_all.")
    return cast("Purger", found)
