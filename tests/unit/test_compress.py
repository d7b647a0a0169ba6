"""The codings, undone by decoders that are not ours."""

from __future__ import annotations

import binascii
import gzip
import hashlib
import random
import shutil
import struct
import subprocess
import sys
import threading
import zlib

import brotli
import deflate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.compress import Compressor, compressors, is_kept, is_wanted, settings_of
from shipfiles.config import Coding, CompressConfig, Profile, from_mapping
from shipfiles.errors import ConfigError
from shipfiles.zstd import zstd_module

PROFILES: tuple[Profile, ...] = ("small", "fast")
DECODERS = {"br": brotli.decompress, "gzip": gzip.decompress, "zstd": zstd_module().decompress}
ALL: tuple[Coding, ...] = ("br", "gzip", "zstd")
FAST = CompressConfig(codings=ALL, brotli_quality=3, zstd_level=3)


@pytest.mark.parametrize("compressor", compressors(FAST, 3000), ids=lambda c: c.token)
@given(body=st.binary(max_size=3000))
def test_the_standard_decoder_gives_the_body_back(compressor: Compressor, body: bytes) -> None:
    assert DECODERS[compressor.token](compressor.compress(body)) == body


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("size", [0, 1, 999, 1000, 65_520, 65_521, 300_000])
def test_every_profile_at_every_size(profile: Profile, size: int) -> None:
    body = (b"".join(b"rule%d { color: #%06x }\n" % (i, i * 7919 % 0xFFFFFF) for i in range(size // 20 + 1)))[:size]
    for spare in (False, True):
        for compressor in compressors(CompressConfig(codings=ALL, profile=profile), size, spare=spare):
            assert DECODERS[compressor.token](compressor.compress(body)) == body


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("size", [1, 65_521, 4_300_000])
def test_node_decodes_it(size: int) -> None:
    """A decoder that is neither Python's zlib nor the encoder's own library; 4.3 MB takes the window of 24 bits."""
    body = random.Random(size).randbytes(1 << 12) * (size // (1 << 12) + 1)
    body = body[:size]
    for compressor, undo in zip(compressors(FAST, size), ("brotliDecompressSync", "gunzipSync"), strict=False):
        code = f"process.stdout.write(require('zlib').{undo}(require('fs').readFileSync(0)))"
        done = subprocess.run(["node", "-e", code], input=compressor.compress(body), capture_output=True, check=True)
        assert done.stdout == body


@pytest.mark.parametrize("level", range(1, 13))
def test_a_gzip_member(level: int) -> None:
    """RFC 1952 section 2.3; what is between header and trailer is RFC 1951, read here by zlib."""
    body = b"body { color: red }\n" * 200 + bytes(range(256))
    (gz,) = compressors(CompressConfig(codings=("gzip",), gzip_level=level), len(body))
    member = gz.compress(body)
    # ID1 ID2 CM FLG MTIME(4) XFL OS; MTIME 0 is "no time stamp", OS 255 "unknown".
    assert member[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255])
    assert struct.unpack("<LL", member[-8:]) == (binascii.crc32(body), len(body))
    raw = zlib.decompressobj(-zlib.MAX_WBITS)
    assert raw.decompress(member[10:-8]) == body
    assert raw.eof
    assert raw.unused_data == b""


@pytest.mark.parametrize(
    ("size", "bits"),
    [(1000, 16), ((1 << 16) - 16, 16), ((1 << 16) - 15, 22), ((1 << 22) - 16, 22), ((1 << 22) - 15, 24)],
)
def test_the_window_of_a_brotli_stream_holds_the_body(size: int, bits: int) -> None:
    """RFC 7932 section 9.1: WBITS comes first, from the right ``0`` for 16, ``1011`` for 22, ``1111`` for 24."""
    (br,) = compressors(CompressConfig(codings=("br",), brotli_quality=5), size)
    first = br.compress(bytes(size))[0]
    # Section 1.5.1: the first bit of a byte is its least significant one.
    wbits = 16 if first & 1 == 0 else {0b1011: 22, 0b1111: 24}[first & 0b1111]
    assert wbits == bits
    assert size <= (1 << wbits) - 16


def frame_header(frame: bytes) -> tuple[int, int | None, bool]:
    """Window size, size of the content and whether there is a checksum: RFC 8878 section 3.1.1.1."""
    assert frame[:4] == b"\x28\xb5\x2f\xfd"
    descriptor = frame[4]
    single, checksum, dictionary = bool(descriptor & 0x20), bool(descriptor & 0x04), descriptor & 0x03
    at = 5
    window = 0
    if not single:
        exponent, mantissa = frame[at] >> 3, frame[at] & 7
        base = 1 << (10 + exponent)
        window, at = base + base // 8 * mantissa, at + 1
    assert dictionary == 0
    length = {0: 1 if single else 0, 1: 2, 2: 4, 3: 8}[descriptor >> 6]
    content = int.from_bytes(frame[at : at + length], "little") + (256 if length == 2 else 0) if length else None
    return (content or 0) if single else window, content, checksum


@pytest.mark.parametrize("level", [1, 3, 12, 19, 20, 22])
@pytest.mark.parametrize("size", [0, 1, 300, 70_000, 8_388_608, 8_388_609, 9_000_000])
def test_no_zstd_window_is_larger_than_browsers_take(level: int, size: int) -> None:
    """RFC 9659 section 3: the window of the content coding is at most 8 MB."""
    body = (b"%08d" % level * (size // 8 + 1))[:size]
    (zstd,) = compressors(CompressConfig(codings=("zstd",), zstd_level=level), size)
    frame = zstd.compress(body)
    window, content, checksum = frame_header(frame)
    assert window <= 8 * 1024 * 1024
    assert (content, checksum) == (size, False)
    assert zstd.decompress(frame) == body


@pytest.mark.skipif(shutil.which("zstd") is None, reason="needs the zstd program")
@pytest.mark.parametrize("size", [1, 70_000, 9_000_000])
def test_the_zstd_program_decodes_it_within_that_window(size: int) -> None:
    body = (random.Random(size).randbytes(1 << 12) * (size // (1 << 12) + 1))[:size]
    (zstd,) = compressors(CompressConfig(codings=("zstd",), zstd_level=22), size)
    command = ["zstd", "-d", "-c", "--memory=8MB"]
    assert subprocess.run(command, input=zstd.compress(body), capture_output=True, check=True).stdout == body


def test_zstd_of_damaged_bytes_is_an_error() -> None:
    (zstd,) = compressors(CompressConfig(codings=("zstd",)), 100)
    for wrong in (b"", b"no frame", zstd.compress(b"x" * 100)[:-3]):
        with pytest.raises(ValueError, match=r"."):
            zstd.decompress(wrong)


def test_without_the_extra_the_error_names_it() -> None:
    code = """
import sys
for name in ("compression", "compression.zstd", "backports", "backports.zstd"):
    sys.modules[name] = None
from shipfiles.build.compress import compressors, settings_of
from shipfiles.config import CompressConfig
from shipfiles.decode import decoder_of
assert decoder_of("zstd") is None
assert len(compressors(CompressConfig(), 1000)) == 2
settings_of(CompressConfig(codings=("br", "zstd")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    error = done.stderr.strip().splitlines()[-1]
    assert error.startswith(f"{ConfigError.__module__}.ConfigError: OPTIONS['compress']['codings'] has 'zstd'")
    assert "pip install 'shipfiles[zstd]'" in error


# Made once, on x86-64 Linux under Python 3.12: every other machine and Python must make the same with these versions.
# No other bytes are known to be right, so there is nothing to compare with but this.
PINNED = {
    ("1.2.1", "0.9.0"): "08ff3b7a631dea62dabca081868f35cdffe95009c8b4b6b602c6d203c5d8677e",
}


def test_the_same_bytes_on_every_machine_and_python() -> None:
    versions = (brotli.__version__, deflate.__version__)
    if versions not in PINNED:
        pytest.skip(f"nothing is known of brotli {versions[0]} and deflate {versions[1]}")
    names = [hashlib.md5(b"%d" % i).hexdigest()[:3] for i in range(9000)]
    rules = [f".c{name} {{ top: {i % 97}px; left: {i % 89}em }}\n" for i, name in enumerate(names)]
    text = "".join(rules).encode()
    digest = hashlib.sha256()
    for body in (text[:700], text[:50_000], text):
        for profile in PROFILES:
            for spare in (False, True):
                for compressor in compressors(CompressConfig(profile=profile), len(body), spare=spare):
                    digest.update(compressor.compress(body))
    assert digest.hexdigest() == PINNED[versions]


def test_several_threads_compress_at_once() -> None:
    """While one thread encodes, another one runs: with an encoder that kept Python to itself it would have to wait."""
    body = b"".join(hashlib.md5(b"%d" % i).hexdigest().encode() for i in range(30_000))
    config = CompressConfig(codings=ALL, brotli_quality=9, gzip_level=12)
    for compressor in compressors(config, len(body)):
        encoder = threading.Thread(target=compressor.compress, args=(body,))
        interval = sys.getswitchinterval()
        # Python itself does not take turns now: this thread goes on only if the encoder lets it.
        sys.setswitchinterval(1000)
        try:
            encoder.start()
            seen_at_work = encoder.is_alive()
            encoder.join()
        finally:
            sys.setswitchinterval(interval)
        assert seen_at_work, compressor.token


def test_settings_say_what_the_bytes_depend_on() -> None:
    """They name entries of the cache: other versions, qualities or windows must have other ones."""
    br, gz = compressors(CompressConfig(), 300_000)
    assert brotli.__version__ in br.settings
    assert deflate.__version__ in gz.settings
    lines = [
        settings_of(config)
        for config in (
            CompressConfig(),
            CompressConfig(profile="fast"),
            CompressConfig(brotli_quality=10),
            CompressConfig(gzip_level=10),
            CompressConfig(codings=("gzip",)),
            CompressConfig(codings=("zstd",)),
            CompressConfig(codings=("zstd",), zstd_level=20),
            CompressConfig(margin=0.1),
            CompressConfig(min_size=1),
        )
    ]
    assert len(set(lines)) == len(lines)
    assert settings_of(from_mapping(CompressConfig, {"profile": "small"})) == lines[0]


def test_an_explicit_quality_wins_over_the_profile() -> None:
    """For every body, so that what is asked for is what is made."""
    body = b"p { color: red }\n" * 20_000
    for profile in PROFILES:
        config = CompressConfig(profile=profile, brotli_quality=4, gzip_level=2)
        for part in (body[:500], body):
            for spare in (False, True):
                made = [c.compress(part) for c in compressors(config, len(part), spare=spare)]
                assert made[0] == brotli.compress(part, quality=4, lgwin=16 if len(part) == 500 else 22)
                assert made[1][10:-8] == deflate.deflate_compress(part, 2)


@pytest.mark.parametrize(
    ("profile", "size", "spare", "quality", "level"),
    [  # The table in docs/guide.md.
        ("small", 300, False, 11, 9),
        ("small", 300, True, 11, 9),
        ("small", 400_000, False, 11, 9),
        ("small", 49_999, True, 11, 9),
        ("small", 50_000, True, 10, 9),
        ("fast", 999, False, 9, 6),
        ("fast", 1000, False, 10, 6),
        ("fast", 400_000, False, 10, 6),
        ("fast", 400_000, True, 10, 6),
    ],
)
def test_what_a_profile_stands_for(profile: Profile, size: int, spare: bool, quality: int, level: int) -> None:
    made = compressors(CompressConfig(profile=profile), size, spare=spare)
    named = CompressConfig(brotli_quality=quality, gzip_level=level)
    assert [c.settings for c in made] == [c.settings for c in compressors(named, size)]


@pytest.mark.parametrize(
    ("logical", "media_type", "size", "wanted"),
    [
        ("a.css", "text/css", 1000, True),
        ("a.css", "text/css", 199, False),
        ("a.png", "image/png", 1000, False),
        ("a.svg", "image/svg+xml", 1000, True),
        ("a.map", "application/json", 1000, True),
        ("a.woff2", "font/woff2", 1000, False),
        ("a.ttf", "font/ttf", 1000, True),
        ("a.CSV", "text/csv", 1000, False),
        ("a.css", "text/css", 40_000_000, False),
    ],
)
def test_what_is_worth_trying(logical: str, media_type: str, size: int, wanted: bool) -> None:
    assert is_wanted(CompressConfig(skip_extensions=("csv",)), logical, media_type, size) is wanted


def test_no_codings_want_nothing() -> None:
    assert not is_wanted(CompressConfig(codings=()), "a.css", "text/css", 1000)


def test_a_variant_must_save_the_margin() -> None:
    assert is_kept(CompressConfig(margin=0.05), 1000, 949)
    assert not is_kept(CompressConfig(margin=0.05), 1000, 950)


@pytest.mark.parametrize("size", [0, 3, 50_000_000])
def test_what_always_has_variants(size: int) -> None:
    always = CompressConfig(always=(".CSS", "js"))
    assert is_wanted(always, "a/b.css", "text/css", size)
    assert is_wanted(always, "a/b.0123456789ab.JS", "text/javascript", size)
    assert not is_wanted(always, "a/b.svg", "image/svg+xml", size)
    assert not is_wanted(CompressConfig(always=("css",), codings=()), "b.css", "text/css", 1000)
    assert settings_of(always) != settings_of(CompressConfig())


@pytest.mark.parametrize("wrong", [{"always": ("svgz",)}, {"always": (".",)}, {"always": ("a/b",)},
                                   {"always": ("map",), "skip_extensions": (".MAP",)}])  # fmt: skip
def test_what_cannot_always_have_variants(wrong: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(ConfigError, match=r"compress\.always"):
        CompressConfig(**wrong)
