"""What manifests say of the bytes under keys that are to be deleted, and whether it is so."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..digest import Digest, hex_prefix, is_digest
from ..errors import KeyNotFound, StoreError
from ..manifest import plain_key
from ..model import Variant
from ..stores.store import Links, Store, Stored, digest_of
from .listed import Listed
from .pieces import Piece, look

Seen = Stored | str
"""What was found under a key: bytes, or the target of a symbolic link."""


class _Claim(NamedTuple):
    """What one manifest says."""

    size: Any
    digest: Any
    coding: str
    content: Variant | None
    """What a variant decodes to."""


@dataclass(slots=True)
class Claims:
    """What the manifests of dropped releases say of the keys that no kept one needs.

    A manifest may have been brought by an import, and a name may have been taken by others since, so no key is taken
    for ours because a manifest names it. Under a name that has the digest of its bytes in it the size is enough.
    """

    _sizes: dict[str, set[object]] = field(default_factory=dict)
    _doubtful: dict[str, list[_Claim]] = field(default_factory=dict)

    def add(self, item: Listed) -> None:
        """One more manifest says this."""
        of = item.facts if item.whole is None else item.whole
        claim = _Claim(item.facts.get("size"), item.facts.get("digest"), item.coding, _content(item))
        if not item.plain and _is_in(of.get("digest"), item.key):
            self._sizes.setdefault(item.key, set()).add(claim.size)
            if item.coding:
                self._doubtful.setdefault(item.key, []).append(claim)
        else:
            self._doubtful.setdefault(item.key, []).append(claim)

    def __contains__(self, key: str) -> bool:
        """Whether a manifest says something of ``key``."""
        return key in self._sizes or key in self._doubtful

    def links(self) -> Iterable[str]:
        """The keys that may be symbolic links."""
        return self._doubtful

    def are_ours(self, store: Store, key: str, seen: Seen) -> bool:
        """Whether what was ``seen`` under ``key`` is what one of the manifests says, or a variant of the same file."""
        known = self._doubtful.get(key, ())
        if isinstance(seen, str):
            # The manifest of a run that links says so by naming no bytes; those of the source may be others by now.
            return any(claim.size is None for claim in known) and _is_link_of(store, key, seen, known)
        if seen.size in self._sizes.get(key, ()):
            return True
        try:
            if any(claim.size == seen.size for claim in known):
                digest = digest_of(store, key)[0]
                if any(claim.digest == digest for claim in known):
                    return True
        except KeyNotFound:
            return False
        # Compressed again with other settings it may be a variant of that file all the same.
        return any(_decodes(store, key, claim) for claim in known)


@dataclass(slots=True)
class Sweep:
    """What a plan would delete, as it was when the plan was made."""

    claims: Claims = field(default_factory=Claims)
    seen: dict[str, Seen] = field(default_factory=dict)
    owners: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Key → the manifest that names it, and the release that it goes with; empty for what was left of others."""
    _touched: set[str] = field(default_factory=set)

    def is_as_planned(self, store: Store, key: str) -> bool | None:
        """Whether ``key`` is what it was, so that it may be deleted now; ``None`` if nothing is there any more."""
        before = self.seen[key]
        now = store.link_of(key) if isinstance(before, str) and isinstance(store, Links) else store.head(key)
        if now is None:
            # A link, or a folder, may stand where a file was.
            return False if isinstance(store, Links) and store.link_of(key) is not None else None
        if isinstance(before, str) or isinstance(now, str):
            return now == before
        if (now.size, now.place) != (before.size, before.place):
            return False
        # Who deletes one of several hard links, as is done here and where a file is replaced, changes the time of the
        # others.
        fewer = now.place in self._touched or now.sharing < before.sharing
        if now.modified != before.modified and not fewer:
            return False
        if now.place:
            self._touched.add(now.place)
        return self.claims.are_ours(store, key, now)


def _content(item: Listed) -> Variant | None:
    if item.whole is None:
        return None
    size, digest = item.whole.get("size"), item.whole.get("digest")
    return Variant(size, Digest(str(digest))) if isinstance(size, int) and is_digest(digest) else None


def _is_in(digest: object, key: str) -> bool:
    """Whether ``key`` is a name that is made from the ``digest`` of its bytes."""
    if not is_digest(digest):
        return False
    known = Digest(str(digest))
    return f".{hex_prefix(known)}" in key or key.startswith(plain_key(known))


def _decodes(store: Store, key: str, claim: _Claim) -> bool:
    if claim.content is None or not claim.coding:
        return False
    piece = Piece(key, 0, claim.content.digest, claim.coding, claim.content)
    finding = look(store, piece, {})
    return finding is not None and finding.kind == "re-encoded"


def _is_link_of(store: Store, key: str, target: str, known: Iterable[_Claim]) -> bool:
    """Whether ``target`` may be the source of the file: it has its name, and its bytes if it is there."""
    if os.path.basename(target) != os.path.basename(key):
        return False
    try:
        digest = digest_of(store, key)[0]
    except KeyNotFound:
        return True  # the source is gone, as the file is from the releases
    except StoreError:
        return False
    return any(claim.size is None and claim.digest == digest for claim in known)
