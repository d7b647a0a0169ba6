"""The same cases over every way to serve."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from urllib.parse import unquote, unquote_to_bytes
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

from shipfiles.django.middleware import ShipfilesMiddleware
from shipfiles.paths import url_unquote
from shipfiles.serve import asgi, wsgi
from shipfiles.serve.opened import Span
from shipfiles.serve.respond import Request, respond
from shipfiles.serve.table import read_table
from shipfiles.testing import APPLICATION, HTTP_CASES, Answer, Ask, HttpContract, Site
from tests.conformance.differences import expected


def over_respond(site: Site) -> Ask:
    table = read_table(site.root, "/static/")

    def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        sent = {name.lower(): value for name, value in fields.items()}
        response = respond(table, Request(method, url_unquote(target.partition("?")[0]), sent.get))
        if response is None:
            return Answer(200, (), APPLICATION)
        body = response.body
        if isinstance(body, Span):
            try:
                body = b"".join(body)
            finally:
                response.body.close()
        return Answer(response.status, tuple(response.headers), body or b"")

    return ask


def environ_of(method: str, target: str, fields: Mapping[str, str]) -> dict[str, object]:
    path, _, query = target.partition("?")
    return {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query, "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(), "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True, "wsgi.multiprocess": True, "wsgi.run_once": False,
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in fields.items()},
    }  # fmt: skip


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [APPLICATION]


def over_wsgi(site: Site, *, with_wrapper: bool) -> Ask:
    app = wsgi.StaticApp(application, root=site.root)
    # PEP 3333's own referee stands on both sides; it does not know file wrappers.
    judged = app if with_wrapper else validator(app)

    def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        environ = environ_of(method, target, fields)
        if with_wrapper:
            environ["wsgi.file_wrapper"] = FileWrapper
        got: list = []

        def start_response(status, headers, exc_info=None):
            got.append((int(status[:3]), tuple(headers)))
            return lambda data: None

        result = judged(environ, start_response)
        try:
            body = b"".join(result)
        finally:
            if hasattr(result, "close"):
                result.close()
        ((status, headers),) = got
        return Answer(status, headers, body)

    return ask


def scope_of(method: str, target: str, fields: Mapping[str, str]) -> dict[str, object]:
    path, _, query = target.partition("?")
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in fields.items()],
    }  # fmt: skip


async def asgi_application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": APPLICATION})


def over_asgi(site: Site) -> Ask:
    app = asgi.StaticApp(asgi_application, root=site.root)

    async def exchange(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        talk = ApplicationCommunicator(app, scope_of(method, target, fields))
        await talk.send_input({"type": "http.request", "body": b""})
        start = await talk.receive_output(5)
        body = b""
        while True:
            message = await talk.receive_output(5)
            body += message["body"]
            if not message.get("more_body"):
                break
        await talk.wait(5)
        headers = tuple((k.decode(), v.decode("latin-1")) for k, v in start["headers"])
        return Answer(start["status"], headers, body)

    return lambda method, target, fields: asyncio.run(exchange(method, target, fields))


def from_django(response, body: bytes) -> Answer:
    return Answer(response.status_code, tuple(response.items()), body)


def over_middleware(site: Site) -> Ask:
    middleware = ShipfilesMiddleware(lambda request: HttpResponse(APPLICATION), table=read_table(site.root, "/static/"))

    def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        response = middleware(WSGIRequest(environ_of(method, target, fields)))
        answer = from_django(response, response.getvalue())
        response.close()
        return answer

    return ask


def over_async_middleware(site: Site) -> Ask:
    async def view(request):
        return HttpResponse(APPLICATION)

    middleware = ShipfilesMiddleware(view, table=read_table(site.root, "/static/"))

    async def exchange(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        response = await middleware(ASGIRequest(scope_of(method, target, fields), io.BytesIO()))
        if response.streaming:
            assert response.is_async
            body = b"".join([chunk async for chunk in response])
        else:
            body = response.content
        response.close()
        return from_django(response, body)

    return lambda method, target, fields: asyncio.run(exchange(method, target, fields))


WAYS: dict[str, Callable[[Site], Ask]] = {
    "respond": over_respond,
    "wsgi": lambda site: over_wsgi(site, with_wrapper=False),
    "wsgi with a file wrapper": lambda site: over_wsgi(site, with_wrapper=True),
    "asgi": over_asgi,
    "middleware": over_middleware,
    "async middleware": over_async_middleware,
}


@pytest.fixture(scope="module", params=WAYS)
def contract(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, HttpContract]:
    site = Site(str(tmp_path_factory.mktemp("site")))
    return request.param, HttpContract(WAYS[request.param](site), site)


@pytest.mark.filterwarnings("ignore:Unknown REQUEST_METHOD:wsgiref.validate.WSGIWarning")
@pytest.mark.parametrize("case", HTTP_CASES, ids=lambda case: case.name)
def test_contract(contract: tuple[str, HttpContract], case) -> None:
    way, rows = contract
    with expected((way,), case.name):
        rows.check(case)
