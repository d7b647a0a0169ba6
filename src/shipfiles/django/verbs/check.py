"""``ship check``: every static file that templates and Python name is there."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...build.cache import Cache
from ...config import ProofConfig
from ...errors import ShipfilesError
from .. import conf
from ..progress import count
from ..proof.prove import Proof, prove, scan_names
from ..report import problem_facts
from ..sources import find_sources
from ..static_storage import StaticStorage

HELP = "Prove that every static file that templates, forms and Python name exists."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument("--json", action="store_true", help="Print one JSON object instead of text.")
    parser.add_argument(
        "--release",
        action="store_true",
        help="Ask the current release, rather than what collectstatic would collect now.",
    )
    parser.add_argument("--strict", action="store_true", help="Warnings, too, end with status 1.")


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Show what is missing. Raises ``CommandError``, which ends with status 1, if that is an error."""
    try:
        config = _storage().config.proof if _is_ours() else ProofConfig()
        known = _known(from_release=options["release"])
    except (CommandError, ShipfilesError) as error:
        if options["json"]:
            command.stdout.write(json.dumps({"error": str(error), "problems": []}, indent=2))
        raise
    with _cache() as cache:
        proof = prove(scan_names(config, cache=cache), known, config)
    summary = _summary(proof, shown=options["json"] or options["verbosity"] >= 2)
    failed = bool(proof.errors) or (options["strict"] and bool(proof.warnings))
    if options["json"]:
        command.stdout.write(json.dumps(_facts(proof), indent=2))
    else:
        _show(command, proof, options["verbosity"])
    if failed:
        raise CommandError(summary)
    return None if options["json"] or not options["verbosity"] else summary


def _cache() -> Cache:
    """The build cache, which knows the modules that were read before."""
    if not _is_ours():
        return Cache()
    config = _storage().config
    return Cache(conf.cache_folder(config), config.cache.max_size)


def _is_ours() -> bool:
    # A lazy object, whose class is that of what it stands for.
    return isinstance(staticfiles_storage, StaticStorage)


def _storage() -> Any:
    return staticfiles_storage


def _known(*, from_release: bool) -> Collection[str]:
    """The logical paths that exist."""
    if not apps.is_installed("django.contrib.staticfiles"):
        raise CommandError("'django.contrib.staticfiles' is not in INSTALLED_APPS, so there are no static files.")
    if not from_release:
        with find_sources(getattr(apps.get_app_config("staticfiles"), "ignore_patterns", [])) as found:
            return {source.logical for source in found.sources}
    if not _is_ours():
        raise CommandError("--release needs STORAGES['staticfiles'] to be shipfiles.django.storage.StaticStorage.")
    names: dict[str, str] = _storage().hashed_files
    if not names:
        raise CommandError(f"There is no release in {_storage().where}; run collectstatic.")
    return names


def _show(command: BaseCommand, proof: Proof, verbosity: int) -> None:
    if verbosity < 1:
        return
    if verbosity >= 2:
        for use in proof.unprovable:
            command.stdout.write(f"unprovable: {use}")
        for line in [*proof.notes, *proof.unread]:
            command.stdout.write(f"note: {line}")
    for warning in proof.warnings:
        command.stderr.write(command.style.WARNING(f"warning: {warning}"), lambda line: line)
    for error in proof.errors:
        command.stderr.write(f"error: {error}")


def _summary(proof: Proof, *, shown: bool) -> str:
    """The outcome in one line. ``shown``: whether what was not read has been listed."""
    total = proof.proven + len(proof.errors) + len(proof.warnings) + len(proof.notes)
    read = f"{count(proof.templates, 'template')} and {count(proof.modules, 'module')}"
    parts = [f"{len(proof.errors):,} missing" if proof.errors else "none missing"]
    if proof.warnings:
        parts.append(count(len(proof.warnings), "warning"))
    if proof.unprovable:
        parts.append(f"{len(proof.unprovable):,} more known only when the program runs")
    if proof.unread:
        which = "" if shown else " (--verbosity 2 shows which)"
        parts.append(f"{count(len(proof.unread), 'file')} not read{which}")
    return f"{count(total, 'name')} in {read}: {', '.join(parts)}."


def _facts(proof: Proof) -> dict[str, Any]:
    return {
        "problems": [
            *(problem_facts("error", problem) for problem in proof.errors),
            *(problem_facts("warning", problem) for problem in proof.warnings),
            *(problem_facts("note", problem) for problem in proof.notes),
        ],
        "unprovable": [
            {"path": use.path, "line": use.line, "column": use.column, "text": use.text, "how": use.how}
            for use in proof.unprovable
        ],
        "unread": [{"path": problem.path, "line": problem.line, "why": problem.what} for problem in proof.unread],
        "proven": proof.proven,
        "templates": proof.templates,
        "modules": proof.modules,
    }
