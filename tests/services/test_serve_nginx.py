"""What nginx says to the contract: it agrees, or it is known why it does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shipfiles.edge.policy import Mode
from shipfiles.testing import CONFIGURED_CASES, HTTP_CASES, HttpContract
from shipfiles.testing.site import FILES
from tests.conformance import hostile
from tests.conformance.differences import expected

from .nginx import start_nginx

pytestmark = pytest.mark.services


@pytest.mark.parametrize("mode", ["static-server", "dedicated"])
def test_contract(mode: Mode, tmp_path: Path) -> None:
    broken = []
    with start_nginx(tmp_path, mode) as server:
        # Its tags are of seconds: what a row puts in the place of a file must not be of the same one.
        for name in FILES:
            os.utime(server.site.path(name), (1_700_000_000, 1_700_000_000))
        assert server.wire.ask("GET", server.site.url(hostile.NAMES[0]), {}).status == 200
        for case in (*HTTP_CASES, *CONFIGURED_CASES):
            try:
                with expected(server.parties, case.name):
                    HttpContract(server.wire.ask, server.site).check(case)
            except AssertionError as error:
                broken.append(str(error))
            # Of what was cut there may be more.
            server.wire.close()
    assert not broken, "\n".join(broken)
