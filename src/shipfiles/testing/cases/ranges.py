"""Range and If-Range: RFC 9110 sections 13.1.5 and 14."""

from __future__ import annotations

from collections.abc import Callable

from ..http import APPLICATION, Answer, Ask, Case
from ..site import FILES, Site
from .judge import CSS, FILM, JS, PNG, Check, adder, coded, date, etag_of, same, short, tag

_cases: list[Case] = []
case = adder(_cases)


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
    ("bytes=0-0,-1", _WHOLE, "14.2"),
    ("bytes=0-9, 5-2", _WHOLE, "14.2"),
    ("bytes=2000-,0-0", _WHOLE, "14.2"),
    ("bytes=" + "0-0," * 1500, _WHOLE, "17.15"),
    ("bytes=" + "-1," * 2000, _WHOLE, "17.15"),
    ("bytes=1-2-3", _WHOLE, "14.1.2"),
    ("bytes=-1-2", _WHOLE, "14.1.2"),
    ("bytes=0 - 9", _WHOLE, "14.1.2"),
    ("bytes =0-9", _WHOLE, "14.1"),
    ("bytes:0-9", _WHOLE, "14.1"),
    ("=0-9", _WHOLE, "14.1"),
    ("bytes=\xb2-\xb3", _WHOLE, "14.1.2"),
    ("bytes=0-9;q=1", _WHOLE, "14.1.2"),
    ("bytes=1e1-99", _WHOLE, "14.1.2"),
    ("bytes=0000-" + "0" * 500 + "9", (0, 9), "14.1.2"),
    ("bytes=-" + "0" * 500, _UNSATISFIABLE, "14.1.2"),
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
    Case(f"range: {short(asked)}", f"RFC 9110 {clause}", _range(asked, expected)) for asked, expected, clause in _RANGES
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


@case("RFC 9110 14.2", "other methods and other answers know no ranges")
def _(ask: Ask, site: Site) -> None:
    fields = {"Range": "bytes=0-9"}
    for method, target, status in (
        ("POST", site.hashed_url(PNG), 405),
        ("OPTIONS", site.hashed_url(PNG), 200),
        ("GET", site.hashed_url(PNG).replace("dot.", "dot.00"), 404),
    ):
        answer = ask(method, target, fields)
        same("status", answer.status, 200 if answer.body == APPLICATION else status)
        same("Content-Range", answer.get("content-range"), None)


@case("RFC 9110 14.1.2", "a range counts the encoded bytes")
def _(ask: Ask, site: Site) -> None:
    whole = FILES[CSS].codings["gzip"]
    answer = ask("GET", site.hashed_url(CSS), {"Range": "bytes=10-19", "Accept-Encoding": "gzip"})
    same("status", answer.status, 206)
    same("Content-Encoding", answer.get("content-encoding"), "gzip")
    same("Content-Range", answer.get("content-range"), f"bytes 10-19/{len(whole)}")
    same("body", answer.body, whole[10:20])


@case("RFC 9110 15.5.17", "an unsatisfiable range of a coding tells that coding's length")
def _(ask: Ask, site: Site) -> None:
    for coding, body in FILES[CSS].codings.items():
        # There are so many bytes in the file, but not in this representation.
        fields = {"Range": f"bytes={len(body)}-", "Accept-Encoding": coding}
        answer = ask("GET", site.hashed_url(CSS), fields)
        same("status", answer.status, 416)
        same("Content-Range", answer.get("content-range"), f"bytes */{len(body)}")


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


_cases += [
    Case(f"If-Range: {name}", "RFC 9110 13.1.5", _if_range(value, status))
    for name, value, status in (
        ("the tag", tag, 206),
        ("another tag", lambda _: '"another"', 200),
        ("the tag, weak", lambda a: "W/" + tag(a), 200),
        ("the date", date, 206),
        ("an earlier date", lambda a: date(a, -60), 200),
        ("a later date", lambda a: date(a, 60), 200),
        ("neither tag nor date", lambda _: "yesterday", 200),
    )
]


@case("RFC 9110 13.1.5", "If-Range: the tag of another coding")
def _(ask: Ask, site: Site) -> None:
    fields = {"Range": "bytes=0-9", "If-Range": etag_of(ask, site.hashed_url(CSS)), "Accept-Encoding": "gzip"}
    coded(ask("GET", site.hashed_url(CSS), fields), CSS, "gzip")


@case("RFC 9110 13.1.5", "If-Range: the tag of the coding that is sent")
def _(ask: Ask, site: Site) -> None:
    for coding, body in FILES[CSS].codings.items():
        accept = {"Accept-Encoding": coding}
        fields = {"Range": "bytes=0-9", "If-Range": etag_of(ask, site.hashed_url(CSS), accept), **accept}
        answer = ask("GET", site.hashed_url(CSS), fields)
        same("status", answer.status, 206)
        same("body", answer.body, body[:10])


@case("RFC 9110 13.2.2", "If-Range is asked before the range is read")
def _(ask: Ask, site: Site) -> None:
    beyond = {"Range": "bytes=5000-"}
    coded(ask("GET", site.hashed_url(PNG), {**beyond, "If-Range": '"another"'}), PNG, None)
    tag = etag_of(ask, site.hashed_url(PNG))
    same("status", ask("GET", site.hashed_url(PNG), {**beyond, "If-Range": tag}).status, 416)


@case("RFC 9110 13.1.5", "If-Range without Range is ignored")
def _(ask: Ask, site: Site) -> None:
    coded(ask("GET", site.hashed_url(PNG), {"If-Range": '"another"'}), PNG, None)


@case("RFC 9110 8.8.2.2", "If-Range: the date of a file that may change proves nothing")
def _(ask: Ask, site: Site) -> None:
    modified = date(ask("GET", site.url(PNG), {}))
    coded(ask("GET", site.url(PNG), {"Range": "bytes=0-9", "If-Range": modified}), PNG, None)


CASES = tuple(_cases)
