"""What people install: the wheel and the source distribution."""

from __future__ import annotations

import email
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def build(source: Path, target: Path, kind: str) -> Path:
    """The wheel or sdist of the project in ``source``."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = target.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("wheel"), "wheel")


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(ROOT, tmp_path_factory.mktemp("sdist"), "sdist")


@pytest.fixture(scope="module")
def unpacked(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel installs."""
    folder = tmp_path_factory.mktemp("unpacked")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return email.message_from_bytes(archive.read(name))


def test_wheel_is_for_every_platform(wheel: Path) -> None:
    assert wheel.name == f"shipfiles-{PROJECT['version']}-py3-none-any.whl"


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    package = {name for name in names(wheel) if ".dist-info/" not in name}
    source = ROOT / "src"
    tracked = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package == tracked
    assert "shipfiles/py.typed" in package
    assert f"shipfiles-{PROJECT['version']}.dist-info/licenses/LICENSE" in names(wheel)


def test_metadata_says_what_is_supported(wheel: Path) -> None:
    meta = metadata(wheel)
    classifiers = set(meta.get_all("Classifier") or ())
    assert meta["Requires-Python"] == ">=3.11"
    assert meta["License-Expression"] == "BSD-3-Clause"
    assert meta["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in classifiers
    assert {f"Programming Language :: Python :: {v}" for v in ("3.11", "3.12", "3.13")} <= classifiers
    assert {f"Framework :: Django :: {v}" for v in ("5.2", "6.0", "6.1")} <= classifiers


def test_required_dependencies_are_few(wheel: Path) -> None:
    required = [Requirement(text) for text in metadata(wheel).get_all("Requires-Dist") or ()]
    assert {r.name for r in required if "extra" not in str(r.marker or "")} == {"brotli", "deflate", "django", "rich"}


def test_sdist_gives_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(sdist) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _path: member)
        archive.extractall(tmp_path)
    (source,) = tmp_path.iterdir()
    again = build(source, tmp_path / "again", "wheel")
    assert names(again) == names(wheel)
    for needed in ("constraints.txt", "scripts/test", "scripts/demo", "demo/manage.py", "tests/website/settings.py"):
        assert (source / needed).is_file(), needed


IMPORT_ALL = """
import importlib, pkgutil, sys

refused = set(sys.argv[2].split(","))

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in refused:
            raise ModuleNotFoundError(f"not installed: {name}", name=name)

sys.meta_path.insert(0, Refuse())
sys.path.insert(0, sys.argv[1])

from django.conf import settings
settings.configure(INSTALLED_APPS=["shipfiles.django", "django.contrib.staticfiles"], STATIC_URL="/static/")
import django
django.setup()

import shipfiles
assert shipfiles.__file__.startswith(sys.argv[1]), shipfiles.__file__
for module in pkgutil.walk_packages(shipfiles.__path__, "shipfiles."):
    # Only where there is what they are for: people's own tests, which need pytest, and the servers of the fast lanes.
    if not module.name.startswith(
        ("shipfiles.testing", "shipfiles.django.testing", "shipfiles.serve.gunicorn", "shipfiles.serve.uvicorn")
    ):
        importlib.import_module(module.name)
        print(module.name)
"""


def closure(requirement: str) -> set[str]:
    """The distributions that ``requirement`` installs, itself included, without extras."""
    parsed = Requirement(requirement)
    found = {parsed.name.lower()}
    for text in requires(parsed.name) or ():
        further = Requirement(text)
        if further.marker is None or further.marker.evaluate({"extra": ""}):
            found |= closure(text)
    return found


def test_every_module_imports_with_the_required_dependencies_alone(unpacked: Path) -> None:
    installed = set().union(*(closure(text) for text in PROJECT["dependencies"]))
    others = {m for m, owners in packages_distributions().items() if not {o.lower() for o in owners} & installed}
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, str(unpacked), ",".join(others - {"shipfiles"})],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "shipfiles.django.storage" in done.stdout.split()
