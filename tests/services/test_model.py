"""The life of a store (`tests/unit/test_release_model.py`), driven at random on servers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis.stateful import run_state_machine_as_test

from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Store

from ..unit.test_release_model import Life, few
from .object_servers import azure_store, google_store, s3_store
from .ssh_server import SshServer, started

pytestmark = pytest.mark.services


def live(make_store: Callable[[], Store]) -> None:
    """Let some stores live."""

    class OnServer(Life):
        def new_store(self) -> Store:
            return make_store()

    run_state_machine_as_test(OnServer, settings=few())


def test_on_seaweed(seaweed: str) -> None:
    live(lambda: s3_store(seaweed))


def test_on_moto(moto: str) -> None:
    live(lambda: s3_store(moto, default_acl="public-read"))


def test_on_azurite(azurite: str) -> None:
    live(lambda: azure_store(azurite))


def test_on_fake_gcs(fake_gcs: str) -> None:
    live(lambda: google_store(fake_gcs))


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with started() as running:
        yield running


def test_on_ssh(server: SshServer) -> None:
    """As a user who is not root."""
    assert server.user != "root"
    assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0
    stores: list[Store] = []
    root = server.root("model")

    def make_store() -> Store:
        given = {"config_file": str(server.folder / "config")}
        stores.append(open_store(f"ssh://server{root}/{secrets.token_hex(8)}", "tests", given))
        return stores[-1]

    try:
        live(make_store)
    finally:
        for store in stores:
            store.close()
    owners = {os.stat(path).st_uid for path in root.rglob("*")}
    assert owners
    assert 0 not in owners
