"""``ship activate``: make a release the current one."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from ...release.activate import Activated, activate
from ...release.meant import MEANT, is_relative, release_meant
from ..progress import count
from .shared import (
    add_json,
    add_release,
    errors_as_json,
    notices,
    pinned_elsewhere,
    print_json,
    static_storage,
    static_store,
)

HELP = "Make a release that is there the current one; nothing is collected or compressed."


def add_arguments(parser: CommandParser) -> None:
    """The options of this verb."""
    add_release(parser, help=f"{MEANT} 'current' puts its plain names right.")
    add_json(parser)


def run(command: BaseCommand, options: dict[str, Any]) -> str | None:
    """Activate it. Raises ``CommandError`` and `ShipfilesError`; the release that was current then stays so."""
    with errors_as_json(command, options):
        store = static_store()
        name = static_storage().manifest_name
        # Which release is the current one is asked again when no other run is under way; an id stays what it is.
        meant = partial(release_meant, store, options["release"])
        release = meant if is_relative(options["release"]) else meant()
        done = activate(store, release, manifest_name=name, listener=notices(command))
    return show(command, options, done)


def show(command: BaseCommand, options: dict[str, Any], done: Activated) -> str | None:
    """The outcome of an activation."""
    if pinned := pinned_elsewhere(done.release):
        command.stderr.write(pinned)
    if options["json"]:
        writes = [change for change in done.changed if change.action != "delete"]
        facts = {
            "release": done.release, "before": done.before or None, "differing": done.differing,
            "written": len(writes), "bytes_written": sum(change.size for change in writes),
            "deleted": len(done.changed) - len(writes), "pinned": pinned or None,
        }  # fmt: skip
        print_json(command, facts)
    if options["json"] or options["verbosity"] < 1:
        return None
    if done.before == done.release:
        put_right = f"; {count(len(done.changed), 'object')} had to be put right" if done.changed else ""
        return f"The release {done.release} was current already{put_right}."
    instead = f" instead of {done.before}" if done.before else ""
    return f"Made {done.release} the current release{instead}. Changed or added: {count(done.differing, 'file')}."
