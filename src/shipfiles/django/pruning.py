"""Prune after ``collectstatic``, and what is said of a prune."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from ..config import RetainConfig
from ..durations import duration_text
from ..errors import ShipfilesError
from ..events import Listener, Notice
from ..records import now
from ..stores.store import Store
from .progress import count, human

if TYPE_CHECKING:
    from ..release.prune import PrunePlan
    from ..release.target import Target
    from .static_storage import StaticStorage


_SENDING = timedelta(days=1)
"""No release takes longer to be sent."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How a prune went that nobody watched."""

    plan: PrunePlan | None = None
    error: str = ""

    @property
    def text(self) -> str:
        """A line of the report."""
        if self.plan is None:
            return "failed, see above" if self.error else ""
        total = prune_total(self.plan)
        if not self.plan.waiting:
            return total
        age = duration_text(self.plan.terms.grace)
        return f"{total}; {count(self.plan.waiting, 'file')} put there less than {age} ago left for the next time"

    def facts(self) -> dict[str, Any]:
        """The same for ``--json``."""
        return {**(prune_facts(self.plan) if self.plan else {}), "error": self.error}


def prune_after(storage: StaticStorage, release: str, listener: Listener) -> Pruned:
    """Prune as OPTIONS["retain"] says. The ``release`` is live whatever happens, so a failure is only told."""
    return _pruned(storage.store, storage.config.retain, storage.manifest_name, release, listener)


def prune_target(target: Target, retain: RetainConfig, release: str, listener: Listener) -> Pruned:
    """The same in a store to which the ``release`` was sent."""
    return _pruned(target.store, retain, target.shared_manifest, release, listener)


def prune_build(storage: StaticStorage, release: str, listener: Listener) -> Pruned:
    """The same where releases are built in a folder of ours, of which nobody may know that it grows.

    What may be on its way to a store stays.
    """
    retain = storage.config.retain
    if retain.age < _SENDING:
        retain = replace(retain, younger_than=duration_text(_SENDING))
    return _pruned(storage.store, retain, storage.manifest_name, release, listener)


def _pruned(store: Store, retain: RetainConfig, manifest_name: str, release: str, listener: Listener) -> Pruned:
    from ..release.clocks import check_clocks  # only where it is wanted
    from ..release.prune import plan_prune, prune

    try:
        check_clocks(store, listener)
        plan = plan_prune(
            store,
            keep=retain.keep,
            younger_than=retain.age,
            at=now(),
            manifest_name=manifest_name,
            listener=listener,
        )
        return Pruned(prune(store, plan, listener))
    except ShipfilesError as error:
        what = f"The release {release} is live in {store}, but old ones could not be pruned"
        listener(Notice(f"{what}: {error}\n  Run ship prune when that is mended."))
        return Pruned(error=str(error))


def prune_facts(plan: PrunePlan) -> dict[str, Any]:
    """What a prune deletes, or has deleted, for ``--json``."""
    return {
        "kept": [{"release": release, "why": why} for release, why in plan.kept.items()],
        "dropped": [
            {
                "release": part.release or None,
                "made": part.made.strftime("%Y-%m-%dT%H:%M:%SZ") if part.made else None,
                "files": part.files,
                "bytes": part.bytes,
            }
            for part in plan.parts
        ],
        "files": len(plan.sweep),
        "bytes": plan.bytes,
        "waiting": plan.waiting,
        "held": list(plan.held),
        "foreign": list(plan.foreign),
        "changed": list(plan.changed),
        "spared": list(plan.spared),
    }


def prune_total(plan: PrunePlan) -> str:
    """What goes, in a line."""
    return f"{count(len(plan.dropped), 'release')}, {count(len(plan.sweep), 'file')}, {human(plan.bytes)}"
