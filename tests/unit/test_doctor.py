"""What is tried on a store, and what is said when a permission is missing."""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from shipfiles.config import ServeConfig
from shipfiles.doctor import public
from shipfiles.doctor.probe import examine
from shipfiles.doctor.public import NotReached, Page, fetch, public_fault, url_of
from shipfiles.doctor.question import Question
from shipfiles.doctor.steps import Examined, Step
from shipfiles.errors import StoreError
from shipfiles.paths import PROBES
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.object_connection import Limits
from shipfiles.stores.opening import open_store
from shipfiles.stores.permissions import S3
from shipfiles.stores.providers import PROVIDERS
from shipfiles.stores.store import Store, Stored
from tests.bucket import Answer, Asked, Bucket, refused, running
from tests.google_bucket import GoogleBucket

ORIGIN = "https://www.example.com"


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as found:
        found.allowed_origin = "*"
        yield found


def s3(bucket: Bucket, **options: Any) -> Store:
    given = {"access_key": "id", "secret_key": "secret", "endpoint_url": bucket.url, "limits": {"retries": 0}}
    return open_store("s3://bucket/static", "tests", {**given, **options})


def examined(bucket: Bucket, **more: Any) -> Examined:
    return examine(Question(s3(bucket), f"{bucket.url}/bucket/static/", **more))


def states(found: Examined) -> dict[str, str]:
    return {step.name: step.state for step in found.steps}


def step(found: Examined, name: str) -> Step:
    (one,) = [step for step in found.steps if step.name == name]
    return one


ALL = [
    "absent", "create", "condition", "read", "fields", "overwrite", "swap", "list", "copy", "metadata", "clock",
    "public", "headers", "cors", "compressed", "early", "delete",
]  # fmt: skip


def test_all_is_well(bucket: Bucket) -> None:
    bucket.objects["static/app.js"] = (b"theirs", {})
    found = examined(bucket)
    # The bucket compresses nothing, which nobody needs.
    assert states(found) == {**dict.fromkeys(ALL, "ok"), "compressed": "missing"}
    assert found.missing == []
    assert found.left == []
    assert list(bucket.objects) == ["static/app.js"]
    assert {re.sub("[0-9a-f]{16}", "...", key) for key in asked_for(bucket)} <= {
        f"static/{PROBES}/.../{name}"
        for name in ("early.js", "taken", "absent", "module.js", "font.woff2", "fresh.js", "copy.js", "pointer.json")
    }


def asked_for(bucket: Bucket) -> set[str]:
    """The keys in the paths of requests."""
    paths = {asked.path.partition("?")[0] for asked in bucket.asked}
    return {path.removeprefix("/bucket/") for path in paths if path not in ("/bucket", "/bucket/")}


def test_what_is_sent_has_no_credentials(bucket: Bucket) -> None:
    examined(bucket)
    visits = [asked for asked in bucket.asked if "authorization" not in asked.headers]
    assert len(visits) == 7
    for visit in visits:
        assert visit.headers.keys() <= {"host", "user-agent", "accept", "accept-encoding", "origin"}
        assert "?" not in visit.path


@pytest.mark.parametrize(
    ("denied", "missing", "grant"),
    [
        ("s3:PutObject", {"create"}, "s3:PutObject"),
        # https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html: without it a key that is not there is a
        # 403.
        ("s3:ListBucket", {"absent", "list"}, "s3:ListBucket"),
        ("s3:DeleteObject", {"delete"}, "s3:DeleteObject"),
    ],
)
def test_one_action_is_denied(bucket: Bucket, denied: str, missing: set[str], grant: str) -> None:
    bucket.denied = {denied}
    found = examined(bucket)
    assert {step.name for step in found.missing} == missing
    for one in found.missing:
        assert grant in one.grant
        assert "access denied" in one.why
        assert "static/" not in one.why.replace("s3://bucket/static", "")


def test_reading_is_denied(bucket: Bucket) -> None:
    """One cause is said once: of what needs reading nothing else is known."""
    bucket.denied = {"s3:GetObject"}
    found = examined(bucket)
    assert [step.name for step in found.missing] == ["read"]
    assert step(found, "read").grant == "grant s3:GetObject on the objects"
    untried = {step.name: step.why for step in found.steps if step.state == "not tried"}
    assert untried == dict.fromkeys(
        ["absent", "condition", "fields", "overwrite", "swap", "copy", "metadata", "clock"], "needs: read it back"
    )
    assert states(found)["list"] == "ok"
    assert bucket.objects == {}


