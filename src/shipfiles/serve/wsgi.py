"""Static files around a WSGI application (PEP 3333)."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from ..config import ServeConfig
from .following import FollowingTable, Pieces, one_release
from .opened import PIECE, Span
from .ready import ODD, ready_respond, status_line
from .respond import FIELDS, Request
from .table import Table, choose_table

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_KEYS = {field: "HTTP_" + field.upper().replace("-", "_") for field in FIELDS}
_ODD = frozenset(_KEYS[field] for field in ODD)


class StaticApp:
    """A WSGI application that answers requests for static files and hands all others on to ``application``.

    Without further arguments the files are those of the Django project in this process: wrap what
    ``get_wsgi_application()`` returns. Without Django, ``root`` is a folder with a release and ``prefix`` the beginning
    of the URLs (default ``/static/``), ``release`` the id of the release (default: the current one); or ``table`` is
    any table. Raises `ConfigError`, `ReleaseError` and `ManifestError`.
    """

    def __init__(
        self,
        application: WSGIApplication,
        *,
        table: Table | None = None,
        root: str | os.PathLike[str] | None = None,
        prefix: str | None = None,
        config: ServeConfig | None = None,
        release: str = "",
    ) -> None:
        self.application = application
        self.table = choose_table(table, root, prefix, config, release)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        get = environ.get
        path = get("PATH_INFO", "")
        if not path.isascii():
            path = _decoded(path)
        ready = self.table.ready
        if ready is not None and (file := ready.find(path)) is not None and _ODD.isdisjoint(environ):
            answer = file.answer(environ["REQUEST_METHOD"], get("HTTP_ACCEPT_ENCODING"), get("HTTP_IF_NONE_MATCH"))
            if answer is not None:
                start_response(answer.status_line, answer.headers.copy())
                return [answer.body] if answer.body else []
        request = Request(environ["REQUEST_METHOD"], path, lambda field: get(_KEYS[field]))
        response = ready_respond(self.table, request)
        if response is None:
            with one_release(self.table):
                made = self.application(environ, self._labelled(start_response))
                if not isinstance(self.table, FollowingTable):
                    return made
                # A page that is made while it is sent: a generator, or as Django says. All else a server may know by
                # its type, for one by that of its own file wrapper (PEP 3333).
                return Pieces(made) if isinstance(made, Generator) or getattr(made, "streaming", False) else made
        status, headers, body = response
        if not isinstance(body, Span):
            start_response(status_line(status), headers)
            # A list, which servers know to be whole: granian sends it at once.
            return [] if body is None else [body]
        try:
            start_response(status_line(status), headers)
            return _sendable(body, get("wsgi.file_wrapper"))
        except BaseException:
            body.close()
            raise

    def _labelled(self, start_response: StartResponse) -> StartResponse:
        """``start_response`` with the id of the release among the headers, if the options ask for it."""
        field, release = self.table.config.release_header, self.table.release
        if not field or not release:
            return start_response

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            if all(name.lower() != field.lower() for name, _ in headers):
                headers = [*headers, (field, release)]
            return start_response(status, headers, *more)

        return start


def _decoded(path_info: str) -> str | None:
    """PATH_INFO as text: PEP 3333 has the bytes of the path in it, each as one character; ``None`` if not UTF-8."""
    try:
        return path_info.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None


def _sendable(span: Span, file_wrapper: Callable[..., Any] | None) -> Iterable[bytes]:
    """What a server gets for a large body: its own file wrapper for a whole file, which it may hand to the kernel.

    A wrapper sends to the end of the file, so a range is sent by us. The server closes either.
    """
    if span.whole and file_wrapper is not None:
        wrapped: Iterable[bytes] = file_wrapper(span.file, PIECE)
        return wrapped
    return span
