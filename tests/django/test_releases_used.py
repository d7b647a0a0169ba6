"""What collectstatic calls a release, and which one a process of Django uses."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.files.storage import storages
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import CommandError
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.template import Context, Template
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.test.utils import _TestState

from shipfiles.django import tables
from shipfiles.django.middleware import ShipfilesMiddleware
from shipfiles.errors import ReleaseIdError, ReleaseNotMade
from shipfiles.manifest import reader_of
from shipfiles.records import MANIFESTS_PREFIX, POINTER_KEY, RELEASES_PREFIX, read_pointer, read_record
from shipfiles.release.state import STATE_KEY
from shipfiles.serve import wsgi
from shipfiles.serve.origins import Folder
from shipfiles.serve.using import read_release_file

from .test_collectstatic import collect, manage

FILES: dict[str, str | bytes] = {
    "a.css": "a{}", "b.css": "@import 'a.css';", **{f"{n}.js": f"f({n});\n" * 60 for n in range(20)}
}  # fmt: skip
LONG_AGO = 1_500_000_000


@pytest.fixture
def site(project: Path, write) -> Path:
    write(FILES)
    age(project)
    return project


@pytest.fixture
def production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the mark of a test environment."""
    monkeypatch.delattr(_TestState, "saved_data")


def age(project: Path) -> None:
    """As if all sources had been written long ago, so that a run trusts what it remembers of them."""
    for path in (project / "src").iterdir():
        os.utime(path, (LONG_AGO, LONG_AGO))


@contextmanager
def options(**given: Any) -> Iterator[None]:
    """With these OPTIONS of the static storage, as a process that starts now has them."""
    backend = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": given}
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": backend}):
        yield


def deploy(**given: Any) -> dict[str, Any]:
    with options(**given):
        found: dict[str, Any] = json.loads(collect("--json")[0])
        return found


def written(project: Path) -> dict[str, bytes]:
    """All of STATIC_ROOT but the lock, what a run remembers, and which run ended last."""
    root = project / "root"
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    pointer = json.loads(files[POINTER_KEY])
    pointer.pop("settled", None)
    files[POINTER_KEY] = json.dumps(pointer).encode()
    return {key: body for key, body in files.items() if key not in (STATE_KEY, ".shipfiles/lock")}


def current(project: Path) -> str:
    pointer = read_pointer(reader_of(str(project / "root")))
    assert pointer is not None
    return pointer.release


# What collectstatic makes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verify", [[], ["--verify"]])
def test_a_new_id_with_the_same_files_is_a_new_record(site: Path, verify: list[str]) -> None:
    first = deploy(release_id="v1")
    assert (first["release"], current(site)) == ("v1", "v1")
    before = written(site)
    with options(release_id="v2"):
        second = json.loads(collect("--json", *verify)[0])
    assert (second["release"], current(site)) == ("v2", "v2")
    after = written(site)
    assert {key for key in after if after.get(key) != before.get(key)} == {f"{RELEASES_PREFIX}v2.json", POINTER_KEY}
    assert before.keys() <= after.keys()
    read = reader_of(str(site / "root"))
    one, two = read_record(read, "v1"), read_record(read, "v2")
    assert one is not None
    assert two is not None
    assert (one.manifest, one.files, one.bytes, one.codings) == (two.manifest, two.files, two.bytes, two.codings)
    assert two.new_bytes == 0


def test_a_new_id_with_files_that_were_only_touched(site: Path) -> None:
    deploy(release_id="v1")
    os.utime(site / "src/a.css")
    before = written(site)
    deploy(release_id="v2")
    after = written(site)
    assert {key for key in after if after.get(key) != before.get(key)} == {f"{RELEASES_PREFIX}v2.json", POINTER_KEY}
    # And the next run knows.
    again = deploy(release_id="v2")
    assert (again["written"], written(site)) == (0, after)


def test_the_same_id_again_is_nothing(site: Path) -> None:
    deploy(release_id="v1")
    before = written(site)
    assert deploy(release_id="v1")["written"] == 0
    with options(release_id="v1"):
        assert json.loads(collect("--json", "--verify")[0])["written"] == 0
    assert written(site) == before


