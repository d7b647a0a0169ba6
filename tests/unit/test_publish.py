"""Publishing: what is written, in which order, and what a kill leaves."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import brotli
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.find import ignore_matcher, select, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.digest import digest_bytes, hashed_name
from shipfiles.errors import BrokenReferences, KeyCollision, ReleaseTaken, ShipfilesError, SourceError, StoreError
from shipfiles.events import Notice
from shipfiles.manifest import Manifest, suffix
from shipfiles.model import SourceFile
from shipfiles.records import (
    MANIFESTS_PREFIX,
    POINTER_KEY,
    RELEASES_PREFIX,
    manifest_key,
    read_current,
    read_record,
    record_key,
)
from shipfiles.release.publish import publish, publish_plain
from shipfiles.release.unsettled import Unsettled
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.rehearsal import Rehearsal
from shipfiles.stores.store import Body, Copies, Store, Stored, read_all

FAST = CompressConfig(brotli_quality=4, gzip_level=6)
CSS = "body { background: url(img/x.svg) }\n" + "p { color: red }\n" * 40
SVG = "<svg xmlns='http://www.w3.org/2000/svg'>" + "<g/>" * 100 + "</svg>"
SITE: dict[str, str | bytes] = {
    "css/app.css": CSS,
    "css/img/x.svg": SVG,
    "copy/x.svg": SVG,
    "js/a.js": "import './b.js'\n" + "// padding\n" * 40,
    "js/b.js": "export default 1\n",
    "empty.txt": b"",
    "logo.png": bytes(range(256)) * 4,
}
DECODE = {"br": brotli.decompress, "gzip": gzip.decompress}


def sources(root: Path) -> list[SourceFile]:
    return select(SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))).sources


def made(root: Path) -> Build:
    return build(sources(root), RewriteConfig())


def current(store: Store) -> Manifest:
    found = read_current(lambda key: read_all(store, key))
    assert found is not None
    return found[1]


def check_whole(store: Store, manifest: Manifest, *, plain: bool = True) -> None:
    """Every file that the manifest names is there, has the bytes that the manifest says, and decodes to the file."""
    for entry in manifest.entries.values():
        body = read_all(store, entry.name)
        assert body is not None, entry.name
        assert (len(body), digest_bytes(body)) == (entry.size, entry.digest)
        for token, variant in entry.codings.items():
            encoded = read_all(store, entry.name + suffix(token))
            assert encoded is not None
            assert (len(encoded), digest_bytes(encoded)) == (variant.size, variant.digest)
            assert DECODE[token](encoded) == body
        if plain:
            expected = entry.plain or entry
            assert digest_bytes(read_all(store, entry.logical) or b"") == expected.digest
            for token in expected.codings:
                assert DECODE[token](read_all(store, entry.logical + suffix(token)) or b"") == read_all(
                    store, entry.logical
                )


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore(str(tmp_path / "root"))


@pytest.mark.parametrize("again", [False, True])
def test_what_somebody_else_has_in_the_place_of_a_variant_stays(store: Store, write, again: bool) -> None:
    """DESIGN section 7: a key that Shipfiles did not write is never deleted, nor overwritten. Django's command only
    asks for the plain names themselves."""
    if again:
        publish(made(write({**SITE, "data.csv": "a,b,c\n" * 500})), store, FAST)
    theirs = {"data.csv.gz": b"a backup of theirs", "css/app.css.br": b"theirs", "css/img/x.svg.gz": b"and this"}
    for key, body in theirs.items():
        store.put(key, body)
    told: list[Notice] = []
    root = write({**SITE, "data.csv": "a,b,d\n" * 500, "css/img/x.svg": SVG + " "})
    manifest = publish(
        made(root), store, FAST, listener=lambda e: told.append(e) if isinstance(e, Notice) else 0
    ).manifest
    for key, body in theirs.items():
        assert read_all(store, key) == body
        assert [one.text for one in told if one.text.startswith(f"{key}: left as it is")]
    check_whole(store, manifest, plain=False)
    assert {*manifest.entries["data.csv"].codings} == {"br", "gzip"}
    (root / "data.csv").unlink()
    publish(made(root), store, FAST, clear=True)
    assert read_all(store, "data.csv") is None
    for key, body in theirs.items():
        assert read_all(store, key) == body


def test_a_first_run_that_was_killed_leaves_variants_that_the_next_one_replaces(store: Store, write) -> None:
    root = write({"data.csv": "a,b,c\n" * 500})
    for steps in range(1, 30):
        with suppress(Killed):
            publish(made(root), Dying(store, steps, after=True), FAST)
        if read_all(store, "data.csv.gz"):
            break
    assert read_current(lambda key: read_all(store, key)) is None
    check_whole(store, publish(made(write({"data.csv": "a,b,d\n" * 500})), store, FAST).manifest)


def test_a_release(store: Store, write) -> None:
    published = publish(made(write(SITE)), store, FAST)
    manifest = current(store)
    assert manifest == published.manifest
    assert set(manifest.entries) == set(SITE)
    check_whole(store, manifest)
    css = read_all(store, manifest.entries["css/app.css"].name)
    svg = manifest.entries["css/img/x.svg"].name.rpartition("/")[2]
    assert css == CSS.replace("x.svg", svg).encode()
    assert read_all(store, "css/app.css") == CSS.encode()
    for entry in manifest.entries.values():
        assert entry.name == hashed_name(entry.logical, entry.digest)
    assert manifest.entries["logo.png"].codings == {}
    assert set(manifest.entries["css/app.css"].codings) == {"br", "gzip"}
    assert manifest.entries["css/app.css"].references == ("css/img/x.svg",)
    django = json.loads(read_all(store, "staticfiles.json") or b"")
    assert django["version"] == "1.1"
    assert django["paths"] == manifest.names()


def test_equal_contents_are_stored_and_encoded_once(tmp_path: Path, write) -> None:
    store = LocalStore(str(tmp_path / "root"))
    published = publish(made(write(SITE)), store, FAST)
    # css and its plain copy, two equal svg, a.js and its plain copy: five contents that are worth it, two codings.
    assert published.encoded == 2 * 5
    names = published.manifest.names()
    same = [names["css/img/x.svg"], names["copy/x.svg"], "css/img/x.svg", "copy/x.svg"]
    assert len({Path(store.path(name)).stat().st_ino for name in same}) == 1
    assert len({Path(store.path(name + ".br")).stat().st_ino for name in same}) == 1


def test_the_second_run_changes_nothing(store: Store, write) -> None:
    root = write(SITE)
    first = publish(made(root), store, FAST)
    second = publish(made(root), store, FAST)
    assert second.changed == []
    assert second.encoded == 0
    assert second.release == first.release
    assert sorted(second.unchanged) == sorted(SITE)


def test_other_settings_make_the_variants_anew(store: Store, write) -> None:
    root = write(SITE)
    publish(made(root), store, FAST)
    second = publish(made(root), store, CompressConfig(codings=("gzip",), gzip_level=1))
    assert second.encoded > 0
    assert set(second.manifest.entries["css/app.css"].codings) == {"gzip"}
    check_whole(store, second.manifest)


def test_what_always_has_variants_has_them_however_small(store: Store, write) -> None:
    """Also where a run without that option has found that they save nothing."""
    root = write({**SITE, "tiny.txt": b"a", "noise.txt": bytes(range(256))})
    publish(made(root), store, FAST)
    second = publish(made(root), store, replace(FAST, always=("txt",)))
    for name in ("empty.txt", "tiny.txt", "noise.txt"):
        assert set(second.manifest.entries[name].codings) == {"br", "gzip"}, name
    check_whole(store, second.manifest)
    third = publish(made(root), store, FAST)
    assert not third.manifest.entries["tiny.txt"].codings
    check_whole(store, third.manifest)


def test_the_plain_copy_of_a_large_rewritten_file_gets_a_lower_quality(store: Store, write) -> None:
    """And no other file does, though it has the same bytes."""
    body = "@import 'x.css';\n" + "".join(f".a{i * 7919 % 10_007} {{ top: {i}px }}\n" for i in range(3_500))
    root = write({"app.css": body, "x.css": "p { }", "other/app.css": body})
    built = build(sources(root), RewriteConfig(skip=("other/*",)))
    config = CompressConfig(codings=("br",))
    manifest = publish(built, store, config).manifest
    check_whole(store, manifest)
    rewritten, source = read_all(store, manifest.entries["app.css"].name), body.encode()
    assert rewritten != source
    for key, of, quality in (
        (manifest.entries["app.css"].name, rewritten, 11),
        ("app.css", source, 10),
        (manifest.entries["other/app.css"].name, source, 11),
        ("other/app.css", source, 11),
    ):
        assert read_all(store, key + ".br") == brotli.compress(of, quality=quality), key
    again = publish(built, store, config)
    assert (again.encoded, again.changed) == (0, [])


def test_damage_is_healed(store: Store, write) -> None:
    root = write(SITE)
    manifest = publish(made(root), store, FAST).manifest
    css = manifest.entries["css/app.css"].name
    body = read_all(store, css) or b""
    store.put(css, b"X" + body[1:])
    store.put(css + ".br", b"short")
    store.delete([manifest.entries["logo.png"].name, "js/a.js.gz"])
    changed = {c.key for c in publish(made(root), store, FAST).changed}
    assert changed >= {css, css + ".br", manifest.entries["logo.png"].name, "js/a.js.gz"}
    check_whole(store, manifest)


def test_old_files_stay_and_clear_removes_only_ours(store: Store, write) -> None:
    root = write(SITE)
    first = publish(made(root), store, FAST).manifest
    store.put("upload.txt", b"not ours")
    store.put("css/other.css", b"not ours")
    (root / "css/app.css").write_text("body { }")
    (root / "logo.png").unlink()
    second = publish(made(root), store, FAST).manifest
    check_whole(store, first, plain=False)
    third = publish(made(root), store, FAST, clear=True)
    check_whole(store, second)
    left = {s.key for s in store.list()}
    record = read_record(partial(read_all, store), third.release)
    assert record is not None
    assert left - {".shipfiles/lock", ".shipfiles/swap"} == {
        *second.keys(), "upload.txt", "css/other.css", "staticfiles.json", POINTER_KEY,
        record_key(third.release), manifest_key(record.manifest),
    }  # fmt: skip
    # The variants of the plain style sheet went when its bytes changed.
    stale = {"css/app.css.br", "css/app.css.gz"}
    assert {c.key for c in third.changed} == set(first.keys()) - set(second.keys()) - stale | {
        c.key for c in third.changed if c.key.startswith((RELEASES_PREFIX, MANIFESTS_PREFIX))
    }


def test_clear_removes_what_djangos_own_manifest_names(store: Store, write) -> None:
    store.put("old.css", b"x")
    store.put("old.123456789012.css", b"x")
    store.put("mine.txt", b"x")
    paths = {"old.css": "old.123456789012.css", "../etc/passwd": "/etc/passwd"}
    store.put("staticfiles.json", json.dumps({"version": "1.1", "paths": paths, "hash": ""}).encode())
    publish(made(write({"a.css": "a{}"})), store, FAST, clear=True)
    left = {s.key for s in store.list()}
    assert "mine.txt" in left
    assert not left & {"old.css", "old.123456789012.css"}


def test_a_rehearsal_says_what_a_run_does_and_writes_nothing(store: Store, write) -> None:
    root = write(SITE)
    before = {s.key for s in store.list()}
    said = publish(made(root), Rehearsal(store), FAST)
    assert {s.key for s in store.list()} == before
    done = publish(made(root), store, FAST)
    assert [(c.key, c.action, c.size) for c in sorted(said.changed, key=lambda c: c.key)] == [
        (c.key, c.action, c.size) for c in sorted(done.changed, key=lambda c: c.key)
    ]
    assert said.release == done.release


def test_a_source_named_as_a_variant_wins(store: Store, write) -> None:
    root = write({"a.js": "x = 1;\n" * 100, "a.js.gz": b"theirs", "a.js.br": b"theirs too"})
    manifest = publish(made(root), store, FAST).manifest
    assert read_all(store, "a.js.gz") == b"theirs"
    assert read_all(store, "a.js.br") == b"theirs too"
    assert set(manifest.entries["a.js"].codings) == {"br", "gzip"}
    check_whole(store, manifest, plain=False)


def test_two_files_for_one_place(store: Store, write) -> None:
    with pytest.raises(KeyCollision, match=r"staticfiles\.json"):
        publish(made(write({"staticfiles.json": "{}"})), store, FAST)
    (write({}) / "staticfiles.json").unlink()
    taken = hashed_name("a.css", digest_bytes(b"a{}"))
    with pytest.raises(KeyCollision, match=taken):
        publish(made(write({"a.css": "a{}", taken: "other"})), store, FAST)
    assert read_all(store, POINTER_KEY) is None


def test_a_file_that_changes_meanwhile_is_an_error_and_nothing_is_published(store: Store, write) -> None:
    root = write(SITE)
    publish(made(root), store, FAST)
    before = current(store)
    (root / "logo.png").write_bytes(b"new")
    built = made(root)
    (root / "logo.png").write_bytes(b"newer")
    with pytest.raises(Exception, match=r"changed while it was"):
        publish(built, store, FAST)
    assert current(store) == before
    check_whole(store, before)


def test_a_corrupt_release_is_told_and_healed(store: Store, write) -> None:
    root = write(SITE)
    publish(made(root), store, FAST)
    store.put(POINTER_KEY, b"{half")
    told: list[object] = []
    publish(made(root), store, FAST, listener=told.append)
    assert any(isinstance(event, Notice) and "cannot be read" in event.text for event in told)
    check_whole(store, current(store))


def plain(root: Path) -> Build:
    return build(sources(root), RewriteConfig(css=False, javascript=False))


def test_copying_only_and_clearing_keeps_what_is_live(store: Store, write) -> None:
    root = write(SITE)
    publish(made(root), store, FAST)
    (root / "logo.png").unlink()
    live = publish(made(root), store, FAST).manifest
    (root / "new.txt").write_text("new")
    publish_plain(plain(root), store, clear=True)
    assert current(store) == live
    check_whole(store, live)
    assert read_all(store, "new.txt") == b"new"
    assert store.head("logo.png") is None


def test_copying_only_and_clearing_keeps_what_stock_django_made_live(store: Store, write) -> None:
    store.put("old.css", b"x")
    store.put("old.123456789012.css", b"x")
    manifest = json.dumps({"version": "1.1", "paths": {"old.css": "old.123456789012.css"}, "hash": ""}).encode()
    store.put("staticfiles.json", manifest)
    publish_plain(plain(write(SITE)), store, clear=True)
    assert read_all(store, "old.123456789012.css") == b"x"
    assert read_all(store, "staticfiles.json") == manifest


@pytest.mark.parametrize("how", ["smaller", "other codings", "link", "copy only"])
def test_no_old_variant_stays_beside_a_plain_file(tmp_path: Path, write, how: str) -> None:
    store = LocalStore(str(tmp_path / "root"))
    root = write({"a.css": "p { color: red }\n" * 60})
    publish(made(root), store, FAST)
    (tmp_path / "root/mine.css.br").write_bytes(b"not ours")
    if how != "other codings":
        root = write({"a.css": "q { color: blue }" * (1 if how == "smaller" else 60)})
    if how == "copy only":
        publish_plain(plain(root), store)
    else:
        config = CompressConfig(codings=("gzip",)) if how == "other codings" else FAST
        publish(made(root), store, config, link=how == "link")
    left = {key for key in ("a.css.br", "a.css.gz") if os.path.lexists(tmp_path / "root" / key)}
    assert left == ({"a.css.gz"} if how == "other codings" else set())
    assert (tmp_path / "root/mine.css.br").exists()


def test_a_rewritten_file_that_changes_meanwhile_gives_no_variant_of_other_bytes(store: Store, write) -> None:
    files = {**SITE, "css/app.css": CSS}
    root = write(files)
    publish(made(root), store, CompressConfig(codings=()))
    before = current(store)
    built = made(root)
    write({"css/app.css": CSS.replace("red", "tan")})
    with pytest.raises(ShipfilesError, match="changed while it was"):
        publish(built, store, FAST, link=True)
    assert current(store) == before
    assert store.head(before.entries["css/app.css"].name + ".br") is None


def test_after_links_a_run_makes_the_release_that_it_always_makes(tmp_path: Path, write) -> None:
    root = write(SITE)
    expected = publish(made(root), MemoryStore(), FAST)
    store = LocalStore(str(tmp_path / "root"))
    (tmp_path / "root").mkdir()
    (tmp_path / "root/logo.png.gz").write_bytes(b"not ours")
    (tmp_path / "root/copy").mkdir()
    (tmp_path / "root/copy/x.svg.gz").write_bytes(b"not ours either")
    linked = publish(made(root), store, FAST, link=True).manifest
    assert linked.linked
    publish(made(write({"other.txt": "x"})), store, FAST, link=True, clear=True)
    assert (tmp_path / "root/copy/x.svg.gz").read_bytes() == b"not ours either"
    (root / "other.txt").unlink()
    (tmp_path / "root/copy/x.svg.gz").unlink()
    again = publish(made(root), store, FAST)
    assert again.release == expected.release
    check_whole(store, again.manifest)


class Folding:
    """A store on a file system that takes ``A`` and ``a`` for one, as those of macOS and Windows do."""

    def __init__(self) -> None:
        self.store = MemoryStore()

    def put(self, key: str, body: Body, **options: Any) -> Stored:
        return self.store.put(key.casefold(), body, **options)

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        return self.store.swap(key.casefold(), expected, body)

    def head(self, key: str) -> Stored | None:
        return self.store.head(key.casefold())

    def read(self, key: str) -> Iterator[bytes]:
        return self.store.read(key.casefold())

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return self.store.list(prefix.casefold())

    def delete(self, keys: Iterable[str]) -> None:
        self.store.delete([key.casefold() for key in keys])


def test_an_id_that_differs_only_in_case_from_another_is_refused(store: Store, write) -> None:
    """Where names fold case, one record would take the place of the other; such a store may be copied there later."""
    for one in (store, Folding()):
        publish(made(write({"a.css": "one"})), one, FAST, release="Rel-1")
        with pytest.raises(ReleaseTaken, match=r"rel-1 differs only in case .* Rel-1"):
            publish(made(write({"a.css": "two"})), one, FAST, release="rel-1")
        assert read_all(one, "a.css") == b"one"
        # The same id is another matter.
        with pytest.raises(ReleaseTaken, match=r"from other files: a\.css differ"):
            publish(made(write({"a.css": "two"})), one, FAST, release="Rel-1")
        publish(made(write({"a.css": "one"})), one, FAST, release="Rel-1")
        record = read_record(partial(read_all, one), "Rel-1")
        assert record is not None
        assert record.release == "Rel-1"


@pytest.mark.parametrize("files", [{"a.css": "two"}, {"a.css": "one", "b.css": "b"}, {"a.css": "one"}])
def test_the_id_of_a_release_whose_manifest_is_gone_is_not_used_for_other_files(store: Store, write, files) -> None:
    root = write({"a.css": "one"})
    publish(made(root), store, FAST, release="r1")
    record = read_record(lambda key: read_all(store, key), "r1")
    assert record is not None
    store.delete([manifest_key(record.manifest)])
    again = made(write(files))
    if files == {"a.css": "one"}:
        publish(again, store, FAST, release="r1")
        check_whole(store, current(store))
    else:
        with pytest.raises(ReleaseTaken, match="verify r1 --repair --from") as told:
            publish(again, store, FAST, release="r1")
        assert str(told.value).count("--repair") == 1
    assert read_record(lambda key: read_all(store, key), "r1") == record


def test_clearing_after_a_change_of_case_spares_the_new_file(write) -> None:
    store = Folding()
    root = write({"App.css": "a{}"})
    publish(made(root), store, FAST)
    (root / "App.css").rename(root / "app.css")
    published = publish(made(root), store, FAST, clear=True)
    assert set(published.manifest.entries) == {"app.css"}
    check_whole(store, published.manifest)


def test_clearing_that_was_killed_is_finished_by_the_next(store: Store, write) -> None:
    root = write(SITE)
    publish(made(root), store, FAST)
    for name in SITE:
        (root / name).unlink()
    write({"only.txt": "only"})
    wanted = made(root)
    for steps in range(1, 40):
        with suppress(Killed):
            publish(wanted, Dying(store, steps, after=True), FAST, workers=1, clear=True)
    last = publish(wanted, store, FAST, clear=True)
    left = {s.key for s in store.list()} - {".shipfiles/lock", ".shipfiles/swap"}
    record = read_record(partial(read_all, store), last.release)
    assert record is not None
    kept = {"staticfiles.json", POINTER_KEY, record_key(last.release), manifest_key(record.manifest)}
    assert left == {*last.manifest.keys(), *kept}


def test_a_file_becomes_a_folder_and_a_folder_a_file(tmp_path: Path, write) -> None:
    store = LocalStore(str(tmp_path / "root"))
    root = write({"lib": "a file"})
    publish(made(root), store, FAST)
    (root / "lib").unlink()
    write({"lib/x.js": "1"})
    check_whole(store, publish(made(root), store, FAST).manifest)
    (root / "lib/x.js").unlink()
    (root / "lib").rmdir()
    write({"lib": "a file again"})
    before = current(store)
    # The last release's assets lie in that folder, and a page may still ask for them.
    with pytest.raises(StoreError, match="collectstatic --clear"):
        publish(made(root), store, FAST)
    assert current(store) == before
    check_whole(store, publish(made(root), store, FAST, clear=True).manifest)


def test_a_failure_after_the_pointer_says_that_the_release_is_live(write) -> None:
    class Failing(MemoryStore):
        def put(self, key: str, body: Body, **options: Any) -> Stored:
            if key == "staticfiles.json":
                raise StoreError(key, "no space left on the device")
            return super().put(key, body, **options)

    store = Failing()
    with pytest.raises(StoreError, match=r"staticfiles\.json: no space .* is live all the same"):
        publish(made(write({"a.css": "a{}"})), store, FAST)
    assert set(current(store).entries) == {"a.css"}


def test_a_folder_named_as_the_manifest(store: Store, write) -> None:
    with pytest.raises(KeyCollision, match=r"staticfiles\.json"):
        publish(made(write({"staticfiles.json/x": "{}"})), store, FAST)


@pytest.mark.parametrize("many", [1, 10_000])
def test_what_is_live_survives_a_power_cut(tmp_path: Path, write, many: int) -> None:
    """Seen from the kernel: what is replaced is flushed before its rename, all files and folders before the pointer,
    which comes last."""
    root = write(SITE)
    publish(made(root), LocalStore(str(tmp_path / "root")), CompressConfig(codings=()))
    before = {str(p.relative_to(tmp_path / "root")) for p in (tmp_path / "root").rglob("*")}
    write({"css/app.css": "changed { background: url(img/x.png) }", "js/new.js": "1", "css/img/x.png": "new"})
    code = (
        "import sys; from pathlib import Path; from tests.unit.test_publish import *\n"
        f"from shipfiles.stores import flush; flush._MANY = {many}\n"
        "publish(made(Path(sys.argv[1])), LocalStore(sys.argv[2]), CompressConfig(codings=()), workers=1)"
    )
    log = tmp_path / "calls"
    traced = ["strace", "-f", "-y", "-e", "trace=rename,renameat,renameat2,fsync,fdatasync,syncfs", "-o", str(log)]
    command = [*traced, sys.executable, "-c", code, str(root), str(tmp_path / "root")]
    # Python itself renames the bytecode that it writes.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    here = Path(__file__).parents[2]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here, env=environment)
    except FileNotFoundError:
        pytest.skip("strace is not installed")
    if done.returncode:
        pytest.skip(f"strace cannot trace here: {done.stderr[-300:]}")
    flushed: set[str] = set()
    done: set[int] = set()
    waiting: set[int] = set()  # by inode: a hard link to what was flushed needs no flush of its own
    placed: list[str] = []
    at_once: set[str] = set()
    for line in log.read_text().splitlines():
        if found := re.search(r"f(?:data)?sync\(\d+<([^>]*)>", line):
            flushed.add(found[1])
            if os.path.exists(found[1]):
                done.add(os.stat(found[1]).st_ino)
                waiting.discard(os.stat(found[1]).st_ino)
        elif "syncfs(" in line:
            done |= waiting
            waiting.clear()
        elif found := re.search(r'rename(?:at2?)?\((?:AT_FDCWD[^,]*, )?"([^"]+)", (?:AT_FDCWD[^,]*, )?"([^"]+)"', line):
            source, path = found[1], found[2]
            target = path.removeprefix(str(tmp_path / "root") + "/")
            placed.append(target)
            if target == POINTER_KEY:
                assert waiting == set()
            inode = os.stat(path).st_ino
            if source in flushed or inode in done:
                at_once.add(target)
                done.add(inode)
            else:
                waiting.add(inode)
            waiting.add(os.stat(os.path.dirname(path)).st_ino)
    # The last time it is a note that is taken away.
    assert placed[-3:] == [POINTER_KEY, "staticfiles.json", POINTER_KEY]
    assert placed[-4].startswith(".shipfiles/releases/")
    assert at_once >= {POINTER_KEY, "staticfiles.json", "css/app.css"} & before
    assert {"js/new.js", "css/img/x.png"} <= set(placed)


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it and go on."""


