"""The key that Azure gives to whom it has given a token, to sign URLs with: asked for once a day.

https://learn.microsoft.com/en-us/rest/api/storageservices/get-user-delegation-key
"""

from __future__ import annotations

import re
import ssl
import threading
import time
import urllib.error
import urllib.request
from base64 import b64decode
from binascii import Error
from collections.abc import Callable
from contextlib import suppress

from ...errors import ConfigError, Denied, NoAnswer, StoreError
from .azure import VERSION, AzureKey, written

_DAY = 86_400
_LASTS = 7 * _DAY  # as long as a key can be good
_LONGEST_ANSWER = 1 << 16
_NAMES = ("SignedOid", "SignedTid", "SignedStart", "SignedExpiry", "SignedService", "SignedVersion", "Value")
_FIELD = re.compile(r"<(\w{1,40})>([^<>&]{1,512})</")


class _Here(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: the token is for whom was asked."""

    def redirect_request(self, *_arguments: object) -> None:
        return None


class DelegationKeys:
    """Keys for the account at ``endpoint``, for whom ``token`` gives one.

    All processes ask for the same key, that of a day (in UTC), so that they make the same URLs. Safe to use from
    several threads.
    """

    def __init__(self, endpoint: str, token: Callable[[], str], context: ssl.SSLContext | None, wait: float) -> None:
        self._url = f"{endpoint.rstrip('/')}/?restype=service&comp=userdelegationkey"
        self._opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), _Here())
        self._token, self._wait = token, wait
        self._guard = threading.Lock()
        self._day = -1
        self._key: AzureKey | None = None
        self._good_until = 0

    def key(self, expires: int) -> AzureKey:
        """One that is good until ``expires``.

        Raises `ConfigError` if none can be, and `StoreError` if Azure does not give any.
        """
        day = int(time.time()) // _DAY
        if expires > day * _DAY + _LASTS:
            raise ConfigError(
                "A URL that is signed for somebody with a token_credential works for at most 6 days. Give account_key "
                "for longer ones."
            )
        with self._guard:
            if self._key is None or self._day != day:
                try:
                    self._key = self._asked(day * _DAY)
                except NoAnswer:
                    if self._key is None or expires > self._good_until:
                        raise
                else:
                    self._day, self._good_until = day, day * _DAY + _LASTS
            return self._key

    def _asked(self, start: int) -> AzureKey:
        body = f"<KeyInfo><Start>{written(start)}</Start><Expiry>{written(start + _LASTS)}</Expiry></KeyInfo>"
        fields = {
            "Authorization": f"Bearer {self._bearer()}",
            "x-ms-version": VERSION,
            "Content-Type": "application/xml",
        }
        request = urllib.request.Request(self._url, body.encode(), fields, method="POST")  # noqa: S310
        try:
            with self._opener.open(request, timeout=self._wait) as answer:
                text = answer.read(_LONGEST_ANSWER).decode("utf-8-sig", "replace")
        except urllib.error.HTTPError as error:
            with suppress(OSError):
                error.close()
            if error.code >= 500 or error.code == 429:
                raise NoAnswer(".", f"Azure gave no key to sign URLs with (status {error.code})") from None
            raise Denied(
                ".",
                f"Azure gives no key to sign URLs with (status {error.code}). Whose token it is must have "
                "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action for the account, as "
                "the role Storage Blob Delegator has",
            ) from None
        except (OSError, ValueError) as error:
            raise NoAnswer(".", f"Azure gave no key to sign URLs with ({type(error).__name__})") from None
        return _read(text)

    def _bearer(self) -> str:
        try:
            return self._token()
        except Exception as error:  # noqa: BLE001
            # Whatever it is that azure-identity asked; its text may hold what was sent there.
            raise NoAnswer(".", f"token_credential gives no token ({type(error).__name__})") from None


def _read(text: str) -> AzureKey:
    """The key that an answer holds. Raises `StoreError`."""
    found = dict(_FIELD.findall(text))
    try:
        secret = b64decode(found["Value"], validate=True)
        return AzureKey(secret, tuple(found[name] for name in _NAMES[:-1]))
    except (KeyError, Error, ValueError):
        raise StoreError(".", "Azure's answer to the question for a key to sign URLs with holds none") from None
