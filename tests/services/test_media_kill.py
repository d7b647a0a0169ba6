"""Kill -9 during uploads: no half of one is ever seen, what was acknowledged is whole, and leftovers can be removed."""

from __future__ import annotations

import importlib.util
import os
import random
import secrets
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation

from shipfiles.stores import s3_objects
from shipfiles.stores.store import Sweeps
from tests.oracles.corpora import missing

from . import media_savers
from .media_places import MIB, body, check_whole, digest, s3_options, storage_in, stored
from .proxy import Proxy, proxied
from .senders import Killing, Sender
from .sent_sites import BUCKET, looked_at

pytestmark = pytest.mark.services

SIZES = [1000, 1000, 6 * MIB, 6 * MIB]
"""Of one name: a small and a large one, each with the name free and taken."""
ROUNDS = int(os.environ.get("MEDIA_KILL_ROUNDS", "4"))
STEP = 1 if "MEDIA_KILL_ROUNDS" in os.environ else 8
"""Of the requests of a large upload so many are passed by between two at which its process is killed."""


@pytest.fixture(scope="module")
def saver() -> Iterator[Sender]:
    with Sender(module=media_savers.MODULE) as made:
        yield made


@pytest.fixture(scope="module")
def client(seaweed: str) -> Iterator[Any]:
    """Another's client, which sees what storages hide."""
    if importlib.util.find_spec("boto3") is None:
        missing("boto3 is not installed")
    with looked_at(seaweed) as made:
        yield made


@pytest.fixture(scope="module")
def way(seaweed: str) -> Iterator[Proxy]:
    with proxied(seaweed) as made:
        yield made


@pytest.mark.parametrize("unheard", [False, True], ids=["answered", "asked"])
@pytest.mark.parametrize("sizes", [SIZES[:2], SIZES[2:]], ids=["small", "large"])
def test_at_every_request(
    saver: Sender,
    way: Proxy,
    seaweed: str,
    client: Any,
    sizes: list[int],
    unheard: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # What is so young might be another's, who is alive.
    monkeypatch.setattr(s3_objects, "_LEFT_OVER", -60.0)
    digests = [digest(body(i, size)) for i, size in enumerate(sizes)]
    for last in range(1, 100) if sizes[0] < MIB else range(1 + STEP // 2 * unheard, 100, STEP):
        location = secrets.token_hex(8)
        killing = Killing(way, last, unheard=unheard)
        run = saver.start(place=f"s3://{BUCKET}/{location}", store_options=s3_options(way.url), sizes=sizes)
        killing.pid = run.pid
        ended = run.end()
        killing.over()
        storage = storage_in(f"s3://{BUCKET}/{location}", store_options=s3_options(seaweed))
        found = check_whole(storage, dict(media_savers.saved(ended)), digests)
        check_leftovers(storage, lambda place=location: keys_in(client, place), found)
        if ended.status == 0:
            assert len(media_savers.saved(ended)) == len(found) == len(sizes)
            break
        assert ended.status == -signal.SIGKILL, ended.words
    else:
        pytest.fail("it never got to its end")
    assert last > len(sizes)


def keys_in(client: Any, location: str) -> set[str]:
    """All keys of a folder of the bucket. The parts of uploads that did not end are none, and the bucket's affair."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=location + "/")
    return {there["Key"].removeprefix(location + "/") for page in pages for there in page.get("Contents", ())}


def check_leftovers(storage: Any, look: Any, found: set[str]) -> None:
    """What is there beside what can be seen goes away, and nothing else does."""
    before = look()
    assert found <= before
    for key in before - found:
        assert not can_be_seen(storage, key), key
    assert isinstance(storage.store, Sweeps)
    assert storage.store.sweep() == len(before - found)
    assert look() == found
    assert set(stored(storage)) == found


def can_be_seen(storage: Any, name: str) -> bool:
    """Whether anybody gets at it who knows its name."""
    try:
        storage.open(name).close()
    except FileNotFoundError:
        return bool(storage.exists(name))
    except SuspiciousFileOperation:
        return False
    return True


@pytest.mark.parametrize(("size", "count"), [(3000, 400), (2 * MIB, 24)])
def test_at_random_moments_on_disk(saver: Sender, tmp_path: Path, size: int, count: int) -> None:
    chance = random.Random(int(os.environ.get("SEED", "1")))
    stopped = gone_on = 0
    for number in range(ROUNDS):
        if number % 4 == 0:
            root = tmp_path / str(number)
            photos = root / "photos"
            photos.mkdir(parents=True)
            acknowledged: dict[str, str] = {}
            given: list[str] = []
        first = number * count
        before = len(os.listdir(photos))
        run = saver.start(place=str(root), sizes=[size], again=count, first=first, threads=4)
        # Some time after so many files have come, whole or not.
        wait_for(photos, before + chance.randint(0, count // 3))
        time.sleep(chance.uniform(0, 0.01))
        with suppress(ProcessLookupError):
            os.kill(run.pid, signal.SIGKILL)
        ended = run.end()
        stopped += ended.status != 0
        gone_on += bool(media_savers.saved(ended))
        acknowledged.update(media_savers.saved(ended))
        given += [digest(body(i, size)) for i in range(first, first + count)]
        storage = storage_in(str(root))
        found = check_whole(storage, acknowledged, given)
        if number % 4 == 3:
            check_leftovers(storage, lambda root=root: on_disk(root), found)
    assert stopped, "the runs were over before they were stopped"
    assert gone_on, "none got anywhere"


def wait_for(folder: Path, count: int) -> None:
    """Wait until so many files are there."""
    end = time.monotonic() + 20
    while len(os.listdir(folder)) < count:
        assert time.monotonic() < end
        time.sleep(0.001)


def on_disk(root: Path) -> set[str]:
    """All files of a folder, but for those that are there to be locked."""
    files = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    return files - {".shipfiles/lock", ".shipfiles/swap"}
