"""What several CDNs are told in the same way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from ...errors import ConfigError
from ...media_types import is_compressible
from ..policy import WELL_KNOWN, EdgePolicy, Field, StaticPolicy

HOST = "static.example.com"
"""Stands where a policy names no host."""


def static_of(policy: EdgePolicy) -> StaticPolicy:
    """Its part for static files. Raises `ConfigError` without one: a CDN has nothing to do then."""
    if policy.static is None:
        raise ConfigError("A CDN's rules are for static files, and there are none in this policy.")
    return policy.static


def host_of(policy: EdgePolicy) -> str:
    """The name of the host. Raises `ConfigError` if it can be none."""
    if policy.host and not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", policy.host):
        raise ConfigError(f"{policy.host!r} cannot be the name of a CDN's host.")
    return policy.host or HOST


def url_prefix(static: StaticPolicy) -> str:
    """The path of the files' URLs as browsers ask for it, with percent signs."""
    return quote(static.prefix, safe="/-._~!$&'()*+,;=:@")


def check_prefix(policy: EdgePolicy) -> None:
    """Raise `ConfigError` where an application's pages would pass for static files."""
    if not policy.bucket and url_prefix(static_of(policy)) == "/":
        raise ConfigError(
            "The URL of static files is the root of its host, and these rules tell them from an application's pages by "
            "the path. Give them one of their own (STATIC_URL), or name with --prefix that below which the CDN asks "
            "the application for them."
        )


def origin_of(policy: EdgePolicy) -> tuple[str, int, str]:
    """Host, port and path, percent-encoded and between slashes, of what the CDN asks for static files."""
    static = static_of(policy)
    url = policy.bucket or policy.application or "http://127.0.0.1:8000"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme not in ("http", "https") or not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", host):
        raise ConfigError(f"{url!r} must be a URL with a scheme and a host, such as 'http://127.0.0.1:8000'.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ConfigError("The URL of a bucket or an application must have a host and a path alone.")
    if not re.fullmatch(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*", parts.path):
        raise ConfigError(f"{url!r} has characters that must be percent-encoded.")
    path = f"{parts.path.rstrip('/')}/" if policy.bucket else url_prefix(static)
    return host, port or (443 if parts.scheme == "https" else 80), path


def extensions(static: StaticPolicy) -> list[str]:
    """Those of types that are worth compressing, without dots: files of others never have variants."""
    found = {extension for extension, type_ in static.types.items() if is_compressible(type_)}
    return sorted(e for e in found | {*static.always} if re.fullmatch(r"[a-z0-9_+-]+", e) and e != "svgz")


def variant_pattern(static: StaticPolicy, some: list[str]) -> str:
    """The form of URL paths that may have variants: hashed names with one of these extensions."""
    prefix = re.escape(url_prefix(static)).replace("/", r"\/")
    return rf"^{prefix}.*\.[0-9a-f]{{12}}\.({'|'.join(map(re.escape, some))})$"


def sent_by_edge(static: StaticPolicy) -> Iterator[Field]:
    """The header fields that objects in a bucket cannot hold."""
    kept = {"cache-control", "content-disposition", "content-language"}
    return (field for field in static.fields if field.name.lower() not in kept)


def js(value: object) -> str:
    """``value`` as JavaScript has it; also where a script element would end."""
    return json.dumps(value).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


# As `shipfiles.http.negotiation.preferred`: RFC 9110, sections 12.4.2 and 12.5.3. Nothing that ECMAScript 5 lacks.
PREFERRED = r"""
// \x27 and \x60 are the quotes: where they stand, what looks for comments would take them for the begin of a string.
var MEMBER = /^[ \t]*([!#$%&\x27*+\-.^_\x60|~0-9a-z]+)([ \t]*;[ \t]*q=(0(\.[0-9]{0,3})?|1(\.0{0,3})?))?[ \t]*(.*)$/;

// Which of CODINGS the client likes best (RFC 9110, section 12.5.3); empty for none. What cannot be read is refused.
function preferred(field) {
    var weights = {};
    var members = field.length > 2000 ? [] : field.toLowerCase().split(',');
    for (var i = 0; i < members.length; i++) {
        var parts = MEMBER.exec(members[i]);
        if (!parts) continue;
        var coding = parts[1] === 'x-gzip' ? 'gzip' : parts[1];
        var weight = parts[6] ? 0 : parts[2] ? Number(parts[3]) : 1;
        weights[coding] = coding in weights ? Math.min(weight, weights[coding]) : weight;
    }
    var rest = '*' in weights ? weights['*'] : 0;
    var best = '', most = 'identity' in weights ? weights['identity'] : rest;
    for (var j = 0; j < CODINGS.length; j++) {
        var found = CODINGS[j] in weights ? weights[CODINGS[j]] : rest;
        if (found > 0 && (found > most || (found === most && !best))) {
            best = CODINGS[j];
            most = found;
        }
    }
    return best;
}
"""
HIDDEN = r"(^|/|%2f)(\.|%2e)"
"""Paths of URLs that name a record, or whatever else begins with a dot; compared without regard to case."""
DOTS = r"(^|/|%2f)(\.|%2e){1,2}(/|%2f|$)"
"""Those with a segment that leads elsewhere, where somebody heeds it."""


def spelled(text: str) -> str:
    """A regular expression of all that a server takes for ``text`` in a path: each byte as it is or with a percent
    sign, slashes repeated; to be compared without regard to case."""
    return "".join(
        f"({re.escape(chr(byte))}|%{byte:02x}){'+' if byte == 0x2F else ''}" if 0x20 < byte < 0x7F else f"%{byte:02x}"
        for byte in text.encode()
    )


def hidden(static: StaticPolicy) -> str:
    """A function in JavaScript that says of a path below the prefix, percent signs undone, whether it is hidden."""
    return f"""
var MANIFEST = {js(static.manifest_name)};

// Records of releases, the names that stock Django reads, and whatever else begins with a dot.
function hidden(path) {{
    path = path.replace(/\\/+/g, '/').replace(/^\\//, '');
    if (path === MANIFEST) return true;
    if (path.indexOf({js(WELL_KNOWN)}) === 0 && !/(^|\\/)\\.\\.?(\\/|$)/.test(path)) return false;
    return /(^|\\/)\\./.test(path);
}}
"""


WITH_HASH = r"\.[0-9a-f]{12}(\.[^./]*)?$"
