"""Uploads in a Caddyfile.

Each storage is a ``handle`` of its own, and so nothing that the site does for other paths is done for uploads.
https://caddyserver.com/docs/caddyfile/directives
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from urllib.parse import quote

from .caddy_text import folder, leading_pattern, path, pattern, quoted
from .media_rules import (
    CONTROL,
    PLAIN,
    Kind,
    any_of,
    called,
    closed_below,
    in_order,
    notes,
    root_of,
    rules,
    way,
    why_nobody,
    without_urls,
)
from .policy import EdgePolicy, MediaPolicy

_TYPE = "{shipfiles_type}"
# One range; whatever else is asked for is the whole file.
_ONE_RANGE = ("@upload_ranges header_regexp Range ,", "request_header @upload_ranges -Range")
_TEXTS = {404: "Not Found.", 405: "Method Not Allowed: a file can be read here, not changed."}
# Everything else of the application's answer is copied.
_NOT_COPIED = "Content-Length Etag X-Accel-Redirect"


def blocks(policy: EdgePolicy) -> str:
    """The ``handle`` blocks of ``policy.media``, to stand in a site; empty if there are none.

    Raises `ConfigError` for what a Caddyfile cannot say.
    """
    lines: list[str] = ["", *missing] if (missing := [*without_urls(policy, "x-accel-redirect")]) else []
    # Caddy sorts them itself, but not within a ``route``.
    for media in reversed(in_order(policy)):
        lines += ["", *_storage(media, policy)]
    return "\n".join(lines[1:]) + "\n" if lines else ""


def _storage(media: MediaPolicy, policy: EdgePolicy) -> Iterator[str]:
    head, who = f"# Uploads of {called(media)}, {media.config.access}", way(media, policy)
    inside: Iterable[str]
    if who == "application":
        yield f"{head}: the application says who may have them."
        inside = _asked(media, policy)
    elif who == "nobody":
        yield f"{head}: {why_nobody(media)}"
        inside = _refusal(404)
    else:
        yield f"{head}: answered from the disk."
        inside = _block("route", _from_disk(media, policy))
    url = path(media.prefix, called(media))
    yield from _block(f"handle {url[:-1]}*`", inside)


def _asked(media: MediaPolicy, policy: EdgePolicy) -> Iterator[str]:
    what, delivery = called(media), media.config.delivery
    proxy = f"reverse_proxy {quoted(policy.application.rstrip('/'), 'The application')}"
    # What is packed, svgz, is passed on as it is.
    inside = [*_block("transport http", ["compression off"])]
    if delivery.mechanism != "x-accel-redirect":
        yield from _block(proxy, inside)
        return
    handed = [
        *_block("copy_response_headers", [f"exclude {_NOT_COPIED}"]),
        f"root * {folder(root_of(media), what)}",
        "rewrite * {http.reverse_proxy.header.X-Accel-Redirect}",
        _stripped(f"/{delivery.internal_url.strip('/')}", what),
        *_FILES,
    ]
    yield from _ONE_RANGE
    inside += ["@upload_handed_over header X-Accel-Redirect *", *_block("handle_response @upload_handed_over", handed)]
    yield from _block(proxy, inside)


def _from_disk(media: MediaPolicy, policy: EdgePolicy) -> Iterator[str]:
    given, what = rules(media.config), called(media)
    yield "# Caddy follows links in the folder, also those that lead out of it."
    for note in notes(media):
        yield f"# {note}"
    yield _stripped(media.prefix.rstrip("/"), what)
    yield f"root * {folder(root_of(media), what)}"
    hidden = rf"/\.|/$|{CONTROL}"
    if closed := closed_below(media, policy):
        yield "# Names with a dot in front, and folders of other storages that are not public."
        hidden += f"|^/{any_of(closed)}(?:/|$)"
    yield f"@upload_hidden path_regexp {pattern(hidden, what)}"
    yield from _block("handle @upload_hidden", _refusal(404))
    yield "@upload_none not file"
    yield from _block("handle @upload_none", _refusal(404))
    yield "@upload_changes not method GET HEAD"
    yield from _block("handle @upload_changes", [*_refusal(405, "header Allow `GET, HEAD`")])
    yield from _ONE_RANGE
    types = [
        f"default {quoted(given.other_type, what)}",
        *(_typed(any_of(named.ends), named.content_type, what) for named in given.names),
        *(_typed(rf"[^/]+\.{any_of(ends)}", type_, what) for type_, ends in given.types),
    ]
    yield from _block(f"map {{http.request.uri.path}} {_TYPE}", types)
    kinds = [
        *((any_of(named.ends), named.kind) for named in given.names),
        *((rf"[^/]+\.{any_of(named.ends)}", named.kind) for named in given.extensions),
    ]
    for number, (file, kind) in enumerate(kinds, 1):
        yield f"@upload_kind{number} path_regexp {pattern(f'(?i)/{file}$', what)}"
        yield from _block(f"handle @upload_kind{number}", _kind(kind, what))
    yield from _block("handle", _kind(given.other, what))


def _stripped(prefix: str, what: str) -> str:
    # It is compared with the path as it was asked: what is beyond ASCII fits only if it is percent-encoded here, too.
    encoded = "".join(char if char.isascii() else quote(char) for char in prefix)
    return f"uri strip_prefix {quoted(encoded, what)}"


def _typed(file: str, type_: str, what: str) -> str:
    # Not between backticks: at the beginning of a line `caddy fmt` breaks them up.
    return f"{leading_pattern(f'~(?i)/{file}$', what)} {quoted(type_, what)}"


def _kind(kind: Kind, what: str) -> Iterator[str]:
    yield f"header Content-Type {_TYPE}"
    for name, value in kind.fields:
        yield f"header {name} {quoted(value, what)}"
    if kind.attached:
        # Names that the field cannot say as they are the browser takes from the URL.
        yield "header ?Content-Disposition attachment"
        yield f"@upload_plain path_regexp upload_plain {pattern(f'/({PLAIN})$', what)}"
        yield 'header @upload_plain Content-Disposition `attachment; filename="{re.upload_plain.1}"`'
    yield from _FILES


def _refusal(status: int, *more: str) -> Iterator[str]:
    yield "header Cache-Control no-store"
    yield "header X-Content-Type-Options nosniff"
    yield from more
    yield f"respond `{_TEXTS[status]}` {status}"


def _block(head: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"{head} {{"
    for line in lines:
        yield f"\t{line}"
    yield "}"


_FILES = tuple(_block("file_server", ["disable_canonical_uris", "index none"]))
