"""The JSON Schemas of docs/schemas: what is written fits them, what does not fit is damaged, and readers agree."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shipfiles import manifest, records
from shipfiles.digest import digest_bytes, hex_prefix
from shipfiles.errors import ManifestError
from shipfiles.release.items import Shape, sent_manifest
from shipfiles.release.unsettled import Unsettled
from shipfiles.stores.local import LocalStore
from tests.oracles.corpora import ROOT

from .test_collectstatic import collect

WRITTEN = Path(__file__).parent / "written"
"""What versions of Shipfiles wrote, by the version of the format. It must be readable for ever, so never renew it."""
FORMATS = ("manifest", "record", "pointer")
NEWEST = {"manifest": manifest.SCHEMA, "record": records.SCHEMA, "pointer": records.SCHEMA}
READERS: dict[str, Callable[[bytes], object]] = {
    "manifest": lambda body: manifest.load(body, "m"),
    "record": lambda body: records.load_record(body, str(json.loads(body)["release"])),
    "pointer": lambda body: records.load_pointer(body, "p"),
}
SITE: dict[str, str | bytes] = {
    "css/app.css": "@import 'more.css';\nbody { background: url(../img/x.png) }\n" + "p { color: red }\n" * 40,
    "css/more.css": "",
    "img/x.png": b"\x89PNG",
    "a.txt": "x\n" * 300,
    "dir/größe ü#1.mjs": "export default 1\n" * 30,
    "dist/main-aB3dE5gH.js": "import './other-Ck7dE5gH.js'\n",
    "dist/other-Ck7dE5gH.js": "export default 2\n" * 30,
    "dist/.vite/manifest.json": json.dumps(
        {"src/main.js": {"file": "main-aB3dE5gH.js"}, "_other.js": {"file": "other-Ck7dE5gH.js"}}
    ),
    "page.odd": "odd",
}


def schema(name: str, version: int | None = None) -> dict[str, Any]:
    return json.loads((ROOT / "docs/schemas" / f"{name}-{version or NEWEST[name]}.json").read_text(encoding="utf-8"))


def faults(name: str, value: object, by: dict[str, Any] | None = None) -> list[str]:
    return [error.message for error in Draft202012Validator(by or schema(name)).iter_errors(value)]


def accepted(name: str, value: object) -> bool:
    try:
        READERS[name](json.dumps(value).encode())
    except (ManifestError, KeyError):
        return False
    return True


def closed(node: Any) -> Any:
    """A schema that allows no field which it does not name."""
    if isinstance(node, list):
        return [closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: closed(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict) and "type" in node:
        made.setdefault("additionalProperties", False)
    return made


def named_fields(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(named_fields, node))
    if not isinstance(node, dict):
        return set()
    found = set(node["properties"]) if isinstance(node.get("properties"), dict) else set()
    return found.union(*map(named_fields, node.values()))


def all_keys(node: Any) -> set[str]:
    if isinstance(node, list):
        return set().union(*map(all_keys, node))
    return set(node).union(*map(all_keys, node.values())) if isinstance(node, dict) else set()


def stored(root: Path) -> Iterator[tuple[str, Any]]:
    folders = {"manifest": "manifests", "record": "releases"}
    for name, folder in folders.items():
        for path in (root / ".shipfiles" / folder).glob("*.json"):
            yield name, json.loads(path.read_bytes())
    yield "pointer", json.loads((root / ".shipfiles/current.json").read_bytes())


@pytest.mark.parametrize("name", FORMATS)
def test_each_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_what_builds_write_fits_and_every_field_occurs(project: Path, write) -> None:
    """Files rewritten, kept, under a bundler's name that lies, linked, with odd names and types; a rollback."""
    options = {"serve": {"media_types": {".odd": "text/x-odd"}}}
    with override_settings(
        STORAGES={"staticfiles": {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": options}}
    ):
        write(SITE)
        collect()
        write({"dist/other-Ck7dE5gH.js": "export default 3\n" * 30})
        collect()
        collect("--link")
        call_command("ship", "rollback", "--no-color")
        # A pointer that cannot be read is made anew.
        (project / "root" / records.POINTER_KEY).write_text("{")
        collect()
        write({"more.txt": "more"})
        collect()
    # What stores have to which a release is sent.
    folder = project / "root" / ".shipfiles/manifests"
    built = manifest.load(max((f.read_bytes() for f in folder.glob("*.json")), key=len), "m")
    for shape in (Shape(coding="gzip"), Shape(hashed_only=True)):
        body = manifest.dump(sent_manifest(built, shape))
        (folder / f"{hex_prefix(digest_bytes(body), 32)}.json").write_bytes(body)
    pointer = records.load_pointer((project / "root" / records.POINTER_KEY).read_bytes(), "p")
    (project / "root" / records.POINTER_KEY).write_bytes(records.dump_pointer(replace(pointer, fields="0f")))
    for digest in (None, records.Digest(DIGEST)):
        # As of a run that is killed then, and does not end.
        Unsettled(LocalStore(str(project / "root"))).begin(digest)
    seen: dict[str, set[str]] = {name: set() for name in FORMATS}
    count = 0
    for name, value in stored(project / "root"):
        assert faults(name, value, closed(schema(name))) == []
        assert accepted(name, value)
        seen[name] |= all_keys(value)
        count += 1
    assert count == 5 + 2 + 5 + 1
    for name in FORMATS:
        assert named_fields(schema(name)) <= seen[name]


DIGEST = "sha384-" + "A" * 64
FILE = {"name": "a.0.css", "size": 1, "digest": DIGEST, "type": "text/css"}


def with_file(**change: object) -> dict[str, object]:
    return {"schema": 1, "compress": "", "files": {"a.css": FILE | change}}


RECORD = {
    "schema": 1, "release": "v1", "made": "2026-11-21T10:00:00Z", "manifest": DIGEST,
    "files": 1, "bytes": 1, "codings": {"br": 5}, "new_bytes": 2,
}  # fmt: skip
POINTER = {
    "schema": 1, "release": "v1", "history": [["v1", "2026-11-21T10:00:00Z"]], "manifest": DIGEST,
    "settled": "2f", "fields": "3f",
    "unsettled": [["0f", "2026-11-21T10:00:00Z", DIGEST], ["1f", "2026-11-21T10:00:00Z", None]],
}  # fmt: skip
MANIFEST = with_file(
    codings={"br": {"size": 1, "digest": DIGEST}}, references=["b.css"], plain={"size": 1, "digest": DIGEST}
)


def less(value: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in value.items() if k != key}


DAMAGED: list[tuple[str, object]] = [
    *[("manifest", less(MANIFEST, key)) for key in ("schema", "files")],
    *[("manifest", MANIFEST | {"schema": value}) for value in (0, -1, 2, "1", None, True)],
    ("manifest", MANIFEST | {"files": []}),
    *[("manifest", {"schema": 1, "files": {"a.css": less(FILE, key)}}) for key in FILE],
    *[("manifest", {"schema": 1, "files": {name: FILE}}) for name in (
        "", "/a", "a/", "a//b", "./a", "a/./b", "../a", "a/..", "..", ".", "a\\b", "a\0b", "a\x85", "\ud800",
        ".shipfiles/x", ".SHIPfiles", ".ſhipﬁleſ/current.json",
    )],
    *[("manifest", with_file(name=value)) for value in ("/etc/passwd", "..", "", None, 5)],
    *[("manifest", with_file(size=value)) for value in (-1, 1.5, "1", True, None)],
    *[("manifest", with_file(digest=value)) for value in (
        "", "md5-AA", "sha384-" + "A" * 63, DIGEST + "A", "sha384-" + "-" * 64, 1,
    )],
    *[("manifest", with_file(type=value)) for value in (
        None, 5, [], "text", "a/b\r\nX: y", "a/b\0", "text/\u2603", "a/b;", 'a/b; c="d', "a/" + "b" * 300,
    )],
    *[("manifest", with_file(codings=value)) for value in (
        [], {"br": 5}, {"br": {}}, {"br": {"size": 1}}, {"gzip": {"size": -1, "digest": DIGEST}},
    )],
    *[("manifest", with_file(references=value)) for value in ("abc", 5, [5], {"a": 1})],
    *[("manifest", with_file(plain=value)) for value in (
        5, {}, {"size": 1}, {"size": 1, "digest": DIGEST, "codings": []},
        {"size": 1, "digest": DIGEST, "stored": "br"},
    )],
    *[("manifest", with_file(codings={"br": {"size": 1, "digest": DIGEST}}, stored=value)) for value in (
        "gzip", "", "identity", None, 5, [],
    )],
    ("manifest", with_file(stored="br")),
    *[("record", less(RECORD, key)) for key in RECORD],
    *[("record", RECORD | {"schema": value}) for value in (0, 2, "1", None)],
    *[("record", RECORD | {"made": value}) for value in ("now", "2026-13-01T00:00:00Z", "2026-11-21 10:00:00", 5)],
    *[("record", RECORD | {key: -1}) for key in ("files", "bytes", "new_bytes")],
    ("record", RECORD | {"manifest": "x"}),
    ("record", RECORD | {"codings": {"br": "5"}}),
    *[("pointer", less(POINTER, key)) for key in ("schema", "release", "history")],
    *[("pointer", POINTER | {"manifest": value}) for value in (None, "", "sha384-", 5)],
    *[("pointer", POINTER | {key: value}) for key in ("settled", "fields") for value in (None, 1, [])],
    *[("pointer", POINTER | {"unsettled": value}) for value in (
        None, {}, "abc", ["abc"], [["0f", "now", None]], [[1, "2026-11-21T10:00:00Z", None]],
        [["0f", "2026-11-21T10:00:00Z"]], [["0f", "2026-11-21T10:00:00Z", ""]],
    )],
    *[("pointer", POINTER | {"schema": value}) for value in (0, 2, "1", None)],
    *[("pointer", POINTER | {"lost": value}) for value in (None, "now", 5)],
    *[("pointer", POINTER | {"history": value}) for value in (
        [], {}, [["v1"]], [["v1", "now"]], [["../x", "2026-11-21T10:00:00Z"]],
    )],
    *[("pointer", {"schema": 1, "release": value, "history": [[value, "2026-11-21T10:00:00Z"]]}) for value in (
        "", "a/b", "..", "-x", "x.", "x" * 101, "con", "NUL.txt", "Current", "ü", 5,
    )],
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [("manifest", MANIFEST), ("record", RECORD), ("pointer", POINTER)])
def test_the_whole_ones_are_whole(name: str, value: object) -> None:
    assert faults(name, value) == []
    assert accepted(name, value)


@pytest.mark.parametrize(("name", "value"), DAMAGED)
def test_damage_fits_neither_the_schema_nor_the_reader(name: str, value: object) -> None:
    assert faults(name, value) != []
    assert not accepted(name, value)


JSON_VALUES = st.sampled_from(
    [None, True, False, 0, 1, -1, 2.5, "", "a", "br", "a/b.css", "../x", "con", DIGEST, "v1", [], ["v1"], {}, {"a": 1}]
)


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, Any]:
    """One of the formats with something put, dropped or added anywhere."""
    name, value = draw(st.sampled_from([("manifest", MANIFEST), ("record", RECORD), ("pointer", POINTER)]))
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 2))):
        node: Any = value
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(node[key], (dict, list)) and node[key] and draw(st.booleans()):
                node = node[key]
                continue
            what = draw(st.sampled_from(["put", "drop", "add"]))
            if what == "put":
                node[key] = draw(JSON_VALUES)
            elif what == "drop":
                del node[key]
            elif isinstance(node, dict):
                node[draw(st.sampled_from(["new", "zstd", "a/b.css", "plain", "unsteady", "stored", "spares"]))] = draw(
                    JSON_VALUES
                )
            break
    return name, value


