"""Files at the root of the site, index files, and the page in place of a 404: with `OPTIONS`."""

from __future__ import annotations

from ..http import APPLICATION, Ask, Case
from ..site import FILES, PREFIX, Site
from .judge import adder, etag_of, not_ours, same, short

_cases: list[Case] = []
case = adder(_cases)

_ROBOTS, _ICON, _PAGE = "site-root/robots.txt", "img/icon.ico", "site-root/app/index.html"
_HTML = "text/html; charset=utf-8"
# What Firefox and Chromium send when a person navigates.
_BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
_LOST = "/lost/deep/er"


@case("RFC 9110 9.3.1 and RFC 9309 2.3", "root: a file of the folder for the root")
def _(ask: Ask, _site: Site) -> None:
    for target in ("/robots.txt", "/robots.txt?v=1", "/%72obots%2etxt"):
        answer = ask("GET", target, {})
        same("status", answer.status, 200)
        same("body", answer.body, FILES[_ROBOTS].body)
        same("Content-Type", answer.get("content-type"), "text/plain; charset=utf-8")
        same("Cache-Control", answer.get("cache-control"), "max-age=60, public")
    head = ask("HEAD", "/robots.txt", {})
    same("status and length", (head.status, head.get("content-length")), (200, str(len(FILES[_ROBOTS].body))))
    same("body", ask("GET", "/.well-known/security.txt", {}).body, FILES["site-root/.well-known/security.txt"].body)


@case("RFC 9110 12.5.3, 13.1.2 and 14.2", "root: codings, conditions and ranges")
def _(ask: Ask, _site: Site) -> None:
    coded = ask("GET", "/robots.txt", {"Accept-Encoding": "gzip"})
    same("Content-Encoding", coded.get("content-encoding"), "gzip")
    same("body", coded.body, FILES[_ROBOTS].codings["gzip"])
    same("Vary", coded.get("vary"), "Accept-Encoding")
    tag = etag_of(ask, "/robots.txt")
    same("status", ask("GET", "/robots.txt", {"If-None-Match": tag}).status, 304)
    part = ask("GET", "/robots.txt", {"Range": "bytes=5-9"})
    same("part", (part.status, part.body), (206, FILES[_ROBOTS].body[5:10]))


@case("RFC 9110 9.3.1", "root: a static file that is at another path too")
def _(ask: Ask, site: Site) -> None:
    for target in ("/favicon.ico", "/apple%20touch%20%E2%98%83.ico", site.url(_ICON)):
        answer = ask("GET", target, {})
        same("status and body", (answer.status, answer.body), (200, FILES[_ICON].body))
        same("Cache-Control", answer.get("cache-control"), "max-age=60, public")
        same("status", ask("GET", target, {"If-None-Match": etag_of(ask, target)}).status, 304)


@case("RFC 3986 2.1", "root: names with spaces, percent signs and other letters")
def _(ask: Ask, _site: Site) -> None:
    target = "/100%25%20a+b%20%231%3F%2520;'(x).txt"
    same("body", ask("GET", target, {}).body, b"odd, at the root")
    same("body", ask("GET", "/a:b/na%C3%AFve%20%E2%98%83/", {}).body, b"snow, at the root")


@case("RFC 8246 2", "root: hashed names are there too, and immutable")
def _(ask: Ask, site: Site) -> None:
    for target in ("/" + site.manifest.entries[_ROBOTS].name.partition("/")[2], site.hashed_url(_ROBOTS)):
        answer = ask("GET", target, {})
        same("status and body", (answer.status, answer.body), (200, FILES[_ROBOTS].body))
        if "immutable" not in (answer.get("cache-control") or ""):
            raise AssertionError(f"Cache-Control is {answer.get('cache-control')}")


@case("RFC 9110 15.5.6 and 9.3.7", "root: other methods")
def _(ask: Ask, _site: Site) -> None:
    for target in ("/robots.txt", "/favicon.ico", "/docs/"):
        refused = ask("POST", target, {})
        same("status and Allow", (refused.status, refused.get("allow")), (405, "GET, HEAD, OPTIONS"))
        told = ask("OPTIONS", target, {})
        same("status and Allow", (told.status, told.get("allow")), (200, "GET, HEAD, OPTIONS"))


@case("RFC 9110 9.3.1", "root: what the folder has not is the application's")
def _(ask: Ask, _site: Site) -> None:
    for method, target in (
        ("GET", "/"), ("GET", "/none.txt"), ("POST", "/none.txt"), ("GET", "/app/none"), ("GET", "/docs/none/"),
        ("GET", "/none/index.html"), ("POST", "/docs"), ("GET", PREFIX + "app/"), ("GET", "/Robots.txt"),
    ):  # fmt: skip
        answer = ask(method, target, _BROWSER)
        same(f"answer to {method} {target}", (answer.status, answer.body), (200, APPLICATION))


