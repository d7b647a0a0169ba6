"""A site whose uploads other servers hand over: a WSGI application, with the folder of the uploads in MEDIA_FOLDER.

Whoever sends ``X-Me: yes`` may see everything.
"""

from __future__ import annotations

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest
from django.urls import path

MECHANISMS = ("stream", "x-accel-redirect", "x-sendfile")

if not settings.configured:
    settings.configure(
        SECRET_KEY="delivered", ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], INSTALLED_APPS=["shipfiles.django"],
        MIDDLEWARE=[], STORAGES={
            mechanism: {
                "BACKEND": "shipfiles.django.storage.MediaStorage",
                "OPTIONS": {
                    "location": os.environ.get("MEDIA_FOLDER", ""), "access": "private",
                    "cache_control": "private, no-cache", "delivery": {"mechanism": mechanism},
                },
            }
            for mechanism in MECHANISMS
        },
    )  # fmt: skip

from shipfiles.django.views import protected  # noqa: E402 # it needs the settings


def may_see(request: HttpRequest, name: str) -> bool:
    return request.headers.get("X-Me") == "yes"


urlpatterns = [path(f"{name}/<path:name>", protected(may_see, name)) for name in MECHANISMS]
application = get_wsgi_application()
