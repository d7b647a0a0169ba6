"""Publish only what changed since the last run, where that is certain to give what publishing everything would.

The last run left a `State`. Where the files have the same names as then, the settings are the same and the store is as
it was left, a file whose bytes did not change, and that refers to none whose name changed, becomes what it was.
Anything else is a case for a whole run.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..build.bundled import concerns_bundlers
from ..build.cache import Cache
from ..build.find import Found
from ..build.pipeline import Build, Settled, build
from ..build.scan import LARGE, digest_file
from ..config import CompressConfig, RewriteConfig
from ..digest import Digest
from ..errors import BrokenReferences
from ..events import Listener, phase
from ..manifest import POINTER_KEY, dump_pointer, release_id, release_key
from ..model import Problem, SourceFile
from ..stores.store import Store, Versions, read_all
from ..work import in_parallel
from .publish import Base, Published, locked, publish_part
from .state import State, links_of, objects_of, totals_of, write_state

# With more to do than this part of all files a whole run, which looks nothing up, is as fast.
_MOST = 0.2


@dataclass(frozen=True, slots=True)
class Making:
    """All that decides what sources become."""

    rewrite: RewriteConfig
    compress: CompressConfig
    static_url: str
    media_types: Mapping[str, str]
    manifest_name: str
    workers: int


@dataclass(frozen=True, slots=True)
class Renewed:
    """What a run over the changes did."""

    published: Published
    state: State
    built: Collection[str]
    """Logical paths of the files that were built again."""


def renew(found: Found, state: State, store: Store, making: Making, cache: Cache, listener: Listener) -> Renewed | None:
    """Publish what changed in ``found`` since ``state``; ``None`` if that takes a whole run.

    Raises what `build` and `publish` raise.
    """
    sources = {source.logical: source for source in found.sources}
    suspects = state.suspects(found.stats, {logical: source.own for logical, source in sources.items()})
    if suspects is None or len(suspects) > _MOST * len(sources):
        return None
    if not isinstance(store, Versions):
        return None
    with locked(store, listener):
        versions = store.versions()
        if objects_of(versions) != state.objects:
            return None
        base = _base(store, state.release)
        if base is None:
            return None
        with phase(listener, "read", len(suspects)) as progress:
            changed = set()
            for logical, (digest, size) in in_parallel(
                lambda logical: digest_file(sources[logical]),
                sorted(suspects),
                making.workers,
                heavy=lambda logical: found.stats[logical].size >= LARGE,
            ):
                progress(1, size)
                if digest != _source_digest(base.files[logical]):
                    changed.add(logical)
        affected = state.reached_from(changed)
        if len(affected) > _MOST * len(sources) or any(_may_be_bundled(logical, base) for logical in affected):
            return None
        fresh = state.looked_again(found, suspects)
        if not changed:
            if suspects:
                write_state(store, fresh)
            return Renewed(Published(state.release, unchanged=sorted(sources)), fresh, frozenset())
        built = _built([sources[logical] for logical in sorted(affected)], state, base, making, cache, listener)
        published = publish_part(
            built, store, making.compress, base, manifest_name=making.manifest_name, cache=cache,
            workers=making.workers, listener=listener,
        )  # fmt: skip
        published.unchanged = sorted({*sources.keys() - affected, *published.unchanged})
        fresh = _after(fresh, built, published, _changed_versions(store, versions, published))
        write_state(store, fresh)
        return Renewed(published, fresh, affected)


def _may_be_bundled(logical: str, base: Base) -> bool:
    entry = base.files[logical]
    return concerns_bundlers(logical) or entry["name"] == logical or "unsteady" in entry


def _source_digest(entry: Mapping[str, Any]) -> Digest:
    return Digest((entry.get("plain") or entry)["digest"])


def _settled(entry: Mapping[str, Any]) -> Settled:
    return Settled(entry["name"], Digest(entry["digest"]), _source_digest(entry))


def _built(
    sources: Sequence[SourceFile], state: State, base: Base, making: Making, cache: Cache, listener: Listener
) -> Build:
    """The build of ``sources`` among the files of ``base``. Errors come with what is to be said of all files."""
    own = {source.logical for source in sources}
    try:
        return build(
            sources,
            making.rewrite,
            static_url=making.static_url,
            settled={logical: _settled(entry) for logical, entry in base.files.items() if logical not in own},
            media_types=making.media_types,
            cache=cache,
            workers=making.workers,
            listener=listener,
        )
    except BrokenReferences as error:
        raise BrokenReferences(
            error.problems, _merged(state.warnings, error.warnings, own), _merged(state.notes, error.notes, own)
        ) from None


def _merged(old: Iterable[Problem], new: Iterable[Problem], built: Collection[str]) -> tuple[Problem, ...]:
    """The problems of all files, when those of the files ``built`` again are ``new``."""
    return tuple(sorted([*(p for p in old if p.logical not in built), *new], key=lambda problem: problem.position))


def _changed_versions(store: Versions, versions: Mapping[str, str], published: Published) -> dict[str, str]:
    merged = dict(versions)
    for change in published.changed:
        version = store.version(change.key)
        if version is None:
            merged.pop(change.key, None)
        else:
            merged[change.key] = version
    return merged


def _after(state: State, built: Build, published: Published, versions: Mapping[str, str]) -> State:
    """``state`` after what was ``built`` was ``published``."""
    own = {asset.logical for asset in built.assets}
    links = {logical: found for logical, found in state.links.items() if logical not in own}
    links.update(links_of(built.assets))
    return replace(
        state,
        release=published.release,
        links=links,
        objects=objects_of(versions),
        totals=totals_of(published.sizes, links),
        warnings=_merged(state.warnings, built.warnings, own),
        notes=_merged(state.notes, built.notes, own),
    )


def _base(store: Store, release: str) -> Base | None:
    """The current release, if it is ``release``."""
    # What is damaged is left to the whole run, which says so and makes it anew.
    if read_all(store, POINTER_KEY) != dump_pointer(release):
        return None
    body = read_all(store, release_key(release))
    # Its id is its digest.
    if body is None or release_id(body) != release:
        return None
    return Base(release, body, json.loads(body))
