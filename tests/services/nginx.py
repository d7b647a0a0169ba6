"""nginx with the configuration that is written for a site."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge.nginx import configuration
from shipfiles.edge.policy import EdgePolicy, Mode, static_policy
from shipfiles.testing import APPLICATION, OPTIONS, PREFIX, Site
from tests.oracles.corpora import missing

from .servers import Server, free_port, run, wait_until_listening
from .wire import Wire

AROUND = """
daemon off; {user} worker_processes 1; pid nginx.pid; error_log error.log error;
events {{ worker_connections 256; }}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
{http}
}}
"""
# What is no file is the application's, which this stands for.
_APPLICATION = """
server {{
  listen 127.0.0.1:{port}; default_type text/plain;
  location / {{ return 200 "{application}"; }}
  location ~ /lost/ {{ return 404 "{application}"; }}
}}
"""
CODINGS = ("br", "zstd", "gzip")
"""The codings of a `Site`."""


def site_policy(root: Path, port: int, mode: Mode = "static-server", application: str = "") -> EdgePolicy:
    """What a `Site` in ``root`` is answered like with `OPTIONS`."""
    static = static_policy(str(root), PREFIX, ServeConfig(**OPTIONS), RewriteConfig(), CODINGS)
    return EdgePolicy(mode, static, listen=f"127.0.0.1:{port}", application=application)


@contextlib.contextmanager
def start_nginx(folder: Path, mode: Mode = "static-server") -> Iterator[Server]:
    """nginx, running, with a new site in ``folder``."""
    site = Site(str(folder))
    with launch_nginx(folder, Path(site.root), mode) as (port, process):
        wire = Wire(port)
        yield Server("nginx", mode, site, port, process, folder / "log.txt", wire)
        wire.close()


@contextlib.contextmanager
def launch_nginx(
    folder: Path, root: Path, mode: Mode = "static-server"
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """nginx, running, with the release in ``root``; what it writes is in ``folder``. Gives its port and process."""
    port, behind = free_port(), free_port()
    application = f"http://127.0.0.1:{behind}" if mode == "static-server" else ""
    text = configuration(site_policy(root, port, mode, application))
    text += _APPLICATION.format(port=behind, application=APPLICATION.decode())
    with run_nginx(folder, text, port) as process:
        yield port, process


@contextlib.contextmanager
def run_nginx(folder: Path, http: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """nginx, running, with ``http`` in that part of its configuration, and listening at ``port``.

    What it writes is in ``folder``.
    """
    program = shutil.which("nginx", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        missing("nginx is not installed (Debian: apt-get install nginx-light)")
    log = folder / "log.txt"
    # Its workers are of another user if it is started by root, and the folders of tests are root's alone.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(AROUND.format(user=user, http=http), encoding="utf-8")
    command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    with log.open("wb") as out, run(command, out, folder) as process:
        wait_until_listening(port, process, log)
        yield process