class Dying:
    """A store that dies at its ``steps``-th write, before or after it took effect."""

    def __init__(self, store: Store, steps: int, *, after: bool) -> None:
        self.store, self.left, self.after = store, steps, after
        if isinstance(store, Copies):
            self.copy = lambda source, target, **options: self._step(lambda: store.copy(source, target, **options))

    def _step(self, work) -> object:
        self.left -= 1
        if self.left == 0 and not self.after:
            raise Killed
        result = work()
        if self.left == 0:
            raise Killed
        if self.left < 0:
            raise Killed
        return result

    def put(self, key: str, body: Body, **options: Any) -> Stored:
        return self._step(lambda: self.store.put(key, body, **options))  # type: ignore[return-value]

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._step(lambda key=key: self.store.delete([key]))  # type: ignore[misc]

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        return self._step(lambda: self.store.swap(key, expected, body))  # type: ignore[return-value]

    def head(self, key: str) -> Stored | None:
        return self.store.head(key)

    def read(self, key: str) -> Iterator[bytes]:
        return self.store.read(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return self.store.list(prefix)


@settings(max_examples=150, deadline=None)
@given(steps=st.integers(1, 60), after=st.booleans(), clear=st.booleans())
def test_killed_at_any_write_the_live_release_is_whole_and_the_next_run_heals(steps, after, clear, tmp_path_factory):
    root = tmp_path_factory.mktemp("src")
    for name, body in SITE.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body if isinstance(body, bytes) else body.encode())
    store = MemoryStore()
    publish(made(root), store, FAST, workers=1)
    before = current(store)
    (root / "css/img/x.svg").write_text(SVG + " ")
    (root / "logo.png").unlink()
    (root / "new.txt").write_text("new")
    wanted = made(root)
    with suppress(Killed):
        publish(wanted, Dying(store, steps, after=after), FAST, workers=1, clear=clear)
    live = current(store)
    assert live == before or set(live.entries) == {a.logical for a in wanted.assets}
    # Names of the live release are whole; plain names may be of either release, but whole.
    check_whole(store, live, plain=False)
    for logical in live.entries:
        assert digest_bytes(read_all(store, logical) or b"") in {
            (e.plain or e).digest for m in (before, live) for e in m.entries.values() if e.logical == logical
        } | {a.source_digest for a in wanted.assets if a.logical == logical}
    healed = publish(wanted, store, FAST, clear=clear)
    assert current(store) == healed.manifest
    check_whole(store, healed.manifest)


