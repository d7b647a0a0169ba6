"""Methods, and the headers of files and of errors."""

from __future__ import annotations

import base64
import hashlib
import os

from ...http.dates import http_date, parse_http_date
from ..http import Ask, Case
from ..site import FILES, PREFIX, Site
from .judge import ALL_CODINGS, CSS, FILM, JS, PNG, Check, adder, etag_of, same

_cases: list[Case] = []
case = adder(_cases)


@case("RFC 9110 9.3.2", "HEAD has the headers of GET")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(JS), site.hashed_url(FILM)):
        get, head = ask("GET", url, ALL_CODINGS), ask("HEAD", url, ALL_CODINGS)
        same("status", head.status, 200)
        for name in ("content-type", "content-length", "content-encoding", "etag", "cache-control", "vary",
                     "last-modified", "accept-ranges"):  # fmt: skip
            same(name, head.get(name), get.get(name))


def _not_allowed(method: str) -> Check:
    def check(ask: Ask, site: Site) -> None:
        for url in (site.hashed_url(CSS), site.url(JS)):
            answer = ask(method, url, {"If-None-Match": "*"})
            same("status", answer.status, 405)
            same("Allow", {m.strip() for m in (answer.get("allow") or "").split(",")}, {"GET", "HEAD", "OPTIONS"})

    return check


_cases += [
    Case(f"method: {m}", "RFC 9110 15.5.6", _not_allowed(m)) for m in ("POST", "PUT", "DELETE", "PATCH", "PROPFIND")
]


@case("RFC 9110 9.1", "method: get, which is not GET")
def _(ask: Ask, site: Site) -> None:
    status = ask("get", site.hashed_url(CSS), {}).status
    if status not in (400, 405, 501):
        raise AssertionError(f"status is {status}")


@case("RFC 9110 9.1", "method: one that nobody knows")
def _(ask: Ask, site: Site) -> None:
    status = ask("BREW", site.hashed_url(CSS), {}).status
    if status not in (405, 501):
        raise AssertionError(f"status is {status}")


@case("RFC 9110 9.3.8", "method: TRACE sends nothing back")
def _(ask: Ask, site: Site) -> None:
    answer = ask("TRACE", site.hashed_url(CSS), {"Cookie": "secret"})
    same("status", answer.status, 405)
    if b"secret" in answer.body:
        raise AssertionError("the request's fields came back")


@case("RFC 9110 9.3.2", "HEAD of an error has the headers of GET")
def _(ask: Ask, site: Site) -> None:
    for target, fields, status in (
        (PREFIX + "css/site.0123456789ab.css", {}, 404), (site.hashed_url(CSS), {"If-Match": '"x"'}, 412),
    ):  # fmt: skip
        get, head = ask("GET", target, fields), ask("HEAD", target, fields)
        same("status", [get.status, head.status], [status, status])
        for name in ("content-type", "content-length", "cache-control", "etag"):
            same(name, head.get(name), get.get(name))


@case("RFC 9110 8.8.1", "the tag comes from the bytes alone: the same on every machine and after every build")
def _(ask: Ask, site: Site) -> None:
    for logical in (CSS, PNG, FILM, "empty.txt"):
        file = FILES[logical]
        for coding, body in (("identity", file.body), *file.codings.items()):
            # The first 144 bits of SHA-384, as integrity metadata write them.
            expected = f'"{base64.b64encode(hashlib.sha384(body).digest()[:18]).decode()}"'
            for url in (site.hashed_url(logical), site.url(logical)):
                got = etag_of(ask, url, {"Accept-Encoding": coding})
                same(f"ETag of {logical} in {coding}", got, expected)


@case("RFC 9110 8.8.3 and RFC 9111 5.2.2", "every answer of a file has the same validators and Cache-Control")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(FILM), site.url(FILM), site.hashed_url(CSS), site.url(JS)):
        whole = ask("GET", url, {})
        for method, fields in (
            ("HEAD", {}), ("GET", {"Range": "bytes=1-2"}), ("GET", {"If-None-Match": "*"}), ("GET", {"If-Match": "*"}),
        ):  # fmt: skip
            answer = ask(method, url, fields)
            for name in ("etag", "cache-control"):
                same(f"{name} of the {answer.status}", answer.get(name), whole.get(name))


