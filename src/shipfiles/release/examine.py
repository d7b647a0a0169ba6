"""What there is of the files of a release that is to become current, and whether all is there that must be."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from ..digest import Digest
from ..errors import ReleaseDamaged
from ..events import Listener
from ..manifest import plain_key, suffix
from ..model import Entry, Plain, Variant, under_name
from ..stores.store import Store, digest_of
from .pace import in_pace
from .pieces import Piece, look
from .text import ManifestText

MANY = 1000
"""For more files all names are read, rather than looked for one by one, and not all bytes."""

_T = TypeVar("_T")
_R = TypeVar("_R")


def each(
    function: Callable[[_T], _R], items: Iterable[_T], at_once: int, listener: Listener
) -> Iterator[tuple[_T, _R]]:
    """``(item, function(item))`` for each item, so many ``at_once`` as `in_pace`; one after the other for none."""
    if at_once:
        return in_pace(function, items, listener, at_once=at_once)
    return ((item, function(item)) for item in items)


class Examination:
    """A look at the files of ``release``, whose manifest is ``wanted``. See `activate` for ``at_once``."""

    def __init__(self, store: Store, release: str, wanted: ManifestText, at_once: int, listener: Listener) -> None:
        self._store = store
        self._release = release
        self._wanted = wanted
        self._at_once = at_once
        self._listener = listener

    def checked(self, will: Mapping[str, Entry], was: Mapping[str, Entry]) -> dict[str, Entry]:
        """The entries that have other variants than the manifest says. Raises `ReleaseDamaged`.

        Of up to a thousand files the bytes are read. Of more only the sizes are looked at, but for names whose bytes
        may be others: hashed names keep theirs. Variants do not: a run with other settings for compression puts others
        beside the same files.
        """
        few = len(will) <= MANY and not self._at_once
        faults: list[tuple[str, str]] = []
        fixed: dict[str, Entry] = {}

        def looked(entry: Entry) -> tuple[list[tuple[str, str]], Entry]:
            return self._looked(entry, was.get(entry.logical), few)

        for entry, (wrong, found) in each(looked, will.values(), self._at_once, self._listener):
            faults += wrong
            if found != entry:
                fixed[entry.logical] = found
        if faults:
            raise ReleaseDamaged(self._release, sorted(faults))
        return fixed

    def _looked(self, entry: Entry, old: Entry | None, few: bool) -> tuple[list[tuple[str, str]], Entry]:
        """What is wrong with the files of ``entry``, and what is to be said of it: of its variants what there are."""
        faults: list[tuple[str, str]] = []
        under, fault = self._under(entry.name, entry, prove=few or _may_be_replaced(entry, old))
        if fault:
            faults.append((entry.name, fault))
        spare = entry.plain if self._wanted.flags.keeps_sources else None
        if spare is not None:
            _, fault = self._under(plain_key(spare.digest), spare, prove=few)
            if fault:
                faults.append((plain_key(spare.digest), fault))
        if faults:
            return faults, entry
        live = old.codings if old is not None and old.name == entry.name else {}
        plain = entry.plain
        old_plain = old.plain if old is not None else None
        live_plain = old_plain.codings if old_plain and plain and old_plain.digest == plain.digest else {}
        if spare is not None:
            plain = replace(spare, codings=self._variants(plain_key(spare.digest), spare.codings, live_plain))
        elif plain is not None and not (self._wanted.spares or self._wanted.hashed_only):
            under_plain, fault = self._under(entry.logical, plain, prove=True)
            if fault and entry.logical not in self._hashed:
                plain = None
            elif not fault:
                codings = self._variants(entry.logical, plain.beside, live_plain)
                plain = replace(plain, codings=codings | under_plain, stored="".join(under_plain))
        codings = self._variants(entry.name, entry.beside, live)
        return [], replace(entry, codings=codings | under, stored="".join(under), plain=plain)

    def _under(self, key: str, of: Entry | Plain, *, prove: bool) -> tuple[dict[str, Variant], str]:
        """What lies under ``key`` itself, if ``of`` is stored there in a coding, and what is wrong with it.

        A later release may have stored it in another one, or with other settings for compression.
        """
        wanted = under_name(of)
        as_said = {of.stored: wanted} if of.stored else {}
        fault = self.fault(key, wanted.size, wanted.digest if prove else None)
        if fault in ("", "missing") or self._wanted.spares:
            return as_said, fault
        content = Variant(of.size, of.digest)
        piece = Piece(key, wanted.size, wanted.digest, of.stored, content if of.stored else None)
        found, there = look(self._store, piece, {}), self._store.head(key)
        if found is None or there is None or found.kind != "re-encoded" or found.digest is None:
            return as_said, fault
        return ({found.coding: Variant(there.size, found.digest)} if found.coding else {}), ""

    @cached_property
    def _hashed(self) -> frozenset[str]:
        """The hashed names of the release."""
        return frozenset(self._wanted.names().values())

    def fault(self, key: str, size: int, digest: Digest | None) -> str:
        """What is wrong with ``key``; empty if nothing. Its bytes are read if they must have a ``digest``."""
        there = self._store.head(key)
        if there is None:
            return "missing"
        if there.size != size:
            return f"has {there.size:,} bytes, and the manifest says {size:,}"
        if digest is not None and digest_of(self._store, key)[0] != digest:
            return "has other bytes than the manifest says"
        return ""

    def _variants(self, name: str, wanted: Mapping[str, Variant], live: Mapping[str, Variant]) -> dict[str, Variant]:
        """What there is of the ``wanted`` variants beside ``name``, where the current release has those ``live``."""
        found = {}
        for token, variant in wanted.items():
            key = name + suffix(token)
            there = self._store.head(key)
            if there is None:
                continue
            if there.size == variant.size and (live.get(token) == variant or self._at_once):
                found[token] = variant
                continue
            made = Variant(there.size, digest_of(self._store, key)[0])
            if made in (variant, live.get(token)):
                found[token] = made
        return found


def _may_be_replaced(entry: Entry, old: Entry | None) -> bool:
    """Whether another release may have put other bytes under the hashed name: one that a bundler gave is also plain."""
    return entry.kept and (old is None or old.name != entry.name or old.digest != entry.digest)
