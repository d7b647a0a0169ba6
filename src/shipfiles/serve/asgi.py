"""Static files around an ASGI application (ASGI 3.0, HTTP)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from ..config import ServeConfig
from ..http.headers import Header, encoded
from .default import default_uploads, forced_script_name
from .following import one_release
from .held import Held
from .kinds import require_asgi
from .opened import MESSAGE, PIECE, Span
from .ready import Answer, ReadyFile
from .respond import FIELDS, Request, Response, depends_on_accept
from .streamed import Delivery, Stream
from .table import Table, choose_table
from .waiting import pieces_of, respond_instead_soon, respond_soon, uploads_soon

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_PIECES_AT_ONCE = 12
"""After so many pieces other requests get their turn: some tenths of a millisecond."""

_FIELDS = frozenset(field.encode() for field in FIELDS)


class StaticApp:
    """An ASGI application that answers requests for static files and hands everything else on to ``application``.

    Without further arguments the files are those of the Django project in this process, as its OPTIONS say: wrap what
    ``get_asgi_application()`` returns. The other arguments are for use without Django. Raises `ConfigError`,
    `ReleaseError` and `ManifestError`.

    - ``root``: a folder into which releases were published. Django's OPTIONS are not heeded for it.
    - ``prefix``: what the paths of its files begin with, between slashes; by default ``/static/``.
    - ``config``: a `shipfiles.config.ServeConfig`, which takes what OPTIONS["serve"] takes.
    - ``release``: the id of the release; by default the current one.
    - ``table``: any `shipfiles.serve.table.Table`, instead of all of these.
    """

    def __init__(
        self,
        application: Application,
        *,
        table: Table | None = None,
        root: str | os.PathLike[str] | None = None,
        prefix: str | None = None,
        config: ServeConfig | None = None,
        release: str = "",
    ) -> None:
        require_asgi(application)
        self.application = application
        self.table = choose_table(table, root, prefix, config, release)
        is_default = table is None and root is None
        self._script_name = forced_script_name() if is_default else ""
        self._uploads = default_uploads() if is_default else None
        self._held = Held(2 * PIECE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.application(scope, receive, send)
        path = path_below_root(scope, self._script_name)
        ready = self.table.ready
        file = None if ready is None else ready.find(path)
        if file is not None and (answer := _ready(file, scope)) is not None and self._held.has_room(answer.body):
            headers = list(answer.raw_headers)
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            return await self._send_held(answer.body, send)
        # A long download must not keep the table of a release that has been replaced, nor an exception that the
        # application has caught, whose traceback leads here.
        ready = file = None
        # Latin-1 takes any bytes; those of a query are ASCII.
        query = scope["query_string"].decode("latin-1") if scope.get("query_string") else ""
        mount = mount_point(scope, self._script_name)
        request = Request(scope["method"], path, field_getter(scope["headers"]), query, mount)
        # Slow clients may keep much in memory: then the others get what is read as they take it.
        response: Response | Delivery | None = await respond_soon(self.table, request, keep=self._held.has_room())
        if response is None and self._uploads is not None:
            response = await uploads_soon(self._uploads, request)
        if response is None:
            with one_release(self.table):
                labelled = self._labelled(send)
                if depends_on_accept(self.table, request) and not (self._uploads and self._uploads.covers(request)):
                    labelled = self._holding(scope, request, labelled, send)
                return await self.application(scope, receive, labelled)
        status, fields, body = response
        if not isinstance(body, (Span, Stream)):
            await send(_start(status, fields))
            return await self._send_held(body or b"", send)
        try:
            await send(_start(status, fields))
            if isinstance(body, Stream):
                return await _send_stream(body, receive, send)
            return await _send_span(body, receive, send)
        finally:
            body.close()

    async def _send_held(self, body: bytes, send: Send) -> None:
        if len(body) <= 2 * PIECE:
            return await _send_body(body, send)
        self._held.add(body)
        try:
            await _send_body(body, send)
        finally:
            self._held.remove(body)

    def _holding(self, scope: Scope, request: Request, send_made: Send, send: Send) -> Send:
        """``send_made`` for the application's answer, but ``send`` for the page in place of its 404."""
        is_replaced = False

        async def holding(message: Message) -> None:
            nonlocal is_replaced
            if is_replaced:
                return
            if message["type"] == "http.response.start" and message["status"] == 404:
                accept = b", ".join(value for name, value in scope["headers"] if name.lower() == b"accept")
                response = await respond_instead_soon(self.table, request, accept.decode("latin-1"))
                if response is not None:
                    is_replaced = True
                    await _send_page(response, send)
                    return
                message = {**message, "headers": [*message.get("headers", ()), (b"vary", b"Accept")]}
            await send_made(message)

        return holding

    def _labelled(self, send: Send) -> Send:
        """``send`` with the id of the release among the headers, if the options ask for it."""
        field, release = self.table.config.release_header.lower().encode(), self.table.release.encode()
        if not field or not release:
            return send

        async def labelled(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                if all(bytes(name).lower() != field for name, _ in headers):
                    message = {**message, "headers": [*headers, (field, release)]}
            await send(message)

        return labelled


def path_below_root(scope: Scope, script_name: str = "") -> str:
    """The path without the application's mount point, which servers and frameworks put into ``root_path``.

    A ``script_name`` counts instead of it: Django's FORCE_SCRIPT_NAME, for a proxy of which the server knows nothing.
    """
    path: str = scope["path"]
    root = mount_point(scope, script_name)
    # ASGI says that "path" includes the mount point; servers that strip it are met by leaving such a path as it is.
    if root and path.startswith(root) and path[len(root) : len(root) + 1] in ("", "/"):
        return path[len(root) :]
    return path


def mount_point(scope: Scope, script_name: str = "") -> str:
    """Where the application is mounted, without a slash at its end: ``script_name`` as for `path_below_root`."""
    root: str = script_name or scope.get("root_path") or ""
    return root.rstrip("/")


def _ready(file: ReadyFile, scope: Scope) -> Answer | None:
    """The ready answer to a request for ``file``, if it is one of those for which there are any."""
    accept_encoding = none_match = None
    for name, value in scope["headers"]:
        if name in _FIELDS:
            if name == b"accept-encoding" and accept_encoding is None:
                accept_encoding = value.decode("latin-1")
            elif name == b"if-none-match" and none_match is None:
                none_match = value.decode("latin-1")
            else:
                return None
    return file.answer(scope["method"], accept_encoding, none_match)


def field_getter(headers: Iterable[tuple[bytes, bytes]]) -> Callable[[str], str | None]:
    """A function from a field's name to its value. The headers are gone through once, and only if it is called."""
    found: dict[str, str] | None = None

    def get(field: str) -> str | None:
        nonlocal found
        if found is None:
            found = {}
            for name, value in headers:
                if name in _FIELDS:
                    key, text = name.decode("ascii"), value.decode("latin-1")
                    found[key] = f"{found[key]}, {text}" if key in found else text
        return found.get(field)

    return get


def _start(status: int, headers: list[Header]) -> Message:
    # A new list each time: what stands between us and the server may add to it.
    return {"type": "http.response.start", "status": status, "headers": list(encoded(tuple(headers)))}


async def _send_page(response: Response, send: Send) -> None:
    """Send an answer while the application may still listen to the client, as only one of us can."""
    status, headers, body = response
    if isinstance(body, Span):
        try:
            whole = b"".join(body)
        finally:
            body.close()
    else:
        whole = body or b""
    await send(_start(status, headers))
    await _send_body(whole, send)


async def _send_body(body: bytes, send: Send) -> None:
    """Send what is in memory: in pieces, since a server keeps a copy of what a slow client does not take at once."""
    start, size = 0, len(body)
    # A message more costs more than another piece in the hands of the server.
    while size - start > 2 * PIECE:
        await send({"type": "http.response.body", "body": body[start : start + MESSAGE], "more_body": True})
        start += MESSAGE
    await send({"type": "http.response.body", "body": body[start:] if start else body})


async def _send_span(span: Span, receive: Receive, send: Send) -> None:
    """Send a large body piece by piece, each read on the spot: a page cache is faster than a hop to a thread.

    Not by the extension ``http.response.pathsend``: it opens the file anew behind the headers, and where it is offered
    (granian) it takes as much CPU and memory as this does.

    A server drops what is sent to a client who has left, so reading on would be for nobody: stop then.
    """
    gone: asyncio.Future[None] | None = None
    try:
        for number, chunk in enumerate(span, 1):
            await send({"type": "http.response.body", "body": chunk, "more_body": span.left > 0})
            if number % _PIECES_AT_ONCE or not span.left:
                continue
            if gone is None:
                gone = asyncio.ensure_future(_disconnected(receive))
            # A socket that takes everything at once would otherwise keep the loop from all other requests.
            await asyncio.sleep(0)
            if gone.done() and gone.exception() is None:
                return
    finally:
        if gone is not None and not gone.done():
            gone.cancel()


async def _send_stream(stream: Stream, receive: Receive, send: Send) -> None:
    """Send a body that comes from a store meanwhile, until the client leaves."""
    if not stream.left:
        return await _send_body(b"", send)
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        async for piece in pieces_of(stream):
            await send({"type": "http.response.body", "body": piece, "more_body": stream.left > 0})
            if gone.done() and gone.exception() is None:
                return None
    finally:
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
