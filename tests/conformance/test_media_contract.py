"""The cases of static files over uploads: what they say of ranges, conditions and names."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Callable, Iterator, Mapping

import pytest
from django.core.files.storage import storages
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.test import override_settings

from shipfiles.django.middleware import ShipfilesMiddleware
from shipfiles.django.tables import uploads
from shipfiles.media import delivery
from shipfiles.paths import url_quote, url_unquote
from shipfiles.serve import asgi, wsgi
from shipfiles.serve.respond import Request
from shipfiles.stores.memory import MemoryStore
from shipfiles.testing import APPLICATION, HTTP_CASES, PREFIX, Answer, Ask, Case, HttpContract, Site
from shipfiles.testing.cases import conditions, names, ranges
from shipfiles.testing.site import FILES
from tests.shells import ask_asgi, ask_wsgi, environ_of, scope_of

OTHERWISE = {
    # Uploads have one coding, one name, and none that stands for the same bytes for ever.
    "If-Range: the date", "condition: If-Modified-Since: later", "If-Range: the tag of another coding",
    "If-Range: the tag of the coding that is sent", "a range counts the encoded bytes",
    "an unsatisfiable range of a coding tells that coding's length", "the tag of one coding does not stand for another",
    "a 304 has the headers that it needs and no others of the file", "a query is no part of the name",
    "a hashed name of another release is not found and not kept", "every file under both names",
    "path: no record, no manifest and no copy that is kept under a name of ours",
    # There may be a view for it below the same path: it is handed on.
    "what is not found is not found under any condition",
    # A file cannot be asked which methods it has: GET and HEAD.
    "other methods are refused under any condition", "other methods and other answers know no ranges",
    # These are files like any other here.
    "path: stray.txt", "path: css/site.css.br", "path: css/site.css.gz", "path: staticfiles.json",
    "path: CSS/site.css",
}  # fmt: skip
CASES = [case for part in (ranges, conditions, names) for case in part.CASES if case.name not in OTHERWISE]


class Uploads(Site):
    """The same files as uploads, each under its one name."""

    def __init__(self, folder: str) -> None:
        self.root = os.path.join(folder, "root")
        self.secret = b"a secret outside the root"
        self._write(os.path.join(folder, "secret.txt"), self.secret)
        for logical, file in FILES.items():
            self._write(self.path(logical), file.body)
        self._write(self.path(".env"), b"PASSWORD=1")
        self._write(self.path(".shipfiles/current.json"), b'{"schema": 1}')
        self._write(self.path(".shipfiles-1-0123456789abcdef"), b"PASSWORD=2")
        os.symlink(os.path.join(folder, "secret.txt"), self.path("link.txt"))

    def hashed_url(self, logical: str) -> str:
        return PREFIX + url_quote(logical)


def over_places() -> Ask:
    def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        sent = {name.lower(): value for name, value in fields.items()}
        path, _, query = target.partition("?")
        served = uploads()
        assert served is not None
        found = served.find(Request(method, url_unquote(path), sent.get, query))
        if found is None:
            return Answer(200, (), APPLICATION)
        body = found.body
        if body is not None and not isinstance(body, bytes):
            try:
                body = b"".join(body)
            finally:
                found.body.close()
        return Answer(found.status, tuple(found.headers), body or b"")

    return ask


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [APPLICATION]


async def asgi_application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": APPLICATION})


def over_wsgi() -> Ask:
    app = wsgi.StaticApp(application)
    return lambda method, target, fields: ask_wsgi(app, environ_of(method, target, fields))


def over_asgi() -> Ask:
    app = asgi.StaticApp(asgi_application)
    return lambda method, target, fields: ask_asgi(app, scope_of(method, target, fields))


def over_middleware() -> Ask:
    middleware = ShipfilesMiddleware(lambda request: HttpResponse(APPLICATION))

    def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        response = middleware(WSGIRequest(environ_of(method, target, fields)))
        answer = Answer(response.status_code, tuple(response.items()), response.getvalue())
        response.close()
        return answer

    return ask


def over_async_middleware() -> Ask:
    async def view(request):
        return HttpResponse(APPLICATION)

    middleware = ShipfilesMiddleware(view)

    async def exchange(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        response = await middleware(ASGIRequest(scope_of(method, target, fields), io.BytesIO()))
        body = b"".join([chunk async for chunk in response]) if response.streaming else response.content
        response.close()
        return Answer(response.status_code, tuple(response.items()), body)

    return lambda method, target, fields: asyncio.run(exchange(method, target, fields))


WAYS: dict[str, Callable[[], Ask]] = {
    "pure": over_places, "wsgi": over_wsgi, "asgi": over_asgi, "middleware": over_middleware,
    "async middleware": over_async_middleware,
}  # fmt: skip


@pytest.fixture(
    scope="module", params=[("disk", way) for way in WAYS] + [("store", "pure"), ("store", "asgi")], ids=" ".join
)
def contract(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HttpContract]:
    kind, way = request.param
    site = Uploads(str(tmp_path_factory.mktemp("media")))
    options: dict[str, object] = {"location": site.root}
    if kind == "store":
        options = {"store": MemoryStore()}
        for logical, file in FILES.items():
            options["store"].put(logical, file.body)
    media = {"BACKEND": "shipfiles.django.storage.MediaStorage",
             "OPTIONS": {"serve": True, "base_url": PREFIX, **options}}  # fmt: skip
    patched = pytest.MonkeyPatch()
    patched.setattr(delivery, "_SETTLED", -1.0)
    static = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with override_settings(STATIC_URL="/assets/", STORAGES={"default": media, "staticfiles": static}):
        assert storages["default"].config.serve
        yield HttpContract(WAYS[way](), site)
    patched.undo()


def test_cases_that_are_left_out_are_there() -> None:
    assert {case.name for case in HTTP_CASES} >= OTHERWISE


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_contract(contract: HttpContract, case: Case) -> None:
    contract.check(case)
