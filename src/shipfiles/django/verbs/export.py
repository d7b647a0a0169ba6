"""``ship export``: a release as an archive or a folder."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...release.meant import MEANT, release_meant
from ...release.transfer import export_release
from ..progress import human
from .shared import add_json, add_store, errors_as_json, notices, place_of, print_json

HELP = "Write a release to an archive or a folder, from which 'ship import' puts it into another store."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument("release", help=MEANT)
    parser.add_argument(
        "--to",
        metavar="PATH",
        help="A file that ends with .tar, .tar.gz or .tgz, or a new or empty folder. Default: <id>.tar.gz.",
    )
    add_store(parser)
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Write it. Raises ``CommandError`` and `ShipfilesError`."""
    with errors_as_json(command, options):
        place = place_of(options)
        release = release_meant(place.store, options["release"])
        done = export_release(
            place.store,
            release,
            f"{release}.tar.gz" if options["to"] is None else options["to"],
            manifest_name=place.storage.manifest_name,
            listener=notices(command),
        )
    if options["json"]:
        print_json(command, {"release": done.release, "path": done.path, "files": done.files, "bytes": done.bytes})
        return None
    return f"The release {done.release} is in {done.path}: {done.files:,} files, {human(done.bytes)}."