def test_reading_is_denied_to_a_web_process(bucket: Bucket) -> None:
    bucket.denied = {"s3:GetObject"}
    found = examined(bucket, uses=["web"])
    assert [(step.name, step.grant) for step in found.missing] == [("current", "grant s3:GetObject on the objects")]
    assert step(found, "absent").why == "needs: read which release is current"


def test_reading_is_denied_where_one_looks_before_one_puts(bucket: Bucket) -> None:
    bucket.denied = {"s3:GetObject"}
    found = examine(Question(s3(bucket, provider="wasabi")))
    assert [(step.name, step.grant) for step in found.missing] == [("absent", "grant s3:GetObject on the objects")]
    assert step(found, "create").why == "needs: tell that a key is not there"


def test_neither_reading_nor_listing(bucket: Bucket) -> None:
    bucket.denied = {"s3:GetObject", "s3:ListBucket"}
    found = examined(bucket)
    assert [step.name for step in found.missing] == ["absent", "read", "list"]
    assert S3["list"] in step(found, "absent").grant


@pytest.mark.parametrize(
    ("code", "why"),
    [
        # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        ("InvalidAccessKeyId", "does not know this access key"),
        ("SignatureDoesNotMatch", "does not accept the signature"),
        ("ExpiredToken", "have expired"),
    ],
)
@pytest.mark.parametrize(
    ("use", "first"), [("publish", "absent"), ("web", "absent"), ("prune", "create"), ("metadata", "create")]
)
def test_wrong_credentials(bucket: Bucket, code: str, why: str, use: Any, first: str) -> None:
    """The answer to HEAD has no body, and so does not say it (RFC 9110, section 9.3.2)."""
    bucket.fault = lambda asked, do: refused(403, code) if "authorization" in asked.headers else do()
    found = examined(bucket, uses=[use])
    (missing,) = found.missing
    assert (found.steps[0], missing.name) == (missing, first)
    assert why in missing.why
    assert missing.grant.startswith("give credentials of this account")
    assert len(bucket.asked) <= 3


def test_wrong_credentials_for_everything(bucket: Bucket) -> None:
    bucket.fault = lambda asked, do: refused(403, "InvalidAccessKeyId") if "authorization" in asked.headers else do()
    found = examined(bucket)
    assert states(found) == {
        "absent": "missing", "create": "not tried", "public": "not tried", "delete": "not tried"
    }  # fmt: skip
    assert found.left == []


