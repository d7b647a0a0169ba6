"""Where uploads are: beside what, and who else sees them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured

from ...errors import ShipfilesError
from .. import conf, static_urls
from .entry import backend_is_ours, storage_config
from .media_entry import Media, media_places, media_storages


def check_media_shared() -> Iterator[CheckMessage]:
    """W038 (deploy): uploads in a folder of this machine, where nobody has said whether all instances see it."""
    for media in media_places():
        if media.is_here and media.folder and media.config.shared is None and not settings.DEBUG:
            yield CheckWarning(
                f"{media}: uploads are in {media.folder!r}, which is on this machine.",
                hint="Another instance of the site does not find them, and a container that is replaced loses them, "
                "unless the folder is on a disk that all instances mount and that stays. If it is, or if there is one "
                "instance and its disk stays, say so: OPTIONS['shared'] = True, or False for one instance. Else put "
                "them into a bucket: OPTIONS['store'] or S3-, Google- or AzureMediaStorage.",
                id="shipfiles.W038",
            )


def check_media_root() -> Iterator[CheckMessage]:
    """W039: no folder for uploads."""
    for media in media_places():
        if media.is_here and not media.folder:
            yield CheckWarning(
                f"{media}: MEDIA_ROOT is not set, so that uploads would be stored in the folder from which the site "
                "is started.",
                hint="For example MEDIA_ROOT = BASE_DIR / 'media', a folder that is not under version control.",
                id="shipfiles.W039",
            )


def check_media_folder() -> Iterator[CheckMessage]:
    """E040: uploads among static files, templates or code, or these among uploads."""
    # An upload there could become a page, a program or a static file of the site.
    others = [(os.path.realpath(folder), what) for folder, what in _folders_of_the_site()]
    for media in media_places():
        if not (folder := media.folder):
            continue
        for other, what in others:
            if _is_below(folder, other) and not (what == "application" and folder != other):
                relation = "is" if folder == other else "lies inside"
            elif _is_below(other, folder):
                relation = "is around"
            else:
                continue
            yield Error(
                f"{media}: the folder of uploads {folder!r} {relation} the {what} {other!r}.",
                hint="What visitors send must not come to be where the site looks for its own files. Give uploads a "
                "folder of their own.",
                id="shipfiles.E040",
            )
            break


def _folders_of_the_site() -> Iterator[tuple[str, str]]:
    from ..sources import source_folders

    if settings.STATIC_ROOT:
        yield os.fspath(settings.STATIC_ROOT), "STATIC_ROOT"
    for folder in source_folders():
        yield folder, "folder of static files"
    engines: Any = settings.TEMPLATES or []
    for engine in engines:
        for folder in engine.get("DIRS") or []:
            yield os.fspath(folder), "folder of templates"
    for config in apps.get_app_configs():
        yield config.path, "application"
        yield os.path.join(config.path, "templates"), "folder of templates"


def check_media_url() -> Iterator[CheckMessage]:
    """E041: uploads and static files below one URL, or two media storages."""
    # MEDIA_URL and STATIC_URL themselves are of E002.
    static = _url_of_static()
    found = [media for media in media_storages() if media.url not in ("", "/")]
    told: set[str] = set()
    for media in found:
        is_told = not media.alias and media.url in told
        if media.config.base_url is not None and not is_told and static and _touch(media.url, static):
            told.add(media.url)
            yield Error(
                f"{media}: uploads are at {media.url!r} and static files at {static!r}: requests for one reach the "
                "other.",
                hint="Give each its own path, for example '/static/' and '/media/'.",
                id="shipfiles.E041",
            )
    # What a field's storage says of serving nobody heeds.
    public = [media for media in found if media.config.access != "private"]
    for one, other in itertools.combinations([media for media in public if media.alias], 2):
        # Which host a request names is not looked at, nor a mount point that the server takes away.
        if one.config.serve and other.config.serve and _path(one.url) == _path(other.url):
            yield Error(
                f"{one} and {other} are both served at {_path(one.url)!r}: a request could mean a file of either.",
                hint="Give each a base_url with a path of its own.",
                id="shipfiles.E041",
            )
        elif (
            "signed" in (one.config.access, other.config.access)
            and one.place != other.place
            and _slashed(one.url) == _slashed(other.url)
        ):
            yield Error(
                f"The URLs of {one} and of {other} both begin with {one.url!r}, and their files are in different "
                "places: a URL that was signed for one could mean a file of either.",
                hint="Give each its own base_url.",
                id="shipfiles.E041",
            )
    yield from _urls_of_few(found)


def _urls_of_few(found: list[Media]) -> Iterator[CheckMessage]:
    """E041 for what is private, or signed and of a field, at the URL below which an alias is served."""
    for one, other in itertools.permutations(found, 2):
        if not one.alias or not one.config.serve or one.place == other.place or _path(one.url) != _path(other.url):
            continue
        if other.config.access == "private" or (other.config.access == "signed" and not other.alias):
            yield Error(
                f"{one} is served at {_path(one.url)!r}, where {other} has its files, which are {other.config.access}: "
                "their URLs are answered with what is there under the same name.",
                hint="Give each a base_url with a path of its own, and the view of the latter the path of theirs.",
                id="shipfiles.E041",
            )


def _url_of_static() -> str:
    try:
        url = storage_config().base_url if backend_is_ours() else None
    except ImproperlyConfigured:
        return ""  # E010 speaks of it
    url = static_urls.told_url(url or static_urls.url_setting("STATIC_URL"))
    return "" if url == "/" else url


def check_media_in_release() -> Iterator[CheckMessage]:
    """E042, W043: uploads and releases in one folder of a bucket or a server, or one in the other's."""
    releases = _places_of_releases()
    for media in media_places():
        if media.is_here or not (place := media.place):
            continue
        for other in releases:
            if place == other:
                yield Error(
                    f"{media}: uploads and releases of static files are both in {place}.",
                    hint="An upload could have the name of a file of the next release, which collectstatic would find "
                    "there and refuse, and pages would get an upload in place of a script. Give each its own "
                    "'location'. A prune or --clear never touches uploads.",
                    id="shipfiles.E042",
                )
            elif place.startswith(other) or other.startswith(place):
                inner, outer = ("uploads", "releases") if place.startswith(other) else ("releases", "uploads")
                yield CheckWarning(
                    f"{media}: {inner} are in {max(place, other, key=len)}, inside the folder of {outer}, "
                    f"{min(place, other, key=len)}.",
                    hint="An upload whose name begins with that folder's would be among static files, or the reverse. "
                    "Give each a 'location' that is not inside the other's.",
                    id="shipfiles.W043",
                )


