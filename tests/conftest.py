"""What the tests share: a project of files on disk."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.test import override_settings
from django.urls import clear_script_prefix
from hypothesis import HealthCheck, settings

# A busy machine is no fault.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# What is started in the background by a shell ignores Ctrl-C, and so would all that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# What the contract of stores takes for enough; the races of uploads go through the same stores.
os.environ.setdefault("SHIPFILES_RACES", "1")

Write = Callable[[dict[str, str | bytes]], Path]


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--sample N``: of the cases of one test one in N, the first among them, and every test that has no cases; of
    what hypothesis draws a fifth, where a test does not say how much."""
    parser.addoption("--sample", type=int, default=1, metavar="N", help="run one in N of the cases of each test")


def pytest_configure(config: pytest.Config) -> None:
    """Let hypothesis draw less for ``--sample``."""
    if config.getoption("--sample") > 1:
        settings.register_profile("sampled", settings.get_profile("unhurried"), max_examples=20)
        settings.load_profile("sampled")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what ``--sample`` does not ask for, the same in every process."""
    _allow_a_second_run(items)
    one_in = config.getoption("--sample")
    seen: Counter[str] = Counter()
    kept, left = [], []
    for item in sorted(items, key=lambda item: item.nodeid):
        test = item.nodeid.partition("[")[0]
        (left if "[" in item.nodeid and seen[test] % one_in else kept).append(item)
        seen[test] += 1
    if left:
        config.hook.pytest_deselected(items=left)
        chosen = set(kept)
        items[:] = [item for item in items if item in chosen]


def _allow_a_second_run(items: list[pytest.Item]) -> None:
    """In CI, what failed with real servers runs once more, on its own; pytest's summary counts and names it as a rerun.

    A dozen programs of others and a browser share two processors there, and one of them may be late for once.
    """
    if "CI" in os.environ:
        for item in items:
            if item.get_closest_marker("services"):
                item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(autouse=True)
def no_mount_point() -> None:
    """Forget where the last request of this thread had the site, which Django keeps."""
    clear_script_prefix()


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write files below ``tmp_path/src`` and give that folder."""

    def write_files(files: dict[str, str | bytes]) -> Path:
        root = tmp_path / "src"
        root.mkdir(exist_ok=True)
        for name, body in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body if isinstance(body, bytes) else body.encode())
        return root

    return write_files


@pytest.fixture
def project(tmp_path: Path, write: Write) -> Iterator[Path]:
    """A Django project with one folder of static files (``src``) and STATIC_ROOT (``root``), made empty."""
    write({})
    with override_settings(
        STATICFILES_DIRS=[str(tmp_path / "src")],
        STATICFILES_FINDERS=["django.contrib.staticfiles.finders.FileSystemFinder"],
        STATIC_ROOT=str(tmp_path / "root"),
        BASE_DIR=tmp_path,
    ):
        yield tmp_path


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Path]:
    """A file system of ``size`` at ``folder``, which is made. It takes root to mount one."""
    folder.mkdir()
    done = sys.platform == "linux" and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if not done or done.returncode:
        reason = done.stderr.decode().strip() if done else "only Linux has tmpfs"
        if os.environ.get("CI"):
            pytest.fail(f"no file system of our own: {reason}")
        pytest.skip(f"no file system of our own: {reason}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)  # a table keeps its manifest open


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    with mounted(tmp_path / "disk", "2m") as folder:
        yield folder


@pytest.fixture
def own_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system that a test may remount."""
    with mounted(tmp_path / "disk", "64m") as folder:
        yield folder
