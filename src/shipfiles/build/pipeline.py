"""From source files to assets: read, find references, order, rewrite, name. Touches no store."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import NamedTuple

from ..config import RewriteConfig
from ..digest import Digest, digest_bytes, hashed_name
from ..errors import BrokenReferences
from ..events import Listener, ignore, phase
from ..model import Problem, SourceFile
from ..work import in_parallel
from .bundled import bundled, consistent
from .cache import NO_CACHE, Cache
from .find import Stat
from .lanes import Lanes, useful_lanes
from .links import Link, imports_scripts, resolve
from .plan import groups
from .rewrite.reference import renamed
from .rewrite.splice import Edit, positions, splice
from .scan import LARGE, Scanned, Scanner, read_again


@dataclass(frozen=True, slots=True)
class Asset:
    """One finished file: what is published under its hashed name. Rewritten bytes are made when asked for, not held."""

    source: SourceFile
    name: str
    size: int
    digest: Digest
    media_type: str
    source_size: int
    source_digest: Digest
    edits: tuple[Edit, ...] = ()
    references: tuple[str, ...] = ()
    unsteady: bool = False
    """As in `Entry`."""

    @property
    def kept(self) -> bool:
        """Whether a bundler has named it: it is published under its logical path alone, with the source's bytes."""
        return self.name == self.logical

    @property
    def logical(self) -> str:
        """The logical path."""
        return self.source.logical

    def body(self) -> bytes | str:
        """The bytes where they differ from the source's; else the source's path, to be streamed."""
        return (
            splice(read_again(self.source, self.source_size, self.source_digest), self.edits)
            if self.edits
            else self.source.path
        )


class Settled(NamedTuple):
    """What a file has become that is not built again."""

    name: str
    digest: Digest
    source_digest: Digest


class NotApart(Exception):
    """What the files that were to be built become depends on more than is known of the others."""


@dataclass(frozen=True, slots=True)
class Build:
    """All assets of a release-to-be, sorted by logical path, and what should be said of them."""

    assets: tuple[Asset, ...]
    warnings: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    importing: frozenset[str] = frozenset()
    """Logical paths of the files that load others by ``importScripts()``: what becomes of such a file depends on which
    files load it, at however many removes."""


def build(
    sources: Sequence[SourceFile],
    config: RewriteConfig,
    *,
    stats: Mapping[str, Stat] | None = None,
    static_url: str = "/static/",
    lookalikes: Sequence[str] = (),
    site_url: str = "",
    settled: Mapping[str, Settled] | None = None,
    steady: Mapping[str, Digest | None] | None = None,
    media_types: Mapping[str, str] | None = None,
    cache: Cache = NO_CACHE,
    workers: int = 0,
    listener: Listener = ignore,
) -> Build:
    """The assets that ``sources`` become.

    ``stats`` say how large the sources are, by logical path, as far as that is known; it is used to share out the work.
    ``static_url`` is STATIC_URL: an absolute URL below it names a file among the sources; see `resolve` for
    its ``lookalikes`` and ``site_url``. ``steady`` is what
    `Manifest.steady` says of the current release. ``settled`` are further files, by logical path, that need no look:
    what they become is known, and they refer to none of ``sources``.
    Raises `BrokenReferences` with all broken references that count as errors, `SourceError` for a file that
    cannot be read, `NotApart` if there are ``settled`` files and one of the ``sources`` loads scripts of a worker.
    Nothing is written.
    """
    size = sum(stats[source.logical].size for source in sources) if stats else 0
    with phase(listener, "read", len(sources), size) as progress, Lanes(useful_lanes(workers)) as lanes:
        scanned: dict[str, Scanned] = {}
        scanner = Scanner(config, media_types, cache, lanes)
        with closing(in_parallel(scanner.read, sources, workers, heavy=_is_large(stats) if stats else None)) as reads:
            for source, result in reads:
                scanned[source.logical] = result
                progress(1, result.size)
    importing = frozenset(logical for logical, file in scanned.items() if imports_scripts(file.scan))
    if settled and importing:
        raise NotApart
    settled = settled or {}
    links, problems = resolve(scanned, settled.keys(), static_url, config, lookalikes, site_url)
    if problems.errors:
        raise BrokenReferences(problems.errors, problems.warnings, problems.notes)
    wanted, steady = _bundled(sources, links, config), steady or {}
    unsteady = {
        logical for logical in wanted if steady.get(logical, scanned[logical].digest) != scanned[logical].digest
    }
    kept = wanted - unsteady
    problems.warnings += [_changed(scanned[logical].source) for logical in unsteady if steady[logical] is not None]
    rewritable = [scanned[logical].size for logical in links if logical not in kept]
    with phase(listener, "rewrite", len(rewritable), sum(rewritable)) as progress:
        assets, broken = _finish(scanned, links, settled, kept, progress)
    for logical in unsteady:
        assets[logical] = replace(assets[logical], unsteady=True)
    return Build(
        tuple(assets[logical] for logical in sorted(assets)),
        tuple(sorted([*problems.warnings, *broken], key=lambda problem: problem.position)),
        tuple(sorted(problems.notes, key=lambda problem: problem.position)),
        importing,
    )


def _is_large(stats: Mapping[str, Stat]) -> Callable[[SourceFile], bool]:
    return lambda source: stats[source.logical].size >= LARGE


