"""Logical paths and their way to a URL and back."""

from __future__ import annotations

import posixpath
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.digest import digest_bytes, hashed_name, hex_prefix, is_digest, looks_hashed
from shipfiles.paths import path_fault, resolve, split_name, url_quote, url_unquote

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
    ],
)
def test_what_is_no_logical_path(path: str, word: str) -> None:
    assert word in path_fault(path)


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
