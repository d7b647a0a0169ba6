"""The storages that stand for django-storages', on real servers: a release is sent, and a process uses it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import storages
from django.test import override_settings
from django.test.utils import _TestState

from shipfiles.django import conf
from shipfiles.django.storage import (
    AzureStaticStorage,
    GoogleStaticStorage,
    S3StaticStorage,
    SFTPStaticStorage,
    StaticStorage,
)
from shipfiles.release.send import send
from tests.django.test_collectstatic import collect

from .object_servers import ACCOUNT, ACCOUNT_KEY, S3_KEY
from .ssh_server import started

pytestmark = pytest.mark.services

FILES: dict[str, str | bytes] = {
    "css/a.css": "a{background:url(i.png)}" + "b{color:red}" * 100, "css/i.png": b"png", "lib.js": "load()\n" * 100,
}  # fmt: skip


@pytest.fixture(params=["s3", "google", "azure", "ssh"])
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The class of one, and its options for a folder that nobody else has."""
    location = secrets.token_hex(8)
    if request.param == "s3":
        url = request.getfixturevalue("seaweed")
        yield S3StaticStorage, {"bucket_name": "bucket", "location": location, "endpoint_url": url, **S3_KEY}
    elif request.param == "google":
        from google.auth.credentials import AnonymousCredentials

        given = {"endpoint_url": request.getfixturevalue("fake_gcs"), "credentials": AnonymousCredentials()}
        yield GoogleStaticStorage, {"bucket_name": "bucket", "location": location, **given}
    elif request.param == "azure":
        url = request.getfixturevalue("azurite")
        given = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY, "endpoint_url": url}
        yield AzureStaticStorage, {"azure_container": "container", "location": location, **given}
    else:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        with started() as server:
            root = server.root(secrets.token_hex(4)) / "static"
            config = str(server.folder / "config")
            yield SFTPStaticStorage, {"host": "server", "root_path": str(root), "config_file": config}


def published(storage: StaticStorage, write: Any, release: str, files: dict[str, str | bytes]) -> None:
    """Build ``files`` in STATIC_ROOT, and send them."""
    write(files)
    built = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": {"release_id": release}}
    with override_settings(STORAGES={"staticfiles": built}):
        collect()
        here: Any = storages["staticfiles"]
        (target,) = conf.targets(storage.config)
        assert send(here.store, release, target).release == release


def test_a_release_is_sent_and_used(
    project: Path, write: Any, storage: tuple[Any, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, options = storage
    more = {"publish": {"django_manifest": "{release}/staticfiles.json"}}
    published(kind(**options, **more), write, "v1", FILES)
    (project / "root").rename(project / "elsewhere")
    published(kind(**options, **more), write, "v2", FILES | {"css/i.png": b"other"})
    (project / "root").rename(project / "elsewhere too")
    monkeypatch.delattr(_TestState, "saved_data")

    one, two = kind(**options, release_id="v1"), kind(**options)
    assert (one.release_id, two.release_id) == ("v1", "v2")
    assert one.url("lib.js") == two.url("lib.js")
    assert one.url("css/a.css") != two.url("css/a.css")
    for found, body in ((one, b"png"), (two, b"other")):
        assert found.base_url is not None
        name = found.url("css/i.png").removeprefix(found.base_url)
        with found.open(name) as file:
            assert file.read() == body
        # What stock Django reads: processes of either release, which share all other files.
        with found.open(f"{found.release_id}/staticfiles.json") as file:
            assert json.load(file)["paths"] == found.hashed_files
    folders, files = two.listdir("")
    assert {"css", "v1", "v2"} <= set(folders)
    assert "lib.js" in files
    assert not two.exists("none")


@pytest.mark.parametrize("storage", ["s3", "google", "azure"], indirect=True)
def test_how_a_bucket_answers(project: Path, write: Any, storage: tuple[Any, dict[str, Any]]) -> None:
    """Of what is said for all objects, hashed names keep what is better for them."""
    kind, options = storage
    word = "CacheControl" if kind is S3StaticStorage else "cache_control"
    given = options | {"object_parameters": {word: "max-age=300"}}
    if kind is not AzureStaticStorage:
        given["gzip"] = True
    found = kind(**given)
    published(found, write, "v1", FILES)
    assert found.remote is not None
    plain = found.remote.store.head("lib.js")
    hashed = found.remote.store.head(json.loads((project / "root/staticfiles.json").read_text())["paths"]["lib.js"])
    assert plain is not None
    assert hashed is not None
    assert plain.fields["Cache-Control"] == "max-age=300"
    assert hashed.fields["Cache-Control"] == "max-age=31536000, public, immutable"
    for fields in (plain.fields, hashed.fields):
        assert fields["Content-Type"] == "text/javascript; charset=utf-8"
        assert fields.get("Content-Encoding") == (None if kind is AzureStaticStorage else "gzip")
