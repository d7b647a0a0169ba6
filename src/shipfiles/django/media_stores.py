"""The media storages that stand where those of django-storages stand."""

from __future__ import annotations

from . import media_kinds
from .media_storage import MediaStorage


class S3MediaStorage(MediaStorage):
    """Uploads in an S3 bucket, or in one of what speaks S3; options and settings in django-storages' words.

    Stands where ``storages.backends.s3.S3Storage`` stands, with the same keys and names. URLs are signed unless
    ``querystring_auth`` or a ``custom_domain`` without CloudFront's key says otherwise. Files are not replaced unless
    ``file_overwrite`` says so.
    """

    kind = media_kinds.S3


class GoogleMediaStorage(MediaStorage):
    """Uploads in a bucket of Google Cloud Storage; options and settings in django-storages' words.

    Stands where ``storages.backends.gcloud.GoogleCloudStorage`` stands, with the same keys and names. URLs are signed
    unless ``querystring_auth`` or ``default_acl`` says otherwise. Files are not replaced unless ``file_overwrite`` says
    so.
    """

    kind = media_kinds.GOOGLE


class AzureMediaStorage(MediaStorage):
    """Uploads in a container of Azure Blob Storage; options and settings in django-storages' words.

    Stands where ``storages.backends.azure_storage.AzureStorage`` stands, with the same keys and names. URLs are signed
    if ``expiration_secs`` says for how long.
    """

    kind = media_kinds.AZURE


class SFTPMediaStorage(MediaStorage):
    """Uploads in a folder of a server of one's own, over SSH; options and settings in django-storages' words.

    Stands where ``storages.backends.sftpstorage.SFTPStorage`` stands, with the same paths and names. URLs are below
    ``base_url``, where that server or another gives the files out.
    """

    kind = media_kinds.SFTP
