"""``ship sweep``: what uploads left that were broken off goes, and nothing else does."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.management import CommandError, call_command
from django.test import override_settings

OURS = "shipfiles.django.storage.MediaStorage"


def swept(*arguments: str) -> str:
    out = io.StringIO()
    call_command("ship", "sweep", *arguments, stdout=out)
    return out.getvalue()


def project(folder: Path) -> Any:
    return override_settings(
        STORAGES={
            "default": {"BACKEND": OURS, "OPTIONS": {"location": str(folder)}},
            "memory": {"BACKEND": OURS, "OPTIONS": {"store": "shipfiles.stores.memory.MemoryStore"}},
            "stock": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        }
    )


def test_what_was_broken_off_long_ago_goes(tmp_path: Path) -> None:
    old, young, mine = (tmp_path / "a" / name for name in (".shipfiles-1-1", ".shipfiles-1-2", "mine.txt"))
    with project(tmp_path):
        storages["default"].save("a/mine.txt", ContentFile(b"x"))
        for path in (old, young):
            path.write_bytes(b"half")
        days_ago = time.time() - 2 * 86400
        os.utime(old, (days_ago, days_ago))
        os.utime(mine, (days_ago, days_ago))
        assert swept() == "default: 1 leftover removed.\n"
        assert (old.exists(), young.exists(), mine.read_bytes()) == (False, True, b"x")
        assert json.loads(swept("default", "--older-than", "0s", "--json")) == {"swept": {"default": 1}}
        assert not young.exists()
        assert mine.exists()
        assert swept("memory").startswith("Nothing to do")


def test_what_cannot_be_swept_is_an_error(tmp_path: Path) -> None:
    with project(tmp_path):
        with pytest.raises(CommandError, match="InMemoryStorage"):
            swept("stock")
        with pytest.raises(CommandError, match="nonesuch"):
            swept("nonesuch")
        with pytest.raises(CommandError, match="older-than"):
            swept("--older-than", "soon")
    only = {"default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}
    with override_settings(STORAGES=only), pytest.raises(CommandError, match=r"storage\.MediaStorage"):
        swept()
