"""What a release is in a store that it is sent to: each object once, under a safe name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.config import CompressConfig
from shipfiles.digest import Digest, digest_bytes, digest_stream, hashed_name
from shipfiles.errors import ManifestError
from shipfiles.manifest import SUFFIXES, Manifest, dump, load, plain_key, replaced
from shipfiles.model import Entry, Plain, Variant
from shipfiles.paths import path_fault
from shipfiles.release.items import Item, Shape, items_of, sent_manifest
from shipfiles.release.listed import listed
from shipfiles.release.publish import publish
from shipfiles.release.text import text_of
from shipfiles.stores.local import LocalStore
from shipfiles.stores.store import check_key
from tests.unit.test_publish import made

SHAPES = st.builds(Shape, st.booleans(), st.booleans(), st.sampled_from(["", "br", "gzip", "zstd"]))
digests = st.integers(0, 3).map(lambda n: digest_bytes(bytes([n])))
sizes = st.integers(0, 9)
codings = st.dictionaries(st.sampled_from([*SUFFIXES]), st.builds(Variant, sizes, digests))
NAMES = ["a.css", "a.css.gz", "b/ü x.js", "b/ü x.js.br", ".shipfiles.css", 'q".txt', "b", "100%.png.zst"]


@st.composite
def built(draw: st.DrawFn) -> Manifest:
    """What a build may give, and some that none gives: names that are others' hashed names or those of variants."""
    names = {*NAMES, *(hashed_name(name, draw(digests)) for name in NAMES[:2])}
    names |= {hashed_name("a.css", digest_bytes(b"\0")) + end for end in SUFFIXES.values()}
    entries = {}
    for logical in draw(st.sets(st.sampled_from(sorted(names)))):
        digest = draw(digests)
        name = draw(st.sampled_from([logical, hashed_name(logical, digest)]))
        plain = draw(st.none() | st.builds(Plain, sizes, digests, codings)) if name != logical else None
        entries[logical] = Entry(
            logical,
            name,
            draw(sizes),
            digest,
            "text/css",
            draw(codings),
            (),
            plain,
            name != logical and draw(st.booleans()),
        )
    return Manifest(entries, draw(st.sampled_from(["", "br=11"])), draw(st.booleans()))


def items(manifest: Manifest) -> list[Item]:
    """Nothing for what no build makes, and is refused."""
    try:
        return list(items_of(manifest))
    except ManifestError:
        return []


@given(built(), SHAPES)
def test_what_is_written_is_what_is_read(manifest: Manifest, shape: Shape) -> None:
    sent = sent_manifest(manifest, shape)
    body = dump(sent)
    assert load(body, "m") == sent
    lazy = load(body, "m", lazily=True)
    assert (dict(lazy.entries.items()), lazy.compress) == (sent.entries, sent.compress)
    assert (lazy.linked, lazy.hashed_only, lazy.spares) == (sent.linked, sent.hashed_only, sent.spares)
    text = text_of(body, "m")
    assert text.parsed(text.files()) == sent
    assert text.with_entries({}) == sent
    assert (text.linked, text.hashed_only, text.spares) == (sent.linked, sent.hashed_only, sent.spares)
    assert replaced(body, sent.entries, sent.entries) == body


@given(built(), SHAPES)
def test_each_key_is_there_once_and_safe(manifest: Manifest, shape: Shape) -> None:
    found = items(sent_manifest(manifest, shape))
    keys = [item.key for item in found]
    assert len({*keys}) == len(keys)
    for item in found:
        check_key(item.key)
        assert path_fault(item.key) == ""
        assert item.sources
        assert manifest.entries[item.logical].media_type == item.media_type


@given(built(), SHAPES)
def test_the_keys_are_those_that_the_manifest_names(manifest: Manifest, shape: Shape) -> None:
    """All that prune and ownership read from it; no object is sent that they would not know for ours."""
    sent = sent_manifest(manifest, shape)
    if found := items(sent):
        assert {item.key for item in found} == {*sent.keys()}
        assert {item.key for item in found} == {one.key for one in listed(dump(sent), "m")}


@given(built(), SHAPES)
def test_what_is_sent_follows_the_shape(manifest: Manifest, shape: Shape) -> None:
    sent = sent_manifest(manifest, shape)
    assert (sent.hashed_only, sent.spares, sent.linked) == (shape.hashed_only, False, False)
    for item in items(sent):
        entry = manifest.entries[item.logical]
        assert item.hashed or not shape.hashed_only
        of = entry if item.hashed else entry.plain or entry
        name = entry.name if item.hashed else entry.logical
        if item.key == name:
            assert item.coding == (shape.coding if shape.coding in of.codings else "")
        else:
            assert shape.variants
            assert item.key == name + SUFFIXES[item.coding]
            assert item.coding != shape.coding
        bytes_ = of.codings[item.coding] if item.coding else of
        assert (item.size, item.digest) == (bytes_.size, bytes_.digest)


def test_a_manifest_of_a_build_is_written_as_before() -> None:
    entry = Entry("a.css", "a.b.css", 1, digest_bytes(b"a"), "text/css")
    head, line, end, rest = dump(Manifest({"a.css": entry}, "x")).split(b"\n")
    assert head == b'{"schema": 1, "compress": "x", "files": {'
    digest = digest_bytes(b"a").encode()
    assert line == b'"a.css": {"name":"a.b.css","size":1,"digest":"%b","type":"text/css"}' % digest
    assert (end, rest) == (b"}}", b"")


