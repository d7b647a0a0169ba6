"""Preconditions: RFC 9110 section 13."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..http import Answer, Ask, Case
from ..site import Site
from .judge import CSS, JS, Check, adder, coded, date, etag_of, same, tag

_cases: list[Case] = []
case = adder(_cases)


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


@case("RFC 9110 13.1.2", "the tag of one coding does not stand for another")
def _(ask: Ask, site: Site) -> None:
    tag = etag_of(ask, site.hashed_url(CSS), {"Accept-Encoding": "gzip"})
    coded(ask("GET", site.hashed_url(CSS), {"If-None-Match": tag}), CSS, None)


CASES = tuple(_cases)
