"""What is different with those who offer S3's interface, each with the pages that say so.

- AWS: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html (checksums),
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html (conditions: PutObject,
  CompleteMultipartUpload and CopyObject take If-None-Match),
  https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html (CreateMultipartUpload,
  UploadPart and UploadPartCopy take none)
- Backblaze B2: https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api (hosts),
  https://www.backblaze.com/docs/cloud-storage-s3-compatible-api (no checksums, no access rules of objects),
  https://www.backblaze.com/apidocs/s3-put-object (no condition among the header fields)
- Cloudflare R2: https://developers.cloudflare.com/r2/api/s3/api/ (host, region, no SHA-256 of whole objects, no access
  rules), https://developers.cloudflare.com/r2/api/s3/conditional-operations/ (conditions, also of copies)
- DigitalOcean Spaces: https://docs.digitalocean.com/products/spaces/reference/aws-sdks/ (hosts),
  https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/ (copies, access rules)
- Hetzner: https://docs.hetzner.com/storage/object-storage/overview (hosts; it is Ceph),
  https://docs.hetzner.com/storage/object-storage/supported-actions/ (copies may fail),
  https://github.com/ceph/s3-tests/issues/218 (Ceph had conditions before S3)
- Scaleway: https://www.scaleway.com/en/docs/storage/object/concepts/ (hosts, both styles of addressing, access rules),
  https://www.scaleway.com/en/docs/object-storage/api-cli/using-conditional-writes/ (conditions, also of copies)
- Wasabi: https://docs.wasabi.com/docs/en/what-are-the-service-urls-for-wasabis-different-storage-regions (hosts),
  https://docs.wasabi.com/docs/rest-api-introduction (path style is recommended)

DigitalOcean's and Wasabi's pages say nothing of conditions: there one looks first as well. A checksum beside that in
the signature is sent only to whom a page says that it is taken. What speaks S3 in one's own house (MinIO, SeaweedFS,
Ceph) needs no preset: ``endpoint_url`` is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from .permissions import BACKBLAZE, CLOUDFLARE, DIGITALOCEAN, S3, Verb

ProviderName = Literal["", "aws", "backblaze", "cloudflare", "digitalocean", "hetzner", "scaleway", "wasabi"]

TRIED = "try"


@dataclass(frozen=True, slots=True)
class Provider:
    """How one of them is spoken with."""

    host: str = ""
    """With what the names of its hosts end."""
    endpoint: str = ""
    """With ``{region}``; empty if ``endpoint_url`` must say it."""
    region: str = ""
    """The only one there is."""
    advice: str = ""
    """What ``endpoint_url`` looks like, where it must be given."""
    checksum: bool = False
    """Whether it takes a SHA-256 checksum beside that in the signature."""
    conditional: bool = True
    """Whether it can be asked to put on a condition."""
    proven: bool = False
    """Whether a page says that it heeds conditions."""
    acl: bool = True
    """Whether objects have access rules of their own (``default_acl``)."""
    copies: bool = True
    """Whether it can be relied on to copy."""
    new_copies: str = ""
    """The header field that, with ``*``, lets a copy replace nothing, as a page says; empty if none does. ``try`` if it
    may be If-None-Match: where that is not heeded, the copy is made as the one part of an upload, the end of which has
    the condition."""
    permissions: Mapping[Verb, str] = field(default_factory=lambda: S3)
    """What it calls the permissions."""


PROVIDERS: dict[ProviderName, Provider] = {
    # Whoever is behind an endpoint_url; AWS without one.
    "": Provider(checksum=True, proven=True, new_copies=TRIED),
    "aws": Provider(host=".amazonaws.com", checksum=True, proven=True, new_copies="if-none-match"),
    "backblaze": Provider(
        host=".backblazeb2.com",
        endpoint="https://s3.{region}.backblazeb2.com",
        conditional=False,
        acl=False,
        permissions=BACKBLAZE,
    ),
    "cloudflare": Provider(
        host=".r2.cloudflarestorage.com",
        region="auto",
        advice="https://ACCOUNT_ID.r2.cloudflarestorage.com",
        proven=True,
        acl=False,
        new_copies="cf-copy-destination-if-none-match",
        permissions=CLOUDFLARE,
    ),
    "digitalocean": Provider(
        host=".digitaloceanspaces.com",
        endpoint="https://{region}.digitaloceanspaces.com",
        permissions=DIGITALOCEAN,
    ),
    "hetzner": Provider(
        host=".your-objectstorage.com", endpoint="https://{region}.your-objectstorage.com", proven=True, copies=False
    ),
    "scaleway": Provider(
        host=".scw.cloud",
        endpoint="https://s3.{region}.scw.cloud",
        proven=True,
        new_copies="if-none-match",
    ),
    "wasabi": Provider(host=".wasabisys.com", endpoint="https://s3.{region}.wasabisys.com"),
}


def provider_at(address: str) -> Provider:
    """The one whose hosts have names like that of ``address``, a URL; else the one without a name."""
    host = f".{urlsplit(address).hostname or ''}"
    return next((found for found in PROVIDERS.values() if found.host and host.endswith(found.host)), PROVIDERS[""])
