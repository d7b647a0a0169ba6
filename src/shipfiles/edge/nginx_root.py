"""The part of nginx's configuration for everything else: files at the root of the site, pages, the application."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..config import ROOT_PREFIX
from ..errors import ConfigError
from .nginx_files import error_fields
from .nginx_site import Site
from .nginx_text import pattern, quoted
from .nginx_words import indented, mapped, regex
from .policy import EdgePolicy

APPLICATION = "@ship_application"
MISSING = "@ship_missing"

_URL = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")
_SOCKET = re.compile(r"http://unix:(/[^\s:;{}\"'\\$]+):?/?")


def upstream_of(policy: EdgePolicy) -> str:
    """The application's URL as ``proxy_pass`` wants it; empty if there is none. Raises `ConfigError`."""
    url = policy.application
    if not url:
        return ""
    if found := _SOCKET.fullmatch(url):
        return f"http://unix:{found[1]}:"
    if _URL.fullmatch(url) is None:
        raise ConfigError(
            f"The application's URL {url!r} must be a scheme, a host and a port, such as 'http://127.0.0.1:8000', "
            "or 'http://unix:/run/site.sock'"
        )
    return url.rstrip("/")


def root_maps(site: Site) -> Iterator[str]:
    """The maps for `root_locations`."""
    of, serve = site.of, site.static.serve
    if index := serve.index_file:
        yield f"# Whether {index} is asked for by its name: then it is redirected to its folder."
        asked = regex(rf"^(?:[^?]*/)?{re.escape(index)}(?:\?|$)", "serve.index_file")
        yield from mapped("$request_uri", f"${of}_asked", [(asked, '""')], "/")
    if index or serve.single_page:
        yield "# Methods that neither are redirected nor get a page in place of a 404."
        yield from mapped("$request_method", f"${of}_changes", [("GET", '""'), ("HEAD", '""')], "/")
    if serve.single_page:
        yield "# Who asks for a page: browsers that navigate name text/html, with another weight than 0."
        html = r"*^(?:[^/].*,)?\s*text/html\s*"
        pages = [(regex(rf"{html};\s*q=0(?:\.0{{0,3}})?\s*(?:,|$)"), '""'), (regex(rf"{html}(?:[,;]|$)"), "1")]
        yield from mapped(f'"${of}_changes$http_accept"', f"${of}_page", pages)
    if not upstream_of(site.policy):
        return
    if _is_apart(site):
        yield "# A hashed name that is not here: no application has it, and no cache may keep that."
        lost = ((regex(one.pattern), "1" if one.immutable else '""') for one in site.static.lifetimes)
        yield from mapped("$ship_name", f"${of}_lost", lost)
    if serve.single_page:
        yield "# A 404 is no page to some, and to others it is: caches must tell them apart."
        yield from mapped("$status", f"${of}_varies", [("404", "Accept")], volatile=True)


def _is_apart(site: Site) -> bool:
    """Whether no address below the prefix is the application's."""
    return site.static.prefix != "/"


def upstream(policy: EdgePolicy, of: str) -> Iterator[str]:
    """The application's address, and what is told of a connection to it."""
    if not (url := upstream_of(policy)):
        return
    scheme, _, address = url.partition("://")
    if not address.startswith("unix:") and re.search(r":[0-9]+$", address) is None:
        address += ":443" if scheme == "https" else ":80"
    yield f"upstream {of}_application {{"
    yield f"    server {address.removesuffix(':')};"
    yield "    keepalive 16;"
    yield "}"
    yield "# WebSockets alone: another protocol, h2c for one, would go past all that is said here."
    yield from mapped("$http_upgrade", f"${of}_upgrade", [(regex("*^websocket$"), "websocket")])
    yield from mapped(f"${of}_upgrade", f"${of}_connection", [("websocket", "upgrade")])
    yield "# The host that was asked, with its port: that of the request's target counts (RFC 9112 section 3.2.2)."
    same = regex(r"*^(\S+) \1(?::[0-9]+)?$")
    yield from mapped('"$host $http_host"', f"${of}_host", [(same, "$http_host")], "$host")