@pytest.mark.parametrize("verify", [[], ["--verify"], ["--clear"], ["--dry-run"]])
def test_the_same_id_with_other_files_writes_nothing(site: Path, write, verify: list[str]) -> None:
    deploy(release_id="v1")
    before = written(site)
    write({"a.css": "a{color:red}"})
    with options(release_id="v1"), pytest.raises(CommandError) as caught:
        collect(*verify)
    said = str(caught.value)
    assert caught.value.returncode == 1
    assert all(part in said for part in ("The release v1 was made on", "a.css", "b.css", "Nothing was published"))
    assert written(site) == before


def test_an_earlier_id_with_other_files_writes_nothing(site: Path, write) -> None:
    deploy(release_id="v1")
    write({"a.css": "a{color:red}"})
    deploy(release_id="v2")
    before = written(site)
    with options(release_id="v1"), pytest.raises(CommandError, match="The release v1 was made"):
        collect()
    assert written(site) == before
    write({"a.css": "a{}"})
    deploy(release_id="v1")
    assert current(site) == "v1"


def test_another_id_and_one_file_changed(site: Path, write) -> None:
    deploy(release_id="v1")
    before = written(site)
    write({"a.css": "a{color:red}"})
    found = deploy(release_id="v2")
    assert (found["release"], current(site)) == ("v2", "v2")
    # Only what changed was built: a.css and what refers to it.
    assert (found["built"], found["taken_over"]) == (2, 20)
    after = written(site)
    assert {key: after[key] for key in before if key.startswith((RELEASES_PREFIX, MANIFESTS_PREFIX))} == {
        key: before[key] for key in before if key.startswith((RELEASES_PREFIX, MANIFESTS_PREFIX))
    }
    with override_settings(STATIC_ROOT=str(site / "fresh")):
        deploy(release_id="v2")
    key = next(key for key in after if key.startswith(MANIFESTS_PREFIX) and key not in before)
    assert (site / "fresh" / key).read_bytes() == after[key]


def test_from_an_id_to_none_and_back(site: Path) -> None:
    deploy(release_id="v1")
    by_contents = deploy()["release"]
    assert len(by_contents) == 16
    assert current(site) == by_contents
    assert deploy(release_id="v1")["release"] == current(site) == "v1"


def git_hash_release_id() -> str:
    return "0123abc"


def fails() -> str:
    raise RuntimeError("no git here")


def test_as_the_articles_teach_it(site: Path) -> None:
    """A setting RELEASE_ID_STRATEGY with a dotted path, handed on in OPTIONS."""
    with override_settings(RELEASE_ID_STRATEGY=f"{__name__}.git_hash_release_id"):
        assert deploy(release_id_strategy=settings.RELEASE_ID_STRATEGY)["release"] == "0123abc"
    assert deploy(release_id_strategy=git_hash_release_id)["release"] == "0123abc"


def test_a_strategy_that_fails_publishes_nothing(site: Path) -> None:
    with options(release_id_strategy=f"{__name__}.fails"), pytest.raises(CommandError) as caught:
        collect()
    assert f"{__name__}.fails" in str(caught.value)
    assert "RuntimeError: no git here" in str(caught.value)
    assert not (site / "root").exists()
    with options(release_id_strategy=f"{__name__}.fails"):
        collect("--no-post-process")
    assert (site / "root/a.css").exists()


def test_timestamps_are_new_each_time(site: Path) -> None:
    path = "shipfiles.release.identity.timestamp"
    made = deploy(release_id_strategy=path)["release"]
    assert current(site) == made
    with options(release_id_strategy=path):
        assert staticfiles_storage.used.release == made


def test_a_file_in_base_dir(site: Path, production) -> None:
    (site / "REVISION").write_text("r1\n")
    path = "shipfiles.release.identity.baked_file"
    assert deploy(release_id_strategy=path)["release"] == "r1"
    (site / "REVISION").write_text("r2\n")
    with options(release_id_strategy=path), pytest.raises(ReleaseNotMade, match="r2"):
        staticfiles_storage.url("a.css")


@pytest.mark.parametrize(
    "given", [{"release_id": "a/b"}, {"release_id": 7}, {"release_id_strategy": 7}, {"release_file": "root/release"},
              {"serve": {"release_header": "X Y"}}]
)  # fmt: skip
def test_wrong_options_are_an_error_of_the_checks(site: Path, given: dict[str, Any]) -> None:
    with options(**given):
        (error,) = (message for message in run_checks(tags=["staticfiles"]) if message.id == "shipfiles.E010")
        assert next(iter(given)) in str(error.msg)
        with pytest.raises(ImproperlyConfigured):
            staticfiles_storage.url("a.css")


