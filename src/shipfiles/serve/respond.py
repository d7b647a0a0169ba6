"""From a table and a request to a response. Every shell asks here, so all of them answer alike."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import quote

from ..config import ServeConfig
from ..http.dates import http_date
from ..http.headers import ALLOWED_METHODS, Header, not_modified_headers, options_headers, other_headers
from ..http.negotiation import accepts, preferred
from ..http.preconditions import evaluate, names_tag, range_applies
from ..http.ranges import select
from .following import table_now
from .opened import SMALL, Opened, Span, read_exactly

if TYPE_CHECKING:
    from .table import Known, Resource, Table

FIELDS = (
    "accept-encoding", "if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range",
)  # fmt: skip
"""The request header fields that `respond` may ask for."""


# RFC 3986 section 3.4, and the percent sign of what is encoded already.
_QUERY_SAFE = "%/?:@!$&'()*+,;=-._~"


class Request(NamedTuple):
    """What of a request decides about a file."""

    method: str
    """In capitals."""
    path: str | None
    """Decoded, below the mount point; ``None`` if it is not UTF-8."""
    header: Callable[[str], str | None]
    """The value of one of `FIELDS`; several field lines joined by commas."""
    query: str = ""
    """Of the URL, as it came, without the question mark; each byte is a character, as in PEP 3333."""
    mount: str = ""
    """Where the application is mounted, decoded: what a browser's path has before ``path``."""


class Response(NamedTuple):
    """What to send. If ``body`` is a `Span`, the shell must close it whatever happens."""

    status: int
    headers: list[Header]
    body: bytes | Span | None
    """``None`` where there is none: HEAD, 304."""


class Representation(Protocol):
    """What must be known of bytes before any of them are sent."""

    @property
    def size(self) -> int:
        """Of all of them."""

    @property
    def modified(self) -> int | None:
        """Seconds since 1970 for Last-Modified, or ``None`` where nobody knows a time."""

    @property
    def etag(self) -> str:
        """With its quotes, and with ``W/`` before them if other bytes may have it too."""

    @property
    def headers(self) -> tuple[Header, ...]:
        """The fields that are sent with them, the ETag too."""

    @property
    def steady(self) -> bool:
        """Whether the bytes under this URL never change, so that even a date tells versions apart."""


class Chosen(NamedTuple):
    """The bytes that answer a GET."""

    status: int
    """200 or 206."""
    headers: list[Header]
    start: int
    stop: int
    """The first that is not sent."""


def respond(table: Table, request: Request) -> Response | None:
    """The answer of ``table`` to ``request``; ``None`` if it is not the table's to answer."""
    table = table_now(table)
    response = _respond(table, request)
    return None if response is None else _labelled(response, table)


def _labelled(response: Response, table: Table) -> Response:
    if (name := table.config.release_header) and table.release:
        response.headers.append((name, table.release))
    return response


def _respond(table: Table, request: Request) -> Response | None:
    """The answer, without the release's header.

    The file is opened before anything is decided, and everything is decided by what was opened. So a file that is
    removed or replaced meanwhile gives the next best representation, or a 404, but never a body that is cut or of
    another version than its headers.
    """
    if request.path is None:
        return None
    response = _at(table, request, request.path)
    if response is None and request.mount and table.is_static(whole := request.mount + request.path):
        # STATIC_URL may have the mount point in it, of which the server tells with each request alone.
        return _at(table, request, whole)
    return response


def _at(table: Table, request: Request, path: str) -> Response | None:
    """The answer to ``request`` if ``path`` is what it means."""
    method, header = request.method, request.header
    try:
        resource = table.find(path)
        if resource is None:
            if method in ("GET", "HEAD") and (location := table.redirect(path)) is not None:
                return _redirect(location, request, table.config)
            return other_response(404, method, table.config) if table.is_lost(path) else None
        if method not in ("GET", "HEAD"):
            if method == "OPTIONS":
                return Response(200, options_headers(resource.logical, table.config), b"")
            return other_response(405, method, table.config, ("Allow", ALLOWED_METHODS))
        response = _represented(resource, method, header, table.config)
    except OSError:
        # RFC 9110 section 15.6.4: no descriptor left, most likely. The file may well be there in a moment.
        return other_response(503, method, table.config, ("Retry-After", "1"))
    return response or other_response(404, method, table.config)


def respond_instead(table: Table, request: Request, accept: str | None) -> Response | None:
    """The page that the options name for addresses that the application does not have, when it has said 404.

    Only for who asks for a page: a browser that navigates says so in its Accept field, ``accept``, and scripts,
    images and programs do not. ``None`` if the application's own answer counts.
    """
    table = table_now(table)
    method, path, header = request[:3]
    if path is None or not depends_on_accept(table, request) or not accepts(accept, "text/html"):
        return None
    try:
        resource = table.page(path)
        if resource is None:
            return None
        response = _represented(resource, method, header, table.config)
    except OSError:
        return None
    if response is None:
        return None
    # RFC 9110 section 12.5.5: the answer depends on Accept.
    others = [value for name, value in response.headers if name == "Vary"]
    response.headers[:] = [field for field in response.headers if field[0] != "Vary"]
    response.headers.append(("Vary", ", ".join([*others, "Accept"])))
    return _labelled(response, table)


