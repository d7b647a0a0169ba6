"""The proxy: what it counts is what was asked, what it does to requests is what the client sees."""

from __future__ import annotations

import http.client
import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from urllib.parse import urlsplit

import pytest

from tests.bucket import Bucket, running

from .asked import (
    BREAK,
    CUT,
    LOSE,
    MUTE,
    REFUSE,
    REVOKED,
    SLOW_DOWN,
    STALL,
    Asked,
    Fault,
    From,
    Next,
    Share,
    kind_of,
    read_head,
)
from .chunked import Chunks
from .proxy import Apart, Proxy, proxied

BODY = random.Random(7).randbytes(3_000_000)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as made:
        yield made


@pytest.fixture
def way(bucket: Bucket) -> Iterator[Proxy]:
    with proxied(bucket.url) as made:
        yield made


@contextmanager
def connection_to(way: Proxy | Apart, seconds: float = 20) -> Iterator[http.client.HTTPConnection]:
    with closing(http.client.HTTPConnection(urlsplit(way.url).netloc, timeout=seconds)) as connection:
        yield connection


@pytest.fixture
def connection(way: Proxy) -> Iterator[http.client.HTTPConnection]:
    with connection_to(way) as made:
        yield made


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: object = None) -> tuple[int, bytes]:
    connection.request(method, path, body=body, encode_chunked=not isinstance(body, bytes | None))  # type: ignore[arg-type]
    answer = connection.getresponse()
    return answer.status, answer.read()


def ask_anew(way: Proxy, method: str, path: str, body: object = None, seconds: float = 20) -> tuple[int, bytes]:
    with connection_to(way, seconds) as connection:
        return ask(connection, method, path, body)


def test_large_bodies_pass_on_a_connection_that_is_kept(way: Proxy, connection: http.client.HTTPConnection) -> None:
    way.set(delay=0.01)
    for i in range(3):
        assert ask(connection, "PUT", f"/bucket/{i}", BODY)[0] == 200
        assert ask(connection, "GET", f"/bucket/{i}") == (200, BODY)
    assert ask(connection, "HEAD", "/bucket/0") == (200, b"")
    assert [(a.method, a.kind, a.length, a.status) for a in way.asked] == [
        *([("PUT", "put", len(BODY), 200), ("GET", "get", 0, 200)] * 3),
        ("HEAD", "head", 0, 200),
    ]
    assert way.connections == 1
    assert [a.attempt for a in way.asked] == [1] * 7
    assert way.kinds() == {"put": 3, "get": 3, "head": 1}


def test_each_way_takes_its_time(way: Proxy, connection: http.client.HTTPConnection) -> None:
    ask(connection, "PUT", "/bucket/a", b"1")
    way.set(delay=0.1)
    began = time.monotonic()
    for _ in range(3):
        ask(connection, "GET", "/bucket/a")
    # No upper bound: machines may be busy.
    assert time.monotonic() - began >= 0.6


def test_a_narrow_line_is_shared(way: Proxy) -> None:
    way.set(rate=500_000)
    began = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        for i in range(4):
            pool.submit(ask_anew, way, "PUT", f"/bucket/{i}", BODY[:50_000])
    assert time.monotonic() - began >= 0.4


def test_many_connections(way: Proxy, bucket: Bucket) -> None:
    way.set(delay=0.02)

    def put(i: int) -> None:
        with connection_to(way) as connection:
            for j in range(4):
                ask(connection, "PUT", f"/bucket/{i}/{j}", BODY[: 1000 * i + j])

    with ThreadPoolExecutor(64) as pool:
        list(pool.map(put, range(64)))
    assert way.connections == 64
    assert {a.status for a in way.asked} == {200}
    assert sorted(a.number for a in way.asked) == list(range(1, 257))
    for i in range(64):
        for j in range(4):
            assert bucket.objects[f"{i}/{j}"][0] == BODY[: 1000 * i + j]


def test_an_answer_in_the_stores_place(way: Proxy, bucket: Bucket, connection: http.client.HTTPConnection) -> None:
    way.plan = Next(SLOW_DOWN, left=1)
    status, said = ask(connection, "PUT", "/bucket/a", BODY)
    assert (status, b"<Code>SlowDown</Code>" in said) == (503, True)
    assert bucket.asked == []
    # On the same connection.
    assert ask(connection, "PUT", "/bucket/a", BODY)[0] == 200
    assert way.connections == 1
    assert [(a.status, a.attempt, a.fault) for a in way.asked] == [(503, 1, "answer"), (200, 2, "")]


@pytest.mark.parametrize(("fault", "done"), [(REFUSE, False), (BREAK, False), (LOSE, True)])
def test_connections_that_break(way: Proxy, bucket: Bucket, fault: Fault, done: bool) -> None:
    way.plan = Next(fault, left=1)
    with pytest.raises(ConnectionError):
        ask_anew(way, "PUT", "/bucket/a", BODY)
    assert ("a" in bucket.objects) is done
    assert ask_anew(way, "PUT", "/bucket/a", BODY)[0] == 200


def test_an_answer_that_is_cut(way: Proxy, bucket: Bucket) -> None:
    ask_anew(way, "PUT", "/bucket/a", BODY)
    way.plan = Next(CUT, "GET", 1)
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        ask_anew(way, "GET", "/bucket/a")
    assert ask_anew(way, "GET", "/bucket/a") == (200, BODY)


