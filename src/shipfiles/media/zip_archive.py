"""The members of a zip, as PKWARE's APPNOTE 6.3.10 has them; its sizes and its directory are checked, not believed."""

from __future__ import annotations

import re
import stat
import struct
from collections import deque
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from .archives import CHUNK, Budget, Chunks, Read, look, unpacked

_END = struct.Struct("<4s4H2LH")  # section 4.3.16
_END_64 = struct.Struct("<4sQ2H2L4Q")  # section 4.3.14
_LOCATOR_64 = struct.Struct("<4sLQL")  # section 4.3.15
_ENTRY = struct.Struct("<4s6H3L5H2L")  # section 4.3.12
_LOCAL = struct.Struct("<4s5H3L2H")  # section 4.3.7
_LOCAL_MAGIC = b"PK\3\4"
_END_MAGIC = b"PK\5\6"
# The end record has a comment of at most so many bytes behind it.
_LONGEST_COMMENT = 0xFFFF
_TAIL = _END.size + _LONGEST_COMMENT
# What has other files in it as they are: documents of older offices, and PDF.
_DOCUMENTS = re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1|%PDF-")
# Section 4.4.5, the methods that can be read here.
_METHODS = {8: "deflate", 12: "bzip2", 93: "zstd", 95: "xz"}
_STORED = 0
_SPECIAL = (stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK)


class _End(NamedTuple):
    """Where the central directory is."""

    start: int
    stop: int
    shift: int
    """What has to be added to offsets: the length of what stands before the archive."""
    members: int
    """How many it says there are; 0xFFFF is for more."""


class _Entry(NamedTuple):
    """What the central directory says of a member."""

    name: bytes
    offset: int
    packed: int
    method: int
    encrypted: bool


def is_zip(file: BinaryIO, budget: Budget) -> bool:
    """Whether ``file`` ends as a zip does, whatever it begins with."""
    end = _end(file, budget)
    if end is None:
        return False
    # A program that reads zips has their signatures in it, too.
    return end.start == end.stop or _has_signature(file, end.start) or _has_signature(file, end.start - end.shift)


class ZipTail:
    """Reads on, and keeps what may be the end of a zip."""

    def __init__(self, read: Read) -> None:
        self._read, self._kept = read, deque[bytes]()
        self._count = 0

    def read(self, count: int) -> bytes:
        """Up to ``count`` next bytes."""
        chunk = self._read(count)
        self._kept.append(chunk)
        self._count += len(chunk)
        while self._count - len(self._kept[0]) >= _TAIL:
            self._count -= len(self._kept.popleft())
        return chunk

    def is_zip(self, head: bytes, *, apart: bool) -> bool:
        """Whether some would find a zip at the end of what was read, which begins with ``head``.

        Others than that which ends with it are taken for what is embedded in a document, or in an archive.
        """
        tail = b"".join(self._kept)
        for match in re.finditer(_END_MAGIC, tail):
            at = match.start()
            if at + _END.size > len(tail):
                break
            *_, length, _, comment = _END.unpack_from(tail, at)
            exact = at + _END.size + comment == len(tail)
            if not exact and (not apart or _DOCUMENTS.match(head)):
                continue
            if length > at or tail.startswith(b"PK\1\2", at - length) or not length:
                return True
        return False


def walk_zip(file: BinaryIO, budget: Budget, depth: int) -> None:
    """Look at all members."""
    end = _end(file, budget)
    if end is None:
        budget.damaged("it has no directory")
    # A name in memory for each member: bounded by their number, which is counted while they are read.
    entries = sorted(_entries(file, end, budget), key=lambda entry: entry.offset)
    if end.members not in (0xFFFF, len(entries) & 0xFFFF):
        budget.damaged("its directory has another number of files than it says")
    done, starts = 0, []
    for entry in entries:
        start = entry.offset + end.shift
        if start < done:
            budget.refuse("files in it lie one upon the other", "archive_overlap")
        _look_between(file, done, start, budget)
        data = _data_start(file, start, entry, budget)
        done = data + entry.packed
        if done > end.start:
            budget.refuse("files in it lie upon its directory", "archive_overlap")
        starts.append(data)
    _look_between(file, done, end.start, budget)
    _look_between(file, end.stop, file.seek(0, 2), budget)
    for entry, data in zip(entries, starts, strict=True):
        _look_into(file, data, entry, budget, depth)


