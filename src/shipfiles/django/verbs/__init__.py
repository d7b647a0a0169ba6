"""What ``manage.py ship`` can do: one module a verb, each with ``HELP``, ``add_arguments`` and ``run``."""

from __future__ import annotations

from types import ModuleType

from . import activate, check, diff, export, import_, prune, releases, rollback, show, verify

VERBS: dict[str, ModuleType] = {
    "releases": releases,
    "show": show,
    "diff": diff,
    "activate": activate,
    "rollback": rollback,
    "prune": prune,
    "verify": verify,
    "check": check,
    "export": export,
    "import": import_,
}
