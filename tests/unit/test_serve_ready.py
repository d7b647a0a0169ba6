"""Ready answers: the same bytes as by the ordinary road, never wrong ones, and never more than the budget."""

from __future__ import annotations

import gc
import os
import pickle
import threading
from pathlib import Path

import pytest
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.test import RequestFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.config import ServeConfig
from shipfiles.django.middleware import ShipfilesMiddleware
from shipfiles.serve import asgi, ready, wsgi
from shipfiles.serve.opened import MESSAGE, PIECE
from shipfiles.serve.ready import HEEDED, LARGEST, ODD, Answer, Ready, ready_respond
from shipfiles.serve.respond import FIELDS, Request, Response, respond
from shipfiles.serve.table import FileTable, read_table
from shipfiles.testing import Site
from shipfiles.testing.site import FILES

NAMES = [name for name in FILES if not name.startswith("harm/")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(str(tmp_path_factory.mktemp("site")))


def table_of(site: Site, memory: int = 32 * 1024 * 1024) -> FileTable:
    return read_table(site.root, "/static/", ServeConfig(memory=memory))


@pytest.fixture(scope="module")
def table(site: Site) -> FileTable:
    return table_of(site)


def ready_of(table: FileTable) -> Ready:
    assert table.ready is not None
    return table.ready


def whole(response: Response | None) -> tuple[int, list[tuple[str, str]], bytes]:
    assert response is not None
    body = response.body
    if body is not None and not isinstance(body, bytes):
        parts = list(body)
        body.close()
        body = b"".join(parts)
    return response.status, list(response.headers), body or b""


def in_memory(table: FileTable, method: str, path: str, fields: dict[str, str]) -> Answer | None:
    file = ready_of(table).find(path)
    return None if file is None else file.answer(method, fields.get("accept-encoding"), fields.get("if-none-match"))


def environ_of(method: str, path: str, fields: dict[str, str]) -> dict[str, object]:
    heads = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in fields.items()}
    return {"REQUEST_METHOD": method, "PATH_INFO": path.encode().decode("latin-1"), **heads}


def over_wsgi(table: FileTable, method: str, path: str, fields: dict[str, str]):
    got: list = []
    app = wsgi.StaticApp(lambda environ, start: got.append((None, [])) or [], table=table)
    result = app(environ_of(method, path, fields), lambda status, headers: got.append((int(status[:3]), headers)))
    try:
        return (*got[0], b"".join(result))
    finally:
        getattr(result, "close", lambda: None)()


