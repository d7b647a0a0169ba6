"""What an object store's refusals mean.

The text that obstore gives holds the address, the answer and sometimes what the store made of a signature; of all that
only the status, the code and the kind of failure are read, so that no credential comes into an error of ours.
"""

from __future__ import annotations

import re

from ..errors import BadCredentials, Busy, Denied, KeyExists, KeyNotFound, NoAnswer, StoreError, printable

_STATUS = re.compile(r"\bstatus: (\d{3})\b|\bstatus code: (\d{3})\b|code: \"(\d{3})\"")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>|\(code: ([A-Za-z]\w{0,63})\)")
_KIND = re.compile(r"\bkind: (Timeout|Connect|Decode|Request|Interrupted)\b")
# Where the roles of machines, containers and services are asked for, which is the last that is tried for credentials.
_ROLES = re.compile(
    r"//(?:169\.254\.|sts\.[\w.-]*amazonaws\.|[^/\s]+/(?:latest/(?:api/token|meta-data/iam)|metadata/identity/oauth2))"
)
_BAD_NAME = re.compile(r'Path "(?P<name>[^"\n]{1,1024})"(?: contained|: Encountered)')

_NO_CONTAINER = frozenset({"NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"})
_DENIED = frozenset({
    "AccessDenied", "AllAccessDisabled", "AuthorizationFailure", "AuthorizationPermissionMismatch",
    "InsufficientAccountPermissions",
})  # fmt: skip
_UNKNOWN = frozenset({
    "AuthenticationFailed", "ExpiredToken", "InvalidAccessKeyId", "InvalidToken", "SignatureDoesNotMatch",
})  # fmt: skip
_MEANINGS = {
    "AccessControlListNotSupported": "objects of this bucket have no ACL: leave default_acl out",
    "AccessDenied": "access denied: these credentials may not do that there",
    "AccountProblem": "the store says that there is a problem with the account",
    "AllAccessDisabled": "access denied: the store has disabled all access to this bucket",
    "AuthenticationFailed": "access denied: the store does not accept the signature. Is the account's key right?",
    "AuthorizationFailure": "access denied: these credentials may not do that there",
    "AuthorizationHeaderMalformed": "the store does not accept the signature: the bucket is in another region. Set "
    "region_name to its own",
    "AuthorizationPermissionMismatch": "access denied: these credentials may not do that there",
    "BadDigest": "the bytes that arrived are not those that were sent; run again",
    "ContainerNotFound": "there is no such container; make it first",
    "EntityTooLarge": "it is larger than the store takes",
    "ExpiredToken": "access denied: the credentials have expired",
    "InvalidAccessKeyId": "access denied: the store does not know this access key",
    "InvalidBucketName": "that cannot be the name of a bucket",
    "InvalidDigest": "the bytes that arrived are not those that were sent; run again",
    "InvalidToken": "access denied: the store does not accept the security token",
    "InsufficientAccountPermissions": "access denied: these credentials may not do that there",
    "InternalError": "the store has an error of its own",
    "KeyTooLongError": "the name is too long for the store; shorten it",
    "NoSuchBucket": "there is no such bucket; make it first, or check the name and the region",
    "NoSuchUpload": "the store has lost the upload; run again",
    "NotImplemented": "the store cannot do that",
    "OperationAborted": "another is changing it at this moment",
    "PermanentRedirect": "the bucket is in another region. Set region_name, or endpoint_url, to its own",
    "QuotaExceeded": "the store's quota is used up",
    "RequestTimeTooSkewed": "this machine's clock is too far from the store's: set it right (NTP), and run again",
    "RequestTimeout": "the store has waited too long for the body",
    "ServiceUnavailable": "the store is not available",
    "SignatureDoesNotMatch": "access denied: the store does not accept the signature. Is the secret key right, and "
    "region_name?",
    "SlowDown": "the store asks for fewer requests at once",
    "ServerBusy": "the store asks for fewer requests at once",
    "XAmzContentSHA256Mismatch": "the bytes that arrived are not those that were sent; run again",
}
# It was turned away for that, and may be taken later.
_FEWER = frozenset({"SlowDown", "SlowDownRead", "SlowDownWrite", "ServerBusy", "TooManyRequests"})
# Nothing was done, for a reason that passes.
_PASSING = frozenset({"BadDigest", "NoSuchUpload", "OperationAborted", "RequestTimeout", "XAmzContentSHA256Mismatch"})
# Of the server's errors, those that stay: it cannot do it at all, or is full.
_STAYS = frozenset({"501", "505", "507"})
_OF_STATUS = {
    "301": _MEANINGS["PermanentRedirect"],
    "307": _MEANINGS["PermanentRedirect"],
    "401": "access denied: the store does not accept these credentials",
    "403": "access denied: by wrong credentials, or to what they may not do. Where one may not list, a store says so "
    "of a key that is not there, too",
    "404": "the store does not find it",
    "408": "the store has waited too long for the body",
    "413": "it is larger than the store takes",
    "416": "it does not have so many bytes",
    "429": _MEANINGS["SlowDown"],
    "500": _MEANINGS["InternalError"],
    "502": "a gateway before the store does not reach it",
    "503": _MEANINGS["ServiceUnavailable"],
    "504": "a gateway before the store has waited too long",
}
# What stands before a connection, as the libraries below obstore name it.
_NO_CONNECTION = {
    "dns error": "there is no host of that name, or this machine's name server does not answer. Is endpoint_url right?",
    "InvalidCertificate": "its certificate is not trusted here, has expired or is another host's. The option verify "
    "can name a file of certificates to trust",
    "InvalidContentType": "it does not answer with TLS there. Should endpoint_url begin with http://?",
    "ConnectionRefused": "nobody listens there. Is endpoint_url right, and the store running?",
}
_OF_KIND = {
    "Timeout": "the store did not answer in time",
    "Connect": "the store cannot be reached",
    "Request": "the connection to the store broke",
    "Decode": "the connection to the store broke",
    "Interrupted": "the connection to the store broke",
}


