"""S3 as a `Store`, where the bucket copies within itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

from ..digest import Digest
from ..errors import Busy, KeyExists, KeyNotFound, NoAnswer, StoreError
from ..paths import RESERVED
from .object_connection import Service
from .object_faults import OtherVersion
from .object_fields import as_headers, canonical, marked, tokens_of
from .objects import LEAST_PART, TRIES, ObjectStore, new_token, part_of, size_of
from .store import Body, PutMode, Stored, check_key

UPLOADS = f"{RESERVED}/uploads"
"""Where uploads are until they have their name."""
_PART = 10 << 20
_PARTS_AT_ONCE = 2
_LARGEST_COPY = 5 << 30  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
_COPIED_A_SECOND = 10 << 20  # at the least: for so much more is the answer waited for
_PAUSE = 0.05  # seconds
_LEFT_OVER = 24 * 3600.0  # seconds: no upload takes so long


class CopyingObjectStore(ObjectStore):
    """An object store that copies at one instant, and can give the copy other fields: S3.

    A create-only put of more than 5 MiB first uploads it to a key of its own, ``.shipfiles/uploads/...``, and then has
    it copied on the condition that there is nothing yet under the key that was asked for: the upload itself takes a
    condition with its last request only, and obstore can give none to one alone. ``new_copies`` says how, see
    `Provider`. What a process that was killed leaves there `sweep` removes.

    Not so where no page says that such a condition is heeded (``new_copies`` is empty), and for what is larger than a
    copy may be, 5 GiB: there one looks first, and of two at once both may succeed.
    """

    def __init__(self, service: Service, new_copies: str) -> None:
        super().__init__(service)
        self._new_copies = new_copies

    def sweep(self) -> int:
        """Remove what create-only puts left that were begun more than a day ago; the number removed."""
        end = time.time() - _LEFT_OVER
        old = [stored.key for stored in self.list(f"{UPLOADS}/") if stored.modified < end]
        self.delete(old)
        return len(old)

    def _held(self, size: int, mode: PutMode) -> int:
        if size <= LEAST_PART or mode == "overwrite":
            return super()._held(size, mode)
        return min(size, (_PARTS_AT_ONCE + 1) * part_of(size, _PART))

    def _send_in_parts(
        self, key: str, body: Body, mode: PutMode, digest: Digest | None, attributes: Mapping[str, str]
    ) -> Stored:
        if mode != "create" or not self._new_copies or size_of(body) > _LARGEST_COPY:
            return super()._send_in_parts(key, body, mode, digest, attributes)
        if self._look(key) is not None:
            raise KeyExists(key)
        token = new_token()
        staged = f"{UPLOADS}/{token}"
        try:
            sent = self._upload(
                staged, body, digest, attributes, token, part=_PART, at_once=_PARTS_AT_ONCE
            )  # fmt: skip
            if not self._copied_as_new(staged, key, attributes, token, sent.size):
                raise KeyExists(key)
        finally:
            with suppress(StoreError):
                self._delete([staged])
        return Stored(key, sent.size)

    def _copied_as_new(self, source: str, target: str, attributes: Mapping[str, str], token: str, size: int) -> bool:
        """Make ``target`` a copy of ``source`` if there is nothing; whether there was nothing."""
        headers = dict(self._service.write_headers(target))
        # An upload gets none of what its part was copied from, a copy all but the class of its storage.
        given = marked(attributes, (token,)) if self._new_copies == "multipart" else attributes
        headers |= {
            name: value
            for name, value in as_headers(given, self._service.own).items()
            if self._new_copies == "multipart" or name == "x-amz-storage-class"
        }
        client = self._connection.made(headers, size / _COPIED_A_SECOND)
        module = self._connection.module
        self._patient._connection.forget([target])
        for attempt in range(TRIES):
            if attempt:
                time.sleep(_PAUSE * attempt)
            try:
                self._connection.insist(
                    target, module.copy, client, self._path(source), self._path(target), overwrite=False
                )
            except (KeyExists, OtherVersion):
                there = self._look(target)
                if there is not None:
                    return token in tokens_of(there.attributes)
                # S3 answers 409 while another writes or deletes the key, who may have deleted it.
            except KeyNotFound:
                raise StoreError(target, f"its upload to {self} was removed before it was whole; run again") from None
            except Busy:
                raise
            except NoAnswer:
                # The last request may have been done, and its repetition does not find the upload any more.
                if not self._arrived(target, token):
                    raise
                return True
            else:
                return True
        raise StoreError(target, f"others keep writing it in {self}; run again")

    def copy(self, source: str, target: str, *, fields: Mapping[str, str] = {}) -> bool:
        """Make ``target`` a copy of ``source``. True also if it was one: to look would cost as much as to copy."""
        self._copy(source, target, fields, replace=bool(fields))
        return True

    def refield(self, key: str, fields: Mapping[str, str]) -> None:
        """See `Refields`: a copy of the object onto itself, for which the store moves no bytes."""
        self._copy(key, key, fields, replace=True)

    def _copy(self, source: str, target: str, fields: Mapping[str, str], *, replace: bool) -> None:
        check_key(source)
        check_key(target)
        headers = dict(self._service.write_headers(target))
        if replace:
            attributes = canonical({**self._service.fields, **fields}, self._service.own, target)
            headers |= {"x-amz-metadata-directive": "REPLACE", **as_headers(attributes, self._service.own)}
        module = self._connection.module
        self._patient._connection.forget([target])
        try:
            self._connection.ask(
                target, module.copy, self._connection.client(headers), self._path(source), self._path(target)
            )
        except KeyNotFound:
            raise KeyNotFound(source) from None
