"""``ship store check``, as people call it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.bucket import Bucket, running

from .shipping import refused, ship
from .test_ship_prune import with_options


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with running() as found:
        found.allowed_origin = "*"
        monkeypatch.setenv("AWS_ENDPOINT_URL", found.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id-of-the-key")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "the-secret")
        yield found


def as_json(*arguments: str) -> tuple[dict[str, Any], bool]:
    """The object that is printed, and whether the command ended well."""
    out = io.StringIO()
    try:
        call_command("ship", "store", "check", *arguments, "--json", stdout=out, stderr=io.StringIO())
    except CommandError:
        return json.loads(out.getvalue()), False
    return json.loads(out.getvalue()), True


def test_the_store_of_the_options(project: Path) -> None:
    """A folder at a path of the site's own host: browsers have nothing to be asked about."""
    out, err = ship("store", "check")
    assert err == ""
    lines = out.splitlines()
    assert lines[:2] == [str(project / "root"), ""]
    assert lines[2].split() == ["Can", "it", "For", "Answer"]
    assert "put an object that is not there  " in out
    assert lines[-1] == f"{project / 'root'}: nothing is missing, 3 steps not tried."
    assert not [path for path in (project / "root").rglob("*") if path.is_file() and "probe" in path.parts]


def test_a_store_that_is_named(bucket: Bucket) -> None:
    out, _ = ship("store", "check", "s3://bucket/s", "--public-url", f"{bucket.url}/bucket/s/")
    assert out.splitlines()[-1] == "s3://bucket/s: nothing is missing."
    assert "be compressed on the way" in out
    assert "missing, not needed: be compressed on the way\n  texts arrive uncompressed" in out
    assert bucket.objects == {}


def test_what_is_missing(bucket: Bucket) -> None:
    bucket.denied = {"s3:DeleteObject"}
    out, err = io.StringIO(), io.StringIO()
    with pytest.raises(CommandError) as told:
        call_command("ship", "store", "check", "s3://bucket", stdout=out, stderr=err, no_color=True)
    assert told.value.returncode == 1
    assert str(told.value) == ("s3://bucket: 1 of 13 steps missing, 6 keys below .shipfiles/probe/ left there.")
    assert out.getvalue().endswith(
        "missing: delete\n"
        "  access denied: these credentials may not do that there (AccessDenied, s3://bucket)\n"
        "  To do: grant s3:DeleteObject on the objects\n\n"
    )
    assert re.fullmatch(r"6 keys that cannot be deleted: \.shipfiles/probe/[0-9a-f]{16}/\n", err.getvalue())
    for text in (out.getvalue(), err.getvalue(), str(told.value)):
        assert "the-secret" not in text
        assert "id-of-the-key" not in text


def test_one_cause_is_told_once(bucket: Bucket) -> None:
    bucket.denied = {"s3:PutObject"}
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("ship", "store", "check", "s3://bucket", stdout=out, stderr=io.StringIO(), no_color=True)
    told = out.getvalue().splitlines()
    assert told.count("  needs: put an object that is not there") == 1
    assert [line for line in told if line.startswith("not tried: ") and "; " in line]


def test_credentials_that_are_not_to_delete(bucket: Bucket) -> None:
    """That the check's own keys stay is said, and no fault of theirs."""
    bucket.denied = {"s3:DeleteObject"}
    out, err = ship("store", "check", "s3://bucket", "--for", "publish")
    assert out.splitlines()[-1] == "s3://bucket: nothing is missing, 6 keys below .shipfiles/probe/ left there."
    assert err.startswith("6 keys that cannot be deleted: ")


def test_json(bucket: Bucket) -> None:
    facts, well = as_json("s3://bucket")
    assert well
    assert facts["ok"] is True
    (store,) = facts["stores"]
    assert (store["store"], store["public_url"], store["missing"], store["left"]) == ("s3://bucket", None, [], [])
    assert store["steps"][0] == {
        "name": "absent", "what": "tell that a key is not there", "for": ["publish", "web"], "state": "ok",
        "needed": True, "why": None, "grant": None,
    }  # fmt: skip
    bucket.denied = {"s3:ListBucket"}
    facts, well = as_json("s3://bucket")
    assert not well
    assert facts["ok"] is False
    assert facts["stores"][0]["missing"] == ["absent", "list"]