def depends_on_accept(table: Table, request: Request) -> bool:
    """Whether `respond_instead` has an answer to some clients, so that a 404 of the application varies as well.

    RFC 9110 section 12.5.5: a cache must not give it to those who get the page.
    """
    method, path, _, _, mount = request
    return (
        path is not None
        and bool(table.config.single_page)
        and method in ("GET", "HEAD")
        and not (table.is_static(path) or (mount and table.is_static(mount + path)))
    )


def _represented(
    resource: Resource, method: str, header: Callable[[str], str | None], config: ServeConfig
) -> Response | None:
    """The answer with the best representation of ``resource`` that can be had; ``None`` if there is none."""
    codings = resource.codings
    for coding in preferred(header("accept-encoding") if codings else None, codings):
        if (unchanged := _unchanged(resource.known(coding), header)) is not None:
            return unchanged
        opened = resource.open(coding)
        if opened is not None:
            response = answer_opened(opened, method, header, config)
            if response is not None:
                return response
    return None


def _redirect(location: str, request: Request, config: ServeConfig) -> Response:
    """302 to ``location``, with the query of the request: RFC 9110 section 15.4.3.

    For now: the next release may have a file where this one redirects.
    """
    if request.query:
        location += "?" + quote(request.query, safe=_QUERY_SAFE, encoding="latin-1", errors="replace")
    return other_response(302, request.method, config, ("Location", location))


def _unchanged(known: Known | None, header: Callable[[str], str | None]) -> Response | None:
    """The 304 that needs no file: the client names the tag of bytes that never change, and sets no other condition."""
    if known is None or (none_match := header("if-none-match")) is None or not names_tag(none_match, known.etag):
        return None
    if header("if-match") is not None or header("if-unmodified-since") is not None:
        return None
    return Response(304, not_modified_headers(known.headers), None)


def choose(
    of: Representation, method: str, header: Callable[[str], str | None], config: ServeConfig
) -> Response | Chosen:
    """What of a representation a GET or HEAD means: RFC 9110 sections 13 and 14. An answer, if it has no body."""
    size, etag = of.size, of.etag
    verdict = evaluate(
        if_match=header("if-match"),
        if_unmodified_since=header("if-unmodified-since"),
        if_none_match=header("if-none-match"),
        if_modified_since=header("if-modified-since"),
        etag=etag,
        modified=of.modified,
        dates_only_grow=of.steady,
    )
    if verdict == 304:
        return Response(304, not_modified_headers(of.headers), None)
    if verdict == 412:
        return other_response(412, method, config, ("ETag", etag))

    status, start, stop = 200, 0, size
    headers = list(of.headers)
    if of.modified is not None:
        headers.append(("Last-Modified", http_date(of.modified)))
    # RFC 9110 section 14.2: Range means something with GET alone.
    wanted = header("range") if method == "GET" else None
    if wanted is not None and range_applies(
        header("if-range"), etag=etag, modified=of.modified, date_is_strong=of.steady
    ):
        selection = select(wanted, size)
        if selection == "unsatisfiable":
            return other_response(416, method, config, ("Content-Range", f"bytes */{size}"), ("ETag", etag))
        if selection is not None:
            status, (start, stop) = 206, selection
            headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
    headers.append(("Content-Length", str(stop - start)))
    return Response(status, headers, None) if method == "HEAD" else Chosen(status, headers, start, stop)


def answer_opened(
    opened: Opened, method: str, header: Callable[[str], str | None], config: ServeConfig
) -> Response | None:
    """The answer with an open representation, which is closed or in the body afterwards.

    ``None`` if it turns out to be shorter than it was: then another representation may do.
    """
    fd = opened.fd
    keep_open = False
    try:
        chosen = choose(opened, method, header, config)
        if isinstance(chosen, Response):
            return chosen
        status, headers, start, stop = chosen
        if opened.body is not None:
            return Response(status, headers, opened.body[start:stop])
        if stop - start > SMALL:
            keep_open = True
            return Response(status, headers, Span(fd, start, stop, whole=status == 200))
        if start:
            os.lseek(fd, start, os.SEEK_SET)
        body = read_exactly(fd, stop - start)
        return None if body is None else Response(status, headers, body)
    finally:
        if not keep_open:
            os.close(fd)


_TEXTS = {
    302: b"Found: the folder's address ends with a slash.\n",
    404: b"Not Found: this file is not part of the current release.\n",
    405: b"Method Not Allowed: a static file can be read, not changed.\n",
    412: b"Precondition Failed: the file is not the one that the request names.\n",
    416: b"Range Not Satisfiable: the file ends before that.\n",
    503: b"Service Unavailable: the server or a store behind it is busy; try again.\n",
}


def other_response(status: int, method: str, config: ServeConfig, *more: Header, text: bytes = b"") -> Response:
    """An answer that is no file: RFC 9110 section 15.5 wants its reason in the body, ``text``, if not the usual one."""
    text = text or _TEXTS[status]
    headers = [*other_headers(config), *more, ("Content-Length", str(len(text)))]
    return Response(status, headers, None if method == "HEAD" else text)
