"""A disk that is full, or read-only from one moment to the next: what is published stays whole and served."""

from __future__ import annotations

import os
import random
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.rolling.trees import Trees

from .commands import COLLECT, Project
from .whole import Visitors, check_plain, check_whole, current, releases

pytestmark = pytest.mark.services


def remount(disk: Path, how: str) -> bool:
    """Whether the disk could be remounted with the option ``how``: not ``ro`` while a file is open for writing."""
    done = subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], capture_output=True, check=False)
    return done.returncode == 0


def test_full_disk(tmp_path: Path, small_disk: Path) -> None:
    seed = int(os.environ.get("SEED", "1"))
    trees = Trees(random.Random(seed), parts=3, pages=2)
    project = Project(tmp_path, small_disk / "root")
    trees.following().write(project.source)
    project.succeed(*COLLECT)
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
        project.refuse("no space left on the device", *COLLECT)
        assert current(project.root) == before
        check_whole(project.root)
        assert remount(small_disk, "size=8m")
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
        project.refuse("the file system is read-only", *COLLECT)
        visitors.look()
        assert current(project.root) == before
        check_whole(project.root)
        assert remount(own_disk, "rw")
        project.succeed(*COLLECT)
        assert current(project.root) != before
        check_plain(project.root)
        # In the middle of a run the kernel refuses while a file is open for writing, as the lock is; it is asked again
        # and again, so the disk turns at the first moment that it can.
        for _ in range(5):
            trees.following().write(project.source)
            run = project.start(*COLLECT)
            with suppress(subprocess.TimeoutExpired):
                run.wait(chance.uniform(0.1, 0.8))
            while not remount(own_disk, "ro"):
                pass
            words, _ = run.communicate()
            assert "Traceback" not in words
            check_whole(project.root)
            visitors.look()
            assert remount(own_disk, "rw")
        project.succeed(*COLLECT)
        check_plain(project.root)
