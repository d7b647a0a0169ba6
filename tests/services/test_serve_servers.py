"""The HTTP contract, and what a server adds to it, under the servers that people run."""

from __future__ import annotations

import http.client
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from shipfiles.testing import HTTP_CASES, Answer, HttpContract, Site

pytestmark = pytest.mark.services

MODULE = "tests.services.serve_site"
GUNICORN = ("gunicorn", "--bind", "{host}:{port}", "--workers", "1", "--log-level", "warning")
UVICORN = ("uvicorn", "--host", "{host}", "--port", "{port}", "--log-level", "warning", "--no-access-log")
GRANIAN = ("granian", "--host", "{host}", "--port", "{port}", "--workers", "1", "--log-level", "warning")
SERVERS = {
    "gunicorn-sync": (*GUNICORN, "--worker-class", "sync", MODULE + ":{way}_wsgi"),
    "gunicorn-gthread": (*GUNICORN, "--worker-class", "gthread", "--threads", "4", MODULE + ":{way}_wsgi"),
    "gunicorn-lane": (
        *GUNICORN, "--worker-class", "shipfiles.serve.gunicorn.ThreadWorker", "--threads", "4", MODULE + ":{way}_wsgi",
    ),
    "granian-wsgi": (*GRANIAN, "--interface", "wsgi", MODULE + ":{way}_wsgi"),
    "uvicorn-httptools": (*UVICORN, "--http", "httptools", MODULE + ":{way}_asgi"),
    "uvicorn-h11": (*UVICORN, "--http", "h11", MODULE + ":{way}_asgi"),
    "uvicorn-lane": (*UVICORN, "--http", "shipfiles.serve.uvicorn:StaticProtocol", MODULE + ":{way}_asgi"),
    "granian-asgi": (*GRANIAN, "--interface", "asgi", MODULE + ":{way}_asgi"),
}  # fmt: skip
NEEDS = {
    "uvicorn-httptools": ("uvicorn", "httptools"), "uvicorn-h11": ("uvicorn", "h11"),
    "uvicorn-lane": ("uvicorn", "httptools"),
}  # fmt: skip


@dataclass
class Server:
    """A running server and the site behind it."""

    site: Site
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def ask(self, method: str, target: str, fields: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in fields.items():
                connection.putheader(name, value)
            connection.putheader("Connection", "close")
            connection.endheaders()
            response = connection.getresponse()
            return Answer(response.status, tuple(response.getheaders()), response.read())
        finally:
            connection.close()

    def processes(self) -> list[str]:
        """The server and its workers."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [str(self.process.pid), *children]

    def descriptors(self) -> int:
        """Open descriptors of all of them."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.processes())

    def memory(self) -> int:
        """Resident bytes of all of them."""
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.processes())
        return pages * os.sysconf("SC_PAGE_SIZE")


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def wait_until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the server did not start:\n{log.read_text(errors='replace')}")


@pytest.fixture(scope="module", params=[f"{server} {way}" for server in SERVERS for way in ("app", "middleware")])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    name, way = request.param.split()
    for package in NEEDS.get(name, (SERVERS[name][0],)):
        if importlib.util.find_spec(package) is None:
            if os.environ.get("CI"):
                pytest.fail(f"{package} is not installed")
            pytest.skip(f"{package} is not installed")
    folder = tmp_path_factory.mktemp("site")
    site, log, port = Site(str(folder)), folder / "log.txt", free_port()
    program, *arguments = (part.format(host="127.0.0.1", port=port, way=way) for part in SERVERS[name])
    # Granian's own command is its module too; gunicorn's is gunicorn.app.wsgiapp, which -m finds by the package.
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", program, *arguments],
            cwd=Path(__file__).parents[2], stdout=out, stderr=out, start_new_session=True,
            env={**os.environ, "SITE_ROOT": site.root, "DJANGO_SETTINGS_MODULE": ""},
        )  # fmt: skip
    try:
        wait_until_listening(port, process, log)
        yield Server(site, port, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("case", HTTP_CASES, ids=lambda case: case.name)
def test_contract(server: Server, case) -> None:
    HttpContract(server.ask, server.site).check(case)


def test_kept_alive_connection_stays_in_step(server: Server) -> None:
    """A body of a wrong length would show as garbage before the next response (RFC 9112 section 6.3)."""
    url = server.site.hashed_url("css/site.css")
    film = server.site.hashed_url("film.mp4")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    tag = server.ask("GET", url, {}).get("etag")
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
    server.ask("GET", server.site.hashed_url("img/dot.png"), {})
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
    assert server.ask("GET", server.site.hashed_url("img/dot.png"), {}).status == 200


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="reads the memory in /proc")
def test_slow_readers_cost_no_memory(server: Server) -> None:
    """Twenty clients ask for 16 MB each and do not read on: no server holds what they have not fetched."""
    big = server.site.hashed_url("big.bin")
    server.ask("GET", big, {})
    before = server.memory()
    clients = []
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", server.port))
        client.sendall(f"GET {big} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        clients.append(client)
    time.sleep(1)
    grown = server.memory() - before
    for client in clients:
        client.close()
    assert grown < 40 * 1024 * 1024, f"{grown / 1e6:.0f} MB"


def test_log_has_no_traceback(server: Server) -> None:
    # With a shuffled order this may run early; it is worth its place all the same.
    assert "Traceback" not in server.log.read_text(errors="replace")
