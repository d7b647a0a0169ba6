"""The hooks that see every upload before others can: virus scanners and whatever else a project has."""

from __future__ import annotations

import inspect
import io
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, cast

from ..dotted import imported
from ..errors import ConfigError

Hook = Callable[..., None]
"""Called with an open file, at its beginning, and its name; raises `UploadRefused` for what shall not be stored."""


class _View(io.BufferedIOBase):
    """A file for one hook: whoever closes it, or wraps it in what closes it, closes nothing for those after it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._file.fileno()

    def read(self, size: int | None = -1, /) -> bytes:
        return self._file.read() if size is None or size < 0 else self._file.read(size)

    def read1(self, size: int = -1, /) -> bytes:
        return self.read(size if size >= 0 else io.DEFAULT_BUFFER_SIZE)

    def readline(self, size: int | None = -1, /) -> bytes:
        return self._file.readline() if size is None else self._file.readline(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        # Django's files give nothing back.
        self._file.seek(offset, whence)
        return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()


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
    Raises ``TypeError`` if one returns something, which may mean that it refuses: False, or what nobody awaits.
    """
    for hook in hooks:
        file.seek(0)
        answer = cast("object", hook(_View(file), name))
        if answer is not None:
            raise TypeError(_returned(answer, hook))
    file.seek(0)


def _returned(answer: object, hook: Hook) -> str:
    said = repr(answer) if isinstance(answer, bool) else f"a {type(answer).__qualname__}"
    if inspect.iscoroutine(answer):
        answer.close()
    return (
        f"{getattr(hook, '__qualname__', hook)} of OPTIONS['inspect'] returned {said}. A hook raises UploadRefused for "
        "an upload that shall not be stored, and returns None for one that may be. Nothing was stored."
    )
