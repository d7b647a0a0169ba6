"""Links of our own: good for the storage that made them, on every instance, and for no other."""

from __future__ import annotations

import copy
import pickle
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from django.core.files.storage import Storage, storages
from django.test import override_settings

from shipfiles.django.storage import Alias, MediaStorage
from shipfiles.errors import LinkRefused
from shipfiles.media.links import check_link
from shipfiles.stores.memory import MemoryStore

BACKEND = "shipfiles.django.storage.MediaStorage"


def opens(url: str, storage: Storage) -> bool:
    assert isinstance(storage, MediaStorage)
    split = urlsplit(url)
    try:
        check_link(unquote(split.path), split.query, "GET", storage.link_keys, time.time())
    except LinkRefused:
        return False
    return True


class Named(MemoryStore):
    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.name = name

    def __str__(self) -> str:
        return f"memory {self.name}"


@pytest.mark.parametrize("key", [None, "a key of both"])
@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"location": "a"}, {"location": "b"}),
        ({}, {"location": "a"}),
        ({"base_url": "https://a.example/m/"}, {"base_url": "https://b.example/m/"}),
        ({"base_url": "/m/"}, {"base_url": "https://a.example/m/"}),
        ({"base_url": "http://a.example/m/"}, {"base_url": "https://a.example/m/"}),
        ({"base_url": "https://a.example/m/"}, {"base_url": "https://a.example:8443/m/"}),
        ({"location": "a"}, {"store": MemoryStore()}),
        ({"store": Named("a")}, {"store": Named("b")}),
    ],
)  # fmt: skip
def test_a_link_opens_no_file_of_another_storage(
    tmp_path: Path, one: Mapping[str, Any], other: Mapping[str, Any], key: str | None
) -> None:
    given: dict[str, Any] = {"access": "signed", "signed": {"key": key}}
    with override_settings(MEDIA_ROOT=tmp_path):
        first, second = (
            MediaStorage(**given, **{name: tmp_path / "x" / v if name == "location" else v for name, v in more.items()})
            for more in (one, other)
        )
        assert opens(first.url("report.pdf"), first)
        assert opens(second.url("report.pdf"), second)
        assert not opens(first.url("report.pdf"), second)
        assert not opens(second.url("report.pdf"), first)


def test_a_link_is_good_however_the_storage_is_made(tmp_path: Path) -> None:
    options = {"location": tmp_path / "private", "access": "signed", "base_url": "https://a.example/m/"}
    given = {"links": {"BACKEND": BACKEND, "OPTIONS": options}}
    with override_settings(STORAGES=given, MEDIA_ROOT=tmp_path / "media"):
        url = storages["links"].url("report.pdf")
        same = [
            Alias("links").made(),
            Alias("links", overwrite=True).made(),
            Alias("links", safety={"max_size": 9}).made(),
            MediaStorage(**options),
            MediaStorage(**options, serve=True),
            MediaStorage(tmp_path / "private", "https://A.example/m", access="signed"),
            copy.deepcopy(storages["links"]),
            pickle.loads(pickle.dumps(storages["links"])),
        ]
        for storage in same:
            assert opens(url, storage)
            assert opens(storage.url("report.pdf"), storages["links"])


def test_a_link_is_good_on_another_instance(tmp_path: Path) -> None:
    # Two releases on one machine, each with links to the folders that they share; and one on another.
    for folder in ("shared/media", "shared/private", "other/shared/media", "other/shared/private"):
        (tmp_path / folder).mkdir(parents=True)
    urls, made = [], []
    for number, shared in enumerate(["shared", "shared", "other/shared"]):
        base = tmp_path / f"deep{'er/' * number}"
        base.mkdir(parents=True)
        for folder in ("media", "private"):
            (base / folder).symlink_to(tmp_path / shared / folder)
        storage = MediaStorage(location=base / "private", access="signed", base_url="/m/")
        with override_settings(MEDIA_ROOT=base / "media"):
            urls.append(storage.url("report.pdf"))
            made.append(storage.link_keys)
    for url in urls:
        for keys in made:
            check_link("/m/report.pdf", urlsplit(url).query, "GET", keys, time.time())
