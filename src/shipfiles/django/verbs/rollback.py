"""``ship rollback``: make current again what was so before."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...release.activate import rollback
from ...release.meant import current_release
from . import activate
from .shared import add_json, errors_as_json, notices, static_storage, static_store

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
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Roll back. Raises ``CommandError`` and `ShipfilesError`; the release that was current then stays so."""
    with errors_as_json(command, options):
        store = static_store()
        name = static_storage().manifest_name
        current_release(store)  # or an error that says that there is none at all
        done = rollback(store, options["steps"], manifest_name=name, listener=notices(command))
    return activate.show(command, options, done)
