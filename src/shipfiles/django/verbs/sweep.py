"""``ship sweep``: away with what uploads left that were broken off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ...stores.store import Sweeps
from ..media_places import media_storage
from ..media_storage import MediaStorage
from ..progress import count
from .shared import add_json, duration, errors_as_json, print_json

HELP = "Remove what uploads left that were broken off: temporary files, and objects that nobody can see."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "aliases",
        nargs="*",
        metavar="ALIAS",
        help="Which storages of STORAGES. Default: all that are media storages of Shipfiles.",
    )
    parser.add_argument(
        "--older-than",
        type=duration,
        default=timedelta(days=1),
        metavar="AGE",
        help="Leave what was begun less than this ago, and may yet become an upload: 30m, 12h, 7d or a sum such as "
        "1d12h. Default: 1d.",
    )
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Sweep them one after the other. Raises ``CommandError`` if there is none, and what the stores raise."""
    with errors_as_json(command, options):
        swept = {
            alias: storage.store.sweep(options["older_than"].total_seconds())
            for alias, storage in _chosen(options["aliases"]).items()
            if isinstance(storage.store, Sweeps)
        }
    if options["json"]:
        print_json(command, {"swept": swept})
        return None
    for alias, number in swept.items():
        command.stdout.write(f"{alias}: {count(number, 'leftover')} removed.")
    if not swept:
        command.stdout.write("Nothing to do: these stores keep nothing of an upload that was broken off.")
    return None


def _chosen(aliases: list[str]) -> dict[str, MediaStorage]:
    if not aliases:
        found = {alias: storage for alias in storages.backends if isinstance(storage := storages[alias], MediaStorage)}
        if not found:
            raise CommandError(
                "No alias of STORAGES is a media storage of Shipfiles: shipfiles.django.storage.MediaStorage, or S3-, "
                "Google-, Azure- or SFTPMediaStorage beside it."
            )
        return found
    try:
        return {alias: media_storage(alias) for alias in aliases}
    except ImproperlyConfigured as error:
        raise CommandError(str(error)) from error
