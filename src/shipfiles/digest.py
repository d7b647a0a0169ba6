"""Digests and the hashed names made from them.

One digest serves everywhere: SHA-384, written as the W3C's integrity metadata (``sha384-`` and base64, Subresource
Integrity section 3.5), so that the manifest's digest of a file is also what an ``integrity`` attribute takes.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import NewType, Protocol

from .paths import split_name

Digest = NewType("Digest", str)
"""``sha384-<base64>``, 71 characters."""

HASH_LENGTH = 12
"""Hexadecimal digits of the digest in a hashed name: the length that Django's own hashed names have."""

_CHUNK = 1 << 20
_HASHED = re.compile(r"\.[0-9a-f]{12}(?:\.[^./]*)?\Z")


class Digester:
    """A digest that is fed piece by piece."""

    __slots__ = ("_state", "size")

    def __init__(self) -> None:
        self._state = hashlib.sha384(usedforsecurity=False)
        self.size = 0

    def update(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take in ``chunk``."""
        self._state.update(chunk)
        self.size += len(chunk)

    def digest(self) -> Digest:
        """The digest of all that was taken in."""
        return Digest("sha384-" + base64.b64encode(self._state.digest()).decode("ascii"))


def digest_bytes(*parts: bytes | bytearray | memoryview) -> Digest:
    """The digest of ``parts`` put one behind the other."""
    digester = Digester()
    for part in parts:
        digester.update(part)
    return digester.digest()


class Readable(Protocol):
    """What `digest_stream` needs of a file."""

    def read(self, size: int, /) -> bytes: ...


def digest_stream(stream: Readable) -> tuple[Digest, int]:
    """The digest and the size in bytes of what is left to read in ``stream``; holds at most 1 MiB of it."""
    digester = Digester()
    while chunk := stream.read(_CHUNK):
        digester.update(chunk)
    return digester.digest(), digester.size


def hex_prefix(digest: Digest, length: int = HASH_LENGTH) -> str:
    """The first ``length`` hexadecimal digits of ``digest`` (at most 96)."""
    return base64.b64decode(digest[7:]).hex()[:length]


def is_digest(text: object) -> bool:
    """Whether ``text`` has the form of a `Digest`."""
    if not isinstance(text, str) or len(text) != 71 or not text.startswith("sha384-"):
        return False
    try:
        return len(base64.b64decode(text[7:], validate=True)) == 48
    except binascii.Error:
        return False


def hashed_name(logical: str, digest: Digest) -> str:
    """Where ``logical`` is published when its content has ``digest``: ``css/app.css`` → ``css/app.<12 hex>.css``."""
    stem, extension = split_name(logical)
    return f"{stem}.{hex_prefix(digest)}{extension}"


def looks_hashed(path: str) -> bool:
    """Whether ``path`` has the form of a hashed name. Says nothing of whether there is such a file."""
    return _HASHED.search(path) is not None
