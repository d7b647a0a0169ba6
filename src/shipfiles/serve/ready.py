"""Answers that are ready in memory: what `respond` said once of a small file whose bytes never change.

Most requests ask for a whole small file under a hashed name, with no condition but a tag. For these the answer is one
of a few, so it is kept in the form in which servers take it, and given again without a look at the disk. Everything
else, and whatever is not kept, goes to `respond`: it alone decides what an answer is.
"""

from __future__ import annotations

import logging
import threading
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ..digest import digest_bytes
from ..http.headers import Header, checked, encoded, entity_tag
from ..http.negotiation import preferred
from .opened import Span
from .respond import FIELDS, Request, Response, respond

if TYPE_CHECKING:
    from .table import Table

logger = logging.getLogger("shipfiles.serve")

HEEDED = ("accept-encoding", "if-none-match")
"""The fields of which ready answers know. A request with another one of `respond.FIELDS` is not for them."""

ODD = tuple(field for field in FIELDS if field not in HEEDED)
"""The other fields."""

LARGEST = 1024 * 1024
"""Larger bodies are not kept, in bytes: reading and digesting one must not keep an event loop for long."""

# What Python takes for an answer with its headers and its places, measured; bytes.
_OVERHEAD = 3 * 1024

_STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


def status_line(status: int) -> str:
    """The code and its phrase, as WSGI wants them."""
    return _STATUS_LINES[status]


class Answer:
    """One answer, in every form that a server may want. None of them may be changed by who gets it.

    Raises ``ValueError`` for headers that cannot be sent.
    """

    def __init__(self, status: int, headers: list[Header], body: bytes) -> None:
        self.status = status
        self.status_line = status_line(status)
        self.headers = list(checked(tuple(headers)))
        """For WSGI, which wants a list: give a copy away."""
        self.body = body
        """Empty for HEAD and 304."""
        self.kept_forms: dict[str, Any] = {}
        """Further forms, by the name of whoever makes and wants them."""

    @cached_property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """For ASGI: names in lower case, all of it bytes."""
        return encoded(tuple(self.headers))

    @cached_property
    def head(self) -> bytes:
        """For whoever writes HTTP/1.1 himself: the status line and the fields, without the empty line behind them.

        Missing are the fields of the connection and of the server: Date, Connection, Server.
        """
        lines = [f"HTTP/1.1 {self.status_line}", *(f"{name}: {value}" for name, value in self.headers), ""]
        return "\r\n".join(lines).encode("latin-1")


class _Kept:
    """The answers of one representation."""

    __slots__ = ("etag", "head", "unchanged", "whole")

    def __init__(self, etag: str) -> None:
        self.etag = etag
        self.whole: Answer | None = None
        """To GET."""
        self.head: Answer | None = None
        """To HEAD."""
        self.unchanged: Answer | None = None
        """304, to either."""


class ReadyFile:
    """What is kept of the file at one path."""

    __slots__ = ("_codings", "cost", "kept", "used")

    def __init__(self, codings: tuple[str, ...]) -> None:
        self._codings = codings
        self.kept: dict[str, _Kept] = {}
        """By content coding."""
        self.cost = 0
        self.used = False
        """Whether it was asked for since it was last looked at by who makes room."""

    def answer(self, method: str, accept_encoding: str | None, if_none_match: str | None) -> Answer | None:
        """The answer to a request without any of the fields in `ODD`; ``None`` if it is not ready."""
        codings = self._codings
        kept = self.kept.get(preferred(accept_encoding, codings)[0] if codings else "identity")
        if kept is None:
            return None
        self.used = True
        if if_none_match is not None:
            # A list of tags, a weak one or another: respond() knows.
            return kept.unchanged if if_none_match == kept.etag and method in ("GET", "HEAD") else None
        if method == "GET":
            return kept.whole
        return kept.head if method == "HEAD" else None


