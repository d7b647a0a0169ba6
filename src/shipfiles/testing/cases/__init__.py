"""The cases of `HttpContract`. What is expected comes from the clause that a case names, never from our own answers."""

from ..http import Case
from . import conditions, disk, headers, names, negotiation, places, ranges, rules

CASES: tuple[Case, ...] = (
    *negotiation.CASES, *ranges.CASES, *conditions.CASES, *headers.CASES, *names.CASES, *disk.CASES,
)  # fmt: skip
"""What holds with the default configuration. They may be run in any order."""
CONFIGURED: tuple[Case, ...] = (*places.CASES, *rules.CASES)
"""What holds with `OPTIONS`: files at the root of the site, and headers by pattern."""
