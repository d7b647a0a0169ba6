"""Another store, asked by a few threads at once: where it is silent, the others go without it."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import KeyNotFound, ShipfilesError, StoreError
from ..stores.store import Store, Stored
from .forks import renew_in_child


def silent() -> OSError:
    """What is raised instead of waiting: the answer is "try again" (RFC 9110 section 15.6.4)."""
    return BlockingIOError(errno.EAGAIN, "the other store is slow to answer")


class PatientStore:
    """What is read from ``store``, by so many threads at once that one which does not answer cannot have them all.

    A thread that finds no turn waits as long as the store gives something to those that have one. Reading and listing
    raise `StoreError` whatever a store of somebody else raises, and ``OSError`` if there is no turn.
    """

    AT_ONCE = 4
    PATIENCE = 1.0
    """Seconds without a sign of life after which nobody waits for those that are being answered."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._renew()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        self._turns = threading.Semaphore(self.AT_ONCE)
        self._count = threading.Lock()
        self._busy = 0
        self._heard = 0.0

    def __repr__(self) -> str:
        return repr(self.store)

    def is_silent(self) -> bool:
        """Whether it is asked for something and has given nothing for a while."""
        return self._busy > 0 and time.monotonic() - self._heard > self.PATIENCE

    def read(self, key: str) -> Iterator[bytes]:
        """As `Store.read`."""
        with self._turn(key):
            for chunk in self.store.read(key):
                self._heard = time.monotonic()
                yield chunk

    def whole(self, key: str) -> bytes | None:
        """The bytes under ``key``, ``None`` if there are none."""
        try:
            return b"".join(self.read(key))
        except KeyNotFound:
            return None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """As `Store.list`."""
        with self._turn(prefix):
            for stored in self.store.list(prefix):
                self._heard = time.monotonic()
                yield stored

    @contextmanager
    def _turn(self, key: str) -> Iterator[None]:
        turns = self._turns
        while not turns.acquire(timeout=self.PATIENCE / 10):
            if self.is_silent():
                raise silent()
        with self._count:
            if not self._busy:
                self._heard = time.monotonic()
            self._busy += 1
        try:
            yield
            self._heard = time.monotonic()
        except (ShipfilesError, OSError):
            raise
        except Exception as error:
            raise StoreError(key, f"cannot be read: {type(error).__name__}: {error}") from error
        finally:
            with self._count:
                self._busy -= 1
            turns.release()
