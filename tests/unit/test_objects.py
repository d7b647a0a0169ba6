"""Object stores: the contract, and what is theirs alone, on a bucket of our own that can be told to fail."""

from __future__ import annotations

import base64
import hashlib
import os
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipfiles.digest import digest_bytes
from shipfiles.errors import ConfigError, KeyExists, KeyNotFound, OtherBytes, Replaced, StoreError
from shipfiles.events import ignore
from shipfiles.release.pace import in_pace
from shipfiles.stores.object_connection import Limits
from shipfiles.stores.objects import ObjectStore, part_of
from shipfiles.stores.opening import open_store
from shipfiles.stores.s3 import S3
from shipfiles.stores.store import Copies, Folders, Parts, Refields, Store, Sweeps, read_all
from shipfiles.testing.store import StoreContract
from tests.bucket import Answer, Asked, Bucket, refused, running

SECRET = "not-to-be-shown-to-anybody"
LIMITS = {"connect": 1, "request": 5, "retries": 2, "total": 10}
MIB = 1 << 20


def store_of(url: str, location: str = "site", **options: Any) -> Store:
    keys = {"access_key": "id-of-the-key", "secret_key": SECRET, "region_name": "eu-central-1", "limits": LIMITS}
    return open_store(f"s3://bucket/{location}", "here", {**keys, "endpoint_url": url, **options})


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as bucket:
        yield bucket


@pytest.fixture
def store(bucket: Bucket) -> Store:
    return store_of(bucket.url)


class TestOwnBucket(StoreContract):
    looks_before_it_copies = False

    @pytest.fixture
    def store(self, bucket: Bucket) -> Store:
        return store_of(bucket.url)

    @pytest.fixture
    def other(self, bucket: Bucket) -> Store:
        return store_of(bucket.url)


class TestWithoutConditions(StoreContract):
    """As Backblaze has it: the store looks before it puts, which is all that can be done there."""

    looks_before_it_copies = False
    test_of_several_who_swap_one_succeeds = None
    test_of_several_who_create_one_succeeds = None
    test_of_many_who_create_bodies_of_all_sizes_one_succeeds = None

    @pytest.fixture
    def store(self, bucket: Bucket) -> Store:
        return store_of(bucket.url, provider="backblaze")

    def test_what_another_has_changed_is_seen_without_conditions(self, bucket: Bucket, store: Store) -> None:
        store.put("a", b"one")
        store_of(bucket.url, provider="backblaze").put("a", b"two")
        assert not store.swap("a", b"one", b"three")
        with pytest.raises(KeyExists):
            store.put("a", b"three", mode="create")
        assert not any({"if-match", "if-none-match"} & asked.headers.keys() for asked in bucket.asked)


def test_a_store_that_may_not_heed_conditions(bucket: Bucket) -> None:
    """One looks first, and asks for the condition all the same."""
    store, other = (store_of(bucket.url, provider="wasabi") for _ in range(2))
    bucket.heeds_conditions = False
    store.put("a", b"one", mode="create")
    assert bucket.asked[-1].headers["if-none-match"] == "*"
    other.put("a", b"two")
    assert not store.swap("a", b"one", b"three")
    assert not store.swap("a", None, b"three")
    with pytest.raises(KeyExists):
        store.put("a", b"three", mode="create")
    assert other.swap("a", b"two", b"four")
    assert bucket.asked[-1].headers["if-match"]
    assert read_all(store, "a") == b"four"


