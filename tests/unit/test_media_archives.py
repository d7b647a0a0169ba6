"""Bombs, and archives as people make them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import random
import stat
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable

import pytest

from shipfiles.errors import UploadRefused
from shipfiles.media.archives import ArchiveLimits, check_archive, refuse_bombs
from shipfiles.zstd import zstd_module

SMALL = ArchiveLimits(unpacked=1 << 20, members=50, depth=3, nested=1 << 20)
TEXT = random.Random(8).randbytes(3000)


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return out.getvalue()


def tarred(members: dict[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, body in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return out.getvalue()


def check(body: bytes, limits: ArchiveLimits = SMALL, name: str = "up.load") -> None:
    file = io.BytesIO(body)
    check_archive(name, file, limits)
    assert file.tell() == 0


def code(body: bytes, limits: ArchiveLimits = SMALL, name: str = "up.load") -> str:
    with pytest.raises(UploadRefused) as refused:
        check(body, limits, name)
    assert refused.value.name == name
    return refused.value.code


def zstd(body: bytes) -> bytes:
    found: bytes = zstd_module().compress(body)
    return found


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_zips_of_every_method(method: int) -> None:
    check(zipped({"a.txt": TEXT, "b/c.txt": b"", "b/": b"", "é.txt": b"x" * 5000}, method))
    # In front of it may be what it likes: a program that unpacks itself, a picture.
    check(b"GIF89a" + b"\0" * 100 + zipped({"a": TEXT}, method))
    check(zipped({}))


def test_zips_that_are_written_to_a_pipe_or_are_large() -> None:
    """With sizes behind the bytes (section 4.3.9), and with those of ZIP64 (4.5.3)."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.parts: list[bytes] = []

        def writable(self) -> bool:
            return True

        def write(self, part: object) -> int:
            self.parts.append(bytes(part))  # type: ignore[call-overload]
            return len(self.parts[-1])

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", TEXT)
        with archive.open("b", "w", force_zip64=True) as member:
            member.write(TEXT)
    check(b"".join(pipe.parts))
    # As writers of ZIP64 do for all archives: the end record has only maxima.
    small = zipped({"a": TEXT})
    at = small.rfind(b"PK\5\6")
    count, length, offset = struct.unpack_from("<H2L", small, at + 10)
    end = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    maxima = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    large = small[:at] + end + locator + maxima
    assert zipfile.ZipFile(io.BytesIO(large)).read("a") == TEXT
    check(large)
    check(b"before" + large)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("codec", [None, *CODECS])
def test_tars_of_every_form(form: int, codec: str | None) -> None:
    long = "/".join(["folder"] * 20) + "/file.txt"
    body = tarred({"a.txt": TEXT, long: b"x" * 5000, "é" * 45: b"", "z": b"1" * 512}, form)
    check(CODECS[codec](body) if codec else body)


@pytest.mark.parametrize("codec", CODECS)
def test_several_streams_one_after_the_other(codec: str) -> None:
    pack = CODECS[codec]
    check(pack(TEXT) * 3 + b"\0" * 700)
    assert code(pack(b"\0" * 700_000) * 2) == "archive_size"
    assert code(pack(TEXT)[:-9]) == "archive_damaged"


def test_what_is_no_archive_is_taken() -> None:
    for body in (b"", b"x", b"PK", TEXT, b"\x89PNG\r\n\x1a\n" + TEXT, b"text about PK\5\6 and more"):
        check(body)


@pytest.mark.parametrize("codec", CODECS)
def test_a_stream_that_unpacks_to_much_more(codec: str) -> None:
    """400 MB of zeros: refused after the first that are too many, in little memory."""
    pack = CODECS[codec]
    bomb = pack(b"\0" * (20 << 20)) * 20
    tracemalloc.start()
    try:
        assert code(bomb) == "archive_size"
        assert code(bomb, ArchiveLimits(ratio=50)) == "archive_ratio"
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # xz alone has a dictionary of 8 MiB.
    assert peak < 24 << 20


def test_a_zip_that_lies_about_its_sizes() -> None:
    bomb = bytearray(zipped({"a": b"\0" * (2 << 20)}))
    for magic, at in ((b"PK\3\4", 22), (b"PK\1\2", 24)):
        struct.pack_into("<L", bomb, bomb.find(magic) + at, 10)
    assert zipfile.ZipFile(io.BytesIO(bytes(bomb))).getinfo("a").file_size == 10
    assert code(bytes(bomb)) == "archive_size"


