"""CloudFront: invalidations, by path or by tag, with AWS's own credentials.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/invalidation-specifying-objects.html and
https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateInvalidation.html

Whether an invalidation was made is not known if its answer is lost. It is asked for again under the same
CallerReference, and is then the same one: the reference names its content too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from typing import Any
from urllib.parse import quote, unquote_to_bytes, urlsplit

from ..errors import ConfigError, PurgeError, printable
from .asking import check_api, check_installed
from .batches import Done, Refused, check_left, each_batch, halved, sliced
from .patience import Patience, check_limit
from .purger import Purged

_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_REGION = re.compile(r"[0-9A-Za-z-]{1,64}")
_PATHS = 1000
"""Paths in a request. 3,000 may be in progress for a distribution, also those that others have asked for."""
_LONGEST = 4000
_LONGEST_TAG = 256
# RFC 1738, 2.2, with what is not ASCII or cannot be seen: "URL-encode those characters. Do not URL-encode any other".
_UNSAFE = frozenset(b' <>"#%{}|\\^~[]`') | frozenset(range(0x21)) | frozenset(range(0x7F, 0x100))
# To undo these would make another path of it, or one that the service reads otherwise.
_KEPT = frozenset(b"/?*")
_ESCAPED = re.compile(r"%([0-9A-Fa-f]{2})")
_AGAIN = frozenset({
    "InternalError", "InternalFailure", "RequestLimitExceeded", "RequestTimeout", "RequestTimeoutException",
    "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException",
})  # fmt: skip
_FULL = "TooManyInvalidationsInProgress"
_TAKES_A_WHILE = 5.0
"""Seconds until it is worth asking whether others are done, at least."""


@dataclass(frozen=True)
class CloudFront:
    """A distribution. Credentials come from the environment, a profile of AWS's tools, or the role of the machine or
    container; they need ``cloudfront:CreateInvalidation`` for it."""

    distribution_id: str
    """The distribution: ``E`` and 13 letters and digits."""
    session_profile: str | None = None
    """The profile of AWS's tools that credentials come from. Default: ``AWS_PROFILE``."""
    region_name: str | None = None
    """The region, for distributions of the China regions: ``cn-northwest-1``. All others have one address."""
    endpoint_url: str | None = None
    """The address of the API, where it is another than AWS's."""
    time_limit: float = 120.0
    """Seconds that a purge may take, with all that is repeated. Invalidations go on by themselves and are not waited
    for, unless there are too many at a time."""

    def __post_init__(self) -> None:
        check_installed("botocore", "cloudfront", "CloudFront")
        check_limit(self.time_limit)
        if not _ID.fullmatch(self.distribution_id):
            raise ConfigError("distribution_id must be that of a distribution, such as 'E1234567890ABC'.")
        if self.region_name is not None and not _REGION.fullmatch(self.region_name):
            raise ConfigError(f"region_name {self.region_name!r} cannot be the name of a region.")
        if self.endpoint_url is not None:
            check_api(self.endpoint_url)

    def __str__(self) -> str:
        return f"cloudfront {self.distribution_id}"

    def purge(self, urls: Sequence[str], *, reference: str) -> Purged:
        """As `shipfiles.edge.purger.Purger` says, by their paths: whatever host they have, and all that CloudFront
        keeps of a path, whichever fields and cookies it was asked with."""
        paths: dict[str, list[str]] = {}
        left: dict[str, str] = {}
        for url in urls:
            for path in paths_of(url):
                if len(path) > _LONGEST:
                    left[url] = f"CloudFront takes paths of at most {_LONGEST:,} characters"
                else:
                    paths.setdefault(path, []).append(url)
        wide = any(path.endswith("*") for path in paths)
        notes = ("A name with * stands for all that begins with what is before it: more was purged",) if wide else ()
        return self._invalidate(urls, paths, left, reference, "URLs", notes)

    def purge_tags(self, tags: Sequence[str], *, reference: str) -> Purged:
        """As `shipfiles.edge.purger.PurgesTags` says. The distribution must have a CacheTagConfig with the field's
        name: without one CloudFront accepts the request and forgets nothing."""
        left = {
            tag: f"CloudFront takes tags of at most {_LONGEST_TAG} characters"
            for tag in tags
            if len(tag) > _LONGEST_TAG
        }
        items = {f"#{tag}": [tag] for tag in tags if tag not in left}
        return self._invalidate(tags, items, left, reference, "tags")

    def purge_all(self, *, reference: str) -> Purged:
        """Everything that the distribution keeps: one path, ``/*``."""
        try:
            return self._invalidate(["/*"], {"/*": ["/*"]}, {}, reference, "paths")
        except PurgeError as error:
            raise PurgeError(error.purger, error.what) from None

    def _invalidate(
        self, asked: Sequence[str], items: dict[str, list[str]], left: dict[str, str], reference: str, noun: str,
        notes: tuple[str, ...] = (),
    ) -> Purged:  # fmt: skip
        """``items`` are what CloudFront is told, each with those of what was ``asked`` that it stands for."""
        if not asked:
            return Purged()
        requests, found = 0, Done()
        if items:
            patience = Patience(self.time_limit)
            try:
                service = _Service(self, patience, reference)
            except Refused as error:
                check_left(self, asked, left | dict.fromkeys(asked, error.what), noun)
                raise
            # In order, so that the same purge has the same batches when it is tried again.
            found = each_batch(sliced(sorted(items), _PATHS), service.invalidated, patience)
            requests = service.requests
        for item, why in found.left.items():
            left |= dict.fromkeys(items[item], why)
        check_left(self, asked, left, noun)
        if found.ids:
            notes = ("CloudFront takes some seconds until all of its servers have forgotten them", *notes)
        return Purged(requests, tuple(found.ids), notes)


