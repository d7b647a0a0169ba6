"""Kill -9 at random moments: what is published is whole at each of them, and one run at the end makes all right."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest

from shipfiles.config import ServeConfig
from shipfiles.serve.wsgi import StaticApp
from tests.rolling.trees import Trees

from .commands import COLLECT, PRUNE, VERIFY, Project
from .whole import Visitors, answer, before, check_plain, check_whole, current, digest, not_ours, releases

pytestmark = pytest.mark.services

FILES = 120
VERBS = ("collectstatic", "collectstatic", "collectstatic", "activate", "rollback", "prune", "import", "verify")


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


def test_random_moments(tmp_path: Path) -> None:
    chance = random.Random(int(os.environ.get("SEED", "1")))
    root = tmp_path / "root"
    project = Project(tmp_path, root)
    write(project.source, 0, chance)
    began = time.monotonic()
    project.succeed(*COLLECT)
    length = time.monotonic() - began
    stopped = 0
    for version in range(1, int(os.environ.get("MOMENTS", "12")) + 1):
        write(project.source, version, chance)
        stopped += killed_after(project.start(*COLLECT), chance.uniform(0.1, 1.0) * length)
        if version % 5 == 0:
            check_served(root)
        else:
            check_whole(root)
    assert stopped >= 2, "the runs were over before they were stopped"
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


TURNS = int(os.environ.get("TURNS", "12"))


def test_random_moments_of_every_verb(tmp_path: Path) -> None:
    """Deploys, activations, rollbacks and prunes by turns, each killed: what is recorded is whole, and is served."""
    seed = int(os.environ.get("SEED", "1"))
    chance = random.Random(seed)
    trees = Trees(chance)
    project = Project(tmp_path, tmp_path / "root")
    root = project.root
    lengths: dict[str, float] = {}
    # Of a site that has gone on elsewhere.
    archives = [tmp_path / f"{number}.tar" for number in range(4)]
    for archive in archives:
        trees.following().write(project.source)
        project.succeed(*COLLECT)
        project.succeed("ship", "export", "current", "--to", str(archive))
    shutil.rmtree(root)
    for _ in range(3):
        trees.following().write(project.source)
        project.succeed(*COLLECT)
    visitors = Visitors(root, seed)
    visitors.look()

    def turn(verb: str) -> tuple[str, ...]:
        if verb == "prune":
            visitors.expect_only({current(root), before(root)})
            return PRUNE
        if verb == "activate":
            return ("ship", "activate", chance.choice(sorted(releases(root))))
        if verb == "rollback":
            return ("ship", "rollback")
        if verb == "import":
            return ("ship", "import", str(chance.choice(archives)))
        if verb == "verify":
            # Somebody has deleted a plain copy: no page of ours names it, and a repair has something to do.
            (root / chance.choice(sorted(releases(root)[current(root)]))).unlink(missing_ok=True)
            return ("ship", "verify", "--repair")
        trees.following().write(project.source)
        return COLLECT

    stopped: Counter[str] = Counter()

    def enough() -> bool:
        return stopped["collectstatic"] >= TURNS // 6 and stopped.total() - stopped["collectstatic"] >= TURNS // 3

    with visitors.asking():
        number = 0
        # How many are caught depends on what else the machine does: a run that was slow when it was timed ends in time.
        while number < TURNS or (number < 8 * TURNS and not enough()):
            verb = chance.choice(VERBS)
            began = time.monotonic()
            run = project.start(*turn(verb))
            if verb not in lengths:
                words, _ = run.communicate()
                assert run.returncode == 0, words
                lengths[verb] = time.monotonic() - began
            else:
                # Most of the time passes before anything is done.
                caught = killed_after(run, chance.uniform(0.5, 1.1) * lengths[verb])
                stopped[verb] += caught
                lengths[verb] *= 1 if caught else 0.9
            check_whole(root)
            if verb == "verify":
                # The plain copy that was deleted may be missing still.
                project.succeed(*VERIFY, "--repair")
            project.succeed(*VERIFY)
            visitors.look()
            if number % 10 == 9:
                # Whatever was cut short, the next does not stumble over it.
                project.succeed(*turn("collectstatic"))
                check_plain(root)
                visitors.look()
            number += 1
    assert enough(), f"SEED={seed}: {stopped}"
    for verb in ("verify", "import", "activate", "rollback", "prune"):
        project.succeed(*turn(verb))
        check_whole(root)
        project.succeed(*VERIFY)
    assert not list(root.rglob(".shipfiles-*"))


def test_repairs_that_are_killed(tmp_path: Path) -> None:
    """At no random moment there is a fault that was not there before, and a repair that may end leaves none."""
    chance = random.Random(int(os.environ.get("SEED", "1")))
    root = tmp_path / "root"
    project = Project(tmp_path, root)
    write(project.source, 0, chance)
    project.succeed(*COLLECT)
    whole = contents(root)
    lost = [path for path in whole if not path.startswith((".shipfiles/m", ".shipfiles/r", ".shipfiles/c"))]
    repair = ("ship", "verify", "--repair", "-v0")
    stopped = False
    length = 0.0
    for number in range(12):
        for path in lost:
            (root / path).unlink(missing_ok=True)
            if chance.random() < 0.3:
                # As damage leaves it: bytes of another length in a variant's place may be somebody else's.
                (root / path).write_bytes(chance.choice([b"", whole[path][:-1] + b"?"]))
        before = contents(root)
        began = time.monotonic()
        if number == 0:
            project.succeed(*repair)
            length = time.monotonic() - began
        else:
            stopped |= killed_after(project.start(*repair), chance.uniform(0.3, 1.0) * length)
        for path, body in contents(root).items():
            assert body in (whole[path], before.get(path)), path
    assert stopped, "the runs were over before they were stopped"
    project.succeed(*repair)
    assert contents(root) == whole
    project.succeed("ship", "verify")
    assert not list(root.rglob(".shipfiles-*"))


def contents(root: Path) -> dict[str, bytes]:
    """Path → bytes of all but what runs lock, remember or have not finished."""
    skipped = {".shipfiles/lock", ".shipfiles/swap", ".shipfiles/state.json"}
    files = (path for path in root.rglob("*") if path.is_file() and not path.name.startswith(".shipfiles-"))
    return {key: path.read_bytes() for path in files if (key := str(path.relative_to(root))) not in skipped}
