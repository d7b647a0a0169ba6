"""Which release of a store people mean: by its id, by the beginning of that, as ``current`` or as ``current~2``."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import ReleaseError
from ..records import RELEASES_PREFIX, release_of, unknown_release
from ..stores.store import Store
from .activate import release_before
from .catalog import pointer_of

CURRENT = "current"
"""May be written for the id of the current release, and with ``~N`` for one before it; no id can be like that."""

MEANT = "Its id, the beginning of one (four characters or more), 'current', or 'current~1' for the one before that."
"""What `release_meant` reads, for people."""

MAKE = "Run collectstatic."
"""How the first release is made."""

_BEFORE = re.compile(rf"{CURRENT}~([1-9][0-9]{{0,3}})")
_SHORTEST = 4
_SHOWN = 8


def release_meant(store: Store, text: str) -> str:
    """The id that ``text`` stands for: an id, ``current``, or the first four or more characters of one id alone.

    ``current~2`` is where two releases back in time lead, as in `rollback`. Raises `ReleaseError` if several ids
    begin so, `UnknownRelease` if none does, `NoEarlierRelease`, `ManifestError` for a damaged pointer.
    """
    if text == CURRENT:
        return current_release(store)
    if before := _BEFORE.fullmatch(text):
        current_release(store)
        return release_before(store, int(before[1]))
    # Compared, never joined to a path: the text may be anything.
    known = sorted(release for stored in store.list(RELEASES_PREFIX) if (release := release_of(stored.key)))
    if text in known:
        return text
    found = [release for release in known if begins(release, text)]
    if len(found) > 1:
        raise ReleaseError(f"{text!r} is ambiguous: {len(found)} releases begin so: {some(found)}. Write more of it.")
    if not found and len(text) < _SHORTEST and any(release.startswith(text) for release in known):
        raise ReleaseError(f"{text!r} is the beginning of an id, but too little of it: write four characters or more.")
    if not found:
        raise unknown_release(text, known, str(store))
    return found[0]


def begins(release: str, text: str) -> bool:
    """Whether ``text`` is the id ``release``, or enough of its beginning to stand for it."""
    return release == text or (len(text) >= _SHORTEST and release.startswith(text))


def is_relative(text: str) -> bool:
    """Whether it depends on the pointer what ``text`` stands for."""
    return text == CURRENT or _BEFORE.fullmatch(text) is not None


def current_release(store: Store, make: str = MAKE) -> str:
    """The id of the current release. Raises `ReleaseError` if there is none, which says how to ``make`` the first;
    `ManifestError` if that is damaged.
    """
    pointer = pointer_of(store)
    if pointer is None:
        raise ReleaseError(no_current(store, make))
    return pointer.release


def no_current(store: Store, make: str = MAKE) -> str:
    """What to do where no release is current: ``make`` the first, if there is none at all."""
    known = sum(1 for _ in store.list(RELEASES_PREFIX))
    if not known:
        return f"There is no release in {store} yet. {make}"
    return (
        f"No release in {store} is current, and {known} can be: make one so with 'ship activate ID', "
        "or run collectstatic."
    )


def some(ids: Sequence[str]) -> str:
    """The ``ids`` for people, not more than fit into a sentence."""
    return ", ".join(ids[:_SHOWN]) + (f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else "")
