"""The folder in which the benches work, and the Python environment of their own in it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

BENCH = Path(__file__).resolve().parent
REPOSITORY = BENCH.parent
DEFAULT_FOLDER = REPOSITORY / ".work" / "bench"
PROJECT = BENCH / "project"


def fail(message: str) -> NoReturn:
    """End with a message for people."""
    raise SystemExit(f"bench: {message}")


def run(command: list[str | Path], **options: object) -> str:
    """Run a preparatory command and return what it prints; ends the bench with its last words if it fails."""
    done = subprocess.run([str(part) for part in command], text=True, capture_output=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        words = (done.stdout + done.stderr).strip()[-3000:]
        fail(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{words}")
    return str(done.stdout)


def _python() -> str:
    """A Python that is new enough for the Django of requirements.txt: this one, or one on the path."""
    if sys.version_info >= (3, 12):
        return sys.executable
    for name in ("python3.12", "python3.13", "python3.14"):
        found = shutil.which(name)
        if found and not subprocess.run([found, "-c", "import venv"], capture_output=True, check=False).returncode:
            return found
    fail("the peers in requirements.txt need Python 3.12 or newer: start this script with one")


def enter_environment(folder: Path, enough: Iterable[str] = ()) -> None:
    """Go on in the environment of ``folder`` that has the peers in the versions of requirements.txt.

    With modules in ``enough``: only if this Python lacks one of them.
    Makes it when it is missing or when the requirements have changed, then starts this script again in it.
    """
    home = folder / "venv"
    python = home / "bin" / "python"
    needed = list(enough)
    if Path(sys.prefix).resolve() == home.resolve() or (needed and all(map(find_spec, needed))):
        return
    requirements = BENCH / "requirements.txt"
    wanted = hashlib.sha256(
        requirements.read_bytes() + (REPOSITORY / "pyproject.toml").read_bytes() + sys.version.encode()
    ).hexdigest()
    stamp = home / "bench-stamp"
    if not (stamp.is_file() and stamp.read_text() == wanted):
        print(f"Making the environment {home} ...", file=sys.stderr)
        shutil.rmtree(home, ignore_errors=True)
        run([_python(), "-m", "venv", home])
        pip: list[str | Path] = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        run([*pip, "-r", requirements, "-e", REPOSITORY])
        stamp.write_text(wanted)
    os.execv(python, [str(python), *sys.argv])
