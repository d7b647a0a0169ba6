"""`StaticApp` around Django with WhiteNoise's arguments: it does what they say, and says what that leaves out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.test import override_settings

from shipfiles.config import ServeConfig
from shipfiles.serve import asgi, wsgi
from tests.django.test_root_files import put, storages

APPS = [(wsgi.StaticApp, get_wsgi_application), (asgi.StaticApp, get_asgi_application)]


@pytest.fixture
def site(project: Path) -> Iterator[Path]:
    put(project / "src", {"a.css": "a{}"})
    with override_settings(STORAGES=storages(headers={"*": {"X-Team": "web"}})):
        call_command("collectstatic", "--noinput", verbosity=0)
        yield project


@pytest.mark.parametrize(("app", "application"), APPS)
def test_root_of_the_projects_own_folder_is_warned_of(
    app: Any, application: Any, site: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (site / "link").symlink_to(site / "root")
    for root in (site / "root", f"{site}/root/", site / "link"):
        caplog.clear()
        app(application(), root=root, prefix="/static/")
        (record,) = (record for record in caplog.records if record.name == "shipfiles.serve")
        assert record.levelname == "WARNING"
        assert "does not heed the OPTIONS" in record.getMessage()
        assert "Leave root= and prefix= out" in record.getMessage()


@pytest.mark.parametrize(("app", "application"), APPS)
def test_what_was_meant_is_not_warned_of(
    app: Any, application: Any, site: Path, tmp_path_factory: pytest.TempPathFactory, caplog: pytest.LogCaptureFixture
) -> None:
    other = tmp_path_factory.mktemp("other")
    with override_settings(STATIC_ROOT=str(other)):
        call_command("collectstatic", "--noinput", verbosity=0)
    caplog.clear()
    app(application())
    app(application(), root=other)
    app(application(), root=site / "root", config=ServeConfig(max_age=5))
    with override_settings(STORAGES={"staticfiles": {"BACKEND": "django.core.files.storage.InMemoryStorage"}}):
        app(application(), root=site / "root")
    with override_settings(STORAGES={}, MIDDLEWARE=[]):
        app(application(), root=site / "root")
    assert [record.getMessage() for record in caplog.records if record.levelname != "INFO"] == []
