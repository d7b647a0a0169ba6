"""What has to be sent to a store so that it has a release: a pure function of what it has and what it is to have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from ..digest import Digest
from .items import Item

_WORTH_A_COPY = 64 * 1024
"""A smaller body is sent as fast as the store copies one. Bytes."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What has to be sent, each in the order of the keys."""

    hashed: tuple[Item, ...] = ()
    """Under names that stand for their bytes: nothing that is there changes."""
    plains: tuple[Item, ...] = ()
    """Under plain names, whose bytes change."""
    copies: Mapping[str, str] = field(default_factory=dict)
    """Key of one of these → a key of the store with the same bytes, by then."""
    kept: int = 0
    """How many objects of the release are there already."""

    @property
    def bytes(self) -> int:
        """Of all bodies that are sent."""
        return sum(item.size for item in (*self.hashed, *self.plains) if item.key not in self.copies)


def difference(
    wanted: Mapping[str, Item],
    there: Mapping[str, Item],
    *,
    doubtful: Collection[str] = (),
    wrong: Collection[str] = (),
    copies: bool = False,
) -> Difference:
    """What has to be sent so that a store which has the items ``there`` has those that are ``wanted``, both by key.

    Under the ``doubtful`` keys there may be something else; under the ``wrong`` ones there is. With ``copies`` the
    store can copy within itself.
    """
    in_place = {
        key for key, item in wanted.items() if key not in wrong and key not in doubtful and _same(item, there.get(key))
    }
    missing = [wanted[key] for key in sorted(wanted) if key not in in_place]
    hashed = tuple(item for item in missing if item.hashed)
    plains = tuple(item for item in missing if not item.hashed)
    sources = _sources(item for key, item in there.items() if key not in wrong) if copies else {}
    found = {item.key: source for item in hashed if (source := _source(item, sources)) is not None}
    if copies:
        sources |= _sources(item for key, item in wanted.items() if item.hashed)
    found |= {item.key: source for item in plains if (source := _source(item, sources)) is not None}
    return Difference(hashed, plains, found, len(in_place))


def _same(item: Item, there: Item | None) -> bool:
    return there is not None and (there.digest, there.coding) == (item.digest, item.coding)


def _sources(items: Iterable[Item]) -> dict[Digest, str]:
    """Digest → a key that will keep these bytes."""
    return {item.digest: item.key for item in items if item.hashed and item.size >= _WORTH_A_COPY}


def _source(item: Item, sources: Mapping[Digest, str]) -> str | None:
    source = sources.get(item.digest)
    return None if source == item.key else source
