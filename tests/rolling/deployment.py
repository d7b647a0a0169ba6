"""A site in production: nginx before three servers, one folder of static files, and what people do to it."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .trees import Tree

REPOSITORY = Path(__file__).parents[2]

_GUNICORN = ("gunicorn", "--workers", "1", "--worker-class", "gthread", "--threads", "4", "--bind", "127.0.0.1:{port}")
_QUIET = ("--log-level", "warning")
_BOUND = ("--host", "127.0.0.1", "--port", "{port}")
SERVERS = {
    "gunicorn": (*_GUNICORN, *_QUIET, "--no-control-socket", "tests.rolling.served:wsgi"),
    "granian": ("granian", *_BOUND, *_QUIET, "--interface", "wsgi", "tests.rolling.served:wsgi"),
    "uvicorn": ("uvicorn", *_BOUND, *_QUIET, "--no-access-log", "tests.rolling.served:asgi"),
}

NGINX = """
daemon off; {user} worker_processes 1; pid nginx.pid; error_log error.log warn;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_timeout 600s; keepalive_requests 10000000;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream site {{ {upstream} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://site; proxy_http_version 1.1; proxy_set_header Host 127.0.0.1; proxy_read_timeout 300s;
    }}
    {static}
  }}
}}
"""


@dataclass(frozen=True)
class Product:
    """What a site uses for its static files, and how it deploys with it."""

    name: str
    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)
    apps: tuple[str, ...] = ()
    middleware: tuple[str, ...] = ()
    clear: bool = False
    """Whether ``collectstatic --clear`` is what each deploy runs."""
    from_disk: bool = False
    """Whether nginx serves the static files, without asking the servers."""
    folder_each: bool = False
    """Whether each release has a STATIC_ROOT of its own, as in a container's image."""
    has_releases: bool = False
    """Whether ``ship`` rolls back and prunes; else one goes back by collecting the older sources again."""
    named: bool = False
    """Whether processes know the id of the release of their code, which they use whatever is current."""


SHIPFILES = Product(
    "shipfiles", "shipfiles.django.storage.StaticStorage", apps=("shipfiles.django",),
    middleware=("shipfiles.django.middleware.ShipfilesMiddleware",), has_releases=True,
)  # fmt: skip


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def nginx_program() -> str:
    """The path of nginx; empty if it is not installed."""
    return shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin") or ""


class Failed(RuntimeError):
    """A command, or a server, did not do what it is there for."""


def ended(process: subprocess.Popen[str]) -> str:
    """What a command printed until it ended. Raises `Failed`."""
    words, _ = process.communicate(timeout=300)
    if process.returncode:
        raise Failed(f"{process.args} ended with {process.returncode}:\n{words}")
    return words


