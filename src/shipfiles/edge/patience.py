"""How long a purge may take: one time limit for all of its requests, and the pauses between those that are repeated."""

from __future__ import annotations

import random
import time

from ..errors import ConfigError

ATTEMPTS = 6
"""How often a request is made at most, where nobody says when to come again."""
_LONGEST = 86_400
_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 8.0
# Other processes that were turned away at the same moment shall not come again at one moment.
_CHANCE = random.SystemRandom()


def check_limit(seconds: float) -> None:
    """Raise `ConfigError` unless a purge may take so long."""
    if not 0 < seconds <= _LONGEST:
        raise ConfigError(f"time_limit must be more than 0 seconds, and at most {_LONGEST:,}, not {seconds}.")


class Patience:
    """The time of one purge; it begins now."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds; not less than 0."""
        return max(0.0, self._end - time.monotonic())

    @property
    def over(self) -> str:
        """What is said when it is used up."""
        return f"the time limit of {self.seconds:g} s is over"

    def wait(self, attempt: int, asked: float | None = None) -> bool:
        """Wait after the failed ``attempt``, counted from 1, at least as long as the server ``asked``.

        False, without a wait, where no time would be left then, or where nobody asked and it was the last attempt.
        """
        if asked is None and attempt >= ATTEMPTS:
            return False
        own = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(attempt - 1, 16)) * (0.5 + _CHANCE.random())
        pause = own if asked is None else asked + min(own, 0.5)
        if pause >= self.left:
            return False
        time.sleep(pause)
        return True
