"""``ship config``, as people call it: what is written, what has changed, and what a live address answers otherwise.

The live address is the application itself (`serve.respond`), of which one thing at a time is made wrong. What a right
answer is, RFC 9110 and 9111 say, Fetch for other origins, and docs/edge.md for what is hidden.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import brotli
import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.storage import storages
from django.core.management import CommandError, call_command

from shipfiles.django.edge_conf import Wanted, edge_policy
from shipfiles.django.media_places import Served, place
from shipfiles.doctor import public
from shipfiles.doctor.edge import EdgeQuestion, examine_edge
from shipfiles.doctor.edge_asking import Finding
from shipfiles.doctor.public import NotReached, Page
from shipfiles.serve.respond import Request, respond
from shipfiles.serve.table import FileTable
from shipfiles.stores.local import LocalStore

from .project_files import in_project, make_project, uploads
from .shipping import refused, ship
from .test_edge_conf import MEDIA, S3, bucket, site

URL = "https://www.example.com"
APP = ("--app", "http://127.0.0.1:8000")
Change = Callable[[str, str, Mapping[str, str], Page], Page]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a release, and a file at the root of the site."""
    folder = tmp_path_factory.mktemp("made")
    make_project(folder)
    return folder


@pytest.fixture
def released(made: Path, tmp_path: Path) -> Iterator[Path]:
    """One of these for each test."""
    shutil.copytree(made, tmp_path / "project")
    with in_project(tmp_path / "project"):
        yield tmp_path / "project"


# What is written.


def test_it_is_printed(released: Path) -> None:
    out, err = ship("config", "nginx", "--server-name", "www.example.com", *APP)
    assert str(released / "root") in out
    assert "www.example.com" in out
    assert err == ""
    out, err = ship("config", "nginx")
    assert "No application is named" in err
    assert "No application" not in out


def test_json(released: Path) -> None:
    facts = json.loads(ship("config", "nginx", *APP, "--json")[0])
    assert (facts["server"], facts["mode"], facts["notes"], facts["secret"]) == ("nginx", "static-server", [], False)
    assert facts["files"].keys() == {"nginx.conf"}


def test_several_texts(project: Path) -> None:
    with site(S3, **bucket(publish={"variants": True}, compress={"always": [".js"]})):
        out, _ = ship("config", "cloudfront")
        assert "// function.js\n" in out
        (project / "file").touch()
        for wrong, why in (("none/cdn", "cannot be made: no such file"), ("file", "is a file: this is several")):
            with pytest.raises(CommandError, match=why):
                ship("config", "cloudfront", "--output", str(project / wrong))
        told = ship("config", "cloudfront", "--output", str(project / "cdn"))[0]
        written = {path.name for path in (project / "cdn").iterdir()}
        assert "function.js" in written
        assert all(name in told for name in written)
        assert "cache-policy.json: aws cloudfront create-cache-policy" in told
        assert "is as it should be" in ship("config", "cloudfront", "--check", str(project / "cdn"))[0]
        (project / "cdn" / "function.js").unlink()
        (project / "cdn" / "cache-policy.json").write_text("{}")
        with pytest.raises(CommandError, match=r"function\.js: cannot be read") as failed:
            ship("config", "cloudfront", "--check", str(project / "cdn"))
        assert failed.value.returncode == 2
        assert f"{project / 'cdn' / 'cache-policy.json'} has changed." in str(failed.value)


