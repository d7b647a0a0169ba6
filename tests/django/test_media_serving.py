"""Uploads below MEDIA_URL in production, without a view."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.db import models
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path

from shipfiles.django.storage import Alias, MediaStorage
from shipfiles.django.tables import uploads
from shipfiles.media import delivery
from shipfiles.media.config import MediaConfig
from shipfiles.media.delivery import Place, deliver
from shipfiles.serve import asgi, wsgi
from shipfiles.serve.respond import Request
from shipfiles.serve.streamed import Stream
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Part
from tests.django.test_root_files import put
from tests.shells import ask_asgi, ask_wsgi, environ_of, scope_of

STORAGE = "shipfiles.django.storage.MediaStorage"
STATIC = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
BODY = bytes(range(256)) * 1000


def own(request: Any, name: str) -> HttpResponse:
    return HttpResponse(f"the view of {name}")


urlpatterns = [path("media/<path:name>", own), path("links/<path:name>", own), path("closed/<path:name>", own)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "media"

    def storage(access: str, **more: Any) -> dict[str, Any]:
        return {"BACKEND": STORAGE, "OPTIONS": {"access": access, **more}}

    with override_settings(
        ROOT_URLCONF=__name__, MEDIA_ROOT=str(root), MEDIA_URL="/media/",
        STORAGES={
            "default": storage("public", serve=True),
            "links": storage("signed", serve=True, location=str(tmp_path / "links"), base_url="/links/"),
            "closed": storage("private", serve=True, location=str(root / "closed"), base_url="/closed/"),
            "quiet": storage("private", location=str(root / "quiet")),
            "staticfiles": STATIC,
        },
    ):  # fmt: skip
        yield root


def body(response: Any) -> bytes:
    return response.getvalue()


def test_who_asks_for_nothing_pays_for_nothing(folder: Path) -> None:
    assert uploads() is not None
    for options in ({}, {"serve": False}):
        with override_settings(STORAGES={"default": {"BACKEND": STORAGE, "OPTIONS": options}, "staticfiles": STATIC}):
            assert uploads() is None
    other = {"BACKEND": "tests.django.test_media_serving.Never", "OPTIONS": {"serve": False}}
    with override_settings(STORAGES={"default": other, "staticfiles": STATIC}):
        assert uploads() is None


def test_a_new_upload_is_there_at_once(folder: Path) -> None:
    client = Client()
    assert body(client.get("/media/a/new.txt")) == b"the view of a/new.txt"
    name = storages["default"].save("a/new.txt", ContentFile("new"))
    response = client.get(storages["default"].url(name))
    assert body(response) == b"new"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    storages["default"].delete(name)
    assert body(client.get("/media/a/new.txt")) == b"the view of a/new.txt"


def test_only_what_is_public_is_for_everybody(folder: Path) -> None:
    client = Client()
    for alias in ("closed", "quiet"):
        storages[alias].save("secret.txt", ContentFile("secret"))
        # In the folder of the public one, and not its file.
        for url in (f"/media/{alias}/secret.txt", f"/media/{alias}%2fsecret.txt", f"/{alias}/secret.txt"):
            assert body(client.get(url)) != b"secret", url
    (folder / "way").symlink_to(folder / "closed")
    assert body(client.get("/media/way/secret.txt")) == b"the view of way/secret.txt"
    (folder / ".htpasswd").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret")
    for name in (".htpasswd", ".git/config", "%2ehtpasswd"):
        assert body(client.get(f"/media/{name}")) != b"secret"
    for name in ("", "closed", "closed/", ".", ".git/"):
        assert b"secret" not in body(client.get(f"/media/{name}")).replace(b"secret.txt", b"")


def test_a_name_without_end_costs_the_disk_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    storages["default"].save("a.txt", ContentFile("bytes"))
    asked: list[object] = []
    lstat = os.lstat

    def counted(*args: Any, **more: Any) -> os.stat_result:
        asked.append(args)
        return lstat(*args, **more)

    monkeypatch.setattr(os, "lstat", counted)
    place = Place(LocalStore(str(folder)), MediaConfig(), str)
    least = []
    for name in ("b", "b/" * 2000 + "b", "b/" * 31_000 + "b"):
        asked.clear()
        assert deliver(place, name, Request("GET", f"/media/{name}", lambda _field: None)) is None
        least.append(len(asked))
    assert least[1] <= least[0]
    assert least[2] == 0


def wrong(**_options: Any) -> Any:
    raise OSError("this process has no such server")


def of_function(**options: Any) -> MediaStorage:
    return MediaStorage(**options)


def test_storages_that_this_process_cannot_make_break_no_request(folder: Path) -> None:
    """As Django: what is wrong with an alias is told to who uses it."""
    others = {
        "absent": {"BACKEND": "a_package_that_is_not_here.Storage"},
        "half": {"BACKEND": "shipfiles.django.storage.NoSuchStorage"},
        "wrong": {"BACKEND": f"{__name__}.wrong"},
        "bucket": {"BACKEND": "shipfiles.django.storage.S3MediaStorage", "OPTIONS": {}},
        "factory": {
            "BACKEND": f"{__name__}.of_function",
            "OPTIONS": {"location": str(folder / "factory"), "access": "private"},
        },
    }
    with override_settings(STORAGES={**settings.STORAGES, **others}):
        for alias in ("default", "factory"):
            storages[alias].save("a.txt", ContentFile("bytes"))
        assert body(Client().get("/media/a.txt")) == b"bytes"
        assert body(Client().get("/media/factory/a.txt")) == b"the view of factory/a.txt"


def test_a_storage_that_only_a_model_has_keeps_its_files(folder: Path) -> None:
    with isolated_model() as register:

        class Paper(models.Model):
            private = models.FileField(storage=lambda: MediaStorage(location=str(folder / "papers"), access="private"))
            lazy = models.FileField(storage=Alias("quiet", location=str(folder / "lazy"), access="signed"))

            class Meta:
                app_label = "staticfiles"  # one that is installed

        register(Paper)
        client = Client()
        for field, name in (("private", "papers/a.txt"), ("lazy", "lazy/a.txt")):
            storage = Paper._meta.get_field(field).storage
            storage.save("a.txt", ContentFile("secret"))
            assert body(client.get(f"/media/{name}")) == f"the view of {name}".encode()


@contextmanager
def isolated_model() -> Iterator[Callable[[type[models.Model]], None]]:
    made: list[type[models.Model]] = []
    try:
        yield made.append
    finally:
        for model in made:
            del apps.all_models[model._meta.app_label][model._meta.model_name]
        apps.clear_cache()


def test_signed_ones_are_for_who_has_a_link(folder: Path) -> None:
    storage, client = storages["links"], Client()
    name = storage.save(".dotted/a b%.txt", ContentFile("a"))
    url = storage.url(name)
    assert body(client.get(url)) == b"a"
    assert client.get(url.partition("?")[0]).status_code == 403
    assert client.get(url.replace("a%20b", "a%20c")).status_code == 403
    assert client.post(url).status_code == 405
    storage.delete(name)
    assert body(client.get(url)) == b"the view of .dotted/a b%.txt"


def test_links_hold_below_a_mount_point(folder: Path) -> None:
    with override_settings(STORAGES={
        "default": {"BACKEND": STORAGE, "OPTIONS": {"access": "signed", "serve": True, "base_url": "/app/files/"}},
        "staticfiles": STATIC,
    }, FORCE_SCRIPT_NAME="/app"):  # fmt: skip
        name = storages["default"].save("a.txt", ContentFile("a"))
        url = storages["default"].url(name)
        app = wsgi.StaticApp(get_wsgi_application())
        answer = ask_wsgi(app, environ_of("GET", url, {}, "/app"))
        assert (answer.status, answer.body) == (200, b"a")
        assert ask_wsgi(app, environ_of("GET", url[:-1], {}, "/app")).status == 403


def test_other_methods(folder: Path) -> None:
    storages["default"].save("a.txt", ContentFile("a"))
    for method in ("post", "put", "delete", "options"):
        response = getattr(Client(), method)("/media/a.txt")
        assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
        assert body(getattr(Client(), method)("/media/none.txt")) == b"the view of none.txt"


def test_a_lost_upload_is_no_page_of_the_single_page_application(project: Path) -> None:
    put(project / "src", {"index.html": "<p>app"})
    static = {
        "BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": {"serve": {"single_page": "index.html"}},
    }  # fmt: skip
    media = {"BACKEND": STORAGE, "OPTIONS": {"serve": True, "location": str(project / "media")}}
    navigates = {"Accept": "text/html"}
    with override_settings(STORAGES={"default": media, "staticfiles": static}, ROOT_URLCONF="tests.website.urls"):
        call_command("collectstatic", "--noinput", verbosity=0)
        for ask in (
            lambda url: ask_wsgi(wsgi.StaticApp(get_wsgi_application()), environ_of("GET", url, navigates)),
            lambda url: ask_asgi(asgi.StaticApp(get_asgi_application()), scope_of("GET", url, navigates)),
        ):
            page, lost = ask("/some/where"), ask("/media/none.jpg")
            assert (page.status, page.body) == (200, b"<p>app")
            assert lost.status == 404
            assert b"<p>app" not in lost.body


@pytest.mark.parametrize("url", ["/", "https://cdn.example", ""])
def test_uploads_need_a_path_of_their_own(url: str) -> None:
    given = {"BACKEND": STORAGE, "OPTIONS": {"serve": True, "base_url": url}}
    with (
        override_settings(STORAGES={"default": given, "staticfiles": STATIC}),
        pytest.raises(ImproperlyConfigured, match="a path of its own"),
    ):
        uploads()


def test_a_tag_is_weak_as_long_as_the_file_may_change_without_a_trace(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # RFC 9110 section 8.8.1.
    storages["default"].save("a.txt", ContentFile("a"))
    weak = Client().get("/media/a.txt")["ETag"]
    monkeypatch.setattr(delivery, "_SETTLED", -1.0)
    assert weak == "W/" + Client().get("/media/a.txt")["ETag"]


class Counting(MemoryStore):
    """A store that tells what was read of it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int | None]] = []
        self.given = self.closed = 0

    def read_part(self, key: str, start: int = 0, stop: int | None = None, *, version: str = "") -> Part:
        self.asked.append((start, stop))
        part = super().read_part(key, start, stop, version=version)
        body = b"".join(part.body)

        def chunks() -> Iterator[bytes]:
            try:
                for at in range(0, len(body), 100_000):
                    self.given += 1
                    yield body[at : at + 100_000]
            finally:
                self.closed += 1

        return Part(part.stored, part.version, chunks())


