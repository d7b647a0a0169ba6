"""What a process that forks leaves to its child: locks that another thread held, and threads that are not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from weakref import WeakMethod

_renewals: list[WeakMethod[Callable[[], None]]] = []


def renew_in_child(method: Callable[[], None]) -> None:
    """Have the child of every later fork call ``method``, which is bound to an object, as long as that object lives.

    A lock that another thread held when the process forked would never be free again in the child: ``method`` makes a
    new one. It must wait for nothing.
    """
    # As many as there are living objects, although each release that is followed brings new ones.
    _renewals[:] = [*(known for known in _renewals if known() is not None), WeakMethod(method)]


def _renew() -> None:
    for known in _renewals:
        if (method := known()) is not None:
            method()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
