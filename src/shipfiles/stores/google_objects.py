"""Google Cloud Storage as a `Store`.

What it costs, in requests: a put 1 (of more than 5 MiB one for each chunk and 1, and 1 more to create), a create-only
put 1, `head` 1, `read` 1, `read_part` 1 (2 for a part behind the end), `swap` 2, or 1 after this object has read or
swapped the key, `delete` 1 for 100 keys, `copy` 1 with fields and 2 without, `refield` 1, `list` 1 for 1,000 keys,
`folder` 1 for 1,000 names. A swap of what was not put on a condition costs 1 more, and 3 where a server does not tell
metadata with the bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..digest import Digest, Digester, digest_bytes
from ..errors import KeyExists, KeyNotFound, NoAnswer, StoreError
from .google_connection import GoogleConnection, no_bucket
from .google_reading import checked, opened
from .object_connection import Service
from .object_faults import OtherVersion
from .object_fields import STORAGE_CLASS, canonical, marked, tokens_of, without_token
from .object_reading import Opened
from .objects import ObjectStore, checked_chunks, new_token
from .store import Body, Listing, PutMode, Stored, check_folder, check_key, is_key

_TRIES = 10
_LISTED = "items(name,size,timeCreated),nextPageToken"
_NAMED = "items(name,size),prefixes,nextPageToken"
_CHECKSUM = "crc32c"
_PROPERTIES = {
    "Cache-Control": "cache_control",
    "Content-Disposition": "content_disposition",
    "Content-Encoding": "content_encoding",
    "Content-Language": "content_language",
    "Content-Type": "content_type",
    STORAGE_CLASS: "storage_class",
}


class GoogleService(Service, Protocol):
    """What Google's client must know beside what any must."""

    @property
    def bucket_name(self) -> str:
        """The bucket."""
        ...

    def acl_of(self, key: str) -> str | None:
        """The predefined ACL of ``key`` when it is put."""
        ...

    @property
    def chunk_size(self) -> int:
        """How much of a large body one request sends. Bytes."""
        ...


@dataclass(frozen=True, slots=True)
class _Found:
    """What the store tells of an object."""

    attributes: dict[str, str]
    meta: dict[str, Any]


