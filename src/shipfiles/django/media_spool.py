"""Files of a media storage while they are written: temporary files that are stored as a whole, or not at all."""

from __future__ import annotations

import io
import logging
import os
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from ..errors import printable
from ..stores.store import Body
from .media_bodies import remove

_HELD = 1 << 20
_MODES = frozenset({"r", "w", "a", "x"})
_log = logging.getLogger("shipfiles")


def checked_mode(mode: str) -> tuple[str, bool, bool]:
    """What a ``mode`` of ``open`` says: one of ``rwax``, whether it is for both, whether as text.

    Raises ``ValueError`` as ``open`` does.
    """
    verbs = [letter for letter in mode if letter in _MODES]
    if len(verbs) != 1 or len(set(mode)) != len(mode) or set(mode) - {*_MODES, *"+bt"} or {*"bt"} <= set(mode):
        raise ValueError(f"invalid mode: {mode!r}")
    return verbs[0], "+" in mode, "b" not in mode


class Spool(io.BufferedIOBase):
    """A temporary file that is written as ``mode`` says: ``store`` is given all of it by `keep`.

    ``before`` are the bytes that are there to begin with. To close it stores nothing: that is also what becomes of a
    file that somebody loses, maybe for an error. A forked child cannot write or store what its parent has begun.
    """

    def __init__(
        self, store: Callable[[Body], object], mode: str, before: Iterable[bytes] = (), *, name: str = "",
        folder: str | None = None,
    ) -> None:  # fmt: skip
        verb, self._both, _ = checked_mode(mode)
        self._store = store
        self._name = name
        self._size = 0
        self._inherited = False
        descriptor, self._path = tempfile.mkstemp(prefix="shipfiles-", dir=folder)
        self._remove = weakref.finalize(self, remove, self._path)
        with open(descriptor, "wb") as spool:
            spool.writelines(before)
        self._file = open(self._path, "a+b" if verb == "a" else "r+b")  # noqa: SIM115
        _open_spools.add(self)

    def readable(self) -> bool:
        return self._both

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        self._check_readable()
        return self._file.read(-1 if size is None else size)

    def read1(self, size: int = -1, /) -> bytes:
        self._check_readable()
        return self._file.read1(size)

    def write(self, body: Any, /) -> int:
        return self._file.write(body)

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def truncate(self, size: int | None = None, /) -> int:
        return self._file.truncate(size)

    def flush(self) -> None:
        if not self.closed:
            self._file.flush()

    @property
    def closed(self) -> bool:
        return self._file.closed

    @property
    def size(self) -> int:
        """How many bytes have been written so far, or had been when it was closed."""
        if not self.closed:
            self._file.flush()
            self._size = os.fstat(self._file.fileno()).st_size
        return self._size

    def keep(self) -> None:
        """Store what was written, and close it; not again if it is closed already."""
        if self.closed:
            return
        if self._inherited:
            text = "%s: opened for writing before the process forked; only the parent can store it."
            _log.error(text, printable(self._name))
            self.discard()
            return
        try:
            self._size = self.size
            self._file.close()
            if self._size > _HELD:
                self._store(self._path)
            else:
                with open(self._path, "rb") as whole:
                    body = whole.read()
                self._store(body)
        finally:
            self._file.close()
            self._remove()

    def discard(self) -> None:
        """Close it, and store nothing."""
        try:
            self._file.close()
        finally:
            self._remove()

    def close(self) -> None:
        """As `discard`, and tell of it: whoever wanted the bytes would miss them."""
        if not self.closed:
            self.discard()
            if not self._inherited:
                text = f"{printable(self._name)}: opened for writing and never closed; nothing was stored."
                _log.error(text)
                warnings.warn(text, ResourceWarning, source=self, stacklevel=2)

    def inherit(self) -> None:
        """In a forked child: leave the file to the parent, and let what is buffered here go nowhere."""
        self._inherited = True
        self._remove.detach()
        if not self.closed:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, self._file.fileno(), inheritable=False)
            os.close(nowhere)

    def __del__(self) -> None:
        # Not as other files, which finish what was begun: who loses it may do so for an error.
        if "_file" in vars(self):
            self.close()

    def _check_readable(self) -> None:
        if not self._both:
            raise io.UnsupportedOperation("not readable")


_open_spools: weakref.WeakSet[Spool] = weakref.WeakSet()


def _inherit_all() -> None:
    for spool in list(_open_spools):
        spool.inherit()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_inherit_all)
