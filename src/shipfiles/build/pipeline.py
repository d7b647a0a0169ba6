"""From source files to assets: read, find references, order, rewrite, name. Touches no store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..config import RewriteConfig
from ..digest import Digest, digest_bytes, digest_stream, hashed_name
from ..errors import BrokenReferences, Names, SourceError, os_reason
from ..events import Listener, ignore, phase
from ..media_types import media_type
from ..model import Problem, Reference, SourceFile
from ..work import in_parallel
from .plan import groups
from .rewrite import REWRITERS
from .rewrite.reference import Target, Unresolvable, renamed, target_of
from .rewrite.splice import Edit, positions, splice

_SEARCHED_ERRORS = 5


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

    @property
    def logical(self) -> str:
        """The logical path."""
        return self.source.logical

    def body(self) -> bytes | str:
        """The bytes where they differ from the source's; else the source's path, to be streamed."""
        return splice(_read(self.source), self.edits) if self.edits else self.source.path


@dataclass(frozen=True, slots=True)
class Build:
    """All assets of a release-to-be, sorted by logical path, and what should be said of them."""

    assets: tuple[Asset, ...]
    warnings: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scanned:
    source: SourceFile
    size: int
    digest: Digest
    media_type: str
    references: tuple[Reference, ...]
    too_large: bool = False


@dataclass(frozen=True, slots=True)
class _Link:
    """A reference whose target is known."""

    reference: Reference
    target: str


def build(
    sources: Sequence[SourceFile],
    config: RewriteConfig,
    *,
    static_path: str = "/static/",
    media_types: Mapping[str, str] | None = None,
    workers: int = 0,
    listener: Listener = ignore,
) -> Build:
    """The assets that ``sources`` become.

    ``static_path`` is the path part of STATIC_URL: an absolute URL below it names a file among the sources.
    Raises `BrokenReferences` with all broken references of the project's own files, `SourceError` for a file that
    cannot be read. Nothing is written.
    """
    with phase(listener, "read", len(sources), 0) as progress:
        scanned: dict[str, _Scanned] = {}
        reads = in_parallel(lambda s: _scan(s, config, media_types), sources, workers)
        for source, result in reads:
            scanned[source.logical] = result
            progress(1, result.size)
    links, problems = _resolve(scanned, static_path, config)
    if problems.errors:
        raise BrokenReferences(problems.errors)
    rewritable = sum(scanned[logical].size for logical in links)
    with phase(listener, "rewrite", len(links), rewritable) as progress:
        assets = _finish(scanned, links, progress)
    what = f"larger than rewrite.max_size ({config.max_size} bytes), published as it is"
    too_large = [Problem(s.source.place, 0, 0, "", what, (), s.source.logical) for s in scanned.values() if s.too_large]
    return Build(
        tuple(assets[logical] for logical in sorted(assets)),
        tuple(sorted([*problems.warnings, *too_large], key=_place)),
        tuple(sorted(problems.notes, key=_place)),
    )


def _scan(source: SourceFile, config: RewriteConfig, media_types: Mapping[str, str] | None) -> _Scanned:
    type_ = media_type(source.logical, media_types)
    rewriter = REWRITERS.get(type_)
    wanted = {"text/css": config.css, "text/javascript": config.javascript}.get(type_, True)
    too_large = False
    try:
        with open(source.path, "rb", buffering=0) as file:
            if rewriter is not None and wanted:
                too_large = os.fstat(file.fileno()).st_size > config.max_size
                if not too_large:
                    body = file.readall()
                    references = tuple(rewriter.references(body))
                    return _Scanned(source, len(body), digest_bytes(body), type_, references)
            digest, size = digest_stream(file)
    except OSError as error:
        raise SourceError(source.place, f"cannot be read: {os_reason(error)}") from error
    return _Scanned(source, size, digest, type_, (), too_large)


@dataclass(slots=True)
class _Problems:
    errors: list[Problem]
    warnings: list[Problem]
    notes: list[Problem]


def _resolve(
    scanned: Mapping[str, _Scanned], static_path: str, config: RewriteConfig
) -> tuple[dict[str, list[_Link]], _Problems]:
    """The references that lead to a source, by file; and those that lead nowhere."""
    links: dict[str, list[_Link]] = {}
    problems = _Problems([], [], [])
    hints = _Hints(scanned)
    for logical in sorted(scanned):
        file = scanned[logical]
        broken: list[tuple[Reference, Target | Unresolvable]] = []
        for reference in file.references:
            target = target_of(reference.url, logical, static_path)
            if target is None:
                continue
            if isinstance(target, Unresolvable) or target.logical not in scanned:
                broken.append((reference, target))
            else:
                links.setdefault(logical, []).append(_Link(reference, target.logical))
        if broken:
            _report(file.source, broken, config, hints, problems)
    return links, problems


def _report(
    source: SourceFile,
    broken: Sequence[tuple[Reference, Target | Unresolvable]],
    config: RewriteConfig,
    hints: _Hints,
    problems: _Problems,
) -> None:
    """Add the ``broken`` references of one file to the ``problems``, each where its severity belongs."""
    body = _read(source)
    severity = config.own_missing if source.own else config.package_missing
    places = positions(body, [reference.start for reference, _ in broken])
    for (reference, target), (line, column) in zip(broken, places, strict=True):
        text = body[reference.start : reference.end].decode("utf-8", "backslashreplace")
        if isinstance(target, Unresolvable):
            what, nearest = target.what, None
        else:
            what, nearest = f"no static file '{target.logical}'", target.logical
        listed, hint = problems.notes, None
        if reference.required:
            is_error = severity == "error"
            listed = problems.errors if is_error else problems.warnings
            hint = hints.for_error if is_error else hints.for_warning
        names = hint(nearest) if hint and nearest else ()
        listed.append(Problem(source.place, line, column, text, what, names, source.logical))


class _Hints:
    """What a missing file may have been meant to be. Made ready at the first question: most builds have none."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = known
        self._names: Names | None = None
        self._errors = 0

    def for_error(self, logical: str) -> tuple[str, ...]:
        self._errors += 1
        # A person reads the first few; the search for names that are spelled alike costs seconds for many.
        return self._nearest(logical, alike=self._errors <= _SEARCHED_ERRORS)

    def for_warning(self, logical: str) -> tuple[str, ...]:
        return self._nearest(logical, alike=False)

    def _nearest(self, logical: str, *, alike: bool) -> tuple[str, ...]:
        if self._names is None:
            self._names = Names(self._known)
        return tuple(self._names.nearest(logical, alike=alike))


