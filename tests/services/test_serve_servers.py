"""The HTTP contract, and what a server adds to it, under the servers that people run."""

from __future__ import annotations

import http.client
import os
import random
import socket
import time
from collections.abc import Iterator

import pytest

from shipfiles.testing import CONFIGURED_CASES, HTTP_CASES, HttpContract
from tests.conformance import hostile
from tests.conformance.differences import expected
from tests.conformance.test_http_contract import CONFIGURED
from tests.conformance.test_http_contract import WAYS as WAYS_IN_PROCESS

from .servers import SERVERS, WAYS, Server, start
from .wire_cases import WIRE_CASES

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=[f"{server} {way}" for server in SERVERS for way in WAYS])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name, way = request.param.split()
    with start(name, way, tmp_path_factory.mktemp("site")) as running:
        yield running


def test_contract(server: Server) -> None:
    """All rows in one test: thousands of tests would take longer than their requests."""
    broken = []
    for case in (*HTTP_CASES, *CONFIGURED_CASES):
        try:
            with expected(server.parties, case.name):
                HttpContract(server.wire.ask, server.site).check(case)
        except AssertionError as error:
            broken.append(str(error))
            server.wire.close()
    assert not broken, "\n".join(broken)


def test_wire(server: Server) -> None:
    """What only bytes on a connection can show."""
    broken = []
    for case in WIRE_CASES:
        try:
            with expected(server.parties, case.name):
                case.check(server)
        except AssertionError as error:
            broken.append(f"{case.name} ({case.clause}): {error}")
            server.wire.close()
    assert not broken, "\n".join(broken)


def test_hostile_requests(server: Server) -> None:
    """Any path gets what is public; any fields get from a server what `respond` says."""
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    right = WAYS_IN_PROCESS["respond"](server.site, CONFIGURED)
    known = list(hostile.known_targets(server.site))
    for _ in range(150):
        at, method = chance.choice(known), chance.choice(("GET", "GET", "HEAD"))
        whole = right("HEAD", at, {})
        fields = hostile.fields(chance, whole.get("etag") or "", whole.get("last-modified") or "")
        answer, wanted = server.wire.ask(method, at, fields), right(method, at, fields)
        assert (answer.status, answer.body) == (wanted.status, wanted.body), (seed, method, at, fields)
        for name, value in wanted.fields:
            assert answer.get(name) == value, (seed, method, at, fields)
        target = hostile.target(chance)
        lines = [(name.encode(), value.encode()) for name, value in fields.items()]
        answer_to_any = server.wire.ask_raw("GET", target, lines)
        assert answer_to_any is not None, (seed, target, fields)
        try:
            hostile.judge(answer_to_any, server.site)
        except AssertionError as error:
            raise AssertionError(f"{seed}: {target!r} {fields}: {error}") from None
    assert "Traceback" not in server.log.read_text(errors="replace")


def test_kept_alive_connection_stays_in_step(server: Server) -> None:
    """A body of a wrong length would show as garbage before the next response (RFC 9112 section 6.3)."""
    url = server.site.hashed_url("css/site.css")
    film = server.site.hashed_url("film.mp4")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    tag = server.wire.ask("GET", url, {}).get("etag")
    for _ in range(3):
        for method, target, fields, status in (
            ("GET", url, {}, 200),
            ("HEAD", film, {}, 200),
            ("GET", url, {"If-None-Match": tag}, 304),
            ("GET", film, {"Range": "bytes=1000-200999"}, 206),
            ("POST", url, {}, 405),
            ("GET", film, {}, 200),
            ("GET", url, {"Range": "bytes=99999-"}, 416),
            ("OPTIONS", url, {}, 200),
        ):
            connection.request(method, target, headers=fields)
            response = connection.getresponse()
            body = response.read()
            assert response.status == status
            if method == "GET" and status in (200, 206):
                assert len(body) == int(response.headers["Content-Length"])
    connection.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_clients_that_leave_cost_no_descriptor(server: Server) -> None:
    """Each of these leaves in the middle of a large body, whole or in part."""
    film = server.site.hashed_url("big.bin")
    server.wire.ask("GET", server.site.hashed_url("img/dot.png"), {})
    before = server.descriptors()
    for i in range(20):
        client = socket.create_connection(("127.0.0.1", server.port))
        part = "Range: bytes=1-\r\n" if i % 2 else ""
        client.sendall(f"GET {film} HTTP/1.1\r\nHost: x\r\n{part}\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 20")
        client.close()
    deadline = time.monotonic() + 10
    while server.descriptors() > before + 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert server.descriptors() <= before + 2
    assert server.wire.ask("GET", server.site.hashed_url("img/dot.png"), {}).status == 200


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="reads the memory in /proc")
def test_slow_readers_cost_no_memory(server: Server) -> None:
    """A hundred clients ask for 16 MB each and do not read on: no server holds what they have not fetched."""
    big = server.site.hashed_url("big.bin")
    server.wire.ask("GET", big, {})
    before = server.memory()
    clients = []
    for number in range(100):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", server.port))
        part = "Range: bytes=1-\r\n" if number % 2 else ""
        client.sendall(f"GET {big} HTTP/1.1\r\nHost: x\r\n{part}\r\n".encode())
        clients.append(client)
        if number % 10 == 9:
            time.sleep(0.2)
            if server.memory() - before > 60_000_000:
                break  # it will not become less
    time.sleep(1)
    grown = server.memory() - before
    for client in clients:
        client.close()
    with expected(server.parties, "slow readers cost no memory"):
        assert grown < 20_000_000, f"{grown / 1e6:.0f} MB"


def test_log_has_no_traceback(server: Server) -> None:
    # With a shuffled order this may run early; it is worth its place all the same.
    assert "Traceback" not in server.log.read_text(errors="replace")
