"""Shipfiles and its peers: what a project writes into its settings to use each."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Product:
    """One way to collect static files."""

    name: str
    backend: str
    options: Mapping[str, Any] = field(default_factory=dict)
    apps: tuple[str, ...] = ()
    """Installed above ``django.contrib.staticfiles``."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    stops_at_references: bool = True
    """A reference that leads nowhere ends it; the bench lets it go on (see project/storages.py)."""
    compresses_each_time: bool = False
    """Compresses everything in every run: minutes, for the larger corpora."""
    has_cache: bool = False
    """It remembers things beside what it publishes, in the project's folder."""
    optional: bool = False
    """Runs only when named."""


_WHITENOISE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
_ENHANCED = "django_manifeststaticfiles_enhanced.storage.EnhancedManifestStaticFilesStorage"
_MODULES = {"support_js_module_import_aggregation": True}

PRODUCTS = {
    product.name: product
    for product in (
        Product(
            "shipfiles",
            "shipfiles.django.storage.StaticStorage",
            {"compress": {"codings": ["br", "gzip"]}},
            apps=("shipfiles.django",),
            stops_at_references=False,
            has_cache=True,
        ),
        Product(
            "shipfiles-fast",
            "shipfiles.django.storage.StaticStorage",
            {"compress": {"codings": ["br", "gzip"], "profile": "fast"}},
            apps=("shipfiles.django",),
            stops_at_references=False,
            has_cache=True,
            optional=True,
        ),
        Product(
            "shipfiles-uncompressed",
            "shipfiles.django.storage.StaticStorage",
            {"compress": {"codings": []}},
            apps=("shipfiles.django",),
            stops_at_references=False,
            has_cache=True,
        ),
        Product("django", "django.contrib.staticfiles.storage.StaticFilesStorage", stops_at_references=False),
        Product("django-manifest", "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"),
        Product("django-manifest-js", "project.storages.DjangoModules", optional=True),
        Product("enhanced", _ENHANCED, apps=("django_manifeststaticfiles_enhanced",)),
        Product("enhanced-js", _ENHANCED, _MODULES, apps=("django_manifeststaticfiles_enhanced",), optional=True),
        Product(
            "enhanced-lexer",
            _ENHANCED,
            {**_MODULES, "use_lexer": True},
            apps=("django_manifeststaticfiles_enhanced",),
            optional=True,
        ),
        Product("whitenoise", _WHITENOISE, compresses_each_time=True),
        Product(
            "whitenoise-hashed-only",
            _WHITENOISE,
            settings={"WHITENOISE_KEEP_ONLY_HASHED_FILES": True},
            compresses_each_time=True,
            optional=True,
        ),
        Product("servestatic", "servestatic.storage.CompressedManifestStaticFilesStorage", compresses_each_time=True),
    )
}


def environment(
    product: Product,
    root: Path,
    *,
    folders: Sequence[tuple[str, Path]] = (),
    apps_folder: Path | None = None,
    apps: Sequence[str] = (),
    middleware: Sequence[str] = (),
    pass_over: Path | None = None,
    bare_files: Path | None = None,
    home: Path | None = None,
) -> dict[str, str]:
    """The environment variables with which bench/project is a site that uses ``product`` and publishes to ``root``."""
    site = {
        "backend": product.backend,
        "options": product.options,
        "apps_above": product.apps,
        "settings": product.settings,
        "root": str(root),
        "home": str(home or root.parent),
        "folders": [[prefix, str(folder)] for prefix, folder in folders],
        "apps_folder": str(apps_folder) if apps_folder else "",
        "apps": list(apps),
        "middleware": list(middleware),
        "pass_over": str(pass_over) if pass_over and product.stops_at_references else "",
        "bare_files": str(bare_files) if bare_files else "",
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "BENCH_SITE": json.dumps(site), "DJANGO_SETTINGS_MODULE": "project.settings", "NO_COLOR": "1"}
