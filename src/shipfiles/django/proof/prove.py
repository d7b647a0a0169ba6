"""Whether every static file that is named is there."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from fnmatch import fnmatchcase

from django.conf import settings
from django.template import engines
from django.template.backends.django import DjangoTemplates
from django.utils.module_loading import import_string

from ...build.cache import NO_CACHE, Cache
from ...config import ProofConfig, Severity
from ...errors import Names
from ...model import Problem
from ...paths import path_and_rest
from . import templates
from .modules import scan_modules
from .names import NameUse, Scan


@dataclass(frozen=True, slots=True)
class Proof:
    """What is to be said of the names."""

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    unprovable: tuple[NameUse, ...]
    """Names that only running the program could tell."""
    notes: tuple[Problem, ...]
    unread: tuple[Problem, ...]
    """What could not be read, and why."""
    proven: int
    templates: int
    modules: int


def scan_names(config: ProofConfig, *, packages: bool = True, cache: Cache = NO_CACHE) -> Scan:
    """All places that name static files: in the templates of every engine, and in Python.

    Without ``packages`` the Python of installed packages is left alone.
    """
    scan = Scan()
    tags = ("static", *config.aliases)
    # First those of Django: what they have read Jinja2 need not understand, where both share a folder.
    for alias, params in sorted(engines.templates.items(), key=lambda item: "jinja" in str(item[1]["BACKEND"]).lower()):
        try:
            _scan_engine(alias, params, tags, scan)
        # Making an engine runs the project's code, or what a package put in its place: anything may come of it.
        except Exception as error:  # noqa: BLE001
            why = f"the templates of this engine were not read: {type(error).__name__}: {error}"
            scan.leave_out(f"TEMPLATES, '{alias}'", why)
    scan_modules(scan, config.aliases, packages=packages, cache=cache)
    scan.uses = list(dict.fromkeys(scan.uses))  # two engines may read one folder
    return scan


def _scan_engine(alias: str, params: dict[str, object], tags: Collection[str], scan: Scan) -> None:
    kind = import_string(str(params["BACKEND"]))
    if issubclass(kind, DjangoTemplates):
        templates.scan_engine(params, tags, scan)
    elif kind.app_dirname == "jinja2":
        from django.template.backends.jinja2 import Jinja2

        if issubclass(kind, Jinja2):
            from . import jinja

            engine = engines[alias]
            assert isinstance(engine, Jinja2)
            jinja.scan_engine(engine.env, tags, scan)


def prove(scan: Scan, known: Collection[str], config: ProofConfig) -> Proof:
    """Hold what was found against the ``known`` logical paths."""
    names = Names(known)
    nearest: dict[str, tuple[str, ...]] = {}
    called: dict[str, set[str]] = {}
    errors: list[Problem] = []
    warnings: list[Problem] = []
    notes: list[Problem] = []
    listed = {"error": errors, "warning": warnings, "note": notes}
    unprovable: list[NameUse] = []
    proven = 0
    for use in scan.uses:
        if use.name is None:
            unprovable.append(use)
            continue
        path = missing(use.name, known)
        if path is None or (use.how == "Media" and _beside(use.path, path, known)):
            proven += 1
            continue
        if use.how == "Media" and "*" in path:
            unprovable.append(use)  # a pattern to libraries that know more than Django's Media
            continue
        if use.path not in called:
            called[use.path] = {use.path, *scan.names.get(use.path, ()), *_below_home(use.path)}
        severity, option = _severity(use, path, called[use.path], config)
        if option and not use.sure and severity != "ignore":
            severity = "note"
        if severity == "ignore":
            continue
        if path not in nearest:
            nearest[path] = tuple(names.nearest(path, alike=severity == "error"))
        what = f"no static file '{path}'" if path else "an empty name is no file; a folder's ends with a slash"
        problem = Problem(use.path, use.line, use.column, use.text, what, nearest[path], option=option)
        listed[severity].append(problem)
    return Proof(
        _sorted(errors), _sorted(warnings), tuple(unprovable), _sorted(notes), tuple(scan.unread), proven,
        scan.templates, scan.modules,
    )  # fmt: skip


def _severity(use: NameUse, logical: str, names: Collection[str], config: ProofConfig) -> tuple[Severity, str]:
    """What a missing name means, and the option that says so: none if it is a rule."""
    for rule in config.missing:
        if any(fnmatchcase(name, rule.files) for name in names) and fnmatchcase(logical, rule.references):
            return rule.severity, ""
    return (config.own_missing, "own_missing") if use.own else (config.package_missing, "package_missing")


def _below_home(path: str) -> set[str]:
    """``path`` from BASE_DIR on, with slashes, if it is below that."""
    given = getattr(settings, "BASE_DIR", None)
    if not given or not os.path.isabs(path):
        return set()
    home = os.path.abspath(given)
    # Modules are known by their real paths, templates by those that the settings give.
    return {
        path[len(start) + 1 :].replace(os.sep, "/")
        for start in (home, os.path.realpath(home))
        if path.startswith(start + os.sep)
    }


def missing(name: str, known: Collection[str]) -> str | None:
    """The logical path that ``name`` asks for and that is not among the ``known``; ``None`` if all is well.

    As `StaticStorage.url` takes it: with a query and a fragment, and a folder as it is.
    """
    path, _ = path_and_rest(name, known.__contains__)
    return None if path in known or path.endswith("/") else path


def _beside(module: str, name: str, known: Collection[str]) -> bool:
    """Whether ``name`` is a file beside ``module`` that is collected under its longer path.

    So the Media of components mean it (django-components), whose folders the finders list.
    """
    file = os.path.normpath(os.path.join(os.path.dirname(module), name))
    if not os.path.isfile(file):
        return False
    parts = file.split(os.sep)
    return any("/".join(parts[start:]) in known for start in range(1, len(parts)))


def _sorted(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.path, problem.line, problem.column)))
