"""A collected page in Chromium from every server: nothing fails, and it looks as its sources do from a plain server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import call_command
from django.test import override_settings

from .drawing import Drawing, check, draw, plain_server
from .drawn_page import PAGE, SQUARES, write_page
from .nginx import launch_nginx
from .servers import SERVERS, WAYS, launch

pytestmark = pytest.mark.services

# The ways differ in what is around the same function, and each server's contract is tested in both.
ROWS = [*((name, WAYS[0]) for name in SERVERS), ("gunicorn-gthread", WAYS[1]), ("uvicorn-httptools", WAYS[1])]


@dataclass(frozen=True)
class Collected:
    """The page, as it was written and as it was collected."""

    sources: Path
    root: Path
    url: str
    """The path of the page's hashed name."""

    @property
    def files(self) -> set[str]:
        """The logical paths."""
        return {path.relative_to(self.sources).as_posix() for path in self.sources.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Collected:
    folder = tmp_path_factory.mktemp("drawn")
    sources, root = folder / "src", folder / "root"
    write_page(sources)
    with override_settings(
        STATICFILES_DIRS=[sources], STATIC_ROOT=root, BASE_DIR=folder,
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
    ):  # fmt: skip
        call_command("collectstatic", "--noinput", verbosity=0)
        return Collected(sources, root, staticfiles_storage.url(PAGE))


@pytest.fixture(scope="module")
def expected(browser: Any, collected: Collected, tmp_path_factory: pytest.TempPathFactory) -> Drawing:
    """The page from its sources."""
    with plain_server(collected.sources) as port:
        return draw(browser, f"http://127.0.0.1:{port}/{PAGE}", tmp_path_factory.mktemp("sources") / "page.png")


def test_the_sources_are_what_they_should_look_like(expected: Drawing) -> None:
    assert expected.faults == []
    assert expected.fonts == "loaded"
    assert expected.wrong() == set()


@pytest.mark.parametrize(("name", "way"), ROWS)
def test_from_a_server(
    browser: Any, collected: Collected, expected: Drawing, name: str, way: str, tmp_path: Path
) -> None:
    with launch(name, way, collected.root, tmp_path / "log.txt") as (port, _):
        seen = draw(browser, f"http://127.0.0.1:{port}{collected.url}", tmp_path / "page.png")
    check(seen, expected, f"http://127.0.0.1:{port}/static/", collected.files, "br")


def test_from_nginx(browser: Any, collected: Collected, expected: Drawing, tmp_path: Path) -> None:
    """The released folder holds all that a web server needs."""
    with launch_nginx(tmp_path, collected.root) as (port, _):
        seen = draw(browser, f"http://127.0.0.1:{port}{collected.url}", tmp_path / "page.png")
    check(seen, expected, f"http://127.0.0.1:{port}/static/", collected.files, "br")


@pytest.mark.parametrize(
    ("without", "wrong"),
    [
        (("page.css", "main.mjs"), {*SQUARES, "page"}),
        (
            (
                "imported.css",
                "background.svg",
                "lazy.mjs",
                "gr\u00f6\u00dfe (1).svg",
                "wide.svg",
                "square.ttf",
                "large.png",
            ),
            SQUARES.keys() - {"sheet", "module"},
        ),
        (("colours.json",), {"fetched"}),
    ],
)  # fmt: skip
def test_a_file_that_is_not_in_use_is_seen(
    browser: Any, collected: Collected, without: tuple[str, ...], wrong: set[str], tmp_path: Path
) -> None:
    """The witness itself."""
    with plain_server(collected.sources) as port:
        seen = draw(browser, f"http://127.0.0.1:{port}/{PAGE}", tmp_path / "page.png", without=without, wait=500)
    assert seen.wrong() == wrong
    assert len([fault for fault in seen.faults if fault.startswith("failed: ")]) == len(without)
