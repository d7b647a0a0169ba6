"""``scripts/demo`` itself: it cleans up however it ends, and its check notices what is wrong."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "demo"
pytestmark = pytest.mark.services


class Run:
    """A running demo; its temporary files go to ``folder``, its words to ``log``."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder, self.log = folder / "tmp", folder / "log"
        self.folder.mkdir()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(DEMO / "run.py"), *arguments],
                env=os.environ | {"TMPDIR": str(self.folder), "NO_COLOR": "1"},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        for _ in range(1200):
            if text in self.said():
                return
            assert self.process.poll() is None, self.said()
            time.sleep(0.1)
        pytest.fail(f"not said within two minutes: {text}\n{self.said()}")

    def left_behind(self) -> list[str]:
        """Files and processes that are still there."""
        left = [str(path) for path in self.folder.iterdir()]
        for proc in Path("/proc").glob("[0-9]*"):
            try:
                if str(self.folder).encode() in (proc / "environ").read_bytes():
                    left.append((proc / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return left


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    for package in ("granian", "drf_spectacular", "django_htmx"):
        if importlib.util.find_spec(package) is None:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{package} is not installed")
    return tmp_path


def test_ctrl_c_ends_it_and_leaves_nothing(folder: Path) -> None:
    run = Run(folder)
    run.wait_for("Ctrl-C ends it")
    assert re.search(r"http://127\.0\.0\.1:\d+/", run.said())
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(20) == 0
    assert run.left_behind() == []


@pytest.mark.parametrize("words", ["Preparing the database", "Collecting the static files"])
def test_terminating_it_early_leaves_nothing(folder: Path, words: str) -> None:
    run = Run(folder, "--check")
    run.wait_for(words)
    run.process.send_signal(signal.SIGTERM)
    assert run.process.wait(20) == 128 + signal.SIGTERM
    assert run.left_behind() == []


def test_the_check_notices_what_is_wrong(folder: Path) -> None:
    run = Run(folder)
    try:
        run.wait_for("Ctrl-C ends it")
        (data,) = run.folder.iterdir()
        site, password = (
            re.search(pattern, run.said())[1]  # type: ignore[index]
            for pattern in (r"The site is at (\S+)/ ", r"password (\w+)")
        )
        (script,) = (data / "staticfiles" / "js").glob("clock.????????????.js")
        script.with_name(script.name + ".br").write_bytes(b"not brotli")
        script.write_bytes(script.read_bytes() + b"// not in the source\n")
        code = f"from check import check; raise SystemExit(check({site!r}, 'harbour', {password!r}))"
        environment = {"DEMO_DATA": str(data), "DJANGO_SETTINGS_MODULE": "harbour.settings"}
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=DEMO, env=os.environ | environment, capture_output=True, text=True
        )
    finally:
        run.process.send_signal(signal.SIGINT)
        run.process.wait(20)
    assert done.returncode == 1, done.stdout + done.stderr
    failures = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert failures
    assert all("js/clock." in line for line in failures), failures