class GoogleStore(ObjectStore):
    """The keys under a prefix of a bucket. Puts, creations and swaps are at one instant, whatever the size.

    Safe to use from several threads.
    """

    _connection: GoogleConnection
    _no_version = "1"

    def __init__(self, service: GoogleService) -> None:
        super().__init__(service)
        self._google = service
        self._connection = GoogleConnection(service, service.limits)

    def _held(self, size: int, mode: PutMode) -> int:  # noqa: ARG002
        # The client makes several copies of it.
        return 4 * min(size, self._google.chunk_size)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        for blobs, _ in self._pages(prefix, _LISTED):
            for blob in blobs:
                if blob.name.endswith("/") and not blob.size:
                    continue  # what Google's console makes for an empty folder
                key = blob.name[len(self._service.prefix) :]
                self._check(key, prefix, blob.name)
                yield Stored(key, blob.size, blob.time_created.timestamp())

    def folder(self, prefix: str) -> Listing:
        check_folder(prefix)
        at = len(self._service.prefix)
        folders: set[str] = set()
        names: set[str] = set()
        for blobs, below in self._pages(prefix, _NAMED, delimiter="/"):
            folders.update(name[at:].removesuffix("/") for name in below)
            names.update(blob.name[at:] for blob in blobs if not blob.name.endswith("/") or blob.size)
        # What has a name that no key can have is another's, which nobody could ask for by these names.
        found = [sorted(key[len(prefix) :] for key in keys if is_key(key)) for keys in (folders, names)]
        return found[0], found[1]

    def _check(self, key: str, prefix: str, name: str) -> None:
        """Raise `StoreError` unless ``key``, which was listed, is one; it is that of the object ``name``."""
        try:
            check_key(key)
        except StoreError:
            raise StoreError(
                prefix or ".",
                f"{self} holds an object named {name!r}, with an empty part or a character that no file can "
                "have: remove it, or use another location",
            ) from None

    def _pages(
        self, prefix: str, fields: str, *, delimiter: str | None = None
    ) -> Iterator[tuple[Sequence[Any], Collection[str]]]:
        """The objects, and the beginnings of names up to the ``delimiter``, that each of the pages has."""
        begins, token = self._service.prefix + prefix, None

        def page() -> tuple[Sequence[Any], Collection[str], str | None]:
            found = self._connection.client().list_blobs(
                self._google.bucket_name, prefix=begins or None, page_token=token, page_size=1000, fields=fields,
                delimiter=delimiter, **self._options(),
            )  # fmt: skip
            try:
                blobs = [*next(found.pages, ())]
            except self._connection.module.api_errors.NotFound:
                raise no_bucket(prefix, self._service.name) from None
            return blobs, found.prefixes, found.next_page_token

        while True:
            # Each page is asked for anew: the client's own iterator ends without a word after an error.
            blobs, below, token = self._connection.ask(prefix.removesuffix("/"), page)
            yield blobs, below
            if not token:
                return

    def _opened(self, key: str, start: int = 0, stop: int | None = None, version: str = "") -> Opened:
        bucket = self._google.bucket_name
        connection, path = self._connection, self._path(key)
        return connection.ask(key, opened, connection, self._service, bucket, key, path, start, stop, version)

    def _flow(self, key: str, found: Opened) -> Iterator[bytes]:
        chunks = super()._flow(key, found)
        if not found.checksum or found.start or found.stop < found.stored.size:
            return chunks
        return checked(chunks, key, found, self._connection, self._service)

    def refield(self, key: str, fields: Mapping[str, str]) -> None:
        """See `Refields`: its metadata are told, and its bytes not touched."""
        check_key(key)
        attributes = canonical({**self._service.fields, **fields}, self._service.own, key)
        # What is not told stays; the class of its storage only another copy could have.
        named: dict[str, str | None] = dict.fromkeys(_PROPERTIES.keys() - {STORAGE_CLASS})
        named |= {name: value for name, value in attributes.items() if name != STORAGE_CLASS}

        def patch() -> None:
            self._blob(key, named).patch(**self._options())

        self._patient._connection.forget([key])
        self._connection.ask(key, patch)

    def _delete(self, keys: Sequence[str]) -> None:
        together = self._connection.ask(keys[0], self._delete_together, keys)
        for key in () if together else keys:
            self._connection.ask(key, self._delete_one, key)
        self._patient._connection.forget(keys)

    def _delete_together(self, keys: Sequence[str]) -> bool:
        """Delete ``keys`` with one request; false if the server knows none for several, as emulators may not."""
        client, module = self._connection.client(), self._connection.module
        bucket = client.bucket(self._google.bucket_name)
        batch = client.batch(raise_exception=False)
        try:
            with batch:
                for key in keys:
                    bucket.delete_blob(self._path(key), **self._options())
        except ValueError as error:
            if isinstance(error, module.auth_errors.GoogleAuthError):
                raise
            return False
        faults = []
        for key, answer in zip(keys, batch._responses, strict=True):
            if answer.status_code >= 300 and answer.status_code != 404:
                refused = module.api_errors.from_http_response(answer)
                faults.append(module.fault(refused, key, self._service.name))
        for fault in sorted(faults, key=lambda fault: isinstance(fault, NoAnswer)):
            raise fault
        return True

    def _delete_one(self, key: str) -> None:
        try:
            self._blob(key).delete(**self._options())
        except self._connection.module.api_errors.NotFound:
            return

    def _send(
        self, key: str, body: bytes, attributes: Mapping[str, str], mode: object, tokens: Sequence[str] = (), *,
        known: bool = False,
    ) -> None:  # fmt: skip
        generation = 0 if mode == "create" else int(mode["e_tag"]) if isinstance(mode, dict) else None
        self._patient._connection.forget([key])

        def send() -> Any:
            blob = self._blob(key, marked(attributes, tokens))
            blob.upload_from_string(
                body, content_type=attributes.get("Content-Type"), if_generation_match=generation,
                predefined_acl=self._google.acl_of(key), checksum=_CHECKSUM, **self._options(),
            )  # fmt: skip
            return blob

        try:
            blob = self._connection.ask(key, send)
        except KeyNotFound:
            raise no_bucket(key, self._service.name) from None
        if known and blob.generation:
            self._patient._connection.remember(key, digest_bytes(body), str(blob.generation), tokens)

    def _send_in_parts(
        self, key: str, body: Body, mode: PutMode, digest: Digest | None, attributes: Mapping[str, str]
    ) -> Stored:
        # The condition is only promised to be looked at when all has been sent.
        if mode == "create" and self._look(key) is not None:
            raise KeyExists(key)
        digester, token = Digester(), new_token()
        self._patient._connection.forget([key])

        def send() -> None:
            blob = self._blob(key, marked(attributes, (token,)))
            blob.chunk_size = self._google.chunk_size
            blob.upload_from_file(
                _Stream(checked_chunks(body, key, digest, digester)), content_type=attributes.get("Content-Type"),
                if_generation_match=0 if mode == "create" else None, predefined_acl=self._google.acl_of(key),
                checksum=_CHECKSUM, **self._options() | {"retry": self._connection.chunk_retry(key)},
            )  # fmt: skip

        try:
            self._connection.ask_once(key, send)
        except KeyNotFound:
            raise no_bucket(key, self._service.name) from None
        except (NoAnswer, OtherVersion) as error:
            # The last request may have been done though its answer was lost.
            if not self._arrived(key, token):
                raise (KeyExists(key) if isinstance(error, OtherVersion) else error) from None
        return Stored(key, digester.size)

    def _look(self, key: str) -> _Found | None:
        def look() -> _Found:
            blob = self._blob(key)
            blob.reload(**self._options())
            told = {name: getattr(blob, known) for name, known in _PROPERTIES.items() if name != STORAGE_CLASS}
            attributes = {name: value for name, value in (told | (blob.metadata or {})).items() if value}
            meta = {"size": blob.size, "last_modified": blob.time_created, "e_tag": str(blob.generation)}
            return _Found(attributes, meta)

        try:
            return self._connection.ask(key, look)
        except KeyNotFound:
            return None

    def _read_small(self, key: str) -> tuple[bytes | None, str, tuple[str, ...]]:
        for _ in range(_TRIES):
            try:
                answer = self._opened(key)
                body = b"".join(self._flow(key, answer))
            except KeyNotFound:
                return None, "", ()
            if answer.version and answer.tokens:
                return body, answer.version, answer.tokens
            # It has none, or the answer does not tell them.
            found = self._look(key)
            version = "" if found is None else found.meta["e_tag"]
            if found is not None and answer.version in ("", version) and found.meta["size"] == len(body):
                return body, version, tokens_of(found.attributes)
        raise StoreError(key, f"others keep writing it in {self}; run again")

    def _blob(self, key: str, attributes: Mapping[str, str | None] = {}) -> Any:
        """The client's word for the object under ``key``, told what it is to answer with."""
        blob = self._connection.client().bucket(self._google.bucket_name).blob(self._path(key))
        for name in attributes.keys() & _PROPERTIES.keys():
            setattr(blob, _PROPERTIES[name], attributes[name])
        if own := attributes.keys() - _PROPERTIES.keys():
            blob.metadata = {name: attributes[name] for name in own}
        return blob

    def _options(self) -> dict[str, Any]:
        """How long one request may take; `GoogleConnection` asks again."""
        limits = self._service.limits
        return {"timeout": (limits.connect, limits.request), "retry": None}


