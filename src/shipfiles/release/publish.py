"""Publish a build into a store as a release, in an order that may be interrupted anywhere.

Everything under a name that stands for its bytes first, then the release's manifest, then the plain-named copies, then
the record and the pointer. Killed between any two steps, the release that was current before is whole and still
current, and the next run heals. Whatever lies under a plain name, a manifest in the store says so: that is how a later
run knows it for ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from ..build.cache import NO_CACHE, Cache
from ..build.compress import compressors, is_wanted, settings_of
from ..build.pipeline import Asset, Build
from ..config import CompressConfig
from ..digest import Digest, digest_bytes
from ..errors import ManifestError, ReleaseUnclear, StoreError
from ..events import Changed, Listener, Notice, ignore, phase
from ..manifest import SUFFIXES, Manifest, dump, dump_django, part_of, replaced, suffix
from ..model import Entry, Plain, Variant
from ..records import (
    MANIFESTS_PREFIX,
    POINTER_KEY,
    RELEASES_PREFIX,
    Record,
    content_id,
    manifest_key,
    now,
    read_current,
    read_pointer,
    record_key,
)
from ..stores.store import Store, read_all
from ..work import in_parallel
from .contents import Content, contents_of
from .given import Given, leave
from .ids import has_manifest, refuse_taken_id
from .lock import locked
from .outcome import Base, Published, Size, size_of, size_of_raw
from .ownership import in_the_way, live_keys, owned_keys, refuse_collisions, without_twins
from .place import Placed, Placer
from .pointing import Pointing, current_id
from .unsettled import Unsettled

# Copying a smaller file is over before another thread has begun. Bytes.
_LARGE = 128 * 1024


def publish(
    built: Build,
    store: Store,
    config: CompressConfig,
    *,
    release: str = "",
    manifest_name: str = "staticfiles.json",
    clear: bool = False,
    link: bool = False,
    current: tuple[str, Manifest] | None = None,
    began_at: str | None = None,
    cache: Cache = NO_CACHE,
    workers: int = 0,
    listener: Listener = ignore,
    before_unlocking: Callable[[Published], object] = lambda _: None,
) -> Published:
    """Make ``built`` the current release of ``store``.

    ``release`` is its id; without one it is made from the contents. ``clear`` removes afterwards all else that
    Shipfiles or Django's own manifest put there; nothing else is ever removed. ``link`` makes the plain copies symbolic
    links to the sources. ``current`` is the release that was current a moment ago, with its id: its manifest is not
    read again if it still is. ``began_at`` is the id of the release that was current when the run began, if that is
    longer ago: if another run has published since, the listener is told. ``before_unlocking`` is called at the end,
    while no other run can publish.
    Raises `KeyCollision`, `ReleaseTaken` and `StoreError`; the release that was current then stays so.
    """
    refuse_collisions(built, manifest_name)
    began_at = current_id(store) if began_at is None else began_at
    with locked(store, listener):
        run = _Publication(
            built, store, config, link=link, cache=cache, workers=workers, listener=listener, current=current,
            release=release, began_at=began_at,
        )  # fmt: skip
        run.refuse_taken_id()
        run.refuse_other_bytes()
        owned = owned_keys(store, manifest_name, listener) if clear else frozenset()
        run.make_way(all_of_them=clear)
        with phase(listener, "publish", len(built.assets), sum(a.size for a in built.assets)) as progress:
            run.place_assets(progress)
        described = run.describe()
        run.place_plains(described.manifest)
        run.point(described, manifest_name)
        if clear:
            run.clear(owned, {manifest_name, *run.result.manifest.keys()})
        before_unlocking(run.result)
        return run.result


def publish_part(
    built: Build,
    store: Store,
    config: CompressConfig,
    base: Base,
    *,
    release: str = "",
    began_at: str,
    manifest_name: str,
    cache: Cache = NO_CACHE,
    workers: int = 0,
    listener: Listener = ignore,
) -> Published:
    """Make ``base`` with the assets of ``built`` in place of its own the current release of ``store``.

    For who holds the lock and knows that the store is as ``base`` left it, and that ``built`` has no new logical path.
    Raises as `publish`.
    """
    previous = part_of(base.raw, [asset.logical for asset in built.assets])
    run = _Publication(
        built, store, config, link=False, cache=cache, workers=workers, listener=listener,
        current=(base.release, previous), release=release, began_at=began_at,
        others={key for logical, entry in base.files.items() for key in (logical, entry["name"])},
    )  # fmt: skip
    run.refuse_taken_id({logical: entry["name"] for logical, entry in base.files.items()})
    with phase(listener, "publish", len(built.assets), sum(a.size for a in built.assets)) as progress:
        run.place_assets(progress)
    described = run.describe_over(base)
    run.place_plains(described.manifest)
    run.point(described, manifest_name, part=True)
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
    with locked(store, listener):
        none = CompressConfig(codings=())
        run = _Publication(built, store, none, link=link, workers=workers, listener=listener, only_plain=True)
        owned = owned_keys(store, manifest_name, listener) if clear else frozenset()
        run.make_way(all_of_them=False)
        run.place_plains()
        run.result.sizes = [(asset.size, {}, False) for asset in built.assets]
        if clear:
            live = live_keys(store, manifest_name, listener)
            run.clear(owned, {*live, *(asset.logical for asset in built.assets)})
        return run.result


class _Described(NamedTuple):
    """The manifest that a run has written."""

    manifest: Digest
    names: Mapping[str, str]
    """Logical path → hashed name."""


class _Publication:
    """One run: what there is to place, what the last release knew, and the result so far."""

    def __init__(
        self,
        built: Build,
        store: Store,
        config: CompressConfig,
        *,
        link: bool,
        cache: Cache = NO_CACHE,
        workers: int,
        listener: Listener,
        only_plain: bool = False,
        current: tuple[str, Manifest] | None = None,
        release: str = "",
        began_at: str = "",
        others: Collection[str] = (),
    ) -> None:
        self.result = Published()
        self._release = release
        self._own: tuple[str, ...] = ()
        self._pointing = Pointing(store, began_at, self._tell, listener)
        self._unsettled = Unsettled(store)
        self._given = Given(store, trusting=self._unsettled.found)
        self._built = built
        self._store = store
        self._config = config
        self._link = link
        self._only_plain = only_plain
        self._foreign: set[str] = set()
        self._unclear: ReleaseUnclear | None = None
        self._workers = workers
        self._cache = cache
        self._listener = listener
        self._previous = self._read_previous(current)
        self._contents = contents_of(self._unfrozen() if only_plain else built.assets, config, only_plain=only_plain)
        self._taken = {a.logical for a in built.assets} | {a.name for a in built.assets} | {*others}
        self._placer = Placer(
            store,
            config,
            link=link,
            only_plain=only_plain,
            taken=self._taken,
            previous=self._previous,
            known=self._read_known(),
            cache=cache,
            given=self._given,
        )

    def refuse_taken_id(self, others: Mapping[str, str] | None = None) -> None:
        """Raise `ReleaseTaken` if the id belongs to a release of other files than the build's, and these ``others``."""
        if self._release:
            files = {asset.logical: asset.name for asset in self._built.assets}
            size = sum(asset.size for asset in self._built.assets) if others is None else -1
            self._unclear = refuse_taken_id(self._store, self._release, {**(others or {}), **files}, size)

    def refuse_other_bytes(self) -> None:
        """Raise `StoreError` if the build has other bytes for a hashed name than the last release."""
        steady = self._previous.steady()
        for asset in self._built.assets:
            if asset.kept and steady.get(asset.name, asset.digest) != asset.digest:
                what = "the current release has other bytes under this name: another run has published meanwhile"
                raise StoreError(asset.name, f"{what}. Run again.")

    def _unfrozen(self) -> list[Asset]:
        """The assets whose plain names are no hashed names of the last release: those bytes must stay."""
        frozen = {entry.name: entry.digest for entry in self._previous.entries.values()}
        for asset in self._built.assets:
            if asset.logical not in frozen:
                continue
            self.result.unchanged.append(asset.logical)
            if frozen[asset.logical] != asset.source_digest:
                what = "left as it is: its bytes changed, but the current release has them cached under that name"
                self._listener(Notice(f"{asset.logical}: {what}. Run without --no-post-process."))
        return [asset for asset in self._built.assets if asset.logical not in frozen]

    def _is_heavy(self, content: Content) -> bool:
        """Whether placing ``content`` is mostly work that lets other threads run: hashing, writing, compressing."""
        return content.size >= _LARGE or (
            bool(content.compressible)
            and not all(self._cache.has_variant(content.digest, c) for c in compressors(self._config, content.size))
        )

    def place_assets(self, progress: Callable[[int, int], None]) -> None:
        """Put all that stands for its bytes. Nothing that is live changes: the keys are new, or hold these bytes."""
        wanted = [content for content in self._contents if content.assets or content.spare]
        for content, placed in in_parallel(self._placer.asset, wanted, self._workers, heavy=self._is_heavy):
            self._note(content, placed)
            progress(len(content.assets), content.size * len(content.assets))
        self._settle()

    def place_plains(self, manifest: Digest | None = None) -> None:
        """Put the copies under plain names, each at one instant: their bytes may change under a page that is open.

        ``manifest`` is the digest of the release's, if one is made.
        """
        wanted = [content for content in self._contents if content.plains]
        if self._previous.entries or not self._only_plain:
            self._unsettled.begin(manifest)
        files, size = sum(len(c.plains) for c in wanted), sum(c.size * len(c.plains) for c in wanted)
        with phase(self._listener, "copy", files, size) as progress:
            for content, placed in in_parallel(self._placer.plain, wanted, self._workers, heavy=self._is_heavy):
                self._note(content, placed)
                progress(len(content.plains), content.size * len(content.plains))
            self._settle()

    def describe(self) -> _Described:
        """Write the release's manifest."""
        entries = {asset.logical: self._entry(asset) for asset in self._built.assets}
        self.result.manifest = manifest = Manifest(entries, settings_of(self._config), self._link)
        self.result.sizes = [size_of(entry) for entry in entries.values()]
        return self._describe(dump(manifest), manifest.names())

    def describe_over(self, base: Base) -> _Described:
        """The same, where the assets replace some of ``base``."""
        entries = {asset.logical: self._entry(asset) for asset in self._built.assets}
        names = {logical: entry["name"] for logical, entry in base.files.items()}
        names.update((logical, entry.name) for logical, entry in entries.items())
        self.result.sizes = [
            size_of(entries[logical]) if logical in entries else size_of_raw(logical, raw)
            for logical, raw in base.files.items()
        ]
        return self._describe(replaced(base.body, base.files, entries), names)

    def _describe(self, body: bytes, names: Mapping[str, str]) -> _Described:
        manifest = digest_bytes(body)
        self.result.release = release = self._release or content_id(manifest)
        if self._unclear is not None and not has_manifest(self._store, release, manifest):
            raise self._unclear
        self._pointing.manifest(body)
        return _Described(manifest, names)

    def point(self, described: _Described, manifest_name: str, *, part: bool = False) -> None:
        """Record the release, then swap the pointer, then write the manifest that stock Django reads.

        ``part`` if not all plain names were placed.
        """
        release = self.result.release
        kept = {asset.name for asset in self._built.assets if asset.kept}
        new = sum(c.size for c in self.result.changed if c.kind in ("asset", "variant", "spare") or c.key in kept)
        self._pointing.record(record_of(release, described.manifest, self.result.sizes, new))
        self._own = (record_key(release), manifest_key(described.manifest))
        self.result.before = self._pointing.point(release, described.manifest)
        try:
            self._pointing.put_small(manifest_name, dump_django(described.names))
            self._settle()
        except StoreError as error:
            raise StoreError(error.key, f"{error.what}. The new release {release} is live all the same.") from error
        if self._pointing.alone:
            self._unsettled.end(release, all_of_them=not part)
        self._pointing.check_still(release)

    def make_way(self, *, all_of_them: bool) -> None:
        """Remove what the last release has where this one needs a folder instead of a file, or a file instead."""
        wanted = (key for asset in self._built.assets for key in (asset.logical, asset.name))
        self._delete(in_the_way(self._previous.keys(), wanted, all_of_them=all_of_them))

    def clear(self, owned: Collection[str], kept: Collection[str]) -> None:
        """Remove what is ``owned`` but not ``kept``; manifests last, since they alone say what is ours."""
        gone = []
        for key in without_twins(owned, [*kept, *self._own, POINTER_KEY]):
            # The plain names themselves Django's command clears, whatever is there.
            if key.endswith(tuple(SUFFIXES.values())) and self._given.is_taken(key):
                leave(self._listener, key)
            else:
                gone.append(key)
        last = tuple(key for key in gone if key.startswith(MANIFESTS_PREFIX))
        # A release that is not recorded is no release: what is left of it when this is cut short is found by the
        # manifest.
        first = [key for key in gone if key.startswith(RELEASES_PREFIX)]
        self._delete(first)
        self._delete([key for key in gone if key not in {*first, *last}])
        self._delete(last)

    def _delete(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        for key in keys:
            stored = self._store.head(key)
            if stored is not None:
                self._tell(Changed(key, "delete", stored.size, kind="stale"))
        self._store.delete(keys)
        self._settle()

    def _entry(self, asset: Asset) -> Entry:
        plain = None
        if asset.digest != asset.source_digest:
            codings = self._codings(asset.logical, asset, asset.source_digest, asset.source_size, spare=True)
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
            asset.unsteady,
        )

    def _codings(self, key: str, asset: Asset, digest: Digest, size: int, *, spare: bool = False) -> dict[str, Variant]:
        if not is_wanted(self._config, asset.logical, asset.media_type, size):
            return {}
        found: dict[str, Variant] = {}
        # Beside a hashed name; what a manifest says of a plain copy is also said of what keeps its bytes.
        foreign = () if spare else self._foreign
        for compressor in compressors(self._config, size, spare=spare):
            made = self._placer.made.get((digest, compressor.settings))
            place = key + suffix(compressor.token)
            if made is not None and made.variant is not None and place not in self._taken and place not in foreign:
                found[compressor.token] = made.variant
        return found

    def _read_previous(self, known: tuple[str, Manifest] | None) -> Manifest:
        try:
            pointer = read_pointer(lambda key: read_all(self._store, key)) if known else None
            if known and pointer and pointer.release == known[0]:
                return known[1]
            current = read_current(lambda key: read_all(self._store, key))
        except ManifestError as error:
            self._listener(Notice(f"The current release cannot be read, everything is made anew. {error}"))
            return Manifest({})
        return current[1] if current else Manifest({})

    def _read_known(self) -> Mapping[tuple[Digest, str], Variant | None]:
        """Content digest and compressor's settings → variant, from the current release, if it was made with the same
        settings."""
        if self._previous.compress != settings_of(self._config):
            return {}
        known: dict[tuple[Digest, str], Variant | None] = {}
        for entry in self._previous.entries.values():
            if is_wanted(self._config, entry.logical, entry.media_type, entry.size):
                for c in compressors(self._config, entry.size):
                    known[entry.digest, c.settings] = entry.codings.get(c.token)
            plain = entry.plain
            # A run that links makes no variants of plain copies, which says nothing of their worth.
            if plain is None or self._previous.linked:
                continue
            if is_wanted(self._config, entry.logical, entry.media_type, plain.size):
                for c in compressors(self._config, plain.size, spare=True):
                    known.setdefault((plain.digest, c.settings), plain.codings.get(c.token))
        return known

    def _note(self, content: Content, placed: Placed) -> None:
        for settings, made in placed.made.items():
            self._placer.made.setdefault((content.digest, settings), made)
        self.result.unchanged += placed.unchanged
        self.result.encoded += placed.encoded
        self.result.in_place += placed.in_place
        self.result.encoder_seconds += placed.encoder_seconds
        for key, plain in placed.foreign.items():
            if key not in self._foreign:
                leave(self._listener, key, plain)
        self._foreign |= placed.foreign.keys()
        for change in placed.changed:
            self._tell(change)

    def _tell(self, change: Changed) -> None:
        self.result.changed.append(change)
        self._listener(change)

    def _settle(self) -> None:
        self._pointing.settle()


def record_of(release: str, manifest: Digest, sizes: Sequence[Size], new_bytes: int) -> Record:
    """The record of a release that is made now."""
    codings: dict[str, int] = {}
    for _, of_file, _ in sizes:
        for token, size in of_file.items():
            codings[token] = codings.get(token, 0) + size
    return Record(release, now(), manifest, len(sizes), sum(size for size, _, _ in sizes), codings, new_bytes)
