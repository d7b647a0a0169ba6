"""The settings in the guides to stores are ones that can be pasted: every option is known, and means a store."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import get_commands
from django.test import override_settings
from django.utils.module_loading import import_string

from shipfiles.django import conf, static_urls
from tests.guides import GUIDES, blocks

STORES = {
    "s3": "s3://example-static/static",
    "digitalocean": "s3://example-static/static",
    "cloudflare-r2": "s3://example-static/static",
    "backblaze": "s3://example-static/static",
    "wasabi": "s3://example-static/static",
    "scaleway": "s3://example-static/static",
    "hetzner": "s3://example-static/static",
    "minio": "s3://example-static/static",
    "google": "gs://example-static/static",
    "azure": "az://static",
    "ssh": "ssh://static.example.com/srv/static",
}
# What the provider's presets must come to; the pages that say so are cited in shipfiles.stores.providers.
PROVIDERS = {
    "s3": "", "minio": "", "digitalocean": ".digitaloceanspaces.com", "cloudflare-r2": ".r2.cloudflarestorage.com",
    "backblaze": ".backblazeb2.com", "wasabi": ".wasabisys.com", "scaleway": ".scw.cloud",
    "hetzner": ".your-objectstorage.com",
}  # fmt: skip


def pasted(guide: Path) -> dict[str, Any]:
    """The settings as the guide has them."""
    (block,) = [one for one in blocks(guide) if one.kind == "python"]
    names: dict[str, Any] = {}
    exec(compile(block.text, guide.name, "exec"), names)
    return names


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that the settings read, and no others of providers."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "STORAGE_")):
            monkeypatch.delenv(name)
    for guide in GUIDES:
        for name in re.findall(r'os\.environ\.get\("(\w+)"\)', guide.read_text()):
            monkeypatch.setenv(name, "a-value")


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_settings(guide: Path) -> None:
    settings = pasted(guide)
    storages = settings["STORAGES"]
    given = storages["staticfiles"]
    storage = import_string(given["BACKEND"])(**given["OPTIONS"])
    (target,) = conf.targets(storage.config)
    assert str(target.store) == STORES[guide.stem]
    assert (static_urls.base_url(storage.config) or "").startswith("https://")
    assert (static_urls.base_url(storage.config) or "").endswith("/static/")
    if guide.stem in PROVIDERS:
        assert storage.remote.place.preset.host == PROVIDERS[guide.stem]
    with override_settings(STORAGES=storages, INSTALLED_APPS=settings["INSTALLED_APPS"]):
        assert get_commands.__wrapped__()["collectstatic"] == "shipfiles.django"
        assert [found for found in run_checks(tags=["staticfiles"]) if found.is_serious()] == []
