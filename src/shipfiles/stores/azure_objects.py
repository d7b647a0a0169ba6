"""Azure Blob as a `Store`: large bodies that are to replace nothing, for which obstore knows no condition.

Of an upload in blocks, Put Block List takes ``If-None-Match``, Put Block none:
https://learn.microsoft.com/en-us/rest/api/storageservices/specifying-conditional-headers-for-blob-service-operations.
So these two are asked here. Blocks that no list names are in no listing; Azure removes them when anybody writes the
blob, else after a week: https://learn.microsoft.com/en-us/rest/api/storageservices/put-block.
"""

from __future__ import annotations

import base64
import ssl
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Protocol

from ..digest import Digest, Digester
from ..errors import KeyExists, NoAnswer, StoreError
from .object_connection import Service
from .object_faults import OtherVersion
from .object_fields import STORAGE_CLASS, marked, tokens_of
from .objects import TRIES, ObjectStore, checked_chunks, new_token, part_of, size_of
from .sender import Sender
from .store import Body, PutMode, Stored

_PART = 8 << 20
_PARTS_AT_ONCE = 2
_SIGNED_FOR = timedelta(days=1)
_VERSION = "2021-08-06"
# What another has written meanwhile: https://learn.microsoft.com/en-us/rest/api/storageservices/blob-service-error-codes
_TAKEN = frozenset({"BlobAlreadyExists", "ConditionNotMet", "InvalidBlobOrBlock", "InvalidBlockList"})
_FIELDS = {"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type"}


class AzureService(Service, Protocol):
    """What must be known of Azure beside what is of any service."""

    def trusted(self) -> ssl.SSLContext:
        """What certificates are checked with."""
        ...

    def signed(self, sign: Callable[[], str], url: str) -> tuple[str, Mapping[str, str]]:
        """``url`` as it can be asked, and header fields that belong to it; ``sign`` gives one that obstore signs."""
        ...

    def address(self, path: str) -> str:
        """The URL of a blob."""
        ...


class AzureStore(ObjectStore):
    """The keys under a prefix of a container. Puts, creations and swaps are at one instant, whatever the size."""

    def __init__(self, service: AzureService) -> None:
        super().__init__(service)
        self._azure = service

    def _held(self, size: int, mode: PutMode) -> int:
        return min(size, max(super()._held(size, mode), (_PARTS_AT_ONCE + 1) * part_of(size, _PART)))

    def _send_in_parts(
        self, key: str, body: Body, mode: PutMode, digest: Digest | None, attributes: Mapping[str, str]
    ) -> Stored:
        if mode != "create":
            return super()._send_in_parts(key, body, mode, digest, attributes)
        if self._look(key) is not None:
            raise KeyExists(key)
        token = new_token()
        self._patient._connection.forget([key])
        for _ in range(TRIES):
            digester = Digester()
            blocks = _Blocks(self._sender(key), token, part_of(size_of(body), _PART))
            try:
                blocks.put(checked_chunks(body, key, digest, digester), _named(marked(attributes, (token,))))
            except OtherVersion:
                there = self._look(key)
                if there is not None and token not in tokens_of(there.attributes):
                    raise KeyExists(key) from None
                if there is None:
                    continue  # another has written it, with which the blocks went, and deleted it again
            except NoAnswer:
                if not self._arrived(key, token):
                    raise
            return Stored(key, digester.size)
        raise StoreError(key, f"others keep writing it in {self}; run again")

    def _sender(self, key: str) -> Sender:
        path = self._path(key)

        def sign() -> str:
            connection = self._connection
            return str(connection.ask(key, connection.module.sign, connection.client(), "PUT", path, _SIGNED_FOR))

        url, fields = self._azure.signed(sign, self._azure.address(path))
        fields = {"x-ms-version": _VERSION, **fields}
        return Sender(key, self._service.name, url, fields, self._service.limits, self._azure.trusted(), _TAKEN)


def _named(attributes: Mapping[str, str]) -> dict[str, str]:
    """``attributes`` as the header fields of Put Block List."""
    return {
        f"x-ms-blob-{name.lower()}" if name in _FIELDS else f"x-ms-meta-{name}": value
        for name, value in attributes.items()
        if name != STORAGE_CLASS
    }


class _Blocks:
    """One upload in blocks of ``size`` bytes, named by its ``token``."""

    def __init__(self, sender: Sender, token: str, size: int) -> None:
        self._sender, self._token, self._size = sender, token, size

    def put(self, chunks: Iterator[bytes], fields: Mapping[str, str]) -> None:
        """Send what ``chunks`` give, and make a blob of it if there is none. Raises `OtherVersion` if there is one."""
        ids: list[str] = []
        pending = deque[Future[None]]()
        with ThreadPoolExecutor(_PARTS_AT_ONCE, "shipfiles-blocks") as pool:
            try:
                for part in _parts(chunks, self._size):
                    # All of one length, also those of obstore: https://learn.microsoft.com/en-us/rest/api/storageservices/put-block
                    ids.append(base64.b64encode(f"{self._token}{len(ids):016x}".encode()).decode())
                    query = {"comp": "block", "blockid": ids[-1]}
                    pending.append(pool.submit(self._sender.send, "PUT", query, part, {}))
                    if len(pending) > _PARTS_AT_ONCE - 1:
                        pending.popleft().result()
                while pending:
                    pending.popleft().result()
            except BaseException:
                self._sender.stop()
                for future in pending:
                    future.cancel()
                raise
        listed = "".join(f"<Latest>{name}</Latest>" for name in ids)
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{listed}</BlockList>'.encode()
        self._sender.send("PUT", {"comp": "blocklist"}, body, {"If-None-Match": "*", **fields})


def _parts(chunks: Iterator[bytes], size: int) -> Iterator[bytearray]:
    """What ``chunks`` give, in pieces of ``size`` bytes; only the last has fewer."""
    part, have = bytearray(size), 0
    for chunk in chunks:
        left = memoryview(chunk)
        while left:
            taken = min(len(left), size - have)
            part[have : have + taken] = left[:taken]
            left, have = left[taken:], have + taken
            if have == size:
                yield part
                part, have = bytearray(size), 0
    if have:
        del part[have:]
        yield part
