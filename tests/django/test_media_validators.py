"""Validators of uploads: in forms, on models, in migrations."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from django import forms
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import storages
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import models
from django.db.migrations.writer import MigrationWriter
from django.db.models.fields.files import FieldFile
from django.test import override_settings

from shipfiles.django.validators import (
    AllowedTypes,
    ArchiveBomb,
    FileName,
    ImageDimensions,
    MaxSize,
    TakenByStorage,
)
from shipfiles.errors import ConfigError, UploadRefused


def png(width: int, height: int) -> bytes:
    """PNG sections 5.2 and 11.2.1."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">L", len(body)) + kind + body + struct.pack(">L", zlib.crc32(kind + body))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2L5B", width, height, 8, 2, 0, 0, 0)) + chunk(b"IEND", b"")
    )


def jpeg(width: int, height: int, kind: int = 0xC0) -> bytes:
    """ITU T.81 section B.2: an application segment in which are the bytes of a frame, a table, then the frame."""
    app = b"\xff\xe1" + struct.pack(">H", 12) + b"\xff\xc0\0\x11\x08\0\1\0\1\3"
    table = b"\xff\xff\xc4" + struct.pack(">H", 4) + b"\0\0"
    return b"\xff\xd8" + app + table + bytes((0xFF, kind)) + struct.pack(">HB2HB", 17, 8, height, width, 3) + b"\0" * 9


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF" + struct.pack("<L", len(body) + 12) + b"WEBP" + kind + struct.pack("<L", len(body)) + body


PICTURES = {
    "png": png(640, 480),
    "jpeg": jpeg(640, 480),
    "progressive": jpeg(640, 480, 0xC2),
    "gif": b"GIF89a" + struct.pack("<2H", 640, 480) + b"\0\0\0",
    "bmp": b"BM" + b"\0" * 12 + struct.pack("<L2l", 40, 640, -480),
    "bmp of OS/2": b"BM" + b"\0" * 12 + struct.pack("<L2H", 12, 640, 480),
    # RFC 9649 sections 2.5 (14 bits, two of scale), 2.6 (14 bits less one) and 2.7 (24 bits less one).
    "webp": webp(b"VP8 ", b"\0\0\0\x9d\x01\x2a" + struct.pack("<2H", 640 | 0x4000, 480 | 0x8000)),
    "webp without loss": webp(b"VP8L", b"\x2f" + struct.pack("<L", 639 | 479 << 14)),
    "webp with more": webp(b"VP8X", b"\0" * 4 + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")),
}


def upload(name: str, body: bytes, content_type: str = "image/png") -> Any:
    return SimpleUploadedFile(name, body, content_type)


def code(validator: Any, value: Any) -> str:
    with pytest.raises(ValidationError) as refused:
        validator(value)
    assert refused.value.messages[0]
    assert "%" not in refused.value.messages[0]
    return str(refused.value.code)


def test_size() -> None:
    MaxSize(5)(upload("a", b"12345"))
    assert code(MaxSize(5), upload("a", b"123456")) == "max_size"


@pytest.mark.parametrize("kind", PICTURES)
def test_dimensions_are_read_from_the_header(kind: str) -> None:
    body = PICTURES[kind]
    ImageDimensions(max_width=640, max_height=480, max_pixels=640 * 480, min_width=640, min_height=480)(
        upload("a", body)
    )
    for bound in ({"max_width": 639}, {"max_height": 479}, {"max_pixels": 640 * 480 - 1}):
        assert code(ImageDimensions(**bound), upload("a", body)) == "too_large"
    for bound in ({"min_width": 641}, {"min_height": 481}):
        assert code(ImageDimensions(**bound), upload("a", body)) == "too_small"


@pytest.mark.parametrize("kind", PICTURES)
def test_a_header_that_is_cut_off_is_none(kind: str) -> None:
    # What stands behind the size in these.
    behind = {"png": 25, "jpeg": 10, "progressive": 10, "gif": 3}.get(kind, 0)
    body = PICTURES[kind]
    for cut in range(1, len(body) - behind):
        assert code(ImageDimensions(), upload("a", body[:cut])) == "image"


def test_a_decompression_bomb_is_known_by_its_header() -> None:
    assert code(ImageDimensions(), upload("a.png", png(60_000, 60_000))) == "too_large"
    assert code(ImageDimensions(), upload("a.jpg", jpeg(65_535, 65_535))) == "too_large"


@pytest.mark.parametrize(
    "body", [b"x", b"<svg/>", png(0, 5), jpeg(5, 0), b"\xff\xd8\xff" * 5, b"\xff\xd8\xff\xda\0\x08"]
)
def test_no_picture(body: bytes) -> None:
    assert code(ImageDimensions(), upload("a.png", body)) == "image"


def test_types() -> None:
    pictures = AllowedTypes("image/png", "image/jpeg", "application/pdf")
    pictures(upload("a.png", png(1, 1)))
    # Not what the client says.
    pictures(upload("a.PNG", png(1, 1), "text/html"))
    pictures(upload("a.jpg", png(1, 1)))
    assert code(pictures, upload("a.html", png(1, 1))) == "type"
    assert code(pictures, upload("a.gif", b"GIF89a")) == "type"
    assert code(pictures, upload("a.png", b"GIF89a")) == "content"
    assert code(pictures, upload("a.png", b"<html>")) == "content"
    assert code(pictures, upload("a.pdf", b"MZ")) == "content"
    assert code(pictures, upload("noending", png(1, 1))) == "type"
    AllowedTypes("image/*")(upload("a.gif", b"GIF89a"))
    with pytest.raises(ConfigError):
        AllowedTypes("png")
    with pytest.raises(ConfigError):
        AllowedTypes()


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("a\x00b.png", "control"), ("a\nb.png", "control"), ("a\x85.png", "control"),
        ("ann\u202egnp.exe", "direction"), ("a\u2066b.png", "direction"),
        ('a"b.png', "character"), ("a:b.png", "character"), ("a\\b.png", "character"), ("a?.png", "character"),
        ("a.png.", "end"), ("a.png ", "end"),
        ("CON", "reserved"), ("con.txt", "reserved"), ("NUL.tar.gz", "reserved"), ("lpt¹.png", "reserved"),
        ("a.php.png", "double"), ("a.HTML.png", "double"), ("a.pHp5.x.jpg", "double"), ("ａ.ｐｈｐ.png", "double"),
        ("x" * 147 + ".png", "max_length"),
    ],
)  # fmt: skip
def test_names(name: str, fault: str) -> None:
    value = ContentFile(b"x")
    value.name = name
    assert code(FileName(), value) == fault


