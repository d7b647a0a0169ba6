"""One file of the build cache that holds many small JSON values by key."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..errors import os_reason, printable
from ..regular import read_regular


class CacheTable:
    """The file at ``path()``, held to ``most`` entries; it is read when first asked, and written when it is closed.

    Damage is noticed by a checksum. ``write`` puts a file in place whole or not at all; ``tell`` is told what is wrong.
    Safe to use from several threads.
    """

    def __init__(
        self,
        path: Callable[[], str],
        write: Callable[[str, bytes], None],
        tell: Callable[[str], None],
        most: int,
    ) -> None:
        self._path = path
        self._write = write
        self._tell = tell
        self._most = most
        self._lock = threading.Lock()
        self._loaded: dict[str, Any] | None = None
        self._used: dict[str, Any] = {}
        self._is_new = False

    def get(self, key: str) -> Any:
        """The value under ``key``, ``None`` if there is none."""
        if self._loaded is None:
            with self._lock:
                if self._loaded is None:
                    self._loaded = self._read()
        return self._loaded.get(key)

    def use(self, key: str, value: Any) -> None:
        """Note that ``value``, which was found under ``key``, was good."""
        self._used[key] = value

    def keep(self, key: str, value: Any) -> None:
        """Keep ``value`` under ``key``."""
        self._used[key] = value
        self._is_new = True

    def close(self) -> bool:
        """Write what is new; whether there was any."""
        if not self._is_new:
            return False
        # What another process has written meanwhile stays; what nobody used in this run goes first.
        others = self._read() if self._loaded is not None else {}
        kept = {key: value for key, value in others.items() if key not in self._used} | self._used
        for key in list(kept)[: max(0, len(kept) - self._most)]:
            del kept[key]
        body = json.dumps(kept, separators=(",", ":"), check_circular=False).encode()
        self._write(self._path(), checksum(body) + b"\n" + body)
        self._is_new = False
        return True

    def _read(self) -> dict[str, Any]:
        path = self._path()
        try:
            found, _, body = read_regular(path).partition(b"\n")
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._tell(f"{printable(path)} cannot be read: {os_reason(error)}")
            return {}
        if found == checksum(body):
            with suppress(ValueError, RecursionError):
                values = json.loads(body)
                if isinstance(values, dict):
                    return values
        self._tell(f"{printable(path)} is damaged and is made anew")
        return {}


def checksum(body: bytes) -> bytes:
    """What tells ``body`` from other bytes."""
    return hashlib.sha256(body).hexdigest().encode()