# Which one a process uses --------------------------------------------------------------------------------------------


def test_names_and_files_are_of_its_own_release(site: Path, write, production, caplog) -> None:
    deploy(release_id="v1")
    write({"a.css": "a{color:red}"})
    deploy(release_id="v2")
    caplog.set_level(logging.INFO, "shipfiles")
    with options(release_id="v1", serve={"release_header": "X-Release"}):
        client = Client()
        url = staticfiles_storage.url("a.css")
        answer = client.get(url)
        assert (answer.content, answer["X-Release"]) == (b"a{}", "v1")
        assert client.get("/static/a.css").content == b"a{}"
        assert client.get("/")["X-Release"] == "v1"
    lines = [record.getMessage() for record in caplog.records if record.name == "shipfiles"]
    assert lines == [f"Release v1: its own by release_id, 22 files, in {site / 'root'}."]


@pytest.mark.parametrize(
    "start", [WSGIHandler, ASGIHandler, tables.static_table, lambda: wsgi.StaticApp(WSGIHandler())]
)
def test_an_own_release_that_is_not_there_stops_the_start(site: Path, production, start: Callable[[], object]) -> None:
    deploy(release_id="v1")
    with (
        options(release_id="v2"),
        pytest.raises(ReleaseNotMade, match=r"'v2' \(release_id\).*manage\.py collectstatic"),
    ):
        start()


def test_a_strategy_that_fails_stops_the_start(site: Path, production) -> None:
    deploy(release_id="v1")
    with options(release_id_strategy=fails), pytest.raises(ReleaseIdError, match="no git here"):
        tables.static_table()


@pytest.mark.parametrize("given", [{"release_id": "v2"}, {"release_id_strategy": fails}])
def test_tests_and_development_need_no_own_release(site: Path, monkeypatch, given: dict[str, Any]) -> None:
    with options(**given):
        assert staticfiles_storage.url("a.css") == "/static/a.css"
        assert Client().get("/").content == b"home"
    deploy(release_id="v1")
    monkeypatch.delattr(_TestState, "saved_data")
    with options(**given), override_settings(DEBUG=True):
        assert staticfiles_storage.url("a.css") == "/static/a.css"
        assert Client().get("/static/a.css").content == b"a{}"
        assert Template("{% load shipfiles %}[{% release_id %}]").render(Context()) == "[]"
        assert staticfiles_storage.url("a.css", force=True) != "/static/a.css"


def test_a_module_that_asks_for_a_url_does_not_keep_its_release_from_being_made(site: Path, write) -> None:
    """As a form's Media does, or a favicon in urls.py: asked while Django starts, before the new release is there."""
    old = """
INSTALLED_APPS = ["shipfiles.django", "django.contrib.staticfiles", "shop"]
STORAGES["staticfiles"]["OPTIONS"] = {"release_id": "%s"}
"""
    (site / "shop").mkdir()
    (site / "shop/__init__.py").write_text("")
    (site / "shop/models.py").write_text("")
    first = manage(site, "collectstatic", "--noinput", more_settings=old % "v1")
    assert first.returncode == 0, first.stderr
    (site / "shop/models.py").write_text("from django.templatetags.static import static\nURL = static('a.css')\n")
    second = manage(site, "collectstatic", "--noinput", more_settings=old % "v2")
    assert second.returncode == 0, second.stderr
    assert current(site) == "v2"
    third = manage(site, "check", more_settings=old % "v3")
    assert third.returncode != 0
    assert "This process is to use the release 'v3' (release_id)" in third.stderr


def test_the_release_file(site: Path, write, production) -> None:
    path = "build/release"
    deploy(release_id="v1", release_file=path)
    baked = read_release_file(str(site / path))
    assert baked is not None
    assert baked.release == "v1"
    write({"a.css": "a{color:red}"})
    deploy(release_id="v2")
    with options(release_file=path):
        url = staticfiles_storage.url("a.css")
        assert Client().get(url).content == b"a{}"
    with options(release_file=path, release_id_strategy=fails):
        assert staticfiles_storage.url("a.css") == url
    # A run that finds nothing to do writes it too, and one that fails or only rehearses does not.
    deploy(release_id="v2", release_file=path)
    baked = read_release_file(str(site / path))
    assert baked is not None
    assert baked.release == "v2"
    with options(release_id="v3", release_file=path):
        collect("--dry-run")
    assert read_release_file(str(site / path)).release == "v2"


