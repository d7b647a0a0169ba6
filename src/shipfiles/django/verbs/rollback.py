"""``ship rollback``: make current again what was so before."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...events import Listener
from ...release.activate import Activated, rollback
from ...release.meant import current_release
from .activate import activate_all, add_activating
from .shared import Place

HELP = "Make current again the release that was so before, or several before."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "steps",
        nargs="?",
        type=int,
        default=1,
        metavar="N",
        help="How many releases to go back: 1, the default, is the one that was current last. Each counts once.",
    )
    add_activating(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Roll back. Raises ``CommandError`` and `ShipfilesError`; the release that was current then stays so.

    Where there are several stores, what was current before in that from which releases are used is meant in all.
    """

    def first(place: Place, listener: Listener) -> Activated:
        current_release(place.store)  # or an error that says that there is none at all
        return rollback(place.store, options["steps"], **place.activating, listener=listener)

    return activate_all(command, options, first)
