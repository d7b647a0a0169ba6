"""Let caches in front forget what another release has changed, once the pointer has moved; and say what came of it.

The release stays live whatever becomes of that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ..config import PurgeConfig, StaticConfig
from ..digest import Digest, digest_bytes
from ..edge.changed import Addresses, Stale, addresses_of, changed, url_of
from ..edge.opening import open_purgers
from ..edge.pending import Pending, Was, was
from ..edge.purging import Outcome, Wish, purge_all_of, reference_of
from ..errors import ConfigError, ManifestError, ShipfilesError
from ..events import ignore
from ..paths import url_quote
from ..records import (
    Activation,
    Pointer,
    Read,
    manifest_key,
    now,
    read_manifest_body,
    read_pointer,
    read_record,
)
from ..release.kept import Kept
from ..release.pace import SMALL, heard
from ..stores.store import Store, read_all, unrepeated
from . import conf, static_urls
from .purges import Purges

if TYPE_CHECKING:
    from ..edge.purger import Purger
    from ..release.target import Target
    from .static_storage import StaticStorage

_PATIENCE = 20.0
"""For how long a store need not answer. Seconds."""
_ALL = "'manage.py ship purge --all' purges everything."
_UNCLEAR = (
    "A note of what caches may have, left by a run that did not end, cannot be read. 'manage.py ship purge --all' "
    "purges everything."
)
_MOST_BETWEEN = 50
"""So many releases are read that were current between two looks."""


@dataclass(frozen=True, slots=True)
class Current:
    """A release that is current."""

    history: tuple[Activation, ...]
    """Of the pointer: how it became so."""
    manifest: Digest
    body: bytes
    """Of the manifest."""
    begun: Mapping[Digest, bytes]
    """The manifests of runs that have begun to change plain names, and have not ended."""

    @property
    def release(self) -> str:
        """Its id."""
        return self.history[-1].release

    @property
    def at(self) -> datetime:
        """Since when."""
        return self.history[-1].at


def purging_of(storage: StaticStorage, *, by_hand: bool = False) -> Purging | None:
    """What purges when the pointer has moved; ``None`` if the options name no cache. Where they leave it to ``ship
    purge``, and this is not that, it only notes what that will need.

    Raises `ConfigError` before anything is done: a release that is live and cannot be purged is too late.
    """
    config = storage.config.purge
    return Purging(storage, only_notes=not (by_hand or config.automatic)) if config.caches else None


def addresses_for(config: StaticConfig) -> Addresses:
    """Where browsers find what. Raises `ConfigError` if the options do not tell the host."""
    site = config.purge.site_url.rstrip("/")
    base = static_urls.base_url(config) or ""
    if "@" in urlsplit(base).netloc:
        raise ConfigError("The URL of static files holds a name or a password: no cache knows files by such URLs.")
    if base.startswith("//"):
        base = f"{urlsplit(site).scheme or 'https'}:{base}"
    elif not urlsplit(base).netloc:
        base = _on_site(base, config.purge, f"static files are at {base!r}, which names no host")
    mount = url_quote(static_urls.forced_script_name().rstrip("/"))
    # A bucket has files under their own names alone; a web server or the application, those of folders too.
    redirects = not isinstance(config, conf.RemoteConfig) and not config.publish.to
    return Addresses(base, f"{site}{mount}" if site else "", config.serve, redirects)


def pages_of(config: PurgeConfig) -> tuple[str, ...]:
    """The URLs of the pages that the options name. Raises `ConfigError`."""
    return tuple(
        url_of(page if urlsplit(page).netloc else _on_site(page, config, f"purge.pages: {page!r} names no host"))
        for page in config.pages
    )


def _on_site(path: str, config: PurgeConfig, why: str) -> str:
    if not config.site_url:
        raise ConfigError(
            f"OPTIONS['purge']['site_url'] is needed, such as 'https://www.example.com': {why}, and caches know whole "
            "URLs."
        )
    return config.site_url.rstrip("/") + path


def _reader(store: Store) -> Read:
    """Reads a few small objects. A store that does not answer is given up soon: who sends to it tells of that."""
    hasty = unrepeated(store, SMALL)
    return lambda key: heard(partial(read_all, hasty, key), ignore, limit=_PATIENCE)


class Purging:
    """One run that may move pointers: what caches may have before, and what they must forget afterwards."""

    def __init__(self, storage: StaticStorage, *, only_notes: bool) -> None:
        config = storage.config
        self._only_notes = only_notes
        if not only_notes:
            self.purgers: tuple[Purger, ...] = open_purgers(config.purge)
            self.addresses = addresses_for(config)
            self.pages = pages_of(config.purge)
        self._config = config
        self._storage = storage
        cache = conf.cache_folder(config)
        self._kept = Kept(os.path.join(cache, "sent") if cache else "")
        self._pending = Pending(os.path.join(cache, "purge") if cache else "")
        self._stores: dict[str, Store] = {}
        self._states: dict[str, dict[Digest, bytes]] = {}
        self._were: dict[str, list[Was]] = {}
        self._unread: dict[str, str] = {}
        self._known: set[str] = set()
        self._seen: set[str] | None = None

    def watch(self, targets: Iterable[Target]) -> None:
        """Note what is current where caches may have it from: in ``targets``, and where releases are built if they are
        served from there. Of other stores nothing is known to be in front.
        """
        self._find(targets)
        for place, store in self._stores.items():
            try:
                current = self._current(store)
            except ShipfilesError as error:
                self._unread[place] = str(error)
            else:
                history = current.history if current else ()
                self._add(place, was(history, {current.manifest: current.body, **current.begun} if current else {}))
        self._pending.begin({place: one for place, (one,) in self._were.items()})
        self._add_left()

    def finish(self, also: Sequence[str] = ()) -> Purges | None:
        """Purge what is not now as it was when it was watched, or in a run that did not end; and the plain names of the
        logical paths ``also``. Nothing is asked where nothing has changed. ``None`` if that is left to people.
        """
        if self._only_notes:
            self.close()
            return None
        stale, found, faults = Stale(), dict[str, Current](), []
        for place, store in self._stores.items():
            try:
                now_ = self._current(store)
                if now_ is not None:
                    found[place] = now_
                    faults += self._add_between(place, store, now_)
                    stale |= self._changed(place, now_)
            except ShipfilesError as error:
                faults.append(f"What caches may still have of {place} cannot be told. {error}")
                continue
            if place in self._unread and now_ is not None and len(now_.history) > 1:
                what = f"What was live in {place} before could not be read, so it is not known what caches have of it"
                faults.append(f"{what}: {self._unread[place].rstrip('.')}. {_ALL}")
        if also:
            stale |= addresses_of(also, self.addresses)
        moved = any(set(self._states.get(place, ())) - {one.manifest} for place, one in found.items())
        wish = Wish(stale, self.pages if moved or stale else ())
        if self._pending.unclear:
            faults.append(_UNCLEAR)
        last = max(found.values(), key=lambda one: one.at, default=None)
        return self._purged(wish, last.release if last else "", tuple(faults))

    def repeat(self, targets: Iterable[Target]) -> Wish:
        """What differs now from the release that was current before, and from what runs have left that did not end.

        Raises `ShipfilesError` if that cannot be told.
        """
        self._find(targets)
        self._add_left()
        if self._pending.unclear:
            raise ManifestError(_UNCLEAR)
        stale, moved = Stale(), False
        for place, store in self._stores.items():
            now_ = self._current(store)
            if now_ is None:
                continue
            if (before := self._before(store, known=bool(self._states.get(place)))) is not None:
                self._states.setdefault(place, {})[before[0]] = before[1]
            if faults := self._add_between(place, store, now_):
                raise ManifestError(faults[0])
            stale |= self._changed(place, now_)
            moved |= bool(set(self._states.get(place, ())) - {now_.manifest})
        return Wish(stale, self.pages if moved else ())

    def purge(self, wish: Wish) -> Purges:
        """Purge by hand: whatever was purged before, it is purged again."""
        return self._purged(wish, "", ())

    def manifests(self, targets: Iterable[Target]) -> Iterator[bytes]:
        """Of the current releases, and of those before them that are there."""
        self._find(targets)
        for store in self._stores.values():
            if (current := self._current(store)) is not None:
                yield current.body
            if (before := self._before(store, known=True)) is not None:
                yield before[1]

    def close(self) -> None:
        """The run has ended; what it has noted is left to the next one."""
        self._pending.close()

    def forget_notes(self) -> None:
        """Everything is purged, so that nothing is left of what runs have noted."""
        self._pending.left()
        self._pending.done()

    def _add(self, place: str, one: Was) -> None:
        self._were.setdefault(place, []).append(one)
        self._states.setdefault(place, {}).update(one.manifests)

    def _purged(self, wish: Wish, release: str, faults: tuple[str, ...]) -> Purges:
        outcomes: tuple[Outcome, ...] = ()
        if wish:
            # The pointer need not have moved since the same was purged last, and bytes may have changed all the same.
            moment = f"{now().isoformat()} {os.urandom(8).hex()}"
            reference = reference_of(release, moment, wish)
            try:
                outcomes = purge_all_of(self.purgers, wish, reference=reference, by_tag=self._config.purge.by_tag)
            except BaseException:
                # Whoever knows of the error knows of this run, which would seem to be under way for as long.
                self.close()
                raise
        done = Purges(wish, outcomes, faults, release)
        if done.failure:
            self.close()
        else:
            self._pending.done(self._seen)
        return done

    def _find(self, targets: Iterable[Target]) -> None:
        """Which stores are meant: none that the options do not name."""
        self._known = {str(target.store) for target in conf.targets(self._config)}
        for target in targets:
            if str(target.store) in self._known:
                self._stores[str(target.store)] = target.store
        if not isinstance(self._config, conf.RemoteConfig):
            self._stores[str(self._storage.store)] = self._storage.store

    def _add_left(self) -> None:
        """Add what runs have left. What they say of a store that is not looked at now is left to who looks at it."""
        left = self._pending.left()
        self._seen = {*self._stores}
        if self._known <= self._seen:
            # Stores that the options named otherwise, or do not name any more: the URLs are the same.
            self._seen |= {*left}
        for place, found in left.items():
            for one in found:
                if place in self._stores:
                    self._add(place, one)
                elif place in self._seen:
                    for store in self._stores:
                        self._states.setdefault(store, {}).update(one.manifests)

    def _add_between(self, place: str, store: Store, current: Current) -> list[str]:
        """Add what has been current since a run has looked, by other runs that may not have purged what caches have of
        it; and what is wrong if that cannot be told."""
        self._states.setdefault(place, {}).update(current.begun)
        were = self._were.get(place, ())
        # What was current when a run looked need not be read.
        known = {current.release, *(one.release for one in were)}
        releases = dict.fromkeys(one.release for old in were for one in old.later(current.history))
        unknown = [release for release in releases if release not in known]
        faults = []
        for release in unknown[:_MOST_BETWEEN]:
            try:
                read = _reader(store)
                record = read_record(read, release)
                if record is None:
                    faults.append(f"the release {release}, which was current in between, is not there any more")
                elif record.manifest not in self._states[place]:
                    body = self._kept.get(record.manifest) or read_manifest_body(read, record)
                    self._states[place][record.manifest] = body
            except ShipfilesError as error:
                faults.append(str(error).rstrip("."))
        if unknown[_MOST_BETWEEN:]:
            faults.append(f"{len(unknown)} releases were current since caches were last purged from here")
        return [f"What caches have of {store} is not known: {fault}. {_ALL}" for fault in faults]

    def _changed(self, place: str, current: Current) -> Stale:
        stale = Stale()
        for body in self._states.get(place, {}).values():
            stale |= changed(body, current.body, self.addresses)
        return stale

    def _current(self, store: Store) -> Current | None:
        read = _reader(store)
        pointer = read_pointer(read)
        if pointer is None:
            return None
        manifest = pointer.manifest
        body = self._kept.get(manifest) if manifest else None
        if body is None:
            record = read_record(read, pointer.release)
            if record is None:
                raise ManifestError(f"{store}: the release {pointer.release} is not recorded there.")
            manifest, body = record.manifest, self._kept.get(record.manifest) or read_manifest_body(read, record)
        return Current(pointer.history, manifest or digest_bytes(body), body, self._begun(read, pointer))

    def _begun(self, read: Read, pointer: Pointer) -> dict[Digest, bytes]:
        """What may be under plain names already, or still, though no pointer tells of it. What was not put is not."""
        found: dict[Digest, bytes] = {}
        for note in pointer.unsettled:
            if note.manifest is not None:
                body = self._kept.get(note.manifest) or read(manifest_key(note.manifest))
                if body is not None and digest_bytes(body) == note.manifest:
                    found[note.manifest] = body
        return found

    def _before(self, store: Store, *, known: bool) -> tuple[Digest, bytes] | None:
        """The manifest of the release that was current before; ``None`` if there was none.

        Raises `ManifestError` if it is not there any more, unless it is ``known`` what caches may have.
        """
        read = _reader(store)
        pointer = read_pointer(read)
        past = [one.release for one in reversed(pointer.history) if one.release != pointer.release] if pointer else []
        if not past:
            return None
        record = read_record(read, past[0])
        if record is None and known:
            return None
        if record is None:
            raise ManifestError(
                f"{store}: the release {past[0]}, which was current before, is not there any more, so that nobody can "
                "tell what caches have of it.", "Name what is to be purged, or 'manage.py ship purge --all'.",
            )  # fmt: skip
        return record.manifest, self._kept.get(record.manifest) or read_manifest_body(read, record)
