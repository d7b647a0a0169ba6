"""Web servers in front of a site, configured by `shipfiles.edge`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge import apache, caddy
from shipfiles.edge.policy import EdgePolicy, Mode, static_policy
from shipfiles.testing import OPTIONS, PREFIX, Site

from .apache import run_apache
from .caddy import run_caddy
from .servers import Server, free_port, run, wait_until_listening
from .wire import Wire

EDGES: dict[str, tuple[Callable[[EdgePolicy], str], Callable[..., Any]]] = {
    "apache": (apache.configuration, run_apache), "caddy": (caddy.configuration, run_caddy),
}  # fmt: skip
"""Name → what writes its configuration, and what starts it with one."""


@contextlib.contextmanager
def bare_application(folder: Path, callable_: str = "hello") -> Iterator[str]:
    """The URL of an application without any files, one of `bare_site`: what `shipfiles.testing.APPLICATION` says."""
    port, log = free_port(), folder / "application.txt"
    command = [
        sys.executable,
        "-m",
        "waitress",
        "--no-clear-untrusted-proxy-headers",
        "--listen",
        f"127.0.0.1:{port}",
        f"tests.services.bare_site:{callable_}",
    ]
    with log.open("wb") as out, run(command, out, folder) as process:
        wait_until_listening(port, process, log)
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def start_edge(name: str, folder: Path, mode: Mode, application: str = "", **options: Any) -> Iterator[Server]:
    """The server ``name``, running, with a new site in ``folder``."""
    site, port = Site(str(folder)), free_port()
    serve = ServeConfig(**{**OPTIONS, **options})
    static = static_policy(site.root, PREFIX, serve, RewriteConfig(), ("br", "zstd", "gzip"))
    write, launch = EDGES[name]
    text = write(EdgePolicy(mode, static, listen=f"127.0.0.1:{port}", application=application))
    with launch(folder, text, port) as process:
        wire = Wire(port)
        yield Server(name, mode, site, port, process, folder / "log.txt", wire)
        wire.close()
