"""Put one content under all its keys, and its variants beside them: what the workers of a publication do."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ..build.cache import Cache
from ..build.compress import compressors, is_always, is_kept
from ..config import CompressConfig
from ..digest import Digest, digest_bytes
from ..events import Changed
from ..manifest import SUFFIXES, Manifest, plain_key, suffix
from ..model import Variant
from ..stores.store import Copies, Links, Store, digest_of
from .contents import Content
from .given import Given


@dataclass(frozen=True, slots=True)
class Made:
    """One coding of one content: its variant and a key that holds it, or that it was not worth keeping."""

    variant: Variant | None
    holder: str = ""


@dataclass(slots=True)
class Placed:
    """What a worker did for one content; told to the listener by the thread that listens."""

    made: dict[str, Made] = field(default_factory=dict)
    """By the compressor's settings."""
    changed: list[Changed] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    encoded: int = 0
    in_place: int = 0
    encoder_seconds: float = 0.0
    foreign: dict[str, str] = field(default_factory=dict)
    """Keys of variants that somebody else has taken → the plain name that they are beside."""


class Placer:
    """Places contents in ``store``. Safe to use from several threads, one content in each.

    ``taken`` are the keys of sources and assets, which no variant may claim; ``previous`` is the current release and
    ``known`` what it says of contents' variants, by the compressor's settings; ``None`` was not worth keeping.
    ``only_plain`` places no assets and so no variants. ``given`` tells which variants beside plain names are ours.
    """

    def __init__(
        self,
        store: Store,
        config: CompressConfig,
        *,
        link: bool,
        only_plain: bool,
        taken: Collection[str],
        previous: Manifest,
        known: Mapping[tuple[Digest, str], Variant | None],
        cache: Cache,
        given: Given,
    ) -> None:
        self._store = store
        self._given = given
        self._config = config
        self._link = link
        self._only_plain = only_plain
        self._taken = taken
        self._previous = previous
        self._known = known
        self._cache = cache
        self.made: dict[tuple[Digest, str], Made] = {}
        """What is known of each content that was placed, by the compressor's settings; written by the thread that
        gathers results."""

    def asset(self, content: Content) -> Placed:
        """Put ``content`` and its variants under its hashed names, and where the source of a rewritten file is kept."""
        placed = Placed()
        for number, name in enumerate(content.assets):
            change = Changed(name, "write", content.size)
            if name in content.kept:
                # In the words of Django's command, a copy of the source.
                change = Changed(name, "write", content.size, name, "plain", content.kept[name])
                self._drop_variants(name, content, placed, changed=True)
            before = len(placed.changed)
            if number == 0:
                self._put(name, content, change, placed)
            else:
                self._copy(content.assets[0], name, content, change, placed)
            if name in content.kept and len(placed.changed) == before:
                placed.unchanged.append(name)
        names = [name for name in content.assets if name in content.compressible]
        tokens = self._place_variants(content, names, content.kept, placed, spare=False)
        for name in content.kept:
            self._drop_variants(name, content, placed, changed=False, made=tokens)
        if content.spare and not self._link:
            # The next release may replace the plain copy, and no asset need have these bytes.
            keeper = plain_key(content.digest)
            change = Changed(keeper, "write", content.size, kind="spare")
            if content.assets:
                self._copy(content.assets[0], keeper, content, change, placed)
            else:
                self._put(keeper, content, change, placed)
            keepers = [keeper] if content.spare & content.compressible else []
            self._place_variants(content, keepers, (), placed, spare=True)
        return placed

    def plain(self, content: Content) -> Placed:
        """Put ``content`` and its variants under its plain names, or links to the sources."""
        placed = Placed()
        holder = ""
        if not self._only_plain and (content.assets or not self._link):
            holder = content.assets[0] if content.assets else plain_key(content.digest)
        for logical, path in content.plains:
            # A web server sends a variant beside a file as that file: no old one may stand beside new bytes.
            self._drop_variants(logical, content, placed, changed=True)
            action: Literal["link", "write"] = "link" if self._link else "write"
            change = Changed(logical, action, content.size, logical, "plain", path)
            before = len(placed.changed)
            if self._link and isinstance(self._store, Links):
                if self._store.symlink(os.path.abspath(path), logical):
                    placed.changed.append(change)
            elif holder:
                self._copy(holder, logical, content, change, placed)
            else:
                self._put(logical, content, change, placed)
                holder = logical
            if len(placed.changed) == before:
                placed.unchanged.append(logical)
        for spare in (False, True):
            names = [logical for logical, _ in content.plains if (logical in content.spare) == spare]
            wanted = [logical for logical in names if logical in content.compressible and not self._link]
            tokens = self._place_variants(content, wanted, wanted, placed, spare=spare)
            if not self._only_plain:
                # A run that only copies makes no variants, and those of the live release may stay.
                for logical in names:
                    self._drop_variants(logical, content, placed, changed=False, made=tokens)
                    self._drop_leftovers(logical, placed, tokens)
        return placed

    def _drop_leftovers(self, logical: str, placed: Placed, made: Collection[str]) -> None:
        """Remove variants of a plain name that a run has left which did not end: those of any release but this one."""
        if not self._given.trusting:
            return
        for token, end in SUFFIXES.items():
            key = logical + end
            if token not in made and key not in self._taken and self._given.names(key):
                self._store.delete([key])
                placed.changed.append(Changed(key, "delete", 0, kind="stale"))

    def _drop_variants(
        self, logical: str, content: Content, placed: Placed, *, changed: bool, made: Collection[str] = ()
    ) -> None:
        """Remove variants of a plain name that the last release made: all if its bytes have ``changed``, else those
        whose codings this run has not ``made``."""
        entry = self._previous.entries.get(logical)
        if entry is None or (self._previous.linked and not entry.kept):
            return
        was = entry.plain or entry
        becomes_link = self._link and logical not in content.kept
        if changed != (was.digest != content.digest or becomes_link):
            return
        for token in was.codings:
            key = logical + suffix(token)
            if token in made or key in self._taken:
                continue
            stored = self._store.head(key)
            if stored is None:
                continue
            if self._given.ours(key, was.codings[token].digest):
                self._store.delete([key])
                placed.changed.append(Changed(key, "delete", stored.size, kind="stale"))
            else:
                placed.foreign[key] = logical

    def _put(self, key: str, content: Content, change: Changed, placed: Placed) -> None:
        """Make ``key`` hold ``content``, unless it does: what is there is read and compared, so damage is healed."""
        there = self._store.head(key)
        if there is None or there.size != content.size or digest_of(self._store, key)[0] != content.digest:
            self._store.put(key, content.body(), digest=content.digest)
            placed.changed.append(change)

    def _copy(self, holder: str, key: str, content: Content, change: Changed, placed: Placed) -> None:
        if not isinstance(self._store, Copies):
            self._put(key, content, change, placed)
        elif self._store.copy(holder, key):
            placed.changed.append(change)

    def _place_variants(
        self, content: Content, names: Sequence[str], plain: Collection[str], placed: Placed, *, spare: bool
    ) -> set[str]:
        """Put the variants of ``content`` beside each of ``names``; encode only what is not in place.

        Of ``plain``, which are some of them, somebody else may have taken the place beside. Returns the codings
        that are there now.
        """
        body: bytes | None = None
        tokens: set[str] = set()
        always = any(is_always(self._config, name) for name in content.compressible)
        for compressor in compressors(self._config, content.size, spare=spare) if names else ():
            token = compressor.token
            # A source may be called what a variant would be called (app.js.gz beside app.js): the source wins.
            beside = {name + suffix(token): name for name in names if name + suffix(token) not in self._taken}
            known = (content.digest, compressor.settings)
            made = self.made.get(known) or placed.made.get(compressor.settings)
            places = [
                key
                for key, name in beside.items()
                if name not in plain or self._is_free(key, name, made, known, placed)
            ]
            if not places:
                continue
            if made is None:
                made = self._found(known, places)
                placed.in_place += made is not None and made.variant is not None
            if made is None:
                encoded = self._cache.variant(content.digest, compressor)
                if encoded is None or (always and not encoded):
                    body = body if body is not None else content.bytes()
                    # Of this thread alone, whatever else the machine does meanwhile.
                    started = time.thread_time()
                    encoded = compressor.compress(body)
                    placed.encoder_seconds += time.thread_time() - started
                    placed.encoded += 1
                    encoded = encoded if always or len(encoded) < content.size else b""
                    self._cache.keep_variant(content.digest, compressor, encoded)
                made = Made(None)
                if encoded and (always or is_kept(self._config, content.size, len(encoded))):
                    made = Made(Variant(len(encoded), digest_bytes(encoded)), places[0])
                    self._store.put(places[0], encoded)
                    placed.changed.append(Changed(places[0], "write", len(encoded), kind="variant"))
            placed.made[compressor.settings] = made
            if made.variant is not None:
                tokens.add(token)
                for key in places:
                    if key != made.holder:
                        self._copy_variant(made, made.variant, key, placed)
        return tokens

    def _is_free(self, key: str, name: str, made: Made | None, known: tuple[Digest, str], placed: Placed) -> bool:
        """Whether ``key``, a variant beside the plain ``name``, has nothing, or what is ours to replace."""
        there = self._store.head(key)
        if there is None and not isinstance(self._store, Links):
            return True
        variant = made.variant if made is not None else self._known.get(known)
        if there is not None and variant is not None and there.size == variant.size and there.place:
            holder = self._store.head(made.holder) if made is not None and made.holder else None
            if holder is not None and holder.place == there.place:
                return True
        was = self._previous.entries.get(name)
        before = (was.plain or was).codings.values() if was is not None else ()
        likely = [one.digest for one in (variant, *before) if one is not None]
        if self._given.ours(key, *likely):
            return True
        placed.foreign[key] = name
        return False

    def _copy_variant(self, made: Made, variant: Variant, key: str, placed: Placed) -> None:
        change = Changed(key, "write", variant.size, kind="variant")
        if isinstance(self._store, Copies):
            if self._store.copy(made.holder, key):
                placed.changed.append(change)
        elif self._store.head(key) is None or digest_of(self._store, key)[0] != variant.digest:
            self._store.put(key, b"".join(self._store.read(made.holder)), digest=variant.digest)
            placed.changed.append(change)

    def _found(self, wanted: tuple[Digest, str], places: Sequence[str]) -> Made | None:
        """What the last release knows of this coding of this content, if the store still holds it."""
        if wanted not in self._known:
            return None
        variant = self._known[wanted]
        if variant is None:
            return Made(None)
        for key in places:
            there = self._store.head(key)
            if there is not None and there.size == variant.size and digest_of(self._store, key)[0] == variant.digest:
                return Made(variant, key)
        return None
