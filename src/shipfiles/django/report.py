"""What a run tells people when it is over: a table, the problems; and the same as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..build.find import Found
from ..config import Severity
from ..errors import BrokenReferences, ShipfilesError
from ..events import Changed, Phase
from ..model import Problem
from ..records import RELEASES_PREFIX
from .collect import Collected
from .progress import TITLES, Spent, count, duration, human

_SHOWN = 20
"""So many problems are shown one by one; more are counted, and shown at verbosity 2."""
_WORTH = 0.01, 0.05
"""A phase is in the table if it took this part of the time, and these seconds."""


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run, ready to be shown."""

    found: Found
    collected: Collected
    seconds: float
    phases: Mapping[Phase, Spent]
    start_seconds: float | None = None
    """Time of processors that the process had taken when the run began; ``None`` if it did other things before."""

    notices: Sequence[str] = ()
    """What people were told on the way."""

    def rows(self) -> list[tuple[str, str]]:
        """The table: what, and how much."""
        facts = self.facts()
        files, size = facts["files"], facts["bytes"]
        rows = [("Files", f"{files:,}, {human(size)}")]
        for token, part in facts["compressed"].items():
            share = f" ({part['bytes_with'] / size:.0%} of the original)" if size else ""
            having = count(part["files"], "file")
            rows.append((f"As {token}", f"{human(part['bytes_with'])}{share}; {having} compressed"))
        rows.append(("Rewritten", f"{count(facts['rewritten'], 'file')}, {count(facts['references'], 'reference')}"))
        if facts["kept"]:
            rows.append(("Kept", f"{count(facts['kept'], 'name')} that a bundler has made from the contents"))
        rows.append(("Written", f"{count(facts['written'], 'object')}, {human(facts['bytes_written'])}"))
        if facts["deleted"]:
            rows.append(("Deleted", count(facts["deleted"], "object")))
        rows += _cleared(facts["cleared"])
        if self.collected.pruned:
            rows.append(("Pruned", self.collected.pruned.text))
        if facts["shadowed"]:
            losers = count(facts["shadowed"], "file")
            rows.append(("Not collected", f"{losers} whose name another file has (first found wins)"))
        for path, why in self.found.skipped:
            rows.append(("Not collected", f"{path}: {why}"))
        if facts["warnings"]:
            rows.append(("Warnings", count(facts["warnings"], "place to look at", "places to look at")))
        if facts["notes"]:
            rows.append(("Notes", f"{count(facts['notes'], 'note')}; --verbosity 2 shows them"))
        if facts["scans_found"] or facts["variants_found"]:
            kinds = [(what, facts[what + "_found"], facts[what + "_made"]) for what in ("scans", "variants")]
            known = [f"{found:,} of {found + made:,} {what}" for what, found, made in kinds if found + made]
            rows.append(("From the cache", ", ".join(known)))
        rows += self._times()
        return [*rows, *self._releases()]

    def _releases(self) -> Iterator[tuple[str, str]]:
        published = self.collected.published
        if published.release:
            yield "Release", published.release
        if published.before not in ("", published.release):
            yield "Instead of", published.before

    def _times(self) -> Iterator[tuple[str, str]]:
        """What the time went to, as far as it is worth a line."""
        start = self.start_seconds
        before = f", after {duration(start)} of CPU to start Python and Django" if start is not None else ""
        yield "Time", duration(self.seconds) + before
        parts = [(TITLES[name], spent.seconds) for name, spent in self.phases.items()]
        parts.append(("All else", self.seconds - sum(seconds for _, seconds in parts)))
        part, least = _WORTH
        for title, seconds in parts:
            if seconds >= max(least, part * self.seconds):
                yield f"  {title}", f"{duration(seconds)}, {seconds / self.seconds:.0%}"
        encoders = self.collected.published.encoder_seconds
        if encoders >= least:
            yield "  Encoders", f"{duration(encoders)} of CPU, all workers together"

    def problems(self, *, all_of_them: bool) -> list[str]:
        """The problems, one a line: warnings, and at length also notes and shadowed files."""
        return problem_lines(
            [*self.collected.warnings, *self._case_twins()], self.collected.notes, all_of_them=all_of_them
        )

    def _case_twins(self) -> list[Problem]:
        what = "'{}' differs only by case: on some systems they are one file"
        return [Problem(first, 0, 0, "", what.format(second)) for first, second in self.found.case_twins]

    def facts(self) -> dict[str, Any]:
        """The numbers, for ``--json``."""
        collected, published = self.collected, self.collected.published
        files = len(self.found.sources)
        writes = [change for change in published.changed if change.action != "delete"]
        return {
            "release": published.release,
            "before": published.before or None,
            **collected.totals,
            "sources_read": collected.read,
            "sources_not_read": files - collected.read,
            "built": collected.built,
            "taken_over": files - collected.built,
            "scans_found": collected.cache.scans_found,
            "scans_made": collected.cache.scans_made,
            "variants_found": collected.cache.variants_found,
            "variants_made": collected.cache.variants_made,
            "variants_in_place": published.in_place,
            "written": len(writes),
            "bytes_written": sum(change.size for change in writes),
            "deleted": len(deleted(published.changed)),
            "cleared": [
                key.removeprefix(RELEASES_PREFIX).removesuffix(".json")
                for key in deleted(published.changed)
                if key.startswith(RELEASES_PREFIX)
            ],
            "shadowed": len(self.found.shadowed),
            "skipped": [{"path": path, "why": why} for path, why in self.found.skipped],
            "warnings": len(self.collected.warnings) + len(self.found.case_twins),
            "notes": len(self.collected.notes),
            "problems": [
                *(problem_facts("warning", problem) for problem in [*self.collected.warnings, *self._case_twins()]),
                *(problem_facts("note", problem) for problem in self.collected.notes),
            ],
            "notices": list(self.notices),
            "pruned": self.collected.pruned.facts() if self.collected.pruned else None,
            "seconds": round(self.seconds, 3),
            "phases": {name: round(spent.seconds, 3) for name, spent in self.phases.items()},
            "bytes_per_second": {name: round(spent.rate) for name, spent in self.phases.items() if spent.rate},
            "encoder_seconds": round(published.encoder_seconds, 3),
            "start_seconds": None if self.start_seconds is None else round(self.start_seconds, 3),
        }


