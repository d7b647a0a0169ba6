"""The contract of stores on fake-gcs-server, and what only another's server can show.

It does not look at checksums, credentials, the condition of large uploads and the numberless requests of a batch of
Google's client: those are in ``tests/unit/test_google.py``.
"""

from __future__ import annotations

import importlib.util
import secrets
import subprocess
import sys
import textwrap

import pytest

from shipfiles.errors import KeyNotFound, StoreError
from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Refields, Store, read_all
from shipfiles.testing.store import StoreContract
from tests.oracles.corpora import missing

from .object_servers import google_store

pytestmark = pytest.mark.services

MIB = 1 << 20


class TestFakeGcs(StoreContract):
    looks_before_it_copies = False
    # Of large uploads it does not look at the condition.
    test_of_many_who_create_bodies_of_all_sizes_one_succeeds = None

    @pytest.fixture
    def location(self) -> str:
        return secrets.token_hex(8)

    @pytest.fixture
    def store(self, fake_gcs: str, location: str) -> Store:
        return google_store(fake_gcs, location)

    @pytest.fixture
    def other(self, fake_gcs: str, location: str) -> Store:
        return google_store(fake_gcs, location)

    def test_refield(self, store: Store) -> None:
        """Without what this server does not do, and Google does: a field of the metadata that is null is taken away."""
        assert isinstance(store, Refields)
        store.put("a.css", b"a {}", fields={"Content-Type": "text/x-old", "Cache-Control": "max-age=9"})
        fields = {"Content-Type": "text/css", "Cache-Control": "no-cache", "Content-Disposition": "attachment"}
        store.refield("a.css", fields)
        self.check_answered(store, "a.css", fields)
        self.check_holds(store, "a.css", b"a {}")
        with pytest.raises(KeyNotFound):
            store.refield("unknown", fields)


def test_a_bucket_that_is_missing(fake_gcs: str) -> None:
    from google.auth.credentials import AnonymousCredentials

    nowhere = open_store("gs://nowhere", "tests", {"endpoint_url": fake_gcs, "credentials": AnonymousCredentials()})
    for work in (lambda: nowhere.put("a", b""), lambda: list(nowhere.list())):
        with pytest.raises(StoreError, match="there is no such bucket"):
            work()


def test_the_address_in_the_environment(fake_gcs: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake_gcs)
    store = open_store(f"gs://bucket/{secrets.token_hex(8)}", "tests")
    store.put("a", b"one")
    assert read_all(store, "a") == b"one"


def test_other_greenlets_run_meanwhile(fake_gcs: str) -> None:
    if importlib.util.find_spec("gevent") is None:
        missing("gevent is not installed")
    program = """
        from gevent import monkey; monkey.patch_all()
        import gevent, secrets, sys
        from google.auth.credentials import AnonymousCredentials
        from shipfiles.stores.opening import open_store
        given = {"endpoint_url": sys.argv[1], "credentials": AnonymousCredentials()}
        store, turns = open_store("gs://bucket/" + secrets.token_hex(8), "tests", given), []
        def turn():
            while True:
                turns.append(1)
                gevent.sleep(0)
        ticking = gevent.spawn(turn)
        for work in (
            lambda: store.put("a", b"one"), lambda: list(store.read("a")), lambda: list(store.list()),
            lambda: store.swap("a", b"one", b"x"),
        ):
            before = len(turns)
            assert work()
            assert len(turns) > before, "no other greenlet had a turn"
        gevent.joinall([gevent.spawn(store.put, f"many/{i}", b"x") for i in range(50)], raise_error=True)
        assert len(list(store.list("many/"))) == 50
        ticking.kill()
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), fake_gcs],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
