"""The middleware that serves static files from within Django, under WSGI and ASGI."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase, ResponseHeaders
from django.utils.cache import patch_vary_headers

from ..serve.following import AsyncPieces, FollowingTable, Pieces, one_release
from ..serve.opened import PIECE
from ..serve.ready import ODD, Answer, ready_respond
from ..serve.respond import Response, depends_on_accept, respond_instead
from ..serve.table import Table
from ..serve.waiting import respond_instead_soon, respond_soon, uploads_soon
from . import tables
from .responses import KEYS, asked, for_wrapper, to_django

_ODD = frozenset(KEYS[field] for field in ODD)


class ShipfilesMiddleware:
    """Answers requests for static files and hands all others on. Put it right below Django's SecurityMiddleware.

    Uploads are answered, too, where OPTIONS["serve"] of their storage asks for it.

    With ``DEBUG`` the files come from the finders, as they are at that moment; else from the current release.
    Wrapping the application in `shipfiles.serve.wsgi.StaticApp` or its ASGI twin gives the same answers without
    Django's work for each request, and without the headers of the middleware above this one.

    ``table`` is for tests. Raises `ConfigError`, `ReleaseError` and `ManifestError` when Django starts.
    """

    sync_capable = True
    async_capable = True

    def __init__(
        self,
        get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]],
        table: Table | None = None,
    ) -> None:
        self.get_response = get_response
        self.table = tables.static_table() if table is None else table
        self.uploads = tables.uploads() if table is None else None
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self.__acall__(request)
        answer = self.answer(request)
        if answer is not None:
            return answer
        with one_release(self.table):
            response = cast("HttpResponseBase", self.get_response(request))
            if self._is_lost(request, response):
                instead = respond_instead(self.table, asked(request), request.META.get("HTTP_ACCEPT"))
                return self._replaced(request, response, instead)
            return self._finished(response)

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        ready = self._ready_answer(request)
        if ready is not None:
            return ready
        response = await respond_soon(self.table, asked(request))
        if response is not None:
            return to_django(response, request)
        if self.uploads is not None and (found := await uploads_soon(self.uploads, asked(request))) is not None:
            return to_django(found, request)
        with one_release(self.table):
            answer = await cast("Awaitable[HttpResponseBase]", self.get_response(request))
            if self._is_lost(request, answer):
                instead = await respond_instead_soon(self.table, asked(request), request.META.get("HTTP_ACCEPT"))
                return self._replaced(request, answer, instead)
            return self._finished(answer)

    def _is_lost(self, request: HttpRequest, response: HttpResponseBase) -> bool:
        """Whether a page may answer in place of Django's 404: if no URL pattern fits. What a view says counts."""
        return bool(
            response.status_code == 404
            and self.table.config.single_page
            and getattr(request, "resolver_match", None) is None
            and not (self.uploads and self.uploads.covers(asked(request)))
        )

    def _replaced(self, request: HttpRequest, made: HttpResponseBase, instead: Response | None) -> HttpResponseBase:
        if instead is None:
            if depends_on_accept(self.table, asked(request)):
                patch_vary_headers(made, ("Accept",))
            return self._finished(made)
        # Not closed: that would tell all who listen that the request is over.
        return to_django(instead, request)

    def _finished(self, response: HttpResponseBase) -> HttpResponseBase:
        """A response of Django's own: with the id of the release, if the options ask for it, and all of it of that."""
        if (name := self.table.config.release_header) and (release := self.table.release):
            response.headers.setdefault(name, release)
        # A file that the server may send by itself stays one.
        if (
            isinstance(self.table, FollowingTable)
            and isinstance(response, StreamingHttpResponse)
            and getattr(response, "file_to_stream", None) is None
        ):
            pieces = response.streaming_content
            response.streaming_content = AsyncPieces(pieces) if isinstance(pieces, AsyncIterable) else Pieces(pieces)
        return response

    def answer(self, request: HttpRequest) -> HttpResponseBase | None:
        """The response to a request for a static file or an upload, or ``None`` for any other request."""
        ready = self._ready_answer(request)
        if ready is not None:
            return ready
        response = ready_respond(self.table, asked(request))
        if response is not None:
            return to_django(response, request)
        found = None if self.uploads is None else self.uploads.find(asked(request))
        return None if found is None else to_django(found, request)

    def _ready_answer(self, request: HttpRequest) -> HttpResponseBase | None:
        ready = self.table.ready
        if ready is None or (file := ready.find(request.path_info)) is None or not _ODD.isdisjoint(request.META):
            return None
        get = request.META.get
        answer = file.answer(request.method or "", get("HTTP_ACCEPT_ENCODING"), get("HTTP_IF_NONE_MATCH"))
        return None if answer is None else _from_ready(answer, request)


def _from_ready(answer: Answer, request: HttpRequest) -> HttpResponseBase:
    if len(answer.body) > PIECE and for_wrapper(answer.body, request) is not None:
        return to_django(Response(answer.status, answer.headers, answer.body), request)
    return _ReadyResponse(answer)


class _ReadyHeaders(ResponseHeaders):
    """The headers of a ready answer: Django checks and converts them once instead of in each response."""

    def __init__(self, checked: dict[str, tuple[str, str]]) -> None:
        self._store = checked.copy()

    def items(self) -> Any:
        # What a server asks each time; that of a mapping looks each of them up again.
        return self._store.values()


class _ReadyResponse(HttpResponse):
    def __init__(self, answer: Answer) -> None:
        # Any media type: given one, Django looks for no charset.
        super().__init__(answer.body, content_type="*/*", status=answer.status)
        checked = answer.kept_forms.get("django")
        if checked is None:
            checked = ResponseHeaders(dict(answer.headers))._store
            answer.kept_forms["django"] = checked
        self.headers = _ReadyHeaders(checked)
