"""A server that is not the one that a lane was made for is refused when the lane is imported."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from shipfiles.errors import ConfigError
from shipfiles.serve.expected import importing, require_server


class Base:
    limit = 5

    def __init__(self, queue: list[object]) -> None:
        self.queue = queue


class Worker(Base):
    def take(self, conn, *, force=False):
        """What the lane overrides."""
        self.taken = len(self.queue)
        return self.taken < conn.most


def check(methods: Mapping[str, Sequence[str]] | None = None, attributes: Sequence[str] = ()) -> None:
    expected = {"take": ("self", "conn", "force")} if methods is None else methods
    require_server(
        "gunicorn", "27.0.1", tested="27.0.1", methods={Worker: expected}, attributes={Worker: attributes},
        instead="--worker-class gthread",
    )  # fmt: skip


def import_some(version: str) -> None:
    with importing("gunicorn", version, tested="27.0.1", instead="--worker-class gthread"):
        import_module("email.no_such_module")


def import_all(version: str) -> None:
    with importing("gunicorn", version, tested="27.0.1", instead="--worker-class gthread"):
        pass


@pytest.mark.parametrize("version", ["27.0.1", "27.0.0", "27.1", "27.1.0.dev1"])
def test_another_minor_version_will_do(version: str) -> None:
    import_all(version)
    with pytest.raises(
        ConfigError, match=r"this is gunicorn 27.*: No module named 'email.no_such_module'.*use --worker-cl"
    ):
        import_some(version)


@pytest.mark.parametrize("version", ["26.0.0", "28.0", "2.7", "270.0"])
def test_another_major_version_will_not(version: str) -> None:
    """And that is said, whatever it lacks."""
    for run in (import_some, import_all):
        with pytest.raises(
            ConfigError, match=r"27\.0\.1, and this is gunicorn [\d.]+: another major version.*use --wor"
        ):
            run(version)


def refusal(module: str, folder: Path, first: str = "") -> str:
    """The last line of what a new process says that imports ``module``, with ``folder`` before all others."""
    code = f"import sys; sys.path.insert(0, sys.argv[1])\n{first}\nimport {module}"
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("server", "instead"), [("gunicorn", "--worker-class gthread"), ("uvicorn", "--http httptools")]
)
def test_the_version_is_looked_at_before_anything_is_imported(server: str, instead: str, tmp_path: Path) -> None:
    """Such a server may have nothing of what a lane imports."""
    (tmp_path / server).mkdir()
    (tmp_path / server / "__init__.py").write_text("__version__ = '23.0.0'\n")
    said = refusal(f"shipfiles.serve.{server}", tmp_path)
    assert said.startswith("shipfiles.errors.ConfigError: The fast lane of Shipfiles was tested with ")
    assert f"this is {server} 23.0.0: another major version" in said
    assert f"use {instead}:" in said


def test_uvicorn_without_httptools(tmp_path: Path) -> None:
    """uvicorn's package does not bring it."""
    pytest.importorskip("uvicorn")
    said = refusal("shipfiles.serve.uvicorn", tmp_path, "sys.modules['httptools'] = None")
    assert said.startswith("shipfiles.errors.ConfigError: The fast lane of Shipfiles in uvicorn needs httptools: ")
    assert said.endswith(" Run: pip install httptools")


def test_a_method_that_is_gone() -> None:
    with pytest.raises(ConfigError, match=r"Worker\.put\(\) is gone"):
        check(methods={"put": ("self",)})


@pytest.mark.parametrize("parameters", [("self", "conn"), ("self", "connection", "force"), ("conn", "force")])
def test_a_method_that_takes_something_else(parameters: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match=r"Worker\.take\(\) takes self, conn, force, not "):
        check(methods={"take": parameters})


def test_attributes_of_the_class_and_of_its_objects() -> None:
    check(attributes=("limit", "queue", "taken", "take"))


@pytest.mark.parametrize("name", ["most", "queues", "conn"])
def test_an_attribute_that_is_gone(name: str) -> None:
    """Neither what a method only looks at, nor what belongs to something else."""
    with pytest.raises(ConfigError, match=rf"Worker\.{name} is gone"):
        check(attributes=("queue", name))


def test_a_module() -> None:
    def expect(function: str, attribute: str) -> None:
        methods = {function: ("numbers", "start")}
        require_server(
            "bisect", "1", tested="1", methods={sample: methods}, attributes={sample: [attribute]}, instead=""
        )

    sample = ModuleType("sample")
    vars(sample).update(total=lambda numbers, start: sum(numbers, start), LIMIT=5)
    expect("total", "LIMIT")
    with pytest.raises(ConfigError, match=r"sample\.LIMITS is gone"):
        expect("total", "LIMITS")
    with pytest.raises(ConfigError, match=r"sample\.count\(\) is gone"):
        expect("count", "LIMIT")
