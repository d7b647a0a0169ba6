"""Which requests the fast lanes take: bytes as they come from a socket → a request, or nothing.

A lane answers beside the server's own HTTP parser, so both must read every request alike: where they did not, one of
them could be made to take a part of one request for another (request smuggling: RFC 9112 section 11.2). So a lane
takes only what can be read in one way, and is stricter than RFC 9112 in all else: what is not named here goes to the
server's own code, byte for byte. A request is taken if

* all of it came in one read: the request line, the fields, the empty line, and nothing behind it;
* its line is ``GET`` or ``HEAD``, one space, a path of RFC 3986 characters with an optional query, one space,
  ``HTTP/1.1``, CR, LF;
* every field line is ``token ":" OWS value OWS CRLF`` (RFC 9112 section 5) in printable ASCII, so there is no folding,
  no bare CR or LF, no underscore in a name, and no space before the colon;
* there is exactly one ``Host``, and no field comes twice;
* every field is known to have nothing to do with how a message is delimited, and is none that would change the answer
  but those that ready answers heed. ``Connection`` is ``close`` or ``keep-alive``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import NamedTuple

from ..http.negotiation import preferred
from ..paths import url_unquote
from . import asgi, wsgi
from .default import default_table, passed_over_by_lanes
from .following import table_now
from .opened import Span
from .ready import HEEDED, Answer, Ready
from .respond import Request
from .table import Table

LARGEST = 8192
"""Bytes in a request that a lane reads; a larger one is the server's."""

# A path of RFC 3986 section 3.3, but never "//", which some would take for the beginning of a host. No fragment, and
# none of the characters that section 2 does not allow, although servers let some of them pass.
_LINE = re.compile(rb"(GET|HEAD) (/(?!/)[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*+)(\?[A-Za-z0-9\-._~!$&'()*+,;=:@/%?]*+)?"
                   rb" HTTP/1\.1")  # fmt: skip
# RFC 9110 section 5.6.2, but no "_": it and "-" would be one in an environ.
_NAME = rb"[A-Za-z0-9!#$%&'*+\-.^`|~]++"
_FIELDS = re.compile(rb"(?>" + _NAME + rb":[\t -~]*+\r\n)++\r\n")
_BROKEN_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
# RFC 9110 section 7.2, without the rarer characters of a reg-name.
_HOST = re.compile(r"(?:[A-Za-z0-9._~\-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")

# "host" and "connection" are looked at on their own.
_MEANINGLESS = frozenset((
    "host", "connection", "accept", "accept-charset", "accept-language", "alt-used", "authorization",
    "cache-control", "cdn-loop", "client-ip", "cookie", "date", "dnt", "downlink", "dpr", "ect", "early-data",
    "forwarded", "from", "max-forwards", "origin", "pragma", "priority", "purpose", "referer", "rtt", "save-data",
    "true-client-ip", "upgrade-insecure-requests", "user-agent", "via", "viewport-width", "width", "b3", "baggage",
    "request-id", "traceparent", "tracestate", "sentry-trace",
))  # fmt: skip
_MEANINGLESS_BEGINNINGS = ("x-", "sec-ch-", "sec-fetch-", "sec-gpc", "cf-", "cloudfront-", "fastly-", "akamai-", "fly-")

# What is longer was written by nobody who will send it twice, so that remembering it only costs memory.
_LONGEST_REMEMBERED_LINE = 256
_LONGEST_REMEMBERED = 2048

_Line = tuple[str, str, bytes]


class LaneFields(NamedTuple):
    """What the fields of a request for a lane say."""

    accept_encoding: str | None
    none_match: str | None
    """If-None-Match."""
    close: bool
    """Whether the client wants no further answer on this connection."""


class LaneRequest(NamedTuple):
    """A request that a lane may answer."""

    method: str
    path: str
    """Decoded, without the query, below ``mount``."""
    query: bytes
    """As it came, with its question mark; empty if there is none."""
    fields: LaneFields


