"""The lives of stores (`tests/unit/test_release_model.py`, `tests/unit/test_send_model.py`), at random on servers."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Store

from ..unit.test_release_model import Life, few
from ..unit.test_send_model import Sending
from .object_servers import azure_store, google_store, s3_store
from .ssh_server import SshServer, started

pytestmark = pytest.mark.services


@pytest.fixture(params=[Life, Sending], ids=["published", "sent"])
def live(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Lets some stores live: those into which releases are published, and those to which they are sent."""
    kind: type[RuleBasedStateMachine] = request.param

    def run(make_store: Callable[[], Store], *, keeps_fields: bool = True, stores: int = 5) -> None:
        names = {"new_store": lambda self: make_store(), "keeps_fields": keeps_fields}
        run_state_machine_as_test(
            type("OnServer", (kind,), names), settings=few(max_examples=stores if kind is Sending else min(stores, 3))
        )

    return run


def test_on_seaweed(seaweed: str, live: Callable[..., None]) -> None:
    live(lambda: s3_store(seaweed))


def test_on_moto(moto: str, live: Callable[..., None]) -> None:
    live(lambda: s3_store(moto, default_acl="public-read"), stores=2)


def test_on_azurite(azurite: str, live: Callable[..., None]) -> None:
    live(lambda: azure_store(azurite))


def test_on_fake_gcs(fake_gcs: str, live: Callable[..., None]) -> None:
    live(lambda: google_store(fake_gcs))


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with started() as running:
        yield running


def test_on_ssh(server: SshServer, live: Callable[..., None]) -> None:
    """As a user who is not root."""
    assert server.user != "root"
    assert Path(f"/proc/{server.process.pid}").stat().st_uid != 0
    stores: list[Store] = []
    root = server.root(secrets.token_hex(4))

    def make_store() -> Store:
        given = {"config_file": str(server.folder / "config")}
        stores.append(open_store(f"ssh://server{root}/{secrets.token_hex(8)}", "tests", given))
        return stores[-1]

    try:
        live(make_store, keeps_fields=False)
    finally:
        for store in stores:
            store.close()
    owners = {os.stat(path).st_uid for path in root.rglob("*")}
    assert owners
    assert 0 not in owners
