"""Which names are served, and which are not."""

from __future__ import annotations

from ..http import APPLICATION, Ask, Case
from ..site import FILES, PREFIX, Site
from .judge import PNG, Check, adder, coded, same

_cases: list[Case] = []
case = adder(_cases)


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


CASES = tuple(_cases)
