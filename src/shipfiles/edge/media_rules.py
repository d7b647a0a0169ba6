"""How uploads are answered, for whatever server is told: the fields of `media.safety` by extension and by name, and
what no server may open.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..errors import ConfigError
from ..http.headers import Header
from ..media.config import MediaConfig
from ..media.safety import delivered_headers, media_type_of
from ..media_types import known_types
from .policy import EdgePolicy, MediaPolicy
from .words import sound

# What none of ours is called, and no extension: what it gets, all get of which nothing is known.
_UNKNOWN = "unknown"
_TYPE, _DISPOSITION = "Content-Type", "Content-Disposition"

PLAIN = r"[ !#$&-.0-\[\]-~]+"
"""Names of files that stand in ``filename`` as they are, and that `media.safety.attachment` leaves alone: printable
ASCII without what quotes or escapes there. RFC 6266 appendix D."""
CONTROL = r"[\x00-\x1f\x7f\x5c]"
"""What no name of an upload has: see `paths.path_fault`."""

Way = Literal["disk", "link", "application", "nobody"]


class Kind(NamedTuple):
    """Files that are answered alike."""

    fields: tuple[Header, ...]
    """Without Content-Type and Content-Disposition."""
    attached: bool
    """Whether browsers save them, under their name."""


class Named(NamedTuple):
    """What files get that end with one of ``ends``, or are called so."""

    kind: Kind
    content_type: str
    """Empty if `Rules.types` says it by extension."""
    ends: tuple[str, ...]
    """In lower case, extensions without their dot."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything about the files of one storage."""

    types: tuple[tuple[str, tuple[str, ...]], ...]
    """Content-Type → extensions without their dot, in lower case."""
    names: tuple[Named, ...]
    """Of files that are called so, which counts more than the extension."""
    extensions: tuple[Named, ...]
    """Of those whose kind is not ``other``."""
    other: Kind
    other_type: str


def rules(config: MediaConfig) -> Rules:
    """What the files of a storage with these options get."""
    extensions, names = known_types(config.safety.media_types)
    other, other_type = _kind(_UNKNOWN, config)
    types: dict[str, list[str]] = {}
    by_kind: dict[Kind, list[str]] = {}
    for dotted in extensions:
        end = dotted[1:]
        # No file's extension is empty or has a dot; what begins with one is in `names`.
        if not end or "." in end or "/" in end:
            continue
        kind, type_ = _kind(f"{_UNKNOWN}{dotted}", config)
        if type_ != other_type:
            types.setdefault(type_, []).append(end)
        if kind != other:
            by_kind.setdefault(kind, []).append(end)
    called: dict[tuple[Kind, str], list[str]] = {}
    for name in names:
        # Names with a dot in front are shown to nobody; those that a link opens are saved.
        if not name.startswith("."):
            called.setdefault(_kind(name, config), []).append(name)
    return Rules(
        types=tuple((type_, tuple(ends)) for type_, ends in types.items()),
        names=tuple(Named(*both, tuple(ends)) for both, ends in called.items()),
        extensions=tuple(Named(kind, "", tuple(ends)) for kind, ends in by_kind.items()),
        other=other,
        other_type=other_type,
    )


def _kind(name: str, config: MediaConfig) -> tuple[Kind, str]:
    headers = dict(delivered_headers(name, media_type_of(name, config.safety), config))
    type_, attached = headers.pop(_TYPE), headers.pop(_DISPOSITION, None) is not None
    if config.access == "signed" and not config.cache_control:
        # The application counts how long the link still works. A file that is kept longer would outlive it.
        headers["Cache-Control"] = "private, no-cache"
    return Kind(tuple(headers.items()), attached), type_


def way(media: MediaPolicy, policy: EdgePolicy, *, checks_links: bool = False) -> Way:
    """Who answers requests for these uploads: the server itself from its ``disk``, to everybody or for a ``link`` if it
    ``checks_links``, the ``application``, or ``nobody``.
    """
    config = media.config
    if config.access == "public":
        return "disk"
    if config.access == "signed" and config.signed.secure_link:
        # These links say nothing to the application.
        return "link" if checks_links else "nobody"
    return "application" if policy.application else "nobody"


def in_order(policy: EdgePolicy) -> Sequence[MediaPolicy]:
    """The storages that have URLs, a prefix before those that are within it.

    Raises `ConfigError` for two that are the same, and for none where there must be one.
    """
    taken = {policy.static.prefix: "static files"} if policy.static else {}
    found = [media for media in policy.media if media.prefix or media.config.access != "private"]
    for media in found:
        _folder(media.root)
        name, prefix = called(media), media.prefix
        if len(prefix) < 3 or not prefix.startswith("/") or not prefix.endswith("/") or "//" in prefix:
            raise ConfigError(
                f"The URLs of {name} begin with {prefix!a}, and need a path of their own, such as '/media/', below "
                "which there are uploads alone: say it in OPTIONS['base_url']."
            )
        if {".", ".."} & {*prefix.split("/")}:
            raise ConfigError(f"The URLs of {name} begin with {prefix!a}, which browsers and servers take for another.")
        if prefix in taken:
            raise ConfigError(f"The URLs of {name} and of {taken[prefix]} begin with {prefix!a}: give each its own.")
        taken[prefix] = name
    return sorted(found, key=lambda media: media.prefix)