def paths_of(url: str) -> tuple[str, ...]:
    """What CloudFront is told of ``url``: its path with the query, as RFC 1738 would write it; and as it is asked for,
    where that differs in characters which need no percent sign. What is behind a ``*`` is left to it."""
    parts = urlsplit(url)
    asked = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
    asked = asked if asked.startswith("/") else f"/{asked}"
    least = _ESCAPED.sub(_undone, asked)
    written = (_escaped(least), _escaped(asked))
    return tuple(dict.fromkeys(path[: path.index("*") + 1] if "*" in path else path for path in written))


def _undone(match: re.Match[str]) -> str:
    (byte,) = unquote_to_bytes(match[0])
    return match[0].upper() if byte in _UNSAFE or byte in _KEPT else chr(byte)


def _escaped(text: str) -> str:
    """``text`` with percent signs for what is unsafe; those that there are stay."""
    return "".join(
        char if char == "%" or (char.isascii() and ord(char) not in _UNSAFE)
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )  # fmt: skip


class _Service:
    """The API, for one purge."""

    def __init__(self, purger: CloudFront, patience: Patience, reference: str) -> None:
        self.requests = 0
        self._purger = purger
        self._patience = patience
        self._reference = reference
        self._errors: Any = import_module("botocore.exceptions")
        self._unreadable: Any = import_module("botocore.parsers").ResponseParserError
        session, config = import_module("botocore.session"), import_module("botocore.config")
        try:
            own = session.Session(profile=purger.session_profile)
            credentials = own.get_credentials()
            known = credentials.get_frozen_credentials() if credentials is not None else ()
            # In errors AWS tells the headers that were signed, and a token is among them.
            self._secrets = [secret for secret in known[:3] if secret]
            # Repeated here, within one time limit.
            self._client: Any = own.create_client(
                "cloudfront", region_name=purger.region_name or "us-east-1", endpoint_url=purger.endpoint_url,
                config=config.Config(
                    connect_timeout=min(5.0, purger.time_limit), read_timeout=min(30.0, purger.time_limit),
                    retries={"total_max_attempts": 1}, user_agent_extra="shipfiles",
                ),
            )  # fmt: skip
        except (self._errors.BotoCoreError, ValueError) as error:
            raise Refused(_words(error), for_all=True) from None

    def invalidated(self, batch: Sequence[str]) -> Done:
        """What comes of one batch."""
        return halved(batch, self._invalidated)

    def _invalidated(self, items: Sequence[str]) -> Done:
        # The same content under the same reference is the same invalidation; another content under it is refused.
        content = sha256("\n".join(items).encode()).hexdigest()[:16]
        batch = {
            "Paths": {"Quantity": len(items), "Items": [*items]},
            "CallerReference": f"{self._reference}-{content}",
        }
        answer = self._asked(
            lambda: self._client.create_invalidation(
                DistributionId=self._purger.distribution_id, InvalidationBatch=batch
            )
        )
        name = (answer.get("Invalidation") or {}).get("Id")
        return Done(ids=[printable(name)] if isinstance(name, str) else [])

    def _asked(self, ask: Callable[[], Any]) -> Any:
        errors, attempt = self._errors, 0
        while True:
            attempt += 1
            asked: float | None = None
            self.requests += 1
            try:
                return ask()
            except errors.ClientError as error:
                code = str(error.response.get("Error", {}).get("Code", ""))
                status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
                text = str(error.response.get("Error", {}).get("Message", ""))
                if _is_known(code, text):
                    return {}
                what = f"CloudFront answered {status} {printable(code)}: {self._hidden(text)}"
                if code == "AccessDenied":
                    what += ". The credentials must allow cloudfront:CreateInvalidation for this distribution"
                if code == _FULL:
                    asked = _TAKES_A_WHILE * 1.5 ** min(attempt - 1, 4)
                elif code not in _AGAIN and status < 500 and status != 429:
                    mends = code in ("InvalidArgument", "BatchTooLarge")
                    raise Refused(what, status=400 if mends else status, for_all=not mends) from None
            except (errors.ConnectionError, errors.HTTPClientError, self._unreadable) as error:
                what = _words(error)
                if isinstance(error, errors.SSLError):
                    raise Refused(what, for_all=True) from None
            except errors.BotoCoreError as error:
                raise Refused(_words(error), for_all=True) from None
            if not self._patience.wait(attempt, asked):
                raise Refused(f"{what}, {attempt} times" if attempt > 1 else what, for_all=True)

    def _hidden(self, text: str) -> str:
        for secret in self._secrets:
            for form in (secret, quote(secret, safe="")):
                text = text.replace(form, "...")
        return printable(" ".join(text.split())[:300])


