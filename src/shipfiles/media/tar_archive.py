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
# "Leading zeros, ended by one or more spaces or NULs"; older ones have leading spaces. What else there may be is read
# as one number by some and as another by others.
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*|[ \0]*")
# From this size on the header has no room, and pax says it.
_WIDE = 8**11
# Where mode, owner, group, size and time are.
_NUMBERS = ((100, 108), (108, 116), (116, 124), (124, 136), (136, 148))


def is_tar(head: bytes) -> bool:
    """Whether ``head`` begins with the header of a member: it says so, or its checksum is right."""
    return (len(head) >= _BLOCK and head[257:262] == b"ustar") or _is_summed(head)


def _is_summed(head: bytes) -> bool:
    """Whether the checksum is right, of bytes with sign or without: some unpackers take either, written in any way."""
    if len(head) < _BLOCK or not head.strip(b"\0"):
        return False
    field, others = head[148:156], head[:148] + b" " * 8 + head[156:_BLOCK]
    total = sum(others)
    totals = (total, total - 256 * sum(byte > 127 for byte in others))
    if field[0] in (0x80, 0xFF):
        return int.from_bytes(field[1:], "big", signed=field[0] == 0xFF) in totals
    text = field.split(b"\0")[0].strip()
    try:
        said = int(text, 8) if text else 0
    except ValueError:
        return False
    # Without a checksum it is one by chance, unless what else must be a number is one.
    return said in totals and bool(text or all(_OCTAL.fullmatch(head[at:stop]) for at, stop in _NUMBERS))


def walk_tar(read: Read, budget: Budget, depth: int) -> None:
    """Look at all members, those behind the end of the archive too, which some unpackers go on to."""
    for names, kind, length in _members(read, budget):
        name = names[0]
        budget.member(name)
        for other in names[1:]:
            budget.called(other)
        if kind not in _FILES + _FOLDERS + _PASSED_OVER:
            budget.no_link(name)
        if length and (kind not in _FILES or any(name.endswith(b"/") for name in names)):
            # Some would pass over these bytes, and others read them as the next member.
            budget.damaged("a folder in it has bytes")
        member = _Member(read, length)
        look(member.read, budget, depth)
        if member.left:
            budget.damaged("it ends too early")
        if len(_take(read, -length % _BLOCK)) < -length % _BLOCK:
            budget.damaged("it ends too early")


def _members(read: Read, budget: Budget) -> Iterator[tuple[list[bytes], bytes, int]]:
    """Names, type and size of each member, whose bytes are to be read before the next one is asked for.

    It has a name of its own, and others before it: which of them counts is another thing for each unpacker.
    """
    names: list[bytes] = []
    size: int | None = None
    while block := _take(read, _BLOCK):
        if not block.strip(b"\0"):
            continue
        if not _is_summed(block):
            # Some stop here, and others look for the next member behind it.
            budget.damaged("there is something between its files")
        kind, length = block[156:157], _number(block[124:136], budget)
        if kind in (b"L", b"K", b"x", b"g"):
            extra = _extra(read, length, budget)
            if kind == b"L":
                names.append(extra.rstrip(b"\0"))
            elif kind == b"x":
                # What is written for one member counts more than its header.
                size = _records(extra, budget, names, size)
            elif kind == b"g":
                shared: list[bytes] = []
                if _records(extra, budget, shared, None) is not None or shared:
                    budget.damaged("one name or size is given to all members")
            continue
        # GNU's own headers have something else where others have the prefix, which Python puts before all the same.
        prefix, short = block[345:500].split(b"\0")[0], block[:100].split(b"\0")[0]
        if prefix:
            names.append(prefix + b"/" + short)
        if size is not None and size != length and size < _WIDE:
            budget.damaged("a file in it has two sizes")
        yield [*names, short], kind, length if size is None else size
        names, size = [], None


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


def _records(extra: bytes, budget: Budget, names: list[bytes], size: int | None) -> int | None:
    """What the records of pax say of the next member: its size, if not ``size``; its name is added to ``names``."""
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
            names.append(value)
        elif keyword == b"size":
            if not value.isdigit() or len(value) > 19:
                budget.damaged("the size of a file in it is no number")
            size = int(value)
        at = end
    return size


def _number(field: bytes, budget: Budget) -> int:
    """A number as GNU's tar writes large ones, in bytes behind 0x80, or in octal digits."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = _OCTAL.fullmatch(field)
    if digits is None:
        budget.damaged("the size of a file in it is no number")
    return int(digits[1] or b"0", 8)
