"""Signed URLs, asked for at those who check them: SeaweedFS, Azurite, nginx. What was altered is refused.

fake-gcs-server and moto look at no signature: there only the address and what the answer is like can be seen. Google's
signatures are compared with its own client's in ``tests/unit/test_signed_urls.py``.
"""

from __future__ import annotations

import base64
import http.client
import json
import secrets
import shutil
import ssl
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shipfiles.media.config import SignedConfig
from shipfiles.media.expiry import grant
from shipfiles.media.links import secure_link_query
from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Grant, Signs, Store
from tests.guides import FOLDER, blocks

from .fetched import npm_installed
from .nginx import run_nginx
from .object_servers import (
    ACCOUNT,
    ACCOUNT_KEY,
    AZURITE,
    S3_KEY,
    azure_store,
    end,
    google_store,
    make_container,
    s3_store,
    spawned,
    until,
)  # fmt: skip
from .servers import free_port

pytestmark = pytest.mark.services

DISPOSITION = "attachment; filename=\"a &+%.pdf\"; filename*=UTF-8''%C3%A4.pdf"
PLAIN = "text/plain; charset=utf-8"
REFUSED = (400, 401, 403)


def asked(
    url: str, method: str = "GET", body: bytes | None = None, fields: Mapping[str, str] = {}, *,
    context: ssl.SSLContext | None = None,
) -> tuple[int, dict[str, str], bytes]:  # fmt: skip
    """The answer, to what is asked as it is written: nothing of the URL is made otherwise."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    if context is not None:
        connection = http.client.HTTPSConnection(parts.netloc, timeout=20, context=context)
    try:
        connection.request(method, f"{parts.path}?{parts.query}", body, dict(fields))
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def signed(store: Store, key: str, wanted: Grant) -> str:
    assert isinstance(store, Signs)
    return store.signed_url(key, wanted)


def now(**more: str) -> Grant:
    return grant(SignedConfig(), time.time(), **more)  # type: ignore[arg-type]


def other(url: str, name: str, value: str | None) -> str:
    """``url`` with another ``value`` of a parameter, or without it."""
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query, strict_parsing=True))
    given |= {name: value} if value is not None else {}
    if value is None:
        del given[name]
    return parts._replace(query=urlencode(given, quote_via=quote)).geturl()


part = st.text(
    st.sampled_from(" +%~&=?#'()*!@:;,$[]{}|\\\"<>^`äß日本🙂.-_aZ09")
    | st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"], exclude_characters="/"),
    min_size=1, max_size=10,
).filter(lambda text: text not in (".", ".."))  # fmt: skip
keys = st.lists(part, min_size=1, max_size=3).map("/".join)
many = settings(
    deadline=None, max_examples=40, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@many
@given(keys)
def test_seaweedfs_knows_odd_keys(seaweed: str, key: str) -> None:
    store = s3_store(seaweed, "odd")
    store.put(key, key.encode())
    status, _, body = asked(signed(store, key, now()))
    assert (status, body) == (200, key.encode()), key


@many
@given(keys.filter(lambda key: not any(part.endswith(".") for part in key.split("/")) and "\\" not in key))
def test_azurite_knows_odd_keys(azurite: str, key: str) -> None:
    """Without a dot at the end of a part, which Azure takes away, and a backslash, which it takes for a slash.

    https://learn.microsoft.com/en-us/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata
    """
    store = azure_store(azurite, "odd")
    store.put(key, key.encode())
    status, _, body = asked(signed(store, key, now()))
    assert (status, body) == (200, key.encode()), key


def test_seaweedfs_answers_as_it_was_signed(seaweed: str) -> None:
    location = secrets.token_hex(8)
    store = s3_store(seaweed, location)
    store.put("a b.html", b"<p>", fields={"Content-Type": "text/html"})
    url = signed(store, "a b.html", now(disposition=DISPOSITION, content_type=PLAIN))
    status, fields, body = asked(url)
    assert (status, body) == (200, b"<p>")
    assert fields["content-disposition"] == DISPOSITION
    assert fields["content-type"] == PLAIN
    assert asked(signed(store, "a b.html", now()))[1]["content-type"] == "text/html"
    # Browsers may know the server by another name than the application does, and that is in what is signed.
    named = seaweed.replace("127.0.0.1", "localhost")
    elsewhere = s3_store(seaweed, location, signing_url=f"{named}/bucket")
    url = signed(elsewhere, "a b.html", now())
    assert url.startswith(f"{named}/bucket/")
    assert asked(url)[0] == 200
    assert asked(url.replace(named, seaweed))[0] in REFUSED
    assert asked(signed(store, "a b.html", now(method="HEAD")), "HEAD")[0] == 200
    assert asked(signed(store, "new", now(method="PUT")), "PUT", b"put")[0] == 200
    assert b"".join(store.read("new")) == b"put"
    assert asked(signed(store, "new", now(method="DELETE")), "DELETE")[0] == 204
    assert store.head("new") is None


def test_seaweedfs_refuses_what_was_altered(seaweed: str) -> None:
    location = secrets.token_hex(8)
    store = s3_store(seaweed, location)
    store.put("a", b"a")
    store.put("b", b"b")
    wanted = now(disposition=DISPOSITION, content_type=PLAIN)
    url = signed(store, "a", wanted)
    plain = signed(store, "a", now())
    assert asked(url)[0] == asked(plain)[0] == 200
    altered = {
        "key": url.replace("/a?", "/b?"),
        "longer": other(url, "X-Amz-Expires", "604800"),
        "later": other(url, "X-Amz-Date", time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(wanted.starts + 60))),
        "disposition": other(url, "response-content-disposition", "inline"),
        "no disposition": other(url, "response-content-disposition", None),
        "type": other(url, "response-content-type", "text/html"),
        "type of one without": other(plain, "response-content-type", "text/html"),
        "other key": other(url, "X-Amz-Credential", dict(parse_qsl(url))["X-Amz-Credential"].replace("id", "reader")),
        "signature": other(url, "X-Amz-Signature", "0" * 64),
        "no signature": other(url, "X-Amz-Signature", None),
        "unsigned": url.partition("?")[0],
        "expired": signed(store, "a", Grant(wanted.starts - 60, wanted.starts - 120)),
        "another's secret": signed(
            s3_store(seaweed, location, secret_key="guessed"), "a", wanted
        ),
    }  # fmt: skip
    answers = {name: asked(url)[0] for name, url in altered.items()}
    assert {name for name, status in answers.items() if status not in REFUSED} == set(), answers
    for method in ("PUT", "DELETE"):
        assert asked(url, method, b"other" if method == "PUT" else None)[0] in REFUSED
    assert b"".join(store.read("a")) == b"a"


def test_azurite_answers_as_it_was_signed_and_refuses_what_was_altered(azurite: str) -> None:
    location = secrets.token_hex(8)
    store = azure_store(azurite, location)
    store.put("a", b"<p>", fields={"Content-Type": "text/html"})
    store.put("b", b"b")
    wanted = now(disposition=DISPOSITION, content_type=PLAIN)
    url, plain = signed(store, "a", wanted), signed(store, "a", now())
    status, fields, body = asked(url)
    assert (status, body) == (200, b"<p>")
    assert fields["content-disposition"] == DISPOSITION
    assert fields["content-type"] == PLAIN
    assert asked(plain, "HEAD")[1]["content-type"] == "text/html"
    kind = {"x-ms-blob-type": "BlockBlob"}
    assert asked(signed(store, "new", now(method="PUT")), "PUT", b"put", kind)[0] == 201
    assert b"".join(store.read("new")) == b"put"
    assert asked(signed(store, "new", now(method="DELETE")), "DELETE")[0] == 202
    altered = {
        "key": url.replace("/a?", "/b?"),
        "longer": other(url, "se", "2099-01-01T00:00:00Z"),
        "disposition": other(url, "rscd", "inline"),
        "no disposition": other(url, "rscd", None),
        "type": other(url, "rsct", "text/html"),
        "type of one without": other(plain, "rsct", "text/html"),
        "permission": other(url, "sp", "rd"),
        "container": other(url, "sr", "c"),
        "signature": other(url, "sig", "A" * 43 + "="),
        "unsigned": url.partition("?")[0],
        "expired": signed(store, "a", Grant(wanted.starts - 60, wanted.starts - 120)),
    }
    answers = {name: asked(url)[0] for name, url in altered.items()}
    assert {name for name, status in answers.items() if status not in (*REFUSED, 404)} == set(), answers
    for method in ("PUT", "DELETE"):
        assert asked(url, method, b"x" if method == "PUT" else None, kind)[0] in REFUSED
    assert b"".join(store.read("a")) == b"<p>"


class Somebody:
    """A credential as azure-identity has them. Its token is not signed by Entra, which Azurite does not look at."""

    def __init__(self) -> None:
        self.asked = 0

    def get_token(self, *scopes: str) -> SimpleNamespace:
        assert scopes == ("https://storage.azure.com/.default",)
        self.asked += 1
        tenant, start = "11111111-1111-1111-1111-111111111111", int(time.time()) - 60
        claims = {
            "aud": "https://storage.azure.com", "iss": f"https://sts.windows.net/{tenant}/", "tid": tenant,
            "oid": "22222222-2222-2222-2222-222222222222", "nbf": start, "iat": start, "exp": start + 3600,
        }  # fmt: skip
        parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
        token = ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), "none"])
        return SimpleNamespace(token=token, expires_on=start + 3600)


def test_azurite_takes_what_somebody_with_a_token_signed(certificates: tuple[Path, Path], tmp_path: Path) -> None:
    own, root = certificates
    trusting = ssl.create_default_context(cafile=root)
    program = npm_installed(AZURITE) / "azurite" / "dist" / "src" / "blob" / "main.js"
    port, log = free_port(), tmp_path / "log.txt"
    command = [
        str(shutil.which("node")), str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port), "--oauth", "basic",
        "--cert", str(own), "--key", str(own), "--inMemoryPersistence", "--silent", "--skipApiVersionCheck",
        "--disableTelemetry",
    ]  # fmt: skip
    url = f"https://127.0.0.1:{port}/{ACCOUNT}"
    pid = spawned(command, log)
    try:
        until(lambda: make_container(url, "container", trusting), pid, log)
        given = {"account_name": ACCOUNT, "endpoint_url": url, "verify": str(root)}
        somebody = Somebody()
        signer = open_store("az://container/a", "tests", {**given, "token_credential": somebody})
        open_store("az://container/a", "tests", {**given, "account_key": ACCOUNT_KEY}).put("ä b", b"<p>")
        url = signed(signer, "ä b", now(disposition=DISPOSITION, content_type=PLAIN))
        status, fields, body = asked(url, context=trusting)
        assert (status, body) == (200, b"<p>")
        assert (fields["content-disposition"], fields["content-type"]) == (DISPOSITION, PLAIN)
        altered = {"rscd": "inline", "skoid": "33333333-3333-3333-3333-333333333333", "ske": "2099-01-01T00:00:00Z"}
        for name, value in (altered | {"sp": "rd", "se": "2098-01-01T00:00:00Z"}).items():
            assert asked(other(url, name, value), context=trusting)[0] in REFUSED, name
        assert somebody.asked == 1
    finally:
        end(pid)


def test_moto_answers_as_it_was_signed(moto: str) -> None:
    """It looks at the time, at no signature."""
    store = open_store(f"s3://bucket/{secrets.token_hex(8)}", "tests", {**S3_KEY, "endpoint_url": moto})
    store.put("ä b+c", b"a")
    status, fields, body = asked(signed(store, "ä b+c", now(disposition="attachment", content_type=PLAIN)))
    assert (status, body) == (200, b"a")
    assert (fields["content-disposition"], fields["content-type"]) == ("attachment", PLAIN)


def test_fake_gcs_server_finds_what_was_signed(fake_gcs: str) -> None:
    """It looks at no signature."""
    location = secrets.token_hex(8)
    google_store(fake_gcs, location).put("ä b+c", b"a")
    signer = google_store(fake_gcs, location, hmac_access_id="GOOG1E", hmac_secret="secret")
    status, _, body = asked(signed(signer, "ä b+c", now()))
    assert (status, body) == (200, b"a")


@pytest.fixture
def nginx(tmp_path: Path) -> Iterator[str]:
    root = tmp_path / "root"
    root.mkdir()
    port = free_port()
    (location,) = [one.text for one in blocks(FOLDER.parent / "media.md") if one.name == "nginx_secure_link"]
    told = location.replace("KEY", "the-key").replace("/srv/media/", f"{root}/")
    with run_nginx(tmp_path, f"server {{\n  listen 127.0.0.1:{port};\n{told}}}", port):
        yield f"http://127.0.0.1:{port}"


def test_nginx_checks_links(nginx: str, tmp_path: Path) -> None:
    names = ["a.txt", "b.txt", "Ä b+c%20d&e=f?g#h;~'(1)日本.txt", "in/a.txt"]
    for name in names:
        (tmp_path / "root" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "root" / name).write_text(name)
    wanted = now()
    for name in names:
        url = f"{nginx}/media/{quote(name)}?{secure_link_query(f'/media/{name}', wanted, 'the-key')}"
        assert asked(url)[0::2] == (200, name.encode()), name
        assert asked(url, "HEAD")[0] == 200
        assert asked(f"{url}&utm_source=letter")[0] == 200
    for name, kind in (
        ("a.txt", "text/plain"),
        ("a.html", "application/octet-stream"),
        ("a.SVG", "application/octet-stream"),
    ):
        (tmp_path / "root" / name).write_text("<svg/>")
        _, fields, _ = asked(f"{nginx}/media/{name}?{secure_link_query(f'/media/{name}', wanted, 'the-key')}")
        assert (fields["content-type"], fields["x-content-type-options"]) == (kind, "nosniff")
    url = f"{nginx}/media/a.txt?{secure_link_query('/media/a.txt', wanted, 'the-key')}"
    past = Grant(wanted.starts - 1, wanted.starts - 60)
    altered = {
        "key": (url.replace("a.txt", "b.txt"), 403),
        "longer": (other(url, "expires", str(wanted.expires + 1)), 403),
        "signature": (other(url, "md5", "A" * 22), 403),
        "no time": (other(url, "expires", None), 403),
        "unsigned": (url.partition("?")[0], 403),
        "expired": (f"{nginx}/media/a.txt?{secure_link_query('/media/a.txt', past, 'the-key')}", 410),
        "another key": (f"{nginx}/media/a.txt?{secure_link_query('/media/a.txt', wanted, 'guessed')}", 403),
    }
    assert {name: asked(url)[0] for name, (url, _) in altered.items()} == {n: s for n, (_, s) in altered.items()}
    for method in ("PUT", "DELETE"):
        assert asked(url, method)[0] == 405
