"""Objects that a setting names by their dotted path."""

from __future__ import annotations

from importlib import import_module

from .errors import ConfigError


def imported(path: str, where: str) -> object:
    """The object at the dotted ``path``; ``where`` names the option. Raises `ConfigError` if there is none."""
    module, _, name = path.rpartition(".")
    try:
        found: object = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"{where}: {path!r} cannot be imported: {error}.") from None
    return found
