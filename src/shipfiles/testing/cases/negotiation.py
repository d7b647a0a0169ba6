"""Content codings: RFC 9110 sections 8.4 and 12.5.3."""

from __future__ import annotations

from ..http import Ask, Case
from ..site import Site
from .judge import ALL_CODINGS, CSS, JS, PNG, Check, adder, coded, etag_of, same

_cases: list[Case] = []
_THREE = "css/three.css"
case = adder(_cases)


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
    ("a weight above one", "br;q=1.5, gzip;q=0.1", ("gzip",), "12.4.2"),
    ("a weight of four decimals", "br;q=0.9999, gzip;q=0.001", ("gzip",), "12.4.2"),
    ("a weight without its nought", "br;q=.9, gzip;q=0.1", ("gzip",), "12.4.2"),
    ("a weight in quotes", 'br;q="1", gzip;q=0.1', ("gzip",), "12.4.2"),
    ("the smallest weight", "gzip;q=0.001", ("gzip",), "12.4.2"),
    ("identity before any other", "identity;q=0.6, *;q=0.5", (None,), "12.5.3"),
    ("any other before identity", "identity;q=0.4, *;q=0.5", ("br", "gzip"), "12.5.3"),
    ("any but identity", "*, identity;q=0", ("br", "gzip"), "12.5.3"),
    ("any but identity, the other way round", "identity;q=0, *;q=0.1", ("br", "gzip"), "12.5.3"),
    ("any but one", "gzip;q=0, *;q=0.7, identity;q=0.1", ("br",), "12.5.3"),
    ("no spaces", "gzip;q=0.5,br;q=0.4,identity;q=0.3", ("gzip",), "5.6.1"),
    ("hundreds of unknown ones", ", ".join(f"x{i}" for i in range(500)) + ", gzip", ("gzip",), "12.5.3"),
    ("a name of letters that are none", "\xdfbr, gzip;q=0.1", ("gzip",), "5.6.2"),
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


@case("RFC 9110 12.5.3", "zstd by weight, then by size")
def _(ask: Ask, site: Site) -> None:
    for accept, coding in {
        "zstd": "zstd", "gzip, zstd": "zstd", "gzip, deflate, br, zstd": "br", "zstd;q=0.1, gzip;q=0.2": "gzip",
        "zstd;q=0.9, br;q=0.8, gzip;q=0.7": "zstd", "zstd;q=0, *": "br", "ZSTD": "zstd",
    }.items():  # fmt: skip
        answer = coded(ask("GET", site.hashed_url(_THREE), {"Accept-Encoding": accept}), _THREE, coding)
        same("Vary", answer.get("vary"), "Accept-Encoding")
    tags = {etag_of(ask, site.hashed_url(_THREE), {"Accept-Encoding": accept}) for accept in ("", "br", "gzip", "zstd")}
    same("number of tags", len(tags), 4)


@case("RFC 9110 8.8.3.3", "each coding has its own strong tag")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(CSS), site.url(JS)):
        tags = {etag_of(ask, url, {"Accept-Encoding": accept}) for accept in ("", "br", "gzip")}
        same("number of tags", len(tags), 3)


@case("RFC 9110 12.5.5", "a file without other codings does not vary")
def _(ask: Ask, site: Site) -> None:
    same("Vary", coded(ask("GET", site.hashed_url(PNG), ALL_CODINGS), PNG, None).get("vary"), None)


@case("RFC 9110 9.3.2 and 15.4.5", "HEAD, a part and a 304 are of the coding of GET")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(JS), site.hashed_url(PNG)):
        for accept in ("", "br", "gzip", "br;q=0.1, gzip", "identity;q=0", "*", "gzip;q=0, *", "foo"):
            fields = {"Accept-Encoding": accept}
            whole = ask("GET", url, fields)
            head, part = ask("HEAD", url, fields), ask("GET", url, {**fields, "Range": "bytes=3-8"})
            same("status", [whole.status, head.status, part.status], [200, 200, 206])
            for name in ("content-encoding", "etag", "vary", "cache-control"):
                same(f"{name} of HEAD", head.get(name), whole.get(name))
                same(f"{name} of the part", part.get(name), whole.get(name))
            same("Content-Length of HEAD", head.get("content-length"), str(len(whole.body)))
            same("body of the part", part.body, whole.body[3:9])
            unchanged = ask("GET", url, {**fields, "If-None-Match": whole.get("etag") or ""})
            same("status", unchanged.status, 304)
            same("ETag of the 304", unchanged.get("etag"), whole.get("etag"))


@case("RFC 9110 12.5.5", "every representation that could have been another varies")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(CSS), site.url(JS)):
        tag = etag_of(ask, url)
        for method, fields, status in (
            ("GET", {}, 200), ("HEAD", {}, 200), ("GET", {"Range": "bytes=0-0"}, 206),
            ("GET", {"If-None-Match": tag}, 304), ("HEAD", {"If-None-Match": tag}, 304),
            ("GET", {"Accept-Encoding": "identity"}, 200), ("GET", {"Accept-Encoding": "*;q=0"}, 200),
        ):  # fmt: skip
            answer = ask(method, url, fields)
            same("status", answer.status, status)
            same(f"Vary of {method} {fields}", answer.get("vary"), "Accept-Encoding")


CASES = tuple(_cases)
