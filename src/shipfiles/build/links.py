"""Where the references of all files lead, and what is said of those that lead nowhere."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from urllib.parse import urlsplit

from ..config import RewriteConfig, Severity
from ..errors import Names
from ..model import Problem, Reference, Scan, SourceFile
from .rewrite.reference import Target, Unresolvable, is_relative, target_of
from .rewrite.splice import positions
from .scan import Scanned, read_again

# What bundlers and Node's require() try.
_ADDED = (".js", ".mjs", ".cjs", "/index.js", "/index.mjs")


@dataclass(frozen=True, slots=True)
class Link:
    """A reference whose target is known."""

    reference: Reference
    target: str
    """The target's logical path."""
    url: str = ""
    """What stands for the reference as it is written, if that cannot stay but for the target's name."""


@dataclass(slots=True)
class Problems:
    """What is wrong, by how much it matters."""

    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notes: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """What a reference that begins with ``prefix`` names: nothing of ours."""

    prefix: str


def resolve(
    scanned: Mapping[str, Scanned],
    others: Collection[str],
    static_url: str,
    config: RewriteConfig,
    lookalikes: Sequence[str] = (),
    site_url: str = "",
) -> tuple[dict[str, list[Link]], Problems]:
    """The references in ``scanned`` that lead to one of them or of ``others``, by file; and those that lead nowhere.

    ``lookalikes`` are paths that people may take for that of ``static_url``: in own files references that begin with
    one of them are noted. ``site_url`` is STATIC_URL, where all files are at ``static_url`` instead: a path below it
    that leads to one of them is meant for that. If ``static_url`` is all of a host then, an absolute path that is none
    of theirs is somebody else's.
    """
    links: dict[str, list[Link]] = {}
    problems = Problems()
    hints = _Hints({*scanned, *others} if others else scanned)
    imported, from_elsewhere = _imported_scripts(scanned, static_url)

    def is_known(target: object) -> bool:
        return isinstance(target, Target) and (target.logical in scanned or target.logical in others)

    for logical in sorted(scanned):
        file = scanned[logical]
        if fault := file.scan.fault:
            problem = Problem(file.source.place, fault.line, fault.column, "", fault.what, (), logical)
            (problems.warnings if fault.severe else problems.notes).append(problem)
        broken: list[tuple[Reference, Target | Unresolvable | _Elsewhere]] = []
        for reference in file.scan.references:
            target, url = _meant(reference, logical, static_url, site_url, is_known)
            if target is None:
                if lookalikes and file.source.own and not reference.base and reference.kind != "integrity":
                    prefix = next((prefix for prefix in lookalikes if reference.url.startswith(prefix)), "")
                    broken += [(reference, _Elsewhere(prefix))] * bool(prefix)
                continue
            # Browsers resolve it against the worker's URL, not the script's (HTML Standard, "import scripts into worker
            # global scope"), and which worker that is the script does not tell.
            unsure = reference.kind == "script" and logical in imported and is_relative(reference.url)
            if isinstance(target, Target) and is_known(target):
                if not (unsure and logical in from_elsewhere):
                    links.setdefault(logical, []).append(Link(reference, target.logical, url))
            # A digest stands beside a reference to the same file, of which enough is said.
            elif reference.kind != "integrity":
                broken.append((replace(reference, required=False) if unsure else reference, target))
        if broken:
            _report(file, broken, static_url, config, hints, problems)
    return links, problems


def _meant(
    reference: Reference, logical: str, static_url: str, site_url: str, is_known: Callable[[object], bool]
) -> tuple[Target | Unresolvable | None, str]:
    """What ``reference`` in the file ``logical`` names; and what stands for it as it is written, if that cannot stay.

    See `resolve`.
    """
    target = target_of(reference.url, logical, static_url, reference.base)
    if not site_url or not reference.url.startswith("/") or reference.base or is_known(target):
        return target, ""
    if reference.url.startswith(site_url):
        url = static_url + reference.url[len(site_url) :]
        if is_known(elsewhere := target_of(url, logical, static_url)):
            return elsewhere, url
    # Beside static files there may be others at a host.
    return None if urlsplit(static_url).path == "/" else target, ""


