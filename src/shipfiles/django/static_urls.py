"""Under which URLs static files are, by the options and by Django's settings."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import get_script_prefix

from ..config import StaticConfig
from ..paths import url_quote
from .conf import RemoteConfig


def base_url(config: StaticConfig) -> str | None:
    """The URL of the folder of the releases.

    Asked each time: a relative STATIC_URL begins with the path below which the application is mounted, which Django
    only knows while it answers a request.
    """
    return _mounted(config.base_url or url_setting("STATIC_URL"))


def source_url(config: StaticConfig) -> str | None:
    """The URL of the files that the finders find, in development: of this site, where it has one for them."""
    if isinstance(config, RemoteConfig) and not _names_host(here := url_setting("STATIC_URL")) and here:
        return _mounted(here)
    return base_url(config)


def site_url(config: StaticConfig) -> str:
    """STATIC_URL where the files are in a store whose URLs have another path, or no path of their own; else empty.

    Style sheets that name files below it were written for either, as stock Django rewrites them for any storage; other
    absolute paths are none of ours then.
    """
    here = url_setting("STATIC_URL")
    if not isinstance(config, RemoteConfig) or not here:
        return ""
    there = urlsplit(base_url(config) or "").path
    if _names_host(here):
        return here if there == "/" else ""
    mounted = _mounted(here) or ""
    return mounted if mounted not in ("/", there) else ""


def _names_host(url: str) -> bool:
    return bool(urlsplit(url).netloc)


def _mounted(url: str) -> str | None:
    if not url or url.startswith(("/", "http://", "https://")):
        return url or None
    # Quoted as Django's reverse() does it.
    return url_quote(get_script_prefix()) + url


def url_setting(name: str) -> str:
    """STATIC_URL or MEDIA_URL as it is written.

    Django's settings object adds the mount point when it is first asked, and keeps the answer for the life of the
    process: asked before the first request, as we must, it would keep the wrong one, for others too.
    """
    return str(getattr(vars(settings)["_wrapped"], name, None) or "")


def told_url(url: str) -> str:
    """``url`` of the settings or the options for who compares it: a relative one below the root, or FORCE_SCRIPT_NAME,
    as nobody knows at that time where else a server mounts the application.
    """
    if not url or url.startswith(("/", "http://", "https://")):
        return url
    return f"{forced_script_name().rstrip('/')}/{url}"


def served_prefix(config: StaticConfig) -> str:
    """The path below which requests for static files arrive: without the prefix that the server has taken away."""
    if config.served_prefix is not None:
        return config.served_prefix
    # As it is written: a relative URL is below the mount point, wherever that is for the request of the moment. What is
    # in a store has a URL there, of which no request arrives here.
    here = url_setting("STATIC_URL")
    path = urlsplit((here or "/static/") if isinstance(config, RemoteConfig) else config.base_url or here).path
    script = forced_script_name().rstrip("/")
    if script and path.startswith(script + "/"):
        path = path[len(script) :]
    return path if path.startswith("/") else "/" + path


def lookalikes(config: StaticConfig) -> tuple[str, ...]:
    """Paths that people may take for that of `base_url`: those below which requests arrive, where a CDN, a proxy or the
    mount point makes the URL another.
    """
    arriving = {served_prefix(config), served_prefix(dataclasses.replace(config, served_prefix=None))}
    return tuple(sorted(arriving - {urlsplit(base_url(config) or "").path, "/"}))


def forced_script_name() -> str:
    """The mount point that Django's ASGI handler takes off each path, whatever the server says; empty for none."""
    return str(settings.FORCE_SCRIPT_NAME or "")
