"""Settings of the tests: what a small project has."""

from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "tests"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = [
    "shipfiles.django",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "shipfiles.django.middleware.ShipfilesMiddleware",
    "django.middleware.common.CommonMiddleware",
]
ROOT_URLCONF = "tests.website.urls"
TEMPLATES = [
    {"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {}},
    {"BACKEND": "django.template.backends.jinja2.Jinja2", "NAME": "jinja2", "OPTIONS": {}},
]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
STATIC_URL = "/static/"
MEDIA_URL = "/media/"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "shipfiles.django.storage.StaticStorage"},
}
