from __future__ import annotations

from shipfiles.django.storage import StaticStorage
from shipfiles.errors import MissingEntry

CompressedStaticFilesStorage = StaticStorage
CompressedManifestStaticFilesStorage = StaticStorage
MissingFileError = MissingEntry
