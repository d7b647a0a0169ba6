"""Settings for WhiteNoise's own tests: its source distribution has the tests and not these."""

from __future__ import annotations

from .utils import PREFIX

ALLOWED_HOSTS = ["*"]
SECRET_KEY = "tests"
INSTALLED_APPS = ["shipfiles.django", "django.contrib.staticfiles"]
MIDDLEWARE = ["whitenoise.middleware.WhiteNoiseMiddleware"]
ROOT_URLCONF = "tests.django_urls"
FORCE_SCRIPT_NAME = f"/{PREFIX}"
STATIC_URL = f"/{PREFIX}/static/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
