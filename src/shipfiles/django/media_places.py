"""Media storages as those ask for them who deliver their files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from urllib.parse import unquote, urljoin, urlsplit

from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.storage import Storage, storages
from django.utils.encoding import filepath_to_uri

from ..errors import KeyNotFound
from ..media.delivery import Place
from ..media.serving import place_at, respond_media
from ..serve.respond import Request
from ..serve.streamed import Delivery
from ..stores.local import LocalStore
from .media_all import closed_folders
from .media_storage import MediaStorage
from .static_urls import forced_script_name, url_setting


class Served:
    """The uploads below the prefixes of ``places``; the longest prefix is looked at first."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._places = tuple(sorted(places, key=lambda place: -len(place.prefix)))

    def find(self, request: Request, /) -> Delivery | None:
        """As `serve.default.Uploads.find`."""
        return respond_media(self._places, request)

    def covers(self, request: Request, /) -> bool:
        """As `serve.default.Uploads.covers`."""
        path = request.path
        return path is not None and any(path.startswith(place.prefix) for place in self._places)

    def may_wait(self, request: Request, /) -> bool:
        """As `serve.default.Uploads.may_wait`."""
        place = None if request.path is None else place_at(self._places, request.path)
        return place is not None and place.may_wait


def served(aliases: Iterable[str]) -> Served | None:
    """Those of ``aliases`` that are media storages whose options ask for it. Raises ``ImproperlyConfigured``."""
    found = [(alias, storage) for alias in aliases if isinstance(storage := storages[alias], MediaStorage)]
    places = [place(storage, _prefix(alias, storage)) for alias, storage in found if storage.config.serve]
    return Served(places) if places else None


def place(storage: MediaStorage, prefix: str = "") -> Place:
    """``storage`` for who delivers its files."""

    def key(name: str) -> str:
        try:
            return storage.key(name)
        except SuspiciousOperation:
            raise KeyNotFound(name) from None

    base_url = storage.base_url or "/"
    return Place(
        storage.store, storage.config, key, prefix, lambda name: _link_path(base_url, name), lambda: storage.link_keys,
        closed_folders() if isinstance(storage.store, LocalStore) else (),
    )  # fmt: skip


def _link_path(base_url: str, name: str) -> str:
    """What a link to ``name`` binds, as ``url()`` has it, whatever a mount point or a proxy takes off of it."""
    url = urljoin(base_url, (filepath_to_uri(name) or "").lstrip("/"))
    return unquote(urlsplit(url).path)


def media_storage(given: str | Storage) -> MediaStorage:
    """The media storage that an alias, or itself, names. Raises ``ImproperlyConfigured`` for another storage."""
    storage = storages[given] if isinstance(given, str) else given
    if not isinstance(storage, MediaStorage):
        raise ImproperlyConfigured(
            f"{given!r} is a {type(storage).__qualname__}: the views of shipfiles deliver files of "
            "shipfiles.django.storage.MediaStorage. Name it as BACKEND of that alias in STORAGES."
        )
    return storage


def _prefix(alias: str, storage: MediaStorage) -> str:
    """The path below which requests for the files arrive, without the mount point that the server takes away."""
    given = storage.config.base_url
    path = urlsplit(url_setting("MEDIA_URL") if given is None else given).path
    script = forced_script_name().rstrip("/")
    if script and path.startswith(script + "/"):
        path = path[len(script) :]
    path = path if path.startswith("/") else f"/{path}"
    path = path if path.endswith("/") else f"{path}/"
    if path == "/":
        raise ImproperlyConfigured(
            f"STORAGES[{alias!r}]: OPTIONS['serve'] needs MEDIA_URL or OPTIONS['base_url'] with a path of its own, "
            "such as '/media/': below it all addresses are those of uploads."
        )
    return path