class Once:
    """A fault that happens to the first request that ``fits``."""

    def __init__(self, fits: Callable[[Asked], object], fault: Callable[[Asked, Callable[[], Answer]], Answer | None]):
        self.fits, self.fault, self.left = fits, fault, 1

    def __call__(self, asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        if self.left and self.fits(asked):
            self.left -= 1
            return self.fault(asked, do)
        return do()


def lost(asked: Asked, do: Callable[[], Answer]) -> None:
    """It is done, and nobody is told."""
    do()


# Requests


def test_small_objects_cost_one_request_each(bucket: Bucket, store: Store) -> None:
    def methods(work: Callable[[], object]) -> list[str]:
        bucket.asked.clear()
        work()
        return bucket.methods

    assert methods(lambda: store.put("a", b"one")) == ["PUT"]
    assert methods(lambda: store.put("b", b"one", mode="create")) == ["PUT"]
    assert methods(lambda: store.head("a")) == ["HEAD"]
    assert methods(lambda: store.head("unknown")) == ["HEAD"]
    assert methods(lambda: read_all(store, "a")) == ["GET"]
    assert methods(lambda: store.swap("new", None, b"one")) == ["PUT"]
    assert methods(lambda: [store.put(f"many/{i}", b"") for i in range(3)]) == ["PUT"] * 3
    assert methods(lambda: list(store.list())) == ["GET"]
    assert methods(lambda: store.delete([f"many/{i}" for i in range(1000)])) == ["POST"]
    assert isinstance(store, Copies)
    assert methods(lambda: store.copy("a", "c", fields={"Content-Type": "text/css"})) == ["PUT"]
    assert isinstance(store, Refields)
    assert methods(lambda: store.refield("a", {"Content-Type": "text/css"})) == ["PUT"]
    assert bucket.asked[0].body == b""


def without_copies(bucket: Bucket) -> ObjectStore:
    """As Azure has it: a copy is answered as its source is."""
    return ObjectStore(
        S3(
            "bucket", "site", access_key="id", secret_key=SECRET, region_name="eu-central-1", endpoint_url=bucket.url,
            limits=Limits(connect=1, request=5, retries=2, total=10),
        )
    )  # fmt: skip


def test_where_the_store_does_not_copy_only_what_changes_is_sent_again(bucket: Bucket) -> None:
    store = without_copies(bucket)
    store.put("a", b"one", fields={"Content-Type": "text/css"})
    bucket.asked.clear()
    store.refield("a", {"Content-Type": "text/css"})
    assert bucket.methods == ["HEAD"]
    store.refield("a", {"Content-Type": "text/plain"})
    assert bucket.methods == ["HEAD", "HEAD", "GET", "PUT"]
    assert read_all(store, "a") == b"one"


def test_what_another_writes_meanwhile_is_not_undone(bucket: Bucket) -> None:
    """Azure reads and puts again, on the condition that nobody else has put meanwhile."""
    store = without_copies(bucket)
    store.put("a", b"one")

    def meanwhile(asked: Asked, do: Callable[[], Answer]) -> Answer:
        if asked.method == "PUT":
            bucket.fault = None
            store_of(bucket.url).put("a", b"two")
        return do()

    bucket.fault = meanwhile
    store.refield("a", {"Content-Type": "text/css"})
    assert read_all(store, "a") == b"two"
    stored = store.head("a")
    assert stored is not None
    assert stored.fields["Content-Type"] == "text/css"


def test_a_swap_after_a_read_costs_one_request(bucket: Bucket, store: Store) -> None:
    other = store_of(bucket.url)
    store.put("a", b"one")
    assert read_all(other, "a") == b"one"
    bucket.asked.clear()
    assert other.swap("a", b"one", b"two")
    assert other.swap("a", b"two", b"three")
    assert bucket.methods == ["PUT", "PUT"]
    # What another has changed since is seen all the same.
    assert not store.swap("a", b"one", b"four")
    assert read_all(store, "a") == b"three"


def test_a_swap_without_a_read_costs_two(bucket: Bucket, store: Store) -> None:
    store_of(bucket.url).put("a", b"one")
    bucket.asked.clear()
    assert store.swap("a", b"one", b"two")
    assert bucket.methods == ["GET", "PUT"]


def test_what_was_written_again_as_it_was_can_be_swapped(bucket: Bucket, store: Store) -> None:
    read_all(store, "a")
    store.put("a", b"one")
    # Versions of Azure are new with every put.
    bucket.fault = Once(lambda asked: "if-match" in asked.headers, lambda asked, do: refused(412, "PreconditionFailed"))
    assert store.swap("a", b"one", b"two")


# Integrity


def test_a_checksum_is_sent_with_the_bytes(bucket: Bucket, store: Store) -> None:
    store.put("a", b"one")
    wanted = base64.b64encode(hashlib.sha256(b"one").digest()).decode()
    assert bucket.asked[-1].headers["x-amz-checksum-sha256"] == wanted
    assert bucket.asked[-1].headers["x-amz-content-sha256"] == hashlib.sha256(b"one").hexdigest()


def test_no_checksum_for_whom_it_is_an_error(bucket: Bucket) -> None:
    store_of(bucket.url, provider="backblaze").put("a", b"one")
    assert "x-amz-checksum-sha256" not in bucket.asked[-1].headers
    assert bucket.asked[-1].headers["x-amz-content-sha256"] == hashlib.sha256(b"one").hexdigest()


def test_a_large_file_goes_in_parts(bucket: Bucket, store: Store, tmp_path: Path) -> None:
    body = os.urandom(12 * MIB + 5)
    source = tmp_path / "film"
    source.write_bytes(body)
    stored = store.put("film", str(source), digest=digest_bytes(body), fields={"Content-Type": "video/mp4"})
    assert stored.size == len(body)
    assert bucket.objects["site/film"][0] == body
    parts = [asked for asked in bucket.asked if asked.method == "PUT"]
    assert sorted(len(part.body) for part in parts) == [2 * MIB + 5, 5 * MIB, 5 * MIB]
    for part in parts:
        assert part.headers["x-amz-checksum-sha256"] == base64.b64encode(hashlib.sha256(part.body).digest()).decode()
    assert b"".join(store.read("film")) == body
    assert max(map(len, store.read("film"))) <= MIB
    head = store.head("film")
    assert head is not None
    assert head.fields == {"Content-Type": "video/mp4"}
    with pytest.raises(KeyExists):
        store.put("film", str(source), mode="create")


@pytest.mark.parametrize("as_path", [True, False])
def test_a_large_file_that_changes_meanwhile_is_given_up(
    bucket: Bucket, store: Store, tmp_path: Path, as_path: bool
) -> None:
    body = os.urandom(7 * MIB)
    (tmp_path / "film").write_bytes(body)
    with pytest.raises(OtherBytes, match=r"^film: the file changed while it was read"):
        store.put("film", str(tmp_path / "film") if as_path else body, digest=digest_bytes(b"other"))
    assert bucket.objects == {}
    assert bucket.uploads == {}


@pytest.mark.parametrize("cut", [0, MIB // 2, 2 * MIB])
def test_a_body_that_is_cut_is_read_on(bucket: Bucket, store: Store, cut: int) -> None:
    body = os.urandom(3 * MIB)
    store.put("a", body)

    def cut_short(asked: Asked, do: Callable[[], Answer]) -> Answer:
        given = do()
        return Answer(given.status, given.body[:cut], {**given.headers, "Content-Length": str(len(given.body))})

    bucket.fault = Once(lambda asked: asked.method == "GET", cut_short)
    assert b"".join(store.read("a")) == body


def test_what_is_replaced_while_it_is_read_is_not_mixed(bucket: Bucket, store: Store) -> None:
    first, second = os.urandom(4 * MIB), os.urandom(4 * MIB)
    store.put("a", first)

    def cut_short(asked: Asked, do: Callable[[], Answer]) -> Answer:
        given = do()
        bucket._keep("site/a", second, {})
        return Answer(given.status, given.body[: 2 * MIB], {**given.headers, "Content-Length": str(len(given.body))})

    bucket.fault = Once(lambda asked: asked.method == "GET", cut_short)
    with pytest.raises(StoreError, match=r"^a: "):
        b"".join(store.read("a"))


# Parts


def test_a_part_costs_one_request_and_no_other_bytes(bucket: Bucket, store: Store) -> None:
    assert isinstance(store, Parts)
    body = os.urandom(3 * MIB)
    store.put("a", body, fields={"Content-Type": "image/png"})
    store.put("empty", b"")
    parts = store

    def asked(*span: int | None, key: str = "a", version: str = "") -> tuple[list[str], bytes, int]:
        bucket.asked.clear()
        part = parts.read_part(key, *span, version=version)
        found = b"".join(part.body)
        fields = [asked.headers.get("range", "") for asked in bucket.asked if asked.method == "GET"]
        return [asked.method for asked in bucket.asked], found, part.stored.size if fields != [""] else -1

    # RFC 9110 section 14.1.2: both ends are included.
    assert asked(5, 10) == (["GET"], body[5:10], len(body))
    assert bucket.asked[0].headers["range"] == "bytes=5-9"
    assert asked(5, None) == (["GET"], body[5:], len(body))
    assert bucket.asked[0].headers["range"] == "bytes=5-"
    assert asked(0, 9 * MIB)[:2] == (["GET"], body)
    assert asked(0, None) == (["GET"], body, -1)
    assert asked(0, None, key="empty") == (["GET"], b"", -1)
    # Where there are no bytes the answer to a request for them tells nothing else.
    assert asked(0, 10, key="empty") == (["GET", "HEAD"], b"", 0)
    assert asked(3 * MIB, None) == (["GET", "HEAD"], b"", len(body))
    assert asked(7, 7) == (["HEAD"], b"", len(body))
    version = store.read_part("a", 0, 1).version
    assert asked(5, 10, version=version) == (["GET"], body[5:10], len(body))
    assert bucket.asked[0].headers["if-match"] == version


def test_the_names_in_a_folder_cost_one_request(bucket: Bucket, store: Store) -> None:
    assert isinstance(store, Folders)
    for i in range(20):
        store.put(f"a/{i % 4}/{i}", b"")
    bucket.asked.clear()
    assert store.folder("a/") == (["0", "1", "2", "3"], [])
    assert bucket.methods == ["GET"]
    # Beside the location of the store is what belongs to others.
    bucket._keep("site-two/b", b"", {})
    bucket._keep("sites/b", b"", {})
    assert store.folder("") == (["a"], [])
    assert store_of(bucket.url, "").folder("") == (["site", "site-two", "sites"], [])  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["a\tb", ".", "..", "x/../y", "\x7fy", "/y"])
def test_an_object_that_the_client_cannot_name_is_named_to_people(bucket: Bucket, store: Store, name: str) -> None:
    assert isinstance(store, Folders)
    store.put("a/b", b"")
    bucket._keep(f"site/a/{name}", b"", {})
    with pytest.raises(StoreError, match=r"holds an object named .*site/a/.*: remove it, or use another location"):
        list(store.list())
    del bucket.objects[f"site/a/{name}"]
    assert store.folder("a/") == ([], ["b"])


def test_what_a_console_makes_for_an_empty_folder(bucket: Bucket, store: Store) -> None:
    assert isinstance(store, Folders)
    store.put("a/b", b"")
    for name in ("site/", "site/a/", "site/empty/"):
        bucket._keep(name, b"", {})
    assert store.folder("a/") == ([], ["b"])
    assert store.folder("") == (["a", "empty"], [])
    assert store.folder("empty/") == ([], [])


@pytest.mark.parametrize("cut", [0, MIB // 2, 2 * MIB])
def test_a_part_that_is_cut_is_read_on(bucket: Bucket, store: Store, cut: int) -> None:
    assert isinstance(store, Parts)
    body = os.urandom(4 * MIB)
    store.put("a", body)

    def cut_short(asked: Asked, do: Callable[[], Answer]) -> Answer:
        given = do()
        return Answer(given.status, given.body[:cut], {**given.headers, "Content-Length": str(len(given.body))})

    bucket.fault = Once(lambda asked: asked.method == "GET", cut_short)
    assert b"".join(store.read_part("a", 5, 3 * MIB + 5).body) == body[5 : 3 * MIB + 5]
    assert bucket.asked[-1].headers["range"] == f"bytes={5 + cut}-{3 * MIB + 4}"


def test_a_part_of_what_is_replaced_on_its_way(bucket: Bucket, store: Store) -> None:
    assert isinstance(store, Parts)
    first, second = os.urandom(4 * MIB), os.urandom(4 * MIB)
    store.put("a", first)

    def cut_short(asked: Asked, do: Callable[[], Answer]) -> Answer:
        given = do()
        bucket._keep("site/a", second, {})
        return Answer(given.status, given.body[: 2 * MIB], {**given.headers, "Content-Length": str(len(given.body))})

    bucket.fault = Once(lambda asked: asked.method == "GET", cut_short)
    with pytest.raises(StoreError, match=r"^a: "):
        b"".join(store.read_part("a", 5).body)


def test_versions_where_conditions_are_not_heeded(bucket: Bucket, store: Store) -> None:
    assert isinstance(store, Parts)
    store.put("a", b"one")
    version = store.read_part("a", 0, 1).version
    store.put("a", b"two")

    def unheeded(asked: Asked, do: Callable[[], Answer]) -> Answer:
        asked.headers.pop("if-match", None)
        return do()

    bucket.fault = unheeded
    with pytest.raises(Replaced):
        store.read_part("a", 1, version=version)


# Fields


def test_the_fields_of_the_store_and_of_a_put(bucket: Bucket) -> None:
    given = {"CacheControl": "max-age=60", "ContentLanguage": "de", "Metadata": {"team": "web"}}
    store = store_of(bucket.url, object_parameters=given)
    store.put("a", b"", fields={"cache-control": "no-cache", "x-amz-meta-own": "1"})
    found = store.head("a")
    assert found is not None
    assert found.fields == {
        "Cache-Control": "no-cache", "Content-Language": "de", "x-amz-meta-team": "web", "x-amz-meta-own": "1",
    }  # fmt: skip
    assert isinstance(store, Copies)
    store.copy("a", "b", fields={"Content-Type": "text/css"})
    copied = store.head("b")
    assert copied is not None
    assert copied.fields == {
        "Cache-Control": "max-age=60", "Content-Language": "de", "Content-Type": "text/css", "x-amz-meta-team": "web",
    }  # fmt: skip


def test_the_token_of_a_put_is_nobodys_field(bucket: Bucket, store: Store) -> None:
    store.put("a", b"", mode="create")
    found = store.head("a")
    assert found is not None
    assert found.fields == {}
    assert len(bucket.objects["site/a"][1]["x-amz-meta-shipfiles"]) == 16


@pytest.mark.parametrize("fields", [{"X-Frame-Options": "DENY"}, {"Content-Type": "a\r\nb: c"}, {"x-amz-meta-a": "é"}])
def test_a_field_that_an_object_cannot_answer_with(bucket: Bucket, store: Store, fields: dict[str, str]) -> None:
    with pytest.raises(StoreError, match=f"^a: .*{next(iter(fields))}"):
        store.put("a", b"", fields=fields)
    assert bucket.asked == []


def test_an_acl_is_sent_with_what_is_written(bucket: Bucket, tmp_path: Path) -> None:
    store = store_of(bucket.url, default_acl="public-read")
    store.put("a", b"")
    store.put("large", bytes(6 * MIB))
    assert isinstance(store, Copies)
    store.copy("a", "b", fields={"Content-Type": "text/css"})
    assert {asked.headers.get("x-amz-acl") for asked in bucket.asked} == {"public-read"}
    assert all("x-amz-acl" in asked.headers["authorization"] for asked in bucket.asked)
    bucket.asked.clear()
    read_all(store, "a")
    store.head("a")
    assert [asked.headers.get("x-amz-acl") for asked in bucket.asked] == [None, None]


@pytest.mark.parametrize("acl", ["public-read", "public-read-write", "authenticated-read"])
def test_records_are_not_made_public(bucket: Bucket, acl: str) -> None:
    store = store_of(bucket.url, default_acl=acl)
    write_records(store)
    assert {asked.headers.get("x-amz-acl") for asked in bucket.asked} == {None}
    # A probe is read as browsers read files.
    store.put(".shipfiles/probe/0/module.js", b"")
    assert bucket.asked[-1].headers["x-amz-acl"] == acl


def test_records_get_an_acl_that_gives_rights_to_a_few(bucket: Bucket) -> None:
    """The owner of a bucket to which another account publishes could not read them otherwise."""
    write_records(store_of(bucket.url, object_parameters={"ACL": "bucket-owner-full-control"}))
    assert {asked.headers.get("x-amz-acl") for asked in bucket.asked} == {"bucket-owner-full-control"}


def write_records(store: Store) -> None:
    """In each of the ways in which a store writes."""
    store.put(".shipfiles/manifests/a.json", b"")
    store.put(".shipfiles/plain/large", bytes(6 * MIB))
    assert store.swap(".shipfiles/current.json", None, b"one")
    assert store.swap(".shipfiles/current.json", b"one", b"two")
    assert isinstance(store, Copies)
    store.copy(".shipfiles/manifests/a.json", ".shipfiles/manifests/b.json")


# Interrupts


def test_an_upload_that_is_interrupted_leaves_no_parts(bucket: Bucket, store: Store, tmp_path: Path) -> None:
    """A store bills parts until they are deleted, though nobody sees them."""
    (tmp_path / "film").write_bytes(bytes(64 * MIB))

    def slow(asked: Asked, do: Callable[[], Answer]) -> Answer:
        if asked.method == "PUT":
            time.sleep(0.1)
        return do()

    def items() -> Iterator[str]:
        yield "film"
        while not any([*bucket.uploads.values()]):  # until a part has arrived
            time.sleep(0.01)
        raise KeyboardInterrupt

    bucket.fault = slow
    with pytest.raises(KeyboardInterrupt):
        list(in_pace(lambda key: store.put(key, str(tmp_path / key)), items(), ignore))
    assert bucket.uploads == {}
    assert bucket.objects == {}
    assert {asked.method for asked in bucket.asked} == {"POST", "PUT", "DELETE"}
    # The store can be used as before.
    store.put("film", str(tmp_path / "film"))


# Lost answers


def test_a_create_whose_answer_is_lost_finds_its_own_object(bucket: Bucket, store: Store) -> None:
    bucket.fault = Once(lambda asked: asked.method == "PUT", lost)
    store.put("a", b"one", mode="create")
    assert bucket.methods == ["PUT", "PUT", "HEAD"]
    assert store.swap("a", b"one", b"two")


def test_another_object_with_the_same_bytes_is_not_ones_own(bucket: Bucket, store: Store) -> None:
    store_of(bucket.url).put("a", b"one", mode="create")
    with pytest.raises(KeyExists):
        store.put("a", b"one", mode="create")
    assert not store.swap("a", None, b"one")


@pytest.mark.parametrize("known", [True, False])
def test_a_swap_whose_answer_is_lost_has_succeeded(bucket: Bucket, store: Store, known: bool) -> None:
    (store if known else store_of(bucket.url)).put("a", b"one")
    bucket.fault = Once(lambda asked: asked.method == "PUT", lost)
    assert store.swap("a", b"one", b"two")
    assert read_all(store, "a") == b"two"


@pytest.mark.parametrize("first", [None, b"one"])
def test_others_have_gone_on_from_a_swap_whose_answer_is_lost(
    bucket: Bucket, store: Store, first: bytes | None
) -> None:
    other = store_of(bucket.url)
    if first:
        other.put("a", first)

    def followed(asked: Asked, do: Callable[[], Answer]) -> None:
        do()
        for i in range(10):
            assert other.swap("a", b"two" if i == 0 else str(i).encode(), str(i + 1).encode())

    bucket.fault = Once(lambda asked: asked.method == "PUT", followed)
    assert store.swap("a", first, b"two")
    assert read_all(store, "a") == b"10"
    assert store.swap("a", b"10", b"11")


def test_a_swap_that_another_has_won_has_not(bucket: Bucket, store: Store) -> None:
    other = store_of(bucket.url)
    store.put("a", b"one")

    def before(asked: Asked, do: Callable[[], Answer]) -> None:
        bucket.fault = None
        assert other.swap("a", b"one", b"two")

    bucket.fault = Once(lambda asked: asked.method == "PUT", before)
    assert not store.swap("a", b"one", b"two")


def test_a_create_that_meets_a_delete_is_repeated(bucket: Bucket, store: Store) -> None:
    bucket.fault = Once(
        lambda asked: asked.method == "PUT", lambda asked, do: refused(409, "ConditionalRequestConflict")
    )
    store.put("a", b"one", mode="create")
    assert bucket.methods == ["PUT", "HEAD", "PUT"]


def test_an_upload_in_parts_whose_last_answer_is_lost(bucket: Bucket, store: Store) -> None:
    bucket.fault = Once(lambda asked: asked.method == "POST" and "uploadId" in asked.path, lost)
    store.put("a", bytes(6 * MIB))
    assert len(bucket.objects["site/a"][0]) == 6 * MIB


# Large bodies that are to replace nothing

CREATES = {
    # As conditional-writes.html of AWS's user guide has it: CopyObject takes If-None-Match.
    "aws": ["HEAD", "POST", "PUT", "POST", "PUT", "POST"],
    # Of others that is tried first.
    "": ["HEAD", "POST", "PUT", "POST", "PUT", "PUT", "POST"],
}


@pytest.mark.parametrize("provider", CREATES)
def test_a_large_body_is_created(bucket: Bucket, provider: str) -> None:
    store = store_of(bucket.url, provider=provider)
    fields = {"Content-Type": "video/mp4", "x-amz-meta-own": "1"}
    store.put("a", b"a" * 6 * MIB, mode="create", fields=fields)
    assert bucket.methods == CREATES[provider]
    *tried, copied = [asked for asked in bucket.asked if "x-amz-copy-source" in asked.headers]
    staged = copied.headers["x-amz-copy-source"].removeprefix("bucket/")
    assert staged.startswith("site/.shipfiles/uploads/")
    last = bucket.asked[-2]
    assert (last.path.partition("?")[0], last.headers["if-none-match"]) == ("/bucket/site/a", "*")
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html: these take no condition.
    assert [asked for asked in bucket.asked[:-2] if "if-none-match" in asked.headers] == tried
    assert [asked.path for asked in tried] == ["/bucket/" + staged] * len(tried)
    assert [*bucket.objects] == ["site/a"]
    assert bucket.uploads == {}
    head = store.head("a")
    assert head is not None
    assert (head.size, head.fields) == (6 * MIB, fields)


def test_a_large_body_is_created_where_a_copy_heeds_no_condition(bucket: Bucket, store: Store) -> None:
    """An upload does then, at its end: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html."""
    bucket.copies_heed_conditions = False
    fields = {"Content-Type": "video/mp4", "x-amz-meta-own": "1"}
    for number in range(2):
        del bucket.asked[:]
        store.put(f"{number}", b"a" * 6 * MIB, mode="create", fields=fields)
        tries = ["PUT"] if number == 0 else []
        assert bucket.methods == ["HEAD", "POST", "PUT", "POST", *tries, "POST", "PUT", "POST", "POST"]
        assert [asked.path.partition("?")[0] for asked in bucket.asked if "if-none-match" in asked.headers][
            len(tries) :
        ] == [f"/bucket/site/{number}"]
        head = store.head(f"{number}")
        assert head is not None
        assert (head.size, head.fields) == (6 * MIB, fields)

    def before(asked: Asked, do: Callable[[], Answer]) -> Answer:
        bucket._keep("site/a", b"another's", {})
        return do()

    bucket.fault = Once(lambda asked: "x-amz-copy-source" in asked.headers, before)
    with pytest.raises(KeyExists):
        store.put("a", b"a" * 6 * MIB, mode="create")
    bucket.fault = Once(lambda asked: "if-none-match" in asked.headers, lost)
    store.put("b", b"a" * 6 * MIB, mode="create")
    assert [*bucket.objects] == ["site/0", "site/1", "site/a", "site/b"]
    assert bucket.objects["site/a"][0] == b"another's"
    assert bucket.uploads == {}


@pytest.mark.parametrize("provider", CREATES)
def test_of_two_who_upload_at_once_the_second_is_told(bucket: Bucket, provider: str) -> None:
    store = store_of(bucket.url, provider=provider)

    def before(asked: Asked, do: Callable[[], Answer]) -> Answer:
        bucket._keep("site/a", b"another's", {})
        return do()

    bucket.fault = Once(lambda asked: "x-amz-copy-source" in asked.headers and asked.path == "/bucket/site/a", before)
    with pytest.raises(KeyExists):
        store.put("a", b"a" * 6 * MIB, mode="create")
    assert {key: body for key, (body, _) in bucket.objects.items()} == {"site/a": b"another's"}
    assert bucket.uploads == {}


@pytest.mark.parametrize("provider", CREATES)
def test_a_large_body_whose_answer_is_lost_is_created(bucket: Bucket, provider: str) -> None:
    store = store_of(bucket.url, provider=provider)
    for number, wanted in enumerate(
        (
            lambda asked: "if-none-match" in asked.headers,
            lambda asked: asked.method == "POST" and "uploads/" in asked.path and "uploadId" in asked.path,
            lambda asked: asked.method == "POST" and asked.path.endswith("?delete"),
        )
    ):
        bucket.fault = Once(wanted, lost)
        store.put(f"{number}", b"a" * 6 * MIB, mode="create")
    assert [*bucket.objects] == ["site/0", "site/1", "site/2"]
    assert bucket.uploads == {}


@pytest.mark.parametrize("provider", CREATES)
def test_a_large_create_that_meets_a_delete_is_repeated(bucket: Bucket, provider: str) -> None:
    store = store_of(bucket.url, provider=provider)
    bucket.fault = Once(
        lambda asked: "if-none-match" in asked.headers and "uploads/" not in asked.path,
        lambda asked, do: refused(409, "ConditionalRequestConflict"),
    )
    store.put("a", b"a" * 6 * MIB, mode="create")
    assert [*bucket.objects] == ["site/a"]
    assert bucket.uploads == {}


def test_what_a_killed_upload_has_left_is_swept(bucket: Bucket, store: Store) -> None:
    assert isinstance(store, Sweeps)
    now = datetime.now(UTC)
    for name, age in (("young", timedelta(hours=23)), ("old", timedelta(hours=25))):
        for key in (f"site/.shipfiles/uploads/{name}", f"site/{name}", f"site/.shipfiles/{name}"):
            bucket._keep(key, b"", {})
            bucket.times[key] = now - age
    assert store.sweep() == 1
    assert "site/.shipfiles/uploads/old" not in bucket.objects
    assert len(bucket.objects) == 5


def test_parts_are_no_more_than_a_store_takes() -> None:
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html: 10,000 parts, of 5 MiB to 5 GiB
    assert part_of(5 * MIB + 1, 5 * MIB) == 5 * MIB
    for size in (48 << 30, 100 << 30, 5 << 40):
        assert -(-size // part_of(size, 5 * MIB)) <= 10_000
        assert part_of(size, 5 * MIB) < 5 << 30


# Faults and stalls


@pytest.mark.parametrize("status", [500, 503, 429])
def test_what_passes_is_waited_for(bucket: Bucket, store: Store, status: int) -> None:
    for work in (
        lambda: store.put("a", b"one"),
        lambda: store.put("b", b"one", mode="create"),
        lambda: store.delete(["b"]),
        lambda: read_all(store, "a"),
    ):
        bucket.fault = Once(lambda asked: True, lambda asked, do: refused(status, "SlowDown"))
        work()


def test_every_fifth_request_goes_wrong(bucket: Bucket) -> None:
    """Each put and swap is done once and says so, whatever becomes of requests and answers."""
    store = store_of(bucket.url, limits={"request": 5, "retries": 12, "total": 60})
    chance, guard = random.Random(7), threading.Lock()

    def fault(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        with guard:
            what = chance.choice(["reset", "lost", "refused", *["well"] * 12])
        if what == "lost":
            do()
        if what in ("reset", "lost"):
            return None
        return refused(503, "SlowDown") if what == "refused" else do()

    bucket.fault = fault

    def work(number: int) -> None:
        for i in range(8):
            key = f"{number}/{i}"
            store.put(key, b"one", mode="create")
            assert store.swap(key, b"one", b"two")
            assert not store.swap(key, b"one", b"three")
            store.put(f"plain/{key}", key.encode())
            assert read_all(store, f"plain/{key}") == key.encode()
            store.delete([f"plain/{key}"])

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    bucket.fault = None
    assert {stored.key for stored in store.list()} == {f"{number}/{i}" for number in range(6) for i in range(8)}
    assert all(body == b"two" for body, _ in bucket.objects.values())


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


VERBS: dict[str, Callable[[Store], object]] = {
    "put": lambda store: store.put("a", b"one"),
    "create": lambda store: store.put("a", b"one", mode="create"),
    "swap": lambda store: store.swap("a", b"one", b"two"),
    "head": lambda store: store.head("a"),
    "read": lambda store: read_all(store, "a"),
    "list": lambda store: list(store.list("a")),
    "part": lambda store: store.read_part("a", 1, 2),  # type: ignore[attr-defined]
    "folder": lambda store: store.folder("a/"),  # type: ignore[attr-defined]
    "delete": lambda store: store.delete(["a"]),
    "copy": lambda store: store.copy("a", "b"),  # type: ignore[attr-defined]
    "large": lambda store: store.put("a", bytes(6 * MIB)),
}


@pytest.mark.parametrize("verb", VERBS)
def test_a_store_that_never_answers_is_given_up(silent: str, verb: str) -> None:
    store = store_of(silent, limits={"connect": 0.5, "request": 0.1, "retries": 1, "total": 0.5})
    with pytest.raises(StoreError, match=r"^\w: the store did not answer in time \(s3://bucket/site\)$"):
        VERBS[verb](store)


@pytest.mark.parametrize("verb", VERBS)
def test_a_store_that_is_not_there(silent: str, verb: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    store = store_of(url, limits={"retries": 1, "total": 0.5})
    with pytest.raises(StoreError, match=r"^\w: the store cannot be reached: nobody listens.* \(s3://bucket/site\)$"):
        VERBS[verb](store)


def test_a_store_at_an_address_that_is_none(bucket: Bucket) -> None:
    limits = {"retries": 0}
    with pytest.raises(StoreError, match="cannot be reached: there is no host of that name"):
        store_of("http://nowhere.invalid", limits=limits).put("a", b"")
    with pytest.raises(StoreError, match="cannot be reached: it does not answer with TLS there"):
        store_of(bucket.url.replace("http:", "https:"), limits=limits).put("a", b"")


def test_a_put_that_arrived_late_is_ones_own(bucket: Bucket) -> None:
    store = store_of(bucket.url, limits={"request": 1, "retries": 5, "total": 20})

    def late(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        given = do()
        released.wait(20)
        return given

    released = threading.Event()
    bucket.fault = Once(lambda asked: asked.method == "PUT", late)
    try:
        store.put("a", b"one", mode="create")
    finally:
        released.set()
    assert bucket.methods[:2] == ["PUT", "PUT"]
    assert bucket.methods[-1] == "HEAD"


# Errors


def test_nowhere_are_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
    store = open_store("s3://bucket", "here", {"endpoint_url": bucket.url, "limits": {"retries": 0}})
    for verb in ("put", "head", "list"):
        with pytest.raises(StoreError, match="no credentials for s3://bucket are found") as caught:
            VERBS[verb](store)
        for word in ("access_key", "secret_key", "AWS_ACCESS_KEY_ID", "publish.to", "endpoint_url"):
            assert word in str(caught.value)
    assert bucket.asked == []


@pytest.mark.parametrize("options", [{"object_parameters": {"ServerSideEncryption": "none"}}, {"default_acl": "a\nb"}])
def test_an_option_that_obstore_does_not_take(bucket: Bucket, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="s3://bucket/site: an option cannot be used: ") as caught:
        store_of(bucket.url, **options).put("a", b"")
    assert SECRET not in str(caught.value)


def test_a_key_like_the_address_of_a_role(bucket: Bucket, store: Store) -> None:
    for key in ("latest/meta-data/iam", "metadata/identity/oauth2", "latest/api/token"):
        assert store.head(key) is None
        assert read_all(store, key) is None


def test_a_key_that_must_not_be_deleted(bucket: Bucket, store: Store) -> None:
    # The answer to a DeleteObjects request has errors in it, one for each key.
    told = (
        b"<DeleteResult><Error><Key>site/a</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>"
    )
    bucket.fault = lambda asked, do: Answer(200, told)
    with pytest.raises(StoreError, match=r"^a: access denied: .* \(AccessDenied, s3://bucket/site\)$"):
        store.delete(["a"])


REFUSALS = [
    (403, "AccessDenied", "access denied"),
    (403, "InvalidAccessKeyId", "does not know this access key"),
    (403, "SignatureDoesNotMatch", "does not accept the signature"),
    (403, "RequestTimeTooSkewed", "clock"),
    (400, "ExpiredToken", "have expired"),
    (404, "NoSuchBucket", "no such bucket"),
    (301, "PermanentRedirect", "another region"),
    (400, "AuthorizationHeaderMalformed", "another region"),
    (400, "BadDigest", "not those that were sent"),
    (400, "EntityTooLarge", "larger than the store takes"),
    (507, "QuotaExceeded", "quota"),
    (400, "SomethingNew", "SomethingNew"),
]


@pytest.mark.parametrize(("status", "code", "said"), REFUSALS)
def test_a_refusal_is_said_plainly_and_without_credentials(bucket: Bucket, status: int, code: str, said: str) -> None:
    store = store_of(bucket.url, limits={"retries": 0, "total": 1})
    bucket.fault = lambda asked, do: refused(status, code)
    for verb in VERBS.keys() - {"head"}:
        with pytest.raises(StoreError, match=r"^\w: ") as caught:
            VERBS[verb](store)
        assert said in str(caught.value)
        assert "s3://bucket/site" in str(caught.value)
        shown = "".join(traceback.format_exception(caught.value))
        for secret in (SECRET, "id-of-the-key", "AWS4-HMAC", "StringToSign"):
            assert secret not in shown
    assert SECRET not in repr(store) + str(store)


def test_a_missing_bucket_is_no_missing_key(bucket: Bucket) -> None:
    store = open_store("s3://other/site", "here", {"endpoint_url": bucket.url, "access_key": "a", "secret_key": "b"})
    for verb in ("read", "swap", "list", "copy", "put"):
        with pytest.raises(StoreError, match="no such bucket") as caught:
            VERBS[verb](store)
        assert not isinstance(caught.value, KeyNotFound)


@pytest.mark.parametrize("size", [1, 6 << 20])
@pytest.mark.parametrize("mode", ["overwrite", "create"])
def test_what_is_no_object_store(bucket: Bucket, store: Store, mode: Any, size: int) -> None:
    """A web server that has no such page."""
    bucket.fault = lambda asked, do: Answer(404, b"<html>Not Found</html>")
    with pytest.raises(StoreError, match=r"does not answer as S3 does\. Is endpoint_url right") as caught:
        store.put("a", bytes(size), mode=mode)
    assert not isinstance(caught.value, KeyNotFound)
    with pytest.raises(StoreError, match="does not answer as S3 does"):
        store.swap("a", None, b"x")
    assert store.head("a") is None


def test_a_name_that_cannot_be_listed(bucket: Bucket, store: Store) -> None:
    bucket._keep("site/a//b", b"", {})
    with pytest.raises(StoreError, match=r"s3://bucket/site holds an object named 'site/a//b'"):
        list(store.list())


def test_a_name_that_no_object_can_have(bucket: Bucket, store: Store) -> None:
    for verb in (lambda: store.put("a\nb", b""), lambda: store.head("a\nb"), lambda: store.delete(["a\nb"])):
        with pytest.raises(StoreError, match=r"^'a\\nb': the name has a control character"):
            verb()
    assert bucket.asked == []


def test_keys_of_others_are_not_listed(bucket: Bucket, store: Store) -> None:
    for key in ("site/a", "site-two/b", "c", "sites/d"):
        bucket._keep(key, b"", {})
    assert [stored.key for stored in store.list()] == ["a"]
    assert {stored.key for stored in store_of(bucket.url, "").list()} == {"site/a", "site-two/b", "c", "sites/d"}


# Processes

PROGRAM = """
import os, signal, sys
from shipfiles.stores.opening import open_store
store = open_store("s3://bucket/site", "here", {"endpoint_url": sys.argv[1], "access_key": "a", "secret_key": "b"})
def use(key):
    store.put(key, key.encode(), mode="create")
    assert b"".join(store.read(key)) == key.encode()
    assert store.swap(key, key.encode(), b"swapped")
def child(work):
    pid = os.fork()
    if pid == 0:
        signal.alarm(20)
        work()
        sys.stdout.flush()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0
"""


def run(bucket: Bucket, program: str) -> None:
    # Python warns of a fork while there are threads, which is what is tried out here.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM + textwrap.dedent(program), bucket.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_a_process_that_used_the_store_can_use_it(bucket: Bucket) -> None:
    run(bucket, """
        import obstore.exceptions
        before = obstore.exceptions.BaseError
        use("parent")
        def first():
            use("child")
            child(lambda: use("grandchild"))
            use("child again")
            assert sys.modules["obstore.exceptions"].BaseError is before
        child(first)
        child(lambda: use("second child"))
        use("parent again")
    """)  # fmt: skip
    keys = {"parent", "child", "grandchild", "child again", "second child", "parent again"}
    assert {key: body for key, (body, _) in bucket.objects.items()} == {f"site/{key}": b"swapped" for key in keys}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_of_a_process_that_only_has_the_store_can_use_it(bucket: Bucket) -> None:
    run(bucket, "child(lambda: use('child')); use('parent')")


def test_a_process_that_used_the_store_ends_well(bucket: Bucket) -> None:
    for i in range(3):
        run(bucket, f"use('{i}'); list(store.list()); store.delete(['{i}'])")


def test_a_process_may_end_in_the_middle_of_a_read(bucket: Bucket) -> None:
    bucket._keep("site/large", bytes(20 * MIB), {})
    run(bucket, "stream = store.read('large'); next(stream)")


def test_nothing_of_it_is_loaded_before_it_is_used() -> None:
    program = """
        import sys
        from shipfiles.stores.opening import open_store
        open_store("s3://bucket", "here", {"access_key": "a", "secret_key": "b"})
        open_store("az://container", "here", {"account_name": "name"})
        assert not {"obstore", "boto3", "gevent"} & sys.modules.keys()
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)


@pytest.mark.parametrize(("place", "extra"), [("s3://bucket", "s3"), ("az://container", "azure")])
def test_a_missing_extra_is_named(place: str, extra: str) -> None:
    program = f"""
        import sys
        sys.modules["obstore"] = None
        from shipfiles.errors import ConfigError
        from shipfiles.stores.opening import open_store
        options = {{"account_name": "name"}} if "az" in {place!r} else {{}}
        try:
            open_store({place!r}, "here", options).head("a")
        except ConfigError as error:
            assert "pip install 'shipfiles[{extra}]'" in str(error), error
        else:
            raise AssertionError
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True)
