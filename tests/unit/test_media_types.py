"""Media types against what registers them: IANA's registry with the document it names, or a standard of the web."""

from __future__ import annotations

import pytest

from shipfiles.build.compress import is_wanted
from shipfiles.config import CompressConfig, ServeConfig
from shipfiles.digest import digest_bytes
from shipfiles.http.headers import file_headers
from shipfiles.media_types import content_type, is_compressible, is_media_type, media_type

UTF_8 = "; charset=utf-8"

# Name, Content-Type, and where that stands.
REGISTERED = [
    ("a.html", "text/html" + UTF_8, "HTML 16.1: the charset parameter is defined"),
    ("a.xhtml", "application/xhtml+xml", "RFC 3236; the encoding is in the file, RFC 7303 section 3.2"),
    ("a.css", "text/css" + UTF_8, "RFC 2318: the charset parameter is defined"),
    ("a.js", "text/javascript" + UTF_8, "RFC 9239 section 6.1.1; HTML: module scripts need a JavaScript type"),
    ("a.mjs", "text/javascript" + UTF_8, "RFC 9239 section 6.1.1"),
    ("a.cjs", "text/javascript" + UTF_8, "CommonJS scripts are scripts"),
    ("a.json", "application/json", "RFC 8259 section 11: no charset parameter"),
    ("a.js.map", "application/json", "ECMA-426 section 12.1"),
    ("a.css.map", "application/json", "ECMA-426 section 12.1"),
    ("a.webmanifest", "application/manifest+json", "W3C Web Application Manifest, appendix A"),
    ("a.jsonld", "application/ld+json", "W3C JSON-LD 1.1, appendix C"),
    ("a.geojson", "application/geo+json", "RFC 7946 section 12"),
    ("a.wasm", "application/wasm", "WebAssembly Web API section 5: compileStreaming refuses parameters too"),
    ("a.xml", "application/xml", "RFC 7303 section 9.1"),
    ("sitemap.xml", "application/xml", "RFC 7303 section 9.1"),
    ("a.atom", "application/atom+xml", "RFC 4287 section 7"),
    ("a.xslt", "application/xslt+xml", "W3C XSLT 2.0, appendix A"),
    ("a.svg", "image/svg+xml", "W3C SVG 2, appendix R"),
    ("a.mathml", "application/mathml+xml", "W3C MathML 3, appendix B"),
    ("robots.txt", "text/plain" + UTF_8, "RFC 9309 section 2.3: UTF-8 encoded, text/plain"),
    ("security.txt", "text/plain" + UTF_8, "RFC 9116 section 3: text/plain with charset utf-8"),
    ("a.md", "text/markdown" + UTF_8, "RFC 7763 section 2: the charset parameter is required"),
    ("a.csv", "text/csv" + UTF_8, "RFC 7111 section 5.1"),
    ("a.ics", "text/calendar" + UTF_8, "RFC 5545 section 8.1"),
    ("a.vcf", "text/vcard" + UTF_8, "RFC 6350 section 10.1"),
    ("a.vtt", "text/vtt", "WebVTT section 9.1: no parameters"),
    ("a.ttl", "text/turtle", "W3C RDF 1.1 Turtle section 6: always UTF-8"),
    ("a.yaml", "application/yaml", "RFC 9512 section 2.1"),
    ("a.toml", "application/toml", "IANA registry"),
    ("a.wgsl", "text/wgsl" + UTF_8, "W3C WGSL, appendix A"),
    ("a.png", "image/png", "W3C PNG section 12"),
    ("a.apng", "image/apng", "W3C PNG (third edition) section 12"),
    ("a.jpg", "image/jpeg", "RFC 2045; MIME Sniffing section 6.1"),
    ("a.gif", "image/gif", "RFC 2045"),
    ("a.webp", "image/webp", "RFC 9649 section 6.1"),
    ("a.avif", "image/avif", "IANA registry (Alliance for Open Media)"),
    ("a.jxl", "image/jxl", "IANA registry (ISO/IEC 18181-2)"),
    ("a.heic", "image/heic", "IANA registry (ISO/IEC 23008-12)"),
    ("a.bmp", "image/bmp", "RFC 7903"),
    ("favicon.ico", "image/x-icon", "MIME Sniffing section 6.1: image/vnd.microsoft.icon at IANA"),
    ("a.woff", "font/woff", "RFC 8081 section 4.4.5"),
    ("a.woff2", "font/woff2", "RFC 8081 section 4.4.6"),
    ("a.ttf", "font/ttf", "RFC 8081 section 4.4.2"),
    ("a.otf", "font/otf", "RFC 8081 section 4.4.3"),
    ("a.ttc", "font/collection", "RFC 8081 section 4.4.4"),
    ("a.eot", "application/vnd.ms-fontobject", "IANA registry"),
    ("a.mp3", "audio/mpeg", "RFC 3003"),
    ("a.ogg", "audio/ogg", "RFC 5334 section 10.3"),
    ("a.opus", "audio/ogg", "RFC 7845 section 9"),
    ("a.flac", "audio/flac", "RFC 9639 section 12.1"),
    ("a.mp4", "video/mp4", "RFC 4337"),
    ("a.webm", "video/webm", "IANA registry"),
    ("a.mkv", "video/matroska", "RFC 9559 section 27.3"),
    ("a.m3u8", "application/vnd.apple.mpegurl", "RFC 8216 section 10"),
    ("a.mpd", "application/dash+xml", "IANA registry (ISO/IEC 23009-1)"),
    ("a.gltf", "model/gltf+json", "IANA registry (Khronos)"),
    ("a.glb", "model/gltf-binary", "IANA registry (Khronos)"),
    ("a.pdf", "application/pdf", "RFC 8118 section 8"),
    ("a.zip", "application/zip", "IANA registry"),
    ("a.gz", "application/gzip", "RFC 6713"),
    ("a.zst", "application/zstd", "RFC 8878 section 7.1"),
    ("a.epub", "application/epub+zip", "W3C EPUB 3.3, appendix I"),
    (".well-known/apple-app-site-association", "application/json", "Apple, Supporting associated domains"),
    (".well-known/assetlinks.json", "application/json", "Digital Asset Links: Content-Type application/json"),
    (".well-known/openid-configuration", "application/json", "OpenID Connect Discovery 1.0 section 4.2"),
    (".well-known/oauth-authorization-server", "application/json", "RFC 8414 section 3.2"),
    (".well-known/host-meta", "application/xrd+xml", "RFC 6415 section 2"),
    ("a.unknown", "application/octet-stream", "RFC 9110 section 8.3: not text, which browsers would show"),
    ("a", "application/octet-stream", "RFC 9110 section 8.3"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "expected", "source"), REGISTERED, ids=[name for name, _, _ in REGISTERED])
