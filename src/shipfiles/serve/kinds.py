"""Whether an application is a WSGI or an ASGI application, as far as that can be told before it is called."""

from __future__ import annotations

import inspect

from ..errors import ConfigError


def require_wsgi(application: object) -> None:
    """Raise `ConfigError` for what is certainly no WSGI application: asynchronous, or called with ASGI's arguments."""
    if _is_async(application) or (_takes(application, 3) and not _takes(application, 2)):
        raise _mixed_up(application, "wsgi", "asgi")


def require_asgi(application: object) -> None:
    """Raise `ConfigError` for what is certainly no ASGI application: not asynchronous, called with WSGI's arguments."""
    if not _is_async(application) and _takes(application, 2) and not _takes(application, 3):
        raise _mixed_up(application, "asgi", "wsgi")


def _is_async(application: object) -> bool:
    if inspect.iscoroutinefunction(application):
        return True
    return callable(application) and inspect.iscoroutinefunction(type(application).__call__)


def _takes(application: object, count: int) -> bool:
    """Whether so many arguments can be given by their place; also ``False`` if nobody can tell."""
    if not callable(application):
        return False
    try:
        # A wrapper is called as it is written itself, whatever it says it wraps.
        signature = inspect.signature(application, follow_wrapped=False)
    except (TypeError, ValueError):
        return False
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _mixed_up(application: object, ours: str, other: str) -> ConfigError:
    name = getattr(application, "__qualname__", type(application).__qualname__)
    return ConfigError(
        f"shipfiles.serve.{ours}.StaticApp goes around {ours.upper()} applications, and {name} is one for "
        f"{other.upper()}. Take shipfiles.serve.{other}.StaticApp for it."
    )
