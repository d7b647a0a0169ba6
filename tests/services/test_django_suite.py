"""Django's own tests of static and uploaded files, with Shipfiles in the place of what they test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.services
def test_djangos_own_tests() -> None:
    run = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "django-suite")], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count(" tests, ") == 3
