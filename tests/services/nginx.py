"""nginx, told to serve a site as well as its directives can: a second opinion on the rows of the contract."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from shipfiles.testing import APPLICATION, PREFIX, Site
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
# Debian's nginx-light has no Brotli; so only gzip is told.
CONFIGURATION = """
  gzip_static on; gzip_vary on; server_tokens off;
  types {{
    text/css css; text/javascript js mjs; application/json map; application/manifest+json webmanifest; text/plain txt;
    application/wasm wasm; font/woff2 woff2; image/png png; image/jpeg jpg; video/mp4 mp4; image/svg+xml svg;
    text/html html; font/ttf ttf;
  }}
  charset utf-8; charset_types text/css text/javascript text/plain;
  map $uri $lifetime {{
    default "max-age=60, public";
    "~\\.[0-9a-f]{{12}}(\\.|$)" "max-age=31536000, public, immutable";
    ~/rules/.*\\.js$ no-cache;
  }}
  map $uri $origin {{ default "*"; ~/rules/open\\. "https://a.example"; ~/rules/.*\\.js$ ""; }}
  map $uri $resource {{ ~/rules/.*\\.js$ same-origin; ~/rules/ cross-origin; }}
  map $uri $timing {{ ~/rules/ "*"; }}
  map $uri $robots {{ ~/rules/open\\. ""; ~/rules/ noindex; }}
  map $uri $letters {{ ~/rules/ "\xe9t\xe9"; }}
  map $uri $policy {{ ~/rules/.*\\.svg$ "default-src 'none'; sandbox"; }}
  absolute_redirect off; disable_symlinks on; max_ranges 1; index index.html;
  server {{
    listen 127.0.0.1:{port};
    default_type text/plain;
    location = / {{ return 200 "{application}"; }}
    location @application {{ return 200 "{application}"; }}
    location / {{
      root {root}/site-root; try_files $uri $uri/ @application; add_header Cache-Control $lifetime;
      location ~ /\\.(?!well-known/)|\\.(br|gz)$ {{ return 404; }}
    }}
    location ~ ^/(favicon|apple.*)\\.ico$ {{ alias {root}/img/icon.ico; add_header Cache-Control $lifetime; }}
    location ^~ /lost/ {{
      root {root}/site-root; add_header Cache-Control no-cache; add_header Vary Accept;
      if ($http_accept !~ text/html) {{ return 404 "{application}"; }}
      rewrite ^ /app/index.html break;
    }}
    location ^~ {prefix} {{
      alias {root}/; default_type application/octet-stream;
      add_header Cache-Control $lifetime; add_header Access-Control-Allow-Origin $origin;
      add_header X-Content-Type-Options nosniff; add_header Cross-Origin-Resource-Policy $resource;
      add_header Timing-Allow-Origin $timing; add_header X-Robots-Tag $robots; add_header X-Letters $letters;
      add_header Content-Security-Policy $policy;
      location ~ /\\.(?!well-known/)|\\.(br|gz)$ {{ return 404; }}
    }}
  }}
"""


@contextlib.contextmanager
def start_nginx(folder: Path) -> Iterator[Server]:
    """nginx, running, with a new site in ``folder``."""
    site = Site(str(folder))
    with launch_nginx(folder, Path(site.root)) as (port, process):
        wire = Wire(port)
        yield Server("nginx", "files", site, port, process, folder / "log.txt", wire)
        wire.close()


@contextlib.contextmanager
def launch_nginx(folder: Path, root: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """nginx, running, with the release in ``root``; what it writes is in ``folder``. Gives its port and process."""
    port = free_port()
    text = CONFIGURATION.format(port=port, root=root, prefix=PREFIX, application=APPLICATION.decode())
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
    (folder / "nginx.conf").write_text(AROUND.format(user=user, http=http), encoding="latin-1")
    command = [program, "-p", str(folder), "-c", "nginx.conf", "-e", "error.log"]
    with log.open("wb") as out, run(command, out, folder) as process:
        wait_until_listening(port, process, log)
        yield process
