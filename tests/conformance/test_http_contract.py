"""The same cases over every way to serve."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from functools import partial
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse

from shipfiles.config import ServeConfig
from shipfiles.django.middleware import ShipfilesMiddleware
from shipfiles.paths import url_unquote
from shipfiles.serve import asgi, wsgi
from shipfiles.serve.opened import Span
from shipfiles.serve.respond import Request, respond, respond_instead
from shipfiles.serve.table import read_table
from shipfiles.testing import APPLICATION, CONFIGURED_CASES, HTTP_CASES, OPTIONS, Answer, Ask, HttpContract, Site
from tests.conformance.differences import expected
from tests.shells import ask_asgi, ask_wsgi, environ_of, scope_of

CONFIGURED = ServeConfig(**OPTIONS)


def over_respond(site: Site, config: ServeConfig | None = None) -> Ask:
    table = read_table(site.root, "/static/", config)

    def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        sent = {name.lower(): value for name, value in fields.items()}
        path, _, query = target.partition("?")
        request = Request(method, url_unquote(path), sent.get, query.encode().decode("latin-1"))
        response = respond(table, request)
        if response is None:
            if not is_lost(target):
                return Answer(200, (), APPLICATION)
            response = respond_instead(table, request, sent.get("accept"))
            if response is None:
                return Answer(404, (), APPLICATION)
        body = response.body
        if isinstance(body, Span):
            try:
                body = b"".join(body)
            finally:
                response.body.close()
        return Answer(response.status, tuple(response.headers), body or b"")

    return ask


def is_lost(path: str) -> bool:
    """Whether the applications here say 404."""
    return "/lost/" in path


def application(environ, start_response):
    status = "404 Not Found" if is_lost(environ["PATH_INFO"]) else "200 OK"
    start_response(status, [("Content-Type", "text/plain")])
    return [APPLICATION]


def over_wsgi(site: Site, config: ServeConfig | None = None, *, with_wrapper: bool = False) -> Ask:
    app = wsgi.StaticApp(application, root=site.root, config=config)
    # PEP 3333's own referee stands on both sides; it does not know file wrappers.
    judged = app if with_wrapper else validator(app)

    def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        environ = environ_of(method, target, fields)
        if with_wrapper:
            environ["wsgi.file_wrapper"] = FileWrapper
        return ask_wsgi(judged, environ)

    return ask


async def asgi_application(scope, receive, send):
    await send({"type": "http.response.start", "status": 404 if is_lost(scope["path"]) else 200, "headers": []})
    await send({"type": "http.response.body", "body": APPLICATION})


def over_asgi(site: Site, config: ServeConfig | None = None) -> Ask:
    app = asgi.StaticApp(asgi_application, root=site.root, config=config)
    return lambda method, target, fields: ask_asgi(app, scope_of(method, target, fields))


def from_django(response, body: bytes) -> Answer:
    return Answer(response.status_code, tuple(response.items()), body)


def view(request):
    return HttpResponse(APPLICATION, status=404 if is_lost(request.path) else 200)


def over_middleware(site: Site, config: ServeConfig | None = None) -> Ask:
    middleware = ShipfilesMiddleware(view, table=read_table(site.root, "/static/", config))

    def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        response = middleware(WSGIRequest(environ_of(method, target, fields)))
        answer = from_django(response, response.getvalue())
        response.close()
        return answer

    return ask


def over_async_middleware(site: Site, config: ServeConfig | None = None) -> Ask:
    async def async_view(request):
        return view(request)

    middleware = ShipfilesMiddleware(async_view, table=read_table(site.root, "/static/", config))

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


WAYS: dict[str, Callable[..., Ask]] = {
    "respond": over_respond,
    "wsgi": over_wsgi,
    "wsgi with a file wrapper": partial(over_wsgi, with_wrapper=True),
    "asgi": over_asgi,
    "middleware": over_middleware,
    "async middleware": over_async_middleware,
}
"""Name → what makes an `Ask` of a site and, if it is not the default, its configuration."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(str(tmp_path_factory.mktemp("site")))


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


@pytest.mark.parametrize("case", CONFIGURED_CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("way", WAYS)
def test_contract_with_options(site: Site, way: str, case) -> None:
    with expected((way,), case.name):
        HttpContract(WAYS[way](site, CONFIGURED), site).check(case)
