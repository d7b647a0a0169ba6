"""The fast lanes beside the servers without them: the same answers, log lines, limits and ends."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from shipfiles.manifest import reader_of
from shipfiles.records import read_current
from shipfiles.testing import Site
from shipfiles.testing.site import FILES
from tests.services.servers import free_port, wait_until_listening
from tests.unit.test_serve_lane import ODD

pytestmark = pytest.mark.services

MODULE = "tests.services.serve_site"
# Each request that is not whole keeps a thread of gunicorn, and others must not have to wait for one.
COMMANDS = {
    "gunicorn": ("gunicorn", "--bind", "127.0.0.1:{port}", "--threads", "60", "--worker-class", "{how}"),
    "uvicorn": ("uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--http", "{how}"),
}
OWN = {"gunicorn": "gthread", "uvicorn": "httptools"}
LANES = {"gunicorn": "shipfiles.serve.gunicorn.ThreadWorker", "uvicorn": "shipfiles.serve.uvicorn:StaticProtocol"}
APPLICATIONS = {"gunicorn": MODULE + ":app_wsgi", "uvicorn": MODULE + ":app_asgi"}
QUIET = {"gunicorn": ("--log-level", "warning"), "uvicorn": ("--log-level", "warning", "--no-access-log")}
# The largest that each lane answers, about: more than a socket takes at once if the client's buffer is small.
LARGE = {"gunicorn": "film.mp4", "uvicorn": "img/photo.jpg"}


@dataclass
class Running:
    """A server that has been started."""

    site: Site
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    clients: list[socket.socket] = field(default_factory=list)

    def connect(self, buffer: int = 0) -> socket.socket:
        """A new client; with a small ``buffer`` its kernel takes little before it is read from."""
        client = socket.socket()
        self.clients.append(client)
        client.settimeout(30)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if buffer:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        client.connect(("127.0.0.1", self.port))
        return client

    def url(self, logical: str = "css/site.css") -> bytes:
        return self.site.hashed_url(logical).encode()

    def get(self, *fields: bytes, logical: str = "css/site.css", method: bytes = b"GET", more: bytes = b"") -> bytes:
        lines = [method + b" " + self.url(logical) + more + b" HTTP/1.1", b"Host: x", *fields, b"", b""]
        return b"\r\n".join(lines)


@contextlib.contextmanager
def running(site: Site, folder: Path, server: str, how: str, *options: str, application: str = "") -> Iterator[Running]:
    log, port = folder / f"{server}-{time.monotonic_ns()}.txt", free_port()
    command = [part.format(port=port, how=how) for part in COMMANDS[server]]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, *options, application or APPLICATIONS[server]],
            cwd=Path(__file__).parents[2], stdout=out, stderr=out, start_new_session=True,
            env={**os.environ, "SITE_ROOT": site.root, "DJANGO_SETTINGS_MODULE": "", "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    try:
        wait_until_listening(port, process, log)
        one = Running(site, port, process, log)
        try:
            # gunicorn listens before it has a worker.
            first, begun = one.connect(), b""
            first.sendall(b"GET /page HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                begun = first.recv(1000)
            first.close()
            if not begun:
                process.wait(20)
                pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')}")
            yield one
        finally:
            for client in one.clients:
                client.close()
        assert "Traceback" not in log.read_text(errors="replace")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise


@pytest.fixture(scope="module", params=COMMANDS)
def server(request: pytest.FixtureRequest) -> str:
    if any(importlib.util.find_spec(name) is None for name in (request.param, "httptools")):
        if os.environ.get("CI"):
            pytest.fail(f"{request.param} is not installed")
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lanes")


@pytest.fixture(scope="module")
def site(folder: Path) -> Site:
    return Site(str(folder))


@pytest.fixture(scope="module")
def pair(server: str, site: Site, folder: Path) -> Iterator[tuple[Running, Running]]:
    """The same server without and with its lane."""
    quiet = QUIET[server]
    with (
        running(site, folder, server, OWN[server], *quiet) as own,
        running(site, folder, server, LANES[server], *quiet) as lane,
    ):
        yield own, lane


Response = tuple[bytes, tuple[tuple[bytes, bytes], ...], bytes]


def responses(stream: bytes, methods: Sequence[bytes] = ()) -> list[Response]:
    """What a server sent, response by response: RFC 9112 section 6.3. Fields in any order, without Date."""
    read, found = io.BytesIO(stream), []
    while status := read.readline():
        fields = []
        while (line := read.readline()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            fields.append((name.lower(), value.strip()))
        known = dict(fields)
        method = methods[len(found)] if len(found) < len(methods) else b"GET"
        body = b""
        if method != b"HEAD" and status.split()[1] not in (b"304", b"100"):
            if known.get(b"transfer-encoding") == b"chunked":
                while size := int(read.readline() or b"0", 16):
                    body += read.read(size)
                    read.readline()
                read.readline()
            else:
                body = read.read(int(known.get(b"content-length", b"-1")))
        found.append((status.rstrip(), tuple(sorted(field for field in fields if field[0] != b"date")), body))
    return found


def exchange(server: Running, sendings: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Send each of ``sendings`` on a connection of its own, in its pieces; what came until a while of silence."""
    clients = [server.connect() for _ in sendings]
    received = dict.fromkeys(clients, b"")
    waiting = set(clients)
    rounds = max(map(len, sendings))
    for i in range(rounds):
        for client, pieces in zip(clients, sendings, strict=True):
            if i < len(pieces) and client in waiting:
                # The server may have refused the beginning and closed.
                with contextlib.suppress(ConnectionError):
                    client.sendall(pieces[i])
        while waiting and (ready := select.select(list(waiting), [], [], 0.2 if i < rounds - 1 else 1)[0]):
            for client in ready:
                try:
                    more = client.recv(1_000_000)
                except ConnectionError:
                    more = b""
                received[client] += more
                if not more:
                    # At once: gunicorn's thread waits for it, for two seconds.
                    client.close()
                    waiting.remove(client)
    for client in waiting:
        client.close()
    return list(received.values())


