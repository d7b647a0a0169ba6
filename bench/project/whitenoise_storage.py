"""WhiteNoise's storage with a class attribute set."""

from __future__ import annotations

from whitenoise.storage import CompressedManifestStaticFilesStorage


class WhiteNoiseModules(CompressedManifestStaticFilesStorage):
    """With references between JavaScript modules rewritten too."""

    support_js_module_import_aggregation = True
