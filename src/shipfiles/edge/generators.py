"""The servers and CDNs whose configuration can be written, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from .media_rules import check_handed_over
from .policy import EdgePolicy

SERVERS = ("nginx", "apache", "caddy")
"""Web servers: one text each."""
CDNS = ("cloudfront", "cloudflare", "fastly", "varnish")
"""Those that fetch what they have: several texts each."""
NAMES = (*SERVERS, *CDNS)


_FILES = {"nginx": "nginx.conf", "apache": "apache.conf", "caddy": "Caddyfile"}


_FIRST_LINES = "its first lines say how"
INSTALL: Mapping[str, str] = {
    "function.js": _FIRST_LINES,
    "cache-policy.json": "aws cloudfront create-cache-policy --cache-policy-config file://cache-policy.json",
    "response-headers-policy.json": "aws cloudfront create-response-headers-policy "
    "--response-headers-policy-config file://response-headers-policy.json",
    "error-responses.json": "CustomErrorResponses of the distribution",
    "cache-rules.json": "PUT it to /zones/ZONE/rulesets/phases/http_request_cache_settings/entrypoint of Cloudflare's "
    "API; it replaces all rules there",
    "header-rules.json": "PUT it to /zones/ZONE/rulesets/phases/http_response_headers_transform/entrypoint of "
    "Cloudflare's API; it replaces all rules there",
    "worker.js": _FIRST_LINES,
    **dict.fromkeys(("recv.vcl", "fetch.vcl", "deliver.vcl", "miss.vcl", "pass.vcl", "error.vcl"), _FIRST_LINES),
}
"""File name → how it comes to a CDN."""


def configuration(name: str, policy: EdgePolicy) -> Mapping[str, str]:
    """File name → text, of one of `NAMES`.

    Raises `ConfigError` for what cannot be said in its language.
    """
    if name in SERVERS:
        check_handed_over(policy, name)
        text: str = import_module(f".{name}", __package__).configuration(policy)
        return {_FILES[name]: text}
    texts: Mapping[str, str] = import_module(f".cdn_rules.{name}", __package__).texts(policy)
    return texts
