"""The fast lane of gunicorn: ``gunicorn -k shipfiles.serve.gunicorn.ThreadWorker``.

gunicorn's gthread worker has one thread that waits for connections, and a pool of threads that read requests and run
the application. Here the first of them looks at what a connection sends, and answers a request for a small static file
itself. What it does not answer goes to the pool with all the bytes that were read, as if nobody had looked.
"""

from __future__ import annotations

import os
import socket
import time
from bisect import insort
from collections.abc import Callable
from datetime import datetime
from functools import partial
from selectors import EVENT_READ, EVENT_WRITE
from typing import Any, NamedTuple

import gunicorn

from .expected import importing, require_server
from .following import never_wait_here
from .held import Held
from .lane import LARGEST, Classifier, Lane, lane_for
from .ready import Answer

TESTED = "27.0.1"
_INSTEAD = "--worker-class gthread"

with importing("gunicorn", gunicorn.__version__, tested=TESTED, instead=_INSTEAD):
    from gunicorn import util
    from gunicorn.glogging import Logger
    from gunicorn.http import RequestParser, get_parser, wsgi
    from gunicorn.http.unreader import Unreader
    from gunicorn.workers import gthread

require_server(
    "gunicorn", gunicorn.__version__, tested=TESTED, instead=_INSTEAD,
    methods={
        gthread.ThreadWorker: {
            "enqueue_req": ("self", "conn"),
            "finish_request": ("self", "conn", "fs"),
            "load_wsgi": ("self",),
            "murder_keepalived": ("self", "force"),
            "murder_pending": ("self",),
            "notify": ("self",),
            "on_client_socket_readable": ("self", "conn", "client"),
            "on_pending_socket_readable": ("self", "conn", "client"),
            "_cap_keepalive": ("self", "deadline"),
        },
        gthread.TConn: {
            "__init__": ("self", "cfg", "sock", "client", "server"),
            "close": ("self", "graceful"),
            "init": ("self",),
            "set_timeout": ("self",),
        },
        Logger: {"access": ("self", "resp", "req", "environ", "request_time")},
        Unreader: {"unread": ("self", "data")},
        wsgi: {"create": ("req", "sock", "client", "server", "cfg", "response_class", "response_args")},
        wsgi.Response: {"start_response": ("self", "status", "headers", "exc_info")},
    },
    attributes={
        gthread: ("DEFAULT_WORKER_DATA_TIMEOUT", "STOP_KEEPALIVE_LINGER"),
        gthread.ThreadWorker: ("alive", "cfg", "keepalived_conns", "log", "max_keepalived", "max_requests", "nr",
                               "nr_conns", "pending_conns", "poller", "wsgi"),
        gthread.TConn: ("client", "data_ready", "initialized", "parser", "server", "sock", "timeout"),
        Logger: ("access_log_enabled",),
        RequestParser: ("unreader",),
        util: ("http_date",),
        wsgi: ("SERVER",),
        wsgi.Response: ("sent",),
    },
)  # fmt: skip

# Larger bodies are not copied behind their header fields but sent from where they are.
_COPIED = 16 * 1024
# Seconds without a byte taken by the client after which the rest of an answer is given up. nginx gives 60.
_STALLED = 60.0
# Seconds that a client has to close after the last answer, and what it may still send, as in gunicorn's close_graceful.
_LINGER = 2.0
_MOST_DRAINED = 65_536


def _nothing() -> None:
    pass


class _Exchange(NamedTuple):
    """A request that was read and its answer."""

    head: bytes
    """The answer's header without its end."""
    body: bytes
    close: bool
    """Whether it is the last one on its connection."""
    done: Callable[[], None]
    """To be called when all that can be sent is sent: it writes the access log."""


