"""Whether this machine and the store agree on the time, without which the age of a file cannot be known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from ..errors import ReleaseError, StoreError
from ..events import Listener
from ..paths import RESERVED
from ..records import moment_text, now
from ..stores.store import Store
from .lock import locked

CLOCK_KEY = f"{RESERVED}/clock"
"""What is put under this key for a moment, to see which time the store gives it."""
_APART = timedelta(minutes=10)


def check_clocks(store: Store, listener: Listener, clock: Callable[[], datetime] = now) -> None:
    """Raise `ReleaseError` if the store's clock is more than ten minutes from the ``clock`` of this machine.

    Nothing is said where the store does not tell its time, or nothing can be put: what is to be deleted may be just
    what fills the disk.
    """
    try:
        # With the lock held, what is left by a kill is swept by the next run.
        with locked(store, listener):
            store.put(CLOCK_KEY, b"")
            at, stored = clock(), store.head(CLOCK_KEY)
            store.delete([CLOCK_KEY])
    except StoreError:
        return
    if stored is None or not stored.modified:
        return
    there = datetime.fromtimestamp(stored.modified, UTC)
    if abs(there - at) > _APART:
        raise ReleaseError(
            f"The clock of this machine says {moment_text(at)}, and that of the store {moment_text(there)}.\n"
            "  How old files are cannot be known, so nothing was deleted. Put the clock right."
        )
