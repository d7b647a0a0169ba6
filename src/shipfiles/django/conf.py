"""Django's settings, as our options: read once, and everything else is given those."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages

from ..config import PublishConfig, StaticConfig, from_mapping
from ..errors import ConfigError, ReleaseIdError
from ..records import check_release_id
from ..serve.origins import Remote
from ..stores.local import LocalStore
from . import django_storages, whitenoise
from .django_storages import Meant

if TYPE_CHECKING:
    from ..release.target import Target
    from .static_storage import StaticStorage

BACKEND = "shipfiles.django.storage.StaticStorage"
BACKENDS = f"{BACKEND}, or S3-, Google-, Azure- or SFTPStaticStorage beside it"
"""Those that make releases, for people."""

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
        ours, theirs = django_storages.split(storage.kind, options, storage)
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
    return os.path.abspath(os.path.join(home(), config.cache.folder or os.path.join(".cache", "shipfiles")))


def home() -> str:
    """What relative paths in options are relative to."""
    return os.fspath(getattr(settings, "BASE_DIR", None) or os.getcwd())


def from_home(folder: str) -> str:
    """How ``folder`` may be written in options: relative to ``BASE_DIR``, or to the current folder without one, if it
    is there; else the absolute path.
    """
    folder, base = os.path.abspath(folder), os.path.abspath(home())
    inside = folder == base or folder.startswith(base.rstrip(os.sep) + os.sep)
    return os.path.relpath(folder, base).replace(os.sep, "/") if inside else folder


def _is_below(path: str, folder: str) -> bool:
    path, folder = os.path.realpath(path), os.path.realpath(folder)
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def release_file(config: StaticConfig) -> str:
    """The file that tells a process which release is in its image; empty if there shall be none."""
    return os.path.abspath(os.path.join(home(), config.release_file)) if config.release_file else ""


def root_folder(config: StaticConfig) -> str:
    """The folder whose files are served at the root of the site; empty if there is none."""
    folder = config.serve.root_folder
    return os.path.abspath(os.path.join(home(), folder)) if folder is not None else ""


def used_root_folder() -> str:
    """As `root_folder`, of the static files storage that is in use; empty if that is not ours."""
    from .static_storage import StaticStorage

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
    from .static_storage import StaticStorage

    try:
        storage = storages[STATICFILES_STORAGE_ALIAS]
    except ImproperlyConfigured:
        return ""
    return storage.config.location or "" if isinstance(storage, StaticStorage) else ""


def in_tests() -> bool:
    """Whether Django's test environment is set up.

    Only setting it up saves settings in that class; a mail outbox, for one, comes with a mail backend too. The module
    is not imported for this: where nobody else did, there are no tests.
    """
    utils = sys.modules.get("django.test.utils")
    return hasattr(getattr(utils, "_TestState", None), "saved_data")
