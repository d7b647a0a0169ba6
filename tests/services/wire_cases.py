"""Rows that only a connection can show: what stands in the request line and in the field lines as bytes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shipfiles.testing import Answer
from tests.conformance import hostile

from .servers import Server

Lines = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class WireCase:
    """One rule: what it is about, where it stands, and how to see whether it is kept (else ``AssertionError``)."""

    name: str
    clause: str
    check: Callable[[Server], None]


def _get(server: Server, target: bytes = b"", lines: Lines = (), method: str = "GET", **more: bytes) -> Answer:
    target = target or server.site.hashed_url("css/site.css").encode()
    answer = server.wire.ask_raw(method, target, lines, **more)
    assert answer is not None, "closed without an answer"
    hostile.judge(answer, server.site)
    return answer


def _two_tags(server: Server) -> None:
    tag = (_get(server).get("etag") or "").encode()
    assert _get(server, lines=((b"If-None-Match", b'"x"'), (b"If-None-Match", tag))).status == 304
    assert _get(server, lines=((b"If-None-Match", b'"x"'), (b"If-None-Match", b'"y"'))).status == 200


def _two_encodings(server: Server) -> None:
    lines = ((b"Accept-Encoding", b"gzip;q=0.1"), (b"accept-encoding", b"br"))
    assert _get(server, lines=lines).get("content-encoding") == "br"


def _two_ranges(server: Server) -> None:
    answer = _get(server, lines=((b"Range", b"bytes=0-1"), (b"Range", b"bytes=4-5")))
    assert answer.status in (200, 400), answer.status


def _absolute(server: Server) -> None:
    target = b"http://localhost" + server.site.hashed_url("css/site.css").encode()
    answer = _get(server, target)
    assert (answer.status, answer.body) == (200, _get(server).body), (answer.status, answer.body[:30])


def _old_version(server: Server) -> None:
    for target in ("css/site.css", "film.mp4"):
        url = server.site.hashed_url(target).encode()
        answer = _get(server, url, version=b"HTTP/1.0")
        assert answer.get("transfer-encoding") is None
        assert answer.body == _get(server, url).body


def _date(server: Server) -> None:
    tag = (_get(server).get("etag") or "").encode()
    lost = server.site.hashed_url("css/site.css").encode().replace(b"site.", b"site.0")
    for target, lines in (
        (b"", ()), (b"", ((b"If-None-Match", tag),)), (b"", ((b"Range", b"bytes=0-1"),)), (lost, ()),
    ):  # fmt: skip
        answer = _get(server, target, lines)
        dates = [value for name, value in answer.fields if name.lower() == "date"]
        assert len(dates) == 1, f"{answer.status}: {dates}"


def _bytes(target: bytes) -> Callable[[Server], None]:
    def check(server: Server) -> None:
        _get(server, b"/static/" + target)

    return check


def _long(field: bytes, piece: bytes) -> Callable[[Server], None]:
    def check(server: Server) -> None:
        answer = _get(server, lines=((field, piece * (100_000 // len(piece))),))
        assert answer.status in (200, 400, 412, 413, 414, 431), answer.status

    return check


WIRE_CASES = (
    WireCase("wire: two lines of If-None-Match are one list", "RFC 9110 5.3", _two_tags),
    WireCase("wire: two lines of Accept-Encoding are one list", "RFC 9110 5.3", _two_encodings),
    WireCase("wire: two lines of Range are no range", "RFC 9110 5.3 and 14.2", _two_ranges),
    WireCase("wire: a target with scheme and host", "RFC 9112 3.2.2", _absolute),
    WireCase("wire: HTTP/1.0", "RFC 9110 2.5", _old_version),
    WireCase("wire: Date is there once", "RFC 9110 6.6.1", _date),
    *(
        WireCase(f"wire: {what} in the path", "RFC 9112 3.2", _bytes(target))
        for what, target in (
            ("a null character", b"css/site.css\0"), ("bytes that are not UTF-8", b"\xff\xfe"),
            ("a backslash", b"..\\secret.txt"), ("letters beyond ASCII", "na\u00efve".encode()),
            ("a tab", b"css/site.css\tx"), ("a delete character", b"\x7f"),
        )
    ),
    *(
        WireCase(f"wire: 100 KB of {field.decode()}", "RFC 9110 5.4", _long(field, piece))
        for field, piece in (
            (b"Range", b"bytes=0-0,"), (b"Accept-Encoding", b"gzip;q=0.5,"), (b"If-None-Match", b'"x",'),
            (b"If-Match", b'W/"x",'), (b"If-Range", b'"x"'), (b"If-Modified-Since", b"Sun, "),
        )
    ),
)  # fmt: skip
