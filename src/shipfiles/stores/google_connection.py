"""The one place that knows Google's client, and what its refusals mean.

It is loaded when a store is first used. Its connections are Python's own: under gevent other greenlets run meanwhile,
and a process that was forked opens connections of its own.

The client repeats requests by itself; here it is told not to, and what is worth it is repeated within one time limit.
The text of its errors holds addresses, of uploads too, which are as good as a password; only the status, the reason
that Google gives and the permission that is missing are read.
"""

from __future__ import annotations

import os
import random
import re
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

from ..errors import ConfigError, Denied, KeyNotFound, NoAnswer, StoreError
from .object_connection import Connection, Limits, Service, Session
from .object_faults import OWN_OPTIONS, OtherVersion, broken, refusal
from .signing.google import SCOPES

_T = TypeVar("_T")

_FIRST_PAUSE = 0.1  # seconds
_LONGEST_PAUSE = 5.0
_LONGEST_TEXT = 4096
_PERMISSION = re.compile(r"\bstorage\.\w{1,40}\.\w{1,40}\b")
_SECONDS = re.compile(r"[0-9]{1,4}")
_REASON = re.compile(r"\w{1,64}")
# https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes
_MEANINGS = {
    "billingNotEnabled": "billing is not enabled for the project",
    "UserProjectMissing": "whoever asks has to pay for this bucket, which cannot be said here",
}
_ASK_LATER = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded"})


class Engine:
    """The modules of Google's client, as one process uses them."""

    def __init__(self, extra: str) -> None:
        self._heard = threading.local()
        try:
            self.storage = import_module("google.cloud.storage")
            self.retry = import_module("google.cloud.storage.retry").DEFAULT_RETRY
            self.corruption = import_module("google.cloud.storage.exceptions").DataCorruption
            self.invalid_response = import_module("google.cloud.storage.exceptions").InvalidResponse
            self.api_errors = import_module("google.api_core.exceptions")
            self.auth_errors = import_module("google.auth.exceptions")
            self.service_account = import_module("google.oauth2.service_account")
            self.crc32c = import_module("google_crc32c")
            self.requests = import_module("requests")
            self.urllib3_errors = import_module("urllib3.exceptions")
        except ImportError as error:
            raise ConfigError(
                f"Stores at gs:// need google-cloud-storage, which cannot be imported: {error}. "
                f"Run: pip install 'shipfiles[{extra}]'."
            ) from None
        self.errors = (
            self.api_errors.GoogleAPIError, self.auth_errors.GoogleAuthError, self.requests.RequestException,
            self.urllib3_errors.HTTPError, self.corruption, self.invalid_response, OSError, ValueError,
        )  # fmt: skip

    def default_credentials(self) -> Any:
        """Those that Google's client finds itself. Raises `ConfigError`."""
        try:
            credentials, _ = import_module("google.auth").default(scopes=SCOPES)
        except self.auth_errors.GoogleAuthError:
            raise ConfigError(
                "No credentials of Google are found. Give the option credentials, or set "
                "GOOGLE_APPLICATION_CREDENTIALS to the path of a key, or run where a service account is attached."
            ) from None
        return credentials

    def hear(self, response: Any, **_options: Any) -> None:
        """Note an answer, of which the client tells only some."""
        self._heard.answer = response

    def heard(self) -> Mapping[str, str]:
        """The header fields of the last answer to this thread; their names may be asked for in any case."""
        answer = self._heard.__dict__.pop("answer", None)
        fields: Mapping[str, str] = {} if answer is None else answer.headers
        return fields

    def hang_up(self) -> None:
        """Let go of the connection of the last answer to this thread; the client leaves some open after an error."""
        answer = self._heard.__dict__.pop("answer", None)
        if answer is not None:
            answer.close()

    def fault(self, error: BaseException, key: str, store: str) -> StoreError:
        """The error of ours for what the client raised when the ``store`` was asked about ``key``."""
        if isinstance(error, self.api_errors.RetryError) and error.cause is not None:
            error = error.cause
        if isinstance(error, self.invalid_response):
            error = self.api_errors.from_http_status(error.response.status_code, "", response=error.response)
        if isinstance(error, self.api_errors.GoogleAPICallError):
            return self._refused(error, key, store)
        if isinstance(error, self.auth_errors.TransportError):
            return broken(key, store, "Connect")
        if isinstance(error, self.auth_errors.InvalidOperation):
            return refusal(key, store, "401")  # whoever has no credentials cannot renew them
        if isinstance(error, self.auth_errors.DefaultCredentialsError):
            return StoreError(
                key or ".",
                f"no credentials for {store} are found. Give the option credentials, or set "
                "GOOGLE_APPLICATION_CREDENTIALS to the path of a key, or run where a service account is attached; "
                f"{OWN_OPTIONS}",
            )
        if isinstance(error, self.auth_errors.GoogleAuthError):
            again = isinstance(error, self.auth_errors.RefreshError) and error.retryable
            made = NoAnswer if again else StoreError
            return made(key or ".", f"access denied: Google gives no token for these credentials ({store})")
        if isinstance(error, self.corruption):
            return NoAnswer(key, f"the bytes that arrived are not those that were sent; run again ({store})")
        if isinstance(error, (self.requests.Timeout, self.urllib3_errors.TimeoutError, TimeoutError)):
            return broken(key, store, "Timeout")
        refused = isinstance(error, self.requests.ConnectionError) and "Failed to establish" in str(error)
        if refused or isinstance(error, (self.requests.exceptions.SSLError, self.requests.exceptions.ProxyError)):
            return broken(key, store, "Connect")
        if isinstance(error, (self.requests.RequestException, self.urllib3_errors.HTTPError, OSError)):
            return broken(key, store, "Request")
        return StoreError(key or ".", f"the answer of the store cannot be understood ({type(error).__name__}, {store})")

    def _refused(self, error: Any, key: str, store: str) -> StoreError:
        status = str(int(error.code or 0))
        reason, said = _told(error.response)
        if status == "404":
            # https://docs.cloud.google.com/storage/docs/troubleshooting
            return no_bucket(key, store) if "bucket does not exist" in said else KeyNotFound(key)
        if status == "412":
            return OtherVersion(key, f"changed meanwhile in {store}")
        if status == "409":
            return NoAnswer(key or ".", f"another is changing it at this moment ({status}, {store})")
        if reason in _ASK_LATER:
            status = "429"
        if status == "400" and "uniform bucket-level access" in said:
            return StoreError(
                key or ".", f"objects of {store} have no ACL (uniform bucket-level access): leave default_acl out"
            )
        if status == "403" and (permission := _PERMISSION.search(said)):
            return Denied(key or ".", f"access denied: these credentials lack {permission[0]} ({status}, {store})")
        return refusal(key, store, status, reason, _MEANINGS.get(reason, ""), _wanted_pause(error.response))


