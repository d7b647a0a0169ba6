"""What is found wrong with releases and repaired, and that a repair that is killed leaves nothing worse."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.decode import decoder_of
from shipfiles.digest import digest_bytes
from shipfiles.errors import ArchiveError, ReleaseError, UnknownRelease
from shipfiles.events import Event, Notice
from shipfiles.manifest import Manifest, plain_key
from shipfiles.model import SourceFile
from shipfiles.records import POINTER_KEY, dump_record, manifest_key, record_key
from shipfiles.release.activate import activate
from shipfiles.release.catalog import manifest_of, record_of_release, records_of
from shipfiles.release.contents import contents_of
from shipfiles.release.pieces import look, pieces_of
from shipfiles.release.publish import publish
from shipfiles.release.repair import repair
from shipfiles.release.supply import ArchiveSupply, Built, OtherStore, Supply
from shipfiles.release.transfer import export_release
from shipfiles.release.verify import Verified, verify
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Store, read_all
from shipfiles.zstd import zstd_module

from .test_publish import Dying, Killed

BOTH = CompressConfig(codings=("br", "gzip"), brotli_quality=4, gzip_level=6, min_size=0, margin=0)
OTHER = replace(BOTH, brotli_quality=9, gzip_level=1)
DECODE = {"br": brotli.decompress, "gzip": gzip.decompress}
SITE: dict[str, str | bytes] = {
    "css/app.css": "@import 'part.css';\n" + "p { color: red }\n" * 40,
    "css/part.css": "q { top: 1px }\n" * 40,
    "js/app.js": "let words = 'one two three';\n" * 40,
    "img/logo.png": b"\x89PNG" * 100,
}


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore(str(tmp_path / "root"))


def made(root: Path) -> Build:
    files = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
    return build(files, RewriteConfig(), workers=1)


def write(root: Path, site: dict[str, str | bytes]) -> Path:
    for name, body in site.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return root


def deploy(store: Store, root: Path, name: str, config: CompressConfig = BOTH, **changes: str | bytes) -> Build:
    built = made(write(root, {**SITE, **{key.replace("__", "/") + ".css": body for key, body in changes.items()}}))
    publish(built, store, config, release=name, workers=1)
    return built


def contents(store: Store) -> dict[str, bytes | None]:
    """All that is in the store but what runs lock."""
    return {s.key: read_all(store, s.key) for s in store.list() if s.key not in (".shipfiles/lock", ".shipfiles/swap")}


def manifest(store: Store, release: str) -> Manifest:
    return manifest_of(store, record_of_release(store, release))


def faults(found: Verified) -> dict[str, str]:
    return {fault.key: fault.kind for fault in found.left}


def sources(built: Build) -> list[Supply]:
    return [Built(lambda: contents_of(built.assets, BOTH))]


def flipped(body: bytes | None) -> bytes:
    assert body
    return body[:-1] + bytes([body[-1] ^ 1])


def test_what_was_published_is_as_it_should_be(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", "r1")
    deploy(store, tmp_path / "src", "r2", css__part="q { top: 2px }\n" * 40)
    before = contents(store)
    found = verify(store)
    assert (found.faults, found.unsettled, found.notes) == ([], [], [])
    assert found.releases == ["r2", "r1"]
    # Every object but those that say what there is, and plain names of the release that is not current.
    small = {POINTER_KEY, "staticfiles.json", *(key for key in before if key.startswith(".shipfiles/r"))}
    small |= {key for key in before if key.startswith(".shipfiles/manifests/")}
    # The source of css/app.css is kept once, and looked at with each of the two files that were made of it.
    kept = manifest(store, "r1").entries["css/app.css"].plain
    assert kept is not None
    assert found.objects == len(before.keys() - small) + 1 + len(kept.codings)
    assert contents(store) == before


@pytest.mark.parametrize("how", ["delete", "flip", "cut", "other"])
def test_every_object_that_is_touched_is_found_and_repaired(store: Store, tmp_path: Path, how: str) -> None:
    built = deploy(store, tmp_path / "src", "r1")
    # A variant of other settings is no fault, so these must be put back exactly for the comparison.
    before = contents(store)
    for key, body in before.items():
        if key.startswith(".shipfiles/") and not key.startswith(".shipfiles/plain/"):
            continue
        if how == "delete":
            store.delete([key])
        else:
            assert body is not None
            store.put(key, {"flip": flipped(body), "cut": body[:-3], "other": b"something else"}[how])
        found = verify(store)
        wanted = "missing" if how == "delete" else "damaged"
        if how == "other" and key.endswith((".br", ".gz")) and key.removesuffix(key[-3:]) in SITE:
            # Beside a plain name, where other files of people may be.
            assert faults(found) == {key: "taken"}
            store.delete([key])
            found, wanted = verify(store), "missing"
        assert faults(found) == {key: wanted}, (key, found.notes)
        repaired = repair(store, found, sources(built), BOTH)
        assert faults(repaired) == {}
        assert [fault.key for fault in repaired.faults] == [key]
        assert contents(store) == before, key


def test_all_but_the_manifests_is_lost_and_comes_back(store: Store, tmp_path: Path) -> None:
    built = deploy(store, tmp_path / "src", "r1")
    before = contents(store)
    store.delete([key for key in before if not key.startswith((".shipfiles/m", ".shipfiles/r", POINTER_KEY))])
    assert len(verify(store).left) > 10
    assert faults(repair(store, verify(store), sources(built), BOTH)) == {}
    assert contents(store) == before
    assert not verify(store).faults


def test_without_any_other_place_the_store_repairs_from_itself(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", "r1")
    before = contents(store)
    for entry in manifest(store, "r1").entries.values():
        store.delete([entry.name])
        if entry.plain is None:
            store.delete([entry.logical])
    # The image has no variants, so nothing has its bytes any more.
    repaired = repair(store, verify(store), [], BOTH)
    gone = {"img/logo.png", manifest(store, "r1").entries["img/logo.png"].name}
    assert set(faults(repaired)) == gone
    assert {f.key: f.why_not for f in repaired.left}[min(gone)] == "its bytes are nowhere to be found"
    assert contents(store) == {key: body for key, body in before.items() if key not in gone}


def test_a_variant_of_other_settings_is_a_note(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", "r1")
    name = manifest(store, "r1").entries["js/app.js"].name
    body = read_all(store, name) or b""
    store.put(name + ".br", brotli.compress(body, quality=0))
    store.put(name + ".gz", gzip.compress(body, 1))
    found = verify(store)
    assert found.faults == []
    assert len(found.notes) == 1
    assert name + ".br" in found.notes[0]
    before = contents(store)
    assert repair(store, found, [], BOTH).faults == []
    assert contents(store) == before


def test_a_variant_that_is_lost_is_made_with_the_settings_of_now(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", "r1")
    entry = manifest(store, "r1").entries["js/app.js"]
    keys = [base + end for base in (entry.name, entry.logical) for end in (".br", ".gz")]
    store.delete(keys)
    repaired = repair(store, verify(store), [], OTHER)
    assert faults(repaired) == {}
    for key in keys:
        token = {".br": "br", ".gz": "gzip"}[key[-3:]]
        assert DECODE[token](read_all(store, key) or b"") == read_all(store, entry.name)
    assert verify(store).faults == []
    assert verify(store).notes


def test_a_variant_that_decodes_to_other_bytes_is_a_fault_even_if_it_is_the_manifests(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    wrong = gzip.compress(b"other bytes")
    deploy(store, tmp_path / "src", "r1")
    entry = manifest(store, "r1").entries["js/app.js"]
    (piece,) = [p for p in pieces_of(entry) if p.coding == "gzip"]
    store.put(piece.key, wrong)
    lying = replace(piece, size=len(wrong), digest=digest_bytes(wrong))
    finding = look(store, lying, {})
    assert finding is not None
    assert (finding.kind, finding.what) == ("damaged", "it decodes to other bytes than those of its file")


@pytest.mark.parametrize("coding", ["br", "gzip", "zstd"])
@given(body=st.binary(max_size=300).map(lambda b: b * 50), cut=st.integers(1, 200), step=st.integers(1, 70))
@settings(max_examples=60, deadline=None)
def test_decoding_in_pieces_is_decoding(coding: str, body: bytes, cut: int, step: int) -> None:
    encode = {"br": partial(brotli.compress, quality=4), "gzip": gzip.compress, "zstd": zstd_module().compress}
    encoded = encode[coding](body)

    def decoded(whole: bytes) -> bytes:
        decoder = decoder_of(coding)
        assert decoder is not None
        parts = [part for at in range(0, len(whole), step) for part in decoder.feed(whole[at : at + step])]
        decoder.close()
        return b"".join(parts)

    assert decoded(encoded) == body
    for damaged in (encoded[: max(0, len(encoded) - cut)], encoded + b"more"):
        with pytest.raises(ValueError, match=r"cut off|more behind|brotli|decompress|Error"):
            decoded(damaged)


def test_a_variant_that_grows_without_end_is_not_held_in_memory(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", "r1")
    name = manifest(store, "r1").entries["js/app.js"].name
    bomb = brotli.compress(bytes(300_000_000), quality=5)
    store.put(name + ".br", bomb)
    store.put(name + ".gz", gzip.compress(bytes(100_000_000)))
    tracemalloc.start()
    found = verify(store, workers=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert faults(found) == {name + ".br": "damaged", name + ".gz": "damaged"}
    assert peak < 20_000_000


def test_two_files_of_one_source_are_one_fault(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "src", {"css/twin.css": SITE["css/app.css"]})
    built = deploy(store, tmp_path / "src", "r1")
    plain = manifest(store, "r1").entries["css/twin.css"].plain
    assert plain is not None
    store.delete([plain_key(plain.digest)])
    found = verify(store)
    assert [fault.key for fault in found.faults] == [plain_key(plain.digest)]
    assert faults(repair(store, found, sources(built), BOTH)) == {}


def test_which_releases_have_it_is_said(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", f"r{number}", css__part=f"q {{ top: {number}px }}\n" * 40)
    shared = manifest(store, "r1").entries["img/logo.png"].name
    own = manifest(store, "r2").entries["css/part.css"].name
    store.delete([shared, own])
    told = {fault.key: set(fault.releases) for fault in verify(store).faults}
    assert told == {shared: {"r1", "r2", "r3"}, own: {"r2"}}
    assert faults(verify(store, "r3")) == {shared: "missing"}
    with pytest.raises(UnknownRelease):
        verify(store, "r4")


def test_an_archive_a_folder_and_another_store_are_repaired_from(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", "r1")
    deploy(store, tmp_path / "src", "r2", css__part="q { top: 2px }\n" * 40)
    before = contents(store)
    export_release(store, "r1", str(tmp_path / "r1.tar.gz"))
    export_release(store, "r1", str(tmp_path / "r1"))
    other = MemoryStore()
    for key, body in before.items():
        other.put(key, body or b"")
    record = record_of_release(store, "r1")
    lost = [key for piece in manifest(store, "r1").entries.values() for key in (piece.name, piece.name + ".br")]
    lost = [key for key in lost if key in before]
    places: list[Callable[[], Supply]] = [
        lambda: ArchiveSupply(str(tmp_path / "r1.tar.gz"), "staticfiles.json"),
        lambda: OtherStore(LocalStore(str(tmp_path / "r1")), "r1"),
        lambda: OtherStore(other, "another"),
    ]
    for place in places:
        store.delete([*lost, manifest_key(record.manifest), record_key("r1")])
        assert set(verify(store).releases) == {"r2"}
        # What no record tells of is not missed; a record that is damaged is.
        store.put(record_key("r1"), b"{}")
        assert faults(verify(store))[record_key("r1")] == "damaged"
        repaired = repair(store, verify(store), [place()], BOTH)
        assert faults(repaired) == {}
        again = contents(store)
        # The time when it was made may be another.
        again.pop(record_key("r1"))
        assert again == {key: body for key, body in before.items() if key != record_key("r1")}
        assert replace(records_of(store)["r1"], made=record.made, new_bytes=record.new_bytes) == record
        assert verify(store).faults == []


def test_a_place_with_other_bytes_repairs_nothing(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", "r1")
    entry = manifest(store, "r1").entries["img/logo.png"]
    store.delete([entry.name, entry.logical])
    other = MemoryStore()
    other.put(entry.name, b"x" * entry.size)
    before = contents(store)
    assert set(faults(repair(store, verify(store), [OtherStore(other, "another")], BOTH))) == {
        entry.name,
        entry.logical,
    }
    assert contents(store) == before
    (tmp_path / "x.tar").write_bytes(b"no archive")
    with pytest.raises(ArchiveError, match=r"x\.tar: .* Nothing was repaired\.$"):
        ArchiveSupply(str(tmp_path / "x.tar"), "staticfiles.json")


def test_an_archive_that_is_cut_off(store: Store, tmp_path: Path) -> None:
    """What it has before its end is of use; what is said of it does not speak of an import."""
    deploy(store, tmp_path / "src", "r1")
    export_release(store, "r1", str(tmp_path / "x.tar"))
    entries = manifest(store, "r1").entries
    first, last = entries["css/part.css"].name, entries["js/app.js"].name
    for entry in (entries["css/part.css"], entries["js/app.js"]):
        # Nothing that the store has itself decodes to them.
        store.delete([base + end for base in (entry.name, entry.logical) for end in ("", ".br", ".gz")])
    whole = (tmp_path / "x.tar").read_bytes()
    (tmp_path / "x.tar").write_bytes(whole[: whole.index(last.encode(), whole.index(first.encode()) + 2000)])
    supply = ArchiveSupply(str(tmp_path / "x.tar"), "staticfiles.json")
    told: list[Event] = []
    left = set(faults(repair(store, verify(store), [supply], BOTH, listener=told.append)))
    assert last in left
    assert first not in left
    (notice,) = {event.text for event in told if isinstance(event, Notice)}
    assert notice.startswith(f"Nothing more is to be had from {tmp_path}/x.tar: {tmp_path}/x.tar: cut off")
    assert notice.endswith("Copy it again.")


class TestWhatTellsOfReleases:
    def test_a_store_without_releases(self, store: Store) -> None:
        with pytest.raises(ReleaseError, match="There is no release in"):
            verify(store)

    @pytest.mark.parametrize("body", [None, b"{}", b"\xff", b'{"schema": 9}'])
    def test_the_pointer(self, store: Store, tmp_path: Path, body: bytes | None) -> None:
        deploy(store, tmp_path / "src", "r1")
        if body is None:
            store.delete([POINTER_KEY])
        else:
            store.put(POINTER_KEY, body)
        found = repair(store, verify(store), [], BOTH)
        assert set(faults(found)) == {POINTER_KEY}
        assert "ship activate" in found.left[0].what
        assert read_all(store, POINTER_KEY) == body

    def test_a_pointer_to_nowhere(self, store: Store, tmp_path: Path) -> None:
        deploy(store, tmp_path / "src", "r1")
        deploy(store, tmp_path / "src", "r2", css__part="q {}")
        store.delete([record_key("r2")])
        assert faults(verify(store)) == {record_key("r2"): "missing"}
        assert faults(verify(store, "r2")) == {record_key("r2"): "missing"}
        assert faults(verify(store, "r1")) == {}

    def test_a_record_that_disagrees_with_its_manifest(self, store: Store, tmp_path: Path) -> None:
        deploy(store, tmp_path / "src", "r1")
        right = read_all(store, record_key("r1"))
        store.put(record_key("r1"), dump_record(replace(records_of(store)["r1"], files=3)))
        found = verify(store)
        assert faults(found) == {record_key("r1"): "damaged"}
        assert faults(repair(store, found, [], BOTH)) == {}
        assert read_all(store, record_key("r1")) == right

    def test_a_manifest(self, store: Store, tmp_path: Path) -> None:
        deploy(store, tmp_path / "src", "r1")
        key = manifest_key(record_of_release(store, "r1").manifest)
        store.put(key, flipped(read_all(store, key)))
        assert faults(verify(store)) == {key: "damaged"}
        store.delete([key])
        found = repair(store, verify(store), [], BOTH)
        assert faults(found) == {key: "missing"}
        assert "collectstatic" in found.left[0].why_not

    def test_djangos_manifest(self, store: Store, tmp_path: Path) -> None:
        deploy(store, tmp_path / "src", "r1")
        first = read_all(store, "staticfiles.json") or b""
        deploy(store, tmp_path / "src", "r2", css__part="q {}")
        store.put("staticfiles.json", first)
        assert faults(verify(store)) == {"staticfiles.json": "damaged"}
        assert faults(verify(store, "r1")) == {}
        assert faults(repair(store, verify(store), [], BOTH)) == {}
        assert faults(verify(store)) == {}


def test_a_stale_variant_beside_a_plain_name(store: Store, tmp_path: Path) -> None:
    """A web server with ``gzip_static`` would send it for the file."""
    deploy(store, tmp_path / "src", "r1", css__part="q { top: 1px }\n" * 40)
    deploy(store, tmp_path / "src", "r2", replace(BOTH, codings=()), css__part="q { top: 2px }\n" * 40)
    assert verify(store).faults == []
    old = read_all(store, manifest(store, "r1").entries["css/part.css"].name + ".gz") or b""
    store.put("css/part.css.gz", old)
    store.put("js/app.js.gz", gzip.compress(b"".join(store.read("js/app.js"))))
    assert faults(verify(store)) == {"css/part.css.gz": "stale"}
    assert faults(repair(store, verify(store), [], BOTH)) == {}
    assert read_all(store, "css/part.css.gz") is None
    assert read_all(store, "js/app.js.gz") is not None
    # What no release put there is left to who did.
    store.put("img/logo.png.gz", gzip.compress(b"not ours"))
    found = verify(store)
    assert found.faults == []
    assert "img/logo.png.gz" in found.notes[0]


@pytest.mark.parametrize(
    "theirs",
    [b"a backup of theirs", gzip.compress(b"another file", mtime=0), brotli.compress(b"more")],
    ids=["text", "gzip", "br"],
)
@pytest.mark.parametrize("before", [True, False])
def test_what_somebody_else_put_in_a_variants_place_is_told_and_stays(
    store: Store, tmp_path: Path, before: bool, theirs: bytes
) -> None:
    """DESIGN section 7, 3: nothing deletes a key that Shipfiles did not write. collectstatic leaves it, too."""
    key = "css/part.css.gz"
    if before:
        store.put(key, theirs)
    built = deploy(store, tmp_path / "src", "r1")
    if not before:
        store.put(key, theirs)
    found = verify(store)
    assert faults(found) == {key: "taken"}
    assert "web servers may send it as css/part.css, compressed: move it away" in found.faults[0].what
    # What is damaged beside it is repaired all the same.
    name = manifest(store, "r1").entries["css/part.css"].name + ".gz"
    store.put(name, flipped(read_all(store, name)))
    repaired = repair(store, verify(store), sources(built), BOTH)
    assert {fault.key: fault.why_not for fault in repaired.left} == {key: "it is somebody else's"}
    assert read_all(store, key) == theirs
    store.delete([key])
    assert faults(repair(store, verify(store), sources(built), BOTH)) == {}
    assert read_all(store, key) == read_all(store, name)


def test_what_damage_leaves_of_a_variant_is_nobody_elses(store: Store, tmp_path: Path) -> None:
    built = deploy(store, tmp_path / "src", "r1")
    whole = read_all(store, "js/app.js.br") or b""
    old = whole
    deploy(store, tmp_path / "src", "r2", js__other="p{}", css__part="q { top: 2px }\n" * 40)
    stale = read_all(store, manifest(store, "r1").entries["css/part.css"].name + ".gz") or b""
    for body in (b"", whole[:1], whole[:-1], bytes(len(whole)), old):
        store.put("js/app.js.br", body)
        store.put("css/part.css.gz", stale)  # that of another release: its bytes are ours
        assert set(faults(verify(store)).values()) == {"damaged"}, body
        assert faults(repair(store, verify(store), sources(built), BOTH)) == {}
        assert read_all(store, "js/app.js.br") == whole


def test_a_link_in_a_variants_place_stays(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    built = deploy(store, tmp_path / "src", "r1")
    (tmp_path / "theirs.gz").write_bytes(gzip.compress(b"theirs"))
    store.symlink(str(tmp_path / "theirs.gz"), "js/app.js.gz")
    assert faults(repair(store, verify(store), sources(built), BOTH)) == {"js/app.js.gz": "taken"}
    assert store.link_of("js/app.js.gz") == str(tmp_path / "theirs.gz")


def test_a_stale_variants_place_that_somebody_else_has_taken(store: Store, tmp_path: Path) -> None:
    """A release that is there still named the key, but has put other bytes there."""
    deploy(store, tmp_path / "src", "r1")
    built = deploy(store, tmp_path / "src", "r2", replace(BOTH, codings=()))
    theirs = gzip.compress(b"theirs")
    store.put("js/app.js.gz", theirs)
    found = verify(store)
    assert found.faults == []
    assert "js/app.js.gz" in found.notes[0]
    store.delete([manifest(store, "r2").entries["js/app.js"].name])
    assert faults(repair(store, verify(store), sources(built), BOTH)) == {}
    assert read_all(store, "js/app.js.gz") == theirs


def test_a_source_that_is_called_as_a_variant_would_be(store: Store, tmp_path: Path) -> None:
    write(tmp_path / "src", {"js/app.js.gz": b"a source", "js/app.js.br": b"another"})
    deploy(store, tmp_path / "src", "r1")
    assert verify(store).faults == []


def test_a_name_that_a_bundler_gave_twice(store: Store, tmp_path: Path) -> None:
    name = "js/main.11593f3b9364a7cd8292.js"
    deploy(store, write(tmp_path / "src", {name: "first " * 40}), "r1")
    assert manifest(store, "r1").entries[name].kept
    built = made(write(tmp_path / "src", {name: "second " * 40}))
    steady = build(
        [asset.source for asset in built.assets], RewriteConfig(), workers=1, steady=manifest(store, "r1").steady()
    )
    publish(steady, store, BOTH, release="r2", workers=1)
    assert not manifest(store, "r2").entries[name].kept
    assert faults(verify(store, "r2")) == {}
    before = contents(store)
    repaired = repair(store, verify(store), sources(steady), BOTH)
    # What is lost of the older one would have to be put where the current one needs other bytes.
    assert name in faults(repaired)
    assert contents(store)[name] == before[name]


def test_a_release_with_links(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    built = made(write(tmp_path / "src", SITE))
    publish(built, store, BOTH, release="r1", link=True, workers=1)
    assert verify(store).faults == []
    name = manifest(store, "r1").entries["css/app.css"].name
    store.delete([name])
    store.symlink(str(tmp_path / "src/css/app.css"), name)
    found = verify(store)
    assert faults(found) == {name: "missing"}
    assert "a link to" in found.left[0].what
    assert faults(repair(store, found, sources(built), BOTH)) == {}


@pytest.mark.parametrize("after", [False, True])
def test_a_repair_that_is_killed_leaves_nothing_worse(store: Store, tmp_path: Path, after: bool) -> None:
    built = deploy(store, tmp_path / "src", "r1")
    before = contents(store)
    entries = manifest(store, "r1").entries
    part, app = entries["css/part.css"], entries["css/app.css"]
    assert app.plain is not None
    bad = {part.name: None, part.name + ".gz": None, part.logical: b"x", app.logical + ".br": b""}
    bad |= {plain_key(app.plain.digest): None, "staticfiles.json": b"{"}
    for steps in range(1, 40):
        for key, body in bad.items():
            store.delete([key])
            if body is not None:
                store.put(key, body)
        assert set(faults(verify(store))) == bad.keys()
        try:
            repair(Dying(store, steps, after=after), verify(store), sources(built), BOTH, workers=1)
        except Killed:
            wrong = {key for key, body in contents(store).items() if body != before[key]}
            assert wrong | (before.keys() - contents(store).keys()) <= bad.keys()
        else:
            assert contents(store) == before
            break
    else:
        pytest.fail("never came to its end")
    assert steps > len(bad)


@pytest.mark.parametrize("after", [False, True])
def test_after_a_deploy_that_was_killed_on_disk_it_is_clean(tmp_path: Path, after: bool) -> None:
    """Whichever step it was: what was live is whole, and plain names that are of both releases are told apart."""
    store = LocalStore(str(tmp_path / "root"))
    deploy(store, tmp_path / "src", "r1")
    seen = set()
    for steps in range(1, 60):
        built = made(write(tmp_path / "src", {"css/part.css": f"q {{ top: {steps}px }}\n" * 40}))
        with suppress(Killed):
            publish(built, Dying(store, steps, after=after), OTHER, release=f"k{steps}", workers=1)
        found = verify(store)
        assert found.faults == [], steps
        seen |= {fault.key for fault in found.unsettled}
        repaired = repair(store, found, [], OTHER)
        assert repaired.left == []
        assert [f for f in verify(store).faults if f.piece] == []
    assert {"css/part.css", "css/part.css.gz", "staticfiles.json"} <= seen


def test_a_release_that_is_pruned_meanwhile_is_no_fault(tmp_path: Path) -> None:
    class Pruning(MemoryStore):
        def head(self, key: str):
            if key == only:
                self.delete([record_key("r1"), key])
            return super().head(key)

    only = ""
    store = Pruning()
    deploy(store, tmp_path / "src", "r1", css__only="q { top: 1px }\n" * 40)
    (tmp_path / "src/css/only.css").unlink()
    deploy(store, tmp_path / "src", "r2")
    only = manifest(store, "r1").entries["css/only.css"].name
    found = verify(store)
    assert found.faults == []
    assert found.notes == ["The release r1 was pruned meanwhile."]


def test_nothing_is_written_or_locked_where_there_is_nothing_to_repair(store: Store, tmp_path: Path) -> None:
    """As on a disk that was mounted read-only: only a head, a read and a list are had."""

    class ReadOnly:
        head, read, list = store.head, store.read, store.list

    deploy(store, tmp_path / "src", "r1")
    found = verify(cast("Store", ReadOnly()))
    assert found.faults == []
    assert repair(cast("Store", ReadOnly()), found, [], BOTH) is found


def test_another_release_becomes_current_meanwhile(tmp_path: Path) -> None:
    class Activating(MemoryStore):
        def head(self, key: str):
            if key == trigger[0]:
                trigger[0] = ""
                activate(self, "r1")
            return super().head(key)

    trigger = [""]
    store = Activating()
    deploy(store, tmp_path / "src", "r1", css__part="q { top: 1px }\n" * 40)
    deploy(store, tmp_path / "src", "r2", css__part="q { top: 2px }\n" * 40)
    trigger[0] = "css/part.css"
    found = verify(store, workers=1)
    assert found.faults == []
    assert "became current meanwhile" in found.notes[0]
