"""manage.py, whose prune takes files for finished when they are GRACE seconds old, not an hour: tests are shorter."""

from __future__ import annotations

import os
import sys
from datetime import timedelta

from django.core.management import execute_from_command_line

from shipfiles.release.prune import plan_prune


def hurry() -> None:
    """Take files for finished when they are GRACE seconds old."""
    assert plan_prune.__kwdefaults__["grace"] >= timedelta(minutes=1)
    plan_prune.__kwdefaults__["grace"] = timedelta(seconds=int(os.environ["GRACE"]))


if __name__ == "__main__":
    hurry()
    execute_from_command_line(["manage.py", *sys.argv[1:]])
