"""A real cache before a bucket and before the application, with the VCL that is generated; what the origin is asked is
counted there."""

from __future__ import annotations

import gzip
import hashlib
import http.client
import itertools
import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, quote, urlencode

import brotli
import pytest

from shipfiles.config import Coding, CompressConfig, RewriteConfig, ServeConfig
from shipfiles.edge import nginx as written
from shipfiles.edge.cdn_rules import varnish
from shipfiles.edge.policy import EdgePolicy, static_policy
from shipfiles.edge.varnish import Varnish
from shipfiles.http.negotiation import preferred
from shipfiles.release.items import Shape
from shipfiles.release.publish import publish
from shipfiles.release.send import send
from shipfiles.release.target import Target
from shipfiles.stores.local import LocalStore
from shipfiles.stores.opening import open_store
from shipfiles.testing import APPLICATION

from .cdn import Bucket, make_bucket, nginx
from .nginx import run_nginx
from .object_servers import S3_KEY
from .proxy import Proxy, proxied
from .servers import free_port, launch
from .sites import built
from .varnish import run_varnish

pytestmark = pytest.mark.services

BOTH: tuple[Coding, ...] = ("br", "gzip")
ACCEPTED = (
    None, "", "gzip", "br", "gzip, br", "br, gzip", "gzip, deflate, br, zstd", "br;q=0, gzip", "gzip;q=0", "identity",
    "br;q=0.5, gzip;q=0", "x-gzip", "*;q=0", "deflate",
)  # fmt: skip
UNDO: Mapping[str | None, Callable[[bytes], bytes]] = {
    None: bytes, "br": brotli.decompress, "gzip": gzip.decompress,
}  # fmt: skip
FIRST = {
    "css/site.css": b".a { background: url(../img/a.svg) }\n" + b"/* padding */\n" * 60,
    "img/a.svg": b"<svg xmlns='http://www.w3.org/2000/svg'>" + b"<g/>" * 200 + b"</svg>",
    "js/app.js": b"export default 1;\n" * 60,
    "a b/tiny.txt": b"a",
    "logo.png": hashlib.sha256(b"").digest() * 50,
    "gone.txt": b"gone\n" * 100,
}
SECOND = {**FIRST, "js/app.js": b"export default 2;\n" * 60, "new.txt": b"new\n" * 100}
del SECOND["gone.txt"]
CHANGED = ("js/app.js", "gone.txt", "new.txt")


@dataclass
class Answer:
    status: int
    fields: Mapping[str, str]
    body: bytes

    @property
    def coding(self) -> str | None:
        return self.fields.get("content-encoding")


def ask(port: int, path: str, accepted: str | None = None, method: str = "GET", **fields: str) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.putrequest(method, path, skip_accept_encoding=True, skip_host="Host" in fields)
        for name, value in {**fields, **({} if accepted is None else {"Accept-Encoding": accepted})}.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read())
    finally:
        connection.close()


