"""WSGI and ASGI applications, asked in this process as a server asks them."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

from asgiref.testing import ApplicationCommunicator

from shipfiles.testing import Answer


def environ_of(method: str, target: str, fields: Mapping[str, str], mount: str = "") -> dict[str, Any]:
    """What a server that is mounted at ``mount``, by its own options or a proxy's word, makes of a request (PEP 3333).

    ``target`` and ``mount`` as they stand in the request line.
    """
    path, _, query = _below(mount, target).partition("?")
    return {
        "REQUEST_METHOD": method, "SCRIPT_NAME": unquote_to_bytes(mount).decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query.encode().decode("latin-1"),
        "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in fields.items()},
    }  # fmt: skip


def scope_of(
    method: str, target: str, fields: Mapping[str, str], mount: str = "", *, strips: bool = False
) -> dict[str, Any]:
    """The same under ASGI, where the path has the mount point in it; some servers take it off (``strips``)."""
    path, _, query = (_below(mount, target) if strips else target).partition("?")
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": unquote(mount),
        "headers": [(b"host", b"localhost"), *((k.lower().encode(), v.encode("latin-1")) for k, v in fields.items())],
    }  # fmt: skip


def _below(mount: str, target: str) -> str:
    return target[len(mount) :] if mount and target.startswith(mount + "/") else target


def ask_wsgi(app: Callable[..., Any], environ: Mapping[str, Any]) -> Answer:
    """The answer of a WSGI application, which must begin it once."""
    got: list[tuple[int, tuple[tuple[str, str], ...]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Callable[..., None]:
        got.append((int(status[:3]), tuple(headers)))
        return lambda data: None

    result = app(environ, start_response)
    try:
        body = b"".join(result)
    finally:
        if hasattr(result, "close"):
            result.close()
    ((status, headers),) = got
    return Answer(status, headers, body)


def ask_asgi(app: Callable[..., Any], scope: dict[str, Any]) -> Answer:
    """The answer of an ASGI application."""

    async def exchange() -> Answer:
        talk = ApplicationCommunicator(app, scope)
        await talk.send_input({"type": "http.request", "body": b""})
        start = await talk.receive_output(5)
        body = b""
        while True:
            message = await talk.receive_output(5)
            body += message["body"]
            if not message.get("more_body"):
                break
        await talk.wait(5)
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in start["headers"])
        return Answer(start["status"], headers, body)

    return asyncio.run(exchange())
