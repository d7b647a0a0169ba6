"""Archives in the one form that we write, and nothing else when they are read.

The format is ustar (POSIX.1-2017, pax, "ustar Interchange Format"), with a pax extended header only where a name or a
size does not fit. Python's ``tarfile`` reads what is written here, but its own archives differ from version to version,
and as a reader it takes in links, devices, sparse files and headers of any size. This one holds no more than a header.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from ..build.compress.gzip import Gzip
from ..errors import ArchiveError, os_reason, printable

BLOCK = 512
_RECORD = 20 * BLOCK
_CHUNK = 1 << 20
_LEVEL = 6
# The largest number that eleven octal digits hold.
_MOST_OCTAL = 8**11 - 1
_NAME = 100
_PAX_NAME = "././@PaxHeader"
# Names are at most a few thousand bytes long on any file system.
_LONGEST_PAX = 64 * 1024
_KINDS = {
    b"1": "a hard link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"5": "a folder", b"6": "a pipe",
    b"7": "a contiguous file", b"g": "a global pax header", b"L": "a long name of GNU tar",
    b"K": "a long link of GNU tar", b"S": "a sparse file",
}  # fmt: skip


class Writer:
    """Writes an archive into ``file``; ``compressed`` as gzip (RFC 1952), a member for each MiB.

    Same names and bytes, same archive: mode 0644, no owner, no time, and compressed by libdeflate, which the wheels
    of its package bring along, rather than by the zlib that a Python happens to have.
    """

    def __init__(self, file: BinaryIO, *, compressed: bool) -> None:
        self._file = file
        self._gzip = Gzip(_LEVEL) if compressed else None
        self._pending = bytearray()
        self._written = 0
        self._left = 0

    def begin(self, name: str, size: int) -> None:
        """The next member; its ``size`` bytes are to follow."""
        self._write(_headers(name, size))
        self._left = size

    def write(self, chunk: bytes) -> None:
        """More bytes of the member that was begun."""
        self._left -= len(chunk)
        self._write(chunk)
        if self._left == 0:
            self._write(bytes(-self._written % BLOCK))

    def end(self) -> None:
        """Close the archive."""
        self._write(bytes(2 * BLOCK))
        self._write(bytes(-self._written % _RECORD))
        if self._gzip is not None:
            self._file.write(self._gzip.compress(bytes(self._pending)))
            self._pending.clear()

    def _write(self, chunk: bytes) -> None:
        self._written += len(chunk)
        if self._gzip is None:
            self._file.write(chunk)
            return
        self._pending += chunk
        while len(self._pending) > _CHUNK:
            self._file.write(self._gzip.compress(bytes(self._pending[:_CHUNK])))
            del self._pending[:_CHUNK]


@dataclass(frozen=True, slots=True)
class Member:
    """One file in an archive."""

    name: str
    size: int
    """Bytes, as the archive says; nobody has counted them yet."""


class Reader:
    """Reads an archive from front to back, with or without gzip. Raises `ArchiveError`; ``path`` names it."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._path = path
        compressed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        self._file: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=file, mode="rb") if compressed else file
        self._left = 0
        self._padding = 0

    def next(self) -> Member | None:
        """The next member, ``None`` at the end of the archive. The bytes of the last one must have been read."""
        self._exactly(self._padding)
        self._padding = 0
        block = self._exactly(BLOCK)
        if not any(block):
            self._finish()
            return None
        name, size, kind = self._parsed(block)
        if kind == b"x":
            if size > _LONGEST_PAX:
                raise self._error(f"its member {printable(name)!r} says {size:,} bytes of its own name")
            extended = self._pax(self._exactly(size))
            self._exactly(-size % BLOCK)
            name, size, kind = self._parsed(self._exactly(BLOCK))
            name, size = extended.get("path", name), int(extended.get("size", size))
        if kind not in (b"0", b"\0"):
            what = _KINDS.get(kind, f"something of the type {kind!r}")
            raise self._error(f"{printable(name)} is {what}: 'ship export' writes plain files only")
        self._left, self._padding = size, -size % BLOCK
        return Member(name, size)

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the member that `next` gave, at most 1 MiB at a time."""
        while self._left:
            chunk = self._exactly(min(self._left, _CHUNK))
            self._left -= len(chunk)
            yield chunk

    def _parsed(self, block: bytes) -> tuple[str, int, bytes]:
        """Name, size and type of a header."""
        # The fields and their places: POSIX.1-2017, pax, table "ustar Header Block".
        if block[257:265] != b"ustar\x0000":
            raise self._error("no archive of 'ship export': it is no POSIX tar, or was packed by another program")
        summed = sum(block[:148]) + 8 * 0x20 + sum(block[156:])
        if self._octal(block[148:156]) != summed:
            raise self._error("damaged: the checksum of a header is wrong")
        try:
            name = block[:_NAME].rstrip(b"\0").decode()
            prefix = block[345:500].rstrip(b"\0").decode()
        except UnicodeDecodeError:
            raise self._error("damaged: a name in it is not UTF-8") from None
        return f"{prefix}/{name}" if prefix else name, self._octal(block[124:136]), block[156:157]

    def _octal(self, field: bytes) -> int:
        digits = field.strip(b" \0")
        if not digits or digits.strip(b"01234567"):
            raise self._error("damaged: a header has no octal number where one belongs")
        return int(digits, 8)

    def _pax(self, body: bytes) -> dict[str, str]:
        """The keywords of an extended header: "%d %s=%s\\n", length, keyword, value."""
        found: dict[str, str] = {}
        while body:
            digits, space, _ = body[:8].partition(b" ")
            length = int(digits) if space and digits.isdigit() else 0
            keyword, equals, value = body[len(digits) + 1 : max(length - 1, 0)].partition(b"=")
            if not equals or length > len(body) or body[length - 1 : length] != b"\n":
                raise self._error("damaged: an extended header cannot be read")
            name = keyword.decode("ascii", "replace")
            if name not in ("path", "size") or name in found or (name == "size" and not value.isdigit()):
                raise self._error(f"its extended header {printable(name)} is none that 'ship export' writes")
            try:
                found[name] = value.decode()
            except UnicodeDecodeError:
                raise self._error("damaged: a name in it is not UTF-8") from None
            body = body[length:]
        if len(found.get("size", "")) > 18:
            raise self._error("damaged: a member is larger than any disk")
        return found

    def _finish(self) -> None:
        """Read to the end, where there must be nothing but zeros, and few of them; gzip's checksum is there too."""
        rest = self._some(_RECORD)
        if rest != bytes(len(rest)) or len(rest) < BLOCK or self._some(1):
            raise self._error("damaged: it does not end where its end is marked")

    def _exactly(self, size: int) -> bytes:
        found = self._some(size)
        if len(found) < size:
            raise self._error("cut off: it ends before its end is marked. Copy it again")
        return found

    def _some(self, size: int) -> bytes:
        """``size`` bytes, fewer at the end of the file."""
        found = b""
        try:
            while len(found) < size and (more := self._file.read(size - len(found))):
                found += more
        except EOFError:
            raise self._error("cut off: it ends before its end is marked. Copy it again") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise self._error(f"damaged: {error}. Copy it again") from None
        except OSError as error:
            raise self._error(f"cannot be read: {os_reason(error)}") from error
        return found

    def _error(self, what: str) -> ArchiveError:
        return ArchiveError(self._path, what)


