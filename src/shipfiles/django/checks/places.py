"""Where static files are, and where they are built."""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from ...errors import ShipfilesError
from ...stores.local import LocalStore
from ...stores.opening import open_store
from .. import conf, static_urls
from .entry import (
    backend_is_ours,
    storage_config,
    storage_kind,
    storage_options,
)


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
    static_url, media_url = static_urls.told_url(static_url), static_urls.told_url(media_url)
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
    base_url = storage_options().get("base_url")
    if (kind := storage_kind()) is not None:
        with suppress(ImproperlyConfigured):  # E010 speaks of it
            base_url = storage_config().base_url
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
        config = storage_config()
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
    if storage_kind() is not None:
        return _check_build_folder()
    if not settings.STATIC_ROOT and not storage_options().get("location"):
        return [
            CheckWarning(
                "STATIC_ROOT is not set: collectstatic has no place for a release.",
                hint="For example STATIC_ROOT = BASE_DIR / 'staticfiles', a folder that is not under version control.",
                id="shipfiles.W006",
            )
        ]
    return _check_writable(os.path.abspath(os.fspath(storage_options().get("location") or settings.STATIC_ROOT or "")))


def _check_build_folder() -> Iterable[CheckMessage]:
    try:
        location = storage_config().location
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


def check_pull_from() -> Iterator[CheckMessage]:
    """W021 (deploy): the folder from which missing files are fetched."""
    try:
        place = storage_config().serve.pull_from if backend_is_ours() else None
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


def check_shadowed_names() -> Iterable[CheckMessage]:
    """I015, W016 (deploy): names that two folders claim with different content, and which wins; unusable files."""
    from ...errors import BuildError
    from ..sources import find_sources

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
    from ..sources import source_folders

    try:
        root_folder = conf.root_folder(storage_config())
    except ImproperlyConfigured:
        root_folder = ""  # E010 speaks of it
    return [*source_folders(), *([root_folder] if root_folder else [])]
