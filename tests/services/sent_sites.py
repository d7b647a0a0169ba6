"""A site with two releases to be sent to a bucket, and what is there then by another's client, boto3."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from shipfiles.build.pipeline import build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.release.publish import publish
from shipfiles.stores.local import LocalStore
from shipfiles.stores.store import Store, read_all
from tests.unit.test_publish import sources

from .object_servers import S3_KEY

BUCKET = "bucket"


class Releases:
    """Three releases in one folder: each next has some files changed, one more and one less."""

    def __init__(self, folder: Path, files: int, size: int = 300) -> None:
        self.root = folder / "root"
        source = folder / "src"
        for i in range(files):
            _write(source / f"img/{i}.svg", f"<svg>{i}</svg>" + " " * size)
            _write(source / f"css/{i}.css", f".a {{ background: url(../img/{i}.svg) }}\n" + "/* */\n" * (size // 6))
        self.files: dict[str, dict[str, bytes]] = {}
        """Release → key → bytes of all that a bucket has of it: hashed and plain names."""
        self.hashed: dict[str, set[str]] = {}
        self.old = self._publish(source)
        self.new, self.third = (self._next(source, number, files, size) for number in (1, 2))

    def _next(self, source: Path, number: int, files: int, size: int) -> str:
        for i in range(number, files, 3):
            _write(source / f"img/{i}.svg", f"<svg>{number} {i}</svg>" + " " * size)
        _write(source / f"new{number}.txt", f"new {number}" + " " * size)
        (source / f"css/{files - number}.css").unlink()
        return self._publish(source)

    def _publish(self, source: Path) -> str:
        made = build(sources(source), RewriteConfig())
        release = publish(made, LocalStore(str(self.root)), CompressConfig(codings=())).release
        names = json.loads((self.root / "staticfiles.json").read_text())["paths"]
        keys = [*names, *names.values()]
        self.files[release] = {key: (self.root / key).read_bytes() for key in keys}
        self.hashed[release] = {*names.values()}
        return release


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


class Held:
    """What a store holds."""

    place: str
    """Its URL."""

    def files(self) -> dict[str, bytes]:
        """Key → bytes of all that is there."""
        raise NotImplementedError

    def check_complete(
        self, releases: Releases, release: str, among: Collection[str] = (), *, settled: bool = True
    ) -> dict[str, bytes]:
        """The ``release`` is current and all of it is there, and the hashed files of those ``among``; what there is.

        The note of a run that did not end stays for an hour, as that might still be under way: then it is not
        ``settled``.
        """
        there = self.files()
        assert pointer(there)["release"] == release
        assert not settled or not pointer(there).get("unsettled")
        check_files(there, releases.files[release])
        for other in among:
            check_files(there, {key: releases.files[other][key] for key in releases.hashed[other]})
        return there

    def check_old(self, releases: Releases) -> dict[str, bytes]:
        """The old release is current and whole; if plain names are not its own, the pointer says that they change."""
        there = self.files()
        assert pointer(there)["release"] == releases.old
        old, new = releases.files[releases.old], releases.files[releases.new]
        check_files(there, {key: old[key] for key in releases.hashed[releases.old]})
        if not pointer(there).get("unsettled"):
            check_files(there, old)
        for key in old:
            assert there[key] in (old[key], new.get(key)), key
        return there


class Bucket(Held):
    """A folder of the bucket, looked at by boto3 beside all proxies."""

    def __init__(self, client: Any, location: str) -> None:
        self._client = client
        self.location = location
        self.place = f"s3://{BUCKET}/{location}"

    def files(self) -> dict[str, bytes]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=self.location + "/")
        keys = [found["Key"] for page in pages for found in page.get("Contents", ())]
        with ThreadPoolExecutor(8) as pool:
            bodies = pool.map(lambda key: self._client.get_object(Bucket=BUCKET, Key=key)["Body"].read(), keys)
            return {key[len(self.location) + 1 :]: body for key, body in zip(keys, bodies, strict=True)}


class Behind(Held):
    """A folder of another kind of store, looked at by a store of ours that has sent nothing."""

    def __init__(self, store: Store, place: str) -> None:
        self._store = store
        self.place = place

    def files(self) -> dict[str, bytes]:
        return {stored.key: read_all(self._store, stored.key) or b"" for stored in self._store.list()}


def pointer(there: dict[str, bytes]) -> dict[str, Any]:
    """What the pointer says; empty if there is none."""
    found: dict[str, Any] = json.loads(there.get(".shipfiles/current.json", b"{}"))
    return found


def check_files(there: dict[str, bytes], wanted: dict[str, bytes]) -> None:
    """Everything that is wanted is there, with its bytes."""
    assert not wanted.keys() - there.keys()
    wrong = [key for key, body in wanted.items() if there[key] != body]
    assert not wrong


@contextmanager
def looked_at(url: str) -> Iterator[Any]:
    """A client of boto3."""
    import boto3

    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=S3_KEY["access_key"],
        aws_secret_access_key=S3_KEY["secret_key"],
    )  # fmt: skip
    try:
        yield client
    finally:
        client.close()
