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
