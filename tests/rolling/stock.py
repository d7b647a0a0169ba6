"""django-storages' class for static files, told to rewrite references between modules too."""

from __future__ import annotations

from storages.backends.s3 import S3ManifestStaticStorage


class Modules(S3ManifestStaticStorage):
    """It leaves them alone unless a class says otherwise."""

    support_js_module_import_aggregation = True