class Classifier:
    """Tells requests for a lane from all others, for a server whose limits are given.

    ``longest_line`` and ``longest_field`` are in bytes, without and with the CRLF, as gunicorn counts them; of the
    fields named in ``single``, in lower case, only one may be there: the server compares them with each other. Paths
    must begin with ``mount`` as they come.
    """

    def __init__(
        self,
        *,
        longest_line: int = LARGEST,
        most_fields: int = 100,
        longest_field: int = LARGEST,
        single: Collection[str] = (),
        mount: str = "",
    ) -> None:
        self._longest_line = longest_line
        self._most_fields = most_fields
        self._longest_field = longest_field
        self._single = frozenset(single)
        self._mount = mount
        # The same files are asked for all day; browsers send few different blocks for one kind of file, proxies fewer.
        self._remembered_line: Callable[[bytes], _Line | None] = lru_cache(maxsize=4096)(self._read_line)
        self._remembered: Callable[[bytes], LaneFields | None] = lru_cache(maxsize=1024)(self._read)

    def classify(self, received: bytes) -> LaneRequest | None:
        """The request that ``received`` is, if it is one for a lane and nothing else."""
        if len(received) > LARGEST:
            return None
        text, _, block = received.partition(b"\r\n")
        line = self._remembered_line(text) if len(text) <= _LONGEST_REMEMBERED_LINE else self._read_line(text)
        if line is None:
            return None
        fields = self._remembered(block) if len(block) <= _LONGEST_REMEMBERED else self._read(block)
        return None if fields is None else LaneRequest(*line, fields)

    def _read_line(self, text: bytes) -> _Line | None:
        """Method, path and query of a request line, without its end."""
        line = _LINE.fullmatch(text)
        if line is None or len(text) > self._longest_line:
            return None
        method, target, query = line.groups(b"")
        path = target.decode("ascii")
        if self._mount:
            if not path.startswith(self._mount):
                return None
            path = path[len(self._mount) :]
        if "%" in path:
            decoded = None if _BROKEN_PERCENT.search(path) else url_unquote(path)
            if decoded is None:
                return None
            path = decoded
        return method.decode("ascii"), path, query

    def _read(self, block: bytes) -> LaneFields | None:
        """The fields in ``block``, with the empty line at its end."""
        if not _FIELDS.fullmatch(block):
            return None
        lines = block.decode("ascii").split("\r\n")[:-2]
        if len(lines) > self._most_fields:
            return None
        fields: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            name = name.lower()
            if name in fields or not _is_known(name) or len(line) + 2 > self._longest_field:
                return None
            fields[name] = value.strip(" \t")
        if not _HOST.fullmatch(fields.get("host", "")) or len(self._single & fields.keys()) > 1:
            return None
        connection = fields.get("connection", "keep-alive").lower()
        if connection not in ("keep-alive", "close"):
            return None
        return LaneFields(fields.get("accept-encoding"), fields.get("if-none-match"), connection == "close")


def _is_known(name: str) -> bool:
    """Whether a field is one that a lane heeds, or may pass over as any server does (RFC 9110 section 5.1)."""
    return name in _MEANINGLESS or name in HEEDED or name.startswith(_MEANINGLESS_BEGINNINGS)


class Lane:
    """What a lane answers from ``table``: whole small files whose bytes never change, and that they have not changed.

    Everything else has no answer here. Nothing waits for more than one small file to be read.
    """

    # As many large files as are asked for in a while; others are looked at again.
    _MOST_LARGE = 1024

    def __init__(self, table: Table) -> None:
        self.table = table
        self._large: set[str] = set()

    def answer(self, method: str, path: str, fields: LaneFields) -> Answer | None:
        """The answer to a request that a `Classifier` let through, with the path below the mount point."""
        ready = self.table.ready
        if ready is None:
            return None
        file = ready.find(path)
        if file is not None:
            answer = file.answer(method, fields.accept_encoding, fields.none_match)
            if answer is not None:
                return answer
        return self._prepare(ready, method, path, fields)

    def _prepare(self, ready: Ready, method: str, path: str, fields: LaneFields) -> Answer | None:
        """The answer from the disk, which is ready the next time."""
        table = ready.table
        if path in self._large or table.may_wait(path):
            return None
        values = {"accept-encoding": fields.accept_encoding, "if-none-match": fields.none_match}
        try:
            resource = table.find(path)
            if resource is None or resource.known(preferred(fields.accept_encoding, resource.codings)[0]) is None:
                return None
        except OSError:
            return None
        response = ready.respond(Request(method, path, values.get))
        if response is None or response.status not in (200, 304):
            return None
        if isinstance(response.body, Span):
            response.body.close()
            if len(self._large) >= self._MOST_LARGE:
                self._large.clear()
            self._large.add(path)
            return None
        return Answer(response.status, response.headers, response.body or b"")


def lane_for(application: object) -> tuple[Lane | None, str]:
    """The lane for what a server runs and which files it has; or ``None`` and a sentence: why there can be no lane.

    The files are those of the `StaticApp` in ``application``; else those of the framework, whose middleware may have
    been asked for what a lane would leave out. Raises `ConfigError`, `ReleaseError` and `ManifestError`.
    """
    table = _table_of(application)
    if table is None:
        if why := passed_over_by_lanes():
            return None, why
        table = default_table()
    if table.ready is None:
        return None, "No file is kept in memory: DEBUG is on, or OPTIONS['serve']['memory'] is 0."
    return Lane(table), str(table_now(table))


def _table_of(application: object) -> Table | None:
    """The table of the `StaticApp` that a server runs, also within other wrappers."""
    for _ in range(_DEEPEST):
        if isinstance(application, (wsgi.StaticApp, asgi.StaticApp)):
            return application.table
        application = next((inner for name in _INNER if (inner := getattr(application, name, None)) is not None), None)
    return None


# Under these names wrappers hold what they wrap.
_INNER = ("application", "app", "wsgi_app", "__wrapped__")
_DEEPEST = 20
