"""What ``collectstatic`` does, without the command: sources in, release out."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from django.core.files.storage import Storage

from ..build.cache import Cache
from ..build.compress import settings_of
from ..build.rewrite import rewriter_for
from ..config import ProofConfig, RewriteConfig, ServeConfig, StaticConfig
from ..errors import (
    BrokenReferences,
    ManifestError,
    ReleaseError,
    SourceError,
    did_you_mean,
    nearest_names,
    os_reason,
    printable,
)
from ..events import Listener, Notice, ignore, phase
from ..manifest import Manifest
from ..media_types import media_type
from ..model import Problem
from ..own_code import code_id
from ..records import POINTER_KEY, read_current
from ..release.outcome import Published
from ..release.pointing import current_id
from ..release.renew import Making, renew
from ..release.state import State, read_state, state_of, totals_of, write_state
from ..serve.using import write_release_file
from ..stores.store import Store, read_all
from . import conf, own_release, static_urls
from .proof.prove import Proof, prove, scan_names
from .pruning import Pruned, prune_after, prune_build
from .purging import purging_of
from .sources import collected_sources

if TYPE_CHECKING:
    from ..build.find import Found
    from ..build.pipeline import Build
    from .static_storage import StaticStorage

# What builds and publishes is imported where it is needed: most runs find nothing to do.

logger = logging.getLogger("shipfiles")

_UNTOUCHED = RewriteConfig(skip=("*",), bundled=False)
_NO_PROOF = Proof((), (), (), (), (), 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run did."""

    published: Published
    totals: Mapping[str, Any]
    """As `totals_of`."""
    warnings: tuple[Problem, ...]
    notes: tuple[Problem, ...]
    post_processed: Sequence[str]
    """Logical paths that Django's command would count as post-processed: new assets, and all that can be rewritten."""
    read: int
    """Sources that were read; what the last run remembers of the others was trusted."""
    built: int
    """Files that were built and placed; the others were taken over from the last release."""
    cache: Cache
    """What counts the scans and variants that were found and made."""
    pruned: Pruned | None = None
    """What was pruned afterwards, if that was wanted."""


def collect(
    storage: StaticStorage,
    found: Found,
    *,
    post_process: bool = True,
    clear: bool = False,
    link: bool = False,
    dry_run: bool = False,
    verify: bool = False,
    listener: Listener = ignore,
) -> Collected:
    """Make a release of ``found`` in the storage's place, and let the storage use it.

    Without ``post_process`` the files are only copied. In a ``dry_run`` nothing is written. To ``verify`` is to read
    every file, whatever the file system says of it.
    Before anything is published, the names of static files in templates and Python are proven, unless OPTIONS["proof"]
    has it otherwise. Raises `ShipfilesError`; what was published before then stays as it was.
    """
    if link:
        _refuse_links_to_copies(found)
    _refuse_lost_places(found, storage.config.serve)
    file = conf.release_file(storage.config)
    if os.path.isdir(file):
        raise ReleaseError(f"OPTIONS['release_file'] must name a file, and {file} is a folder. Nothing was published.")
    release = own_release.id_to_make(storage.config) if post_process else ""
    if release:
        _tell_of_uncommitted(found, storage.config, release, listener)
    # What was found out stays found out, also after a failure or Ctrl-C.
    cache_config = storage.config.cache
    with Cache(conf.cache_folder(storage.config), cache_config.max_size, listener, frozen=dry_run) as cache:
        proof = _NO_PROOF
        if post_process and storage.config.proof.on_collect:
            proof = _prove(found, storage.config.proof, cache, listener)
        run = _Run(storage, found, proof, release, cache, listener)
        if not post_process:
            return run.plain(_rehearsed(storage.store) if dry_run else storage.store, clear=clear, link=link)
        collected = None
        # A run that clears or links touches more than what changed.
        if cache_config.enabled and not (clear or link or dry_run or verify or proof.errors):
            collected = run.over_the_last()
        if collected is None:
            collected = run.whole(clear=clear, link=link, dry_run=dry_run)
    if file and not dry_run:
        _write_release_file(file, storage, collected.published.release)
    moved = any(change.key == POINTER_KEY for change in collected.published.changed)
    if moved and not dry_run:
        if storage.config.retain.on_collect:
            collected = replace(collected, pruned=prune_after(storage, collected.published.release, listener))
        elif conf.owns_build_folder(storage.config):
            prune_build(storage, collected.published.release, listener)
    return collected


