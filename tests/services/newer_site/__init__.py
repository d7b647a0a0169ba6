"""A site of one page that asks for newer releases: settings, URLs and server in one. The environment says the rest."""

import os
from pathlib import Path

from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import include, path

SECRET_KEY = "newer"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["shipfiles.django", "shipfiles.django.newer", "django.contrib.staticfiles"]
ROOT_URLCONF = __name__
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
STATIC_URL = "/static/"
STATIC_ROOT = os.environ.get("SITE_ROOT")
STATICFILES_DIRS = [Path(__file__).parent / "static"]
STORAGES = {
    "staticfiles": {
        "BACKEND": "shipfiles.django.storage.StaticStorage",
        "OPTIONS": {
            "cache": {"enabled": False},
            "release_id": os.environ.get("SITE_RELEASE"),
            "serve": {"follow_current": "SITE_FOLLOWS" in os.environ},
        },
    }
}
PAGE = """{% load shipfiles static %}<!doctype html><html lang="en"><title>Page</title>
<script src="{% static 'witness.js' %}"></script>{% newer_release_script every=1 %}
<p>{% release_id %}</p></html>"""


def page(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(engines["django"].from_string(PAGE).render())
    response["Content-Security-Policy"] = "default-src 'none'; script-src 'self'; connect-src 'self'"
    return response


urlpatterns = [path("", page), path("ship/", include("shipfiles.django.newer.urls"))]
