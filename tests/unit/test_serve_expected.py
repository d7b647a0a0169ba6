"""A server that is not the one that a lane was made for is refused when the lane is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType

import pytest

from shipfiles.errors import ConfigError
from shipfiles.serve.expected import require_server


class Base:
    limit = 5

    def __init__(self, queue: list[object]) -> None:
        self.queue = queue


class Worker(Base):
    def take(self, conn, *, force=False):
        """What the lane overrides."""
        self.taken = len(self.queue)
        return self.taken < conn.most


def check(
    version: str = "27.0.1", methods: Mapping[str, Sequence[str]] | None = None, attributes: Sequence[str] = ()
) -> None:
    expected = {"take": ("self", "conn", "force")} if methods is None else methods
    require_server(
        "gunicorn", version, tested="27.0.1", methods={Worker: expected}, attributes={Worker: attributes},
        instead="--worker-class gthread",
    )  # fmt: skip


@pytest.mark.parametrize("version", ["27.0.1", "27.0.0", "27.1", "27.1.0.dev1"])
def test_another_minor_version_will_do(version: str) -> None:
    check(version)


@pytest.mark.parametrize("version", ["26.0.0", "28.0", "2.7", "270.0"])
def test_another_major_version_will_not(version: str) -> None:
    with pytest.raises(ConfigError, match=r"tested with gunicorn 27\.0\.1, and this is gunicorn .*use --worker-class"):
        check(version)


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
