"""Releases follow each other under three servers behind nginx while pages are open: none of them ever lacks a file."""

from __future__ import annotations

import importlib.util
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.rolling.client import Clients
from tests.rolling.deployment import SHIPFILES, Deployment, nginx_program
from tests.rolling.trees import Trees

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
    wanted = int(os.environ.get("PAGES", "2000"))
    sys.stdout.write(f"SEED={seed} PAGES={wanted}\n")
    chance = random.Random(seed)
    trees = Trees(chance)
    clients = Clients(deployment.port, trees.made, seed)
    current = trees.following()
    deployment.collect(current)
    deployment.roll(current)
    deploys = back = 0
    with clients.loading():
        while clients.pages < wanted or deploys < 6 or not back:
            if deploys % 4 == 3 and not back > deploys // 4:
                current = trees.made[current.generation - 1]
                back += 1
            else:
                current = trees.following()
                deploys += 1
            deployment.collect(current)
            deployment.deployed()
            deployment.roll(current)
    sys.stdout.write(f"{deploys} deploys, {back} rollbacks; {clients.summary()}\n")
    seen = clients.counts
    troubles = {what: seen[what] for what in ("missing", "wrong", "error") if seen[what]}
    assert not troubles, f"SEED={seed}: {clients.summary()}\n{deployment.logs()}"
    assert seen["files"] > 4 * seen["pages"]
