"""Purging Cloudflare and Fastly: the contract, and what goes wrong between us and their APIs."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from shipfiles.config import PurgeConfig
from shipfiles.edge.cloudflare import Cloudflare
from shipfiles.edge.fastly import Fastly
from shipfiles.edge.opening import open_purgers
from shipfiles.edge.purger import Purged, Purger
from shipfiles.errors import ConfigError, PurgeError
from shipfiles.testing.purger import PurgerContract
from tests.bucket import Answer, Asked, Fault, stalls

from .cdn_apis import SERVICE, SITE, TOKEN, ZONE, Api, CloudflareApi, FastlyApi, cloudflare_error, running, told

CSS = [f"{SITE}/static/{number}.css" for number in range(250)]


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a token nor a proxy of whoever runs this."""
    for name in ("CLOUDFLARE_API_TOKEN", "FASTLY_API_KEY", "FASTLY_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def cloudflare() -> Iterator[CloudflareApi]:
    with running(CloudflareApi()) as api:
        yield api


@pytest.fixture
def fastly() -> Iterator[FastlyApi]:
    with running(FastlyApi()) as api:
        yield api


def to_cloudflare(api: CloudflareApi, **options: Any) -> Cloudflare:
    return Cloudflare(**{"zone_id": ZONE, "api_token": TOKEN, "endpoint_url": api.endpoint} | options)


def to_fastly(api: FastlyApi, **options: Any) -> Fastly:
    return Fastly(**{"service_id": SERVICE, "api_token": TOKEN, "endpoint_url": api.url} | options)


class TestCloudflare(PurgerContract):
    secrets = (TOKEN,)

    @pytest.fixture
    def front(self, cloudflare: CloudflareApi) -> CloudflareApi:
        return cloudflare

    @pytest.fixture
    def purger(self, cloudflare: CloudflareApi) -> Purger:
        return to_cloudflare(cloudflare)


class TestFastly(PurgerContract):
    secrets = (TOKEN,)
    many = 600  # each is a request

    @pytest.fixture
    def front(self, fastly: FastlyApi) -> FastlyApi:
        return fastly

    @pytest.fixture
    def purger(self, fastly: FastlyApi) -> Purger:
        return to_fastly(fastly)


@pytest.fixture(params=["cloudflare", "fastly"])
def name(request: pytest.FixtureRequest) -> str:
    """One provider after the other."""
    return request.param


@pytest.fixture
def api(name: str) -> Iterator[Api]:
    with running(CloudflareApi() if name == "cloudflare" else FastlyApi()) as api:
        yield api


@pytest.fixture
def made(api: Api) -> Callable[..., Purger]:
    """A purger of the provider."""
    make: Callable[..., Purger] = to_cloudflare if isinstance(api, CloudflareApi) else to_fastly
    return lambda **options: make(api, **options)


def failed(purger: Purger, urls: list[str]) -> PurgeError:
    """How the purge of ``urls`` fails; nobody is told the token."""
    with pytest.raises(PurgeError) as error:
        purger.purge(urls, reference="r1")
    assert TOKEN not in f"{error.value} {error.value!r} {error.value.__cause__!r}"
    return error.value


def first(*answers: Answer | None) -> Fault:
    """These ``answers`` first, whoever asks for what; then what is right."""
    left = [*answers]

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        return left.pop(0) if left else do()

    return fault


# --- what is sent, as the descriptions have it


def test_cloudflare_is_asked_as_its_description_has_it(cloudflare: CloudflareApi) -> None:
    """POST zones/{zone_id}/purge_cache with a bearer token; 100 URLs a request."""
    done = to_cloudflare(cloudflare).purge(CSS, reference="r1")
    assert [asked.path for asked in cloudflare.asked] == [f"/client/v4/zones/{ZONE}/purge_cache"] * 3
    assert {asked.headers["authorization"] for asked in cloudflare.asked} == {f"Bearer {TOKEN}"}
    files = [json.loads(asked.body)["files"] for asked in cloudflare.asked]
    assert [len(one) for one in files] == [100, 100, 50]
    assert [url for one in files for url in one] == CSS
    assert done == Purged(3, ("purge1", "purge2", "purge3"))


def test_cloudflare_forgets_what_pages_asked_for_by_cors(cloudflare: CloudflareApi) -> None:
    """What was asked with an Origin is kept apart, and purged only if that is told."""
    origins = (SITE, "https://shop.example.com")
    for origin in ("", *origins):
        cloudflare.keep(CSS[0], origin=origin)
    to_cloudflare(cloudflare).purge(CSS[:1], reference="r1")
    assert [cloudflare.has(CSS[0], origin) for origin in ("", *origins)] == [False, True, True]
    to_cloudflare(cloudflare, origins=origins).purge(CSS[:60], reference="r1")
    assert not any(cloudflare.has(CSS[0], origin) for origin in origins)
    assert [len(json.loads(asked.body)["files"]) for asked in cloudflare.asked[1:]] == [99, 81]


def test_fastly_is_asked_as_its_description_has_it(fastly: FastlyApi) -> None:
    """POST /purge/{host and path}, softly; up to 256 keys a request; everything is never purged softly."""
    to_fastly(fastly).purge([f"{SITE}/a%20b.css?x=1", f"{SITE}/"], reference="r1")
    assert sorted(asked.path for asked in fastly.asked) == [
        "/purge/www.example.com/", "/purge/www.example.com/a%20b.css?x=1",
    ]  # fmt: skip
    assert {asked.headers["fastly-soft-purge"] for asked in fastly.asked} == {"1"}
    fastly.asked.clear()
    to_fastly(fastly).purge_tags([f"static:{n}" for n in range(300)], reference="r1")
    assert [len(json.loads(asked.body)["surrogate_keys"]) for asked in fastly.asked] == [256, 44]
    fastly.softly.clear()
    to_fastly(fastly).purge_all(reference="r1")
    to_fastly(fastly, soft=False).purge(CSS[:1], reference="r1")
    to_fastly(fastly, soft=False).purge_tags(["static"], reference="r1")
    assert fastly.softly == [False] * 3


@pytest.mark.parametrize(
    "target",
    [
        "/x[1]|.js",
        "/caf%c3%a9?a=[b]|c",
        "//x//y",
        "/caf%C3%A9%zz",
        "/a;b=1,c~d!$&'()*+:@%40",
        "/a...b/.c/d..",
        "/?/../",
    ],
)
def test_what_is_purged_is_what_was_named(fastly: FastlyApi, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte for byte, for a cache knows it by these; through a proxy as well."""
    to_fastly(fastly).purge([SITE + target], reference="r1")
    with running(FastlyApi()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setattr("shipfiles.edge.asking.proxy_bypass", lambda _host: False)
        with suppress(PurgeError):
            to_fastly(fastly, time_limit=2).purge([SITE + target], reference="r1")
    assert [asked.path for asked in fastly.asked] == [f"/purge/www.example.com{target}"]
    assert [asked.path for asked in proxy.asked] == [f"{fastly.url}/purge/www.example.com{target}"]


@pytest.mark.parametrize(
    "url",
    [
        f"{SITE}/../../service/{SERVICE}/purge_all", f"{SITE}/a/%2E%2e/b", f"{SITE}/a/.%2e", f"{SITE}/./a",
        f"{SITE}/a/..?x", f"{SITE}/a%2f..%2Fb", "https://u:p@www.example.com/", f"{SITE}/a b", f"{SITE}/ä",
        "https://h\u202e/", "https://[::1/", "https:///../x",
    ],
)  # fmt: skip
def test_what_would_be_another_request_is_not_made(fastly: FastlyApi, url: str) -> None:
    """The API might take it for another of its addresses. What else is named is purged all the same."""
    fastly.keep(CSS[0])
    assert failed(to_fastly(fastly), [url, CSS[0]]).left == (url,)
    assert not fastly.has(CSS[0])
    assert len(fastly.asked) == 1


# --- partial failure


def test_cloudflare_names_exactly_the_urls_that_are_refused(cloudflare: CloudflareApi) -> None:
    """One URL of another zone spoils a request; all others are purged nevertheless."""
    wrong = ["https://www.example.org/a.css", "https://www.example.net/b.css"]
    for url in CSS:
        cloudflare.keep(url)
    error = failed(to_cloudflare(cloudflare), [*CSS[:120], wrong[0], *CSS[120:], wrong[1]])
    assert list(error.left) == wrong
    assert "2 of 252 URLs" in str(error)
    assert "invalid URL" in str(error)
    assert not any(map(cloudflare.has, CSS))


def test_cloudflare_takes_fewer_than_was_thought(cloudflare: CloudflareApi) -> None:
    """The limit is the plan's, and changes: what is too much is halved."""
    cloudflare.most = 30
    for url in CSS:
        cloudflare.keep(url)
    to_cloudflare(cloudflare).purge(CSS, reference="r1")
    assert not any(map(cloudflare.has, CSS))


def test_cloudflare_says_with_200_that_it_failed(cloudflare: CloudflareApi) -> None:
    """The status says nothing where ``success`` is false."""
    cloudflare.fault = lambda asked, do: cloudflare_error(200, 1134, f"no\x1b[31m, {TOKEN} cannot")
    error = failed(to_cloudflare(cloudflare), CSS[:2])
    assert list(error.left) == CSS[:2]
    assert "code 1134" in str(error)
    assert "\x1b" not in str(error)


def test_fastly_names_the_urls_and_keys_that_are_left(fastly: FastlyApi) -> None:
    """A URL that is refused leaves the others alone; a key without an id was not purged."""
    wrong = {"/purge/www.example.com/static/3.css", "/purge/www.example.com/static/7.css"}
    fastly.fault = lambda asked, do: told(400, {"msg": "Bad request"}) if asked.path in wrong else do()
    assert list(failed(to_fastly(fastly), CSS[:10]).left) == [CSS[3], CSS[7]]

    def forgetful(asked: Asked, do: Callable[[], Answer]) -> Answer:
        ids = json.loads(do().body)
        return told(200, {key: ids[key] for key in ids if key != "static:b"})

    fastly.fault = forgetful
    with pytest.raises(PurgeError) as error:
        to_fastly(fastly).purge_tags(["static:a", "static:b", "static:c"], reference="r1")
    assert error.value.left == ("static:b",)


def test_who_has_no_right_is_told_which_is_needed(api: Api, made: Callable[..., Purger]) -> None:
    """After one request: the others would be refused as well."""
    api.refuse(True)
    error = failed(made(), CSS[:1])
    assert {Cloudflare: "Cache Purge", Fastly: "purge_select"}[type(made())] in str(error)
    error = failed(made(api_token="another"), CSS)
    assert list(error.left) == CSS
    assert len(api.asked) <= 10  # as many as were under way


# --- asked again


@pytest.mark.parametrize("answer", [Answer(503, b"<html>"), Answer(500), None, Answer(429)])
def test_what_passes_is_asked_again(api: Api, made: Callable[..., Purger], answer: Answer | None) -> None:
    """5xx, 429, and no answer at all."""
    api.keep(CSS[0])
    api.fault = first(answer)
    assert made().purge(CSS[:1], reference="r1").requests == 2
    assert not api.has(CSS[0])


def test_retry_after_is_obeyed(cloudflare: CloudflareApi) -> None:
    """In seconds."""
    times: list[float] = []
    answers = first(cloudflare_error(429, 971, "Please wait and consider throttling", Retry_After="1"))

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        times.append(time.monotonic())
        return answers(asked, do)

    cloudflare.fault = fault
    assert to_cloudflare(cloudflare).purge(CSS[:1], reference="r1").requests == 2
    assert times[1] - times[0] >= 1


def test_longer_than_there_is_time_for(cloudflare: CloudflareApi, fastly: FastlyApi) -> None:
    """Nobody waits for an hour: it is said at once, also where Fastly says it in a field of its own."""
    cloudflare.fault = lambda asked, do: cloudflare_error(429, 971, "wait", Retry_After="Fri, 01 Jan 2100 00:00:00 GMT")
    error = failed(to_cloudflare(cloudflare), CSS)
    assert list(error.left) == CSS
    assert "429" in str(error)
    assert "asks to wait" in str(error)
    assert len(cloudflare.asked) == 1
    fastly.fault = lambda asked, do: fastly.limit(3000)
    error = failed(to_fastly(fastly), CSS[:1])
    assert "asks to wait" in str(error)
    assert len(fastly.asked) == 1


def test_who_never_answers_ends_the_purge_in_time(cloudflare: CloudflareApi) -> None:
    """What was done until then is not told to be left."""
    for url in CSS:
        cloudflare.keep(url)
    stall = stalls(5)
    cloudflare.fault = lambda asked, do: do() if len(cloudflare.asked) == 1 else stall(asked, do)
    before = time.monotonic()
    error = failed(to_cloudflare(cloudflare, time_limit=0.5), CSS)
    assert time.monotonic() - before < 4
    assert list(error.left) == CSS[100:]
    assert [url for url in CSS if not cloudflare.has(url)] == CSS[:100]


@contextmanager
def speaking(*parts: bytes, pause: float = 0.0) -> Iterator[str]:
    """Something that listens and says ``parts`` to everybody who asks, over and over."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        over = threading.Event()

        def speak() -> None:
            with suppress(OSError):
                while not over.is_set():
                    client, _ = listening.accept()
                    with client, suppress(OSError):
                        client.recv(1 << 16)
                        for part in parts:
                            client.sendall(part)
                            over.wait(pause)

        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            with suppress(OSError), socket.create_connection(listening.getsockname()[:2], timeout=1):
                pass
            thread.join(5)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x15\x03\x01\x00\x02\x02\x16" * 9,
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n[[[[",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull",
    ],
)
def test_garbage_is_no_success(answer: bytes) -> None:
    """Whatever answers: it is not known to be purged."""
    with speaking(answer) as url:
        error = failed(Cloudflare(ZONE, TOKEN, endpoint_url=url, time_limit=0.4), CSS[:2])
        assert list(error.left) == CSS[:2]
        error = failed(Fastly(SERVICE, TOKEN, endpoint_url=url, time_limit=0.4), CSS[:2])
        assert list(error.left) == CSS[:2]


def test_an_answer_by_drops_ends_in_time() -> None:
    """A byte now and then keeps each single wait short, and all of them for ever."""
    with speaking(*[b"H"] * 200, pause=0.05) as url:
        before = time.monotonic()
        error = failed(Cloudflare(ZONE, TOKEN, endpoint_url=url, time_limit=0.5), CSS[:1])
        assert time.monotonic() - before < 5
        assert "time limit of 0.5 s" in str(error)


def test_everything_ends_in_time(cloudflare: CloudflareApi) -> None:
    """Also where the answer comes by drops, and where nobody says when to come again."""
    slow = (b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", *[b" "] * 200)
    with speaking(*slow, pause=0.05) as url:
        for purger in (
            Cloudflare(ZONE, TOKEN, endpoint_url=url, time_limit=0.4),
            Fastly(SERVICE, TOKEN, endpoint_url=url, time_limit=0.4),
        ):
            before = time.monotonic()
            with pytest.raises(PurgeError, match=r"time limit of 0\.4 s is over. It may still have everything"):
                purger.purge_all(reference="r1")
            assert time.monotonic() - before < 3
    cloudflare.fault = first(*[Answer(429, b"", {"Retry-After": "0"})] * 2)
    assert to_cloudflare(cloudflare).purge(CSS[:1], reference="r1").requests == 3


@pytest.mark.parametrize("seconds", [float("inf"), float("nan"), 1e10, 0])
def test_a_limit_is_some_time(seconds: float) -> None:
    with pytest.raises(ConfigError, match="time_limit"):
        Fastly(SERVICE, TOKEN, time_limit=seconds)


def test_nobody_there() -> None:
    """Neither at the port, nor behind the name."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = failed(Cloudflare(ZONE, TOKEN, endpoint_url=f"http://127.0.0.1:{port}", time_limit=0.3), CSS[:1])
    assert "cannot be reached" in str(error)


# --- credentials


def test_redirects_are_not_followed(cloudflare: CloudflareApi, fastly: FastlyApi) -> None:
    """The token would be told to somebody else."""
    moved = Answer(302, b"", {"Location": f"{fastly.url}/elsewhere"})
    cloudflare.fault = lambda asked, do: moved
    assert "redirect" in str(failed(to_cloudflare(cloudflare), CSS[:1]))
    assert fastly.asked == []


def test_tokens_from_the_environment(
    api: Api, made: Callable[..., Purger], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the newline that files of secrets end with; without one, it is said what to set, and nothing is asked."""
    variable = {"cloudflare": "CLOUDFLARE_API_TOKEN", "fastly": "FASTLY_API_KEY"}[name]
    error = failed(made(api_token=None), CSS[:2])
    assert list(error.left) == CSS[:2]
    assert variable in str(error)
    with pytest.raises(PurgeError, match=variable):
        made(api_token=None).purge_all(reference="r1")
    assert api.asked == []
    monkeypatch.setenv(variable, f"{TOKEN}\n")
    assert made(api_token=None).purge(CSS[:1], reference="r1").requests == 1
    monkeypatch.setenv(variable, f"{TOKEN}\r\nX-Other: 1")
    assert "cannot be one" in str(failed(made(api_token=None), CSS[:1]))


@pytest.mark.parametrize(
    "url", ["http://api.example.com", "ftp://127.0.0.1", "https://user:secret@api.example.com", "https://[::1", "api"]
)
def test_tokens_are_told_nobody_who_listens_on_the_way(url: str) -> None:
    """Without https only on this machine; credentials in the URL are not shown."""
    for make in (lambda: Cloudflare(ZONE, TOKEN, endpoint_url=url), lambda: Fastly(SERVICE, TOKEN, endpoint_url=url)):
        with pytest.raises(ConfigError, match="endpoint_url") as error:
            make()
        assert "secret" not in str(error.value)
        assert TOKEN not in str(error.value)


def test_certificates_are_checked(certificates: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody known has signed ends it, after one attempt; the system's own may be named as OpenSSL wants."""
    own, root = certificates
    with running(CloudflareApi(own)) as api:
        error = failed(to_cloudflare(api), CSS[:1])
        assert "certificate" in str(error)
        assert api.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
        assert to_cloudflare(api).purge(CSS[:1], reference="r1").requests == 1


def test_the_proxy_of_the_environment(cloudflare: CloudflareApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is told its own credentials, which are shown to nobody, as the address is."""
    with running(CloudflareApi()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://user:pass%2Fword@"))
        proxy.fault = lambda asked, do: cloudflare_error(200, 1, "user:pass/word or pass%2Fword is wrong")
        error = failed(to_cloudflare(cloudflare), CSS[:1])
        assert [asked.headers["proxy-authorization"] for asked in proxy.asked] == ["Basic dXNlcjpwYXNzL3dvcmQ="]
        assert proxy.asked[0].path.startswith(cloudflare.endpoint)
        assert "word" not in str(error)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert to_cloudflare(cloudflare).purge(CSS[:1], reference="r1").requests == 1


@pytest.mark.parametrize(("kind", "extra"), [(Cloudflare, "cloudflare"), (Fastly, "fastly")])
def test_what_is_not_installed(kind: Any, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said before anything is purged."""
    monkeypatch.setitem(sys.modules, "urllib3", None)
    with pytest.raises(ConfigError, match=rf"pip install 'shipfiles\[{extra}\]'"):
        kind("a1")


@pytest.mark.parametrize(
    "given",
    [
        {"purger": "cloudflare", "zone_id": ZONE, "api_token": TOKEN.encode()},
        {"purger": "fastly", "service_id": SERVICE, "api_token": [TOKEN]},
        {"purger": "varnish", "servers": ["http://127.0.0.1"], "headers": TOKEN},
        {"purger": "varnish", "servers": ["http://127.0.0.1"], "headers": {"X-Secret": TOKEN.encode()}},
        {"purger": "cloudflare", "zone_id": ZONE, "api_token": TOKEN, "time_limit": 0},
    ],
)
def test_wrong_options_show_no_secret(given: dict[str, Any]) -> None:
    """Where settings have them."""
    with pytest.raises(ConfigError, match=r"caches'\]\[0\]") as error:
        open_purgers(PurgeConfig(given))
    assert TOKEN not in f"{error.value} {error.value.__cause__!r}"


def test_options_as_settings_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """All four, in the words of docs/purging.md; none asks for anything yet."""
    monkeypatch.setattr(socket, "create_connection", None)
    given = [
        {"purger": "cloudfront", "distribution_id": "E1234567890ABC", "session_profile": "deploy", "time_limit": 30},
        {"purger": "cloudflare", "zone_id": ZONE, "origins": [SITE], "per_request": 500},
        {"purger": "fastly", "service_id": SERVICE, "api_token": TOKEN, "soft": False},
        {"purger": "varnish", "servers": ["http://10.0.0.5:6081", "http://10.0.0.6"], "headers": {"X-Secret": TOKEN}},
    ]
    purgers = open_purgers(PurgeConfig(given))
    assert [str(purger) for purger in purgers] == [
        "cloudfront E1234567890ABC", f"cloudflare {ZONE}", f"fastly {SERVICE}", "varnish 10.0.0.5:6081, 10.0.0.6",
    ]  # fmt: skip
    assert TOKEN not in repr(purgers)


@pytest.mark.parametrize("given", ["", "example.com", "../zones", "a b", "a/b", "a" * 65])
def test_ids_stand_in_addresses(given: str) -> None:
    """And cannot be more than one part of them."""
    with pytest.raises(ConfigError, match="zone_id"):
        Cloudflare(given, TOKEN)
    with pytest.raises(ConfigError, match="service_id"):
        Fastly(given, TOKEN)
