"""Clients as they are: they read slowly, leave in the middle, or begin a request and never end it."""

from __future__ import annotations

import random
import re
import socket
import struct
import threading
import time
from contextlib import suppress

from .asking import ticks
from .known import File, Known
from .tally import Tally, Trouble

PATIENCE = 20.0
"""Seconds without a byte after which a server hangs."""


def _connected(port: int, *, buffer: int = 0) -> socket.socket:
    client = socket.socket()
    client.settimeout(PATIENCE)
    if buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    client.connect(("127.0.0.1", port))
    return client


class _Reading:
    """A body that comes, from ``first`` to its end, compared byte by byte."""

    def __init__(self, client: socket.socket, file: File, first: int, *, last: bool) -> None:
        """``last``: whether the client says that it asks no more."""
        self._client, self._file, self._at = client, file, first
        fields = (f"Range: bytes={first}-\r\n" if first else "") + ("Connection: close\r\n" if last else "")
        client.sendall(f"GET {file.url} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())
        held = b""
        while b"\r\n\r\n" not in held:
            more = client.recv(2048)
            if not more:
                raise Trouble("broken", f"{file.url}: closed within the head {held[:200]!r}")
            held += more
        head, _, body = held.partition(b"\r\n\r\n")
        status = int(head[9:12])
        if status != (206 if first else 200):
            raise Trouble("5xx" if status >= 500 else "status", f"{file.url}: {head[:300]!r}")
        length = re.search(rb"\r\ncontent-length: *([0-9]+)", head, re.IGNORECASE)
        if length is None or int(length[1]) != len(file.body) - first:
            raise Trouble("wrong", f"{file.url} from {first}: {head[:600]!r}")
        self._compare(body)

    def read(self, size: int) -> bool:
        """Take up to ``size`` more bytes; ``False`` at the end."""
        more = self._client.recv(size)
        self._compare(more)
        left = len(self._file.body) - self._at
        if not more and left:
            raise Trouble("broken", f"{self._file.url}: {left} bytes of {len(self._file.body)} are missing")
        return left > 0

    def _compare(self, more: bytes) -> None:
        if self._file.body[self._at : self._at + len(more)] != more:
            raise Trouble("wrong", f"{self._file.url}: other bytes between {self._at} and {self._at + len(more)}")
        self._at += len(more)


def read_slowly(port: int, known: Known, tally: Tally, chance: random.Random, ending: threading.Event) -> None:
    """Large bodies, a few kilobytes at a time, some to their end."""
    while not ending.is_set():
        file = chance.choice([*known.large, *known.films])
        if not known.is_certain(file):
            continue
        first = chance.choice((0, chance.randrange(len(file.body))))
        rate, until = chance.uniform(20_000, 600_000), time.monotonic() + chance.uniform(10, 60)
        with _connected(port, buffer=16_384) as client:
            try:
                reading = _Reading(client, file, first, last=chance.random() < 0.5)
                tally.count("slow")
                while (more := reading.read(8192)) and time.monotonic() < until and not ending.is_set():
                    time.sleep(8192 / rate)
                if not more:
                    tally.count("slow to the end")
            except (Trouble, OSError) as error:
                _tell(tally, file, error)


def leave(
    port: int, known: Known, tally: Tally, chance: random.Random, ending: threading.Event, interval: float
) -> None:
    """In the middle of 20 MB, by RST or by FIN."""
    for _ in ticks(interval, ending):
        file, stop = chance.choice(known.films), chance.uniform(0, 4_000_000)
        with _connected(port, buffer=chance.choice((0, 32_768))) as client:
            try:
                first = chance.choice((0, chance.randrange(len(file.body) // 2)))
                reading = _Reading(client, file, first, last=chance.random() < 0.5)
                taken = 0
                while taken < stop and reading.read(65_536):
                    taken += 65_536
                how = chance.randrange(3)
                if how == 0:
                    # No time to linger: what is closed is reset (tcp(7), socket(7)).
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                elif how == 1:
                    client.shutdown(socket.SHUT_WR)
                    ending.wait(0.2)
                tally.count("left")
            except (Trouble, OSError) as error:
                _tell(tally, file, error)


def begin(port: int, known: Known, tally: Tally, chance: random.Random, ending: threading.Event) -> None:
    """Half requests; some get a byte more each second. The server may answer with an error of the client, or close."""
    while not ending.is_set():
        file, until = chance.choice(known.small), time.monotonic() + chance.uniform(2, 45)
        whole = f"GET {file.url} HTTP/1.1\r\nHost: localhost\r\nX-Filler: {'a' * 60}\r\n"
        if chance.random() < 0.2:
            whole = f"POST {file.url} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc"
        drips = chance.random() < 0.5
        with _connected(port) as client, suppress(OSError):
            client.sendall(whole[: chance.randrange(1, len(whole) + 1)].encode())
            tally.count("half")
            client.settimeout(1.0)
            while time.monotonic() < until and not ending.is_set():
                try:
                    said = client.recv(4096)
                except TimeoutError:
                    if drips:
                        client.sendall(b"a")
                    continue
                if re.match(rb"HTTP/1\.1 5", said):
                    tally.trouble("5xx", f"half of a request for {file.url}: {said[:200]!r}")
                if not said:
                    break


def _tell(tally: Tally, file: File, error: Exception) -> None:
    kind = error.kind if isinstance(error, Trouble) else "hang" if isinstance(error, TimeoutError) else "broken"
    tally.trouble(kind, f"{file.url}: {error!r}")
