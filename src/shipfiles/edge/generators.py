"""The servers and CDNs whose configuration can be written, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from .policy import EdgePolicy

SERVERS = ("nginx", "apache", "caddy")
"""Web servers: one text each."""
CDNS = ("cloudfront", "cloudflare", "fastly", "varnish")
"""Those that fetch what they have: several texts each."""
NAMES = (*SERVERS, *CDNS)


def configuration(name: str, policy: EdgePolicy) -> Mapping[str, str]:
    """File name → text, of one of `NAMES`.

    Raises `ConfigError` for what cannot be said in its language.
    """
    if name in SERVERS:
        return {f"{name}.conf" if name != "caddy" else "Caddyfile": _made(f".{name}", policy)}
    return dict(_several(f".cdn_rules.{name}", policy))


def _made(module: str, policy: EdgePolicy) -> str:
    text: str = import_module(module, __package__).configuration(policy)
    return text


def _several(module: str, policy: EdgePolicy) -> Mapping[str, str]:
    texts: Mapping[str, str] = import_module(module, __package__).configuration(policy)
    return texts