class CopyingGoogleStore(GoogleStore):
    """A bucket whose objects have no ACL of their own, which a copy would not get."""

    def copy(self, source: str, target: str, *, fields: Mapping[str, str] = {}) -> bool:
        """Make ``target`` a copy of ``source``. True also if it was one: to look would cost as much as to copy."""
        check_key(source)
        check_key(target)
        attributes = canonical({**self._service.fields, **fields}, self._service.own, target)
        if not fields:
            # What a copy without fields of its own gets is not said where a request names its target.
            found = self._look(source)
            if found is None:
                raise KeyNotFound(source)
            attributes = {name: value for name, value in attributes.items() if name == STORAGE_CLASS}
            attributes |= without_token(found.attributes)
        blob, token = self._blob(target, attributes), None
        self._patient._connection.forget([target])
        while True:
            # A large object may take several requests; it is there after the last.
            try:
                answer = self._connection.ask(target, blob.rewrite, self._blob(source), token, **self._options())
            except KeyNotFound:
                raise KeyNotFound(source) from None
            token = answer[0]
            if not token:
                return True


class _Stream:
    """Chunks as a file that can be read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._held = b""
        self._told = 0

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes; fewer only at the end."""
        parts, more = [self._held], len(self._held)
        while more < size and (chunk := next(self._chunks, b"")):
            parts.append(chunk)
            more += len(chunk)
        whole = b"".join(parts)
        self._held = whole[size:]
        self._told += min(size, len(whole))
        return whole[:size]

    def tell(self) -> int:
        """How many bytes were read."""
        return self._told
