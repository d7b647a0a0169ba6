"""Which keys the manifests name that are kept, and which others those name that are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from ..digest import digest_bytes, hex_prefix
from ..errors import ManifestError, ReleaseError
from ..events import Listener, Notice
from ..records import MANIFESTS_PREFIX
from ..stores.store import Links, Store, Stored, read_all
from .claims import Claims, Seen, Sweep
from .listed import listed
from .ownership import without_twins


@dataclass(slots=True)
class Part:
    """What goes with one release, or with what was left of some."""

    release: str
    """Empty for what was left of earlier runs."""
    made: datetime | None
    files: int = 0
    """Objects, variants included."""
    bytes: int = 0
    """What the disk, or the bill, gets less by: of hard links to the same bytes one counts, and only if all of them go.
    What several dropped releases have counts for the newest of these."""


def refused(error: object) -> ReleaseError:
    """The error of a prune that does not know what is needed."""
    return ReleaseError(f"{error}\n  What is still needed cannot be known without it, so nothing was deleted.")


class Marks:
    """What manifests say; first all that are kept are to be told, then the others."""

    def __init__(self, store: Store, needed: Iterable[str], listener: Listener) -> None:
        self._store = store
        self._listener = listener
        self._needed = set(needed)
        self._settled = frozenset[str]()
        self.contested = False
        """Whether a dropped release had a plain name that a kept one has, too, maybe with other bytes."""
        self._seen: set[bytes] = set()
        self._dropped: list[tuple[str, Part]] = []
        self._owners: dict[str, int] = {}
        self._claims = Claims()

    def need(self, manifest: str) -> None:
        """All that the manifest at the key ``manifest`` names is needed. Raises `ReleaseError` if it is damaged."""
        try:
            self._needed.update(item.key for item in listed(self._body(manifest), manifest, self._seen))
        except ManifestError as error:
            raise refused(error) from error

    def settled(self) -> None:
        """What was told to be needed so far is so of the current release: its plain names have its bytes."""
        self._settled = frozenset(self._needed)

    def drop(self, manifest: str, part: Part) -> None:
        """What this manifest names, and none of those before it, goes with ``part``."""
        if any(manifest == known for known, _ in self._dropped):
            return
        try:
            items = list(listed(self._body(manifest), manifest, self._seen))
        except ManifestError as error:
            self._listener(Notice(f"Left in place what only this manifest names: {error}"))
            return
        number = len(self._dropped)
        self._dropped.append((manifest, part))
        for item in items:
            self.contested |= item.plain and item.key in self._needed and item.key not in self._settled
            if item.key not in self._needed:
                self._owners.setdefault(item.key, number)
                self._claims.add(item)

    def swept(self, put_before: float) -> Swept:
        """What is to go of what is in the store and was put there before that time (seconds since the epoch)."""
        # A file system may take one of these keys for one that is needed.
        spared = {key: self._owners[key] for key in self._owners.keys() - {*without_twins(self._owners, self._needed)}}
        for key in spared:
            del self._owners[key]
        found = Swept(sweep=Sweep(self._claims))
        spaces: dict[str, _Space] = {}
        linked = {key: link for key in self._claims.links() if key in self._owners and (link := self._link_of(key))}
        for stored in self._store.list():
            if stored.key in spared:
                # Its manifest stays, by which it is found when its twin is not needed any more.
                found.spared[stored.key] = self._dropped[spared[stored.key]][0]
            number = self._owners.get(stored.key)
            if number is None or stored.key in linked:
                continue
            manifest, part = self._dropped[number]
            if stored.modified > put_before:
                found.waiting += 1
                found.waiting_for.add(manifest)
            elif not self._claims.are_ours(self._store, stored.key, stored):
                found.foreign.append(stored.key)
            else:
                self._take(found, stored.key, stored, number)
                if stored.place:
                    space = spaces.setdefault(stored.place, _Space(stored.size, stored.sharing, number))
                    space.left -= 1
                    space.number = min(space.number, number)
                else:
                    part.bytes += stored.size
        for space in spaces.values():
            if space.left <= 0:
                self._dropped[space.number][1].bytes += space.size
        for key, link in linked.items():
            if self._claims.are_ours(self._store, key, link):
                self._take(found, key, link, self._owners[key])
            else:
                found.foreign.append(key)
        unfinished = {*found.waiting_for, *found.spared.values()}
        found.manifests = [manifest for manifest, _ in self._dropped if manifest not in unfinished]
        return found

    def _take(self, found: Swept, key: str, seen: Seen, number: int) -> None:
        manifest, part = self._dropped[number]
        part.files += 1
        found.keys[key] = seen.size if isinstance(seen, Stored) else 0
        found.sweep.seen[key] = seen
        found.sweep.owners[key] = manifest, part.release

    def _body(self, manifest: str) -> bytes:
        body = read_all(self._store, manifest)
        if body is None:
            raise ManifestError(f"{manifest}: missing.")
        if manifest != f"{MANIFESTS_PREFIX}{hex_prefix(digest_bytes(body), 32)}.json":
            raise ManifestError(f"{manifest}: damaged: its bytes do not have the digest that they had.")
        return body

    def _link_of(self, key: str) -> str | None:
        return self._store.link_of(key) if isinstance(self._store, Links) else None


@dataclass(slots=True)
class _Space:
    """What takes up space once, however many keys have it."""

    size: int
    left: int
    """How many keys, or names outside of the store, will still have it."""
    number: int
    """Of the dropped manifest that it counts with."""


@dataclass(slots=True)
class Swept:
    """What is to go."""

    keys: dict[str, int] = field(default_factory=dict)
    """Key → size."""
    sweep: Sweep = field(default_factory=Sweep)
    """These keys as they are now."""
    manifests: list[str] = field(default_factory=list)
    """Keys of the manifests of which nothing will be left."""
    waiting: int = 0
    """How many keys were put there later."""
    waiting_for: set[str] = field(default_factory=set)
    """Keys of the manifests that name those."""
    spared: dict[str, str] = field(default_factory=dict)
    """Keys that a file system may take for one that is needed → the manifest that names each."""
    foreign: list[str] = field(default_factory=list)
    """Keys under which there are other bytes than the manifests say."""
