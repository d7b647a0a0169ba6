"""Uploads that mean harm, sent to Django as a browser would, and saved."""

from __future__ import annotations

import io
import re
import socketserver
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.http import HttpRequest
from django.test import RequestFactory, override_settings

from shipfiles.django.storage import MediaStorage, S3MediaStorage
from shipfiles.errors import ConfigError, UploadRefused
from tests.guides import FOLDER, blocks

FORM = "application/x-www-form-urlencoded"
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def storage(root: Path, **options: Any) -> MediaStorage:
    return MediaStorage(location=str(root / "media"), base_url="/media/", **options)


def files(root: Path) -> list[str]:
    """Everything below ``root``, with what is hidden."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def sent(name: bytes, body: bytes) -> HttpRequest:
    """A request with one file; ``name`` is written as it is."""
    field = b'Content-Disposition: form-data; name="file"; filename="' + name + b'"'
    lines = (b"--b", field, b"Content-Type: text/html", b"", body, b"--b--", b"")
    return RequestFactory().generic("POST", "/", b"\r\n".join(lines), "multipart/form-data; boundary=b")


@pytest.mark.parametrize(
    "name",
    [
        b"../../evil.txt", b"/etc/evil.txt", b"..\\\\..\\\\evil.txt", b"a/../../evil.txt", b"evil\0.txt", b"..", b".",
        b"\xff\xfe.txt", b"%2e%2e%2fevil.txt", b".shipfiles/evil.txt", b".shipfiles-1-2", b"CON", b"a" * 900 + b".txt",
        b"x\x7f\x1b[31m.txt", b"C:\\\\evil.txt", b"evil.txt:stream", b"&#46;&#46;&#47;evil.txt", b"&sol;etc&sol;evil",
    ],
)  # fmt: skip
def test_no_name_of_an_upload_leads_elsewhere(tmp_path: Path, name: bytes) -> None:
    request = sent(name, b"body")
    uploaded = list(request.FILES.values())
    saved = []
    for file in uploaded:
        try:
            saved.append(storage(tmp_path).save(file.name, file))
        except (SuspiciousOperation, OSError, ValueError):
            continue
    found = files(tmp_path)
    assert found == [f"media/{one}" for one in saved]
    assert all("/" not in one and "\0" not in one for one in saved)


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/evil", "a\0b", "..", ".shipfiles/current.json", ".SHIPFILES/x", "a/..", ""],
)
def test_no_name_that_a_project_makes_of_one_does(tmp_path: Path, name: str) -> None:
    with pytest.raises((SuspiciousOperation, ValueError)):
        storage(tmp_path).save(name, ContentFile(b"body"))
    assert files(tmp_path) == []


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100, FILE_UPLOAD_MAX_MEMORY_SIZE=1000)
def test_oversized_bodies(tmp_path: Path) -> None:
    limited = storage(tmp_path, safety={"max_size": 5000})
    for size, taken in ((5000, True), (5001, False), (5 << 20, False)):
        (file,) = sent(b"a.txt", b"x" * size).FILES.values()
        if taken:
            limited.save("a.txt", file)
        else:
            with pytest.raises(UploadRefused) as refused:
                limited.save("b.txt", file)
            assert refused.value.code == "max_size"
        file.close()
    assert files(tmp_path) == ["media/a.txt"]
    with pytest.raises(RequestDataTooBig):
        dict(RequestFactory().generic("POST", "/", b"field=" + b"x" * 200, FORM).POST)


def test_what_is_written_to_an_open_file_is_limited_too(tmp_path: Path) -> None:
    limited = storage(tmp_path, safety={"max_size": 10})
    file = limited.open("a.txt", "wb")
    file.write(b"x" * 11)
    with pytest.raises(UploadRefused):
        file.close()
    assert files(tmp_path) == []


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(9):
            archive.writestr(str(number), b"\0" * (4 << 20))
    return out.getvalue()


def test_zip_bombs(tmp_path: Path) -> None:
    guarded = storage(tmp_path, inspect=["shipfiles.media.archives.refuse_bombs"])
    for name in ("a.zip", "a.docx", "a.txt"):
        with pytest.raises(UploadRefused) as refused:
            guarded.save(name, ContentFile(bomb()))
        assert refused.value.code == "archive_ratio"
    assert files(tmp_path) == []
    assert guarded.save("a.txt", ContentFile(b"text")) == "a.txt"


def test_hooks_see_every_byte_before_anybody_else(tmp_path: Path) -> None:
    seen = []

    def first(file: Any, name: str) -> None:
        seen.append((name, file.read()))
        assert files(tmp_path) == []

    def second(file: Any, name: str) -> None:
        seen.append((name, file.read(3)))

    body = bytes(range(256)) * 8000
    for each in (body, body[:1000]):
        seen.clear()
        watched = storage(tmp_path, inspect=[first, second])
        saved = watched.save("a.bin", ContentFile(each))
        assert seen == [("a.bin", each), ("a.bin", each[:3])]
        with watched.open(saved) as file:
            assert file.read() == each
        watched.delete(saved)


def test_a_hook_that_fails_lets_nothing_in(tmp_path: Path) -> None:
    def broken(file: Any, name: str) -> None:
        raise ConnectionRefusedError("no scanner")

    def later(file: Any, name: str) -> None:
        raise AssertionError("the first one has said no")

    with pytest.raises(ConnectionRefusedError):
        storage(tmp_path, inspect=[broken, later]).save("a", ContentFile(b"x"))
    with pytest.raises(ConfigError, match="nowhere"):
        storage(tmp_path, inspect=["nowhere.to_be_found"]).save("a", ContentFile(b"x"))
    assert files(tmp_path) == []


async def unawaited(file: Any, name: str) -> None: ...


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (lambda file, name: False, "returned False"),
        (lambda file, name: True, "returned True"),
        (lambda file, name: 0, "returned a int"),
        (unawaited, "unawaited of OPTIONS['inspect'] returned a coroutine"),
    ],
)
def test_a_hook_that_answers_lets_nothing_in(tmp_path: Path, hook: Any, words: str) -> None:
    with pytest.raises(TypeError, match=re.escape(words)):
        storage(tmp_path, inspect=[hook]).save("a", ContentFile(b"x"))
    assert not storage(tmp_path).exists("a")


class Clamd(socketserver.StreamRequestHandler):
    """clamd's INSTREAM as its manual page has it: chunks behind their length, of four bytes; the last has none."""

    limit = 1 << 20

    def handle(self) -> None:
        assert self.rfile.read(10) == b"zINSTREAM\0"
        body = b""
        while length := struct.unpack(">L", self.rfile.read(4))[0]:
            body += self.rfile.read(length)
            if len(body) > self.limit:
                self.wfile.write(b"INSTREAM size limit exceeded. ERROR\0")
                return
        self.wfile.write(b"stream: Eicar-Test-Signature FOUND\0" if EICAR in body else b"stream: OK\0")


