"""Uploads over a bad line: each ends right or with an error that is true, none is lost, and none is there twice."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.files.base import ContentFile

from shipfiles.errors import StoreError

from .asked import BREAK, CUT, INTERNAL, LOSE, MUTE, REFUSE, SLOW_DOWN, STALL, Fault, From, Share
from .media_places import MIB, NAME, body, check_whole, digest, read, s3_options, storage_in, stored
from .object_servers import S3_KEY
from .proxy import Proxy, proxied
from .sent_sites import BUCKET

pytestmark = pytest.mark.services

FAULTS = {
    "503": {SLOW_DOWN: 0.1}, "lost": {LOSE: 0.1},
    "others": {INTERNAL: 0.02, REFUSE: 0.03, BREAK: 0.03, CUT: 0.03},
}  # fmt: skip
SIZES = [12 * MIB if i == 7 else 2 * MIB if i % 10 == 3 else 1000 for i in range(24)]


@pytest.fixture(scope="module")
def line(seaweed: str) -> Iterator[Proxy]:
    with proxied(seaweed) as made:
        yield made


@pytest.fixture
def way(line: Proxy) -> Iterator[Proxy]:
    """The way to the store; without faults at the end."""
    line.clear()
    yield line
    line.plan = None


def pair(way: Proxy, seaweed: str, **limits: float) -> tuple[Any, Any]:
    """A storage behind the bad line, and the same beside it."""
    place = f"s3://{BUCKET}/{secrets.token_hex(8)}"
    return (
        storage_in(place, store_options=s3_options(way.url, **limits)),
        storage_in(place, store_options=s3_options(seaweed)),
    )


def save_all(storage: Any, sizes: list[int]) -> tuple[dict[str, str], list[StoreError]]:
    """What was acknowledged, name → digest, and what went wrong."""

    def save(number: int) -> tuple[str, str] | StoreError:
        content = body(number, sizes[number])
        try:
            return storage.save(NAME, ContentFile(content)), digest(content)
        except StoreError as error:
            return error

    with ThreadPoolExecutor(12) as pool:
        done = list(pool.map(save, range(len(sizes))))
    saved = dict(found for found in done if not isinstance(found, StoreError))
    errors = [found for found in done if isinstance(found, StoreError)]
    assert len(saved) + len(errors) == len(sizes), "two were told the same name"
    for error in errors:
        assert S3_KEY["secret_key"] not in str(error)
        assert NAME.rpartition("/")[0] in str(error)
    return saved, errors


@pytest.mark.parametrize("faults", FAULTS)
def test_a_tenth_of_the_requests_fails(way: Proxy, seaweed: str, faults: str) -> None:
    storage, direct = pair(way, seaweed)
    way.plan = Share(FAULTS[faults])
    saved, errors = save_all(storage, SIZES)
    assert not errors
    assert sum(bool(asked.fault) for asked in way.asked) >= 2
    # None twice: an answer that is lost is no reason for another name.
    found = check_whole(direct, saved, [digest(body(i, size)) for i, size in enumerate(SIZES)])
    assert found == saved.keys()
    with ThreadPoolExecutor(12) as pool:
        names = sorted(saved)
        assert list(pool.map(lambda name: digest(read(storage, name)), names)) == [saved[name] for name in names]
    assert set(stored(storage)) == saved.keys()


@pytest.mark.parametrize("fault", [STALL, MUTE], ids=lambda fault: fault.kind)
def test_connections_on_which_nothing_comes(way: Proxy, seaweed: str, fault: Fault) -> None:
    storage, direct = pair(way, seaweed, request=0.7)
    # Not a share of the requests: names are random, and of so few none may be drawn.
    way.plan = lambda asked: fault if asked.number % 9 == 5 and asked.attempt == 1 else None
    sizes = SIZES[:20]
    saved, errors = save_all(storage, sizes)
    assert not errors
    assert any(asked.fault for asked in way.asked)
    found = check_whole(direct, saved, [digest(body(i, size)) for i, size in enumerate(sizes)])
    assert found == saved.keys()
    names = sorted(saved)
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(lambda name: digest(read(storage, name)), names)) == [saved[name] for name in names]


@pytest.mark.parametrize("fault", [SLOW_DOWN, REFUSE, LOSE], ids=["503", "reset", "lost"])
@pytest.mark.parametrize("first", [1, 3])
def test_the_store_is_lost(way: Proxy, seaweed: str, fault: Fault, first: int) -> None:
    """Errors are told, and what they are about may be there once, or not; nothing else is lost."""
    storage, direct = pair(way, seaweed, retries=1, total=2)
    sizes = [1000, 1000, 12 * MIB]
    way.clear()
    way.plan = From(fault, first)
    saved, errors = save_all(storage, sizes)
    assert errors
    check_whole(direct, saved, [digest(body(i, size)) for i, size in enumerate(sizes)])
    with pytest.raises(StoreError):
        storage.exists(NAME)
    with pytest.raises(StoreError):
        storage.open(NAME)


def test_a_read_that_breaks_for_good(way: Proxy, seaweed: str) -> None:
    storage, direct = pair(way, seaweed, retries=1, total=2)
    name = direct.save(NAME, ContentFile(body(1, 12 * MIB)))
    way.clear()
    with storage.open(name) as file:
        start = file.read(100)
        assert start == body(1, 12 * MIB)[:100]
        way.plan = From(CUT)
        # Less than all of it is never taken for all of it.
        with pytest.raises((StoreError, OSError)):
            file.read()
    way.plan = None
    assert digest(read(storage, name)) == digest(body(1, 12 * MIB))
