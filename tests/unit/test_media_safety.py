"""Types and header fields of uploads, and which are taken."""

from __future__ import annotations

from email.message import Message

import pytest

from shipfiles.errors import ConfigError, UploadRefused
from shipfiles.media.config import MediaConfig, SafetyConfig, SignedConfig
from shipfiles.media.safety import (
    attachment,
    check_upload,
    checked_disposition,
    checked_type,
    delivered_headers,
    is_active,
    media_type_of,
    stored_fields,
)

PLAIN = SafetyConfig()
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 16
# What a document of ours can be: HTML section 7.4.5, "load a document", and MIME Sniffing section 4.6, "XML MIME type".
DOCUMENTS = (
    "text/html", "application/xhtml+xml", "text/xml", "application/xml", "image/svg+xml", "application/xslt+xml",
    "application/mathml+xml", "application/rss+xml", "application/atom+xml", "application/rdf+xml",
    "multipart/x-mixed-replace", "multipart/related",
    # Section 7: browsers look for HTML in the bytes.
    "unknown/unknown", "application/unknown", "*/*", "", "text/unheard-of",
)  # fmt: skip


@pytest.mark.parametrize("media_type", DOCUMENTS)
def test_what_may_run_as_a_document_is_active_however_it_is_written(media_type: str) -> None:
    assert is_active(media_type)
    assert is_active(media_type.upper() + " ; charset=utf-8")
    fields = stored_fields("a/b.x", media_type, MediaConfig())
    assert fields["Content-Disposition"] == 'attachment; filename="b.x"'


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.pdf", "a.mp4", "a.txt", "a.csv", "a.json", "a.zip", "a.vtt"])
def test_what_runs_nothing_is_shown(name: str) -> None:
    media_type = media_type_of(name, PLAIN)
    assert "Content-Disposition" not in stored_fields(name, media_type, MediaConfig())
    headers = dict(delivered_headers(name, media_type, MediaConfig()))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Content-Security-Policy" not in headers


def test_active_files_are_in_a_sandbox_too_where_we_answer() -> None:
    headers = dict(delivered_headers("a.svg", "image/svg+xml", MediaConfig()))
    assert headers["Content-Type"] == "image/svg+xml"
    directives = [part.split() for part in headers["Content-Security-Policy"].split(";")]
    assert ["sandbox"] in directives
    assert ["default-src", "'none'"] in directives
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.js", "text/plain"), ("a.mjs", "text/plain"), ("A.JS", "text/plain"), ("a.css", "text/plain"),
        ("a.wasm", "application/octet-stream"), ("a.mht", "application/octet-stream"),
        ("a.htc", "application/octet-stream"), ("a.html.png", "image/png"), ("a.png.html", "text/html"),
        ("a.svgz", "image/svg+xml"), ("a", "application/octet-stream"), ("a.", "application/octet-stream"),
        ("a.png/b", "application/octet-stream"), ("html", "application/octet-stream"),
    ],
)  # fmt: skip
def test_types_by_name(name: str, media_type: str) -> None:
    assert media_type_of(name, PLAIN) == media_type


def test_text_has_its_charset() -> None:
    assert stored_fields("a.js", "text/plain", MediaConfig()) == {"Content-Type": "text/plain; charset=utf-8"}


def test_options_allow_types_one_by_one() -> None:
    safety = SafetyConfig(inline=("image/svg+xml", "text/css"), media_types={".js": "text/javascript"})
    config = MediaConfig(safety=safety)
    assert "Content-Disposition" not in stored_fields("a.svg", "image/svg+xml", config)
    assert "sandbox" in dict(delivered_headers("a.svg", "image/svg+xml", config))["Content-Security-Policy"]
    assert "Content-Disposition" in stored_fields("a.html", "text/html", config)
    assert media_type_of("a.css", safety) == "text/css"
    assert media_type_of("a.js", safety) == "text/plain"


def test_what_objects_hold_is_part_of_what_we_answer_with() -> None:
    for access in ("public", "signed", "private"):
        config = MediaConfig(access=access, signed=SignedConfig())
        for name in ("a.svg", "a.svgz", "a.png", "é.html", "a.txt"):
            media_type = media_type_of(name, PLAIN)
            ours = dict(delivered_headers(name, media_type, config))
            assert stored_fields(name, media_type, config).items() <= ours.items()


def test_caching_follows_access() -> None:
    assert "Cache-Control" not in stored_fields("a.png", "image/png", MediaConfig())
    private = dict(delivered_headers("a.png", "image/png", MediaConfig(access="private")))
    assert private["Cache-Control"] == "private, no-store"
    assert private["Cross-Origin-Resource-Policy"] == "same-site"
    assert stored_fields("a.png", "image/png", MediaConfig(access="signed"))["Cache-Control"] == "private, max-age=3600"
    assert stored_fields("a.png", "image/png", MediaConfig(cache_control="no-cache"))["Cache-Control"] == "no-cache"


# RFC 6266 section 4.3 and appendix D, RFC 8187 section 3.2.
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x/plan.html", 'attachment; filename="plan.html"'),
        ("a b.html", 'attachment; filename="a b.html"'),
        ("€.html", "attachment; filename=\"_.html\"; filename*=UTF-8''%E2%82%AC.html"),
        ('a"b\\c%41.html', "attachment; filename=\"a_b_c_41.html\"; filename*=UTF-8''a%22b%5Cc%2541.html"),
        ("a\r\nX: y.html", 'attachment; filename="a__X: y.html"'),
        # What looks like "gnp.html" turned round.
        ("evil\u202egnp.html", 'attachment; filename="evil_gnp.html"'),
        ("half\ud800.html", 'attachment; filename="half_.html"'),
    ],
)
def test_attachments_have_their_name(name: str, value: str) -> None:
    assert attachment(name) == value


