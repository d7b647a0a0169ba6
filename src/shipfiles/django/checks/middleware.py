"""What serves static files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.checks import CheckMessage, Error, Info
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from .. import conf, static_urls
from ..conf import MIDDLEWARE
from ..static_apps import has_static_app
from .entry import (
    backend_is_ours,
    backend_name,
    collectors,
    storage_config,
    storage_kind,
)

SECURITY = "django.middleware.security.SecurityMiddleware"

GZIP = "django.middleware.gzip.GZipMiddleware"


def check_middleware() -> Iterator[CheckMessage]:
    """E011, W012, W013: our middleware's number and place, and a rival beside it."""
    names = list(settings.MIDDLEWARE or [])
    if (times := names.count(MIDDLEWARE)) > 1:
        yield Error(
            f"'{MIDDLEWARE}' appears {'twice' if times == 2 else f'{times} times'} in MIDDLEWARE.",
            hint="Keep the first one below SecurityMiddleware and remove the others.",
            id="shipfiles.E011",
        )
    if MIDDLEWARE in names and SECURITY in names and names.index(MIDDLEWARE) < names.index(SECURITY):
        yield CheckWarning(
            f"'{MIDDLEWARE}' is above '{SECURITY}' in MIDDLEWARE.",
            hint="Put it directly below: else static files are answered without the redirect to HTTPS and its headers.",
            id="shipfiles.W012",
        )
    if MIDDLEWARE in names and GZIP in names[: names.index(MIDDLEWARE)]:
        yield CheckWarning(
            f"'{MIDDLEWARE}' is below '{GZIP}' in MIDDLEWARE.",
            hint="Put it above: what can be compressed is already, and that one compresses all other files, films and "
            "parts of files too, again for each request, and takes their length and their strong ETag away.",
            id="shipfiles.W012",
        )
    rivals = [n for n in names if n.startswith(("whitenoise.", "servestatic."))]
    rivals += [c.name for c in apps.get_app_configs() if c.name.startswith(("whitenoise", "servestatic"))]
    rivals += collectors()[1]
    backend = backend_name()
    if backend.startswith(("whitenoise.", "servestatic.")):
        rivals.append(backend)
    if rivals:
        are, their, them = ("is", "its", "it") if len(rivals) == 1 else ("are", "their", "them")
        yield CheckWarning(
            f"Beside Shipfiles, {', '.join(map(repr, rivals))} {are} still in the settings.",
            hint=f"Shipfiles takes {their} place: remove {them} from MIDDLEWARE, INSTALLED_APPS and STORAGES.",
            id="shipfiles.W013",
        )


def check_middleware_storage() -> Iterator[CheckMessage]:
    """W017: our middleware over a storage that is not ours."""
    if MIDDLEWARE in (settings.MIDDLEWARE or []) and not backend_is_ours():
        yield CheckWarning(
            f"'{MIDDLEWARE}' is in MIDDLEWARE, but STORAGES['{STATICFILES_STORAGE_ALIAS}'] is {backend_name()!r}.",
            hint=f"Without DEBUG it serves nothing then. Set the storage to '{conf.BACKEND}' or remove the middleware.",
            id="shipfiles.W017",
        )


def check_middleware_in_vain() -> Iterator[CheckMessage]:
    """W022 (deploy): our middleware or StaticApp where all files are in a store."""
    try:
        config = storage_config()
    except ImproperlyConfigured:
        return  # E010 speaks of it
    is_middleware = MIDDLEWARE in (settings.MIDDLEWARE or [])
    if not isinstance(config, conf.RemoteConfig) or not (is_middleware or has_static_app()):
        return
    serve = config.serve
    if serve.root_folder is None and not (serve.root_files or serve.single_page or serve.release_header):
        yield CheckWarning(
            f"{f'{MIDDLEWARE!r} is in MIDDLEWARE' if is_middleware else 'A StaticApp is in wsgi.py or asgi.py'}, but "
            f"browsers fetch static files from {static_urls.base_url(config)}.",
            hint="Remove it: runserver serves the files in development without it, too. It is of use for files at the "
            "root of the site (OPTIONS['serve']['root_folder'] and ['root_files']), which no store can serve there.",
            id="shipfiles.W022",
        )


def check_middleware_there() -> Iterable[CheckMessage]:
    """I014 (deploy): nothing in the settings serves the files."""
    if storage_kind() is not None or MIDDLEWARE in (settings.MIDDLEWARE or []) or has_static_app():
        return []
    return [
        Info(
            f"'{MIDDLEWARE}' is not in MIDDLEWARE, and no StaticApp is in wsgi.py or asgi.py.",
            hint="Fine if shipfiles.serve.wsgi.StaticApp (or asgi) is around the application, or if a web server or "
            "CDN serves STATIC_ROOT. Else put it below SecurityMiddleware.",
            id="shipfiles.I014",
        )
    ]
