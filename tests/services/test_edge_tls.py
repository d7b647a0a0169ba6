"""Web servers with a certificate, as their written configurations have it: files over TLS, and redirects to there."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge import nginx
from shipfiles.edge.policy import EdgePolicy, static_policy
from shipfiles.testing import PREFIX, Site
from shipfiles.testing.site import FILES

from .apache import USUAL
from .edge import EDGES
from .nginx import run_nginx
from .servers import free_port

pytestmark = pytest.mark.services

_ALL = {"nginx": (nginx.configuration, run_nginx), **EDGES}


@pytest.mark.parametrize("name", _ALL)
def test_a_file_over_tls(name: str, tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    own, root = map(str, certificates)
    site, port = Site(str(tmp_path)), free_port()
    static = static_policy(site.root, PREFIX, ServeConfig(), RewriteConfig(), ("br", "gzip"))
    policy = EdgePolicy("dedicated", static, listen=f"127.0.0.1:{port}", certificate=(own, own))
    write, launch = _ALL[name]
    more = {"modules": (*USUAL, "ssl", "socache_shmcb")} if name == "apache" else {}
    with launch(tmp_path, write(policy), port, **more):
        connection = http.client.HTTPSConnection(
            "127.0.0.1", port, timeout=30, context=ssl.create_default_context(cafile=root)
        )
        connection.request("GET", site.hashed_url("css/site.css"), headers={"Accept-Encoding": "br"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, FILES["css/site.css"].codings["br"])
        assert "immutable" in (answer.headers["Cache-Control"] or "")
        connection.close()


@pytest.mark.parametrize("mode", ["dedicated", "proxy"])
@pytest.mark.parametrize("host", ["", "127.0.0.1"])
def test_nginx_sends_browsers_to_https(host: str, mode: str, tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    """The whole of what is written where no address is named, at ports that anybody may listen at."""
    own = str(certificates[0])
    policy = EdgePolicy("dedicated", static_policy("/srv", PREFIX, ServeConfig(), RewriteConfig(), ("br",)), host=host)
    if mode == "proxy":
        policy = replace(policy, mode="proxy", application="http://127.0.0.1:9")
    plain, secure = free_port(), free_port()
    text = nginx.configuration(replace(policy, certificate=(own, own)))
    for old, new in (("listen 80", f"listen 127.0.0.1:{plain}"), ("listen 443", f"listen 127.0.0.1:{secure}"),
                     ("/var/cache/", f"{tmp_path}/")):  # fmt: skip
        text = text.replace(old, new)
    text = "\n".join(line for line in text.splitlines() if "listen [::]" not in line)
    with run_nginx(tmp_path, text, plain):
        connection = http.client.HTTPConnection("127.0.0.1", plain, timeout=30)
        connection.request("GET", "/static/a%20b?c=d")
        answer = connection.getresponse()
        assert (answer.status, answer.headers["Location"]) == (301, "https://127.0.0.1/static/a%20b?c=d")
        connection.close()
