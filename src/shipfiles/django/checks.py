"""System checks for the traps that cost people days. Each has an id, says what is wrong and what to do.

Checks that read folders, or that matter only where the site is deployed, run with ``check --deploy``.
"""

from __future__ import annotations

import filecmp
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.apps import AppConfig, apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.checks import CheckMessage, Error, Info, register
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from .. import records
from ..config import StaticConfig
from ..errors import ShipfilesError
from ..http.added import header_function
from ..stores.local import LocalStore
from ..stores.opening import open_store
from . import conf, django_storages, static_urls, whitenoise
from .conf import MIDDLEWARE
from .django_storages import Kind
from .pasted import Pasted, block
from .static_apps import has_static_app

if TYPE_CHECKING:
    from .storage import StaticStorage

SECURITY = "django.middleware.security.SecurityMiddleware"
GZIP = "django.middleware.gzip.GZipMiddleware"

_MAX_AGE = re.compile(r"max-age=(\d+)")
_LONG = 86_400
"""Seconds for which it does not matter much that a file under a plain name is an old one."""

Check = Callable[[], Iterable[CheckMessage]]


def check_static_url() -> Iterator[CheckMessage]:
    """E001, E002, W003: STATIC_URL itself, and its relation to MEDIA_URL and base_url."""
    static_url, media_url = static_urls.url_setting("STATIC_URL"), static_urls.url_setting("MEDIA_URL")
    if static_url and not static_url.endswith("/"):
        # Django refuses this when the settings are loaded; a settings object made by hand can still have it.
        yield Error(
            f"STATIC_URL must end with a slash, but is {static_url!r}.",
            hint=f"Write STATIC_URL = {static_url + '/'!r}; without the slash '{static_url}' and a name run together.",
            id="shipfiles.E001",
        )
    if static_url not in ("", "/") and media_url not in ("", "/"):
        if static_url == media_url:
            yield Error(
                f"STATIC_URL and MEDIA_URL are both {static_url!r}: no request could tell the two apart.",
                hint="Give each its own path, for example '/static/' and '/media/'.",
                id="shipfiles.E002",
            )
        elif static_url.startswith(media_url) or media_url.startswith(static_url):
            names = ("MEDIA_URL", "STATIC_URL")
            inner, outer = names if media_url.startswith(static_url) else names[::-1]
            yield Error(
                f"{inner} lies inside {outer} ({static_url!r} and {media_url!r}): requests for one reach the other.",
                hint="Give each its own path, for example '/static/' and '/media/'.",
                id="shipfiles.E002",
            )
    base_url = _options().get("base_url")
    if (kind := _kind()) is not None:
        with suppress(ImproperlyConfigured):  # E010 speaks of it
            base_url = _config().base_url
    host, other = urlsplit(static_url).netloc, urlsplit(str(base_url or "")).netloc
    if base_url and host and host != other:
        yield CheckWarning(
            f"STATIC_URL names the host {host!r}, but the static storage's "
            f"{'URL' if kind else 'base_url'} {other or 'no host'!r}.",
            hint="Templates use the storage's, {% get_static_prefix %} uses STATIC_URL. Set one, or both alike.",
            id="shipfiles.W003",
        )


def check_static_root() -> Iterator[CheckMessage]:
    """E004, E005: where STATIC_ROOT must not be."""
    if not settings.STATIC_ROOT:
        return
    root = os.path.realpath(settings.STATIC_ROOT)
    if settings.MEDIA_ROOT and os.path.realpath(settings.MEDIA_ROOT) == root:
        yield Error(
            f"STATIC_ROOT and MEDIA_ROOT are the same folder, {root!r}.",
            hint="Uploads and releases would overwrite each other. Give each its own folder.",
            id="shipfiles.E004",
        )
    for folder in _source_folders():
        source = os.path.realpath(folder)
        if root == source or root.startswith(source + os.sep):
            yield Error(
                f"STATIC_ROOT {root!r} lies inside the source folder {source!r}.",
                hint="Each collectstatic would collect what the last one wrote. Move STATIC_ROOT out of it.",
                id="shipfiles.E005",
            )


def check_cache_folder() -> Iterator[CheckMessage]:
    """E018: where the build cache must not be."""
    try:
        config = _config()
    except ImproperlyConfigured:
        return  # E010 speaks of it
    cache = os.path.realpath(conf.cache_folder(config)) if config.cache.enabled else ""
    for folder in (config.location, settings.MEDIA_ROOT, *_source_folders()):
        other = os.path.realpath(folder) if folder else ""
        if cache and other and (cache == other or cache.startswith(other + os.sep)):
            yield Error(
                f"The build cache {cache!r} lies inside {other!r}, from which files are served or collected.",
                hint="Set OPTIONS['cache']['folder'] to a folder outside, or leave it out for .cache/shipfiles.",
                id="shipfiles.E018",
            )


def check_static_root_ready() -> Iterable[CheckMessage]:
    """W006, W007 (deploy): STATIC_ROOT set, and fit to be written."""
    if _kind() is not None:
        return _check_build_folder()
    if not settings.STATIC_ROOT and not _options().get("location"):
        return [
            CheckWarning(
                "STATIC_ROOT is not set: collectstatic has no place for a release.",
                hint="For example STATIC_ROOT = BASE_DIR / 'staticfiles', a folder that is not under version control.",
                id="shipfiles.W006",
            )
        ]
    return _check_writable(os.path.abspath(os.fspath(_options().get("location") or settings.STATIC_ROOT or "")))


def _check_build_folder() -> Iterable[CheckMessage]:
    try:
        location = _config().location
    except ImproperlyConfigured:
        return []  # E010 speaks of it
    if not location:
        return [
            CheckWarning(
                "STATIC_ROOT is not set and the build cache is off: collectstatic has no place to build a release.",
                hint="Set STATIC_ROOT, or leave OPTIONS['cache']['enabled'] out.",
                id="shipfiles.W006",
            )
        ]
    # The folder of the cache is no setting of the project, so nobody has chosen where it cannot be written.
    return _check_writable(os.path.abspath(location)) if settings.STATIC_ROOT else []


def _check_writable(folder: str) -> Iterable[CheckMessage]:
    existing = folder
    while not os.path.exists(existing) and os.path.dirname(existing) != existing:
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK | os.X_OK):
        return [
            CheckWarning(
                f"STATIC_ROOT {folder!r} cannot be written by this user ({existing!r} refuses it).",
                hint="Fine where collectstatic runs elsewhere, as when an image is built. Else change the owner.",
                id="shipfiles.W007",
            )
        ]
    return []


def check_removed_settings() -> Iterable[CheckMessage]:
    """W008: settings that Django has not read since 5.1."""
    removed = {"STATICFILES_STORAGE": STATICFILES_STORAGE_ALIAS, "DEFAULT_FILE_STORAGE": "default"}
    return [
        CheckWarning(
            f"{name} is set, but Django has ignored it since version 5.1.",
            hint=f"Remove it; if it is still wanted, set STORAGES['{alias}']['BACKEND'] = {getattr(settings, name)!r}.",
            id="shipfiles.W008",
        )
        for name, alias in removed.items()
        if hasattr(settings, name)
    ]


def check_app_order() -> Iterable[CheckMessage]:
    """E009: our commands only replace those of applications below."""
    names = [config.name for config in apps.get_app_configs()]
    if "django.contrib.staticfiles" in names and names.index("shipfiles.django") > names.index(
        "django.contrib.staticfiles"
    ):
        return [
            Error(
                "'shipfiles.django' is below 'django.contrib.staticfiles' in INSTALLED_APPS.",
                hint="Move it above; else Django's own collectstatic runs, which makes the same release, slowly.",
                id="shipfiles.E009",
            )
        ]
    return []


def check_options() -> Iterable[CheckMessage]:
    """E010: OPTIONS of the static storage."""
    if not _backend_is_ours():
        return []
    given = _entry().get("OPTIONS") or {}
    if not isinstance(given, Mapping):
        # Not what it is: it may hold secrets.
        what = f"must be a dict of options, not {type(given).__name__}."
        return [Error(f"STORAGES['{STATICFILES_STORAGE_ALIAS}']['OPTIONS'] {what}", id="shipfiles.E010")]
    try:
        config = _config(given)
        conf.targets(config)
        if config.release_id is not None:
            records.check_release_id(config.release_id, "OPTIONS['release_id']")
        elif config.release_id_strategy:
            from ..release.identity import load_strategy

            load_strategy(config.release_id_strategy)
        if config.serve.pull_from is not None:
            open_store(config.serve.pull_from, "OPTIONS['serve']['pull_from']")
        header_function(whitenoise.without_immutable_test(config.serve))
    except ShipfilesError as error:
        return [Error(f"STORAGES['{STATICFILES_STORAGE_ALIAS}'] {error}", id="shipfiles.E010")]
    except ImproperlyConfigured as error:
        options = getattr(error.__context__, "options", ())
        hint = f"The options there are {', '.join(options)}." if options else None
        return [Error(str(error), hint=hint, id="shipfiles.E010")]
    return []


def check_pull_from() -> Iterator[CheckMessage]:
    """W021 (deploy): the folder from which missing files are fetched."""
    try:
        place = _config().serve.pull_from if _backend_is_ours() else None
        store = None if place is None else open_store(place, "OPTIONS['serve']['pull_from']")
    except (ImproperlyConfigured, ShipfilesError):
        return  # E010 speaks of it
    if isinstance(store, LocalStore) and not os.path.isdir(store.root):
        what = "which is no folder" if os.path.lexists(store.root) else "which does not exist"
        yield CheckWarning(
            f"OPTIONS['serve']['pull_from'] names {store.root!r}, {what}.",
            hint="Nothing can be fetched from there. Mount it, correct the path, or remove the option.",
            id="shipfiles.W021",
        )


def check_whitenoise_settings() -> Iterator[CheckMessage]:
    """W020: which of WhiteNoise's settings are not heeded."""
    for meant in conf.whitenoise_settings():
        if meant.why:
            yield CheckWarning(f"{meant.setting} is not heeded: {meant.why}.", hint=meant.instead, id="shipfiles.W020")


def check_whitenoise_options() -> Iterator[CheckMessage]:
    """I019 (deploy): the options to write in place of WhiteNoise's settings."""
    given = _options()
    read: list[Pasted] = []
    needless: list[str] = []
    for meant in conf.whitenoise_settings():
        if meant.same:
            needless.append(f"{meant.setting} (what it asks for happens without it too)")
        elif meant.heeded:
            yield Info(f"{meant.setting} is heeded.", hint=meant.instead, id="shipfiles.I019")
        elif meant.option and whitenoise.is_given(given, meant.option):
            needless.append(f"{meant.setting} ({whitenoise.place(meant.option)} counts more)")
        elif meant.option:
            value = meant.value
            if meant.option == ("serve", "root_folder") and isinstance(value, str):
                value = conf.from_home(value)
            read.append(Pasted(meant.option, value, meant.setting, meant.instead))
    if read:
        names = [pasted.setting for pasted in read]
        merge = ", which is merged with what is there" if given else ""
        yield Info(
            f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} read in place of options.",
            hint=f"In STORAGES['{STATICFILES_STORAGE_ALIAS}'] write{merge}:\n{block(read)}\n"
            f"and remove {'it' if len(names) == 1 else 'them'}.",
            id="shipfiles.I019",
        )
    if needless:
        one = len(needless) == 1
        what = f"{'This setting changes' if one else 'These settings change'} nothing: {'; '.join(needless)}."
        yield Info(what, hint=f"Remove {'it' if one else 'them'}.", id="shipfiles.I019")


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
    # collectfast and collectfasta have a collectstatic of their own, for django-storages alone.
    apart = ("whitenoise", "servestatic", "collectfast")
    rivals += [c.name for c in apps.get_app_configs() if c.name.startswith(apart)]
    backend = _backend()
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
    if MIDDLEWARE in (settings.MIDDLEWARE or []) and not _backend_is_ours():
        yield CheckWarning(
            f"'{MIDDLEWARE}' is in MIDDLEWARE, but STORAGES['{STATICFILES_STORAGE_ALIAS}'] is {_backend()!r}.",
            hint=f"Without DEBUG it serves nothing then. Set the storage to '{conf.BACKEND}' or remove the middleware.",
            id="shipfiles.W017",
        )


