"""The settings of a small production site, with what BENCH_SITE (JSON, written by products.py) says of static files."""

from __future__ import annotations

import json
import os
import sys

SITE = json.loads(os.environ["BENCH_SITE"])
if SITE["apps_folder"]:
    sys.path.append(SITE["apps_folder"])

BASE_DIR = SITE["home"]
DEBUG = False
SECRET_KEY = "for benches only, never listens anywhere but on 127.0.0.1"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "project.urls"
USE_TZ = True

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    *SITE["apps_above"],
    "django.contrib.staticfiles",
    *SITE["apps"],
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    *SITE["middleware"],
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

STATIC_URL = "/static/"
STATIC_ROOT = SITE["root"]
STATICFILES_DIRS = [(prefix, folder) if prefix else folder for prefix, folder in SITE["folders"]]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": SITE["backend"], "OPTIONS": SITE["options"]},
}
globals().update(SITE["settings"])

if SITE["pass_over"]:
    BENCH_STORAGE = SITE["backend"]
    BENCH_PASSED_OVER = SITE["pass_over"]
    STORAGES["staticfiles"]["BACKEND"] = "project.passing_over.PassingOver"
