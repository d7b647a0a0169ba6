"""What the cases judge with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ...http.dates import http_date, parse_http_date
from ..http import APPLICATION, Answer, Ask, Case
from ..site import FILES, Site

CSS, JS, LARGE, PNG, FILM = "css/site.css", "js/app.js", "js/large.js", "img/dot.png", "film.mp4"
ALL_CODINGS = {"Accept-Encoding": "gzip, deflate, br, zstd"}

Check = Callable[[Ask, Site], None]


def adder(cases: list[Case]) -> Callable[[str, str], Callable[[Check], Check]]:
    """A decorator that adds a function to ``cases`` under a clause and a name."""

    def case(clause: str, name: str) -> Callable[[Check], Check]:
        def add(check: Check) -> Check:
            cases.append(Case(name, clause, check))
            return check

        return add

    return case


def short(text: str) -> str:
    """``text`` for the name of a case: its beginning, and how long it is if that is not all of it."""
    return text if len(text) <= 40 else f"{text[:30]}... ({len(text)} characters)"


def same(what: str, got: object, expected: object) -> None:
    """Raise ``AssertionError`` unless the two are equal."""
    if got != expected:
        shown = [repr(v)[:120] for v in (got, expected)]
        raise AssertionError(f"{what} is {shown[0]}, not {shown[1]}")


def not_ours(target: str) -> Check:
    """A check that ``target`` is no file, and gives away nothing that is not public."""

    def check(ask: Ask, site: Site) -> None:
        answer = ask("GET", target, {})
        if answer.body != APPLICATION and not 400 <= answer.status < 500:
            raise AssertionError(f"answered {answer.status} with {answer.body[:40]!r}")
        for secret in (site.secret, b"PASSWORD", b"in no manifest", b'"schema"', b'"paths"'):
            if secret in answer.body:
                raise AssertionError(f"gave away {answer.body[:40]!r}")

    return check


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


def tag(answer: Answer) -> str:
    """The ETag of ``answer``."""
    return answer.get("etag") or "no ETag"


def date(answer: Answer, plus: int = 0) -> str:
    """The Last-Modified of ``answer``, some seconds later."""
    return http_date((parse_http_date(answer.get("last-modified") or "") or 0) + plus)
