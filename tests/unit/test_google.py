"""Google Cloud Storage: the contract, and what is its alone, on a bucket of our own that can be told to fail."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from google.auth.credentials import AnonymousCredentials

from shipfiles.digest import digest_bytes
from shipfiles.errors import ConfigError, KeyExists, KeyNotFound, OtherBytes, Replaced, StoreError
from shipfiles.stores.google import Google
from shipfiles.stores.google_objects import CopyingGoogleStore, GoogleStore
from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Copies, Folders, Parts, Refields, Store, read_all
from shipfiles.testing.store import StoreContract
from tests.bucket import Answer, Asked, stalls
from tests.google_bucket import GoogleBucket, Held, crc32c, refused, running

from .test_objects import Once, lost

LIMITS = {"connect": 1, "request": 5, "retries": 2, "total": 10}
MIB = 1 << 20
TOKEN = "not-to-be-shown-to-anybody"


def store_of(url: str, location: str = "site", **options: Any) -> Store:
    given = {"credentials": AnonymousCredentials(), "endpoint_url": url, "limits": LIMITS}
    return open_store(f"gs://bucket/{location}", "here", given | options)


@pytest.fixture
def bucket() -> Iterator[GoogleBucket]:
    with running() as bucket:
        yield bucket


@pytest.fixture
def store(bucket: GoogleBucket) -> Store:
    return store_of(bucket.url)


class TestOwnBucket(StoreContract):
    looks_before_it_copies = False

    @pytest.fixture
    def store(self, bucket: GoogleBucket) -> Store:
        return store_of(bucket.url)

    @pytest.fixture
    def other(self, bucket: GoogleBucket) -> Store:
        return store_of(bucket.url)


# Requests


def test_what_things_cost(bucket: GoogleBucket, store: Store) -> None:
    def methods(work: Callable[[], object]) -> list[str]:
        bucket.asked.clear()
        work()
        return bucket.methods

    assert isinstance(store, Copies)
    assert methods(lambda: store.put("a", b"one")) == ["POST"]
    assert methods(lambda: store.put("b", b"one", mode="create")) == ["POST"]
    assert methods(lambda: store.head("a")) == ["GET"]
    assert methods(lambda: read_all(store, "a")) == ["GET"]
    assert methods(lambda: store.swap("p", None, b"one")) == ["POST"]
    assert methods(lambda: store.swap("p", b"one", b"two")) == ["POST"]
    other = store_of(bucket.url)
    assert methods(lambda: read_all(other, "p")) == ["GET"]
    assert methods(lambda: other.swap("p", b"two", b"three")) == ["POST"]
    # What was not put on a condition.
    assert methods(lambda: store.swap("a", b"one", b"two")).count("GET") <= 2
    assert methods(lambda: store.copy("a", "c", fields={"Content-Type": "text/css"})) == ["POST"]
    assert methods(lambda: store.copy("a", "c")) == ["GET", "POST"]
    assert methods(lambda: list(store.list())) == ["GET"]
    assert methods(lambda: store.delete(["a", "b", "c", "p", "unknown"])) == ["POST"]
    assert bucket.held == {}


def test_a_swap_after_a_read_costs_one(bucket: GoogleBucket, store: Store) -> None:
    other = store_of(bucket.url)
    assert other.swap("a", None, b"one")
    assert read_all(store, "a") == b"one"
    bucket.asked.clear()
    assert store.swap("a", b"one", b"two")
    assert bucket.methods == ["POST"]
    assert parse_qs(urlsplit(bucket.asked[0].path).query)["ifGenerationMatch"] == ["1001"]
    bucket.asked.clear()
    assert other.swap("a", b"two", b"three")
    assert bucket.methods == ["GET", "POST"]


def test_an_empty_object_can_be_swapped(bucket: GoogleBucket, store: Store) -> None:
    store_of(bucket.url).put("a", b"")
    assert read_all(store, "a") == b""
    assert not store.swap("a", b"one", b"two")
    assert store.swap("a", b"", b"one")
    assert bucket.held["site/a"].body == b"one"


def test_many_are_listed_and_deleted(bucket: GoogleBucket, store: Store) -> None:
    for number in range(1001):
        bucket._keep(f"site/{number}", b"", {})
    bucket._keep("site/folder/", b"", {})
    bucket._keep("site-two/a", b"", {})
    bucket.asked.clear()
    assert sorted(int(stored.key) for stored in store.list()) == list(range(1001))
    assert bucket.methods == ["GET", "GET"]
    bucket.asked.clear()
    store.delete(str(number) for number in range(250))
    assert bucket.methods == ["POST"] * 3
    assert len(bucket.held) == 1001 + 2 - 250


def test_a_page_that_fails_is_asked_for_again(bucket: GoogleBucket, store: Store) -> None:
    for number in range(1500):
        bucket._keep(f"site/{number}", b"", {})
    bucket.fault = Once(lambda asked: "pageToken" in asked.path, lambda asked, do: refused(503, "backendError"))
    assert len(list(store.list())) == 1500


def test_a_server_without_batches(bucket: GoogleBucket, store: Store) -> None:
    """As fake-gcs-server is one for Google's client, which does not number the requests."""
    for key in ("a", "b"):
        store.put(key, b"")
    empty = Answer(200, b"--b--\r\n", {"Content-Type": "multipart/mixed; boundary=b"})
    bucket.fault = lambda asked, do: empty if "/batch" in asked.path else do()
    store.delete(["a", "unknown", "b"])
    assert bucket.held == {}


