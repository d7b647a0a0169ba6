"""``ship import``: a release from an archive or a folder."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...release.meant import MEANT
from ...release.transfer import import_release
from ..progress import human
from .shared import add_json, errors_as_json, notices, print_json, static_storage, static_store

HELP = "Put a release that 'ship export' wrote into the store; every byte is verified first."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    parser.add_argument(
        "path", help="The archive, or a folder with a release: an exported one, or another STATIC_ROOT."
    )
    parser.add_argument(
        "--release",
        default="",
        help=f"Which, where a folder has several. {MEANT} Default: the only one, or the current one.",
    )
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Import it. Raises ``CommandError`` and `ShipfilesError`."""
    with errors_as_json(command, options):
        store = static_store()
        name = static_storage().manifest_name
        done = import_release(
            store, options["path"], release=options["release"], manifest_name=name, listener=notices(command)
        )
    if options["json"]:
        facts = {
            "release": done.release, "new": done.new, "files": done.files, "written": done.written,
            "bytes_written": done.bytes_written,
        }  # fmt: skip
        print_json(command, facts)
        return None
    if done.new:
        text = f"The release {done.release} was imported: {done.written:,} of {done.files:,} files were new, "
        text += f"{human(done.bytes_written)}."
    else:
        text = f"The release {done.release} is in the store already."
    return text