@pytest.mark.parametrize(
    "name",
    ["a.png", "año.png", "日本.jpg", "report.v1.2.pdf", "a.tar.gz", "index.html.gz", "my file (1).png", ".hidden",
     "console.txt", "example.com.pdf", "x" * 146 + ".png", "a.html"],
)  # fmt: skip
def test_good_names(name: str) -> None:
    value = ContentFile(b"x")
    value.name = name
    FileName()(value)


def test_double_endings_can_be_allowed() -> None:
    FileName(double=True)(upload("a.php.png", b"x"))


def zipped(name: str, body: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, body)
    return out.getvalue()


def test_archives() -> None:
    bomb = zipped("word/document.xml", b"\0" * (2 << 20))
    ArchiveBomb()(upload("a.docx", bomb))
    assert code(ArchiveBomb(unpacked=1 << 20), upload("a.docx", bomb)) == "archive_size"
    assert code(ArchiveBomb(), upload("a.zip", zipped("../a", b""))) == "archive_name"
    ArchiveBomb()(upload("a.png", png(1, 1)))


def test_a_large_upload_is_read_from_its_file_and_is_at_its_beginning_afterwards() -> None:
    with TemporaryUploadedFile("a.zip", "application/zip", 0, None) as value:
        value.write(zipped("a", b"x" * 5000))
        value.size = value.tell()
        value.seek(0)
        for validator in (ArchiveBomb(), AllowedTypes("application/zip"), MaxSize(10_000)):
            validator(value)
            assert value.tell() == 0
            assert value.read(2) == b"PK"
            value.seek(0)


def test_forms_show_it() -> None:
    class Form(forms.Form):
        picture = forms.FileField(validators=[AllowedTypes("image/png"), ImageDimensions(max_width=10)])

    form = Form({}, {"picture": upload("a.png", png(20, 1))})
    text = "This picture has 20 × 1 pixels, which is too large. "
    text += "Allowed are: 10 pixels in width, 50000000 pixels in all."
    assert form.errors == {"picture": [text]}
    form = Form({}, {"picture": upload("a.png", b"<html>")})
    assert form.errors["picture"].as_data()[0].code == "content"
    form = Form({}, {"picture": upload("a.png", png(10, 1))})
    assert form.is_valid()
    assert form.cleaned_data["picture"].read() == png(10, 1)


def test_what_is_stored_already_is_not_fetched() -> None:
    class Unread(models.FileField):
        pass

    class Storage:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"the storage was asked for {name}")

    field = Unread(storage=None)
    value = FieldFile(None, field, "a.php.png")  # type: ignore[arg-type]
    value.storage = Storage()  # type: ignore[assignment]
    for validator in (
        MaxSize(1),
        AllowedTypes("text/csv"),
        ImageDimensions(),
        FileName(),
        ArchiveBomb(),
        TakenByStorage(),
    ):
        validator(value)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MaxSize(5), MaxSize(6)),
        (AllowedTypes("image/png", "image/gif"), AllowedTypes("image/png")),
        (ImageDimensions(max_width=5), ImageDimensions()),
        (FileName(max_length=9), FileName()),
        (ArchiveBomb(depth=2), ArchiveBomb()),
        (TakenByStorage("media"), TakenByStorage()),
    ],
)
def test_migrations_can_hold_them(one: Any, other: Any) -> None:
    text, imports = MigrationWriter.serialize(one)
    scope: dict[str, Any] = {}
    exec("\n".join(imports), scope)
    assert eval(text, scope) == one
    assert one != other
    assert "validators." + type(one).__name__ in text


