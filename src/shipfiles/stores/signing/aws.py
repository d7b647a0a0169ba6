"""Signed URLs of S3 and what speaks it, and what they are signed with."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import import_module
from typing import Any
from urllib.parse import unquote, urlsplit

from ...errors import ConfigError
from ..store import Grant
from .signer import remembering
from .v4 import AMAZON, hmac_sign, v4_url


@dataclass(frozen=True, slots=True)
class AwsKey:
    """A key of AWS's kind."""

    id: str
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    """What belongs to a key for a time. A URL that it signed works no longer than the key."""


def s3_url(address: str, path: str, grant: Grant, key: AwsKey, region: str, *, requester_pays: bool = False) -> str:
    """The signed URL of ``path``, with its slash, at ``address``: scheme and host, nothing behind them."""
    host = host_of(address)
    more = {"X-Amz-Security-Token": key.token} if key.token else {}
    if requester_pays:
        more["x-amz-request-payer"] = "requester"
    return v4_url(AMAZON, address, host, path, grant, key.id, f"{region}/s3", hmac_sign(AMAZON, key.secret), more)


@lru_cache(maxsize=64)
def host_of(address: str) -> str:
    """The Host that a client sends to ``address``: without a port that is the scheme's own (RFC 9110, 4.2.3, 7.2).

    In lower case, as browsers send it.
    """
    url = urlsplit(address)
    host = url.netloc.lower()
    for scheme, port in (("http", ":80"), ("https", ":443")):
        if url.scheme == scheme:
            host = host.removesuffix(port)
    return host


class FoundKeys:
    """The key that nobody has given: that of the environment, else the one that boto3 finds and renews.

    In the order in which the store itself looks. Asked for with every URL; boto3 may ask for a new one over the network
    when that which it has is near its end. Safe to use from several threads.
    """

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        self._guard = threading.Lock()
        self._found: tuple[Any, str | None] | None = None

    def key(self) -> AwsKey:
        """Raises `ConfigError` if there is none."""
        if self._of_environment():
            token = os.environ.get("AWS_SESSION_TOKEN") or None
            return AwsKey(os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"], token)
        credentials, _ = self._boto3()
        try:
            found = credentials.get_frozen_credentials()
        except Exception as error:  # noqa: BLE001
            # Whatever it is that boto3 asked; its text may hold what was sent there.
            raise ConfigError(
                f"Nothing to sign URLs with: the credentials of AWS cannot be renewed ({type(error).__name__})."
            ) from None
        return AwsKey(found.access_key, found.secret_key, found.token)

    def region(self) -> str | None:
        """That of the profile, if there is one. Raises nothing: other faults are told when the key is asked for."""
        try:
            return None if self._of_environment() else self._boto3()[1]
        except ConfigError:
            return None

    def _of_environment(self) -> bool:
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        return self._profile is None and all(os.environ.get(name) for name in names)

    def _boto3(self) -> tuple[Any, str | None]:
        with self._guard:
            if self._found is None:
                self._found = self._asked()
            return self._found

    def _asked(self) -> tuple[Any, str | None]:
        wanted = "Nothing to sign URLs with: give access_key and secret_key, or set AWS_ACCESS_KEY_ID and"
        wanted += " AWS_SECRET_ACCESS_KEY"
        try:
            boto3, errors = import_module("boto3"), import_module("botocore.exceptions")
        except ImportError as error:
            raise ConfigError(
                f"{wanted}. For a profile of AWS's tools or the role of the machine boto3 is needed, which cannot be "
                f"imported: {error}. Run: pip install 'shipfiles[aws]'."
            ) from None
        try:
            session = boto3.Session(profile_name=self._profile)
            credentials = session.get_credentials()
        except errors.BotoCoreError as error:
            profile = f"The AWS profile {self._profile!r}" if self._profile else "AWS's configuration"
            raise ConfigError(f"{profile} cannot be used: {str(error).strip()}") from None
        if credentials is None:
            raise ConfigError(f"{wanted}. No profile of AWS's tools and no role of the machine has a key either.")
        return credentials, session.region_name


class S3Signer:
    """Signs for the bucket that is at ``address`` of its region, with version 4.

    With ``key``, else with what is found, by a ``profile`` if there is one. Without a ``region`` in that of the
    profile, without one in AWS's first.
    """

    def __init__(
        self, address: Callable[[str], str], region: str | None, key: AwsKey | None, profile: str | None, *,
        requester_pays: bool,
    ) -> None:  # fmt: skip
        self._address = address
        self._region = region
        self._key = key
        self._found = FoundKeys(profile)
        self._requester_pays = requester_pays
        self._place: tuple[str, str, str] | None = None
        self._url = remembering(self._made)

    def url(self, path: str, grant: Grant) -> str:
        return self._url(path, grant, self._key or self._found.key())

    def _made(self, path: str, grant: Grant, key: AwsKey) -> str:
        if self._place is None:
            region = self._region or (None if self._key else self._found.region()) or "us-east-1"
            address = urlsplit(self._address(region))
            self._place = f"{address.scheme}://{address.netloc.lower()}", unquote(address.path).rstrip("/"), region
        root, folder, region = self._place
        return s3_url(root, f"{folder}/{path}", grant, key, region, requester_pays=self._requester_pays)
