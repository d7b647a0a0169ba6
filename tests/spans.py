"""What any store with `Parts` and `Folders` must do, as properties; Python's slices and `str.split` are the oracles."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from hypothesis import example, given, settings
from hypothesis import strategies as st

from shipfiles.stores.store import Folders, Parts, Store

BODY = random.Random(8).randbytes(1000)

_ENDS = st.one_of(st.integers(0, 1200), st.sampled_from((1, 999, 1000, 1001, 1 << 40)))
_NAMES = st.lists(st.sampled_from(("a", "b", "ab", "a.b", "ä b", "A", "-", "a%2Fb")), min_size=1, max_size=3)


def _property(count: int, check: Callable[..., None]) -> Callable[..., None]:
    return settings(max_examples=count, deadline=None, database=None)(check)


def check_parts(store: Store, count: int = 100) -> None:
    """Assert that any part of any body is the slice."""
    assert isinstance(store, Parts)
    for size in (0, 1, len(BODY)):
        store.put(f"sized/{size}", BODY[:size])
    parts = store

    @given(size=st.sampled_from((0, 1, len(BODY))), start=_ENDS, stop=st.none() | _ENDS)
    @example(len(BODY), 0, None)
    @example(len(BODY), 999, 1000)
    @example(len(BODY), 1000, 1001)
    def check(size: int, start: int, stop: int | None) -> None:
        part = parts.read_part(f"sized/{size}", start, stop)
        assert (part.stored.key, part.stored.size) == (f"sized/{size}", size)
        assert b"".join(part.body) == BODY[:size][start:stop]

    _property(count, check)()


def check_folders(store: Store, count: int = 40) -> None:
    """Assert that any folder of some keys has the names that splitting all keys gives."""
    assert isinstance(store, Folders)
    folders, put = store, store.put
    chance = random.Random(8)
    names = ("a", "b", "ab", "a.b", "ä b", "A", "-", "a%2Fb")
    # On a disk no name can be a file and a folder.
    keys = {"/".join([*chance.choices(names, k=depth), f"{chance.choice(names)}.txt"]) for depth in (0, 1, 2) * 12}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: put(f"here/{key}", b"x"), sorted(keys)))

    @given(path=st.one_of(_NAMES, st.just([])))
    def check(path: list[str]) -> None:
        split = [key.split("/") for key in keys]
        below = [parts[len(path) :] for parts in split if parts[: len(path)] == path and len(parts) > len(path)]
        expected = sorted({parts[0] for parts in below if parts[1:]}), sorted(p[0] for p in below if not p[1:])
        assert folders.folder("".join(f"{name}/" for name in ("here", *path))) == expected

    _property(count, check)()
