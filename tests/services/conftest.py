"""What several of the tests share: a browser, and servers of objects."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.oracles.corpora import missing

from .object_servers import run_folder, shared, start_azurite, start_fake_gcs, start_moto, start_seaweed

# The root of CI's containers has no sandbox; WebGL is drawn by the processor.
ARGUMENTS = ["--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if importlib.util.find_spec("playwright") is None:
        missing("playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        missing("Chromium is not installed (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    """A browser without a history."""
    context = browser.new_context(viewport={"width": 800, "height": 600})
    yield context
    context.close()


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of SeaweedFS."""
    with shared(run_folder(tmp_path_factory) / "seaweed", start_seaweed) as told:
        yield told["url"]


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of moto's server."""
    with shared(run_folder(tmp_path_factory) / "moto", start_moto) as told:
        yield told["url"]


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of Azurite."""
    with shared(run_folder(tmp_path_factory) / "azurite", start_azurite) as told:
        yield told["url"]


@pytest.fixture(scope="session")
def fake_gcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of fake-gcs-server."""
    if importlib.util.find_spec("google.cloud.storage") is None:
        missing("google-cloud-storage is not installed")
    with shared(run_folder(tmp_path_factory) / "fake-gcs", start_fake_gcs) as told:
        yield told["url"]
