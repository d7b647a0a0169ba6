"""Purging the real Varnish with the VCL of docs/purging.md: the contract, several servers, and who does not answer."""

from __future__ import annotations

import http.client
import re
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.edge.cdn_rules.varnish import texts as vcl
from shipfiles.edge.policy import EdgePolicy, static_policy
from shipfiles.edge.purger import Purger
from shipfiles.edge.varnish import Varnish, expression
from shipfiles.errors import ConfigError, PurgeError
from shipfiles.http.tags import tag_of, tags_of
from shipfiles.testing.purger import PurgerContract
from tests.guides import FOLDER, blocks

from .servers import free_port
from .varnish import run_varnish

pytestmark = pytest.mark.services

SITE = "https://www.example.com"
SECRET = "secret-that-the-vcl-wants"
_VCL = """\
vcl 4.1;
import std;
backend default {{ .host = "127.0.0.1"; .port = "{origin}"; }}
sub vcl_recv {{
    # What the tests want to know, and what they want to go wrong.
    if (req.http.X-Look) {{ return (hash); }}
    if (std.file_exists("{folder}/refusing")) {{ return (synth(403)); }}
    if (req.url ~ "^/slow/") {{ return (pass); }}
    if (req.http.X-Let-By == "pass") {{ return (pass); }}
    if (req.http.X-Let-By == "pipe") {{ return (pipe); }}
    if (req.http.X-Want-Secret && req.http.X-Secret != "{secret}") {{ return (synth(403, req.http.X-Secret)); }}
}}
sub vcl_miss {{ if (req.http.X-Look) {{ return (synth(404)); }} }}
{guide}
"""
_LOOK = """
sub vcl_miss { if (req.http.X-Look) { return (synth(404)); } }
"""


class Origin:
    """Behind Varnish: it answers everything that is asked with 200, whatever the method."""

    def __init__(self) -> None:
        self.tags: dict[str, Sequence[str]] = {}
        """Path → the tags of the answer."""
        self.methods: list[str] = []
        self.waits = threading.Event()
        self.waits.set()
        origin = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *arguments: Any) -> None:
                """Say nothing."""

            def answer(self) -> None:
                origin.waits.wait(10)
                origin.methods.append(self.command)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.send_header("Cache-Control", "max-age=3600")
                if tags := origin.tags.get(self.path):
                    self.send_header("Cache-Tag", ",".join(tags))
                self.end_headers()
                self.wfile.write(b"ok")

            do_GET = do_PURGE = do_BAN = answer

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *arguments: Any) -> None:
                """Who has gone away is part of the tests."""

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port


class Cache:
    """One Varnish before the origin."""

    def __init__(self, origin: Origin, port: int, folder: Path) -> None:
        self.origin, self.port, self.folder = origin, port, folder
        self.url = f"http://127.0.0.1:{port}"
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def ask(self, url: str, **headers: str) -> int:
        """The status of the answer to ``url``."""
        parts = urlsplit(url)
        self._connection.request("GET", url.partition(parts.netloc)[2], headers={"Host": parts.netloc, **headers})
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def keep(self, url: str, tags: Sequence[str] = ()) -> None:
        """As `shipfiles.testing.purger.Front` has it."""
        self.origin.tags[url.partition(urlsplit(url).netloc)[2]] = tags
        assert self.ask(url) == 200

    def has(self, url: str) -> bool:
        """As `shipfiles.testing.purger.Front` has it."""
        return self.ask(url, **{"X-Look": "1"}) == 200

    def refuse(self, yes: bool) -> None:
        """As `shipfiles.testing.purger.Front` has it."""
        mark = self.folder / "refusing"
        if yes:
            mark.touch()
        else:
            mark.unlink(missing_ok=True)

    def close(self) -> None:
        self._connection.close()