def over_asgi(table: FileTable, method: str, path: str, fields: dict[str, str]):
    sent: list = []

    async def application(scope, receive, send):
        sent.append({"status": None, "headers": []})

    async def receive():
        raise AssertionError("a small file reads nothing from the client")

    async def send(message):
        sent.append(message)

    headers = [(name.encode(), value.encode("latin-1")) for name, value in fields.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    with pytest.raises(StopIteration):
        asgi.StaticApp(application, table=table)(scope, receive, send).send(None)
    return sent[0]["status"], sent[0]["headers"], b"".join(m["body"] for m in sent[1:])


# Whatever is asked, both roads say the same ------------------------------------------------------------------------

codings = st.sampled_from(["br", "gzip", "x-gzip", "GZIP", "identity", "*", "zstd", "deflate", "", "br;x=1", "b r"])
weighted = st.tuples(codings, st.sampled_from(["", ";q=0", ";q=1", ";q=0.5", "; Q=0.001", ";q=2"])).map("".join)
accepted = st.none() | st.lists(weighted, max_size=4).map(", ".join) | st.text("brgzip*;,= q01.\xff", max_size=12)


@st.composite
def requests(draw: st.DrawFn, table: FileTable) -> tuple[str, str, dict[str, str]]:
    small = [name for name in NAMES if len(FILES[name].body) <= LARGEST]
    logical = draw(st.sampled_from(small))
    name = draw(st.sampled_from([logical, table._logical[logical].name]))
    path = f"/static/{name}"
    resource = table.find(path)
    assert resource is not None
    tags = [known.etag for coding in (*resource.codings, "identity") if (known := resource.known(coding))]
    tag = st.sampled_from([*tags, '"other"', "*", ""])
    matches = st.none() | tag | tag.map("W/".__add__) | st.lists(tag, max_size=3).map(", ".join)
    fields = {"accept-encoding": draw(accepted), "if-none-match": draw(matches)}
    if draw(st.integers(0, 9)) == 0:
        fields[draw(st.sampled_from(ODD))] = draw(st.sampled_from(["bytes=0-3", *tags, "x"]))
    method = draw(st.sampled_from(["GET", "GET", "HEAD", "POST", "OPTIONS", "get"]))
    return method, path, {field: value for field, value in fields.items() if value is not None}


@settings(max_examples=400)
@given(data=st.data())
def test_both_roads_answer_alike(table: FileTable, data: st.DataObject) -> None:
    method, path, fields = data.draw(requests(table))
    ordinary = whole(respond(table, Request(method, path, fields.get)))
    for _ in range(2):
        if all(field in HEEDED for field in fields):
            answer = in_memory(table, method, path, fields)
            if answer is not None:
                assert (answer.status, answer.headers, answer.body) == ordinary
        assert over_wsgi(table, method, path, fields) == ordinary
        status, headers, body = over_asgi(table, method, path, fields)
        lower = [(name.lower().encode(), value.encode("latin-1")) for name, value in ordinary[1]]
        assert (status, headers, body) == (ordinary[0], lower, ordinary[2])


def test_fields_are_heeded_or_odd() -> None:
    assert {*HEEDED, *ODD} == set(FIELDS)


# What is kept, and what is not -------------------------------------------------------------------------------------


@pytest.mark.parametrize("logical", ["css/site.css", "img/dot.png", "empty.txt", "odd/na\u00efve \u2603.txt"])
def test_a_kept_answer_needs_no_file(site: Site, logical: str, monkeypatch: pytest.MonkeyPatch) -> None:
    table = table_of(site)
    path = "/static/" + site.manifest.entries[logical].name
    accept = {"accept-encoding": "gzip, deflate, br"}
    first = over_wsgi(table, "GET", path, accept)
    etag = dict(first[1])["ETag"]
    over_wsgi(table, "HEAD", path, accept)
    over_wsgi(table, "GET", path, accept | {"if-none-match": etag})

    def refuse(*arguments: object, **more: object) -> None:
        raise AssertionError("a look at the disk")

    asked = [accept, accept, accept | {"if-none-match": etag}]
    gc.collect()  # what others left shall not be complained of meanwhile, which takes a look at the disk
    with monkeypatch.context() as patch:
        for name in ("open", "stat", "read", "fstat", "lseek"):
            patch.setattr(os, name, refuse)
        patch.setattr(ready, "respond", refuse)
        got = [over_wsgi(table, method, path, f) for method, f in zip(("GET", "HEAD", "HEAD"), asked, strict=True)]
    assert got[:2] == [first, (200, first[1], b"")]
    status, headers, body = got[2]
    assert (status, body, dict(headers)["ETag"]) == (304, b"", etag)


def test_the_forms_of_an_answer() -> None:
    answer = Answer(200, [("Content-Type", "text/css"), ("X-\xe9".replace("\xe9", "e"), "\xe9")], b"body")
    assert answer.status_line == "200 OK"
    assert answer.raw_headers == ((b"content-type", b"text/css"), (b"x-e", b"\xe9"))
    # RFC 9112 section 2.1: start-line CRLF *( field-line CRLF ), and then CRLF, which whoever writes it adds.
    assert answer.head == b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nX-e: \xe9\r\n"
    assert Answer(304, [], b"").head == b"HTTP/1.1 304 Not Modified\r\n"


def test_plain_names_that_may_be_overwritten_are_not_kept(site: Site) -> None:
    table = table_of(site)
    for _ in range(2):
        whole(ready_respond(table, Request("GET", "/static/js/app.js", {}.get)))
    assert ready_of(table).find("/static/js/app.js") is None
    whole(ready_respond(table, Request("GET", "/static/" + site.manifest.entries["js/app.js"].name, {}.get)))
    assert ready_of(table).size > 0


def test_large_files_are_not_kept(site: Site) -> None:
    table = table_of(site)
    path = "/static/" + site.manifest.entries["big.bin"].name
    assert len(FILES["big.bin"].body) > LARGEST
    whole(ready_respond(table, Request("GET", path, {}.get)))
    assert ready_of(table).find(path) is None


def test_wrong_bytes_of_the_right_size_are_not_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    site = Site(str(tmp_path))
    table = table_of(site)
    for logical, suffix, fields in (("img/dot.png", "", {}), ("js/large.js", ".gz", {"accept-encoding": "gzip"})):
        name = site.manifest.entries[logical].name
        path = Path(site.path(name + suffix))
        assert path.stat().st_size <= LARGEST
        path.chmod(0o644)
        good = path.read_bytes()
        path.write_bytes(bytes(len(good)))
        request = Request("GET", f"/static/{name}", fields.get)
        for _ in range(2):
            status, headers, body = whole(ready_respond(table, request))
            if suffix:
                # The next best coding is whole.
                assert (status, dict(headers).get("Content-Encoding")) == (200, None)
                assert body == Path(site.path(name)).read_bytes()
            else:
                assert (status, dict(headers)["Cache-Control"]) == (404, "no-store")
        assert in_memory(table, "GET", f"/static/{name}", fields) is None
        assert len([line for line in caplog.messages if name in line]) == 1
        # Another file in its place is looked at anew.
        path.unlink()
        path.write_bytes(good)
        assert whole(ready_respond(table, request))[2] == good


def test_the_next_best_coding_is_not_kept_for_the_best(tmp_path: Path) -> None:
    site = Site(str(tmp_path))
    table = table_of(site)
    name = site.manifest.entries["css/site.css"].name
    variant = Path(site.path(name + ".br"))
    variant.rename(tmp_path / "aside")
    request = Request("GET", f"/static/{name}", {"accept-encoding": "br, gzip"}.get)
    assert dict(whole(ready_respond(table, request))[1])["Content-Encoding"] == "gzip"
    (tmp_path / "aside").rename(variant)
    assert dict(whole(ready_respond(table, request))[1])["Content-Encoding"] == "br"


def test_nothing_is_kept_with_a_budget_of_nothing(site: Site) -> None:
    table = table_of(site, memory=0)
    assert table.ready is None
    path = "/static/" + site.manifest.entries["img/dot.png"].name
    assert over_wsgi(table, "GET", path, {}) == over_wsgi(table, "GET", path, {})


def test_the_budget_is_kept_and_what_is_asked_for_stays(site: Site) -> None:
    table = table_of(site, memory=40_000)
    memory = ready_of(table)
    names = [entry.name for entry in site.manifest.entries.values()]
    often = "/static/" + site.manifest.entries["img/dot.png"].name
    whole(ready_respond(table, Request("GET", often, {}.get)))
    kept = set()
    for name in names * 3:
        answer = in_memory(table, "GET", often, {})
        assert answer is not None
        assert answer.body == FILES["img/dot.png"].body
        whole(ready_respond(table, Request("GET", f"/static/{name}", {}.get)))
        assert 0 < memory.size <= 40_000
        kept |= {n for n in names if memory.find(f"/static/{n}")}
    assert len(kept) > 5
    assert memory.size == sum(file.cost for n in names if (file := memory.find(f"/static/{n}")))


def test_hostile_fields_take_no_memory(site: Site) -> None:
    table = table_of(site)
    name = site.manifest.entries["css/site.css"].name
    for i in range(3000):
        whole(ready_respond(table, Request("GET", f"/static/{name}", {"accept-encoding": f"br;q=0, x{i}"}.get)))
    assert ready_of(table).size < 20_000


def test_threads_agree(site: Site) -> None:
    table = table_of(site, memory=60_000)
    paths = ["/static/" + entry.name for entry in site.manifest.entries.values()]
    bodies = {"/static/" + entry.name: FILES[logical].body for logical, entry in site.manifest.entries.items()}
    wrong: list[str] = []

    def ask(start: int) -> None:
        for i in range(400):
            path = paths[(start + i * 7) % len(paths)]
            if "harm" not in path and over_wsgi(table, "GET", path, {})[2] != bodies[path]:
                wrong.append(path)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert 0 <= ready_of(table).size <= 60_000


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_lock_held_at_a_fork_stops_nobody(site: Site) -> None:
    table = table_of(site)
    path = "/static/" + site.manifest.entries["img/dot.png"].name
    ready_of(table)._lock.acquire()
    for _ in range(2):
        assert over_wsgi(table, "GET", path, {})[2] == FILES["img/dot.png"].body
    assert ready_of(table).find(path) is None


# Within Django ------------------------------------------------------------------------------------------------------


def test_a_response_of_django_is_its_own_each_time(table: FileTable, site: Site) -> None:
    path = "/static/" + site.manifest.entries["css/site.css"].name
    middleware = ShipfilesMiddleware(lambda request: HttpResponse("application"), table=table)

    def answer(**heads: str) -> HttpResponseBase:
        got = middleware(RequestFactory().get(path, headers=heads))
        assert isinstance(got, HttpResponseBase)
        return got

    answer()
    first, second = answer(), answer()
    expected = whole(respond(table, Request("GET", path, {}.get)))
    assert (list(first.items()), first.content) == (expected[1], expected[2])
    first.headers["X-Added"] = "by a middleware"
    del first.headers["ETAG"]
    first.set_cookie("a", "b")
    assert ("etag" in first, first["x-added"]) == (False, "by a middleware")
    assert dict(first.items())["X-Added"] == "by a middleware"
    assert (list(second.items()), list(second.cookies)) == (expected[1], [])
    assert list(pickle.loads(pickle.dumps(second)).items()) == expected[1]
    etag = second["ETag"]
    answer(if_none_match=etag)
    unchanged = answer(if_none_match=etag)
    assert (unchanged.status_code, unchanged.content, "Content-Type" in unchanged) == (304, b"", False)
    assert list(unchanged.items()) == whole(respond(table, Request("GET", path, {"if-none-match": etag}.get)))[1]


# Larger bodies ------------------------------------------------------------------------------------------------------


def test_a_body_in_memory_waits_for_a_slow_client(table: FileTable, site: Site) -> None:
    """No more than one piece at a time is in the server's hands, and the pieces are the body."""
    logical = "film.mp4"
    path, body = "/static/" + site.manifest.entries[logical].name, FILES[logical].body
    assert 2 * PIECE < len(body) <= LARGEST
    whole(ready_respond(table, Request("GET", path, {}.get)))
    assert in_memory(table, "GET", path, {}) is not None
    status, _, got = over_asgi(table, "GET", path, {})
    assert (status, got) == (200, body)
    sent: list = []

    async def send(message):
        sent.append(message)
        if len(sent) == 3:
            raise OSError("the client has left")

    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    answering = asgi.StaticApp(send, table=table)(scope, send, send)
    with pytest.raises(OSError, match="left"):
        answering.send(None)
    assert [len(m["body"]) for m in sent[1:]] == [MESSAGE, MESSAGE]
    assert all(m["more_body"] for m in sent[1:])
