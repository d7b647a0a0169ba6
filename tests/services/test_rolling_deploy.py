"""Releases follow each other under three servers behind nginx while pages are open: none of them ever lacks a file."""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rolling.client import Clients
from tests.rolling.deployment import SHIPFILES, Deployment, ended, nginx_program
from tests.rolling.trees import Trees

from .whole import before, check_whole, recorded, releases
from .whole import current as current_id

pytestmark = pytest.mark.services

SERVERS = ("gunicorn", "granian", "uvicorn")


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    lacking = [name for name in SERVERS if importlib.util.find_spec(name) is None]
    lacking += [] if nginx_program() else ["nginx"]
    if lacking:
        reason = f"not installed: {', '.join(lacking)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    # One with the middleware, two with the application around Django's.
    made = Deployment(tmp_path / "site", SHIPFILES, SERVERS, around=SERVERS[1:])
    with made.running():
        yield made


def test_no_page_lacks_a_file(deployment: Deployment) -> None:
    seed = int(os.environ.get("SEED", "1"))
    wanted = int(os.environ.get("PAGES", "1000"))
    sys.stdout.write(f"SEED={seed} PAGES={wanted}\n")
    chance = random.Random(seed)
    trees = Trees(chance)
    clients = Clients(deployment.port, trees.made, seed)
    current = trees.following()
    deployment.collect(current)
    deployment.roll(current)
    root = deployment.root(current)
    made = dict.fromkeys(recorded(root), current)
    names: set[str] = set()
    deploys = back = 0
    pruning: subprocess.Popen[str] | None = None
    with clients.loading():
        while clients.pages < wanted or deploys < 5 or not back or made.keys() == recorded(root):
            if deploys == 3 * (back + 1):
                current = made[before(root)]
                deployment.rollback(current)
                assert made[current_id(root)] is current
                back += 1
            else:
                current = trees.following()
                deployment.collect(current)
                made[current_id(root)] = current
                names.update(entry["name"] for entry in releases(root)[current_id(root)].values())
                deploys += 1
            if pruning is not None:
                ended(pruning)
            deployment.roll(current)
            # Beside the next deploy.
            pruning = deployment.begin_prune(current, clients.oldest())
        ended(pruning)
    pruned = len(made.keys() - recorded(root))
    gone = sum(not (root / name).exists() for name in names)
    done = f"{deploys} deploys, {back} rollbacks, {pruned} releases and {gone} of {len(names)} files pruned"
    sys.stdout.write(f"{done}; {clients.summary()}\n")
    seen = clients.counts
    troubles = {what: seen[what] for what in ("missing", "wrong", "error") if seen[what]}
    assert not troubles, f"SEED={seed}: {clients.summary()}\n{deployment.logs()}"
    assert seen["files"] > 4 * seen["pages"]
    assert gone
    check_whole(root)