def fifield(count: int, kernel: bytes) -> bytes:
    """David Fifield's zip bomb (WOOT 2019, section 3.2): each file quotes the header of the next one in a stored block
    of deflate, and all end with the same kernel."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body, size, crc = packer.compress(kernel) + packer.flush(), len(kernel), zlib.crc32(kernel)
    out, plain, listed = body, kernel, []
    for number in reversed(range(count)):
        name = b"%06d" % number
        if listed:
            # What was the whole archive so far begins with a header that is now a part of the bytes.
            quoted = out[: 30 + 6]
            out = struct.pack("<BHH", 0, len(quoted), len(quoted) ^ 0xFFFF) + out
            plain = quoted + plain
            size, crc = len(plain), zlib.crc32(plain)
        out = struct.pack("<4s5H3L2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(out), size, 6, 0) + name + out
        listed.append((name, crc, len(out) - 36, size, len(out)))
    start = len(out)
    directory = b"".join(
        struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, packed, size, 6, 0, 0, 0, 0, 0, start - at)
        + name
        for name, crc, packed, size, at in reversed(listed)
    )
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), start, 0)
    return out + directory + end


def test_files_that_lie_one_upon_the_other() -> None:
    kernel = b"\0" * 30_000
    assert zipfile.ZipFile(io.BytesIO(fifield(1, kernel))).read("000000") == kernel
    check(fifield(1, kernel))
    assert code(fifield(20, kernel)) == "archive_overlap"
    # And all of them at one place.
    one = bytearray(zipped({"a": kernel}))
    at, end = one.find(b"PK\1\2"), one.find(b"PK\5\6")
    entry = bytes(one[at:end])
    struct.pack_into("<2HL", one, end + 8, 9, 9, 9 * len(entry))
    assert code(bytes(one[:at]) + entry * 9 + bytes(one[end:])) == "archive_overlap"


def test_many_files() -> None:
    check(zipped({str(number): b"" for number in range(50)}))
    assert code(zipped({str(number): b"" for number in range(51)})) == "archive_members"
    assert code(tarred({str(number): b"" for number in range(51)})) == "archive_members"
    # On all levels together.
    part = zipped({str(number): b"" for number in range(30)})
    assert code(zipped({"a.zip": part, "b.zip": part})) == "archive_members"


def test_what_takes_time_and_memory_without_unpacking_to_anything() -> None:
    assert code(gzip.compress(b"") * 100_001) == "archive_members"
    assert code(zipped({"x" * 4097: b""})) == "archive_name"
    assert code(tarred({"x" * 4097: b""})) == "archive_name"


def test_archives_in_archives() -> None:
    body = TEXT
    for depth in range(4):
        refused = depth > 3
        assert not refused
        body = zipped({"0.zip": body})
        if depth < 3:
            check(body)
    assert code(body) == "archive_depth"
    mixed = gzip.compress(tarred({"office.docx": zipped({"word/document.xml": TEXT})}))
    check(mixed)
    assert code(zipped({"mixed": mixed})) == "archive_depth"
    assert code(zipped({"a": TEXT}), ArchiveLimits(depth=0)) == "archive_depth"
    assert code(gzip.compress(TEXT), ArchiveLimits(depth=0)) == "archive_depth"


def test_what_nested_archives_unpack_to_counts_together() -> None:
    layer = zipped({str(number): b"\0" * 100_000 for number in range(4)})
    check(zipped({"1.zip": layer}))
    assert code(zipped({"1.zip": layer, "2.zip": layer, "3.zip": layer})) == "archive_size"
    noise = random.Random(1).randbytes(5000)
    assert code(zipped({"1.zip": zipped({"a": noise})}), ArchiveLimits(nested=4000)) == "archive_nested"


@pytest.mark.parametrize(
    "name",
    ["../a", "a/../../b", "/etc/passwd", "..", "a\\..\\..\\b", "C:\\a", "c:a", "\\a", "a\nb", "a\x1bb"],
)  # fmt: skip
def test_names_that_lead_elsewhere(name: str) -> None:
    assert code(tarred({name: b""}, tarfile.GNU_FORMAT)) == "archive_name"
    assert code(tarred({"ok": b"", name + "x" * 200: b""} if name != ".." else {name: b""})) == "archive_name"
    assert code(zipped({name: b""})) == "archive_name"


def test_the_other_name_of_a_zips_member_counts() -> None:
    """Section 4.6.9: Info-ZIP's unzip prefers it."""
    info = zipfile.ZipInfo("harmless")
    path = b"../../evil"
    info.extra = struct.pack("<2HBL", 0x7075, 5 + len(path), 1, zlib.crc32(b"harmless")) + path
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(info, b"")
    assert code(out.getvalue()) == "archive_name"