def by_lane(answer: bytes) -> bool:
    """Both servers write their own fields before those of an application, the lanes behind."""
    fields = answer.partition(b"\r\n\r\n")[0].lower()
    return 0 < fields.find(b"\r\ncache-control:") < fields.find(b"\r\ndate:")


def ask(client: socket.socket, request: bytes) -> bytes:
    """Send a request and wait for one whole answer with a Content-Length; empty if the connection ends."""
    client.sendall(request)
    got = b""
    while (end := got.find(b"\r\n\r\n")) < 0 or len(got) < end + 4 + int(re.findall(rb"(?i)length: (\d+)", got)[0]):
        if not (more := client.recv(100_000)):
            return b""
        got += more
    return got


def test_the_lane_answers(server: str, pair: tuple[Running, Running]) -> None:
    own, lane = pair
    etag = next(v for n, v in responses(exchange(own, [[own.get()]])[0])[0][1] if n == b"etag")
    sendings = [
        [own.get()], [own.get(method=b"HEAD")], [own.get(b"Accept-Encoding: br")], [own.get(more=b"?v=1")],
        [own.get(b"Connection: close")], [own.get(b"Connection: keep-alive")], [own.get(logical="empty.txt")],
        [own.get(logical="odd/na\u00efve \u2603.txt")], [own.get(b"If-None-Match: " + etag)],
        [own.get(b"If-None-Match: *")], [own.get(logical="big.bin", more=b"?a")], [own.get(logical=LARGE[server])],
    ]  # fmt: skip
    methods = [sending[0].split()[0] for sending in sendings]
    for _ in range(2):
        for sending, method, expected, got in zip(
            sendings, methods, exchange(own, sendings), exchange(lane, sendings), strict=True
        ):
            assert responses(got, [method]) == responses(expected, [method])
            assert not by_lane(expected)
            if b"?a" not in sending[0]:
                assert by_lane(got), sending
            assert len(responses(got, [method])) == 1


