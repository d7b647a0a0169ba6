"""What a run leaves beside the release, so that the next one knows what needs no second look.

It is a memory, not a truth: whatever does not agree with it is looked at again, and without it a run only takes longer.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import StoreError
from ..events import Listener, Notice
from ..model import Problem
from ..paths import RESERVED
from ..records import POINTER_KEY
from ..stores.store import Store, Versions, read_all
from .clocks import CLOCK_KEY

if TYPE_CHECKING:
    from ..build.find import Found
    from ..build.pipeline import Asset, Build
    from .outcome import Published, Size

STATE_KEY = f"{RESERVED}/state.json"
"""Where a store keeps it."""

_SCHEMA = 4
_RESTLESS = frozenset({STATE_KEY, POINTER_KEY, CLOCK_KEY, f"{RESERVED}/lock", f"{RESERVED}/swap"})
# File systems and clocks are coarse: a file may be written twice within one tick. What was written so shortly before
# it was looked at is read again.
_RACY = 2_000_000_000


@dataclass(frozen=True, slots=True)
class State:
    """The sources of the current release as they were looked at, and what was said of them."""

    settings: str
    """Stands for all that decides the published bytes beside the sources."""
    release: str
    looked: int
    """When the sources were looked at. Nanoseconds since the epoch."""
    places: str
    """Stands for where the sources are, as people know them."""
    sources: Mapping[str, list[int]]
    """Logical path → what a `Stat` has, and whether it is the project's own."""
    links: Mapping[str, tuple[int, tuple[str, ...]]]
    """Logical path → how many edits its bytes have, and the logical paths that it refers to; only where it does."""
    kept: frozenset[str]
    """Logical paths of the files that have the names that a bundler gave them."""
    importing: frozenset[str]
    """Logical paths of the files that load others by ``importScripts()``."""
    objects: str
    """Stands for all that is in the store."""
    totals: Mapping[str, Any]
    """The numbers of the report."""
    warnings: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    beside: Mapping[str, str | None] = field(default_factory=dict)
    """Path → what `content_beside` said of what may be a bundler's manifest beside the sources: it decides on names,
    but no finder lists it."""

    def is_as_it_was_beside(self) -> bool:
        """Whether no file has changed that decides on names and is no source."""
        # There are next to none, and what reads them need not be imported to see that.
        there = {path for path in self.beside if os.path.exists(path)}
        if any((known is None) == (path in there) for path, known in self.beside.items()):
            return False
        if there:
            from ..build.bundled import content_beside

            return all(content_beside(path) == self.beside[path] for path in there)
        return True

    def suspects(self, found: Found) -> set[str] | None:
        """The logical paths of the files ``found`` that may have changed; ``None`` if there are other files than there
        were, or if they are elsewhere: what is said of them names their places."""
        if len(found.sources) != len(self.sources) or self.places != places_of(found):
            return None
        suspects = set()
        unsure = self.looked - _RACY
        # As plain as can be: it is most of what a run over many thousand files does.
        stats, sources = found.stats, self.sources
        for source in found.sources:
            logical, own = source.logical, source.own
            known = sources.get(logical)
            if known is None or own != known[-1]:
                return None
            size, changed, inode, device, noted = stats[logical]
            if changed > unsure or noted > unsure or known != [size, changed, inode, device, noted, own]:
                suspects.add(logical)
        return suspects

    def looked_again(self, found: Found, logicals: Iterable[str]) -> State:
        """This state after those of the files ``found`` at ``logicals`` were read."""
        seen = {logical: [*found.stats[logical], self.sources[logical][-1]] for logical in logicals}
        # The others were trusted because they are old, and are older now.
        return replace(self, looked=found.looked, sources={**self.sources, **seen})

    def reached_from(self, changed: Iterable[str]) -> set[str]:
        """``changed`` and all files that refer to one of them, at however many removes."""
        referrers: dict[str, list[str]] = {}
        for logical, (_, targets) in self.links.items():
            for target in targets:
                referrers.setdefault(target, []).append(logical)
        found = set(changed)
        pending = list(found)
        while pending:
            for logical in referrers.get(pending.pop(), ()):
                if logical not in found:
                    found.add(logical)
                    pending.append(logical)
        return found