def _look_into(file: BinaryIO, start: int, entry: _Entry, budget: Budget, depth: int) -> None:
    """Read the member to its end."""
    if entry.encrypted:
        budget.refuse("it is encrypted, so that nobody can look into it", "archive_encrypted")
    member = _Slice(file, start, entry.packed)
    if entry.method == _STORED:
        look(_Counted(member, budget).read, budget, depth)
    elif entry.method in _METHODS:
        stream = unpacked(member.read, _METHODS[entry.method], budget, alone=True)
        look(Chunks(stream).read, budget, depth)
    else:
        budget.refuse(f"a file in it is packed by method {entry.method}, which cannot be read here", "archive_kind")
    if member.left:
        budget.damaged("there is more behind the end of a file in it")


class _Slice:
    """A part of a file, whoever else reads in it meanwhile."""

    def __init__(self, file: BinaryIO, start: int, count: int) -> None:
        self._file, self._at, self.left = file, start, count

    def read(self, count: int) -> bytes:
        self._file.seek(self._at)
        chunk = self._file.read(min(count, self.left))
        self._at += len(chunk)
        self.left -= len(chunk)
        return chunk


class _Counted:
    """What is not packed comes out, too."""

    def __init__(self, member: _Slice, budget: Budget) -> None:
        self._member, self._budget = member, budget

    def read(self, count: int) -> bytes:
        chunk = self._member.read(count)
        self._budget.spend(len(chunk))
        return chunk


def _end(file: BinaryIO, budget: Budget) -> _End | None:
    """Where the directory is, by the last end record; ``None`` if there is none.

    Refuses what some read by another record than others: those that search for its signature from the end, those that
    want its comment to end with the file, those that heed the longer record of section 4.3.14 or not.
    """
    size = file.seek(0, 2)
    tail_start = max(0, size - _END.size - _LONGEST_COMMENT)
    file.seek(tail_start)
    tail = file.read(_END.size + _LONGEST_COMMENT)
    records = [match.start() for match in re.finditer(_END_MAGIC, tail)]
    if not records:
        return None
    at = records[-1]
    if _ends(tail, at) != len(tail) and any(_ends(tail, other) == len(tail) for other in records):
        budget.refuse("it has two directories, of which some read one and some the other", "archive_hidden")
    if _ends(tail, at) > len(tail):
        if any(_has_directory(file, tail, tail_start, other) for other in records):
            budget.damaged("its directory ends too early")
        return None
    _, disk, first_disk, here, count, length, offset, _ = _END.unpack_from(tail, at)
    stop = tail_start + at
    if stop >= _LOCATOR_64.size:
        file.seek(stop - _LOCATOR_64.size)
        magic, _, where, _ = _LOCATOR_64.unpack(file.read(_LOCATOR_64.size))
        if magic == b"PK\6\7":
            end = _end_64(file, stop - _LOCATOR_64.size, where, count)
            # Section 4.4.1.4: what is too large for its field is all ones there, and else it is the same.
            narrow, wide = (disk, first_disk, here, count, length, offset), _fields_64(file, stop - _LOCATOR_64.size)
            masks = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
            masked = [value == mask for value, mask in zip(narrow, masks, strict=True)]
            same = all(yes or a == b for yes, a, b in zip(masked, narrow, wide, strict=False))
            if not same or (end and end.shift and not any(masked)):
                budget.refuse("it has two directories, of which some read one and some the other", "archive_hidden")
            return end
    start = stop - length
    return _End(start, stop, start - offset, count) if start >= 0 and offset <= start else None


def _ends(tail: bytes, at: int) -> int:
    """Where the end record at ``at`` ends with its comment, in ``tail`` or behind it."""
    return at + _END.size + int.from_bytes(tail[at + _END.size - 2 : at + _END.size], "little")


