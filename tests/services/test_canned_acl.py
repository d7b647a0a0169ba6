"""The contract of stores on moto's server, and canned ACLs, which it heeds and SeaweedFS does not.

It looks at no signature and no checksum; whoever does not sign at all reads what an ACL lets everybody read.
"""

from __future__ import annotations

import secrets
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from shipfiles.paths import RESERVED
from shipfiles.release.activate import rollback
from shipfiles.stores.store import Copies, Store, read_all
from shipfiles.testing.store import StoreContract

from .object_servers import s3_store
from .sites import sent

pytestmark = pytest.mark.services

FILM = bytes(6 << 20)  # more than one request carries


class TestMoto(StoreContract):
    looks_before_it_copies = False
    # Its copies heed no condition, and uploads look first and then end: now and then two succeed.
    test_of_many_who_create_bodies_of_all_sizes_one_succeeds = None

    @pytest.fixture
    def location(self) -> str:
        return secrets.token_hex(8)

    @pytest.fixture
    def store(self, moto: str, location: str) -> Store:
        return s3_store(moto, location)

    @pytest.fixture
    def other(self, moto: str, location: str) -> Store:
        return s3_store(moto, location)


EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"


def open_to_all(url: str, location: str, store: Store) -> set[str]:
    """Every key that somebody without credentials can read."""
    found = set()
    for stored in store.list():
        address = f"{url}/bucket/{location}/{quote(stored.key)}"
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(address, timeout=10) as answer:
            assert answer.read() == read_all(store, stored.key)
            # What was uploaded in parts and got no ACL has none in moto, which then lets everybody read it.
            with suppress(urllib.error.HTTPError), urllib.request.urlopen(f"{address}?acl", timeout=10) as answer:
                if EVERYBODY in answer.read().decode():
                    found.add(stored.key)
    return found


@pytest.mark.parametrize("acl", ["public-read", None])
def test_what_everybody_can_read(moto: str, tmp_path: Path, acl: str | None) -> None:
    """All that browsers ask for, however it got there, and none of the records; nothing without an ACL."""
    location = secrets.token_hex(8)
    store = s3_store(moto, location, default_acl=acl)
    assert isinstance(store, Copies)
    files = {"a.css": b"a { background: url(b.png) }", "film.bin": FILM}
    for number, image in enumerate((b"one", b"two")):
        sent(store, tmp_path / str(number), {**files, "b.png": image}, django_manifest="staticfiles.json")
    # Puts plain names back by copying.
    rollback(store, manifest_name="")
    keys = {stored.key for stored in store.list()}
    records = {key for key in keys if key.startswith(f"{RESERVED}/")}
    assert len(records) >= 5
    assert {"a.css", "b.png", "film.bin", "staticfiles.json"} < keys - records
    assert len(keys - records) > 8
    assert open_to_all(moto, location, store) == (keys - records if acl else set())