@dataclass
class Edge:
    """Varnish with an origin of which it is told what it is asked."""

    origin: str
    port: int
    proxy: Proxy
    publish: Callable[[str], Mapping[str, str]]
    """Make the release of that name the current one: logical path → hashed name."""
    bucket: str = ""
    """Its name, if the origin is one."""
    names: dict[str, Mapping[str, str]] = field(default_factory=dict)
    """Release → the same."""
    sources: Mapping[str, bytes] = field(default_factory=lambda: FIRST)
    """Of the current release."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/static/{quote(path)}"

    def get(self, path: str, accepted: str | None = None, method: str = "GET", **fields: str) -> Answer:
        return ask(self.port, path, accepted, method, **fields)

    def file(self, path: str, accepted: str | None = None, **more: str) -> Answer:
        return self.get(f"/static/{quote(path)}", accepted, **more)

    def asked(self) -> Counter[str]:
        """What the origin was asked since the last time, without the folder in the bucket: path → how often."""
        found = Counter(asked.path.partition("/static/")[2] for asked in self.proxy.asked)
        self.proxy.clear()
        return found


@pytest.fixture(scope="module", params=["bucket", "application"])
def edge(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    folder = tmp_path_factory.mktemp("edge")
    local = LocalStore(str(folder / "local"))
    compress = CompressConfig(brotli_quality=4, gzip_level=6)
    sources = {"first": FIRST, "second": SECOND}
    with ExitStack() as stack:

        def made(name: str) -> str:
            return publish(built(folder / name, sources[name]), local, compress, workers=1).release

        name = ""
        if request.param == "bucket":
            bucket = make_bucket(request.getfixturevalue("seaweed"))
            options = {**S3_KEY, "endpoint_url": bucket.server, "region_name": "us-east-1"}
            name = bucket.name
            store = open_store(f"s3://{bucket.name}/static", "the store", options)
            proxy = stack.enter_context(proxied(bucket.server))
            place = {"bucket": f"{proxy.url}/{bucket.name}/static/"}

            def deliver(release: str) -> None:
                send(local, release, Target(store, Shape(variants=True)))
        else:
            running = stack.enter_context(ExitStack())
            # It is told below where the server is.
            proxy = stack.enter_context(proxied("http://127.0.0.1:9"))
            place = {"application": proxy.url}

            def deliver(release: str) -> None:
                running.close()
                started = launch("gunicorn-gthread", "middleware", Path(local.root), folder / f"{release}.txt")
                port, _ = running.enter_context(started)
                proxy.target = ("127.0.0.1", port)

        static = static_policy("", "/static/", ServeConfig(), RewriteConfig(), BOTH)
        text = varnish.texts(EdgePolicy("proxy", static, **place))["default.vcl"]
        port = stack.enter_context(run_varnish(folder / "varnish", text, free_port()))

        def publishing(name: str) -> Mapping[str, str]:
            deliver(made(name))
            found: Mapping[str, str] = json.loads((Path(local.root) / "staticfiles.json").read_text())["paths"]
            return found

        found = Edge(request.param, port, proxy, publishing, name)
        found.names["first"] = found.publish("first")
        proxy.clear()
        yield found


def test_codings_are_kept_apart(edge: Edge) -> None:
    """In any order, twice, so that the second comes from the cache; RFC 9110, section 12.5.3, has what may be sent."""
    for logical, hashed in edge.names["first"].items():
        plain = edge.file(hashed, "identity").body
        assert logical == "css/site.css" or plain == FIRST[logical]
        for accepted in [*ACCEPTED, *reversed(ACCEPTED)]:
            for name in (hashed, logical) if logical in edge.sources else (hashed,):
                answer = edge.file(name, accepted)
                assert answer.status == 200, (name, accepted)
                assert answer.coding in {None, *preferred(accepted, BOTH)}, (name, accepted)
                body = UNDO[answer.coding](answer.body)
                assert body == (plain if name == hashed else edge.sources[logical]), (name, accepted)
            # A file that is worth it comes in the best coding that the client takes.
            if len(plain) > 500 and logical != "logo.png":
                best = preferred(accepted, BOTH)[0]
                answer = edge.file(hashed, accepted)
                assert answer.coding == (None if best == "identity" else best), (hashed, accepted)
                assert answer.fields["vary"] == "Accept-Encoding"


def test_hashed_files_are_never_fetched_twice(edge: Edge) -> None:
    names = [*edge.names["first"].values()]
    for name in names:
        for accepted in ("br", "gzip", "identity"):
            edge.file(name, accepted)
    edge.asked()
    for name in names:
        for accepted in ACCEPTED:
            answer = edge.file(name, accepted)
            assert answer.fields["cache-control"] == "max-age=31536000, public, immutable"
            assert answer.fields["access-control-allow-origin"] == "*"
            assert answer.fields["x-content-type-options"] == "nosniff"
            assert "set-cookie" not in answer.fields
        # None of these makes another copy.
        edge.file(name, "br", Cookie="session=1")
        edge.file(name, "br", Origin="https://other.example")
        edge.file(name, "br", Authorization="Basic eDp5")
        edge.file(name, "br", Host="other.example")
        edge.file(name, "br", Cache_Control="no-cache", Pragma="no-cache")
        edge.file(name, "br", Range="bytes=0-0")
        edge.file(name, "br", X_Static_Coding="gzip")
        edge.get(f"/static/{quote(name)}?{quote(name)}", "br")
        edge.file(name, "br", method="HEAD")
        assert edge.file(name, "br", If_None_Match=edge.file(name, "br").fields["etag"]).status == 304
    assert edge.asked() == {}


def test_a_crowd_makes_one_request(edge: Edge) -> None:
    name = edge.names["first"]["js/app.js"]
    Varnish(servers=(f"http://127.0.0.1:{edge.port}",)).purge([edge.url(name)], reference="crowd")
    edge.asked()
    edge.proxy.set(delay=0.05)
    crowd = [threading.Thread(target=edge.file, args=(name, "gzip, br")) for _ in range(12)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    edge.proxy.set()
    assert sum(edge.asked().values()) == 1


def test_what_nobody_may_see(edge: Edge) -> None:
    for path in ("/static/.shipfiles/current.json", "/static/%2eshipfiles/current.json", "/static/css/.env",
                 "/static/staticfiles.json", "/static/%73taticfiles%2Ejson", "/static//staticfiles.json",
                 "/static/site-root/.well-known/..%2f..%2f.shipfiles/current.json"):  # fmt: skip
        answer = edge.get(path)
        if edge.origin == "bucket":
            assert (answer.status, answer.fields["cache-control"]) == (404, "no-store"), path
        else:  # it is up to the application, whose view answers everything
            assert answer.body == APPLICATION
    for method in ("PUT", "DELETE", "POST"):
        assert edge.file(edge.names["first"]["js/app.js"], method=method).status in (405, 403)


def test_a_deploy(edge: Edge) -> None:
    """Names that are asked for too early are not kept as missing, and a purge takes what it says and nothing else."""
    old = edge.names["first"]
    early = {name: digest for name, digest in _names_of_second(edge).items() if name in ("js/app.js", "new.txt")}
    for name in early.values():
        for accepted in ("br", "identity", "br"):
            answer = edge.file(name, accepted)
            assert (answer.status in (403, 404), answer.fields["cache-control"]) == (True, "no-store")
    everything = [*FIRST, *old.values()]
    for name in everything:
        for accepted in ("br", "gzip", "identity"):
            edge.file(name, accepted)
    missing = edge.file("new.txt").body
    assert missing != SECOND["new.txt"]
    edge.asked()

    new = edge.names["second"] = edge.publish("second")
    edge.sources = SECOND
    assert {name: new[name] for name in early} == early
    edge.asked()
    # At once, without a purge.
    assert edge.file("new.txt").body == SECOND["new.txt"]
    for logical, name in early.items():
        for accepted in ("br", "identity", "gzip"):
            answer = edge.file(name, accepted)
            assert (answer.status, UNDO[answer.coding](answer.body)) == (200, SECOND[logical])
    edge.asked()
    # What was there stays, until it is purged.
    kept = edge.file("js/app.js", "br")
    assert UNDO[kept.coding](kept.body) == FIRST["js/app.js"]
    assert edge.asked() == {}

    purger = Varnish(servers=(f"http://127.0.0.1:{edge.port}",))
    purger.purge([edge.url(logical) for logical in CHANGED], reference="second")
    for name in [*everything, "new.txt", *new.values()]:
        for accepted in ("br", "gzip", "identity"):
            answer = edge.file(name, accepted)
            if name in SECOND and name in CHANGED:
                assert UNDO[answer.coding](answer.body) == SECOND[name]
            elif name == "gone.txt" and edge.origin == "application":
                assert answer.body == missing
    assert {_logical(name) for name in edge.asked()} == {*CHANGED}
    purger.purge_all(reference="all")
    edge.file(new["logo.png"])
    assert edge.asked() == {quote(new["logo.png"]): 1}


def _logical(path: str) -> str:
    """The path of the file, of a request at the origin: variants are asked for in a bucket."""
    return path.removesuffix(".br").removesuffix(".gz")


def _names_of_second(edge: Edge) -> Mapping[str, str]:
    from shipfiles.digest import digest_bytes, hashed_name

    return {logical: hashed_name(logical, digest_bytes(SECOND[logical])) for logical in CHANGED if logical in SECOND}


def test_an_origin_that_fails(edge: Edge) -> None:
    """What is kept is shown though it is too old, rather than an error; and an error is not kept."""
    name = edge.names["first"]["js/app.js"]
    edge.file(name, "br")
    target, edge.proxy.target = edge.proxy.target, ("127.0.0.1", 9)
    for transport in [*edge.proxy.open]:
        edge.proxy.loop.call_soon_threadsafe(transport.abort)
    assert edge.file(name, "br").status == 200
    failed = edge.file("css/other.0123456789ab.css", "br")
    assert (failed.status, failed.fields["cache-control"]) == (503, "no-store")
    edge.proxy.target = target
    assert edge.file("css/other.0123456789ab.css", "br").status in (403, 404)


def test_nginx_as_the_cache(edge: Edge, tmp_path: Path) -> None:
    """The one of the guide has one copy of each file of a bucket and packs it for who wants that."""
    if edge.origin != "bucket":
        pytest.skip("before an application there is the written one")
    with nginx(tmp_path / "nginx", Bucket(edge.proxy.url, edge.bucket, None)) as port:
        through = replace(edge, port=port)
        plain = {name: edge.file(name, "identity").body for name in edge.names["first"].values()}
        edge.asked()
        for accepted in [*ACCEPTED, *reversed(ACCEPTED)]:
            for name, body in plain.items():
                answer = through.file(name, accepted, Cookie="session=1", Origin="https://other.example")
                assert (answer.status, answer.fields["access-control-allow-origin"]) == (200, "*")
                assert answer.coding in {None, *preferred(accepted, BOTH)}, (name, accepted)
                assert UNDO[answer.coding](answer.body) == body
        assert edge.asked() == {quote(name): 1 for name in plain}
        late = through.file("late.0123456789ab.css")
        assert late.status in (403, 404)


@contextmanager
def nginx_before(origin: str, folder: Path) -> Iterator[int]:
    """nginx as ``--mode proxy`` configures it before the application at ``origin``. Gives its port."""
    static, port = static_policy("", "/static/", ServeConfig(), RewriteConfig(), BOTH), free_port()
    text = written.configuration(EdgePolicy("proxy", static, listen=f"127.0.0.1:{port}", application=origin))
    with run_nginx(folder, text.replace("/var/cache/", f"{folder}/"), port):
        yield port


def test_the_written_nginx_before_the_application(edge: Edge, tmp_path: Path) -> None:
    """A copy for each Accept-Encoding, which is fetched once; and no 404 of a hashed name is kept."""
    if edge.origin != "application":
        pytest.skip("it is for applications")
    with nginx_before(edge.proxy.url, tmp_path) as port:
        through = replace(edge, port=port)
        names = [*edge.names["first"].values()]
        plain = {name: edge.file(name, "identity").body for name in names}
        edge.asked()
        for accepted in [*ACCEPTED, *reversed(ACCEPTED)]:
            for name in names:
                answer = through.file(name, accepted, Cookie="session=1", Origin="https://other.example")
                fields = answer.fields
                assert (answer.status, fields["cache-control"]) == (200, "max-age=31536000, public, immutable")
                assert (fields["access-control-allow-origin"], fields["x-content-type-options"]) == ("*", "nosniff")
                assert answer.coding in {None, *preferred(accepted, BOTH)}, (name, accepted)
                assert UNDO[answer.coding](answer.body) == plain[name]
        asked = edge.asked()
        assert {*asked} == {quote(name) for name in names}
        # A file without variants does not vary.
        assert asked[quote(edge.names["first"]["logo.png"])] == 1
        assert max(asked.values()) <= len(ACCEPTED)
        name = edge.names["first"]["css/site.css"]
        for more in ({"Authorization": "Basic eDp5"}, {"Cache_Control": "no-cache"}, {"Range": "bytes=0-0"}):
            assert through.file(name, "br", **more).status in (200, 206)
        assert through.file(name, "br", method="HEAD").status == 200
        assert through.file(name, "br", If_None_Match=through.file(name, "br").fields["etag"]).status == 304
        assert edge.asked() == {}
        for _ in range(3):
            late = through.file("late.0123456789ab.css", "br")
            assert (late.status, late.fields["cache-control"]) == (404, "no-store")
        assert edge.asked() == {"late.0123456789ab.css": 3}
        assert through.get("/page").body == APPLICATION


_TOLD = ("Host", "Upgrade", "Connection")


class Echo(BaseHTTPRequestHandler):
    """Answers with the fields that the query names, and with what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        said = [f"{name}={self.headers[name]}" for name in (*_TOLD, "X-Forwarded-Host", "Authorization", "Cookie")]
        body = "\n".join([str(next(self.server.numbers)), *said]).encode()  # type: ignore[attr-defined]
        self.send_response(200)
        for name, value in parse_qsl(self.path.partition("?")[2]):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