# Integrity


def test_a_checksum_is_sent_with_the_bytes(bucket: GoogleBucket, store: Store) -> None:
    store.put("a", b"one")
    assert f'"crc32c": "{crc32c(b"one")}"'.encode() in bucket.asked[-1].body
    # RFC 3720, appendix B.4, has the checksum of 32 zeros.
    assert crc32c(bytes(32)) == base64.b64encode(bytes.fromhex("8a9136aa")).decode()


@pytest.mark.parametrize("size", [3, 9 * MIB])
def test_bytes_that_arrive_as_others_are_refused(bucket: GoogleBucket, store: Store, size: int) -> None:
    body = os.urandom(size)
    held = Held(body, {}, 7, datetime.now(UTC))
    bucket.held["site/a"] = held

    def changed(asked: Asked, do: Callable[[], Answer]) -> Answer:
        given = do()
        return Answer(given.status, bytes([given.body[0] ^ 1]) + given.body[1:], given.headers)

    bucket.fault = Once(lambda asked: "alt=media" in asked.path, changed)
    with pytest.raises(StoreError, match=r"^a: the bytes that arrived are not those that the store has"):
        b"".join(store.read("a"))
    assert b"".join(store.read("a")) == body


def test_a_packed_object_is_read_as_it_was_put(bucket: GoogleBucket, store: Store) -> None:
    packed = gzip.compress(os.urandom(9 * MIB), 0)
    store.put("a.css", packed, fields={"Content-Encoding": "gzip"})
    bucket.asked.clear()
    assert b"".join(store.read("a.css")) == packed
    assert [asked.headers["accept-encoding"] for asked in bucket.asked] == ["gzip"]


def test_a_large_file_goes_in_chunks(bucket: GoogleBucket, store: Store, tmp_path: Path) -> None:
    body = os.urandom(17 * MIB + 5)
    (tmp_path / "film").write_bytes(body)
    fields = {"Content-Type": "video/mp4"}
    store.put("film", str(tmp_path / "film"), digest=digest_bytes(body), fields=fields, mode="create")
    assert bucket.held["site/film"].body == body
    assert [len(asked.body) for asked in bucket.asked if asked.method == "PUT"] == [8 * MIB, 8 * MIB, MIB + 5]
    bucket.asked.clear()
    assert b"".join(store.read("film")) == body
    assert bucket.methods == ["GET"]
    assert max(map(len, store.read("film"))) <= MIB
    head = store.head("film")
    assert head is not None
    assert head.fields == fields
    with pytest.raises(KeyExists):
        store.put("film", str(tmp_path / "film"), mode="create")


