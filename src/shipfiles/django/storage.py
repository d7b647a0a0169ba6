"""The storages that Django's STORAGES setting names."""

from .media_places import AzureMediaStorage, GoogleMediaStorage, S3MediaStorage, SFTPMediaStorage
from .media_storage import MediaStorage
from .static_storage import (
    AzureStaticStorage,
    GoogleStaticStorage,
    S3StaticStorage,
    SFTPStaticStorage,
    StaticStorage,
)

__all__ = [
    "AzureMediaStorage", "AzureStaticStorage", "GoogleMediaStorage", "GoogleStaticStorage", "MediaStorage",
    "S3MediaStorage", "S3StaticStorage", "SFTPMediaStorage", "SFTPStaticStorage", "StaticStorage",
]  # fmt: skip
