"""How much memory is kept by clients that take their answers slowly."""

from __future__ import annotations

MOST_HELD = 32 * 1024 * 1024
"""Bytes in bodies that wait for slow clients, and may have left the table's memory: as much again as that has by
default."""


class Held:
    """The bodies that slow clients keep in memory, each counted once, for how many ever it is.

    Those of up to ``small`` bytes need not be counted.
    """

    def __init__(self, small: int) -> None:
        self._small = small
        self._clients: dict[int, int] = {}
        self.size = 0
        """Bytes in all of them."""

    def has_room(self, body: bytes | None = None) -> bool:
        """Whether one client more may take ``body``, or any that is not small."""
        return self.size < MOST_HELD or (body is not None and (len(body) <= self._small or id(body) in self._clients))

    def add(self, body: bytes) -> None:
        """One client more. It must keep ``body`` itself: as long as it does, no other has its id."""
        clients = self._clients.get(id(body), 0)
        self._clients[id(body)] = clients + 1
        if not clients:
            self.size += len(body)

    def remove(self, body: bytes) -> None:
        """One client less."""
        clients = self._clients.pop(id(body)) - 1
        if clients:
            self._clients[id(body)] = clients
        else:
            self.size -= len(body)