@given(changed())
def test_what_fits_is_read(case: tuple[str, Any]) -> None:
    """Beyond what a schema cannot say: that the pointer's release is the last of its history."""
    name, value = case
    if not faults(name, value) and (name != "pointer" or value["release"] == value["history"][-1][0]):
        assert accepted(name, value)


def versions() -> list[tuple[str, int]]:
    return [(path.stem, int(path.parent.name)) for path in sorted(WRITTEN.glob("*/*.json"))]


@pytest.mark.parametrize(("name", "version"), versions())
def test_what_any_version_wrote_is_read(name: str, version: int) -> None:
    body = (WRITTEN / str(version) / f"{name}.json").read_bytes()
    assert faults(name, json.loads(body), schema(name, version)) == []
    assert READERS[name](body)
    if name == "manifest":
        assert manifest.load(body, "m", lazily=True) == manifest.load(body, "m")
        assert {"css/app.css", "a.txt"} <= manifest.load(body, "m").entries.keys()


def test_every_version_is_kept_as_it_was_written_and_documented() -> None:
    assert set(versions()) == {(name, version) for name in FORMATS for version in range(1, NEWEST[name] + 1)}
    documented = {path.stem for path in (ROOT / "docs/schemas").glob("*.json")}
    assert documented == {f"{name}-{version}" for name, version in versions()}


def test_versions_up_to_the_newest_are_read() -> None:
    for version in (1, 2, 3):
        manifest.check_schema({"schema": version}, "m", newest=3)
    with pytest.raises(ManifestError, match="schema 4, this one reads up to 3"):
        manifest.check_schema({"schema": 4}, "m", newest=3)


@pytest.mark.parametrize("name", FORMATS)
def test_a_newer_version_is_a_clear_error(name: str) -> None:
    raw = json.loads((WRITTEN / "1" / f"{name}.json").read_bytes()) | {"schema": NEWEST[name] + 1, "files": "other"}
    with pytest.raises(ManifestError, match=re.escape("Install the version that wrote it")) as caught:
        READERS[name](json.dumps(raw).encode())
    assert f"schema {NEWEST[name] + 1}, this one reads up to {NEWEST[name]}" in str(caught.value)


def test_the_docs_name_every_field() -> None:
    text = (ROOT / "docs/releases.md").read_text(encoding="utf-8")
    section = text.split("## The manifest\n")[1].split("\n## ")[0]
    assert {f"`{name}`" for name in named_fields(schema("manifest"))} <= set(re.findall(r"`[^`\n]+`", section))