@contextmanager
def cache_before(origin: Origin, folder: Path) -> Iterator[Cache]:
    """Varnish with the VCL of the guide and a little of the tests' own."""
    (guide,) = [one.text for one in blocks(FOLDER.parent / "purging.md") if one.name == "varnish_purge"]
    port = free_port()
    with run_varnish(folder, _VCL.format(origin=origin.port, folder=folder, secret=SECRET, guide=guide), port):
        cache = Cache(origin, port, folder)
        yield cache
        cache.close()


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    origin = Origin()
    threading.Thread(target=origin.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield origin
    origin.server.shutdown()
    origin.server.server_close()


@pytest.fixture(scope="module")
def running(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    with cache_before(origin, tmp_path_factory.mktemp("varnish")) as cache:
        yield cache


@pytest.fixture
def cache(running: Cache) -> Iterator[Cache]:
    """One Varnish for all tests, with nothing in it."""
    Varnish((running.url,)).purge_all(reference="before")
    yield running
    running.refuse(False)


class TestVarnish(PurgerContract):
    many = 300  # each is a request
    secrets = (SECRET,)

    @pytest.fixture
    def front(self, cache: Cache) -> Cache:
        return cache

    @pytest.fixture
    def purger(self, cache: Cache) -> Purger:
        return Varnish((cache.url,), headers={"X-Secret": SECRET, "X-Want-Secret": "1"})


def test_hosts_are_kept_apart(cache: Cache) -> None:
    """As Varnish does by itself: the Host is that of the URL, with its port."""
    urls = [f"https://{host}/a.css" for host in ("www.example.com", "static.example.com", "static.example.com:8443")]
    for url in urls:
        cache.keep(url)
    Varnish((f"{cache.url}/",)).purge(urls[2:], reference="r1")
    assert [cache.has(url) for url in urls] == [True, True, False]


@pytest.mark.parametrize("way", ["pass", "pipe"])
def test_what_the_application_answers_is_no_purge(cache: Cache, way: str) -> None:
    """A VCL that does not know PURGE gives it on: many an application answers 200 to whatever it does not know."""
    cache.keep(f"{SITE}/a.css")
    purger = Varnish((cache.url,), headers={"X-Let-By": way})
    cache.origin.methods.clear()
    for purge in (
        lambda: purger.purge([f"{SITE}/a.css"], reference="r1"),
        lambda: purger.purge_tags(["static"], reference="r1"),
        lambda: purger.purge_all(reference="r1"),
    ):
        with pytest.raises(PurgeError, match="not from Varnish itself"):
            purge()
    assert cache.origin.methods == ["PURGE", "BAN", "BAN"]
    assert cache.has(f"{SITE}/a.css")


def test_who_may_not_is_told_so_without_the_secret(cache: Cache) -> None:
    """Even if the answer has it."""
    purger = Varnish((cache.url,), headers={"X-Secret": "wrong-secret", "X-Want-Secret": "1"})
    with pytest.raises(PurgeError, match="its VCL must allow it") as error:
        purger.purge([f"{SITE}/a.css"], reference="r1")
    assert "wrong-secret" not in f"{error.value}"


def test_all_servers_are_asked_and_each_that_fails_is_named(
    origin: Origin, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that refuses, one that is not there, one that never answers: the others forget all the same, in time."""
    # No proxy is asked: it would not know these addresses, or be the way around the ACL.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    urls = [f"{SITE}/{number}.css" for number in range(20)]
    with cache_before(origin, tmp_path / "second") as second, socket.create_server(("127.0.0.1", 0)) as silent:
        for url in urls:
            cache.keep(url)
            second.keep(url)
        assert Varnish((cache.url, second.url)).purge(urls, reference="r1").requests == 40
        assert not any(one.has(url) for one in (cache, second) for url in urls)
        for url in urls:
            cache.keep(url)
            second.keep(url)
        second.refuse(True)
        nobody = f"127.0.0.1:{free_port()}"
        never = f"127.0.0.1:{silent.getsockname()[1]}"
        purger = Varnish((f"http://{never}", f"http://{nobody}", second.url, cache.url), time_limit=1)
        with pytest.raises(PurgeError) as error:
            purger.purge(urls, reference="r1")
        assert list(error.value.left) == urls
        for server in (nobody, f"127.0.0.1:{second.port}"):
            assert f"{server} " in str(error.value).partition(": ")[2]
        assert not any(map(cache.has, urls))
        second.refuse(False)
        assert all(map(second.has, urls))


def test_only_some_urls_are_left(cache: Cache) -> None:
    """Those that were not done when the time was over."""
    urls = [f"{SITE}/{number}.css" for number in range(40)]
    for url in urls:
        cache.keep(url)
    cache.origin.waits.clear()
    try:
        purger = Varnish((cache.url,), time_limit=1)
        slow = [f"{SITE}/slow/a.css"]
        with pytest.raises(PurgeError) as error:
            purger.purge([*urls, *slow], reference="r1")
        assert list(error.value.left) == slow
    finally:
        cache.origin.waits.set()
    assert not any(map(cache.has, urls))


def test_the_vcl_that_ship_config_writes(origin: Origin, tmp_path: Path) -> None:
    """It forgets what it is told, in all codings, and nothing else; by URL, by tag, everything."""
    serve = ServeConfig(cache_tags="Cache-Tag")
    static = static_policy("/srv/static", "/static/", serve, RewriteConfig(), ("br", "gzip"))
    policy = EdgePolicy("proxy", static, application=f"http://127.0.0.1:{origin.port}")
    port = free_port()
    with run_varnish(tmp_path, vcl(policy)["default.vcl"] + _LOOK, port):
        cache = Cache(origin, port, tmp_path)
        urls = [f"{SITE}/static/{name}" for name in ("a%20b.css", "a.css", "c/d.css", "e.0123456789ab.css")]
        codings = ("br", "gzip", "identity")
        tags = [tags_of(name, immutable=name.startswith("e.")) for name in ("a b.css", "a.css", "c/d.css", "e.css")]

        def keep() -> None:
            for url, known_by in zip(urls, tags, strict=True):
                origin.tags[urlsplit(url).path] = known_by
                assert {cache.ask(url, **{"Accept-Encoding": coding}) for coding in codings} == {200}
            assert kept() == urls

        def kept() -> list[str]:
            looked = {"X-Look": "1"}
            return [
                url for url in urls if 200 in {cache.ask(url, **looked, **{"Accept-Encoding": one}) for one in codings}
            ]

        purger = Varnish((cache.url,))
        keep()
        assert purger.purge(urls[:1], reference="r1").requests == 1
        assert kept() == urls[1:]
        keep()
        purger.purge_tags([tag_of("c/d.css"), tag_of("a b.css")], reference="r2")
        assert kept() == [urls[1], urls[3]]
        purger.purge_tags(["static"], reference="r3")
        assert kept() == []
        keep()
        purger.purge_all(reference="r4")
        assert kept() == []
        cache.close()


TAGS = ["static", "static:css/app.css", "static:a+b$.css", "static:a~b!c*d=e@f.css", "static:%41pp.css"]


@pytest.mark.parametrize("between", [",", " ", ", "])
def test_the_expression_of_a_ban_fits_whole_tags(between: str) -> None:
    """Varnish has it from us as it is; by Python's own expressions here, by its own in the contract."""
    for tag in TAGS:
        pattern = expression([tag])
        assert not set(' "\\') & set(pattern)
        for field, fits in (
            (tag, True), (between.join(("x", tag)), True), (between.join((tag, "x")), True),
            (between.join(("x", tag, "y")), True), (f"x{tag}", False), (f"{tag}x", False), (f"{tag}.map", False),
            (between.join((f"x{tag}", f"{tag}-")), False), (tag.replace(".", "x") if "." in tag else "x", False),
        ):  # fmt: skip
            assert bool(re.search(pattern, field)) is fits, (pattern, field)
    assert all(re.search(expression(TAGS), tag) for tag in TAGS)


def test_tags_with_all_that_names_have(cache: Cache) -> None:
    """PCRE and the parser of bans read them as they are meant."""
    for number, tag in enumerate(TAGS):
        cache.keep(f"{SITE}/{number}.css", [tag])
    for number, tag in enumerate(TAGS):
        Varnish((cache.url,)).purge_tags([tag], reference="r1")
        assert [cache.has(f"{SITE}/{other}.css") for other in range(len(TAGS))] == [
            other > number for other in range(len(TAGS))
        ]


@pytest.mark.parametrize("tag", ["", "a b", 'a" && obj.status != "0', "a\\", "a\r\nBan-All: 1", "a|b", "é"])
def test_what_is_no_tag_is_no_part_of_a_ban(cache: Cache, tag: str) -> None:
    """It could ban anything."""
    cache.keep(f"{SITE}/a.css", ["static"])
    with pytest.raises(PurgeError, match="is no tag") as error:
        Varnish((cache.url,)).purge_tags(["static", tag], reference="r1")
    assert error.value.left == ("static", tag)
    assert cache.has(f"{SITE}/a.css")


@pytest.mark.parametrize(
    "options",
    [
        {"servers": ()}, {"servers": ("10.0.0.5:6081",)}, {"servers": ("ftp://10.0.0.5",)},
        {"servers": ("http://user:hidden@10.0.0.5",)}, {"servers": ("http://10.0.0.5/folder?",)},
        {"servers": ("http://a#x",)}, {"servers": ("http://a b",)}, {"servers": ("http://[::1",)}, {"servers": ("http://a:b",)},
        {"servers": ("http://a",), "headers": {"Host": "hidden"}}, {"servers": ("http://a",), "headers": "hidden"},
        {"servers": ("http://a",), "headers": {"X": "hidden\r\nY: 1"}}, {"servers": ("http://a",), "headers": {"X": 5}},
        {"servers": ("http://a",), "headers": {"X Y": ""}},
    ],
)  # fmt: skip
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    """None of them shows a secret."""
    with pytest.raises(ConfigError) as error:
        Varnish(**options)
    assert "hidden" not in str(error.value)


def test_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is purged."""
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(ConfigError, match=r"pip install 'shipfiles\[varnish\]'"):
        Varnish(("http://127.0.0.1",))
