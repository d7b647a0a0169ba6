"""What web servers say to the contract with the configurations that we write: they agree, or it is known why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.digest import digest_bytes, hashed_name
from shipfiles.edge.policy import EdgePolicy, static_policy
from shipfiles.testing import APPLICATION, CONFIGURED_CASES, HTTP_CASES, OPTIONS, PREFIX, Answer, HttpContract, Site
from shipfiles.testing.site import FILES
from tests.bucket import running as running_bucket
from tests.conformance import hostile
from tests.conformance.differences import expected

from .apache import USUAL, check_apache, run_apache
from .caddy import check_caddy
from .edge import EDGES, bare_application, start_edge
from .edge_uploads import policy_for
from .servers import free_port, launch
from .wire import Wire

pytestmark = pytest.mark.services


@pytest.mark.parametrize("name", EDGES)
def test_contract(name: str, tmp_path: Path) -> None:
    broken = []
    with (
        bare_application(tmp_path) as application,
        start_edge(name, tmp_path, "static-server", application) as server,
    ):
        # Its tags are of seconds: what a row puts in the place of a file must not be of the same one.
        for path in Path(server.site.root).rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
        assert server.wire.ask("GET", server.site.url(hostile.NAMES[0]), {}).status == 200
        # Neither wildcards nor placeholders.
        for odd in (
            "css/s*.css",
            "css/sit%3F.css",
            "css/site[.]css",
            "css/{env.HOME}",
            "%7Bpath%7D",
            "$1",
            "%25{ENV:A}",
        ):
            assert server.wire.ask("GET", PREFIX + odd, {}).body == APPLICATION, odd
        for case in (*HTTP_CASES, *CONFIGURED_CASES):
            if name == "caddy" and case.name == "disk: a pipe in its place":
                # It waits for somebody to write into it.
                continue
            try:
                with expected((name,), case.name):
                    HttpContract(server.wire.ask, server.site).check(case)
            except AssertionError as error:
                broken.append(str(error))
            # Of what was cut there may be more.
            server.wire.close()
    assert not broken, "\n".join(broken)


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("name", EDGES)
def test_a_host_for_static_files_alone(name: str, tmp_path: Path) -> None:
    page = FILES["site-root/app/index.html"]
    with start_edge(name, tmp_path, "dedicated") as server:
        ask, site = server.wire.ask, server.site
        # No program, whatever the server does with it elsewhere.
        Path(site.root, "demo.php").write_bytes(b"<?php")
        assert ask("GET", "/static/demo.php", {}).body == b"<?php"
        for path in Path(site.root).rglob("*"):
            os.utime(path, (1_700_000_000, 1_700_000_000), follow_symlinks=False)
        lost = site.hashed_url("css/site.css").replace("site.", "none.")
        for target in ("/none.txt", lost, "/static/none.css", "/static/.env", "/static/staticfiles.json", "/.env", "/"):
            for fields in ({}, {"Accept": "text/html;q=0"}):
                answer = ask("GET", target, fields)
                assert (answer.status, answer.get("cache-control")) == (404, "no-store"), target
        for target in ("/a/page", "/"):
            for coding, body in ((None, page.body), ("br", page.codings["br"])):
                answer = ask("GET", target, {**BROWSER, "Accept-Encoding": coding or "identity"})
                assert (answer.status, answer.body, answer.get("content-encoding")) == (200, body, coding), target
                assert answer.get("cache-control") == "no-cache"
                assert answer.get("content-type") == "text/html; charset=utf-8"
                varies = {name.strip().lower() for name in (answer.get("vary") or "").split(",")}
                assert varies == {"accept", "accept-encoding"}
        for target in (lost, "/static/none"):
            assert ask("GET", target, BROWSER).status == 404
        assert ask("POST", "/a/page", BROWSER).status in (404, 405)
        assert ask("GET", site.hashed_url("css/site.css"), BROWSER).body == FILES["css/site.css"].body
        answer = ask("GET", "/robots.txt", {"Accept-Encoding": "gzip"})
        assert answer.body == FILES["site-root/robots.txt"].codings["gzip"]


@pytest.mark.parametrize("name", EDGES)
def test_a_manifest_of_another_name(name: str, tmp_path: Path) -> None:
    site, port = Site(str(tmp_path)), free_port()
    for key in ("na+mes.json", "naames.json"):
        Path(site.path(key)).write_bytes(b"{}")
    static = replace(
        static_policy(site.root, PREFIX, ServeConfig(), RewriteConfig(), ("br",)), manifest_name="na+mes.json"
    )
    write, launch_edge = EDGES[name]
    with launch_edge(tmp_path, write(EdgePolicy("dedicated", static, listen=f"127.0.0.1:{port}")), port):
        wire = Wire(port)
        assert wire.ask("GET", "/static/na+mes.json", {}).status == 404
        assert wire.ask("GET", "/static/naames.json", {}).status == 200
        wire.close()


@pytest.mark.parametrize("name", EDGES)
def test_uploads_beside_static_files(name: str, tmp_path: Path) -> None:
    uploads = {"media/a.svg": "/media/a.svg", "shown/x.css": "/media/sh%20own/%C3%A9/x.css",
               "media/b.jpg": "/media/b.jpg", "streamed/logos/l.png": "/streamed/logos/l.png"}  # fmt: skip
    for key in (*uploads, "media/private/p.jpg"):
        path = tmp_path / "uploads" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(key.encode())
    site, port = Site(str(tmp_path)), free_port()
    static = static_policy(site.root, PREFIX, ServeConfig(**OPTIONS), RewriteConfig(), ("br", "gzip"))
    write, launch_edge = EDGES[name]
    more = {"modules": (*USUAL, "xsendfile")} if name == "apache" else {}
    mechanism = "x-sendfile" if name == "apache" else "x-accel-redirect"
    with bare_application(tmp_path) as application:
        policy = replace(
            policy_for(tmp_path / "uploads", mechanism, application), static=static, listen=f"127.0.0.1:{port}"
        )
        with launch_edge(tmp_path, write(policy), port, **more):
            wire = Wire(port)

            def ask(target: str) -> Answer:
                return wire.ask("GET", target, {"Accept-Encoding": "br"})

            for key, target in uploads.items():
                answer = ask(target)
                assert (answer.status, answer.body) == (200, key.encode())
                assert answer.get("x-content-type-options") == "nosniff"
                assert answer.get("access-control-allow-origin") is None
            assert "sandbox" in (ask("/media/a.svg").get("content-security-policy") or "")
            # The application says who may have these.
            for target in ("/media/private/p.jpg", "/streamed/x", "/page", "/static/none.css"):
                assert ask(target).body == APPLICATION, target
            for target in ("/media/.x", "/media/none", "/links/x", "/static/css/site.0123456789ab.css"):
                assert ask(target).status == 404, target
            answer = ask(site.hashed_url("css/site.css"))
            assert (answer.status, answer.body) == (200, FILES["css/site.css"].codings["br"])
            assert "immutable" in (answer.get("cache-control") or "")
            assert ask("/robots.txt").body == FILES["site-root/robots.txt"].codings["br"]
            wire.close()


def test_apache_keeps_what_the_application_answers(tmp_path: Path) -> None:
    """One answer for each coding, as long as the application says; and no 404 of a hashed name."""
    log = tmp_path / "asked.txt"
    port = free_port()
    with launch("waitress", "app", Path(Site(str(tmp_path)).root), log) as (behind, _):
        static = static_policy("/srv", PREFIX, ServeConfig(**OPTIONS), RewriteConfig(), ("br", "gzip"))
        policy = EdgePolicy("proxy", static, listen=f"127.0.0.1:{port}", application=f"http://127.0.0.1:{behind}")
        with run_apache(tmp_path, EDGES["apache"][0](policy), port):
            wire = Wire(port)
            css = "/static/" + hashed_name("css/site.css", digest_bytes(FILES["css/site.css"].body))
            for accept, coding, hit in (
                ("gzip, deflate, br, zstd", "br", "MISS"), ("br", "br", "HIT"), ("gzip", "gzip", "MISS"),
                ("gzip, br;q=0.0", "gzip", "HIT"), ("", None, "MISS"), ("", None, "HIT"),
            ):  # fmt: skip
                answer = wire.ask("GET", css, {"Accept-Encoding": accept})
                assert answer.status == 200
                assert answer.get("content-encoding") == coding, accept
                assert (answer.get("x-cache") or "").startswith(hit), (accept, answer.fields)
            for _ in range(2):
                answer = wire.ask("GET", "/static/css/site.0123456789ab.css", {})
                assert (answer.status, answer.get("cache-control")) == (404, "no-store")
                assert not (answer.get("x-cache") or "").startswith("HIT")
            assert wire.ask("GET", "/page", {}).body == APPLICATION
            wire.close()


@pytest.mark.parametrize("prefix", ["/static/", "/"])
def test_apache_keeps_nothing_that_is_one_visitors(tmp_path: Path, prefix: str) -> None:
    """RFC 9111 section 3; and what says nothing of keeping is kept by nobody, as in nginx."""
    port, long_ago = free_port(), format_datetime(datetime(2020, 11, 1, tzinfo=UTC), usegmt=True)
    uploads = tmp_path / "uploads" / "media"
    uploads.mkdir(parents=True)
    with bare_application(tmp_path, "echo") as application:
        static = static_policy("/srv", prefix, ServeConfig(**OPTIONS), RewriteConfig(), ("br", "gzip"))
        policy = EdgePolicy("proxy", static, listen=f"127.0.0.1:{port}", application=application)
        policy = replace(policy, media=policy_for(tmp_path / "uploads", "stream", application).media)
        with run_apache(tmp_path, EDGES["apache"][0](policy), port):
            wire = Wire(port)

            def twice(name: str, **said: str) -> tuple[Answer, Answer]:
                query = urlencode({key.replace("_", "-"): value for key, value in said.items()})
                first, second = (wire.ask("GET", f"/static/{name}?{query}", {}) for _ in range(2))
                return first, second

            for number, kept in enumerate(("max-age=60", "public, s-maxage=60", "max-age=60,must-revalidate")):
                first, second = twice(f"kept{number}", Cache_Control=kept)
                assert first.body == second.body, kept
                assert second.get("cache-control") == kept
            for number, other in enumerate((
                {"Cache_Control": "max-age=60", "Set_Cookie": "s=me"}, {"Set_Cookie": "s=me"},
                {"Cache_Control": "public, max-age=60", "Set_Cookie": "s=me", "ETag": '"a"'},
                {"Last_Modified": long_ago}, {"Last_Modified": long_ago, "Cache_Control": "public"},
                {"ETag": '"a"'}, {"Cache_Control": "no-store"}, {"Cache_Control": "private, max-age=60"},
            )):  # fmt: skip
                first, second = twice(f"other{number}", **other)
                assert first.body != second.body, other
                assert second.get("set-cookie") == other.get("Set_Cookie")
                assert second.get("cache-control") == first.get("cache-control")
                assert set(other.get("Cache_Control", "private").split(", ")) <= set(
                    (first.get("cache-control") or "").split(", ")
                )
            # Uploads that change are seen at once, and have the fields that they have elsewhere.
            for text in ("old", "newer"):
                (uploads / "a.txt").write_text(text)
                os.utime(uploads / "a.txt", (1_500_000_000, 1_500_000_000))
                answer = wire.ask("GET", "/media/a.txt", {})
                assert (answer.body, answer.get("cache-control")) == (text.encode(), None)
            wire.close()


@pytest.mark.parametrize("name", EDGES)
def test_what_the_application_is_told(name: str, tmp_path: Path) -> None:
    """RFC 9110 section 7.6.1: a client names the fields that are for the next hop alone, and ours are not its own."""
    with (
        bare_application(tmp_path, "echo") as application,
        start_edge(name, tmp_path, "static-server", application) as server,
    ):

        def told(**fields: str) -> dict[str, str]:
            given = {key.replace("_", "-"): value for key, value in fields.items()}
            body = server.wire.ask("GET", "/page", given).body.decode()
            return dict(line.split("=", 1) for line in body.splitlines()[1:])

        for fields in (
            {}, {"Connection": "X-Forwarded-Proto, x-forwarded-for"}, {"X_Forwarded_Host": "evil.example"},
            {"X_Forwarded_Proto": "https"}, {"Connection": "Upgrade, X-Forwarded-Proto", "Upgrade": "h2c"},
        ):  # fmt: skip
            found = told(**fields)
            assert (found["HOST"], found["X_FORWARDED_PROTO"]) == ("localhost", "http"), fields
            assert "evil" not in found.get("X_FORWARDED_HOST", "")
            assert found["X_FORWARDED_FOR"] == "127.0.0.1"
            assert "UPGRADE" not in found, fields
        if name == "caddy":
            assert told(Connection="Upgrade", Upgrade="WebSocket")["UPGRADE"].lower() == "websocket"
        assert "UPGRADE" not in told(Connection="Upgrade, HTTP2-Settings", Upgrade="h2c", HTTP2_Settings="AAMAAABk")
        assert told(Connection="close")["X_FORWARDED_PROTO"] == "http"


def test_an_application_behind_tls(tmp_path: Path, certificates: tuple[Path, Path]) -> None:
    """What nobody has signed that Apache knows of."""
    port, media = free_port(), policy_for(tmp_path / "uploads", "stream", "").media
    with running_bucket(certificates[0]) as application:
        policy = EdgePolicy("static-server", STATICS[0], media, "", f"127.0.0.1:{port}", application.url)
        text = EDGES["apache"][0](policy)
        assert " ssl" in text.splitlines()[1]
        with run_apache(tmp_path, text, port, (*USUAL, "ssl")):
            wire = Wire(port)
            for path in ("/page", "/media/private/x"):
                assert wire.ask("GET", path, {}).status == 404
                assert application.asked[-1].path == path
            wire.close()


BUNDLED = RewriteConfig(bundled_names=("vendor/*", "[!a]?x-*", 'a"[b"]*'))
STATICS = [
    static_policy(root, prefix, ServeConfig(**options), BUNDLED, codings)
    for root, prefix, options, codings in (
        ("/srv/static", "/static/", {}, ("br", "gzip")),
        ("/srv/st atic é", "/", OPTIONS, ("br", "zstd", "gzip")),
        ("/srv/static", "/a b+é/", {**OPTIONS, "cache_tags": "Surrogate-Key"}, ()),
        ("/srv/static", "/static/", {
            "cache_tags": "Cache-Tag", "index_file": "in dex.html", "single_page": "a,b.html", "charset": "",
            "root_files": {"/a,b": "c,d]e", "/static/x": "y", '/"q" ': "q"},
            "media_types": {".é": 'text/x; a="b c"', "a b": "text/b"},
            "headers": {"?[!b]é*": {"Report-To": '{"a": "b#c"}', "X-A": "${HOME} 100% \\"}, "*#'\"": {"X-A": None}},
            "add_headers": "os.path.join",
        }, ("gzip",)),
    )
]  # fmt: skip


def shapes() -> Iterator[EdgePolicy]:
    """Every mode, with and without what is optional."""
    for static in (None, *STATICS):
        for mode, application in (("static-server", "http://127.0.0.1:9"), ("proxy", "http://[::1]:9"),
                                  ("dedicated", "")):  # fmt: skip
            yield EdgePolicy(mode, static, listen="127.0.0.1:8099", application=application, max_upload=10**7)
    yield EdgePolicy("dedicated", STATICS[0], host="static.example.com")


@pytest.mark.parametrize("name", EDGES)
def test_every_shape_is_valid(name: str, tmp_path: Path) -> None:
    check = {"apache": check_apache, "caddy": check_caddy}[name]
    for policy in shapes():
        text = EDGES[name][0](policy)
        assert not check(tmp_path, text), text