def refuse_eicar(file: Any, name: str) -> None:
    if b"EICAR" in file.read():
        raise UploadRefused(name, "it is a virus", "virus")


def test_forms_show_what_the_storage_refuses() -> None:
    options = {
        "safety": {"max_size": 100, "extensions": (".png",), "check_content": True},
        "inspect": ["tests.django.test_media_validators.refuse_eicar"],
    }
    backend = {"BACKEND": "shipfiles.django.storage.MediaStorage", "OPTIONS": options}
    with override_settings(STORAGES={"default": backend}):
        taken = TakenByStorage()
        taken(upload("a.png", png(1, 1)))
        assert code(taken, upload("a.png", b"<html>")) == "content"
        assert code(taken, upload("a.gif", b"GIF89a")) == "extension"
        assert code(taken, upload("a.png", png(1, 1) + b"x" * 100)) == "max_size"
        assert code(taken, upload("a.png", png(1, 1) + b"EICAR")) == "virus"


def test_a_storage_that_refuses_nothing_is_named() -> None:
    backend = {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    with override_settings(STORAGES={"default": backend}), pytest.raises(ImproperlyConfigured) as caught:
        TakenByStorage()(upload("a.png", png(1, 1)))
    assert "STORAGES['default'] is a InMemoryStorage" in str(caught.value)


def test_the_larger_of_two_headers() -> None:
    """A decoder goes by the second one."""
    frame = b"," + struct.pack("<4H", 0, 0, 9000, 9000) + b"\0\2\2\x4c\1\0;"
    screen = b"GIF89a" + struct.pack("<2H", 1, 1) + b"\x80\0\0" + bytes(6)
    comment = b"!\xfe" + b"\xff" + b"," * 255 + b"\1;\0"
    assert code(ImageDimensions(), upload("a.gif", screen + comment + frame)) == "too_large"
    ImageDimensions(max_width=1)(upload("a.gif", screen + comment + b";" + frame))
    assert code(ImageDimensions(), upload("a.gif", screen + b"?" + frame)) == "image"
    assert code(ImageDimensions(), upload("a.gif", screen + b"!\xfe" + b"\1J" * 9000 + b"\0;")) == "image"
    one, two = png(1, 1), png(9000, 9000)
    assert code(ImageDimensions(), upload("a.png", one[:33] + two[8:])) == "image"
    ImageDimensions()(upload("a.png", one + two[8:]))
    other = jpeg(9000, 9000)
    assert code(ImageDimensions(), upload("a.jpg", jpeg(1, 1) + other[2:])) == "image"
    ImageDimensions()(upload("a.jpg", jpeg(1, 1) + b"\xff\xda\0\x08" + other))


@pytest.mark.parametrize(
    "name",
    [".htaccess", ".HTPASSWD", ".user.ini", "Web.config", "desktop.ini", "\uff37eb.config"],
)
def test_names_of_settings(name: str) -> None:
    value = upload("a", b"x")
    value._name = name
    assert code(FileName(), value) == "settings"


@pytest.mark.parametrize("name", ["shell.php.gz", "shell.php.zip", "a.phtml.bz2", "page.mht.png", "a.cfm.jpg"])
def test_packed_programs(name: str) -> None:
    assert code(FileName(), upload(name, b"x")) == "double"
    FileName()(upload("index.html.gz", b"x"))
    FileName()(upload("app.js.br", b"x"))


def closes(file: BinaryIO, name: str) -> None:
    with io.TextIOWrapper(file, encoding="latin-1") as text:
        assert text.readline() == "one\n"
        assert text.read() == "two"


def closes_again(file: BinaryIO, name: str) -> None:
    assert file.tell() == 0
    assert list(file) == [b"one\n", b"two"]
    file.close()


def test_hooks_that_close_the_file(tmp_path: Path) -> None:
    options = {"location": str(tmp_path), "inspect": [closes, closes_again, closes]}
    backend = {"BACKEND": "shipfiles.django.storage.MediaStorage", "OPTIONS": options}
    with override_settings(STORAGES={"default": backend}):
        value = upload("a.txt", b"one\ntwo")
        TakenByStorage()(value)
        assert storages["default"].save("a.txt", value) == "a.txt"
    assert (tmp_path / "a.txt").read_bytes() == b"one\ntwo"
