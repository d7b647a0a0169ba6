"""The cases of `HttpContract`. What is expected comes from the clause that a case names, never from our own answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from ..http.dates import http_date, parse_http_date
from .http import APPLICATION, Answer, Ask, Case
from .site import FILES, PREFIX, Site

CSS, JS, LARGE, PNG, FILM = "css/site.css", "js/app.js", "js/large.js", "img/dot.png", "film.mp4"
_ALL = {"Accept-Encoding": "gzip, deflate, br, zstd"}
_cases: list[Case] = []

Check = Callable[[Ask, Site], None]


def case(clause: str, name: str) -> Callable[[Check], Check]:
    """Add a function to the table."""

    def add(check: Check) -> Check:
        _cases.append(Case(name, clause, check))
        return check

    return add


def same(what: str, got: object, expected: object) -> None:
    """Raise ``AssertionError`` unless the two are equal."""
    if got != expected:
        shown = [repr(v)[:120] for v in (got, expected)]
        raise AssertionError(f"{what} is {shown[0]}, not {shown[1]}")


def coded(answer: Answer, logical: str, coding: str | None, status: int = 200) -> Answer:
    """Check that ``answer`` is the asset of ``logical`` in ``coding``."""
    file = FILES[logical]
    same("status", answer.status, status)
    same("Content-Encoding", answer.get("content-encoding"), coding)
    same("body", answer.body, file.body if coding is None else file.codings[coding])
    return answer


def etag_of(ask: Ask, target: str, fields: Mapping[str, str] | None = None) -> str:
    """The ETag with which ``target`` is answered."""
    answer = ask("GET", target, fields or {})
    same("status", answer.status, 200)
    tag = answer.get("etag")
    if tag is None or not (tag.startswith('"') and tag.endswith('"') and len(tag) > 2):
        raise AssertionError(f"ETag {tag} is not a strong entity tag")
    return tag


# Negotiation ---------------------------------------------------------------------------------------------------------

_ENCODINGS: list[tuple[str, str | None, tuple[str | None, ...], str]] = [
    ("no Accept-Encoding", None, (None,), "12.5.3"),
    ("empty field", "", (None,), "12.5.3"),
    ("br", "br", ("br",), "12.5.3"),
    ("gzip", "gzip", ("gzip",), "12.5.3"),
    ("what browsers send", "gzip, deflate, br, zstd", ("br",), "12.5.3"),
    ("upper case", "BR", ("br",), "8.4.1"),
    ("mixed case", "GZip;Q=1.0", ("gzip",), "8.4.1"),
    ("x-gzip", "x-gzip", ("gzip",), "8.4.1.3"),
    ("refused", "br;q=0", (None,), "12.5.3"),
    ("refused among others", "gzip, br;q=0", ("gzip",), "12.5.3"),
    ("refused with decimals", "br;q=0.000, gzip", ("gzip",), "12.4.2"),
    ("weights", "br;q=0.2, gzip;q=0.9", ("gzip",), "12.5.3"),
    ("spaces around the weight", "br ; q=0.2 , gzip ;\tq=0.9", ("gzip",), "12.4.2"),
    ("identity preferred", "identity, gzip;q=0.5", (None,), "12.5.3"),
    ("identity refused, another there", "identity;q=0, gzip;q=0.1", ("gzip",), "12.5.3"),
    ("any coding", "*", (None, "br", "gzip"), "12.5.3"),
    ("any coding but those named", "br;q=0, *", (None, "gzip"), "12.5.3"),
    ("any coding refused but one", "gzip;q=0.1, *;q=0", ("gzip",), "12.5.3"),
    ("nothing acceptable", "identity;q=0", (None,), "12.5.3"),
    ("nothing at all acceptable", "*;q=0", (None,), "12.5.3"),
    ("unknown codings", "zstd, foo;q=1", (None,), "12.5.3"),
    ("a name that contains another", "x-br, brotli, gzippy", (None,), "8.4.1"),
    ("empty members", ",, gzip,,", ("gzip",), "5.6.1.2"),
    ("a weight that is none", "br;q=high, gzip", ("gzip",), "12.4.2"),
    ("a parameter that is no weight", "gzip;foo=br", (None, "gzip"), "12.5.3"),
]


def _encoding(accept: str | None, allowed: tuple[str | None, ...]) -> Check:
    def check(ask: Ask, site: Site) -> None:
        fields = {} if accept is None else {"Accept-Encoding": accept}
        answer = ask("GET", site.hashed_url(CSS), fields)
        coding = answer.get("content-encoding")
        if coding not in allowed:
            raise AssertionError(f"Content-Encoding is {coding}, not one of {allowed}")
        coded(answer, CSS, coding)
        same("Vary", answer.get("vary"), "Accept-Encoding")

    return check


_cases += [
    Case(f"coding: {name}", f"RFC 9110 {clause}", _encoding(accept, allowed))
    for name, accept, allowed, clause in _ENCODINGS
]


@case("RFC 9110 8.8.3.3", "each coding has its own strong tag")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(CSS), site.url(JS)):
        tags = {etag_of(ask, url, {"Accept-Encoding": accept}) for accept in ("", "br", "gzip")}
        same("number of tags", len(tags), 3)


@case("RFC 9110 12.5.5", "a file without other codings does not vary")
def _(ask: Ask, site: Site) -> None:
    same("Vary", coded(ask("GET", site.hashed_url(PNG), _ALL), PNG, None).get("vary"), None)


# Ranges --------------------------------------------------------------------------------------------------------------

_WHOLE, _UNSATISFIABLE = "whole", "unsatisfiable"
_RANGES: list[tuple[str, tuple[int, int] | str, str]] = [
    ("bytes=0-99", (0, 99), "14.1.2"),
    ("bytes=0-0", (0, 0), "14.1.2"),
    ("bytes=-1", (999, 999), "14.1.2"),
    ("bytes=999-999", (999, 999), "14.1.2"),
    ("bytes=-100", (900, 999), "14.1.2"),
    ("bytes=-5000", (0, 999), "14.1.2"),
    ("bytes=100-", (100, 999), "14.1.2"),
    ("bytes=0-", (0, 999), "14.1.2"),
    ("bytes=990-5000", (990, 999), "14.1.2"),
    ("bytes=990-" + "9" * 5000, (990, 999), "14.1.2"),
    ("bytes=-" + "9" * 5000, (0, 999), "14.1.2"),
    ("Bytes=5-9", (5, 9), "14.1"),
    ("bytes= 5-9", (5, 9), "14.1.2"),
    ("bytes=,5-9,", (5, 9), "5.6.1.2"),
    ("bytes=1000-", _UNSATISFIABLE, "14.1.2"),
    ("bytes=1000-1000", _UNSATISFIABLE, "14.1.2"),
    ("bytes=" + "9" * 5000 + "-", _UNSATISFIABLE, "14.1.2"),
    ("bytes=-0", _UNSATISFIABLE, "14.1.2"),
    ("bytes=abc", _WHOLE, "14.2"),
    ("bytes=--5", _WHOLE, "14.2"),
    ("bytes=5-2", _WHOLE, "14.2"),
    ("bytes=-", _WHOLE, "14.2"),
    ("bytes=", _WHOLE, "14.2"),
    ("bytes", _WHOLE, "14.2"),
    ("bytes=1 0-20", _WHOLE, "14.2"),
    ("bytes=+1-2", _WHOLE, "14.2"),
    ("bytes=0x1-2", _WHOLE, "14.2"),
    ("lines=0-5", _WHOLE, "14.2"),
    ("bytes=0-1,5-6", _WHOLE, "14.2"),
    ("bytes=" + ",".join(["0-"] * 500), _WHOLE, "14.2"),
]


def _range(asked: str, expected: tuple[int, int] | str) -> Check:
    def check(ask: Ask, site: Site) -> None:
        body = FILES[PNG].body
        answer = ask("GET", site.hashed_url(PNG), {"Range": asked})
        if expected == _WHOLE:
            coded(answer, PNG, None)
            same("Content-Range", answer.get("content-range"), None)
        elif expected == _UNSATISFIABLE:
            same("status", answer.status, 416)
            same("Content-Range", answer.get("content-range"), f"bytes */{len(body)}")
        else:
            assert isinstance(expected, tuple)
            first, last = expected
            same("status", answer.status, 206)
            same("Content-Range", answer.get("content-range"), f"bytes {first}-{last}/{len(body)}")
            same("body", answer.body, body[first : last + 1])

    return check


_cases += [
    Case(f"range: {asked[:30]}{'...' if len(asked) > 30 else ''}", f"RFC 9110 {clause}", _range(asked, expected))
    for asked, expected, clause in _RANGES
]


@case("RFC 9110 14.2", "a range of an empty file is ignored")
def _(ask: Ask, site: Site) -> None:
    coded(ask("GET", site.hashed_url("empty.txt"), {"Range": "bytes=0-"}), "empty.txt", None)


@case("RFC 9110 14.2", "HEAD knows no ranges")
def _(ask: Ask, site: Site) -> None:
    answer = ask("HEAD", site.hashed_url(PNG), {"Range": "bytes=0-9"})
    same("status", answer.status, 200)
    same("Content-Length", answer.get("content-length"), "1000")


@case("RFC 9110 14.1.2", "ranges of a large file")
def _(ask: Ask, site: Site) -> None:
    body = FILES[FILM].body
    for first, last in ((0, 199_999), (100_000, 299_999), (299_999, 299_999), (70_000, 70_009)):
        answer = ask("GET", site.hashed_url(FILM), {"Range": f"bytes={first}-{last}"})
        same("status", answer.status, 206)
        same("body", answer.body, body[first : last + 1])


@case("RFC 9110 14.1.2", "a range counts the encoded bytes")
def _(ask: Ask, site: Site) -> None:
    whole = FILES[CSS].codings["gzip"]
    answer = ask("GET", site.hashed_url(CSS), {"Range": "bytes=10-19", "Accept-Encoding": "gzip"})
    same("status", answer.status, 206)
    same("Content-Encoding", answer.get("content-encoding"), "gzip")
    same("Content-Range", answer.get("content-range"), f"bytes 10-19/{len(whole)}")
    same("body", answer.body, whole[10:20])


@case("RFC 9110 15.3.7", "a 206 has the headers of the 200")
def _(ask: Ask, site: Site) -> None:
    fields = {"Accept-Encoding": "gzip"}
    for url in (site.hashed_url(CSS), site.url(JS)):
        whole = ask("GET", url, fields)
        part = ask("GET", url, {**fields, "Range": "bytes=0-9"})
        same("status", part.status, 206)
        for name in ("cache-control", "etag", "vary", "content-type", "content-encoding", "last-modified"):
            same(name, part.get(name), whole.get(name))


@case("RFC 9110 14.3", "ranges are announced")
def _(ask: Ask, site: Site) -> None:
    same("Accept-Ranges", ask("GET", site.hashed_url(PNG), {}).get("accept-ranges"), "bytes")


def _if_range(value: Callable[[Answer], str], status: int, logical: str = PNG) -> Check:
    def check(ask: Ask, site: Site) -> None:
        url = site.hashed_url(logical)
        fields = {"Range": "bytes=0-9", "If-Range": value(ask("GET", url, {}))}
        same("status", ask("GET", url, fields).status, status)

    return check


def _etag(answer: Answer) -> str:
    return answer.get("etag") or "no ETag"


def _date(answer: Answer, plus: int = 0) -> str:
    return http_date((parse_http_date(answer.get("last-modified") or "") or 0) + plus)


_cases += [
    Case(f"If-Range: {name}", "RFC 9110 13.1.5", _if_range(value, status))
    for name, value, status in (
        ("the tag", _etag, 206),
        ("another tag", lambda _: '"another"', 200),
        ("the tag, weak", lambda a: "W/" + _etag(a), 200),
        ("the date", _date, 206),
        ("an earlier date", lambda a: _date(a, -60), 200),
        ("a later date", lambda a: _date(a, 60), 200),
        ("neither tag nor date", lambda _: "yesterday", 200),
    )
]


@case("RFC 9110 13.1.5", "If-Range: the tag of another coding")
def _(ask: Ask, site: Site) -> None:
    fields = {"Range": "bytes=0-9", "If-Range": etag_of(ask, site.hashed_url(CSS)), "Accept-Encoding": "gzip"}
    coded(ask("GET", site.hashed_url(CSS), fields), CSS, "gzip")


@case("RFC 9110 13.1.5", "If-Range without Range is ignored")
def _(ask: Ask, site: Site) -> None:
    coded(ask("GET", site.hashed_url(PNG), {"If-Range": '"another"'}), PNG, None)


@case("RFC 9110 8.8.2.2", "If-Range: the date of a file that may change proves nothing")
def _(ask: Ask, site: Site) -> None:
    date = _date(ask("GET", site.url(PNG), {}))
    coded(ask("GET", site.url(PNG), {"Range": "bytes=0-9", "If-Range": date}), PNG, None)


# Preconditions -------------------------------------------------------------------------------------------------------

_Fields = Callable[[Answer], Mapping[str, str]]
_PRECONDITIONS: list[tuple[str, _Fields, int, str]] = [
    ("If-None-Match: the tag", lambda a: {"If-None-Match": _etag(a)}, 304, "13.1.2"),
    ("If-None-Match: the tag, weak", lambda a: {"If-None-Match": "W/" + _etag(a)}, 304, "13.1.2"),
    ("If-None-Match: a list", lambda a: {"If-None-Match": f'"a", "b,c" ,W/{_etag(a)}'}, 304, "13.1.2"),
    ("If-None-Match: *", lambda _: {"If-None-Match": "*"}, 304, "13.1.2"),
    ("If-None-Match: another", lambda _: {"If-None-Match": '"another"'}, 200, "13.1.2"),
    ("If-None-Match: unquoted", lambda a: {"If-None-Match": _etag(a).strip('"')}, 200, "8.8.3"),
    ("If-None-Match: a part of the tag", lambda a: {"If-None-Match": _etag(a)[:-2] + '"'}, 200, "8.8.3.2"),
    ("If-None-Match: empty", lambda _: {"If-None-Match": ""}, 200, "13.1.2"),
    ("If-None-Match wins over the date", lambda a: {"If-None-Match": '"x"', "If-Modified-Since": _date(a)}, 200,
     "13.1.3"),
    ("If-Modified-Since: the date", lambda a: {"If-Modified-Since": _date(a)}, 304, "13.1.3"),
    ("If-Modified-Since: later", lambda a: {"If-Modified-Since": _date(a, 60)}, 304, "13.1.3"),
    ("If-Modified-Since: earlier", lambda a: {"If-Modified-Since": _date(a, -1)}, 200, "13.1.3"),
    ("If-Modified-Since: no date", lambda _: {"If-Modified-Since": "yesterday"}, 200, "13.1.3"),
    ("If-Modified-Since: asctime", lambda _: {"If-Modified-Since": "Sun Nov  6 08:49:37 1994"}, 200, "5.6.7"),
    ("If-Modified-Since: RFC 850", lambda _: {"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 200, "5.6.7"),
    ("If-Match: the tag", lambda a: {"If-Match": f'"x", {_etag(a)}'}, 200, "13.1.1"),
    ("If-Match: *", lambda _: {"If-Match": "*"}, 200, "13.1.1"),
    ("If-Match: another", lambda _: {"If-Match": '"another"'}, 412, "13.1.1"),
    ("If-Match: weak", lambda a: {"If-Match": "W/" + _etag(a)}, 412, "13.1.1"),
    ("If-Unmodified-Since: the date", lambda a: {"If-Unmodified-Since": _date(a)}, 200, "13.1.4"),
    ("If-Unmodified-Since: earlier", lambda a: {"If-Unmodified-Since": _date(a, -1)}, 412, "13.1.4"),
    ("If-Unmodified-Since: no date", lambda _: {"If-Unmodified-Since": "yesterday"}, 200, "13.1.4"),
    ("If-Match wins over the date", lambda a: {"If-Match": "*", "If-Unmodified-Since": _date(a, -60)}, 200, "13.1.4"),
    ("If-Match comes before If-None-Match", lambda a: {"If-Match": '"x"', "If-None-Match": _etag(a)}, 412, "13.2.2"),
    ("If-None-Match comes after If-Match", lambda a: {"If-Match": _etag(a), "If-None-Match": _etag(a)}, 304, "13.2.2"),
    ("304 comes before the range", lambda a: {"If-None-Match": _etag(a), "Range": "bytes=0-9"}, 304, "14.2"),
    ("412 comes before the range", lambda _: {"If-Match": '"x"', "Range": "bytes=9999-"}, 412, "14.2"),
]  # fmt: skip


def _precondition(fields: _Fields, status: int) -> Check:
    def check(ask: Ask, site: Site) -> None:
        for url in (site.hashed_url(CSS), site.url(JS)):
            for method in ("GET", "HEAD"):
                sent = fields(ask(method, url, {}))
                if method == "GET" or "Range" not in sent:
                    same(f"status of {method}", ask(method, url, sent).status, status)

    return check


_cases += [
    Case(f"condition: {name}", f"RFC 9110 {clause}", _precondition(fields, status))
    for name, fields, status, clause in _PRECONDITIONS
]


@case("RFC 9110 15.4.5", "a 304 has the headers that it needs and no others of the file")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(CSS), site.url(JS)):
        for accept in ({}, {"Accept-Encoding": "br"}):
            whole = ask("GET", url, accept)
            answer = ask("GET", url, {**accept, "If-None-Match": _etag(whole)})
            same("status", answer.status, 304)
            for name in ("cache-control", "etag", "vary"):
                if whole.get(name) is None:
                    raise AssertionError(f"the 200 has no {name}")
                same(name, answer.get(name), whole.get(name))
            for name in ("content-type", "content-encoding", "content-range"):
                same(name, answer.get(name), None)


@case("RFC 9110 13.1.2", "the tag of one coding does not stand for another")
def _(ask: Ask, site: Site) -> None:
    tag = etag_of(ask, site.hashed_url(CSS), {"Accept-Encoding": "gzip"})
    coded(ask("GET", site.hashed_url(CSS), {"If-None-Match": tag}), CSS, None)


# Methods -------------------------------------------------------------------------------------------------------------


@case("RFC 9110 9.3.2", "HEAD has the headers of GET")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(JS), site.hashed_url(FILM)):
        get, head = ask("GET", url, _ALL), ask("HEAD", url, _ALL)
        same("status", head.status, 200)
        for name in ("content-type", "content-length", "content-encoding", "etag", "cache-control", "vary",
                     "last-modified", "accept-ranges"):  # fmt: skip
            same(name, head.get(name), get.get(name))


def _not_allowed(method: str) -> Check:
    def check(ask: Ask, site: Site) -> None:
        for url in (site.hashed_url(CSS), site.url(JS)):
            answer = ask(method, url, {"If-None-Match": "*"})
            same("status", answer.status, 405)
            same("Allow", {m.strip() for m in (answer.get("allow") or "").split(",")}, {"GET", "HEAD", "OPTIONS"})

    return check


_cases += [
    Case(f"method: {m}", "RFC 9110 15.5.6", _not_allowed(m)) for m in ("POST", "PUT", "DELETE", "PATCH", "PROPFIND")
]


@case("RFC 9110 9.3.7", "OPTIONS says what is allowed")
def _(ask: Ask, site: Site) -> None:
    answer = ask("OPTIONS", site.hashed_url(CSS), {"If-Match": '"x"'})
    same("status", answer.status, 200)
    same("Allow", answer.get("allow"), "GET, HEAD, OPTIONS")


@case("Fetch 4.8", "a CORS preflight passes")
def _(ask: Ask, site: Site) -> None:
    answer = ask("OPTIONS", site.hashed_url(CSS), {
        "Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-requested-with",
    })  # fmt: skip
    same("status", answer.status, 200)
    same("Access-Control-Allow-Origin", answer.get("access-control-allow-origin"), "*")
    same("Access-Control-Allow-Headers", answer.get("access-control-allow-headers"), "*")


# Headers -------------------------------------------------------------------------------------------------------------

_TYPES = {
    CSS: "text/css; charset=utf-8", JS: "text/javascript; charset=utf-8", "m.mjs": "text/javascript; charset=utf-8",
    "map/app.js.map": "application/json", "app.webmanifest": "application/manifest+json",
    "m.wasm": "application/wasm", "font.woff2": "font/woff2", PNG: "image/png", FILM: "video/mp4",
    "empty.txt": "text/plain; charset=utf-8", "no-extension": "application/octet-stream",
}  # fmt: skip


@case("RFC 9110 8.3", "media types")
def _(ask: Ask, site: Site) -> None:
    for logical, expected in _TYPES.items():
        same(f"Content-Type of {logical}", ask("GET", site.hashed_url(logical), {}).get("content-type"), expected)
        same(f"Content-Type of {logical}", ask("GET", site.url(logical), _ALL).get("content-type"), expected)


@case("RFC 8246 2", "hashed names are immutable")
def _(ask: Ask, site: Site) -> None:
    for fields in ({}, {"Range": "bytes=0-9"}):
        directives = (ask("GET", site.hashed_url(CSS), fields).get("cache-control") or "").split(", ")
        for directive in ("max-age=31536000", "public", "immutable"):
            if directive not in directives:
                raise AssertionError(f"Cache-Control {directives} lacks {directive}")


@case("RFC 8246 2", "plain names are not immutable, whatever they look like")
def _(ask: Ask, site: Site) -> None:
    for logical in (CSS, JS, "page.0123456789ab.css"):
        answer = ask("GET", site.url(logical), {})
        same("status", answer.status, 200)
        same("Cache-Control", answer.get("cache-control"), "max-age=60, public")


@case("Fetch 3.3.3 and 3.5", "CORS and nosniff")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(PNG), site.hashed_url(FILM)):
        answer = ask("GET", url, {})
        same("Access-Control-Allow-Origin", answer.get("access-control-allow-origin"), "*")
        same("X-Content-Type-Options", answer.get("x-content-type-options"), "nosniff")


@case("RFC 9110 8.8.2", "Last-Modified is the file's time")
def _(ask: Ask, site: Site) -> None:
    path = site.path(site.manifest.entries[PNG].name)
    expected = http_date(int(os.stat(path).st_mtime))
    same("Last-Modified", ask("GET", site.hashed_url(PNG), {}).get("last-modified"), expected)


@case("RFC 9110 8.8.2.1", "Last-Modified is never in the future")
def _(ask: Ask, site: Site) -> None:
    path = site.path(site.manifest.entries["m.wasm"].name)
    os.utime(path, (4e9, 4e9))
    modified = ask("GET", site.hashed_url("m.wasm"), {}).get("last-modified")
    if modified is not None and (parse_http_date(modified) or 4e9) >= 4e9:
        raise AssertionError(f"Last-Modified is {modified}")


# Names ---------------------------------------------------------------------------------------------------------------


@case("RFC 9110 9.3.1", "every file under both names")
def _(ask: Ask, site: Site) -> None:
    for logical, file in FILES.items():
        if not logical.startswith("harm/"):
            coded(ask("GET", site.hashed_url(logical), {}), logical, None)
            plain = ask("GET", site.url(logical), {})
            same("body", plain.body, file.body if file.plain is None else file.plain)


@case("RFC 3986 2.1", "names with spaces, percent signs and other letters")
def _(ask: Ask, _site: Site) -> None:
    for target in ("odd/na%C3%AFve%20%E2%98%83.txt", "%6Fdd/na%c3%afve%20%e2%98%83%2etxt"):
        same("body", ask("GET", PREFIX + target, {}).body, b"snow")
    same("body", ask("GET", PREFIX + "odd/100%25%20a+b%20%231%3F%2520;'(x).txt", {}).body, b"odd")


def _not_ours(target: str) -> Check:
    def check(ask: Ask, site: Site) -> None:
        answer = ask("GET", target, {})
        if answer.body != APPLICATION and not 400 <= answer.status < 500:
            raise AssertionError(f"answered {answer.status} with {answer.body[:40]!r}")
        for secret in (site.secret, b"PASSWORD", b"in no manifest", b'"schema"', b'"paths"'):
            if secret in answer.body:
                raise AssertionError(f"gave away {answer.body[:40]!r}")

    return check


_cases += [
    Case(f"path: {name[:40]}", "RFC 3986 6.2.2.3 and 7.3", _not_ours(PREFIX + name))
    for name in (
        "", "css", "css/", "none.css", "stray.txt", "link.txt", ".env", "staticfiles.json", ".shipfiles/current.json",
        "css/site.css.br", "css/site.css.gz", "css/site.css/", "css//site.css", "./css/site.css", "CSS/site.css",
        "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "..%5csecret.txt", "%5c..%5csecret.txt",
        "css/..%2f..%2fsecret.txt", "%252e%252e/secret.txt", "%c0%ae%c0%ae/secret.txt", "....//secret.txt",
        "/etc/passwd", "%2fetc/passwd", "css/site.css%00", "css/site.css%00.js", "%ff%fe.css", "a" * 300, "a/" * 1000,
    )
]  # fmt: skip


@case("RFC 9110 9.3.1", "other paths are the application's")
def _(ask: Ask, _site: Site) -> None:
    for target in ("/", "/static", "/staticfoo/css/site.css", PREFIX + "none.css", PREFIX + "css/site.css/",
                   "/css/site.css", "/page.0123456789ab.css"):  # fmt: skip
        for method in ("GET", "POST"):
            answer = ask(method, target, {})
            same(f"body of {target}", answer.body, APPLICATION)


@case("RFC 9111 4.2.2", "a hashed name of another release is not found and not kept")
def _(ask: Ask, _site: Site) -> None:
    for method in ("GET", "HEAD", "POST"):
        answer = ask(method, PREFIX + "css/site.0123456789ab.css", {})
        same("status", answer.status, 404)
        same("Cache-Control", answer.get("cache-control"), "no-store")


@case("RFC 9110 15.5", "errors are not kept")
def _(ask: Ask, site: Site) -> None:
    url = site.hashed_url(PNG)
    answers = [
        ask("POST", url, {}), ask("GET", url, {"If-Match": '"x"'}), ask("GET", url, {"Range": "bytes=1000-"}),
    ]  # fmt: skip
    same("status", [a.status for a in answers], [405, 412, 416])
    for answer in answers:
        same("Cache-Control", answer.get("cache-control"), "no-store")


# A disk that changes while the server runs ---------------------------------------------------------------------------


def _harmed(name: str, harm: Callable[[str], None]) -> Check:
    """Harm the identity file: a coding that is whole may still be sent, identity is not found."""

    def check(ask: Ask, site: Site) -> None:
        logical = f"harm/{name}.js"
        url = site.hashed_url(logical)
        coded(ask("GET", url, {}), logical, None)
        harm(site.path(site.manifest.entries[logical].name))
        for target in (url, site.url(logical)):
            for method in ("GET", "HEAD"):
                answer = ask(method, target, {})
                same("status", answer.status, 404)
                same("Cache-Control", answer.get("cache-control"), "no-store")
            coded(ask("GET", target, {"Accept-Encoding": "gzip"}), logical, "gzip")

    return check


def _harmed_variant(name: str, harm: Callable[[str], None]) -> Check:
    """Harm one variant: the next acceptable representation is sent."""

    def check(ask: Ask, site: Site) -> None:
        logical = f"harm/{name}.js"
        url = site.hashed_url(logical)
        coded(ask("GET", url, _ALL), logical, "br")
        harm(site.path(site.manifest.entries[logical].name + ".br"))
        coded(ask("GET", url, _ALL), logical, "gzip")
        same("Vary", coded(ask("GET", url, {"Accept-Encoding": "br"}), logical, None).get("vary"), "Accept-Encoding")

    return check


def _shrink(path: str) -> None:
    os.truncate(path, os.path.getsize(path) // 2)


def _grow(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"more")


def _to_folder(path: str) -> None:
    os.unlink(path)
    os.mkdir(path)


def _to_fifo(path: str) -> None:
    os.unlink(path)
    os.mkfifo(path)


_cases += [
    Case("disk: removed", "RFC 9110 15.5.5", _harmed("removed", os.unlink)),
    Case("disk: shrunk", "RFC 9110 8.6", _harmed("shrunk", _shrink)),
    Case("disk: grown", "RFC 9110 8.6", _harmed("grown", _grow)),
    Case("disk: a large file shrunk", "RFC 9110 8.6", _harmed("large-shrunk", _shrink)),
    Case("disk: a folder in its place", "RFC 9110 15.5.5", _harmed("folder", _to_folder)),
    Case("disk: variant removed", "RFC 9110 12.5.3", _harmed_variant("removed-variant", os.unlink)),
    Case("disk: variant shrunk", "RFC 9110 8.6", _harmed_variant("shrunk-variant", _shrink)),
]
if hasattr(os, "mkfifo"):
    _cases.append(Case("disk: a pipe in its place", "RFC 9110 15.5.5", _harmed("fifo", _to_fifo)))


def _replaced(name: str, new: bytes) -> Check:
    """A later release overwrites the plain copy: the new bytes come, and never under the old tag."""

    def check(ask: Ask, site: Site) -> None:
        logical = f"harm/{name}.js"
        url = site.url(logical)
        old = etag_of(ask, url)
        site.replace(logical, new)
        answer = ask("GET", url, {"If-None-Match": old})
        same("status", answer.status, 200)
        same("body", answer.body, new)
        if answer.get("etag") == old:
            raise AssertionError("the tag is that of other bytes")
        same("status", ask("GET", url, {"If-None-Match": _etag(answer)}).status, 304)
        part = ask("GET", url, {"Range": "bytes=0-9", "If-Range": old})
        same("body", part.body, new)
        # The hashed name is what it was.
        coded(ask("GET", site.hashed_url(logical), {}), logical, None)

    return check


_cases += [
    Case("disk: plain copy replaced, same size", "RFC 9110 8.8.1",
         _replaced("plain-replaced", (FILES["harm/plain-replaced.js"].plain or b"").upper())),
    Case("disk: large plain copy replaced", "RFC 9110 8.8.1",
         _replaced("plain-large-replaced", (FILES["harm/plain-large-replaced.js"].plain or b"").upper() + b"//")),
]  # fmt: skip


@case("RFC 9110 15.5.5", "disk: plain copy removed")
def _(ask: Ask, site: Site) -> None:
    logical = "harm/plain-removed.js"
    os.unlink(site.path(logical))
    same("status", ask("GET", site.url(logical), {}).status, 404)
    coded(ask("GET", site.hashed_url(logical), {}), logical, None)


CASES: tuple[Case, ...] = tuple(_cases)
"""All cases, in no particular order."""
