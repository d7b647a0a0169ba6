"""The cases of `HttpContract`. What is expected comes from the clause that a case names, never from our own answers."""

from ..http import Case
from . import conditions, disk, headers, names, negotiation, ranges

CASES: tuple[Case, ...] = (
    *negotiation.CASES, *ranges.CASES, *conditions.CASES, *headers.CASES, *names.CASES, *disk.CASES,
)  # fmt: skip
"""All cases. They may be run in any order."""
