"""Storages that need a class attribute to be set."""

from __future__ import annotations

from django.contrib.staticfiles.storage import ManifestStaticFilesStorage


class DjangoModules(ManifestStaticFilesStorage):
    """Django's, with references between JavaScript modules rewritten too."""

    support_js_module_import_aggregation = True
