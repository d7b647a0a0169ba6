"""Logical paths and their way to a URL and back."""

from __future__ import annotations

import posixpath
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.digest import digest_bytes, hashed_name, hex_prefix, is_digest, looks_hashed
from shipfiles.paths import path_fault, resolve, split_name, url_quote, url_unquote
from shipfiles.stores.local import LocalStore

names = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/\\"), min_size=1, max_size=12)
parts = names.filter(lambda p: p not in (".", "..") and p.casefold() != ".shipfiles")
paths = st.lists(parts, min_size=1, max_size=4).map("/".join)


@pytest.mark.parametrize(
    "path", ["a.css", "css/app.css", "a b/ü%?#.css", "…/x", ".well-known/x", "a/.shipfiles", "'(\"&"]
)
def test_logical_paths(path: str) -> None:
    assert path_fault(path) == ""


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("", "empty part"),
        ("/a", "empty part"),
        ("a//b", "empty part"),
        ("a/", "empty part"),
        ("../a", "'..'"),
        ("a/../b", "'..'"),
        ("./a", "'.'"),
        ("a\nb", "control"),
        ("a\0b", "control"),
        ("a\x7fb", "control"),
        ("a\\b", "backslash"),
        ("\udce4.css", "UTF-8"),
        (".shipfiles/current.json", "reserved"),
        (".ShipFiles/x", "reserved"),
        (".shipfiles", "reserved"),
        ("css/.shipfiles-1a2b-c", "while it writes them"),
        (".shipfiles-0-0", "while it writes them"),
    ],
)
def test_what_is_no_logical_path(path: str, word: str) -> None:
    assert word in path_fault(path)


@pytest.mark.parametrize(
    "folder",
    [
        # Windows drops dots and spaces at the end of names, and a colon begins the name of a stream (Microsoft, "Naming
        # Files, Paths, and Namespaces"; [MS-FSCC] section 2.1.5).
        ".shipfiles.", ".shipfiles ", ".ShipFiles . .", ".shipfiles::$INDEX_ALLOCATION", ".shipfiles:$I30:$DATA",
        ".shipfiles. ::$DATA",
        # Short names: [MS-FSCC] section 2.1.5, and, from the fifth on, with digits of a checksum.
        "SHIPFI~1", "shipfi~4", "SHIPFI~12", "SHIPFI~1.", "SHIPFI~1::$INDEX_ALLOCATION", "SH7F3A~1", "shabcd~2",
        # Code points that HFS+ passes over (TN1150), and Linux in folders that fold case (U+00AD and U+2060, too).
        ".ship\u200cfiles", "\u200e.shipfiles", ".shipfiles\ufeff", ".s\u206ahipfile\u202es", ".SHIP\u00adFILES",
        ".shipfiles\u2060", ".shipfiles\ufe0f.", "\u200d.shipfiles \u200d",
        # Folded in full: CaseFolding.txt has U+017F for s, and U+FB01 for the two letters fi.
        ".\u017fhipfiles", ".ship\ufb01les",
        # Normalized for compatibility, as a file system can be told to (ZFS, normalization=formKC).
        ".\uff53hipfiles", "\uff0eshipfiles",
    ],
)  # fmt: skip
def test_what_some_file_system_takes_for_the_reserved_folder(folder: str) -> None:
    for path in (folder, f"{folder}/current.json"):
        assert "for the folder '.shipfiles', which is reserved" in path_fault(path), path
        assert path_fault(path).isascii()  # what a terminal passes over, too, is seen
    assert path_fault(f"css/{folder}") == ""


@pytest.mark.parametrize(
    "path",
    [
        "shipfiles/x", ".shipfiles-old/x", ".shipfiles2", ".shipfile", "shipfi~x", "shipfi~", "ship~1/x", "shxyz0~1",
        ".shipfiles x", "SHIPFI~1.css", ".shipfiles-1a-2b/x", ".shipfiles-1a", ".shipfiles-1a-2b.css", "s", ".s",
        "\u200b", "s\u0301hip/x",
    ],
)  # fmt: skip
def test_what_only_looks_like_it(path: str) -> None:
    assert path_fault(path) == ""


def test_what_a_store_sweeps_is_no_logical_path(tmp_path: Path) -> None:
    """A file of such a name would be published, and gone after the next run that did not end properly."""
    store = LocalStore(str(tmp_path))
    kept = []
    for name in (".shipfiles-1a-2b", "css/.shipfiles-0-0", ".shipfiles-old", "css/.shipfiles-1-2.css", ".shipfiles-g"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
        kept += [] if path_fault(name) else [name]
    assert store.sweep() == 2
    assert sorted(stored.key for stored in store.list()) == sorted(kept)


@given(paths)
def test_quoting_gives_a_url_that_means_the_path_and_needs_no_escape(path: str) -> None:
    quoted = url_quote(path)
    assert unquote(quoted, errors="strict") == path
    assert url_unquote(quoted) == path
    assert quoted.isascii()
    assert not set(quoted) & set(" \"'()<>\\`{}?#^|[]")


def test_what_is_not_utf8_after_unquoting_is_nothing() -> None:
    assert url_unquote("%ff") is None
    assert url_unquote("%c0%ae%c0%ae/x") is None  # overlong dots


@given(paths)
def test_split_name_is_that_of_the_standard_library(path: str) -> None:
    assert split_name(path) == posixpath.splitext(path)


@pytest.mark.parametrize(
    ("base", "relative", "expected"),
    [
        # RFC 3986 section 5.4, as far as it speaks of paths.
        ("b/c/d", "g", "b/c/g"),
        ("b/c/d", "./g", "b/c/g"),
        ("b/c/d", "../g", "b/g"),
        ("b/c/d", "../../g", "g"),
        ("b/c/d", "./../g", "b/g"),
        ("b/c/d", "g/./h", "b/c/g/h"),
        ("b/c/d", "g/../h", "b/c/h"),
        ("a.css", "../x", None),
        ("b/c/d", "../../../g", None),
    ],
)
def test_resolve(base: str, relative: str, expected: str | None) -> None:
    assert resolve(base, relative) == expected


@given(paths, st.binary())
def test_hashed_names(path: str, body: bytes) -> None:
    digest = digest_bytes(body)
    name = hashed_name(path, digest)
    assert is_digest(digest)
    assert looks_hashed(name)
    assert posixpath.dirname(name) == posixpath.dirname(path)
    assert posixpath.splitext(name)[1] == posixpath.splitext(path)[1] or posixpath.splitext(path)[1] == ""
    assert f".{hex_prefix(digest)}" in name


def test_the_digest_is_integrity_metadata() -> None:
    # The example of Subresource Integrity section 3.1: "alert('Hello, world.');"
    expected = "sha384-H8BRh8j48O9oYatfu5AZzq6A9RINhZO5H16dQZngK7T62em8MUt1FLm52t+eX6xO"
    assert digest_bytes(b"alert('Hello, world.');") == expected


@pytest.mark.parametrize(
    "text", ["", "sha384-", "sha384-" + "A" * 63, "sha256-" + "A" * 64, "sha384-" + "=" * 64, None, 3]
)
def test_what_is_no_digest(text: object) -> None:
    assert not is_digest(text)
