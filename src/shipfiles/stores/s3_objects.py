"""S3 as a `Store`, where the bucket copies within itself."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import cast

from ..digest import Digest
from ..errors import Busy, KeyExists, KeyNotFound, NoAnswer, StoreError
from ..paths import RESERVED
from .object_connection import Service
from .object_faults import OtherVersion
from .object_fields import as_headers, canonical, marked, tokens_of
from .objects import LEAST_PART, TRIES, ObjectStore, new_token, part_of, size_of
from .providers import TRIED
from .store import Body, PutMode, Stored, check_key

UPLOADS = f"{RESERVED}/uploads"
"""Where uploads are until they have their name."""
_PART = 10 << 20
_PARTS_AT_ONCE = 2
_LARGEST_COPY = 5 << 30  # https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
_COPIED_A_SECOND = 10 << 20  # at the least: for so much more is the answer waited for
_CONDITION = "if-none-match"
_AS_UPLOAD = "multipart"
_PAUSE = 0.05  # seconds
_LEFT_OVER = 24 * 3600.0  # seconds: no upload takes so long


class CopyingObjectStore(ObjectStore):
    """An object store that copies at one instant, and can give the copy other fields: S3.

    A create-only put of more than 5 MiB first uploads it to a key of its own, ``.shipfiles/uploads/...``, and then has
    it copied on the condition that there is nothing yet under the key that was asked for: the upload itself takes a
    condition with its last request only, and obstore can give none to one alone. What a process that was killed leaves
    there `sweep` removes.

    ``new_copies`` says how, see `Provider`. SeaweedFS 4.48 lets one of several copies succeed, but now and then two of
    several uploads that end at once; of MinIO only the latter is known. So a server of which nobody knows is first
    asked to copy onto what is there, once.

    Not so where no page says that such a condition is heeded (``new_copies`` is empty), and for what is larger than a
    copy may be, 5 GiB: there one looks first, and of two at once both may succeed.
    """

    def __init__(self, service: Service, new_copies: str) -> None:
        super().__init__(service)
        self._new_copies = new_copies

    def sweep(self, older_than: float | None = None) -> int:
        """Remove what create-only puts left, begun long ago, by default more than a day; the number removed."""
        end = time.time() - (_LEFT_OVER if older_than is None else older_than)
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
        condition = self._condition(source)
        headers = dict(self._service.write_headers(target))
        # A copy gets all but the class of its storage, an upload nothing of what its part was copied from.
        all_of_it = as_headers(marked(attributes, (token,)), self._service.own)
        headers |= {name: value for name, value in all_of_it.items() if not condition or name == "x-amz-storage-class"}
        headers |= {condition: "*"} if condition else {}
        client = self._connection.made(headers, size / _COPIED_A_SECOND)
        module = self._connection.module
        self._patient._connection.forget([target])
        for attempt in range(TRIES):
            if attempt:
                time.sleep(_PAUSE * attempt)
            try:
                self._connection.insist(
                    target, module.copy, client, self._path(source), self._path(target), overwrite=bool(condition)
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

    def _condition(self, there: str) -> str:
        """The header field with which a copy replaces nothing; empty if it must be an upload.

        Where that has to be tried, the key ``there``, which nobody else knows, is asked to be copied onto itself.
        """
        patient = cast("CopyingObjectStore", self._patient)
        if patient._new_copies == TRIED:
            # To replace its fields: without any change a copy onto itself is refused for that alone.
            replacing = {"x-amz-metadata-directive": "REPLACE"}
            headers = {**self._service.write_headers(there), **replacing, _CONDITION: "*"}
            module, path = self._connection.module, self._path(there)
            try:
                self._connection.insist(there, module.copy, self._connection.client(headers), path, path)
            except (KeyExists, OtherVersion):
                patient._new_copies = _CONDITION
            except NoAnswer:
                raise
            except StoreError:
                patient._new_copies = _AS_UPLOAD
            else:
                patient._new_copies = _AS_UPLOAD
        return "" if patient._new_copies == _AS_UPLOAD else patient._new_copies

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
