"""Signed URLs of Google Cloud Storage: version 4, with RSA or an HMAC key.

https://docs.cloud.google.com/storage/docs/authentication/signatures,
https://docs.cloud.google.com/storage/docs/authentication/hmackeys
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from ...errors import ConfigError, StoreError
from ..store import Grant
from .aws import host_of
from .signer import remembering
from .v4 import GOOGLE_HMAC, GOOGLE_RSA, Dialect, Sign, hmac_sign, v4_url

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
"""Of a token with which Google is asked to sign."""
_SCOPE = "auto/storage"
_NOTHING = (
    "Nothing to sign URLs with: these credentials of Google cannot sign. Give credentials that are a service account's "
    "key, or hmac_access_id and hmac_secret, or set iam_sign_blob (and sa_email), which asks Google for each signature."
)


@dataclass(frozen=True)
class Hand:
    """Who signs, and how."""

    dialect: Dialect
    id: str
    """The account's address, or the id of its HMAC key."""
    sign: Sign


class GoogleSigner:
    """Signs for the bucket that is at ``address``. ``hand`` is asked for once, when first something is signed."""

    def __init__(self, address: str, hand: Callable[[], Hand]) -> None:
        url = urlsplit(address)
        self._root, self._folder = f"{url.scheme}://{url.netloc.lower()}", unquote(url.path).rstrip("/")
        self._make_hand = hand
        self._url = remembering(self._made)

    @cached_property
    def _hand(self) -> Hand:
        return self._make_hand()

    def url(self, path: str, grant: Grant) -> str:
        return self._url(path, grant, None)

    def _made(self, path: str, grant: Grant, _key: None) -> str:
        hand, path = self._hand, f"{self._folder}/{path}"
        return v4_url(hand.dialect, self._root, host_of(self._root), path, grant, hand.id, _SCOPE, hand.sign)


def hmac_hand(access_id: str, secret: str) -> Hand:
    """With an HMAC key."""
    return Hand(GOOGLE_HMAC, access_id, hmac_sign(GOOGLE_HMAC, secret))


def key_hand(credentials: Any) -> Hand:
    """With the key that is in ``credentials`` of google-auth. Raises `ConfigError` if there is none."""
    email = getattr(credentials, "signer_email", None)
    if not email or not hasattr(credentials, "sign_bytes"):
        raise ConfigError(_NOTHING)

    def sign(_day: str, _scope: str, text: bytes) -> bytes:
        return bytes(credentials.sign_bytes(text))

    return Hand(GOOGLE_RSA, email, sign)


def iam_hand(credentials: Any, email: str | None) -> Hand:
    """With a key that Google keeps, and signs with when the ``credentials`` ask for it: a request for each URL.

    For the account ``email``, or that of the credentials. Raises `ConfigError`, and `StoreError` if Google does not
    sign. https://docs.cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/signBlob
    """
    iam, errors = import_module("google.auth.iam"), import_module("google.auth.exceptions")
    transport = import_module("google.auth.transport.requests")
    requests: dict[int, Any] = {}

    def request() -> Any:
        """Connections of this process; what a parent has open is left to it."""
        return requests.get(os.getpid()) or requests.setdefault(os.getpid(), transport.Request())

    credentials = import_module("google.auth.credentials").with_scopes_if_required(credentials, SCOPES)
    try:
        if email is None:
            if not getattr(credentials, "valid", False):
                credentials.refresh(request())  # the machine's account is known by then
            email = getattr(credentials, "service_account_email", None)
    except errors.GoogleAuthError as error:
        raise _not_signed(errors, error, "the account of these credentials") from None
    if not email or email == "default":
        raise ConfigError("iam_sign_blob: these credentials do not say whose they are. Give sa_email.")
    account = email

    def sign(_day: str, _scope: str, text: bytes) -> bytes:
        try:
            return bytes(iam.Signer(request(), credentials, account).sign(text))
        except errors.GoogleAuthError as error:
            raise _not_signed(errors, error, account) from None

    return Hand(GOOGLE_RSA, account, sign)


def _not_signed(errors: Any, error: Exception, account: str) -> StoreError:
    what = "gives no token" if isinstance(error, errors.RefreshError) else "did not sign"
    return StoreError(
        ".",
        f"Google {what} for {account}. Who asks must have iam.serviceAccounts.signBlob for it, as the role "
        "Service Account Token Creator has, and the project the IAM Service Account Credentials API",
    )
