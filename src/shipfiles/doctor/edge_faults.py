"""In what an answer differs from the one that was expected, and what to do."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..http.negotiation import IDENTITY
from ..serve.respond import Response
from .public import Page, cdn_of, shown

_SHOWN = (
    "content-type", "content-encoding", "content-length", "content-range", "cache-control", "vary", "etag",
    "last-modified", "allow", "location", "age", "access-control-allow-origin", "access-control-allow-methods",
    "access-control-allow-headers", "x-content-type-options", "set-cookie",
)  # fmt: skip
_APART = frozenset({
    "content-length", "content-encoding", "cache-control", "vary", "etag", "last-modified", "date", "allow",
    "access-control-allow-headers", "access-control-allow-methods", "content-type", "accept-ranges",
})  # fmt: skip
_INSTALL = "install what 'ship config' writes, or let the CDN in front leave the origin's header fields as they are"


class Fault(NamedTuple):
    """One difference."""

    why: str
    todo: str = ""
    needed: bool = True
    """Whether it is wrong; else it is only slower."""


def shown_fields(status: int, headers: Mapping[str, str]) -> str:
    """An answer in a line: its status and the fields that matter here, by their names in lower case."""
    told = [f"{name.title()}: {_value(name, headers[name])}" for name in _SHOWN if name in headers]
    return ", ".join([str(status), *told])


def _value(name: str, value: str) -> str:
    # Of a cookie its name alone: it may let somebody in.
    return shown(value.partition("=")[0] + "=..." if name == "set-cookie" else value)


def faults_of(page: Page, wanted: Response, body: bytes, accepted: str) -> list[Fault]:
    """What is wrong with ``page``, where ``wanted`` was expected with ``body``, for a client that has ``accepted``."""
    expected = {name.lower(): value for name, value in wanted.headers}
    if "access-control-allow-methods" in expected and wanted.status // 100 == page.status // 100 == 2:
        # Fetch section 4.8: a preflight is good with any status from 200 to 299, and nothing else of it counts.
        return [
            Fault(_told(page, expected, name), _INSTALL)
            for name in expected
            if name.startswith("access-control-") and name not in page.headers
        ]
    if page.status != wanted.status:
        return [_status(page, wanted.status)]
    has_body = wanted.status in (200, 206) and wanted.body is not None
    found = [*_body(page, expected, body, accepted)] if has_body else []
    if page.status < 400:  # of an error nothing counts but that it is one, and that nobody keeps it
        found += _fields(page, expected)
    kept = [*_kept(page, expected)]
    # Servers and caches make it themselves, of the file's fields, and no cache keeps it for those who ask for the file.
    return [*found, *(fault._replace(todo="", needed=False) if page.status == 416 else fault for fault in kept)]


def _status(page: Page, wanted: int) -> Fault:
    why = f"the answer is {page.status} instead of {wanted}"
    if 300 <= page.status < 400:
        return Fault(f"{why}, to {page.shown('location')}", "say that address as the URL")
    if page.status in (401, 403):
        return Fault(why, "let the web server read the folder and all above it, and let no rule of the CDN refuse it")
    if page.status in (404, 410):
        return Fault(
            why,
            "let the web server have the folder of the current release and the path of its URLs (--root, --prefix); "
            "and see that a cache has not kept it from before",
        )
    if wanted in (206, 416):  # who answers with all of it is right, and slow
        return Fault(f"{why}: films cannot be wound on", "let requests with Range through", needed=page.status != 200)
    return Fault(why, _INSTALL)


def _body(page: Page, expected: Mapping[str, str], body: bytes, accepted: str) -> Iterator[Fault]:
    coding, wanted = page.headers.get("content-encoding", IDENTITY).lower(), expected.get("content-encoding", IDENTITY)
    if page.body == body and coding == wanted:
        return
    if "," in coding or (page.body[:2] == b"\x1f\x8b" and _gunzipped(page.body) == body and wanted != IDENTITY):
        why = f"compressed twice: what has the coding {wanted} comes with Content-Encoding {shown(coding)!r}"
        yield Fault(why, "let the server or CDN compress nothing that has a Content-Encoding (gzip off for them)")
    elif page.body == body:
        why = f"Content-Encoding is {_said(coding)} instead of {_said(wanted)}: browsers cannot read it"
        yield Fault(why, _INSTALL)
    elif coding not in accepted.lower() and coding != IDENTITY:
        via = cdn_of(page)
        yield Fault(
            f"it comes as {shown(coding)}, for which was not asked" + (f" ({via})" if via else ""),
            "let answers vary by Accept-Encoding, and the cache keep them apart by it",
        )
    elif coding == IDENTITY != wanted:
        yield Fault(
            f"it comes uncompressed instead of as {wanted}",
            "let the file that lies beside it be sent, and the CDN pass Accept-Encoding on",
            needed=False,
        )
    elif coding != wanted:
        yield Fault(
            f"it comes as {shown(coding)} instead of {_said(wanted)}, compressed on the way" if wanted == IDENTITY
            else f"it comes as {shown(coding)} instead of {wanted}",
            "let the files that lie there be sent, and nothing be compressed anew for each request",
            needed=False,
        )  # fmt: skip
    else:
        why = f"the bytes are not those of the current release: {len(page.body)} instead of {len(body)}"
        yield Fault(why, "publish the release there, let it read that folder, and purge what the cache has kept")


def _gunzipped(body: bytes) -> bytes:
    try:
        # No more than is compared: it may unpack to any size.
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(body, 1 << 20)
    except zlib.error:
        return b""


def _said(coding: str) -> str:
    return "not there" if coding == IDENTITY else repr(shown(coding))


def _fields(page: Page, expected: Mapping[str, str]) -> Iterator[Fault]:
    is_file = page.status < 300
    if is_file and _differ(page, expected, "content-type"):
        yield Fault(_told(page, expected, "content-type"), _INSTALL)
    has = _members(page.headers.get("vary", ""))
    if (missing := _members(expected.get("vary", "")) - has) and "*" not in has:
        why = f"Vary lacks {', '.join(sorted(missing))}: a cache gives what was compressed to those who cannot read it"
        yield Fault(why, _INSTALL)
    for name in expected:
        if name not in _APART and _differ(page, expected, name):
            yield Fault(_told(page, expected, name), _INSTALL)
    if is_file and "etag" in expected and not {"etag", "last-modified"} & page.headers.keys():
        yield Fault("neither ETag nor Last-Modified: it is sent again each time", _INSTALL, needed=False)


def _kept(page: Page, expected: Mapping[str, str]) -> Iterator[Fault]:
    wanted, given = _members(expected.get("cache-control", "")), _members(page.headers.get("cache-control", ""))
    # RFC 9111 section 5.2.2.5: whatever else is said.
    if wanted and wanted != given and "no-store" not in wanted & given:
        yield Fault(_told(page, expected, "cache-control"), _INSTALL)
    if "set-cookie" in page.headers:
        yield Fault("it sets a cookie: no cache keeps it then", "let no cookie be set below the path of static files")


def _members(value: str) -> frozenset[str]:
    return frozenset(part.strip().lower() for part in value.split(",") if part.strip())


def _differ(page: Page, expected: Mapping[str, str], name: str) -> bool:
    has, wanted = page.headers.get(name, ""), expected.get(name, "")
    if name == "content-disposition":
        # RFC 6266 section 4.3: without a name in it, the last part of the URL is taken.
        has, wanted = has.partition(";")[0], wanted.partition(";")[0]
    return _squeezed(has) != _squeezed(wanted)


def _squeezed(value: str) -> str:
    """A field's value without what makes no difference."""
    return value.replace(" ", "").replace('"', "").lower()


def _told(page: Page, expected: Mapping[str, str], name: str) -> str:
    has = repr(page.shown(name)) if name in page.headers else "not there"
    return f"{name.title()} is {has} instead of {shown(expected[name])!r}"
