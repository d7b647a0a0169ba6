"""Several threads that want the same."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from .forks import renew_in_child
from .patience import silent

_T = TypeVar("_T")


class Flights(Generic[_T]):
    """Lets one of several threads that want the same do it, and gives its result to the others.

    These wait while ``is_silent`` does not say that nothing comes.
    """

    _LOOK_EVERY = 0.1

    def __init__(self, is_silent: Callable[[], bool]) -> None:
        self._is_silent = is_silent
        self._renew()
        renew_in_child(self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[str, Future[_T]] = {}

    def run(self, key: str, make: Callable[[], _T]) -> _T:
        """What ``make`` gives, or raises, to the first who wants ``key``. Raises ``OSError`` to who does not wait."""
        with self._lock:
            flight = self._flying.get(key)
            first = flight is None
            if flight is None:
                flight = self._flying[key] = Future()
        while not first:
            try:
                return flight.result(self._LOOK_EVERY)
            except TimeoutError:
                if not flight.done() and self._is_silent():
                    raise silent() from None
        try:
            flight.set_result(make())
        except BaseException as error:
            flight.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._flying[key]
        return flight.result()
