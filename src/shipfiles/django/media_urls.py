"""What URLs of media files are asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Literal, TypeAlias, cast

from ..media.config import MediaConfig, SafetyConfig
from ..media.expiry import grant
from ..media.safety import attachment, checked_disposition, checked_type, is_shown, media_type_of
from ..stores.store import Grant

Method: TypeAlias = Literal["GET", "HEAD", "PUT", "DELETE"]
_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_DISPOSITION = ("content_disposition", "ResponseContentDisposition", "response_disposition")
_TYPE = ("content_type", "ResponseContentType", "response_type")
_KNOWN = frozenset({*_DISPOSITION, *_TYPE})


def granted(
    config: MediaConfig,
    key: str,
    parameters: Mapping[str, str],
    expire: float | timedelta | None,
    http_method: str | None,
) -> Grant:
    """What a signed URL of ``key`` is to allow, in the words of django-storages' ``url()``.

    Raises ``ValueError`` for what no signed URL can say, and for what would run scripts of an upload.
    """
    if unknown := sorted(parameters.keys() - _KNOWN):
        raise ValueError(f"{unknown[0]!r} is no parameter of a signed URL: {', '.join(sorted(_KNOWN))} are.")
    method = (http_method or "GET").upper()
    if method not in _METHODS:
        raise ValueError(f"A URL can be signed for {', '.join(sorted(_METHODS))}, not for {http_method!r}.")
    disposition = next((parameters[name] for name in _DISPOSITION if parameters.get(name)), "")
    media_type = next((parameters[name] for name in _TYPE if parameters.get(name)), "")
    if media_type:
        media_type = checked_type(media_type, disposition, config.safety)
    if disposition:
        shown = media_type or media_type_of(key, config.safety)
        disposition = checked_disposition(disposition, shown, config.safety)
    if isinstance(expire, timedelta):
        expire = expire.total_seconds()
    return grant(
        config.signed,
        time.time(),
        expire=expire,
        method=cast("Method", method),
        disposition=disposition,
        content_type=media_type,
    )


def saved_only(given: Grant, key: str, safety: SafetyConfig) -> Grant:
    """``given`` for a store that answers by itself, where what runs scripts by its name is saved instead of shown.

    The object says so, too, unless somebody else has stored it, as before a project switched.
    """
    if given.content_disposition or given.method not in ("GET", "HEAD"):
        return given
    shown = given.content_type or media_type_of(key, safety)
    return given if is_shown(shown, safety) else replace(given, content_disposition=attachment(key))
