"""From an upload and a request to an answer with its bytes.

What a request means of the bytes decides the function that decides it for static files (`respond.choose`). Nothing
here lists a folder, and no name is changed on its way: what is asked about is what is delivered, or nothing is.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..config import ServeConfig
from ..digest import digest_bytes
from ..errors import Busy, ConfigError, KeyNotFound, NoAnswer, Replaced
from ..http.headers import Header, checked, entity_tag
from ..http.ranges import select
from ..paths import path_fault
from ..serve.opened import Opened, modified_at
from ..serve.respond import Request, Response, answer_opened, choose, other_response
from ..serve.streamed import Delivery, Stream, close_chunks
from ..stores.local import LocalStore
from ..stores.store import Part, Parts, Store
from .config import MediaConfig
from .disk import open_inside
from .safety import checked_type, delivered_headers, media_type_of

METHODS = ("GET", "HEAD")

OTHERS = ServeConfig(allow_all_origins=False)
"""For answers that are no file: no script of another origin reads what is not there, or not for everybody."""
_TEXTS = {
    403: b"Forbidden: ask for a new link where this one came from.\n",
    404: b"Not Found.\n",
    405: b"Method Not Allowed: a file can be read here, not changed.\n",
}
# A file that was written so lately may be written again within one grain of the disk's clock. Seconds.
_SETTLED = 2.0
_HEAD = 4096
# Characters. Linux takes paths of 4096 bytes at most (limits.h, PATH_MAX), S3 and Google keys of 1024 bytes.
_LONGEST = 4096
# RFC 9111 section 5.2.2; the form of "private" with field names says less than it seems.
_SHARED = frozenset({"private", "public", "s-maxage"})
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """A media storage, as far as its files are delivered."""

    store: Store
    config: MediaConfig
    key: Callable[[str], str]
    """Name → key in the store. Raises `KeyNotFound` for a name that can have none."""
    prefix: str = ""
    """What the paths of requests for its files begin with, below the mount point, between slashes."""
    link_path: Callable[[str], str] = str
    """Name → the path that a link to it binds (`links.signed_query`)."""
    keys: Callable[[], Sequence[bytes]] = tuple
    """What links to it may be signed with."""

    closed: tuple[str, ...] = ()
    """Folders on this machine that are those of other storages: what is in them is not delivered here."""

    @property
    def may_wait(self) -> bool:
        """Whether an answer may take longer than an event loop should be kept."""
        return not isinstance(self.store, LocalStore)


class Wanted(NamedTuple):
    """How a file is to be answered, beside what the options say."""

    disposition: str = ""
    """Another Content-Disposition."""
    content_type: str = ""
    """Another Content-Type."""
    expires: int | None = None
    """Until when the address works that was asked. Seconds since the epoch."""


AS_IS = Wanted()


@dataclass(frozen=True, slots=True)
class _Kept:
    """What `choose` must know of bytes in a store."""

    size: int
    modified: int | None
    etag: str
    headers: tuple[Header, ...]
    steady: bool = False


def for_one(place: Place) -> Place:
    """``place`` for answers that count for who asked alone: no cache that others share may keep them."""
    config = place.config
    return replace(place, config=replace(config, access="private", cache_control=_privately(config.cache_control)))


def deliver(place: Place, name: str, request: Request, wanted: Wanted = AS_IS) -> Delivery | None:
    """The file ``name`` as the answer to ``request``; ``None`` if there is none.

    Raises `StoreError` if the store will not give it, and ``ValueError`` for header fields that cannot be sent.
    """
    method = request.method
    if method not in METHODS:
        return refused(405, method)
    key = key_of(place, name)
    if key is None:
        return None
    try:
        if isinstance(place.store, LocalStore):
            return _from_disk(place, place.store, name, key, request, wanted)
        return _from_store(place, name, key, request, wanted)
    except KeyNotFound:
        return None
    except (OSError, NoAnswer):
        # RFC 9110 section 15.6.4.
        return Delivery(*other_response(503, method, OTHERS, ("Retry-After", "1")))


def _privately(cache_control: str) -> str:
    """``cache_control`` without what lets a cache that others share keep the answer; empty stays so."""
    kept = [part.strip() for part in cache_control.split(",")]
    kept = [part for part in kept if part and part.partition("=")[0].lower() not in _SHARED]
    return ", ".join(["private", *kept]) if cache_control.strip() else ""


def refused(status: int, method: str) -> Delivery:
    """An answer without a file, which nobody keeps."""
    allow = (("Allow", ", ".join(METHODS)),) if status == 405 else ()
    return Delivery(*other_response(status, method, OTHERS, *allow, text=_TEXTS[status]))


def key_of(place: Place, name: str) -> str | None:
    # Before anything looks at its parts: no file has such a name, and an event loop waits meanwhile.
    if len(name) > _LONGEST or path_fault(name):
        return None
    try:
        return place.key(name)
    except KeyNotFound:
        return None


def headers_of(config: MediaConfig, name: str, head: bytes, wanted: Wanted) -> list[Header]:
    media_type = media_type_of(name, config.safety, head)
    if wanted.content_type:
        # Refused where the options are others than when it was allowed.
        with suppress(ValueError):
            media_type = checked_type(wanted.content_type, wanted.disposition, config.safety)
    headers = list(delivered_headers(name, media_type, config, disposition=wanted.disposition))
    if wanted.expires is not None and config.access == "signed" and not config.cache_control:
        # For as long as the link works, and no longer.
        headers = [field for field in headers if field[0].lower() != "cache-control"]
        headers.append(("Cache-Control", f"private, max-age={wanted.expires}"))
    return headers


def _from_disk(
    place: Place, store: LocalStore, name: str, key: str, request: Request, wanted: Wanted
) -> Delivery | None:
    for _ in range(_TRIES):
        found = open_inside(store.root, store.path(key), place.closed)
        if found is None:
            return None
        fd, status = found
        try:
            head = os.read(fd, _HEAD) if place.config.safety.check_content else b""
            if head:
                os.lseek(fd, 0, os.SEEK_SET)
            etag = tag_of(status)
            headers = _representation(place.config, name, head, wanted, etag)
        except BaseException:
            os.close(fd)
            raise
        opened = Opened(fd, status.st_size, modified_at(status), etag, headers, steady=False)
        response = answer_opened(opened, request.method, request.header, OTHERS)
        if response is not None:
            return Delivery(*response)
    return None


def _from_store(place: Place, name: str, key: str, request: Request, wanted: Wanted) -> Delivery:
    if not isinstance(place.store, Parts):
        raise ConfigError(f"{place.store} cannot give parts of files: it has no read_part(), which Parts describes.")
    for _ in range(_TRIES):
        part = place.store.read_part(key, *_guess(request))
        try:
            return _answered(place, place.store, name, key, part, request, wanted)
        except Replaced:
            continue
    raise Busy(key, "replaced by other bytes again and again")


def _guess(request: Request) -> tuple[int, int | None]:
    """The part of a file that most likely answers ``request``, before anything is known of the file."""
    header = request.header
    # One byte tells all that must be known where perhaps none will be sent.
    conditions = ("if-none-match", "if-modified-since", "if-match", "if-unmodified-since")
    if request.method == "HEAD" or any(header(field) is not None for field in conditions):
        return 0, 1
    if (field := header("range")) is None:
        return 0, None
    # Of a file without end a range is what it says; one that counts from there needs the size.
    if field.partition("=")[2].strip(" \t,").startswith("-"):
        return 0, 1
    selection = select(field, _ENDLESS)
    if not isinstance(selection, tuple):
        return 0, None
    start, stop = selection
    return start, None if stop == _ENDLESS else stop


_ENDLESS = 1 << 62


def _answered(
    place: Place, store: Parts, name: str, key: str, part: Part, request: Request, wanted: Wanted
) -> Delivery:
    """The answer that begins with ``part``, which is closed or in the body afterwards. Raises `Replaced`."""
    start, stop = _guess(request)
    keeps = False
    try:
        stored, now = part.stored, time.time()
        modified = int(stored.modified) if 1 < stored.modified <= now else None
        # A time alone tells versions apart only so far; without one, nothing does.
        version = part.version or f"{stored.size} {stored.modified or now}"
        etag = _tag(version, is_weak=not part.version)
        headers = _representation(place.config, name, b"", wanted, etag)
        chosen = choose(_Kept(stored.size, modified, etag, headers), request.method, request.header, OTHERS)
        if isinstance(chosen, Response):
            return Delivery(*chosen)
        if (chosen.start, chosen.stop) == (start, stored.size if stop is None else min(stop, stored.size)):
            keeps = True
            body = part.body
    finally:
        if not keeps:
            close_chunks(part.body)
    if not keeps:
        body = store.read_part(key, chosen.start, chosen.stop, version=part.version).body
    return Delivery(chosen.status, chosen.headers, Stream(body, chosen.stop - chosen.start))


def _representation(config: MediaConfig, name: str, head: bytes, wanted: Wanted, etag: str) -> tuple[Header, ...]:
    headers = headers_of(config, name, head, wanted)
    return checked((*headers, ("ETag", etag), ("Accept-Ranges", "bytes")))


def tag_of(status: os.stat_result) -> str:
    """The tag of a file on this machine; a weak one as long as it may be written again without a trace."""
    # As `LocalStore` tells versions apart: it never writes into a file.
    version = f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
    now = time.time()
    is_settled = min(abs(now - status.st_mtime), abs(now - status.st_ctime)) > _SETTLED
    return _tag(version, is_weak=not is_settled)


def _tag(version: str, *, is_weak: bool) -> str:
    """The tag of what ``version`` tells apart: a digest, which says nothing of disks and buckets."""
    return ("W/" if is_weak else "") + entity_tag(digest_bytes(version.encode("utf-8", "surrogatepass")))
