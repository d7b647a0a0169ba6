"""What a web process serves."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS, settings
from django.core.files.storage import storages

from ..manifest import Manifest
from ..serve import using
from ..serve.following import FollowingTable
from ..serve.using import Used
from .conf import RemoteConfig, in_tests, root_folder, static_config, static_store, whitenoise_settings
from .finding import find_source
from .own_release import build_folder
from .static_urls import served_prefix

if TYPE_CHECKING:
    from ..serve.default import Uploads
    from ..serve.table import FileTable, Table
    from .static_storage import StaticStorage

logger = logging.getLogger("shipfiles")


def static_table() -> Table:
    """What the web process serves: in development what the finders find, else the release of the static storage.

    Before the first release of ours these are the files that stock Django's ``staticfiles.json`` names, if there is
    one. With a static files storage that is not ours the finders' files are served in development, nothing else.
    Raises `ReleaseError` if this process is to use a release that is not there, `ManifestError` for a damaged one.
    """
    from ..serve.table import FileTable
    from ..serve.watch import WatchTable
    from .static_storage import StaticStorage

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


def uploads() -> Uploads | None:
    """The uploads of those media storages among STORAGES whose options ask for it; ``None`` if there are none.

    Raises ``ImproperlyConfigured`` for one that has no URL of this site.
    """
    given = cast("Mapping[str, Mapping[str, Any]]", settings.STORAGES)
    # Of `StaticStorage` it is a section.
    asking = [
        alias
        for alias, storage in given.items()
        if alias != STATICFILES_STORAGE_ALIAS and (storage.get("OPTIONS") or {}).get("serve")
    ]
    if not asking:
        return None
    from .media_places import served

    return served(asking)


def _table_beside(storage: StaticStorage, config: RemoteConfig, prefix: str) -> Table:
    """What a process serves whose releases are used from a store: what the folder has in which they are built.

    As a rule that is nothing. Where a release was built on this machine, or into its image, its files at the root of
    the site are served, which no store can do, and all others to a CDN that fetches them here.
    """
    from ..serve.table import FileTable

    folder = build_folder(config)

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