class _Run:
    """One run of ``collect`` and what all of its ways need."""

    def __init__(
        self, storage: StaticStorage, found: Found, proof: Proof, release: str, cache: Cache, listener: Listener
    ) -> None:
        self._storage = storage
        self._config = config = storage.config
        self._found = found
        self._proof = proof
        self._cache = cache
        self._listener = listener
        self._making = Making(
            config.rewrite,
            config.compress,
            static_urls.base_url(config) or "",
            config.serve.media_types,
            storage.manifest_name,
            config.workers,
            release,
            current_id(storage.store),
            static_urls.lookalikes(config),
            static_urls.site_url(config),
        )

    def over_the_last(self) -> Collected | None:
        """Publish what changed since the last run; ``None`` if that takes a whole run."""
        store = self._storage.store
        state = read_state(store)
        if state is None or state.settings != self._settings():
            return None
        try:
            renewed = renew(self._found, state, store, self._making, self._cache, self._listener)
        except BrokenReferences as error:
            raise self._with_proof(error) from None
        if renewed is None:
            return None
        self._storage.forget()
        return self._collected(renewed.published, renewed.state, renewed.built, renewed.read, len(renewed.built))

    def whole(self, *, clear: bool, link: bool, dry_run: bool) -> Collected:
        """Publish everything."""
        from ..release.publish import publish

        store = _rehearsed(self._storage.store) if dry_run else self._storage.store
        current = _current(store)
        built = self._build(self._config.rewrite, current)
        if self._proof.errors:
            raise self._with_proof(BrokenReferences((), built.warnings, built.notes))
        states: list[State] = []

        def remember(published: Published) -> None:
            states.append(state_of(self._settings(), self._found, built, published, store))
            if not (dry_run or link):
                write_state(store, states[0], self._listener)

        published = publish(
            built, store, self._config.compress, release=self._making.release,
            manifest_name=self._making.manifest_name, clear=clear, link=link, current=current,
            began_at=self._making.began_at, cache=self._cache,
            workers=self._config.workers, listener=self._listener, before_unlocking=remember,
        )  # fmt: skip
        if not dry_run:
            self._storage.adopt(published.release, published.manifest)
        written = {change.key for change in published.changed if change.action != "delete"}
        made, all_ = {a.logical for a in built.assets if a.name in written}, len(built.assets)
        return self._collected(published, states[0], made, all_, all_)

    def plain(self, store: Store, *, clear: bool, link: bool) -> Collected:
        """Only copy the files."""
        from ..release.publish import publish_plain

        built = self._build(_UNTOUCHED, None)
        published = publish_plain(
            built, store, manifest_name=self._making.manifest_name, clear=clear, link=link,
            workers=self._config.workers, listener=self._listener,
        )  # fmt: skip
        totals, all_ = totals_of(published.sizes, {}), len(built.assets)
        return Collected(published, totals, built.warnings, built.notes, (), all_, all_, self._cache)

    def _build(self, rewrite: RewriteConfig, current: tuple[str, Manifest] | None) -> Build:
        from ..build.pipeline import build

        try:
            return build(
                self._found.sources,
                rewrite,
                stats=self._found.stats,
                static_url=self._making.static_url,
                lookalikes=self._making.lookalikes,
                site_url=self._making.site_url,
                steady=current[1].steady() if current else None,
                media_types=self._making.media_types,
                cache=self._cache,
                workers=self._making.workers,
                listener=self._listener,
            )
        except BrokenReferences as error:
            raise self._with_proof(error) from None

    def _with_proof(self, error: BrokenReferences) -> BrokenReferences:
        """All that a person has to correct, in one error."""
        proof = self._proof
        return BrokenReferences(
            (*error.problems, *proof.errors), (*error.warnings, *proof.warnings), (*error.notes, *proof.notes)
        )

    def _settings(self) -> str:
        """Stands for all that decides the published bytes, and what is said of them, beside the sources."""
        making, config = self._making, self._config
        parts = (
            making.rewrite, settings_of(making.compress), making.static_url, sorted(making.media_types.items()),
            making.manifest_name, config.file_permissions_mode, config.directory_permissions_mode, code_id(),
            making.lookalikes, making.site_url,
        )  # fmt: skip
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    def _collected(self, published: Published, state: State, made: Collection[str], read: int, built: int) -> Collected:
        types = self._making.media_types
        post_processed = [
            logical
            for logical in state.sources
            if logical not in state.kept and (logical in made or rewriter_for(logical, media_type(logical, types)))
        ]
        warnings, notes = (*state.warnings, *self._proof.warnings), (*state.notes, *self._proof.notes)
        return Collected(published, state.totals, warnings, notes, post_processed, read, built, self._cache)


