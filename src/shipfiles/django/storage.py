"""The storages that Django's STORAGES setting names."""

from .media_alias import Alias
from .media_storage import MediaStorage
from .media_stores import AzureMediaStorage, GoogleMediaStorage, S3MediaStorage, SFTPMediaStorage
from .static_storage import (
    AzureStaticStorage,
    GoogleStaticStorage,
    S3StaticStorage,
    SFTPStaticStorage,
    StaticStorage,
)

__all__ = [
    "Alias", "AzureMediaStorage", "AzureStaticStorage", "GoogleMediaStorage", "GoogleStaticStorage", "MediaStorage",
    "S3MediaStorage", "S3StaticStorage", "SFTPMediaStorage", "SFTPStaticStorage", "StaticStorage",
]  # fmt: skip