def test_the_size_of_chunks(bucket: GoogleBucket) -> None:
    store_of(bucket.url, blob_chunk_size=3 * MIB).put("a", bytes(6 * MIB))
    assert [len(asked.body) for asked in bucket.asked if asked.method == "PUT"] == [3 * MIB, 3 * MIB, 0]
    assert bucket.held["site/a"].body == bytes(6 * MIB)


def test_a_large_file_that_another_creates_meanwhile(bucket: GoogleBucket, store: Store) -> None:
    def before(asked: Asked, do: Callable[[], Answer]) -> Answer:
        bucket._keep("site/a", b"of another", {})
        return do()

    bucket.fault = Once(lambda asked: asked.method == "PUT", before)
    with pytest.raises(KeyExists):
        store.put("a", bytes(6 * MIB), mode="create")
    assert bucket.held["site/a"].body == b"of another"


@pytest.mark.parametrize("as_path", [True, False])
def test_a_large_file_that_changes_meanwhile(bucket: GoogleBucket, store: Store, tmp_path: Path, as_path: bool) -> None:
    body = os.urandom(7 * MIB)
    (tmp_path / "film").write_bytes(body)
    with pytest.raises(OtherBytes, match=r"^film: the file changed while it was read"):
        store.put("film", str(tmp_path / "film") if as_path else body, digest=digest_bytes(b"other"))
    assert bucket.held == {}


def test_what_is_replaced_while_it_is_read_is_not_mixed(bucket: GoogleBucket, store: Store) -> None:
    store.put("a", os.urandom(9 * MIB))

    def cut_short(asked: Asked, do: Callable[[], Answer]) -> Answer:
        given = do()
        bucket._keep("site/a", os.urandom(9 * MIB), {})
        return Answer(given.status, given.body[: 2 * MIB], {**given.headers, "Content-Length": str(len(given.body))})

    bucket.fault = Once(lambda asked: asked.method == "GET", cut_short)
    with pytest.raises(Replaced, match=r"^a: "):
        b"".join(store.read("a"))


def test_a_part_costs_one_request_and_no_other_bytes(bucket: GoogleBucket, store: Store) -> None:
    assert isinstance(store, Parts)
    body = os.urandom(2 * MIB)
    store.put("a", body)
    bucket.asked.clear()
    part = store.read_part("a", 5, 10)
    assert b"".join(part.body) == body[5:10]
    assert (bucket.methods, bucket.asked[0].headers["range"]) == (["GET"], "bytes=5-9")
    assert b"".join(store.read_part("a", 10, 20, version=part.version).body) == body[10:20]
    # https://docs.cloud.google.com/storage/docs/json_api/v1/objects/get
    assert f"ifGenerationMatch={bucket.held['site/a'].generation}" in bucket.asked[1].path
    bucket.asked.clear()
    assert list(store.read_part("a", 2 * MIB, 3 * MIB).body) == []
    assert bucket.methods == ["GET", "GET"]


def test_a_folder_of_more_names_than_an_answer_has(bucket: GoogleBucket, store: Store) -> None:
    assert isinstance(store, Folders)
    names = [f"{number:04}" for number in range(1001)]
    for name in names:
        bucket._keep(f"site/a/{name}", b"", {})
        bucket._keep(f"site/b/{name}/{name}/c", b"", {})
    bucket._keep("site/a/", b"", {})  # what Google's console makes for a folder
    assert store.folder("a/") == ([], names)
    assert store.folder("b/") == (names, [])
    assert bucket.methods == ["GET"] * 4
    # What others have put there, under names that are no keys, is not ours to fail over.
    for name in ("b//c", "b/./c", "b/..", "b/../c", "b/.", "b/x\0y"):
        bucket._keep(f"site/{name}", b"", {})
    assert store.folder("b/") == (names, [])
    with pytest.raises(StoreError, match="with an empty part"):
        list(store.list("b/"))