def _cleared(gone: Sequence[str]) -> Iterator[tuple[str, str]]:
    if gone:
        shown = ", ".join(gone[:3]) + (f" and {len(gone) - 3:,} more" if gone[3:] else "")
        went = f"{count(len(gone), 'release')} went with it ({shown}), so there is nothing to roll back to"
        yield "Cleared", went


def deleted(changed: Sequence[Changed]) -> list[str]:
    """The keys that are gone: those that were deleted to be written anew have been replaced."""
    written = {change.key for change in changed if change.action != "delete"}
    return [change.key for change in changed if change.action == "delete" and change.key not in written]


def problem_lines(warnings: Sequence[Problem], notes: Sequence[Problem], *, all_of_them: bool) -> list[str]:
    """The problems, one a line; else the first warnings, and how many more there are."""
    lines = [f"warning: {problem}" for problem in warnings]
    if all_of_them:
        return [*lines, *(f"note: {problem}" for problem in notes)]
    if len(lines) > _SHOWN:
        lines = [*lines[:_SHOWN], f"... and {len(lines) - _SHOWN} more; --verbosity 2 shows them all"]
    return lines


def problem_facts(severity: Severity, problem: Problem) -> dict[str, Any]:
    """A problem for ``--json``."""
    return {"severity": severity, **dataclasses.asdict(problem), "message": str(problem)}


def failure_problems(error: ShipfilesError) -> list[dict[str, Any]]:
    """The problems that a failed run found, for ``--json``; none if it failed of something else."""
    if not isinstance(error, BrokenReferences):
        return []
    return [
        *(problem_facts("error", problem) for problem in error.problems),
        *(problem_facts("warning", problem) for problem in error.warnings),
        *(problem_facts("note", problem) for problem in error.notes),
    ]


def changes(event: Changed, *, dry_run: bool) -> tuple[str, int]:
    """A line for a change, and the verbosity from which it is shown; in the words of Django's own command."""
    subject = event.source if event.kind == "plain" else event.key
    verb = {"write": "copy" if event.kind == "plain" else "write", "link": "link", "delete": "delete"}[event.action]
    if dry_run:
        return f"Pretending to {verb} '{subject}'", 1
    doing = {"copy": "Copying", "write": "Writing", "link": "Linking", "delete": "Deleting"}[verb]
    return f"{doing} '{subject}'", 2