def test_no_credentials(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """With none, the role of the machine is asked for."""
    for name in os.environ:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", bucket.url)
    monkeypatch.setenv("HOME", "/nowhere")
    bucket.fault = lambda asked, do: Answer(404) if asked.path.startswith("/latest/") else do()
    found = examine(Question(s3(bucket, access_key=None, secret_key=None)))
    assert "no credentials for s3://bucket/static are found" in step(found, "absent").why
    assert step(found, "absent").grant.startswith("give credentials of this account")


def test_a_clock_that_is_wrong(bucket: Bucket) -> None:
    bucket.fault = lambda asked, do: refused(403, "RequestTimeTooSkewed") if "authorization" in asked.headers else do()
    found = examined(bucket)
    assert "this machine's clock" in step(found, "absent").why
    assert step(found, "absent").grant == ""
    assert step(found, "delete").state == "not tried"


def test_what_cannot_be_deleted_is_named(bucket: Bucket) -> None:
    bucket.denied = {"s3:DeleteObject"}
    found = examined(bucket)
    assert sorted(f"static/{key}" for key in found.left) == sorted(bucket.objects)
    assert len(found.left) == 7


def test_nothing_is_left_after_a_failure(bucket: Bucket) -> None:
    def broken(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        return refused(400, "InvalidRequest") if "copy" in asked.path and asked.method == "PUT" else do()

    bucket.fault = broken
    found = examined(bucket)
    assert states(found)["copy"] == "missing"
    assert states(found)["metadata"] == "ok"
    assert bucket.objects == {}


def test_a_fault_of_our_own_leaves_nothing_either(bucket: Bucket) -> None:
    def ask(url: str, headers: Mapping[str, str]) -> Page:
        assert bucket.objects
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        examine(Question(s3(bucket), "https://cdn.example.com/"), ask)
    assert bucket.objects == {}


def test_what_a_killed_probe_left_is_deleted(bucket: Bucket) -> None:
    old = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    for name, made in (("old", old), ("new", datetime.now(UTC).replace(microsecond=0))):
        bucket.objects[f"static/{PROBES}/{name}/module.js"] = (b"", {})
        bucket.times[f"static/{PROBES}/{name}/module.js"] = made
    examined(bucket)
    assert list(bucket.objects) == [f"static/{PROBES}/new/module.js"]


def test_a_store_that_heeds_no_conditions(bucket: Bucket) -> None:
    bucket.heeds_conditions = False
    found = examined(bucket)
    assert "heed" in step(found, "condition").why
    assert step(found, "condition") in found.missing
    assert bucket.objects == {}


def test_a_store_that_heeds_only_one_kind_of_condition(bucket: Bucket) -> None:
    def half(asked: Asked, do: Callable[[], Answer]) -> Answer:
        asked.headers.pop("if-match", None)
        return do()

    bucket.fault = half
    found = examined(bucket)
    assert "heed" in step(found, "condition").why


@pytest.mark.parametrize("heeds", [True, False])
def test_a_provider_who_says_nothing_of_conditions(bucket: Bucket, heeds: bool) -> None:
    """There one looks first; what the store does with conditions is said, and nothing depends on it."""
    bucket.heeds_conditions = heeds
    store = s3(bucket, provider="wasabi")
    found = examine(Question(store))
    assert step(found, "condition").state == ("ok" if heeds else "missing")
    assert found.missing == []
    assert bucket.objects == {}


def test_a_provider_who_cannot_be_asked_on_a_condition(bucket: Bucket) -> None:
    """Backblaze: what it would do with a condition is not tried, since it refuses such requests."""
    found = examine(Question(s3(bucket, provider="backblaze")))
    assert step(found, "condition").state == "missing"
    assert found.missing == []
    assert not [asked for asked in bucket.asked if {"if-match", "if-none-match"} & asked.headers.keys()]


def test_a_provider_whose_copies_fail(bucket: Bucket) -> None:
    """Hetzner."""
    found = examine(Question(s3(bucket, provider="hetzner")))
    assert step(found, "copy").state == "not tried"
    assert "put again instead" in step(found, "copy").why
    assert not [asked for asked in bucket.asked if "x-amz-copy-source" in asked.headers]
    assert found.missing == []


def test_a_store_that_is_not_there() -> None:
    with running() as bucket:
        store = s3(bucket)
    found = examine(Question(store, "https://cdn.example.com/"), _nobody)
    assert states(found) == {
        "absent": "missing", "create": "not tried", "public": "not tried", "delete": "not tried"
    }  # fmt: skip
    assert step(found, "absent").grant == ""


def test_a_store_that_falls_silent(bucket: Bucket) -> None:
    """After the first step to which no answer comes nothing else is tried, be it to delete."""
    put: list[str] = []

    def falls_silent(asked: Asked, do: Callable[[], Answer]) -> Answer | None:
        put.extend([asked.path] if asked.method == "PUT" else [])
        return do() if len(put) <= 3 else None

    bucket.fault = falls_silent
    found = examine(Question(s3(bucket), "https://cdn.example.com/"), _nobody)
    assert states(found) == {
        "absent": "ok", "create": "ok", "read": "ok", "condition": "missing", "fields": "not tried",
        "overwrite": "not tried", "swap": "not tried", "list": "not tried", "copy": "not tried",
        "metadata": "not tried", "public": "not tried", "delete": "missing",
    }  # fmt: skip
    assert len(found.left) == 3
    silent = [asked for asked in bucket.asked if asked.method == "POST"]
    assert len(silent) <= 1


def test_a_check_does_not_wait_as_long_as_a_publication() -> None:
    assert Limits().hurried().request <= 10
    assert Limits().hurried().total <= 10


def _nobody(url: str, headers: Mapping[str, str]) -> Page:
    raise NotReached("nobody")


def test_no_such_bucket(bucket: Bucket) -> None:
    given = {"access_key": "id", "secret_key": "secret", "endpoint_url": bucket.url, "limits": {"retries": 0}}
    found = examine(Question(open_store("s3://other", "tests", given)))
    assert "there is no such bucket" in step(found, "create").why
    assert step(found, "create").grant == ""


@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        # https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
        (400, "KeyTooLongError", "too long for the store"),
        (400, "AccessControlListNotSupported", "leave default_acl out"),
    ],
)
def test_what_no_permission_helps_against(bucket: Bucket, status: int, code: str, why: str) -> None:
    bucket.fault = lambda asked, do: refused(status, code) if asked.method == "PUT" else do()
    found = examined(bucket)
    assert why in step(found, "create").why
    assert step(found, "create").grant == ""