def test_a_store_that_heeds_no_ranges(bucket: GoogleBucket, store: Store) -> None:
    assert isinstance(store, Parts)
    body = os.urandom(3 * MIB)
    store.put("a", body)

    def whole(asked: Asked, do: Callable[[], Answer]) -> Answer:
        asked.headers.pop("range", None)
        return do()

    bucket.fault = whole
    for start, stop in ((5, 10), (2 * MIB + 1, None), (0, 7), (3 * MIB, 4 * MIB), (0, None)):
        part = store.read_part("a", start, stop)
        assert (b"".join(part.body), part.stored.size) == (body[start:stop], len(body))


@pytest.mark.parametrize("cut", [0, MIB])
def test_a_body_that_is_cut_is_read_again(bucket: GoogleBucket, store: Store, cut: int) -> None:
    body = os.urandom(2 * MIB)
    store.put("a", body)

    def cut_short(asked: Asked, do: Callable[[], Answer]) -> Answer:
        given = do()
        return Answer(given.status, given.body[:cut], {**given.headers, "Content-Length": str(len(given.body))})

    bucket.fault = Once(lambda asked: asked.method == "GET", cut_short)
    assert b"".join(store.read("a")) == body


# Fields


def test_the_fields_of_the_store_and_of_a_put(bucket: GoogleBucket) -> None:
    given = {"cache_control": "max-age=60", "content_language": "de", "metadata": {"team": "web"}}
    store = store_of(bucket.url, object_parameters={**given, "storage_class": "NEARLINE"})
    store.put("a", b"", fields={"cache-control": "no-cache", "x-goog-meta-own": "1"})
    found = store.head("a")
    assert found is not None
    assert found.fields == {
        "Cache-Control": "no-cache", "Content-Language": "de", "Content-Type": "application/octet-stream",
        "x-goog-meta-team": "web", "x-goog-meta-own": "1",
    }  # fmt: skip
    assert isinstance(store, Copies)
    store.copy("a", "b", fields={"Content-Type": "text/css"})
    copied = store.head("b")
    assert copied is not None
    assert copied.fields == {
        "Cache-Control": "max-age=60", "Content-Language": "de", "Content-Type": "text/css", "x-goog-meta-team": "web",
    }  # fmt: skip
    assert {held.told["storageClass"] for held in bucket.held.values()} == {"NEARLINE"}


def test_the_token_of_a_put_is_nobodys_field(bucket: GoogleBucket, store: Store) -> None:
    store.put("a", b"", mode="create", fields={"Content-Type": "text/css"})
    assert isinstance(store, Copies)
    store.copy("a", "b")
    for key in ("a", "b"):
        found = store.head(key)
        assert found is not None
        assert found.fields == {"Content-Type": "text/css"}
    assert len(bucket.held["site/a"].told["metadata"]["shipfiles"]) == 16
    assert "metadata" not in bucket.held["site/b"].told


def test_to_answer_otherwise_takes_one_request_without_the_body(bucket: GoogleBucket, store: Store) -> None:
    assert isinstance(store, Refields)
    store.put("a.css", b"a {}" * 1000, fields={"Content-Type": "text/x-old", "Content-Language": "de"})
    before = bucket.held["site/a.css"].generation
    bucket.asked.clear()
    store.refield("a.css", {"Content-Type": "text/css"})
    (asked,) = bucket.asked
    assert (asked.method, len(asked.body) < 500) == ("PATCH", True)
    # The bytes are those of the same generation: nobody who has put others meanwhile is undone.
    assert bucket.held["site/a.css"].generation == before
    assert "contentLanguage" not in bucket.held["site/a.css"].told


