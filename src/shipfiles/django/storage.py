"""The storages that Django's STORAGES setting names."""

from .media_storage import MediaStorage
from .static_storage import (
    AzureStaticStorage,
    GoogleStaticStorage,
    S3StaticStorage,
    SFTPStaticStorage,
    StaticStorage,
)

__all__ = [
    "AzureStaticStorage", "GoogleStaticStorage", "MediaStorage", "S3StaticStorage", "SFTPStaticStorage",
    "StaticStorage",
]  # fmt: skip