def root_locations(site: Site) -> Iterator[str]:
    """What answers to paths that are not below the prefix, and below it to those of which there is no file."""
    if site.static.prefix != "/":
        for path, logical in site.static.serve.root_files.items():
            yield f"location = {pattern(path, 'serve.root_files')} {{"
            # A variable: behind a question mark in the address itself a query would begin.
            yield f"    set $ship_file {quoted(logical, 'serve.root_files')};"
            yield f"    rewrite ^ {site.address('$ship_file')} last;"
            yield "}"
        yield "location / {"
        yield from indented(_root(site))
        yield "}"
    if site.static.serve.single_page:
        yield from _page(site)
    if upstream_of(site.policy):
        yield f"location {MISSING} {{"
        if _is_apart(site):
            yield f"    if (${site.of}_lost) {{"
            yield from indented(error_fields(site), 2)
            yield "        return 404;"
            yield "    }"
        yield from indented(_proxied(site))
        yield "}"


def _root(site: Site) -> Iterator[str]:
    of, serve = site.of, site.static.serve
    if serve.root_folder is not None:
        for end in ("", serve.index_file) if serve.index_file else ("",):
            yield f"if (-f {site.file(ROOT_PREFIX[:-1], '$uri', end)}) {{"
            yield f"    rewrite ^ {site.address(ROOT_PREFIX[:-1], '$uri', end)} last;"
            yield "}"
        if index := serve.index_file:
            yield f"if (-f {site.file(ROOT_PREFIX[:-1], '$uri', f'/{index}', f'${of}_changes')}) {{"
            yield "    add_header Cache-Control no-store;"
            yield "    rewrite ([^/]+)$ ./$1/ redirect;"
            yield "}"
    if serve.single_page:
        target = APPLICATION if upstream_of(site.policy) else "@ship_page"
        yield "recursive_error_pages on;"
        yield f"error_page 418 = {target};"
        yield f"if (${of}_page) {{"
        yield "    return 418;"
        yield "}"
    yield from _proxied(site) if upstream_of(site.policy) else iter(["return 404;"])


def _page(site: Site) -> Iterator[str]:
    if upstream_of(site.policy):
        yield f"location {APPLICATION} {{"
        yield "    proxy_intercept_errors on;"
        yield "    error_page 404 = @ship_page;"
        yield from indented(_proxied(site))
        yield "}"
    yield "location @ship_page {"
    yield "    set $ship_instead Accept;"
    yield f"    set $ship_file {quoted(site.static.serve.single_page, 'serve.single_page')};"
    yield f"    rewrite ^ {site.address('$ship_file')} last;"
    yield "}"


def _proxied(site: Site) -> Iterator[str]:
    yield from proxied(site.policy, site.of)
    if site.static.serve.single_page:
        yield f"add_header Vary ${site.of}_varies always;"


def proxied(policy: EdgePolicy, of: str) -> Iterator[str]:
    """What hands a request to the application, as the browser wrote it."""
    scheme = upstream_of(policy).partition("://")[0]
    yield f"proxy_pass {scheme}://{of}_application$request_uri;"
    yield "proxy_http_version 1.1;"
    yield f"proxy_set_header Host ${of}_host;"
    yield f"proxy_set_header X-Forwarded-Host ${of}_host;"
    yield "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
    yield "proxy_set_header X-Forwarded-Proto $scheme;"
    yield f"proxy_set_header Upgrade ${of}_upgrade;"
    yield f"proxy_set_header Connection ${of}_connection;"
    if scheme == "https":
        yield "# nginx does not check the certificate unless proxy_ssl_verify and proxy_ssl_trusted_certificate say so."
        yield "proxy_ssl_server_name on;"
        yield f"proxy_ssl_name {re.sub(':[0-9]+$', '', upstream_of(policy).partition('://')[2])};"
