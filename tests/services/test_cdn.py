"""A site whose pages load their files in Chromium from a CDN in front of a bucket, as docs/cdn.md has it."""

from __future__ import annotations

import json
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urljoin

import pytest

from shipfiles.digest import digest_bytes, hashed_name
from tests.rolling.deployment import Deployment, Failed
from tests.rolling.trees import Tree

from .cdn import CDNS, RELAYED, Bucket, Change, make_bucket, to_bucket
from .drawing import Drawing, check, draw, plain_server
from .drawn_page import PAGE, SIZE, UNUSED, write_page
from .servers import free_port
from .watched import HASHED

pytestmark = pytest.mark.services

LOCATION = "static"
FOREVER, SHORT = "max-age=31536000, public, immutable", "max-age=60, public"
TRACED = "drawn/js/paint.mjs"
"""A module with a source map."""
MAP = json.dumps({"version": 3, "sources": ["paint.ts"], "names": [], "mappings": "AAAA"})
WASM = "drawn/empty.wasm"
CORS = {"module", "lazy", "fetched", "font"}
"""The squares whose files browsers want leave for, as the Fetch standard has it."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the drawn page, one of them with a source map, and a module of WebAssembly."""
    folder = tmp_path_factory.mktemp("cdn") / "src"
    write_page(folder)
    with (folder / TRACED).open("a") as module:
        module.write("//# sourceMappingURL=paint.mjs.map\n")
    (folder / f"{TRACED}.map").write_text(MAP)
    # https://www.w3.org/TR/wasm-core-2/#binary-module: the shortest.
    (folder / WASM).write_bytes(b"\0asm\1\0\0\0")
    return folder


@pytest.fixture(scope="module")
def expected(browser: Any, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    with plain_server(sources) as port:
        return draw(browser, f"http://127.0.0.1:{port}/{PAGE}", tmp_path_factory.mktemp("sources") / "page.png")


class Site:
    """The page under gunicorn, and a bucket with its files, which pages name at the port of a CDN."""

    def __init__(self, folder: Path, bucket: Bucket, sources: Path, **options: object) -> None:
        paths = [path for path in sources.rglob("*") if path.is_file()]
        files = {path.relative_to(sources).as_posix(): path.read_bytes() for path in paths}
        self.bucket = bucket
        self.files = files
        self.deployment = Deployment(folder, to_bucket(bucket, LOCATION, **options), ("gunicorn",))
        self._options = options
        self._tree = Tree(0, files, ())

    def publish(self) -> None:
        self.deployment.collect(self._tree)

    def start(self, **options: object) -> None:
        """Start the process with these ``options`` of the storage, too."""
        self.deployment.product = to_bucket(self.bucket, LOCATION, **self._options, **options)
        self.deployment.roll(self._tree)

    def check(self) -> str:
        """What ``ship store check`` says. Raises `Failed`."""
        return self.deployment.manage(self._tree, "ship", "store", "check")

    def names(self) -> list[str]:
        """All hashed names, as the bucket has them."""
        keys = [found["Key"] for found in self.bucket.client.list_objects_v2(Bucket=self.bucket.name)["Contents"]]
        names = [key.removeprefix(f"{LOCATION}/") for key in keys if "/.shipfiles/" not in key]
        return [name for name in names if HASHED.fullmatch(name)]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.deployment.port}/drawn"


