"""What ``manage.py ship`` can do: one module a verb, each with ``HELP``, ``add_arguments`` and ``run``."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

VERBS = (
    "releases", "show", "diff", "plan", "publish", "activate", "rollback", "prune", "verify", "check", "export",
    "import", "store", "sweep", "config", "purge",
)  # fmt: skip


def verb_module(verb: str) -> ModuleType:
    """The module of one of `VERBS`. Together they import several times what one of them needs."""
    return import_module(f"{__name__}.{'import_' if verb == 'import' else verb}")