@pytest.mark.parametrize(
    ("use", "names"),
    [
        ("web", ["absent", "current"]),
        ("prune", ["create", "read", "list", "clock", "delete"]),
        ("metadata", ["create", "read", "fields", "overwrite", "list", "metadata"]),
    ],
)
def test_only_what_a_use_needs(bucket: Bucket, use: Any, names: list[str]) -> None:
    found = examine(Question(s3(bucket), uses=[use]))
    assert [step.name for step in found.steps] == names
    assert bucket.objects == {}
    if use == "web":
        assert set(bucket.methods) <= {"GET", "HEAD"}
        assert step(found, "current").state == "not tried"


def test_the_clock(bucket: Bucket) -> None:
    def late(asked: Asked, do: Callable[[], Answer]) -> Answer:
        answer = do()
        if "Last-Modified" in answer.headers:
            return Answer(
                answer.status, answer.body, {**answer.headers, "Last-Modified": "Sat, 21 Nov 2020 21:00:00 GMT"}
            )
        return answer

    bucket.fault = late
    assert "minutes apart" in step(examined(bucket), "clock").why


# As a browser


def test_a_bucket_that_is_not_public(bucket: Bucket) -> None:
    bucket.is_public = False
    found = examined(bucket)
    assert [step.name for step in found.missing] == ["public"]
    assert re.fullmatch(rf"the answer is 403: {bucket.url}/bucket/static/\S+/module\.js", step(found, "public").why)
    assert S3["public"] in step(found, "public").grant


def test_another_folder(bucket: Bucket) -> None:
    found = examine(Question(s3(bucket), f"{bucket.url}/bucket/"))
    assert re.fullmatch(rf"the answer is 404: {bucket.url}/bucket/\S+/module\.js", step(found, "public").why)
    grant = step(found, "public").grant
    assert grant.index("custom_domain or base_url") < grant.index("origin") < grant.index(S3["public"])


class Browsed:
    """An address whose answers a test makes."""

    def __init__(self, bucket: Bucket, change: Callable[[str, Mapping[str, str], Page], Page]) -> None:
        self._base = f"{bucket.url}/bucket/static"
        self._change = change

    def __call__(self, url: str, headers: Mapping[str, str]) -> Page:
        page = fetch(url.replace("https://cdn.example.com/s", self._base), headers)
        return self._change(url, headers, page)


def browsed(bucket: Bucket, change: Callable[[str, Mapping[str, str], Page], Page], **more: Any) -> Examined:
    return examine(Question(s3(bucket), "https://cdn.example.com/s/", **more), Browsed(bucket, change), lambda _: None)


def with_headers(page: Page, **headers: str | None) -> Page:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    kept = {name: value for name, value in page.headers.items() if name not in changed}
    return Page(page.status, kept | {name: value for name, value in changed.items() if value is not None}, page.body)


def test_a_cdn_that_changes_cache_control(bucket: Bucket) -> None:
    """As Cloudflare's Browser Cache TTL does with what is to be kept for less."""

    def change(url: str, headers: Mapping[str, str], page: Page) -> Page:
        if "max-age=60" in page.headers.get("cache-control", ""):
            return with_headers(page, cache_control="max-age=14400", cf_cache_status="MISS")
        return page

    found = browsed(bucket, change)
    assert [step.name for step in found.missing] == ["headers"]
    assert "'max-age=14400' instead of" in step(found, "headers").why
    assert "cf-cache-status: MISS" in step(found, "headers").grant


