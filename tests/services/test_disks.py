"""A disk that is full, or read-only from one moment to the next: what is published stays whole and served."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.rolling.trees import Trees

from .commands import COLLECT, PRUNE, VERIFY, Project
from .whole import Visitors, check_plain, check_whole, current, releases
from .whole import before as before_that

pytestmark = pytest.mark.services


def remount(disk: Path, how: str) -> bool:
    """Whether the disk could be remounted with the option ``how``: not ``ro`` while a file is open for writing."""
    done = subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], capture_output=True, check=False)
    return done.returncode == 0


def test_full_disk(tmp_path: Path, small_disk: Path) -> None:
    seed = int(os.environ.get("SEED", "1"))
    trees = Trees(random.Random(seed), parts=3, pages=2)
    project = Project(tmp_path, small_disk / "root")
    archive = tmp_path / "another.tar"
    for _ in range(2):
        trees.following().write(project.source)
        project.succeed(*COLLECT)
        if not archive.exists():
            project.succeed("ship", "export", "current", "--to", str(archive))
            shutil.rmtree(project.root)
    visitors = Visitors(project.root, seed)
    visitors.look()
    with visitors.asking():
        while True:
            trees.following().write(project.source)
            before = current(project.root)
            status, words = project.run(*COLLECT)
            check_whole(project.root)
            visitors.look()
            if status:
                break
            assert current(project.root) != before
        assert "no space left on the device" in words
        assert "Traceback" not in words
        assert current(project.root) == before
        assert len(releases(project.root)) >= 2
        # The last byte, too.
        with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        for command in (COLLECT, ("ship", "rollback"), ("ship", "import", str(archive))):
            project.refuse("no space left on the device", *command)
            assert current(project.root) == before
            check_whole(project.root)
        project.succeed(*VERIFY)
        # Of all things this must work now.
        visitors.expect_only({before, before_that(project.root)})
        project.succeed(*PRUNE)
        check_whole(project.root)
        assert releases(project.root).keys() == {before, before_that(project.root)}
        visitors.look()
        # What the failed rollback had begun is put right even by a release that shares nothing with it.
        project.succeed("ship", "activate", before_that(project.root))
        check_plain(project.root)
        project.succeed(*VERIFY)
        assert remount(small_disk, "size=8m")
        project.succeed("ship", "import", str(archive))
        project.succeed(*COLLECT)
        check_whole(project.root)
        check_plain(project.root)


def test_read_only_remount(tmp_path: Path, own_disk: Path) -> None:
    seed = int(os.environ.get("SEED", "1"))
    chance = random.Random(seed)
    trees = Trees(chance)
    project = Project(tmp_path, own_disk / "root")
    for _ in range(3):
        trees.following().write(project.source)
        project.succeed(*COLLECT)
    visitors = Visitors(project.root, seed)
    visitors.look()
    with visitors.asking():
        before = current(project.root)
        trees.following().write(project.source)
        assert remount(own_disk, "ro")
        for command in (COLLECT, ("ship", "rollback"), ("ship", "activate", min(releases(project.root))), PRUNE):
            project.refuse("the file system is read-only", *command)
        project.succeed(*VERIFY)
        visitors.look()
        assert current(project.root) == before
        check_whole(project.root)
        assert remount(own_disk, "rw")
        project.succeed(*COLLECT)
        assert current(project.root) != before
        check_plain(project.root)
        # In the middle of a run the kernel refuses while a file is open for writing, as the lock is; it is asked again
        # and again, so the disk turns at the first moment that it can.
        for command in (COLLECT, COLLECT, ("ship", "rollback"), COLLECT, PRUNE):
            trees.following().write(project.source)
            if command == PRUNE:
                visitors.expect_only({current(project.root), before_that(project.root)})
            run = project.start(*command)
            with suppress(subprocess.TimeoutExpired):
                run.wait(chance.uniform(0.1, 0.8))
            while not remount(own_disk, "ro"):
                pass
            words, _ = run.communicate()
            assert "Traceback" not in words
            check_whole(project.root)
            project.succeed(*VERIFY)
            visitors.look()
            assert remount(own_disk, "rw")
        project.succeed(*COLLECT)
        check_plain(project.root)