class TestReferences:
    def test_a_missing_file_in_own_code_fails_with_all_of_them(self, write) -> None:
        root = write({"css/a.css": "a { background: url(x.png) }\nb {\n  background: url('../img/lgo.png') }",
                      "img/logo.png": b"x"})  # fmt: skip
        with pytest.raises(BrokenReferences) as caught:
            made(root)
        first, second = caught.value.problems
        assert (first.line, first.column, first.text) == (1, 21, "x.png")
        assert (second.line, second.column, second.text) == (3, 20, "../img/lgo.png")
        assert second.nearest == ("img/logo.png",)
        assert str(root / "css/a.css") + ":3:20" in str(caught.value)

    def test_in_a_package_it_is_a_warning_and_the_text_stays(self, write) -> None:
        body = "a { background: url(x.png) }"
        root = write({"a.css": body})
        built = build([SourceFile("a.css", str(root / "a.css"), own=False)], RewriteConfig())
        assert [w.text for w in built.warnings] == ["x.png"]
        assert built.assets[0].edits == ()

    def test_a_missing_source_map_is_a_note(self, write) -> None:
        built = made(write({"a.js": "f()\n//# sourceMappingURL=a.js.map"}))
        assert [n.text for n in built.notes] == ["a.js.map"]
        assert built.warnings == ()

    def test_out_of_the_root(self, write) -> None:
        with pytest.raises(BrokenReferences, match="above the root"):
            made(write({"a.css": "a { background: url(../x.png) }"}))

    def test_absolute_urls_below_static_url(self, write) -> None:
        root = write({"css/a.css": "a { background: url(/static/x.png?v=1#f) url(/media/y.png) }", "x.png": b"x"})
        asset = made(root).assets[0]
        name = hashed_name("x.png", digest_bytes(b"x"))
        expected = f"a {{ background: url(/static/{name}?v=1#f) url(/media/y.png) }}"
        assert asset.body() == expected.encode()

    def test_a_cycle_shares_one_digest_that_changes_with_any_member_or_target(self, write) -> None:
        files: dict[str, str | bytes] = {
            "a.js": "import './b.js'", "b.js": "import './c.js'", "c.js": "import './a.js'; import './leaf.js'",
            "leaf.js": "export {}", "user.js": "import './b.js'",
        }  # fmt: skip

        def hashes(changed: dict[str, str | bytes]) -> dict[str, str]:
            return {a.logical: a.name.split(".")[1] for a in made(write({**files, **changed})).assets}

        first = hashes({})
        assert first["a.js"] == first["b.js"] == first["c.js"] != first["leaf.js"]
        assert hashes({}) == first
        for changed in ("a.js", "leaf.js"):
            other = hashes({changed: str(files[changed]) + " "})
            assert len({other["a.js"], other["b.js"], other["c.js"]}) == 1
            assert other["a.js"] != first["a.js"]
            assert other["user.js"] != first["user.js"]
        assert hashes({"user.js": "import './b.js' "})["a.js"] == first["a.js"]
        built = made(write(files))
        names = {a.logical: a.name for a in built.assets}
        assert built.assets[0].body() == f"import './{names['b.js']}'".encode()

    def test_a_chain_of_many_files(self, write) -> None:
        count = 2000
        root = write({f"{i}.js": f"import './{i + 1}.js'" if i < count else "1" for i in range(count + 1)})
        assert len(made(root).assets) == count + 1