def test_the_type_is_the_registered_one(name: str, expected: str, source: str) -> None:
    assert content_type(media_type("some/folder/" + name)) == expected, source
    assert content_type(media_type(name.upper())) == expected, "case does not count"
    assert is_media_type(expected)


def test_the_charset_may_be_another_or_none() -> None:
    assert content_type("text/css", "iso-8859-1") == "text/css; charset=iso-8859-1"
    assert content_type("text/css", "") == "text/css"
    # RFC 7303 section 3.2: it would overrule what the file itself says.
    assert content_type("application/xml", "iso-8859-1") == content_type("application/xml")
    assert content_type("text/xml") == "text/xml"


def test_a_project_adds_and_overrides_by_extension_and_by_name() -> None:
    extra = {".FOO": "application/x-foo", "special.txt": "text/x-special; charset=utf-16", ".js": "application/x-js"}
    assert media_type("a/b.foo", extra) == "application/x-foo"
    assert media_type("a/b.js", extra) == "application/x-js"
    assert media_type("a/b.css", extra) == "text/css"
    # The name says more than the extension, and what has a charset gets no second one.
    assert content_type(media_type("a/Special.TXT", extra)) == "text/x-special; charset=utf-16"


@pytest.mark.parametrize("name", ["a.woff2", "a.png", "a.avif", "a.jxl", "a.mp4", "a.zip", "a.pmtiles", "a.svgz"])
def test_what_is_compressed_in_itself_gets_no_coding(name: str) -> None:
    assert not is_wanted(CompressConfig(), name, media_type(name), 10_000)


@pytest.mark.parametrize(
    "name",
    ["a.js.map", "a.webmanifest", "a.wasm", "a.geojson", "a.svg", "a.ttf", "a.ico", "a.xml", "a.ndjson", "a.mvt"],
)
def test_what_shrinks_gets_codings(name: str) -> None:
    assert is_compressible(media_type(name))


def test_a_packed_picture_says_so() -> None:
    # SVG 2, conformance of servers: gzip-compressed files come with Content-Encoding.
    made = dict(file_headers("a/B.SVGZ", "image/svg+xml", ServeConfig(), immutable=True, digest=digest_bytes(b"")))
    assert made["Content-Encoding"] == "gzip"
    assert "Vary" not in made


@pytest.mark.parametrize(
    ("text", "expected"),
    # RFC 9110 section 8.3.1 and RFC 6838 section 4.2.
    [
        ("text/plain", True), ("text/plain;charset=utf-8", True), ('text/plain; a="b c"; d=e', True),
        ("application/vnd.a-b+json", True), ("text", False), ("text/", False), ("/plain", False),
        ("text/pl ain", False), ("text/plain;", False), ("text/plain; a", False), ("text/plain\n", False),
        ("text/plain; a=\u00e9", False),
        ("text/*", False), ("", False),
    ],
)  # fmt: skip
def test_what_a_media_type_is(text: str, expected: bool) -> None:
    assert is_media_type(text) is expected
