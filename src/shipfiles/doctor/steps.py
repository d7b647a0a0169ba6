"""What was tried, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

State = Literal["ok", "missing", "not tried"]
Use = Literal["publish", "web", "prune", "metadata", "pages"]
"""Who needs it: a publisher, processes that render pages, ``ship prune``, ``ship publish --metadata``, browsers."""
USES: tuple[Use, ...] = ("publish", "web", "prune", "metadata", "pages")


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried."""

    name: str
    """For programs: ``create``."""
    what: str
    """For people."""
    uses: tuple[Use, ...]
    """Who needs it."""
    state: State
    why: str = ""
    """The reason why it is missing or was not tried; else what else is to be known."""
    grant: str = ""
    """What to grant or to set."""
    needed: bool = True
    """Whether those cannot do without it."""

    @property
    def failed(self) -> bool:
        """Whether something that is needed is missing."""
        return self.needed and self.state == "missing"


@dataclass(frozen=True, slots=True)
class Examined:
    """What there is to say of one store."""

    store: str
    public_url: str
    """Where browsers find it; empty if nobody said."""
    steps: Sequence[Step]
    left: Sequence[str] = field(default=())
    """Keys that were put and could not be deleted."""

    @property
    def missing(self) -> list[Step]:
        """What is needed and missing."""
        return [step for step in self.steps if step.failed]


class Steps:
    """The steps of one examination, of which only those are done that one of its uses needs."""

    def __init__(self, uses: Sequence[Use]) -> None:
        self._uses = frozenset(uses)
        self.done: list[Step] = []

    def wanted(self, *uses: Use) -> bool:
        """Whether anybody needs what these ``uses`` need."""
        return not self._uses.isdisjoint(uses)

    def add(
        self,
        name: str,
        what: str,
        uses: Sequence[Use],
        state: State,
        why: str = "",
        grant: str = "",
        *,
        needed: bool = True,
    ) -> None:
        """Note what came of a step; nothing if nobody needs it."""
        meant = tuple(use for use in uses if use in self._uses)
        if meant:
            self.done.append(Step(name, what, meant, state, why, grant, needed))

    def of(self, name: str) -> Step | None:
        """The step of this name, if it was done."""
        return next((step for step in self.done if step.name == name), None)

    def change(self, name: str, *, grant: str, needs: Step | None = None) -> None:
        """Give the step another ``grant``; with ``needs``, it was not tried, since it needs that step."""
        for number, step in enumerate(self.done):
            if step.name == name and needs is None:
                self.done[number] = replace(step, grant=grant)
            elif step.name == name and needs is not None:
                self.done[number] = replace(step, state="not tried", why=f"needs: {needs.what}", grant=grant)

    def ok(self, name: str) -> bool:
        """Whether the step went well."""
        return any(step.name == name and step.state == "ok" for step in self.done)