def test_a_file_too_large_to_rewrite_is_published_as_it_is_and_told(write) -> None:
    root = write({"a.css": "a { background: url(x.png) }"})
    built = build(sources(root), RewriteConfig(max_size=10))
    assert "larger than rewrite.max_size" in str(built.warnings[0])


class TestFind:
    def test_first_found_wins(self, write) -> None:
        root = write({"one/a.css": "1", "two/a.css": "2"})
        found = select([SourceFile("a.css", str(root / d / "a.css")) for d in ("one", "two")])
        assert [s.path for s in found.sources] == [str(root / "one/a.css")]
        assert [(lose.path, win.path) for lose, win in found.shadowed] == [
            (str(root / "two/a.css"), str(root / "one/a.css"))
        ]

    @pytest.mark.parametrize("name", ["new\nline.css", "back\\slash.css", ".shipfiles/x.css"])
    def test_names_that_cannot_be_published(self, write, name: str) -> None:
        with pytest.raises(SourceError, match="Rename it"):
            sources(write({name: "x"}))

    def test_a_name_that_is_not_utf8(self, tmp_path: Path) -> None:
        folder = tmp_path / "src"
        folder.mkdir()
        (folder / "caf\udce9.css").write_text("x")
        with pytest.raises(SourceError, match="not valid UTF-8"):
            sources(folder)

    def test_file_and_folder_of_one_name(self, write) -> None:
        root = write({"one/a": "1", "two/a/b.css": "2"})
        with pytest.raises(KeyCollision, match="a file a, the other a folder"):
            select([SourceFile("a", str(root / "one/a")), SourceFile("a/b.css", str(root / "two/a/b.css"))])

    def test_a_pipe_is_skipped_and_a_dead_link_is_an_error(self, write) -> None:
        import os

        root = write({"a.css": "1"})
        os.mkfifo(root / "pipe")
        found = select(SourceFile(name, path) for name, path in walk(str(root), ignore_matcher([])))
        assert [s.logical for s in found.sources] == ["a.css"]
        assert found.skipped == [(str(root / "pipe"), "a pipe, not a file")]
        (root / "dead.css").symlink_to("nowhere")
        with pytest.raises(SourceError, match=r"dead\.css: a symbolic link to a file that does not exist"):
            sources(root)

    def test_a_folder_that_contains_itself(self, write) -> None:
        root = write({"a/b.css": "1"})
        (root / "a/loop").symlink_to(root / "a", target_is_directory=True)
        with pytest.raises(SourceError, match="contain itself"):
            sources(root)

    def test_a_link_out_of_the_folder_is_followed(self, write, tmp_path: Path) -> None:
        root = write({"a.css": "1"})
        (tmp_path / "elsewhere.css").write_text("2")
        (root / "b.css").symlink_to(tmp_path / "elsewhere.css")
        assert [s.logical for s in sources(root)] == ["a.css", "b.css"]

    def test_case_twins_are_told(self, write) -> None:
        root = write({"one/App.css": "1", "two/app.css": "2"})
        found = select(
            [SourceFile("App.css", str(root / "one/App.css")), SourceFile("app.css", str(root / "two/app.css"))]
        )
        assert found.case_twins == [("App.css", "app.css")]
        assert len(found.sources) == 2

    def test_ignored_as_django_ignores(self, write) -> None:
        root = write(
            {".hidden": "", "a/.git/x": "", "a/keep.css": "", "a/b/drop.css": "", "a/x~": "", "c/keep.css": ""}
        )
        patterns = [".*", "*~", "a/b/*", "c"]
        assert [name for name, _ in walk(str(root), ignore_matcher(patterns))] == ["a/keep.css"]


def test_what_a_run_left_beside_a_plain_name_that_did_not_end_goes(store: Store, write) -> None:
    long, short = "hello " * 100, "hello"
    publish(made(write({"copy.txt": long, "theirs.txt": "a"})), store, FAST)
    packed = read_all(store, "copy.txt.gz")
    assert packed is not None
    publish(made(write({"copy.txt": short})), store, FAST)
    assert read_all(store, "copy.txt.gz") is None
    # A run that publishes the first again, beside which another has gone on: its plain names are mixed.
    Unsettled(store).begin()
    store.put("copy.txt.gz", packed)
    store.put("theirs.txt.gz", b"theirs")
    publish(made(write({"more.txt": "more"})), store, FAST)
    assert read_all(store, "copy.txt.gz") is None
    assert read_all(store, "theirs.txt.gz") == b"theirs"
