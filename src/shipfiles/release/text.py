"""A manifest as the text that `dump` wrote, one file a line, of which only those lines are parsed that are needed.

Two releases of 24,000 files differ in a few as a rule, and to parse both, or only to take them apart, takes longer than
all the rest of what it takes to go from the one to the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ..digest import digest_bytes, hex_prefix, looks_hashed
from ..line_differences import END, KEY_END, files_span, line_at, logical_of, unlike
from ..lines import head_of, names_in
from ..manifest import DJANGO_VERSION, Flags, Manifest, check_schema, dump, flags_of, load
from ..model import Entry

_BEHIND_KEY = re.compile(rb'\{"name":("[^"\\\n]*(?:\\.[^"\\\n]*)*",)[^\n]*\n')


@dataclass(frozen=True, slots=True)
class ManifestText:
    """The files of a manifest, a line each; sorted by logical path."""

    body: bytes
    start: int
    """Where the first file begins."""
    end: int
    """Where the last one ends, without the newline behind it."""
    flags: Flags
    where: str
    """The key of the manifest, for errors."""

    @property
    def linked(self) -> bool:
        """See `Manifest`."""
        return self.flags.linked

    @property
    def hashed_only(self) -> bool:
        """See `Manifest`."""
        return self.flags.hashed_only

    @property
    def spares(self) -> bool:
        """See `Manifest`."""
        return self.flags.spares

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
            found = logical_of(self.body[start:stop])
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
        return replace(whole, entries={**whole.entries, **entries})


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
    for before, after in unlike(old.body, (old.start, old.end), new.body, (new.start, new.end)):
        if before is not None:
            only_old.append(line_at(old.body, before))
        if after is not None:
            only_new.append(line_at(new.body, after))
    return only_old, only_new


def _as_dumped(body: bytes, where: str) -> ManifestText | None:
    if (head := head_of(body)) is None:
        return None
    check_schema(head, where)
    start, end = files_span(body)
    if end > start and (body[start : start + 1] != b'"' or body.find(KEY_END, start, end + 1) < 0):
        return None
    return ManifestText(body, start, end, flags_of(head), where)
