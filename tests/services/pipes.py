"""One direction of a connection that takes its time."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque

_MOST = 4 << 20  # held by one pipe, about as much as TCP has under way on a long line
_SLICE = 0.05


class Link:
    """A line that all connections share in one direction."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.delay = 0.0
        """Seconds that a byte takes."""
        self.rate = 0.0
        """Bytes a second; 0 for no limit."""
        self.frozen = False
        """Whether nothing gets over."""
        self.carried = 0
        """Bytes that got over."""
        self._free_at = 0.0

    def due(self, size: int) -> float:
        """When ``size`` bytes that come in now have got over."""
        now = self._loop.time()
        if self.rate:
            self._free_at = max(self._free_at, now) + size / self.rate
            return self._free_at + self.delay
        return now + self.delay


class Pipe:
    """Brings bytes to a transport, and then it is closed or reset; in order, each piece when it is due.

    A fast ``source`` is held up.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, link: Link, source: asyncio.Transport | None) -> None:
        self._loop, self._link, self._source = loop, link, source
        self._waiting: deque[tuple[float, bytes | None, bool]] = deque()
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self._sink: asyncio.Transport | None = None
        self._sink_full = self._source_held = False

    def connect(self, sink: asyncio.Transport) -> None:
        """Where it leads; what has been put meanwhile goes on."""
        self._sink = sink
        self._go_on()

    def put(self, data: bytes) -> None:
        """Bring ``data``."""
        rate = self._link.rate
        if not rate and not self._link.delay and not self._waiting and self._sink and not self._sink_full:
            if not self._link.frozen:
                self._link.carried += len(data)
                self._sink.write(data)
            return
        step = max(1024, int(rate * _SLICE)) if rate else len(data)
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            self._waiting.append((self._link.due(len(piece)), piece, False))
        self._size += len(data)
        if self._size > _MOST and self._source and not self._source_held:
            self._source_held = True
            self._source.pause_reading()
        self._go_on()

    def end(self, *, reset: bool = False) -> None:
        """Close after all that was put."""
        self._waiting.append((self._link.due(0), None, reset))
        self._go_on()

    def full(self, full: bool) -> None:
        """Whether the sink takes no more for now."""
        self._sink_full = full
        if not full:
            self._go_on()

    def stop(self) -> None:
        """Bring nothing any more."""
        self._waiting.clear()
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _go_on(self) -> None:
        if self._timer is None:
            self._flush()

    def _flush(self) -> None:
        self._timer = None
        sink, waiting = self._sink, self._waiting
        if sink is None or self._link.frozen:
            return
        now = self._loop.time()
        while waiting and not self._sink_full:
            due, data, reset = waiting[0]
            if due > now:
                self._timer = self._loop.call_at(due, self._flush)
                break
            waiting.popleft()
            if data is None:
                waiting.clear()
                reset_of(sink) if reset else sink.close()
                return
            self._size -= len(data)
            self._link.carried += len(data)
            sink.write(data)
        if self._source_held and self._size < _MOST // 2 and self._source:
            self._source_held = False
            self._source.resume_reading()


def reset_of(transport: asyncio.Transport) -> None:
    """Close so that the other side is told of a reset (RST), not of an end."""
    found = transport.get_extra_info("socket")
    if found is not None and not transport.is_closing():
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
