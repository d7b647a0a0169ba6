"""Cloudflare: rules for its cache and for header fields, as the Rulesets API takes them, and a worker.

Cache rules: https://developers.cloudflare.com/cache/how-to/cache-rules/settings/ and .../create-api/; their JSON as in
the acceptance tests of Cloudflare's own provider for Terraform (internal/services/ruleset/testdata,
``TestAccCloudflareRuleset_SetCacheSettingsRules``). Header fields: .../rules/transform/response-header-modification/.
The worker: https://developers.cloudflare.com/workers/runtime-apis/cache/ and .../request/ (``cf.clientAcceptEncoding``:
the field Accept-Encoding itself is Cloudflare's own by then), .../fetch/ (``cf.cacheTtlByStatus``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from ...errors import ConfigError
from ..policy import EdgePolicy, StaticPolicy
from .common import (
    PREFERRED,
    WITH_HASH,
    extensions,
    hidden,
    host_of,
    js,
    sent_by_edge,
    static_of,
    url_prefix,
    variant_pattern,
)

_PICKED = ("br", "gzip")
"""What a worker can pass on."""


def texts(policy: EdgePolicy) -> Mapping[str, str]:
    """File name → text. With the application as its origin, that answers with all fields and picks the codings."""
    static = static_of(policy)
    found = {"cache-rules.json": _cache_rules(policy, static), "header-rules.json": _header_rules(policy, static)}
    if policy.bucket:
        found["worker.js"] = _worker(policy, static)
    return found


def _quoted(text: str) -> str:
    """``text`` as a string of the rules language."""
    if '"' in text or "\\" in text or not text.isprintable():
        raise ConfigError(f"{text!r} cannot be written in a rule for Cloudflare.")
    return f'"{text}"'


def _expression(policy: EdgePolicy, static: StaticPolicy) -> str:
    return (
        f"http.host eq {_quoted(host_of(policy))} and starts_with(http.request.uri.path, {_quoted(url_prefix(static))})"
    )


def _cache_rules(policy: EdgePolicy, static: StaticPolicy) -> str:
    return _json({"rules": [{
        "ref": "shipfiles_static",
        "description": "Static files: as long as Cache-Control says, errors not at all, queries not in the key",
        "expression": _expression(policy, static),
        "action": "set_cache_settings",
        "action_parameters": {
            "cache": True,
            "edge_ttl": {
                "mode": "respect_origin",
                # -1 is no-store.
                "status_code_ttl": [{"status_code_range": {"from": 300, "to": 599}, "value": -1}],
            },
            "browser_ttl": {"mode": "respect_origin"},
            "cache_key": {"custom_key": {"query_string": {"exclude": {"all": True}}}},
            "respect_strong_etags": True,
        },
    }]})  # fmt: skip


def _header_rules(policy: EdgePolicy, static: StaticPolicy) -> str:
    expression = _expression(policy, static)
    rules = [{
        "ref": "shipfiles_errors",
        "description": "Static files: no browser keeps an error",
        "expression": f"{expression} and http.response.code ge 400",
        "action": "rewrite",
        "action_parameters": {"headers": {"Cache-Control": {"operation": "set", "value": "no-store"}}},
    }]  # fmt: skip
    values = {field.name: field.value for field in sent_by_edge(static) if field.value is not None}
    if policy.bucket and values:
        rules.append({
            "ref": "shipfiles_fields",
            "description": "Static files: what objects in a bucket cannot say",
            "expression": expression,
            "action": "rewrite",
            "action_parameters": {
                "headers": {name: {"operation": "set", "value": value} for name, value in values.items()}
            },
        })  # fmt: skip
    return _json({"rules": rules})


def _worker(policy: EdgePolicy, static: StaticPolicy) -> str:
    picked = [coding for coding in static.codings if coding in _PICKED]
    if picked:
        how = "A hashed name is answered with its .br or .gz where the bucket has one, else with the file itself."
    else:
        how = "No file is asked for compressed: the bucket gets no .br or .gz (OPTIONS['publish']['variants'])."
    fields = [
        [field.name, [[rule.pattern, rule.value] for rule in field.rules], field.value]
        for field in sent_by_edge(static)
    ]
    return f"""\
