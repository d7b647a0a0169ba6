"""The headers of a file: the one place from which they come, in whatever way the file is served."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from ..config import ServeConfig
from ..digest import Digest
from ..header_rules import fields_for
from ..media_types import content_type, is_packed
from .tags import tags_of

Header = tuple[str, str]

ALLOWED_METHODS = "GET, HEAD, OPTIONS"

# RFC 9110 section 15.4.5 names what a 304 repeats: Cache-Control, ETag and Vary, and no more of the file's metadata.
# All else says who may use the file and how. A cache takes that from the 304 (RFC 9111 section 3.2), and so learns of
# other options though the file is the same; and a script of another origin reads the answer only with its CORS field.
_NOT_REPEATED_IN_304 = frozenset({
    "accept-ranges", "content-disposition", "content-encoding", "content-language", "content-type", "last-modified",
    "x-content-type-options",
})  # fmt: skip


def file_headers(
    logical: str,
    media_type: str,
    config: ServeConfig,
    *,
    immutable: bool,
    coding: str | None = None,
    varies: bool = False,
    digest: Digest | None = None,
) -> tuple[Header, ...]:
    """The header fields of one representation of the file ``logical``, without what depends on the request or the disk.

    ``immutable`` says whether the name stands for these bytes for ever; ``coding`` is the content coding, ``None`` for
    identity; ``varies`` whether the file has other codings than this one, so that a cache must tell them apart (RFC
    9110 section 12.5.5: on identity too); ``digest`` is that of exactly these bytes and gives the ETag.
    """
    headers = [("Content-Type", content_type(media_type, config.charset))]
    if coding is not None or is_packed(logical):
        # A packed file has no other representation, so it is sent as it is to those too who cannot unpack it.
        headers.append(("Content-Encoding", coding or "gzip"))
    headers.append(("Cache-Control", cache_control(logical, config, immutable=immutable)))
    if digest is not None:
        headers.append(("ETag", entity_tag(digest)))
    if varies:
        headers.append(("Vary", "Accept-Encoding"))
    headers.append(("Accept-Ranges", "bytes"))
    headers.extend(cross_origin_headers(config))
    # Fetch section 3.5: a browser shall not take a text for a script or a style sheet.
    headers.append(("X-Content-Type-Options", "nosniff"))
    if config.cache_tags:
        between = " " if config.cache_tags == "Surrogate-Key" else ","
        headers.append((config.cache_tags, between.join(tags_of(logical, immutable=immutable))))
    return checked(_ruled(headers, logical, config, immutable=immutable))


# RFC 9110 section 5.5: these end a field, or no server can write them.
_UNSAFE = re.compile("[\r\n\0]|[^\0-\xff]")


def checked(headers: tuple[Header, ...]) -> tuple[Header, ...]:
    """``headers``, none of which can add another one to the answer. Raises ``ValueError``.

    The last look before they are sent: whatever says what is in them has its own checks.
    """
    for name, value in headers:
        if _UNSAFE.search(name) or _UNSAFE.search(value):
            raise ValueError(f"A header that cannot be sent: {name!r}: {value!r}.")
    return headers


def _ruled(headers: list[Header], logical: str, config: ServeConfig, *, immutable: bool) -> tuple[Header, ...]:
    """``headers`` as the options have them for the file ``logical``."""
    fields = _fields(logical, config)
    if immutable:
        # The name stands for these bytes whatever anybody says.
        fields.pop("cache-control", None)
    ruled = []
    for name, value in headers:
        _, given = fields.pop(name.lower(), (name, value))
        if given is not None:
            ruled.append((name, given))
    return (*ruled, *((name, value) for name, value in fields.values() if value is not None))


def _fields(logical: str, config: ServeConfig) -> dict[str, tuple[str, str | None]]:
    """What the options say of the file ``logical``: name in lower case → name as written, value."""
    if not config.headers and not config.default_headers:
        return {}
    return fields_for((("*", config.default_headers), *config.headers.items()), logical)


def cache_control(logical: str, config: ServeConfig, *, immutable: bool) -> str:
    """Cache-Control of the file ``logical``: RFC 9111 section 5.2.2, and RFC 8246 for ``immutable``."""
    if immutable:
        return immutable_cache_control(config)
    # "no-cache" says in one word what a lifetime of nothing means: keep it, but ask each time.
    # And a page that answers everywhere names the files of one release: it is asked for anew on each visit.
    return f"max-age={config.max_age}, public" if config.max_age and logical != config.single_page else "no-cache"


def immutable_cache_control(config: ServeConfig) -> str:
    """Cache-Control of what stands for the same bytes for ever."""
    return f"max-age={config.immutable_max_age}, public, immutable"


def entity_tag(digest: Digest) -> str:
    """A strong entity tag (RFC 9110 section 8.8.3) from the first 144 bits of ``digest``: the same on every machine."""
    return f'"{digest[7:31]}"'


def cross_origin_headers(config: ServeConfig) -> tuple[Header, ...]:
    """What lets pages of other origins use the file."""
    return (("Access-Control-Allow-Origin", "*"),) if config.allow_all_origins else ()


# Longer ones have what a client wrote, a query for one, and there is no end of those. Characters of values.
_LONGEST_REMEMBERED = 2048


def encoded(headers: tuple[Header, ...]) -> tuple[tuple[bytes, bytes], ...]:
    """Headers as ASGI wants them: names in lower case, all of it bytes. Raises ``ValueError`` as `checked`."""
    is_short = sum([len(value) for _, value in headers]) <= _LONGEST_REMEMBERED
    return _remembered(headers) if is_short else _encoded(headers)


def _encoded(headers: tuple[Header, ...]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.lower().encode("ascii"), value.encode("latin-1")) for name, value in checked(headers))


_remembered = lru_cache(maxsize=1024)(_encoded)


def not_modified_headers(headers: Iterable[Header]) -> list[Header]:
    """Those of a file's headers that a 304 carries: RFC 9110 section 15.4.5."""
    return [header for header in headers if header[0].lower() not in _NOT_REPEATED_IN_304]


def other_headers(config: ServeConfig) -> list[Header]:
    """The headers of an answer that is no file: nobody shall keep it, because the next release may change it."""
    return [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Cache-Control", "no-store"),
        *cross_origin_headers(config),
        ("X-Content-Type-Options", "nosniff"),
    ]


def options_headers(logical: str, config: ServeConfig) -> list[Header]:
    """The headers of the answer to OPTIONS: RFC 9110 section 9.3.7, and a CORS preflight (Fetch section 4.8).

    200 with a length of 0 rather than 204, which must not have a length (RFC 9110 section 8.6). Any request header may
    come from any origin: the files are public, and ``*`` never covers credentials.
    """
    field = "Access-Control-Allow-Origin"
    headers = [header for header in other_headers(config) if header[0] != field]
    headers += [("Allow", ALLOWED_METHODS), ("Content-Length", "0")]
    _, origin = _fields(logical, config).get(field.lower(), (field, "*" if config.allow_all_origins else None))
    if origin is not None:
        headers += [
            (field, origin),
            ("Access-Control-Allow-Methods", ALLOWED_METHODS),
            ("Access-Control-Allow-Headers", "*"),
        ]
    return headers
