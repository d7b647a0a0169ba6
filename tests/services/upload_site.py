"""A site that takes uploads and gives them back; where it keeps them, MEDIA_STORAGES says, as STORAGES does."""

from __future__ import annotations

import json
import os

import django
from django.conf import settings
from django.core.files.storage import storages
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.urls import path

if not settings.configured:
    settings.configure(
        SECRET_KEY="tests", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, USE_TZ=True, MEDIA_URL="/media/",
        INSTALLED_APPS=["shipfiles.django"],
        STORAGES={
            **json.loads(os.environ["MEDIA_STORAGES"]),
            "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
        },
        # What is larger than so many bytes comes to the storage as a file.
        FILE_UPLOAD_MAX_MEMORY_SIZE=100_000,
    )  # fmt: skip
    django.setup()


def upload(request: HttpRequest, alias: str) -> HttpResponse:
    """Keep the file of a form."""
    file = request.FILES["file"]
    return JsonResponse({"name": storages[alias].save(str(file.name), file)})


def there(_request: HttpRequest, alias: str, name: str) -> HttpResponse:
    """Give it."""
    try:
        with storages[alias].open(name) as file:
            return HttpResponse(file.read(), content_type="application/octet-stream")
    except FileNotFoundError:
        return HttpResponseNotFound()


def names(_request: HttpRequest, alias: str) -> HttpResponse:
    """Tell which there are."""
    return JsonResponse({"names": sorted(storages[alias].listdir("")[1])})


urlpatterns = [
    path("upload/<alias>", upload),
    path("names/<alias>", names),
    path("there/<alias>/<path:name>", there),
]
wsgi = get_wsgi_application()