@case("RFC 9110 5.3", "no field of a file is there twice")
def _(ask: Ask, site: Site) -> None:
    for fields, status in (
        ({}, 200), ({"Range": "bytes=1-2"}, 206), ({"If-None-Match": "*"}, 304), ({"If-Match": '"x"'}, 412),
    ):  # fmt: skip
        answer = ask("GET", site.hashed_url(CSS), fields)
        same("status", answer.status, status)
        names = [name.lower() for name, _ in answer.fields]
        same("names that are there twice", sorted({name for name in names if names.count(name) > 1}), [])


@case("RFC 9110 9.3.7", "OPTIONS says what is allowed")
def _(ask: Ask, site: Site) -> None:
    answer = ask("OPTIONS", site.hashed_url(CSS), {"If-Match": '"x"'})
    same("status", answer.status, 200)
    same("Allow", answer.get("allow"), "GET, HEAD, OPTIONS")


@case("Fetch 4.8", "a CORS preflight passes")
def _(ask: Ask, site: Site) -> None:
    answer = ask("OPTIONS", site.hashed_url(CSS), {
        "Origin": "https://elsewhere.example", "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-requested-with",
    })  # fmt: skip
    same("status", answer.status, 200)
    same("Access-Control-Allow-Origin", answer.get("access-control-allow-origin"), "*")
    same("Access-Control-Allow-Headers", answer.get("access-control-allow-headers"), "*")


_TYPES = {
    CSS: "text/css; charset=utf-8", JS: "text/javascript; charset=utf-8", "m.mjs": "text/javascript; charset=utf-8",
    "map/app.js.map": "application/json", "app.webmanifest": "application/manifest+json",
    "m.wasm": "application/wasm", "font.woff2": "font/woff2", PNG: "image/png", FILM: "video/mp4",
    "empty.txt": "text/plain; charset=utf-8", "no-extension": "application/octet-stream",
}  # fmt: skip


@case("RFC 9110 8.3", "media types")
def _(ask: Ask, site: Site) -> None:
    for logical, expected in _TYPES.items():
        same(f"Content-Type of {logical}", ask("GET", site.hashed_url(logical), {}).get("content-type"), expected)
        same(f"Content-Type of {logical}", ask("GET", site.url(logical), ALL_CODINGS).get("content-type"), expected)


@case("RFC 8246 2", "hashed names are immutable")
def _(ask: Ask, site: Site) -> None:
    for fields in ({}, {"Range": "bytes=0-9"}):
        directives = (ask("GET", site.hashed_url(CSS), fields).get("cache-control") or "").split(", ")
        for directive in ("max-age=31536000", "public", "immutable"):
            if directive not in directives:
                raise AssertionError(f"Cache-Control {directives} lacks {directive}")


@case("RFC 8246 2", "plain names are not immutable, whatever they look like")
def _(ask: Ask, site: Site) -> None:
    for logical in (CSS, JS, "page.0123456789ab.css"):
        answer = ask("GET", site.url(logical), {})
        same("status", answer.status, 200)
        same("Cache-Control", answer.get("cache-control"), "max-age=60, public")


@case("Fetch 3.3.3 and 3.5", "CORS and nosniff")
def _(ask: Ask, site: Site) -> None:
    for url in (site.hashed_url(CSS), site.url(PNG), site.hashed_url(FILM)):
        answer = ask("GET", url, {})
        same("Access-Control-Allow-Origin", answer.get("access-control-allow-origin"), "*")
        same("X-Content-Type-Options", answer.get("x-content-type-options"), "nosniff")


@case("RFC 9110 8.8.2", "Last-Modified is the file's time")
def _(ask: Ask, site: Site) -> None:
    path = site.path(site.manifest.entries[PNG].name)
    expected = http_date(int(os.stat(path).st_mtime))
    same("Last-Modified", ask("GET", site.hashed_url(PNG), {}).get("last-modified"), expected)


@case("RFC 9110 8.8.2.1", "Last-Modified is never in the future")
def _(ask: Ask, site: Site) -> None:
    path = site.path(site.manifest.entries["m.wasm"].name)
    os.utime(path, (4e9, 4e9))
    modified = ask("GET", site.hashed_url("m.wasm"), {}).get("last-modified")
    if modified is not None and (parse_http_date(modified) or 4e9) >= 4e9:
        raise AssertionError(f"Last-Modified is {modified}")


CASES = tuple(_cases)
