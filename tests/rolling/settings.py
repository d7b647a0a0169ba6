"""The settings of a site whose releases follow each other: what ROLLING_SITE (JSON) says of it."""

from __future__ import annotations

import json
import os

SITE = json.loads(os.environ["ROLLING_SITE"])

BASE_DIR = SITE["home"]
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "tests.rolling.served"
INSTALLED_APPS = [*SITE["apps"], "django.contrib.staticfiles"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", *SITE["middleware"]]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
STATIC_URL = "/static/"
STATIC_ROOT = SITE["root"]
STATICFILES_DIRS = [SITE["source"]]
STORAGES = {"staticfiles": {"BACKEND": SITE["backend"], "OPTIONS": SITE["options"]}}