class _Leaving:
    """A connection that is still busy with an answer of the lane: sending the rest of it, or waiting for the end."""

    __slots__ = ("body", "close", "deadline", "done", "drained", "parts")

    def __init__(self, parts: list[memoryview], body: bytes, close: bool, done: Callable[[], None]) -> None:
        self.parts = parts
        """What is still to be sent."""
        self.body = body
        """What the last of the parts belongs to, with all who are sent the same; empty if that is this client's own."""
        self.close = close
        self.done = done
        self.deadline = time.monotonic() + _STALLED
        self.drained = 0


class ThreadWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread worker with a fast lane for static files."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lane: Lane | None = None
        self._leaving: dict[Any, _Leaving] = {}
        self._held = Held(_COPIED)
        self._next_look = self._next_sign = 0.0
        self._second = 0
        self._ends = (b"", b"")

    def load_wsgi(self) -> None:
        """Load the application, and then the table: the application's own, or that of the framework it has set up."""
        super().load_wsgi()
        if obstacle := _obstacle(self.cfg):
            self.log.warning("The fast lane of Shipfiles is closed: %s", obstacle)
            return
        self._lane, about = lane_for(self.wsgi)
        if self._lane is None:
            self.log.warning("The fast lane of Shipfiles is closed: %s", about)
            return
        self.log.info("The fast lane of Shipfiles is open: %s.", about)
        never_wait_here()
        self._classifier = classifier_for(self.cfg)
        self._keepalive = self.cfg.keepalive
        self._logs = self.log.access_log_enabled or type(self.log).access is not Logger.access

    def notify(self) -> None:
        """Tell gunicorn's master that this worker is alive, but not at every turn of a busy loop."""
        now = time.monotonic()
        if now >= self._next_sign:
            self._next_sign = now + 0.1
            super().notify()

    def enqueue_req(self, conn: Any) -> None:
        """A new connection is waited for here until it sends something; for all others there is something to do."""
        if self._lane is None or conn.initialized or conn.data_ready or not self.alive:
            super().enqueue_req(conn)
            return
        # As long as gunicorn gives it: first in a thread, then beside the kept-alive ones.
        conn.timeout = time.monotonic() + gthread.DEFAULT_WORKER_DATA_TIMEOUT + self._keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """The first bytes of a new connection."""
        if not self._took(conn, self.pending_conns):
            super().on_pending_socket_readable(conn, client)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """The next bytes of a kept-alive connection."""
        if not self._took(conn, self.keepalived_conns):
            super().on_client_socket_readable(conn, client)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """A thread has answered. A connection that is to be closed waits beside all others for its client to close.

        gunicorn would wait for it here, up to two seconds, in which nobody else is answered.
        """
        if self._lane is None or not (fs.cancelled() or (fs.exception() is None and not fs.result())):
            super().finish_request(conn, fs)
            return
        try:
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, EVENT_READ)
        except (OSError, ValueError):
            # gunicorn has closed it already, in the middle of an answer.
            self.nr_conns -= 1
            conn.close()
        else:
            self._linger(conn)

    def _took(self, conn: Any, queue: Any) -> bool:
        """Answer what ``conn``, which stands in ``queue``, has sent; ``False`` if that is for gunicorn."""
        if self._lane is None:
            return False
        received = b""
        others = len(self.keepalived_conns) - (queue is self.keepalived_conns)
        # Those limits are gunicorn's to keep.
        if self.alive and others < self.max_keepalived and self.nr + 1 < self.max_requests:
            try:
                received = conn.sock.recv(LARGEST + 1)
            except BlockingIOError:
                return True
            except OSError:
                pass
            if not received:
                # The client has left; nothing of gunicorn's has been begun.
                self._drop(conn, queue)
                return True
            if (exchange := self._answer(self._lane, conn, received)) is not None:
                self.nr += 1
                self._send(conn, queue, exchange)
                return True
        conn.init()
        if received:
            conn.parser.unreader.unread(received)
        return False

    def _answer(self, lane: Lane, conn: Any, received: bytes) -> _Exchange | None:
        """What the lane says to what a connection has sent; ``None`` if that is for gunicorn."""
        try:
            request = self._classifier.classify(received)
            if request is None:
                return None
            answer = lane.answer(request.method, request.path, request.fields)
            if answer is None or not self._may_hold(answer.body):
                return None
            head = answer.head
            done = self._log_for(conn, received, answer) if self._logs else _nothing
        except Exception:
            # In this thread it would be the end of the worker; gunicorn's own answer may still be right.
            self.log.exception("The fast lane of Shipfiles failed.")
            return None
        return _Exchange(head, answer.body, request.fields.close or not self._keepalive, done)

    def _may_hold(self, body: bytes) -> bool:
        # Otherwise it is gunicorn's.
        return self._held.has_room(body)

    def _send(self, conn: Any, queue: Any, exchange: _Exchange) -> None:
        """Send what the socket takes; the rest later."""
        head, body, close, done = exchange
        first = head + self._end(close)
        if len(body) <= _COPIED:
            first, body = first + body, b""
        try:
            sent = conn.sock.sendmsg((first, body)) if body else conn.sock.send(first)
        except BlockingIOError:
            sent = 0
        except OSError:
            done()
            self._drop(conn, queue)
            return
        if sent < len(first) + len(body):
            rest = [memoryview(first)[sent:], memoryview(body)[max(sent - len(first), 0) :]]
            queue.remove(conn)
            self._held.add(body)
            self._leaving[conn] = _Leaving([part for part in rest if part], body, close, done)
            self.poller.modify(conn.sock, EVENT_WRITE, partial(self._go_on, conn))
            return
        done()
        if close:
            queue.remove(conn)
            self._linger(conn)
        elif queue is self.keepalived_conns:
            # The queue is in the order of its timeouts, so that is not touched before it is reached.
            conn.answered = time.monotonic()
        else:
            queue.remove(conn)
            self._keep(conn)

    def _end(self, close: bool) -> bytes:
        """The end of a header: the fields that gunicorn itself writes."""
        now = int(time.time())
        if now != self._second:
            self._second = now
            lines = f"Server: {wsgi.SERVER}\r\nDate: {util.http_date(now)}\r\nConnection: "
            self._ends = f"{lines}keep-alive\r\n\r\n".encode(), f"{lines}close\r\n\r\n".encode()
        return self._ends[close]

    def _log_for(self, conn: Any, received: bytes, answer: Answer) -> Callable[[], None]:
        """What writes the access log: by gunicorn's own objects, so that every atom of a format has its value."""
        start = datetime.now()  # noqa: DTZ005
        request = next(get_parser(self.cfg, iter((received,)), conn.client))
        response, environ = wsgi.create(request, conn.sock, conn.client, conn.server, self.cfg)
        environ["wsgi.multithread"] = True
        response.start_response(answer.status_line, answer.headers)
        response.sent = len(answer.body)

        def done() -> None:
            try:
                self.log.access(response, request, environ, datetime.now() - start)  # noqa: DTZ005
            except Exception:
                self.log.exception("The access log could not be written.")

        return done

    def _keep(self, conn: Any) -> None:
        """Wait for the next request on a connection that stands in no queue."""
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + gthread.STOP_KEEPALIVE_LINGER)
        conn.answered = 0.0
        self.keepalived_conns.append(conn)
        self.poller.modify(conn.sock, EVENT_READ, partial(self.on_client_socket_readable, conn))

    def _go_on(self, conn: Any, client: Any) -> None:
        """The socket takes more of an answer."""
        leaving = self._leaving[conn]
        try:
            sent = client.sendmsg(leaving.parts)
        except BlockingIOError:
            return
        except OSError:
            self._leave(conn)
            return
        leaving.deadline = time.monotonic() + _STALLED
        while leaving.parts and sent >= len(leaving.parts[0]):
            sent -= len(leaving.parts.pop(0))
        if leaving.parts:
            leaving.parts[0] = leaving.parts[0][sent:]
            return
        del self._leaving[conn]
        self._held.remove(leaving.body)
        leaving.done()
        if leaving.close:
            self._linger(conn)
        else:
            self._keep(conn)

    def _linger(self, conn: Any) -> None:
        """Close as RFC 9112 section 9.6 wants it: what the client still sends must not destroy the last answer."""
        leaving = self._leaving[conn] = _Leaving([], b"", True, _nothing)
        self._held.add(leaving.body)
        leaving.deadline = time.monotonic() + _LINGER
        self.poller.modify(conn.sock, EVENT_READ, partial(self._drain, conn))
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._leave(conn)

    def _drain(self, conn: Any, client: Any) -> None:
        leaving = self._leaving[conn]
        try:
            received = client.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            received = b""
        leaving.drained += len(received)
        if not received or leaving.drained >= _MOST_DRAINED:
            self._leave(conn)

    def _leave(self, conn: Any) -> None:
        """Close a connection that the lane is busy with."""
        leaving = self._leaving.pop(conn)
        self._held.remove(leaving.body)
        leaving.done()
        self._drop(conn, None)

    def _drop(self, conn: Any, queue: Any) -> None:
        if queue is not None:
            queue.remove(conn)
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()

    def murder_keepalived(self, force: bool = False) -> None:
        """Close kept-alive connections on which nothing was asked for too long."""
        if force or self._lane is None:
            super().murder_keepalived(force)
            return
        queue = self.keepalived_conns
        now = time.monotonic()
        while queue and queue[0].timeout <= now:
            conn = queue[0]
            until = self._until(conn)
            if until > conn.timeout and self.alive:
                # The lane has answered on it since it was put here.
                queue.popleft()
                conn.timeout = until
                insort(queue, conn, key=_timeout)
            else:
                self._drop(conn, queue)

    def _until(self, conn: Any) -> float:
        """How long a connection may be idle after the lane's last answer on it."""
        until: float = getattr(conn, "answered", 0.0) + self._keepalive
        return until

    def murder_pending(self) -> None:
        """Close connections that sent nothing, that take nothing, or that do not close."""
        super().murder_pending()
        now = time.monotonic()
        if self._leaving and now >= self._next_look:
            self._next_look = now + 0.5
            for conn in [conn for conn, leaving in self._leaving.items() if leaving.deadline <= now]:
                self._leave(conn)

    def _cap_keepalive(self, deadline: float) -> None:
        """The worker stops: so long may a request come on connections that are open."""
        if self._lane is not None:
            for conn in self.keepalived_conns:
                conn.timeout = max(conn.timeout, self._until(conn))
            ordered = sorted(self.keepalived_conns, key=_timeout)
            self.keepalived_conns.clear()
            self.keepalived_conns.extend(ordered)
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)


