"""A manifest as the text that `dump` wrote, one file a line, of which only those lines are parsed that are needed.

Two releases of 24,000 files differ in a few as a rule, and to parse both, or only to take them apart, takes longer than
all the rest of what it takes to go from the one to the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..digest import digest_bytes, hex_prefix, looks_hashed
from ..lines import END, head_of, names_in
from ..manifest import DJANGO_VERSION, Manifest, check_schema, dump, load
from ..model import Entry

# No quote stands unescaped within a string of JSON, so this cannot be part of a path.
_KEY_END = b'": {"name":"'
_BEHIND_KEY = re.compile(rb'\{"name":("[^"\\\n]*(?:\\.[^"\\\n]*)*",)[^\n]*\n')
_FIRST_STEP = 512


@dataclass(frozen=True, slots=True)
class ManifestText:
    """The files of a manifest, a line each; sorted by logical path."""

    body: bytes
    start: int
    """Where the first file begins."""
    end: int
    """Where the last one ends, without the newline behind it."""
    linked: bool
    where: str
    """The key of the manifest, for errors."""

    def files(self) -> list[bytes]:
        """All lines, without the commas between them."""
        return [line.removesuffix(b",") for line in self.body[self.start : self.end].split(b"\n") if line]

    def parsed(self, files: Sequence[bytes]) -> Manifest:
        """The manifest of ``files`` alone, some lines of this one. Raises `ManifestError`."""
        return load(self.body[: self.start] + b",\n".join(files) + END, self.where)

    def names(self) -> dict[str, str]:
        """Logical path → hashed name, sorted. Only for a body whose digest is that of what was published."""
        names = names_in(self.body)
        return load(self.body, self.where).names() if names is None else dict(sorted(names.items()))

    def has(self, key: str) -> bool:
        """Whether ``key`` is a logical path or a hashed name."""
        if looks_hashed(key) and b'": {"name":' + json.dumps(key).encode() + b"," in self.body:
            return True
        low, high = self.start, self.end
        while low < high:
            start = self.body.rfind(b"\n", low, (low + high) // 2) + 1 or low
            stop = self.body.find(b"\n", start, high)
            stop = high if stop < 0 else stop
            found = _logical(self.body[start:stop])
            if found == key:
                return True
            low, high = (stop + 1, high) if found < key else (low, start)
        return False

    def django_names(self) -> bytes | None:
        """What `dump_django` gives for these files; ``None`` if the lines are not as `dump` writes them."""
        lines = self.body[self.start : self.end] + b"\n"
        if lines == b"\n":
            paths, pairs = b"", b"[]"
        else:
            paths = _BEHIND_KEY.sub(rb"\1 ", lines)
            if b"\n" in paths:
                return None
            paths = paths[:-2]
            # As `names_hash`, which has a list of lists.
            pairs = b"[[" + paths.replace(b'", "', b'"], ["').replace(b'": "', b'", "') + b"]]"
        version, digest = DJANGO_VERSION.encode(), hex_prefix(digest_bytes(pairs)).encode()
        return b'{"paths": {%b}, "version": "%b", "hash": "%b"}' % (paths, version, digest)

    def with_entries(self, entries: Mapping[str, Entry]) -> Manifest:
        """The whole manifest, with other ``entries`` for some of its files. Raises `ManifestError`."""
        whole = load(self.body, self.where)
        return Manifest({**whole.entries, **entries}, whole.compress, whole.linked)


def text_of(body: bytes, where: str) -> ManifestText:
    """The lines of the manifest in ``body``; ``where`` names it in errors. Raises `ManifestError`.

    Where another program has formatted it, it is parsed, and formatted as `dump` does.
    """
    found = _as_dumped(body, where) or _as_dumped(dump(load(body, where)), where)
    assert found is not None
    return found


def differing(old: ManifestText, new: ManifestText) -> tuple[list[bytes], list[bytes]]:
    """The lines that the two do not have in common, of each; without commas."""
    only_old: list[bytes] = []
    only_new: list[bytes] = []
    i, j = old.start, new.start
    while i < old.end and j < new.end:
        alike = _alike(old.body, i, new.body, j)
        # Back to the beginning of the line in which they part.
        alike = max(new.body.rfind(b"\n", j, j + alike) + 1 - j, 0)
        i, j = i + alike, j + alike
        if i >= old.end or j >= new.end:
            break
        (before, after_before), (after, after_after) = _line_at(old, i), _line_at(new, j)
        if before != after:
            first, second = _logical(before), _logical(after)
            if first <= second:
                only_old.append(before)
            if second <= first:
                only_new.append(after)
            if first != second:
                i, j = (after_before, j) if first < second else (i, after_after)
                continue
        i, j = after_before, after_after
    only_old += _rest(old, i)
    only_new += _rest(new, j)
    return only_old, only_new


def _as_dumped(body: bytes, where: str) -> ManifestText | None:
    if (head := head_of(body)) is None:
        return None
    check_schema(head, where)
    start = body.index(b"\n") + 1
    end = max(start, len(body) - len(END))
    if end > start and (body[start : start + 1] != b'"' or body.find(_KEY_END, start, end + 1) < 0):
        return None
    return ManifestText(body, start, end, head.get("linked") is True, where)


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


def _line_at(lines: ManifestText, start: int) -> tuple[bytes, int]:
    """The line that begins at ``start``, without its comma, and where the next one begins."""
    stop = lines.body.find(b"\n", start)
    return lines.body[start:stop].removesuffix(b","), stop + 1


def _rest(lines: ManifestText, start: int) -> Iterator[bytes]:
    while start < lines.end:
        line, start = _line_at(lines, start)
        yield line


def _logical(line: bytes) -> str:
    """The logical path that ``line`` is about; empty if it is damaged."""
    end = line.find(_KEY_END)
    try:
        return str(json.loads(line[: end + 1])) if end > 0 else ""
    except ValueError:
        return ""
