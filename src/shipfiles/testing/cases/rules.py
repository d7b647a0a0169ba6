"""Headers by pattern: with `OPTIONS`."""

from __future__ import annotations

from ..http import Ask, Case
from ..site import Site
from .judge import CSS, adder, etag_of, same

_cases: list[Case] = []
case = adder(_cases)

_CSS, _SVG, _OPEN, _WORKER = "rules/a.css", "rules/a.svg", "rules/open.json", "rules/worker.js"
_RULED = {
    "cross-origin-resource-policy": "cross-origin", "timing-allow-origin": "*", "x-robots-tag": "noindex",
}  # fmt: skip


@case("Fetch 3.7 and Resource Timing 4.5", "rules: they are of the files of their pattern, under both names")
def _(ask: Ask, site: Site) -> None:
    for url in (site.url(_CSS), site.hashed_url(_CSS)):
        for method, fields, status in (
            ("GET", {}, 200), ("HEAD", {}, 200), ("GET", {"Accept-Encoding": "br"}, 200),
            ("GET", {"Range": "bytes=1-2"}, 206),
        ):  # fmt: skip
            answer = ask(method, url, fields)
            same("status", answer.status, status)
            same("headers", {name: answer.get(name) for name in _RULED}, _RULED)
    for url in (site.url(CSS), site.hashed_url(CSS), "/robots.txt"):
        same("headers", {ask("GET", url, {}).get(name) for name in (*_RULED, "x-letters")}, {None})


@case("RFC 9110 15.4.5 and RFC 9111 3.2", "rules: a 304 repeats them, so that caches learn of a change")
def _(ask: Ask, site: Site) -> None:
    for url in (site.url(_CSS), site.hashed_url(_CSS)):
        answer = ask("GET", url, {"If-None-Match": etag_of(ask, url)})
        same("status", answer.status, 304)
        same("headers", {name: answer.get(name) for name in _RULED}, _RULED)


@case("RFC 9110 5.5", "rules: a value with letters beyond ASCII")
def _(ask: Ask, site: Site) -> None:
    same("X-Letters", ask("GET", site.url(_CSS), {}).get("x-letters"), "\xe9t\xe9")


@case("CSP 3 6.1 and 6.3", "rules: a picture that is opened by itself runs no script")
def _(ask: Ask, site: Site) -> None:
    for url in (site.url(_SVG), site.hashed_url(_SVG)):
        policy = (ask("GET", url, {}).get("content-security-policy") or "").split("; ")
        if not {"default-src 'none'", "sandbox"} <= set(policy):
            raise AssertionError(f"Content-Security-Policy is {policy}")
    same("Content-Security-Policy", ask("GET", site.url(_CSS), {}).get("content-security-policy"), None)


@case("Fetch 3.3.3", "rules: later ones count more, and one may leave a header out")
def _(ask: Ask, site: Site) -> None:
    answer = ask("GET", site.url(_OPEN), {})
    same("Access-Control-Allow-Origin", answer.get("access-control-allow-origin"), "https://a.example")
    same("X-Robots-Tag", answer.get("x-robots-tag"), None)
    worker = ask("GET", site.url(_WORKER), {})
    same("Access-Control-Allow-Origin", worker.get("access-control-allow-origin"), None)
    same("Cross-Origin-Resource-Policy", worker.get("cross-origin-resource-policy"), "same-origin")
    same("X-Robots-Tag", worker.get("x-robots-tag"), "noindex")


@case("Fetch 4.8", "rules: a CORS preflight says what the file says")
def _(ask: Ask, site: Site) -> None:
    fields = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
    for logical, origin in ((_OPEN, "https://a.example"), (_WORKER, None), (_CSS, "*")):
        answer = ask("OPTIONS", site.url(logical), fields)
        same("status and origin", (answer.status, answer.get("access-control-allow-origin")), (200, origin))
        same("methods are told", answer.get("access-control-allow-methods") is not None, origin is not None)


@case("RFC 8246 2", "rules: Cache-Control is a choice, except under hashed names")
def _(ask: Ask, site: Site) -> None:
    same("Cache-Control", ask("GET", site.url(_WORKER), {}).get("cache-control"), "no-cache")
    hashed = ask("GET", site.hashed_url(_WORKER), {}).get("cache-control")
    same("Cache-Control", hashed, "max-age=31536000, public, immutable")


CASES = tuple(_cases)