@pytest.fixture
def clamd() -> Iterator[Callable[..., None]]:
    """The hook of the guide, and a scanner for it."""
    (text,) = [one.text for one in blocks(FOLDER.parent / "media.md") if one.name == "clamd"]
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Clamd) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        scope: dict[str, Any] = {}
        exec(compile(text, "media.md", "exec"), scope)
        scope["CLAMD"] = server.server_address
        yield scope["clamd"]
        server.shutdown()
        thread.join()


def test_a_virus_scanner(tmp_path: Path, clamd: Callable[..., None]) -> None:
    scanned = storage(tmp_path, inspect=[clamd])
    assert scanned.save("clean.bin", ContentFile(bytes(300_000))) == "clean.bin"
    with pytest.raises(UploadRefused) as refused:
        scanned.save("a.com", ContentFile(bytes(200_000) + EICAR))
    assert refused.value.code == "virus"
    # More than the scanner takes is not let in unseen.
    with pytest.raises(OSError, match=r"clamd did not look|[Bb]roken|reset"):
        scanned.save("large.bin", ContentFile(bytes(2 << 20)))
    assert files(tmp_path) == ["media/clean.bin"]


def test_a_virus_scanner_that_is_down(tmp_path: Path, clamd: Callable[..., None]) -> None:
    clamd.__globals__["CLAMD"] = ("127.0.0.1", 1)
    with pytest.raises(ConnectionRefusedError):
        storage(tmp_path, inspect=[clamd]).save("a", ContentFile(b"x"))
    assert files(tmp_path) == []


def test_signed_urls_show_nothing_active(tmp_path: Path) -> None:
    signed = storage(tmp_path, access="signed")
    for name, parameters in (
        ("a.html", {"content_disposition": "inline"}),
        ("a.svg", {"ResponseContentDisposition": "inline; filename=a.svg"}),
        ("a.txt", {"content_type": "text/html"}),
        ("a.txt", {"ResponseContentType": "image/svg+xml", "ResponseContentDisposition": "inline"}),
        ("a.html", {"content_disposition": "attachment\r\nX-Evil: 1"}),
    ):
        with pytest.raises(ValueError, match=r"inline|Disposition"):
            signed.url(name, parameters=parameters)
    assert "content_disposition=inline" in signed.url("a.png", parameters={"content_disposition": "inline"})


@pytest.mark.parametrize(
    ("name", "parameters", "answer"),
    [
        # SigV4 binds the query: what it says cannot be taken away.
        ("a/b.svg", {}, {"response-content-disposition": ['attachment; filename="b.svg"']}),
        ("b.html", {}, {"response-content-disposition": ['attachment; filename="b.html"']}),
        ("b.html", {"content_type": "text/plain"}, {"response-content-type": ["text/plain"]}),
        ("b.html", {"content_disposition": "attachment"}, {"response-content-disposition": ["attachment"]}),
        ("b.png", {}, {}),
    ],
)
def test_signed_urls_of_a_bucket_have_active_files_saved_whoever_stored_them(
    name: str, parameters: dict[str, str], answer: dict[str, list[str]]
) -> None:
    place = {"bucket_name": "bucket", "endpoint_url": "http://127.0.0.1:1", "region_name": "us-east-1"}
    bucket = S3MediaStorage(**place, access_key="a", secret_key="s", access="signed")
    query = parse_qs(urlsplit(bucket.url(name, parameters=parameters)).query)
    assert {key: value for key, value in query.items() if key.startswith("response-")} == answer
    assert "response-content-disposition" not in bucket.url(name, http_method="PUT")


def test_options_in_the_guide_are_options() -> None:
    text = (FOLDER.parent / "media.md").read_text()
    start = text.index('"OPTIONS": {\n    "safety"')
    options = eval("{" + text[start : text.index("```", start)] + "}")["OPTIONS"]
    backend = {"BACKEND": "shipfiles.django.storage.MediaStorage", "OPTIONS": options}
    with override_settings(STORAGES={"default": backend}):
        config = storages["default"].config
    assert config.safety.inline == ("image/svg+xml",)
    assert config.safety.check_content
    assert config.inspect == tuple(options["inspect"])
