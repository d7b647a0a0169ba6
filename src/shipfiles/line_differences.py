"""Which lines two manifests do not have in common, without taking apart what is alike in both.

Both are as `manifest.dump` writes them: one file a line, sorted. Two releases of 24,000 files differ in few as a rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

END = b"\n}}\n"
"""What a manifest ends with."""

# No quote stands unescaped within a string of JSON, so this cannot be part of a path.
KEY_END = b'": {"name":"'
"""What stands behind the logical path in the line of a file."""
_FIRST_STEP = 512


def unlike(
    old: bytes, old_span: tuple[int, int], new: bytes, new_span: tuple[int, int]
) -> Iterator[tuple[int | None, int | None]]:
    """Where the lines begin that two manifests do not have in common: in ``old``, in ``new``, or of one file in both.

    The spans say where in each the lines of files are. What is alike is compared, not taken apart.
    """
    (i, old_end), (j, new_end) = old_span, new_span
    while i < old_end and j < new_end:
        alike = _alike(old, i, new, j)
        # Back to the beginning of the line in which they part.
        alike = max(new.rfind(b"\n", j, j + alike) + 1 - j, 0)
        i, j = i + alike, j + alike
        if i >= old_end or j >= new_end:
            break
        before, after = line_at(old, i), line_at(new, j)
        old_next, new_next = old.find(b"\n", i) + 1, new.find(b"\n", j) + 1
        if before != after:
            first, second = logical_of(before), logical_of(after)
            yield (i if first <= second else None), (j if second <= first else None)
            if first != second:
                i, j = (old_next, j) if first < second else (i, new_next)
                continue
        i, j = old_next, new_next
    while i < old_end:
        yield i, None
        i = old.find(b"\n", i) + 1
    while j < new_end:
        yield None, j
        j = new.find(b"\n", j) + 1


def line_at(body: bytes, start: int) -> bytes:
    """The line that begins at ``start``, without its comma."""
    return body[start : body.find(b"\n", start)].removesuffix(b",")


def logical_of(line: bytes) -> str:
    """The logical path that ``line`` is about; empty if it is damaged."""
    end = line.find(KEY_END)
    try:
        return str(json.loads(line[: end + 1])) if end > 0 else ""
    except ValueError:
        return ""


def files_span(body: bytes) -> tuple[int, int]:
    """Where the lines of files are in a ``body`` that has a head."""
    start = body.index(b"\n") + 1
    return start, max(start, len(body) - len(END))


def _alike(old: bytes, i: int, new: bytes, j: int) -> int:
    """How many bytes are the same in ``old`` from ``i`` on and in ``new`` from ``j`` on."""
    done, step = 0, _FIRST_STEP
    most = min(len(old) - i, len(new) - j)
    while done < most and old[i + done : i + done + step] == new[j + done : j + done + step]:
        done += step
        step = min(step * 2, 1 << 18)
    # Within the last step they part; or one of them ends there.
    low, high = done, min(done + step, most)
    while low < high:
        middle = (low + high + 1) // 2
        if old[i + low : i + middle] == new[j + low : j + middle]:
            low = middle
        else:
            high = middle - 1
    return min(low, most)
