"""How long a signed URL works, so that the same page gives the same URL.

Time is cut into pieces as long as the rounding. All URLs that are made within one piece are as if signed at its
beginning, and work from there until ``expires`` after its end: each works at least ``expires``, whenever it was made,
and a browser that has what it names need not ask for it again.
"""

from __future__ import annotations

import math
from typing import Literal

from ..errors import ConfigError
from ..stores.store import Grant
from .config import SignedConfig

LONGEST = 7 * 86_400
"""How long a URL of S3 and of Google works at most. Seconds.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html (X-Amz-Expires),
https://docs.cloud.google.com/storage/docs/access-control/signed-urls (X-Goog-Expires)
"""


def grant(
    config: SignedConfig,
    now: float,
    *,
    expire: float | None = None,
    method: Literal["GET", "HEAD", "PUT", "DELETE"] = "GET",
    disposition: str = "",
    content_type: str = "",
) -> Grant:
    """What a URL that is made ``now`` allows, for at least ``expire`` seconds; by default, as ``config`` says.

    It is rounded to less than ``config`` says where ``expire`` is less than four times as long, or where it would work
    for more than `LONGEST` otherwise, and to one second at least. Raises `ConfigError` for a time that is none.
    """
    seconds = config.expires.total_seconds() if expire is None else expire
    if not 0 < seconds < math.inf:
        raise ConfigError(f"A signed URL must work for some time, not for {seconds} seconds.")
    rounding = seconds / 4 if config.rounding is None else config.rounding.total_seconds()
    if expire is not None:
        rounding = min(rounding, seconds / 4)  # else a minute could become half an hour
    lasts = math.ceil(seconds)
    if lasts <= LONGEST:
        # Nothing is left to round with at the very end, where a URL that was made late in a second works less long.
        rounding = min(rounding, LONGEST - lasts)
    piece = max(int(rounding), 1)
    starts = int(now // piece) * piece
    expires = starts + piece + lasts
    if lasts <= LONGEST:
        expires = min(expires, starts + LONGEST)
    return Grant(expires, starts, method, disposition, content_type)
