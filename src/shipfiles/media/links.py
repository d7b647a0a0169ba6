"""Our own signed URLs, for stores that nobody asks but the application: local disk, memory, a server over SSH.

A link is the URL of the file and a query that `signed_query` makes. `check_link` takes it if nothing of it was
altered: path, time, method, and the Content-Disposition and Content-Type of the answer are all under one HMAC-SHA256
(RFC 2104). Parameters of others, such as those that newsletters add, are neither bound nor looked at. Each storage has
a key of its own (`key_for`), so that a link opens the file of the storage that made it, and none of another's that has
the same path.

nginx checks links itself, without the application, if `secure_link_query` made them. Its module knows no HMAC and no
other parts: such a link binds the path and the time, with MD5 and the key at the end. ``docs/media.md`` has the
configuration.
https://nginx.org/en/docs/http/ngx_http_secure_link_module.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Literal
from urllib.parse import parse_qsl, quote

from ..errors import ConfigError, LinkRefused
from ..stores.store import Grant

_KEY_FORM = "shipfiles link key 1"
_FORM = "shipfiles link 1"  # changed with what is signed, so that no link of one form is one of another
_NAMES = ("expires", "content_disposition", "content_type", "method", "signature")
_LONGEST = 8192
_MOST = 64  # parameters, those of others included
_METHODS: dict[str, Literal["GET", "HEAD", "PUT", "DELETE"]] = {
    "GET": "GET", "HEAD": "HEAD", "PUT": "PUT", "DELETE": "DELETE"
}  # fmt: skip
_TIME = re.compile(r"[1-9][0-9]{0,11}", re.ASCII)
_IN_KEY = re.compile(r"[\x21-\x7e]+")


def key_for(secret: bytes, *names: str) -> bytes:
    """The key of one storage, made of a ``secret`` that several may have, and of the ``names`` that it has for all
    instances of the site alike.
    """
    text = "\n".join((_KEY_FORM, *(quote(name, errors="surrogatepass") for name in names)))
    return hmac.digest(secret, text.encode(), "sha256")


def signed_query(path: str, grant: Grant, key: bytes) -> str:
    """The query, without ``?``, with which a URL allows what ``grant`` does. ``path`` is the URL's, not yet quoted.

    Raises `ConfigError` without a ``key``.
    """
    if not key:
        raise ConfigError("Nothing can be signed with an empty key.")
    parts = [f"expires={grant.expires}"]
    if grant.content_disposition:
        parts.append(f"content_disposition={quote(grant.content_disposition, safe='')}")
    if grant.content_type:
        parts.append(f"content_type={quote(grant.content_type, safe='')}")
    if grant.method != "GET":
        parts.append(f"method={grant.method}")
    parts.append(f"signature={_signature(path, grant, key)}")
    return "&".join(parts)


def check_link(path: str, query: str, method: str, keys: Sequence[bytes], now: float) -> Grant:
    """What a link allows, if it allows ``method`` ``now``; ``path`` is the URL's, no longer quoted.

    A link that was made for GET is good for HEAD. Of several ``keys`` any may have signed it, so that a new one can
    take the place of another. The time at which it was signed is not in it: ``starts`` is 0. Raises `LinkRefused`.
    """
    given = _parameters(query)
    if _TIME.fullmatch(given["expires"]) is None or given["method"] not in _METHODS:
        raise _unsigned()
    grant = Grant(
        int(given["expires"]), 0, _METHODS[given["method"]], given["content_disposition"], given["content_type"]
    )
    signature = given["signature"].encode("utf-8", "replace")
    # Every key is tried, so that the time that it takes does not say which.
    good = [hmac.compare_digest(_signature(path, grant, key).encode(), signature) for key in keys if key]
    if not any(good):
        raise _unsigned()
    if method != grant.method and (method, grant.method) != ("HEAD", "GET"):
        raise LinkRefused(f"This link is for {grant.method}, not for another method.")
    if now >= grant.expires:
        raise LinkRefused("This link has expired. Ask for a new one where it came from.", expired=True)
    return grant


def secure_link_query(path: str, grant: Grant, key: str) -> str:
    """The same for nginx's ``secure_link`` module; ``path`` is nginx's ``$uri``: the URL's, not yet quoted.

    It is good for GET and HEAD. Raises `ConfigError` if ``grant`` asks for what the module cannot bind, and for a
    ``key`` that cannot stand in nginx's configuration.
    """
    if grant.content_disposition or grant.content_type:
        raise ConfigError(
            "nginx's secure_link binds a path and a time, no Content-Disposition and no Content-Type: leave "
            "secure_link off for URLs that say them, and have the application check them."
        )
    if grant.method not in ("GET", "HEAD"):
        raise ConfigError(f"nginx's secure_link is for GET and HEAD, not {grant.method}.")
    digest = hashlib.md5(
        f"{grant.expires}{path} {checked_secure_link_key(key)}".encode(), usedforsecurity=False
    ).digest()
    return f"md5={urlsafe_b64encode(digest).decode().rstrip('=')}&expires={grant.expires}"


def checked_secure_link_key(key: str) -> str:
    """``key`` if it can stand in nginx's configuration. Raises `ConfigError`, which does not show it."""
    if not _IN_KEY.fullmatch(key) or set(key) & set("\"'\\$;{}"):
        raise ConfigError(
            "The key of nginx's secure_link must be visible ASCII without quotes, backslash, dollar sign, semicolon "
            "and braces, which mean something in nginx's configuration."
        )
    return key


def _signature(path: str, grant: Grant, key: bytes) -> str:
    # Quoted: no part can hold a newline, so that what is signed is not the same for other parts.
    texts = (path, grant.content_disposition, grant.content_type)
    parts = (_FORM, grant.method, str(grant.expires), *(quote(text, errors="surrogatepass") for text in texts))
    return urlsafe_b64encode(hmac.digest(key, "\n".join(parts).encode(), "sha256")).decode().rstrip("=")


def _parameters(query: str) -> dict[str, str]:
    """Those that are ours. Raises `LinkRefused` for a query that ours cannot be found in beyond doubt."""
    if len(query) > _LONGEST:
        raise _unsigned()
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MOST)
    except ValueError:
        raise _unsigned() from None
    given = {name: value for name, value in pairs if name in _NAMES}
    if len(given) != sum(name in _NAMES for name, _ in pairs) or not given.keys() >= {"expires", "signature"}:
        raise _unsigned()
    return {"content_disposition": "", "content_type": "", "method": "GET"} | given


def _unsigned() -> LinkRefused:
    return LinkRefused("This link was not signed here, or it was altered.")
