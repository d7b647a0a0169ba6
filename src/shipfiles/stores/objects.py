"""Object stores as a `Store`: S3 and what speaks it, Azure Blob.

What it costs, in requests: a put 1 (of more than 5 MiB one for each part and 2), a create-only put 1 (of more than 5
MiB one for each part and 3, at S3 1 for each and 5 or 7, see `s3_objects`), `head` 1, `read` 1, `read_part` 1 (2 for a
part behind the end), `swap` 2, or 1 after this object has read or swapped the key, `delete` 1 for as many keys as the
store takes at once, `copy` 1, `list` 1 for 1,000 keys, `folder` 1 for 1,000 names; `refield` 1 where the store copies,
else 1 if nothing changes and 3 if something does, with the body there and back.

An answer may be lost though the store did what it was asked, and the next attempt would then find its own object in the
way, or that of another who has gone on from there. What is put on a condition therefore has a token in its metadata,
and those of the puts before it, by which it is known again.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import replace
from typing import Any, Self

from ..digest import Digest, Digester, digest_bytes
from ..errors import Busy, KeyExists, KeyNotFound, NoAnswer, Replaced, StoreError, os_reason
from .object_connection import Connection, Limits, Service
from .object_faults import BeyondEnd, OtherVersion, no_such_place
from .object_fields import canonical, marked, tokens_of, without_token
from .object_reading import Opened, flow, folder_of, listed, no_bytes, opened, told_of
from .permissions import Verb
from .signing.signer import Signer
from .store import Body, Grant, Listing, Part, PutMode, Stored, check_digest, check_folder, check_key, chunks_of

_CHUNK = 1 << 20
LEAST_PART = 5 << 20  # the least that S3 takes as a part of an upload, and the most that is held whole
_PARTS_AT_ONCE = 3
_PARTS = 9_000
_SMALL = 1 << 20  # up to this size the version of what was read is remembered
TRIES = 10
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class ObjectStore:
    """The keys under a prefix of a bucket or container.

    An overwrite is at one instant, and so are a create-only put and a swap where the store puts on conditions. Where it
    does not (`Service` says so), one looks first, and of two at once both may succeed. So it is with a create-only put
    of more than 5 MiB where no subclass knows better. Safe to use from several threads; bodies of 32 MiB together are
    on their way at once.
    """

    _no_version = f'"{"0" * 32}"'
    """What has the form of a version, and is that of nothing."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._connection = Connection(service, service.limits)
        self._patient = self
        self._signer: Signer | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._service.name!r})"

    def __str__(self) -> str:
        """As people know it."""
        return self._service.name

    @property
    def service(self) -> Service:
        """Which, and the way to it."""
        return self._service

    def unrepeated(self, within: float = math.inf) -> Self:
        """The same, that repeats no request; parts of large bodies are sent again all the same.

        It has connections of its own, and remembers the same versions.
        """
        limits = self._service.limits
        return self._limited(replace(limits, request=min(limits.request, within), retries=0))

    def hurried(self) -> Self:
        """The same for who has no time."""
        return self._limited(self._service.limits.hurried())

    def _limited(self, limits: Limits) -> Self:
        hasty = copy(self)
        hasty._connection = type(self._connection)(self._service, limits)
        return hasty

    def put(
        self,
        key: str,
        body: Body,
        *,
        mode: PutMode = "overwrite",
        digest: Digest | None = None,
        fields: Mapping[str, str] = {},
    ) -> Stored:
        check_key(key)
        attributes = canonical({**self._service.fields, **fields}, self._service.own, key)
        expected = size_of(body)
        with self._patient._connection.room.taken(self._held(expected, mode)):
            if expected <= LEAST_PART:
                whole = _beginning(body, key, expected)
                if len(whole) <= LEAST_PART:  # it may have grown
                    if digest is not None:
                        check_digest(key, digest_bytes(whole), digest)
                    if mode == "overwrite":
                        self._send(key, whole, attributes, "overwrite")
                    elif not self._create(key, whole, attributes):
                        raise KeyExists(key)
                    return Stored(key, len(whole))
            return self._patient._send_in_parts(key, body, mode, digest, attributes)

    def _held(self, size: int, mode: PutMode) -> int:  # noqa: ARG002
        """About how much of a body of ``size`` bytes is in memory while it is put. Bytes."""
        return size if size <= LEAST_PART else _PARTS_AT_ONCE * part_of(size, LEAST_PART)

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        check_key(key)
        attributes = canonical(self._service.fields, self._service.own, key)
        if expected is None:
            return self._create(key, body, attributes, known=True)
        token = new_token()
        version, before = self._patient._connection.remembered(key, digest_bytes(expected))
        if not self._service.proven:
            version = ""  # conditions may not be heeded: only a look can tell
        for _ in range(TRIES):
            if not version:
                there, version, before = self._read_small(key)
                if token in before:
                    return True
                if there != expected:
                    return False
            try:
                mode = {"e_tag": version} if self._service.conditional else "overwrite"
                self._send(key, body, attributes, mode, (token, *before), known=True)
            except (OtherVersion, KeyExists, KeyNotFound):
                # Changed by another, or by this very put, the answer to which was lost; or written again as it was.
                version = ""
            except NoAnswer:
                if self._arrived(key, token):
                    return True
                raise
            else:
                return True
        raise StoreError(key, f"others keep writing it in {self}; run again")

    def head(self, key: str) -> Stored | None:
        check_key(key)
        found = self._look(key)
        if found is None:
            return None
        return told_of(self._service, key, found.meta, found.attributes)

    def read(self, key: str) -> Iterator[bytes]:
        check_key(key)
        found = self._opened(key)
        size, digester = found.stored.size, Digester()
        for chunk in self._flow(key, found):
            if size <= _SMALL:
                digester.update(chunk)
                if digester.size == size and found.version and found.tokens:
                    self._patient._connection.remember(key, digester.digest(), found.version, found.tokens)
            yield chunk

    def read_part(self, key: str, start: int = 0, stop: int | None = None, *, version: str = "") -> Part:
        check_key(key)
        try:
            if stop is None or start < stop:
                found = self._opened(key, start, stop, version)
                return Part(found.stored, found.version, self._flow(key, found))
        except OtherVersion:
            raise Replaced(key) from None
        except BeyondEnd:
            pass
        return no_bytes(self._service, key, self._look(key), start, stop, version)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return listed(self._connection, self._service, prefix)

    def folder(self, prefix: str) -> Listing:
        check_folder(prefix)
        return folder_of(self._connection, self._service, prefix)

    def refield(self, key: str, fields: Mapping[str, str]) -> None:
        """See `Refields`. The body is read and put again, unless the fields are those already.

        Of more than 5 MiB it goes by way of a temporary file, and on no condition.
        """
        check_key(key)
        attributes = canonical({**self._service.fields, **fields}, self._service.own, key)
        for _ in range(TRIES):
            found = self._look(key)
            if found is None:
                raise KeyNotFound(key)
            if without_token(found.attributes) == attributes:
                return
            if found.meta["size"] > LEAST_PART:
                with tempfile.TemporaryDirectory(prefix="shipfiles-") as folder:
                    path = os.path.join(folder, "file")
                    try:
                        with open(path, "wb") as file:
                            file.writelines(self.read(key))
                    except OSError as error:
                        what = f"no temporary file for it can be written: {os_reason(error)}"
                        raise StoreError(key, what) from error
                    self.put(key, path, fields=fields)
                return
            body, version, _ = self._read_small(key)
            if body is None:
                raise KeyNotFound(key)
            with suppress(OtherVersion, KeyExists, KeyNotFound):  # another has changed it since
                self._send(key, body, attributes, {"e_tag": version} if self._service.conditional else "overwrite")
                return
        raise StoreError(key, f"others keep writing it in {self}; run again")

    def delete(self, keys: Iterable[str]) -> None:
        batch: list[str] = []
        for key in keys:
            check_key(key)
            batch.append(key)
            if len(batch) == self._service.batch:
                self._delete(batch)
                batch = []
        if batch:
            self._delete(batch)

    def signed_url(self, key: str, grant: Grant) -> str:
        """See `Signs`."""
        check_key(key)
        holder = self._patient
        if holder._signer is None:
            holder._signer = self._service.signer()
        return holder._signer.url(self._path(key), grant)

    @property
    def relies_on_conditions(self) -> bool:
        return self._service.conditional and self._service.proven

    def heeds_conditions(self, key: str) -> bool:
        check_key(key)
        if not self._service.conditional:
            return False
        attributes = canonical(self._service.fields, self._service.own, key)
        for mode in ("create", {"e_tag": self._no_version}):
            try:
                self._send(key, b"", attributes, mode, (new_token(),))
            except (KeyExists, OtherVersion):
                continue
            return False
        return True

    @property
    def needs(self) -> Mapping[str, str]:
        return self._service.needs

    def permission(self, verb: Verb) -> str:
        return self._service.permissions[verb]

    def _delete(self, keys: Sequence[str]) -> None:
        module = self._connection.module
        paths = [self._path(key) for key in keys]
        # Azure tells of one that is not there, and has deleted the others that it deletes.
        with suppress(KeyNotFound):
            self._connection.insist(keys[0], module.delete, self._connection.client(), paths)
        self._patient._connection.forget(keys)

    def _create(self, key: str, body: bytes, attributes: Mapping[str, str], *, known: bool = False) -> bool:
        """Put ``body`` if there is nothing under ``key``; whether there was nothing. ``known`` as for `_send`."""
        if not self._service.proven and self._look(key) is not None:
            return False
        if not self._service.conditional:
            self._send(key, body, attributes, "overwrite")
            return True
        token = new_token()
        for _ in range(TRIES):
            try:
                self._send(key, body, attributes, "create", (token,), known=known)
            except (KeyExists, OtherVersion):
                there = self._look(key)
                if there is not None:
                    return token in tokens_of(there.attributes)
                # S3 answers 409 while another writes or deletes the key, who may have deleted it.
            except Busy:
                raise  # it was turned away
            except NoAnswer:
                if self._arrived(key, token):
                    return True
                raise
            else:
                return True
        raise StoreError(key, f"others keep writing it in {self}; run again")

    def _send(
        self, key: str, body: bytes, attributes: Mapping[str, str], mode: object, tokens: Sequence[str] = (), *,
        known: bool = False,
    ) -> None:  # fmt: skip
        """Put ``body`` with one request. Forgets the version of ``key``; the new one is to be ``known`` if the key may
        be swapped again: those of all files that are put would take the place of the few that matter.
        """
        module, client = self._connection.module, self._connection.client(self._service.write_headers(key))
        self._patient._connection.forget([key])
        ask = self._connection.ask if mode == "overwrite" else self._connection.insist
        try:
            sent = ask(
                key, module.put, client, self._path(key), body,
                attributes=marked(attributes, tokens), mode=mode, use_multipart=False,
            )  # fmt: skip
        except KeyNotFound:
            if isinstance(mode, dict):
                raise  # there is nothing that could be as it was
            raise no_such_place(key, self._service.name) from None
        if known and sent["e_tag"]:
            self._patient._connection.remember(key, digest_bytes(body), sent["e_tag"], tokens)

    def _send_in_parts(
        self, key: str, body: Body, mode: PutMode, digest: Digest | None, attributes: Mapping[str, str]
    ) -> Stored:
        if mode == "create" and self._look(key) is not None:
            raise KeyExists(key)
        return self._upload(key, body, digest, attributes, new_token())

    def _upload(
        self, key: str, body: Body, digest: Digest | None, attributes: Mapping[str, str], token: str, *,
        part: int = LEAST_PART, at_once: int = _PARTS_AT_ONCE,
    ) -> Stored:  # fmt: skip
        """Put ``body`` in parts of ``part`` bytes, or larger ones if they were too many, and on no condition.

        If that fails, or is interrupted, obstore tells the store to let go of the parts that it has.
        """
        digester = Digester()
        module, client = self._connection.module, self._connection.client(self._service.write_headers(key))
        self._patient._connection.forget([key])
        try:
            self._connection.ask(
                key, module.put, client, self._path(key), checked_chunks(body, key, digest, digester),
                attributes=marked(attributes, (token,)), use_multipart=True, chunk_size=part_of(size_of(body), part),
                max_concurrency=at_once,
            )  # fmt: skip
        except KeyNotFound:
            raise no_such_place(key, self._service.name) from None
        except NoAnswer:
            # The last request may have been done, and its repetition does not find the upload any more.
            if not self._arrived(key, token):
                raise
        return Stored(key, digester.size)

    def _opened(self, key: str, start: int = 0, stop: int | None = None, version: str = "") -> Opened:
        """See `opened`."""
        return opened(self._connection, self._service, key, self._path(key), start, stop, version)

    def _flow(self, key: str, found: Opened) -> Iterator[bytes]:
        retries = self._connection.retries_of_reading
        return flow(self._service, key, found, lambda at: self._opened(key, at, found.stop, found.version), retries)

    def _look(self, key: str) -> Any:
        """obstore's answer to a HEAD request, ``None`` if there is nothing."""
        module = self._connection.module
        try:
            return self._connection.ask(
                key, module.get, self._connection.client(), self._path(key), options={"head": True}
            )
        except KeyNotFound:
            return None

    def _arrived(self, key: str, token: str) -> bool:
        """Whether under ``key`` is what was put with ``token``."""
        try:
            there = self._look(key)
        except StoreError:
            return False
        return there is not None and token in tokens_of(there.attributes)

    def _read_small(self, key: str) -> tuple[bytes | None, str, tuple[str, ...]]:
        """The bytes under ``key``, their version and tokens."""
        module = self._connection.module
        try:
            result = self._connection.ask(key, module.get, self._connection.client(), self._path(key))
            body = bytes(self._connection.ask(key, result.bytes))
        except KeyNotFound:
            return None, "", ()
        version = result.meta["e_tag"]
        if not version:
            raise StoreError(key, f"{self} tells no version (ETag) of it, without which nothing can be swapped")
        return body, version, tokens_of(result.attributes)

    def _path(self, key: str) -> str:
        if _CONTROL.search(key):
            raise StoreError(key, "the name has a control character, which no object's name can have here")
        return self._service.prefix + key


