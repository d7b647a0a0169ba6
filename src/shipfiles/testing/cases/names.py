"""Which names are served, and which are not."""

from __future__ import annotations

import os

from ..http import APPLICATION, Ask, Case
from ..site import FILES, PREFIX, Site
from .judge import ALL_CODINGS, CSS, PNG, adder, coded, not_ours, same, short

_cases: list[Case] = []
case = adder(_cases)


@case("RFC 9110 9.3.1", "every file under both names")
def _(ask: Ask, site: Site) -> None:
    for logical, file in FILES.items():
        if not logical.startswith("harm/"):
            coded(ask("GET", site.hashed_url(logical), {}), logical, None)
        # With `OPTIONS` an index file is at the address of its folder alone.
        if not logical.startswith("harm/") and not logical.endswith("/index.html"):
            plain = ask("GET", site.url(logical), {})
            same("body", plain.body, file.body if file.plain is None else file.plain)


@case("RFC 3986 2.1", "names with spaces, percent signs and other letters")
def _(ask: Ask, _site: Site) -> None:
    for target in ("odd/na%C3%AFve%20%E2%98%83.txt", "%6Fdd/na%c3%afve%20%e2%98%83%2etxt"):
        same("body", ask("GET", PREFIX + target, {}).body, b"snow")
    same("body", ask("GET", PREFIX + "odd/100%25%20a+b%20%231%3F%2520;'(x).txt", {}).body, b"odd")


_cases += [
    Case(f"path: {short(name)}", "RFC 3986 6.2.2.3 and 7.3", not_ours(PREFIX + name))
    for name in (
        "", "css", "css/", "none.css", "stray.txt", "link.txt", ".env", "staticfiles.json", ".shipfiles/current.json",
        "css/site.css.br", "css/site.css.gz", "css/site.css/", "css//site.css", "./css/site.css", "CSS/site.css",
        "../secret.txt", "%2e%2e/secret.txt", "..%2fsecret.txt", "..%5csecret.txt", "%5c..%5csecret.txt",
        "css/..%2f..%2fsecret.txt", "%252e%252e/secret.txt", "%c0%ae%c0%ae/secret.txt", "....//secret.txt",
        "/etc/passwd", "%2fetc/passwd", "css/site.css%00", "css/site.css%00.js", "%ff%fe.css", "a" * 300, "a/" * 1000,
        "..", "../", "..;/secret.txt", "%2e%2e%2fsecret.txt", "%2E%2E/secret.txt", ".%2e/secret.txt",
        "..%252fsecret.txt", "%25252e%25252e/secret.txt", "..\\secret.txt", "css\\site.css", "css%5csite.css",
        "..%c0%afsecret.txt", "%e0%80%ae%e0%80%ae/secret.txt", "%f0%80%80%ae%f0%80%80%ae/secret.txt",
        "..%c1%9csecret.txt", "%u002e%u002e/secret.txt", "%uff0e%uff0e/secret.txt", "%ef%bc%8e%ef%bc%8e/secret.txt",
        "%ed%a0%80.css", "%f4%90%80%80.css", "%", "%2", "%zz", "css/site.css%", "css/site.css%2", "css/site.css%2f",
        "css/site.css;x", "css/site.css%20", "%20css/site.css", "css/site.css.", "css/site.css::$DATA",
        "C:/secret.txt",
        "css/site.css%3f", "css/site.css%23", "%00", "%00/../secret.txt", "../secret.txt%00.css", "%0a",
        "%0d%0aX-Y:%20z",
        "/css/site.css", "//css/site.css", "//etc/passwd", "css///site.css", "css/./site.css", "css/../../secret.txt",
        "css/%2e%2e/%2e%2e/secret.txt", "file:///etc/passwd", "proc/self/environ", "dev/zero", "%2fdev/zero",
        ".shipfiles", ".shipfiles/", ".shipfiles/releases/", ".shipfiles/state.json", ".shipfiles/lock",
        "%2eshipfiles/current.json", ".shipfiles%2fcurrent.json", "css/../.shipfiles/current.json", "link.txt/",
        "css/site.css.br.br", "a" * 100_000, "a/" * 50_000, "%2e%2e%2f" * 10_000, "css/site.css" + "%00" * 3_000,
    )
]  # fmt: skip


@case("RFC 9110 17.3", "path: no record, no manifest and no copy that is kept under a name of ours")
def _(ask: Ask, site: Site) -> None:
    found = 0
    for folder, _, files in os.walk(site.path(".shipfiles")):
        for file in files:
            key = os.path.relpath(os.path.join(folder, file), site.root).replace(os.sep, "/")
            not_ours(PREFIX + key)(ask, site)
            found += 1
    if not found:
        raise AssertionError("the site has none")


@case("RFC 3986 3.4", "a query is no part of the name")
def _(ask: Ask, site: Site) -> None:
    for query in ("?v=1", "?", "?../secret.txt", "?%00", "?a?b", "?" + "q" * 2000):
        coded(ask("GET", site.hashed_url(CSS) + query, ALL_CODINGS), CSS, "br")
        same("status", ask("GET", site.url(PNG) + query, {"Range": "bytes=0-0"}).status, 206)


@case("RFC 9110 9.3.1", "other paths are the application's")
def _(ask: Ask, _site: Site) -> None:
    for target in ("/", "/static", "/staticfoo/css/site.css", PREFIX + "none.css", PREFIX + "css/site.css/",
                   "/css/site.css", "/page.0123456789ab.css", "/STATIC/css/site.css", "/static?css/site.css",
                   "//static/css/site.css", "/%73tatic", "/static%2f"):  # fmt: skip
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
