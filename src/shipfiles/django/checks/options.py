"""Options and settings, ours and those of who had static files before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.checks import CheckMessage, Error, Info
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from ... import records
from ...errors import ShipfilesError
from ...http.added import header_function
from ...stores.opening import open_store
from .. import conf, django_storages, whitenoise
from ..pasted import Pasted, block
from .entry import (
    backend_is_ours,
    collectors,
    storage_config,
    storage_entry,
    storage_kind,
    storage_options,
)

_MAX_AGE = re.compile(r"max-age=(\d+)")

_LONG = 86_400
"""Seconds for which it does not matter much that a file under a plain name is an old one."""

Check = Callable[[], Iterable[CheckMessage]]


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
        does = "makes the same release, slowly" if storage_kind() is None else "can send nothing to the store"
        return [
            Error(
                "'shipfiles.django' is below 'django.contrib.staticfiles' in INSTALLED_APPS.",
                hint=f"Move it above; else Django's own collectstatic runs, which {does}.",
                id="shipfiles.E009",
            )
        ]
    return []


def check_collectors() -> Iterator[CheckMessage]:
    """E028: another application's collectstatic would run in the place of ours."""
    for name in collectors()[0]:
        yield Error(
            f"'{name}' is above 'shipfiles.django' in INSTALLED_APPS.",
            hint="Remove it: its collectstatic, which is for the storages of django-storages alone, would run instead "
            "of Shipfiles' and make no release.",
            id="shipfiles.E028",
        )


def check_options() -> Iterable[CheckMessage]:
    """E010: OPTIONS of the static storage."""
    if not backend_is_ours():
        return []
    given = storage_entry().get("OPTIONS") or {}
    if not isinstance(given, Mapping):
        # Not what it is: it may hold secrets.
        what = f"must be a dict of options, not {type(given).__name__}."
        return [Error(f"STORAGES['{STATICFILES_STORAGE_ALIAS}']['OPTIONS'] {what}", id="shipfiles.E010")]
    try:
        config = storage_config(given)
        conf.targets(config)
        if config.release_id is not None:
            records.check_release_id(config.release_id, "OPTIONS['release_id']")
        elif config.release_id_strategy:
            from ...release.identity import load_strategy

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


def check_whitenoise_settings() -> Iterator[CheckMessage]:
    """W020: which of WhiteNoise's settings are not heeded."""
    for meant in conf.whitenoise_settings():
        if meant.why:
            yield CheckWarning(f"{meant.setting} is not heeded: {meant.why}.", hint=meant.instead, id="shipfiles.W020")


def check_whitenoise_options() -> Iterator[CheckMessage]:
    """I019 (deploy): the options to write in place of WhiteNoise's settings."""
    given = storage_options()
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


def check_django_storages_settings() -> Iterator[CheckMessage]:
    """W023: settings of django-storages that would matter for static files, and are not heeded."""
    kind = storage_kind()
    try:
        stores_packed = bool(storage_config().publish.coding)
    except ImproperlyConfigured:
        return  # E010 speaks of it
    for setting, why, instead in django_storages.unheeded(kind, conf.setting) if kind else ():
        if setting == "GZIP_CONTENT_TYPES" and not stores_packed:
            continue  # it is for media files alone
        yield CheckWarning(f"{setting} is not heeded for static files: {why}.", hint=instead, id="shipfiles.W023")


def check_domain() -> Iterator[CheckMessage]:
    """W024: a domain with more than its name."""
    try:
        config = storage_config()
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
        config = storage_config()
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