def _is_known(code: str, text: str) -> bool:
    """Whether it says that there was a request with this reference: one with this content, since it names that."""
    return code == "InvalidationBatchAlreadyExists" or (
        code == "InvalidArgument" and "caller reference" in text.lower()
    )


_WORDS = {
    "NoCredentialsError": "there are no AWS credentials: no profile, no AWS_ACCESS_KEY_ID, no role",
    "PartialCredentialsError": "the AWS credentials are not complete",
    "CredentialRetrievalError": "the AWS credentials cannot be had where the profile says",
    "ProfileNotFound": "the profile of AWS's tools is not in their files",
    "ConfigParseError": "the files of AWS's tools cannot be read",
    "EndpointConnectionError": "CloudFront's API cannot be reached",
    "ConnectTimeoutError": "CloudFront's API cannot be reached",
    "ReadTimeoutError": "CloudFront's API did not answer in time",
    "ProxyConnectionError": "the proxy on the way to CloudFront's API cannot be reached",
    "SSLError": "CloudFront's API has no certificate that can be trusted",
    "ConnectionClosedError": "CloudFront's API broke off",
    "ResponseParserError": "what answered is not CloudFront's API",
}


def _words(error: Exception) -> str:
    """What ``error`` means. Its own text may name what is nobody's business, such as the address of a proxy."""
    for kind in type(error).__mro__:
        if kind.__name__ in _WORDS:
            return _WORDS[kind.__name__]
    return f"botocore could not ask CloudFront ({type(error).__name__})"
