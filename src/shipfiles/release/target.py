"""A store that releases are sent to, and in what form."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..config import ServeConfig
from ..stores.store import Store
from .items import Shape
from .pace import LIMIT


@dataclass(frozen=True, slots=True)
class Target:
    """A store that releases are sent to."""

    store: Store
    shape: Shape = field(default_factory=Shape)
    """In what form files are sent."""
    serve: ServeConfig = field(default_factory=ServeConfig)
    """What says with which header fields the store answers."""
    django_manifest: str = ""
    """The key of a manifest that stock Django reads, with ``{release}`` for the id; empty for none."""
    at_once: int = 64
    """How many requests are under way at the same time."""
    limit: float = LIMIT
    """For how long nothing may succeed before what fails is given up. Seconds."""

    @property
    def shared_manifest(self) -> str:
        """The key of the manifest that stock Django reads, if there is one for all releases; else empty."""
        return "" if "{release}" in self.django_manifest else self.django_manifest

    def __str__(self) -> str:
        """As people know it."""
        return str(self.store)
