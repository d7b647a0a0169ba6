"""What a fast lane takes: the servers' own parsers must read it in the same way; all else is not the lane's."""

from __future__ import annotations

import asyncio
import logging
import selectors
import socket
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipfiles.errors import ConfigError
from shipfiles.serve import held
from shipfiles.serve.held import Held
from shipfiles.serve.lane import LARGEST, Classifier, LaneRequest
from shipfiles.serve.ready import ODD as ODD_FIELDS
from shipfiles.serve.ready import Answer
from shipfiles.serve.table import Table

USUAL = (
    b"GET /static/css/site.0123456789ab.css HTTP/1.1\r\nHost: example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux)\r\n"
    b"Accept: text/css,*/*;q=0.1\r\nAccept-Language: en-GB,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n"
    b'Connection: keep-alive\r\nReferer: https://example.org/a?b=c\r\nCookie: a=b; c="d"\r\nSec-Fetch-Dest: style\r\n'
    b'Sec-Fetch-Mode: no-cors\r\nSec-Ch-Ua: "X";v="1"\r\nPriority: u=2\r\nX-Forwarded-For: 10.0.0.1\r\n\r\n'
)


def classify(received: bytes, **limits: Any) -> LaneRequest | None:
    return Classifier(**limits).classify(received)


def request(line: bytes = b"GET /static/a.css HTTP/1.1", *fields: bytes, host: bytes = b"Host: x\r\n") -> bytes:
    return line + b"\r\n" + host + b"".join(field + b"\r\n" for field in fields) + b"\r\n"


def test_a_browsers_request_is_taken() -> None:
    taken = classify(USUAL)
    assert taken is not None
    assert taken[:3] == ("GET", "/static/css/site.0123456789ab.css", b"")
    assert taken.fields == ("gzip, deflate, br, zstd", None, False)


def test_fields_that_decide_are_given_on() -> None:
    """Names are compared without case (RFC 9110 section 5.1), white space around a value is none of it (5.5)."""
    taken = classify(request(b"HEAD /a HTTP/1.1", b'iF-nONE-mATCH: \t W/"a" , "b" \t', b"ACCEPT-ENCODING:br"))
    assert taken is not None
    assert taken.method == "HEAD"
    assert taken.fields == ("br", 'W/"a" , "b"', False)


def test_below_a_mount_point() -> None:
    taken = classify(request(b"GET /app/static/%61 HTTP/1.1"), mount="/app")
    assert taken is not None
    assert taken.path == "/static/a"
    for target in (b"/static/a", b"/%61pp/static/a", b"/App/static/a"):
        assert classify(request(b"GET " + target + b" HTTP/1.1"), mount="/app") is None


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", b""),
        (b"/a?b=/%2e?c", "/a", b"?b=/%2e?c"),
        (b"/a?", "/a", b"?"),
        (b"/na%C3%AFve%20%e2%98%83.txt", "/na\u00efve \u2603.txt", b""),
        (b"/%25%00", "/%\0", b""),
        (b"/a/../b//c", "/a/../b//c", b""),
    ],
)
def test_targets_are_decoded_once(target: bytes, path: str, query: bytes) -> None:
    taken = classify(request(b"GET " + target + b" HTTP/1.1"))
    assert taken is not None
    assert (taken.path, taken.query) == (path, query)


@pytest.mark.parametrize(("value", "close"), [(b"close", True), (b"Close", True), (b"Keep-Alive", False)])
def test_connection(value: bytes, close: bool) -> None:
    taken = classify(request(b"GET /a HTTP/1.1", b"Connection: " + value))
    assert taken is not None
    assert taken.fields.close is close