def test_drift(released: Path) -> None:
    file = released / "conf" / "site.conf"
    # A folder that is not there is one that was not meant.
    with pytest.raises(CommandError, match="cannot be written: no such file"):
        ship("config", "nginx", "--output", str(file))
    assert not file.parent.exists()
    file.parent.mkdir()
    assert ship("config", "nginx", "--output", str(file))[0] == f"Written: {file}."
    text = file.read_text()
    file.write_text(f"# by hand\n\n{text}")
    assert ship("config", "nginx", "--check", str(file))[0] == f"{file} is as it should be."
    file.write_text(text.replace("nosniff", "none"))
    out = io.StringIO()
    with pytest.raises(CommandError, match="not what 'ship config nginx' would write now") as told:
        call_command("ship", "config", "nginx", "--check", str(file), stdout=out)
    assert told.value.returncode == 1
    assert f"--- {file}" in out.getvalue()
    assert [line for line in out.getvalue().splitlines() if line.startswith("+") and "nosniff" in line]
    out = io.StringIO()
    with suppress(CommandError):
        call_command("ship", "config", "nginx", "--check", str(file), "--json", stdout=out)
    facts = json.loads(out.getvalue())
    assert (facts["ok"], [*facts["drift"]]) == (False, [str(file)])
    # Other settings are drift, too.
    file.write_text(text)
    with site(serve={"root_folder": "site", "max_age": 5}), pytest.raises(CommandError, match="would write now"):
        ship("config", "nginx", "--check", str(file))


@pytest.mark.parametrize("wrong", ["missing", "folder", "binary", "pipe"])
def test_a_file_that_cannot_be_read(released: Path, wrong: str) -> None:
    file = released / "site.conf"
    if wrong == "folder":
        file.mkdir()
    elif wrong == "binary":
        file.write_bytes(b"\xff\xfe")
    elif wrong == "pipe":
        os.mkfifo(file)
    with pytest.raises(CommandError, match="cannot be read") as told:
        ship("config", "nginx", "--check", str(file))
    assert told.value.returncode == 2


def secured(folder: Path, key: str) -> dict[str, Any]:
    options = {
        "location": str(folder / "m"), "base_url": "/media/", "access": "signed",
        "signed": {"secure_link": True, "key": key},
    }  # fmt: skip
    return {"default": {"BACKEND": MEDIA, "OPTIONS": options}}


def test_a_key_is_not_shown_without_a_word(released: Path) -> None:
    file, key = released / "site.conf", "the-key-of-links-0123456789"
    with site(media=secured(released, key)):
        out, err = ship("config", "nginx", "--include-media")
        assert key in out
        assert "Let nobody else read it" in err
        assert json.loads(ship("config", "nginx", "--include-media", "--json")[0])["secret"] is True
        told, err = ship("config", "nginx", "--include-media", "--output", str(file))
        assert key not in told + err
        assert "only you can read it" in told
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        file.write_text(f"{file.read_text()}\nlisten 1;")
        assert key not in drift_of(file)
    with site(media=secured(released, "another-key-0123456789")):
        assert key not in drift_of(file)


def drift_of(file: Path) -> str:
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("ship", "config", "nginx", "--include-media", "--check", str(file), stdout=out)
    return out.getvalue()


def test_nothing_is_left_of_a_file_that_cannot_be_written(released: Path) -> None:
    folder = released / "folder"
    folder.mkdir()
    with pytest.raises(CommandError, match="is a folder"):
        ship("config", "nginx", "--output", str(folder))
    (folder / "file").write_text("")
    with pytest.raises(CommandError, match="cannot be written"):
        ship("config", "nginx", "--output", str(folder / "file" / "x"))
    assert [path.name for path in folder.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--certificate", "/c.pem"], "belong together"),
        (["--output", "a", "--check", "b"], "say one of them"),
        (["--server-name", "a.example.com", "--server-name", "b.example.com"], "say one host"),
        (["--url", "/static/"], "--url: it has no host"),
        (["--url", "https://u:p@host/"], "--url: it has credentials"),
        (["--mode", "dedicated"], "no server gets the releases"),
    ],
)
def test_wrong_arguments(released: Path, arguments: list[str], why: str) -> None:
    text = refused("config", "nginx", *arguments)
    assert why in text
    assert "u:p" not in text


def test_a_storage_that_is_not_ours(project: Path) -> None:
    with site("django.contrib.staticfiles.storage.StaticFilesStorage"):
        assert "of whose files nothing is known" in refused("config", "nginx")


# What a live address answers.


