"""The HTTP contract is worth something only if it finds what is wrong: here are wrong answers, each to be found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import pytest

from shipfiles.config import ServeConfig
from shipfiles.http.dates import parse_http_date
from shipfiles.http.headers import Header
from shipfiles.testing import APPLICATION, CONFIGURED_CASES, HTTP_CASES, Answer, Ask, Case, HttpContract, Site
from shipfiles.testing.site import FILES

from .test_http_contract import CONFIGURED, over_respond

Fields = dict[str, str]
Mistake = Callable[[Ask, str, str, Fields], Answer]


def without(answer: Answer, *names: str) -> Answer:
    return Answer(answer.status, tuple(h for h in answer.fields if h[0].lower() not in names), answer.body)


def plus(answer: Answer, *fields: Header) -> Answer:
    return Answer(answer.status, (*without(answer, *(n.lower() for n, _ in fields)).fields, *fields), answer.body)


def with_field(fields: Fields, name: str, change: Callable[[str], str | None]) -> Fields:
    value = fields.get(name)
    changed = None if value is None else change(value)
    return {k: v for k, v in fields.items() if k != name} | ({} if changed is None else {name: changed})


def one_byte_is_416(ask, method, target, fields):
    answer = ask(method, target, fields)
    if answer.status == 206 and len(answer.body) == 1:
        return Answer(416, answer.fields, b"")
    return answer


def one_tag_for_all_codings(ask, method, target, fields):
    answer = ask(method, target, fields)
    if answer.status == 200 and answer.get("etag"):
        return plus(answer, ("ETag", f'"{len(target)}"'))
    return answer


def zero_weight_ignored(ask, method, target, fields):
    return ask(method, target, with_field(fields, "Accept-Encoding", lambda v: v.replace(";q=0", "")))


def method_ignored(ask, method, target, fields):
    return ask("GET" if method == "POST" else method, target, fields)


def range_read_first(ask, method, target, fields):
    without_if_range = ask(method, target, {name: value for name, value in fields.items() if name != "If-Range"})
    return without_if_range if without_if_range.status == 416 else ask(method, target, fields)


def later_date_is_enough(ask, method, target, fields):
    answer = ask(method, target, fields)
    since, modified = (parse_http_date(d or "") for d in (fields.get("If-Modified-Since"), answer.get("last-modified")))
    return Answer(304, (), b"") if since and modified and "If-None-Match" not in fields and modified < since else answer


MISTAKES: dict[str, Mistake] = {
    "a range of one byte is 416": one_byte_is_416,
    "bytes=--5 is read as bytes=-5": lambda ask, m, t, f: ask(
        m, t, with_field(f, "Range", lambda v: v.replace("--", "-"))
    ),
    "HEAD heeds ranges": lambda ask, m, t, f: (
        Answer(206, ask("GET", t, f).fields, b"") if m == "HEAD" and "Range" in f else ask(m, t, f)
    ),
    "If-Range is ignored": lambda ask, m, t, f: ask(m, t, with_field(f, "If-Range", lambda v: None)),
    "one tag for all codings": one_tag_for_all_codings,
    "weak tags in If-None-Match do not match": lambda ask, m, t, f: ask(
        m, t, with_field(f, "If-None-Match", lambda v: v.replace("W/", "w/"))
    ),
    "lists in If-None-Match do not match": lambda ask, m, t, f: ask(
        m, t, with_field(f, "If-None-Match", lambda v: v if v.count('"') == 2 or v == "*" else '"no"')
    ),
    "* in If-None-Match does not match": lambda ask, m, t, f: ask(
        m, t, with_field(f, "If-None-Match", lambda v: v.replace("*", '"*"'))
    ),
    "no Vary on identity": lambda ask, m, t, f: (
        lambda a: a if a.get("content-encoding") else without(a, "vary")
    )(ask(m, t, f)),
    "a weight of nothing is ignored": zero_weight_ignored,
    "x-br is taken for br": lambda ask, m, t, f: ask(
        m, t, with_field(f, "Accept-Encoding", lambda v: v.replace("x-", ""))
    ),
    "upper case codings are missed": lambda ask, m, t, f: ask(
        m, t, with_field(f, "Accept-Encoding", lambda v: None if v.isupper() else v)
    ),
    "what looks hashed is immutable": lambda ask, m, t, f: (
        plus(ask(m, t, f), ("Cache-Control", "max-age=9, public, immutable")) if "0123456789ab" in t else ask(m, t, f)
    ),
    "source maps are octet-stream": lambda ask, m, t, f: (
        plus(ask(m, t, f), ("Content-Type", "application/octet-stream")) if t.endswith(".map") else ask(m, t, f)
    ),
    "304 without Cache-Control": lambda ask, m, t, f: (
        lambda a: without(a, "cache-control") if a.status == 304 else a
    )(ask(m, t, f)),
    "304 without Vary": lambda ask, m, t, f: (lambda a: without(a, "vary") if a.status == 304 else a)(ask(m, t, f)),
    "405 without Allow": lambda ask, m, t, f: (lambda a: without(a, "allow") if a.status == 405 else a)(ask(m, t, f)),
    "416 without Content-Range": lambda ask, m, t, f: (
        lambda a: without(a, "content-range") if a.status == 416 else a
    )(ask(m, t, f)),
    "POST is GET": method_ignored,
    "other letters are lost": lambda ask, m, t, f: Answer(404, (), b"") if "%C3" in t else ask(m, t, f),
    "a long name is an error": lambda ask, m, t, f: Answer(500, (), b"") if len(t) > 300 else ask(m, t, f),
    "no Content-Length": lambda ask, m, t, f: without(ask(m, t, f), "content-length"),
    "chunked": lambda ask, m, t, f: plus(ask(m, t, f), ("Transfer-Encoding", "chunked")),
    "a hashed 404 may be kept": lambda ask, m, t, f: (
        lambda a: without(a, "cache-control") if a.status == 404 else a
    )(ask(m, t, f)),
    "a body is cut": lambda ask, m, t, f: (lambda a: Answer(a.status, a.fields, a.body[:-1]))(ask(m, t, f)),
    "everything under the folder is served": lambda ask, m, t, f: (
        Answer(200, (("Content-Length", "14"),), b"in no manifest") if "stray" in t else ask(m, t, f)
    ),
    "If-Match is ignored": lambda ask, m, t, f: ask(m, t, with_field(f, "If-Match", lambda v: None)),
    "dates are ignored": lambda ask, m, t, f: ask(m, t, with_field(f, "If-Modified-Since", lambda v: None)),
    "a later date is enough under every name": later_date_is_enough,
    "no nosniff": lambda ask, m, t, f: without(ask(m, t, f), "x-content-type-options"),
    "a query belongs to the name": lambda ask, m, t, f: Answer(404, (), b"") if "?" in t else ask(m, t, f),
    "get is GET": lambda ask, m, t, f: ask(m.upper(), t, f),
    "304 with a length of nothing": lambda ask, m, t, f: (
        lambda a: plus(a, ("Content-Length", "0")) if a.status == 304 else a
    )(ask(m, t, f)),
    "206 without Vary": lambda ask, m, t, f: (lambda a: without(a, "vary") if a.status == 206 else a)(ask(m, t, f)),
    "If-Unmodified-Since is ignored": lambda ask, m, t, f: ask(
        m, t, with_field(f, "If-Unmodified-Since", lambda v: None)
    ),
    "If-Range is asked after the range is read": range_read_first,
    "the tag is that of one machine": lambda ask, m, t, f: (
        lambda a: plus(a, ("ETag", a.get("etag")[:-2] + '0"')) if a.get("etag") else a
    )(ask(m, t, with_field(f, "If-None-Match", lambda v: v[:-2] + "A" + v[-1]))),
    "HEAD is of another coding": lambda ask, m, t, f: ask(m, t, {} if m == "HEAD" else f),
    "a field is there twice": lambda ask, m, t, f: (
        lambda a: Answer(a.status, (*a.fields, ("X-Content-Type-Options", "nosniff")), a.body)
    )(ask(m, t, f)),
    "TRACE is GET": lambda ask, m, t, f: ask("GET" if m == "TRACE" else m, t, f),
    "a weight above one is one": lambda ask, m, t, f: ask(
        m, t, with_field(f, "Accept-Encoding", lambda v: v.replace("q=1.5", "q=1"))
    ),
    "no CORS": lambda ask, m, t, f: without(ask(m, t, f), "access-control-allow-origin"),
}  # fmt: skip


def is_page(answer: Answer) -> bool:
    return answer.body == FILES["site-root/app/index.html"].body


def page_for_every_404(ask, method, target, fields):
    answer = ask(method, target, fields)
    return ask("GET", "/lost/", BROWSER) if answer.status == 404 and method == "GET" else answer


def redirected(change: Callable[[Answer, str], Answer]) -> Mistake:
    """The mistake of ``change``, which is given a redirect and its Location."""

    def mistake(ask, method, target, fields):
        answer = ask(method, target, fields)
        return change(answer, answer.get("location")) if answer.status == 302 else answer

    return mistake


BROWSER = {"Accept": "text/html,*/*;q=0.8"}
CONFIGURED_MISTAKES: dict[str, Mistake] = {
    "the folder is not served": lambda ask, m, t, f: (
        Answer(200, (), APPLICATION) if t.startswith("/robots.txt") else ask(m, t, f)
    ),
    ".well-known is hidden": lambda ask, m, t, f: Answer(404, (), APPLICATION) if "well-known" in t else ask(m, t, f),
    "hidden files are served": lambda ask, m, t, f: (
        Answer(200, (("Content-Length", "10"),), b"PASSWORD=1") if t.endswith("/.env") else ask(m, t, f)
    ),
    "whatever is in the folder is served": lambda ask, m, t, f: (
        Answer(200, (("Content-Length", "14"),), b"in no manifest") if t == "/stray.txt" else ask(m, t, f)
    ),
    "hashed names are at their prefix alone": lambda ask, m, t, f: (
        Answer(200, (), APPLICATION) if t.startswith("/robots.") and t.count(".") == 2 else ask(m, t, f)
    ),
    "other letters are lost at the root": lambda ask, m, t, f: (
        Answer(404, (), APPLICATION) if "%E2" in t and not t.startswith("/static/") else ask(m, t, f)
    ),
    "the other path of a file is immutable": lambda ask, m, t, f: (
        plus(ask(m, t, f), ("Cache-Control", "max-age=9, immutable")) if "favicon" in t else ask(m, t, f)
    ),
    "no codings at the root": lambda ask, m, t, f: ask(m, t, {} if t == "/robots.txt" else f),
    "POST at the root is GET": lambda ask, m, t, f: ask("GET" if t == "/robots.txt" else m, t, f),
    "an index file is found at no other address": redirected(lambda answer, to: Answer(404, (), APPLICATION)),
    "a redirect is for good": redirected(lambda answer, to: Answer(301, answer.fields, answer.body)),
    "a redirect is kept": redirected(lambda answer, to: without(answer, "cache-control")),
    "a redirect loses the query": redirected(lambda answer, to: plus(answer, ("Location", to.partition("?")[0]))),
    "a redirect forgets the mount point": redirected(lambda answer, to: plus(answer, ("Location", to[1:]))),
    "a colon is taken for a scheme": redirected(lambda answer, to: plus(answer, ("Location", to[2:]))),
    "a query is decoded": redirected(lambda answer, to: plus(answer, ("Location", unquote(to)))),
    "bytes of a query are letters": redirected(
        lambda answer, to: plus(answer, ("Location", to.replace("%C3%A9", "%C3%83%C2%A9")))
    ),
    "everybody gets the page": lambda ask, m, t, f: ask(m, t, {**f, "Accept": "text/html"}),
    "a weight of nothing asks for the page": lambda ask, m, t, f: ask(
        m, t, with_field(f, "Accept", lambda v: v.replace(";q=0,", ","))
    ),
    "the page answers POST": lambda ask, m, t, f: ask("GET" if "lost" in t else m, t, f),
    "nobody gets the page": lambda ask, m, t, f: ask(m, t, with_field(f, "Accept", lambda v: None)),
    "the page hides missing files": page_for_every_404,
    "the page does not vary": lambda ask, m, t, f: (
        lambda a: plus(a, ("Vary", "Accept-Encoding")) if is_page(a) else a
    )(ask(m, t, f)),
    "the page is kept": lambda ask, m, t, f: (
        lambda a: plus(a, ("Cache-Control", "max-age=60, public")) if is_page(a) else a
    )(ask(m, t, f)),
    "a preflight says * always": lambda ask, m, t, f: (
        plus(ask(m, t, f), ("Access-Control-Allow-Origin", "*")) if m == "OPTIONS" else ask(m, t, f)
    ),
    "no rule for hashed names": lambda ask, m, t, f: (
        without(ask(m, t, f), "timing-allow-origin") if "rules/a." in t and t.count(".") == 2 else ask(m, t, f)
    ),
    "no rules in a 304": lambda ask, m, t, f: (
        lambda a: without(a, "x-robots-tag") if a.status == 304 else a
    )(ask(m, t, f)),
    "the rules of one file are those of all": lambda ask, m, t, f: plus(ask(m, t, f), ("X-Robots-Tag", "noindex")),
    "no policy": lambda ask, m, t, f: without(ask(m, t, f), "content-security-policy"),
    "values are UTF-8": lambda ask, m, t, f: (
        plus(ask(m, t, f), ("X-Letters", "\xe9t\xe9".encode().decode("latin-1"))) if "rules" in t else ask(m, t, f)
    ),
    "a rule counts under hashed names": lambda ask, m, t, f: (
        plus(ask(m, t, f), ("Cache-Control", "no-cache")) if "rules/worker" in t else ask(m, t, f)
    ),
}  # fmt: skip


def broken_cases(ask: Ask, site: Site, cases: Sequence[Case] = HTTP_CASES) -> Iterator[str]:
    contract = HttpContract(ask, site)
    for case in cases:
        try:
            contract.check(case)
        except AssertionError:
            yield case.name


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake_is_found(name: str, tmp_path: Path) -> None:
    site = Site(str(tmp_path))
    ask, mistake = over_respond(site), MISTAKES[name]
    assert any(broken_cases(lambda method, target, fields: mistake(ask, method, target, dict(fields)), site))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(str(tmp_path_factory.mktemp("site")))


@pytest.mark.parametrize("name", CONFIGURED_MISTAKES)
def test_mistake_with_options_is_found(name: str, site: Site) -> None:
    ask, mistake = over_respond(site, CONFIGURED), CONFIGURED_MISTAKES[name]

    def asked(method: str, target: str, fields: Mapping[str, str]) -> Answer:
        return mistake(ask, method, target, dict(fields))

    assert any(broken_cases(asked, site, CONFIGURED_CASES))


@pytest.mark.parametrize(("config", "cases"), [
    (None, HTTP_CASES), (CONFIGURED, HTTP_CASES), (CONFIGURED, CONFIGURED_CASES),
])  # fmt: skip
def test_no_mistake_is_found_where_there_is_none(
    tmp_path: Path, config: ServeConfig | None, cases: Sequence[Case]
) -> None:
    site = Site(str(tmp_path))
    assert list(broken_cases(over_respond(site, config), site, cases)) == []


def test_names_of_cases_are_different() -> None:
    names = [case.name for case in (*HTTP_CASES, *CONFIGURED_CASES)]
    assert sorted(set(names)) == sorted(names)


def test_an_error_names_the_case_and_its_clause(tmp_path: Path) -> None:
    case = next(case for case in HTTP_CASES if case.name == "coding: br")
    contract = HttpContract(lambda *_: Answer(404, (("Content-Length", "0"),), b""), Site(str(tmp_path)))
    with pytest.raises(AssertionError, match=r"coding: br \(RFC 9110 12\.5\.3\): "):
        contract.check(case)
