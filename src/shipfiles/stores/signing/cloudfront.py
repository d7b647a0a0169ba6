"""Signed URLs of CloudFront, with a canned policy.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html

RSA keys sign with SHA-1, as every distribution takes it; ECDSA keys with SHA-256, which the URL then says. What the
answer shall be like is handed on to the bucket if the distribution's cache policy or origin request policy forwards
``response-content-disposition`` and ``response-content-type``, and signs its requests (origin access control).
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any
from urllib.parse import quote

from ...errors import ConfigError
from ..store import Grant
from .signer import remembering
from .v4 import response_parameters

_ALPHABET = str.maketrans("+=/", "-_~")
_RESPONSE = {"content_disposition": "response-content-disposition", "content_type": "response-content-type"}

SignUrl = Callable[[str, int], str]
"""From a URL and the time at which it expires to the signed URL."""


class CloudFrontSigner:
    """Signs for the distribution at ``address``."""

    def __init__(self, address: str, sign: SignUrl) -> None:
        self._address, self._sign = address.rstrip("/"), sign
        self._url = remembering(self._made)

    def url(self, path: str, grant: Grant) -> str:
        return self._url(path, grant, None)

    def _made(self, path: str, grant: Grant, _key: None) -> str:
        if grant.method not in ("GET", "HEAD"):
            raise ConfigError(f"URLs that CloudFront checks are for GET and HEAD, not for {grant.method}.")
        given = response_parameters(grant, _RESPONSE)
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in given.items())
        return self._sign(f"{self._address}/{quote(path)}{'?' if query else ''}{query}", grant.expires)


def with_key(key_id: str, key: object) -> SignUrl:
    """How one signs with a private ``key``, the text of a PEM file. Raises `ConfigError`; never shows the key."""
    try:
        serialization = import_module("cryptography.hazmat.primitives.serialization")
        hashes = import_module("cryptography.hazmat.primitives.hashes")
        asymmetric = "cryptography.hazmat.primitives.asymmetric"
        rsa, ec, padding = (import_module(f"{asymmetric}.{name}") for name in ("rsa", "ec", "padding"))
    except ImportError as error:
        raise ConfigError(
            f"cloudfront_key needs cryptography, which cannot be imported: {error}. "
            "Run: pip install 'shipfiles[cloudfront]'."
        ) from None
    private = _loaded(key, serialization)
    if isinstance(private, rsa.RSAPrivateKey):
        ending = ""

        def signature(text: bytes) -> bytes:
            return bytes(private.sign(text, padding.PKCS1v15(), hashes.SHA1()))
    elif isinstance(private, ec.EllipticCurvePrivateKey):
        ending = "&Hash-Algorithm=SHA256"

        def signature(text: bytes) -> bytes:
            return bytes(private.sign(text, ec.ECDSA(hashes.SHA256())))
    else:
        raise ConfigError("cloudfront_key is neither an RSA nor an ECDSA key, and CloudFront takes no other.")

    def sign(url: str, expires: int) -> str:
        when = {"DateLessThan": {"AWS:EpochTime": expires}}
        policy = json.dumps({"Statement": [{"Resource": url, "Condition": when}]}, separators=(",", ":"))
        written = b64encode(signature(policy.encode())).decode().translate(_ALPHABET)
        between = "&" if "?" in url else "?"
        return f"{url}{between}Expires={expires}&Signature={written}&Key-Pair-Id={quote(key_id, safe='')}{ending}"

    return sign


def with_signer(signer: Any) -> SignUrl:
    """How one signs with botocore's ``CloudFrontSigner``, or what has its method ``generate_presigned_url``."""

    def sign(url: str, expires: int) -> str:
        return str(signer.generate_presigned_url(url, date_less_than=datetime.fromtimestamp(expires, UTC)))

    return sign


def _loaded(key: object, serialization: Any) -> Any:
    text = key.encode("utf-8", "replace") if isinstance(key, str) else key
    if isinstance(text, bytes):
        try:
            return serialization.load_pem_private_key(text, password=None)
        except (ValueError, TypeError):
            pass  # which is told without the cause: it could show the key
        except Exception as error:  # cryptography's own, for what it does not know
            if type(error).__name__ != "UnsupportedAlgorithm":
                raise
    raise ConfigError("cloudfront_key must be the text of a private key's PEM file, without a password.")