def masked(stream: bytes) -> bytes:
    return re.sub(rb"(?i)\r\ndate: [^\r]*", b"\r\nDate", stream)


def test_odd_requests_have_the_servers_own_answer(pair: tuple[Running, Running]) -> None:
    own = pair[0]
    sendings = {name: [odd.replace(b" /a ", b" " + own.url() + b" ")] for name, odd in ODD.items() if odd}
    expected, got = (exchange(which, list(sendings.values())) for which in pair)
    for name, one, other in zip(sendings, expected, got, strict=True):
        if name.startswith("pipelined") or not by_lane(other):
            assert masked(one) == masked(other), name
        else:
            # A whole request and then something else, in two reads: the first answer is the lane's.
            assert responses(one) == responses(other), name


def test_requests_in_pieces_are_answered_once(pair: tuple[Running, Running]) -> None:
    """A request cut at any place is the server's, whatever it read before."""
    own, lane = pair
    whole = own.get(b"Accept-Encoding: br")
    sendings = [[whole[:i], whole[i:]] for i in range(1, len(whole))]
    expected, got = exchange(own, sendings), exchange(lane, sendings)
    assert list(map(masked, got)) == list(map(masked, expected))
    assert all(len(responses(stream)) == 1 for stream in got)


# RFC 6455 section 1.2
_WEB_SOCKET = (
    b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def test_connections_stay_in_step(pair: tuple[Running, Running]) -> None:
    """The lane's requests and the server's take turns, with bodies that look like requests."""
    own, lane = pair
    static, page = own.get(), b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"
    inner = own.get(logical="empty.txt")
    post = b"POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(inner)
    chunked = b"POST /page HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(inner), inner)
    part = own.get(b"Range: bytes=0-9")
    last = own.get(b"Connection: close")
    sendings = [
        [static, page, static, part, static],
        [static + static + static],
        [static + page, static, page + static],
        [page + static + page],
        # The body comes apart, in a read of its own, and is a request for the lane if taken for one.
        [static, post, inner, static],
        [static, post + inner, static],
        [static, chunked, chunks, static],
        [chunked, chunks + static],
        [post[:-2], b"\r\n", inner[:10], inner[10:], static],
        [static + static[:20], static[20:], static],
        [static, b"\r\n", static],
        [static, last, static],
        [last + static],
        [static, static.replace(b"HTTP/1.1", b"HTTP/1.0"), static],
        [static, b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", static],
        [static, b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n" + static, static],
        [static, b"GET / HTTP/1.1\r\nHost: x\r\n" + _WEB_SOCKET, static],
        [static, b"nonsense\r\n\r\n", static],
        [own.get(method=b"HEAD"), static],
    ]  # fmt: skip
    expected, got = exchange(own, sendings), exchange(lane, sendings)
    for sending, one, other in zip(sendings, expected, got, strict=True):
        methods = [b"HEAD"] if sending[0].startswith(b"HEAD") else []
        assert responses(other, methods) == responses(one, methods), sending
    assert [len(responses(stream)) for stream in got[:5]] == [5, 3, 5, 3, 3]


# It answers late, or before it has read what it was sent.
UNEVEN = """
import asyncio, time
from shipfiles.serve import asgi, wsgi
from tests.services.serve_site import app_asgi, app_wsgi

def uneven_wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/late":
        time.sleep(0.6)
    body = environ["PATH_INFO"].encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]

async def uneven_asgi(scope, receive, send):
    if scope["type"] != "http":
        return
    if scope["path"] == "/late":
        await asyncio.sleep(0.6)
    body = scope["path"].encode()
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    # What comes next may be answered while this still runs.
    await asyncio.sleep(0.6)

served_wsgi = wsgi.StaticApp(uneven_wsgi, table=app_wsgi.table)
served_asgi = asgi.StaticApp(uneven_asgi, table=app_asgi.table)
"""


def test_answers_have_the_order_of_the_requests(
    server: str, site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9112 section 9.3.2; and no part of a body is answered, whatever it looks like (section 11.2)."""
    (folder / "uneven_site.py").write_text(UNEVEN)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", ""))))
    application = {"gunicorn": "uneven_site:served_wsgi", "uvicorn": "uneven_site:served_asgi"}[server]
    found = []
    for how in (OWN[server], LANES[server]):
        with running(site, folder, server, how, *QUIET[server], application=application) as one:
            static, late = one.get(), b"GET /late HTTP/1.1\r\nHost: x\r\n\r\n"
            post = b"POST /early HTTP/1.1\r\nHost: x\r\n"
            length, chunked = b"Content-Length: %d\r\n\r\n" % len(static), b"Transfer-Encoding: chunked\r\n\r\n"
            sendings = [
                [late, static],
                [late + static, static],
                [static, late, static, late],
                # The body comes after the answer, in one read or in two.
                [post + length, static, static],
                [post + length, static[:20], static[20:], static],
                [post + chunked + b"%x\r\n" % len(static), static, b"\r\n0\r\n\r\n", static],
                [post + chunked + b"%x\r\n" % len(static), static, b"\r\n0\r\n", b"\r\n", static],
            ]
            answers = exchange(one, sendings)
            if how == LANES[server]:
                assert by_lane(answers[2])
            found.append([[answer[2] for answer in responses(stream)] for stream in answers])
    style = FILES["css/site.css"].body
    assert found[1] == [
        [b"/late", style], [b"/late", style, style], [style, b"/late", style, b"/late"],
        *[[b"/early", style]] * 4,
    ]  # fmt: skip
    assert found[0] == found[1]


LOGGED = {
    "gunicorn": (
        "--access-logfile", "-", "--access-logformat",
        'LOG %(h)s %(l)s %(u)s "%(r)s" %(s)s %(b)s %(B)s "%(f)s" "%(a)s" %(m)s %(U)s %(q)s %(H)s %({host}i)s '  # noqa: ISC004
        "%({etag}o)s %({content-length}o)s %({wsgi.url_scheme}e)s %({http_x_a}e)s %({wsgi.multithread}e)s",
    ),
    "uvicorn": (),
}  # fmt: skip


def test_access_log(server: str, site: Site, folder: Path) -> None:
    lines = []
    for how in (OWN[server], LANES[server]):
        with running(site, folder, server, how, *LOGGED[server]) as one:
            sendings = [
                [one.get(b"User-Agent: me", b"Referer: there", b"X-A: b", more=b"?a=%20b")],
                [one.get(b"Authorization: Basic YTpi", method=b"HEAD")],
                [one.get(b"X-Forwarded-For: 192.0.2.1, 10.0.0.9", b"X-Forwarded-Proto: https")],
                [one.get(logical="odd/na\u00efve \u2603.txt")],
                [one.get(b"Connection: close")],
                [one.get(logical=LARGE[server])],
            ]
            answers = [exchange(one, [sending])[0] for sending in sendings]
            assert all(map(by_lane, answers)) is (how == LANES[server])
        written = [line for line in one.log.read_text().splitlines() if "GET /static" in line or "HEAD /" in line]
        # The client's port is another one each time.
        lines.append([re.sub(r"127.0.0.1:\d+", "127.0.0.1", line) for line in written])
    assert lines[0] == lines[1]
    assert len(lines[0]) == 6


def test_kept_alive_connections_end(server: str, site: Site, folder: Path) -> None:
    option = {"gunicorn": "--keep-alive", "uvicorn": "--timeout-keep-alive"}[server]
    with running(site, folder, server, LANES[server], *QUIET[server], option, "3") as one:
        client, idle = one.connect(), one.connect()
        assert by_lane(ask(idle, one.get()))
        for _ in range(5):
            # Longer than the timeout together, each of them much shorter.
            assert by_lane(ask(client, one.get()))
            time.sleep(1)
        client.settimeout(30)
        idle.settimeout(30)
        assert idle.recv(1) == b""
        assert client.recv(1) == b""


def test_a_stopping_server_ends_connections_and_answers(server: str, site: Site, folder: Path) -> None:
    """Idle connections are closed; who is still reading gets the rest."""
    body = FILES[LARGE[server]].body
    with running(site, folder, server, LANES[server], *QUIET[server]) as one:
        idle, silent = one.connect(), one.connect()
        assert by_lane(ask(idle, one.get()))
        slow = one.connect(4096)
        slow.sendall(one.get(b"Connection: close", logical=LARGE[server]))
        got = slow.recv(1000)
        one.process.send_signal(signal.SIGTERM)
        idle.settimeout(30)
        assert idle.recv(1) == b""
        while more := slow.recv(4096):
            got += more
        assert by_lane(got)
        assert got.endswith(body)
        assert len(responses(got)[0][2]) == len(body)
        silent.settimeout(30)
        # Closed without a word, or broken by the end of the process.
        with contextlib.suppress(ConnectionError):
            assert silent.recv(1) == b""
        assert one.process.wait(20) in (0, -signal.SIGTERM)


def test_slow_readers_keep_nobody_waiting(server: str, pair: tuple[Running, Running]) -> None:
    lane = pair[1]
    body = FILES[LARGE[server]].body
    request = lane.get(logical=LARGE[server])
    exchange(lane, [[request]])
    slow = [lane.connect(4096) for _ in range(4)]
    # More than a kernel takes, one by one, so that each is a request of its own as long as there is room.
    times = 6_000_000 // len(body)
    for _ in range(times):
        for client in slow:
            client.sendall(request)
        time.sleep(0.01)
    quick = lane.connect()
    for _ in range(20):
        assert by_lane(ask(quick, lane.get()))
    # None of them leaves: uvicorn itself fails over what a client has asked for behind the answer that it left in.
    for client in slow:
        got = bytearray()
        # With what stands before a body in a copy of the first one.
        while len(got) < times * (len(body) + 100):
            got += client.recv(1_000_000)
        while got.count(b"HTTP/1.1 200") < times or not got.endswith(body[-100:]):
            got += client.recv(1_000_000)
        found = responses(bytes(got))
        assert len(found) == times
        assert all(answer[2] == body for answer in found)
        client.close()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts descriptors in /proc")
def test_clients_that_leave_cost_no_descriptor(server: str, pair: tuple[Running, Running]) -> None:
    lane = pair[1]

    def descriptors() -> int:
        children = Path(f"/proc/{lane.process.pid}/task/{lane.process.pid}/children").read_text().split()
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in (str(lane.process.pid), *children))

    exchange(lane, [[lane.get()]])
    before = descriptors()
    for i in range(30):
        client = lane.connect(4096)
        client.sendall(lane.get(logical=LARGE[server])[: None if i % 3 else 30])
        if i % 3:
            assert client.recv(100).startswith(b"HTTP/1.1 200")
        client.close()
    deadline = time.monotonic() + 15
    while descriptors() > before + 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert descriptors() <= before + 2


def test_so_many_requests_and_no_more(server: str, site: Site, folder: Path) -> None:
    option = {"gunicorn": "--max-requests", "uvicorn": "--limit-max-requests"}[server]
    with running(site, folder, server, LANES[server], *QUIET[server], option, "20") as one:
        tasks = Path(f"/proc/{one.process.pid}/task/{one.process.pid}/children")
        before = tasks.read_text().split() if tasks.exists() else []
        client = one.connect()
        answers = 0
        with contextlib.suppress(ConnectionError):
            while ask(client, one.get()):
                answers += 1
        # And the first one, before. uvicorn counts ten times a second.
        assert answers == 19 if server == "gunicorn" else answers >= 19
        if server == "uvicorn":
            assert one.process.wait(20) == 0
        elif before:
            deadline = time.monotonic() + 20
            while tasks.read_text().split() in (before, []) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert tasks.read_text().split() != before


def test_limits_of_the_servers_hold(server: str, site: Site, folder: Path) -> None:
    """Each of them is below what the request has, so it is the server that answers."""
    limits = {
        "gunicorn": [("--limit-request-line", "40"), ("--limit-request-fields", "2"),
                     ("--limit-request-field_size", "20"), ("--keep-alive", "0")],
        "uvicorn": [("--limit-concurrency", "1"), ("--header", "Connection:close")],
    }  # fmt: skip
    for limit in limits[server]:
        answers = []
        for how in (OWN[server], LANES[server]):
            with running(site, folder, server, how, *QUIET[server], *limit) as one:
                request = one.get(b"User-Agent: 0123456789", b"Accept: */*", more=b"?" + b"a" * 40)
                answers.append(responses(exchange(one, [[request]])[0]))
        assert answers[0] == answers[1], limit


def test_a_closed_lane_is_said(server: str, site: Site, folder: Path) -> None:
    """Where the lane would leave out what was asked for, it leaves everything to the server, and says why."""
    hook = folder / "hook.py"
    hook.write_text("def pre_request(worker, req):\n    worker.log.warning('hook %s', req.path)\n")
    options = {"gunicorn": ("--config", str(hook)), "uvicorn": ("--header", "Connection:close")}[server]
    with running(site, folder, server, LANES[server], *QUIET[server], *options) as one:
        (answer,) = exchange(one, [[one.get()]])
        assert answer.startswith(b"HTTP/1.1 200")
        assert not by_lane(answer)
    said = one.log.read_text()
    assert "The fast lane of Shipfiles is closed: " in said
    if server == "gunicorn":
        assert "hook /static/css/site." in said


def test_an_open_lane_is_said(server: str, site: Site, folder: Path) -> None:
    """Once, with the files that it has; uvicorn's lane is made for the first connection."""
    with running(site, folder, server, LANES[server]) as one:
        assert by_lane(exchange(one, [[one.get()]])[0])
    said = one.log.read_text()
    current = read_current(reader_of(site.root))
    assert current is not None
    files = f"release {current[0]}, {len(site.manifest.entries)} files, in {site.root}."
    assert said.count(f"The fast lane of Shipfiles is open: {files}\n") == 1


def test_the_redirect_of_the_middleware_closes_the_lane(
    server: str, site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`StaticApp` opens it: who puts that around the application has chosen to do without."""
    monkeypatch.setenv("SITE_REDIRECTS", "1")
    middleware = f"{MODULE}:middleware_{'wsgi' if server == 'gunicorn' else 'asgi'}"
    with running(site, folder, server, LANES[server], *QUIET[server], application=middleware) as one:
        (answer,) = exchange(one, [[one.get()]])
        assert answer.startswith(b"HTTP/1.1 301 ")
    assert "The fast lane of Shipfiles is closed: SECURE_SSL_REDIRECT would not be heeded" in one.log.read_text()
    with running(site, folder, server, LANES[server], *QUIET[server]) as one:
        assert by_lane(exchange(one, [[one.get()]])[0])


def test_no_table_is_an_error(server: str, site: Site, folder: Path) -> None:
    bare = folder / "bare_site.py"
    bare.write_text(
        "def wsgi(environ, start_response):\n    start_response('200 OK', [])\n    return [b'bare']\n"
        "async def asgi(scope, receive, send):\n    if scope['type'] != 'http': return\n"
        "    await send({'type': 'http.response.start', 'status': 200, 'headers': []})\n"
        "    await send({'type': 'http.response.body', 'body': b'bare'})\n"
    )
    application = {"gunicorn": "bare_site:wsgi", "uvicorn": "bare_site:asgi"}[server]
    where = {"gunicorn": ("--pythonpath", str(folder)), "uvicorn": ("--app-dir", str(folder))}[server]
    if server == "gunicorn":
        with (
            pytest.raises(pytest.fail.Exception, match="Nobody has said which static files to serve"),
            running(site, folder, server, LANES[server], *where, application=application),
        ):
            pass
    else:
        # uvicorn says nothing to a protocol class before the first connection.
        with running(site, folder, server, LANES[server], *where, application=application) as one:
            assert exchange(one, [[one.get()]])[0].startswith(b"HTTP/1.1 200")
        assert "Nobody has said which static files to serve" in one.log.read_text()
