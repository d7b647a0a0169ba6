"""What is to be examined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..config import ServeConfig
from ..stores.store import Store
from .steps import USES, Use


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be examined."""

    store: Store
    public_url: str = ""
    """The URL below which browsers find the keys."""
    origin: str = ""
    """The origin of the pages: ``https://www.example.com``. Empty if nobody knows."""
    uses: Sequence[Use] = USES
    """Who is to be able to work with these credentials."""
    coding: str = ""
    """The content coding in which files are stored, if they are."""
    serve: ServeConfig = field(default_factory=ServeConfig)
    """Says what files are answered with."""


def named(store: Store) -> str:
    """A store as people know it."""
    return str(store) if type(store).__str__ is not object.__str__ else type(store).__name__
