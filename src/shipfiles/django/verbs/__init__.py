"""What ``manage.py ship`` can do: one module a verb, each with ``HELP``, ``add_arguments`` and ``run``."""

from __future__ import annotations

from types import ModuleType

from . import check, export, import_, prune

VERBS: dict[str, ModuleType] = {"check": check, "export": export, "import": import_, "prune": prune}