def _bundled(sources: Sequence[SourceFile], links: Mapping[str, list[Link]], config: RewriteConfig) -> set[str]:
    """The logical paths that a bundler seems to have named."""
    found = bundled(sources, config)
    if not any(found):
        return set()
    imports = {
        logical: [link.target for link in own if link.reference.kind in ("module", "dynamic-import")]
        for logical, own in links.items()
    }
    return consistent(found, imports, config)


def _changed(source: SourceFile) -> Problem:
    what = (
        "its bytes changed but its name, which looks like one that a bundler makes from the bytes, did not; it gets a "
        "hashed name from now on. Browsers that have it keep the old bytes. Let the bundler put a hash of the "
        'contents into the name, or list the file in OPTIONS["rewrite"]["unbundled_names"]'
    )
    return Problem(source.place, 0, 0, "", what, (), source.logical)


def _finish(
    scanned: Mapping[str, Scanned],
    links: Mapping[str, list[Link]],
    settled: Mapping[str, Settled],
    kept: Collection[str],
    progress: Callable[[int, int], None],
) -> tuple[dict[str, Asset], list[Problem]]:
    """The assets by logical path, and what is wrong in them now that was not in their sources."""
    assets: dict[str, Asset] = {}
    broken: list[Problem] = []
    names = {logical: known.name for logical, known in settled.items()}
    names.update((logical, logical) for logical in kept)
    for logical in kept:
        file = scanned[logical]
        references = tuple(sorted({link.target for link in links.get(logical, ())}))
        assets[logical] = Asset(
            file.source, logical, file.size, file.digest, file.media_type, file.size, file.digest,
            references=references,
        )  # fmt: skip
    # What a bundler has named is not edited, so that nothing comes before it.
    links = {logical: found for logical, found in links.items() if logical not in kept}
    for logical, file in scanned.items():
        if logical not in links and logical not in kept:
            names[logical] = name = hashed_name(logical, file.digest)
            assets[logical] = Asset(file.source, name, file.size, file.digest, file.media_type, file.size, file.digest)
    edges = {logical: {link.target for link in found} for logical, found in links.items()}
    for group in groups(edges):
        if group[0] not in links:
            continue
        # The digests of the files before this group that are not what they were.
        changed = {
            link.target: known.digest
            for logical in group
            for link in links[logical]
            if (known := assets.get(link.target) or settled.get(link.target)) and known.digest != known.source_digest
        }
        if len(group) > 1 or group[0] in edges[group[0]]:
            shared = _cycle_digest(group, scanned, links, names, changed)
            names.update((logical, hashed_name(logical, shared)) for logical in group)
        members = frozenset(group)
        for logical in group:
            file = scanned[logical]
            edits = _edits(file, links[logical], names, changed)
            # One at a time, however many files refer to each other.
            source = read_again(file.source, file.size, file.digest)
            broken += _unguarded(file, source, links[logical], members)
            body = splice(source, edits)
            digest = digest_bytes(body)
            names.setdefault(logical, hashed_name(logical, digest))
            assets[logical] = Asset(
                file.source, names[logical], len(body), digest, file.media_type, file.size, file.digest,
                edits, tuple(sorted(edges[logical])),
            )  # fmt: skip
            progress(1, file.size)
    return assets, broken


def _cycle_digest(
    group: Sequence[str],
    scanned: Mapping[str, Scanned],
    links: Mapping[str, Sequence[Link]],
    names: Mapping[str, str],
    changed: Mapping[str, Digest],
) -> Digest:
    """What the names of files that refer to each other are made from.

    They cannot be digests of the final bytes, which hold those names. All members share the digest of everything that
    those bytes are made from but the names: each source, the places in it that are edited, and what is put there; in
    place of a name that is not known yet, the member it leads to.
    """
    parts = []
    for logical in group:
        parts.append(f"{logical}\0{scanned[logical].digest}\0{len(links[logical])}\0")
        for link in links[logical]:
            put = _put(link, names.get(link.target, link.target), changed)
            parts.append(f"{link.reference.start}\0{link.reference.end}\0{link.target}\0{put}\0")
    return digest_bytes("".join(parts).encode())


def _edits(
    file: Scanned, links: Sequence[Link], names: Mapping[str, str], changed: Mapping[str, Digest]
) -> tuple[Edit, ...]:
    """The edits for those links whose target has its name already."""
    codec = file.scan.codec or "utf-8"
    return tuple(
        Edit(link.reference.start, link.reference.end, put.encode(codec))
        for link in links
        # A name that is kept stands there already, however it is written; unless all that is before it is another.
        if link.target in names
        and (names[link.target] != link.target or link.url)
        and (put := _put(link, names[link.target], changed))
    )


def _put(link: Link, name: str, changed: Mapping[str, Digest]) -> str:
    """What is written in place of the reference when its target is called ``name``; nothing if the text stays."""
    if link.reference.kind == "integrity":
        return changed.get(link.target, "")
    text = renamed(link.url or link.reference.url, name)
    return text.replace("&", "&amp;") if link.reference.in_markup else text


def _unguarded(file: Scanned, body: bytes, links: Sequence[Link], group: Collection[str]) -> list[Problem]:
    """The digests in ``file`` of files of its own cycle: those change, and hold the name of this one."""
    places = [link for link in links if link.reference.kind == "integrity" and link.target in group]
    found = positions(body, [link.reference.start for link in places], file.scan.codec)
    return [
        Problem(
            file.source.place, line, column, body[link.reference.start : link.reference.end].decode("ascii", "replace"),
            f"browsers will refuse '{link.target}': it refers back to this file, so its digest cannot be written here",
            (), file.source.logical,
        )
        for link, (line, column) in zip(places, found, strict=True)
    ]  # fmt: skip
