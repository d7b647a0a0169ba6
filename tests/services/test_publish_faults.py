"""Releases on their way to stores while requests fail, processes are killed and others publish too.

Each ends with the release complete, or with an error that is true and names a key, and the old release whole. What is
in SeaweedFS is looked at by boto3.
"""

from __future__ import annotations

import importlib.util
import os
import re
import secrets
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.oracles.corpora import missing

from .asked import (
    BREAK,
    CUT,
    INTERNAL,
    LOSE,
    MUTE,
    REFUSE,
    REVOKED,
    SKEWED,
    SLOW_DOWN,
    STALL,
    TOO_MANY,
    Asked,
    Fault,
    From,
    Share,
)
from .object_servers import ACCOUNT, ACCOUNT_KEY, S3_KEY, azure_store, google_store
from .proxy import Proxy, proxied
from .senders import Ended, Killing, Sender
from .sent_sites import Behind, Bucket, Releases, looked_at, pointer

pytestmark = pytest.mark.services

MANY = 60
"""Images and style sheets of the larger site, each."""


@pytest.fixture(scope="module")
def sender() -> Iterator[Sender]:
    with Sender() as made:
        yield made


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(tmp_path_factory.mktemp("large"), MANY)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Releases:
    return Releases(tmp_path_factory.mktemp("small"), 4)


@pytest.fixture(scope="module")
def client(seaweed: str) -> Iterator[Any]:
    if importlib.util.find_spec("boto3") is None:
        missing("boto3 is not installed")
    with looked_at(seaweed) as made:
        yield made


@pytest.fixture(scope="module")
def line(seaweed: str) -> Iterator[Proxy]:
    with proxied(seaweed) as made:
        yield made


@pytest.fixture
def way(line: Proxy) -> Proxy:
    """The way to the store, without faults."""
    line.plan = line.heard = None
    line.freeze(False)
    line.set()
    line.clear()
    return line


@pytest.fixture
def bucket(client: Any) -> Bucket:
    """A folder that nobody else has."""
    return Bucket(client, secrets.token_hex(8))


def task(releases: Releases, release: str, way: Proxy, bucket: Bucket, **more: Any) -> dict[str, Any]:
    """What a `Sender` needs to send the ``release``; ``more`` are limits, or ``at_once``."""
    at_once, limit = more.pop("at_once", 64), more.get("total", 60.0)
    limits = {"request": 20.0, **more}
    options = {**S3_KEY, "endpoint_url": way.url, "limits": limits}
    return {
        "source": str(releases.root), "release": release, "place": bucket.place, "options": options,
        "at_once": at_once, "limit": limit,
    }  # fmt: skip


def succeed(sender: Sender, **task: Any) -> Ended:
    ended = sender.run(**task)
    assert ended.status == 0, ended.words
    return ended


def check_told(ended: Ended, *words: str) -> None:
    """It failed as a command fails, says so in ``words``, and names a key."""
    assert ended.status == 1, ended.words
    assert "Traceback" not in ended.words
    for word in words:
        assert word in ended.words
    assert re.search(r"css/|img/|new\d\.|\.shipfiles/", ended.words), ended.words
    assert S3_KEY["secret_key"] not in ended.words


# What passes


FAULTS = {
    "503": {SLOW_DOWN: 0.1}, "429": {TOO_MANY: 0.1}, "500": {INTERNAL: 0.1}, "reset-before-the-body": {REFUSE: 0.1},
    "reset-in-the-body": {BREAK: 0.1}, "answer-lost": {LOSE: 0.1}, "answer-cut": {CUT: 0.1},
    "all": {SLOW_DOWN: 0.03, INTERNAL: 0.03, REFUSE: 0.03, BREAK: 0.03, LOSE: 0.03, CUT: 0.03},
}  # fmt: skip


@pytest.mark.parametrize("seed", range(1, 1 + int(os.environ.get("SEEDS", "1"))))
@pytest.mark.parametrize("faults", FAULTS)
def test_a_tenth_of_the_requests_fails(
    sender: Sender, way: Proxy, bucket: Bucket, large: Releases, faults: str, seed: int
) -> None:
    way.plan = Share(FAULTS[faults], seed)
    for release in (large.old, large.new):
        way.clear()
        succeed(sender, **task(large, release, way, bucket))
        hit = sum(bool(asked.fault) for asked in way.asked)
        # A tenth of some 244 and 84 requests; hardly ever so few.
        assert hit >= (8 if release == large.old else 2)
        bucket.check_complete(large, release, among=[large.old])


