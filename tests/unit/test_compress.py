"""The codings, undone by decoders that are not ours."""

from __future__ import annotations

import gzip
import subprocess
import sys

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.compress import compressors, is_kept, is_wanted
from shipfiles.config import CompressConfig

DECODERS = {"br": brotli.decompress, "gzip": gzip.decompress}
FAST = CompressConfig(brotli_quality=3)


@pytest.mark.parametrize("compressor", compressors(FAST), ids=lambda c: c.token)
@given(body=st.binary(max_size=3000))
def test_the_standard_decoder_gives_the_body_back(compressor, body: bytes) -> None:
    assert DECODERS[compressor.token](compressor.compress(body)) == body


def test_gzip_names_no_time_and_no_system() -> None:
    (_, gz) = compressors(FAST)
    head = gz.compress(b"x" * 1000)[:10]
    # RFC 1952 section 2.3: ID1 ID2 CM FLG MTIME(4) XFL OS; MTIME 0 is "no time stamp", OS 255 "unknown".
    assert head == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 255])


@pytest.mark.parametrize("index", [0, 1])
def test_the_same_bytes_in_another_process(index: int) -> None:
    body = b"body { color: red }\n" * 200
    code = (
        "import sys;from shipfiles.config import CompressConfig as C;from shipfiles.build.compress import compressors;"
        f"sys.stdout.buffer.write(compressors(C(brotli_quality=3))[{index}].compress(sys.stdin.buffer.read()))"
    )
    other = subprocess.run([sys.executable, "-c", code], input=body, capture_output=True, check=True).stdout
    assert compressors(FAST)[index].compress(body) == other


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
