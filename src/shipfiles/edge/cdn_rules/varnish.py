"""Varnish 7: a whole VCL, for an application or a bucket behind it.

VCL and its variables: https://varnish-cache.org/docs/7.1/reference/vcl.html and .../vcl-var.html; PURGE and BAN:
https://varnish-cache.org/docs/7.1/users-guide/purging.html; why Accept-Encoding is looked at in vcl_recv and written in
vcl_backend_fetch: .../users-guide/compression.html (Varnish itself tells gzip from nothing, and no more); ``std.ban``:
.../reference/vmod_std.html, since 7.0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..policy import EdgePolicy, StaticPolicy
from .common import check_prefix, origin_of, static_of, url_prefix
from .vcl import HASH, TYPES, accepted, at_start, fields, hidden, indented, quoted, varied

_CODING = "X-Static-Coding"


_PIPE = """\
sub vcl_pipe {
    set bereq.http.Upgrade = req.http.Upgrade;
    set bereq.http.Connection = req.http.Connection;
}

"""


def texts(policy: EdgePolicy) -> Mapping[str, str]:
    """File name → text."""
    check_prefix(policy)
    return {"default.vcl": _vcl(policy, static_of(policy))}


def _vcl(policy: EdgePolicy, static: StaticPolicy) -> str:
    host, port, path = origin_of(policy)
    prefix = quoted(at_start(url_prefix(static)))
    tags = static.serve.cache_tags or "Surrogate-Key"
    secure = port == 443
    return f"""\
vcl 4.1;
# varnishd -a :80 -f /etc/varnish/default.vcl -s malloc,256m    Varnish 7.0 or later. It is the same for every release.

import std;

backend origin {{
    .host = "{host}";
    .port = "{80 if secure else port}";{"  # Varnish speaks no TLS" if secure else ""}
}}

# Who may purge: by the address of the connection. If all of them come from a proxy on this machine that speaks TLS, let
# that refuse PURGE and BAN, or leave its address out.
acl purgers {{
    "127.0.0.1";
    "::1";
}}

sub vcl_recv {{
    if (req.method == "PURGE" || req.method == "BAN") {{
        if (client.ip !~ purgers) {{
            return (synth(403));
        }}
        if (req.method == "PURGE") {{
            set req.url = regsub(req.url, "\\?.*$", "");
            return (purge);
        }}
        if (req.http.Ban-All) {{
            std.ban("obj.status != 0");
            return (synth(200));
        }}
        if (!req.http.Ban-Tags || !std.ban("obj.http.{tags} ~ " + req.http.Ban-Tags)) {{
            return (synth(400));
        }}
        return (synth(200));
    }}
    if (req.restarts == 0) {{
        unset req.http.{_CODING};
    }}
{indented(_upgrade(policy), 1)}\
    if (req.url !~ {prefix}) {{
        return ({"synth(404)" if policy.bucket else "pass"});
    }}
    if (req.method != "GET" && req.method != "HEAD") {{
        return ({"synth(405)" if policy.bucket else "pass"});
    }}
    # One copy of each file and coding: neither cookies nor origins, queries or hosts make another.
    unset req.http.Cookie;
    unset req.http.Authorization;
    unset req.http.Origin;
    set req.url = regsub(req.url, "\\?.*$", "");
{indented(_hidden(policy, static), 1)}{indented(_codings(static), 1)}\
    # What is older than ten seconds too old is shown only if the origin fails: see vcl_synth.
    set req.grace = 10s;
    if (req.restarts > 0) {{
        set req.grace = 1d;
    }}
    return (hash);
}}

{"" if policy.bucket else _PIPE}sub vcl_hash {{
    if (req.url ~ {prefix}) {{
        hash_data(req.url);
        return (lookup);
    }}
}}

sub vcl_backend_fetch {{
    if (bereq.http.{_CODING}) {{
{indented(_fetch(policy, static, host, port, path), 2)}\
    }}
}}

sub vcl_backend_response {{
    if (bereq.http.{_CODING}) {{
{indented(_response(policy, static), 2)}\
    }}
}}

sub vcl_backend_error {{
    if (bereq.http.{_CODING}) {{
        return (abandon);
    }}
}}

sub vcl_synth {{
    # The origin could not be asked: once more, for what is old.
    if (resp.status == 503 && req.http.{_CODING} && req.restarts == 0) {{
        return (restart);
    }}
    set resp.http.Cache-Control = "no-store";
}}

