"""A proxy of our own before a store: a long or narrow line, every request counted, faults by plan.

HTTP/1.1 without encryption, as stores on this machine speak it; bodies pass through and are never held. A client that
sends its next request before it has the answer to the last is not provided for. A new connection costs nothing here,
where a real one takes two or three round trips more.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from .asked import Asked, Fault, Plan, read_head
from .chunked import Chunks
from .pipes import Link, Pipe, reset_of

_EMPTY = re.compile(rb"(?i)\r\ncontent-length:[ \t]*0\r\n")
_HEAD = 64 << 10


class Proxy:
    """A port of ours, behind which the server of ``url`` is. It lives in a thread of its own, see `proxied`."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.target = (parts.hostname or "", parts.port or 80)
        self.loop = _loop()
        self.up, self.down = Link(self.loop), Link(self.loop)
        self.asked: list[Asked] = []
        """Every request since the last `clear`."""
        self.connections = 0
        """How many were opened since then."""
        self.plan: Plan | None = None
        self.heard: Callable[[Asked], None] | None = None
        """Is called when the answer to a request comes in, before the client hears of it."""
        self.open: set[Any] = set()
        """The transports of all connections."""
        self._attempts: Counter[tuple[str, str]] = Counter()
        self._server = self.loop.run_until_complete(
            self.loop.create_server(lambda: _Client(self), "127.0.0.1", 0, backlog=1024)
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = parts._replace(netloc=f"127.0.0.1:{self.port}").geturl()

    def run(self) -> None:
        """Work until `close` is called from another thread."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self._server.close()
        for transport in [*self.open]:
            transport.abort()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()

    def close(self) -> None:
        """Take no more connections."""
        self.loop.call_soon_threadsafe(self.loop.stop)

    def set(self, *, delay: float = 0.0, rate: float = 0.0) -> None:
        """Let every byte take ``delay`` seconds each way, and ``rate`` bytes a second get over; 0 for no limit."""
        for link in (self.up, self.down):
            link.delay, link.rate = delay, rate

    def freeze(self, frozen: bool) -> None:
        """Let nothing get over any more, in either direction; or again."""
        self.up.frozen = self.down.frozen = frozen

    def clear(self) -> None:
        """Count anew; numbers and attempts begin with 1."""
        self.asked = []
        self.connections = 0
        self.up.carried = self.down.carried = 0
        self._attempts.clear()

    def carried(self) -> tuple[int, int]:
        """How many bytes got to the store and back since the last `clear`."""
        return self.up.carried, self.down.carried

    def kinds(self) -> Counter[str]:
        """How many requests of each kind there were."""
        return Counter(asked.kind for asked in self.asked)

    def began(self, head: bytes) -> tuple[Asked, Fault | None]:
        """The request with this head, counted, and what is to be done to it."""
        asked = read_head(head, len(self.asked) + 1)
        counted = (asked.method, asked.path)
        self._attempts[counted] += 1
        asked.attempt = self._attempts[counted]
        asked.began = self.loop.time()
        self.asked.append(asked)
        fault = self.plan(asked) if self.plan else None
        if fault:
            asked.fault = fault.kind
        return asked, fault


def _loop() -> asyncio.AbstractEventLoop:
    with suppress(ImportError):
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.new_event_loop()


class _Client(asyncio.Protocol):
    """One connection, with that to the store."""

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self._transport: Any = None
        self._store: Any = None
        self._head = b""
        self._asked: Asked | None = None
        self._fault: Fault | None = None
        self._left: int | Chunks = 0
        self._breaks_at = 0
        self._in_body = self._answering = self._dead = self._cuts = False
        self._answer = b""

    # What the client sends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._proxy.open.add(transport)
        self._proxy.connections += 1
        loop = self._proxy.loop
        self.up = Pipe(loop, self._proxy.up, self._transport)
        self.down: Pipe | None = None
        self._connecting = loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            await self._proxy.loop.create_connection(lambda: _Store(self), *self._proxy.target)
        except OSError:
            reset_of(self._transport)

    def connected(self, store: Any) -> None:
        """The store is there."""
        self._store = store
        self._proxy.open.add(store)
        self.down = Pipe(self._proxy.loop, self._proxy.down, store)
        self.down.connect(self._transport)
        self.up.connect(store)
        if self._transport.is_closing():
            store.close()

    def data_received(self, data: bytes) -> None:
        while data and not self._dead:
            data = self._body(data) if self._in_body else self._heads(data)

    def _heads(self, data: bytes) -> bytes:
        """Take what belongs to a head; gives the rest."""
        self._head += data
        end = self._head.find(b"\r\n\r\n")
        if end < 0:
            if len(self._head) > _HEAD:
                self._reset()
            return b""
        head, rest, self._head = self._head[: end + 4], self._head[end + 4 :], b""
        try:
            asked, fault = self._proxy.began(head[:-4] + b"\r\n")
        except ValueError:
            self._reset()
            return b""
        self._asked, self._fault, self._answering = asked, fault, True
        self._answer, self._cuts = b"", False
        self._left = Chunks() if asked.length < 0 else asked.length
        self._breaks_at = max(0, asked.length) // 2
        kind = fault.kind if fault else ""
        if kind == "refuse" or (kind == "break" and asked.length == 0):
            self._later(self._reset)
        elif kind == "answer" and asked.expects:
            self._dead = True
            self._later(self._say_and_end)
        elif kind not in ("answer", "stall"):
            self.up.put(head)
        self._in_body = self._left != 0
        if not self._in_body:
            self._end_of_body()
        return rest

    def _body(self, data: bytes) -> bytes:
        """Take what belongs to a body; gives the rest."""
        if isinstance(self._left, Chunks):
            size = self._left.take(data)
            over = self._left.over
        else:
            size = min(self._left, len(data))
            self._left -= size
            over = self._left == 0
        piece = data[:size] if size < len(data) else data
        kind = self._fault.kind if self._fault else ""
        if kind == "break":
            if over or size >= self._breaks_at:
                self.up.put(piece[: min(self._breaks_at, size - 1)])
                self._later(self._reset)
                return b""
            self._breaks_at -= size
        if kind not in ("answer", "stall"):
            self.up.put(piece)
        if over:
            self._in_body = False
            self._end_of_body()
        return data[size:]

    def _end_of_body(self) -> None:
        if self._fault and self._fault.kind == "answer" and not self._dead:
            self._later(self._say)

    def _later(self, do: Callable[[], None]) -> None:
        """When the request would have got to the store."""
        self._proxy.loop.call_later(self._proxy.up.delay, do)

    def _say(self) -> None:
        """Answer in the store's place."""
        if self._asked and self._fault and not self._transport.is_closing():
            self._asked.status = self._fault.status
            down = self.down or Pipe(self._proxy.loop, self._proxy.down, None)
            if self.down is None:
                down.connect(self._transport)
            down.put(self._fault.answer(self._asked))

    def _say_and_end(self) -> None:
        self._say()
        if self.down:
            self.down.end()

    def _reset(self) -> None:
        """Reset both connections; the client hears of it in its time."""
        self._dead = True
        if self._store:
            reset_of(self._store)
        self._proxy.loop.call_later(self._proxy.down.delay, reset_of, self._transport)

    # What the store answers

    def answered(self, data: bytes) -> None:
        """``data`` has come from the store."""
        if self._asked:
            self._asked.answered += len(data)
        if self._dead or self._proxy.down.frozen:
            return
        if self._answering:
            self._answer += data
            data = self._final()
        if not data or self._dead:
            return
        if self._cuts:
            self._put(data[: len(data) // 2])
            self._break_off()
        elif not (self._fault and self._fault.kind == "mute"):
            self._put(data)

    def _final(self) -> bytes:
        """What is to go on of the answer that begins here, if its status is there and is the final one."""
        while len(self._answer) >= 12:
            if not self._answer.startswith(b"HTTP/1.1 1"):
                break
            interim, end, rest = self._answer.partition(b"\r\n\r\n")
            if not end:
                return b""
            self._put(interim + end)
            self._answer = rest
        else:
            return b""
        self._answering = False
        data, self._answer = self._answer, b""
        asked, kind = self._asked, self._fault.kind if self._fault else ""
        if asked:
            asked.status = int(data[9:12])
            asked.ended = self._proxy.loop.time()
            if self._proxy.heard:
                self._proxy.heard(asked)
            if self._proxy.down.frozen:
                return b""
        if kind == "lose":
            self._break_off()
            return b""
        if kind == "cut":
            head, _, body = data.partition(b"\r\n\r\n")
            if _EMPTY.search(head + b"\r\n") or (asked and asked.method == "HEAD"):
                self._break_off()
                return b""
            self._put(head + b"\r\n\r\n")
            self._cuts = True
            return body
        return data

    def _put(self, data: bytes) -> None:
        if self.down:
            self.down.put(data)

    def _break_off(self) -> None:
        """Reset behind what was answered so far."""
        self._dead = True
        if self.down:
            self.down.end(reset=True)
        self._store.close()

    # Ends

    def ended(self) -> None:
        """The store has closed the connection."""
        self._proxy.open.discard(self._store)
        if not self._dead and self.down:
            self.down.end()

    def connection_lost(self, error: Exception | None) -> None:
        self._dead = True
        self._proxy.open.discard(self._transport)
        if self.down:
            self.down.stop()
        if self._store and not self._proxy.up.frozen:
            self.up.end()
        elif self._store:
            self._store.abort()

    def pause_writing(self) -> None:
        if self.down:
            self.down.full(True)

    def resume_writing(self) -> None:
        if self.down:
            self.down.full(False)


class _Store(asyncio.Protocol):
    """The connection to the store that belongs to one of a client."""

    def __init__(self, client: _Client) -> None:
        self._client = client

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client.connected(transport)

    def data_received(self, data: bytes) -> None:
        self._client.answered(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._client.up.stop()
        self._client.ended()

    def pause_writing(self) -> None:
        self._client.up.full(True)

    def resume_writing(self) -> None:
        self._client.up.full(False)


@contextmanager
def proxied(url: str) -> Iterator[Proxy]:
    """A proxy in a thread of this process."""
    proxy = Proxy(url)
    thread = threading.Thread(target=proxy.run, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()


class Apart:
    """A proxy in a process of its own: what it does does not wait for this one."""

    def __init__(self, url: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_apart, args=(url, there), daemon=True)
        self._process.start()
        self.url: str = self._here.recv()

    def call(self, method: str, *arguments: Any, **named: Any) -> Any:
        """What a method of the proxy gives."""
        self._here.send((method, arguments, named))
        return self._here.recv()

    def asked(self) -> tuple[list[Asked], int]:
        """Every request since the last ``clear``, and the number of connections."""
        self._here.send(("", (), {}))
        requests, connections = self._here.recv()
        return requests, connections

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.join()


def _apart(url: str, pipe: Any) -> None:
    with proxied(url) as proxy:
        pipe.send(proxy.url)
        with suppress(EOFError):
            while True:
                method, arguments, named = pipe.recv()
                pipe.send(getattr(proxy, method)(*arguments, **named) if method else (proxy.asked, proxy.connections))