@pytest.fixture
def store() -> Counting:
    store = Counting()
    store.put("a.bin", BODY)
    return store


def asked(store: Counting, method: str = "GET", **fields: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in fields.items()}
    place = Place(store, MediaConfig(), str)
    found = deliver(place, "a.bin", Request(method, None, sent.get))
    assert found is not None
    return found


def test_a_store_is_asked_for_what_is_sent(store: Counting) -> None:
    asked(store).body.close()
    asked(store, range="bytes=10-19").body.close()
    asked(store, range="bytes=10-").body.close()
    asked(store, range="bytes=10-19", if_range='"other"').body.close()
    assert asked(store, "HEAD").body is None
    assert store.asked == [(0, None), (10, 20), (10, None), (10, 20), (0, len(BODY)), (0, 1)]
    # No body was read for it, and nothing is left open.
    assert store.given == 0


def test_unchanged_costs_one_byte(store: Counting) -> None:
    tag = dict(asked(store, "HEAD").headers)["ETag"]
    store.asked.clear()
    assert asked(store, if_none_match=tag).status == 304
    assert store.asked == [(0, 1)]


def test_one_chunk_is_held_at_a_time(store: Counting) -> None:
    body = asked(store).body
    assert isinstance(body, Stream)
    first = next(body)
    assert BODY.startswith(first)
    assert store.given == 1
    assert first + b"".join(body) == BODY
    body.close()
    assert store.closed == 1


