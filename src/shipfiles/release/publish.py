"""Publish a build into a store as a release, in an order that may be interrupted anywhere.

Assets and their variants first, then the plain-named copies, then the release's manifest, then the pointer. Killed
between any two steps, the release that was current before is whole and still current, and the next run heals.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from ..build.compress import compressors, is_kept, is_wanted, settings_of
from ..build.pipeline import Asset, Build
from ..config import CompressConfig
from ..digest import Digest, digest_bytes
from ..errors import ManifestError, StoreError
from ..events import Changed, Listener, Notice, ignore, phase
from ..manifest import (
    POINTER_KEY,
    Manifest,
    dump,
    dump_django,
    dump_pointer,
    read_current,
    release_id,
    release_key,
    suffix,
)
from ..model import Entry, Plain, Variant
from ..paths import RESERVED
from ..stores.store import Copies, Links, Locks, Settles, Store, Sweeps, digest_of, read_all
from ..work import in_parallel
from .contents import Content, contents_of
from .ownership import in_the_way, live_keys, owned_keys, refuse_collisions, without_twins


@dataclass(slots=True)
class Published:
    """What a publication did."""

    release: str = ""
    """The id of the release that is current now; empty if none was made."""
    manifest: Manifest = field(default_factory=lambda: Manifest({}))
    changed: list[Changed] = field(default_factory=list)
    """Every key that was written or deleted."""
    unchanged: list[str] = field(default_factory=list)
    """Logical paths whose plain copy was in place already."""
    encoded: int = 0
    """Bodies that were compressed in this run; variants that were in place need no encoder."""
    encoder_seconds: float = 0.0
    """Time that the workers spent in encoders, added up."""


@dataclass(frozen=True, slots=True)
class _Made:
    """One coding of one content: its variant and a key that holds it, or that it was not worth keeping."""

    variant: Variant | None
    holder: str = ""


@dataclass(slots=True)
class _Placed:
    """What a worker did for one content; told to the listener by the thread that listens."""

    made: dict[str, _Made] = field(default_factory=dict)
    changed: list[Changed] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    encoded: int = 0
    encoder_seconds: float = 0.0


def publish(
    built: Build,
    store: Store,
    config: CompressConfig,
    *,
    manifest_name: str = "staticfiles.json",
    clear: bool = False,
    link: bool = False,
    workers: int = 0,
    listener: Listener = ignore,
) -> Published:
    """Make ``built`` the current release of ``store``.

    ``clear`` removes afterwards all else that Shipfiles or Django's own manifest put there; nothing else is ever
    removed. ``link`` makes the plain copies symbolic links to the sources.
    Raises `KeyCollision` and `StoreError`; the release that was current then stays so.
    """
    refuse_collisions(built, manifest_name)
    with _locked(store, listener):
        run = _Publication(built, store, config, link=link, workers=workers, listener=listener)
        owned = owned_keys(store, manifest_name, listener) if clear else frozenset()
        run.make_way(all_of_them=clear)
        with phase(listener, "publish", len(built.assets), sum(a.size for a in built.assets)) as progress:
            run.place_assets(progress)
            run.place_plains()
            run.point(manifest_name)
        if clear:
            run.clear(owned, {release_key(run.result.release), manifest_name, *run.result.manifest.keys()})
        return run.result


def publish_plain(
    built: Build,
    store: Store,
    *,
    manifest_name: str = "staticfiles.json",
    clear: bool = False,
    link: bool = False,
    workers: int = 0,
    listener: Listener = ignore,
) -> Published:
    """Only copy the sources under their plain names; no release is made, the current one stays.

    What ``collectstatic --no-post-process`` asks for. ``built`` is a build without rewriting.
    """
    with _locked(store, listener):
        run = _Publication(built, store, CompressConfig(codings=()), link=link, workers=workers, listener=listener)
        owned = owned_keys(store, manifest_name, listener) if clear else frozenset()
        run.make_way(all_of_them=False)
        with phase(listener, "publish", len(built.assets), sum(a.size for a in built.assets)) as progress:
            run.place_plains(progress)
        if clear:
            live = live_keys(store, manifest_name, listener)
            run.clear(owned, {*live, *(asset.logical for asset in built.assets)})
        return run.result


@contextmanager
def _locked(store: Store, listener: Listener) -> Iterator[None]:
    def waiting() -> None:
        listener(Notice("Another run is publishing to the same place; waiting for it to end.", "info"))

    if not isinstance(store, Locks):
        yield
        return
    with store.lock(waiting) as died:
        if died and isinstance(store, Sweeps) and (swept := store.sweep()):
            listener(Notice(f"An earlier run did not end properly; removed {swept} unfinished files.", "info"))
        yield


class _Publication:
    """One run: what there is to place, what the last release knew, and the result so far."""

    def __init__(
        self, built: Build, store: Store, config: CompressConfig, *, link: bool, workers: int, listener: Listener
    ) -> None:
        self.result = Published()
        self._built = built
        self._store = store
        self._config = config
        self._compressors = compressors(config)
        self._link = link
        self._workers = workers
        self._listener = listener
        self._contents = contents_of(built.assets, config)
        self._has_assets = False
        self._taken = {a.logical for a in built.assets} | {a.name for a in built.assets}
        self._made: dict[tuple[Digest, str], _Made] = {}
        self._previous = self._read_previous()
        self._known = self._read_known()

    def place_assets(self, progress: Callable[[int, int], None]) -> None:
        """Put every asset and its variants. Nothing that is live changes: the keys are new, or hold these bytes."""
        self._has_assets = True
        wanted = [content for content in self._contents if content.assets]
        for content, placed in in_parallel(self._place_asset, wanted, self._workers):
            self._note(content, placed)
            progress(len(content.assets), content.size * len(content.assets))
        self._settle()

    def place_plains(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Put the copies under plain names, each at one instant: their bytes may change under a page that is open."""
        wanted = [content for content in self._contents if content.plains]
        for content, placed in in_parallel(self._place_plain, wanted, self._workers):
            self._note(content, placed)
            if progress:
                progress(len(content.plains), content.size * len(content.plains))
        self._settle()

    def point(self, manifest_name: str) -> None:
        """Write the release's manifest, then swap the pointer, then the manifest that stock Django reads."""
        self.result.manifest = manifest = Manifest(
            {asset.logical: self._entry(asset) for asset in self._built.assets}, settings_of(self._config), self._link
        )
        body = dump(manifest)
        self.result.release = release = release_id(body)
        self._put_small(release_key(release), body)
        self._settle()
        self._put_small(POINTER_KEY, dump_pointer(release))
        try:
            self._put_small(manifest_name, dump_django(manifest.names()))
            self._settle()
        except StoreError as error:
            raise StoreError(error.key, f"{error.what}. The new release {release} is live all the same.") from error

    def make_way(self, *, all_of_them: bool) -> None:
        """Remove what the last release has where this one needs a folder instead of a file, or a file instead."""
        self._delete(in_the_way(self._previous, self._built.assets, all_of_them=all_of_them))

    def clear(self, owned: Collection[str], kept: Collection[str]) -> None:
        """Remove what is ``owned`` but not ``kept``; manifests last, since they alone say what is ours."""
        gone = without_twins(owned, [*kept, POINTER_KEY])
        self._delete([key for key in gone if not key.startswith(RESERVED + "/")])
        self._delete([key for key in gone if key.startswith(RESERVED + "/")])

    def _delete(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        for key in keys:
            stored = self._store.head(key)
            if stored is not None:
                self._tell(Changed(key, "delete", stored.size, kind="stale"))
        self._store.delete(keys)
        self._settle()

    def _place_asset(self, content: Content) -> _Placed:
        placed = _Placed()
        first, *others = content.assets
        self._put(first, content, Changed(first, "write", content.size), placed)
        for other in others:
            self._copy(first, other, content, Changed(other, "write", content.size), placed)
        self._place_variants(content, [name for name in content.assets if name in content.compressible], placed)
        return placed

    def _place_plain(self, content: Content) -> _Placed:
        placed = _Placed()
        holder = content.assets[0] if content.assets and self._has_assets else ""
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
        if not self._link:
            names = [logical for logical, _ in content.plains if logical in content.compressible]
            self._place_variants(content, names, placed)
        if self._has_assets:
            # A run that only copies makes no variants, and those of the live release may stay.
            for logical, _ in content.plains:
                self._drop_variants(logical, content, placed, changed=False)
        return placed

    def _drop_variants(self, logical: str, content: Content, placed: _Placed, *, changed: bool) -> None:
        """Remove variants of a plain name that the last release made: all if its bytes have ``changed``, else those
        that this run does not make."""
        entry = self._previous.entries.get(logical)
        if entry is None or self._previous.linked:
            return
        was = entry.plain or entry
        if changed != (was.digest != content.digest or self._link):
            return
        made = set() if changed else {token for token, made in placed.made.items() if made.variant is not None}
        for token in was.codings:
            key = logical + suffix(token)
            if token in made or key in self._taken:
                continue
            stored = self._store.head(key)
            if stored is not None:
                self._store.delete([key])
                placed.changed.append(Changed(key, "delete", stored.size, kind="stale"))

    def _put(self, key: str, content: Content, change: Changed, placed: _Placed) -> None:
        """Make ``key`` hold ``content``, unless it does: what is there is read and compared, so damage is healed."""
        there = self._store.head(key)
        if there is None or there.size != content.size or digest_of(self._store, key)[0] != content.digest:
            self._store.put(key, content.body(), digest=content.digest)
            placed.changed.append(change)

    def _copy(self, holder: str, key: str, content: Content, change: Changed, placed: _Placed) -> None:
        if not isinstance(self._store, Copies):
            self._put(key, content, change, placed)
        elif self._store.copy(holder, key):
            placed.changed.append(change)

    def _place_variants(self, content: Content, names: Sequence[str], placed: _Placed) -> None:
        """Put the variants of ``content`` beside each of ``names``; encode only what is not in place."""
        body: bytes | None = None
        for compressor in self._compressors if names else ():
            token = compressor.token
            # A source may be called what a variant would be called (app.js.gz beside app.js): the source wins.
            places = [name + suffix(token) for name in names if name + suffix(token) not in self._taken]
            if not places:
                continue
            made = self._made.get((content.digest, token)) or self._found(content.digest, token, places)
            if made is None:
                body = body if body is not None else content.bytes()
                started = time.perf_counter()
                encoded = compressor.compress(body)
                placed.encoder_seconds += time.perf_counter() - started
                placed.encoded += 1
                made = _Made(None)
                if is_kept(self._config, content.size, len(encoded)):
                    made = _Made(Variant(len(encoded), digest_bytes(encoded)), places[0])
                    self._store.put(places[0], encoded)
                    placed.changed.append(Changed(places[0], "write", len(encoded), kind="variant"))
            placed.made[token] = made
            if made.variant is not None:
                for key in places:
                    if key != made.holder:
                        self._copy_variant(made, made.variant, key, placed)

    def _copy_variant(self, made: _Made, variant: Variant, key: str, placed: _Placed) -> None:
        change = Changed(key, "write", variant.size, kind="variant")
        if isinstance(self._store, Copies):
            if self._store.copy(made.holder, key):
                placed.changed.append(change)
        elif self._store.head(key) is None or digest_of(self._store, key)[0] != variant.digest:
            self._store.put(key, b"".join(self._store.read(made.holder)), digest=variant.digest)
            placed.changed.append(change)

    def _found(self, digest: Digest, token: str, places: Sequence[str]) -> _Made | None:
        """What the last release knows of this coding of this content, if the store still holds it."""
        known = self._known.get(digest)
        if known is None:
            return None
        variant = known.get(token)
        if variant is None:
            return _Made(None)
        for key in places:
            there = self._store.head(key)
            if there is not None and there.size == variant.size and digest_of(self._store, key)[0] == variant.digest:
                return _Made(variant, key)
        return None

    def _entry(self, asset: Asset) -> Entry:
        plain = None
        if asset.digest != asset.source_digest:
            codings = self._codings(asset.logical, asset, asset.source_digest, asset.source_size)
            plain = Plain(asset.source_size, asset.source_digest, {} if self._link else codings)
        return Entry(
            asset.logical,
            asset.name,
            asset.size,
            asset.digest,
            asset.media_type,
            self._codings(asset.name, asset, asset.digest, asset.size),
            asset.references,
            plain,
        )

    def _codings(self, key: str, asset: Asset, digest: Digest, size: int) -> dict[str, Variant]:
        if not is_wanted(self._config, asset.logical, asset.media_type, size):
            return {}
        found = {}
        for compressor in self._compressors:
            made = self._made.get((digest, compressor.token))
            if made is not None and made.variant is not None and key + suffix(compressor.token) not in self._taken:
                found[compressor.token] = made.variant
        return found

    def _read_previous(self) -> Manifest:
        try:
            current = read_current(lambda key: read_all(self._store, key))
        except ManifestError as error:
            self._listener(Notice(f"The current release cannot be read, everything is made anew. {error}"))
            return Manifest({})
        return current[1] if current else Manifest({})

    def _read_known(self) -> Mapping[Digest, Mapping[str, Variant]]:
        """Content digest → its variants, from the current release, if it was made with the same settings."""
        if self._previous.compress != settings_of(self._config):
            return {}
        known: dict[Digest, Mapping[str, Variant]] = {}
        for entry in self._previous.entries.values():
            if is_wanted(self._config, entry.logical, entry.media_type, entry.size):
                known[entry.digest] = entry.codings
            plain = entry.plain
            # A run that links makes no variants of plain copies, which says nothing of their worth.
            if plain is None or self._previous.linked:
                continue
            if is_wanted(self._config, entry.logical, entry.media_type, plain.size):
                known.setdefault(plain.digest, plain.codings)
        return known

    def _note(self, content: Content, placed: _Placed) -> None:
        for token, made in placed.made.items():
            self._made.setdefault((content.digest, token), made)
        self.result.unchanged += placed.unchanged
        self.result.encoded += placed.encoded
        self.result.encoder_seconds += placed.encoder_seconds
        for change in placed.changed:
            self._tell(change)

    def _tell(self, change: Changed) -> None:
        self.result.changed.append(change)
        self._listener(change)

    def _put_small(self, key: str, body: bytes) -> None:
        if read_all(self._store, key) != body:
            self._store.put(key, body)
            self._tell(Changed(key, "write", len(body), kind="manifest"))

    def _settle(self) -> None:
        if isinstance(self._store, Settles):
            self._store.settle()
