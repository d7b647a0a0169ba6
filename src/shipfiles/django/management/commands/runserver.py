"""``runserver``: the next application's command, with static files left to our middleware."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandParser

from ...conf import MIDDLEWARE


def _next_command() -> Any:
    """The ``runserver`` that would run if this application were not installed: the first below it, else Django's."""
    names = [config.name for config in apps.get_app_configs()]
    for name in names[names.index("shipfiles.django") + 1 :]:
        if find_spec(f"{name}.management") and find_spec(f"{name}.management.commands"):
            module = f"{name}.management.commands.runserver"
            if find_spec(module):
                return import_module(module).Command
    return import_module("django.core.management.commands.runserver").Command


class Command(_next_command()):  # type: ignore[misc]
    """Static files take the way that they take in production, so that a fault shows in development."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        if MIDDLEWARE in settings.MIDDLEWARE:
            parser.set_defaults(use_static_handler=False)

    def get_handler(self, *args: Any, **options: Any) -> Any:
        """The handler that answers; with ``--insecure`` Django's own for static files, as it is asked for."""
        if options.get("insecure_serving"):
            options["use_static_handler"] = True
        return super().get_handler(*args, **options)
