"""What names of files mean below a mount point, under the servers that people run, each told of it in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from shipfiles.testing import CONFIGURED_CASES, Answer, HttpContract
from shipfiles.testing.cases import names
from tests.conformance.differences import expected

from .servers import MOUNT, MOUNTED, SERVERS, start

pytestmark = pytest.mark.services


@pytest.mark.parametrize("name", SERVERS)
def test_contract(name: str, tmp_path: Path) -> None:
    """Those rows that have to do with paths."""
    # uvicorn puts the mount point before a path that a proxy has taken it from; all others expect it there.
    before = "" if name.startswith("uvicorn") else MOUNT
    # The lanes are there for applications without Django's work.
    way, broken = "app" if name.endswith("lane") else "middleware", []
    with start(name, way, tmp_path, *MOUNTED[name]) as server:
        # What it does otherwise is with slashes at the beginning of a path, and none is there now.
        parties = () if name == "waitress" else server.parties

        def ask(method: str, target: str, fields: Mapping[str, str]) -> Answer:
            return server.wire.ask(method, before + target, fields)

        for case in (*names.CASES, *CONFIGURED_CASES):
            try:
                with expected(parties, case.name):
                    HttpContract(ask, server.site).check(case)
            except AssertionError as error:
                broken.append(str(error))
                server.wire.close()
        assert "Traceback" not in server.log.read_text(errors="replace")
    assert not broken, "\n".join(broken)
