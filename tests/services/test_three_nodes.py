"""SeaweedFS on three nodes with two copies of everything, of which one node is killed."""

from __future__ import annotations

import os
import secrets
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis.stateful import run_state_machine_as_test

from shipfiles.errors import ShipfilesError
from shipfiles.release.catalog import manifest_of, pointer_of, records_of
from shipfiles.release.items import items_of
from shipfiles.release.send import Sent
from shipfiles.stores.store import Store, digest_of, read_all
from shipfiles.testing.store import StoreContract

from ..unit.test_release_model import Between, few, immutable
from ..unit.test_send_model import Sending
from .object_servers import Told, run_folder, s3_store, shared, start_three_seaweeds
from .sites import sent

pytestmark = pytest.mark.services

FILM = os.urandom(12 << 20)


@pytest.fixture(scope="session")
def three_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with shared(run_folder(tmp_path_factory) / "three-nodes", start_three_seaweeds) as told:
        yield told


class TestThreeNodes(StoreContract):
    looks_before_it_copies = False

    @pytest.fixture
    def location(self) -> str:
        return secrets.token_hex(8)

    @pytest.fixture
    def store(self, three_nodes: Told, location: str) -> Store:
        return s3_store(three_nodes["url"], location)

    @pytest.fixture
    def other(self, three_nodes: Told, location: str) -> Store:
        return s3_store(three_nodes["url"], location)


def test_the_life_of_a_store_goes_on(tmp_path: Path) -> None:
    """Stores live as in `tests/unit/test_send_model.py`; a node is killed while a release is sent to one of them."""
    with shared(tmp_path / "nodes", start_three_seaweeds) as told:
        sent: list[str] = []

        def kill() -> None:
            os.kill(told["pids"][2], signal.SIGKILL)
            sent.append("")

        class OnThreeNodes(Sending):
            def new_store(self) -> Store:
                return s3_store(told["url"])

            def send(self, release: str, store: Store | None = None, **options: Any) -> Sent:
                sent.append(release)
                if len(sent) > 4 and "" not in sent:
                    store = Between(store or self.there, 5, kill)
                return super().send(release, store, **options)

        run_state_machine_as_test(OnThreeNodes, settings=few())
        assert len(sent[sent.index("") :]) > 2


def deploy(store: Store, root: Path, pages: int, number: int) -> str:
    """Publish ``pages`` files whose contents have the ``number`` in them, and what they refer to."""
    files = {"film.bin": FILM}
    for page in range(pages):
        files[f"{page}.css"] = f"a {{ background: url(img/{page}.png) }} /* {number} */".encode() * 3
        files[f"img/{page}.png"] = b"%d of %d" % (page, number % (1 + page % 2))
    return sent(store, root, files).release


def check_whole(store: Store, release: str) -> None:
    """Every object of the release is there; plain names, if it is current."""
    pointer = pointer_of(store)
    assert pointer is not None
    for item in items_of(manifest_of(store, records_of(store)[release])):
        if item.hashed or release == pointer.release:
            assert digest_of(store, item.key)[0] == item.digest, item.key


def test_a_node_is_killed_in_the_middle(tmp_path: Path) -> None:
    """Of sending, of reading much, and of reading one long body: all of it ends whole."""
    with shared(tmp_path / "nodes", start_three_seaweeds) as told:
        store = s3_store(told["url"])
        first = deploy(store, tmp_path / "first", 20, 1)
        kept = immutable(store, records_of(store)[first])
        film = manifest_of(store, records_of(store)[first]).entries["film.bin"].name
        held = {
            number: sum(path.stat().st_size for path in (tmp_path / f"nodes/data{number}").glob("*.dat"))
            for number in (2, 3)
        }
        victim = max(held, key=lambda number: held[number])
        assert held[victim] >= len(FILM) / 2  # each half of a copy is on one of the two
        killed, stop = threading.Event(), threading.Event()
        reads = {True: 0, False: 0}
        faults: list[ShipfilesError | AssertionError] = []

        def read_on() -> None:
            try:
                while not stop.is_set():
                    for key, digest in kept.items():
                        before = killed.is_set()
                        assert digest_of(store, key)[0] == digest
                        reads[before] += 1
            except (ShipfilesError, AssertionError) as fault:
                faults.append(fault)

        def kill() -> None:
            body = store.read(film)
            begun = next(body)
            os.kill(told["pids"][victim - 1], signal.SIGKILL)
            killed.set()
            assert begun + b"".join(body) == FILM

        reader = threading.Thread(target=read_on)
        reader.start()
        try:
            between = Between(store, 40, kill)
            second = deploy(between, tmp_path / "second", 40, 2)
        finally:
            stop.set()
            reader.join()
        assert between.left < 0
        assert faults == []
        assert all(count > 20 for count in reads.values())
        pointer = pointer_of(store)
        assert pointer is not None
        assert pointer.release == second
        for release in (first, second):
            check_whole(store, release)
        # Nothing of the node is needed from now on, either.
        again = deploy(store, tmp_path / "again", 40, 3)
        check_whole(store, again)
        assert store.swap("counter", None, b"1")
        assert read_all(store, "counter") == b"1"
