"""Stores that are asked at the pace that they take: what they tell of each failure, and what comes of it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from shipfiles.errors import Busy, Denied, KeyExists, NoAnswer, StoreError, StoreErrors
from shipfiles.events import Event, Retried, ignore
from shipfiles.records import read_current
from shipfiles.release.pace import in_pace
from shipfiles.release.send import send
from shipfiles.release.target import Target
from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Copies, Store, read_all, unrepeated
from tests import google_bucket
from tests.bucket import Answer, Asked, Bucket, Fault, refused, running, serving
from tests.google_bucket import GoogleBucket

from .test_send import Site, check_whole

MIB = 1 << 20


def s3(url: str) -> Store:
    keys = {"access_key": "id", "secret_key": "secret", "region_name": "eu-central-1"}
    limits = {"connect": 1, "request": 5, "retries": 6, "total": 30}
    return open_store("s3://bucket/site", "here", {**keys, "endpoint_url": url, "limits": limits})


def google(url: str) -> Store:
    from google.auth.credentials import AnonymousCredentials

    limits = {"connect": 1, "request": 5, "retries": 6, "total": 30}
    given = {"credentials": AnonymousCredentials(), "endpoint_url": url, "limits": limits}  # type: ignore[no-untyped-call]
    return open_store("gs://bucket/site", "here", given)


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as bucket:
        yield bucket


@pytest.fixture
def google_fake() -> Iterator[GoogleBucket]:
    with serving(GoogleBucket()) as bucket:
        yield bucket


# What is told, at once


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        (503, "SlowDown", Busy),
        (503, "ServiceUnavailable", Busy),
        (503, "", Busy),
        (429, "", Busy),
        (500, "InternalError", NoAnswer),
        (502, "", NoAnswer),
        (504, "", NoAnswer),
        (400, "RequestTimeout", NoAnswer),
        (400, "BadDigest", NoAnswer),
        (409, "OperationAborted", NoAnswer),
        (400, "KeyTooLongError", StoreError),
        (403, "AccessDenied", Denied),
        (403, "RequestTimeTooSkewed", StoreError),
        (404, "NoSuchBucket", StoreError),
        (501, "NotImplemented", StoreError),
    ],
)
@pytest.mark.parametrize("mode", ["create", "overwrite"])
def test_a_refusal(bucket: Bucket, status: int, code: str, told: type[StoreError], mode: str) -> None:
    bucket.fault = lambda asked, do: refused(status, code)
    with pytest.raises(StoreError) as caught:
        unrepeated(s3(bucket.url)).put("a", b"one", mode=mode)  # type: ignore[arg-type]
    assert type(caught.value) is told
    assert caught.value.key == "a"
    # One request, and for what may have been done one more to look.
    looks = mode == "create" and told is NoAnswer
    assert bucket.methods in ([["PUT"], ["PUT", "HEAD"]] if looks else [["PUT"]])


@pytest.mark.parametrize(
    ("status", "reason", "told"),
    [
        # https://docs.cloud.google.com/storage/docs/json_api/v1/status-codes
        (429, "rateLimitExceeded", Busy),
        (403, "userRateLimitExceeded", Busy),
        (503, "backendError", Busy),
        (500, "internalError", NoAnswer),
        (403, "forbidden", Denied),
    ],
)
def test_a_refusal_of_google(google_fake: GoogleBucket, status: int, reason: str, told: type[StoreError]) -> None:
    google_fake.fault = lambda asked, do: google_bucket.refused(status, reason)
    with pytest.raises(StoreError) as caught:
        unrepeated(google(google_fake.url)).put("a", b"one")
    assert type(caught.value) is told
    assert len(google_fake.asked) == 1


@pytest.mark.parametrize(("said", "after"), [("7", 7.0), ("x", 0.0), ("99999", 0.0), ("-1", 0.0), ("", 0.0)])
def test_the_pause_that_google_asks_for(google_fake: GoogleBucket, said: str, after: float) -> None:
    answer = google_bucket.refused(429, "rateLimitExceeded")
    answer.headers["Retry-After"] = said
    google_fake.fault = lambda asked, do: answer
    with pytest.raises(Busy) as caught:
        unrepeated(google(google_fake.url)).put("a", b"one")
    assert caught.value.after == after


def test_a_connection_that_breaks_is_told(bucket: Bucket, google_fake: GoogleBucket) -> None:
    for server, store in ((bucket, s3(bucket.url)), (google_fake, google(google_fake.url))):
        server.fault = lambda asked, do: None
        for work in (lambda store: store.put("a", b"one"), lambda store: store.head("a")):
            server.asked.clear()
            with pytest.raises(NoAnswer) as caught:
                work(unrepeated(store))
            assert not isinstance(caught.value, Busy)
            assert len(server.asked) == 1


def test_parts_of_a_large_body_are_sent_again(bucket: Bucket) -> None:
    """The whole of it is not."""
    left = [2]

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        if "partNumber=2" in asked.path and left[0]:
            left[0] -= 1
            return refused(503, "SlowDown")
        return do()

    bucket.fault = fault
    unrepeated(s3(bucket.url)).put("a", bytes(12 * MIB))
    assert len(bucket.objects["site/a"][0]) == 12 * MIB
    assert sum("partNumber=1" in asked.path for asked in bucket.asked) == 1


# What comes of it


def going_wrong(share: float, *what: str) -> Fault:
    """So many of the requests do not end well."""
    chance, guard = Random(3), threading.Lock()

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        with guard:
            how = chance.choice(what) if chance.random() < share else ""
        if how in ("reset", "lost"):
            if how == "lost":
                do()
            return None
        return refused(503, "SlowDown") if how == "503" else refused(500, "InternalError") if how else do()

    return fault


@pytest.mark.parametrize("what", [("503",), ("reset",), ("lost",), ("500",), ("503", "reset", "lost", "500")])
@pytest.mark.parametrize("kind", ["s3", "google"])
@pytest.mark.parametrize("mode", ["create", "overwrite"])
def test_a_tenth_goes_wrong(
    bucket: Bucket, google_fake: GoogleBucket, what: tuple[str, ...], kind: str, mode: str
) -> None:
    server, store = (bucket, s3(bucket.url)) if kind == "s3" else (google_fake, google(google_fake.url))
    server.fault = going_wrong(0.1, *what)
    hasty = unrepeated(store)
    taken: list[int] = []

    def put(number: int) -> None:
        try:
            hasty.put(f"{number}", b"%d" % number, mode=mode)  # type: ignore[arg-type]
        except KeyExists:
            taken.append(number)  # by a try the answer to which was lost

    told: list[Event] = []
    assert sorted(number for number, _ in in_pace(put, range(200), told.append, at_once=16)) == list(range(200))
    there = (
        {key: body for key, (body, _) in bucket.objects.items()}
        if kind == "s3"
        else {key: held.body for key, held in google_fake.held.items()}
    )
    assert there == {f"site/{number}": b"%d" % number for number in range(200)}
    retried = [event for event in told if isinstance(event, Retried)]
    # A put on a condition whose answer is lost looks whether it has arrived.
    assert retried or (what, mode) == (("lost",), "create")
    assert all(0 <= int(event.key) < 200 and event.why for event in retried)
    assert set(taken) <= {int(event.key) for event in retried}


def test_copies_are_told_too(bucket: Bucket) -> None:
    store = s3(bucket.url)
    store.put("source", b"one")
    bucket.fault = going_wrong(0.2, "503", "reset")
    hasty = unrepeated(store)
    assert isinstance(hasty, Copies)
    copies = hasty
    found = list(in_pace(lambda number: copies.copy("source", f"{number}"), range(60), ignore, at_once=8))
    assert len(found) == 60
    assert len(bucket.objects) == 61


def test_rights_that_are_taken_away_in_the_middle(bucket: Bucket) -> None:
    guard = threading.Lock()

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer:
        with guard:
            return refused(403, "AccessDenied") if len(bucket.asked) > 50 else do()

    bucket.fault = fault
    hasty = unrepeated(s3(bucket.url))
    done: list[int] = []
    with pytest.raises(StoreErrors, match="access denied: these credentials may not do that there") as caught:
        done.extend(n for n, _ in in_pace(lambda n: hasty.put(f"{n}", b""), range(500), ignore, at_once=8))
    # All that were asked for are told, and nothing more was asked for when the first had failed.
    keys = {int(error.key) for error in caught.value.errors}
    assert {f"site/{number}" for number in keys}.isdisjoint(bucket.objects)
    assert len(bucket.objects) + len(keys) == len(bucket.asked) <= 50 + 2 * 8
    assert "id" not in str(caught.value).replace("denied", "").split()


def test_a_store_that_is_gone_is_given_up(bucket: Bucket) -> None:
    hasty = unrepeated(s3(bucket.url))

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        return do() if len(bucket.asked) < 20 else None

    bucket.fault = fault
    with pytest.raises(StoreErrors, match="nothing has succeeded for 1 seconds") as caught:
        list(in_pace(lambda n: hasty.put(f"{n}", b""), range(100), ignore, at_once=4, limit=1.0))
    assert 1 <= len(caught.value.errors) <= 8
    assert all(isinstance(error, NoAnswer) for error in caught.value.errors)


@pytest.mark.parametrize("kind", ["s3", "google"])
def test_a_large_body_is_not_sent_on_after_an_interrupt(
    bucket: Bucket, google_fake: GoogleBucket, kind: str, tmp_path: Path
) -> None:
    server, store = (bucket, s3(bucket.url)) if kind == "s3" else (google_fake, google(google_fake.url))
    begun, interrupted = threading.Event(), threading.Event()
    large = tmp_path / "large"
    large.write_bytes(bytes(60 * MIB))

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer:
        if len(asked.body) > MIB:
            begun.set()
            interrupted.wait(20)
        return do()

    def items() -> Iterator[str]:
        yield str(large)
        assert begun.wait(20)
        interrupted.set()
        raise KeyboardInterrupt

    server.fault = fault
    hasty = unrepeated(store)
    with pytest.raises(KeyboardInterrupt):
        list(in_pace(lambda path: hasty.put("a", path), items(), ignore, at_once=2))
    assert sum(len(asked.body) for asked in server.asked) < 60 * MIB
    assert store.head("a") is None


@pytest.mark.parametrize("kind", ["s3", "google"])
def test_large_bodies_wait_for_room(bucket: Bucket, google_fake: GoogleBucket, kind: str, tmp_path: Path) -> None:
    """Small ones do not: all twelve are on their way at once."""
    server, store = (bucket, s3(bucket.url)) if kind == "s3" else (google_fake, google(google_fake.url))
    large, small = tmp_path / "large", tmp_path / "small"
    large.write_bytes(bytes(4 * MIB))
    small.write_bytes(bytes(4000))
    guard, held = threading.Lock(), [0, 0]

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer:
        with guard:
            held[0] += len(asked.body)
            held[1] = max(held)
        answer = do()
        with guard:
            held[0] -= len(asked.body)
        return answer

    server.fault = fault
    hasty = unrepeated(store)
    assert len(list(in_pace(lambda n: hasty.put(f"{n}", str(large)), range(20), ignore, at_once=12))) == 20
    assert held[1] <= 33 * MIB
    together = threading.Barrier(12, timeout=20)

    def meet(asked: Asked, do: Callable[[], Answer]) -> Answer:
        together.wait()
        return do()

    server.fault = meet
    assert len(list(in_pace(lambda n: hasty.put(f"{n}", str(small)), range(24), ignore, at_once=12))) == 24


def test_a_file_that_grows_meanwhile_is_sent_in_parts(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grows"
    path.write_bytes(bytes(7 * MIB))
    monkeypatch.setattr(os.path, "getsize", lambda _: 10)
    s3(bucket.url).put("a", str(path))
    assert len(bucket.objects["site/a"][0]) == 7 * MIB


# Releases


MANY = {f"img/{number}.png": f"image {number}" for number in range(60)}
SITE = {"css/app.css": "".join(f"i{n} {{ background: url(../img/{n}.png) }}\n" for n in range(60)), **MANY}


def sent_over(bucket: Bucket, site: Site, release: str) -> list[Event]:
    """Send ``release``, which then is whole and current; what was told."""
    told: list[Event] = []
    store = s3(bucket.url)
    send(site.source, release, Target(store, at_once=8), listener=told.append)
    bucket.fault = None
    current = read_current(partial(read_all, store))
    assert current is not None
    assert current[0] == release
    check_whole(store, current[1])
    return told


@pytest.mark.parametrize("what", [("503",), ("503", "reset", "lost", "500")])
def test_a_release_of_which_a_tenth_goes_wrong(bucket: Bucket, tmp_path: Path, what: tuple[str, ...]) -> None:
    site = Site(tmp_path)
    bucket.fault = going_wrong(0.1, *what)
    told = sent_over(bucket, site, site.build(SITE))
    assert [event for event in told if isinstance(event, Retried)]
    bucket.fault = going_wrong(0.1, *what)
    sent_over(bucket, site, site.build(dict.fromkeys(MANY, "another image")))


def test_of_a_release_that_may_not_be_sent_all_that_failed_is_told(bucket: Bucket, tmp_path: Path) -> None:
    """The one before stays current, and the next run ends well."""
    site = Site(tmp_path)
    first = site.build(SITE)
    sent_over(bucket, site, first)
    second = site.build({name: f"another {text}" for name, text in MANY.items()})
    begun = len(bucket.asked)
    bucket.fault = lambda asked, do: do() if len(bucket.asked) < begun + 20 else refused(403, "AccessDenied")
    with pytest.raises(StoreErrors, match="did not do what it was asked about") as caught:
        send(site.source, second, Target(s3(bucket.url), at_once=8))
    assert 1 < len(caught.value.errors) <= 8
    assert len({error.key for error in caught.value.errors}) == len(caught.value.errors)
    bucket.fault = None
    current = read_current(partial(read_all, s3(bucket.url)))
    assert current is not None
    assert current[0] == first
    check_whole(s3(bucket.url), current[1])
    sent_over(bucket, site, second)


def test_many_changed_files_cost_two_requests_each_and_five(bucket: Bucket, tmp_path: Path) -> None:
    """However many there are: what is known of the pointer is not lost over them."""
    site = Site(tmp_path)
    first = site.build({f"js/{n}.js": f"export default {n}" for n in range(100)})
    send(site.source, first, Target(s3(bucket.url)), kept=site.kept)
    second = site.build({f"js/{n}.js": f"export default -{n}" for n in range(100)})
    before = len(bucket.asked)
    sent = send(site.source, second, Target(s3(bucket.url)), kept=site.kept)
    assert len(bucket.asked) - before == sent.requests == 5 + 2 * 100
