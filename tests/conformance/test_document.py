"""The page about conformance is what the rows say, and no difference is of a row that is not there."""

from __future__ import annotations

from shipfiles.testing import CONFIGURED_CASES, HTTP_CASES
from tests.services.wire_cases import WIRE_CASES

from .differences import DIFFERENCES
from .document import PAGE, page


def test_page_is_what_the_rows_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.conformance.document"


def test_differences_are_of_rows_that_are_there() -> None:
    names = {case.name for case in (*HTTP_CASES, *CONFIGURED_CASES, *WIRE_CASES)} | {"slow readers cost no memory"}
    assert {row for rows in DIFFERENCES.values() for row in rows} <= names