def test_a_copy_that_takes_several_requests(bucket: GoogleBucket, store: Store) -> None:
    store.put("a", b"one")
    unfinished = {"done": False, "totalBytesRewritten": "1", "objectSize": "3", "rewriteToken": "further"}
    bucket.fault = Once(
        lambda asked: "rewriteTo" in asked.path, lambda asked, do: Answer(200, json.dumps(unfinished).encode())
    )
    assert isinstance(store, Copies)
    store.copy("a", "b", fields={"Content-Type": "text/css"})
    assert read_all(store, "b") == b"one"
    (second,) = [asked for asked in bucket.asked if "rewriteToken" in asked.path]
    assert "rewriteToken=further" in second.path


@pytest.mark.parametrize(
    "options",
    [{"default_acl": "publicRead"}, {"default_acl": "public-read"}, {"object_parameters": {"acl": "publicRead"}}],
)
def test_an_acl_is_sent_with_what_is_put(bucket: GoogleBucket, options: dict[str, Any]) -> None:
    store = store_of(bucket.url, **options)
    store.put("a", b"")
    store.put("large", bytes(6 * MIB))
    begun = [urlsplit(asked.path).query for asked in bucket.asked if asked.method == "POST"]
    assert [parse_qs(query)["predefinedAcl"] for query in begun] == [["publicRead"]] * 2
    # A copy would not have it.
    assert not isinstance(store, Copies)


@pytest.mark.parametrize(
    ("acl", "sent"), [("publicRead", None), ("authenticatedRead", None), ("projectPrivate", ["projectPrivate"])]
)
def test_records_are_not_made_public(bucket: GoogleBucket, acl: str, sent: list[str] | None) -> None:
    store = store_of(bucket.url, default_acl=acl)
    store.put(".shipfiles/manifests/a.json", b"")
    store.put(".shipfiles/plain/large", bytes(6 * MIB))
    assert store.swap(".shipfiles/current.json", None, b"one")
    begun = [urlsplit(asked.path).query for asked in bucket.asked if asked.method == "POST"]
    assert [parse_qs(query).get("predefinedAcl") for query in begun] == [sent] * 3


# Lost answers


@pytest.mark.parametrize("size", [3, 6 * MIB])
def test_a_create_whose_answer_is_lost_finds_its_own_object(bucket: GoogleBucket, store: Store, size: int) -> None:
    body = os.urandom(size)
    bucket.fault = Once(lambda asked: asked.method == ("POST" if size == 3 else "PUT"), lost)
    store.put("a", body, mode="create")
    assert bucket.held["site/a"].body == body
    assert (bucket.methods == ["POST", "POST", "GET"]) is (size == 3)
    assert len(bucket.held) == 1


def test_a_large_create_of_which_no_answer_comes_any_more(bucket: GoogleBucket, store: Store) -> None:
    first = True

    def gone(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        nonlocal first
        if asked.method != "PUT":
            return do()
        if first:
            first = False
            do()
            return None
        return refused(404, "notFound")

    bucket.fault = gone
    with pytest.raises(StoreError):
        store.put("b", bytes(6 * MIB), mode="create")
    assert bucket.held["site/b"].body == bytes(6 * MIB)


def test_another_object_with_the_same_bytes_is_not_ones_own(bucket: GoogleBucket, store: Store) -> None:
    store_of(bucket.url).put("a", b"one", mode="create")
    with pytest.raises(KeyExists):
        store.put("a", b"one", mode="create")
    assert not store.swap("a", None, b"one")


@pytest.mark.parametrize("known", [True, False])
def test_a_swap_whose_answer_is_lost_has_succeeded(bucket: GoogleBucket, store: Store, known: bool) -> None:
    (store if known else store_of(bucket.url)).put("a", b"one")
    bucket.fault = Once(lambda asked: asked.method == "POST", lost)
    assert store.swap("a", b"one", b"two")
    assert read_all(store, "a") == b"two"


def test_a_swap_that_another_has_won_has_not(bucket: GoogleBucket, store: Store) -> None:
    store.put("a", b"one")

    def before(asked: Asked, do: Callable[[], Answer]) -> None:
        bucket._keep("site/a", b"two", {})

    bucket.fault = Once(lambda asked: asked.method == "POST", before)
    assert not store.swap("a", b"one", b"two")


# Errors


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (503, "backendError"),
        (429, "rateLimitExceeded"),
        (403, "userRateLimitExceeded"),
        (500, "x"),
        (408, ""),
        (409, ""),
    ],
)
def test_what_passes_is_asked_again(bucket: GoogleBucket, store: Store, status: int, reason: str) -> None:
    bucket.fault = Once(lambda asked: True, lambda asked, do: refused(status, reason))
    store.put("a", b"one")
    assert len(bucket.asked) == 2
    bucket.fault = Once(lambda asked: True, lambda asked, do: refused(status, reason))
    assert read_all(store, "a") == b"one"


