"""Parts and folders of SeaweedFS, Azurite and fake-gcs-server: requests, and the bytes that travel."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from shipfiles.stores.store import Folders, Parts, Store
from tests.spans import check_folders, check_parts

from .asked import CUT, Next
from .object_servers import azure_store, google_store, s3_store
from .proxy import Proxy, proxied

pytestmark = pytest.mark.services

MIB = 1 << 20
OPENED = {"seaweed": s3_store, "azurite": azure_store, "fake_gcs": google_store}


@pytest.fixture(params=OPENED)
def counted(request: pytest.FixtureRequest) -> Iterator[tuple[Proxy, Store]]:
    """What counts requests, and a store behind it."""
    with proxied(request.getfixturevalue(request.param)) as way:
        yield way, OPENED[request.param](way.url, secrets.token_hex(8))


def test_any_part_and_folder(counted: tuple[Proxy, Store]) -> None:
    check_parts(counted[1], 60)
    check_folders(counted[1], 30)


def test_what_a_part_costs(counted: tuple[Proxy, Store]) -> None:
    way, store = counted
    assert isinstance(store, Parts)
    body = os.urandom(30 * MIB)
    store.put("film", body)
    store.put("empty", b"")
    store.head("film")
    way.clear()
    # A few bytes of a large object.
    part = store.read_part("film", 20 * MIB, 20 * MIB + 10)
    assert b"".join(part.body) == body[20 * MIB : 20 * MIB + 10]
    assert part.stored.size == len(body)
    (asked,) = way.asked
    assert (asked.kind, asked.status) == ("get", 206)
    assert asked.answered < 4096
    # Its beginning, of a stream to its end that nobody reads on: what is under way between two programs travels.
    way.clear()
    stream = store.read_part("film").body
    assert body.startswith(next(stream))
    stream.close()  # type: ignore[attr-defined]
    assert b"".join(store.read_part("film", 1, 3).body) == body[1:3]
    assert [asked.kind for asked in way.asked] == ["get", "get"]
    assert way.asked[0].answered < 20 * MIB
    # Where there is nothing.
    for key, start, stop, most in (
        ("empty", 0, 10, 2),
        ("film", 31 * MIB, None, 2),
        ("film", 7, 7, 1),
        ("empty", 0, None, 1),
    ):
        way.clear()
        assert list(store.read_part(key, start, stop).body) == []
        assert len([asked for asked in way.asked if asked.status]) <= most  # a server may hang up behind an error


def test_a_part_whose_connection_breaks(counted: tuple[Proxy, Store]) -> None:
    way, store = counted
    assert isinstance(store, Parts)
    body = os.urandom(5 * MIB)
    store.put("film", body)
    way.plan = fault = Next(CUT, "GET")
    for start, stop in ((5, 4 * MIB), (MIB, None), (0, None)):
        fault.left = 1
        part = store.read_part("film", start, stop)
        assert b"".join(part.body) == body[start:stop]
        assert fault.left < 0


def test_a_folder_of_more_names_than_an_answer_has(seaweed: str) -> None:
    names = [f"{number:04}" for number in range(1001)]
    with proxied(seaweed) as way:
        store = s3_store(way.url)
        assert isinstance(store, Folders)
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda name: store.put(f"a/{name}", b""), names))
            list(pool.map(lambda name: store.put(f"b/{name}/{name}/c", b""), names[:20]))
        way.clear()
        assert store.folder("a/") == ([], names)
        assert len(way.asked) == 2
        assert store.folder("b/") == (names[:20], [])
        assert len(way.asked) == 3