ONE, OTHER = {"Host": "a.example"}, {"Host": "b.example"}
PERSONAL = {"Authorization": "Basic YTpi"}


@pytest.mark.parametrize(("said", "first", "then", "is_kept"), [
    ({"Cache-Control": "max-age=60"}, {}, {}, True),
    ({"Cache-Control": "max-age=60"}, ONE, ONE, True),
    # RFC 9111, section 4: the whole URI is the key, with its host.
    ({"Cache-Control": "max-age=60"}, ONE, OTHER, False),
    # Section 3.5.
    ({"Cache-Control": "max-age=60"}, PERSONAL, {}, False),
    ({"Cache-Control": "max-age=60, public"}, PERSONAL, {}, True),
    ({"Cache-Control": "max-age=60, x-public"}, PERSONAL, {}, False),
    ({"Cache-Control": "max-age=60", "Set-Cookie": "session=1"}, {}, {}, False),
    ({"Cache-Control": "max-age=60, private"}, {}, {}, False),
    ({"Cache-Control": "no-store"}, {}, {}, False),
    ({}, {}, {}, False),
    ({"Cache-Control": "max-age=60", "Vary": "Cookie"}, {"Cookie": "a=1"}, {"Cookie": "a=2"}, False),
    ({"Cache-Control": "max-age=60", "Vary": "*"}, {}, {}, False),
])  # fmt: skip
def test_what_the_written_nginx_keeps(
    said: dict[str, str], first: dict[str, str], then: dict[str, str], *, is_kept: bool, echoed: int
) -> None:
    path = f"/static/{secrets.token_hex(4)}?{urlencode(said)}"
    answers = [ask(echoed, path, None, **{"X_Forwarded_Host": "evil.example", **fields}) for fields in (first, then)]
    assert [answer.status for answer in answers] == [200, 200]
    assert (answers[0].body == answers[1].body) is is_kept
    assert b"evil" not in answers[0].body


def test_what_the_written_nginx_hands_on(echoed: int) -> None:
    """WebSockets and no other protocol; and the host of the request's target (RFC 9112, section 3.2.2)."""
    for path in ("/page", "/static/x"):
        for protocol, told in (("h2c", ["None", "None"]), ("WebSocket", ["websocket", "upgrade"])):
            answer = ask(echoed, path, None, Connection="Upgrade", Upgrade=protocol)
            assert answer.body.decode().split("\n")[2:4] == [f"Upgrade={told[0]}", f"Connection={told[1]}"], protocol
    for target, host, told in (
        ("/page", "a.example:81", "a.example:81"),
        ("http://a.example/", "b.example", "a.example"),
    ):
        assert ask(echoed, target, None, Host=host).body.decode().split("\n")[1] == f"Host={told}"


@pytest.fixture(scope="module")
def echoed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of the written nginx before `Echo`."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.numbers = itertools.count()  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with server, nginx_before(f"http://127.0.0.1:{server.server_port}", tmp_path_factory.mktemp("echo")) as port:
        yield port
        server.shutdown()
