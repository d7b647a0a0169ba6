"""Which URLs a cache in front must forget when one release follows another: those of plain names with other bytes.

What counts is what the site answers, as `shipfiles.serve` does: the bytes of a file as it is, uncompressed, and its
media type. So a file whose compressed variants alone were made anew is left in caches, which may go on with the old
ones; a file whose type alone is another, by OPTIONS["serve"]["media_types"], is forgotten, for browsers take it for
something else. No release knows of other header fields, so of those nobody can tell that they have changed.

Hashed names stand for their bytes and never have to be forgotten; nor has what is new, since errors and redirects are
answered with ``no-store``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from ..config import ROOT_PREFIX, ServeConfig
from ..digest import looks_hashed
from ..http.tags import tag_of
from ..line_differences import logical_of
from ..manifest import Manifest, load
from ..paths import url_quote, url_unquote
from ..release.text import differing, text_of
from ..serve.places import Place, Places


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where browsers find what."""

    base: str
    """The URL of the folder of static files, with its host and a closing slash."""
    site: str
    """The URL of the site, ``https://www.example.com``, with the path at which the application is mounted; empty if no
    cache has anything of its root."""
    serve: ServeConfig
    redirects: bool = True
    """Whether what answers below ``base`` knows ``serve.index_file``; a bucket has such files under their own names."""

    @property
    def same_host(self) -> bool:
        """Whether ``base`` is on the host of the site."""
        return bool(self.site) and host_of(self.base) == host_of(self.site)

    @property
    def prefix(self) -> str:
        """The path of ``base``, decoded."""
        return url_unquote(urlsplit(self.base).path) or "/"

    @property
    def mount(self) -> str:
        """What paths of the site begin with, before the slash; decoded."""
        return (url_unquote(urlsplit(self.site).path) or "").rstrip("/")


@dataclass(frozen=True, slots=True)
class Stale:
    """What a cache must forget, in either way."""

    urls: tuple[str, ...] = ()
    """As browsers ask for them, sorted."""
    tags: tuple[str, ...] = ()
    """Of the answers to the same, sorted."""

    def __bool__(self) -> bool:
        return bool(self.urls)

    def __or__(self, other: Stale) -> Stale:
        return Stale(_sorted((*self.urls, *other.urls)), _sorted((*self.tags, *other.tags)))


def changed(before: bytes, after: bytes, addresses: Addresses) -> Stale:
    """What must be forgotten when the release with the manifest ``after`` follows that with ``before``, which are
    certain to be as they were published. Raises `ManifestError`.
    """
    if before == after:
        return Stale()
    lines = differing(text_of(before, "before"), text_of(after, "after"))
    logicals = {logical_of(line) for side in lines for line in side}
    old, new = load(before, "before", lazily=True), load(after, "after", lazily=True)
    if old.hashed_only != new.hashed_only:
        logicals.update(old.entries)
    return _between(old, new, logicals, addresses)


# What the sets of https://url.spec.whatwg.org/#percent-encoded-bytes for paths and queries leave as it is, and what is
# encoded already.
_WRITTEN = "!$%&'()*+,/:;=?@[]|~"
_USUAL_PORTS = {"http": ":80", "https": ":443"}


def host_of(url: str) -> str:
    """Scheme and host of ``url`` as browsers write them: in lower case and ASCII, without the usual port."""
    parts = urlsplit(url)
    host = parts.netloc.lower().removesuffix(_USUAL_PORTS.get(parts.scheme, ""))
    if not host.isascii():
        with suppress(UnicodeError):
            host = host.encode("idna").decode("ascii")
    return f"{parts.scheme}://{host}"


def url_of(text: str) -> str:
    """The URL ``text`` that people have written, as browsers ask for it. Raises ``ValueError`` if they would not."""
    if not _ONE_LINE.fullmatch(text):
        raise ValueError("it has a control character")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        raise ValueError("it does not begin with http:// or https://")
    if "@" in parts.netloc:
        raise ValueError("no cache knows a file by a name and a password")
    if not host_of(text).isascii():
        raise ValueError("its host cannot be one")
    # https://url.spec.whatwg.org/#path-state
    path = quote(_without_dots(parts.path.replace("\\", "/")) or "/", safe=_WRITTEN)
    query = f"?{quote(parts.query, safe=_WRITTEN)}" if parts.query else ""
    return f"{host_of(text)}{path}{query}"


_ONE_LINE = re.compile(r"[^\x00-\x1f\x7f]*")


def _without_dots(path: str) -> str:
    """``path`` without the segments ``.`` and ``..``, as https://url.spec.whatwg.org/#shorten-a-urls-path has it."""
    found: list[str] = []
    segments = path.split("/")
    for number, segment in enumerate(segments):
        dots = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
        if dots not in (".", ".."):
            found.append(segment)
            continue
        if dots == ".." and len(found) > 1:
            found.pop()
        if number == len(segments) - 1:
            found.append("")
    return "/".join(found)