DIGEST, OTHER, CODED = digest_bytes(b"a"), digest_bytes(b"b"), digest_bytes(b"c")


def entry(logical: str, name: str = "", digest: Digest = DIGEST, **more: Any) -> Entry:
    return Entry(logical, name or hashed_name(logical, digest), 9, digest, "text/css", **more)


def of(*entries: Entry) -> Manifest:
    return Manifest({entry.logical: entry for entry in entries})


def by_key(manifest: Manifest, shape: Shape) -> Mapping[str, Item]:
    return {item.key: item for item in items_of(sent_manifest(manifest, shape))}


def test_a_file_that_a_bundler_named_is_one_object_that_never_changes() -> None:
    found = by_key(of(entry("app-abc.js", "app-abc.js", codings={"br": Variant(3, CODED)})), Shape(variants=True))
    assert {key: (item.hashed, item.coding) for key, item in found.items()} == {
        "app-abc.js": (True, ""), "app-abc.js.br": (True, "br"),
    }  # fmt: skip
    assert [*by_key(of(entry("app-abc.js", "app-abc.js")), Shape(hashed_only=True))] == ["app-abc.js"]


def test_the_plain_name_of_a_rewritten_file_has_its_source() -> None:
    plain = Plain(5, OTHER, {"gzip": Variant(4, CODED)})
    manifest = of(entry("a.css", codings={"gzip": Variant(3, DIGEST)}, plain=plain))
    found = by_key(manifest, Shape())
    assert found["a.css"].sources == (plain_key(OTHER), "a.css")
    assert (found["a.css"].size, found["a.css"].digest, found["a.css"].hashed) == (5, OTHER, False)
    stored = by_key(manifest, Shape(coding="gzip"))["a.css"]
    assert stored.sources == (plain_key(OTHER) + ".gz", "a.css.gz")
    assert (stored.size, stored.digest, stored.coding) == (4, CODED, "gzip")


def test_one_coding_may_be_stored_and_the_others_lie_beside() -> None:
    manifest = of(entry("a.css", codings={"gzip": Variant(3, OTHER), "br": Variant(2, CODED)}))
    name = hashed_name("a.css", DIGEST)
    found = by_key(manifest, Shape(variants=True, coding="gzip"))
    assert {key: (item.coding, item.sources) for key, item in found.items()} == {
        name: ("gzip", (f"{name}.gz",)), f"{name}.br": ("br", (f"{name}.br",)),
        "a.css": ("gzip", (f"{name}.gz", "a.css.gz")), "a.css.br": ("br", (f"{name}.br", "a.css.br")),
    }  # fmt: skip


def test_a_source_that_is_called_as_a_variant_wins() -> None:
    manifest = of(entry("a.js", codings={"gzip": Variant(3, CODED)}), entry("a.js.gz", digest=OTHER))
    assert by_key(manifest, Shape(variants=True))["a.js.gz"].logical == "a.js.gz"


def test_a_source_that_is_called_as_anothers_hashed_name_and_has_its_bytes_is_that_object() -> None:
    name = hashed_name("a.css", DIGEST)
    found = by_key(of(entry("a.css"), entry(name)), Shape())
    assert (found[name].logical, found[name].hashed) == ("a.css", True)


@pytest.mark.parametrize("shape", [Shape(), Shape(variants=True), Shape(coding="br")])
def test_other_bytes_under_anothers_hashed_name_are_refused(shape: Shape) -> None:
    with pytest.raises(ManifestError, match=r"a\.css and a\..*\.css"):
        by_key(of(entry("a.css"), entry(hashed_name("a.css", DIGEST), digest=OTHER)), shape)
    # Where no plain names are sent, there is none that could be in the way.
    by_key(of(entry("a.css"), entry(hashed_name("a.css", DIGEST), digest=OTHER)), Shape(hashed_only=True))


def test_a_release_that_was_sent_is_not_sent_on_in_another_form() -> None:
    manifest = of(entry("a.css", codings={"gzip": Variant(3, CODED)}))
    for shape in (Shape(coding="gzip"), Shape(hashed_only=True)):
        with pytest.raises(ManifestError, match="the store that it was built in"):
            sent_manifest(sent_manifest(manifest, shape), Shape())


def test_a_coding_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="'deflate'"):
        Shape(coding="deflate")


SITE = {
    "a.css": b"@import 'b.css';\n" + b"p { color: red }\n" * 200,
    "b.css": b"p { color: blue }\n" * 200,
    "tiny.css": b"p{}",
    "app.js": b"let a = 1\n" * 300,
    "app.js.gz": b"somebody's own",
}


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("shape", [Shape(), Shape(variants=True), Shape(hashed_only=True), Shape(coding="gzip")])
def test_every_source_of_a_release_that_was_built_has_the_bytes(
    tmp_path: Path, write, shape: Shape, link: bool
) -> None:
    store = LocalStore(str(tmp_path / "root"))
    manifest = publish(made(write(SITE)), store, CompressConfig(codings=("br", "gzip")), link=link).manifest
    found = by_key(manifest, shape)
    assert {"a.css", "tiny.css"} <= {item.logical for item in found.values()}
    for item in found.values():
        there = next(key for key in item.sources if (tmp_path / "root" / key).exists())
        with open(tmp_path / "root" / there, "rb") as file:
            assert digest_stream(file) == (item.digest, item.size)
    if shape.coding:
        assert found["a.css"].coding == ("" if link else "gzip")
        assert (found["b.css"].coding, found["tiny.css"].coding) == ("gzip", "")
