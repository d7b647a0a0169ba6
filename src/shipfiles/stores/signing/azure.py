"""Signed URLs of Azure Blob: a service SAS, which the account's key signs, or a user delegation SAS.

https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas,
https://learn.microsoft.com/en-us/rest/api/storageservices/create-user-delegation-sas

It binds what may be done with the blob, not the method: who may read may ask with GET and HEAD.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import quote, urlsplit

from ...errors import ConfigError
from ..store import Grant
from .signer import quoted, remembering
from .v4 import response_parameters

VERSION = "2020-12-06"
"""Of the service, by whose rules is signed."""
_PERMISSIONS = {"GET": "r", "HEAD": "r", "PUT": "cw", "DELETE": "d"}
_RESPONSE = {"content_disposition": "rscd", "content_type": "rsct"}


@dataclass(frozen=True, slots=True)
class AzureKey:
    """What a SAS is signed with: the account's key, or one that was given to somebody with a token."""

    secret: bytes = field(repr=False)
    delegation: tuple[str, ...] = ()
    """Whose it is, of which tenant, from and until when it is good, for which service and version: ``skoid`` to
    ``skv``. Empty for the account's own."""


_DELEGATION = ("skoid", "sktid", "skt", "ske", "sks", "skv")


def account_key(text: str) -> AzureKey:
    """The key of an account. Raises `ConfigError`."""
    try:
        return AzureKey(b64decode(text, validate=True))
    except (Error, ValueError):
        raise ConfigError("account_key is no key of a storage account: it must be Base64.") from None


def sas(account: str, key: AzureKey, container: str, path: str, grant: Grant, *, https_only: bool) -> str:
    """The query, without ``?``, that allows ``grant`` for the blob ``path``. Raises `ConfigError` as `Signs` says."""
    if grant.expires <= grant.starts:
        raise ConfigError(f"A signed URL must work for some time, not for {grant.expires - grant.starts} seconds.")
    given = {
        # From now on: with a time to start from, a server whose clock is late would refuse it at first.
        "sp": _PERMISSIONS[grant.method],
        "se": written(grant.expires),
        "spr": "https" if https_only else "https,http",
        "sv": VERSION,
        "sr": "b",
        **dict(zip(_DELEGATION, key.delegation, strict=False)),
        **response_parameters(grant, _RESPONSE),
    }
    # The fields that have no value here: st; si, or saoid, suoid and scid; sip; snapshot, ses, rscc; rsce, rscl.
    whose = (*key.delegation, "", "", "") if key.delegation else ("",)
    text = "\n".join(
        (
            given["sp"], "", given["se"], f"/blob/{account}/{container}/{path}", *whose, "", given["spr"], VERSION,
            "b", "", "", "", given.get("rscd", ""), "", "", given.get("rsct", ""),
        )
    )  # fmt: skip
    signature = b64encode(hmac.digest(key.secret, text.encode(), "sha256")).decode()
    query = "&".join([f"{name}={quoted(value)}" for name, value in given.items()])
    return f"{query}&sig={quote(signature, safe='')}"


class AzureSigner:
    """Signs for the ``container`` of an account, whose address browsers know as ``address``, with what ``key`` gives
    for a time until which it must be good."""

    def __init__(self, account: str, key: Callable[[int], AzureKey], container: str, address: str) -> None:
        self._account, self._container, self._address = account, container, address.rstrip("/")
        self._key = key
        self._https_only = urlsplit(address).scheme == "https"
        self._url = remembering(self._made)

    def url(self, path: str, grant: Grant) -> str:
        return self._url(path, grant, self._key(grant.expires))

    def _made(self, path: str, grant: Grant, key: AzureKey) -> str:
        query = sas(self._account, key, self._container, path, grant, https_only=self._https_only)
        return f"{self._address}/{quote(path)}?{query}"


@lru_cache(maxsize=8)
def written(seconds: int) -> str:
    """A time as Azure writes it: ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