def test_several_stores(bucket: Bucket, tmp_path: Path) -> None:
    bucket.denied = {"s3:PutObject"}
    facts, well = as_json("s3://bucket/a", f"file://{tmp_path}/b")
    assert not well
    assert [store["missing"] for store in facts["stores"]] == [["create"], []]


def test_what_it_is_for(bucket: Bucket) -> None:
    bucket.denied = {"s3:PutObject", "s3:DeleteObject"}
    facts, well = as_json("s3://bucket", "--for", "web")
    assert well
    assert [step["name"] for step in facts["stores"][0]["steps"]] == ["absent", "current"]
    assert not as_json("s3://bucket", "--for", "web,prune")[1]


def test_the_origin(bucket: Bucket) -> None:
    bucket.allowed_origin = "https://other.example"
    url = f"{bucket.url}/bucket/"
    facts, _ = as_json("s3://bucket", "--public-url", url, "--origin", "https://WWW.example.com/")
    assert facts["stores"][0]["missing"] == ["cors"]
    assert {asked.headers.get("origin") for asked in bucket.asked} == {None, "https://www.example.com"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["ftp://a"], "there is no store for ftp://"),
        (["s3://bucket", "--public-url", "/static/"], "--public-url: it has no host"),
        (["s3://bucket", "s3://other", "--public-url", "https://a/"], "name that store, and no other"),
    ],
)
def test_wrong_arguments(bucket: Bucket, arguments: list[str], why: str) -> None:
    assert why in refused("store", "check", *arguments)


def s3_settings(bucket: Bucket, **options: object) -> override_settings:
    """As the guides have them: https://docs.djangoproject.com/en/stable/ref/settings/#storages."""
    given = {
        "bucket_name": "bucket", "location": "static", "endpoint_url": bucket.url, "access_key": "id-of-the-key",
        "secret_key": "the-secret", "base_url": f"{bucket.url}/bucket/static/", **options,
    }  # fmt: skip
    storage = {"BACKEND": "shipfiles.django.storage.S3StaticStorage", "OPTIONS": given}
    return override_settings(STORAGES={**settings.STORAGES, "staticfiles": storage})


def test_the_bucket_of_the_settings(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    with s3_settings(bucket):
        facts, well = as_json()
        assert well
        (store,) = facts["stores"]
        assert (store["store"], store["public_url"]) == ("s3://bucket/static", f"{bucket.url}/bucket/static/")
        assert {step["name"] for step in store["steps"] if step["state"] == "ok"} >= {"create", "public", "cors"}
        # Named, it has its options all the same.
        assert as_json("s3://bucket/static")[0]["stores"][0]["public_url"] == f"{bucket.url}/bucket/static/"
    assert bucket.objects == {}


def test_all_targets(bucket: Bucket, tmp_path: Path) -> None:
    publish = {"to": [str(tmp_path / "second"), {"url": "s3://bucket/third", "coding": "gzip"}]}
    with s3_settings(bucket, publish=publish):
        facts, well = as_json()
    assert well
    urls = [(store["store"], store["public_url"]) for store in facts["stores"]]
    assert urls == [
        ("s3://bucket/static", f"{bucket.url}/bucket/static/"), (str(tmp_path / "second"), None),
        ("s3://bucket/third", None),
    ]  # fmt: skip


def test_the_only_target_of_a_local_build_is_what_browsers_see(bucket: Bucket, project: Path) -> None:
    target = {"url": "s3://bucket/static", "coding": "gzip"}
    with with_options(publish={"to": [target]}, base_url=f"{bucket.url}/bucket/static/"):
        facts, well = as_json()
        assert well
        (store,) = facts["stores"]
        assert store["public_url"] == f"{bucket.url}/bucket/static/"
        assert "coding" in {step["name"] for step in store["steps"]}
        assert "name that store" not in refused_with("--public-url", "https://cdn.example.com/")
    with with_options(publish={"to": [target, "s3://bucket/other"]}):
        assert "name that store" in refused_with("--public-url", "https://cdn.example.com/")


def refused_with(*arguments: str) -> str:
    with pytest.raises(CommandError) as told:
        ship("store", "check", *arguments)
    return str(told.value)


def test_wrong_uses() -> None:
    with pytest.raises(CommandError, match="say some of publish, web, prune, metadata, pages"):
        ship("store", "check", "--for", "reading")