def live(change: Change | None = None, **other: Any) -> tuple[Finding, ...]:
    """What is found where the application answers, and ``change`` makes of its answers what it likes."""
    config = staticfiles_storage.config
    policy = replace(edge_policy(config, Wanted()).policy, **other)
    store = LocalStore(str(config.location))
    table = staticfiles_storage_table()

    def ask(url: str, headers: Mapping[str, str], method: str = "GET") -> Page:
        lower = {name.lower(): value for name, value in headers.items()}
        path = unquote(urlsplit(url).path)
        given = respond(table, Request(method, path, lower.get))
        if given is None:
            page = Page(404, {"content-type": "text/html", "cache-control": "no-store"}, b"")
        else:
            body = given.body or b""
            whole = body if isinstance(body, bytes) else b"".join(body)
            page = Page(given.status, {name.lower(): value for name, value in given.headers}, whole)
        return page if change is None else change(method, path, lower, page)

    return examine_edge(EdgeQuestion(URL, store, policy), ask)


def staticfiles_storage_table() -> FileTable:
    storage = staticfiles_storage
    assert storage.used is not None
    return FileTable(storage.used.manifest, str(storage.config.location), "/static/", storage.config.serve)


def wrong(findings: tuple[Finding, ...]) -> dict[str, str]:
    """The names of those that fail, and why."""
    return {finding.name: "; ".join(finding.why) for finding in findings if finding.failed}


def test_the_application_itself(released: Path) -> None:
    findings = live()
    assert wrong(findings) == {}
    assert [finding.name for finding in findings] == [
        "hashed-br", "hashed-gzip", "hashed", "refused", "head", "plain", "packed", "part", "beyond", "if-range",
        "if-none-match", "if-modified-since", "cors", "preflight", "missing", "pointer", "manifest", "record",
        "release-manifest", "variant", "outside", "root",
    ]  # fmt: skip
    assert {finding.state for finding in findings} == {"ok"}


def fields(page: Page, **changed: str | None) -> Page:
    names = {name.replace("_", "-"): value for name, value in changed.items()}
    headers = {**page.headers, **{name: value for name, value in names.items() if value is not None}}
    return Page(page.status, {n: v for n, v in headers.items() if n not in names or names[n] is not None}, page.body)