def test_a_cdn_that_changes_the_type(bucket: Bucket) -> None:
    found = browsed(bucket, lambda url, headers, page: with_headers(page, content_type="application/octet-stream"))
    assert "'application/octet-stream' instead of 'text/javascript; charset=utf-8'" in step(found, "headers").why


def test_spaces_and_case_make_no_difference(bucket: Bucket) -> None:
    def change(url: str, headers: Mapping[str, str], page: Page) -> Page:
        return with_headers(
            page, content_type=page.headers.get("content-type", "").replace("; charset=utf-8", ";charset=UTF-8")
        )

    assert states(browsed(bucket, change))["headers"] == "ok"


def test_a_cache_that_forgets_the_origin(bucket: Bucket) -> None:
    """It gives to all what it has got without an Origin."""
    kept: dict[str, Page] = {}
    found = browsed(bucket, lambda url, headers, page: kept.setdefault(url, page))
    assert [step.name for step in found.missing] == ["cors"]
    assert "without an Origin" in step(found, "cors").why


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"access_control_allow_origin": None}, "no Access-Control-Allow-Origin"),
        ({"access_control_allow_origin": "https://other.example"}, "is 'https://other.example'"),
        ({"access_control_allow_origin": ORIGIN}, "without 'Vary: Origin'"),
        ({"access_control_allow_origin": ORIGIN, "vary": "Accept-Encoding, Origin"}, ""),
        ({"access_control_allow_origin": "*"}, ""),
    ],
)
def test_cors(bucket: Bucket, headers: dict[str, str | None], why: str) -> None:
    """Fetch section 4.10 (CORS check): ``*`` or the very origin."""
    found = browsed(bucket, lambda url, asked, page: with_headers(page, **headers), origin=ORIGIN)
    assert step(found, "cors").state == ("missing" if why else "ok")
    assert why in step(found, "cors").why
    sent = {asked.headers.get("origin") for asked in bucket.asked}
    assert sent == {None, ORIGIN}


def test_only_pages_of_ones_own(bucket: Bucket) -> None:
    serve = ServeConfig(allow_all_origins=False)
    assert step(examined(bucket, serve=serve), "cors").state == "not tried"
    assert step(examined(bucket, serve=serve, origin=ORIGIN), "cors").state == "ok"


def test_pages_of_the_same_origin_need_no_cors(bucket: Bucket) -> None:
    bucket.allowed_origin = ""
    found = examined(bucket, origin=bucket.url)
    assert step(found, "cors").state == "ok"


def test_a_redirect(bucket: Bucket) -> None:
    found = browsed(bucket, lambda url, headers, page: Page(301, {"location": "https://x.example/\x1b[2J"}, b""))
    assert "the answer is 301, to https://x.example/" in step(found, "public").why
    assert "\x1b" not in step(found, "public").why


def test_a_page_for_everything(bucket: Bucket) -> None:
    found = browsed(bucket, lambda url, headers, page: Page(200, {}, b"<html>"))
    assert "another file is there" in step(found, "public").why


def test_compressed_on_the_way(bucket: Bucket) -> None:
    def change(url: str, headers: Mapping[str, str], page: Page) -> Page:
        return with_headers(page, content_encoding="br") if "br" in headers["Accept-Encoding"] else page

    assert step(browsed(bucket, change), "compressed").why == "with br"


@pytest.mark.parametrize("coding", ["br", "gzip"])
def test_a_stored_coding(bucket: Bucket, coding: Any) -> None:
    found = examined(bucket, coding=coding)
    assert step(found, "coding").state == "ok"
    assert "compressed" not in states(found)
    assert bucket.objects == {}
    # As Google does for whom it thinks to have asked for it.
    found = browsed(bucket, lambda url, headers, page: with_headers(page, content_encoding=None), coding=coding)
    assert f"is 'not there' instead of {coding!r}" in step(found, "coding").why


def test_a_cache_that_keeps_errors(bucket: Bucket) -> None:
    kept: dict[str, Page] = {}
    pauses: list[float] = []

    def ask(url: str, headers: Mapping[str, str]) -> Page:
        page = fetch(url, headers)
        return kept.setdefault(url, page) if page.status == 404 or url in kept else page

    def examined_with(pause: Callable[[float], None]) -> Step:
        kept.clear()
        return step(examine(Question(s3(bucket), f"{bucket.url}/bucket/static/"), ask, pause), "early")

    found = examined_with(pauses.append)
    assert (found.state, found.needed) == ("missing", False)
    assert "the answer is 404 still, 12 seconds after it was put" in found.why
    assert pauses == [12.0]
    # One that keeps them for less than that does no harm.
    assert examined_with(lambda seconds: kept.clear()).state == "ok"
    assert bucket.objects == {}


