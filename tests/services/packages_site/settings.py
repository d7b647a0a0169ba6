"""Settings of a project with the packages that the environment names."""

import json
import os
import sys

_site = json.loads(os.environ["SITE"])
sys.path.append(_site["apps_folder"])
SECRET_KEY = "packages"
INSTALLED_APPS = ["shipfiles.django", "django.contrib.staticfiles", *_site["apps"]]
STATIC_URL = "/static/"
STATIC_ROOT = _site["root"]
STATICFILES_DIRS = _site["folders"]
# Compression would take most of the time and is not what is looked at here; what earlier runs remember must not count.
STORAGES = {
    "staticfiles": {
        "BACKEND": "shipfiles.django.storage.StaticStorage",
        "OPTIONS": {"compress": {"codings": []}, "cache": {"enabled": False}, "rewrite": _site["rewrite"]},
    }
}
