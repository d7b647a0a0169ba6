"""Signed URLs of Azure Blob: a service SAS, which the account's key signs.

https://learn.microsoft.com/en-us/rest/api/storageservices/create-service-sas

It binds what may be done with the blob, not the method: who may read may ask with GET and HEAD.
"""

from __future__ import annotations

import hmac
import time
from base64 import b64decode, b64encode
from binascii import Error
from functools import lru_cache
from urllib.parse import quote, urlsplit

from ...errors import ConfigError
from ..store import Grant
from .signer import remembering
from .v4 import response_parameters

_VERSION = "2020-12-06"
_PERMISSIONS = {"GET": "r", "HEAD": "r", "PUT": "cw", "DELETE": "d"}
_RESPONSE = {"content_disposition": "rscd", "content_type": "rsct"}


def sas(account: str, key: bytes, container: str, path: str, grant: Grant, *, https_only: bool) -> str:
    """The query, without ``?``, that allows ``grant`` for the blob ``path``. Raises `ConfigError` as `Signs` says."""
    if grant.expires <= grant.starts:
        raise ConfigError(f"A signed URL must work for some time, not for {grant.expires - grant.starts} seconds.")
    given = {
        # From now on: with a time to start from, a server whose clock is late would refuse it at first.
        "sp": _PERMISSIONS[grant.method],
        "se": _written(grant.expires),
        "spr": "https" if https_only else "https,http",
        "sv": _VERSION,
        "sr": "b",
        **response_parameters(grant, _RESPONSE),
    }
    # Of the fields that have no value here: st, si, sip, snapshot, ses, rscc, rsce, rscl.
    text = "\n".join(
        (
            given["sp"], "", given["se"], f"/blob/{account}/{container}/{path}", "", "", given["spr"], _VERSION, "b",
            "", "", "", given.get("rscd", ""), "", "", given.get("rsct", ""),
        )
    )  # fmt: skip
    signature = b64encode(hmac.digest(key, text.encode(), "sha256")).decode()
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in (given | {"sig": signature}).items())


class AzureSigner:
    """Signs for the ``container`` of an account, whose address browsers know as ``address``."""

    def __init__(self, account: str, key: str, container: str, address: str) -> None:
        try:
            self._key = b64decode(key, validate=True)
        except (Error, ValueError):
            raise ConfigError("account_key is no key of a storage account: it must be Base64.") from None
        self._account, self._container, self._address = account, container, address.rstrip("/")
        self._https_only = urlsplit(address).scheme == "https"
        self._url = remembering(self._made)

    def url(self, path: str, grant: Grant) -> str:
        return self._url(path, grant, None)

    def _made(self, path: str, grant: Grant, _key: None) -> str:
        query = sas(self._account, self._key, self._container, path, grant, https_only=self._https_only)
        return f"{self._address}/{quote(path)}?{query}"


@lru_cache(maxsize=8)
def _written(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
