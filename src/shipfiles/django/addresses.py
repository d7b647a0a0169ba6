"""The URL at which browsers find what is in a store: how providers document it, and what a project says instead."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..paths import url_quote
from ..stores.azure import Azure
from ..stores.google import Google
from ..stores.providers import PROVIDERS
from ..stores.s3 import S3

# A host, its port, and a path that a CDN has in front of all.
_DOMAIN = re.compile(r"(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[^\s?#\\\"'<>@]*)?")
_SCHEME = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//")
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html: such a name can be that of a host; one with
# a dot can, too, but no certificate fits it.
_HOST_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")


def of_domain(domain: str, protocol: str, option: str) -> tuple[str, str]:
    """The URL of the host ``domain``, with a closing slash; and what is odd about how it is written, empty if nothing.

    ``protocol`` is with its colon, or empty. Raises `ConfigError`, which calls it ``option``.
    """
    faults = []
    rest = domain.strip()
    if scheme := _SCHEME.match(rest):
        faults.append("a scheme")
        protocol, rest = f"{scheme[1]}:" if scheme[1] else protocol, rest[scheme.end() :]
    if rest.endswith("/"):
        faults.append("a closing slash")
    rest = rest.strip("/")
    if not _DOMAIN.fullmatch(rest):
        shown = "" if "@" in domain else f" {domain!r}"  # it may hold a password
        raise ConfigError(f"{option}{shown} is not the name of a host, such as 'cdn.example.com'.")
    return f"{checked_protocol(protocol)}//{rest}/", " and ".join(faults)


def checked_protocol(protocol: str) -> str:
    """``protocol`` with its colon, or empty. Raises `ConfigError`."""
    bare = protocol.lower().removesuffix("//").removesuffix(":")
    if bare not in ("https", "http", ""):
        raise ConfigError(f"url_protocol must be 'https:' or 'http:', not {protocol!r}.")
    return f"{bare}:" if bare else ""


def of_s3(place: S3) -> str:
    """The URL of a bucket's folder. Raises `ConfigError` where nobody can be sent.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html has both styles and the regions;
    https://docs.aws.amazon.com/general/latest/gr/s3.html China's.
    """
    if place.preset is PROVIDERS["cloudflare"]:
        # https://developers.cloudflare.com/r2/buckets/public-buckets/
        raise ConfigError(
            "custom_domain is needed: Cloudflare R2 answers browsers only at a domain of yours or at the bucket's "
            "r2.dev address, which its settings show."
        )
    endpoint, bucket = place.endpoint(), place.bucket_name
    virtual = place.addressing_style == "virtual"
    if place.addressing_style in (None, "auto"):
        virtual = endpoint is None and _HOST_NAME.fullmatch(bucket) is not None
    if endpoint is None:
        region = place.region_name or "us-east-1"
        # The name without a region is that of us-east-1; buckets elsewhere it redirects, or not (same page).
        inner = "" if region == "us-east-1" else f"{region}."
        endpoint = f"https://s3.{inner}amazonaws.com{'.cn' if region.startswith('cn-') else ''}"
    address = urlsplit(endpoint)
    if virtual:
        address = address._replace(netloc=f"{bucket}.{address.netloc}")
    else:
        address = address._replace(path=f"{address.path}/{bucket}")
    return f"{address.geturl()}/{url_quote(place.prefix)}"


def of_google(place: Google) -> str:
    """The URL of a bucket's folder.

    https://docs.cloud.google.com/storage/docs/request-endpoints: storage.googleapis.com/BUCKET_NAME/OBJECT_NAME.
    """
    endpoint = place.endpoint_url or os.environ.get("STORAGE_EMULATOR_HOST") or "https://storage.googleapis.com"
    endpoint = endpoint if "//" in endpoint else f"http://{endpoint}"
    return f"{endpoint.rstrip('/')}/{place.bucket_name}/{url_quote(place.prefix)}"


def of_azure(place: Azure, domain: str) -> tuple[str, str]:
    """The URL of a container's folder, with the host ``domain`` instead of the account's if it is not empty; and what
    is odd about how that is written. Raises `ConfigError`.

    https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
    has the account's address; https://learn.microsoft.com/en-us/azure/storage/blobs/storage-custom-domain-name that a
    domain stands for the account, so that the container stays in the path.
    """
    account = urlsplit(place.access()["endpoint"])
    base, fault = f"{account.scheme}://{account.netloc}/", ""
    if domain:
        base, fault = of_domain(domain, f"{account.scheme}:", "custom_domain")
    path = "/".join(part for part in (account.path.strip("/"), place.azure_container, place.prefix) if part)
    return base + url_quote(path.rstrip("/") + "/"), fault
