"""One publication at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ..events import Listener, Notice, phase
from ..stores.store import Locks, Store, Sweeps


@contextmanager
def locked(store: Store, listener: Listener) -> Iterator[None]:
    """Keep other runs out of ``store``, if it can; remove what a run left that did not end properly."""
    wait = ExitStack()

    def waiting() -> None:
        listener(Notice("Another run is publishing to the same place; waiting for it to end.", "info"))
        wait.enter_context(phase(listener, "wait"))

    if not isinstance(store, Locks):
        yield
        return
    with store.lock(waiting) as died:
        wait.close()
        if died and isinstance(store, Sweeps) and (swept := store.sweep()):
            listener(Notice(f"An earlier run did not end properly; removed {swept} unfinished files.", "info"))
        yield
