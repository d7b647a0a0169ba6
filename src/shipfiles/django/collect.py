"""What ``collectstatic`` does, without the command: sources in, release out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from django.core.files.storage import Storage

from ..build.cache import Cache
from ..build.find import Found
from ..build.pipeline import Asset, Build, build
from ..build.rewrite import rewriter_for
from ..config import ProofConfig, RewriteConfig, StaticConfig
from ..errors import BrokenReferences, ManifestError, SourceError
from ..events import Listener, ignore, phase
from ..manifest import Manifest, read_current
from ..release.publish import Published, publish, publish_plain
from ..stores.rehearsal import Rehearsal
from ..stores.store import Store, read_all
from . import conf
from .proof.prove import Proof, prove, scan_names
from .sources import collected_sources

if TYPE_CHECKING:
    from .storage import StaticStorage

_UNTOUCHED = RewriteConfig(skip=("*",), bundled=False)


def collect(
    storage: StaticStorage,
    found: Found,
    *,
    post_process: bool = True,
    clear: bool = False,
    link: bool = False,
    dry_run: bool = False,
    listener: Listener = ignore,
) -> tuple[Build, Published]:
    """Make a release of ``found`` in the storage's place, and let the storage use it.

    Without ``post_process`` the files are only copied. In a ``dry_run`` nothing is written.
    Before anything is published, the names of static files in templates and Python are proven, unless OPTIONS["proof"]
    has it otherwise. Raises `ShipfilesError`; what was published before then stays as it was.
    """
    if link:
        _refuse_links_to_copies(found)
    config = storage.config
    store: Store = Rehearsal(storage.store) if dry_run else storage.store
    current = _current(store) if post_process else None
    # What was found out stays found out, also after a failure or Ctrl-C.
    with Cache(conf.cache_folder(config), config.cache.max_size, listener) as cache:
        rewrite = config.rewrite if post_process else _UNTOUCHED
        built = _built(found, replace(config, rewrite=rewrite), current, cache, listener, proves=post_process)
        if not post_process:
            published = publish_plain(
                built, store, manifest_name=storage.manifest_name, clear=clear, link=link, workers=config.workers,
                listener=listener,
            )  # fmt: skip
            return built, published
        published = publish(
            built, store, config.compress, manifest_name=storage.manifest_name, clear=clear, link=link, current=current,
            cache=cache, workers=config.workers, listener=listener,
        )  # fmt: skip
    if not dry_run:
        storage.adopt(published.manifest)
    return built, published


def _built(
    found: Found,
    config: StaticConfig,
    current: tuple[str, Manifest] | None,
    cache: Cache,
    listener: Listener,
    *,
    proves: bool,
) -> Build:
    """The build of ``found``, with what the proof of names has to say if there shall be one."""
    proves = proves and config.proof.on_collect
    try:
        built = build(
            found.sources,
            config.rewrite,
            steady=current[1].steady() if current else None,
            static_url=conf.base_url(config) or "",
            media_types=config.serve.media_types,
            cache=cache,
            workers=config.workers,
            listener=listener,
        )
    except BrokenReferences as error:
        if not proves:
            raise
        # All that a person has to correct, in one run.
        proof = _prove(found, config.proof, listener)
        raise BrokenReferences(
            (*error.problems, *proof.errors), (*error.warnings, *proof.warnings), (*error.notes, *proof.notes)
        ) from None
    if not proves:
        return built
    proof = _prove(found, config.proof, listener)
    warnings, notes = (*built.warnings, *proof.warnings), (*built.notes, *proof.notes)
    if proof.errors:
        raise BrokenReferences(proof.errors, warnings, notes)
    return replace(built, warnings=warnings, notes=notes)


def _prove(found: Found, config: ProofConfig, listener: Listener) -> Proof:
    with phase(listener, "prove") as progress:
        # The modules of installed packages are left to "ship check": to read them takes longer than all the rest.
        scan = scan_names(config, packages=False)
        progress(scan.templates + scan.modules, 0)
        proof = prove(scan, {source.logical for source in found.sources}, config)
        return replace(proof, notes=(*proof.notes, *proof.unread))


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


def collect_found(storage: StaticStorage, paths: Mapping[str, tuple[Storage, str]]) -> tuple[Build, Published]:
    """Make a release of what Django's own command has found: logical path → (storage, path in it)."""
    with collected_sources(paths) as found:
        return collect(storage, found)


def post_processed(built: Build, published: Published) -> list[Asset]:
    """The assets that Django's command would count as post-processed: new ones, and always what can be rewritten."""
    written = {change.key for change in published.changed if change.action != "delete"}
    return [
        asset
        for asset in built.assets
        if not asset.kept and (asset.name in written or rewriter_for(asset.logical, asset.media_type))
    ]
