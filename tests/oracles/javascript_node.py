"""The references of scripts and modules, read from the syntax trees of acorn (npm), which Node runs."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from shipfiles.build.rewrite.reference import is_local

from .corpora import WORK, missing
from .javascript_tree import Found

ACORN = "acorn@8.19.0"
_SCRIPT = Path(__file__).with_suffix(".mjs")


def read(paths: Iterable[Path]) -> dict[Path, list[Found] | str]:
    """For each file its references, without those to source maps, or why acorn cannot read it."""
    node, packages = _node()
    lines = "".join(f"{path}\n" for path in paths)
    run = subprocess.run([node, str(_SCRIPT), str(packages)], input=lines, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    return {Path(answer["path"]): answer.get("error") or _found(answer["references"]) for answer in answers}


def _found(references: list[dict[str, object]]) -> list[Found]:
    found = []
    for reference in references:
        start, end, url, kind = (reference[key] for key in ("start", "end", "url", "kind"))
        assert isinstance(start, int)
        assert isinstance(end, int)
        if is_local(str(url), "url" if kind in ("url", "script") else "module"):
            found.append(Found(start, end, str(url), "url" if kind == "resolve" else str(kind)))
    return sorted(found)


@cache
def _node() -> tuple[str, Path]:
    """The program, and a folder with the npm package beside it; what is missing of that is fetched."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        missing("needs node and npm (Debian, Ubuntu: apt-get install npm)")
    packages = WORK / "node" / ACORN
    packages.mkdir(parents=True, exist_ok=True)
    with open(WORK / "node.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (packages / "node_modules" / "acorn" / "package.json").is_file():
            command = [
                str(npm),
                "install",
                "--silent",
                "--no-save",
                "--ignore-scripts",
                "--prefix",
                str(packages),
                ACORN,
            ]
            made = subprocess.run(command, capture_output=True, text=True, check=False)
            if made.returncode:
                missing(f"{ACORN} could not be fetched: {(made.stdout + made.stderr).strip()[-1000:]}")
    return str(node), packages
