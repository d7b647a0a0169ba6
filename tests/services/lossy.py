"""A way to a server on which answers get lost."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Lossy:
    """A port of ours, behind which the server of ``url`` is.

    Of `left` requests that begin with `method` the answer is lost: what they ask is done, and the connection breaks.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = parts._replace(netloc=f"127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self.method = b"PUT "
        self.left = 0
        self._guard = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.create_connection(self._target) as server:
            loses = False
            while True:
                ready, _, _ = select.select([client, server], [], [])
                for source in ready:
                    carried = source.recv(1 << 16)
                    if not carried:
                        return
                    if source is client:
                        loses |= carried.startswith(self.method) and self._taken()
                        server.sendall(carried)
                    elif loses:
                        return
                    else:
                        client.sendall(carried)

    def _taken(self) -> bool:
        with self._guard:
            self.left -= 1
            return self.left >= 0


@contextmanager
def lossy(url: str) -> Iterator[Lossy]:
    """It, open."""
    way = Lossy(url)
    try:
        yield way
    finally:
        way.close()
