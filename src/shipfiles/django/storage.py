"""The storages that Django's STORAGES setting names."""

from .static_storage import (
    AzureStaticStorage,
    GoogleStaticStorage,
    S3StaticStorage,
    SFTPStaticStorage,
    StaticStorage,
)

__all__ = ["AzureStaticStorage", "GoogleStaticStorage", "S3StaticStorage", "SFTPStaticStorage", "StaticStorage"]