def test_who_leaves_closes_the_body(store: Counting) -> None:
    body = asked(store).body
    next(body)
    body.close()
    body.close()
    assert (store.given, store.closed) == (1, 1)
    assert list(body) == []


@pytest.mark.parametrize("chunks", [[b"ab"], [b"ab", b""], []])
def test_a_body_that_ends_early_breaks_the_answer(chunks: list[bytes]) -> None:
    with pytest.raises(OSError, match="cut"):
        b"".join(Stream(iter(chunks), 3))


def test_more_bytes_than_were_announced_are_not_sent() -> None:
    assert b"".join(Stream(iter([b"abc", b"def"]), 4)) == b"abcd"


def test_who_leaves_under_asgi_closes_the_body(store: Counting) -> None:
    store.put("big.bin", bytes(3_000_000))
    options = {"store": store, "serve": True, "base_url": "/media/"}
    sent: list[dict[str, Any]] = []
    threads: set[int] = set()
    plain = store.read_part

    def read_part(*given: Any, **named: Any) -> Part:
        threads.add(threading.get_ident())
        return plain(*given, **named)

    store.read_part = read_part  # type: ignore[method-assign]

    async def exchange() -> None:
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if len(sent) == 3:
                gone.set()
            await asyncio.sleep(0)

        app = asgi.StaticApp(None)  # type: ignore[arg-type]
        scope = {"type": "http", "method": "GET", "path": "/media/big.bin", "query_string": b"", "headers": []}
        await app(scope, receive, send)

    given = {"BACKEND": STORAGE, "OPTIONS": options}
    with override_settings(STORAGES={"default": given, "staticfiles": STATIC}):
        asyncio.run(exchange())
    assert store.closed == 1
    assert 3 <= len(sent) < 30
    # The loop has waited for nobody.
    assert threads
    assert threading.get_ident() not in threads


def test_a_link_that_takes_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """Whenever it does: `os.open` follows what is there by then."""
    root = tmp_path / "root"
    root.mkdir()
    (root / "a.txt").write_text("mine")
    (tmp_path / "secret.txt").write_text("secret")
    place = Place(LocalStore(str(root)), MediaConfig(), str)
    plain: Callable[..., int] = os.open

    def opened(path: Any, *given: Any, **named: Any) -> int:
        if str(path).endswith("a.txt"):
            (root / "a.txt").unlink(missing_ok=True)
            (root / "a.txt").symlink_to(tmp_path / "secret.txt")
        return plain(path, *given, **named)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(os, "open", opened)
        assert deliver(place, "a.txt", Request("GET", None, lambda _: None)) is None
