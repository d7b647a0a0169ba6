"""Those who keep uploads: Shipfiles' storage, and django-storages' and Django's own beside it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from buckets import BUCKET, KEY

LOCATION = "media"
"""The folder of the bucket that all share."""
DOMAIN = "cdn.example.com"
SHIPFILES = "shipfiles"
REFERENCE = "django-storages, no overwrite"
OVERWRITES = "django-storages"


@dataclass(frozen=True, slots=True)
class Contender:
    """One way to keep uploads."""

    name: str
    make: Callable[..., Any]
    """Of options, a storage."""
    options: Mapping[str, Any] = field(default_factory=dict)
    public: Mapping[str, Any] = field(default_factory=dict)
    """What it needs besides, for URLs of a CDN."""
    signed: Mapping[str, Any] = field(default_factory=dict)
    """And for signed ones."""

    def storage(self, place: Mapping[str, Any], **more: Any) -> Any:
        """One at this place."""
        return self.make(**{**place, **self.options, **more})


def set_up(home: Path) -> None:
    """Make Django ready, without a project."""
    import django
    from django.conf import settings

    settings.configure(
        MEDIA_ROOT=str(home / "media"), MEDIA_URL="/media/", SECRET_KEY="of the bench", USE_TZ=True,
        FILE_UPLOAD_TEMP_DIR=str(home),
    )  # fmt: skip
    django.setup()
    logging.disable(logging.WARNING)


def bucket_at(url: str) -> dict[str, Any]:
    """The options of the bucket behind ``url``, in django-storages' words."""
    return {
        "bucket_name": BUCKET, "location": LOCATION, "endpoint_url": url, "region_name": "us-east-1",
        "access_key": KEY[0], "secret_key": KEY[1],
    }  # fmt: skip


def in_buckets() -> dict[str, Contender]:
    """Those of buckets. Django must be ready."""
    from storages.backends.s3 import S3Storage

    from shipfiles.django.storage import S3MediaStorage

    plain, signed = {"custom_domain": DOMAIN, "querystring_auth": False}, {"querystring_auth": True}
    return {
        contender.name: contender
        for contender in (
            Contender(
                SHIPFILES, S3MediaStorage, {}, {"custom_domain": DOMAIN, "access": "public"}, {"access": "signed"}
            ),
            Contender(REFERENCE, S3Storage, {"file_overwrite": False}, plain, signed),
            Contender(OVERWRITES, S3Storage, {}, plain, signed),
        )
    }


def on_disk() -> dict[str, Contender]:
    """Those of folders."""
    from django.core.files.storage import FileSystemStorage

    from shipfiles.django.storage import MediaStorage

    return {
        SHIPFILES: Contender(SHIPFILES, MediaStorage, signed={"access": "signed"}),
        "FileSystemStorage": Contender("FileSystemStorage", FileSystemStorage),
    }
