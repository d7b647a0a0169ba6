"""What would be sent to a store, in words and as JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .progress import count, duration, human

if TYPE_CHECKING:
    from ..release.items import Item
    from ..release.send import Plan
    from ..release.target import Target

RATE = 10_000_000
"""How much is taken for granted to arrive at a store. Bytes per second."""


def sent_items(plan: Plan) -> list[Item]:
    """Whose bodies would be sent."""
    found = plan.difference
    return [item for item in (*found.hashed, *found.plains) if item.key not in found.copies]


def plan_line(plan: Plan) -> str:
    """The plan in a line."""
    if plan.nothing and not plan.sizes:
        return f"{plan.target}: {plan.release} is live already; there is nothing to send."
    found, items = plan.difference, sent_items(plan)
    parts = [f"{count(len(items), 'object')} ({human(found.bytes)}) would be sent"]
    parts += [f"{len(found.copies):,} copied there"] if found.copies else []
    parts += [f"{found.kept:,} kept"]
    parts += [f"{len(plan.sizes):,} deleted ({human(sum(plan.sizes.values()))})"] if plan.sizes else []
    before = f" instead of {plan.before}" if plan.before not in ("", plan.release) else ""
    return f"{plan.target}: {', '.join(parts)}, in {count(plan.requests, 'request')}; {plan.release} live{before}."


def plan_facts(plan: Plan) -> dict[str, Any]:
    """The plan for ``--json``."""
    found = plan.difference
    return {
        "target": plan.target,
        "release": plan.release,
        "before": plan.before or None,
        "nothing": plan.nothing and not plan.sizes,
        "send": _key_facts({item.key: item.size for item in sent_items(plan)}),
        "copy": [{"from": found.copies[key], "to": key} for key in sorted(found.copies)],
        "kept": found.kept,
        "delete": _key_facts(plan.sizes),
        "bytes": found.bytes,
        "requests": plan.requests,
    }


def _key_facts(sizes: Mapping[str, int]) -> list[dict[str, Any]]:
    return [{"key": key, "size": size} for key, size in sorted(sizes.items())]


def estimate(target: Target, plan: Plan) -> float:
    """About how long it would take. Seconds.

    What is one after the other, and rounds of as many requests at once as the target takes, each as long as the plan's
    first, which had to find the way there; or the bytes at `RATE`, where those take longer than the rounds.
    """
    objects = len(plan.difference.hashed) + len(plan.difference.plains)
    rounds = math.ceil(objects / target.at_once) * plan.round_trip
    others = max(plan.requests - objects, 1) * plan.round_trip
    return others + max(rounds, plan.difference.bytes / RATE)


def estimate_text(target: Target, plan: Plan) -> str:
    """The same with what it rests on."""
    took = plan.round_trip * 1000
    basis = f"{target.at_once} requests at once of {f'{took:,.0f} ms' if took >= 1 else 'less than 1 ms'}"
    return f"about {duration(estimate(target, plan))}: {basis}, which the first one took, and {human(RATE)}/s assumed"
