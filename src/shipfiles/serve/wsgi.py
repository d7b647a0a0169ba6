"""Static files around a WSGI application (PEP 3333)."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from typing import TYPE_CHECKING, Any

from ..config import ServeConfig
from .default import default_uploads
from .following import FollowingTable, Pieces, one_release
from .kinds import require_wsgi
from .opened import PIECE, SentBytes, SentFile, Span
from .ready import ODD, ready_respond, status_line
from .respond import FIELDS, Request, Response, depends_on_accept, respond_instead
from .streamed import Delivery, Stream
from .table import Table, choose_table

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_KEYS = {field: "HTTP_" + field.upper().replace("-", "_") for field in FIELDS}
_ODD = frozenset(_KEYS[field] for field in ODD)


class StaticApp:
    """A WSGI application that answers requests for static files and hands all others on to ``application``.

    Without further arguments the files are those of the Django project in this process, as its OPTIONS say: wrap what
    ``get_wsgi_application()`` returns. The other arguments are for use without Django. Raises `ConfigError`,
    `ReleaseError` and `ManifestError`.

    - ``root``: a folder into which releases were published. Django's OPTIONS are not heeded for it.
    - ``prefix``: what the paths of its files begin with, between slashes; by default ``/static/``.
    - ``config``: a `shipfiles.config.ServeConfig`, which takes what OPTIONS["serve"] takes.
    - ``release``: the id of the release; by default the current one.
    - ``table``: any `shipfiles.serve.table.Table`, instead of all of these.
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
        require_wsgi(application)
        self.application = application
        self.table = choose_table(table, root, prefix, config, release)
        self._uploads = default_uploads() if table is None and root is None else None

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
                body = answer.body
                if len(body) > PIECE:
                    return _sendable(body, get("wsgi.file_wrapper"))
                return [body] if body else []
        # Python keeps this frame as long as an exception that the application has caught: a while, in a cycle.
        ready = file = None
        mount = get("SCRIPT_NAME")
        request = Request(
            environ["REQUEST_METHOD"], path, lambda field: get(_KEYS[field]), get("QUERY_STRING", ""),
            (_decoded(mount) or "").rstrip("/") if mount else "",
        )  # fmt: skip
        response: Response | Delivery | None = ready_respond(self.table, request)
        if response is None and self._uploads is not None:
            response = self._uploads.find(request)
        return (
            self._hand_on(environ, start_response, request)
            if response is None
            else _send(response, environ, start_response)
        )

    def _hand_on(self, environ: WSGIEnvironment, start_response: StartResponse, request: Request) -> Iterable[bytes]:
        """The application's answer, or the page in place of its 404."""
        start = self._labelled(start_response)
        with one_release(self.table):
            if depends_on_accept(self.table, request) and not (self._uploads and self._uploads.covers(request)):
                held = _Held(start)
                made = self.application(environ, held)
                if held.is_lost():
                    response = respond_instead(self.table, request, environ.get("HTTP_ACCEPT"))
                    if response is not None:
                        if callable(close := getattr(made, "close", None)):
                            close()
                        return _send(response, environ, start_response)
                held.go_on()
            else:
                made = self.application(environ, start)
            if not isinstance(self.table, FollowingTable):
                return made
            # A page that is made while it is sent: a generator, or as Django says. All else a server may know by its
            # type, for one by that of its own file wrapper (PEP 3333).
            return Pieces(made) if isinstance(made, Generator) or getattr(made, "streaming", False) else made

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


class _Held:
    """A ``start_response`` that keeps a 404 to itself until it is decided whether it counts.

    Only of an application that calls it before it returns: one that does so later has its way.
    """

    def __init__(self, start: StartResponse) -> None:
        self._start = start
        self._kept: tuple[str, list[tuple[str, str]]] | None = None
        self._is_over = False

    def __call__(self, status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
        if not self._is_over and not any(more) and status.startswith("404"):
            self._kept = status, headers
            return self._write
        self._kept = None
        return self._start(status, headers, *more)

    def is_lost(self) -> bool:
        """Whether the application has said 404, and not yet any of its body."""
        return self._kept is not None

    def go_on(self) -> None:
        """Let the application's answer be the answer."""
        self._is_over = True
        if self._kept is not None:
            (status, headers), self._kept = self._kept, None
            self._written = self._start(status, [*headers, ("Vary", "Accept")])

    def _write(self, piece: bytes) -> object:
        self.go_on()
        return self._written(piece)


def _send(response: Response | Delivery, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    status, headers, body = response
    if not isinstance(body, (Span, Stream)):
        start_response(status_line(status), headers)
        return [] if body is None else _sendable(body, environ.get("wsgi.file_wrapper"))
    try:
        start_response(status_line(status), headers)
        return body if isinstance(body, Stream) else _sendable(body, environ.get("wsgi.file_wrapper"))
    except BaseException:
        body.close()
        raise


def _decoded(path_info: str) -> str | None:
    """PATH_INFO as text: PEP 3333 has the bytes of the path in it, each as one character; ``None`` if not UTF-8."""
    try:
        return path_info.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return None


def given_to_wrapper(body: Span | bytes, file_wrapper: object) -> SentFile | SentBytes | None:
    """The file with which a server's own wrapper is to send ``body``; ``None`` if it is better sent by us.

    That of a large file, which the server may hand to the kernel. A wrapper sends to the end of the file, so a part is
    sent by us; but waitress, which keeps to Content-Length, would hold up to 1 MB of all else that a client has not
    taken yet, and write more to the disk.
    """
    holds_the_rest = getattr(file_wrapper, "__module__", None) == "waitress.buffers"
    if isinstance(body, Span):
        return body.file if body.whole or holds_the_rest else None
    return SentBytes(body) if holds_the_rest and len(body) > PIECE else None


def _sendable(body: Span | bytes, file_wrapper: Callable[..., Any] | None) -> Iterable[bytes]:
    """What a server gets for a body. The server closes it."""
    if file_wrapper is not None and (file := given_to_wrapper(body, file_wrapper)) is not None:
        wrapped: Iterable[bytes] = file_wrapper(file, PIECE)
        return wrapped
    # A list, which servers know to be whole: granian sends it at once.
    return body if isinstance(body, Span) else [body]
