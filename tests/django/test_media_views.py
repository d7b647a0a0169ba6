"""The views that deliver uploads: who gets them, by which way, with which headers."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.urls import path

from shipfiles.django import views
from shipfiles.django.storage import MediaStorage
from shipfiles.errors import ConfigError
from shipfiles.media.links import signed_query
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Grant, Part
from tests.shells import ask_asgi, scope_of

PHOTO = bytes(range(256)) * 1200
STORAGE = "shipfiles.django.storage.MediaStorage"
STATIC = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
asked: list[str] = []


def may_see(request: HttpRequest, name: str) -> bool:
    asked.append(name)
    return request.headers.get("X-Me") == "yes"


async def may_see_soon(request: HttpRequest, name: str) -> bool:
    await asyncio.sleep(0)
    return may_see(request, name)


def may_see_wrong(request: HttpRequest, name: str) -> Any:
    return HttpResponse("no")


def may_see_forgotten(request: HttpRequest, name: str) -> Any:
    return may_see_soon(request, name)


urlpatterns = [
    path("media/<path:name>", views.protected(may_see)),
    path("soon/<path:name>", views.protected(may_see_soon)),
    path("forbidden/<path:name>", views.protected(may_see, refusal=403)),
    path("login/<path:name>", views.protected(may_see, login=True)),
    path("login-soon/<path:name>", views.protected(may_see_soon, login="/enter/")),
    path("login-named/<path:name>", views.protected(may_see_soon, login=True)),
    path("entrance/", HttpResponse, name="entrance"),
    path("saved/<path:name>", views.protected(may_see, as_attachment=True)),
    path("wrong/<path:name>", views.protected(may_see_wrong)),
    path("forgotten/<path:name>", views.protected(may_see_forgotten)),
    path("logged-in/<path:name>", views.protected(views.logged_in)),
    path("staff/<path:name>", views.protected(views.staff)),
    path("stock/<path:name>", views.protected(may_see, "staticfiles")),
    path("links/<path:name>", views.signed("links")),
]
ME = {"X-Me": "yes"}


class SigningStore(MemoryStore):
    """A store that browsers can ask."""

    def signed_url(self, key: str, grant: Grant) -> str:
        return (
            f"https://bucket.example/{key}?until={grant.expires}&method={grant.method}&as={grant.content_disposition}"
        )


def project(**options: Any) -> override_settings:
    return override_settings(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"],
        STORAGES={
            "default": {"BACKEND": STORAGE, "OPTIONS": {"access": "private", **options}},
            "links": {"BACKEND": STORAGE, "OPTIONS": {"access": "signed", "base_url": "/links/", **options}},
            "staticfiles": STATIC,
        },
    )


@pytest.fixture(params=["disk", "store"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MediaStorage]:
    place = {"location": str(tmp_path / "media")} if request.param == "disk" else {"store": MemoryStore()}
    asked.clear()
    with project(**place):
        storage = storages["default"]
        storage.save("a/photo.jpg", ContentFile(PHOTO))
        storage.save("page.html", ContentFile("<script>alert(1)</script>"))
        yield storage


def body_of(response: Any) -> bytes:
    if response.streaming and response.is_async:

        async def joined() -> bytes:
            return b"".join([piece async for piece in response])

        return asyncio.run(joined())
    return response.getvalue()


def ask_soon(url: str, method: str = "get", **headers: str) -> tuple[Any, bytes]:
    """Under ASGI, where the body is read on the loop that answered."""

    async def exchange() -> tuple[Any, bytes]:
        response = await getattr(AsyncClient(), method)(url, headers=headers)
        body = b"".join([piece async for piece in response]) if response.streaming else response.content
        response.close()
        return response, body

    return asyncio.run(exchange())


@pytest.mark.parametrize("mount", ["media", "soon"])
@pytest.mark.parametrize("is_async", [False, True])
def test_whole_part_and_unchanged(files: MediaStorage, mount: str, is_async: bool) -> None:
    def ask(method: str = "get", **fields: str) -> tuple[Any, bytes]:
        url = f"/{mount}/a/photo.jpg"
        if is_async:
            return ask_soon(url, method, **ME, **fields)
        response = getattr(Client(), method)(url, headers={**ME, **fields})
        return response, body_of(response)

    response, body = ask()
    assert (response.status_code, body) == (200, PHOTO)
    assert response["Content-Type"] == "image/jpeg"
    assert response["Content-Length"] == str(len(PHOTO))
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Cache-Control"] == "private, no-store"
    assert response["Accept-Ranges"] == "bytes"
    tag = response["ETag"]
    part, body = ask(Range="bytes=1000-200999")
    assert (part.status_code, body) == (206, PHOTO[1000:201_000])
    assert part["Content-Range"] == f"bytes 1000-200999/{len(PHOTO)}"
    end, body = ask(Range="bytes=-5")
    assert (end.status_code, body) == (206, PHOTO[-5:])
    assert ask(Range="bytes=999999-")[0].status_code == 416
    unchanged, body = ask(**{"If-None-Match": tag})
    assert (unchanged.status_code, body) == (304, b"")
    assert unchanged["ETag"] == tag
    other, body = ask(**{"If-None-Match": '"other"'})
    assert (other.status_code, body) == (200, PHOTO)
    head, body = ask("head")
    assert (head.status_code, body, head["Content-Length"]) == (200, b"", str(len(PHOTO)))


@pytest.mark.parametrize("mount", ["media", "soon"])
def test_who_may_not_see_it_learns_nothing(files: MediaStorage, mount: str) -> None:
    client = Client()
    refused = client.get(f"/{mount}/a/photo.jpg")
    missing = client.get(f"/{mount}/a/none.jpg", headers=ME)
    both = client.get(f"/{mount}/a/none.jpg")
    assert {r.status_code for r in (refused, missing, both)} == {404}
    assert refused.content.replace(b"photo", b"none") == missing.content == both.content
    for response in (refused, missing, both):
        assert "no-store" in response["Cache-Control"]
        assert "private" in response["Cache-Control"]
    assert client.get("/forbidden/a/photo.jpg").status_code == 403
    assert client.get("/forbidden/a/none.jpg").status_code == 403
    assert client.get("/forbidden/a/none.jpg", headers=ME).status_code == 404


@pytest.mark.parametrize("ask", [lambda url: Client().get(url), lambda url: ask_soon(url)[0]])
def test_who_is_not_logged_in_is_sent_to_log_in(files: MediaStorage, ask: Callable[[str], Any]) -> None:
    response = ask("/login/a/photo.jpg?x=1")
    assert response.status_code == 302
    assert response["Location"] == "/accounts/login/?next=/login/a/photo.jpg%3Fx%3D1"
    assert "no-store" in response["Cache-Control"]
    assert ask("/login-soon/a/photo.jpg")["Location"].startswith("/enter/?next=")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "options", "trace"])
def test_other_methods(files: MediaStorage, method: str) -> None:
    client = Client(enforce_csrf_checks=True)
    for url in ("/media/a/photo.jpg", "/media/a/none.jpg", "/soon/a/photo.jpg", "/links/a/photo.jpg"):
        response = getattr(client, method)(url, headers=ME)
        assert response.status_code == 405
        assert response["Allow"] == "GET, HEAD"
    assert asked == []


def test_what_is_no_answer_opens_nothing(files: MediaStorage) -> None:
    with pytest.raises(TypeError, match=r"must say True or False.*HttpResponse"):
        Client().get("/wrong/a/photo.jpg")
    with pytest.raises(TypeError, match=r"must say True or False.*coroutine"):
        Client().get("/forgotten/a/photo.jpg")


@pytest.mark.parametrize("mechanism", ["stream", "x-accel-redirect", "x-sendfile"])
def test_a_folder_of_another_storage_is_not_in_it(tmp_path: Path, mechanism: str) -> None:
    """What a view asks about a name is asked of the files of its own storage."""
    inner = tmp_path / "payroll"
    with project(location=str(tmp_path), delivery={"mechanism": mechanism}):
        given = settings.STORAGES
        others = {
            "payroll": {"BACKEND": STORAGE, "OPTIONS": {"access": "private", "location": str(inner)}},
            "photos": {"BACKEND": STORAGE, "OPTIONS": {"access": "public", "location": str(tmp_path / "photos")}},
            "links": {"BACKEND": STORAGE, "OPTIONS": {"access": "signed", "location": str(tmp_path)}},
        }
        with override_settings(STORAGES={**given, **others}):
            for alias in ("default", "payroll", "photos"):
                storages[alias].save("a.txt", ContentFile("bytes"))
            client = Client()
            assert client.get("/media/a.txt", headers=ME).status_code == 200
            assert client.get("/media/photos/a.txt", headers=ME).status_code == 200
            assert client.get("/soon/payroll/a.txt", headers=ME).status_code == 404
            assert client.get("/media/payroll/a.txt", headers=ME).status_code == 404
            # With a link that is good, too.
            links = storages["links"]
            assert isinstance(links, MediaStorage)
            for name, status in (("a.txt", 200), ("payroll/a.txt", 404)):
                query = urlsplit(links.url(name)).query
                response = views.signed("links")(RequestFactory().get(f"/media/{name}?{query}"), name)
                assert response.status_code == status


def test_another_storage_is_named(files: MediaStorage) -> None:
    with pytest.raises(ImproperlyConfigured, match="'staticfiles' is a StaticFilesStorage"):
        Client().get("/stock/a.css", headers=ME)


@pytest.mark.parametrize("refusal", [400, 302, True])
def test_another_refusal_is_none(refusal: Any) -> None:
    with pytest.raises(ValueError, match="refusal must be 403 or 404"):
        views.protected(may_see, refusal=refusal)


def test_active_files_cannot_run(files: MediaStorage) -> None:
    response = Client().get("/media/page.html", headers=ME)
    assert response["Content-Disposition"] == 'attachment; filename="page.html"'
    assert "sandbox" in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


def test_saved_under_its_name(files: MediaStorage) -> None:
    response = Client().get("/saved/a/photo.jpg", headers=ME)
    assert response["Content-Disposition"] == 'attachment; filename="photo.jpg"'


NAMES = [
    "../secret.txt", "%2e%2e/secret.txt", "a/../page.html", "a/%2e%2e/page.html", "a//photo.jpg", "./page.html",
    "/page.html", "//page.html", "//evil.example/page.html", "%2fpage.html", "..%5csecret.txt", "a%5cphoto.jpg",
    "page.html%00", "page.html%00.jpg", "%00", ".shipfiles/current.json", "%2eshipfiles/current.json",
    ".SHIPFILES/current.json", ".shipfiles-1-0123456789abcdef", "page.html/", "a/photo.jpg/", "a", "a/", "..", ".",
    "%c0%ae%c0%ae/secret.txt", "%252e%252e/secret.txt", "page.html%0d%0aX-Evil:%20yes", "%0d%0aX-Evil:yes.jpg",
    "page.html%0a", "C:/page.html", "etc/passwd", "%ff", "%ed%a0%80", "page.html%7f", "page.html%c2%85",
    "link.txt", "a/" * 900, "n" * 5000, "%2e%2e%2f" * 500 + "etc/passwd",
]  # fmt: skip


@pytest.fixture
def odd_disk(tmp_path: Path) -> Path:
    root = tmp_path / "media"
    for name in ("page.html", "a/photo.jpg", ".shipfiles/current.json", ".shipfiles-1-0123456789abcdef"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("secret")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "secret.txt")
    asked.clear()
    return root


@pytest.mark.parametrize("mechanism", ["stream", "x-accel-redirect", "x-sendfile", "redirect"])
@pytest.mark.parametrize("mount", ["media", "soon"])
def test_no_other_name_is_delivered(odd_disk: Path, mechanism: str, mount: str) -> None:
    is_bucket = mechanism == "redirect"
    place: dict[str, Any] = {"store": SigningStore()} if is_bucket else {"location": str(odd_disk)}
    with project(**place, delivery={"mechanism": mechanism}):
        client = Client()
        assert client.get(f"/{mount}/page.html", headers=ME).status_code == (302 if is_bucket else 200)
        for name in NAMES:
            response = client.get(f"/{mount}/{name}", headers=ME)
            # A bucket itself says what it has: names of our disk are names like any other there.
            if is_bucket and response.status_code == 302:
                key = response["Location"].removeprefix("https://bucket.example/").partition("?")[0]
                assert key == os.path.normpath(key), name
                assert not key.startswith(("..", "/")), name
            else:
                assert response.status_code == 404, name
                assert b"secret" not in response.content.replace(b"secret.txt", b"")
            assert not {"X-Accel-Redirect", "X-Sendfile", "X-Evil"} & set(response.headers), name
    # Nobody is asked about one name and gets another.
    assert all(one == os.path.normpath(one) for one in asked)


def test_the_name_that_is_asked_about_is_the_one_that_is_delivered(files: MediaStorage) -> None:
    for url in ("/media/a/photo.jpg", "/media/%61/photo.jpg", "/media/a%2Fphoto.jpg", "/media/a/photo.jpg?name=b"):
        assert body_of(Client().get(url, headers=ME)) == PHOTO
    assert asked == ["a/photo.jpg"] * 4


ODD = {
    "a b.jpg": "a%20b.jpg", "100%.jpg": "100%25.jpg", "é☃.jpg": "%C3%A9%E2%98%83.jpg", "q?x#y.jpg": "q%3Fx%23y.jpg",
    "semi;colon.jpg": "semi;colon.jpg", "quo'te\".jpg": "quo%27te%22.jpg", "%41.jpg": "%2541.jpg",
    "{a}.jpg": "%7Ba%7D.jpg", "$uri.jpg": "$uri.jpg", "x+y&z=1.jpg": "x+y&z=1.jpg", "space.jpg ": "space.jpg%20",
}  # fmt: skip
"""Name → as the path of a URL has it (RFC 3986 section 2.1)."""


@pytest.mark.parametrize("mechanism", ["x-accel-redirect", "x-sendfile"])
def test_servers_are_told_where_it_is(tmp_path: Path, mechanism: str) -> None:
    field = "X-Accel-Redirect" if mechanism == "x-accel-redirect" else "X-Sendfile"
    for name in ODD:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "page.html").write_bytes(b"x")
    with project(location=str(tmp_path), delivery={"mechanism": mechanism, "internal_url": "/internal/"}):
        for name, quoted in ODD.items():
            response = Client().get(f"/media/{quote(name)}", headers=ME)
            assert response.status_code == 200
            told = response.headers.get(field)
            if field == "X-Accel-Redirect":
                assert told == f"/internal/{quoted}"
            elif "%" in name or name.endswith(" "):
                # Versions of mod_xsendfile differ in what that is.
                assert (told, response.content) == (None, b"x")
            else:
                assert told is not None
                assert told.encode("latin-1") == os.fsencode(tmp_path / name)
            assert response.content == (b"" if told else b"x")
            assert response["Cache-Control"] == "private, no-store"
            assert response["X-Content-Type-Options"] == "nosniff"
        page = Client().get("/media/page.html", headers=ME)
        assert page["Content-Disposition"].startswith("attachment")
        assert "sandbox" in page["Content-Security-Policy"]
        assert Client().get("/media/none.jpg", headers=ME).status_code == 404
        assert Client().head("/media/page.html", headers=ME)[field] == page[field]
        assert field not in Client().get("/media/page.html").headers


def test_browsers_are_sent_to_a_signed_url() -> None:
    store = SigningStore()
    with project(store=store, delivery={"mechanism": "redirect"}):
        before = time.time()
        response = Client().get("/media/a/photo.jpg", headers=ME)
        assert response.status_code == 302
        location = response["Location"]
        assert location.startswith("https://bucket.example/a/photo.jpg?until=")
        until = int(location.partition("until=")[2].partition("&")[0])
        private, _, lasts = response["Cache-Control"].partition(", max-age=")
        assert private == "private"
        assert before + int(lasts) <= until
        assert int(lasts) >= 3600 - 2
        page = Client().get("/media/page.html", headers=ME)
        assert page["Location"].endswith('&as=attachment; filename="page.html"')
        for method in ("get", "head"):
            location = getattr(Client(), method)("/media/a/photo.jpg", headers=ME)["Location"]
            assert f"&method={method.upper()}&" in location
        assert Client().get("/media/a/photo.jpg").status_code == 404


def test_a_way_that_the_store_has_not(files: MediaStorage) -> None:
    place: dict[str, Any] = {"store": MemoryStore()}
    for mechanism in ("redirect", "x-sendfile"):
        with project(**place, delivery={"mechanism": mechanism}), pytest.raises(ConfigError, match=mechanism):
            Client().get("/media/a/photo.jpg", headers=ME)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("public, max-age=60", "private, max-age=60"),
        ("max-age=60, s-maxage=900", "private, max-age=60"),
        ("private, no-cache", "private, no-cache"),
        ("no-store", "private, no-store"),
    ],
)
def test_no_cache_that_others_share_keeps_it(tmp_path: Path, given: str, sent: str) -> None:
    (tmp_path / "a.txt").write_text("a")
    # Of a storage that is public elsewhere, too.
    for access in ("public", "private"):
        with project(location=str(tmp_path), access=access, cache_control=given):
            assert Client().get("/media/a.txt", headers=ME)["Cache-Control"] == sent
    with project(location=str(tmp_path), access="public"):
        assert Client().get("/media/a.txt", headers=ME)["Cache-Control"] == "private, no-store"


def test_the_login_page_is_told_of_no_other_site(files: MediaStorage) -> None:
    # "//host/" in the path would be another site for a browser.
    response = Client().get("//login/a/photo.jpg")
    assert response.status_code == 404
    for url in ("/login//evil.example/x", "/login/%2f%2fevil.example/x", "/login/%5c%5cevil.example"):
        assert Client().get(url).status_code == 404


def test_links(files: MediaStorage) -> None:
    links = storages["links"]
    client = Client()
    url = links.url("a/photo.jpg")
    response = client.get(url)
    assert (response.status_code, body_of(response)) == (200, PHOTO)
    private, _, lasts = response["Cache-Control"].partition(", max-age=")
    assert private == "private"
    assert 3599 <= int(lasts) <= 3600 * 5 / 4
    assert client.head(url).status_code == 200
    assert client.get(url, headers={"Range": "bytes=0-9"}).status_code == 206
    saved = links.url("a/photo.jpg", parameters={"content_disposition": "attachment; filename=x.jpg"})
    assert client.get(saved)["Content-Disposition"] == "attachment; filename=x.jpg"
    refused = [
        "/links/a/photo.jpg",
        url.replace("photo", "none"),
        url.replace("/links/a/photo.jpg", "/links/page.html"),
        url[:-1] + ("A" if url[-1] != "A" else "B"),
        url.replace("expires=", "expires=9"),
        saved.replace("x.jpg", "x.html"),
        url + "&content_type=text/html",
    ]
    for bad in refused:
        response = client.get(bad)
        assert response.status_code == 403, bad
        assert response["Cache-Control"] == "no-store"
    assert client.get(links.url("a/none.jpg")).status_code == 404
    assert client.get(links.url("page.html"))["Content-Disposition"].startswith("attachment")
    past = signed_query("/links/a/photo.jpg", Grant(int(time.time()), 0), links.link_keys[0])
    assert client.get(f"/links/a/photo.jpg?{past}").status_code == 403
    good = signed_query("/links/a/photo.jpg", Grant(int(time.time()) + 60, 0), links.link_keys[0])
    assert client.get(f"/links/a/photo.jpg?{good}").status_code == 200


def test_a_part_is_not_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words " * 1000)
    with project(location=str(tmp_path)), override_settings(MIDDLEWARE=["django.middleware.gzip.GZipMiddleware"]):
        fields = {**ME, "Accept-Encoding": "gzip", "Range": "bytes=0-999"}
        response = Client().get("/media/a.txt", headers=fields)
        assert response.status_code == 206
        assert not response.has_header("Content-Encoding")
        assert body_of(response) == ("words " * 1000).encode()[:1000]


@pytest.mark.parametrize("mount", ["login", "login-named"])
def test_the_login_page_below_a_mount_point(files: MediaStorage, mount: str) -> None:
    # Named as a URL pattern it is found where the application is mounted: by whatever thread makes the answer.
    with override_settings(LOGIN_URL="entrance"):
        answer = ask_asgi(get_asgi_application(), scope_of("GET", f"/app/{mount}/a/photo.jpg", {}, "/app"))
    assert answer.status == 302
    assert answer.get("Location") == f"/app/entrance/?next=/app/{mount}/a/photo.jpg"


class Watched(MemoryStore):
    """A store that tells when nobody reads a body any more, and in which threads it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0
        self.threads: set[int] = set()

    def read_part(self, key: str, start: int = 0, stop: int | None = None, *, version: str = "") -> Part:
        part = super().read_part(key, start, stop, version=version)

        def chunks() -> Iterator[bytes]:
            try:
                for chunk in part.body:
                    self.threads.add(threading.get_ident())
                    yield chunk
            finally:
                self.closed += 1

        return Part(part.stored, part.version, chunks())


@pytest.mark.parametrize("mount", ["media", "soon"])
def test_who_leaves_has_the_store_let_go(mount: str) -> None:
    store = Watched()
    store.put("film.mp4", bytes(20_000_000))
    sent: list[dict[str, Any]] = []

    async def exchange() -> None:
        gone = asyncio.Event()
        asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

        async def receive() -> dict[str, Any]:
            for message in asked:
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)
            if len(sent) == 5:
                gone.set()
            await asyncio.sleep(0.001)

        scope = scope_of("GET", f"/{mount}/film.mp4", ME)
        await get_asgi_application()(scope, receive, send)

    with project(store=store):
        asyncio.run(exchange())
    gc.collect()
    assert sent[0]["status"] == 200
    assert store.closed == 1
    assert len(sent) < 100
    assert threading.get_ident() not in store.threads
