"""What servers and frameworks do otherwise than the rows of the contract say, and why.

The list is strict: a test fails too when one of these is mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

_DJANGO_METHOD = "Django makes capitals of every method before a middleware sees it, so its views answer `get` as well."
_METHOD = "method: get, which is not GET"
_UNKNOWN = {
    "method: one that nobody knows": "llhttp has a list of methods; to all others uvicorn answers 400 instead of 501."
}
_CLOSED = (
    "Twisted closes the connection without an answer when the request line has more than 16 KB, where 414 is meant "
    "(RFC 9110 section 15.5.15)."
)
_TARGET = {
    "wire: a target with scheme and host": "The server hands the whole of such a target on as the path. No client "
    "sends it to any but a proxy."
}
_READS_AHEAD = {
    "slow readers cost no memory": "Granian reads ahead, by default 400 KB a client, whatever the application is."
}

DIFFERENCES: dict[str, dict[str, str]] = {
    "middleware": {_METHOD: _DJANGO_METHOD},
    "async middleware": {_METHOD: _DJANGO_METHOD},
    "uvicorn-h11 middleware": {_METHOD: _DJANGO_METHOD},
    "granian-wsgi middleware": {_METHOD: _DJANGO_METHOD},
    "granian-asgi middleware": {_METHOD: _DJANGO_METHOD},
    "daphne middleware": {_METHOD: _DJANGO_METHOD},
    "gunicorn-asgi": _TARGET,
    "uvicorn-h11": _TARGET,
    "uvicorn-httptools": _UNKNOWN,
    "uvicorn-lane": _UNKNOWN,
    "granian-wsgi": {
        "coding: a name of letters that are none": "Granian leaves out a field whose value is not ASCII under WSGI, "
        "so that the answer is the one without the field.",
        "rules: a value with letters beyond ASCII": "Granian writes values as UTF-8 under WSGI, where PEP 3333 has "
        "Latin-1.",
        **_READS_AHEAD,
    },
    "granian-asgi": _READS_AHEAD,
    "hypercorn": {
        _METHOD: "Hypercorn makes capitals of every method, as the ASGI specification has it.",
        **_TARGET,
    },
    "waitress": {
        "other paths are the application's": "Waitress takes several slashes at the beginning of the path for one.",
    },
    "daphne": {
        **_TARGET,
        "wire: Date is there once": "Daphne sends no Date; a proxy before it adds one (RFC 9110 section 6.6.1).",
        **{
            f"wire: 100 KB of {name}": "As for a long request line, where 431 is meant (RFC 6585 section 5)."
            for name in ("Range", "Accept-Encoding", "If-None-Match", "If-Match", "If-Range", "If-Modified-Since")
        },
        "slow readers cost no memory": "An application's `send()` never waits: Daphne holds whatever the client has "
        "not taken, however much it is.",
        **{f"path: {beginning}... (100000 characters)": _CLOSED for beginning in ("a" * 30, "a/" * 15)},
        f"path: {('%2e' * 2 + '%2f') * 3}%2e... (90000 characters)": _CLOSED,
    },
}
"""Server, or way to serve → the name of a row → why it does not hold there."""

_PLACE = (
    "nginx knows files, not releases: what is in the folder is public under its name, whatever its bytes are, and what "
    "is not is the application's or not found."
)
_NGINX: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "It answers 416 to what it cannot read, which may be ignored (14.2), and to numbers that it cannot hold.",
        (
            "range: bytes=990-99999999999999999999... (5010 characters)",
            "range: bytes=-99999999999999999999999... (5007 characters)",
            "range: bytes=,5-9,", "range: bytes=abc", "range: bytes=--5", "range: bytes=5-2", "range: bytes=-",
            "range: bytes=1 0-20", "range: bytes=+1-2", "range: bytes=0x1-2", "range: bytes=1-2-3", "range: bytes=-1-2",
            "range: bytes=\xb2-\xb3", "range: bytes=0-9;q=1", "range: bytes=1e1-99",
        ),
    ),
    (
        "It sends the ranges that it can of a list, and takes spaces within one.",
        ("range: bytes=0-9, 5-2", "range: bytes=2000-,0-0", "range: bytes=0 - 9"),
    ),
    (
        "It answers HEAD with 206, although Range is defined for GET alone (14.2).",
        ("HEAD knows no ranges",),
    ),
    (
        "It takes a date for a strong validator in If-Range although a file may change twice in a second.",
        ("If-Range: the date of a file that may change proves nothing",),
    ),
    (
        "It heeds If-Unmodified-Since although If-Match is there, and takes what is no date for one long ago.",
        ("condition: If-Unmodified-Since: no date", "condition: If-Match wins over the date"),
    ),
    (
        "It reads dates whatever zone they name, where the grammar has GMT alone.",
        ("condition: If-Modified-Since: another zone",),
    ),
    (
        "It asks whether the answer to OPTIONS fits If-Match, as if it were the file; no preflight has one.",
        ("other methods are refused under any condition", "OPTIONS says what is allowed"),
    ),
    (
        "Its tag is made from the time and the size of the file: another one on each machine and after each build.",
        ("the tag comes from the bytes alone: the same on every machine and after every build",),
    ),
    (
        "It has no manifest: a name that looks hashed is taken for one.",
        ("plain names are not immutable, whatever they look like",),
    ),
    (
        "It repeats the coding in a 304, where it should not be (15.4.5): to know the status costs each answer time.",
        ("a 304 has the headers that it needs and no others of the file",),
    ),
    (
        "It tells a file's fields before it sees that a range is beyond its end; `no-store` comes on top and wins.",
        ("errors are not kept",),
    ),
    (
        _PLACE,
        (
            "path: stray.txt", "disk: removed", "disk: shrunk", "disk: grown", "disk: a large file shrunk",
            "disk: shrunk after it was sent", "disk: variant shrunk",
            "disk: a folder in its place", "disk: a device in its place", "disk: a pipe in its place",
            "disk: a link out of the root in its place", "root: path: stray.txt", "root: path: docs/../stray.txt",
        ),
    ),
    (
        "It takes dots out of a path first: RFC 3986 section 6.2.2.3 allows that.",
        ("path: ./css/site.css", "path: css/./site.css", "root: path: ./robots.txt", "root: path: docs/./"),
    ),
    (
        "It sends the query back as it came.",
        ("index: a query of bytes that no URL has",),
    ),
    (
        "Its configuration is UTF-8, and so are the values of fields.",
        ("rules: a value with letters beyond ASCII",),
    ),
)  # fmt: skip
_TAGS = "Its tag is made from the time and the size of the file: another one on each machine and after each build."
_FORM = "It has no manifest: a name that looks hashed is taken for one."
_QUERY = "It sends the query back as it came."
_FILES = (
    "path: stray.txt",
    "disk: removed",
    "disk: shrunk",
    "disk: grown",
    "disk: a large file shrunk",
    "disk: shrunk after it was sent",
    "disk: variant shrunk",
    "disk: plain copy removed",
    "disk: a folder in its place",
    "disk: a device in its place",
    "disk: a pipe in its place",
    "root: path: stray.txt",
)
_APACHE: tuple[tuple[str, tuple[str, ...]], ...] = (
    (_PLACE.replace("nginx", "Apache"), (*_FILES, "root: path: docs/../stray.txt")),
    (_TAGS, ("the tag comes from the bytes alone: the same on every machine and after every build",)),
    (_FORM, ("plain names are not immutable, whatever they look like",)),
    (
        "It ignores ranges with spaces, commas at their ends or numbers that it cannot hold, and `-0` (14.2: may).",
        (
            "range: bytes=990-99999999999999999999... (5010 characters)",
            "range: bytes=-99999999999999999999999... (5007 characters)",
            "range: bytes=999999999999999999999999... (5007 characters)", "range: bytes= 5-9", "range: bytes=,5-9,",
            "range: bytes=-0", "range: bytes=-00000000000000000000000... (507 characters)",
        ),
    ),
    (
        "It sends the text of its 416 in chunks, without a length.",
        (
            "range: bytes=1000-", "range: bytes=1000-1000", "errors are not kept",
            "an unsatisfiable range of a coding tells that coding's length",
            "If-Range is asked before the range is read",
        ),
    ),
    (
        "It sends a second Allow, which is empty: a list may have empty members (5.6.1).",
        (
            "method: POST", "method: PUT", "method: DELETE", "method: PATCH", "method: PROPFIND", "root: other methods",
        ),
    ),
    (
        "It heeds If-Unmodified-Since although If-Match is there.",
        ("condition: If-Match wins over the date",),
    ),
    (
        "It reads dates whatever zone they name, where the grammar has GMT alone.",
        ("condition: If-Modified-Since: another zone",),
    ),
    (
        "It gives 304 for any date that is not earlier than the file's: that is the letter of 13.1.3.",
        ("condition: If-Modified-Since: later",),
    ),
    (
        "Where a range is asked for, or a date besides, it sends the file to who has its tag.",
        ("condition: If-None-Match comes after If-Unmodified-Since", "condition: 304 comes before If-Range"),
    ),
    (
        "It tells no length of an error's text to HEAD.",
        ("HEAD of an error has the headers of GET",),
    ),
    (
        "It takes dots out of a path first: RFC 3986 section 6.2.2.3 allows that. And slashes at its beginning.",
        (
            "path: ./css/site.css", "path: css/./site.css", "root: path: ./robots.txt", "root: path: docs/./",
            "other paths are the application's",
        ),
    ),
    (
        "It follows no links and answers 403.",
        ("disk: a link out of the root in its place",),
    ),
    (
        "What it rewrites may have no question mark: CVE-2024-38474.",
        ("root: names with spaces, percent signs and other letters",),
    ),
    (
        "It redirects to whole URLs, with the host that was asked.",
        ("index: other addresses of it are redirected there, with their query",),
    ),
    (_QUERY, ("index: a query of bytes that no URL has",)),
    (
        "It puts no page with status 200 in place of an application's 404. `ShipfilesMiddleware` and `StaticApp` do.",
        ("page: a browser that navigates gets it in place of a 404",),
    ),
)  # fmt: skip
_CADDY: tuple[tuple[str, tuple[str, ...]], ...] = (
    (_PLACE.replace("nginx", "Caddy"), _FILES),
    (_TAGS, ("the tag comes from the bytes alone: the same on every machine and after every build",)),
    (_FORM, ("plain names are not immutable, whatever they look like",)),
    (
        "It knows neither `*` nor `x-gzip`, and sends a coding although no coding is liked better.",
        (
            "coding: x-gzip", "coding: identity preferred", "coding: any other before identity",
            "coding: any but identity", "coding: any but identity, the other way round", "coding: any but one",
            "zstd by weight, then by size",
        ),
    ),
    (
        "It takes a weight that it cannot read for 1.",
        (
            "coding: a weight that is none", "coding: a weight above one", "coding: a weight of four decimals",
            "coding: a weight without its nought", "coding: a weight in quotes",
        ),
    ),
    (
        "It says Vary of all files. Caches lose nothing by that but room.",
        ("a file without other codings does not vary",),
    ),
    (
        "It ignores ranges that are written otherwise than browsers do: a server may (14.2).",
        ("range: Bytes=5-9", "range: bytes=,5-9,"),
    ),
    (
        "It answers 416 to what ends before it begins and to numbers that it cannot hold, and 206 to the last 0 bytes.",
        (
            "range: bytes=990-99999999999999999999... (5010 characters)",
            "range: bytes=-99999999999999999999999... (5007 characters)",
            "range: bytes=999999999999999999999999... (5007 characters)", "range: bytes=5-2",
            "range: bytes=-0", "range: bytes=-00000000000000000000000... (507 characters)",
        ),
    ),
    (
        "It tells no length of a coding that is sent whole because If-Range names another version.",
        ("If-Range: the tag of another coding",),
    ),
    (
        "It gives 304 for any date that is not earlier than the file's: that is the letter of 13.1.3.",
        ("condition: If-Modified-Since: later",),
    ),
    (
        "It tells no length of an error to HEAD.",
        ("HEAD of an error has the headers of GET",),
    ),
    (
        "It sends the time that the disk says.",
        ("Last-Modified is never in the future",),
    ),
    (
        "It follows links.",
        ("disk: a link out of the root in its place",),
    ),
    (_QUERY, ("index: a query of bytes that no URL has",)),
    (
        "Its configuration is UTF-8, and so are the values of fields.",
        ("rules: a value with letters beyond ASCII",),
    ),
)  # fmt: skip
EDGES = {"nginx": _NGINX, "apache": _APACHE, "caddy": _CADDY}
"""Web server → why → the rows that do not hold with the configuration that is written for it."""
DIFFERENCES |= {name: {row: why for why, rows in given for row in rows} for name, given in EDGES.items()}
DIFFERENCES["nginx static-server"] = {
    "disk: plain copy removed": "The application is asked for what is no file; here it has something at every address."
}
DIFFERENCES["nginx dedicated"] = dict.fromkeys(
    (
        "other paths are the application's", "root: what the folder has not is the application's",
        "page: everybody else gets the 404",
    ),
    "It has no application: it answers 404 itself, or with the page of `single_page` to whoever asks for one.",
)  # fmt: skip


@contextmanager
def expected(parties: Sequence[str], row: str) -> Iterator[None]:
    """Let the check of ``row`` fail in the block if it must with one of ``parties``; else it must not."""
    reasons = [DIFFERENCES[party][row] for party in parties if row in DIFFERENCES.get(party, {})]
    if not reasons:
        yield
        return
    try:
        yield
    except AssertionError:
        return
    raise AssertionError(f"{parties} hold it now, so take it out of the differences: {row}: {reasons}")
