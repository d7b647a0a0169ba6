"""``ship plan``: what ``ship publish`` would do."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...errors import ShipfilesError, fit_to_show, printable
from ...release.send import Plan, planned
from ...release.target import Target
from ..plans import estimate, estimate_text, plan_facts, sent_items
from ..progress import count, human
from ..sending import kept_of
from .publish import add_sending, what_and_where
from .shared import add_json, errors_as_json, notices, print_facts, print_json, static_storage, static_store

HELP = "Say what 'ship publish' would send, copy and delete, with how many requests, and about how long it would take."

_LARGEST = 5


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    add_sending(parser)
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Show the plan. Raises ``CommandError``, which ends with status 1, if a store cannot be asked."""
    with errors_as_json(command, options):
        storage = static_storage()
        release, targets = what_and_where(storage, options)
    plans: list[tuple[Target, Plan | str]] = []
    for target in targets:
        try:
            made: Plan | str = planned(
                static_store(), release, target, kept=kept_of(storage.config), clear=options["clear"],
                verify=options["verify"], listener=notices(command),
            )  # fmt: skip
        except ShipfilesError as error:
            made = f"{target}: {error}"
        plans.append((target, made))
    failure = "\n".join(plan for _, plan in plans if isinstance(plan, str))
    if options["json"]:
        facts = {"release": release, "targets": [_facts(target, plan) for target, plan in plans]}
        print_json(command, ({"error": failure} if failure else {}) | facts)
    elif options["verbosity"] >= 1:
        for target, plan in plans:
            if not isinstance(plan, str):
                _show(command, target, plan, options["verbosity"])
    if failure:
        raise CommandError(fit_to_show(failure))
    return None


def _facts(target: Target, plan: Plan | str) -> dict[str, Any]:
    if isinstance(plan, str):
        return {"target": str(target), "error": plan}
    return {**plan_facts(plan), "round_trip": round(plan.round_trip, 4), "seconds": round(estimate(target, plan), 1)}


def _show(command: BaseCommand, target: Target, plan: Plan, verbosity: int) -> None:
    command.stdout.write(fit_to_show(f"{target}"))
    if plan.nothing and not plan.sizes:
        command.stdout.write(
            f"There is nothing to do: {plan.release} is live there, with {plan.difference.kept:,} objects.\n\n"
        )
        return
    found, items = plan.difference, sent_items(plan)
    instead = f", instead of {plan.before}" if plan.before not in ("", plan.release) else ""
    rows = [("Release", f"{plan.release}{instead}")]
    rows.append(("To send", f"{count(len(items), 'object')}, {human(found.bytes)}"))
    largest = sorted(items, key=lambda item: (-item.size, item.key))
    if largest:
        shown = [f"{printable(item.key)} ({human(item.size)})" for item in largest[:_LARGEST]]
        rows.append(("Largest", ", ".join(shown)))
    rows.append(("To copy there", count(len(found.copies), "object")))
    rows.append(("Kept", count(found.kept, "object")))
    rows.append(("To delete", f"{count(len(plan.sizes), 'object')}, {human(sum(plan.sizes.values()))}"))
    rows.append(("Requests", f"{plan.requests:,}"))
    rows.append(("Time", estimate_text(target, plan)))
    print_facts(command, rows)
    if verbosity >= 2:
        lines = [f"To send: {printable(item.key)}, {human(item.size)}" for item in items]
        lines += [f"To copy: {printable(found.copies[key])} to {printable(key)}" for key in sorted(found.copies)]
        lines += [f"To delete: {printable(key)}, {human(size)}" for key, size in sorted(plan.sizes.items())]
        command.stdout.write("\n".join(lines))
    command.stdout.write("\n")
