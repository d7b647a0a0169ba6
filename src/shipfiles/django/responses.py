"""Requests and answers of ours in Django's form, under WSGI and ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from ..serve.opened import PIECE, SentBytes, SentFile, Span, cut_short
from ..serve.respond import FIELDS, Request, Response
from ..serve.streamed import Delivery, Stream
from ..serve.waiting import pieces_of
from ..serve.wsgi import given_to_wrapper

KEYS = {field: "HTTP_" + field.upper().replace("-", "_") for field in FIELDS}
"""Request header field → its name in ``META``."""


def asked(request: HttpRequest) -> Request:
    """What of ``request`` decides about a file."""
    get = request.META.get
    query = get("QUERY_STRING", "")
    if isinstance(request, ASGIRequest):
        query = query.encode().decode("latin-1")  # it is text there, and not what WSGI has
    return Request(
        request.method or "", request.path_info, lambda name: get(KEYS[name]), query,
        get("SCRIPT_NAME", "").rstrip("/"),
    )  # fmt: skip


def to_django(response: Response | Delivery, request: HttpRequest) -> HttpResponseBase:
    """``response`` as the answer to ``request``."""
    status, headers, body = response
    answer: HttpResponseBase
    if isinstance(body, Span) and isinstance(request, ASGIRequest):
        answer = StreamingHttpResponse(_AsyncSpan(body), status=status)
    elif isinstance(body, Stream):
        pieces = _AsyncStream(body) if isinstance(request, ASGIRequest) else body
        answer = StreamingHttpResponse(pieces, status=status)
    elif isinstance(body, Span):
        answer = _FileResponse(body, status, for_wrapper(body, request))
    elif body and (file := for_wrapper(body, request)) is not None:
        answer = _FileResponse([body], status, file)
    else:
        answer = (_Redirect if status == 302 else HttpResponse)(body or b"", status=status)
    # Django's own default, which would call a 304 HTML.
    del answer.headers["Content-Type"]
    for name, value in headers:
        answer.headers[name] = value
    return answer


def for_wrapper(body: Span | bytes, request: HttpRequest) -> SentFile | SentBytes | None:
    """The file with which the server's own wrapper is to send ``body``, if it is."""
    return given_to_wrapper(body, request.META.get("wsgi.file_wrapper"))


class _Redirect(HttpResponse):
    """To another address of ours. Django's test client and its assertions ask for ``url``."""

    @property
    def url(self) -> str:
        return self.headers["Location"]


class _FileResponse(StreamingHttpResponse):
    """A large body under WSGI. Closing the response closes the file."""

    block_size = PIECE

    def __init__(self, pieces: Iterable[bytes], status: int, file: SentFile | SentBytes | None) -> None:
        super().__init__(pieces, status=status)
        # Django's WSGI handler gives this to the server's own file wrapper, which may send it without Python.
        self.file_to_stream = file

    def close(self) -> None:
        # This takes the place of the file's own, which would say so.
        is_cut = isinstance(self.file_to_stream, SentFile) and self.file_to_stream.is_cut()
        super().close()
        if is_cut:
            raise cut_short()

    def _set_streaming_content(self, value: Iterable[bytes]) -> None:
        # As in Django's FileResponse: a middleware that puts another body here, compressed for one, means that body
        # and not the file.
        self.file_to_stream = None
        super()._set_streaming_content(value)  # type: ignore[misc]


class _AsyncSpan:
    """A large body under ASGI: read on the event loop, since a page cache is faster than a hop to a thread."""

    def __init__(self, span: Span) -> None:
        self._span = span
        # Under this name Django finds what to do when the response is closed.
        self.close = span.close

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        # A socket that takes everything at once would otherwise keep the loop from all other requests, and from
        # noticing that the client has left.
        await asyncio.sleep(0)
        for chunk in self._span:
            return chunk
        raise StopAsyncIteration


class _AsyncStream:
    """A body from a store under ASGI, which a thread waits for."""

    def __init__(self, stream: Stream) -> None:
        self._pieces = pieces_of(stream)
        self.close = stream.close

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces
