"""The only reader of Django's settings: they become our options, once, and everything else is given those."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.contrib.staticfiles.finders import find, get_finders
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.storage import storages
from django.urls import get_script_prefix

from ..config import ROOT_PREFIX, PublishConfig, StaticConfig, from_mapping
from ..errors import ConfigError, ReleaseIdError
from ..manifest import Manifest
from ..paths import path_fault, url_quote
from ..records import check_release_id
from ..serve import using
from ..serve.following import FollowingTable
from ..serve.origins import Folder, Origin, Remote
from ..serve.using import Used
from ..stores.local import LocalStore
from . import django_storages, whitenoise
from .django_storages import Meant

if TYPE_CHECKING:
    from ..release.target import Target
    from ..serve.table import FileTable, Table
    from .storage import StaticStorage

BACKEND = "shipfiles.django.storage.StaticStorage"
MIDDLEWARE = "shipfiles.django.middleware.ShipfilesMiddleware"

logger = logging.getLogger("shipfiles")


@dataclass(frozen=True, slots=True)
class RemoteConfig(StaticConfig):
    """The options of a storage whose releases are built in a folder of this machine, and used elsewhere."""

    remote: Remote = field(kw_only=True)
    """The store that releases are sent to and used from."""
    faults: tuple[str, ...] = ()
    """What was read as it was meant, and is written otherwise than it should be."""


def config_of(storage: type[StaticStorage], options: Mapping[str, Any]) -> StaticConfig:
    """The options of a storage of the class ``storage``.

    Raises ``ImproperlyConfigured`` for an unknown or wrong option.
    """
    if storage.kind is None:
        return static_config(options)
    try:
        ours, theirs = django_storages.split(storage.kind, options)
        meant = django_storages.meant(storage.kind, theirs, storage, setting, ours.get("base_url"))
        return _remote_config(ours, theirs, meant, picks=storage.kind.picks)
    except ConfigError as error:
        raise _improper(error) from None


def setting(name: str, default: object) -> object:
    """The value of the setting ``name``; ``default`` if there is none."""
    return getattr(settings, name, default)


def _improper(error: Exception) -> ImproperlyConfigured:
    return ImproperlyConfigured(f"STORAGES['{STATICFILES_STORAGE_ALIAS}'] {error}")


def _remote_config(ours: Mapping[str, Any], theirs: Mapping[str, Any], meant: Meant, *, picks: bool) -> RemoteConfig:
    """``ours`` of the options and what the others mean. Raises `ConfigError`.

    Whether a web server ``picks`` among variants decides which are made if the options do not say it.
    """
    given = dict(ours)
    given["base_url"] = meant.url or None
    if meant.gzip:
        _store_gzipped(given, "gzip" in theirs)
    config = static_config(given)
    compress = given.get("compress", {})
    if isinstance(compress, Mapping) and "codings" not in compress and not (picks or _takes_variants(config)):
        codings = (config.publish.coding,) if config.publish.coding else ()
        config = dataclasses.replace(config, compress=dataclasses.replace(config.compress, codings=codings))
    if meant.cache_control:
        config = _with_cache_control(config, meant.cache_control, ours.get("serve"))
    # Where it is built: what STATIC_ROOT is for those who set it, and else in nobody's way.
    location = config.location or _own_folder(config) or None
    fields = {f.name: getattr(config, f.name) for f in dataclasses.fields(StaticConfig)}
    return RemoteConfig(**fields | {"location": location}, remote=Remote(meant.place), faults=meant.faults)


def _takes_variants(config: StaticConfig) -> bool:
    """Whether compressed variants are of use to another than a bucket, which cannot pick among them."""
    return bool(config.publish.variants or config.publish.to)


def _own_folder(config: StaticConfig) -> str:
    """The folder in the build cache in which releases are built where no other is set; empty without a cache."""
    cache = cache_folder(config)
    return os.path.join(cache, "static") if cache else ""


def owns_build_folder(config: StaticConfig) -> bool:
    """Whether releases are built where nobody but us looks."""
    return isinstance(config, RemoteConfig) and config.location == _own_folder(config)


def _store_gzipped(given: dict[str, Any], stated: bool) -> None:
    """Let OPTIONS["publish"]["coding"] be gzip if it says nothing. Raises `ConfigError` if it says otherwise, and
    OPTIONS["gzip"] is ``stated``.
    """
    publish = given.get("publish", {})
    if isinstance(publish, PublishConfig):
        coding = publish.coding
        changed: object = dataclasses.replace(publish, coding="gzip") if not coding else publish
    elif isinstance(publish, Mapping):
        coding = publish.get("coding", "")
        changed = {**publish, "coding": coding or "gzip"}
    else:
        return  # which is an error of its own
    if coding not in ("", "gzip") and stated:
        raise ConfigError(f"OPTIONS['gzip'] and OPTIONS['publish']['coding'] {coding!r} contradict each other")
    given["publish"] = changed


def _with_cache_control(config: StaticConfig, value: str, serve: object) -> StaticConfig:
    """``config`` with the Cache-Control of files under plain names; that of hashed names is better than any.

    What OPTIONS["serve"] says counts more.
    """
    if isinstance(serve, Mapping) and "max_age" in serve:
        return config
    headers = {"Cache-Control": value, **config.serve.default_headers}
    return dataclasses.replace(config, serve=dataclasses.replace(config.serve, default_headers=headers))


def static_config(options: Mapping[str, Any]) -> StaticConfig:
    """The options of a static storage, with the defaults that Django's settings give, and those of WhiteNoise.

    Raises ``ImproperlyConfigured`` for an unknown or wrong option.
    """
    given = with_whitenoise(options)
    if given.get("location") is None and settings.STATIC_ROOT:
        given["location"] = os.fspath(settings.STATIC_ROOT)
    base = given.get("base_url")
    if isinstance(base, str) and base and not base.endswith("/"):
        given["base_url"] = base + "/"  # as Django's own storages do
    if "file_permissions_mode" not in given:
        given["file_permissions_mode"] = settings.FILE_UPLOAD_PERMISSIONS
    if "directory_permissions_mode" not in given:
        given["directory_permissions_mode"] = settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS
    serve = given.get("serve", {})
    if isinstance(serve, Mapping) and "default_headers" not in serve:
        given["serve"] = {**serve, "default_headers": _security_headers()}
    try:
        config = from_mapping(StaticConfig, given)
        if not settings.DEBUG and (test := getattr(settings, whitenoise.IMMUTABLE_TEST, None)) is not None:
            config = dataclasses.replace(config, serve=whitenoise.with_immutable_test(config.serve, test))
        _check_release(config)
    except (ConfigError, ReleaseIdError) as error:
        raise _improper(error) from None
    return config


def _security_headers() -> dict[str, str]:
    """What Django's SecurityMiddleware gives to every response, if it is used, for files that do not pass it.

    Without Strict-Transport-Security, which concerns the host, not a file: pages have it.
    """
    if "django.middleware.security.SecurityMiddleware" not in (getattr(settings, "MIDDLEWARE", None) or []):
        return {}
    policy: Any = settings.SECURE_REFERRER_POLICY or ""
    found = {"Referrer-Policy": policy if isinstance(policy, str) else ",".join(policy),
             "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY or ""}  # fmt: skip
    return {name: value for name, value in found.items() if value}


def passed_over_by_lanes() -> str:
    """What SecurityMiddleware does with requests for static files, and a fast lane in front of Django would not.

    A sentence; empty if there is nothing. What stands below our own middleware never sees such a request.
    """
    above = list(getattr(settings, "MIDDLEWARE", None) or [])
    if MIDDLEWARE in above:
        above = above[: above.index(MIDDLEWARE)]
    asked = [name for name in ("SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS") if getattr(settings, name, None)]
    if not asked or not any(map(_is_security_middleware, above)):
        return ""
    return (
        f"{' and '.join(asked)} would not be heeded for the files that it has: they do not pass SecurityMiddleware. "
        "Put shipfiles.serve.wsgi.StaticApp (or asgi) around the application, which opens the lane, and let the proxy "
        "in front of the server redirect to HTTPS and send Strict-Transport-Security."
    )


def _is_security_middleware(path: str) -> bool:
    """Whether the middleware at a dotted ``path`` is Django's SecurityMiddleware, or made of it."""
    from django.middleware.security import SecurityMiddleware
    from django.utils.module_loading import import_string

    try:
        found = import_string(path)
    except ImportError:
        return False
    return isinstance(found, type) and issubclass(found, SecurityMiddleware)


def whitenoise_settings() -> list[whitenoise.Meaning]:
    """What WhiteNoise's settings mean here, of those that the project still has."""
    found = {name: getattr(settings, name) for name in dir(settings) if name.startswith(whitenoise.PREFIX)}
    return whitenoise.meanings(found, debug=settings.DEBUG)


def with_whitenoise(options: Mapping[str, Any]) -> dict[str, Any]:
    """``options`` with WhiteNoise's settings where they say nothing.

    Raises ``ImproperlyConfigured`` for a setting with a wrong value.
    """
    given = dict(options)
    for meant in whitenoise_settings():
        if not meant.option or whitenoise.is_given(given, meant.option):
            continue
        try:
            from_mapping(StaticConfig, whitenoise.fall_back({}, meant))
        except ConfigError as error:
            raise ImproperlyConfigured(f"{meant.setting} is read as an option, but {error}") from None
        given = whitenoise.fall_back(given, meant)
    return given


def _check_release(config: StaticConfig) -> None:
    if config.release_id:
        check_release_id(config.release_id, "OPTIONS['release_id']")
    if (file := release_file(config)) and config.location and _is_below(file, config.location):
        raise ConfigError(f"OPTIONS['release_file'] {file!r} lies in {config.location!r}, whose files are served")


def static_root(config: StaticConfig) -> str:
    """The folder of the releases. Raises ``ImproperlyConfigured`` if none is set."""
    if not config.location and isinstance(config, RemoteConfig):
        raise ImproperlyConfigured(
            f"There is no folder in which a release for {config.remote.where} can be built: set STATIC_ROOT, or let "
            "the build cache be used (OPTIONS['cache']['enabled'])."
        )
    if not config.location:
        raise ImproperlyConfigured(
            "You're using the staticfiles app without having set the STATIC_ROOT setting to a filesystem path."
        )
    return os.path.abspath(config.location)


def static_store(config: StaticConfig) -> LocalStore:
    """The store of the releases."""
    return LocalStore(
        static_root(config), file_mode=config.file_permissions_mode, folder_mode=config.directory_permissions_mode
    )


def targets(config: StaticConfig) -> tuple[Target, ...]:
    """The stores that releases are sent to when they are built. Nothing is asked over the network.

    Raises ``ImproperlyConfigured`` for options that contradict each other.
    """
    from .targets import targets_of  # what publishes is not loaded by a web process

    try:
        return targets_of(config, config.remote.store if isinstance(config, RemoteConfig) else None)
    except ConfigError as error:
        raise _improper(error) from None


def target_named(config: StaticConfig, text: str, where: str) -> Target:
    """The store that ``text`` names, as one to which releases are sent; ``where`` is what says it in errors.

    Raises `ConfigError`.
    """
    from .targets import target_named

    return target_named(text, config, config.remote if isinstance(config, RemoteConfig) else None, where)


def cache_folder(config: StaticConfig) -> str:
    """The folder of the build cache; empty if there shall be none."""
    if not config.cache.enabled:
        return ""
    return os.path.abspath(os.path.join(_home(), config.cache.folder or os.path.join(".cache", "shipfiles")))


def _home() -> str:
    return os.fspath(getattr(settings, "BASE_DIR", None) or os.getcwd())


def from_home(folder: str) -> str:
    """How ``folder`` may be written in options: relative to ``BASE_DIR``, or to the current folder without one, if it
    is there; else the absolute path.
    """
    folder, home = os.path.abspath(folder), os.path.abspath(_home())
    inside = folder == home or folder.startswith(home.rstrip(os.sep) + os.sep)
    return os.path.relpath(folder, home).replace(os.sep, "/") if inside else folder


def _is_below(path: str, folder: str) -> bool:
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def release_file(config: StaticConfig) -> str:
    """The file that tells a process which release is in its image; empty if there shall be none."""
    return os.path.abspath(os.path.join(_home(), config.release_file)) if config.release_file else ""


def root_folder(config: StaticConfig) -> str:
    """The folder whose files are served at the root of the site; empty if there is none."""
    folder = config.serve.root_folder
    return os.path.abspath(os.path.join(_home(), folder)) if folder is not None else ""


def used_root_folder() -> str:
    """As `root_folder`, of the static files storage that is in use; empty if that is not ours."""
    from .storage import StaticStorage

    storage = storages[STATICFILES_STORAGE_ALIAS]
    return root_folder(storage.config) if isinstance(storage, StaticStorage) else ""


def root_folder_option() -> str:
    """What `used_root_folder` is set by."""
    option = ("serve", "root_folder")
    given: Any = settings.STORAGES[STATICFILES_STORAGE_ALIAS].get("OPTIONS") or {}
    for meant in () if whitenoise.is_given(given, option) else whitenoise_settings():
        if meant.option == option:
            return meant.setting
    return "OPTIONS['serve']['root_folder']"


def used_location() -> str:
    """The folder of the releases of the static files storage that is in use; empty if that is not ours."""
    from .storage import StaticStorage

    try:
        storage = storages[STATICFILES_STORAGE_ALIAS]
    except ImproperlyConfigured:
        return ""
    return storage.config.location or "" if isinstance(storage, StaticStorage) else ""


def id_to_make(config: StaticConfig) -> str:
    """The id of the release that ``collectstatic`` is to make; empty if it is made from the contents.

    Raises `ReleaseIdError`.
    """
    from ..release import identity

    return identity.id_to_make(config.release_id, config.release_id_strategy, _home())


def uncommitted(config: StaticConfig) -> frozenset[str]:
    """What is not as in the commit that the release is to be called by: see `identity.uncommitted`."""
    from ..release import identity

    if config.release_id is not None or not identity.is_git_commit(config.release_id_strategy):
        return frozenset()
    return identity.uncommitted(_home())


def _id_of_process(config: StaticConfig) -> tuple[str, str]:
    """As `identity.id_of_process`, which a process whose options name no release does not load."""
    if config.release_id is None and config.release_id_strategy is None:
        return "", ""
    from ..release import identity

    return identity.id_of_process(config.release_id, config.release_id_strategy, _home())


def release_to_use(config: StaticConfig) -> Used | None:
    """The release that this process uses, said once in the log; ``None`` if there is none yet.

    In development, in tests and while a release is made, a release of its own that cannot be told or was not made yet
    is no error: then it is the next best, and of a remote store's the one that was built here. Raises `ReleaseError`,
    `ManifestError`.
    """
    origin = origin_here(config)
    used = _release_to_use(config, origin, strict=not _is_lenient())
    if used is not None and origin is not None and not _makes_releases():
        using.log_use(used, origin.where)
    return used


def _is_lenient() -> bool:
    return settings.DEBUG or in_tests() or _makes_releases()


def asks_remote(config: StaticConfig) -> bool:
    """Whether this process asks a store over the network for releases and files.

    Not in development and in tests, which need neither network nor keys, and not while a release is made.
    """
    return isinstance(config, RemoteConfig) and not _is_lenient()


def origin_of(config: StaticConfig) -> Origin | None:
    """Where web processes find the release that they use; ``None`` if there is no such place."""
    return config.remote if isinstance(config, RemoteConfig) else _build_folder(config)


def origin_here(config: StaticConfig) -> Origin | None:
    """Where this process finds it: see `asks_remote`."""
    return origin_of(config) if asks_remote(config) else _build_folder(config)


def _build_folder(config: StaticConfig) -> Folder | None:
    return Folder(os.path.abspath(config.location)) if config.location else None


def may_be_pinned(config: StaticConfig) -> bool:
    """Whether a process may use another release than the current one."""
    named = config.release_id is not None or config.release_id_strategy is not None or bool(config.release_file)
    return named and not config.serve.follow_current


def release_of_processes(config: StaticConfig) -> Used | None:
    """The release that a web process uses which starts with these settings now; ``None`` if there is none yet.

    Raises `ReleaseError`, `ManifestError`: then it does not start.
    """
    return _release_to_use(config, origin_of(config), strict=True)


def _release_to_use(config: StaticConfig, origin: Origin | None, *, strict: bool) -> Used | None:
    if origin is None:
        return None
    return using.release_to_use(
        origin.read,
        origin.where,
        own=lambda: _id_of_process(config),
        file=release_file(config),
        follow=config.serve.follow_current,
        strict=strict,
    )


def _makes_releases() -> bool:
    # Modules that ask for a URL when they are imported are imported by these commands too, before there is a release.
    return sys.argv[1:2] in (["collectstatic"], ["ship"])


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