def _finish(
    scanned: Mapping[str, _Scanned], links: Mapping[str, list[_Link]], progress: Callable[[int, int], None]
) -> dict[str, Asset]:
    assets: dict[str, Asset] = {}
    names: dict[str, str] = {}
    for logical, file in scanned.items():
        if logical not in links:
            names[logical] = name = hashed_name(logical, file.digest)
            assets[logical] = Asset(file.source, name, file.size, file.digest, file.media_type, file.size, file.digest)
    edges = {logical: {link.target for link in found} for logical, found in links.items()}
    for group in groups(edges):
        if group[0] not in links:
            continue
        bodies = {logical: _unchanged(scanned[logical]) for logical in group}
        if len(group) > 1 or group[0] in edges[group[0]]:
            shared = _cycle_digest(group, scanned, links, names)
            names.update((logical, hashed_name(logical, shared)) for logical in group)
        for logical in group:
            file = scanned[logical]
            edits = _edits(links[logical], names)
            body = splice(bodies[logical], edits)
            digest = digest_bytes(body)
            names.setdefault(logical, hashed_name(logical, digest))
            assets[logical] = Asset(
                file.source, names[logical], len(body), digest, file.media_type, file.size, file.digest,
                edits, tuple(sorted(edges[logical])),
            )  # fmt: skip
            progress(1, file.size)
    return assets


def _cycle_digest(
    group: Sequence[str],
    scanned: Mapping[str, _Scanned],
    links: Mapping[str, Sequence[_Link]],
    names: Mapping[str, str],
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
            put = renamed(link.reference.url, names.get(link.target, link.target))
            parts.append(f"{link.reference.start}\0{link.reference.end}\0{link.target}\0{put}\0")
    return digest_bytes("".join(parts).encode())


def _edits(links: Sequence[_Link], names: Mapping[str, str]) -> tuple[Edit, ...]:
    """The edits for those links whose target has its name already."""
    return tuple(
        Edit(link.reference.start, link.reference.end, renamed(link.reference.url, names[link.target]).encode())
        for link in links
        if link.target in names
    )


def _unchanged(file: _Scanned) -> bytes:
    body = _read(file.source)
    if digest_bytes(body) != file.digest:
        raise SourceError(file.source.place, "the file changed while it was collected; run again")
    return body


def _read(source: SourceFile) -> bytes:
    try:
        with open(source.path, "rb", buffering=0) as file:
            return file.readall()
    except OSError as error:
        raise SourceError(source.place, f"cannot be read: {os_reason(error)}") from error


def _place(problem: Problem) -> tuple[str, int, int]:
    return problem.path, problem.line, problem.column