// A worker for {host_of(policy)}{url_prefix(static)}*; it is the same for every release.
//
//   npx wrangler deploy worker.js --name shipfiles-static --compatibility-date 2024-09-23 \\
//       --route '{host_of(policy)}{url_prefix(static)}*'
//
// {how}
const BUCKET = {js(policy.bucket.rstrip("/") + "/")};
const PREFIX = {js(url_prefix(static))};
const CODINGS = {js(picked)};
const SUFFIXES = {js({coding: static.suffixes[coding] for coding in picked})};
const VARIED = /{variant_pattern(static, extensions(static)) if picked else "[]"}/;
const WITH_HASH = /{WITH_HASH.replace("/", chr(92) + "/")}/;
// Name, what files whose logical path fits get, and what all others get; null for no such field.
const FIELDS = {js(fields)};
{hidden(static)}{PREFERRED}
function finished(answer, path, varies) {{
    const made = new Response(answer.body, answer);
    if (answer.status >= 400) made.headers.set('Cache-Control', 'no-store');
    if (varies) made.headers.set('Vary', 'Accept-Encoding');
    else made.headers.delete('Vary');
    made.headers.delete('Set-Cookie');
    const logical = path.replace(WITH_HASH, '$1');
    for (const [name, rules, value] of FIELDS) {{
        const rule = rules.find(([pattern]) => new RegExp(pattern, 's').test(logical));
        const said = rule ? rule[1] : value;
        if (said === null) made.headers.delete(name);
        else made.headers.set(name, said);
    }}
    return made;
}}

function ask(request, path, forever) {{
    // Errors are never kept; a hashed name stands for the same bytes for ever.
    const kept = {{ '300-599': -1 }};
    if (forever) kept['200-299'] = {static.serve.immutable_max_age};
    const headers = new Headers(request.headers);
    for (const name of ['Cookie', 'Authorization', 'Origin']) headers.delete(name);
    const cf = {{ cacheEverything: true, cacheTtlByStatus: kept }};
    return fetch(BUCKET + path, {{ method: request.method, headers, cf }});
}}

export default {{
    async fetch(request, env, context) {{
        const url = new URL(request.url);
        const path = url.pathname.slice(PREFIX.length);
        let logical = '.';
        try {{
            logical = decodeURIComponent(path);
        }} catch {{}}
        if (request.method !== 'GET' && request.method !== 'HEAD') {{
            return new Response('', {{ status: 405, headers: {{ Allow: 'GET, HEAD', 'Cache-Control': 'no-store' }} }});
        }}
        if (!url.pathname.startsWith(PREFIX) || hidden(logical)) {{
            return new Response('', {{ status: 404, headers: {{ 'Cache-Control': 'no-store' }} }});
        }}
        const varies = CODINGS.length > 0 && VARIED.test(url.pathname);
        const forever = WITH_HASH.test(url.pathname);
        const accepted = request.cf?.clientAcceptEncoding ?? request.headers.get('Accept-Encoding') ?? '';
        const coding = varies ? preferred(accepted) : '';
        if (!coding) return finished(await ask(request, path, forever), logical, varies);
        // What was found, be it the variant or the file, is kept for this coding: what has none is not asked for again.
        const key = new Request(`${{url.origin}}${{url.pathname}}?${{coding}}`, {{ headers: request.headers }});
        const whole = request.method === 'GET' && !request.headers.has('Range');
        const known = whole ? await caches.default.match(key) : undefined;
        if (known) return finished(known, logical, varies);
        let answer = await ask(request, path + SUFFIXES[coding], true);
        if (answer.status === 403 || answer.status === 404) answer = await ask(request, path, true);
        if (whole && answer.status === 200) {{
            const copy = answer.clone();
            context.waitUntil(caches.default.put(key, copy));
        }}
        return finished(answer, logical, varies);
    }},
}};
"""


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
