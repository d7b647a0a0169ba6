"""Which source files a bundler has named after their bytes already: by its manifest, their own names, the options.

Such a file is *kept*: it is published under its logical path alone, and its bytes stay as they are.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from ..bundler_names import is_bundled, is_scrambled, may_be_bundled
from ..config import RewriteConfig
from ..digest import digest_bytes
from ..errors import SourceError, os_reason
from ..model import SourceFile
from ..regular import open_regular, read_at_most
from .bundler_manifest import hashed, named_in, place_of
from .find import ignore_matcher

_MANIFESTS = ("manifest.json", "vite-manifest.json", "asset-manifest.json", "webpack-stats.json", "meta.json")
# Django's default patterns leave out folders that begin with a dot, so this one is never among the sources.
_HIDDEN = os.path.join(".vite", "manifest.json")
_LARGEST = 32 * 1024 * 1024


class Bundled(NamedTuple):
    """The logical paths of what a bundler has named."""

    told: frozenset[str]
    """A manifest or an option says so."""
    guessed: frozenset[str]
    """The names alone say so."""


def bundled(sources: Sequence[SourceFile], config: RewriteConfig) -> Bundled:
    """Those of the ``sources`` that a bundler has named, as ``config`` has it.

    Reads the bundlers' manifests among the sources and in the folders that hold them. Raises `SourceError` for one
    that is there and cannot be read.
    """
    told: set[str] = set()
    guessed: set[str] = set()
    logicals = {source.logical for source in sources}
    if config.bundled:
        guessed = set(filter(is_bundled, logicals))
        for path, folders in sorted(_manifests(sources).items()):
            named = hashed(named_in(_read(path)))
            told.update(at for folder in folders for name in named if (at := place_of(name, folder, logicals)))
    if config.bundled_names:
        told.update(filter(ignore_matcher(config.bundled_names), logicals))
    unlisted = set(filter(ignore_matcher(config.unbundled_names), told | guessed))
    return Bundled(frozenset(told - unlisted), frozenset(guessed - told - unlisted))


def concerns_bundlers(logical: str) -> bool:
    """Whether a change of the file at ``logical`` may change which files count as named by a bundler."""
    return is_bundled(logical) or logical.endswith(("manifest.json", *_MANIFESTS))


def consistent(found: Bundled, imports: Mapping[str, Collection[str]], config: RewriteConfig) -> set[str]:
    """What of ``found`` is kept, and what is kept with it, where each module imports the modules in ``imports``.

    A bundler writes the hashed names of modules into modules that it names. If one of two that import the same module
    were rewritten and the other were not, a page would run the module twice, under two URLs. So what a told module
    imports is kept too, as far as its name is a hash's; a guessed one is kept only if all is that it imports.
    """
    unlisted = ignore_matcher(config.unbundled_names)
    kept = set(found.told)
    pending = list(kept) if config.bundled else []
    while pending:
        for target in imports.get(pending.pop(), ()):
            if target not in kept and (is_bundled(target) or is_scrambled(target)) and not unlisted(target):
                kept.add(target)
                pending.append(target)
    guessed = found.guessed - kept
    importers = defaultdict(list)
    for logical in guessed:
        for target in imports.get(logical, ()):
            importers[target].append(logical)
    kept |= guessed
    pending = [target for target in importers if target not in kept]
    while pending:
        for logical in importers.get(pending.pop(), ()):
            if logical in kept:
                kept.discard(logical)
                pending.append(logical)
    return kept


def _manifests(sources: Sequence[SourceFile]) -> dict[str, set[str]]:
    """The paths of what may be bundlers' manifests, among the sources and on the disk beside them.

    With each the folders, as parts of logical paths (``dist/``), that may be the bundler's output.
    """
    # Vite's may be called anything; most call it something that ends so.
    found: dict[str, set[str]] = defaultdict(set)
    for source in sources:
        if source.logical.endswith(("manifest.json", *_MANIFESTS)):
            folder = source.logical.rpartition("/")[0]
            if _file_name(folder) == ".vite":
                folder = folder.rpartition("/")[0]
            found[source.path].add(f"{folder}/" if folder else "")
    for path, output in _beside(sources):
        if os.path.isfile(path):
            found[path].add(output)
    return found


def places_beside(sources: Sequence[SourceFile]) -> set[str]:
    """The paths, none of them a source's, at which a file would be taken for a bundler's manifest."""
    return {path for path, _ in _beside(sources)}


def _beside(sources: Sequence[SourceFile]) -> Iterator[tuple[str, str]]:
    """Those paths, and with each a folder that may be the bundler's output, as part of a logical path."""
    own = {source.path for source in sources}
    beside = {place for source in sources if may_be_bundled(source.logical) for place in _folders(source)}
    for folder, output, above in beside:
        # Vite's hidden one lies in its output; of one among the sources the place is known.
        for name in _MANIFESTS if above else (*_MANIFESTS, _HIDDEN):
            path = os.path.join(folder, name)
            if path not in own:
                yield path, output


def _folders(source: SourceFile) -> Iterator[tuple[str, str, bool]]:
    """The folders on the disk that hold ``source``, what of a logical path leads to each, and whether it is above.

    Up to the one that a finder has listed, and the one above that, from which the listed one is the bundler's output.
    """
    if source.origin:
        return
    folder, above = os.path.dirname(source.path), source.logical.rpartition("/")[0]
    while True:
        yield folder, f"{above}/" if above else "", False
        # A finder's prefix is nearly always one name; it may be that of the folder, so that this may be the listed one.
        if "/" not in above or os.path.basename(folder) != _file_name(above):
            yield os.path.dirname(folder), f"{above}/" if above else "", True
        if not above or os.path.basename(folder) != _file_name(above):
            return
        folder, above = os.path.dirname(folder), above.rpartition("/")[0]


def content_beside(path: str) -> str | None:
    """Stands for the bytes of what may be a bundler's manifest at ``path``; ``None`` if there is no file."""
    if not os.path.exists(path):
        return None
    try:
        return digest_bytes(_beginning(path))
    except OSError as error:
        return os_reason(error)


def _beginning(path: str) -> bytes:
    """The bytes at ``path``, as many as matter. Raises ``OSError``."""
    with open_regular(path) as file:
        return read_at_most(file, _LARGEST + 1)


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def _read(path: str) -> object:
    """The JSON in the file at ``path``; nothing if it is none, or too large for a manifest."""
    try:
        body = _beginning(path)
    except OSError as error:
        raise SourceError(path, f"cannot be read: {os_reason(error)}") from error
    if len(body) > _LARGEST:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        # Any file may be called so; what a bundler has left half-written names nothing that we could trust.
        return None
