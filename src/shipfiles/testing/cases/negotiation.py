"""Content codings: RFC 9110 sections 8.4 and 12.5.3."""

from __future__ import annotations

from ..http import Ask, Case
from ..site import Site
from .judge import ALL_CODINGS, CSS, JS, PNG, Check, adder, coded, etag_of, same

_cases: list[Case] = []
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
    same("Vary", coded(ask("GET", site.hashed_url(PNG), ALL_CODINGS), PNG, None).get("vary"), None)


CASES = tuple(_cases)
