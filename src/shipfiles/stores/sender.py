"""Requests that no client of a store knows, sent with what Python has."""

from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Collection, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import HTTPSHandler, OpenerDirector, Request, build_opener

from ..errors import NoAnswer, StoreError
from .object_connection import Limits
from .object_faults import OtherVersion, broken, refusal

_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 5.0


class Sender:
    """Asks one ``url``, which may hold a signature, and says nothing of it in errors. Safe to use from several threads.

    An answer with one of the codes ``taken`` raises `OtherVersion`.
    """

    def __init__(
        self, key: str, store: str, url: str, fields: Mapping[str, str], limits: Limits, trusted: ssl.SSLContext,
        taken: Collection[str],
    ) -> None:  # fmt: skip
        self._key, self._store, self._url, self._fields, self._limits = key, store, url, fields, limits
        self._taken = taken
        self._opener: OpenerDirector = build_opener(HTTPSHandler(context=trusted))
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Repeat nothing any more."""
        self._stopped.set()

    def send(self, method: str, query: Mapping[str, str], body: bytes | bytearray, fields: Mapping[str, str]) -> None:
        """Send ``body``, again after no answer. Raises `StoreError`."""
        end = time.monotonic() + self._limits.total
        pause = _FIRST_PAUSE
        for left in range(self._limits.retries, -1, -1):
            try:
                return self._send(method, query, body, fields)
            except NoAnswer:
                wait = pause * (0.5 + random.random())  # noqa: S311
                if not left or time.monotonic() + wait >= end or self._stopped.wait(wait):
                    raise
                pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError

    def _send(self, method: str, query: Mapping[str, str], body: bytes | bytearray, fields: Mapping[str, str]) -> None:
        url = f"{self._url}{'&' if '?' in self._url else '?'}{urlencode(query)}"
        # Without a type urllib takes a form for it.
        given = {"Content-Type": "application/octet-stream", **self._fields, **fields}
        asked = Request(url, data=body, headers=given, method=method)  # noqa: S310
        try:
            with self._opener.open(asked, timeout=self._limits.request) as answer:
                answer.read(1)
        except HTTPError as error:
            with error:
                raise self._refused(error) from None
        except URLError as error:
            raise self._broken(error.reason) from None
        except (OSError, HTTPException) as error:
            raise self._broken(error) from None

    def _refused(self, error: HTTPError) -> StoreError:
        code = str(error.headers.get("x-ms-error-code") or "")
        code = code if code.isascii() and code.isalnum() else ""
        if error.code == 412 or code in self._taken:
            return OtherVersion(self._key, f"changed meanwhile in {self._store}")
        return refusal(self._key, self._store, str(error.code), code)

    def _broken(self, why: Any) -> NoAnswer:
        if isinstance(why, TimeoutError):
            return broken(self._key, self._store, "Timeout")
        connected = isinstance(why, (ConnectionResetError, BrokenPipeError, ConnectionAbortedError, HTTPException))
        return broken(self._key, self._store, "Request" if connected else "Connect")
