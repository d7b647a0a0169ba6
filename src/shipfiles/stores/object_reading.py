"""What is read of an object store through obstore: bodies and parts of them, and names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import KeyNotFound, NoAnswer, Replaced
from .object_connection import Connection, Service
from .object_faults import OtherVersion
from .object_fields import tokens_of, told
from .parts import CHUNK, resumed
from .store import Listing, Part, Stored


@dataclass(frozen=True, slots=True)
class Opened:
    """The answer to a request for bytes of an object."""

    stored: Stored
    version: str
    """Empty if the store tells none."""
    tokens: tuple[str, ...]
    start: int
    stop: int
    """Which of the object's bytes it has."""
    stream: Iterator[bytes]
    """They, in pieces of any size, as they come in; `StoreError` where they do not."""
    checksum: str = ""
    """Of all of the object, if the store tells one that is looked at."""


def opened(
    connection: Connection, service: Service, key: str, path: str, start: int, stop: int | None, version: str
) -> Opened:
    """The bytes of ``key`` from ``start`` to ``stop``, of the ``version`` if one is named; one request.

    Raises `KeyNotFound`, `BeyondEnd`, `OtherVersion`.
    """
    options: dict[str, Any] = {"if_match": version} if version else {}
    if start or stop is not None:
        options["range"] = {"offset": start} if stop is None else (start, stop)
    module = connection.module
    result = connection.ask(key, module.get, connection.client(), path, options=options)
    meta = result.meta
    if version and meta["e_tag"] != version:  # there are stores that heed no conditions
        raise OtherVersion(key, f"changed meanwhile in {service.name}")
    first, end = result.range
    return Opened(
        told_of(service, key, meta, result.attributes), meta["e_tag"] or "", tokens_of(result.attributes), first, end,
        _chunks(connection, key, result.stream(min_chunk_size=CHUNK)),
    )  # fmt: skip


def _chunks(connection: Connection, key: str, stream: Any) -> Iterator[bytes]:
    while True:
        try:
            body = bytes(connection.ask(key, next, stream))
        except StopIteration:
            return
        yield body


def flow(
    service: Service, key: str, found: Opened, again: Callable[[int], Opened], retries: int = 0
) -> Iterator[bytes]:
    """The bytes that were ``found``, in chunks; opened ``again`` from where the connection breaks.

    After the last of ``retries`` where nothing has come; what has got on since is worth another time limit.
    """

    def stream(at: int) -> Iterator[bytes]:
        if not found.version:
            raise broken
        try:
            return again(at).stream
        except OtherVersion:
            raise Replaced(key) from None

    broken = NoAnswer(key, f"the connection to the store broke ({service.name})")
    return resumed(found.stream, found.start, found.stop, stream, broken, retries)


def no_bytes(service: Service, key: str, there: Any, start: int, stop: int | None, version: str) -> Part:
    """The part of ``key`` from ``start`` to ``stop``, of a ``version`` if one is named, where no bytes are.

    ``there`` is the answer to a look, ``None`` if nothing is.
    """
    if there is None:
        raise KeyNotFound(key)
    if version and there.meta["e_tag"] != version:
        raise Replaced(key)
    stored = told_of(service, key, there.meta, there.attributes)
    if start < (stored.size if stop is None else min(stop, stored.size)):
        raise NoAnswer(key, f"a part of it was refused that is there now; ask again ({service.name})")
    return Part(stored, there.meta["e_tag"] or "", iter(()))


def told_of(service: Service, key: str, meta: Mapping[str, Any], attributes: Mapping[str, str]) -> Stored:
    """What a store has told of ``key``, in our words."""
    return Stored(key, meta["size"], meta["last_modified"].timestamp(), fields=told(attributes, service.own))


def listed(connection: Connection, service: Service, prefix: str) -> Iterator[Stored]:
    """See `Store.list`."""
    # Stores list by whole folders here.
    folder = service.prefix + prefix[: prefix.rfind("/") + 1]
    found = connection.module.list(connection.client(), prefix=folder.rstrip("/") or None, chunk_size=1000)
    while page := connection.ask(prefix, next, found, None):
        for meta in page:
            key = meta["path"][len(service.prefix) :]
            if key.startswith(prefix):
                yield Stored(key, meta["size"], meta["last_modified"].timestamp())


def folder_of(connection: Connection, service: Service, prefix: str) -> Listing:
    """See `Folders`."""
    begins = service.prefix + prefix
    found = connection.ask(
        prefix.removesuffix("/"), connection.module.list_with_delimiter, connection.client(),
        prefix=begins.removesuffix("/") or None,
    )  # fmt: skip
    folders = (path[len(begins) :] for path in found["common_prefixes"])
    names = (meta["path"][len(begins) :] for meta in found["objects"])
    # What consoles make for an empty folder is an object with the name of the folder.
    return sorted(filter(None, folders)), sorted(filter(None, names))