def imports_scripts(scan: Scan) -> bool:
    """Whether a file loads others by ``importScripts()``."""
    return any(reference.kind == "script" for reference in scan.references)


def _imported_scripts(scanned: Mapping[str, Scanned], static_url: str) -> tuple[set[str], set[str]]:
    """The files that others load by ``importScripts()``; and those of them that a worker in another folder may load."""
    imports: dict[str, list[str]] = {}
    for logical, file in scanned.items():
        for reference in file.scan.references:
            if reference.kind == "script":
                target = target_of(reference.url, logical, static_url)
                if isinstance(target, Target) and target.logical in scanned and target.logical != logical:
                    imports.setdefault(logical, []).append(target.logical)
    imported = {target for targets in imports.values() for target in targets}
    waiting = [
        target
        for logical, targets in imports.items()
        for target in targets
        if target.rpartition("/")[0] != logical.rpartition("/")[0]
    ]
    from_elsewhere: set[str] = set()
    while waiting:
        logical = waiting.pop()
        if logical not in from_elsewhere:
            from_elsewhere.add(logical)
            waiting += imports.get(logical, ())
    return imported, from_elsewhere


def severity_of(source: SourceFile, reference: Reference, logical: str, config: RewriteConfig) -> tuple[Severity, str]:
    """What it means that ``reference`` in ``source`` leads nowhere, and the option that says so: none if it is a rule.

    ``logical`` is what was looked for, if known.
    """
    for rule in config.missing:
        if fnmatchcase(source.logical, rule.files) and (
            fnmatchcase(reference.url, rule.references) or fnmatchcase(logical, rule.references)
        ):
            return rule.severity, ""
    if not reference.required:
        return config.optional_missing, "optional_missing"
    return (config.own_missing, "own_missing") if source.own else (config.package_missing, "package_missing")


def _report(
    file: Scanned,
    broken: Sequence[tuple[Reference, Target | Unresolvable | _Elsewhere]],
    static_url: str,
    config: RewriteConfig,
    hints: _Hints,
    problems: Problems,
) -> None:
    """Add the ``broken`` references of one file to the ``problems``, each where its severity belongs."""
    body = read_again(file.source, file.size, file.digest)
    places = positions(body, [reference.start for reference, _ in broken], file.scan.codec)
    for (reference, target), (line, column) in zip(broken, places, strict=True):
        text = body[reference.start : reference.end].decode(file.scan.codec or "utf-8", "backslashreplace")
        if isinstance(target, _Elsewhere):
            what = (
                f"left as it is: it begins with '{target.prefix}', and the URLs of static files with '{static_url}'. "
                "Write that if one is meant"
            )
            nearest = ""
        elif isinstance(target, Unresolvable):
            what, nearest = target.what, ""
        else:
            what, nearest = f"no static file '{target.logical}'", target.logical
        severity, option = severity_of(file.source, reference, nearest, config)
        if severity == "ignore":
            continue
        if isinstance(target, _Elsewhere):
            severity, option = "note", ""  # it may well be meant for something else
        names: tuple[str, ...] = ()
        if nearest and reference.kind in ("module", "dynamic-import") and (whole := hints.with_extension(nearest)):
            what, names = f"{what}; browsers add no extension", (whole,)
        elif nearest:
            names = hints.nearest(nearest, severity)
        problem = Problem(file.source.place, line, column, text, what, names, file.source.logical, option)
        {"error": problems.errors, "warning": problems.warnings, "note": problems.notes}[severity].append(problem)


class _Hints:
    """What a missing file may have been meant to be."""

    def __init__(self, known: Collection[str]) -> None:
        self._known = known
        self._names = Names(known)

    def with_extension(self, logical: str) -> str:
        """The module that a bundler would take ``logical`` for; empty if there is none."""
        return next((name for end in _ADDED if (name := logical + end) in self._known), "")

    def nearest(self, logical: str, severity: Severity) -> tuple[str, ...]:
        if severity == "note":
            return ()
        return tuple(self._names.nearest(logical, alike=severity == "error"))
