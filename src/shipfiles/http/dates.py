"""HTTP dates: RFC 9110 section 5.6.7."""

from __future__ import annotations

import re
from calendar import timegm
from datetime import UTC, datetime
from email.utils import formatdate
from functools import lru_cache

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = "|".join(_MONTHS)
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

# The form that we send, and the two obsolete ones that a recipient must still read.
_IMF_FIXDATE = re.compile(rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?P<day>[0-9]{{2}}) (?P<month>{_MONTH}) "
                          rf"(?P<year>[0-9]{{4}}) {_TIME} GMT")  # fmt: skip
_RFC_850 = re.compile(rf"(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?P<day>[0-9]{{2}})-(?P<month>{_MONTH})-"
                      rf"(?P<year>[0-9]{{2}}) {_TIME} GMT")  # fmt: skip
_ASCTIME = re.compile(rf"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?P<month>{_MONTH}) (?P<day>[ 0-9][0-9]) {_TIME} "
                      rf"(?P<year>[0-9]{{4}})")  # fmt: skip


@lru_cache(maxsize=4096)
def http_date(seconds: int) -> str:
    """``seconds`` since 1970 as an IMF-fixdate: ``Sun, 06 Nov 1994 08:49:37 GMT``."""
    return formatdate(seconds, usegmt=True)


def parse_http_date(text: str) -> int | None:
    """Seconds since 1970 of an HTTP-date in any of its three forms; ``None`` if it is none."""
    match = _IMF_FIXDATE.fullmatch(text) or _RFC_850.fullmatch(text) or _ASCTIME.fullmatch(text)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        # What would be more than 50 years ahead is in the past.
        year += (datetime.now(UTC).year + 50 - year) // 100 * 100
    month = _MONTHS.index(match["month"]) + 1
    # A leap second, 60, is allowed by the grammar; no clock here has one.
    second = min(int(match["second"]), 59) if match["second"] == "60" else int(match["second"])
    try:
        moment = datetime(year, month, int(match["day"]), int(match["hour"]), int(match["minute"]), second, tzinfo=UTC)
    except ValueError:
        return None
    return timegm(moment.utctimetuple())
