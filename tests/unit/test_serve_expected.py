"""A server that is not the one that a lane was made for is refused when the lane is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from shipfiles.errors import ConfigError
from shipfiles.serve.expected import require_server


class Worker:
    def take(self, conn, *, force=False):
        """What the lane overrides."""


def check(version: str = "27.0.1", methods: Mapping[str, Sequence[str]] | None = None) -> None:
    expected = {"take": ("self", "conn", "force")} if methods is None else methods
    require_server("gunicorn", version, tested="27.0.1", methods={Worker: expected}, instead="--worker-class gthread")


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