def test_links_and_devices() -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as archive:
            info = tarfile.TarInfo("a")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        assert code(out.getvalue()) == "archive_link"
    link = zipfile.ZipInfo("a")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert code(out.getvalue()) == "archive_link"


def test_modes_that_mean_nothing() -> None:
    """Maven writes folders with all bits set."""
    folder = zipfile.ZipInfo("META-INF/")
    folder.create_system, folder.external_attr = 3, 0xFFFF << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(folder, "")
    check(out.getvalue())


def test_what_only_some_unpackers_find() -> None:
    hidden = zipped({"../evil": b"x"})
    local = hidden[: hidden.find(b"PK\1\2")]
    visible = zipped({"a": TEXT})
    at = visible.find(b"PK\1\2")
    between = bytearray(visible[:at] + local + visible[at:])
    struct.pack_into("<L", between, between.rfind(b"PK\5\6") + 16, at + len(local))
    assert zipfile.ZipFile(io.BytesIO(bytes(between))).namelist() == ["a"]
    assert code(bytes(between)) == "archive_hidden"
    # A zip behind a zip: who reads from the beginning finds the first one.
    assert code(hidden + visible) in ("archive_hidden", "archive_name")
    # Another name in the member's own header.
    other = bytearray(visible)
    other[30:31] = b"b"
    assert code(bytes(other)) == "archive_damaged"
    # Behind the end of a tar.
    assert code(tarred({"a": b""}) + tarred({"../evil": b""})) == "archive_name"
    # A tar that is a zip, too; what it is called decides whether anybody takes it for one.
    both = tarred({"a": b""}) + zipped({"../evil": b""})
    assert code(both, name="a.tar") == "archive_damaged"
    for name in ("a.zip", "a.docx", "a"):
        assert code(both, name=name) == "archive_name"
    # A picture that is one.
    assert code(b"GIF89a" + zipped({"../evil": b""}), name="a.gif") == "archive_name"


