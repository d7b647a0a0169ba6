"""What unpacking an archive would do, found out without unpacking it: zip and tar, gzip, bzip2, xz and zstd, nested.

Everything is read to its end in a few megabytes of memory, and counted as it comes: no size that the archive states of
itself is believed. An archive that cannot be looked into (encrypted, 7z, RAR, damaged) is refused.
"""

from __future__ import annotations

import bz2
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any, BinaryIO, NoReturn

from ..errors import ConfigError, UploadRefused, printable
from ..zstd import zstd_module

Read = Callable[[int], bytes]
"""Gives up to so many next bytes, none at the end."""

CHUNK = 1 << 16
# How much a decoder of xz may take; ``xz -9`` needs 65 MiB. And zstd's window: 2 to this power.
_XZ_MEMORY = 80 << 20
_ZSTD_WINDOW = 26
# Below this, no ratio is too large: a page of spaces is no bomb.
_RATIO_FROM = 10 << 20

_MAGIC: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"PK(?:\x03\x04|\x05\x06)"), "zip"),
    (re.compile(rb"\x1f\x8b"), "gzip"),
    (re.compile(rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)"), "bzip2"),
    (re.compile(rb"\xfd7zXZ\0"), "xz"),
    (re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18"), "zstd"),
    (re.compile(rb"7z\xbc\xaf\x27\x1c"), "7z"),
    (re.compile(rb"Rar!\x1a\x07"), "RAR"),
    (re.compile(rb"LZIP[\0\x01]"), "lzip"),
    (re.compile(rb"\x04\x22\x4d\x18|\x02\x21\x4c\x18"), "lz4"),
    (re.compile(rb"\x1f[\x9d\xa0]"), "compress"),
)
_SUFFIXES = {
    "tar": (".tar",), "gzip": (".gz", ".tgz", ".svgz"), "bzip2": (".bz2", ".tbz2", ".tbz"), "xz": (".xz", ".txz"),
    "zstd": (".zst", ".tzst"),
}  # fmt: skip
"""Kind → how the names of such archives end."""
_TAR_NAME = re.compile(r"\.(?:tar(?:\.(?:gz|bz2|xz|zst))?|tgz|tbz2?|txz|tzst)\Z", re.IGNORECASE)
# What is packed so by its name; some of these have nothing else that says so.
_UNREADABLE = re.compile(r"\.(?:lzma|tlz|lz|z|taz|lz4|br)\Z", re.IGNORECASE)
_HEAD = 512
# Nobody has longer names; they would take memory.
_LONGEST_NAME = 4096
# Nor so many streams one after the other, each of which takes time though nothing may come out: bgzip, which makes the
# most, has 64 KiB in each.
_MOST_STREAMS = 10_000
_LEAST_STREAM = 32 << 10


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may unpack to."""

    unpacked: int = 512 << 20
    """All that comes out, on all levels of nesting together. Bytes."""
    ratio: float = 200.0
    """How many times as large as the archive that may be, from 10 MiB on."""
    members: int = 10_000
    """How many files and folders, on all levels together."""
    depth: int = 4
    """How many archives one within the other: a ``.tar.gz`` is two, an office file in it the third."""
    nested: int = 32 << 20
    """How large a zip may be that is within another archive, with those that are within it: they are held in memory.
    Bytes."""


class Budget:
    """What of its limits an archive has used up."""

    def __init__(self, name: str, size: int, limits: ArchiveLimits) -> None:
        self.limits = limits
        self._name, self._size = name, size
        self._unpacked = self._members = self._streams = self._held = 0

    def refuse(self, what: str, code: str) -> NoReturn:
        """Raise `UploadRefused`."""
        raise UploadRefused(self._name, what, code)

    def spend(self, count: int) -> None:
        """So many bytes have come out."""
        self._unpacked += count
        if self._unpacked > self.limits.unpacked:
            self.refuse(f"it unpacks to more than {self.limits.unpacked} bytes", "archive_size")
        if self._unpacked > _RATIO_FROM and self._unpacked > self.limits.ratio * self._size:
            self.refuse(f"it unpacks to more than {self.limits.ratio:g} times its size", "archive_ratio")

    def stream(self) -> None:
        """Another stream is in it, one of those that may follow each other."""
        self._streams += 1
        most = max(_MOST_STREAMS, self.limits.unpacked // _LEAST_STREAM)
        if self._streams > most:
            self.refuse(f"it has more than {most} parts", "archive_members")

    @contextmanager
    def held(self, read: Read) -> Iterator[BinaryIO]:
        """All that ``read`` gives, in memory meanwhile."""
        before, body = self._held, BytesIO()
        while chunk := read(CHUNK):
            self._held += len(chunk)
            if self._held > self.limits.nested:
                self.refuse(f"zips in it have more than {self.limits.nested} bytes", "archive_nested")
            body.write(chunk)
        yield body
        self._held = before

    def member(self, name: bytes) -> None:
        """A file or folder called ``name`` is in it."""
        self._members += 1
        if self._members > self.limits.members:
            self.refuse(f"it has more than {self.limits.members} files", "archive_members")
        self.called(name)

    def called(self, name: bytes) -> None:
        """The member is called ``name`` by some who unpack it."""
        if len(name) > _LONGEST_NAME:
            self.refuse("a file in it has a name of more than 4,096 bytes", "archive_name")
        try:
            text = name.decode()
        except UnicodeDecodeError:
            text = name.decode("cp437")
        if fault := _member_fault(text):
            self.refuse(f"a file in it is called {printable(text)[:200]!r}, which {fault}", "archive_name")

    def no_link(self, name: bytes) -> NoReturn:
        """What is called ``name`` in it is neither file nor folder."""
        what = printable(name.decode(errors="replace"))[:200]
        self.refuse(f"{what!r} in it is a link or a device, not a file", "archive_link")

    def damaged(self, what: str) -> NoReturn:
        """It cannot be read."""
        self.refuse(f"it is damaged: {what}", "archive_damaged")


def check_archive(name: str, file: BinaryIO, limits: ArchiveLimits | None = None) -> None:
    """Raise `UploadRefused` if ``file`` is an archive that unpacks to more than ``limits`` allow, or to other places.

    ``file`` can seek, and is at its beginning afterwards. What is no archive is nothing to this.
    """
    from .zip_archive import is_zip, walk_zip

    budget = Budget(name, file.seek(0, 2), limits or ArchiveLimits())
    if _UNREADABLE.search(name):
        budget.refuse("it is packed in a way that cannot be looked into", "archive_kind")
    try:
        file.seek(0)
        kind = _kind(_exactly(file.read, _HEAD))
        # Who unpacks a zip looks at its end, whatever it begins with; so a picture can be one, too, and so can another
        # archive, unless its name says to everybody that it is that one.
        if kind == "zip" or (not name.lower().endswith(_SUFFIXES.get(kind, ())) and is_zip(file, budget)):
            if budget.limits.depth < 1:
                budget.refuse("it is an archive", "archive_depth")
            walk_zip(file, budget, 1)
        if kind != "zip":
            file.seek(0)
            look(file.read, budget, 0, tar=bool(_TAR_NAME.search(name)))
        elif _TAR_NAME.search(name):
            budget.damaged("it is a zip by its beginning, and tar by its name")
    finally:
        file.seek(0)


def refuse_bombs(file: BinaryIO, name: str) -> None:
    """`check_archive` with the limits that it has by itself, for OPTIONS["inspect"]."""
    check_archive(name, file)


def look(read: Read, budget: Budget, depth: int, *, tar: bool = False) -> None:
    """Read a file to its end that is in ``depth`` archives, and look into it if it is one itself.

    ``tar``: it shall be one, packed or not. Some unpackers look for its first member behind what is none.
    """
    from .tar_archive import walk_tar
    from .zip_archive import ZipTail, walk_zip

    head = _exactly(read, _HEAD)
    kind = _kind(head)
    if tar and kind not in DECODERS:
        kind = "tar"
    # What is a file by itself was looked at from its end before.
    tail = ZipTail(_Joined(head, read).read) if depth and kind != "zip" else None
    whole = tail or _Joined(head, read)
    depth += 1
    if kind and depth > budget.limits.depth:
        budget.refuse(f"more than {budget.limits.depth} archives are one within the other", "archive_depth")
    if kind == "tar":
        walk_tar(whole.read, budget, depth)
    elif kind == "zip":
        with budget.held(whole.read) as body:
            walk_zip(body, budget, depth)
    elif kind in DECODERS:
        look(Chunks(unpacked(whole.read, kind, budget)).read, budget, depth, tar=tar)
    elif kind:
        budget.refuse(f"it is packed as {kind}, which cannot be looked into", "archive_kind")
    while whole.read(CHUNK):
        pass
    if tail is not None and tail.is_zip(head, apart=not kind):
        budget.refuse("a file in it is a zip behind something else", "archive_hidden")


def _kind(head: bytes) -> str:
    """What kind of archive begins with ``head``; empty for none."""
    from .tar_archive import is_tar

    if found := next((kind for magic, kind in _MAGIC if magic.match(head)), ""):
        return found
    return "tar" if is_tar(head) else "LZMA" if _is_lzma(head) else ""


def _is_lzma(head: bytes) -> bool:
    """Whether ``head`` begins what older ``lzma`` made, which has no magic: properties, window, size, and a first 0.

    Python's ``lzma`` and ``xz -d`` take it for what they unpack, so it is one if something comes out.
    """
    if len(head) < 18 or head[0] >= 225 or head[13]:
        return False
    window, size = int.from_bytes(head[1:5], "little"), int.from_bytes(head[5:13], "little")
    # Those take no other windows: 2 to some power, or that and half of it.
    if window.bit_count() > 2 or (window.bit_count() == 2 and window & (window >> 1) == 0):
        return False
    if 1 << 38 <= size < (1 << 64) - 1:
        return False
    try:
        return bool(lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_XZ_MEMORY).decompress(head, CHUNK))
    except lzma.LZMAError as error:
        return "emory" in str(error)


def unpacked(read: Read, kind: str, budget: Budget, *, alone: bool = False) -> Iterator[bytes]:
    """What comes out of the streams of ``kind`` that follow each other, counted.

    ``alone``: of the one stream that there must be, with nothing behind it.
    """
    make, again = DECODERS[kind]
    packed = b""
    try:
        while True:
            if not alone:
                budget.stream()
            decoder = make()
            while not decoder.eof:
                if not packed and decoder.needs_input and not (packed := read(CHUNK)):
                    budget.damaged("it ends too early")
                chunk = decoder.decompress(packed, CHUNK)
                packed = b""
                budget.spend(len(chunk))
                if chunk:
                    yield chunk
            packed = _behind(decoder.unused_data, read, padded=not alone)
            if not packed:
                return
            if alone or not again.match(packed):
                budget.damaged("there is more behind its end")
    except (zlib.error, lzma.LZMAError, EOFError, ValueError) as error:
        budget.damaged(str(error))
    except OSError as error:
        # bz2 has no error of its own; what fails to be read has a number.
        if error.errno is not None:
            raise
        budget.damaged(str(error))
    except ConfigError:
        budget.refuse(f"it is packed as {kind}, which cannot be looked into here", "archive_kind")


def _behind(unused: bytes, read: Read, *, padded: bool) -> bytes:
    """The next bytes behind a stream, of which its decoder has ``unused``, and behind the zeros that may follow.

    Some unpackers go on behind zeros, with which tapes are filled up.
    """
    rest = _Joined(unused, read)
    packed = _exactly(rest.read, _HEAD)
    while padded and packed[:1] == b"\0":
        packed = packed.lstrip(b"\0") or _exactly(rest.read, CHUNK)
    return packed + _exactly(rest.read, _HEAD - len(packed)) + rest.kept


class Chunks:
    """Chunks of any length, read in portions."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, b""

    def read(self, count: int) -> bytes:
        """Up to ``count`` next bytes, none at the end."""
        if not self._left:
            self._left = next(self._chunks, b"")
        chunk, self._left = self._left[:count], self._left[count:]
        return chunk


class _Joined:
    """Bytes, and what is read behind them."""

    def __init__(self, first: bytes, then: Read) -> None:
        self.kept, self._then = first, then

    def read(self, count: int) -> bytes:
        if self.kept:
            chunk, self.kept = self.kept[:count], self.kept[count:]
            return chunk
        return self._then(count)


class _Inflate:
    """zlib's decoder with the manners of the others."""

    def __init__(self, window: int) -> None:
        self._decoder = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._decoder.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, packed: bytes, most: int) -> bytes:
        return self._decoder.decompress(self._decoder.unconsumed_tail + packed, most)


