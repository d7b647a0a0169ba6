"""The files that real packages ship: the corpora of ``bench/corpora.py``, for tests marked ``services``.

They lie in ``.work/bench``, or in the folder that ``SHIPFILES_BENCH`` names; what is missing there is fetched.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("SHIPFILES_BENCH") or ROOT / ".work" / "bench").resolve()
_FOLDERS = ("site-packages", "node_modules")


def missing(what: str) -> NoReturn:
    """End the test that runs: something from outside is missing. A failure where CI is set, elsewhere a skip."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@cache
def folder() -> Path:
    """The folder with the corpora S, M and L, all of them there."""
    WORK.mkdir(parents=True, exist_ok=True)
    with open(WORK / "corpora.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(
            [sys.executable, str(ROOT / "bench" / "corpora.py"), "--folder", str(WORK)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    if made.returncode:
        missing(f"the corpora could not be fetched: {made.stderr.strip()[-1000:]}")
    return WORK / "corpora"


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Every file of the corpora with one of those suffixes (``.js``), in any case, in the order of their names."""
    return tuple(
        path
        for part in _FOLDERS
        for path in sorted((folder() / part).rglob("*"))
        if path.suffix.lower() in suffixes and path.is_file()
    )


def shard(paths: Sequence[Path], index: int, count: int) -> list[Path]:
    """Part ``index`` of ``count`` parts of about the same number of bytes, for tests that run side by side."""
    by_size = sorted(paths, key=lambda path: (-path.stat().st_size, path))
    return sorted(by_size[index::count])


def name(path: Path) -> str:
    """What a test calls a file: its path in the corpora, with slashes."""
    return path.relative_to(folder()).as_posix()