class Deployment:
    """A site of ``product`` in ``folder``, which is made, with its servers. Use as `running`.

    ``around``: the servers that have a `StaticApp` around the application and no middleware.
    """

    def __init__(self, folder: Path, product: Product, servers: Sequence[str], around: Sequence[str] = ()) -> None:
        self.folder = folder
        self.product = product
        self.port = free_port()
        self._servers = servers
        self._around = around
        self._ports = [free_port() for _ in servers]
        self._processes: list[subprocess.Popen[bytes] | None] = [None] * len(servers)
        self._rolls: list[tuple[float, float]] = []
        self._deploying = 0.0
        (folder / "source").mkdir(parents=True)

    def root(self, tree: Tree) -> Path:
        """STATIC_ROOT of the release of ``tree``."""
        return self.folder / (f"root{tree.generation}" if self.product.folder_each else "root")

    @contextmanager
    def running(self) -> Iterator[Deployment]:
        """nginx runs as long as the context lasts; every server that was started is stopped at its end."""
        with ExitStack() as stack:
            stack.callback(self._stop_all)
            home = self.folder / "nginx"
            home.mkdir()
            static = f"location /static/ {{ alias {self.folder}/root/; }}" if self.product.from_disk else ""
            (home / "nginx.conf").write_text(
                NGINX.format(
                    user="user root;" if os.geteuid() == 0 else "",
                    # A server that is being restarted is passed over, and asked again at once when it is back.
                    upstream=" ".join(f"server 127.0.0.1:{port} max_fails=0;" for port in self._ports),
                    port=self.port,
                    static=static,
                )
            )
            command = [nginx_program(), "-p", str(home), "-c", "nginx.conf", "-e", "error.log"]
            process = self._started(command, "nginx.log", dict(os.environ))
            stack.callback(_stop, process)
            self._await(process, self.port, "nginx.log")
            yield self

    def collect(self, tree: Tree, *more: str) -> str:
        """Write the sources and run ``collectstatic``; what it printed."""
        tree.write(self.folder / "source")
        self._deploying = time.monotonic()
        if self.product.clear:
            more = ("--clear", *more)
        return self.manage(tree, "collectstatic", "--noinput", *more)

    def rollback(self, tree: Tree) -> str:
        """Go back to ``tree``, which was current before; what the command printed."""
        if not self.product.has_releases:
            return self.collect(tree)
        self._deploying = time.monotonic()
        return self.manage(tree, "ship", "rollback")

    def begin_prune(self, tree: Tree, oldest: float) -> subprocess.Popen[str]:
        """Start ``ship prune``, which may take away what no page needs, if the oldest open one is from ``oldest``."""
        seconds = self.keep_seconds(oldest)
        terms = ("--keep", "1", "--younger-than", f"{seconds}s", "--noinput")
        return self.begin(tree, "ship", "prune", *terms, grace=seconds)

    def manage(self, tree: Tree, *arguments: str) -> str:
        """Run a management command with the code of ``tree``; what it printed. Raises `Failed`."""
        return ended(self.begin(tree, *arguments))

    def begin(self, tree: Tree, *arguments: str, grace: int | None = None) -> subprocess.Popen[str]:
        """Start a management command with the code of ``tree``; ``grace`` as `tests.rolling.impatient` has it."""
        program = "django" if grace is None else "tests.rolling.impatient"
        return subprocess.Popen(
            [sys.executable, "-m", program, *arguments], cwd=REPOSITORY,
            env={**self.environment(tree), "GRACE": str(grace)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def roll(self, tree: Tree) -> None:
        """Start the servers again with the code of ``tree``, which is deployed, one after the other."""
        for number in range(len(self._servers)):
            self.restart(number, tree)
        self._rolls.append((self._deploying, time.monotonic()))

    def restart(self, number: int, tree: Tree) -> None:
        """Stop a server, let it finish what it has begun, and start it again with the code of ``tree``."""
        running = self._processes[number]
        if running is not None:
            _stop(running)
        name, port = self._servers[number], self._ports[number]
        command = [sys.executable, "-m", *(part.format(port=port) for part in SERVERS[name])]
        environment = self.environment(tree, around=name in self._around)
        log = f"{name}{number}.log"
        self._processes[number] = process = self._started(command, log, environment)
        self._await(process, port, log)

    def keep_seconds(self, oldest: float) -> int:
        """For how long a release must outlive its time as the current one, if the oldest open page is from ``oldest``.

        Until the end of its roll a server may answer with the release that has just been replaced. Two seconds more,
        since records count whole ones.
        """
        needed = [deploying for deploying, finished in self._rolls if finished >= oldest]
        return math.ceil(time.monotonic() - min([oldest, *needed])) + 2

    def logs(self) -> str:
        """What the servers and nginx have said."""
        paths = [*self.folder.glob("*.log"), self.folder / "nginx" / "error.log"]
        return "\n".join(f"{p.name}:\n{p.read_text(errors='replace')[-3000:]}" for p in paths if p.exists())

    def environment(self, tree: Tree, *, around: bool = False) -> dict[str, str]:
        """With which a process runs the code of ``tree``; ``around`` as for the class, but of that process."""
        named = {"release_id": f"r{tree.generation}"} if self.product.named else {}
        site = {
            "home": str(self.folder),
            "source": str(self.folder / "source"),
            "root": str(self.root(tree)),
            "backend": self.product.backend,
            "options": {**self.product.options, **named},
            "apps": self.product.apps,
            "middleware": () if around else self.product.middleware,
            "generation": tree.generation,
            "pages": tree.pages,
        }
        return {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.rolling.settings",
            "ROLLING_SITE": json.dumps(site),
            "ROLLING_AROUND": "1" if around else "",
        }

    def _started(self, command: Sequence[str], log: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with (self.folder / log).open("ab") as words:
            return subprocess.Popen(
                command, cwd=REPOSITORY, env=environment, stdout=words, stderr=words, start_new_session=True
            )

    def _await(self, process: subprocess.Popen[bytes], port: int, log: str) -> None:
        for _ in range(1200):
            if process.poll() is not None:
                break
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                return
            time.sleep(0.05)
        raise Failed(f"{log[:-4]} did not start:\n{(self.folder / log).read_text(errors='replace')}")

    def _stop_all(self) -> None:
        for process in self._processes:
            if process is not None:
                _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
