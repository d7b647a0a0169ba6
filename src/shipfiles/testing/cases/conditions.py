"""Preconditions: RFC 9110 section 13."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from ...http.dates import http_date
from ..http import Answer, Ask, Case
from ..site import Site
from .judge import CSS, JS, Check, adder, coded, date, etag_of, same, tag

_cases: list[Case] = []
case = adder(_cases)


_RFC_850, _ASCTIME = "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"


def _other_form(answer: Answer, form: str) -> str:
    """The Last-Modified of ``answer`` in an obsolete form, by the library of C."""
    return time.strftime(form, time.strptime(date(answer), "%a, %d %b %Y %H:%M:%S GMT"))


_Fields = Callable[[Answer], Mapping[str, str]]
_PRECONDITIONS: list[tuple[str, _Fields, int, str]] = [
    ("If-None-Match: the tag", lambda a: {"If-None-Match": tag(a)}, 304, "13.1.2"),
    ("If-None-Match: the tag, weak", lambda a: {"If-None-Match": "W/" + tag(a)}, 304, "13.1.2"),
    ("If-None-Match: a list", lambda a: {"If-None-Match": f'"a", "b,c" ,W/{tag(a)}'}, 304, "13.1.2"),
    ("If-None-Match: *", lambda _: {"If-None-Match": "*"}, 304, "13.1.2"),
    ("If-None-Match: another", lambda _: {"If-None-Match": '"another"'}, 200, "13.1.2"),
    ("If-None-Match: unquoted", lambda a: {"If-None-Match": tag(a).strip('"')}, 200, "8.8.3"),
    ("If-None-Match: a part of the tag", lambda a: {"If-None-Match": tag(a)[:-2] + '"'}, 200, "8.8.3.2"),
    ("If-None-Match: empty", lambda _: {"If-None-Match": ""}, 200, "13.1.2"),
    ("If-None-Match wins over the date", lambda a: {"If-None-Match": '"x"', "If-Modified-Since": date(a)}, 200,
     "13.1.3"),
    ("If-Modified-Since: the date", lambda a: {"If-Modified-Since": date(a)}, 304, "13.1.3"),
    ("If-Modified-Since: earlier", lambda a: {"If-Modified-Since": date(a, -1)}, 200, "13.1.3"),
    ("If-Modified-Since: no date", lambda _: {"If-Modified-Since": "yesterday"}, 200, "13.1.3"),
    ("If-Modified-Since: asctime", lambda _: {"If-Modified-Since": "Sun Nov  6 08:49:37 1994"}, 200, "5.6.7"),
    ("If-Modified-Since: RFC 850", lambda _: {"If-Modified-Since": "Sunday, 06-Nov-94 08:49:37 GMT"}, 200, "5.6.7"),
    ("If-Match: the tag", lambda a: {"If-Match": f'"x", {tag(a)}'}, 200, "13.1.1"),
    ("If-Match: *", lambda _: {"If-Match": "*"}, 200, "13.1.1"),
    ("If-Match: another", lambda _: {"If-Match": '"another"'}, 412, "13.1.1"),
    ("If-Match: weak", lambda a: {"If-Match": "W/" + tag(a)}, 412, "13.1.1"),
    ("If-Unmodified-Since: the date", lambda a: {"If-Unmodified-Since": date(a)}, 200, "13.1.4"),
    ("If-Unmodified-Since: earlier", lambda a: {"If-Unmodified-Since": date(a, -1)}, 412, "13.1.4"),
    ("If-Unmodified-Since: no date", lambda _: {"If-Unmodified-Since": "yesterday"}, 200, "13.1.4"),
    ("If-Match wins over the date", lambda a: {"If-Match": "*", "If-Unmodified-Since": date(a, -60)}, 200, "13.1.4"),
    ("If-Match comes before If-None-Match", lambda a: {"If-Match": '"x"', "If-None-Match": tag(a)}, 412, "13.2.2"),
    ("If-None-Match comes after If-Match", lambda a: {"If-Match": tag(a), "If-None-Match": tag(a)}, 304, "13.2.2"),
    ("If-None-Match: the tag, another case of W", lambda a: {"If-None-Match": "w/" + tag(a)}, 200, "8.8.3"),
    ("If-None-Match: no space in the list", lambda a: {"If-None-Match": f'"a",{tag(a)},"b"'}, 304, "5.6.1"),
    ("If-None-Match: hundreds", lambda a: {"If-None-Match": '"x", ' * 800 + tag(a)}, 304, "13.1.2"),
    ("If-None-Match: the tag within another", lambda a: {"If-None-Match": f'"x{tag(a)[1:]}'}, 200, "8.8.3.2"),
    ("If-Modified-Since: another zone", lambda a: {"If-Modified-Since": date(a).replace("GMT", "UTC")}, 200, "5.6.7"),
    ("If-Modified-Since: no such day", lambda _: {"If-Modified-Since": "Sun, 30 Feb 2094 00:00:00 GMT"}, 200,
     "13.1.3"),
    ("If-Modified-Since: the date as RFC 850 has it", lambda a: {"If-Modified-Since": _other_form(a, _RFC_850)}, 304,
     "5.6.7"),
    ("If-Modified-Since: the date as asctime has it", lambda a: {"If-Modified-Since": _other_form(a, _ASCTIME)}, 304,
     "5.6.7"),
    ("If-Unmodified-Since: later", lambda a: {"If-Unmodified-Since": date(a, 60)}, 200, "13.1.4"),
    ("If-Unmodified-Since comes before If-None-Match",
     lambda a: {"If-Unmodified-Since": date(a, -1), "If-None-Match": tag(a)}, 412, "13.2.2"),
    ("If-None-Match comes after If-Unmodified-Since",
     lambda a: {"If-Unmodified-Since": date(a), "If-None-Match": tag(a)}, 304, "13.2.2"),
    ("If-Match comes before If-Modified-Since",
     lambda a: {"If-Match": '"x"', "If-Modified-Since": date(a)}, 412, "13.2.2"),
    ("If-Modified-Since comes after If-Match",
     lambda a: {"If-Match": tag(a), "If-Modified-Since": date(a)}, 304, "13.2.2"),
    ("the range comes after If-Match", lambda a: {"If-Match": tag(a), "Range": "bytes=0-9"}, 206, "13.2.2"),
    ("the range comes after If-None-Match", lambda _: {"If-None-Match": '"x"', "Range": "bytes=0-9"}, 206, "13.2.2"),
    ("the range comes after If-Modified-Since",
     lambda a: {"If-Modified-Since": date(a, -60), "Range": "bytes=0-9"}, 206, "13.2.2"),
    ("304 comes before If-Range",
     lambda a: {"If-None-Match": tag(a), "If-Range": '"x"', "Range": "bytes=0-9"}, 304, "13.2.2"),
    ("304 comes before the range", lambda a: {"If-None-Match": tag(a), "Range": "bytes=0-9"}, 304, "14.2"),
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


@case("RFC 9110 13.1.3", "condition: If-Modified-Since: later")
def _(ask: Ask, site: Site) -> None:
    # What a later release puts under a plain name may have been made before what an earlier one had there: a client
    # with a later date has other bytes. Under a hashed name there never were any others.
    for url, status in ((site.hashed_url(CSS), 304), (site.url(CSS), 200), (site.url(JS), 200)):
        since = {"If-Modified-Since": date(ask("GET", url, {}), 60)}
        same(f"status of {url}", ask("GET", url, since).status, status)


@case("RFC 9110 15.4.5", "a 304 has the headers that it needs and no others of the file")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(CSS), site.url(JS)):
        for accept in ({}, {"Accept-Encoding": "br"}):
            whole = ask("GET", url, accept)
            answer = ask("GET", url, {**accept, "If-None-Match": tag(whole)})
            same("status", answer.status, 304)
            for name in ("cache-control", "etag", "vary"):
                if whole.get(name) is None:
                    raise AssertionError(f"the 200 has no {name}")
                same(name, answer.get(name), whole.get(name))
            for name in ("content-type", "content-encoding", "content-range"):
                same(name, answer.get(name), None)
            # Section 8.6: that of the 200 or none, and never that of the nothing that is sent.
            if answer.get("content-length") not in (None, whole.get("content-length")):
                raise AssertionError(f"Content-Length is {answer.get('content-length')}")


@case("RFC 9110 13.1.2", "the tag of one coding does not stand for another")
def _(ask: Ask, site: Site) -> None:
    tag = etag_of(ask, site.hashed_url(CSS), {"Accept-Encoding": "gzip"})
    coded(ask("GET", site.hashed_url(CSS), {"If-None-Match": tag}), CSS, None)


@case("RFC 9110 13.2.1", "what is not found is not found under any condition")
def _(ask: Ask, site: Site) -> None:
    lost = site.hashed_url(CSS).replace("site.", "site.0")
    lost = lost[: -len("0.css")] + ".css"
    for fields in ({"If-Match": '"x"'}, {"If-None-Match": "*"}, {"If-Modified-Since": http_date(2_000_000_000)}):
        for method in ("GET", "HEAD"):
            same(f"status with {fields}", ask(method, lost, fields).status, 404)


@case("RFC 9110 13.2.1", "other methods are refused under any condition")
def _(ask: Ask, site: Site) -> None:
    for fields in ({"If-Match": '"x"'}, {"If-None-Match": "*"}, {"If-Unmodified-Since": http_date(1)}):
        same(f"status with {fields}", ask("POST", site.hashed_url(CSS), fields).status, 405)
        same(f"status with {fields}", ask("OPTIONS", site.hashed_url(CSS), fields).status, 200)


CASES = tuple(_cases)