@contextmanager
def opened(path: str) -> Iterator[Reader]:
    """The archive at ``path``. Raises `ArchiveError`."""
    try:
        with open(path, "rb") as file:
            if not file.seekable():
                raise ArchiveError(path, "it is a pipe, which cannot be read twice: write the archive to a file first")
            yield Reader(file, path)
    except OSError as error:
        raise ArchiveError(path, f"cannot be read: {os_reason(error)}") from error


def _headers(name: str, size: int) -> bytes:
    """The header of a member, behind an extended one if name or size need that."""
    encoded = name.encode()
    extended = b""
    if len(encoded) > _NAME or not name.isascii():
        extended += _keyword("path", encoded)
    if size > _MOST_OCTAL:
        extended += _keyword("size", b"%d" % size)
    if not extended:
        return _header(encoded, size, b"0")
    # A reader that knows no extended headers makes files of the next best names.
    cut = encoded.decode("ascii", "replace").encode("ascii", "replace")[:_NAME]
    padded = extended + bytes(-len(extended) % BLOCK)
    return _header(_PAX_NAME.encode(), len(extended), b"x") + padded + _header(cut, min(size, _MOST_OCTAL), b"0")


def _keyword(name: str, value: bytes) -> bytes:
    """ "%d %s=%s\\n", where the number is the length of all of it, its own digits included."""
    rest = b" " + name.encode() + b"=" + value + b"\n"
    length = len(rest)
    while length != len(rest) + len(str(length)):
        length = len(rest) + len(str(length))
    return b"%d" % length + rest


def _header(name: bytes, size: int, kind: bytes) -> bytes:
    block = b"".join((
        name.ljust(_NAME, b"\0"),
        b"0000644\0",
        b"0000000\0" * 2,  # no owner
        b"%011o\0" % size,
        b"00000000000\0",  # no time
        b" " * 8,  # the checksum, taken with spaces in its place
        kind,
        bytes(100),
        b"ustar\x0000",
        bytes(64),
        b"0000000\0" * 2,
        bytes(155 + 12),
    ))  # fmt: skip
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
