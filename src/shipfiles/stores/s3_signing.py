"""What the options of a bucket on S3, or of what speaks it, mean for signed URLs."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..errors import ConfigError
from .object_connection import checked_endpoint
from .signing.aws import AwsKey, S3Signer
from .signing.cloudfront import CloudFrontSigner, with_key, with_signer
from .signing.signer import Signer

if TYPE_CHECKING:
    from .s3 import S3


def check_signing(place: S3) -> None:
    """Raise `ConfigError` for options with which no URL can be signed."""
    url = place.signing_url
    if url is not None:
        checked_endpoint(url, "signing_url")
    if (place.cloudfront_key_id is None) != (place.cloudfront_key is None):
        raise ConfigError("cloudfront_key_id and cloudfront_key belong together: give both or neither.")
    if place.cloudfront_signer is not None and place.cloudfront_key is not None:
        raise ConfigError("cloudfront_signer and cloudfront_key are two ways to sign: give one of them.")
    if place.cloudfront_signer is not None or place.cloudfront_key is not None:
        if url is None:
            raise ConfigError("URLs that CloudFront checks need signing_url, the address of the distribution.")
        return
    if url is None:
        return
    theirs, host = place.preset.host, f".{urlsplit(url).hostname or ''}"
    if place.endpoint() is None:
        theirs = ".amazonaws.com.cn" if host.endswith(".cn") else ".amazonaws.com"
    if theirs and not host.endswith(theirs) and host[1:] != place.bucket_name:
        raise ConfigError(
            f"signing_url: the provider of this bucket takes signed URLs only at hosts of its own (*{theirs}). "
            "Leave it out, or give the key of a CloudFront distribution that has this address."
        )


def signer_of(place: S3) -> Signer:
    """What signs URLs: CloudFront's key, else the credentials that the store is asked with. Raises `ConfigError`."""
    if place.signing_url is not None and place.cloudfront_signer is not None:
        return CloudFrontSigner(place.signing_url, with_signer(place.cloudfront_signer))
    if place.signing_url is not None and place.cloudfront_key_id is not None:
        return CloudFrontSigner(place.signing_url, with_key(place.cloudfront_key_id, place.cloudfront_key))
    region = place.preset.region or place.region_name or os.environ.get("AWS_REGION")
    region = region or os.environ.get("AWS_DEFAULT_REGION") or None
    key = None
    if place.access_key is not None and place.secret_key is not None:
        key = AwsKey(place.access_key, place.secret_key, place.security_token)
    pays = "RequestPayer" in place.object_parameters
    return S3Signer(lambda at: bucket_url(place, at), region, key, place.session_profile, requester_pays=pays)


def bucket_url(place: S3, region: str) -> str:
    """The address of what is in the bucket, as signed URLs have it. Raises `ConfigError`.

    With the region in it: the name without one may redirect, to where a signature is not good any more.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html,
    https://docs.aws.amazon.com/general/latest/gr/s3.html
    """
    if place.signing_url is not None:
        return place.signing_url
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    address = urlsplit(place.endpoint() or f"https://s3.{region}.{domain}")
    if place.virtual:
        return address._replace(netloc=f"{place.bucket_name}.{address.netloc}").geturl()
    return address._replace(path=f"{address.path}/{place.bucket_name}").geturl()