VERBS: dict[str, Callable[[Store], object]] = {
    "put": lambda store: store.put("a", b"one"),
    "create": lambda store: store.put("a", b"one", mode="create"),
    "large": lambda store: store.put("a", bytes(6 * MIB)),
    "swap": lambda store: store.swap("a", b"one", b"two"),
    "head": lambda store: store.head("a"),
    "read": lambda store: read_all(store, "a"),
    "list": lambda store: list(store.list("a")),
    "delete": lambda store: store.delete(["a"]),
}


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (refused(401, "authError", TOKEN), "a: access denied: the store does not accept these credentials"),
        (
            refused(403, "forbidden", f"{TOKEN} does not have storage.objects.create access to the object."),
            r"a: access denied: these credentials lack storage\.objects\.create \(403, gs://bucket/site\)",
        ),
        (
            refused(400, "invalid", f"Cannot use legacy ACL when uniform bucket-level access is enabled {TOKEN}"),
            "a: objects of gs://bucket/site have no ACL",
        ),
        (Answer(403, TOKEN.encode()), "a: access denied"),
        (Answer(302, TOKEN.encode()), r"a: the store refused \(302"),
    ],
)
def test_refusals(bucket: GoogleBucket, store: Store, verb: str, answer: Answer, match: str) -> None:
    bucket.fault = lambda asked, do: answer
    with pytest.raises(StoreError, match=f"^{match}") as caught:
        VERBS[verb](store)
    assert TOKEN not in "".join(traceback.format_exception(caught.value))
    assert bucket.url not in str(caught.value)
    assert len(bucket.asked) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_no_bucket(bucket: GoogleBucket, verb: str) -> None:
    given = {"credentials": AnonymousCredentials(), "endpoint_url": bucket.url, "limits": LIMITS}
    store = open_store("gs://other", "here", given)
    if verb == "delete":
        bucket.fault = lambda asked, do: refused(404, "notFound", "The specified bucket does not exist.")
    with pytest.raises(StoreError, match="there is no such bucket") as caught:
        VERBS[verb](store)
    assert not isinstance(caught.value, KeyNotFound)


