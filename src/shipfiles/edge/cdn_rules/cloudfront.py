"""CloudFront: a function, a cache policy, a response headers policy, and how long errors are kept.

The event: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/functions-event-structure.html; what a
function may do: .../DeveloperGuide/edge-function-restrictions-all.html ("HTTP status codes": none runs behind an answer
of 400 or more, so errors get no field here); the JSON: the structures of the API's reference (CachePolicyConfig,
ResponseHeadersPolicyConfig, CustomErrorResponses). The cache's key has the path as the function leaves it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from ...errors import ConfigError
from ..policy import EdgePolicy, StaticPolicy
from .common import PREFERRED, hidden, js, sent_by_edge, static_of, variant_pattern

_LONGEST = 10_000
"""Bytes of a function's code ("Quotas on CloudFront Functions")."""
_MOST_CUSTOM = 10
"""Custom header fields in a response headers policy ("Quotas on headers")."""
_ERRORS = (400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504)
_NAME = "shipfiles-static"


def texts(policy: EdgePolicy) -> Mapping[str, str]:
    """File name → text. With the application as its origin, that answers with all fields and picks the codings."""
    static = static_of(policy)
    found = {"cache-policy.json": _cache_policy(static), "error-responses.json": _error_responses()}
    if policy.bucket:
        function = _function(static)
        if len(function.encode()) > _LONGEST:
            raise ConfigError(
                f"The function for CloudFront would have {len(function.encode())} bytes, and {_LONGEST} is its limit: "
                "name fewer extensions in OPTIONS['compress']['always']."
            )
        found["function.js"] = function
        found["response-headers-policy.json"] = _response_headers(static)
    return found


def _function(static: StaticPolicy) -> str:
    picked = static.codings if static.always else ()
    pattern = variant_pattern(static, [*static.always]) if picked else "[]"
    if picked:
        why = '// Every file of these extensions has a variant in each coding (OPTIONS["compress"]["always"]).'
    else:
        unset = '"compress"]["always' if static.codings else '"publish"]["variants'
        why = f'// No file is asked for compressed: OPTIONS[{unset}"] says of none that it has variants.'
    return f"""\
// Viewer request, runtime cloudfront-js-2.0. It is the same for every release.
//
//   aws cloudfront create-function --name {_NAME} \\
//       --function-config '{{"Comment": "static files", "Runtime": "cloudfront-js-2.0"}}' \\
//       --function-code fileb://function.js
//   aws cloudfront publish-function --name {_NAME} --if-match ETAG_OF_THE_ANSWER
//
// Then it is the viewer request's in FunctionAssociations of the cache behaviour.
{why}
var CODINGS = {js([*picked])};
var SUFFIXES = {js(dict(static.suffixes))};
var VARIED = /{pattern}/;
var PREFIX = {js(static.prefix)};
{hidden(static)}{PREFERRED}
function handler(event) {{
    var request = event.request, path = '';
    // CloudFront goes by what the percent signs stand for, and so does the bucket, which gets them as they are.
    try {{
        path = decodeURIComponent(request.uri);
    }} catch (error) {{}}
    if (path.indexOf(PREFIX) !== 0 || hidden(path.slice(PREFIX.length))) {{
        return {{
            statusCode: 404,
            statusDescription: 'Not Found',
            headers: {{ 'cache-control': {{ value: 'no-store' }} }}
        }};
    }}
    var field = request.headers['accept-encoding'];
    if (field && CODINGS.length && VARIED.test(request.uri)) {{
        var values = field.multiValue ? field.multiValue.map(function (one) {{ return one.value; }}) : [field.value];
        var coding = preferred(values.join(','));
        if (coding) request.uri += SUFFIXES[coding];
    }}
    return request;
}}
"""


def _cache_policy(static: StaticPolicy) -> str:
    # With Accept-Encoding in the key CloudFront compresses what is not yet, or the application picks.
    return _json({
        "Name": _NAME,
        "Comment": "Static files: as long as Cache-Control says; neither cookies nor queries in the key",
        "MinTTL": 0,
        # Of answers without Cache-Control, which are none of ours.
        "DefaultTTL": 0,
        "MaxTTL": max(static.serve.immutable_max_age, static.serve.max_age),
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "EnableAcceptEncodingGzip": True,
            "EnableAcceptEncodingBrotli": True,
            "HeadersConfig": {"HeaderBehavior": "none"},
            "CookiesConfig": {"CookieBehavior": "none"},
            "QueryStringsConfig": {"QueryStringBehavior": "none"},
        },
    })  # fmt: skip


def _error_responses() -> str:
    items = [{"ErrorCode": code, "ErrorCachingMinTTL": 0} for code in _ERRORS]
    return _json({"Quantity": len(items), "Items": items})


def _response_headers(static: StaticPolicy) -> str:
    values = {
        field.name.lower(): (field.name, field.value) for field in sent_by_edge(static) if field.value is not None
    }
    made: dict[str, object] = {"Name": _NAME, "Comment": "Static files: what objects in a bucket cannot say"}
    if "access-control-allow-origin" in values:
        _, origin = values.pop("access-control-allow-origin")
        made["CorsConfig"] = {
            "AccessControlAllowOrigins": _list(origin),
            "AccessControlAllowHeaders": _list("*"),
            "AccessControlAllowMethods": _list("GET", "HEAD"),
            "AccessControlAllowCredentials": False,
            "OriginOverride": True,
        }
    made["SecurityHeadersConfig"] = _security(values)
    if static.always and static.codings:
        values["vary"] = ("Vary", "Accept-Encoding")
    if len(values) > _MOST_CUSTOM:
        raise ConfigError(f"CloudFront takes {_MOST_CUSTOM} header fields of yours, and these are {len(values)}.")
    if values:
        custom = [{"Header": name, "Value": value, "Override": True} for name, value in values.values()]
        made["CustomHeadersConfig"] = {"Quantity": len(custom), "Items": custom}
    return _json(made)


def _security(values: dict[str, tuple[str, str]]) -> dict[str, object]:
    """The fields that CloudFront knows by name, taken out of ``values``: they are refused among custom ones."""
    found: dict[str, object] = {}
    if values.pop("x-content-type-options", None):
        found["ContentTypeOptions"] = {"Override": True}
    for name, key, inner in (
        ("referrer-policy", "ReferrerPolicy", "ReferrerPolicy"),
        ("x-frame-options", "FrameOptions", "FrameOption"),
        ("content-security-policy", "ContentSecurityPolicy", "ContentSecurityPolicy"),
    ):
        if name in values:
            _, value = values.pop(name)
            found[key] = {"Override": True, inner: value}
    _, value = values.pop("strict-transport-security", ("", ""))
    words = value.lower()
    if age := re.search(r"max-age\s*=\s*\"?(\d+)", words):
        found["StrictTransportSecurity"] = {
            "Override": True,
            "AccessControlMaxAgeSec": int(age[1]),
            "IncludeSubdomains": "includesubdomains" in words,
            "Preload": "preload" in words,
        }
    return found


def _list(*items: str) -> dict[str, object]:
    return {"Quantity": len(items), "Items": [*items]}


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