def test_sparse_files() -> None:
    """A tar of a few bytes that unpacks to a file of a terabyte."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("a")
        info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
        archive.addfile(info)
    assert code(out.getvalue()) == "archive_size"


def test_what_cannot_be_looked_into() -> None:
    encrypted = bytearray(zipped({"a": TEXT}))
    for magic, at in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        struct.pack_into("<H", encrypted, encrypted.find(magic) + at, 1)
    assert code(bytes(encrypted)) == "archive_encrypted"
    assert code(zipped({"a": TEXT}, zipfile.ZIP_LZMA)) == "archive_kind"
    for head in (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\7\0", b"Rar!\x1a\7\1\0"):
        assert code(head + TEXT) == "archive_kind"
        assert code(zipped({"a": head + TEXT})) == "archive_kind"
    # A decoder that wants more memory than a server has.
    huge = bytearray(lzma.compress(TEXT))
    # The .xz file format 1.2.0, sections 3.1 and 5.3.1: filter 0x21 has one byte of properties; 36 means 1 GiB.
    at = huge.index(b"\x21\x01", 12) + 2
    huge[at] = 36
    header = 4 * (huge[12] + 1)
    struct.pack_into("<L", huge, 12 + header - 4, zlib.crc32(huge[12 : 12 + header - 4]))
    assert code(bytes(huge)) == "archive_damaged"
    module = zstd_module()
    stream = module.ZstdCompressor(options={module.CompressionParameter.window_log: 28})
    wide = stream.compress(TEXT) + stream.flush()
    assert code(wide) == "archive_damaged"


def test_damaged_archives_are_refused_and_nothing_else_is_raised() -> None:
    whole = [
        zipped({"a": TEXT, "b/c": b"x" * 3000}), tarred({"a": TEXT, "é" * 80: b"x" * 3000}),
        gzip.compress(tarred({"a": TEXT})), bz2.compress(TEXT), lzma.compress(TEXT), zstd(TEXT),
    ]  # fmt: skip
    chance = random.Random(20)
    for body in whole:
        for _ in range(150):
            changed = bytearray(body[: chance.randrange(len(body))] if chance.random() < 0.3 else body)
            for _ in range(chance.randrange(1, 6)):
                if changed:
                    changed[chance.randrange(len(changed))] = chance.randrange(256)
            try:
                check(bytes(changed))
            except UploadRefused:
                continue


def test_a_failing_disk_is_no_damaged_archive() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 600:
                raise OSError(5, os.strerror(5))
            return super().read(size if size is not None and size < 600 else 600)

    with pytest.raises(OSError, match="5"):
        check_archive("a.bz2", Failing(bz2.compress(TEXT)), SMALL)


def test_the_hook() -> None:
    refuse_bombs(io.BytesIO(zipped({"a": TEXT})), "a.zip")
    with pytest.raises(UploadRefused):
        refuse_bombs(io.BytesIO(zipped({"../a": TEXT})), "a.zip")


def header(
    name: bytes, *, size: bytes = b"", kind: bytes = b"0", magic: bytes = b"ustar\00000", prefix: bytes = b""
) -> bytearray:
    """A header of a tar's member without its checksum: POSIX.1-2024, pax, table "ustar Header Block"."""
    block = bytearray(512)
    fields = (
        (0, name), (100, b"0000644"), (124, size), (148, b" " * 8), (156, kind), (157, b"/etc/passwd"), (257, magic),
        (345, prefix),
    )  # fmt: skip
    for at, field in fields:
        block[at : at + len(field)] = field
    return block


def summed(block: bytearray) -> bytes:
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_headers_of_tar_that_only_some_take_for_one() -> None:
    end = bytes(1024)
    signed = header("é".encode(), kind=b"2")
    signed[148:156] = b"%06o\0 " % sum(byte - 256 * (byte > 127) for byte in signed)
    binary = header(b"a", kind=b"2")
    binary[148:156] = b"\x80" + sum(binary).to_bytes(7, "big")
    for link in (signed, binary):
        # Python takes it for a link, too.
        with tarfile.open(fileobj=io.BytesIO(link + end)) as archive:
            assert archive.getmembers()[0].issym()
        assert code(link + end) == "archive_link"
    outside = summed(header(b"evil", magic=b"ustar  \0", prefix=b"..")) + end
    with tarfile.open(fileobj=io.BytesIO(outside)) as archive:
        assert archive.getnames() == ["../evil"]
    assert code(outside) == "archive_name"
    for size in (b"000000001_0\0", b"\x81" + bytes(10) + b"\x01", b"\0" + b"0000001000\0", b"-0000000001\0"):
        assert code(summed(header(b"a", size=size)) + bytes(512) + end) == "archive_damaged"
    link = summed(header(b"evil", kind=b"2")) + end
    # GNU's tar looks for the next header behind what is none, at the beginning too.
    assert code(summed(header(b"a")) + b"J" * 512 + link) == "archive_damaged"
    for name, body in (("a.tar", link), ("A.TAR.GZ", gzip.compress(b"J" * 512 + link)), ("a.tgz", zipped({"a": b""}))):
        assert code(b"J" * 512 + body if name == "a.tar" else body, name=name) == "archive_damaged"
    wrong = bytearray(link)
    wrong[0] ^= 1
    assert code(bytes(wrong)) == "archive_damaged"
    check(bytes(10240), name="empty.tar")
    check(summed(header(b"a", size=b"       3    ", magic=b"")) + b"abc".ljust(512, b"\0") + end)