def test_a_release_file_that_cannot_be_written(site: Path) -> None:
    (site / "file").write_text("")
    with options(release_id="v1", release_file="file/release"), pytest.raises(CommandError) as caught:
        collect()
    assert "The release v1 is live, but its file" in str(caught.value)
    assert current(site) == "v1"


# In responses and pages ----------------------------------------------------------------------------------------------


def test_the_header_under_wsgi_and_asgi(site: Path, production) -> None:
    deploy(release_id="v1")
    with options(serve={"release_header": "X-Release"}):
        for path in ("/", "/static/a.css", "/nowhere", "/static/a.0123456789ab.css"):
            assert Client().get(path)["X-Release"] == "v1", path
            assert async_to_sync(AsyncClient().get)(path)["X-Release"] == "v1", path
    with options():
        assert "X-Release" not in Client().get("/")


def test_a_header_that_a_view_has_set_stays(site: Path, production) -> None:
    deploy(release_id="v1")
    with options(serve={"release_header": "X-Release"}):
        middleware = ShipfilesMiddleware(lambda request: HttpResponse(headers={"X-Release": "mine"}))
        answer = middleware(RequestFactory().get("/"))
        assert isinstance(answer, HttpResponse)
        assert answer["X-Release"] == "mine"


def test_no_header_before_the_first_release(site: Path) -> None:
    with options(serve={"release_header": "X-Release"}):
        assert "X-Release" not in Client().get("/")