def _unzstd() -> Any:
    module = zstd_module()

    class Decoder:
        """Zstandard's, with its error as the others have theirs."""

        def __init__(self) -> None:
            options = {module.DecompressionParameter.window_log_max: _ZSTD_WINDOW}
            self._decoder = module.ZstdDecompressor(options=options)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._decoder, name)

        def decompress(self, packed: bytes, most: int) -> bytes:
            try:
                found: bytes = self._decoder.decompress(packed, most)
            except module.ZstdError as error:
                raise ValueError(str(error)) from None
            return found

    return Decoder()


_NEVER = re.compile(rb"(?!)")
DECODERS: dict[str, tuple[Callable[[], Any], re.Pattern[bytes]]] = {
    "deflate": (lambda: _Inflate(-15), _NEVER),
    "gzip": (lambda: _Inflate(31), re.compile(rb"\x1f\x8b")),
    "bzip2": (bz2.BZ2Decompressor, re.compile(rb"BZh")),
    "xz": (lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY), re.compile(rb"\xfd7zXZ\0")),
    "zstd": (_unzstd, re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")),
}
"""Kind → what makes a decoder, and how another stream behind the first one begins."""


def _exactly(read: Read, count: int) -> bytes:
    """``count`` bytes, fewer only at the end."""
    parts = []
    while count > 0 and (part := read(min(count, CHUNK))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _member_fault(name: str) -> str:
    """Why nobody should unpack a file called ``name``; empty if they may."""
    if _CONTROL.search(name):
        return "has a control character"
    parts = name.replace("\\", "/").split("/")
    if ".." in parts:
        return "leads out of the folder into which it is unpacked"
    if (parts[0] == "" and len(parts) > 1) or re.match("[A-Za-z]:", name):
        return "does not begin in the folder into which it is unpacked"
    return ""
