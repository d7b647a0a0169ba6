"""Stored XSS, tried in Chromium: whatever is uploaded, no script of it runs in the site's origin.

Each file that is uploaded fetches a beacon of its own if it runs. The same files, kept by Django's FileSystemStorage
and served by its view for development, show that the beacons work.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import struct
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from shipfiles.edge import media_nginx
from shipfiles.edge.policy import EdgePolicy, MediaPolicy
from shipfiles.errors import StoreError
from shipfiles.media.config import MediaConfig
from tests.guides import FOLDER, blocks

from .cdn import make_bucket
from .nginx import run_nginx
from .servers import free_port, run, wait_until_listening

pytestmark = pytest.mark.services

WAYS = ("served", "links", "stream", "accel", "edge", "bucket", "signed")
CONTROL = "careless"
NGINX = """
  server {{
    listen 127.0.0.1:{port};
    {delivery}
    {edge}
    # A bucket below the site's own address, as docs/media.md has it.
    location /bucket/ {{
      proxy_pass {bucket}/; add_header X-Content-Type-Options nosniff always;
    }}
  }}
"""
RUN = 'fetch("{beacon}?o="+self.origin,{{mode:"no-cors"}})'
XHTML = "http://www.w3.org/1999/xhtml"
SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" onload=\'{run}\'>'
    '<rect width="24" height="24" fill="red"/><script>{run}</script></svg>'
)
HTML = "<!DOCTYPE html><html><body onload='{run}'><script>{run}</script><img src=x onerror='{run}'></body></html>"
MHT = (
    "MIME-Version: 1.0\r\nContent-Type: multipart/related; boundary=b; type=text/html\r\n\r\n--b\r\n"
    "Content-Type: text/html\r\nContent-Location: http://127.0.0.1/x.html\r\n\r\n" + HTML + "\r\n--b--\r\n"
)
PDF = (
    "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS"
    "(app.launchURL\\('{beacon}'\\))>>>>endobj\n"
    "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\n"
    "trailer<</Root 1 0 R>>\n"
)
XSLT = (
    '<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="#s"?><!DOCTYPE d [<!ATTLIST xsl:stylesheet id ID '
    '#REQUIRED>]><d><xsl:stylesheet id="s" version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">'
    '<xsl:template match="/"><html><body><script>{run}</script></body></html></xsl:template></xsl:stylesheet></d>'
)
MATHML = f'<math xmlns="http://www.w3.org/1998/Math/MathML"><x:script xmlns:x="{XHTML}">{{run}}</x:script></math>'
FEED = f'<?xml version="1.0"?><rss version="2.0"><x:script xmlns:x="{XHTML}">{{run}}</x:script></rss>'
DOCUMENTS: dict[str, tuple[str, str]] = {
    # name → bytes, and what the client says of their type
    "page.html": (HTML, "image/png"),
    "PAGE2.HTM": (HTML, "text/plain"),
    "page.xhtml": (f'<html xmlns="{XHTML}"><script>{{run}}</script></html>', "application/xhtml+xml"),
    "page.xht": (f'<html xmlns="{XHTML}"><script>{{run}}</script></html>', "application/xhtml+xml"),
    "page.xml": (f'<x:script xmlns:x="{XHTML}">{{run}}</x:script>', "text/xml"),
    "sheet.xml": (XSLT, "text/xml"),
    "sheet.xsl": (XSLT, "text/xsl"),
    "feed.rss": (FEED, "application/rss+xml"),
    "feed.atom": (FEED, "application/atom+xml"),
    "data.rdf": (FEED, "application/rdf+xml"),
    "sum.mathml": (MATHML, "application/mathml+xml"),
    "map.kml": (FEED, "application/vnd.google-earth.kml+xml"),
    "picture.svg": (SVG, "image/svg+xml"),
    "packed.svgz": (SVG, "image/svg+xml"),
    "html.jpg": (HTML, "text/html"),
    "page.html.png": (HTML, "text/html"),
    "html.txt": (HTML, "text/html"),
    "html.json": (HTML, "text/html"),
    "html.csv": (HTML, "text/html"),
    "html.vtt": (HTML, "text/html"),
    "html": (HTML, "text/html"),
    "html.unheard-of": (HTML, "text/html"),
    "page.shtml": (HTML, "text/html"),
    "page.mht": (MHT, "multipart/related"),
    "mixed.txt": (MHT, "multipart/x-mixed-replace; boundary=b"),
    "comment.gif": ("GIF89a\x01\x00\x01\x00\x00\x00\x00!\xfe<" + HTML, "text/html"),
    "script.gif": ("GIF89a/*\x00\x00*/=1;{run}", "text/javascript"),
    "script.pdf": (PDF, "text/html"),
    "page.pdf": ("%PDF-1.4\n" + HTML, "text/html"),
    "app.webmanifest": (HTML, "text/html"),
    "film.mp4": (HTML, "text/html"),
    "page.swf": (HTML, "text/html"),
}  # fmt: skip
OPENED = (
    "page.html",
    "page.xhtml",
    "page.xml",
    "sheet.xml",
    "picture.svg",
    "packed.svgz",
    "html.jpg",
    "page.html.png",
    "html",
    "html.txt",
    "page.mht",
    "comment.gif",
    "script.pdf",
)
"""Those that are opened by themselves, too, not only in frames; in these ways, which have headers of their own:"""
OPENED_IN = ("served", "edge", "bucket", CONTROL)
STYLE = "body { color: rgb(1, 2, 3) }"
SCRIPTS = ("code.js", "code.mjs", "code.txt", "code.json", "script.gif", "code.wasm", "code", "code.csv")
"""Each has a script, which a page of the site loads as one."""


def png() -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">2L5B", 24, 24, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 25 * 24)) + chunk(b"IEND", b"")


@dataclass
class Attacked:
    """The running site, behind nginx."""

    origin: str

    def beacon(self, way: str, case: str) -> str:
        return f"{self.origin}/beacon/{way}/{case}"

    def text(self, template: str, way: str, case: str) -> str:
        """``template`` with what it runs filled in."""
        beacon = self.beacon(way, case)
        return template.format(run=RUN.format(beacon=beacon), beacon=beacon)

    def upload(self, context: Any, way: str, name: str, body: bytes, media_type: str) -> str:
        """The URL of the file; who uploads it says that it has ``media_type``."""
        file = {"name": name, "mimeType": media_type, "buffer": body}
        answer = context.request.post(f"{self.origin}/upload/{way}/", multipart={"file": file})
        assert answer.ok, answer.text()
        url: str = answer.json()["url"]
        return url if url.startswith("http") else self.origin + url

    def beacons(self, context: Any) -> list[tuple[str, str, str]]:
        return [tuple(one) for one in context.request.get(f"{self.origin}/told/").json()["beacons"]]


@pytest.fixture(scope="module")
def site(seaweed: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    root = tmp_path_factory.mktemp("attacked")
    try:
        bucket = make_bucket(seaweed)
    except StoreError as error:
        pytest.fail(str(error))
    given = {
        "bucket": bucket.options("static/media", access="public"),
        "signed": bucket.options("signed", access="signed"),
    }
    (root / "site.json").write_text(json.dumps(given))
    # nginx's worker is of another user.
    for folder in (*root.parents, root):
        with contextlib.suppress(OSError):
            if folder.is_relative_to(tmp_path_factory.getbasetemp().parent):
                folder.chmod(0o755)
    app, port = free_port(), free_port()
    program = ("-m", "gunicorn", "--bind", f"127.0.0.1:{app}", "--worker-class", "gthread", "--threads", "8")
    log = root / "log.txt"
    (root / "nginx").mkdir()
    (delivery,) = [one.text for one in blocks(FOLDER.parent / "media.md") if one.name == "nginx_delivery"]
    for old, new in (
        ("location /media/", "location /"),
        ("http://127.0.0.1:8000", f"http://127.0.0.1:{app}"),
        ("/srv/site/media/", f"{root}/accel/"),
    ):
        assert old in delivery
        delivery = delivery.replace(old, new)
    public = f"{bucket.server}/{bucket.name}/static/media"
    edge = EdgePolicy("static-server", None, (MediaPolicy("edge", str(root / "edge"), "/edge/", MediaConfig()),))
    text = NGINX.format(port=port, bucket=public, delivery=delivery, edge=media_nginx.blocks(edge))
    with log.open("wb") as out, contextlib.ExitStack() as running:
        command = [sys.executable, *program, "--log-level", "warning", "tests.services.attacked_site:application"]
        process = running.enter_context(run(command, out, root))
        wait_until_listening(app, process, log)
        running.enter_context(run_nginx(root / "nginx", text, port))
        yield Attacked(f"http://127.0.0.1:{port}")


def opened(page: Any, url: str) -> None:
    """Navigate to ``url``, which may be a download."""
    from playwright.sync_api import Error

    with contextlib.suppress(Error):
        page.goto(url, wait_until="load", timeout=5000)
        page.wait_for_timeout(20)


def put_documents(context: Any, site: Attacked, way: str) -> dict[str, str]:
    """Name → URL."""
    urls = {}
    for name, (template, media_type) in DOCUMENTS.items():
        body = site.text(template, way, name).encode("latin-1")
        if name.endswith(".svgz"):
            body = gzip.compress(body)
        urls[name] = site.upload(context, way, name, body, media_type)
        assert context.request.get(urls[name]).body() == body or name.endswith(".svgz")
    return urls


EMBED = """([urls, also]) => {
  const put = (tag, attribute, url, type) => {
    const element = document.createElement(tag);
    element[attribute] = url;
    if (type) element.type = type;
    document.body.append(element);
  };
  for (const url of urls) put("iframe", "src", url);
  for (const url of also) { put("object", "data", url, "text/html"); put("embed", "src", url); }
}"""

LOAD = """async (urls) => {
  const settled = [];
  const waits = (element) => new Promise((done) => { element.onload = element.onerror = done; });
  for (const url of urls) {
    for (const type of ["", "module"]) {
      const script = Object.assign(document.createElement("script"), {type, src: url});
      settled.push(waits(script));
      document.body.append(script);
    }
    const link = Object.assign(document.createElement("link"), {rel: "stylesheet", href: url});
    settled.push(waits(link));
    document.head.append(link);
    for (const type of ["classic", "module"]) {
      for (const kind of [Worker, SharedWorker]) {
        try {
          const worker = new kind(url, {type});
          settled.push(new Promise((done) => { worker.onerror = done; setTimeout(done, 300); }));
        } catch {}
      }
    }
    settled.push(import(url).catch(() => 0));
    settled.push(navigator.serviceWorker.register(url).catch(() => 0));
  }
  await Promise.race([Promise.all(settled), new Promise((done) => setTimeout(done, 3000))]);
  return getComputedStyle(document.body).color;
}"""

SHOW = """async (urls) => Promise.all(urls.map((url) => new Promise((done) => {
  const image = new Image();
  image.onload = () => done(image.naturalWidth);
  image.onerror = () => done(0);
  image.src = url;
  document.body.append(image);
})))"""


def visit_all(context: Any, site: Attacked, way: str) -> None:
    """Open every document by itself, then all of them within a page of the site."""
    urls = put_documents(context, site, way)
    if way in OPENED_IN:
        page = context.new_page()
        for name in OPENED:
            opened(page, urls[name])
        page.close()
    page = context.new_page()
    page.goto(site.origin)
    page.evaluate(EMBED, [list(urls.values()), [urls[name] for name in OPENED]])
    page.wait_for_timeout(700)
    page.close()


def test_the_beacons_work(context: Any, site: Attacked) -> None:
    """Else nothing below would show anything."""
    visit_all(context, site, CONTROL)
    seen = {case for way, case, origin in site.beacons(context) if way == CONTROL and origin == site.origin}
    assert seen >= {"page.html", "PAGE2.HTM", "page.xhtml", "page.xml", "picture.svg"}
    page = context.new_page()
    page.goto(site.origin)
    url = site.upload(context, CONTROL, "code.js", site.text("{run}", CONTROL, "code.js").encode(), "text/plain")
    style = site.upload(context, CONTROL, "code.css", STYLE.encode(), "text/plain")
    assert page.evaluate(LOAD, [url, style]) == "rgb(1, 2, 3)"
    assert (CONTROL, "code.js") in {one[:2] for one in site.beacons(context)}


@pytest.mark.parametrize("way", WAYS)
def test_no_document_runs(context: Any, site: Attacked, way: str) -> None:
    """Opened by themselves, and in frames, objects and embeds."""
    visit_all(context, site, way)
    assert [one for one in site.beacons(context) if one[0] == way] == []


@pytest.mark.parametrize("way", ["served", "stream", "accel", "edge", "bucket"])
def test_no_page_runs_an_upload(context: Any, site: Attacked, way: str) -> None:
    """As a script, module, worker, service worker or style sheet, in a page whose policy trusts its own origin."""
    urls = []
    for name in SCRIPTS:
        template = DOCUMENTS[name][0] if name in DOCUMENTS else "/* */ {run}"
        body = site.text(template, way, f"loaded-{name}").encode("latin-1")
        urls.append(site.upload(context, way, f"loaded-{name}", body, "text/javascript"))
    for name in ("code.css", "style.txt", "style"):
        urls.append(site.upload(context, way, name, STYLE.encode(), "text/css"))
    page = context.new_page()
    page.goto(site.origin)
    assert page.evaluate(LOAD, urls) == "rgb(0, 0, 0)"
    assert [one for one in site.beacons(context) if one[0] == way and one[1].startswith("loaded-")] == []


@pytest.mark.parametrize("way", WAYS)
def test_pictures_show(context: Any, site: Attacked, way: str) -> None:
    """SVG too, though it is an attachment; its script does not run there."""
    svg = site.text(SVG, way, "shown.svg").encode()
    files = {"shown.png": png(), "shown.svg": svg, "shown.svgz": gzip.compress(svg)}
    urls = [site.upload(context, way, name, body, "text/html") for name, body in files.items()]
    page = context.new_page()
    page.goto(site.origin)
    assert page.evaluate(SHOW, urls) == [24, 24, 24]
    assert [one for one in site.beacons(context) if one[:2] == (way, "shown.svg")] == []


@pytest.mark.parametrize("way", WAYS)
def test_what_every_answer_says(context: Any, site: Attacked, way: str) -> None:
    """On the wire, with ranges too."""
    for name, active in (("said.html", True), ("said.svg", True), ("said.js", False), ("said.png", False)):
        url = site.upload(context, way, name, b"<html>" * 9, "text/html")
        for more in ({}, {"Range": "bytes=0-4"}):
            headers = context.request.get(url, headers=more).headers
            assert headers.get("content-disposition", "").startswith("attachment") == active, (way, name, headers)
            if way not in ("bucket", "signed"):
                assert ("sandbox" in headers.get("content-security-policy", "")) == active
            if way != "signed":
                assert headers["x-content-type-options"] == "nosniff"
            if name == "said.js":
                assert headers["content-type"] == "text/plain; charset=utf-8"
