"""``ship``: everything about a release, one verb each."""

from __future__ import annotations

import argparse
from copy import copy
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shipfiles.django.verbs import VERBS
from shipfiles.errors import ShipfilesError


class Command(BaseCommand):
    """The verbs are in `shipfiles.django.verbs`."""

    help = "Static files on their way to production, one verb each."
    # As for collectstatic: those of the static files, for which "check" speaks.
    requires_system_checks = ["staticfiles"]  # noqa: RUF012 - Django's own name and type

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="verb", required=True)
        for name, module in VERBS.items():
            verb = verbs.add_parser(name, help=module.HELP, description=module.HELP)
            module.add_arguments(verb)
            _also_here(parser, verb)

    def handle(self, *args: Any, **options: Any) -> str | None:
        del args
        try:
            answer: str | None = VERBS[options["verb"]].run(self, options)
        except ShipfilesError as error:
            raise CommandError(str(error)) from error
        return answer


def _also_here(command: CommandParser, verb: CommandParser) -> None:
    """Let Django's own options stand behind the verb too, where people write them."""
    group = verb.add_argument_group("options of every command")
    for action in command._actions:
        if action.option_strings and action.dest not in ("help", "version") and "--help" not in action.option_strings:
            again = group._add_action(copy(action))
            again.default = argparse.SUPPRESS