class Ready:
    """The ready answers of ``table``, whose files must not change: another release is another table.

    At most ``budget`` bytes are kept; what was not asked for since the last time goes first. Readers take no lock: they
    look into dictionaries that one thread at a time writes. A thread that finds another one writing does not wait, it
    only keeps nothing; so a lock that was held in the moment of a fork does no harm either.
    """

    def __init__(self, table: Table, budget: int) -> None:
        self.table = table
        self._budget = budget
        self._largest = min(LARGEST, budget // 8)
        self._files: dict[str, ReadyFile] = {}
        self._lock = threading.Lock()
        self.size = 0
        """Bytes that are kept, about."""
        self.find = self._files.get
        """What is kept of the file at the decoded URL path, or ``None``."""

    def respond(self, request: Request) -> Response | None:
        """What `respond` answers for the table, which is kept for the next time if it may be."""
        response = respond(self.table, request)
        if response is None or response.status not in (200, 304) or request.method not in ("GET", "HEAD"):
            return response
        body = response.body
        if isinstance(body, Span) and (body.size > self._largest or not body.whole):
            return response
        if any(request.header(field) is not None for field in ODD):
            return response
        return self._keep(request, response)

    def _keep(self, request: Request, response: Response) -> Response:
        method, path, header = request[:3]
        status, headers, body = response
        assert path is not None
        try:
            resource = self.table.find(path)
        except OSError:
            return response
        if resource is None:
            return response
        coding = preferred(header("accept-encoding"), resource.codings)[0]
        known = resource.known(coding)
        # Not the tag of the best coding: its file is missing. Perhaps it will be there next time.
        if known is None or header("if-none-match") != (known.etag if status == 304 else None):
            return response
        if ("ETag", known.etag) not in headers:
            return response
        if isinstance(body, Span):
            whole = body.peek()
            if whole is None:
                return response
            body.close()
            body = whole
            response = Response(status, headers, body)
        if body is not None and entity_tag(digest_bytes(body)) != known.etag:
            logger.warning("%s: the file on the disk has other bytes than the manifest says. Publish it again.", path)
            resource.distrust(coding)
            self._forget(path)
            # Now without them.
            return respond(self.table, request) or response
        if self._lock.acquire(blocking=False):
            try:
                self._put(
                    path, resource.codings, coding, known.etag, method, Answer(status, list(headers), body or b"")
                )
            finally:
                self._lock.release()
        return response

    def clear(self) -> None:
        """Give back all that is kept; who answers just now may keep one more."""
        # Not for ever: in the child of a fork nobody may be there to release it.
        if self._lock.acquire(timeout=0.1):
            try:
                self._files.clear()
                self.size = 0
            finally:
                self._lock.release()

    def _forget(self, path: str) -> None:
        if self._lock.acquire(blocking=False):
            try:
                if (file := self._files.pop(path, None)) is not None:
                    self.size -= file.cost
            finally:
                self._lock.release()

    def _put(self, path: str, codings: tuple[str, ...], coding: str, etag: str, method: str, answer: Answer) -> None:
        file = self._files.get(path) or ReadyFile(codings)
        kept = file.kept.setdefault(coding, _Kept(etag))
        before = kept.unchanged if answer.status == 304 else kept.whole if method == "GET" else kept.head
        if before is not None:
            return  # by another thread, a moment ago
        if answer.status == 304:
            kept.unchanged = answer
        elif method == "GET":
            kept.whole = answer
        else:
            kept.head = answer
        cost = _OVERHEAD + len(answer.body)
        file.cost += cost
        self.size += cost
        self._files[path] = file
        self._make_room()

    def _make_room(self) -> None:
        # Every file is looked at twice at most: the first time it may have been asked for since.
        looks = 2 * len(self._files)
        while self.size > self._budget and looks:
            looks -= 1
            path = next(iter(self._files))
            file = self._files.pop(path)
            if file.used:
                file.used = False
                self._files[path] = file
            else:
                self.size -= file.cost


def ready_respond(table: Table, request: Request) -> Response | None:
    """What `respond` answers, kept by the table for the next time if it may be."""
    ready = table.ready
    return respond(table, request) if ready is None else ready.respond(request)
