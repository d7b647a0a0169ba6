"""Whether the time that something takes grows with the size of what it reads, and not with its square."""

from __future__ import annotations

import time
from collections.abc import Callable

_GROWTH = 8
# How many times more than `_GROWTH` a larger text may cost: quadratic work takes 8 times more, noise does not.
_SLACK = 4
# Below this a measurement is noise: seconds of processor time.
_MEASURABLE = 0.005
# A text so long that is read in less than `_MEASURABLE` is measured all the same: what 8 times as much then costs is
# nothing to worry about. Bytes.
_LONGEST = 128 * 1024
_SHORTEST = 2048
_TRIES = 3


def check_linear(read: Callable[[bytes], object], unit: bytes, head: bytes = b"", tail: bytes = b"") -> None:
    """Fail if ``read`` takes much more than 8 times as long for ``head``, 8 n times ``unit`` and ``tail`` as for n.

    The clock is that of the process, so that other work on the machine does not count. n is as large as it takes for
    a time that can be measured. The best of three runs counts.
    """
    _check(read, lambda count: head + unit * count + tail, f"{head!r} + {unit!r} * n + {tail!r}")


def check_linear_pair(read: Callable[[bytes], object], opener: bytes, closer: bytes, between: bytes = b"") -> None:
    """As `check_linear`, for n times ``opener``, ``between`` and n times ``closer``."""
    _check(
        read, lambda count: opener * count + between + closer * count, f"{opener!r} * n + {between!r} + {closer!r} * n"
    )


def _check(read: Callable[[bytes], object], text_of: Callable[[int], bytes], what: str) -> None:
    count = 1
    while len(text := text_of(count)) < _SHORTEST:
        count *= 2
    while (small := _seconds(read, text)) < _MEASURABLE and len(text) < _LONGEST:
        count *= 2
        text = text_of(count)
    large = text_of(count * _GROWTH)
    best = float("inf")
    for _ in range(_TRIES):
        small = min(small, _seconds(read, text))
        best = min(best, _seconds(read, large))
        if best < _GROWTH * _SLACK * max(small, _MEASURABLE):
            return
    raise AssertionError(f"{what}: {len(text)} bytes took {small:.4f} s, {_GROWTH} times as many {best:.4f} s")


def _seconds(read: Callable[[bytes], object], body: bytes) -> float:
    start = time.process_time()
    read(body)
    return time.process_time() - start
