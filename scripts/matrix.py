"""Run the tests that need no server on every Python and every Django, in as few pairs as that takes.

    python scripts/matrix.py [pytest's arguments]

The first Python runs all of them, with its newest Django; the last does, too, but without those of the rewriters,
whose corpora take minutes, and of tests with many cases one case in eight; so do the pairs with the others, those
that have to do with Django. What a plain scripts/test runs is left to it. Ends with a table of what was run and what
could not be; exits with 1 if a run failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from pythons import find, parts

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
DJANGOS = {"5.2": "3.11", "6.0": "3.12", "6.1": "3.12"}
"""Django → the first Python that can have it. The last one that a Python can have is what constraints.txt gives it."""
WITH_DJANGO = (
    *(f"tests/{folder}" for folder in ("django", "conformance", "demo", "packaging")),
    *(f"tests/unit/test_{name}.py" for name in ("serve_shells", "serve_releases", "proof_templates", "proof_code")),
    "--sample=8",
)
"""What may differ from one Django to another; the rest does not import it."""
ALL_BUT_CORPORA = ("--ignore-glob=*/tests/unit/test_rewrite_*.py", "--sample=8")
"""What is run where another Python has run all: all tests, of those with many cases some."""


def main() -> int:
    """0 if every run passed."""
    rows: list[tuple[str, str]] = []
    failed = False
    for version, django, whole in planned():
        name = f"Python {version}, Django {django}"
        python = find(version)
        if parts(version) == sys.version_info[:2] and django == possible(version)[-1]:
            rows.append((name, "left to scripts/test"))
        elif python is None:
            rows.append((name, "not run: this machine has no such Python"))
        else:
            print(f"\n== {name}", flush=True)
            began = time.monotonic()
            fault = run(python, django, sys.argv[1:] or (ALL_BUT_CORPORA if whole else WITH_DJANGO))
            failed = failed or fault is not None
            rows.append((name, f"{fault or 'passed'} ({time.monotonic() - began:.0f} s)"))
    print()
    for name, outcome in rows:
        print(f"{name}: {outcome}")
    return int(failed)


def possible(version: str) -> list[str]:
    """The Djangos that this Python can have, the newest last."""
    return [django for django, first in DJANGOS.items() if parts(version) >= parts(first)]


def planned() -> list[tuple[str, str, bool]]:
    """What is to be run: Python, Django, and whether all tests."""
    ends = [(version, possible(version)[-1], True) for version in (PYTHONS[0], PYTHONS[-1])]
    rest = [django for django in DJANGOS if django not in {django for _, django, _ in ends}]
    between = [(next(v for v in PYTHONS if django in possible(v)), django, False) for django in rest]
    had = {version for version, _, _ in (*ends, *between)}
    return sorted([*ends, *between, *((v, possible(v)[-1], False) for v in PYTHONS if v not in had)])


def run(python: str, django: str, arguments: Sequence[str]) -> str | None:
    """What went wrong with one run; ``None`` if it passed."""
    bootstrap = [python, str(ROOT / "scripts" / "environment.py"), "--django", django, "test"]
    made = subprocess.run(bootstrap, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if made.returncode:
        return "no environment could be made"
    tests = [made.stdout.strip(), "-m", "pytest", "-m", "not services", "-n", "auto", "--maxprocesses", "4", *arguments]
    done = subprocess.run(tests, cwd=ROOT)
    return f"pytest ended with {done.returncode}" if done.returncode else None


if __name__ == "__main__":
    raise SystemExit(main())