def test_the_template_tag(site: Path, production) -> None:
    deploy(release_id="v1")
    with options():
        for source in ("{% load shipfiles %}{% release_id %}", "{% load shipfiles %}{% release_id as r %}{{ r }}"):
            assert Template(source).render(Context()) == "v1"
    with override_settings(STATIC_ROOT=str(site / "none")), options():
        assert Template("{% load shipfiles %}[{% release_id %}]").render(Context()) == "[]"
    with override_settings(
        STORAGES={**settings.STORAGES, "staticfiles": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    ):
        assert Template("{% load shipfiles %}[{% release_id %}]").render(Context()) == "[]"


# Following -----------------------------------------------------------------------------------------------------------

FOLLOW = {"follow_current": True, "release_header": "X-Release"}
PAGE = Template(
    "{% load static shipfiles %}{% release_id %} {% static 'a.css' %} {{ step }}{% static 'b.css' %} {% release_id %}"
)


@pytest.mark.parametrize("is_async", [False, True])
def test_following_names_files_tag_and_header(site: Path, write, production, monkeypatch, is_async: bool) -> None:
    monkeypatch.setattr(Folder, "interval", 0.0)
    get = async_to_sync(AsyncClient().get) if is_async else Client().get
    deploy(release_id="v1")
    # An own id names what this process would make; who follows uses the current one.
    with options(release_id="never-made", serve=FOLLOW):
        old = staticfiles_storage.url("a.css")
        assert get("/")["X-Release"] == "v1"
        write({"a.css": "a{color:red}"})
        publish_elsewhere(site, "v2")
        # In an event loop it goes over beside the requests.
        deadline = time.monotonic() + (60 if is_async else 0)
        while get("/static/a.css").content != b"a{color:red}" and time.monotonic() < deadline:
            pass
        assert get("/")["X-Release"] == "v2"
        new = staticfiles_storage.url("a.css")
        assert new != old
        assert staticfiles_storage.hashed_files["a.css"] == new.removeprefix("/static/")
        for url, body in ((old, b"a{}"), (new, b"a{color:red}"), ("/static/a.css", b"a{color:red}")):
            answer = get(url)
            content = answer.content if not answer.streaming else b"".join(answer.streaming_content)
            assert (content, answer["X-Release"]) == (body, "v2")
        assert Template("{% load shipfiles %}{% release_id %}").render(Context()) == "v2"


def publish_elsewhere(project: Path, release: str) -> None:
    """Another process runs collectstatic."""
    run = manage(
        project, "collectstatic", "--noinput",
        more_settings=f"\nSTORAGES['staticfiles']['OPTIONS'] = {{'release_id': {release!r}}}\n",
    )  # fmt: skip
    assert run.returncode == 0, run.stderr


def test_a_page_has_the_names_of_one_release(site: Path, write, production, monkeypatch) -> None:
    monkeypatch.setattr(Folder, "interval", 0.0)
    deploy(release_id="v1")
    with options(serve=FOLLOW):
        first = PAGE.render(Context())

        def step() -> str:
            """Between the first name and the second another release becomes current."""
            write({"a.css": "a{color:red}"})
            publish_elsewhere(site, "v2")
            return ""

        def view(request: object) -> HttpResponse:
            return HttpResponse(PAGE.render(Context({"step": step})))

        answer = ShipfilesMiddleware(view)(RequestFactory().get("/"))
        assert isinstance(answer, HttpResponse)
        assert (answer.content.decode(), answer["X-Release"]) == (first, "v1")
        assert PAGE.render(Context()).startswith("v2 ")


@pytest.mark.parametrize("is_async", [False, True])
def test_a_page_that_is_made_while_it_is_sent_is_of_one_release(
    site: Path, write, production, monkeypatch, is_async: bool
) -> None:
    monkeypatch.setattr(Folder, "interval", 0.0)
    deploy(release_id="v1")
    with options(serve=FOLLOW):
        old = staticfiles_storage.url("a.css")

        def switch() -> None:
            write({"a.css": "a{color:red}"})
            publish_elsewhere(site, "v2")

        def page() -> Iterator[str]:
            yield staticfiles_storage.url("a.css")
            switch()
            yield staticfiles_storage.url("a.css")

        async def page_soon() -> AsyncIterator[str]:
            for piece in page():
                yield piece

        async def view_soon(request: object) -> StreamingHttpResponse:
            return StreamingHttpResponse(page_soon())

        async def pieces_soon(answer: StreamingHttpResponse) -> list[bytes]:
            return [piece async for piece in answer]

        if is_async:
            answer = async_to_sync(ShipfilesMiddleware(view_soon))(RequestFactory().get("/"))
            pieces = async_to_sync(pieces_soon)(answer)
        else:
            answer = ShipfilesMiddleware(lambda request: StreamingHttpResponse(page()))(RequestFactory().get("/"))
            pieces = list(answer)
        assert ([piece.decode() for piece in pieces], answer["X-Release"]) == ([old, old], "v1")
        assert staticfiles_storage.url("a.css") != old


def test_a_file_that_the_server_sends_by_itself_stays_one(site: Path, production) -> None:
    deploy(release_id="v1")
    with options(serve=FOLLOW):
        file = (site / "src/a.css").open("rb")
        answer = ShipfilesMiddleware(lambda request: FileResponse(file))(RequestFactory().get("/"))
        assert answer.file_to_stream.read() == b"a{}"
        answer.close()


def test_a_process_that_publishes_goes_on_following(site: Path, write, production, monkeypatch) -> None:
    monkeypatch.setattr(Folder, "interval", 0.0)
    with options(release_id="v1", serve=FOLLOW):
        table = tables.static_table()
        collect()
        first = staticfiles_storage.url("a.css")
        assert (staticfiles_storage.release_id, table.release) == ("v1", "v1")
        write({"a.css": "a{color:red}"})
        publish_elsewhere(site, "v2")
        assert (staticfiles_storage.release_id, table.release) == ("v2", "v2")
        assert staticfiles_storage.url("a.css") != first


def test_a_storage_that_follows_can_be_copied_and_pickled(site: Path, write, production, monkeypatch) -> None:
    monkeypatch.setattr(Folder, "interval", 0.0)
    deploy(release_id="v1")
    with options(serve=FOLLOW):
        assert staticfiles_storage.release_id == "v1"
        storage = storages["staticfiles"]
        copies = copy.copy(storage), copy.deepcopy(storage), pickle.loads(pickle.dumps(storage))
        write({"a.css": "a{color:red}"})
        publish_elsewhere(site, "v2")
        assert [copied.release_id for copied in copies] == ["v2"] * 3


def test_following_begins_with_stock_djangos_names(project: Path, write, production, monkeypatch) -> None:
    monkeypatch.setattr(Folder, "interval", 0.0)
    (project / "root").mkdir()
    payload = {"paths": {"a.css": "a.0123456789ab.css"}, "version": "1.1", "hash": "x"}
    (project / "root/staticfiles.json").write_text(json.dumps(payload))
    with options(serve=FOLLOW):
        assert staticfiles_storage.url("a.css") == "/static/a.0123456789ab.css"
        assert "X-Release" not in Client().get("/")
        write({"a.css": "a{}"})
        publish_elsewhere(project, "v1")
        assert staticfiles_storage.url("a.css") != "/static/a.0123456789ab.css"
        assert Client().get("/")["X-Release"] == "v1"
