"""``manage.py ship`` as the tests call it."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command


def ship(*arguments: str) -> tuple[str, str]:
    """What the command says, and what it says on standard error."""
    out, err = io.StringIO(), io.StringIO()
    call_command("ship", *arguments, stdout=out, stderr=err, no_color=True)
    return out.getvalue().strip(), err.getvalue().strip()


def refused(*arguments: str) -> str:
    """The error of a command that must end with one; with --json it says the same."""
    with pytest.raises(CommandError) as told:
        ship(*arguments)
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("ship", *arguments, "--json", stdout=out, stderr=io.StringIO())
    assert json.loads(out.getvalue()) == {"error": str(told.value)}
    return str(told.value)
