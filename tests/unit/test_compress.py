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
from shipfiles.config import CompressConfig, Profile, from_mapping

PROFILES: tuple[Profile, ...] = ("small", "fast")
DECODERS = {"br": brotli.decompress, "gzip": gzip.decompress}
FAST = CompressConfig(brotli_quality=3)


@pytest.mark.parametrize("compressor", compressors(FAST, 3000), ids=lambda c: c.token)
@given(body=st.binary(max_size=3000))
def test_the_standard_decoder_gives_the_body_back(compressor: Compressor, body: bytes) -> None:
    assert DECODERS[compressor.token](compressor.compress(body)) == body


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("size", [0, 1, 999, 1000, 65_520, 65_521, 300_000])
def test_every_profile_at_every_size(profile: Profile, size: int) -> None:
    body = (b"".join(b"rule%d { color: #%06x }\n" % (i, i * 7919 % 0xFFFFFF) for i in range(size // 20 + 1)))[:size]
    for spare in (False, True):
        for compressor in compressors(CompressConfig(profile=profile), size, spare=spare):
            assert DECODERS[compressor.token](compressor.compress(body)) == body


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
@pytest.mark.parametrize("size", [1, 65_521, 4_300_000])
def test_node_decodes_it(size: int) -> None:
    """A decoder that is neither Python's zlib nor the encoder's own library; 4.3 MB takes the window of 24 bits."""
    body = random.Random(size).randbytes(1 << 12) * (size // (1 << 12) + 1)
    body = body[:size]
    for compressor, undo in zip(compressors(FAST, size), ("brotliDecompressSync", "gunzipSync"), strict=True):
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
    config = CompressConfig(brotli_quality=9, gzip_level=12)
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
