"""``ship``: everything about a release, one verb each."""

from __future__ import annotations

import argparse
import sys
from copy import copy
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from shipfiles.django.ends import INTERRUPTED, clear_ends
from shipfiles.django.verbs import VERBS, verb_module
from shipfiles.errors import ShipfilesError, fit_to_show


class Command(BaseCommand):
    """The verbs are in `shipfiles.django.verbs`."""

    help = "Static files on their way to production, one verb each."
    # As for collectstatic: those of the static files, for which "check" speaks.
    requires_system_checks = ["staticfiles"]  # noqa: RUF012 - Django's own name and type

    _asked = ""
    """The verb on the command line, where that is certain: the others need not be imported."""

    def run_from_argv(self, argv: list[str]) -> None:
        self._asked = argv[2] if argv[2:3] and argv[2] in VERBS else ""
        try:
            super().run_from_argv(argv)
        except KeyboardInterrupt:  # while the verb was imported, before anything was done
            self.stderr.write("CommandError: Interrupted.")
            sys.exit(INTERRUPTED)

    def execute(self, *args: Any, **options: Any) -> str | None:
        with clear_ends(self):
            output: str | None = super().execute(*args, **options)
        return output

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", metavar="verb", parser_class=_VerbParser)
        for name in VERBS:
            if self._asked in ("", name):
                module = verb_module(name)
                verb = verbs.add_parser(name, help=module.HELP, description=module.HELP)
                module.add_arguments(verb)
                _also_here(parser, verb)

    def handle(self, *args: Any, **options: Any) -> str | None:
        del args
        if not options.get("verb"):
            verbs = "\n".join(f"  ship {name:<10} {verb_module(name).HELP}" for name in VERBS)
            raise CommandError(f"Which verb? There are:\n{verbs}\n'ship VERB --help' tells more.")
        try:
            answer: str | None = verb_module(options["verb"]).run(self, options)
        except ShipfilesError as error:
            raise CommandError(fit_to_show(str(error))) from error
        return answer


class _VerbParser(CommandParser):
    """Says itself what it cannot read, with the usage of its verb; else the whole command would, with its own."""

    def parse_known_args(self, *args: Any, **more: Any) -> Any:
        namespace, rest = super().parse_known_args(*args, **more)
        if rest:
            self.error(f"unrecognized arguments: {' '.join(rest)}")
        return namespace, rest


def _also_here(command: CommandParser, verb: CommandParser) -> None:
    """Let Django's own options stand behind the verb too, where people write them."""
    group = verb.add_argument_group("options of every command")
    for action in command._actions:
        if action.option_strings and action.dest not in ("help", "version") and "--help" not in action.option_strings:
            again = group._add_action(copy(action))
            again.default = argparse.SUPPRESS
