"""Many save under one name at the same time: each gets a name of its own, with its own bytes behind it."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile

from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.opening import open_store

from . import media_savers
from .media_places import ALTERNATIVE, MIB, NAME, body, digest, read, s3_options, storage_in, stored
from .object_servers import azure_store, google_store, s3_store
from .senders import Sender
from .ssh_server import SshServer, started

pytestmark = pytest.mark.services

AT_ONCE = 64
ROUNDS = int(os.environ.get("MEDIA_RACE_ROUNDS", "2"))
LARGE = 6 * MIB
"""More than a part of an upload."""
SIZES = {
    "small": [1000] * AT_ONCE,
    "mixed": [LARGE if i % 32 == 3 else 50_000 if i % 4 else 0 for i in range(AT_ONCE)],
}
PLACES = ("disk", "memory", "s3", "azure", "google", "ssh")


@pytest.fixture(scope="module")
def server() -> Iterator[SshServer]:
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def saver() -> Iterator[Sender]:
    with Sender(module=media_savers.MODULE) as made:
        yield made


@pytest.fixture
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A place where nothing is."""
    if request.param == "disk":
        yield str(tmp_path / "media")
    elif request.param == "memory":
        yield MemoryStore()
    elif request.param == "ssh":
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        server = request.getfixturevalue("server")
        options = {"config_file": str(server.folder / "config")}
        opened: Any = open_store(f"ssh://server{server.root(secrets.token_hex(4))}/media", "tests", options)
        yield opened
        opened.close()
    else:
        opens, fixture = {
            "s3": (s3_store, "seaweed"), "azure": (azure_store, "azurite"), "google": (google_store, "fake_gcs"),
        }[request.param]  # fmt: skip
        yield opens(request.getfixturevalue(fixture))


@pytest.mark.parametrize(
    ("store", "sizes"),
    # Of large uploads fake-gcs-server does not look at the condition, as Google does.
    [(place, sizes) for place in PLACES for sizes in SIZES if (place, sizes) != ("google", "mixed")],
    indirect=["store"],
)
def test_threads(store: Any, sizes: str) -> None:
    storage = storage_in(store)
    # SeaweedFS lets those who put one key at a time wait for seconds, and the servers are slow with large bodies.
    slow = sizes == "mixed" or str(store).startswith("s3:")
    for number in range(max(1, ROUNDS // 4) if slow and ROUNDS < 20 else ROUNDS):
        name = f"{number}/{NAME}"
        bodies = [body(i, size) for i, size in enumerate(SIZES[sizes])]
        together = threading.Barrier(AT_ONCE)

        def save(content: bytes, name: str = name, together: threading.Barrier = together) -> str:
            together.wait()
            return str(storage.save(name, ContentFile(content)))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            names = list(pool.map(save, bodies))
        check(storage, f"{number}/", list(zip(names, map(digest, bodies), strict=True)), name)


def check(storage: Any, folder: str, saved: list[tuple[str, str]], name: str) -> None:
    """All have names of their own, of Django's form, one that which was asked for; and there is no more than that."""
    names = {name for name, _ in saved}
    assert len(saved) == len(names) == AT_ONCE
    assert name in names
    for got in names:
        assert ALTERNATIVE.fullmatch(got.removeprefix(folder)), got
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda pair: digest(read(storage, pair[0])), saved)
    assert list(found) == [wanted for _, wanted in saved]
    assert set(stored(storage, folder.rstrip("/"))) == names


@pytest.mark.parametrize(("place", "sizes"), [("disk", "small"), ("disk", "mixed"), ("s3", "mixed")])
def test_processes(request: pytest.FixtureRequest, saver: Sender, tmp_path: Path, place: str, sizes: str) -> None:
    for _ in range(max(1, ROUNDS // 2)):
        task: dict[str, Any] = {"place": str(tmp_path / secrets.token_hex(4))}
        if place == "s3":
            options = s3_options(request.getfixturevalue("seaweed"))
            task = {"place": f"s3://bucket/{secrets.token_hex(8)}", "store_options": options}
        ended = saver.run(**task, sizes=SIZES[sizes], processes=4, threads=16)
        assert ended.status == 0, ended.words
        storage = storage_in(**{"store" if name == "place" else name: value for name, value in task.items()})
        check(storage, "", media_savers.saved(ended), NAME)