def _has_directory(file: BinaryIO, tail: bytes, tail_start: int, at: int) -> bool:
    """Whether there is a directory where the end record at ``at`` of the tail says, or before it."""
    if at + _END.size > len(tail):
        return False
    *_, length, offset, _ = _END.unpack_from(tail, at)
    return any(_has_signature(file, place) for place in (tail_start + at - length, offset))


def _has_signature(file: BinaryIO, place: int) -> bool:
    """Whether a directory begins there."""
    return place >= 0 and file.seek(place) == place and file.read(4) == b"PK\1\2"


def _fields_64(file: BinaryIO, stop: int) -> tuple[int, ...]:
    """What the longer end record before ``stop`` says, in the order of the other one; nothing if there is none."""
    if stop < _END_64.size:
        return ()
    file.seek(stop - _END_64.size)
    return _END_64.unpack(file.read(_END_64.size))[4:]


def _end_64(file: BinaryIO, stop: int, where: int, count: int) -> _End | None:
    """The same for large archives. The record stands directly before its locator, behind whatever is before it all."""
    at = stop - _END_64.size
    if at < 0:
        return None
    file.seek(at)
    magic, *_, length, offset = _END_64.unpack(file.read(_END_64.size))
    start = at - length
    if magic != b"PK\6\6" or start < 0 or offset > start or at - where != start - offset:
        return None
    return _End(start, at, start - offset, count)


def _entries(file: BinaryIO, end: _End, budget: Budget) -> Iterator[_Entry]:
    """What the directory lists, each counted and its name looked at."""
    at = end.start
    while at < end.stop:
        file.seek(at)
        fixed = file.read(_ENTRY.size)
        if len(fixed) < _ENTRY.size or not fixed.startswith(b"PK\1\2"):
            budget.damaged("its directory has something else than files")
        (_, _, _, flags, method, _, _, _, packed, size, name_length, extra_length, comment_length, _, _,
         attributes, offset) = _ENTRY.unpack(fixed)  # fmt: skip
        name, extra = file.read(name_length), file.read(extra_length)
        at += _ENTRY.size + name_length + extra_length + comment_length
        if at > end.stop:
            budget.damaged("its directory ends too early")
        budget.member(name)
        more = dict(_extras(extra))
        if unicode_name := more.get(0x7075, b"")[5:]:  # section 4.6.9: 5 bytes of version and checksum
            budget.member(unicode_name)
        # Section 4.4.2 has file modes there for UNIX only, but some heed them for more systems, each for others.
        if stat.S_IFMT(attributes >> 16) in _SPECIAL:
            budget.no_link(name)
        # Section 4.5.3: those of size, packed size and offset that have no room in their fields, in this order.
        wide = [value for (value,) in struct.iter_unpack("<Q", more.get(1, b"")[: len(more.get(1, b"")) // 8 * 8])]
        try:
            _, packed, offset = (wide.pop(0) if value == 0xFFFFFFFF else value for value in (size, packed, offset))
        except IndexError:
            budget.damaged("the size of a file in it is missing")
        yield _Entry(name, offset, packed, method, bool(flags & 1))


def _extras(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Section 4.5.1: id and value of each extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        yield kind, extra[at + 4 : at + 4 + length]
        at += 4 + length


def _data_start(file: BinaryIO, start: int, entry: _Entry, budget: Budget) -> int:
    """Where the bytes of the member begin whose own header is at ``start``."""
    file.seek(start)
    fixed = file.read(_LOCAL.size)
    if len(fixed) < _LOCAL.size or not fixed.startswith(_LOCAL_MAGIC):
        budget.damaged("a file in it is not where its directory says")
    *_, method, _, _, _, _, _, name_length, extra_length = _LOCAL.unpack(fixed)
    if file.read(name_length) != entry.name or method != entry.method:
        budget.damaged("a file in it is another than its directory says")
    return start + _LOCAL.size + int(name_length) + int(extra_length)


def _look_between(file: BinaryIO, start: int, stop: int, budget: Budget) -> None:
    """Where no member is there shall be none that only those find who do not go by the directory."""
    gap, before = _Slice(file, start, stop - start), b""
    while chunk := gap.read(CHUNK):
        if _LOCAL_MAGIC in before + chunk:
            budget.refuse("a file in it is not in its directory", "archive_hidden")
        before = chunk[-3:]