def addresses_of(logicals: Iterable[str], addresses: Addresses) -> Stale:
    """All that must be forgotten so that no cache has anything of these files under a plain name."""
    logicals = list(logicals)
    urls = [url for logical in logicals for place in _places_of(logical, addresses) for url in place.urls(addresses)]
    return Stale(_sorted(urls), _sorted(map(tag_of, logicals)))


def _between(old: Manifest, new: Manifest, logicals: Iterable[str], addresses: Addresses) -> Stale:
    was, will = _Site(old, addresses), _Site(new, addresses)
    urls: list[str] = []
    tags: list[str] = []
    for asked in {asked for logical in logicals for asked in _places_of(logical, addresses)}:
        before, after = was.answer(asked), will.answer(asked)
        if before is None or (after is not None and before.bytes == after.bytes):
            continue
        if before.immutable and (after is None or before.bytes[0] == after.bytes[0]):
            continue  # browsers keep it, too
        urls += asked.urls(addresses)
        tags.append(tag_of(before.logical))
    return Stale(_sorted(urls), _sorted(tags))


class _Asked(NamedTuple):
    """A path that may be asked for."""

    path: str
    """Decoded."""
    of_site: bool
    """Whether on the host of the site, not that of static files."""

    def urls(self, addresses: Addresses) -> Iterator[str]:
        host = host_of(addresses.site if self.of_site else addresses.base)
        yield from (host + path for path in _as_written(self.path))


def _as_written(path: str) -> set[str]:
    """A path as our URLs have it, and as browsers write what people have written in HTML."""
    # https://url.spec.whatwg.org/#path-percent-encode-set leaves these as they are.
    return {url_quote(path), quote(path, safe="/~:@!$&*+,;='()[]|")}


def _places_of(logical: str, addresses: Addresses) -> Iterator[_Asked]:
    """Where the file may be under names that do not stand for its bytes."""
    serve, prefix, mount = addresses.serve, addresses.prefix, addresses.mount
    below = addresses.same_host
    yield _Asked(prefix + logical, below)
    if (folder := _folder_of(logical, serve)) is not None:
        yield _Asked(prefix + folder, below)
    if not addresses.site:
        return
    for path, named in serve.root_files.items():
        if named == logical:
            yield _Asked(mount + path, True)
    if serve.root_folder is not None and logical.startswith(ROOT_PREFIX):
        name = logical[len(ROOT_PREFIX) :]
        yield _Asked(f"{mount}/{name}", True)
        if (folder := _folder_of(name, serve)) is not None:
            yield _Asked(f"{mount}/{folder}", True)


def _folder_of(name: str, serve: ServeConfig) -> str | None:
    """The address of the folder for which the file answers, if it does."""
    folder, _, last = name.rpartition("/")
    return (folder and f"{folder}/") if serve.index_file and last == serve.index_file else None


class _Answer(NamedTuple):
    logical: str
    bytes: tuple[str, str]
    """Their digest and media type."""
    immutable: bool


class _Site:
    """What is answered while a release is current; in the order in which `shipfiles.serve.table` looks."""

    def __init__(self, manifest: Manifest, addresses: Addresses) -> None:
        self._manifest = manifest
        self._addresses = addresses
        self._places = Places(url_quote(addresses.prefix), addresses.serve)

    def answer(self, asked: _Asked) -> _Answer | None:
        """What a path is answered with; ``None`` if with no file."""
        path, of_site = asked
        found = None
        if of_site == self._addresses.same_host:
            place = self._places.below_prefix(path)
            if not self._addresses.redirects and place is None and path.startswith(self._places.prefix):
                place = Place(path[len(self._places.prefix) :], at_root=False)
            found = place and self._of(place)
        mount = self._addresses.mount
        if found is not None or not of_site or not path.startswith(f"{mount}/"):
            return found
        place = self._places.at_root(path[len(mount) :])
        return place and self._of(place)

    def _of(self, place: Place) -> _Answer | None:
        entries = self._manifest.entries
        entry = entries.get(place.name)
        if not place.is_alias and (entry is None or not entry.kept) and looks_hashed(place.name):
            logical = self._hashed.get(place.name)
            entry = entry if logical is None else entries[logical]
        if entry is None:
            return None
        if not place.is_alias and entry.name == place.name:
            return _Answer(entry.logical, (entry.digest, entry.media_type), immutable=True)
        if self._manifest.hashed_only and not place.at_root:
            return None
        of = entry if place.at_root else entry.plain or entry
        return _Answer(entry.logical, (of.digest, entry.media_type), immutable=False)

    @cached_property
    def _hashed(self) -> Mapping[str, str]:
        return self._manifest.by_name()


def _sorted(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({*texts}))