ODD: Mapping[str, bytes] = {
    "nothing": b"",
    "a part": USUAL[:-1],
    "a part that ends with a line": USUAL[:-2],
    "a request line alone": b"GET /a HTTP/1.1\r\n",
    "no fields": b"GET /a HTTP/1.1\r\n\r\n",
    "pipelined": request() * 2,
    "one byte behind": request() + b"G",
    "an empty line behind": request() + b"\r\n",
    "a body": request(b"GET /a HTTP/1.1", b"Content-Length: 5") + b"hello",
    "the length of a body": request(b"GET /a HTTP/1.1", b"Content-Length: 5"),
    "no body, but a length": request(b"GET /a HTTP/1.1", b"Content-Length: 0"),
    "a chunked body": request(b"GET /a HTTP/1.1", b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a coding of no body": request(b"GET /a HTTP/1.1", b"Transfer-Encoding: identity"),
    "a coding with a tab": request(b"GET /a HTTP/1.1", b"Transfer-Encoding:\tchunked"),
    "a length in an underscore": request(b"GET /a HTTP/1.1", b"Content_Length: 5"),
    "a forwarded field in an underscore": request(b"GET /a HTTP/1.1", b"X_Forwarded_For: 1"),
    "a space before the colon": request(b"GET /a HTTP/1.1", b"Content-Length : 5"),
    "a space before a harmless name": request(b"GET /a HTTP/1.1", b"Accept : 5"),
    "a length behind a null": request(b"GET /a HTTP/1.1", b"\0Content-Length: 5"),
    "folded": request(b"GET /a HTTP/1.1", b"Accept: a", b" b"),
    "folded with a tab": request(b"GET /a HTTP/1.1", b"Accept: a", b"\tb"),
    "folded at the beginning": b"GET /a HTTP/1.1\r\n Host: x\r\n\r\n",
    "bare line feeds": request().replace(b"\r\n", b"\n"),
    "one bare line feed": request(b"GET /a HTTP/1.1", b"Accept: a\nContent-Length: 5"),
    "a bare line feed at the end": request()[:-2] + b"\n",
    "a bare carriage return": request(b"GET /a HTTP/1.1", b"Accept: a\rContent-Length: 5"),
    "two carriage returns": request(b"GET /a HTTP/1.1\r"),
    "a null in a value": request(b"GET /a HTTP/1.1", b"Accept: a\0b"),
    "a delete in a value": request(b"GET /a HTTP/1.1", b"Accept: a\x7fb"),
    "beyond ASCII": request(b"GET /a HTTP/1.1", b"User-Agent: \xe4"),
    "a letter beyond ASCII in a name": request(b"GET /a HTTP/1.1", b"X-\xe4: a"),
    "no host": request(host=b""),
    "an empty host": request(host=b"Host:\r\n"),
    "two hosts": request(b"GET /a HTTP/1.1", b"Host: y"),
    "the same host twice": request(b"GET /a HTTP/1.1", b"host: x"),
    "a host with a path": request(host=b"Host: x/y\r\n"),
    "a host with a user": request(host=b"Host: y@x\r\n"),
    "a host with a space": request(host=b"Host: x y\r\n"),
    "two hosts in one": request(host=b"Host: x, y\r\n"),
    "any field twice": request(b"GET /a HTTP/1.1", b"Accept: a", b"accept: b"),
    "two of one proxy's": request(b"GET /a HTTP/1.1", b"X-Forwarded-For: 1", b"X-Forwarded-For: 2"),
    "no name": request(b"GET /a HTTP/1.1", b": a"),
    "no colon": request(b"GET /a HTTP/1.1", b"Accept"),
    "an expectation": request(b"GET /a HTTP/1.1", b"Expect: 100-continue"),
    "an upgrade": request(b"GET /a HTTP/1.1", b"Connection: Upgrade", b"Upgrade: websocket"),
    "an upgrade alone": request(b"GET /a HTTP/1.1", b"Upgrade: h2c"),
    "settings of HTTP/2": request(b"GET /a HTTP/1.1", b"HTTP2-Settings: AAMAAABkAAQAoAAA"),
    "a list in Connection": request(b"GET /a HTTP/1.1", b"Connection: close, Host"),
    "a name in Connection": request(b"GET /a HTTP/1.1", b"Connection: Accept-Encoding"),
    "an empty Connection": request(b"GET /a HTTP/1.1", b"Connection:"),
    "an old field of proxies": request(b"GET /a HTTP/1.1", b"Proxy-Connection: close"),
    "trailers announced": request(b"GET /a HTTP/1.1", b"Trailer: Host"),
    "trailers wanted": request(b"GET /a HTTP/1.1", b"TE: trailers"),
    "a type of no body": request(b"GET /a HTTP/1.1", b"Content-Type: text/plain"),
    "an unknown field": request(b"GET /a HTTP/1.1", b"Never-Seen: 1"),
    "a web socket's": request(b"GET /a HTTP/1.1", b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="),
    "another method": request(b"POST /a HTTP/1.1"),
    "a small letter": request(b"get /a HTTP/1.1"),
    "a longer method": request(b"GETS /a HTTP/1.1"),
    "OPTIONS": request(b"OPTIONS * HTTP/1.1"),
    "CONNECT": request(b"CONNECT x:443 HTTP/1.1"),
    "absolute": request(b"GET http://x/a HTTP/1.1"),
    "absolute, another scheme": request(b"GET ftp://x/a HTTP/1.1"),
    "two slashes": request(b"GET //x/a HTTP/1.1"),
    "no slash": request(b"GET a HTTP/1.1"),
    "a fragment": request(b"GET /a#b HTTP/1.1"),
    "a backslash": request(b"GET /a\\b HTTP/1.1"),
    "a quote": request(b'GET /a"b HTTP/1.1'),
    "a broken percent": request(b"GET /a%2 HTTP/1.1"),
    "percent, no digits": request(b"GET /a%zz HTTP/1.1"),
    "percent, not UTF-8": request(b"GET /a%ff HTTP/1.1"),
    "percent, overlong": request(b"GET /a%c0%af HTTP/1.1"),
    "bytes beyond ASCII": request("GET /\u00e4 HTTP/1.1".encode()),
    "a space in the target": request(b"GET /a b HTTP/1.1"),
    "two spaces": request(b"GET  /a HTTP/1.1"),
    "two spaces behind": request(b"GET /a  HTTP/1.1"),
    "a space at the end": request(b"GET /a HTTP/1.1 "),
    "a tab": request(b"GET\t/a HTTP/1.1"),
    "a null in the target": request(b"GET /a\0 HTTP/1.1"),
    "an empty line before": b"\r\n" + request(),
    "a line feed before": b"\n" + request(),
    "a space before": b" " + request(),
    "HTTP/1.0": request(b"GET /a HTTP/1.0"),
    "HTTP/1.2": request(b"GET /a HTTP/1.2"),
    "HTTP/0.9": b"GET /a\r\n",
    "HTTP/2": request(b"GET /a HTTP/2.0"),
    "http": request(b"GET /a http/1.1"),
    "a version with a zero": request(b"GET /a HTTP/1.01"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "the PROXY protocol": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + request(),
    "the PROXY protocol, version 2": b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12) + request(),
    "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03",
    **{f"a condition: {field}": request(b"GET /a HTTP/1.1", field.encode() + b": a") for field in ODD_FIELDS},
    "too large": request(b"GET /a HTTP/1.1", b"Cookie: " + b"a" * LARGEST),
}  # fmt: skip


@pytest.mark.parametrize("received", ODD.values(), ids=ODD)
def test_what_is_odd_is_not_taken(received: bytes) -> None:
    assert classify(received) is None


def test_limits_are_those_of_the_server() -> None:
    """gunicorn counts a line without its CRLF, a field with it, and takes what is exactly at a limit."""
    usual = request(b"GET /a HTTP/1.1", b"Accept: b")
    for name, fits in (("longest_line", 15), ("most_fields", 2), ("longest_field", 11)):
        assert classify(usual, **{name: fits}) is not None
        assert classify(usual, **{name: fits - 1}) is None


def test_fields_that_the_server_compares_must_be_alone() -> None:
    one = request(b"GET /a HTTP/1.1", b"X-Forwarded-Proto: https")
    both = request(b"GET /a HTTP/1.1", b"X-Forwarded-Proto: https", b"X-Forwarded-Ssl: off")
    classifier = Classifier(single=("x-forwarded-proto", "x-forwarded-ssl"))
    assert classifier.classify(one) is not None
    assert classifier.classify(both) is None
    assert classify(both) is not None


# Pieces of requests, most of them sound, so that many of what is put together is taken.
LINES = st.sampled_from([b"GET ", b"HEAD ", b"GET", b"POST ", b"\r\nGET ", b"GET  "])
TARGETS = st.sampled_from([b"/", b"/static/a.css", b"/a%20b?c=%d", b"/a;b", b"//a", b"http://x/", b"*", b"/a%", b"/#"])
CHARACTERS = st.text("abz/%20?#&=.-_~!$'()*+,;:@[]<>\"\\ \t\0\u00e4\r\n", max_size=12).map(
    lambda s: s.encode("latin-1")
)
VERSIONS = st.sampled_from([b" HTTP/1.1\r\n"] * 6 + [b" HTTP/1.0\r\n", b" HTTP/1.1\n", b"\r\n", b" HTTP/1.1 \r\n"])
FIELD_NAMES = st.sampled_from([b"Accept", b"Accept-Encoding", b"X-A", b"If-None-Match", b"Range", b"Cookie", b"Host",
                               b"Connection", b"Content-Length", b"Transfer-Encoding", b"Expect", b"Upgrade", b"X_A",
                               b"Accept ", b" Accept", b"", b"Proxy-Connection", b"User-Agent"])  # fmt: skip
COLONS = st.sampled_from([b": "] * 6 + [b":", b":\t", b" : ", b"", b":  "])
VALUES = CHARACTERS | st.sampled_from(
    [b"x", b"close", b"keep-alive", b"5", b"chunked", b"gzip, br", b"Upgrade", b"*/*"]
)
ENDS = st.sampled_from([b"\r\n"] * 9 + [b"\n", b"\r", b"\r\n ", b"\r\r\n", b"\r\n\r\n"])
FIELD_LINES = st.tuples(FIELD_NAMES, COLONS, VALUES, ENDS).map(b"".join)
REQUESTS = st.tuples(
    LINES,
    TARGETS | CHARACTERS.map(b"/".__add__),
    VERSIONS,
    st.sampled_from([b"Host: x\r\n"] * 9 + [b""]),
    st.lists(FIELD_LINES, max_size=4).map(b"".join),
    st.sampled_from([b"\r\n"] * 9 + [b"", b"\n", b"\r\n\r\n", b"\r\nGET / HTTP/1.1\r\n\r\n"]),
).map(b"".join)


def changed(drawn: tuple[bytes, int, bytes, int]) -> bytes:
    """A request with some bytes of it replaced."""
    whole, where, put, taken = drawn
    where %= len(whole) + 1
    return whole[:where] + put + whole[where + taken :]


SPOILT = st.tuples(st.just(USUAL) | REQUESTS, st.integers(0, 999), st.binary(max_size=3), st.integers(0, 3)).map(
    changed
)
Fields = list[tuple[str, str]]


def sound(request: LaneRequest, received: bytes, method: str, target: str, fields: Fields) -> None:
    """Compare what the lane read with what a server's parser read of the same bytes."""
    assert request.method == method
    assert (request.path, request.query.removeprefix(b"?")) == (
        unquote(urlsplit(target).path, errors="strict"), urlsplit(target).query.encode(),
    )  # fmt: skip
    # As many as there are lines between the request line and the empty one.
    assert len(fields) == received.count(b"\r\n") - 2
    read = {name.lower(): value.strip(" \t") for name, value in fields}
    assert request.fields[:2] == (read.get("accept-encoding"), read.get("if-none-match"))


@settings(max_examples=1500, deadline=None)
@given(received=REQUESTS | SPOILT)
@example(received=USUAL)
def test_httptools_reads_what_is_taken_in_the_same_way(received: bytes) -> None:
    httptools = pytest.importorskip("httptools")
    taken = classify(received)
    if taken is None:
        return
    url, fields, complete = [], [], []

    class Reader:
        def on_url(self, part):
            url.append(part)

        def on_header(self, name, value):
            fields.append((name.decode("latin-1"), value.decode("latin-1")))

        def on_message_complete(self):
            complete.append((parser.should_keep_alive(), parser.should_upgrade()))

    parser = httptools.HttpRequestParser(Reader())
    parser.feed_data(received)
    assert complete == [(not taken.fields.close, False)]
    assert parser.get_http_version() == "1.1"
    sound(taken, received, parser.get_method().decode(), b"".join(url).decode("ascii"), fields)


@settings(max_examples=1500, deadline=None)
@given(received=REQUESTS | SPOILT)
@example(received=USUAL)
def test_gunicorn_reads_what_is_taken_in_the_same_way(received: bytes) -> None:
    pytest.importorskip("gunicorn")
    from gunicorn.config import Config
    from gunicorn.http import get_parser

    config = Config()
    taken = classify(received)
    if taken is None:
        return
    # Behind it stands another request, whose beginning must be found where the lane says that this one ends.
    following = b"GET /next HTTP/1.1\r\nHost: y\r\n\r\n"
    parser = get_parser(config, iter([received + following]), ("10.0.0.1", 1))
    first = next(parser)
    sound(taken, received, first.method, first.uri, first.headers)
    assert first.should_close() is taken.fields.close
    assert first.body.read() == b""
    if not taken.fields.close:
        assert next(parser).uri == "/next"


@given(received=st.binary(max_size=200) | SPOILT)
def test_any_bytes_have_an_answer(received: bytes) -> None:
    classify(received)


def test_remembered_fields_are_the_same() -> None:
    classifier = Classifier()
    assert classifier.classify(USUAL) == classifier.classify(USUAL) == classify(USUAL)


class Broken:
    """A lane whose table has a mistake; or its answer, in which nobody can send the header."""

    def __init__(self, error: Exception, *, late: bool) -> None:
        self.error = error
        self.late = late
        self.body = b""

    def answer(self, *_: object) -> Broken:
        if self.late:
            return self
        raise self.error

    @property
    def head(self) -> bytes:
        raise self.error


FAILURES = [(ValueError("a mistake"), False), (UnicodeEncodeError("latin-1", "\u2603", 0, 1, "no"), True)]


@pytest.mark.parametrize(("error", "late"), FAILURES)
def test_gunicorn_answers_itself_where_its_lane_fails(
    error: Exception, late: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What is raised in the thread that waits for connections would be the end of the worker."""
    pytest.importorskip("gunicorn")
    from shipfiles.serve.gunicorn import ThreadWorker

    worker = object.__new__(ThreadWorker)
    vars(worker).update(
        _classifier=Classifier(), _logs=False, _keepalive=2, _held=Held(16_000), log=logging.getLogger("gunicorn.error")
    )
    assert worker._answer(Broken(error, late=late), None, USUAL) is None
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]


@pytest.mark.parametrize(("error", "late"), FAILURES)
def test_uvicorn_answers_itself_where_its_lane_fails(
    error: Exception, late: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """What is raised while bytes are taken would be the end of the connection."""
    pytest.importorskip("uvicorn")
    from shipfiles.serve.uvicorn import StaticProtocol

    protocol = object.__new__(StaticProtocol)
    protocol.cycle = protocol.limit_concurrency = None
    protocol.flow = SimpleNamespace(write_paused=False)
    protocol.transport = SimpleNamespace(is_closing=lambda: False)
    static = SimpleNamespace(classify=Classifier().classify, is_mounted=False, lane=Broken(error, late=late))
    assert protocol._took(static, USUAL) is False
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]


@pytest.mark.parametrize(
    "error", [ConfigError("nobody said"), PermissionError(13, "not allowed"), KeyError("STATIC_ROOT")]
)
def test_uvicorn_answers_itself_where_there_is_no_lane(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """If a connection's protocol cannot be made, event loops leave its client waiting for ever."""
    uvicorn = pytest.importorskip("uvicorn")
    pytest.importorskip("httptools")
    from shipfiles.serve import default
    from shipfiles.serve.uvicorn import StaticProtocol

    async def application(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError

    def fail() -> Table:
        raise error

    monkeypatch.setattr(default, "_provider", fail)
    config = uvicorn.Config(application, http=StaticProtocol, log_config=None, proxy_headers=False)
    config.load()
    loop = asyncio.new_event_loop()
    try:
        # For two connections; it is said once.
        for _ in range(2):
            assert StaticProtocol(config, uvicorn.server.ServerState(), {}, loop)._static is None
    finally:
        loop.close()
    assert caplog.text.count("The fast lane of Shipfiles is closed") == 1
    assert str(error) in caplog.text


class Finished:
    """A worker of gunicorn with one connection, with which a thread of its pool has just finished."""

    def __init__(self) -> None:
        from gunicorn.config import Config
        from gunicorn.workers.gthread import TConn

        from shipfiles.serve.gunicorn import ThreadWorker

        self.worker = object.__new__(ThreadWorker)
        vars(self.worker).update(
            _lane=object(), _leaving={}, _held=Held(16 * 1024), poller=selectors.DefaultSelector(), nr_conns=1
        )
        server, self.client = socket.socketpair()
        self.conn = TConn(Config(), server, ("10.0.0.1", 1), ("10.0.0.2", 80))
        server.setblocking(True)

    def finish(self) -> None:
        """The thread says that the connection is to be closed."""
        future: Future[bool] = Future()
        future.set_result(False)
        self.worker.finish_request(self.conn, future)

    def dispatch(self) -> None:
        """What the worker does in a turn of its loop."""
        for key, _ in self.worker.poller.select(5):
            key.data(key.fileobj)

    def close(self) -> None:
        self.client.close()
        self.conn.sock.close()
        self.worker.poller.close()


@pytest.fixture
def finished() -> Iterator[Finished]:
    pytest.importorskip("gunicorn")
    made = Finished()
    yield made
    made.close()


def test_gunicorns_thread_waits_for_no_client_that_does_not_close(finished: Finished) -> None:
    finished.finish()
    # Still open towards the server, and counted; the client has been told.
    assert finished.conn in finished.worker._leaving
    assert finished.worker.nr_conns == 1
    assert finished.client.recv(1) == b""
    finished.client.sendall(b"more of a body that nobody wants")
    finished.dispatch()
    assert finished.worker.nr_conns == 1
    finished.client.shutdown(socket.SHUT_WR)
    finished.dispatch()
    assert finished.worker.nr_conns == 0
    assert finished.conn.sock.fileno() == -1
    assert not finished.worker._leaving


def test_a_client_that_does_not_close_is_left_at_last(finished: Finished) -> None:
    finished.finish()
    finished.worker._leaving[finished.conn].deadline = 0.0
    vars(finished.worker).update(pending_conns=deque(), _next_look=0.0)
    finished.worker.murder_pending()
    assert finished.worker.nr_conns == 0
    assert finished.conn.sock.fileno() == -1


def test_a_connection_that_gunicorn_has_closed_is_counted_once(finished: Finished) -> None:
    """gunicorn does so where an application fails in the middle of an answer."""
    finished.conn.sock.close()
    finished.finish()
    assert finished.worker.nr_conns == 0


class Bodies:
    """A lane that has one body at each path."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self._answers = {path: Answer(200, [], bytes(size)) for path, size in sizes.items()}

    def answer(self, method: str, path: str, fields: object) -> Answer:
        return self._answers[path]


class Answering:
    """A worker of gunicorn with a lane, and clients that read nothing."""

    def __init__(self, lane: Bodies) -> None:
        from gunicorn.config import Config
        from gunicorn.workers.gthread import TConn

        from shipfiles.serve.gunicorn import ThreadWorker

        self._connection = partial(TConn, Config())
        self.worker = object.__new__(ThreadWorker)
        vars(self.worker).update(
            _lane=lane, _classifier=Classifier(), _logs=False, _keepalive=2, _leaving={}, _held=Held(16_000), _second=0,
            _ends=(b"", b""), poller=selectors.DefaultSelector(), nr_conns=0, nr=0, alive=True, max_requests=1000,
            max_keepalived=1000, keepalived_conns=deque(), pending_conns=deque(),
            log=logging.getLogger("gunicorn.error"),
        )  # fmt: skip
        self.clients: list[socket.socket] = []
        self.servers: list[socket.socket] = []

    def ask(self, path: str) -> bool:
        """Whether the lane answers a new client."""
        server, client = socket.socketpair()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.clients.append(client)
        self.servers.append(server)
        conn = self._connection(server, ("10.0.0.1", 1), ("10.0.0.2", 80))
        self.worker.nr_conns += 1
        self.worker.enqueue_req(conn)
        client.sendall(request(b"GET " + path.encode() + b" HTTP/1.1"))
        return self.worker._took(conn, self.worker.pending_conns)

    def leave(self, number: int) -> None:
        """The client with this number closes its connection, and the worker notices."""
        self.clients[number].close()
        for key, events in self.worker.poller.select(5):
            if key.fileobj is self.servers[number] and events & selectors.EVENT_WRITE:
                key.data(key.fileobj)

    def close(self) -> None:
        for one in (*self.clients, *self.servers):
            one.close()
        self.worker.poller.close()


def test_slow_clients_do_not_fill_the_memory_with_bodies_of_gunicorns_lane(monkeypatch: pytest.MonkeyPatch) -> None:
    """What others are sent meanwhile may have left the memory of the table long ago."""
    pytest.importorskip("shipfiles.serve.gunicorn")
    monkeypatch.setattr(held, "MOST_HELD", 1_000_000)
    large = {f"/{i}": 600_000 for i in range(4)}
    answering = Answering(Bodies({**large, "/small": 10_000}))
    try:
        assert answering.ask("/0")
        assert answering.ask("/1")
        assert len(answering.worker._leaving) == 2
        # A third body is gunicorn's; one of the others costs nothing more, and a small one little.
        assert not answering.ask("/2")
        assert answering.ask("/0")
        assert answering.ask("/small")
        answering.leave(0)
        assert not answering.ask("/3")
        answering.leave(3)
        assert answering.worker._held.size == 600_000
        assert answering.ask("/3")
        assert not answering.ask("/2")
    finally:
        answering.close()
