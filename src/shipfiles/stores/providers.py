"""What is different with those who offer S3's interface, each with the page that says so.

What speaks it in one's own house (MinIO, SeaweedFS, Ceph) needs no preset: ``endpoint_url`` is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ProviderName = Literal["", "aws", "backblaze", "cloudflare", "digitalocean", "hetzner", "scaleway", "wasabi"]


@dataclass(frozen=True, slots=True)
class Provider:
    """How one of them is spoken with."""

    endpoint: str = ""
    """With ``{region}``; empty if ``endpoint_url`` must say it."""
    region: str = ""
    """The only one there is."""
    advice: str = ""
    """What ``endpoint_url`` looks like, where it must be given."""
    checksum: bool = False
    """Whether it takes a SHA-256 checksum beside that in the signature."""
    conditional: bool = True
    """Whether it puts on a condition."""
    acl: bool = True
    """Whether objects have access rules of their own (``default_acl``)."""
    copies: bool = True
    """Whether it can be relied on to copy."""


PROVIDERS: dict[ProviderName, Provider] = {
    # Whoever is behind an endpoint_url; AWS without one.
    "": Provider(checksum=True),
    # Checksums: https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
    "aws": Provider(checksum=True),
    # https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api (endpoints),
    # https://www.backblaze.com/docs/cloud-storage-s3-compatible-api (checksums and access rules of objects are not
    # supported), https://www.backblaze.com/apidocs/s3-put-object (no condition among the header fields)
    "backblaze": Provider(endpoint="https://s3.{region}.backblazeb2.com", conditional=False, acl=False),
    # https://developers.cloudflare.com/r2/api/s3/api/ (endpoint, region, no SHA-256 of whole objects, no access rules),
    # https://developers.cloudflare.com/r2/api/s3/extensions/ (conditions of PutObject)
    "cloudflare": Provider(region="auto", advice="https://ACCOUNT_ID.r2.cloudflarestorage.com", acl=False),
    # https://docs.digitalocean.com/products/spaces/reference/aws-sdks/ (endpoint),
    # https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/ (copies, access rules)
    "digitalocean": Provider(endpoint="https://{region}.digitaloceanspaces.com"),
    # https://docs.hetzner.com/storage/object-storage/overview (endpoints),
    # https://docs.hetzner.com/storage/object-storage/supported-actions/ (copies may fail)
    "hetzner": Provider(endpoint="https://{region}.your-objectstorage.com", copies=False),
    # https://www.scaleway.com/en/docs/storage/object/concepts/ (endpoint, both styles of addressing, access rules)
    "scaleway": Provider(endpoint="https://s3.{region}.scw.cloud"),
    # https://docs.wasabi.com/docs/en/what-are-the-service-urls-for-wasabis-different-storage-regions (endpoints),
    # https://docs.wasabi.com/docs/rest-api-introduction (path style is recommended)
    "wasabi": Provider(endpoint="https://s3.{region}.wasabisys.com"),
}