def _timeout(conn: Any) -> float:
    timeout: float = conn.timeout
    return timeout


def classifier_for(cfg: Any) -> Classifier:
    """A classifier with the limits of a gunicorn configuration, in which zero is "no limit"."""
    return Classifier(
        longest_line=cfg.limit_request_line if cfg.limit_request_line > 0 else LARGEST,
        most_fields=cfg.limit_request_fields if cfg.limit_request_fields > 0 else LARGEST,
        longest_field=cfg.limit_request_field_size if cfg.limit_request_field_size > 0 else LARGEST,
        single={name.lower() for name in cfg.secure_scheme_headers},
        mount=os.environ.get("SCRIPT_NAME", ""),
    )


def _obstacle(cfg: Any) -> str:
    """Why the lane cannot be open with this configuration; empty if it can."""
    if cfg.is_ssl:
        return "Connections are encrypted."
    if cfg.protocol != "http" or cfg.http2_cleartext != "off":
        return "The protocol is not HTTP/1.1 alone."
    if cfg.proxy_protocol != "off":
        return "Connections begin with the PROXY protocol."
    if cfg.reload:
        return "--reload is for development."
    hooks = [name for name in ("pre_request", "post_request") if _is_set(cfg.settings[name])]
    return f"{' and '.join(hooks)} would not be called." if hooks else ""


def _is_set(setting: Any) -> bool:
    return setting.get() is not setting.default
