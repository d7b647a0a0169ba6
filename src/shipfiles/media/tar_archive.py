"""The members of a tar archive, read as they come: POSIX.1-2024, pax, "ustar interchange format", and GNU's names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .archives import Budget, Read, look

_BLOCK = 512
# What the names of members may take, and pax records that are about nothing we heed.
_LONGEST_EXTRA = 1 << 20

_FILES, _FOLDERS, _PASSED_OVER = b"07\0", b"5", b"V"
_SPARSE = b"GNU.sparse."
_RECORD = re.compile(rb"([0-9]{1,7}) ")


def is_tar(head: bytes) -> bool:
    """Whether ``head`` begins with the header of a member: its checksum is right."""
    if len(head) < _BLOCK or not head[0]:
        return False
    return _octal(head[148:156]) == sum(head[:148]) + 8 * 32 + sum(head[156:_BLOCK])


def walk_tar(read: Read, budget: Budget, depth: int) -> None:
    """Look at all members, those behind the end of the archive too, which some unpackers go on to."""
    for name, kind, length in _members(read, budget):
        budget.member(name)
        if kind not in _FILES + _FOLDERS + _PASSED_OVER:
            budget.no_link(name)
        if length and (kind not in _FILES or name.endswith(b"/")):
            # Some would pass over these bytes, and others read them as the next member.
            budget.damaged("a folder in it has bytes")
        member = _Member(read, length)
        look(member.read, budget, depth)
        if member.left:
            budget.damaged("it ends too early")
        _take(read, -length % _BLOCK)


def _members(read: Read, budget: Budget) -> Iterator[tuple[bytes, bytes, int]]:
    """Name, type and size of each member, whose bytes are to be read before the next one is asked for."""
    name = b""
    size: int | None = None
    while block := _take(read, _BLOCK):
        if not block.strip(b"\0"):
            continue
        if not is_tar(block):
            return
        kind, length = block[156:157], _number(block[124:136])
        if kind in (b"L", b"K", b"x", b"g"):
            extra = _extra(read, length, budget)
            if kind == b"L":
                name = extra.rstrip(b"\0")
            elif kind == b"x":
                # What is written for one member counts more than its header.
                name, size = _records(extra, budget, name, size)
            elif kind == b"g" and _records(extra, budget, b"", None) != (b"", None):
                budget.damaged("one name or size is given to all members")
            continue
        prefix = block[345:500].split(b"\0")[0] if block[257:263] == b"ustar\0" else b""
        short = block[:100].split(b"\0")[0]
        yield name or (prefix + b"/" + short if prefix else short), kind, length if size is None else size
        name, size = b"", None


class _Member:
    """The bytes of one member."""

    def __init__(self, read: Read, size: int) -> None:
        self._read, self.left = read, size

    def read(self, count: int) -> bytes:
        chunk = self._read(min(count, self.left)) if self.left else b""
        self.left -= len(chunk)
        return chunk


def _take(read: Read, count: int) -> bytes:
    """``count`` bytes, fewer only at the end."""
    found = read(count) if count else b""
    while found and len(found) < count and (more := read(count - len(found))):
        found += more
    return found


def _extra(read: Read, length: int, budget: Budget) -> bytes:
    """What a header has behind it instead of a file."""
    if length > _LONGEST_EXTRA:
        budget.refuse(f"the name of a file in it has more than {_LONGEST_EXTRA} bytes", "archive_name")
    return _take(read, length + -length % _BLOCK)[:length]


def _records(extra: bytes, budget: Budget, name: bytes, size: int | None) -> tuple[bytes, int | None]:
    """What the records of pax say of the next member's name and size."""
    at = 0
    while at < len(extra):
        length = _RECORD.match(extra, at)
        end = at + int(length[1]) if length else 0
        if length is None or not length.end() < end <= len(extra):
            budget.damaged("a record of its names is none")
        keyword, _, value = extra[length.end() : end - 1].partition(b"=")
        if keyword.startswith(_SPARSE):
            budget.refuse("a file in it has holes, so that it unpacks to any size", "archive_size")
        if keyword == b"path":
            name = value
        elif keyword == b"size" and value.isdigit() and len(value) < 20:
            size = int(value)
        at = end
    return name, size


def _number(field: bytes) -> int:
    """A number as GNU's tar writes large ones, in bytes behind 0x80, or in octal digits."""
    if field[0] & 0x80:
        return int.from_bytes(bytes((field[0] & 0x7F,)) + field[1:], "big")
    return max(0, _octal(field))


def _octal(field: bytes) -> int:
    digits = field.split(b"\0")[0].strip()
    return int(digits, 8) if re.fullmatch(rb"[0-7]{1,12}", digits) else -1 if digits else 0
