"""The contract of media storages, on a disk and in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from shipfiles.django.storage import MediaStorage
from shipfiles.django.testing import MediaContract
from shipfiles.stores.memory import MemoryStore


class TestDisk(MediaContract):
    on_disk = True
    notices_replacing = False
    together = 64

    @pytest.fixture
    def storage(self, tmp_path: Path) -> MediaStorage:
        (tmp_path / "media").mkdir()
        return MediaStorage(location=tmp_path / "media")

    @pytest.fixture
    def other(self, tmp_path: Path) -> MediaStorage:
        return MediaStorage(location=tmp_path / "media")


class TestMemory(MediaContract):
    together = 64

    @pytest.fixture
    def storage(self) -> MediaStorage:
        return MediaStorage(store=MemoryStore())
