"""Requests that are sent without a store's client: what is sent, what is repeated, and what errors say."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from shipfiles.errors import Denied, NoAnswer, StoreError
from shipfiles.stores.object_connection import Limits
from shipfiles.stores.object_faults import OtherVersion
from shipfiles.stores.sender import Sender
from tests.bucket import Answer, Asked, Bucket, running

SIGNATURE = "not-to-be-shown-to-anybody"


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as bucket:
        yield bucket


def sender_of(url: str) -> Sender:
    limits = Limits(connect=1, request=5, retries=2, total=10)
    signed = f"{url}/bucket/film?sig={SIGNATURE}"
    return Sender("film", "az://c", signed, {"x-ms-version": "1"}, limits, ssl.create_default_context(), {"TakenCode"})


def answers(*given: Answer | None) -> Callable[[Asked, Callable[[], Answer]], Answer | None]:
    left = list(given)
    return lambda asked, do: left.pop(0)


def refused(status: int, code: str = "") -> Answer:
    # https://learn.microsoft.com/en-us/rest/api/storageservices/status-and-error-codes2
    return Answer(status, b"", {"x-ms-error-code": code} if code else {})


def test_what_is_sent(bucket: Bucket) -> None:
    bucket.fault = answers(Answer(201))
    sender_of(bucket.url).send("PUT", {"comp": "block", "blockid": "a+/="}, bytearray(b"body"), {"If-None-Match": "*"})
    (asked,) = bucket.asked
    assert asked.path == f"/bucket/film?sig={SIGNATURE}&comp=block&blockid=a%2B%2F%3D"
    assert (asked.method, asked.body) == ("PUT", b"body")
    assert asked.headers.items() >= {"if-none-match": "*", "x-ms-version": "1", "content-length": "4"}.items()


def test_what_passes_is_repeated(bucket: Bucket) -> None:
    bucket.fault = answers(refused(503, "ServerBusy"), None, Answer(201))
    sender_of(bucket.url).send("PUT", {}, b"body", {})
    assert [asked.body for asked in bucket.asked] == [b"body"] * 3


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        (refused(412), OtherVersion), (refused(409, "TakenCode"), OtherVersion), (refused(403, "AccessDenied"), Denied),
        (refused(413), StoreError), (refused(301), StoreError),
    ],
)  # fmt: skip
def test_what_stays_is_said_at_once(bucket: Bucket, answer: Answer, wanted: type[StoreError]) -> None:
    bucket.fault = answers(answer)
    with pytest.raises(wanted, match=r"^film: ") as caught:
        sender_of(bucket.url).send("PUT", {}, b"", {})
    assert not isinstance(caught.value, NoAnswer)
    assert SIGNATURE not in f"{caught.value!r} {caught.value.__cause__}"


def test_nobody_listens() -> None:
    with pytest.raises(NoAnswer, match=r"^film: the store cannot be reached") as caught:
        sender_of("http://127.0.0.1:9").send("PUT", {}, b"", {})
    assert SIGNATURE not in f"{caught.value!r} {caught.value.__cause__}"


def test_who_is_told_to_stop_repeats_nothing(bucket: Bucket) -> None:
    bucket.fault = answers(None)
    sender = sender_of(bucket.url)
    sender.stop()
    with pytest.raises(NoAnswer):
        sender.send("PUT", {}, b"", {})
    assert len(bucket.asked) == 1
