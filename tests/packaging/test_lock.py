"""constraints.txt pins what pyproject.toml asks for, and nothing in it belongs to one machine."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PYTHONS = ("3.11", "3.12", "3.13")


def lines(file: str) -> list[str]:
    return [line for line in (ROOT / file).read_text(encoding="utf-8").splitlines() if line and "#" not in line]


def wanted() -> Iterator[str]:
    yield from PYPROJECT["build-system"]["requires"]
    yield from PYPROJECT["project"]["dependencies"]
    for extra in PYPROJECT["project"].get("optional-dependencies", {}).values():
        yield from extra
    for group in PYPROJECT["dependency-groups"].values():
        yield from (item for item in group if isinstance(item, str))


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("text", sorted(set(wanted())))
def test_every_dependency_is_pinned_once_for_every_python(text: str, python: str) -> None:
    asked = Requirement(text)
    environment = {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    pins = [Requirement(line) for line in lines("constraints.txt")]
    fitting = [
        pin
        for pin in pins
        if pin.name.lower() == asked.name.lower() and (pin.marker is None or pin.marker.evaluate(environment))
    ]
    assert len(fitting) == 1, "run scripts/lock"
    (version,) = (specifier.version for specifier in fitting[0].specifier)
    assert asked.specifier.contains(version), "run scripts/lock"


@pytest.mark.parametrize("file", ["constraints.txt", "scripts/djangos.txt"])
def test_the_lock_names_no_registry_and_no_folder(file: str) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    for trace in ("://", "file:", "--find-links", "--index-url", "--extra-index-url", " @ "):
        assert trace not in text
    assert all("==" in line for line in lines(file))


def test_the_matrix_has_the_supported_djangos() -> None:
    pinned = {".".join(line.split()[0].split("==")[1].split(".")[:2]) for line in lines("scripts/djangos.txt")}
    prefix = "Framework :: Django :: "
    assert pinned == {c.removeprefix(prefix) for c in PYPROJECT["project"]["classifiers"] if c.startswith(prefix)}


@pytest.mark.parametrize("script", ["bootstrap", "test", "demo", "lint", "lock"])
def test_scripts_are_posix_shell(script: str) -> None:
    done = subprocess.run(["sh", "-n", str(ROOT / "scripts" / script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def environment_script(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "environment.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_an_unknown_django_is_one_clear_error() -> None:
    done = environment_script("--django", "1.11", "test")
    assert done.returncode == 1
    assert done.stderr == "scripts/djangos.txt has no Django 1.11.\n"


def test_a_python_that_is_too_old_is_one_clear_error(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["sh", str(ROOT / "scripts" / "test")],
        env={"PYTHON": str(old), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"PYTHON={old} does not start a Python 3.11 or newer.\n"
