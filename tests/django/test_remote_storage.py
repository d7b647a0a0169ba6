"""A process whose static files are in a bucket: which release it uses, what that costs, and what it can ask for."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.template import Context, Template
from django.test import Client, override_settings
from django.test.utils import _TestState

from shipfiles.django.newer import views
from shipfiles.django.storage import GoogleStaticStorage, S3StaticStorage, StaticStorage
from shipfiles.errors import MissingEntry, ReleaseError, ReleaseNotMade
from shipfiles.manifest import dump_django
from shipfiles.records import MANIFESTS_PREFIX, POINTER_KEY, RELEASES_PREFIX
from shipfiles.serve.origins import Remote
from tests.bucket import Asked, Bucket, refused, running
from tests.google_bucket import GoogleBucket
from tests.google_bucket import running as google

from .test_collectstatic import collect

FILES: dict[str, str | bytes] = {"css/a.css": "a{background:url(i.png)}", "css/i.png": b"png", "robots.js": "r()"}


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mark of a test environment."""
    monkeypatch.delattr(_TestState, "saved_data")


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with running() as found:
        yield found


def options(bucket: Bucket, **more: Any) -> dict[str, Any]:
    return {
        "bucket_name": "bucket", "location": "static", "endpoint_url": bucket.url, "access_key": "a",
        "secret_key": "s", "custom_domain": "cdn.example.com", "limits": {"retries": 0}, **more,
    }  # fmt: skip


def made(bucket: Bucket, **more: Any) -> S3StaticStorage:
    return S3StaticStorage(**options(bucket, **more))


def built(project: Path, write: Any, files: dict[str, str | bytes] = FILES, **more: Any) -> str:
    """Build a release in STATIC_ROOT, as it is without a bucket; its id."""
    write(files)
    backend = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": more}
    with override_settings(STORAGES={"staticfiles": backend}):
        collect()
        storage: Any = storages["staticfiles"]
        storage.forget()
        release: str = storage.used.release
        return release


def put_there(project: Path, bucket: Bucket) -> None:
    """Everything that was built, as a bucket has it."""
    root = project / "root"
    for path in root.rglob("*"):
        if path.is_file():
            key = f"static/{path.relative_to(root).as_posix()}"
            bucket.objects[key] = path.read_bytes(), {}
            bucket.times[key] = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def site(project: Path, write: Any, bucket: Bucket) -> Bucket:
    """A bucket with a release, of which this machine has nothing."""
    built(project, write)
    put_there(project, bucket)
    (project / "root").rename(project / "elsewhere")
    return bucket


def paths(bucket: Bucket) -> list[str]:
    return [f"{asked.method} {asked.path.partition('?')[0].removeprefix('/bucket/static/')}" for asked in bucket.asked]


def is_hashed(url: str, before: str, after: str) -> bool:
    return url.startswith(before) and url.endswith(after) and len(url) == len(before) + 12 + len(after)


@pytest.mark.usefixtures("production")
def test_names_are_read_once(site: Bucket) -> None:
    storage = made(site)
    assert site.asked == []
    for _ in range(3):
        assert is_hashed(storage.url("css/a.css"), "https://cdn.example.com/static/css/a.", ".css")
        assert is_hashed(storage.url("css/i.png"), "https://cdn.example.com/static/css/i.", ".png")
    assert set(storage.hashed_files) == set(FILES)
    kinds = [path.rpartition("/")[0] for path in paths(site)]
    assert kinds == ["GET .shipfiles", f"GET {RELEASES_PREFIX[:-1]}", f"GET {MANIFESTS_PREFIX[:-1]}"]
    assert paths(site)[0] == f"GET {POINTER_KEY}"
    assert storage.release_id


@pytest.mark.usefixtures("production")
def test_a_page(site: Bucket) -> None:
    backend = {"BACKEND": "shipfiles.django.storage.S3StaticStorage", "OPTIONS": options(site)}
    with override_settings(STORAGES={"staticfiles": backend}):
        page = Template("{% load static %}{% static 'css/i.png' %}").render(Context())
    assert is_hashed(page, "https://cdn.example.com/static/css/i.", ".png")


