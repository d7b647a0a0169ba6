"""The one place where the bytes of a file are edited, and where an offset becomes a line and a column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"


class Edit(NamedTuple):
    """``body[start:end]`` becomes ``text``."""

    start: int
    end: int
    text: bytes


def splice(body: bytes, edits: Sequence[Edit]) -> bytes:
    """``body`` with all ``edits`` made at once; every other byte stays. Without edits it is the same object.

    The order of ``edits`` does not matter. Edits that overlap or reach out of ``body`` are a mistake of the caller:
    ``ValueError``.
    """
    if not edits:
        return body
    pieces: list[bytes] = []
    done = 0
    for start, end, text in sorted(edits):
        if not done <= start <= end <= len(body):
            raise ValueError(f"the edit of bytes {start} to {end} overlaps another or leaves the {len(body)} bytes")
        pieces += (body[done:start], text)
        done = end
    pieces.append(body[done:])
    return b"".join(pieces)


def positions(body: bytes, offsets: Iterable[int], codec: str = "") -> list[tuple[int, int]]:
    """The line and column of each of ``offsets``, which must ascend, in one pass over ``body``.

    A line ends with LF, CR LF or CR. What is not UTF-8, or not in the encoding ``codec``, counts one column for each
    replacement that a decoder would make of it, and a byte order mark counts none: as editors show the file.
    """
    if codec:
        ends = list(offsets)
        starts = [0, *ends]
        texts = [body[start:end].decode(codec, "replace").encode() for start, end in zip(starts, ends, strict=False)]
        body = b"".join(texts)
        offsets = accumulate(map(len, texts))
    found: list[tuple[int, int]] = []
    line, column = 1, 1
    done = len(_BOM) if body.startswith(_BOM) else 0
    for offset in offsets:
        if offset > done:
            passed = body[done:offset]
            crlf = passed.count(b"\r\n")
            # A CR LF that the last offset cut in two was counted with its CR.
            cut = passed.startswith(b"\n") and done > 0 and body[done - 1 : done] == b"\r"
            line += passed.count(b"\n") + passed.count(b"\r") - crlf - cut
            start_of_line = max(passed.rfind(b"\n"), passed.rfind(b"\r")) + 1
            if start_of_line:
                column = 1
            column += len(passed[start_of_line:].decode("utf-8", "replace"))
            done = offset
        found.append((line, column))
    return found
