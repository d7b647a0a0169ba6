"""The manifest: what is written is what is read, and what is damaged is one clear error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.digest import digest_bytes, hashed_name
from shipfiles.errors import ManifestError
from shipfiles.lines import Lines
from shipfiles.manifest import Manifest, dump, dump_django, load, load_django
from shipfiles.model import Entry, Plain, Variant
from shipfiles.records import load_record

WHOLE = {"name": "a.css", "size": 1, "digest": digest_bytes(b"a"), "type": "text/css"}
# RFC 9110 section 8.3.1; a header must stay one header.
NO_TYPES: list[object] = [
    "text/html\r\nSet-Cookie: a=b", "text/html\nX: y", "text/html\0", "text/\u2603", "text/\xe4", "a/b; c=\"\x7f\"",
    "text", "text/", "/html", "text html", "text/html; charset", "text/html;charset=a b", 'text/html; a="b',
    " text/html", "text/html ", "text/html\n", "", "a/" + "b" * 300, "a/b" + "; " * 100, 5, None,
]  # fmt: skip
TYPES = ["text/html", "application/vnd.a+b; q=1", 'text/x; charset="a b"', "text/plain;charset=utf-8;x=y"]
digests = st.binary(max_size=8).map(digest_bytes)
sizes = st.integers(0, 1 << 40)
variants = st.builds(Variant, sizes, digests)
codings = st.dictionaries(st.sampled_from(["br", "gzip", "zstd"]), variants)
names = st.sampled_from(["a.css", "css/ü b.css", "js/x#y?.js", 'q"uote.txt', "日本/x", "100%.png"])


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    entries = {}
    for logical in draw(st.sets(names)):
        digest = draw(digests)
        plain = draw(st.none() | st.builds(Plain, sizes, digests, codings))
        references = tuple(sorted(draw(st.sets(names))))
        entries[logical] = Entry(
            logical, hashed_name(logical, digest), draw(sizes), digest, "text/css", draw(codings), references, plain
        )
    return Manifest(entries, draw(st.sampled_from(["", "br=11 gzip=9"])))


@given(manifests())
def test_what_is_written_is_what_is_read(manifest: Manifest) -> None:
    body = dump(manifest)
    assert load(body, "m") == manifest
    assert dump(load(body, "m")) == body
    # One file a line, so that a reader can leave lines alone.
    assert len(body.splitlines()) == len(manifest.entries) + (2 if manifest.entries else 3)


@given(manifests())
def test_the_order_of_entries_does_not_matter(manifest: Manifest) -> None:
    assert dump(Manifest(dict(reversed(manifest.entries.items())), manifest.compress)) == dump(manifest)


@given(st.binary() | manifests().map(dump).map(lambda b: b[: len(b) // 2]))
def test_anything_else_is_a_manifest_error(body: bytes) -> None:
    for read in (load, load_django):
        with pytest.raises(ManifestError):
            read(body, "m")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 2}, "newer Shipfiles"),
        ({"schema": None}, "no schema number"),
        ({"files": []}, "'files' is not an object"),
        ({"files": {"a.css": {}}}, "damaged at 'a.css'"),
        ({"files": {"a.css": 5}}, "damaged at 'a.css'.* is no object"),
        ({"files": {"a.css": []}}, "damaged at 'a.css'.* is no object"),
        ({"files": {"a.css": WHOLE | {"codings": []}}}, "damaged at 'a.css'"),
        ({"files": {"a.css": WHOLE | {"codings": {"br": 5}}}}, "damaged at 'a.css'"),
        ({"files": {"a.css": WHOLE | {"plain": 5}}}, "damaged at 'a.css'"),
        ({"files": {"a.css": WHOLE | {"references": 5}}}, "damaged at 'a.css'"),
        ({"files": {"../a.css": {"name": "x"}}}, "damaged at '../a.css'"),
        ({"files": {"a.css": {"name": "/etc/passwd", "size": 1, "digest": "", "type": ""}}}, "is no path"),
        ({"files": {"a.css": {"name": "a", "size": -1, "digest": "", "type": ""}}}, "is no number of bytes or files"),
        ({"files": {"a.css": {"name": "a", "size": 1, "digest": "md5", "type": ""}}}, "is no digest"),
        *[({"files": {"a.css": WHOLE | {"type": type_}}}, "is no media type") for type_ in NO_TYPES],
    ],
)
def test_damage_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        load(json.dumps({"schema": 1, "files": {}} | change).encode(), "m")


@pytest.mark.parametrize("type_", TYPES)
def test_media_types(type_: str) -> None:
    body = json.dumps({"schema": 1, "files": {"a.css": WHOLE | {"type": type_}}}).encode()
    assert load(body, "m").entries["a.css"].media_type == type_


def test_a_media_type_that_is_none_is_found_when_it_is_asked_for() -> None:
    manifest = Manifest({"a.css": Entry("a.css", "a.1.css", 1, digest_bytes(b"a"), "a/b\r\nX: y", {})})
    with pytest.raises(ManifestError, match=r"damaged at 'a.css': .* is no media type"):
        load(dump(manifest), "m", lazily=True).entries["a.css"]


@pytest.mark.parametrize("read", [load, load_django])
def test_deep_nesting_is_a_manifest_error(read) -> None:
    with pytest.raises(ManifestError, match="damaged"):
        read(b"[" * 200_000, "m")


def test_djangos_manifest() -> None:
    paths = {"b.css": "b.0.css", "a.css": "a.0.css"}
    body = dump_django(paths)
    assert load_django(body, "s")[0] == paths
    assert json.loads(body)["version"] == "1.1"
    assert list(json.loads(body)["paths"]) == ["a.css", "b.css"]
    with pytest.raises(ManifestError, match="version"):
        load_django(b'{"version": "2.0", "paths": {}}', "s")


ODD = ["a.css", "css/ü b.css", 'q"uote.txt', 'x": {"name":"y.css', "日本/x", "100%.png"]


@given(manifests())
def test_read_lazily_it_is_the_same(manifest: Manifest) -> None:
    body = dump(manifest)
    lazy = load(body, "m", lazily=True)
    assert lazy.names() == manifest.names()
    assert {logical: lazy.entries[logical] for logical in lazy.entries} == manifest.entries
    assert ("nowhere.css" in lazy.entries, len(lazy.entries)) == (False, len(manifest.entries))
    assert lazy == manifest
    assert sorted(lazy.keys()) == sorted(manifest.keys())
    assert dump(lazy) == body


def test_names_that_look_like_the_format() -> None:
    entries = {name: Entry(name, hashed_name(name, digest_bytes(b"")), 0, digest_bytes(b""), "a/b") for name in ODD}
    lazy = load(dump(Manifest(entries)), "m", lazily=True)
    assert isinstance(lazy.entries, Lines)
    assert lazy.names() == {name: entry.name for name, entry in sorted(entries.items())}
    assert [lazy.entries[name] for name in ODD] == [entries[name] for name in ODD]


@pytest.mark.parametrize("indent", [None, 1])
def test_another_layout_is_read_at_once(indent: int | None) -> None:
    manifest = Manifest({"a.css": Entry("a.css", "a.b.css", 0, digest_bytes(b""), "text/css")}, "br=1", linked=True)
    lazy = load(json.dumps(json.loads(dump(manifest)), indent=indent).encode(), "m", lazily=True)
    assert isinstance(lazy.entries, dict)
    assert lazy == manifest


def test_a_damaged_entry_is_named_when_it_is_asked_for() -> None:
    entries = {name: Entry(name, name, 7, digest_bytes(b""), "text/css") for name in ("a.css", "b.css", "c.css")}
    body = dump(Manifest(entries)).replace(b'"b.css","size":7', b'"b.css","size":-7')
    lazy = load(body, "m", lazily=True)
    assert lazy.entries["a.css"] == entries["a.css"]
    for ask in (lambda: lazy.entries["b.css"], lambda: list(lazy.entries.values()), lambda: list(lazy.keys())):
        with pytest.raises(ManifestError, match=r"^m: damaged at 'b.css': .*-7 is no number of bytes or files"):
            ask()
    with pytest.raises(KeyError):
        lazy.entries["d.css"]


def test_a_line_that_is_no_json_is_named() -> None:
    entries = {name: Entry(name, name, 7, digest_bytes(b""), "text/css") for name in ("a.css", "b.css")}
    body = dump(Manifest(entries)).replace(b'"b.css","size":7', b'"b.css","size":7,,')
    lazy = load(body, "m", lazily=True)
    assert lazy.entries["a.css"] == entries["a.css"]
    with pytest.raises(ManifestError, match=r"^m: damaged at 'b.css'"):
        lazy.entries["b.css"]
    with pytest.raises(ManifestError, match=r"^m: damaged"):
        lazy.entries.values()


@given(st.binary() | manifests().map(dump).map(lambda b: b[: len(b) // 2]))
def test_anything_else_is_a_manifest_error_lazily_too(body: bytes) -> None:
    with pytest.raises(ManifestError):
        load(body, "m", lazily=True)


@pytest.mark.parametrize(("schema", "words"), [(2, "newer Shipfiles"), ("1", "no schema number")])
def test_the_schema_is_looked_at_lazily_too(schema: object, words: str) -> None:
    body = dump(Manifest({})).replace(b'"schema": 1', b'"schema": ' + json.dumps(schema).encode())
    with pytest.raises(ManifestError, match=words):
        load(body, "m", lazily=True)


@pytest.mark.parametrize("made", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_a_time_that_is_none_in_some_time_zone_is_damage(made: str) -> None:
    """``datetime`` has years 1 to 9999, and commands show times in the project's zone."""
    record = {
        "schema": 1, "release": "v1", "made": made, "manifest": "sha384-" + "A" * 64, "files": 1, "bytes": 1,
        "codings": {}, "new_bytes": 1,
    }  # fmt: skip
    with pytest.raises(ManifestError, match="no time of a release"):
        load_record(json.dumps(record).encode(), "v1")
    sound = load_record(json.dumps(record | {"made": "2026-11-21T10:00:00Z"}).encode(), "v1")
    assert sound.release == "v1"