def read_state(store: Store) -> State | None:
    """What the last run left in ``store``; ``None`` if nothing, or nothing that can be read."""
    with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError, StoreError):
        body = read_all(store, STATE_KEY)
        if body is None:
            return None
        checksum, _, rest = body.partition(b"\n")
        if checksum != _checksum(rest):
            return None
        raw = json.loads(rest)
        if raw["schema"] != _SCHEMA:
            return None
        return State(
            raw["settings"], raw["release"], raw["looked"], raw["places"], raw["sources"],
            {logical: (count, tuple(targets)) for logical, (count, targets) in raw["links"].items()},
            frozenset(raw["kept"]), frozenset(raw["importing"]), raw["objects"], raw["totals"],
            tuple(_problem(p) for p in raw["warnings"]), tuple(_problem(p) for p in raw["notes"]), raw["beside"],
        )  # fmt: skip
    return None


def write_state(store: Store, state: State, listener: Listener) -> None:
    """Leave ``state`` in ``store``. What is published is not worse without it: ``listener`` is told if it cannot be."""
    raw = {
        "schema": _SCHEMA,
        "settings": state.settings,
        "release": state.release,
        "looked": state.looked,
        "places": state.places,
        "sources": state.sources,
        "links": state.links,
        "kept": sorted(state.kept),
        "importing": sorted(state.importing),
        "objects": state.objects,
        "totals": state.totals,
        "warnings": [asdict(problem) for problem in state.warnings],
        "notes": [asdict(problem) for problem in state.notes],
        "beside": state.beside,
    }
    body = json.dumps(raw, separators=(",", ":"), check_circular=False).encode()
    try:
        store.put(STATE_KEY, _checksum(body) + b"\n" + body)
    except StoreError as error:
        listener(Notice(f"{error}. The release is whole and live, but the next run will build everything again."))


def state_of(settings: str, found: Found, built: Build, published: Published, store: Store) -> State:
    """What is to be known of a whole run."""
    # Most runs find nothing to do, and need no more than a state.
    from ..build.bundled import content_beside, places_beside

    links = links_of(built.assets)
    return State(
        settings,
        published.release,
        found.looked,
        places_of(found),
        {source.logical: [*found.stats[source.logical], source.own] for source in found.sources},
        links,
        frozenset(asset.logical for asset in built.assets if asset.kept),
        built.importing,
        objects_of(store.versions()) if isinstance(store, Versions) else "",
        totals_of(published.sizes, links),
        built.warnings,
        built.notes,
        {path: content_beside(path) for path in sorted(places_beside(found.sources))},
    )


def places_of(found: Found) -> str:
    """Stands for where the files ``found`` are."""
    places = "\0".join([source.origin or source.path for source in found.sources])
    return hashlib.sha256(places.encode("utf-8", "surrogatepass")).hexdigest()


def totals_of(entries: Iterable[Size], links: Mapping[str, tuple[int, Any]]) -> dict[str, Any]:
    """The numbers of a release, from the sizes of its files and from `State.links`."""
    files = size = kept = 0
    having: dict[str, int] = {}
    bytes_: dict[str, int] = {}
    saved: dict[str, int] = {}
    for file_size, codings, is_kept in entries:
        files += 1
        kept += is_kept
        size += file_size
        for token, coded in codings.items():
            having[token] = having.get(token, 0) + 1
            bytes_[token] = bytes_.get(token, 0) + coded
            saved[token] = saved.get(token, 0) + file_size - coded
    edits = [count for count, _ in links.values() if count]
    return {
        "files": files,
        "bytes": size,
        "compressed": {
            token: {"files": having[token], "bytes": bytes_[token], "bytes_with": size - saved[token]}
            for token in sorted(having)
        },
        "rewritten": len(edits),
        "references": sum(edits),
        "kept": kept,
    }


def objects_of(versions: Mapping[str, str]) -> str:
    """Stands for the ``versions`` of all keys of a store but those that change without being published."""
    # Line by line: all of them together may be more than everything else that a run has in memory.
    digester = hashlib.sha256()
    for key in sorted(versions):
        if key not in _RESTLESS:
            digester.update(f"{key} {versions[key]}\n".encode("utf-8", "surrogatepass"))
    return digester.hexdigest()


def links_of(assets: Iterable[Asset]) -> dict[str, tuple[int, tuple[str, ...]]]:
    """`State.links` of ``assets``."""
    return {asset.logical: (len(asset.edits), asset.references) for asset in assets if asset.references}


def _problem(raw: Mapping[str, Any]) -> Problem:
    return Problem(**{**raw, "nearest": tuple(raw["nearest"])})


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