def _told(response: Any) -> tuple[str, str]:
    """The reason and the text of a refusal: https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes."""
    try:
        told = response.json()["error"]
        reason = told["errors"][0]["reason"]
        return (reason if _REASON.fullmatch(reason) else ""), str(told["message"])
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        # Not in this form are the answers to downloads, and those of gateways.
        return "", str(getattr(response, "text", ""))[:_LONGEST_TEXT]


def _wanted_pause(response: Any) -> float:
    """The seconds of ``Retry-After``, RFC 9110 section 10.2.3, 0 if it tells none."""
    told = getattr(response, "headers", {}).get("Retry-After", "")
    return float(told) if _SECONDS.fullmatch(told) else 0.0


def no_bucket(key: str, store: str) -> StoreError:
    """There is no such bucket."""
    return StoreError(key or ".", f"there is no such bucket; make it first, or check the name ({store})")


class GoogleConnection(Connection):
    """What asks Google's client, and remembers the generations of small objects."""

    def __init__(self, service: Service, limits: Limits) -> None:
        super().__init__(service, limits)
        self._sessions: dict[int, Session] = {}

    @property
    def retries_of_reading(self) -> int:
        return self._limits.retries

    def ask(self, key: str, function: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
        """What ``function`` gives, asked again after no answer. Raises `StoreError` as `Engine.fault` says it."""
        limits = self._limits
        end = time.monotonic() + limits.total
        pause = _FIRST_PAUSE
        for left in range(limits.retries, -1, -1):
            try:
                return self.ask_once(key, function, *arguments, **options)
            except NoAnswer:
                # Not all at once again, if many were turned away at once.
                wait = pause * (0.5 + random.random())  # noqa: S311
                if not left or time.monotonic() + wait >= end:
                    raise
                time.sleep(wait)
                pause = min(2 * pause, _LONGEST_PAUSE)
        raise AssertionError

    def _made(self, module: Any, headers: Mapping[str, str], limits: Limits) -> Any:
        return self._service.client(module, headers, limits)

    def chunk_retry(self, key: str) -> Any:
        """How the client repeats a request of a large upload, each within the time limit, however often."""
        engine: Engine = self.module

        def again(error: Exception) -> bool:
            return isinstance(error, engine.errors) and isinstance(engine.fault(error, key, ""), NoAnswer)

        delayed = engine.retry.with_delay(initial=_FIRST_PAUSE, maximum=_LONGEST_PAUSE, multiplier=2.0)
        return delayed.with_predicate(again).with_timeout(self._limits.total)

    def ask_once(self, key: str, function: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
        """The same, without asking again."""
        engine: Engine = self.module
        try:
            return function(*arguments, **options)
        except StoreError:
            raise
        except engine.errors as error:
            told = engine.fault(error, key, self._service.name)
            engine.hang_up()
            raise told from None

    def _open(self) -> Session:
        # What a parent has open is left to it. Of several threads that open one at once all use the first: a session
        # that is let go of closes its client.
        process = os.getpid()
        session = self._sessions.get(process)
        if session is None:
            session = Session(Engine(self._service.extra), None)
            weakref.finalize(session, _close, session.clients).atexit = False
            session = self._sessions.setdefault(process, session)
        return session


def _close(clients: Mapping[Any, Any]) -> None:
    for client in clients.values():
        client.close()
