"""When a fast lane may answer in front of a Django project, and what it says of that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.core.wsgi import get_wsgi_application
from django.middleware.security import SecurityMiddleware
from django.test import override_settings

from shipfiles.manifest import reader_of
from shipfiles.records import read_current
from shipfiles.serve import asgi, wsgi
from shipfiles.serve.lane import lane_for
from tests.django.test_root_files import put, storages

OURS = "shipfiles.django.middleware.ShipfilesMiddleware"
SECURITY = "django.middleware.security.SecurityMiddleware"


class StricterMiddleware(SecurityMiddleware):
    """As projects have it."""


@pytest.fixture
def site(project: Path) -> Iterator[Path]:
    put(project / "src", {"a.css": "a{}", "b.css": "b{}"})
    with override_settings(STORAGES=storages()):
        call_command("collectstatic", "--noinput", verbosity=0)
        yield project


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"SECURE_SSL_REDIRECT": True}, "SECURE_SSL_REDIRECT would"),
        ({"SECURE_HSTS_SECONDS": 60}, "SECURE_HSTS_SECONDS would"),
        ({"SECURE_SSL_REDIRECT": True, "SECURE_HSTS_SECONDS": 60}, "SECURE_SSL_REDIRECT and SECURE_HSTS_SECONDS would"),
    ],
)
@pytest.mark.parametrize("security", [SECURITY, f"{__name__}.StricterMiddleware"])
def test_what_the_middleware_above_ours_would_do_closes_it(security: str, asked: dict[str, Any], named: str) -> None:
    with override_settings(MIDDLEWARE=[security, OURS], **asked):
        for application in (get_wsgi_application(), get_asgi_application()):
            lane, why = lane_for(application)
            assert lane is None
            assert why.startswith(named)
            assert "Put shipfiles.serve.wsgi.StaticApp (or asgi) around the application" in why
            assert "let the proxy in front of the server redirect" in why


@pytest.mark.usefixtures("site")
def test_static_app_opens_it() -> None:
    with override_settings(MIDDLEWARE=[SECURITY, OURS], SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=60):
        for application in (wsgi.StaticApp(get_wsgi_application()), asgi.StaticApp(get_asgi_application())):
            assert lane_for(application)[0] is not None


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("middleware", "asked"),
    [
        ([SECURITY, OURS], {}),
        ([SECURITY, OURS], {"SECURE_CONTENT_TYPE_NOSNIFF": True, "SECURE_HSTS_SECONDS": 0}),
        ([OURS, SECURITY], {"SECURE_SSL_REDIRECT": True}),
        (["django.middleware.common.CommonMiddleware", OURS], {"SECURE_SSL_REDIRECT": True}),
    ],
)
def test_else_it_is_open(middleware: list[str], asked: dict[str, Any]) -> None:
    with override_settings(MIDDLEWARE=middleware, **asked):
        assert lane_for(get_wsgi_application())[0] is not None


def test_it_names_its_files(site: Path) -> None:
    lane, about = lane_for(get_wsgi_application())
    assert lane is not None
    current = read_current(reader_of(str(site / "root")))
    assert current is not None
    assert about == f"release {current[0]}, 2 files, in {site / 'root'}"


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("closed", [{"DEBUG": True}, {"STORAGES": storages(memory=0)}])
def test_without_files_in_memory_it_is_closed(closed: dict[str, Any]) -> None:
    with override_settings(**closed):
        lane, why = lane_for(get_wsgi_application())
    assert lane is None
    assert "memory" in why
