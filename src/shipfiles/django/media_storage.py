"""The storage of media files."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.files.storage import Storage

from ..media.config import MediaConfig
from .django_storages import Kind


class MediaStorage(Storage):
    """Uploads on disk, in a bucket or on another server, with the same behaviour everywhere."""

    kind: ClassVar[Kind | None] = None
    config: MediaConfig

    def __init__(self, **options: Any) -> None:
        raise NotImplementedError