def test_an_answer_for_everything(bucket: Bucket) -> None:
    found = browsed(bucket, lambda url, headers, page: page if page.status == 200 else Page(200, {}, b"<html>"))
    assert "what is not there is answered with 200" in step(found, "early").why


def test_nobody_at_the_public_address(bucket: Bucket) -> None:
    found = examine(Question(s3(bucket), "https://cdn.example.com/"), _nobody)
    assert [(step.name, step.why) for step in found.missing] == [("public", "nobody")]
    assert "custom_domain" in step(found, "public").grant
    assert "DNS" in step(found, "public").grant
    assert bucket.objects == {}


def test_the_address_answers_once(bucket: Bucket) -> None:
    pages: list[Page] = []

    def change(url: str, headers: Mapping[str, str], page: Page) -> Page:
        if pages:
            raise NotReached("no more")
        pages.append(page)
        return page

    found = browsed(bucket, change)
    assert [(step.name, step.why) for step in found.missing] == [("answer", "no more")]


@pytest.mark.parametrize(
    "url", ["/static/", "ftp://a/", "https://id:secret@a/", "https://a/?x", "https://a/#x", "https://[/", "http://a:x/"]
)
def test_no_public_address(bucket: Bucket, url: str) -> None:
    assert public_fault(url)
    found = examine(Question(MemoryStore(), url), _nobody)
    assert step(found, "public").state == "not tried"
    assert "secret" not in repr(found)


def test_fetch(bucket: Bucket) -> None:
    bucket.objects["a b"] = (b"x" * (2 << 20), {"cache-control": "no-cache"})
    bucket.times["a b"] = datetime.now(UTC)
    page = fetch(url_of(f"{bucket.url}/bucket", "a b"), {})
    assert (page.status, len(page.body), page.headers["cache-control"]) == (200, 1 << 20, "no-cache")
    bucket.fault = lambda asked, do: None
    with pytest.raises(NotReached, match=r"http://127\.0\.0\.1:\d+ does not answer: "):
        fetch(bucket.url, {})


def test_an_answer_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then is no reason to wait for ever."""
    monkeypatch.setattr(public, "_LONGEST_ANSWER", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
                while True:
                    connection.sendall(b"x")
                    time.sleep(0.05)

        threading.Thread(target=drip, daemon=True).start()
        with pytest.raises(NotReached, match="does not answer: not in time"):
            fetch(f"http://127.0.0.1:{server.getsockname()[1]}/", {})


# Other stores


@pytest.mark.parametrize("made", [MemoryStore, lambda: LocalStore(os.environ["PROBED"])], ids=["memory", "folder"])
def test_other_stores(made: Callable[[], Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBED", str(tmp_path / "static"))
    store = made()
    found = examine(Question(store, serve=ServeConfig()))
    assert found.missing == []
    assert found.left == []
    assert list(store.list(PROBES)) == []


class Closed(LocalStore):
    """A folder of somebody else: root, as whom tests may run, could write in a real one."""

    def put(self, key: str, *arguments: Any, **options: Any) -> Stored:
        raise StoreError(key, "permission denied") from PermissionError(errno.EACCES, "Permission denied")


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    found = examine(Question(Closed(str(tmp_path / "static"))))
    assert step(found, "create").grant == "let this user write in that folder"
    full = examine(Question(LocalStore("/dev/null/static")))
    assert step(full, "create").grant == ""


def test_google() -> None:
    from tests.bucket import serving

    with serving(GoogleBucket()) as bucket:
        given = {"credentials": _anonymous(), "endpoint_url": bucket.url, "limits": {"retries": 0}}
        store = open_store("gs://bucket/static", "tests", given)
        found = examine(Question(store))
        assert found.missing == []
        assert bucket.held == {}


def _anonymous() -> Any:
    from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_provider_has_a_name_for_every_permission(provider: Any) -> None:
    assert PROVIDERS[provider].permissions.keys() == S3.keys()
