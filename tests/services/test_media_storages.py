"""The contract of media storages on SeaweedFS, Azurite, fake-gcs-server and OpenSSH's server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from shipfiles.django.storage import MediaStorage
from shipfiles.django.testing import MediaContract

from .object_servers import azure_store, google_store, s3_store
from .ssh_server import SshServer, started
from .test_ssh_store import ssh_store

pytestmark = pytest.mark.services


@pytest.fixture
def location() -> str:
    """A folder that nobody else has."""
    return secrets.token_hex(8)


class TestSeaweed(MediaContract):
    @pytest.fixture
    def storage(self, seaweed: str, location: str) -> MediaStorage:
        return MediaStorage(store=s3_store(seaweed, location))

    @pytest.fixture
    def other(self, seaweed: str, location: str) -> MediaStorage:
        return MediaStorage(store=s3_store(seaweed, location))


class TestAzurite(MediaContract):
    @pytest.fixture
    def storage(self, azurite: str, location: str) -> MediaStorage:
        return MediaStorage(store=azure_store(azurite, location))

    @pytest.fixture
    def other(self, azurite: str, location: str) -> MediaStorage:
        return MediaStorage(store=azure_store(azurite, location))


class TestFakeGcs(MediaContract):
    signs = False

    @pytest.fixture
    def storage(self, fake_gcs: str, location: str) -> MediaStorage:
        return MediaStorage(store=google_store(fake_gcs, location))

    @pytest.fixture
    def other(self, fake_gcs: str, location: str) -> MediaStorage:
        return MediaStorage(store=google_store(fake_gcs, location))


@pytest.fixture(scope="session")
def server() -> Iterator[SshServer]:
    with started() as running:
        yield running


class TestSsh(MediaContract):
    @pytest.fixture
    def storage(self, server: SshServer, location: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[MediaStorage]:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        store = ssh_store(server, server.root(location) / "media")
        yield MediaStorage(store=store)
        store.close()
