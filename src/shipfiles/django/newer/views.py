"""An open page learns that there is a newer release: the answer to its question, and what the page must know to ask."""

from __future__ import annotations

from typing import Any

from django.apps import apps
from django.conf import STATICFILES_STORAGE_ALIAS
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import NoReverseMatch, reverse
from django.views.decorators.http import require_safe

from ...serve.origins import Origin
from ...serve.since import Since
from .. import own_release
from ..static_storage import StaticStorage

SCRIPT = "shipfiles/newer-release.js"
"""The logical path of the script that asks."""


@login_not_required  # a page for those who are not logged in asks too
@require_safe
def release_used(_: HttpRequest) -> HttpResponse:
    """The release that this process uses, as JSON: ``{"release": id, "since": time}``.

    What is not known is left out: with ``DEBUG`` and before the first release, both. It costs a look at the pointer
    once a second, once in five if it is in a store far away; no manifest is read. It is never stored (RFC 9111 section
    5.2.2.5), so it has no validator either: nobody could ask whether it is still the same, and to say so would take as
    many bytes.
    """
    return JsonResponse(used_now(), headers={"Cache-Control": "no-store"})


def used_now() -> dict[str, str]:
    """The id of the release that this process uses, and the time since when it is to be used, as far as known."""
    storage: Any = storages[STATICFILES_STORAGE_ALIAS]
    release = storage.release_id if isinstance(storage, StaticStorage) else ""
    if not release:
        return {}
    origin = own_release.origin_here(storage.config)
    since = _since(origin).of(release) if origin else ""
    return {"release": release, "since": since} if since else {"release": release}


def address() -> str:
    """The URL path of `release_used`. Raises ``ImproperlyConfigured`` if the project has not got what is needed."""
    if not apps.is_installed("shipfiles.django.newer"):
        raise ImproperlyConfigured("{% newer_release_script %} needs 'shipfiles.django.newer' in INSTALLED_APPS.")
    try:
        return reverse("shipfiles:release")
    except NoReverseMatch:
        raise ImproperlyConfigured(
            "{% newer_release_script %} needs a URL that it can ask. Add to the project's urls.py: "
            "path('shipfiles/', include('shipfiles.django.newer.urls'))."
        ) from None


def script_url() -> str:
    """The URL of the script. Raises `MissingEntry` if it is not in the release."""
    # Not a name that a project's proof has to speak of.
    return str(storages[STATICFILES_STORAGE_ALIAS].url(SCRIPT))


_sinces: dict[str, Since] = {}


def _since(origin: Origin) -> Since:
    return _sinces.get(origin.where) or _sinces.setdefault(origin.where, Since(origin))