def no_vary(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return fields(page, vary=None)


def wrong_type(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return fields(page, content_type="text/plain") if page.status < 300 else page


def not_immutable(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return fields(page, cache_control="max-age=60") if "immutable" in page.headers.get("cache-control", "") else page


def twice(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    if "content-encoding" not in page.headers or page.status != 200:
        return page
    return Page(200, {**page.headers, "content-encoding": "gzip"}, gzip.compress(page.body))


def unasked(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    """A cache that does not heed Vary, and has the answer to the first who asked."""
    if asked.get("accept-encoding") != "identity" or method != "GET" or page.status != 200:
        return page
    return Page(200, {**page.headers, "content-encoding": "br", "x-cache": "HIT"}, brotli.compress(page.body))


def kept_404(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return fields(page, age="12", cache_control="max-age=300") if page.status == 404 else page


def no_404(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return Page(200, {"content-type": "text/html"}, b"<p>Welcome") if page.status == 404 else page


def open_folder(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    hidden = ".shipfiles" in path or path.endswith("staticfiles.json")
    return Page(200, {"content-type": "application/json"}, b"{}") if hidden else page


def open_beside(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return Page(200, {"content-type": "text/css"}, b"p") if "/static../root/" in path else page


def not_other_origins(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return fields(page, access_control_allow_origin=None)


def another_release(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return Page(200, page.headers, page.body[::-1]) if page.status == 200 and method == "GET" else page


def cookies(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return fields(page, set_cookie="session=very-secret")


def forbidden(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return Page(403, {}, b"")


def elsewhere(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
    return Page(301, {"location": "https://other.example.com/"}, b"")


FILES = {"hashed-br", "hashed-gzip", "hashed", "refused", "head", "plain", "packed", "cors", "root"}


@pytest.mark.parametrize(
    ("change", "names", "why"),
    [
        (no_vary, {"hashed-br", "hashed", "head", "plain", "root"}, "Vary lacks accept-encoding"),
        (wrong_type, FILES, "Content-Type is 'text/plain' instead of"),
        (not_immutable, {"hashed-br", "hashed", "head", "packed"}, "Cache-Control is 'max-age=60' instead of"),
        (twice, {"hashed-br", "hashed-gzip", "refused"}, "compressed twice"),
        (unasked, {"hashed", "cors"}, "it comes as br, for which was not asked (x-cache: HIT)"),
        (kept_404, {"missing"}, "a cache has kept it (age: 12)"),
        (no_404, {"missing"}, "the answer is 200 instead of 404"),
        (open_folder, {"pointer", "manifest", "record", "release-manifest"}, "everybody can read it"),
        (open_beside, {"outside"}, "everybody can read it"),
        (not_other_origins, FILES, "Access-Control-Allow-Origin is not there instead of '*'"),
        (another_release, {"hashed", "plain"}, "the bytes are not those of the current release"),
        (cookies, FILES, "it sets a cookie"),
        (forbidden, FILES, "the answer is 403 instead of 200"),
        (elsewhere, FILES, "the answer is 301 instead of 200, to https://other.example.com/"),
    ],
)
def test_what_is_wrong(released: Path, change: Change, names: set[str], why: str) -> None:
    findings = live(change)
    found = wrong(findings)
    assert names <= found.keys()
    assert all(why in found[name] for name in names), found
    for finding in findings:
        assert "very-secret" not in str(finding)
        if finding.failed:
            assert finding.request.startswith(("GET https://www.example.com/", "HEAD https://", "OPTIONS https://"))
            assert finding.answer
            assert finding.expected
            assert finding.todo


def test_a_bucket_behind_a_cdn(released: Path) -> None:
    """https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html, "Permissions": without s3:ListBucket, S3
    answers 403 for what is not there; it sends no Cache-Control with it. Its records may be readable with all else.
    """

    def of_bucket(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
        return Page(403, {}, b"") if page.status == 404 else page

    def open_bucket(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
        return open_folder(method, path, asked, of_bucket(method, path, asked, page))

    url = "https://bucket.s3.amazonaws.com/"
    assert wrong(live(of_bucket, bucket=url)) == {}
    assert wrong(live(of_bucket)).keys() == {"missing"}
    findings = live(open_bucket, bucket=url)
    assert wrong(findings) == {}
    assert {finding.name for finding in findings if finding.state == "wrong"} >= {"pointer", "record"}
    assert "a cache has kept it" in wrong(live(kept_404, bucket=url))["missing"]


def test_what_is_only_slower(released: Path) -> None:
    """RFC 9110 section 14.2: who answers with all of it is right. So is who compresses nothing."""

    def plain(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
        if page.status == 304:
            return Page(200, page.headers, b"")
        table = staticfiles_storage_table()
        if page.status not in (200, 206, 416) or (whole := respond(table, Request("GET", path, {}.get))) is None:
            return page
        body = whole.body if method == "GET" else b""
        assert isinstance(body, bytes)
        return Page(200, {name.lower(): value for name, value in whole.headers}, body)

    findings = live(plain)
    assert wrong(findings) == {}
    assert {finding.name for finding in findings if finding.state == "wrong"} >= {"hashed-br", "part", "if-none-match"}


def test_it_is_shown(released: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On this machine nobody listens at port 9."""
    out = io.StringIO()
    with pytest.raises(CommandError, match=r"http://127.0.0.1:9 does not answer\.") as told:
        call_command("ship", "config", "nginx", "--url", "http://127.0.0.1:9", stdout=out, no_color=True)
    assert told.value.returncode == 1
    assert "why: http://127.0.0.1:9 does not answer" in out.getvalue()


def test_a_404_at_the_root_of_a_site_is_the_applications(released: Path) -> None:
    def lost(method: str, path: str, asked: Mapping[str, str], page: Page) -> Page:
        return Page(404, {"content-type": "text/html"}, b"Not Found") if page.status == 404 else page

    policy = edge_policy(staticfiles_storage.config, Wanted()).policy
    assert "missing" in wrong(live(lost))
    assert policy.static is not None
    at_root = replace(policy.static, prefix="/")
    assert "missing" not in wrong(live(lost, static=at_root))
    assert "missing" in wrong(live(lost, static=at_root, mode="dedicated"))


def test_one_cause_is_told_once(released: Path) -> None:
    """A server that has none of the files, as one that reads another folder."""
    out = io.StringIO()
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=_lost, args=(listener,), daemon=True).start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(CommandError, match=r"[0-9]+ of [0-9]+ answers wrong"):
            call_command("ship", "config", "nginx", "--url", url, stdout=out, no_color=True)
    text = out.getvalue()
    # Without a preflight the site is only worse; without a part of a file it is wrong.
    assert text.count("the answer is 404 instead of 200") == 2
    assert "could be better: the preflight of such a page\n" in text
    assert text.count("To do: let the web server have the folder") < 5
    # No two have the same, so none is compared.
    assert "Last-Modified: " not in text
    assert "Etag: " not in text
    assert len(text.splitlines()) < 70


def _lost(listener: socket.socket) -> None:
    with suppress(OSError):
        while True:
            sock, _ = listener.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(b"HTTP/1.1 404 Not Found\r\nCache-Control: no-store\r\nContent-Length: 0\r\n\r\n")


def test_no_release(project: Path) -> None:
    with site():
        assert "run collectstatic" in refused("config", "nginx", "--url", "http://127.0.0.1:9")


@pytest.mark.parametrize("kind", ["silent", "drips", "endless", "garbage", "hundreds"])
def test_hosts_that_mean_no_good(released: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(public, "_TIMEOUT", 0.3)
    monkeypatch.setattr(public, "_LONGEST_ANSWER", 0.5)
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=_mean, args=(listener, kind), daemon=True).start()
        out, begun = io.StringIO(), time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(CommandError, match=r"wrong|does not answer"):
            call_command("ship", "config", "nginx", "--url", url, stdout=out, no_color=True)
        assert time.monotonic() - begun < 60
    assert out.getvalue().replace("\n", "").isprintable()


def _mean(listener: socket.socket, kind: str) -> None:
    while True:
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_answer_badly, args=(sock, kind), daemon=True).start()


def _answer_badly(sock: socket.socket, kind: str) -> None:
    with sock, suppress(OSError):
        sock.recv(65536)
        if kind == "garbage":
            sock.sendall(b"\x1b[2J\x07" * 100 + b"\r\n\r\n")
        elif kind == "hundreds":
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while True:
                sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        elif kind == "endless":
            sock.sendall(b"HTTP/1.1 200 \x1b[2J\r\nContent-Type: \x1b]0;title\x07\r\n\r\n")
            while True:
                sock.sendall(b"x" * 65536)
        elif kind == "drips":
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            while True:
                sock.sendall(b"x")
                time.sleep(0.1)
        else:
            time.sleep(3)


def test_it_takes_only_so_long(released: Path) -> None:
    """Each answer is in time, and all together are not."""
    moments = iter(range(0, 10_000, 10))
    config = staticfiles_storage.config
    question = EdgeQuestion(URL, LocalStore(str(config.location)), edge_policy(config, Wanted()).policy)
    findings = examine_edge(question, lambda *_: Page(500, {}, b""), lambda: next(moments))
    assert len(findings) < 15
    assert "too slow" in findings[-1].why[0]


def test_who_is_asked(released: Path) -> None:
    """A server that is not in the DNS yet is asked by its address for the name that it will have."""
    asked: list[tuple[str, Mapping[str, str]]] = []

    def ask(url: str, headers: Mapping[str, str], method: str = "GET") -> Page:
        asked.append((url, headers))
        raise NotReached("no")

    config = staticfiles_storage.config
    store, policy = LocalStore(str(config.location)), edge_policy(config, Wanted()).policy
    examine_edge(EdgeQuestion("http://127.0.0.1:8080", store, policy, "www.example.com"), ask)
    examine_edge(EdgeQuestion("https://cdn.example.com/x%20y", store, policy), ask)
    assert asked[0][0].startswith("http://127.0.0.1:8080/static/")
    assert asked[0][1]["Host"] == "www.example.com"
    assert asked[1][0].startswith("https://cdn.example.com/x%20y/")
    assert "Host" not in asked[1][1]


@pytest.mark.parametrize(
    ("arguments", "host"),
    [
        ([], "static.example.com"),
        (["--server-name", "other.example.com"], "other.example.com"),
        (["--server-name", "*.example.com"], "127.0.0.1"),
    ],
)
def test_for_which_host(released: Path, arguments: list[str], host: str) -> None:
    """RFC 9110 section 7.2: a server that has several sites goes by the Host field."""
    heads: list[bytes] = []

    def answer(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                with sock:
                    heads.append(sock.recv(65536))

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        port = listener.getsockname()[1]
        options = {"url": "https://static.example.com/", "publish": {"to": "ssh://a/srv"}}
        with site(serve={"root_folder": "site"}, **options), pytest.raises(CommandError, match="does not answer"):
            ship("config", "nginx", "--url", f"http://127.0.0.1:{port}", *arguments)
    assert f"\r\nHost: {host if host != '127.0.0.1' else f'{host}:{port}'}\r\n".encode() in heads[0]


def test_release_headers_are_not_expected(released: Path) -> None:
    with site(serve={"root_folder": "site", "release_header": "X-Release"}):
        assert wrong(live()) == {}


# Uploads.


def asked_for_uploads(ask: Callable[[str], Page]) -> tuple[Finding, ...]:
    policy = edge_policy(None, Wanted(include_media=True)).policy
    return examine_edge(EdgeQuestion(URL, None, policy), lambda url, *_: ask(urlsplit(url).path))


def test_uploads_from_the_application(released: Path) -> None:
    asked = []

    def ask(path: str) -> Page:
        asked.append(path)
        places = [place(storages[alias], f"/{name}/") for alias, name in (("default", "media"), ("bills", "bills"))]
        found = Served(places).find(Request("GET", path, {}.get))
        if found is None:
            return Page(404, {"cache-control": "no-store"}, b"")
        body = found.body if isinstance(found.body, bytes) else b"".join(found.body or ())
        return Page(found.status, {name.lower(): value for name, value in found.headers}, body)

    with site(media=uploads(released)):
        findings = asked_for_uploads(ask)
    assert [(finding.name, finding.state) for finding in findings] == [
        ("upload-default", "ok"), ("upload-default-closed-0", "ok"), ("upload-papers", "ok"),
        ("upload-papers-inside", "ok"), ("upload-bills", "ok"),
    ]  # fmt: skip
    assert asked == [
        "/media/a.svg", "/media/papers/secret.txt", "/papers/secret.txt", "/protected/secret.txt", "/bills/b.pdf",
    ]  # fmt: skip


def test_uploads_that_anybody_has(released: Path) -> None:
    """A server that gives whatever lies below MEDIA_ROOT, with the type of its name alone."""
    with site(media=uploads(released)):
        findings = asked_for_uploads(lambda _: Page(200, {"content-type": "image/svg+xml"}, b"<svg/>"))
    found = wrong(findings)
    assert found.keys() == {
        "upload-default", "upload-default-closed-0", "upload-papers", "upload-papers-inside", "upload-bills",
    }  # fmt: skip
    assert "Content-Security-Policy is not there" in found["upload-default"]
    assert "Content-Disposition is not there" in found["upload-default"]
    assert "X-Content-Type-Options is not there" in found["upload-default"]
    assert found["upload-papers"] == "the answer is 200: everybody can read it"
