"""A site with other people's packages as they come, and a page of our own. The environment says where they are."""

import json
import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECRET_KEY = "browser"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["shipfiles.django", "django.contrib.staticfiles"]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    *(["shipfiles.django.middleware.ShipfilesMiddleware"] if "SITE_MIDDLEWARE" in os.environ else []),
]
ROOT_URLCONF = "tests.services.browser_site.urls"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [HERE / "templates"]}]
STATIC_URL = "/static/"
STATIC_ROOT = os.environ["SITE_ROOT"]
STATICFILES_DIRS = [HERE / "static", *json.loads(os.environ["SITE_FOLDERS"])]
STATICFILES_FINDERS = ["django.contrib.staticfiles.finders.FileSystemFinder"]
# Compression would take most of the time and is not what is looked at here; what earlier runs remember must not count.
STORAGES = {
    "staticfiles": {
        "BACKEND": "shipfiles.django.storage.StaticStorage",
        "OPTIONS": {"compress": {"codings": []}, "cache": {"enabled": False}},
    }
}
