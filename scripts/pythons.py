"""Find the Pythons of this machine: on the PATH, and where pyenv keeps them.

python scripts/pythons.py 3.12 3.13    the first of these versions that there is; exit status 1 if there is none
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def main() -> int:
    """Print the path of the first version that is found."""
    for version in sys.argv[1:]:
        if python := find(version):
            print(python)
            return 0
    return 1


def find(version: str) -> str | None:
    """A Python of that version that can make virtual environments; ``None`` if this machine has none."""
    if parts(version) == sys.version_info[:2]:
        return sys.executable
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [folder / f"python{version}" for folder in folders]
    candidates += sorted(kept.glob(f"{version}.*/bin/python{version}"), reverse=True)
    check = f"import sqlite3, ssl, sys, venv; raise SystemExit(sys.version_info[:2] != {parts(version)})"
    for candidate in candidates:
        try:
            if subprocess.run([candidate, "-c", check], capture_output=True).returncode == 0:
                return str(candidate)
        except OSError:
            continue
    return None


def parts(version: str) -> tuple[int, ...]:
    """``3.11`` → ``(3, 11)``."""
    return tuple(int(part) for part in version.split("."))


if __name__ == "__main__":
    raise SystemExit(main())
