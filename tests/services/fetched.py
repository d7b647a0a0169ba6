"""Other people's packages for the tests, fetched as the benchmarks do and kept where they keep them."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from tests.oracles.corpora import ROOT, WORK, missing

sys.path.append(str(ROOT / "bench"))  # at the end: its names must hide nobody's

import corpora

T = TypeVar("T")


def corpus(size: str) -> corpora.Corpus:
    """The corpus S, M or L of the benchmarks."""
    return _fetched(lambda: corpora.corpus(size, WORK))


def npm_folders(*packages: str) -> dict[str, Path]:
    """Prefix → folder of npm packages, each ``name@version``."""
    return _fetched(lambda: dict(corpora.npm_folder(package, WORK) for package in packages))


def npm_installed(*packages: str) -> Path:
    """A ``node_modules`` with npm packages and all that they need, each ``name@version``."""
    npm = shutil.which("npm")
    if not npm or not shutil.which("node"):
        missing("needs node and npm (Debian, Ubuntu: apt-get install npm)")
    folder = WORK / "node" / "-".join(packages)
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(WORK / "node" / f"{folder.name}.lock"):
        if not (folder / "installed").exists():
            arguments = ("install", "--silent", "--no-save", "--ignore-scripts")
            made = subprocess.run(
                [npm, *arguments, "--prefix", str(folder), *packages], capture_output=True, text=True, check=False
            )
            if made.returncode:
                missing(f"npm packages could not be fetched: {(made.stdout + made.stderr).strip()[-1000:]}")
            (folder / "installed").touch()
    return folder / "node_modules"


def _fetched(fetch: Callable[[], T]) -> T:
    WORK.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(WORK / "corpora.lock"):
        try:
            return fetch()
        except SystemExit as fault:
            missing(f"packages could not be fetched: {fault}")
            raise


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Let the workers of one run, and other runs, wait for each other."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
