"""Which source files a bundler has named after their bytes already: by its manifest, their own names, the options.

Such a file is *kept*: it is published under its logical path alone, and its bytes stay as they are.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..bundler_names import has_hex, inserted_part, is_bundled, is_random, last_parts, may_be_bundled, may_be_chunk
from ..config import RewriteConfig
from ..errors import SourceError, os_reason
from ..model import SourceFile
from ..paths import folder_of, split_name
from .find import ignore_matcher

_MANIFESTS = ("manifest.json", "vite-manifest.json", "asset-manifest.json", "webpack-stats.json", "meta.json")
# Django's default patterns leave out folders that begin with a dot, so this one is never among the sources.
_HIDDEN = os.path.join(".vite", "manifest.json")
_CODE = (".js", ".mjs", ".css")
_LARGEST = 32 * 1024 * 1024

Named = tuple[str, tuple[str, ...]]
"""A file that a manifest names, and what it may be called without a hash, as far as the manifest says."""


def bundled(sources: Sequence[SourceFile], config: RewriteConfig) -> set[str]:
    """The logical paths of those ``sources`` that a bundler has named, as ``config`` has it.

    Reads the bundlers' manifests among the sources and in the folders that hold them. Raises `SourceError` for one
    that is there and cannot be read.
    """
    found: set[str] = set()
    if config.bundled:
        found = named_alike([source.logical for source in sources])
        by_name = defaultdict(list)
        for source in sources:
            by_name[_file_name(source.logical)].append(source.logical)
        for path in _manifests(sources):
            for name in hashed(named_in(_read(path))):
                found.update(by_name.get(_file_name(name), ()))
    listed = ignore_matcher(config.bundled_names) if config.bundled_names else None
    unlisted = ignore_matcher(config.unbundled_names)
    if listed:
        found |= {source.logical for source in sources if listed(source.logical)}
    return {logical for logical in found if not unlisted(logical)}


def concerns_bundlers(logical: str) -> bool:
    """Whether a change of the file at ``logical`` may change which files count as named by a bundler."""
    return may_be_chunk(logical) or logical.endswith(("manifest.json", *_MANIFESTS))


def named_alike(paths: Iterable[str]) -> set[str]:
    """Those of the logical ``paths`` whose names, and their neighbours', can only be a bundler's.

    A bundler fills a folder of its own. Where nine of ten scripts and style sheets may have a hash in their names and
    one certainly has, they all have.
    """
    folders = defaultdict(list)
    for path in paths:
        folders[folder_of(path)].append(path)
    found: set[str] = set()
    for members in folders.values():
        certain = set(filter(is_bundled, members))
        code = [path for path in members if path.endswith(_CODE)] if certain else []
        alike = set(filter(may_be_chunk, code))
        if certain & alike and len(alike) >= 0.9 * len(code):
            found |= alike | set(filter(may_be_bundled, members))
        found |= certain
    return found


def named_in(manifest: object) -> Iterator[Named]:
    """The files that a bundler's ``manifest``, parsed, names; none if it has the form of no bundler's.

    The forms: Vite's build.manifest (``{source: {"file", "name", "css", "assets"}}``); webpack-manifest-plugin and its
    kin (``{name: URL}``, create-react-app's below ``"files"``); webpack-assets-manifest with integrity
    (``{name: {"src"}}``); webpack-bundle-tracker (``"assets"`` by file name, beside ``"chunks"``); esbuild's metafile
    (``"outputs"`` by path).
    """
    if not isinstance(manifest, dict):
        return
    outputs, assets, files = manifest.get("outputs"), manifest.get("assets"), manifest.get("files")
    if isinstance(outputs, dict):
        for path, output in outputs.items():
            facts = output if isinstance(output, dict) else {}
            entry, sheet = facts.get("entryPoint"), facts.get("cssBundle")
            plain = (entry,) if isinstance(entry, str) else ()
            yield str(path), plain
            if isinstance(sheet, str):
                yield sheet, plain
    elif isinstance(assets, dict) and "chunks" in manifest:
        yield from ((str(path), ()) for path in assets)
    else:
        yield from _from_entries(files if isinstance(files, dict) else manifest)


def _from_entries(entries: Mapping[Any, Any]) -> Iterator[Named]:
    for key, value in entries.items():
        if isinstance(value, str):
            yield value, (str(key),)
        elif isinstance(value, dict):
            file = value.get("file", value.get("src"))
            if isinstance(file, str):
                yield file, (str(key), str(value.get("name", key)))
            for listed in (value.get("css"), value.get("assets")):
                if isinstance(listed, list):
                    yield from ((path, ()) for path in listed if isinstance(path, str))


def hashed(named: Iterable[Named]) -> set[str]:
    """Those of the ``named`` files whose names hold a hash: a bundler may be told to leave it out.

    One name in thirty of eight random characters looks like a word, of esbuild's one in three. It counts where the same
    manifest puts as many characters into other names, of that extension unless it says what the name is without them,
    and those are plainly random.
    """
    found: set[str] = set()
    doubtful: list[tuple[str, tuple[str, int]]] = []
    forms: set[tuple[str, int]] = set()
    for url, plain in named:
        path = re.split("[?#]", url, maxsplit=1)[0]
        if any(_bare(path) in (_bare(name), _file_name(name)) for name in plain):
            # webpack-manifest-plugin has nothing else to call a chunk without a name.
            if has_hex(path):
                found.add(path)
            continue
        inserted = [part for name in plain if (part := inserted_part(path, name))]
        parts, extension = last_parts(path), split_name(path)[1]
        if part := next(filter(is_random, [*inserted, *parts]), None):
            found.add(path)
            forms |= {(extension, len(part)), ("", len(part))}
        else:
            doubtful += [(path, ("", len(part))) for part in inserted if not part.islower()]
            doubtful += [(path, (extension, len(part))) for part in parts if not part.islower()]
    return found | {path for path, form in doubtful if form in forms}


def fits_a_chunk(logical: str, config: RewriteConfig) -> bool:
    """Whether the module ``logical`` is a bundler's if a bundler's imports it."""
    return may_be_chunk(logical) and not ignore_matcher(config.unbundled_names)(logical)


def closed_over(kept: set[str], imports: Mapping[str, Collection[str]], fits: Callable[[str], bool]) -> set[str]:
    """``kept`` and all that its members import, and these in turn, as far as ``fits`` says yes.

    A bundler writes the hashed names of modules into modules that it names. If one of two that import the same module
    were rewritten and the other were not, a page would run the module twice, under two URLs.
    """
    closed = set(kept)
    pending = list(kept)
    while pending:
        for target in imports.get(pending.pop(), ()):
            if target not in closed and fits(target):
                closed.add(target)
                pending.append(target)
    return closed


def _manifests(sources: Sequence[SourceFile]) -> list[str]:
    """The paths of what may be bundlers' manifests, sorted: among the sources, and on the disk beside them."""
    # Vite's may be called anything; most call it something that ends so.
    found = {source.path for source in sources if source.logical.endswith(("manifest.json", *_MANIFESTS))}
    folders = {folder for source in sources if may_be_bundled(source.logical) for folder in _folders(source)}
    beside = {os.path.join(folder, name) for folder in folders for name in (*_MANIFESTS, _HIDDEN)}
    return sorted(found | {path for path in beside if os.path.isfile(path)})


def _folders(source: SourceFile) -> Iterator[str]:
    """The folders on the disk that hold ``source``, up to the one that a finder has listed, and the one above that."""
    if source.origin:
        return
    folder, above = os.path.dirname(source.path), source.logical.rpartition("/")[0]
    yield folder
    while above and os.path.basename(folder) == _file_name(above):
        folder, above = os.path.dirname(folder), above.rpartition("/")[0]
        yield folder
    yield os.path.dirname(folder)


def _file_name(path: str) -> str:
    return path.rpartition("/")[2]


def _bare(path: str) -> str:
    """The file name of ``path`` without its extension."""
    return split_name(_file_name(path))[0]


def _read(path: str) -> object:
    """The JSON in the file at ``path``; nothing if it is none, or too large for a manifest."""
    try:
        with open(path, "rb") as file:
            body = file.read(_LARGEST + 1)
    except OSError as error:
        raise SourceError(path, f"cannot be read: {os_reason(error)}") from error
    if len(body) > _LARGEST:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        # Any file may be called so; what a bundler has left half-written names nothing that we could trust.
        return None
