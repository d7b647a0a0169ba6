"""The tables of the MIME Sniffing standard, written down here again from its text."""

from __future__ import annotations

import pytest

from shipfiles.media.sniffing import agreed, sniffed

# Section 7.1: pattern, and whether a byte that ends a tag has to follow.
TAGS = (
    "<!DOCTYPE HTML", "<HTML", "<HEAD", "<SCRIPT", "<IFRAME", "<H1", "<DIV", "<FONT", "<TABLE", "<A", "<STYLE",
    "<TITLE", "<B", "<BODY", "<BR", "<P",
)  # fmt: skip

# Sections 6.1 to 6.4, in hexadecimal as there; ".." is a byte of which the mask is 00.
SIGNATURES = {
    "00 00 01 00": "image/x-icon",
    "00 00 02 00": "image/x-icon",
    "42 4D": "image/bmp",
    "47 49 46 38 37 61": "image/gif",
    "47 49 46 38 39 61": "image/gif",
    "52 49 46 46 .. .. .. .. 57 45 42 50 56 50": "image/webp",
    "89 50 4E 47 0D 0A 1A 0A": "image/png",
    "FF D8 FF": "image/jpeg",
    "46 4F 52 4D .. .. .. .. 41 49 46 46": "audio/aiff",
    "49 44 33": "audio/mpeg",
    "4F 67 67 53 00": "application/ogg",
    "4D 54 68 64 00 00 00 06": "audio/midi",
    "52 49 46 46 .. .. .. .. 41 56 49 20": "video/avi",
    "52 49 46 46 .. .. .. .. 57 41 56 45": "audio/wave",
    "00 01 00 00": "font/ttf",
    "4F 54 54 4F": "font/otf",
    "74 74 63 66": "font/collection",
    "77 4F 46 46": "font/woff",
    "77 4F 46 32": "font/woff2",
    "1F 8B 08": "application/x-gzip",
    "50 4B 03 04": "application/zip",
    "52 61 72 20 1A 07 00": "application/x-rar-compressed",
    "25 50 44 46 2D": "application/pdf",
    # Section 6.2.1: a box of 16 bytes whose major brand begins with "mp4", and one where a compatible brand does.
    "00 00 00 10 66 74 79 70 6D 70 34 32 00 00 00 00": "video/mp4",
    "00 00 00 18 66 74 79 70 69 73 6F 6D 00 00 02 00 69 73 6F 6D 6D 70 34 31": "video/mp4",
    # Section 6.2.2: EBML, then 42 82 (DocType), its length (84 is 4), "webm".
    "1A 45 DF A3 9F 42 86 81 01 42 82 84 77 65 62 6D": "video/webm",
    ".. " * 34 + "4C 50": "application/vnd.ms-fontobject",
}


def bytes_of(pattern: str) -> bytes:
    return bytes(0xAB if byte == ".." else int(byte, 16) for byte in pattern.split())


@pytest.mark.parametrize("pattern", SIGNATURES)
def test_signatures(pattern: str) -> None:
    head = bytes_of(pattern)
    assert sniffed(head + b"\xab" * 40) == SIGNATURES[pattern]
    assert sniffed(head) == SIGNATURES[pattern]
    # One byte less is none.
    assert sniffed(head[:-1]) == ""
    # And only at the beginning.
    assert sniffed(b"x" + head) == ""


@pytest.mark.parametrize("tag", TAGS)
def test_html(tag: str) -> None:
    for written in (tag, tag.lower(), tag.swapcase()):
        for end in (" ", ">"):
            assert sniffed(f"{written}{end}".encode()) == "text/html"
            assert sniffed(f"\t\n\f\r {written}{end}".encode()) == "text/html"
        for other in ("", "\t", "\n", "/", "x"):
            assert sniffed(f"{written}{other}".encode()) == ""
    assert sniffed(f"x{tag}>".encode()) == ""


def test_comments_and_xml() -> None:
    assert sniffed(b"<!--") == "text/html"
    assert sniffed(b" <!-->") == "text/html"
    assert sniffed(b"<!-") == ""
    assert sniffed(b"\n<?xml") == "text/xml"
    # The pattern of XML has no letters of either case.
    assert sniffed(b"<?XML") == ""
    assert sniffed(b" %PDF-") == ""
    assert sniffed(b"<svg xmlns='http://www.w3.org/2000/svg'>") == ""


def test_no_more_than_the_resource_header_is_looked_at() -> None:
    """Section 5.2."""
    assert sniffed(b" " * 1439 + b"<html>") == "text/html"
    assert sniffed(b" " * 1440 + b"<html>") == ""
    assert sniffed(b"") == ""


PNG, JPEG, GIF = b"\x89PNG\r\n\x1a\n\0\0", b"\xff\xd8\xff\xe0", b"GIF89a<!--"


@pytest.mark.parametrize(
    ("media_type", "head", "agreed_on"),
    [
        ("image/png", PNG, "image/png"),
        ("image/apng", PNG, "image/apng"),
        ("image/jpeg", PNG, "image/png"),
        ("image/png", GIF, "image/gif"),
        ("image/png", b"<html>", None),
        ("image/png", b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
        ("image/jpeg", b"<?xml version='1.0'?>", None),
        ("image/jpeg", b"PK\3\4", None),
        ("image/jpeg", b"", None),
        ("image/avif", b"\0\0\0\x20ftypavif", "image/avif"),
        ("image/avif", b"<script>", None),
        ("image/tiff", b"II*\0", "image/tiff"),
        ("image/svg+xml", b"<svg>", "image/svg+xml"),
        ("image/svg+xml", b"<?xml version='1.0'?>", "image/svg+xml"),
        ("image/svg+xml", b"<!-- made by hand --><svg>", "image/svg+xml"),
        ("image/svg+xml", PNG, None),
        ("text/html", b"<?xml version='1.0'?>", "text/html"),
        ("text/html", PNG, None),
        ("text/plain", b"<html> is a tag", "text/plain"),
        ("text/plain", b"BMW", "text/plain"),
        ("text/csv", b"ID3;name", "text/csv"),
        ("text/plain", PNG, None),
        ("application/json", PNG, None),
        ("application/pdf", b"%PDF-1.7", "application/pdf"),
        ("application/pdf", b"\xef\xbb\xbf%PDF-1.7", "application/pdf"),
        ("application/pdf", b"<html>%PDF-1.7", None),
        ("application/pdf", b"nothing of the kind", None),
        ("audio/mpeg", b"\xff\xfb\x90\x64", "audio/mpeg"),
        ("audio/ogg", b"OggS\0", "audio/ogg"),
        ("audio/wav", b"RIFF\0\0\0\0WAVE", "audio/wav"),
        ("video/mp4", b"<script>", None),
        ("video/mp4", b"%PDF-", None),
        ("font/woff2", b"wOF2", "font/woff2"),
        ("font/woff2", b"<html>", None),
        ("application/zip", b"PK\3\4", "application/zip"),
        ("application/octet-stream", b"<html>", "application/octet-stream"),
        ("application/vnd.ms-excel", b"<html>", "application/vnd.ms-excel"),
    ],
)
def test_agreed(media_type: str, head: bytes, agreed_on: str | None) -> None:
    assert agreed(media_type, head) == agreed_on