@pytest.mark.usefixtures("production")
def test_no_release_yet(project: Path, bucket: Bucket) -> None:
    with pytest.raises(MissingEntry, match="there is no release in s3://bucket/static; run collectstatic"):
        made(bucket).url("css/a.css")


@pytest.mark.usefixtures("production")
def test_the_first_release_comes_later(
    project: Path, write: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = made(bucket)
    for _ in range(20):
        with pytest.raises(MissingEntry, match="there is no release in"):
            storage.url("css/a.css")
    assert storage.hashed_files == {}
    assert paths(bucket) == [f"GET {POINTER_KEY}", "GET staticfiles.json"]  # not for each page

    monkeypatch.setattr(Remote, "PAUSE", 0.0)
    with pytest.raises(MissingEntry, match="there is no release in"):
        storage.url("css/a.css")
    built(project, write)
    put_there(project, bucket)
    bucket.fault = lambda asked, do: refused(403, "AccessDenied")
    with pytest.raises(ReleaseError, match="cannot be read from s3://bucket/static"):
        storage.url("css/a.css")
    bucket.fault = None
    assert is_hashed(storage.url("css/a.css"), "https://cdn.example.com/static/css/a.", ".css")
    assert set(storage.hashed_files) == set(FILES)
    bucket.asked.clear()
    assert is_hashed(storage.url("css/i.png"), "https://cdn.example.com/static/css/i.", ".png")
    assert bucket.asked == []


@pytest.mark.usefixtures("production")
def test_one_thread_asks_for_the_first_release(
    project: Path, write: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = made(bucket)
    with pytest.raises(MissingEntry):
        storage.url("css/a.css")
    monkeypatch.setattr(Remote, "PAUSE", 0.0)
    built(project, write)
    put_there(project, bucket)
    bucket.asked.clear()
    asked, released = threading.Event(), threading.Event()

    def stalls(_: Asked, do: Any) -> Any:
        asked.set()
        released.wait(20)
        return do()

    bucket.fault = stalls
    got: list[str] = []
    thread = threading.Thread(target=lambda: got.append(storage.url("css/a.css")))
    thread.start()
    assert asked.wait(20)
    for _ in range(10):
        with pytest.raises(MissingEntry, match="there is no release in"):
            storage.url("css/a.css")
    assert len(bucket.asked) == 1
    released.set()
    thread.join(20)
    assert is_hashed(got[0], "https://cdn.example.com/static/css/a.", ".css")
    assert storage.url("css/a.css") == got[0]


@pytest.mark.usefixtures("production")
def test_no_release_yet_for_who_may_read_nothing_else(project: Path, bucket: Bucket) -> None:
    bucket.fault = lambda asked, do: do() if ".shipfiles" in asked.path else refused(403, "AccessDenied")
    with pytest.raises(ReleaseError, match="There is no release in s3://bucket/static yet: run collectstatic"):
        made(bucket).url("css/a.css")


@pytest.mark.usefixtures("production")
def test_what_stock_django_has_put_there(project: Path, bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    """The manifest of S3ManifestStaticStorage is used until there is a release."""
    bucket.objects["static/staticfiles.json"] = dump_django({"css/a.css": "css/a.0123456789ab.css"}), {}
    bucket.times["static/staticfiles.json"] = datetime(2026, 1, 2, tzinfo=UTC)
    storage = made(bucket)
    caplog.set_level(logging.INFO, "shipfiles")
    assert storage.url("css/a.css") == "https://cdn.example.com/static/css/a.0123456789ab.css"
    assert storage.url("css/a.css") == "https://cdn.example.com/static/css/a.0123456789ab.css"
    assert paths(bucket) == [f"GET {POINTER_KEY}", "GET staticfiles.json"]
    assert [(one.levelname, one.getMessage()) for one in caplog.records] == [
        ("INFO", "There is no release in s3://bucket/static yet: names are those of staticfiles.json there.")
    ]
    # Pages work: the process goes on with what it began with.
    storage._asks_at = 0.0
    assert storage.url("css/a.css") == "https://cdn.example.com/static/css/a.0123456789ab.css"
    assert storage.hashed_files == {"css/a.css": "css/a.0123456789ab.css"}
    assert len(bucket.asked) == 2


@pytest.mark.usefixtures("production")
def test_a_store_that_refuses(site: Bucket) -> None:
    site.fault = lambda asked, do: refused(403, "AccessDenied")
    storage = made(site)
    for _ in range(20):
        with pytest.raises(ReleaseError, match="cannot be read from s3://bucket/static"):
            storage.url("css/a.css")
    assert len(site.asked) == 1  # and not twenty times as long


@pytest.mark.usefixtures("production")
def test_a_page_does_not_wait_as_long_as_a_publication(site: Bucket) -> None:
    site.fault = lambda asked, do: refused(503, "SlowDown")
    hurried = {name: value for name, value in options(site).items() if name != "limits"}
    with pytest.raises(ReleaseError):
        S3StaticStorage(**hurried).url("css/a.css")
    assert len(site.asked) == 4
    site.asked.clear()
    # Who says how long waits that long.
    with pytest.raises(ReleaseError):
        made(site, limits={"retries": 1}).url("css/a.css")
    assert len(site.asked) == 2


@pytest.mark.usefixtures("production")
def test_it_tries_again(site: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Remote, "PAUSE", -1.0)
    site.fault = lambda asked, do: refused(403, "AccessDenied")
    storage = made(site)
    with pytest.raises(ReleaseError):
        storage.url("css/a.css")
    site.fault = None
    assert storage.url("css/a.css")


@pytest.mark.usefixtures("production")
def test_the_release_of_the_code(project: Path, write: Any, bucket: Bucket) -> None:
    built(project, write, release_id="v1")
    built(project, write, FILES | {"css/i.png": b"other"}, release_id="v2")
    put_there(project, bucket)
    one, two = made(bucket, release_id="v1"), made(bucket)
    assert (one.release_id, two.release_id) == ("v1", "v2")
    assert one.url("css/i.png") != two.url("css/i.png")
    bucket.asked.clear()
    assert made(bucket, release_id="v1").release_id == "v1"
    assert paths(bucket)[0] == f"GET {RELEASES_PREFIX}v1.json"
    assert len(bucket.asked) == 2
    with pytest.raises(ReleaseNotMade, match="which s3://bucket/static does not have"):
        made(bucket, release_id="v3").url("css/i.png")


@pytest.mark.usefixtures("production")
def test_a_release_in_the_image_needs_no_request(project: Path, write: Any, bucket: Bucket) -> None:
    release = built(project, write, release_file="release.json")
    storage = made(bucket, release_file="release.json")
    assert storage.release_id == release
    assert is_hashed(storage.url("css/i.png"), "https://cdn.example.com/static/css/i.", ".png")
    assert bucket.asked == []


def test_development_and_tests_ask_nothing(
    project: Path, write: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(FILES)
    storage = made(bucket)
    # In tests, with plain names where the site will have its files.
    assert storage.url("css/a.css") == "https://cdn.example.com/static/css/a.css"
    with override_settings(DEBUG=True):
        assert storage.url("css/a.css") == "/static/css/a.css"  # where runserver serves it
        assert storage.release_id == ""
        assert storage.hashed_files == {}
        with override_settings(STATIC_URL="https://cdn.example.com/static/"):
            assert storage.url("css/a.css") == "https://cdn.example.com/static/css/a.css"
        with pytest.raises(MissingEntry):
            storage.url("css/none.css")
    assert made(bucket, manifest_strict=False).url("css/a.css") == "https://cdn.example.com/static/css/a.css"
    with pytest.raises(ValueError, match="could not be found"):
        made(bucket, manifest_strict=False, check_names=False).url("css/none.css")
    assert bucket.asked == []


def test_tests_do_not_depend_on_what_was_built_here(project: Path, write: Any, bucket: Bucket) -> None:
    built(project, write)
    for more in ({}, {"check_names": False}, {"serve": {"follow_current": True}}):
        storage = made(bucket, **more)
        assert storage.url("css/a.css") == "https://cdn.example.com/static/css/a.css"
        assert storage.release_id == ""
    assert bucket.asked == []


@pytest.mark.usefixtures("production")
@pytest.mark.parametrize("command", ["collectstatic", "ship"])
def test_a_command_that_makes_releases_asks_nothing_first(
    project: Path, write: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Modules that ask for a URL when they are imported do it there, too: without network and without keys."""
    built(project, write)
    monkeypatch.setattr("sys.argv", ["manage.py", command])
    storage = made(bucket)
    assert is_hashed(storage.url("css/i.png"), "https://cdn.example.com/static/css/i.", ".png")
    assert bucket.asked == []


@pytest.mark.usefixtures("production")
def test_it_follows_the_store(project: Path, write: Any, bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    built(project, write)
    put_there(project, bucket)
    storage = made(bucket, serve={"follow_current": True})
    first = storage.url("css/i.png")
    assert storage.url("css/i.png") == first
    built(project, write, FILES | {"css/i.png": b"other"})
    put_there(project, bucket)
    assert storage.url("css/i.png") == first  # not asked for each name
    requests = len(bucket.asked)
    for _ in range(1000):
        storage.url("css/i.png")
    assert len(bucket.asked) - requests <= 1  # the one look that the first name began

    monkeypatch.setattr(Remote, "interval", 0.0)
    following = storage.following
    assert following is not None
    following._next = 0.0
    end = time.monotonic() + 20
    while storage.url("css/i.png") == first:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.usefixtures("production")
def test_no_request_waits_for_a_look(site: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = made(site, serve={"follow_current": True})
    first = storage.url("css/i.png")
    released, looked = threading.Event(), threading.Event()

    def stalls(asked: Asked, do: Any) -> Any:
        looked.set()
        released.wait(20)
        return do()

    monkeypatch.setattr(Remote, "interval", 0.0)
    assert storage.following is not None
    storage.following._next = 0.0
    site.fault = stalls
    for _ in range(10):
        assert storage.url("css/i.png") == first
    assert looked.wait(20)
    assert storage.url("css/i.png") == first
    released.set()


@pytest.mark.usefixtures("production")
def test_since_when_a_release_is_used(site: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an open page is told, without a manifest; nobody waits for it twice."""
    monkeypatch.setattr(views, "_sinces", {})
    backend = {"BACKEND": "shipfiles.django.storage.S3StaticStorage", "OPTIONS": options(site)}
    with override_settings(STORAGES={"staticfiles": backend}):
        history = json.loads(site.objects[f"static/{POINTER_KEY}"][0])["history"]
        first = views.used_now()
        assert [[first["release"], first["since"]]] == history
        site.asked.clear()
        assert views.used_now() == first
        assert site.asked == []

        monkeypatch.setattr(Remote, "interval", 0.0)
        released, asked = threading.Event(), threading.Event()

        def stalls(_: Asked, do: Any) -> Any:
            asked.set()
            released.wait(20)
            return do()

        site.fault = stalls
        (since,) = views._sinces.values()
        since._next = 0.0
        assert views.used_now() == first
        assert asked.wait(20)
        released.set()


def test_files(site: Bucket) -> None:
    check_files(made(site), "s3://bucket/static")


def check_files(storage: StaticStorage, where: str) -> None:
    assert storage.exists("css/i.png")
    assert storage.exists("css")
    assert not storage.exists("css/none.png")
    assert storage.size("css/i.png") == 3
    with storage.open("css/i.png") as found:
        assert found.read() == b"png"
    with storage.open("css/a.css", "r") as found:
        assert found.read().startswith("a{background:url(i.")
    folders, files = storage.listdir("")
    assert (folders, "robots.js" in files) == (["css"], True)
    assert {"a.css", "i.png"} <= set(storage.listdir("css")[1])
    for ask in (storage.size, storage.open, storage.get_modified_time, storage.get_created_time):
        with pytest.raises(FileNotFoundError, match=f"{where}/css/none.png"):
            ask("css/none.png")
    with pytest.raises(NotImplementedError, match=f"in {where}, not on this disk"):
        storage.path("css/i.png")
    with pytest.raises(NotImplementedError):
        storage.get_accessed_time("css/i.png")
    with pytest.raises(NotImplementedError, match="Only a release writes files in"):
        storage.save("css/new.png", ContentFile(b"new"))
    with pytest.raises(NotImplementedError, match="Only a release removes files in"):
        storage.delete("css/i.png")
    with pytest.raises(ValueError, match="not with mode"):
        storage.open("css/i.png", "wb")
    for name in ("../x", "css/../../x", "", "."):
        with pytest.raises(SuspiciousFileOperation):
            storage.size(name)


def test_when_a_file_was_put(site: Bucket) -> None:
    with override_settings(USE_TZ=True):
        assert made(site).get_modified_time("css/i.png") == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    with override_settings(USE_TZ=False, TIME_ZONE="UTC"):
        assert made(site).get_modified_time("css/i.png").tzinfo is None


@pytest.mark.usefixtures("production")
def test_a_bucket_of_google(project: Path, write: Any) -> None:
    release = built(project, write)
    root = project / "root"
    with google() as bucket:
        found = GoogleStaticStorage(**google_options(bucket))
        assert found.remote is not None
        for path in root.rglob("*"):
            if path.is_file():
                found.remote.store.put(path.relative_to(root).as_posix(), path.read_bytes())
        bucket.asked.clear()
        storage = GoogleStaticStorage(**google_options(bucket))
        assert storage.release_id == release
        assert is_hashed(storage.url("css/i.png"), f"{bucket.url}/bucket/static/css/i.", ".png")
        check_files(storage, "gs://bucket/static")


def google_options(bucket: GoogleBucket) -> dict[str, Any]:
    from google.auth.credentials import AnonymousCredentials

    return {
        "bucket_name": "bucket", "location": "static", "endpoint_url": bucket.url, "project_id": "p",
        "credentials": AnonymousCredentials(),
    }  # fmt: skip


# The application in front of which a bucket stands.


def served(storage_options: dict[str, Any], path: str) -> Any:
    backend = {"BACKEND": "shipfiles.django.storage.S3StaticStorage", "OPTIONS": storage_options}
    middleware = ["shipfiles.django.middleware.ShipfilesMiddleware"]
    with override_settings(STORAGES={"staticfiles": backend}, MIDDLEWARE=middleware, ROOT_URLCONF="tests.website.urls"):
        return Client().get(path)


@pytest.mark.usefixtures("production")
def test_an_application_without_the_files_serves_none(site: Bucket) -> None:
    assert served(options(site), "/static/css/i.png").status_code == 404
    assert site.asked == []


@pytest.mark.usefixtures("production")
def test_an_application_with_the_files_serves_them(project: Path, write: Any, bucket: Bucket) -> None:
    """To a CDN that fetches them there, and at the root of the site, where no bucket is."""
    built(project, write)
    given = options(bucket, serve={"root_files": {"/r.js": "robots.js"}})
    assert served(given, "/static/css/i.png").getvalue() == b"png"
    assert served(given, "/r.js").getvalue() == b"r()"
    assert bucket.asked == []


@pytest.mark.usefixtures("production")
def test_the_header_names_the_release_of_the_pages(project: Path, write: Any, bucket: Bucket) -> None:
    built(project, write, release_id="v1")
    put_there(project, bucket)
    built(project, write, FILES | {"css/i.png": b"other"}, release_id="v2")
    given = options(bucket, serve={"release_header": "X-Release"})
    answer = served(given, "/static/css/i.png")
    # This machine has built another since: what it serves is of the release that pages use.
    assert (answer.headers["X-Release"], answer.getvalue()) == ("v1", b"png")
