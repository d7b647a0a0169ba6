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

DIFFERENCES: dict[str, dict[str, str]] = {
    "middleware": {_METHOD: _DJANGO_METHOD},
    "middleware, async": {_METHOD: _DJANGO_METHOD},
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
    },
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
