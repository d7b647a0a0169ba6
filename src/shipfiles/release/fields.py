"""The header fields that an object gets: those with which the file is served, as far as an object can hold them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ..config import ServeConfig
from ..digest import digest_bytes, hex_prefix
from ..http.headers import file_headers
from ..stores.object_fields import held, is_held
from .items import Item

Fields = Callable[[Item], Mapping[str, str]]
"""What says with which header fields an object is answered, for who puts it."""


def fields_of(item: Item, config: ServeConfig) -> dict[str, str]:
    """What the object under the key of ``item`` is answered with, by the options for serving.

    A compressed variant under a name of its own (``app.css.br``) gets the type of the file itself, and its coding as
    Content-Encoding (RFC 9110 section 8.4: the type is that of the decoded bytes): a browser that asks for it has the
    style sheet, and so has one for which a function of the CDN has put that name in the place of ``app.css``.

    What `file_headers` says besides no object can hold: an ETag of ours, Vary, who may use the file. Those are for the
    bucket's or the CDN's own rules; see `not_held` for what the project has asked for.
    """
    return held(file_headers(item.logical, item.media_type, config, immutable=item.hashed, coding=item.coding or None))


def options_id(config: ServeConfig) -> str:
    """Stands for what of the options `fields_of` heeds: another where an object may get other fields."""
    heeded = (
        config.max_age, config.immutable_max_age, config.charset, sorted(config.default_headers.items()),
        [(pattern, sorted(fields.items(), key=str)) for pattern, fields in config.headers.items()],
    )  # fmt: skip
    return hex_prefix(digest_bytes(repr(heeded).encode()), 16)


def not_held(config: ServeConfig) -> list[str]:
    """What the options say of files that objects cannot be answered with, sorted: names of header fields, and options.

    For a notice, or a check. Left out are fields that a rule takes away, which no object has anyway, and those of
    ``default_headers``, which nobody need have asked for.
    """
    given = ((name, value) for fields in config.headers.values() for name, value in fields.items())
    found = {name.title() for name, value in given if value and not is_held(name, value)}
    if config.release_header:
        found.add(config.release_header.title())
    return sorted(found) + (["serve.add_headers"] if config.add_headers else [])


by_default: Fields = partial(fields_of, config=ServeConfig())
"""What an object gets of those who know no options: a copy of a hashed name's would be kept for ever without."""
