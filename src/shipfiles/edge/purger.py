"""What makes a CDN or a cache forget, and what it says of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Purged:
    """What was done."""

    requests: int = 0
    """How many it took, with those that were repeated."""
    ids: tuple[str, ...] = ()
    """What the provider calls each purge, where it tells."""
    notes: tuple[str, ...] = ()
    """What people should know: that it takes a while, or that more was purged than asked."""


class Purger(Protocol):
    """A CDN or cache, as far as it forgets.

    Its ``str()`` is how people know it, without credentials: ``cloudfront E123``. ``shipfiles.testing.PurgerContract``
    is what it must do. What fails raises `PurgeError` with every URL that may not be purged; what is asked twice does
    no harm. It keeps to the provider's limits and repeats what may be repeated, within a time of its own.
    """

    def purge(self, urls: Sequence[str], *, reference: str) -> Purged:
        """Forget these: whole URLs as browsers ask them, percent-encoded, none of them twice; in no order.

        ``reference`` stands for this purge: the same for all of its requests, another for every other one. Letters,
        digits and dashes, at most 64.
        """

    def purge_all(self, *, reference: str) -> Purged:
        """Forget everything."""


@runtime_checkable
class PurgesTags(Protocol):
    """A purger that knows answers by the tags in their header field, as OPTIONS["serve"]["cache_tags"] gives them."""

    def purge_tags(self, tags: Sequence[str], *, reference: str) -> Purged:
        """Forget what has any of these tags."""