_WAYS = {
    "s3": "Give the options access_key and secret_key, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the "
    "environment",
    "az": "Give the option account_key, sas_token, connection_string or token_credential",
}
"""By the scheme of a store's name, where its credentials can be given."""
OWN_OPTIONS = "each store of publish.to has options of its own, endpoint_url too"


class OtherVersion(StoreError):
    """What was to be replaced is not there any more."""


class BeyondEnd(StoreError):
    """There are no bytes where a part was to begin."""


class _NoRole(NoAnswer, BadCredentials):
    """Nobody answers who would give the credentials of a role."""


class Unheard(NoAnswer):
    """No answer came, though the store was reached."""


def fault(error: BaseException, key: str, store: str) -> StoreError:
    """The error of ours for what obstore raised when the ``store`` was asked about ``key``."""
    text, name = str(error), type(error).__name__
    code = next(filter(None, found.groups()), "") if (found := _CODE.search(text)) else ""
    if code in _NO_CONTAINER:
        return StoreError(key, f"{_MEANINGS.get(code, 'the container is being deleted')} ({code}, {store})")
    status = _status(text)
    kinds = _KIND.findall(text)
    if _ROLES.search(text):
        made = _NoRole if kinds or _passes(status, code) else BadCredentials
        return made(key or ".", f"no credentials for {store} are found, and no role of this machine. {_ways(store)}")
    if isinstance(error, FileNotFoundError) and code != "NoSuchUpload":
        return KeyNotFound(key)
    if name == "AlreadyExistsError" and code != "OperationAborted":
        return KeyExists(key)
    if name == "PreconditionError":
        return OtherVersion(key, f"changed meanwhile in {store}")
    if name == "InvalidPathError" and (bad := _BAD_NAME.search(text)):
        return StoreError(
            key or ".",
            f"{store} holds an object named {printable(bad['name'])!r}, with an empty part or a character that no file "
            "can have: remove it, or use another location",
        )
    if "redirect without LOCATION" in text:  # so S3 answers, and obstore says it without the status
        code = "PermanentRedirect"
    kind = "Timeout" if "Timeout" in kinds else next(iter(kinds), "")
    if meaning := _MEANINGS.get(code) or _OF_STATUS.get(status):
        return refusal(key, store, status, code, meaning)
    if kind == "Connect":
        why = next((f": {meaning}" for name, meaning in _NO_CONNECTION.items() if name in text), "")
        return NoAnswer(key or ".", f"{_OF_KIND[kind]}{why} ({store})")
    if kind:
        return broken(key, store, kind)
    if "redential" in text or name == "UnauthenticatedError":
        return BadCredentials(
            key or ".", f"no credentials for {store} are found, or none that are accepted. {_ways(store)}"
        )
    said = " ".join(filter(None, (status, code))) or name
    return StoreError(key or ".", f"the store refused ({said}, {store})")


def _status(text: str) -> str:
    """The status that the store has answered with, empty if it has not."""
    if "StartTooLarge {" in text:  # obstore says so of an answer with no bytes
        return "416"
    return next(filter(None, match.groups()), "") if (match := _STATUS.search(text)) else ""


def _ways(store: str) -> str:
    """How to give credentials for ``store``."""
    return f"{_WAYS[store.partition(':')[0]]}; {OWN_OPTIONS}"


def no_such_place(key: str, store: str) -> StoreError:
    """The error for a put that was answered with 404, though there need be nothing under ``key``."""
    like = "S3" if store.startswith("s3:") else "Azure Blob"
    return StoreError(
        key, f"what is put there is answered with 404: this does not answer as {like} does. Is endpoint_url right? "
        f"({store})"
    )  # fmt: skip


def refusal(key: str, store: str, status: str, code: str = "", meaning: str = "", after: float = 0.0) -> StoreError:
    """The error for an answer with a ``status``, and a ``code`` if the store has given one.

    `Busy` if it asks for fewer requests, for ``after`` seconds; `NoAnswer` if it says nothing about what was asked;
    `BadCredentials` if it does not know who asks; `Denied` if who asks may not.
    Default of ``meaning``: the status's.
    """
    told = " ".join(filter(None, (status, code)))
    what = f"{meaning or _OF_STATUS.get(status, 'the store refused')} ({told}, {store})"
    if status in ("429", "503") or code in _FEWER:
        return Busy(key or ".", what, after=after)
    if _passes(status, code):
        return NoAnswer(key or ".", what)
    if code in _UNKNOWN or status == "401":
        return BadCredentials(key or ".", what)
    if status == "416":  # RFC 9110 section 15.5.17
        return BeyondEnd(key or ".", what)
    denied = code in _DENIED or (status == "403" and meaning in ("", _OF_STATUS["403"]))
    return (Denied if denied else StoreError)(key or ".", what)


def _passes(status: str, code: str) -> bool:
    """Whether the same request may succeed later."""
    if status[:1] == "5":
        return status not in _STAYS
    return status in ("408", "429") or code in _PASSING or code in _FEWER


def broken(key: str, store: str, kind: str) -> NoAnswer:
    """The error where no answer came: ``Timeout``, ``Connect``, ``Request``."""
    return (NoAnswer if kind == "Connect" else Unheard)(key or ".", f"{_OF_KIND[kind]} ({store})")
