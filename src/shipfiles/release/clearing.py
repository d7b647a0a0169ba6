"""What is ours in a store that a release is sent to, and of no use to anybody any more."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from ..digest import Digest
from ..errors import ManifestError
from ..events import Listener
from ..stores.store import Store, Stored, read_all
from .claims import Claims
from .given import leave
from .listed import listed
from .ownership import django_keys, owned_keys, without_twins
from .pace import in_pace
from .seen import There
from .target import Target
from .underway import in_use

_STOCK = "staticfiles.json"


def unneeded(
    target: Target, needed: Collection[str], manifest: Digest, there: There, listener: Listener, before: str = ""
) -> dict[str, int]:
    """Key → size of what Shipfiles or stock Django put into ``target``, but for the ``needed`` keys and those that
    other runs than that for the release with this ``manifest`` count on.

    ``before`` is the release that is current as long as that run has not moved the pointer. The listener is told of
    what is left because somebody else's bytes are there.
    """
    store, claims = target.store, Claims()
    django = django_keys(store, _STOCK, listener)
    owned = owned_keys(store, "", listener, claims) | django
    if django:
        owned |= {_STOCK}  # which would name files that are gone
    # Last of all: a run whose manifest is not there yet will see what it cannot count on.
    others = _of_others(store, manifest, before)
    there.forget()
    sizes = there.sizes(without_twins(owned, [*needed, *others]))
    # Under a name that a manifest says, somebody may have put a file of their own since. Django's says no bytes.
    claimed = sorted(key for key in sizes if key in claims and key not in django)
    looks = in_pace(
        lambda key: claims.are_ours(store, key, Stored(key, sizes[key])), claimed, listener,
        at_once=target.at_once, limit=target.limit,
    )  # fmt: skip
    theirs = {key for key, ours in looks if not ours}
    for key in sorted(theirs):
        leave(listener, key)
    return {key: size for key, size in sizes.items() if key not in theirs}


def _of_others(store: Store, manifest: Digest, before: str) -> set[str]:
    """The keys that other runs count on: one that has become current meanwhile, and those that are under way."""
    found: set[str] = set()
    for key, records in in_use(store, manifest, before).items():
        found |= {key, *records}
        with suppress(ManifestError):  # which has been told
            found.update(item.key for item in listed(read_all(store, key) or b"", key))
    return found