def check_middleware_in_vain() -> Iterator[CheckMessage]:
    """W022 (deploy): our middleware or StaticApp where all files are in a store."""
    try:
        config = _config()
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


def check_django_storages_settings() -> Iterator[CheckMessage]:
    """W023: settings of django-storages that would matter for static files, and are not heeded."""
    kind = _kind()
    try:
        stores_packed = bool(_config().publish.coding)
    except ImproperlyConfigured:
        return  # E010 speaks of it
    for setting, why, instead in django_storages.unheeded(kind, conf.setting) if kind else ():
        if setting == "GZIP_CONTENT_TYPES" and not stores_packed:
            continue  # it is for media files alone
        yield CheckWarning(f"{setting} is not heeded for static files: {why}.", hint=instead, id="shipfiles.W023")


def check_domain() -> Iterator[CheckMessage]:
    """W024: a domain with more than its name."""
    try:
        config = _config()
    except ImproperlyConfigured:
        return  # E010 speaks of it
    for fault in config.faults if isinstance(config, conf.RemoteConfig) else ():
        yield CheckWarning(
            f"{fault}; files are at {config.base_url}.",
            hint="Write the name of the host alone, 'cdn.example.com'; of custom_endpoint the scheme too.",
            id="shipfiles.W024",
        )


def check_plain_lifetime() -> Iterator[CheckMessage]:
    """W025 (deploy): files under plain names that browsers would keep when there are others."""
    try:
        config = _config()
    except ImproperlyConfigured:
        return  # E010 speaks of it
    control = str(config.serve.default_headers.get("Cache-Control") or "")
    age = _MAX_AGE.search(control)
    if isinstance(config, conf.RemoteConfig) and ("immutable" in control or (age and int(age[1]) > _LONG)):
        yield CheckWarning(
            f"Cache-Control {control!r} is for files under plain names, whose bytes change with each release.",
            hint="Browsers and CDNs go on with the old ones for that long. Leave it out, or make it short: hashed "
            "names are immutable without it.",
            id="shipfiles.W025",
        )


def check_middleware_there() -> Iterable[CheckMessage]:
    """I014 (deploy): nothing in the settings serves the files."""
    if _kind() is not None or MIDDLEWARE in (settings.MIDDLEWARE or []) or has_static_app():
        return []
    return [
        Info(
            f"'{MIDDLEWARE}' is not in MIDDLEWARE, and no StaticApp is in wsgi.py or asgi.py.",
            hint="Fine if shipfiles.serve.wsgi.StaticApp (or asgi) is around the application, or if a web server or "
            "CDN serves STATIC_ROOT. Else put it below SecurityMiddleware.",
            id="shipfiles.I014",
        )
    ]