def size_of(body: Body) -> int:
    """The bytes of ``body``, 0 for a file that cannot be looked at: who reads it says why."""
    if isinstance(body, bytes):
        return len(body)
    with suppress(OSError, ValueError):
        return os.path.getsize(body)
    return 0


def part_of(size: int, least: int) -> int:
    """The bytes of each part of a body of ``size``: ``least`` of them, or as many MiB as make no more than 10,000.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html. A body that grows meanwhile may be a tenth more.
    """
    return max(least, -(-size // (_PARTS * _CHUNK)) * _CHUNK)


def _beginning(body: Body, key: str, expected: int) -> bytes:
    """All of ``body``, which is ``expected`` to have that size; of more than 5 MiB, more than 5 MiB."""
    found: list[bytes] = []
    size = 0
    # At once: what is read in pieces is held twice while they are put together.
    for chunk in chunks_of(body, key, max(expected + 1, 1 << 16)):
        found.append(chunk)
        size += len(chunk)
        if size > LEAST_PART:
            break
    return b"".join(found)


def new_token() -> str:
    """A token for a put on a condition."""
    return secrets.token_hex(8)


def checked_chunks(body: Body, key: str, digest: Digest | None, digester: Digester) -> Iterator[bytes]:
    """The bytes of ``body``, which ``digester`` is told, too.

    Raises `StoreError` behind the last if they do not have the ``digest``: an upload that has not heard of the end by
    then has changed nothing.
    """
    # Begun here: what reads on may be another thread.
    return _checked(chunks_of(body, key), key, digest, digester)


def _checked(chunks: Iterator[bytes], key: str, digest: Digest | None, digester: Digester) -> Iterator[bytes]:
    for chunk in chunks:
        digester.update(chunk)
        yield chunk
    check_digest(key, digester.digest(), digest)
