"""The part of a run over changes that reads, builds and publishes them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

from ..build.bundled import concerns_bundlers
from ..build.cache import Cache
from ..build.find import Found
from ..build.pipeline import Build, NotApart, Settled, build
from ..build.scan import LARGE, digest_file
from ..digest import Digest, digest_bytes
from ..errors import BrokenReferences, ManifestError
from ..events import Listener, phase
from ..model import Problem, SourceFile
from ..records import POINTER_KEY, read_manifest_body, read_record
from ..stores.store import Store, Versions, read_all
from ..work import in_parallel
from . import renew
from .ids import has_manifest, refuse_taken_id
from .outcome import Base, Published, size_of_raw
from .pointing import Pointing
from .publish import publish_part, record_of
from .renew import Making, Renewed
from .state import State, links_of, objects_of, totals_of, write_state


def publish_changes(
    found: Found,
    suspects: Collection[str],
    state: State,
    store: Store,
    versions: Mapping[str, str],
    making: Making,
    cache: Cache,
    listener: Listener,
) -> Renewed | None:
    """Publish those of the ``suspects`` whose bytes changed and all that refers to them; ``None`` if that takes a whole
    run. For who holds the lock and knows that ``store``, with these ``versions``, is as ``state`` says.
    """
    assert isinstance(store, Versions)
    base = _base(store, state.release)
    if base is None:
        return None
    sources = {source.logical: source for source in found.sources}
    most = renew.MOST * len(sources)
    changed = set()
    with phase(listener, "compare", len(suspects), sum(found.stats[s].size for s in suspects)) as progress:
        reads = in_parallel(
            lambda logical: digest_file(sources[logical]),
            sorted(suspects),
            making.workers,
            heavy=lambda logical: found.stats[logical].size >= LARGE,
        )
        with closing(reads):
            for logical, (digest, size) in reads:
                progress(1, size)
                if digest != _source_digest(base.files[logical]):
                    changed.add(logical)
                    if len(changed) > most:
                        return None
    affected = state.reached_from(changed)
    if len(affected) > most or any(_may_be_bundled(logical, base) for logical in affected):
        return None
    # Which of its imports a script may follow is decided by the workers that load it, wherever they are.
    if not affected.isdisjoint(state.importing):
        return None
    fresh = state.looked_again(found, suspects)
    if not changed and making.renames(state.release):
        again = publish_again(found, fresh, store, making, listener)
        return again and replace(again, read=len(suspects))
    if not changed:
        write_state(store, fresh, listener)
        return Renewed(Published(state.release, unchanged=sorted(sources)), fresh, frozenset(), len(suspects))
    try:
        built = _built([sources[logical] for logical in sorted(affected)], state, base, making, cache, listener)
    except NotApart:
        return None
    published = publish_part(
        built, store, making.compress, base, release=making.release, began_at=_began_at(state, making),
        manifest_name=making.manifest_name, cache=cache, workers=making.workers, listener=listener,
    )  # fmt: skip
    published.unchanged = sorted({*sources.keys() - affected, *published.unchanged})
    fresh = _after(fresh, built, published, _changed_versions(store, versions, published))
    write_state(store, fresh, listener)
    return Renewed(published, fresh, affected, len(affected | set(suspects)))


def _began_at(state: State, making: Making) -> str:
    return state.release if making.began_at is None else making.began_at


def publish_again(found: Found, state: State, store: Store, making: Making, listener: Listener) -> Renewed | None:
    """Make the files of the current release one of another id; ``None`` if that takes a whole run.

    For who holds the lock and knows that the store is as ``state`` says, and so are the sources.
    """
    assert isinstance(store, Versions)
    base = _base(store, state.release)
    if base is None or not making.release:
        return None
    names = {logical: entry["name"] for logical, entry in base.files.items()}
    unclear = refuse_taken_id(store, making.release, names)
    if unclear is not None and not has_manifest(store, making.release, digest_bytes(base.body)):
        raise unclear
    published = Published(making.release, unchanged=sorted(base.files))
    pointing = Pointing(store, _began_at(state, making), published.changed.append, listener)
    published.sizes = [size_of_raw(logical, raw) for logical, raw in base.files.items()]
    manifest = digest_bytes(base.body)
    pointing.record(record_of(making.release, manifest, published.sizes, 0))
    published.before = pointing.point(making.release, manifest)
    fresh = replace(state.looked_again(found, ()), release=making.release, objects=objects_of(store.versions()))
    write_state(store, fresh, listener)
    return Renewed(published, fresh, frozenset(), 0)


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
            lookalikes=making.lookalikes,
            site_url=making.site_url,
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
    # The pointer has had a note meanwhile, whether or not it was moved.
    for key in {POINTER_KEY, *(change.key for change in published.changed)}:
        version = store.version(key)
        if version is None:
            merged.pop(key, None)
        else:
            merged[key] = version
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
    """The current release ``release``; ``None`` if its manifest is damaged, which the whole run will say."""
    read = partial(read_all, store)
    try:
        record = read_record(read, release)
        if record is None:
            return None
        body = read_manifest_body(read, record)
    except ManifestError:
        return None
    return Base(release, body, json.loads(body))
