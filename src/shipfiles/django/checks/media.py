"""Uploads: their options, who may read them, and how they are delivered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info
from django.core.checks import Warning as CheckWarning
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver

from ...errors import ShipfilesError
from ...media.inspecting import inspection_hooks
from ...stores.memory import MemoryStore
from ...stores.store import Signs
from .. import conf, django_storages, media_kinds
from ..conf import MIDDLEWARE
from ..media_conf import PlacedMedia
from ..static_apps import has_static_app
from .extras import missing_packages
from .media_entry import media_entries, media_of, media_of_settings, media_places, media_storages

_VIEWS = "shipfiles.django.views"


def check_media_options() -> Iterator[CheckMessage]:
    """E029: OPTIONS of the media storages."""
    for alias, backend, options in media_entries():
        where = f"STORAGES['{alias}']"
        if not isinstance(options, Mapping):
            # Not what it is: it may hold secrets.
            what = f"{where}['OPTIONS'] must be a dict of options, not {type(options).__name__}."
            yield Error(what, id="shipfiles.E029")
            continue
        try:
            # An upload would be the first to find out.
            inspection_hooks(media_of(alias, backend, options).config.inspect)
        except ShipfilesError as error:
            yield Error(f"{where} {error}", id="shipfiles.E029")
        except ImproperlyConfigured as error:
            known = getattr(error.__context__, "options", ())
            hint = f"The options there are {', '.join(known)}." if known else None
            yield Error(f"{where} {error}", hint=hint, id="shipfiles.E029")


def check_media_settings() -> Iterator[CheckMessage]:
    """W030: settings of django-storages that would matter for uploads, and are not heeded."""
    told: set[str] = set()
    for media in media_places():
        kind = media.backend.kind
        for name, why, instead in django_storages.unheeded(kind, conf.setting) if kind else ():
            if name not in told:
                told.add(name)
                yield CheckWarning(f"{name} is not heeded for media files: {why}.", hint=instead, id="shipfiles.W030")


def check_media_overwrite() -> Iterator[CheckMessage]:
    """W031: files that django-storages would replace, and that are kept beside each other here."""
    for media in media_places():
        if isinstance(media.config, PlacedMedia) and media.config.replaced_there:
            yield CheckWarning(
                f"{media}: uploads with equal names get a suffix now. django-storages replaced the earlier one, which "
                "is lost for whoever it belonged to.",
                hint="Set OPTIONS['file_overwrite'] = False to say that this is wanted, or True to have the old way "
                "back.",
                id="shipfiles.W031",
            )


def check_media_domain() -> Iterator[CheckMessage]:
    """W045: a domain of uploads with more than its name."""
    for media in media_places():
        for fault in media.config.faults if isinstance(media.config, PlacedMedia) else ():
            yield CheckWarning(
                f"{media}: {fault}.",
                hint="Write the name of the host alone, 'cdn.example.com'; of custom_endpoint the scheme too.",
                id="shipfiles.W045",
            )


def check_media_acl() -> Iterator[CheckMessage]:
    """W032: files that everybody may read though their URLs are signed."""
    for media in media_storages():
        acl = media_kinds.open_acl(media.config.place) if isinstance(media.config, PlacedMedia) else ""
        if acl and media.config.access == "signed":
            yield CheckWarning(
                f"{media}: URLs are signed, but default_acl {acl!r} lets everybody read the files without.",
                hint="Leave default_acl out if the files are for few; else say access 'public', whose URLs do not "
                "expire.",
                id="shipfiles.W032",
            )


def check_media_delivery() -> Iterator[CheckMessage]:
    """E033, W047: a way to hand files over that their place does not have, or hardly."""
    for media in media_storages():
        mechanism = media.config.delivery.mechanism
        if mechanism == "x-sendfile" and not media.is_here:
            what = f"'x-sendfile' is for files on this machine, and those of {media.store} are not"
            hint = "Take 'redirect' or 'stream'."
        elif mechanism == "redirect" and not isinstance(media.store, Signs):
            what = f"'redirect' needs a store that signs URLs, and {media.store or 'a folder'} does not"
            hint = "Take 'stream', 'x-accel-redirect' or 'x-sendfile'."
        elif mechanism == "x-accel-redirect" and not media.is_here and isinstance(media.store, (Signs, MemoryStore)):
            yield CheckWarning(
                f"{media}: OPTIONS['delivery']['mechanism'] 'x-accel-redirect' has nginx or Caddy send the files, "
                f"which are in {media.store} and not on their disk.",
                hint="Take 'redirect' for a bucket, or 'stream'; unless internal_url is a location that passes "
                "requests on to where the files are, with the right to read them.",
                id="shipfiles.W047",
            )
            continue
        else:
            continue
        yield Error(f"{media}: OPTIONS['delivery']['mechanism'] {what}.", hint=hint, id="shipfiles.E033")


def check_media_served() -> Iterator[CheckMessage]:
    """W034, E048: uploads that shall be served, where nothing serves them, or at no URL of their own."""
    serving = [media for media in media_of_settings() if media.config.serve]
    for media in serving:
        if urlsplit(media.url).path in ("", "/"):
            yield Error(
                f"{media}: OPTIONS['serve'] needs MEDIA_URL or OPTIONS['base_url'] with a path of its own.",
                hint="For example MEDIA_URL = '/media/': below it all addresses are those of uploads.",
                id="shipfiles.E048",
            )
    if serving and MIDDLEWARE not in (settings.MIDDLEWARE or []) and not has_static_app():
        yield CheckWarning(
            f"{', '.join(map(str, serving))}: OPTIONS['serve'] is set, but '{MIDDLEWARE}' is not in MIDDLEWARE, and no "
            "StaticApp is in wsgi.py or asgi.py.",
            hint="One of them serves the files. Add one, or leave the option out.",
            id="shipfiles.W034",
        )


def check_media_private() -> Iterator[CheckMessage]:
    """I035 (deploy): private uploads, and no view that gives them to anybody."""
    private = [media for media in media_storages() if media.config.access == "private"]
    if private and getattr(settings, "ROOT_URLCONF", None) and not _has_view(get_resolver()):
        yield Info(
            f"{', '.join(map(str, private))}: access is 'private', and no URL of the project has a view of {_VIEWS}.",
            hint="Nobody gets these files from a browser. Add path('files/<path:name>', protected(...)), unless a view "
            "of your own delivers them.",
            id="shipfiles.I035",
        )


def _has_view(resolver: URLResolver) -> bool:
    for entry in resolver.url_patterns:
        if isinstance(entry, URLPattern):
            # Decorators keep the name of the module, where they are made with functools.wraps.
            if getattr(entry.callback, "__module__", "") == _VIEWS:
                return True
        elif _has_view(entry):
            return True
    return False


def check_media_extras() -> Iterator[CheckMessage]:
    """E046 (deploy): stores of uploads whose packages are missing here."""
    for media in media_places():
        for what, hint in () if media.store is None else missing_packages(media.store):
            yield Error(f"{media}: {what}.", hint=hint, id="shipfiles.E046")


def check_media_key() -> Iterator[CheckMessage]:
    """W036 (deploy): links to uploads that anybody could sign."""
    weak = settings.SECRET_KEY.startswith("django-insecure-") or len(settings.SECRET_KEY) < 32
    for media in media_storages():
        signs = media.config.access == "signed" and not isinstance(media.store, Signs)
        if signs and not media.config.signed.key and weak:
            yield CheckWarning(
                f"{media}: links are signed with a key made of SECRET_KEY, which is the one that startproject made, or "
                "too short.",
                hint="Whoever knows it can make links to every file. Give another SECRET_KEY from the environment.",
                id="shipfiles.W036",
            )


_OTHERS = {
    "PRIVATE_STORAGE_ROOT": "the location of an alias with OPTIONS {'location': ..., 'access': 'private'}",
    "PRIVATE_STORAGE_AUTH_FUNCTION": "the function that shipfiles.django.views.protected is given",
    "PRIVATE_STORAGE_CLASS": "the BACKEND of an alias with OPTIONS['access'] = 'private'",
    "PRIVATE_STORAGE_SERVER": "OPTIONS['delivery']['mechanism']",
    "PRIVATE_STORAGE_INTERNAL_URL": "OPTIONS['delivery']['internal_url']",
    "SENDFILE_BACKEND": "OPTIONS['delivery']['mechanism']: nginx is 'x-accel-redirect', xsendfile 'x-sendfile', simple "
    "'stream'",
    "SENDFILE_ROOT": "OPTIONS['location']",
    "SENDFILE_URL": "OPTIONS['delivery']['internal_url']",
}
"""Settings of django-private-storage and django-sendfile2 → what says the same here."""


def check_media_others() -> Iterator[CheckMessage]:
    """I037 (deploy): settings of other packages for private files, and what says the same here."""
    found = [name for name in _OTHERS if hasattr(settings, name)]
    if found and any(True for _ in media_storages()):
        lines = "\n".join(f"  {name}: {_OTHERS[name]}" for name in found)
        yield Info(
            f"{', '.join(found)} {'is' if len(found) == 1 else 'are'} not read by Shipfiles.",
            hint=f"If its storage takes that package's place, these say the same:\n{lines}",
            id="shipfiles.I037",
        )
