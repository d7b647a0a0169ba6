"""The fast lane of uvicorn: ``uvicorn --http shipfiles.serve.uvicorn:StaticProtocol``.

uvicorn makes an object of this class for every connection and gives it what the connection sends. A request for a
small static file is answered then and there. What is not answered goes to uvicorn's own parser with all its bytes.
"""

from __future__ import annotations

import logging
from typing import Any
from weakref import WeakKeyDictionary

import uvicorn

from ..errors import ConfigError, ShipfilesError
from .asgi import path_below_root
from .default import forced_script_name
from .expected import importing, require_server
from .lane import Classifier, Lane, LaneRequest, lane_for
from .opened import PIECE
from .ready import Answer

TESTED = "0.54.0"
_INSTEAD = "--http httptools"

with importing("uvicorn", uvicorn.__version__, tested=TESTED, instead=_INSTEAD):
    try:
        from httptools import HttpRequestParser
    except ImportError as error:
        # uvicorn does without, and its package does not bring it.
        raise ConfigError(
            f"The fast lane of Shipfiles in uvicorn needs httptools: {error}. Run: pip install httptools"
        ) from error
    from uvicorn.config import Config
    from uvicorn.logging import TRACE_LOG_LEVEL
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
    from uvicorn.protocols.http.flow_control import FlowControl
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
    from uvicorn.protocols.utils import get_client_addr, get_path_with_query_string
    from uvicorn.server import ServerState

require_server(
    "uvicorn", uvicorn.__version__, tested=TESTED, instead=_INSTEAD,
    methods={
        HttpToolsProtocol: {
            "__init__": ("self", "config", "server_state", "app_state", "_loop"),
            "connection_made": ("self", "transport"),
            "data_received": ("self", "data"),
            "on_message_begin": ("self",),
            "on_message_complete": ("self",),
            "timeout_keep_alive_handler": ("self",),
            "_unset_keepalive_if_required": ("self",),
        },
        ProxyHeadersMiddleware: {"__call__": ("self", "scope", "receive", "send")},
    },
    attributes={
        Config: ("encoded_headers", "forwarded_allow_ips", "loaded_app", "proxy_headers", "root_path"),
        FlowControl: ("write_paused",),
        HttpRequestParser: ("should_keep_alive", "should_upgrade"),
        HttpToolsProtocol: ("access_log", "access_logger", "client", "connections", "cycle", "flow",
                            "limit_concurrency", "loop", "parser", "scheme", "server_state", "tasks",
                            "timeout_keep_alive", "timeout_keep_alive_task", "transport"),
        RequestResponseCycle: ("response_complete",),
        ServerState: ("default_headers", "total_requests"),
    },
)  # fmt: skip

logger = logging.getLogger("uvicorn.error")

# Fields that say where an answer ends: uvicorn looks at those that it was told to send, the lane does not.
_DELIMITING = frozenset((b"connection", b"content-length", b"transfer-encoding"))


class _UvicornLane:
    """What the connections of one server have in common."""

    def __init__(self, config: Config, lane: Lane) -> None:
        self.lane = lane
        self.classify = Classifier().classify
        self.root_path: str = config.root_path
        self._script_name = forced_script_name()
        self.is_mounted = bool(self.root_path or self._script_name)
        self.forwarded = (
            ProxyHeadersMiddleware(_no_application, trusted_hosts=config.forwarded_allow_ips)
            if config.proxy_headers else None
        )  # fmt: skip
        self._fields: object = None
        self._end = b""

    def path(self, path: str) -> str:
        """A path without the mount point, as `asgi.StaticApp` sees it."""
        return path_below_root({"path": self.root_path + path, "root_path": self.root_path}, self._script_name)

    def end(self, fields: list[tuple[bytes, bytes]]) -> bytes:
        """The end of a header: uvicorn's ``fields``, of which it makes a new list every second."""
        if fields is not self._fields:
            self._fields = fields
            self._end = b"".join(name + b": " + value + b"\r\n" for name, value in fields)
        return self._end


_lanes: WeakKeyDictionary[Config, _UvicornLane | None] = WeakKeyDictionary()


def _lane_of(config: Config) -> _UvicornLane | None:
    """The lane of a server, made for its first connection."""
    try:
        return _lanes[config]
    except KeyError:
        pass
    lane = None
    obstacle = _obstacle(config)
    if not obstacle:
        try:
            found, about = lane_for(config.loaded_app)
            if found is None:
                obstacle = about
            else:
                lane = _UvicornLane(config, found)
                logger.info("The fast lane of Shipfiles is open: %s.", about)
        except ShipfilesError as error:
            obstacle = str(error)
        except Exception:
            # Of the settings or of the disk. Where a protocol cannot be made, event loops let its client wait for ever.
            logger.exception("The fast lane of Shipfiles is closed.")
    if obstacle:
        logger.error("The fast lane of Shipfiles is closed: %s", obstacle)
    _lanes[config] = lane
    return lane