def test_ends_of_zip_that_only_some_take_for_one() -> None:
    bomb = b"J" + zipped({"../evil": bytes(100)})
    at = bomb.rfind(b"PK\5\6")
    comment = bomb[:-2] + b"\4\0PK\5\6"
    offset = bytearray(bomb)
    offset[at + 16 : at + 20] = b"PK\5\6"
    # Read as the length before it says, this is at another place than its directory says.
    start = at - struct.unpack_from("<L", bomb, at + 12)[0]
    struct.pack_into("<L", offset, start + 42, 1 + 0x06054B50 - start)
    assert zipfile.ZipFile(io.BytesIO(bytes(offset))).namelist() == ["../evil"]
    for body in (comment, bytes(offset)):
        assert code(body, name="a.gif") == "archive_hidden"
        assert code(zipped({"a.gif": body})) == "archive_hidden"
    assert code(zipped({"a": bomb})) == "archive_hidden"
    assert code(tarred({"a": bomb + b"J"}), name="a.tar") == "archive_hidden"
    # APPNOTE 4.3.14 and 4.3.15: the longer record has a directory of its own.
    plain = zipped({"a": TEXT})
    at = plain.rfind(b"PK\5\6")
    count, length, start = struct.unpack_from("<H2L", plain, at + 10)
    wide = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, length, start)
    wide += struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    check(plain[:at] + wide + plain[at:])
    check(plain[:at] + wide + plain[at : at + 8] + b"\xff" * 12 + b"\0\0")
    for place in (at + 8, at + 10, at + 12, at + 16):
        other = bytearray(plain)
        other[place] ^= 1
        assert code(bytes(other[:at] + wide + other[at:])) == "archive_hidden"
    other = bytearray(plain)
    other[at + 10] = 2
    assert code(bytes(other)) == "archive_damaged"


@pytest.mark.parametrize("system", [0, 2, 3, 5, 16, 19, 30])
def test_links_of_every_system(system: int) -> None:
    link = zipfile.ZipInfo("a")
    link.create_system, link.external_attr = system, stat.S_IFLNK << 16
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    assert code(out.getvalue()) == "archive_link"


@pytest.mark.parametrize("codec", CODECS)
def test_zeros_and_other_things_behind_a_stream(codec: str) -> None:
    pack = CODECS[codec]
    for zeros in (4, 512, 200_000):
        check(pack(TEXT) + bytes(zeros))
        assert code(pack(b"hi") + bytes(zeros) + pack(bytes(2 << 20))) == "archive_size"
    assert code(pack(TEXT) + b"J") == "archive_damaged"
    assert code(pack(TEXT) + bytes(8) + b"J") == "archive_damaged"


def test_older_kinds_that_cannot_be_looked_into() -> None:
    alone = lzma.compress(bytes(2 << 20), format=lzma.FORMAT_ALONE)
    assert code(alone) == code(zipped({"a": alone})) == "archive_kind"
    for head in (b"LZIP\1\x0c", b"\x04\x22\x4d\x18", b"\x1f\x9d\x90"):
        assert code(head + TEXT) == code(zipped({"a": head + TEXT})) == "archive_kind"
    for suffix in ("lzma", "lz", "Z", "lz4", "br", "tlz"):
        assert code(TEXT, name=f"a.{suffix}") == "archive_kind"
    # Zeros, a font and an icon begin nearly so.
    for body in (
        bytes(1000),
        b"\0\1\0\0\0\x0f\0\x80\0\3\0\x70" + TEXT,
        b"\0\0\1\0\1\0\x10\x10" + TEXT,
        b"]\0\0" + TEXT,
    ):
        check(body)


def test_many_streams_in_many_members() -> None:
    """RFC 8878 section 3.1.2: a skippable frame, which is empty; nothing comes out of any number of them."""
    frames = b"\x50\x2a\x4d\x18\0\0\0\0" * 9000
    assert code(zipped({"a": frames, "b": frames}), ArchiveLimits()) == "archive_members"
    assert code(tarred({str(i): gzip.compress(b"") * 900 for i in range(20)}), ArchiveLimits()) == "archive_members"


def test_zips_in_zips_share_what_they_may_take_in_memory() -> None:
    """One within the other, they are in memory at once; one behind the other, they are not."""
    inner = random.Random(1).randbytes(600_000)
    once = zipped({"a": inner}, zipfile.ZIP_STORED)
    limits = ArchiveLimits(unpacked=1 << 24, nested=1 << 20)
    check(zipped({"1": once, "2": once}, zipfile.ZIP_STORED), limits)
    twice = zipped({"a": once}, zipfile.ZIP_STORED)
    assert code(zipped({"a": twice}, zipfile.ZIP_STORED), limits) == "archive_nested"
