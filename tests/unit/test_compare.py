"""By what two releases differ, and how much more there is to load. Expected values are counted by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from shipfiles.digest import digest_bytes
from shipfiles.manifest import Manifest
from shipfiles.model import Entry, Plain, Variant
from shipfiles.release.compare import IDENTITY, Limit, compare, growth, limit_of, loaded


def entry(logical: str, body: str, source: str | None = None, name: str = "", **codings: int) -> Entry:
    """A file whose ``codings`` have these sizes."""
    return Entry(
        logical,
        name or f"{logical}.{digest_bytes(body.encode())[7:15]}",
        len(body),
        digest_bytes(body.encode()),
        "text/plain",
        {token: Variant(size, digest_bytes(f"{token}{size}".encode())) for token, size in codings.items()},
        (),
        None if source is None else Plain(len(source), digest_bytes(source.encode())),
    )


def manifest(*entries: Entry) -> Manifest:
    return Manifest({one.logical: one for one in entries})


def paths(entries: tuple[Entry, ...]) -> list[str]:
    return [one.logical for one in entries]


def pairs(entries: tuple[tuple[Entry, Entry], ...]) -> list[tuple[str, str]]:
    return [(old.logical, new.logical) for old, new in entries]


def test_each_kind() -> None:
    before = manifest(
        entry("same", "s"), entry("gone", "g"), entry("changed", "1"), entry("old/moved", "m"),
        entry("page", "see x.1", "see x"), entry("packed", "p" * 9, br=3), entry("name", "n", name="name.abc"),
    )  # fmt: skip
    after = manifest(
        entry("same", "s"), entry("come", "c"), entry("changed", "2"), entry("new/moved", "m"),
        entry("page", "see x.2", "see x"), entry("packed", "p" * 9, br=4), entry("name", "n", name="name.abcdef"),
    )  # fmt: skip
    found = compare(before, after)
    assert paths(found.added) == ["come"]
    assert paths(found.removed) == ["gone"]
    assert pairs(found.changed) == [("changed", "changed"), ("name", "name"), ("page", "page")]
    assert [new.size for _, new in found.changed] == [1, 1, 7]
    assert pairs(found.renamed) == [("old/moved", "new/moved")]
    assert paths(found.recompressed) == ["packed"]
    back = compare(after, before)
    assert (paths(back.added), paths(back.removed)) == (["gone"], ["come"])
    assert pairs(back.renamed) == [("new/moved", "old/moved")]
    assert compare(before, before) == compare(manifest(), manifest())


class TestRenamed:
    def test_the_source_decides_not_what_was_rewritten(self) -> None:
        found = compare(manifest(entry("a/x.css", "url(../i.1)", "S")), manifest(entry("b/x.css", "url(../i.2)", "S")))
        assert pairs(found.renamed) == [("a/x.css", "b/x.css")]

    def test_of_several_alike_the_same_file_name_first_and_each_in_one_pair(self) -> None:
        before = manifest(entry("a/one", "x"), entry("a/two", "x"), entry("a/zero", "x"))
        after = manifest(entry("b/other", "x"), entry("b/two", "x"))
        found = compare(before, after)
        assert pairs(found.renamed) == [("a/one", "b/other"), ("a/two", "b/two")]
        assert paths(found.removed) == ["a/zero"]
        assert not found.added

    def test_a_copy_whose_original_stays_is_added(self) -> None:
        found = compare(manifest(entry("a", "x")), manifest(entry("a", "x"), entry("b", "x")))
        assert (paths(found.added), found.renamed) == (["b"], ())

    def test_empty_files_tell_nothing(self) -> None:
        found = compare(manifest(entry("a", "")), manifest(entry("b", "")))
        assert (paths(found.added), paths(found.removed), found.renamed) == (["b"], ["a"], ())


def test_what_browsers_load() -> None:
    # br: 30 + 50 + 7; gzip: 40 + 50 + 7. A file without a variant counts as it is.
    found = loaded(manifest(entry("a", "a" * 100, br=30, gzip=40), entry("b", "b" * 50), entry("c", "c" * 7)))
    assert list(found.items()) == [(IDENTITY, 157), ("br", 87), ("gzip", 97)]
    assert loaded(manifest()) == {IDENTITY: 0}


def test_growth_of_a_coding_that_one_release_lacks() -> None:
    assert growth({IDENTITY: 100, "br": 40}, {IDENTITY: 110, "gzip": 50}) == {
        IDENTITY: (100, 110),
        "br": (40, 110),
        "gzip": (100, 50),
    }


@pytest.mark.parametrize(
    ("text", "percent", "size"),
    [
        ("5%", "5", 0), ("0.5 %", "0.5", 0), ("50kB", None, 50_000), ("50 KB", None, 50_000),
        ("1.5MB", None, 1_500_000),
        ("2GB", None, 2_000_000_000), ("20KiB", None, 20_480), ("1MiB", None, 1_048_576), ("1GiB", None, 2**30),
        ("300", None, 300), ("300 bytes", None, 300), ("300B", None, 300), ("0", None, 0), (" 7kB ", None, 7_000),
    ],
)  # fmt: skip
def test_limits(text: str, percent: str | None, size: int) -> None:
    assert limit_of(text) == Limit(Decimal(percent) if percent else None, size, text.strip())


@pytest.mark.parametrize("text", ["", "x", "-5%", "5k", "5 TB", "5ib", "5%%", "1e3", "1,5MB", "+5", "5 5", "٥%", "inf"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(ValueError, match="is no limit"):
        limit_of(text)


@pytest.mark.parametrize(
    ("text", "before", "after", "exceeded"),
    [
        ("5%", 1000, 1050, False), ("5%", 1000, 1051, True), ("5%", 1000, 10, False), ("0%", 1000, 1000, False),
        ("0%", 1000, 1001, True), ("5%", 0, 1, True), ("5%", 0, 0, False), ("0.1%", 1000, 1001, False),
        ("0.1%", 1000, 1002, True), ("1kB", 5000, 6000, False), ("1kB", 5000, 6001, True), ("0", 5000, 4000, False),
    ],
)  # fmt: skip
def test_when_a_limit_is_exceeded(text: str, before: int, after: int, exceeded: bool) -> None:
    assert limit_of(text).is_exceeded(before, after) is exceeded