@pytest.mark.parametrize("fault", [STALL, MUTE], ids=lambda fault: fault.kind)
def test_connections_on_which_nothing_comes(
    sender: Sender, way: Proxy, bucket: Bucket, large: Releases, fault: Fault
) -> None:
    some = Share({fault: 0.03})
    # One for sure: of the 84 requests of the second release, one run in thirteen draws none.
    way.plan = lambda asked: fault if asked.number == 20 else some(asked)
    for release in (large.old, large.new):
        way.clear()
        succeed(sender, **task(large, release, way, bucket, request=2.0))
        assert any(asked.fault for asked in way.asked)
        bucket.check_complete(large, release)


@pytest.mark.parametrize("faults", ["503", "reset-before-the-body", "answer-lost", "all"])
def test_a_tenth_of_the_requests_fails_at_azure(sender: Sender, azurite: str, large: Releases, faults: str) -> None:
    location = secrets.token_hex(8)
    there = Behind(azure_store(azurite, location), f"az://container/{location}")
    with proxied(azurite) as way:
        way.plan = Share(FAULTS[faults])
        for release in (large.old, large.new):
            options = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY, "endpoint_url": way.url}
            run = {"source": str(large.root), "release": release, "place": there.place, "options": options}
            succeed(sender, **run)
            there.check_complete(large, release, among=[large.old])
        assert sum(bool(asked.fault) for asked in way.asked) >= 10


@pytest.mark.parametrize("faults", ["503", "reset-before-the-body", "answer-lost", "all"])
def test_a_tenth_of_the_requests_fails_at_google(sender: Sender, fake_gcs: str, large: Releases, faults: str) -> None:
    location = secrets.token_hex(8)
    there = Behind(google_store(fake_gcs, location), f"gs://bucket/{location}")
    with proxied(fake_gcs) as way:
        way.plan = Share(FAULTS[faults])
        for release in (large.old, large.new):
            options = {"endpoint_url": way.url}
            run = {"source": str(large.root), "release": release, "place": there.place, "options": options}
            succeed(sender, **run)
            there.check_complete(large, release, among=[large.old])
        assert sum(bool(asked.fault) for asked in way.asked) >= 10


def test_a_slow_link(sender: Sender, way: Proxy, bucket: Bucket, large: Releases) -> None:
    way.set(delay=0.1, rate=60_000)
    for release in (large.old, large.new):
        succeed(sender, **task(large, release, way, bucket))
        bucket.check_complete(large, release)


# What does not pass


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (SLOW_DOWN, "fewer requests"), (TOO_MANY, "fewer requests"), (INTERNAL, "error of its own"),
        (REFUSE, "connection to the store broke"), (STALL, "did not answer in time"),
    ],
    ids=["503", "429", "500", "reset", "stall"],
)  # fmt: skip
@pytest.mark.parametrize("first", [1, 4, 9])
def test_the_store_is_lost_in_the_middle(
    sender: Sender, way: Proxy, bucket: Bucket, small: Releases, fault: Fault, said: str, first: int
) -> None:
    succeed(sender, **task(small, small.old, way, bucket))
    way.clear()
    way.plan = From(fault, first)
    ended = sender.run(**task(small, small.new, way, bucket, request=1.0, retries=2, total=3.0))
    check_told(ended, said)
    bucket.check_old(small)
    way.plan = None
    succeed(sender, **task(small, small.new, way, bucket))
    bucket.check_complete(small, small.new, among=[small.old], settled=False)


def test_the_key_is_revoked_in_the_middle(sender: Sender, way: Proxy, bucket: Bucket, small: Releases) -> None:
    succeed(sender, **task(small, small.old, way, bucket))
    for first in range(1, 100):
        way.clear()
        way.plan = From(REVOKED, first)
        ended = sender.run(**task(small, small.new, way, bucket, at_once=4))
        if ended.status == 0:
            break
        # The answer to HEAD has no body, which would name the reason.
        assert "does not know this access key" in ended.words or "head" in way.kinds(), ended.words
        check_told(ended, "access denied")
        # It is not asked on and on.
        assert len(way.asked) <= first + 8
        bucket.check_old(small)
    assert first > 6
    bucket.check_complete(small, small.new, among=[small.old], settled=False)


def test_a_store_whose_clock_is_another(sender: Sender, way: Proxy, bucket: Bucket, small: Releases) -> None:
    succeed(sender, **task(small, small.old, way, bucket))
    way.plan = From(SKEWED)
    check_told(sender.run(**task(small, small.new, way, bucket)), "clock", "NTP")
    bucket.check_old(small)


