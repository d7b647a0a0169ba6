"""Files that are not UTF-8: read as what they say they are, changed in the references only, reported if unreadable."""

from __future__ import annotations

import encodings.aliases
from pathlib import Path
from urllib.parse import quote

import pytest
import webencodings
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.build.find import SourceFile
from shipfiles.build.pipeline import Asset, Build, build
from shipfiles.build.rewrite import css
from shipfiles.build.rewrite.encoding import text_of
from shipfiles.build.rewrite.encoding_labels import codec_of
from shipfiles.config import RewriteConfig

SVG = "http://www.w3.org/2000/svg"


def built(folder: Path, files: dict[str, bytes]) -> Build:
    for name, body in files.items():
        (folder / name).write_bytes(body)
    return build([SourceFile(name, str(folder / name)) for name in files], RewriteConfig())


def asset(result: Build, logical: str) -> Asset:
    (found,) = [a for a in result.assets if a.logical == logical]
    return found


def body_of(found: Asset) -> bytes:
    body = found.body()
    return body if isinstance(body, bytes) else Path(body).read_bytes()


@pytest.mark.parametrize(
    ("clause", "name", "head", "codec", "bom"),
    [
        ("Encoding Standard, BOM sniff", "a.css", "", "utf-16-le", b"\xff\xfe"),
        ("Encoding Standard, BOM sniff", "a.css", "", "utf-16-be", b"\xfe\xff"),
        ("Encoding Standard, BOM sniff", "a.css", "", "utf-8", b"\xef\xbb\xbf"),
        ("Encoding Standard, BOM sniff", "a.css", '@charset "latin1";', "utf-16-le", b"\xff\xfe"),
        ("CSS Syntax 3.2", "a.css", '@charset "utf-8";', "utf-8", b""),
        ("CSS Syntax 3.2", "a.css", '@charset "ISO-8859-1";', "cp1252", b""),
        ("CSS Syntax 3.2", "a.css", '@charset "windows-1252";', "cp1252", b""),
        ("CSS Syntax 3.2", "a.css", '@charset "iso-8859-15";', "iso-8859-15", b""),
        ("CSS Syntax 3.2", "a.css", '@charset "gbk";', "gb18030", b""),
        ("CSS Syntax 3.2: UTF-16 is read as UTF-8", "a.css", '@charset "utf-16be";', "utf-8", b""),
        ("CSS Syntax 3.2: only these very bytes", "a.css", "@charset 'latin1';", "utf-8", b""),
        ("CSS Syntax 3.2: only these very bytes", "a.css", '@CHARSET "latin1";', "utf-8", b""),
    ],
)  # fmt: skip
def test_a_declared_encoding_counts(tmp_path, clause, name, head, codec, bom):
    before = f"{head}/* é */ a{{background:url("
    after = ")}\r\nb{content:'é'}"
    result = built(tmp_path, {name: bom + f"{before}é.png{after}".encode(codec), "é.png": b""})
    hashed = asset(result, "é.png").name.replace("é", "%C3%A9")
    assert body_of(asset(result, name)) == bom + f"{before}{hashed}{after}".encode(codec)
    assert not result.notes
    assert not result.warnings


def test_a_byte_order_mark_counts_more_than_what_a_page_says(tmp_path):
    # Encoding Standard, BOM sniff
    page = '\ufeff<meta charset="latin1"><img src="é.png">'
    result = built(tmp_path, {"a.html": page.encode(), "é.png": b""})
    assert body_of(asset(result, "a.html")).decode() == page.replace("é.png", quote(asset(result, "é.png").name))


def test_positions_are_those_of_the_decoded_text(tmp_path):
    body = b"\xff\xfe" + "/* é */\r\n  a{b:url(é.png)}".encode("utf-16-le")
    (tmp_path / "a.css").write_bytes(body)
    result = build([SourceFile("a.css", str(tmp_path / "a.css"), own=False)], RewriteConfig())
    (problem,) = result.warnings
    assert (problem.line, problem.column, problem.text) == (2, 11, "é.png")


def test_undeclared_latin_1_keeps_its_bytes_and_is_noted(tmp_path):
    # CSS Syntax 3.2: without a declaration it is UTF-8 and "©" is U+FFFD; the reference is ASCII all the same.
    before, after = b"/* \xa9 */\na{b:url(", b")}\xff"
    result = built(tmp_path, {"a.css": before + b"x.png" + after, "x.png": b""})
    assert body_of(asset(result, "a.css")) == before + asset(result, "x.png").name.encode() + after
    (note,) = result.notes
    assert (note.line, note.column) == (1, 4)
    assert "not UTF-8" in note.what


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\xff\xfea", "cannot be read as utf-16-le"),
        (b"\xff\xfe" + "a{b:url(x.png)}".encode("utf-16-le") + b"\x00\xd8", "cannot be read as utf-16-le"),
        (b'@charset "gbk";a{b:url(x.png)}\xff', "cannot be read as gb18030"),
        (b'@charset "shift_jis";a{b:url(x.png)}\xfa\x54', "usual form of cp932"),
    ],
)
def test_what_cannot_be_read_keeps_its_bytes_and_is_reported(tmp_path, body, words):
    result = built(tmp_path, {"a.css": body, "x.png": b""})
    assert body_of(asset(result, "a.css")) == body
    (warning,) = result.warnings
    assert words in warning.what