def _places_of_releases() -> list[str]:
    if not backend_is_ours():
        return []
    try:
        stores = [str(target.store) for target in conf.targets(storage_config())]
    except (ImproperlyConfigured, ShipfilesError):
        return []  # E010 speaks of it
    return [store.rstrip("/") + "/" for store in stores]


def check_media_access() -> Iterator[CheckMessage]:
    """E044: one place in two storages of which one lets more people read."""
    for one, other in itertools.combinations(media_storages(), 2):
        if not one.place or not other.place or one.config.access == other.config.access:
            continue
        if "public" not in (one.config.access, other.config.access):
            continue
        public, kept = (one, other) if one.config.access == "public" else (other, one)
        if not kept.place.startswith(public.place) and not public.place.startswith(kept.place):
            continue
        inside = (
            "in the same place as"
            if kept.place == public.place
            else ("inside" if kept.place.startswith(public.place) else "around")
        )
        yield Error(
            f"{kept}, whose files are {kept.config.access}, is {inside} {public}, whose files are public: {kept.place} "
            f"and {public.place}.",
            hint="Whoever knows a name could have the file by the public URL. Give each a folder that is not inside "
            "the other's.",
            id="shipfiles.E044",
        )


def _slashed(url: str) -> str:
    return url.rstrip("/") + "/"


def _path(url: str) -> str:
    return _slashed(urlsplit(url).path)


def _touch(one: str, other: str) -> bool:
    """Whether one URL is below the other, on one host."""
    first, second = urlsplit(_slashed(one)), urlsplit(_slashed(other))
    if first.netloc != second.netloc or "/" in (first.path, second.path):
        return first.netloc == second.netloc and bool(first.netloc) and first.path == second.path
    return first.path.startswith(second.path) or second.path.startswith(first.path)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