def static_table() -> Table:
    """What the web process serves: in development what the finders find, else the release of the static storage.

    Before the first release of ours these are the files that stock Django's ``staticfiles.json`` names, if there is
    one. With a static files storage that is not ours the finders' files are served in development, nothing else.
    Raises `ReleaseError` if this process is to use a release that is not there, `ManifestError` for a damaged one.
    """
    from ..serve.table import FileTable
    from ..serve.watch import WatchTable
    from .storage import StaticStorage

    _log_unheeded()
    storage = storages[STATICFILES_STORAGE_ALIAS]
    if not isinstance(storage, StaticStorage):
        # Another storage for tests or for development is common; a check speaks of one in production.
        prefix = served_prefix(static_config({}))
        return WatchTable(find_source, prefix) if settings.DEBUG else FileTable(Manifest({}), "", prefix)
    prefix = served_prefix(storage.config)
    if settings.DEBUG:
        folder = root_folder(storage.config)
        return WatchTable(lambda path: find_source(path, folder), prefix, storage.config.serve)
    if isinstance(storage.config, RemoteConfig):
        return _table_beside(storage, storage.config, prefix)
    # The storage's own release or names: those in a page and those that are served must never differ.
    release = storage.used
    names = storage.hashed_files if release is None else None
    if release is None and not names and not in_tests():
        logger.warning("There is no release in %s, so no static file is served. Run collectstatic.", storage.location)
    store = static_store(storage.config) if storage.location else None

    def table_of(used: Used | None) -> FileTable:
        return FileTable(
            used.manifest if used else Manifest({}), storage.location or "", prefix, storage.config.serve,
            names=None if used else names, store=store, release=used.release if used else "",
        )  # fmt: skip

    return FollowingTable(storage.following, table_of) if storage.following else table_of(release)


def _table_beside(storage: StaticStorage, config: RemoteConfig, prefix: str) -> Table:
    """What a process serves whose releases are used from a store: what the folder has in which they are built.

    As a rule that is nothing. Where a release was built on this machine, or into its image, its files at the root of
    the site are served, which no store can do, and all others to a CDN that fetches them here.
    """
    from ..serve.table import FileTable

    folder = _build_folder(config)

    def table_of(used: Used | None) -> FileTable:
        here = None
        if folder is not None:
            own = (used.release, "the store") if used else ("", "")
            here = using.release_to_use(folder.read, folder.where, own=lambda: own, strict=False)
        # A release header names what pages use.
        release = used.release if used else here.release if here else ""
        manifest, root = (here.manifest, folder.where) if here and folder else (Manifest({}), "")
        return FileTable(manifest, root, prefix, config.serve, release=release)

    if config.serve.follow_current and storage.following is not None:
        return FollowingTable(storage.following, table_of)
    return table_of(storage.used if config.serve.release_header else None)


def _log_unheeded() -> None:
    """Say what of WhiteNoise's settings is not heeded where our system checks, which say it too, do not run."""
    if apps.is_installed("shipfiles.django"):
        return
    for meant in whitenoise_settings():
        if meant.why:
            logger.warning("%s is not heeded: %s. %s", meant.setting, meant.why, meant.instead)


def find_source(path: str, root_folder: str = "") -> str | None:
    """The file on disk that the finders find for the logical ``path``, ``None`` if there is none.

    What is in the ``root_folder`` comes before what they find.
    """
    if root_folder and path.startswith(ROOT_PREFIX) and not path_fault(path):
        file = os.path.join(root_folder, path[len(ROOT_PREFIX) :])
        if os.path.isfile(file):
            return file
    try:
        found = find(path)
    except (ValueError, OSError, SuspiciousOperation):
        # A hostile path: refused by Django's safe_join or by the system.
        return None
    return os.fspath(found) if isinstance(found, (str, os.PathLike)) else None


def source_exists(path: str, root_folder: str = "") -> bool:
    """Whether the finders find a file, not a folder, for the logical ``path``; or there is one in ``root_folder``."""
    found = find_source(path, root_folder)
    return found is not None and not os.path.isdir(found)


def source_names() -> list[str]:
    """Every logical path that the finders list, to find the one that was meant."""
    return [logical_path(storage, path) for finder in get_finders() for path, storage in finder.list([])]


def logical_path(storage: Any, path: str) -> str:
    """The logical path of a finder's ``path``: with the prefix that STATICFILES_DIRS may give its folder."""
    prefix = getattr(storage, "prefix", None)
    joined = os.path.join(prefix, path) if prefix else path
    return joined.replace(os.sep, "/")


def in_tests() -> bool:
    """Whether Django's test environment is set up.

    Only setting it up saves settings in that class; a mail outbox, for one, comes with a mail backend too. The module
    is not imported for this: where nobody else did, there are no tests.
    """
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")
