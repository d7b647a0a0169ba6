"""Fastly: snippets of VCL for a service whose origin is a bucket or the application.

Snippets and where they stand: https://www.fastly.com/documentation/guides/vcl-services/vcl-snippets/; why vcl_fetch has
to return, or answers without Cache-Control are kept for an hour: the boilerplate in .../reference/vcl/; how a coding is
chosen: .../reference/vcl/functions/content-negotiation/accept-encoding-lookup/, from the field that Fastly puts aside
(.../reference/http/http-headers/Accept-Encoding/). In a string between quotes Fastly undoes ``%xx``, in a long one it
does not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ..policy import EdgePolicy, StaticPolicy
from .common import check_prefix, host_of, origin_of, static_of, url_prefix
from .vcl import HASH, at_start, fields, hidden, indented, quoted, varied

_CODING = "X-Static-Coding"
_MISSING = "X-Static-Missing"


def texts(policy: EdgePolicy) -> Mapping[str, str]:
    """File name → text: each is the snippet of the subroutine that its name says."""
    static = static_of(policy)
    check_prefix(policy)
    found = {
        "recv.vcl": _recv(policy, static),
        "fetch.vcl": _fetch(policy, static),
        "deliver.vcl": _deliver(policy, static),
    }
    if policy.bucket:
        # What is not in the cache, and what is passed on without a look at it.
        found["miss.vcl"] = found["pass.vcl"] = _to_bucket(policy, static)
        found["error.vcl"] = _error()
    return {
        name: _HEAD.format(name=name.removesuffix(".vcl"), host=host_of(policy)) + text for name, text in found.items()
    }


_HEAD = """\
# {host}, snippet of vcl_{name}; it is the same for every release.
#   fastly vcl snippet create --version latest --autoclone --name shipfiles_{name} --type {name} \\
#       --content "$(cat {name}.vcl)"
"""


def _below(static: StaticPolicy) -> str:
    return f"req.url.path ~ {quoted(at_start(url_prefix(static)))}"


def _recv(policy: EdgePolicy, static: StaticPolicy) -> str:
    codings = ":".join(coding for coding in static.codings if coding != "zstd" or policy.bucket)
    field = "req.http.Fastly-Orig-Accept-Encoding"
    chosen = f'accept.encoding_lookup("{codings}", "identity", {field})' if codings else '"identity"'
    lines = [
        "# One copy of each file and coding: neither cookies nor origins nor queries make another.",
        "unset req.http.Cookie;",
        "unset req.http.Authorization;",
        "unset req.http.Origin;",
        "set req.url = req.url.path;",
    ]
    if policy.bucket:
        lines += [
            "# Records of releases, the names that stock Django reads, and whatever else begins with a dot.",
            f"if ({hidden(static, 'req.url.path')}) {{",
            "    error 604;",
            "}",
        ]
    lines += [
        "# Once: a shield gets what the first server has chosen, and a second try what is left.",
        "if (req.restarts == 0 && fastly.ff.visits_this_service == 0) {",
        f"    set req.http.{_CODING} = {chosen};",
        "}",
    ]
    if not policy.bucket:
        lines += [
            f'if (req.http.{_CODING} == "identity") {{',
            "    unset req.http.Accept-Encoding;",
            "} else {",
            f"    set req.http.Accept-Encoding = req.http.{_CODING};",
            "}",
        ]
    own = ""
    if policy.bucket:
        # The bucket undoes percent signs: what is below the prefix by another spelling is not looked at above.
        host = f"req.http.host ~ {quoted(f'(?i)^{re.escape(policy.host)}(:[0-9]+)?$')} && " if policy.host else ""
        own = f"if ({host}req.url.path !~ {quoted(at_start(url_prefix(static)))}) {{\n    error 604;\n}}\n"
    return f'{own}if ({_below(static)} && (req.method == "GET" || req.method == "HEAD")) {{\n{indented(lines, 1)}}}\n'


def _to_bucket(policy: EdgePolicy, static: StaticPolicy) -> str:
    host, _, path = origin_of(policy)

    def lines() -> Iterator[str]:
        if static.codings:
            yield f"if (bereq.url ~ {quoted(varied(static))}) {{"
            for coding, suffix in static.suffixes.items():
                yield f'    if (req.http.{_CODING} == "{coding}") {{ set bereq.url = bereq.url "{suffix}"; }}'
            yield "}"
        yield f"set bereq.url = regsub(bereq.url, {quoted(at_start(url_prefix(static)))}, {quoted(path)});"
        yield f"set bereq.http.Host = {quoted(host)};"
        yield "unset bereq.http.Accept-Encoding;"
        yield f"unset bereq.http.{_CODING};"

    return f"if ({_below(static)} && !req.backend.is_shield) {{\n{indented(lines(), 1)}}}\n"


def _fetch(policy: EdgePolicy, static: StaticPolicy) -> str:
    def lines() -> Iterator[str]:
        if policy.bucket and static.codings:
            yield f'if ((beresp.status == 403 || beresp.status == 404) && req.http.{_CODING} != "identity"'
            yield f"    && req.url.path ~ {quoted(varied(static))} && !req.backend.is_shield) {{"
            yield "    # That there is no variant; nobody sees it: vcl_deliver asks for the file itself."
            yield f'    set beresp.http.{_MISSING} = "1";'
            yield f'    set beresp.http.Vary = "{_CODING}";'
            yield "    set beresp.ttl = 60s;"
            yield "    return (deliver);"
            yield "}"
        yield "if (beresp.status >= 300 && beresp.status != 304) {"
        yield "    set beresp.cacheable = false;"
        yield "    set beresp.ttl = 0s;"
        yield "    set beresp.stale_while_revalidate = 0s;"
        yield "    set beresp.stale_if_error = 0s;"
        yield "    return (deliver);"
        yield "}"
        yield "unset beresp.http.Set-Cookie;"
        yield "# For a soft purge, and for an origin that fails."
        yield "set beresp.stale_if_error = 86400s;"
        if policy.bucket:
            yield "unset beresp.http.Vary;"
            if static.codings:
                yield f'if (req.url.path ~ {quoted(varied(static))}) {{ set beresp.http.Vary = "{_CODING}"; }}'
        yield "return (deliver);"

    return f"if ({_below(static)}) {{\n{indented(lines(), 1)}}}\n"


def _deliver(policy: EdgePolicy, static: StaticPolicy) -> str:
    def lines() -> Iterator[str]:
        if policy.bucket:
            yield f"if (resp.http.{_MISSING} && req.restarts == 0) {{"
            yield f'    set req.http.{_CODING} = "identity";'
            yield "    restart;"
            yield "}"
            yield "if (resp.http.Vary && fastly.ff.visits_this_service == 0) {"
            yield '    set resp.http.Vary = "Accept-Encoding";'
            yield "}"
            yield "# What objects in a bucket cannot say, by the path of the file."
            yield f'set req.http.X-Static-Path = regsub(req.url.path, {quoted(at_start(url_prefix(static)))}, "");'
            yield f'set req.http.X-Static-Path = regsub(req.http.X-Static-Path, {quoted(HASH)}, "\\1");'
            yield from fields(static, "resp", "req.http.X-Static-Path")
        yield 'if (resp.status >= 400) { set resp.http.Cache-Control = "no-store"; }'

    return f"if ({_below(static)}) {{\n{indented(lines(), 1)}}}\n"


def _error() -> str:
    return """\
if (obj.status == 604) {
    set obj.status = 404;
    set obj.response = "Not Found";
    set obj.http.Cache-Control = "no-store";
    synthetic "";
    return (deliver);
}
"""