@pytest.mark.parametrize("name", ["plan.html", "€ 5.html", "a'b(c)*.html", 'q"\\%.html', "日本.svg"])
def test_an_own_reader_finds_the_name(name: str) -> None:
    """Python's reader of RFC 2231, of which RFC 8187 is a part."""
    message = Message()
    message["Content-Disposition"] = (
        attachment(name).replace('filename="_', 'ignored="_').replace('filename="q', 'ignored="q')
    )
    assert message.get_filename() == name


@pytest.mark.parametrize(
    "given",
    [
        "attachment", "ATTACHMENT", 'attachment; filename="a b.html"', "attachment; filename*=UTF-8''a%20b.html",
        'attachment;filename="a;b.html"', "attachment; filename=plan.html ; x=y",
    ],
)  # fmt: skip
def test_an_attachment_is_always_allowed(given: str) -> None:
    assert checked_disposition(given, "text/html", PLAIN) == given
    assert (
        dict(delivered_headers("a.html", "text/html", MediaConfig(), disposition=given))["Content-Disposition"] == given
    )


@pytest.mark.parametrize(
    "given",
    [
        "inline", "INLINE", 'inline; filename="attachment"', "", "filename=attachment", "attachments", "x-attachment",
        'attachment; filename="a\r\nX: y"', "attachment; filename=é", 'attachment; filename="a', "attachment, inline",
        "inline; attachment", "attachment\0", "form-data",
    ],
)  # fmt: skip
def test_nothing_else_delivers_an_active_file(given: str) -> None:
    with pytest.raises(ValueError, match=r"Disposition|inline"):
        checked_disposition(given, "text/html; charset=utf-8", PLAIN)
    headers = dict(delivered_headers("a.html", "text/html", MediaConfig(), disposition=given))
    assert headers["Content-Disposition"] == 'attachment; filename="a.html"'


def test_harmless_files_are_shown_when_asked() -> None:
    assert checked_disposition('inline; filename="a.png"', "image/png", PLAIN) == 'inline; filename="a.png"'
    assert checked_disposition("inline", "image/svg+xml", SafetyConfig(inline=("image/svg+xml",))) == "inline"


def test_a_given_type_is_active_only_in_an_attachment() -> None:
    assert checked_type("image/png", "", PLAIN) == "image/png"
    assert checked_type("text/html", 'attachment; filename="a"', PLAIN) == "text/html"
    for disposition in ("", "inline"):
        with pytest.raises(ValueError, match="text/html"):
            checked_type("text/html", disposition, PLAIN)
    # Fetch section 3.5, nosniff: a type of script is run from <script>, whatever the disposition.
    for armed in ("text/javascript", "Application/JavaScript ; charset=utf-8", "text/css", "application/wasm"):
        with pytest.raises(ValueError, match="cannot be delivered as"):
            checked_type(armed, "attachment", PLAIN)
    assert checked_type("text/css", "attachment", SafetyConfig(inline=("text/css",))) == "text/css"
    for wrong in ("", "html", "text/html\r\nX: y", "*/*", "text/plain, text/html"):
        with pytest.raises(ValueError, match=r"no media type|inline"):
            checked_type(wrong, "", PLAIN)


def test_limits() -> None:
    safety = SafetyConfig(max_size=10, extensions=(".jpg", ".tar.gz"))
    for name in ("a.jpg", "A.JPG", "x/a.b.jpg", "a.tar.gz"):
        check_upload(name, 10, b"", safety)
    check_upload("a.jpg", None, b"", safety)
    with pytest.raises(UploadRefused) as large:
        check_upload("a.jpg", 11, b"", safety)
    assert large.value.code == "max_size"
    for name in ("a.png", "a.gz", "a.jpg.html", ".jpg", "a.jpg/b", "jpg", "a.jpg "):
        with pytest.raises(UploadRefused) as refused:
            check_upload(name, 1, b"", safety)
        assert refused.value.code == "extension"


def test_content_counts_if_wanted() -> None:
    safety = SafetyConfig(check_content=True)
    check_upload("a.png", 5, b"<html>", PLAIN)
    with pytest.raises(UploadRefused, match=r"image/png.*text/html") as refused:
        check_upload("a.png", 6, b"<html>", safety)
    assert refused.value.code == "content"
    check_upload("a.jpg", 24, PNG, safety)
    assert media_type_of("a.jpg", safety, PNG) == "image/png"
    assert media_type_of("a.jpg", PLAIN, PNG) == "image/jpeg"
    assert media_type_of("a.png", safety, b"<html>") == "application/octet-stream"
    with pytest.raises(UploadRefused):
        check_upload("a.svgz", 5, b"<svg xmlns='http://www.w3.org/2000/svg'/>", safety)
    check_upload("a.svgz", 5, b"\x1f\x8b\x08\0", safety)


@pytest.mark.parametrize(
    "wrong",
    [{"inline": ("svg",)}, {"media_types": {".x": "text"}}, {"extensions": ("jpg",)}, {"media_types": {"x": "a/b"}},
     {"max_size": -1}],
)  # fmt: skip
def test_options_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        SafetyConfig(**wrong)  # type: ignore[arg-type]
