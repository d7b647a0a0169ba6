"""What makes the signed URLs of a store, and remembers them."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Protocol, TypeVar
from urllib.parse import quote

from ..store import Grant

REMEMBERED = 1000
K = TypeVar("K", bound=Hashable)


class Signer(Protocol):
    """What makes the signed URLs of a store."""

    def url(self, path: str, grant: Grant) -> str:
        """The URL of ``path``, the object's name in the bucket. Raises `ConfigError` as `Signs` says."""
        ...


def remembering(made: Callable[[str, Grant, K], str]) -> Callable[[str, Grant, K], str]:
    """``made``, which is not called again for the last thousand URLs with the same path, grant and key.

    The same page shows the same files, and some signatures take a millisecond. Safe to use from several threads.
    """
    return lru_cache(REMEMBERED)(made)


@lru_cache(256)
def quoted(text: str) -> str:
    """``text`` as a parameter's value; most are the same from one URL to the next."""
    return quote(text, safe="")