def without_urls(policy: EdgePolicy, mechanism: str) -> Iterator[str]:
    """A comment for each storage that should be handed over by ``mechanism`` where no URL says where."""
    for media in policy.media:
        if not media.prefix and media.config.delivery.mechanism == mechanism and policy.application:
            yield (
                f"# {called(media)} has no URL, and so its files cannot be handed over ({mechanism}): say in "
                "OPTIONS['base_url'] where its view is."
            )


def internal_places(policy: EdgePolicy) -> Sequence[tuple[str, str]]:
    """Internal prefix → folder, of those storages whose files a view may have handed over by X-Accel-Redirect.

    Raises `ConfigError` if one is within another or around a public one: what a view has said yes to in the one would
    be looked for in the other.
    """
    found: dict[str, MediaPolicy] = {}
    for media in policy.media:
        if media.config.delivery.mechanism != "x-accel-redirect" or not policy.application:
            continue
        url = f"/{media.config.delivery.internal_url.strip('/')}/"
        if url == "//":
            raise ConfigError(f"{called(media)}: delivery.internal_url needs a path of its own, such as '/protected/'.")
        for other, theirs in found.items():
            is_same = url == other and _folder(media.root) == _folder(theirs.root)
            if not is_same and (url.startswith(other) or other.startswith(url)):
                raise ConfigError(
                    f"{called(media)} and {called(theirs)} have delivery.internal_url {url!a} and {other!a}: give "
                    "each its own, none of them within another, or one would hand over files of the other."
                )
        prefixes = [one.prefix for one in policy.media] + ([policy.static.prefix] if policy.static else [])
        if any(prefix.startswith(url) for prefix in prefixes if prefix):
            raise ConfigError(f"{called(media)}: delivery.internal_url {url!a} must not be where URLs of files begin.")
        found[url] = media
    return [(url, _folder(media.root)) for url, media in found.items()]


_HANDS_OVER = {"nginx": "x-accel-redirect", "caddy": "x-accel-redirect", "apache": "x-sendfile"}


def check_handed_over(policy: EdgePolicy, server: str) -> None:
    """Raises `ConfigError` for uploads that the application hands over in words that ``server`` does not know: each
    would come empty, with the place of the file in a field that everybody sees.
    """
    ours = _HANDS_OVER[server]
    for media in policy.media:
        mechanism = media.config.delivery.mechanism
        is_asked = media.config.access != "public" and policy.application and not media.config.signed.secure_link
        if is_asked and mechanism in _HANDS_OVER.values() and mechanism != ours:
            raise ConfigError(
                f"{called(media)} hands files over with delivery.mechanism {mechanism!r}, of which {server} knows "
                f"nothing: they would come empty. Say {ours!r}, or 'stream', with which the application sends them."
            )


def closed_below(media: MediaPolicy, policy: EdgePolicy) -> Sequence[str]:
    """Folders below the root of ``media`` that are not to be seen there: paths from it, without slashes around."""
    others = [other.root for other in policy.media if other.config.access != "public"]
    found: dict[str, None] = {}
    for folder in (*media.closed, *others):
        # As they are written, and as they are: a server goes by the one or the other.
        for written in (os.path.abspath, os.path.realpath):
            root, closed = os.path.join(written(media.root), ""), os.path.join(written(folder), "")
            if closed != root and closed.startswith(root):
                found[closed[len(root) : -1].replace(os.sep, "/")] = None
    return sorted(found)


def root_of(media: MediaPolicy) -> str:
    """The folder, with a slash at its end. Raises `ConfigError` for a relative one."""
    return _folder(media.root)


def notes(media: MediaPolicy) -> Iterable[str]:
    """What a server that answers from its disk does otherwise than the application; for comments."""
    if media.config.safety.check_content:
        yield "safety.check_content: types are told by names alone here, not by the bytes."


def any_of(ends: Iterable[str]) -> str:
    """A pattern that fits one of ``ends``."""
    written = [re.sub(r"\\-", "-", re.escape(end)) for end in sorted(ends)]
    return written[0] if len(written) == 1 else f"(?:{'|'.join(written)})"


def _folder(root: str) -> str:
    sound(root, "The folder of uploads", "a web server")
    if not os.path.isabs(root):
        raise ConfigError(f"The folder of uploads {root!a} must be absolute.")
    return os.path.join(root, "")


def called(media: MediaPolicy) -> str:
    """How people know the storage; on one line."""
    return f"STORAGES[{media.alias!a}]"


def why_nobody(media: MediaPolicy) -> str:
    """Why nobody gets any, for a comment."""
    if media.config.access == "signed" and media.config.signed.secure_link:
        return "only nginx can check the links of signed.secure_link, and so nobody gets any here."
    return "no application that could say who may have them is named, and so nobody gets any."
