"""Kill -9 at random moments: what is published is whole at each of them, and one run at the end makes all right."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from shipfiles.config import ServeConfig
from shipfiles.serve.wsgi import StaticApp

from .commands import COLLECT, Project
from .whole import answer, check_whole, current, digest, not_ours, releases

pytestmark = pytest.mark.services

FILES = 120


def write(folder: Path, version: int, chance: random.Random) -> None:
    """Another version of some of the files; all in the first."""
    for i in range(FILES):
        if version == 0 or chance.random() < 0.2:
            imported = f"@import '{(i + 1) % FILES}.css';\n" if i % 3 else ""
            (folder / f"{i}.css").write_text(f"{imported}a{{order:{version}}}\n" + "p { color: red }\n" * (i * 20))


def check_served(root: Path) -> None:
    """A process that starts now answers every name of the current release with the right bytes."""
    app = StaticApp(not_ours, root=str(root), prefix="/static/", config=ServeConfig())
    for entry in releases(root)[current(root)].values():
        for coding in ("identity", *entry.get("codings", ())):
            status, body = answer(app, entry["name"], coding)
            assert status == 200, entry["name"]
            assert digest(body) == entry["digest"], entry["name"]


def killed_after(run: subprocess.Popen[str], seconds: float) -> bool:
    """Kill ``run`` when it has run so long; whether it was still running."""
    with suppress(subprocess.TimeoutExpired):
        run.wait(seconds)
    over = run.poll() is not None
    run.send_signal(signal.SIGKILL)
    run.communicate()
    return not over


def test_fifty_random_moments(tmp_path: Path) -> None:
    chance = random.Random(int(os.environ.get("SEED", "1")))
    root = tmp_path / "root"
    project = Project(tmp_path, root)
    write(project.source, 0, chance)
    began = time.monotonic()
    project.succeed(*COLLECT)
    length = time.monotonic() - began
    stopped = 0
    for version in range(1, 51):
        write(project.source, version, chance)
        stopped += killed_after(project.start(*COLLECT), chance.uniform(0.1, 1.0) * length)
        if version % 5 == 0:
            check_served(root)
        else:
            check_whole(root)
    assert stopped >= 10, "the runs were over before they were stopped"
    project.succeed(*COLLECT)
    assert not list(root.rglob(".shipfiles-*"))
    check_served(root)
    made = {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.css*") if p.is_file()}
    names = json.loads((root / "staticfiles.json").read_text())["paths"]
    # The same as in an empty place.
    root.rename(tmp_path / "old")
    project.succeed(*COLLECT)
    assert json.loads((root / "staticfiles.json").read_text())["paths"] == names
    for path in root.rglob("*.css*"):
        assert made[str(path.relative_to(root))] == path.read_bytes()
