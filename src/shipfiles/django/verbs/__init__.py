"""What ``manage.py ship`` can do: one module a verb, each with ``HELP``, ``add_arguments`` and ``run``."""

from __future__ import annotations

from types import ModuleType

from . import activate, check, export, import_, prune, releases, rollback

VERBS: dict[str, ModuleType] = {
    "releases": releases,
    "activate": activate,
    "rollback": rollback,
    "prune": prune,
    "check": check,
    "export": export,
    "import": import_,
}