@pytest.mark.parametrize(("fault", "done"), [(STALL, False), (MUTE, True)])
def test_connections_on_which_nothing_comes(way: Proxy, bucket: Bucket, fault: Fault, done: bool) -> None:
    way.plan = Next(fault, left=1)
    with pytest.raises(TimeoutError):
        ask_anew(way, "PUT", "/bucket/a", b"1", 0.5)
    assert ("a" in bucket.objects) is done


def test_from_one_on(way: Proxy, connection: http.client.HTTPConnection) -> None:
    way.plan = From(REVOKED, 3)
    assert [ask(connection, "PUT", "/bucket/a", b"1")[0] for _ in range(4)] == [200, 200, 403, 403]


def test_nothing_gets_over_when_frozen(way: Proxy, bucket: Bucket, connection: http.client.HTTPConnection) -> None:
    way.heard = lambda asked: way.freeze(asked.number == 2)
    assert ask(connection, "PUT", "/bucket/a", b"1")[0] == 200
    connection.sock.settimeout(0.5)
    with pytest.raises(TimeoutError):
        ask(connection, "PUT", "/bucket/b", b"1")
    with pytest.raises(TimeoutError):
        ask_anew(way, "PUT", "/bucket/c", b"1", 0.5)
    assert {*bucket.objects} == {"a", "b"}
    way.freeze(False)
    assert ask_anew(way, "PUT", "/bucket/c", b"1")[0] == 200


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_share_is_of_the_numbers(seed: int) -> None:
    plan = Share({SLOW_DOWN: 0.1, LOSE: 0.1}, seed)
    asked = [read_head(b"PUT /bucket/a HTTP/1.1\r\n", number) for number in range(1, 2001)]
    drawn = [plan(one) for one in asked]
    assert drawn == [plan(one) for one in reversed(asked)][::-1]
    # So few requests have the tests that want to see some at all.
    assert sum(map(bool, drawn[:80])) >= 6
    for fault in (SLOW_DOWN, LOSE):
        # 200 are expected; five standard deviations of the binomial distribution are 67.
        assert 133 <= drawn.count(fault) <= 267


def _read(head: bytes) -> Asked:
    return read_head(head, 1)


def test_an_own_process(bucket: Bucket) -> None:
    apart = Apart(bucket.url)
    try:
        apart.call("set", delay=0.01)
        with connection_to(apart) as connection:
            ask(connection, "PUT", "/bucket/a", b"1")
        requests, connections = apart.asked()
        assert [(a.kind, a.status) for a in requests] == [("put", 200)]
        assert connections == 1
        apart.call("clear")
        assert apart.asked() == ([], 0)
    finally:
        apart.close()


# RFC 9112, section 7.1


@pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
def test_chunks(step: int) -> None:
    body = b"5\r\nhello\r\n1A;name=value\r\n" + b"\r\n" * 13 + b"\r\n0\r\nDigest: x\r\n\r\n"
    sent = body + b"GET / HTTP/1.1\r\n\r\n"
    chunks, taken = Chunks(), 0
    while not chunks.over:
        taken += chunks.take(sent[taken : taken + step])
    assert taken == len(body)


@pytest.mark.parametrize(
    ("method", "target", "kind"),
    [
        ("GET", "/bucket/a", "get"),
        ("HEAD", "/bucket/a", "head"),
        ("GET", "/bucket?list-type=2&prefix=a", "list"),
        ("POST", "/bucket?delete", "delete"),
        ("DELETE", "/bucket/a", "delete"),
        ("POST", "/bucket/a?uploads", "start"),
        ("PUT", "/bucket/a?partNumber=1&uploadId=x", "part"),
        ("POST", "/bucket/a?uploadId=x", "finish"),
        ("DELETE", "/bucket/a?uploadId=x", "abort"),
        ("GET", "/account/container?restype=container&comp=list", "list"),
        ("PUT", "/account/container/a?comp=block&blockid=x", "part"),
        ("PUT", "/account/container/a?comp=blocklist", "finish"),
        ("POST", "/upload/storage/v1/b/bucket/o?uploadType=multipart", "put"),
        ("POST", "/upload/storage/v1/b/bucket/o?uploadType=resumable", "start"),
        ("PUT", "/upload/storage/v1/b/bucket/o?uploadType=resumable&upload_id=x", "part"),
        ("GET", "/storage/v1/b/bucket/o?prefix=a", "list"),
        ("GET", "/storage/v1/b/bucket/o/a", "head"),
        ("GET", "/storage/v1/b/bucket/o/a?alt=media", "get"),
        ("POST", "/storage/v1/b/bucket/o/a/rewriteTo/b/bucket/o/b", "copy"),
        ("DELETE", "/storage/v1/b/bucket/o/a", "delete"),
    ],
)
def test_kinds(method: str, target: str, kind: str) -> None:
    assert kind_of(method, target) == kind


def test_a_copy_is_told_by_its_field() -> None:
    head = b"PUT /bucket/b HTTP/1.1\r\nHost: x\r\nx-amz-copy-source: /bucket/a\r\n"
    assert _read(head).kind == "copy"
