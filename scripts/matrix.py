"""Run the tests that need no server on every Python and Django of this machine but the ones of a plain scripts/test.

    python scripts/matrix.py [pytest's arguments]

Looks for Pythons on the PATH and where pyenv keeps them. Ends with a table; exits with 1 if a run failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ("3.11", "3.12", "3.13")
DJANGOS = {"5.2": "3.11", "6.0": "3.12", "6.1": "3.12"}
"""Django → the first Python that can have it."""


def main() -> int:
    """0 if every run passed."""
    arguments = sys.argv[1:]
    plain = f"{sys.version_info[0]}.{sys.version_info[1]}"
    plain_django = "5.2" if minor(plain) < minor("3.12") else "6.1"
    rows: list[tuple[str, str]] = []
    failed = False
    for version in PYTHONS:
        python = sys.executable if version == plain else find(version)
        for django, first in DJANGOS.items():
            name = f"Python {version}, Django {django}"
            if minor(version) < minor(first):
                continue
            if (version, django) == (plain, plain_django):
                rows.append((name, "left to scripts/test"))
            elif python is None:
                rows.append((name, "not run: this machine has no such Python"))
            else:
                print(f"\n== {name}", flush=True)
                began = time.monotonic()
                fault = run(python, django, arguments)
                failed = failed or fault is not None
                rows.append((name, f"{fault or 'passed'} ({time.monotonic() - began:.0f} s)"))
    print()
    for name, outcome in rows:
        print(f"{name}: {outcome}")
    return int(failed)


def run(python: str, django: str, arguments: list[str]) -> str | None:
    """What went wrong with one run; ``None`` if it passed."""
    bootstrap = [python, str(ROOT / "scripts" / "environment.py"), "--django", django, "test"]
    made = subprocess.run(bootstrap, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if made.returncode:
        return "no environment could be made"
    tests = [made.stdout.strip(), "-m", "pytest", "-m", "not services", "-n", "auto", "--maxprocesses", "4", *arguments]
    done = subprocess.run(tests, cwd=ROOT)
    return f"pytest ended with {done.returncode}" if done.returncode else None


def find(version: str) -> str | None:
    """A Python of that version on this machine."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for candidate in (
        *(folder / f"python{version}" for folder in folders),
        *sorted(kept.glob(f"{version}.*/bin/python{version}"), reverse=True),
    ):
        check = f"import sys, venv, ssl, sqlite3; raise SystemExit(sys.version_info[:2] != {tuple(minor(version))})"
        try:
            if subprocess.run([candidate, "-c", check], capture_output=True).returncode == 0:
                return str(candidate)
        except OSError:
            continue
    return None


def minor(version: str) -> list[int]:
    """``3.11`` → ``[3, 11]``."""
    return [int(part) for part in version.split(".")]


if __name__ == "__main__":
    raise SystemExit(main())
