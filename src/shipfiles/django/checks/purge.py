"""What OPTIONS["purge"] says of CDNs and caches."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from ...config import StaticConfig
from ...errors import ShipfilesError
from .. import conf, static_urls
from ..conf import MIDDLEWARE
from ..static_apps import has_static_app
from .entry import backend_is_ours, storage_config
from .extras import is_installed

_LOCAL = ("localhost", "127.0.0.1", "::1")

# What purges is imported where there is something to purge: a web process that is checked has no use for it.


def _config() -> StaticConfig | None:
    """The options, if they name a cache."""
    if not backend_is_ours():
        return None
    try:
        config = storage_config()
    except (ImproperlyConfigured, ShipfilesError):
        return None  # E010 speaks of it
    return config if config.purge.caches else None


def check_purge() -> Iterator[CheckMessage]:
    """E049: options by which nothing can be purged."""
    if (config := _config()) is None:
        return
    from ...edge.opening import open_purgers, packages_of
    from ..purging import addresses_for, pages_of

    if not all(map(is_installed, packages_of(config.purge))):
        return  # W052 speaks of it, where one publishes
    for ask in (lambda: open_purgers(config.purge), lambda: addresses_for(config), lambda: pages_of(config.purge)):
        try:
            ask()
        except ShipfilesError as error:
            yield Error(
                f"Nothing can be purged: {error}",
                hint="collectstatic and ship do nothing before this is corrected, unless OPTIONS['purge']['automatic'] "
                "is False.",
                id="shipfiles.E049",
            )
            return


def check_purge_tags() -> Iterator[CheckMessage]:
    """W050: files are to be purged by tags that no answer has."""
    config = _config()
    if config is not None and config.purge.by_tag and not config.serve.cache_tags:
        yield CheckWarning(
            "OPTIONS['purge']['by_tag'] is set, but files are answered without tags, so that nothing is purged.",
            hint="Set OPTIONS['serve']['cache_tags'] to the header that the CDN reads: 'Surrogate-Key' or 'Cache-Tag'.",
            id="shipfiles.W050",
        )


def check_purge_hosts() -> Iterator[CheckMessage]:
    """W051: URLs that are purged as nobody asks for them, or that are not purged."""
    if (config := _config()) is None:
        return
    site = urlsplit(config.purge.site_url)
    secure = getattr(settings, "SECURE_SSL_REDIRECT", False) or getattr(settings, "SESSION_COOKIE_SECURE", False)
    if site.scheme == "http" and site.hostname not in _LOCAL and secure:
        yield CheckWarning(
            f"OPTIONS['purge']['site_url'] is {config.purge.site_url!r}, but browsers are sent to https://.",
            hint="Write https://: to most caches the two are different URLs.",
            id="shipfiles.W051",
        )
    serve = config.serve
    base = static_urls.base_url(config) or ""
    if not site.netloc and urlsplit(base).netloc and (serve.root_files or serve.root_folder is not None):
        yield CheckWarning(
            "Files at the root of the site are not purged: OPTIONS['purge']['site_url'] does not say where that is.",
            hint="Set it, as in 'https://www.example.com'; or purge them with 'manage.py ship purge URL'.",
            id="shipfiles.W051",
        )


def check_purge_too_soon() -> Iterator[CheckMessage]:
    """W053 (deploy): caches are purged before the processes that answer them have the new files."""
    config = _config()
    if config is None or not config.purge.automatic or config.serve.follow_current:
        return
    if isinstance(config, conf.RemoteConfig) or config.publish.to:
        return  # browsers have them from there
    is_middleware = MIDDLEWARE in (settings.MIDDLEWARE or [])
    if is_middleware or has_static_app():
        yield CheckWarning(
            "Caches are purged as soon as there is a new release, and processes of this project "
            f"({'the middleware' if is_middleware else 'a StaticApp'}) answer with the files of the one that they "
            "began with: a cache that asks one before its restart keeps an old file once more.",
            hint="Set OPTIONS['purge']['automatic'] to False, and run 'manage.py ship purge' when they have been "
            "restarted. If a web server answers from STATIC_ROOT, remove what serves them here.",
            id="shipfiles.W053",
        )


def check_purge_extras() -> Iterator[CheckMessage]:
    """W052 (deploy): packages that purging takes are missing here."""
    if (config := _config()) is None:
        return
    from ...edge.opening import packages_of

    for package, extra in packages_of(config.purge).items():
        if not is_installed(package):
            yield CheckWarning(
                f"To purge {extra} takes {package}, which is not installed.",
                hint=f"Run: pip install 'shipfiles[{extra}]'. Only who publishes needs it.",
                id="shipfiles.W052",
            )
