"""How much memory is kept by clients that take their answers slowly."""

from __future__ import annotations


class Held:
    """The bodies that slow clients keep in memory, each counted once, for how many ever it is."""

    def __init__(self) -> None:
        self._clients: dict[int, int] = {}
        self.size = 0
        """Bytes in all of them."""

    def __contains__(self, body: bytes) -> bool:
        return id(body) in self._clients

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
