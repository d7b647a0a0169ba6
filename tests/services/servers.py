"""The servers that people run, each started on a free port with a site of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from shipfiles.testing import Site
from tests.oracles.corpora import missing

from .wire import Wire

MODULE = "tests.services.serve_site"
GUNICORN = ("gunicorn", "--bind", "{host}:{port}", "--workers", "1", "--log-level", "warning")
UVICORN = ("uvicorn", "--host", "{host}", "--port", "{port}", "--log-level", "warning", "--no-access-log")
GRANIAN = ("granian", "--host", "{host}", "--port", "{port}", "--workers", "1", "--log-level", "warning")
SERVERS = {
    "gunicorn-sync": (*GUNICORN, "--worker-class", "sync", MODULE + ":{way}_wsgi"),
    "gunicorn-gthread": (*GUNICORN, "--worker-class", "gthread", "--threads", "4", MODULE + ":{way}_wsgi"),
    "gunicorn-asgi": (*GUNICORN, "--worker-class", "asgi", MODULE + ":{way}_asgi"),
    "gunicorn-lane": (
        *GUNICORN, "--worker-class", "shipfiles.serve.gunicorn.ThreadWorker", "--threads", "4", MODULE + ":{way}_wsgi",
    ),
    "granian-wsgi": (*GRANIAN, "--interface", "wsgi", MODULE + ":{way}_wsgi"),
    "uvicorn-httptools": (*UVICORN, "--http", "httptools", MODULE + ":{way}_asgi"),
    "uvicorn-h11": (*UVICORN, "--http", "h11", MODULE + ":{way}_asgi"),
    "uvicorn-lane": (*UVICORN, "--http", "shipfiles.serve.uvicorn:StaticProtocol", MODULE + ":{way}_asgi"),
    "granian-asgi": (*GRANIAN, "--interface", "asgi", MODULE + ":{way}_asgi"),
    "hypercorn": ("hypercorn", "--bind", "{host}:{port}", "--log-level", "warning", MODULE + ":{way}_asgi"),
    "daphne": ("daphne", "-b", "{host}", "-p", "{port}", "-v", "0", MODULE + ":{way}_asgi"),
    "waitress": ("waitress", "--listen", "{host}:{port}", MODULE + ":{way}_wsgi"),
}  # fmt: skip
MOUNT = "/app"
MOUNTED = {
    **dict.fromkeys(("gunicorn-sync", "gunicorn-gthread", "gunicorn-lane"), ("--env", f"SCRIPT_NAME={MOUNT}")),
    **dict.fromkeys(("gunicorn-asgi", "uvicorn-httptools", "uvicorn-h11", "uvicorn-lane", "hypercorn", "daphne"),
                    ("--root-path", MOUNT)),
    **dict.fromkeys(("granian-wsgi", "granian-asgi"), ("--url-path-prefix", MOUNT)),
    "waitress": ("--url-prefix", MOUNT),
}  # fmt: skip
"""How each server is told that the application is mounted at MOUNT."""
NEEDS = {
    "uvicorn-httptools": ("uvicorn", "httptools"), "uvicorn-h11": ("uvicorn", "h11"),
    "uvicorn-lane": ("uvicorn", "httptools"),
}  # fmt: skip


WAYS = ("app", "middleware")
"""Around the application, and as Django's middleware."""


@dataclass
class Server:
    """A running server and the site behind it."""

    name: str
    way: str

    site: Site
    port: int
    process: subprocess.Popen[bytes]
    log: Path
    wire: Wire

    @property
    def parties(self) -> tuple[str, str]:
        """Under what names the differences of the server are listed: in either way, and in this one."""
        return self.name, f"{self.name} {self.way}"

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


@contextlib.contextmanager
def start(name: str, way: str, folder: Path, *options: str) -> Iterator[Server]:
    """The server ``name``, running, with a new site in ``folder`` that is served in ``way``, one of `WAYS`."""
    site = Site(str(folder))
    with launch(name, way, Path(site.root), folder / "log.txt", *options) as (port, process):
        wire = Wire(port)
        yield Server(name, way, site, port, process, folder / "log.txt", wire)
        wire.close()


@contextlib.contextmanager
def launch(name: str, way: str, root: Path, log: Path, *options: str) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """The server ``name``, running: it serves the release in ``root`` in ``way``. Gives its port and its process."""
    for package in NEEDS.get(name, (SERVERS[name][0],)):
        if importlib.util.find_spec(package) is None:
            missing(f"{package} is not installed")
    port = free_port()
    program, *arguments, app = (part.format(host="127.0.0.1", port=port, way=way) for part in SERVERS[name])
    # Granian's own command is its module too; gunicorn's is gunicorn.app.wsgiapp, which -m finds by the package.
    with (
        log.open("wb") as out,
        run([sys.executable, "-m", program, *arguments, *options, app], out, root) as process,
    ):
        wait_until_listening(port, process, log)
        yield port, process


@contextlib.contextmanager
def run(command: list[str], out: IO[bytes], root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that knows of the release in ``root`` and is ended with the block."""
    process = subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=out, stderr=out, start_new_session=True,
        env={**os.environ, "SITE_ROOT": str(root), "DJANGO_SETTINGS_MODULE": ""},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
