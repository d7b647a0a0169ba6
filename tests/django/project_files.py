"""A project with a release of a few files of different kinds, on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.test import override_settings

from .test_edge_conf import MEDIA, site

SOURCES = {
    "css/app.css": b"p { background: url(icon.png) } " * 40, "css/icon.png": os.urandom(900),
    "js/app.js": b"f();" * 200,
    "other/font.woff2": b"wOF2" + os.urandom(400),
}  # fmt: skip


def make_project(folder: Path) -> None:
    """Make it, with a file at the root of the site, and a release."""
    for name, body in {**SOURCES, "../site/robots.txt": b"User-agent: *\nDisallow:\n" * 20}.items():
        path = folder / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    with in_project(folder):
        call_command("collectstatic", interactive=False, verbosity=0)


@contextmanager
def in_project(folder: Path, media: Any = None) -> Iterator[None]:
    """Have its settings, with these storages of uploads."""
    finder = "django.contrib.staticfiles.finders.FileSystemFinder"
    with (
        override_settings(
            STATICFILES_DIRS=[str(folder / "src")], STATICFILES_FINDERS=[finder], STATIC_ROOT=str(folder / "root"),
            BASE_DIR=folder,
        ),
        site(media=media, serve={"root_folder": "site"}),
    ):  # fmt: skip
        yield


def uploads(folder: Path) -> dict[str, Any]:
    """Public ones, a picture that could run scripts first, with a private folder among them; and signed ones."""
    files = {"m/a.svg": "<svg/>", "m/papers/secret.txt": "secret", "signed/b.pdf": "%PDF-1.7"}
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(body)
    options = {
        "default": {"location": str(folder / "m"), "base_url": "/media/"},
        "papers": {
            "location": str(folder / "m" / "papers"), "base_url": "/papers/", "access": "private",
            "delivery": {"mechanism": "x-accel-redirect"},
        },
        "bills": {"location": str(folder / "signed"), "base_url": "/bills/", "access": "signed"},
    }  # fmt: skip
    return {alias: {"BACKEND": MEDIA, "OPTIONS": given} for alias, given in options.items()}