def check_shadowed_names() -> Iterable[CheckMessage]:
    """I015, W016 (deploy): names that two folders claim with different content, and which wins; unusable files."""
    from ..errors import BuildError
    from .sources import find_sources

    try:
        patterns = getattr(apps.get_app_config("staticfiles"), "ignore_patterns", [])
    except LookupError:
        return []  # without that application there is no collectstatic
    try:
        with find_sources(patterns) as found:
            return [
                Info(
                    f"'{loser.logical}' is claimed twice; {winner.place} wins, {loser.place} is not collected.",
                    hint="Intended where one application overrides another's file. Else rename one of them.",
                    id="shipfiles.I015",
                )
                for loser, winner in found.shadowed
                if not _same_bytes(loser.path, winner.path)
            ]
    except ImproperlyConfigured:
        return []  # E010 speaks of it
    except BuildError as error:
        hint = "collectstatic will stop at it; correct it as it says."
        return [CheckWarning(f"The static files cannot be collected: {error}", hint=hint, id="shipfiles.W016")]


def _same_bytes(first: str, second: str) -> bool:
    try:
        return filecmp.cmp(first, second, shallow=False)
    except OSError:
        return False  # such as a link to nowhere: nobody looks at a file that is not collected before this


def _source_folders() -> list[str]:
    """The folders that are collected, with that for the root of the site; no storage is made for it."""
    from .sources import source_folders

    try:
        root_folder = conf.root_folder(_config())
    except ImproperlyConfigured:
        root_folder = ""  # E010 speaks of it
    return [*source_folders(), *([root_folder] if root_folder else [])]


def _config(options: Mapping[str, Any] | None = None) -> StaticConfig:
    """The options of the static storage, whichever of ours it is. Raises ``ImproperlyConfigured``."""
    options = _options() if options is None else options
    backend = _our_backend()
    return conf.static_config(options) if backend is None else conf.config_of(backend, options)


def _kind() -> Kind | None:
    """What the storage's store is, if releases are used from one."""
    backend = _our_backend()
    return None if backend is None else backend.kind


def _entry() -> Any:
    entry = (getattr(settings, "STORAGES", None) or {}).get(STATICFILES_STORAGE_ALIAS)
    return entry if isinstance(entry, dict) else {}


def _options() -> dict[str, Any]:
    options = _entry().get("OPTIONS") or {}
    return dict(options) if isinstance(options, Mapping) else {}


def _backend_is_ours() -> bool:
    return _our_backend() is not None


def _our_backend() -> type[StaticStorage] | None:
    from .storage import StaticStorage

    try:
        backend = import_string(_backend())
    except ImportError:
        return None  # Django's own error when the storage is used
    return backend if isinstance(backend, type) and issubclass(backend, StaticStorage) else None


def _backend() -> str:
    return str(_entry().get("BACKEND", ""))


ALWAYS: tuple[Check, ...] = (
    check_static_url,
    check_static_root,
    check_cache_folder,
    check_removed_settings,
    check_app_order,
    check_options,
    check_whitenoise_settings,
    check_django_storages_settings,
    check_domain,
    check_middleware,
    check_middleware_storage,
)
ON_DEPLOY: tuple[Check, ...] = (
    check_static_root_ready,
    check_pull_from,
    check_whitenoise_options,
    check_middleware_there,
    check_middleware_in_vain,
    check_plain_lifetime,
    check_shadowed_names,
)


def _as_django_calls(check: Check) -> Callable[..., list[CheckMessage]]:
    def called(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
        del app_configs, options  # the settings concern all applications
        return list(check())

    return called


# Made once: Django's registry is a set, and tests set the applications up more than once.
_ALWAYS = tuple(map(_as_django_calls, ALWAYS))
_ON_DEPLOY = tuple(map(_as_django_calls, ON_DEPLOY))


def register_all() -> None:
    """Register the checks under the tag ``staticfiles``, which ``collectstatic`` runs."""
    for check in _ALWAYS:
        register(check, "staticfiles")
    for check in _ON_DEPLOY:
        register(check, "staticfiles", deploy=True)
