"""Version 4 of signing URLs, as Amazon made it and Google took it over with names of its own.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html,
https://docs.cloud.google.com/storage/docs/authentication/signatures
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from urllib.parse import quote

from ...errors import ConfigError
from ..store import Grant
from .signer import quoted

LONGEST = 7 * 86_400
"""How long a URL works at most. Seconds."""
_RESPONSE = {"content_disposition": "response-content-disposition", "content_type": "response-content-type"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """Whose version 4 it is."""

    algorithm: str
    parameters: str
    """With what the names of the query's parameters begin."""
    secret: str
    """With what the secret begins that the key of a day is made of."""
    last: str
    """The last part of the scope."""


AMAZON = Dialect("AWS4-HMAC-SHA256", "X-Amz-", "AWS4", "aws4_request")
GOOGLE_HMAC = Dialect("GOOG4-HMAC-SHA256", "X-Goog-", "GOOG4", "goog4_request")
GOOGLE_RSA = Dialect("GOOG4-RSA-SHA256", "X-Goog-", "", "goog4_request")

Sign = Callable[[str, str, bytes], bytes]
"""From the day, the scope behind it and what is to be signed to the signature."""


def v4_url(
    dialect: Dialect, address: str, host: str, path: str, grant: Grant, signer: str, scope: str, sign: Sign,
    more: Mapping[str, str] = {},
) -> str:  # fmt: skip
    """``address`` and ``path``, signed.

    ``address`` is scheme and ``host``, ``path`` what follows, not quoted; ``signer`` the id of the key, ``scope`` is
    region and service, with a slash between them; ``more`` are parameters that are signed, too. Raises `ConfigError`
    for a ``grant`` that nobody can be given this way.
    """
    lasts = lasting(grant)
    day, moment = _stamps(grant.starts)
    named = dialect.parameters
    parameters = {
        f"{named}Algorithm": dialect.algorithm,
        f"{named}Credential": f"{signer}/{day}/{scope}/{dialect.last}",
        f"{named}Date": moment,
        f"{named}Expires": str(lasts),
        f"{named}SignedHeaders": "host",
        **more,
        **response_parameters(grant, _RESPONSE),
    }
    # By the code points of what is sent, https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
    query = "&".join(sorted([f"{name}={quoted(value)}" for name, value in parameters.items()]))
    path = quote(path)
    asked = f"{grant.method}\n{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD"
    text = f"{dialect.algorithm}\n{moment}\n{day}/{scope}/{dialect.last}\n{sha256(asked.encode()).hexdigest()}"
    return f"{address}{path}?{query}&{named}Signature={sign(day, scope, text.encode()).hex()}"


def hmac_sign(dialect: Dialect, secret: str) -> Sign:
    """How one signs with a ``secret``. The key that it makes of it is good for a day, and kept."""

    def sign(day: str, scope: str, text: bytes) -> bytes:
        return hmac.digest(_key(dialect, secret, day, scope), text, "sha256")

    return sign


def lasting(grant: Grant) -> int:
    """How long a URL for ``grant`` works. Seconds. Raises `ConfigError` for longer than version 4 knows."""
    lasts = grant.expires - grant.starts
    if lasts > LONGEST:
        raise ConfigError(
            f"A signed URL of this store works for at most 7 days ({LONGEST} seconds), not for {lasts} seconds."
        )
    if lasts < 1:
        raise ConfigError(f"A signed URL must work for some time, not for {lasts} seconds.")
    return lasts


def response_parameters(grant: Grant, names: Mapping[str, str]) -> dict[str, str]:
    """The parameters, called so in ``names``, for what is to be answered. Raises `ConfigError` where nothing is."""
    given = {name: value for field, name in names.items() if (value := getattr(grant, field))}
    if given and grant.method not in ("GET", "HEAD"):
        raise ConfigError(
            f"A signed URL for {grant.method} cannot say a Content-Disposition or Content-Type: those are of "
            "the answer to GET and HEAD."
        )
    return given


@lru_cache(maxsize=8)
def _stamps(seconds: int) -> tuple[str, str]:
    """The day and the moment as they are written there: ISO 8601, without separators."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(seconds))
    return moment[:8], moment


@lru_cache(maxsize=32)
def _key(dialect: Dialect, secret: str, day: str, scope: str) -> bytes:
    key = (dialect.secret + secret).encode()
    for part in (day, *scope.split("/"), dialect.last):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
