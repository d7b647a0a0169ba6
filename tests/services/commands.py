"""A project of its own process for every command, as people run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.django.test_collectstatic import MANAGE, SETTINGS

COLLECT = ("collectstatic", "--noinput", "-v0")
VERIFY = ("ship", "verify", "-v0")
PRUNE = ("ship", "prune", "--keep", "0", "--younger-than", "0s", "--noinput")


class Project:
    """A Django project in ``folder``: sources in ``src``, releases in ``root``."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.source = folder / "src"
        self.root = root
        self.source.mkdir()
        (folder / "project_settings.py").write_text(f"{SETTINGS}STATIC_ROOT = {str(root)!r}\n")

    def environment(self) -> dict[str, str]:
        """What the process of a command needs to know."""
        places = [str(self.folder), str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
        # A prune takes every file for finished. The time at which it does is rounded down to a whole second.
        names = {"DJANGO_SETTINGS_MODULE": "project_settings", "GRACE": "-1", "PYTHONPATH": os.pathsep.join(places)}
        return {**os.environ, **names}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a management command."""
        program = ["-m", "tests.rolling.impatient"] if "prune" in arguments else ["-c", MANAGE]
        command = [sys.executable, *program, *arguments]
        return subprocess.Popen(
            command,
            env=self.environment(),
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str]:
        """Status and words of a command that is let be."""
        process = self.start(*arguments)
        words, _ = process.communicate(timeout=120)
        return process.returncode, words

    def succeed(self, *arguments: str) -> str:
        """The words of a command that must do what it was asked for."""
        status, words = self.run(*arguments)
        assert status == 0, words
        return words

    def refuse(self, reason: str, *arguments: str) -> None:
        """Run a command that must fail for ``reason``, and say so as to a person."""
        status, words = self.run(*arguments)
        assert status != 0, words
        assert reason in words, words
        assert "Traceback" not in words