sub vcl_deliver {{
    if (req.http.{_CODING}) {{
        if (resp.http.Vary) {{
            set resp.http.Vary = "Accept-Encoding";
        }}
{indented(_deliver(policy, static), 2)}\
        if (resp.status >= 400) {{
            set resp.http.Cache-Control = "no-store";
        }}
    }}
}}
"""


def _hidden(policy: EdgePolicy, static: StaticPolicy) -> Iterator[str]:
    if not policy.bucket:
        return
    yield "# Records of releases, the names that stock Django reads, and whatever else begins with a dot."
    yield f"if ({hidden(static, 'req.url')}) {{"
    yield "    return (synth(404));"
    yield "}"


def _upgrade(policy: EdgePolicy) -> Iterator[str]:
    if not policy.bucket:
        yield 'if (req.http.Upgrade ~ "(?i)websocket") {'
        yield "    return (pipe);"
        yield "}"


def _codings(static: StaticPolicy) -> Iterator[str]:
    # On a second way through, Varnish has written Accept-Encoding anew.
    yield "if (req.restarts == 0) {"
    yield from (f"    {line}" for line in _coding(static))
    yield "}"


def _coding(static: StaticPolicy) -> Iterator[str]:
    yield f'set req.http.{_CODING} = "identity";'
    word = "if"
    for coding in static.codings:
        some, none = accepted(coding)
        yield f"{word} (req.http.Accept-Encoding ~ {quoted(some)}"
        yield f"    && req.http.Accept-Encoding !~ {quoted(none)}) {{"
        yield f'    set req.http.{_CODING} = "{coding}";'
        yield "}"
        word = "elsif"


def _fetch(policy: EdgePolicy, static: StaticPolicy, host: str, port: int, path: str) -> Iterator[str]:
    if not policy.bucket:
        yield f'if (bereq.http.{_CODING} == "identity") {{'
        yield "    unset bereq.http.Accept-Encoding;"
        yield "} else {"
        yield f"    set bereq.http.Accept-Encoding = bereq.http.{_CODING};"
        yield "}"
        return
    yield f'set bereq.http.Host = "{host if port in (80, 443) else f"{host}:{port}"}";'
    yield "unset bereq.http.Accept-Encoding;"
    yield "if (bereq.retries == 0) {"
    if static.codings:
        yield "    # The variant, or where there is none the file itself: see vcl_backend_response."
        yield f"    if (bereq.url ~ {quoted(varied(static))}) {{"
        for coding, suffix in static.suffixes.items():
            yield f'        if (bereq.http.{_CODING} == "{coding}") {{ set bereq.url = bereq.url + "{suffix}"; }}'
        yield "    }"
    yield f"    set bereq.url = regsub(bereq.url, {quoted(at_start(url_prefix(static)))}, {quoted(path)});"
    yield "}"


def _response(policy: EdgePolicy, static: StaticPolicy) -> Iterator[str]:
    if policy.bucket and static.codings:
        suffixes = "|".join(suffix.removeprefix(".") for suffix in static.suffixes.values())
        yield f'if (bereq.retries == 0 && bereq.http.{_CODING} != "identity"'
        yield "    && (beresp.status == 403 || beresp.status == 404)"
        variant = rf"\.[0-9a-f]{{12}}\.[^./]+\.({suffixes})$"
        yield f"    && bereq.url ~ {quoted(variant)}) {{"
        yield f'    set bereq.url = regsub(bereq.url, {quoted(rf"[.]({suffixes})$")}, "");'
        yield "    return (retry);"
        yield "}"
    yield "if (beresp.status >= 500 && bereq.is_bgfetch) {"
    yield "    return (abandon);"
    yield "}"
    yield 'if ((beresp.status != 200 && beresp.status != 304) || beresp.http.Cache-Control !~ "max-age=[1-9]") {'
    yield "    # An error, or no file of ours. It is not kept, and for a second nobody waits for another's answer."
    yield "    set beresp.uncacheable = true;"
    yield "    set beresp.ttl = 1s;"
    yield "    return (deliver);"
    yield "}"
    yield "unset beresp.http.Set-Cookie;"
    yield "# Shown for so long after its time only if the origin cannot be asked."
    yield "set beresp.grace = 1d;"
    vary = f'set beresp.http.Vary = "{_CODING}";'
    if not policy.bucket:
        yield f'if (beresp.http.Vary ~ "(?i)accept-encoding") {{ {vary} }} else {{ unset beresp.http.Vary; }}'
        return
    yield "unset beresp.http.Vary;"
    if static.codings:
        yield f"if (bereq.url ~ {quoted(varied_suffixed(static))}) {{ {vary} }}"
    yield "# What has no coding is compressed here, and undone for who wants that."
    yield f"if (!beresp.http.Content-Encoding && beresp.http.Content-Type ~ {quoted(TYPES)}) {{"
    yield "    set beresp.do_gzip = true;"
    yield "}"


def varied_suffixed(static: StaticPolicy) -> str:
    """The form of paths in a bucket that one of several codings has led to."""
    suffixes = "|".join(suffix.removeprefix(".") for suffix in static.suffixes.values())
    kinds = varied(static).rpartition(r"\.(")[2].removesuffix(")$")
    return rf"\.[0-9a-f]{{12}}\.({kinds})(\.({suffixes}))?$"


def _deliver(policy: EdgePolicy, static: StaticPolicy) -> Iterator[str]:
    if not policy.bucket:
        return
    yield "# What objects in a bucket cannot say, by the path of the file."
    yield f'set req.http.X-Static-Path = regsub(req.url, {quoted(at_start(url_prefix(static)))}, "");'
    yield f'set req.http.X-Static-Path = regsub(req.http.X-Static-Path, {quoted(HASH)}, "\\1");'
    yield from fields(static, "resp", "req.http.X-Static-Path")