def _prove(found: Found, config: ProofConfig, cache: Cache, listener: Listener) -> Proof:
    with phase(listener, "prove") as progress:
        # The modules of installed packages are left to "ship check": to read them takes longer than all the rest.
        scan = scan_names(config, packages=False, cache=cache)
        progress(scan.templates + scan.modules, 0)
        proof = prove(scan, {source.logical for source in found.sources}, config)
        return replace(proof, notes=(*proof.notes, *proof.unread))


def _write_release_file(path: str, storage: StaticStorage, release: str) -> None:
    try:
        write_release_file(path, lambda key: read_all(storage.store, key), release)
    except OSError as error:
        what = f"its file {path} cannot be written: {os_reason(error)}. Correct that and run collectstatic again"
        raise ReleaseError(f"The release {release} is live, but {what}.") from None


def _tell_of_uncommitted(found: Found, config: StaticConfig, release: str, listener: Listener) -> None:
    """Say which files are not as in the commit that the release is called by."""
    changed = own_release.uncommitted(config)
    paths = {os.path.realpath(source.path): source.logical for source in found.sources} if changed else {}
    folders = tuple(path for path in changed if path.endswith("/"))
    names = sorted(name for path, name in paths.items() if path in changed or path.startswith(folders))
    if names:
        shown = ", ".join(map(printable, names[:3])) + (f" and {len(names) - 3} more" if names[3:] else "")
        what = f"{shown} {'has' if len(names) == 1 else 'have'} changes that are not committed"
        listener(Notice(f"{what}: the release {release} is called by a commit that does not have them."))


def _rehearsed(store: Store) -> Store:
    from ..stores.rehearsal import Rehearsal

    return Rehearsal(store)


def _current(store: Store) -> tuple[str, Manifest] | None:
    """The current release; none if it cannot be read, which publishing will speak of."""
    try:
        return read_current(lambda key: read_all(store, key))
    except ManifestError:
        return None


def _refuse_links_to_copies(found: Found) -> None:
    for source in found.sources:
        if source.origin:
            raise SourceError(
                source.place,
                "not on this disk, so that --link has nothing that lasts to link to",
                "Run without --link, or leave the file out with --ignore.",
            )


def _refuse_lost_places(found: Found, config: ServeConfig) -> None:
    """Raise `SourceError` if the options promise a file at the root of the site that nobody has."""
    places = {f"OPTIONS['serve']['root_files'][{path!r}]": logical for path, logical in config.root_files.items()}
    if config.single_page:
        places["OPTIONS['serve']['single_page']"] = config.single_page
    known = {source.logical for source in found.sources} if places else set()
    for place, logical in places.items():
        if logical not in known:
            what = f"no static file is called {logical!r}{did_you_mean(nearest_names(logical, known))}"
            raise SourceError(place, what, "Correct the option, or add the file.")


def collect_found(storage: StaticStorage, paths: Mapping[str, tuple[Storage, str]]) -> Collected:
    """Make a release of what Django's own command has found: logical path → (storage, path in it); and send it.

    Raises `ReleaseError` if that, or purging, failed anywhere; what is live then is told.
    """
    targets = conf.targets(storage.config)
    purging = purging_of(storage)
    if purging:
        purging.watch(targets)
    with collected_sources(paths) as found:
        collected = collect(storage, found)
    failures = []
    if targets:
        from .sending import Sending

        sending = Sending(storage.store, collected.published.release, targets, storage.config)
        sending.run(lambda _: nullcontext(ignore))
        # That command prints nothing of it.
        for outcome in sending.outcomes:
            logger.info("%s", outcome.text)
        failures.append(sending.failure)
    if purging:
        purged = purging.finish()
        for line in purged.lines if purged else ():
            logger.info("%s", line)
        failures.append(purged.failure if purged else "")
    if any(failures):
        raise ReleaseError("\n".join(filter(None, failures)))
    return collected
