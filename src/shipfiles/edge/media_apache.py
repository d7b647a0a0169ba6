"""Uploads in the configuration of Apache httpd.

What a file is answered with is said by its folder and its name on the disk, so that no spelling of a URL can miss it.
https://httpd.apache.org/docs/2.4/sections.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..errors import ConfigError
from .apache_text import quoted, section
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

_FIELDS = ("Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Security-Policy")
# mod_mime would take each for the coding of what has it anywhere in its name.
_UNCODED = (
    "<IfModule mod_mime.c>",
    "    RemoveEncoding .Z .br .bz2 .gz .lz .lzma .svgz .taz .tgz .tz .xz .zst",
    "</IfModule>",
)


def blocks(policy: EdgePolicy) -> str:
    """What is to stand in a ``<VirtualHost>``, before the rules of static files; empty without uploads.

    Needs ``TraceEnable Off``, mod_alias, mod_headers, mod_rewrite and mod_allowmethods, mod_proxy_http for what the
    application is asked, and mod_xsendfile if it hands files over. Raises `ConfigError` for what Apache's language
    cannot say.
    """
    # The first that fits counts: what is within another before that.
    ordered = [*reversed(in_order(policy))]
    missing = [*without_urls(policy, "x-sendfile")]
    if not ordered:
        return "".join(f"{line}\n" for line in missing)
    folders: dict[str, MediaPolicy] = {}
    lines = ["# Uploads: which of them Apache answers for itself, and which the application.", "RewriteEngine On"]
    lines += missing
    for media in ordered:
        lines += _rules(media, policy)
    for media in ordered:
        who = way(media, policy)
        if who == "application":
            lines += ["", *_asked(media, policy)]
        if who != "disk":
            continue
        other = folders.setdefault(root_of(media), media)
        if other.config != media.config:
            raise ConfigError(
                f"{called(other)} and {called(media)} have one folder and other options, and Apache tells files by "
                "their folders: give each its own."
            )
        lines += ["", *_from_disk(media, policy, is_first=other is media)]
    return "\n".join(lines) + "\n"


def _rules(media: MediaPolicy, policy: EdgePolicy) -> Iterator[str]:
    """What mod_rewrite says of the URL, before any other module is asked for it."""
    prefix, what, who = _escaped(media.prefix[1:]), called(media), way(media, policy)
    if who == "nobody":
        yield f"# {called(media)}, {media.config.access}: {why_nobody(media)}"
        yield f'RewriteRule {quoted(f"^/+{prefix}", what)} "-" [R=404,L]'
        return
    if who == "application":
        yield f'RewriteRule {quoted(f"^/{prefix}", what)} "-" [L]'
        return
    # Names with a dot in front are for nobody, and two slashes are no folder's.
    odd = rf"^(?://+{prefix}|/{prefix}(?:.*/)?[./]|/{prefix}.*{CONTROL})"
    yield f'RewriteRule {quoted(odd, what)} "-" [R=404,L]'
    for folder in closed_below(media, policy):
        yield f'RewriteRule {quoted(f"^/{prefix}{_escaped(folder)}/", what)} "-" [R=404,L]'
    yield f'RewriteRule {quoted(f"^/{prefix}", what)} "-" [L,E=no-proxy:1,E=no-gzip:1,E=no-brotli:1]'


def _asked(media: MediaPolicy, policy: EdgePolicy) -> Iterator[str]:
    what, prefix = called(media), media.prefix
    yield f"# Uploads of {called(media)}, {media.config.access}: the application says who may have them."
    yield f"<Location {section(prefix, what)}>"
    yield f"    ProxyPass {quoted(policy.application.rstrip('/') + prefix, what)} nocanon"
    if media.config.delivery.mechanism == "x-sendfile":
        yield "    # mod_xsendfile 0.12; later versions need XSendFileUnescape Off, too."
        yield "    XSendFile On"
        yield f"    XSendFilePath {quoted(root_of(media), what)}"
    yield "    MaxRanges 1"
    yield from (f"    {line}" for line in _UNCODED)
    yield "</Location>"


def _from_disk(media: MediaPolicy, policy: EdgePolicy, *, is_first: bool) -> Iterator[str]:
    what, root = called(media), root_of(media)
    yield f"# Uploads of {called(media)}, public: answered from the disk."
    yield f"Alias {quoted(media.prefix, what)} {quoted(root, what)}"
    yield f"<LocationMatch {quoted(f'^/+{_escaped(media.prefix[1:])}', what)}>"
    yield '    Header always set Cache-Control no-store "expr=%{REQUEST_STATUS} -ge 400"'
    yield '    Header always set X-Content-Type-Options nosniff "expr=%{REQUEST_STATUS} -ge 400"'
    yield '    Header always set Allow "GET, HEAD" "expr=%{REQUEST_STATUS} -eq 405"'
    yield "</LocationMatch>"
    if not is_first:
        return
    yield f"<Directory {section(root.rstrip('/') or '/', what)}>"
    yield from (f"    {line}" for line in _folder(media))
    yield "</Directory>"
    for folder in closed_below(media, policy):
        yield "# The folder of another storage that is not public."
        yield f"<Directory {section(root + folder, what)}>"
        yield "    Require all denied"
        yield "</Directory>"


def _folder(media: MediaPolicy) -> Iterator[str]:
    given, what = rules(media.config), called(media)
    for note in notes(media):
        yield f"# {note}"
    yield "Require all granted"
    yield "AllowOverride None"
    yield "# No listings, no scripts, and no links: not even those that lead to another place in the folder."
    yield "Options None"
    yield "AllowMethods GET HEAD"
    yield "MaxRanges 1"
    yield "AcceptPathInfo Off"
    yield "<IfModule mod_dir.c>"
    yield "    DirectoryIndex disabled"
    yield "    DirectorySlash Off"
    yield "    FallbackResource disabled"
    yield "</IfModule>"
    yield from _UNCODED
    yield "# Of all that follows the last that fits counts. First what nothing is known of."
    always = ["SetHandler default-handler", f"ForceType {quoted(given.other_type, what)}"]
    yield from _files("", [*always, *_kind(given.other, what)], what)
    if given.other.attached:
        yield from _named(PLAIN, what)
    for named in given.extensions:
        pattern = rf".\.{any_of(named.ends)}"
        yield from _files(f"(?i){pattern}$", _kind(named.kind, what), what)
        if named.kind.attached:
            yield from _named(rf"{PLAIN}\.{any_of(named.ends)}", what)
    for type_, ends in given.types:
        yield from _files(rf"(?i).\.{any_of(ends)}$", [f"ForceType {quoted(type_, what)}"], what)
    for named in given.names:
        lines = [f"ForceType {quoted(named.content_type, what)}", *_kind(named.kind, what)]
        yield from _files(f"(?i)^{any_of(named.ends)}$", lines, what)
        if named.kind.attached:
            yield from _named(any_of(named.ends), what)


def _kind(kind: Kind, what: str) -> Iterator[str]:
    fields = dict(kind.fields) | ({"Content-Disposition": "attachment"} if kind.attached else {})
    for name in _FIELDS:
        if name not in fields:
            yield f"Header unset {name}"
    for name, value in fields.items():
        yield f"Header set {name} {_value(value, what)}"


def _named(pattern: str, what: str) -> Iterator[str]:
    """For names that a field can say as they are. All others the browser takes from the URL."""
    value = r'"attachment; filename=\"%{MATCH_SHIPNAME}e\""'
    yield from _files(f"(?i)^(?<SHIPNAME>{pattern})$", [f"Header set Content-Disposition {value}"], what)


def _files(pattern: str, lines: Iterable[str], what: str) -> Iterator[str]:
    yield f"<FilesMatch {quoted(pattern, what)}>"
    for line in lines:
        yield f"    {line}"
    yield "</FilesMatch>"


def _value(text: str, what: str) -> str:
    # What begins so would be an expression.
    if text.startswith("expr="):
        raise ConfigError(f"{what}: {text!a} cannot be the value of a field in Apache's configuration.")
    return quoted(text.replace("%", "%%"), what)


def _escaped(text: str) -> str:
    """A pattern for ``text`` alone, which directives read alike that treat backslashes differently."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "/-_") else _bytes(c) for c in text)


def _bytes(char: str) -> str:
    return "".join(rf"\x{byte:02x}" for byte in char.encode())