@pytest.fixture(scope="module")
def site(seaweed: str, sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site") / "site", make_bucket(seaweed), sources)
    with made.deployment.running():
        made.publish()
        yield made


def without_vary(cdn: str) -> tuple[Change, ...]:
    """As `RELAYED`, but it goes on passing over what the bucket says that answers vary by."""
    return tuple(change for change in RELAYED[cdn] if "Vary" not in change[0])


@contextmanager
def behind(site: Site, cdn: str, folder: Path, *changes: Change) -> Iterator[str]:
    """The page is told to load from this CDN; the URL below which it does."""
    port = free_port()
    if cdn == "varnish":  # it adds the folder itself
        base = f"http://127.0.0.1:{port}/"
        options = {"base_url": base}
    else:
        base = f"http://127.0.0.1:{port}/{LOCATION}/"
        options = {"custom_domain": f"127.0.0.1:{port}", "url_protocol": "http:"}
    with CDNS[cdn](folder, site.bucket, *changes, port=port):
        site.start(**options)
        yield base


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, header fields with names in lower case, and body."""
    asked = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


@pytest.mark.parametrize("cdn", CDNS)
def test_the_page(browser: Any, site: Site, expected: Drawing, cdn: str, tmp_path: Path) -> None:
    with behind(site, cdn, tmp_path / "cdn") as base:
        for number in range(2):  # what the cache has got by the first, and by itself
            seen = draw(browser, site.url, tmp_path / f"page{number}.png")
            check(seen, expected, base, site.files.keys() - {PAGE, f"{TRACED}.map", WASM}, "gzip")
            fields = [answer for url, answer in seen.answers.items() if url.startswith(base)]
            assert {answer["cache-control"] for answer in fields} == {FOREVER}
            assert {answer["access-control-allow-origin"] for answer in fields} == {"*"}
            assert {answer.get("vary", "Accept-Encoding") for answer in fields} == {"Accept-Encoding"}
        for logical, body in site.files.items():
            status, answer, found = get(base + quote(logical))
            assert (status, answer["cache-control"], found) == (200, SHORT, body), logical
        assert "nothing is missing" in site.check()


@pytest.mark.parametrize("cdn", CDNS)
def test_one_stored_coding(
    browser: Any, seaweed: str, sources: Path, expected: Drawing, cdn: str, tmp_path: Path
) -> None:
    """What the bucket has packed goes out so, and unpacked to who wants that, under hashed and under plain names."""
    site = Site(tmp_path / "site", make_bucket(seaweed), sources, publish={"coding": "gzip"})
    with site.deployment.running():
        site.publish()
        with behind(site, cdn, tmp_path / "cdn") as base:
            seen = draw(browser, site.url, tmp_path / "page.png")
            check(seen, expected, base, site.files.keys() - {PAGE, f"{TRACED}.map", WASM}, "gzip")
            head = site.bucket.client.head_object(Bucket=site.bucket.name, Key=f"{LOCATION}/{TRACED}")
            assert head["ContentEncoding"] == "gzip"
            for logical, body in site.files.items():
                status, answer, found = get(base + quote(logical))
                assert (status, answer.get("content-encoding"), found) == (200, None, body), logical


@pytest.mark.parametrize("cdn", CDNS)
def test_what_developer_tools_and_webassembly_fetch(browser: Any, site: Site, cdn: str, tmp_path: Path) -> None:
    with behind(site, cdn, tmp_path / "cdn") as base:
        context = browser.new_context(viewport=SIZE)
        page = context.new_page()
        tools, scripts = context.new_cdp_session(page), []
        tools.on("Debugger.scriptParsed", lambda script: scripts.append((script["url"], script["sourceMapURL"])))
        tools.send("Debugger.enable")
        page.goto(site.url)
        page.wait_for_selector("html[data-ready]", state="attached")
        ((script, named),) = [(url, named) for url, named in scripts if named]
        assert HASHED.fullmatch(script.removeprefix(base))
        assert HASHED.fullmatch(named)
        # As the developer tools do: https://chromedevtools.github.io/devtools-protocol/tot/Network/#method-loadNetworkResource
        frame = tools.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        options = {"disableCache": False, "includeCredentials": True}
        told = tools.send("Network.loadNetworkResource", {
            "frameId": frame, "url": urljoin(script, named), "options": options,
        })["resource"]  # fmt: skip
        assert (told["success"], told["httpStatusCode"]) == (True, 200)
        # And as a library would, in the page.
        assert page.evaluate("async (url) => (await fetch(url)).text()", urljoin(script, named)) == MAP
        (wasm,) = [urljoin(base, name) for name in site.names() if name.startswith(WASM.removesuffix(".wasm"))]
        kind = page.evaluate("async (url) => String(await WebAssembly.compileStreaming(fetch(url)))", wasm)
        assert kind == "[object WebAssembly.Module]"
        context.close()


@pytest.mark.parametrize("cdn", CDNS)
def test_the_bucket_sends_the_field_and_says_what_it_varies_by(
    browser: Any, site: Site, expected: Drawing, cdn: str, tmp_path: Path
) -> None:
    """The other way that the guide names; the cache has all files already, as they were asked for without an origin."""
    site.bucket.allow()
    with behind(site, cdn, tmp_path / "cdn", *RELAYED[cdn]) as base:
        for name in site.names():
            assert get(base + quote(name))[0] == 200
        seen = draw(browser, site.url, tmp_path / "page.png")
        check(seen, expected, base, site.files.keys() - {PAGE, f"{TRACED}.map", WASM}, "gzip")


@pytest.mark.parametrize("cdn", CDNS)
def test_a_cache_that_does_not_tell_origins_apart_breaks_the_page(
    browser: Any, site: Site, cdn: str, tmp_path: Path
) -> None:
    """What the guide warns of, and what else would be seen if the field were missing."""
    site.bucket.allow()
    with behind(site, cdn, tmp_path / "cdn", *without_vary(cdn)) as base:
        for name in site.names():
            assert get(base + quote(name))[0] == 200
        seen = draw(browser, site.url, tmp_path / "page.png", wait=3000)
        if cdn == "nginx":  # it takes some seconds
            with pytest.raises(Failed, match=r"be used by pages elsewhere +pages +missing"):
                site.check()
    assert seen.wrong() == CORS
    assert "blocked by CORS policy" in "".join(seen.faults)


# What a page has first without CORS, as an image, and then with it. Whether it gets it.
TWICE = """async (url) => {
    const image = new Image();
    image.src = url;
    await image.decode();
    return fetch(url).then((answer) => answer.ok, () => false);
}"""


@pytest.mark.parametrize(
    ("changes", "works"),
    [
        ((), True),
        (RELAYED["nginx"], True),
        ((*without_vary("nginx"), ("$uri;", "$uri$http_origin;")), False),
    ],
    ids=["added", "relayed", "relayed without Vary"],
)
def test_the_browser_s_own_cache(
    browser: Any, site: Site, changes: tuple[Change, ...], works: bool, tmp_path: Path
) -> None:
    """It is a cache, too, and knows of a cache's key only what Vary says."""
    site.bucket.allow()
    with behind(site, "nginx", tmp_path / "cdn", *changes) as base:
        context = browser.new_context(viewport=SIZE)
        page = context.new_page()
        page.goto(site.url)
        (unused,) = [name for name in site.names() if name.startswith(UNUSED.removesuffix(".svg"))]
        assert page.evaluate(TWICE, base + unused) is works
        context.close()


@pytest.mark.parametrize("cdn", CDNS)
def test_a_file_that_was_asked_for_too_early(seaweed: str, cdn: str, tmp_path: Path) -> None:
    """The error is not kept for longer than the guide says, Varnish's not at all, though nothing purges the cache."""
    bucket, body = make_bucket(seaweed), secrets.token_bytes(50)
    name = hashed_name("app.js", digest_bytes(body))
    base = "" if cdn == "varnish" else f"{LOCATION}/"
    with CDNS[cdn](tmp_path / "cdn", bucket) as port:
        url = f"http://127.0.0.1:{port}/{base}{name}"
        status, fields, _ = get(url)
        assert status in (403, 404)
        assert fields["access-control-allow-origin"] == "*"
        assert fields.get("cache-control") == ("no-store" if cdn == "varnish" else None)
        bucket.client.put_object(Bucket=bucket.name, Key=f"{LOCATION}/{name}", Body=body, CacheControl=FOREVER)
        early = 0
        until = time.monotonic() + 60
        while (found := get(url))[0] != 200 and time.monotonic() < until:
            early += 1
            time.sleep(0.2)
        assert (found[0], found[2], found[1]["cache-control"]) == (200, body, FOREVER)
        assert bool(early) is (cdn == "nginx")
