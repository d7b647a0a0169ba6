"""nginx before an application that answers files itself: it keeps them for as long as their fields say."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ConfigError
from ..serve.places import checked_prefix
from .nginx_root import proxied, upstream_of
from .nginx_text import quoted
from .nginx_words import indented, mapped, regex
from .policy import EdgePolicy, StaticPolicy


def cache_path(of: str) -> Iterator[str]:
    """Where the files are kept."""
    yield "# A gigabyte at most; what nobody asked for in a month goes."
    yield f"proxy_cache_path /var/cache/{of} keys_zone={of}:10m levels=1:2 max_size=1g inactive=30d use_temp_path=off;"
    yield "# What one client is sent for its credentials is not for others, unless it is public (RFC 9111 section 3.5)."
    public = regex(r"*(?:^|[,\s])public(?:[,\s]|$)")
    yield from mapped("$upstream_http_cache_control", f"${of}_personal", [(public, '""')], "$http_authorization")


def cached_locations(policy: EdgePolicy, static: StaticPolicy, of: str) -> Iterator[str]:
    """What is below the prefix is kept, and all else is handed on. Raises `ConfigError` without an application."""
    if not upstream_of(policy):
        raise ConfigError("A proxy needs the application's URL, such as http://127.0.0.1:8000.")
    checked_prefix(static.prefix)
    yield f"location ^~ {quoted(static.prefix, 'the prefix')} {{"
    yield "    # Cache-Control and Vary of an answer say whether, how long and for whom it is kept."
    yield f"    proxy_cache {of};"
    yield f'    proxy_cache_key "$scheme://${of}_host$request_uri";'
    yield f"    proxy_no_cache ${of}_personal ${of}_upgrade;"
    yield f"    proxy_cache_bypass ${of}_upgrade;"
    yield "    proxy_cache_lock on;"
    yield "    proxy_cache_revalidate on;"
    yield "    proxy_cache_use_stale error timeout;"
    yield from indented(proxied(policy, of))
    yield "}"
    if static.prefix != "/":
        yield "location / {"
        yield from indented(proxied(policy, of))
        yield "}"
