"""``findstatic``: Django's own command, which at verbosity 2 also says why a file wins."""

from __future__ import annotations

import os
from typing import Any

from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.management.commands.findstatic import Command as DjangoCommand


class Command(DjangoCommand):
    """The first finder in STATICFILES_FINDERS that has a file wins, and within it the first folder."""

    # Django calls the argument "path" here and "label" in the class above.
    def handle_label(self, label: str, **options: Any) -> str | None:  # type: ignore[override]
        answer: str | None = super().handle_label(label, **options)
        if answer is None or options["verbosity"] < 2:
            return answer
        lines = []
        for finder in get_finders():
            found: Any = finder.find(label, find_all=True)
            places = found if isinstance(found, (list, tuple)) else [found]
            name = f"{type(finder).__module__}.{type(finder).__qualname__}"
            lines += [f"{os.path.realpath(place)}, by {name}" for place in places if place]
        if not lines:
            return answer
        reasons = [f"  wins: {lines[0]}, the first in the order of STATICFILES_FINDERS and their folders"]
        reasons += [f"  ignored: {line}" for line in lines[1:]]
        return f"{answer}\n\nWhich of them collectstatic takes:\n" + "\n".join(reasons)
