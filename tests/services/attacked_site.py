"""A site that keeps what anybody uploads, in each way that there is. SITE_ROOT has a `site.json` of its options."""

from __future__ import annotations

import json
import os
from pathlib import Path

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse, JsonResponse
from django.urls import path
from django.views.static import serve

ROOT = Path(os.environ["SITE_ROOT"])
GIVEN = json.loads((ROOT / "site.json").read_text())
MEDIA = "shipfiles.django.storage.MediaStorage"


def folder(name, **options):
    given = {"location": str(ROOT / name), "base_url": f"/{name}/", "file_permissions_mode": 0o644, **options}
    return {"BACKEND": MEDIA, "OPTIONS": given}


settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    SECRET_KEY="x" * 50,
    ROOT_URLCONF=__name__,
    INSTALLED_APPS=["shipfiles.django"],
    # Not Django's SecurityMiddleware, whose nosniff would hide that an answer of ours has none.
    MIDDLEWARE=["shipfiles.django.middleware.ShipfilesMiddleware"],
    STATIC_URL="/static/",
    STORAGES={
        "default": folder("served", serve=True),
        "links": folder("links", serve=True, access="signed"),
        "stream": folder("stream", access="private"),
        "accel": folder("accel", access="private", delivery={"mechanism": "x-accel-redirect"}),
        # nginx answers from the disk, as `ship config` has it.
        "edge": folder("edge"),
        "bucket": {"BACKEND": "shipfiles.django.storage.S3MediaStorage", "OPTIONS": GIVEN["bucket"]},
        "signed": {"BACKEND": "shipfiles.django.storage.S3MediaStorage", "OPTIONS": GIVEN["signed"]},
        # What other sites do.
        "careless": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(ROOT / "careless"), "base_url": "/careless/"},
        },
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    },
)
django.setup()

from django.core.files.storage import storages  # noqa: E402

from shipfiles.django.views import protected  # noqa: E402

URLS = {"served": "default", "links": "links", "signed": "signed", "careless": "careless"}
beacons: list[list[str]] = []


def everybody(request, name):
    return True


def upload(request, way):
    (file,) = request.FILES.values()
    storage = storages[URLS.get(way, way)]
    name = storage.save(file.name, file)
    # How the others are reached is for views and nginx to say.
    return JsonResponse({"name": name, "url": storage.url(name) if way in URLS else f"/{way}/{name}"})


def page(request):
    response = HttpResponse('<!DOCTYPE html><html lang="en"><title>Site</title><body>')
    response["Content-Security-Policy"] = "script-src 'self'; style-src 'self'"
    response.set_cookie("secret", "the visitor's")
    return response


def beacon(request, way, case):
    beacons.append([way, case, request.GET.get("o", "")])
    return HttpResponse(status=204, headers={"Access-Control-Allow-Origin": "*"})


def told(request):
    return JsonResponse({"beacons": beacons})


urlpatterns = [
    path("", page),
    path("upload/<way>/", upload),
    path("beacon/<way>/<case>", beacon),
    path("told/", told),
    path("stream/<path:name>", protected(everybody, "stream")),
    path("accel/<path:name>", protected(everybody, "accel")),
    path("careless/<path:path>", serve, {"document_root": str(ROOT / "careless")}),
]
application = WSGIHandler()