def _obstacle(config: Config) -> str:
    """Why the lane cannot be open with this configuration; empty if it can."""
    if logger.getEffectiveLevel() <= TRACE_LOG_LEVEL:
        return "At this log level uvicorn writes down every message to the application."
    if any(name.lower() in _DELIMITING for name, _ in config.encoded_headers):
        return "There are headers in --header with which only uvicorn can deal."
    return ""


class StaticProtocol(HttpToolsProtocol):  # type: ignore[misc]
    """uvicorn's httptools protocol with a fast lane for static files."""

    def __init__(self, config: Config, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._static = _lane_of(config)
        self._between = True
        """Whether uvicorn's parser stands between two messages, with nothing read of the next."""
        self._answered = 0.0

    def connection_made(self, transport: Any) -> None:
        """Encrypted connections are uvicorn's."""
        super().connection_made(transport)
        if self.scheme != "http":
            self._static = None

    def data_received(self, data: bytes) -> None:
        """Answer a request for a static file, or give everything to uvicorn."""
        if self._static is not None and self._between and self._took(self._static, data):
            return
        self._between = False
        super().data_received(data)

    def on_message_begin(self) -> None:
        """uvicorn's parser has seen the first byte of a message."""
        self._between = False
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """uvicorn's parser has seen the last byte of a message. Is what follows another one?"""
        super().on_message_complete()
        self._between = self.parser.should_keep_alive() and not self.parser.should_upgrade()

    def timeout_keep_alive_handler(self) -> None:
        """The time is over, counted from uvicorn's last answer: the lane's last one may be younger."""
        left = self._answered + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self.timeout_keep_alive_task = self.loop.call_later(left, self.timeout_keep_alive_handler)
        else:
            super().timeout_keep_alive_handler()

    def _took(self, static: _UvicornLane, data: bytes) -> bool:
        """Answer ``data``, if it is a request for the lane."""
        cycle, transport = self.cycle, self.transport
        if (cycle is not None and not cycle.response_complete) or self.flow.write_paused or transport.is_closing():
            return False
        limit = self.limit_concurrency
        if limit is not None and (len(self.connections) >= limit or len(self.tasks) >= limit):
            return False
        try:
            request = static.classify(data)
            if request is None:
                return False
            path = static.path(request.path) if static.is_mounted else request.path
            answer = static.lane.answer(request.method, path, request.fields)
            if answer is None or len(answer.body) > 2 * PIECE:
                # The transport would keep all that a slow client does not take; uvicorn waits between pieces.
                return False
            head = answer.head
        except Exception:
            # uvicorn's own answer may still be right; from here there would be none.
            logger.exception("The fast lane of Shipfiles failed.")
            return False
        self.server_state.total_requests += 1
        if self.access_log:
            self._log(static, data, request, answer)
        close = request.fields.close
        end = b"connection: close\r\n\r\n" if close else b"\r\n"
        # One write, so that the kernel makes one packet of it.
        transport.write(head + static.end(self.server_state.default_headers) + end + answer.body)
        if close:
            self._unset_keepalive_if_required()
            transport.close()
            return True
        self._answered = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        return True

    def _log(self, static: _UvicornLane, data: bytes, request: LaneRequest, answer: Answer) -> None:
        """Write what uvicorn writes, with the client that a trusted proxy names."""
        scope: dict[str, Any] = {
            "type": "http", "client": self.client, "scheme": self.scheme, "headers": _forwarded(data),
            "path": static.root_path + request.path, "query_string": request.query[1:],
        }  # fmt: skip
        if static.forwarded is not None:
            _run_at_once(static.forwarded(scope, None, None))
        self.access_logger.info(
            '%s - "%s %s HTTP/%s" %d',
            get_client_addr(scope), request.method, get_path_with_query_string(scope), "1.1", answer.status,
        )  # fmt: skip


async def _no_application(scope: Any, receive: Any, send: Any) -> None:
    """What `ProxyHeadersMiddleware` is put around when only its changes to the scope are wanted."""


def _run_at_once(coroutine: Any) -> None:
    """Run to its end a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()


def _forwarded(data: bytes) -> list[tuple[bytes, bytes]]:
    """The fields of a request that a `Classifier` let through, as ASGI has them."""
    lines = data.split(b"\r\n")[1:-2]
    return [(name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines)]