_cases += [
    Case(f"root: path: {short(name)}", "RFC 3986 6.2.2.3 and 7.3", not_ours("/" + name))
    for name in (
        "stray.txt", ".env", ".well-known/.env", "site-root/robots.txt", "site-root/stray.txt", "../stray.txt",
        "../css/site.css", "%2e%2e/css/site.css", "..%2fcss%2fsite.css", "%2e%2e/%2e%2e/secret.txt",
        "docs/../stray.txt", "./robots.txt", "docs//", "docs/./", "robots.txt/", "robots.txt%00", "robots.txt%2f",
        "docs%5c", "docs\\", "robots.txt.br", "robots.txt.gz", "favicon.ico/", "favicon.ico.gz",
        ".shipfiles/current.json", "%00", "%ff",
    )
]  # fmt: skip


@case("RFC 9110 9.3.1", "index: it answers for its folder")
def _(ask: Ask, _site: Site) -> None:
    for target in ("/docs/", "/docs/?a=1", PREFIX + "docs/"):
        answer = ask("GET", target, {})
        body = b"docs" if target.startswith(PREFIX) else b"docs, at the root"
        same("status and body", (answer.status, answer.body), (200, body))
        same("Content-Type", answer.get("content-type"), _HTML)


@case("RFC 9110 10.2.2 and 15.4.3", "index: other addresses of it are redirected there, with their query")
def _(ask: Ask, _site: Site) -> None:
    for target, location in {
        "/docs": "./docs/",
        "/docs/index.html": "./",
        PREFIX + "docs": "./docs/",
        PREFIX + "docs/index.html?x": "./?x",
        "/docs?a=1&b=%20+;/?": "./docs/?a=1&b=%20+;/?",
        "/docs?%0d%0aSet-Cookie:%20a=b": "./docs/?%0d%0aSet-Cookie:%20a=b",
        "/a:b/na%C3%AFve%20%E2%98%83": "./na%C3%AFve%20%E2%98%83/",
    }.items():
        for method in ("GET", "HEAD"):
            answer = ask(method, target, {})
            same(f"answer to {target}", (answer.status, answer.get("location")), (302, location))
            same("Cache-Control", answer.get("cache-control"), "no-store")
            same("Set-Cookie", answer.get("set-cookie"), None)


@case("RFC 3986 2.1 and 3.4", "index: a query of bytes that no URL has")
def _(ask: Ask, _site: Site) -> None:
    answer = ask("GET", "/docs?caf\u00e9", {})
    if answer.status != 400:
        same("answer", (answer.status, answer.get("location")), (302, "./docs/?caf%C3%A9"))


@case("RFC 9110 12.5.1 and 12.5.5", "page: a browser that navigates gets it in place of a 404")
def _(ask: Ask, _site: Site) -> None:
    file = FILES[_PAGE]
    for coding, body in ((None, file.body), ("gzip", file.codings["gzip"])):
        fields = {**_BROWSER, **({"Accept-Encoding": coding} if coding else {})}
        answer = ask("GET", _LOST + "?x=1", fields)
        same("status and body", (answer.status, answer.body), (200, body))
        same("Content-Encoding", answer.get("content-encoding"), coding)
        same("Content-Type", answer.get("content-type"), _HTML)
        # It names the files of one release, and stands at every address.
        same("Cache-Control", answer.get("cache-control"), "no-cache")
        same("Vary", {v.strip().lower() for v in (answer.get("vary") or "").split(",")}, {"accept", "accept-encoding"})
        head = ask("HEAD", _LOST, fields)
        same("HEAD", (head.status, head.get("content-length")), (200, str(len(body))))
        same("status", ask("GET", _LOST, {**fields, "If-None-Match": answer.get("etag") or ""}).status, 304)
    same("body", ask("GET", "/app/", {}).body, file.body)


@case("RFC 9110 12.5.1 and 15.5.5", "page: everybody else gets the 404")
def _(ask: Ask, _site: Site) -> None:
    for method, target, fields in (
        ("GET", _LOST, {}), ("GET", _LOST, {"Accept": "*/*"}), ("GET", _LOST, {"Accept": "application/json, text/*"}),
        ("GET", _LOST, {"Accept": "text/html;q=0, */*"}), ("POST", _LOST, _BROWSER),
        ("GET", PREFIX + "lost/none.css", _BROWSER),
    ):  # fmt: skip
        answer = ask(method, target, fields)
        same(f"answer to {method} {target} {fields}", (answer.status, answer.body), (404, APPLICATION))
    same("status", ask("GET", PREFIX + "css/site.0123456789ab.css", _BROWSER).status, 404)


CASES = tuple(_cases)
