"""The manifest: what is written is what is read, and what is damaged is one clear error."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shipfiles.digest import digest_bytes, hashed_name
from shipfiles.errors import ManifestError
from shipfiles.manifest import Manifest, dump, dump_django, load, load_django
from shipfiles.model import Entry, Plain, Variant

WHOLE = {"name": "a.css", "size": 1, "digest": digest_bytes(b"a"), "type": "text/css"}
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
        ({"files": {"a.css": {"name": "a", "size": -1, "digest": "", "type": ""}}}, "is no size"),
        ({"files": {"a.css": {"name": "a", "size": 1, "digest": "md5", "type": ""}}}, "is no digest"),
    ],
)
def test_damage_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        load(json.dumps({"schema": 1, "files": {}} | change).encode(), "m")


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
