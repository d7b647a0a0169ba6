"""Kill -9 before every single change that a command makes: what is published is whole after each, and served.

Before one of sixteen and those that matter most, unless STRIDE=1 has all tried.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from shipfiles.config import ServeConfig
from shipfiles.serve.wsgi import StaticApp
from tests.rolling.trees import Trees

from .commands import COLLECT, PRUNE, VERIFY, Project
from .steps import Forks
from .whole import answer, before, check_plain, check_whole, current, digest, not_ours, releases

pytestmark = pytest.mark.services


class Site:
    """A site with three releases, which can be had again as it was; a fourth one is in an archive and in ``src``."""

    def __init__(self, folder: Path) -> None:
        self.project = Project(folder, folder / "root")
        self.root = self.project.root
        self.ids: list[str] = []
        """Of the four releases."""
        self._archive = folder / "release.tar"
        self._asis = folder / "as it was"
        self._trees = Trees(random.Random(1), parts=1, pages=1)
        self.forks = Forks(str(folder), str(self.root), self.project.environment())

    def fill(self) -> None:
        """Make the releases."""
        for generation in range(4):
            self._trees.following()
            self._write(generation)
            self.forks.succeed(*COLLECT)
            self.ids.append(current(self.root))
        self.forks.succeed("ship", "export", self.ids[3], "--to", str(self._archive))
        shutil.rmtree(self.root)
        for generation in range(3):
            self._write(generation)
            self.forks.succeed(*COLLECT)
        self.root.rename(self._asis)

    def named(self, command: tuple[str, ...]) -> list[str]:
        """``command`` with what its words in braces stand for."""
        return [part.format(first=self.ids[0], archive=self._archive) for part in command]

    def as_it_was(self) -> None:
        """The third release is current, and nothing is under way."""
        shutil.rmtree(self.root, ignore_errors=True)
        # With its hard links.
        subprocess.run(["cp", "-a", str(self._asis), str(self.root)], check=True)
        self._write(2)
        # Remembers what there is, as after any run.
        self.forks.succeed(*COLLECT)
        self._write(3)

    def _write(self, generation: int) -> None:
        self._trees.made[generation].write(self.project.source)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    with made.forks:
        made.fill()
        yield made


def visit(app: StaticApp, root: Path, wanted: set[str]) -> None:
    """The process ``app`` answers every name of the releases ``wanted`` with the right bytes."""
    for release, files in releases(root).items():
        for entry in files.values() if release in wanted else ():
            for coding in ("identity", *entry.get("codings", ())):
                status, body = answer(app, entry["name"], coding)
                assert (status, digest(body)) == (200, entry["digest"]), entry["name"]


def start(root: Path) -> StaticApp:
    """A process that uses the current release."""
    return StaticApp(not_ours, root=str(root), prefix="/static/", config=ServeConfig())


# What a command must have been stopped before, among all else that it changes.
HASHED = r"css/page0\.[0-9a-f]{12}\.css"
STEPS = {
    COLLECT: (
        r"open css/\.shipfiles-", rf"os\.(link|rename) {HASHED}$", r"os.rename css/page0\.css$",
        r"os.remove css/page0\.css\.br", r"os.rename \.shipfiles/manifests/", r"os.rename \.shipfiles/releases/",
        r"os.rename \.shipfiles/current\.json", r"os.rename staticfiles\.json", r"os.rename \.shipfiles/state\.json",
    ),
    ("ship", "activate", "{first}"): (
        r"os.rename css/page0\.css$", r"os.rename \.shipfiles/current\.json", r"os.rename staticfiles\.json",
    ),
    ("ship", "rollback"): (
        r"os.rename css/page0\.css$", r"os.rename \.shipfiles/current\.json", r"os.rename staticfiles\.json",
    ),
    PRUNE: (r"os.remove \.shipfiles/releases/", rf"os.remove {HASHED}$", r"os.remove \.shipfiles/manifests/"),
    ("ship", "import", "{archive}"): (
        rf"os.link {HASHED}$", r"os.rename \.shipfiles/manifests/", r"os.link \.shipfiles/releases/",
    ),
}  # fmt: skip
"""Command → patterns of steps."""


# The release that is current after each; that of the archive is not made so.
AFTER = {"collectstatic": 3, "activate": 0, "rollback": 1, "prune": 2, "import": 2}


STRIDE = int(os.environ.get("STRIDE", "16"))
"""Of so many steps of a command one is tried, beside those that it must have been stopped before; 1 tries all."""


def tried(site: Site, command: tuple[str, ...]) -> list[int]:
    """The numbers of the steps before which a run is to be killed, and one more, before which it ends."""
    site.as_it_was()
    run = site.forks.run(*site.named(command), kill_at=1_000_000)
    assert run.status == 0, run.words
    firsts = {
        next((number for number, step in enumerate(run.steps, 1) if re.match(pattern, step)), 1)
        for pattern in STEPS[command]
    }
    return [*sorted({*firsts, *range(1, len(run.steps) + 1, STRIDE)}), 1_000_000]


@pytest.mark.parametrize("command", STEPS, ids=" ".join)
def test_every_step(site: Site, command: tuple[str, ...]) -> None:
    verb = next(word for word in command if word != "ship")
    seen: set[str] = set()
    for number in tried(site, command):
        site.as_it_was()
        was, open_since = current(site.root), start(site.root)
        stay = {was, before(site.root)} if verb == "prune" else {*releases(site.root)}
        run = site.forks.run(*site.named(command), kill_at=number)
        assert run.steps, run.words
        last = run.steps[-1]
        seen.add(last)
        check_whole(site.root)
        site.forks.succeed(*VERIFY)
        assert stay <= {*releases(site.root)}, last
        for app in (open_since, start(site.root)):
            visit(app, site.root, stay | {current(site.root)})
        if run.status == 0:
            break
        assert run.status == -signal.SIGKILL, run.words
        assert current(site.root) in (was, site.ids[AFTER[verb]]), last
        # Whatever was cut short, the next does not stumble over it.
        site.forks.succeed(*site.named(command if verb == "activate" else COLLECT))
        check_whole(site.root)
        check_plain(site.root)
        assert current(site.root) == site.ids[0 if verb == "activate" else 3]
        assert not list(site.root.rglob(".shipfiles-*")), last
    assert current(site.root) == site.ids[AFTER[verb]]
    for step in STEPS[command]:
        assert any(re.match(step, one) for one in seen), f"{step} is none of {sorted(seen)}"