@pytest.mark.parametrize(
    # The Encoding Standard's section 4.2 has none of them; Python knows most, some of them as codecs of no text.
    "label",
    ["klingon", "base64", "hex", "bz2", "zlib", "rot13", "quopri", "uu", "undefined", "idna", "punycode", "cp037",
     "utf-7", "mbcs", "unicode_escape", "utf-32", "utf_16", "utf-8-sig", "x-user-defined", "\0"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.css", '@charset "%s";/* é */a{b:url(x.png)}'),
        ("a.html", '<meta charset="%s">é<img src=x.png>'),
        (
            "a.svg",
            '<?xml version="1.0" encoding="%s"?><svg xmlns="http://www.w3.org/2000/svg"><image href="x.png"/>é</svg>',
        ),
    ],
)
def test_an_unknown_charset_is_noted(tmp_path, label, name, text):
    result = built(tmp_path, {name: (text % label).encode(), "x.png": b""})
    assert asset(result, "a" + name[1:]).edits
    if name != "a.svg" or label != "\0":  # XML 1.0 production 81: no such declaration
        (note,) = result.notes
        assert f"'{label}' is not known" in note.what


def test_labels_are_those_of_the_standard():
    # webencodings has the standard's table.
    for label, name in webencodings.LABELS.items():
        codec = codec_of(label)
        if name == "replacement":
            assert codec == "replacement"
        elif name.startswith("utf-16"):
            assert codec == "utf-8"
        elif name == "x-user-defined":
            assert codec == ""
        else:
            known = webencodings.lookup(label)
            assert known
            for byte in range(0x80, 0x100):
                for text in (bytes([byte]), bytes([byte, 0x41]), bytes([byte, 0xB0])):
                    said = known.codec_info.decode(text, "replace")[0]
                    assert text.decode(codec, "replace") == said or name == "gbk"  # whose decoder is gb18030's
    assert not any(codec_of(label) for label in sorted(python_names()) if label not in webencodings.LABELS)


def python_names() -> set[str]:
    names = {*encodings.aliases.aliases, *encodings.aliases.aliases.values()}
    return names | {name.replace("_", "-") for name in names}


@pytest.mark.parametrize("label", [" UTF-8\t", "\n\f\rutf8", "Utf-8"])
def test_labels_with_space_and_capitals(label):
    # "get an encoding", Encoding Standard 4.2
    assert codec_of(label) == "utf-8"


@pytest.mark.parametrize(
    "text", ["/* 日本 */a{b:url(x.png)}", 'a{b:"日本"}b{c:url("日x.png")}', 'a{b:url("x日.png")}b{c:url(日)}/*日*/']
)
def test_iso_2022_jp_is_ascii_bytes_and_no_ascii(tmp_path, text):
    # Encoding Standard 12.2: escape sequences switch, and what lies between would be read as quotes and backslashes.
    before = '@charset "iso-2022-jp";' + text
    names = ["x.png", "日x.png", "x日.png", "日"]
    result = built(tmp_path, {"a.css": before.encode("iso2022-jp"), **dict.fromkeys(names, b"")})
    after = before
    for name in names:
        hashed = quote(asset(result, name).name)
        after = after.replace(f"url({name})", f"url({hashed})").replace(f'url("{name}")', f'url("{hashed}")')
    assert after != before
    assert body_of(asset(result, "a.css")) == after.encode("iso2022-jp")


@pytest.mark.parametrize("label", ["iso-2022-kr", "hz-gb-2312", "Replacement"])
def test_encodings_that_browsers_refuse(tmp_path, label):
    # Encoding Standard 14.1: one U+FFFD is all they make of such a file.
    body = f'@charset "{label}";a{{b:url(missing.png)}}'.encode()
    result = built(tmp_path, {"a.css": body})
    assert body_of(asset(result, "a.css")) == body
    (warning,) = result.warnings
    assert f"'{label}'" in warning.what


def test_the_place_of_the_fault_is_that_of_the_decoded_text(tmp_path):
    body = b"\xff\xfe" + ".a{}\n.b{}".encode("utf-16-le") + b"\x00\xd8" + "x".encode("utf-16-le")
    (warning,) = built(tmp_path, {"a.css": body}).warnings
    assert (warning.line, warning.column) == (2, 5)


@pytest.mark.parametrize(
    "media_type", ["text/css", "text/html", "image/svg+xml", "text/javascript", "application/json"]
)
@given(body=st.binary() | st.builds(bytes.__add__, st.sampled_from([b"\xff\xfe", b"\xfe\xff"]), st.binary()))
def test_any_bytes(media_type, body):
    text = text_of(body, media_type)
    assert not text.fault or text.fault_at <= len(body)


@given(
    st.text(st.characters(codec="utf-8")),
    st.text(st.characters(codec="utf-8")),
    st.sampled_from(["utf-16-le", "utf-16-be"]),
)
def test_spans_come_back(before, after, codec):
    bom = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[codec]
    body = bom + f"{before}a{{b:url(é/x.png)}} c{{d:url(y.png)}}{after}".encode(codec)
    text = text_of(body, "text/css")
    for reference in text.own_spans(css.references(text.utf8)):
        assert body[reference.start : reference.end].decode(codec) == reference.url