def test_keys_that_must_not_be_deleted(bucket: GoogleBucket, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("a", "b"):
        store.put(key, b"")
    part = bucket.part
    monkeypatch.setattr(
        bucket,
        "part",
        lambda asked: refused(403, "forbidden") if asked.path.endswith("b?prettyPrint=false") else part(asked),
    )
    with pytest.raises(StoreError, match=r"^b: access denied"):
        store.delete(["a", "b"])
    assert [*bucket.held] == ["site/b"]


def test_keys_of_which_some_could_not_be_deleted_at_once(
    bucket: GoogleBucket, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("a", "b"):
        store.put(key, b"")
    part, answers = bucket.part, [refused(429, "rateLimitExceeded")]
    monkeypatch.setattr(bucket, "part", lambda asked: answers.pop() if answers else part(asked))
    store.delete(["a", "b"])
    assert bucket.held == {}


def test_nobody_answers(bucket: GoogleBucket, tmp_path: Path) -> None:
    store = store_of("http://127.0.0.1:1", limits={**LIMITS, "total": 1})
    for verb in VERBS.values():
        with pytest.raises(StoreError, match=r"^a: the store cannot be reached \(gs://bucket/site\)"):
            verb(store)


def test_a_stall(bucket: GoogleBucket) -> None:
    store = store_of(bucket.url, limits={"connect": 0.2, "request": 0.2, "retries": 1, "total": 5})
    bucket.fault = Once(lambda asked: True, stalls(1))
    store.put("a", b"one")
    bucket.fault = stalls(1)
    with pytest.raises(StoreError, match=r"^a: the store did not answer in time"):
        read_all(store, "a")


def test_a_name_that_no_key_can_be(bucket: GoogleBucket, store: Store) -> None:
    bucket._keep("site/a//b", b"x", {})
    with pytest.raises(StoreError, match=r"gs://bucket/site holds an object named 'site/a//b'"):
        list(store.list())


# Options


@pytest.mark.parametrize(
    ("place", "options", "told"),
    [
        ("gs://b", {}, "bucket_name 'b' cannot be the name of a bucket"),
        ("gs://Bucket", {}, "'Bucket' cannot be the name of a bucket"),
        ("gs://", {}, "bucket_name"),
        ("gs://key@bucket", {}, "credentials do not belong in the URL"),
        ("gs://bucket", {"bucket_name": "other"}, "bucket_name is 'other' in the options and 'bucket'"),
        ("gs://bucket/a/../b", {}, "location 'a/../b' cannot be used"),
        ("gs://bucket", {"projectid": "x"}, "project_id"),
        ("gs://bucket", {"credentials": 3}, "credentials must be credentials of google-auth"),
        ("gs://bucket", {"default_acl": "public"}, "default_acl must be one of authenticatedRead"),
        ("gs://bucket", {"object_parameters": {"acl": ["x"]}}, "default_acl must be one of"),
        ("gs://bucket", {"blob_chunk_size": 1000}, "blob_chunk_size must be a multiple of 256 KiB"),
        ("gs://bucket", {"blob_chunk_size": 0}, "blob_chunk_size must be"),
        ("gs://bucket", {"object_parameters": {"cache_controll": "x"}}, "Did you mean 'cache_control'"),
        ("gs://bucket", {"endpoint_url": f"https://id:{TOKEN}@example.com"}, "must not hold credentials"),
        (
            "gs://bucket",
            {"custom_endpoint": "https://cdn.example"},
            "is the address that pages use: say it as base_url",
        ),
        (
            "gs://bucket",
            {"querystring_auth": True},
            "here['querystring_auth'] is not honoured: static files are public",
        ),
        ("gs://bucket", {"gzip": True}, "see OPTIONS['compress']"),
        ("gs://bucket", {"file_overwrite": False}, "other hashed names. Leave it out."),
        ("gs://bucket", {"max_memory_size": 5}, "no body of more than a few MiB"),
    ],
)
def test_options_that_cannot_be(place: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_store(place, "here", options)
    assert told in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_options_that_ask_for_what_is_so_anyway() -> None:
    given = {"querystring_auth": False, "file_overwrite": True, "custom_endpoint": None, "gzip": False}
    assert isinstance(open_store("gs://bucket/a/b/", "here", given), CopyingGoogleStore)
    store = open_store("gs://bucket", "here", {"location": "/static/", "default_acl": "publicRead"})
    assert type(store) is GoogleStore
    assert str(store) == "gs://bucket/static"


def test_nothing_secret_is_shown() -> None:
    google = Google("bucket", credentials={"private_key": TOKEN})
    assert TOKEN not in repr(google) + repr(google.store()) + str(google.store())


def key_of(tmp_path: Path, **others: str) -> dict[str, str]:
    made = subprocess.run(
        ["openssl", "genrsa", "-out", str(tmp_path / "key.pem"), "2048"], capture_output=True, check=False
    )
    if made.returncode:
        pytest.skip("openssl makes no key")
    return {
        "type": "service_account", "project_id": "p", "private_key": (tmp_path / "key.pem").read_text(),
        "client_email": "robot@p.iam.gserviceaccount.com", "token_uri": "http://127.0.0.1:1/token", **others,
    }  # fmt: skip


@pytest.mark.parametrize("as_path", [True, False])
def test_the_key_of_a_service_account(bucket: GoogleBucket, tmp_path: Path, as_path: bool) -> None:
    bucket.fault = lambda asked, do: (
        Answer(200, b'{"access_token": "t", "expires_in": 3600}', {"Content-Type": "application/json"})
        if asked.path == "/token"
        else do()
    )
    key = key_of(tmp_path, token_uri=f"{bucket.url}/token")
    (tmp_path / "key.json").write_text(json.dumps(key))
    store = store_of(bucket.url, credentials=str(tmp_path / "key.json") if as_path else key)
    store.put("a", b"one")
    assert [asked.headers.get("authorization") for asked in bucket.asked] == [None, "Bearer t"]


def test_a_key_for_which_there_is_no_token(bucket: GoogleBucket, tmp_path: Path) -> None:
    bucket.fault = lambda asked, do: Answer(
        400, json.dumps({"error": "invalid_grant", "error_description": TOKEN}).encode()
    )
    store = store_of(bucket.url, credentials=key_of(tmp_path, token_uri=f"{bucket.url}/token"))
    with pytest.raises(StoreError, match=r"^a: access denied: Google gives no token for these credentials") as caught:
        store.put("a", b"one")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize("given", ["text", "gone", "mapping"])
def test_a_key_that_is_none(tmp_path: Path, given: str) -> None:
    (tmp_path / "text").write_text(f'{{"type": "{TOKEN}"}}')
    credentials = {"private_key": TOKEN} if given == "mapping" else str(tmp_path / given)
    store = store_of("http://127.0.0.1:1", credentials=credentials)
    with pytest.raises(
        ConfigError, match="cannot be read" if given == "gone" else "no service account's key"
    ) as caught:
        store.put("a", b"one")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


def test_nowhere_are_credentials(bucket: GoogleBucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("GOOGLE_", "CLOUDSDK_", "STORAGE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    store = open_store("gs://bucket", "here", {"endpoint_url": bucket.url})
    for verb in VERBS.values():
        with pytest.raises(StoreError, match=r"^a: no credentials for gs://bucket are found\."):
            verb(store)
    assert bucket.asked == []


def run(program: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_is_not_installed() -> None:
    program = """
        import sys
        sys.modules["google.cloud.storage"] = None
        from shipfiles.errors import ConfigError
        from shipfiles.stores.opening import open_store
        store = open_store("gs://bucket", "here")
        try:
            store.head("a")
        except ConfigError as error:
            print(error)
    """
    assert "Run: pip install 'shipfiles[google]'." in run(program)


def test_workers_have_connections_of_their_own(bucket: GoogleBucket) -> None:
    """A store that was used before a fork is used on both sides at once."""
    program = """
        import os, sys
        from google.auth.credentials import AnonymousCredentials
        from shipfiles.stores.opening import open_store
        store = open_store("gs://bucket", "here", {"endpoint_url": sys.argv[1], "credentials": AnonymousCredentials()})
        store.put("a", b"one")
        before = store._connection.client()
        pids = []
        for number in range(3):
            if (pid := os.fork()) == 0:
                assert store._connection.client() is not before
                for i in range(10):
                    store.put(f"{number}/{i}", b"x")
                    assert b"".join(store.read("a")) == b"one"
                os._exit(0)
            pids.append(pid)
        for i in range(10):
            store.put(f"parent/{i}", b"x")
        assert store._connection.client() is before
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
    """
    run(program, bucket.url)
    assert len(bucket.held) == 41


def test_the_time_of_a_put(bucket: GoogleBucket, store: Store) -> None:
    store.put("a", b"one")
    found = store.head("a")
    assert found is not None
    assert found.modified == bucket.held["site/a"].made.timestamp()
    assert hashlib.md5(b"one", usedforsecurity=False).digest() == base64.b64decode(
        bucket.held["site/a"].resource("site/a")["md5Hash"]
    )