@pytest.mark.parametrize("shift", ["+20m", "-20m"])
def test_a_clock_that_is_twenty_minutes_off(
    sender: Sender, way: Proxy, bucket: Bucket, small: Releases, shift: str
) -> None:
    """The process that sends lives twenty minutes later, or earlier; the store looks at the time of its signatures."""
    program = shutil.which("faketime")
    if program is None:
        missing("faketime is not installed (Debian: apt-get install faketime)")
    succeed(sender, **task(small, small.old, way, bucket))
    with Sender([program, "-f", shift]) as off:
        ended = off.run(**task(small, small.new, way, bucket))
    check_told(ended, "clock", "NTP")
    bucket.check_old(small)


# Kill -9


STRIDE = int(os.environ.get("STRIDE", "3"))
"""After one of so many requests it is killed; 1 tries all."""


@pytest.mark.parametrize("at_once", [1, 64])
@pytest.mark.parametrize("cold", [True, False], ids=["cold", "warm"])
def test_killed_after_every_request(
    sender: Sender, way: Proxy, client: Any, small: Releases, cold: bool, at_once: int
) -> None:
    release = small.old if cold else small.new
    # With many at once it is chance which request is the last that is heard.
    for last in range(1, 200, STRIDE if at_once == 1 else 2 * STRIDE + 1):
        bucket = Bucket(client, secrets.token_hex(8))
        way.heard = way.plan = None
        if not cold:
            succeed(sender, **task(small, small.old, way, bucket))
        before = bucket.files()
        killing = Killing(way, last)
        run = sender.start(**task(small, release, way, bucket, at_once=at_once))
        killing.pid = run.pid
        ended = run.end()
        killing.over()
        if ended.status == 0:
            break
        assert ended.status == -signal.SIGKILL, ended.words
        there = bucket.files()
        if cold:
            assert pointer(there).get("release") in (None, release)
        elif pointer(there)["release"] == small.old:
            bucket.check_old(small)
        else:
            bucket.check_complete(small, release, settled=False)
        arrived = there.keys() & small.hashed[release]
        way.clear()
        succeed(sender, **task(small, release, way, bucket, at_once=at_once))
        bucket.check_complete(small, release, settled=False)
        # What has arrived is not sent again; of each folder it is heard when the first are refused.
        puts = [key_of(asked, bucket) for asked in way.asked if asked.kind == "put"]
        again = [key for key in puts if key in arrived - before.keys()]
        assert len(again) <= max(at_once, len({key.rpartition("/")[0] for key in again})), again
        assert len(way.asked) <= 2 * len(small.files[release]) + 8
    else:
        pytest.fail("it never got to its end")
    assert last > 8


def key_of(asked: Asked, bucket: Bucket) -> str:
    """The key that a request is about."""
    return asked.path.partition(bucket.location + "/")[2]


# Two at once


ROUNDS = int(os.environ.get("ROUNDS", "8"))


def test_two_at_once_many_rounds(way: Proxy, seaweed: str, client: Any, small: Releases) -> None:
    told = 0
    with proxied(seaweed) as other, Sender() as first, Sender() as second:
        ways = {small.old: way, small.new: other}
        for number in range(ROUNDS):
            bucket = Bucket(client, secrets.token_hex(8))
            way.set()
            if number % 2:
                # Over a release that is there: then plain names are noted before they are changed.
                succeed(first, **task(small, small.third, way, bucket))
            for line in ways.values():
                line.set(delay=0.002)
                line.clear()
            runs = {
                release: sender.start(**task(small, release, ways[release], bucket, at_once=8))
                for sender, release in ((first, small.old), (second, small.new))
            }
            ended = {release: run.end() for release, run in runs.items()}
            for one in ended.values():
                assert one.status == 0, one.words
            there = bucket.check_complete(small, pointer(bucket.files())["release"], among=[small.old, small.new])
            winner = pointer(there)["release"]
            loser = small.old if winner == small.new else small.new
            assert winner in ways
            if pointer_asked(ways[winner])[0].ended < pointer_asked(ways[loser])[-1].began:
                # The loser was current while the winner was on its way.
                assert f"The release {loser} of" in ended[winner].words
                told += 1
    # Both begin at the same time.
    assert told


def pointer_asked(way: Proxy) -> list[Asked]:
    """The requests for the pointer."""
    return [asked for asked in way.asked if asked.path.endswith("/.shipfiles/current.json")]
