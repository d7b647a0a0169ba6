"""The hooks that see every upload before others can: virus scanners and whatever else a project has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import BinaryIO, cast

from ..dotted import imported
from ..errors import ConfigError

Hook = Callable[..., None]
"""Called with an open file, at its beginning, and its name; raises `UploadRefused` for what shall not be stored."""


def inspection_hooks(given: Sequence[str | Hook]) -> tuple[Hook, ...]:
    """The callables of OPTIONS["inspect"], dotted paths imported. Raises `ConfigError`."""
    hooks = []
    for one in given:
        hook = imported(one, "OPTIONS['inspect']") if isinstance(one, str) else one
        if not callable(hook):
            raise ConfigError(f"OPTIONS['inspect']: {one!r} cannot be called.")
        hooks.append(cast("Hook", hook))
    return tuple(hooks)


def inspect_upload(name: str, file: BinaryIO, hooks: Sequence[Hook]) -> None:
    """Show the upload ``name`` to all ``hooks``, one after the other; ``file`` is at its beginning afterwards.

    Raises what the first one raises that refuses it, whatever it is: an upload that cannot be inspected is not stored.
    """
    for hook in hooks:
        file.seek(0)
        hook(file, name)
    file.seek(0)
