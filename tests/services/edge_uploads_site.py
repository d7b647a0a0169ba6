"""The site of `edge_uploads`: a WSGI application, with the folder of all uploads in UPLOADS, and in MECHANISM how they
are handed over.

Whoever sends ``X-Me: yes`` may see everything.
"""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.services.edge_uploads import aliases

GIVEN = aliases(Path(os.environ["UPLOADS"]), os.environ["MECHANISM"])

settings.configure(
    SECRET_KEY="lent", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], INSTALLED_APPS=["shipfiles.django"],
    MIDDLEWARE=["shipfiles.django.middleware.ShipfilesMiddleware"], STATIC_URL="/static/",
    STORAGES={
        **{alias: {"BACKEND": "shipfiles.django.storage.MediaStorage", "OPTIONS": one} for alias, one in GIVEN.items()},
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
)  # fmt: skip

from django.core.files.storage import storages  # noqa: E402 # it needs the settings

from shipfiles.django.views import protected, signed  # noqa: E402


def may_see(request: HttpRequest, name: str) -> bool:
    return request.headers.get("X-Me") == "yes"


def url_of(request: HttpRequest, alias: str, name: str) -> HttpResponse:
    return HttpResponse(storages[alias].url(name))


urlpatterns = [
    path("media/private/<path:name>", protected(may_see, "private")),
    path("streamed/<path:name>", protected(may_see, "streamed")),
    path("lent/<path:name>", signed("lent")),
    path("url/<alias>/<path:name>", url_of),
]
application = get_wsgi_application()
