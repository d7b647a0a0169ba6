"""Export and import: the same bytes everywhere, nothing trusted, nothing seen before it is whole."""

from __future__ import annotations

import gzip
import io
import os
import re
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.pipeline import Build
from shipfiles.config import CompressConfig
from shipfiles.digest import digest_bytes
from shipfiles.errors import (
    ArchiveError,
    ManifestError,
    ReleaseError,
    ReleaseTaken,
    ShipfilesError,
    StoreError,
    UnknownRelease,
)
from shipfiles.events import Notice
from shipfiles.manifest import Manifest, dump, plain_key
from shipfiles.model import Entry, Variant
from shipfiles.records import (
    MANIFESTS_PREFIX,
    POINTER_KEY,
    RELEASES_PREFIX,
    Record,
    dump_record,
    manifest_key,
    now,
    read_pointer,
    read_record,
    read_release,
    record_key,
)
from shipfiles.release.catalog import records_of
from shipfiles.release.parcel import NO_TIME
from shipfiles.release.pointing import Pointing
from shipfiles.release.publish import publish
from shipfiles.release.tarball import Reader, Writer
from shipfiles.release.transfer import export_release, import_release
from shipfiles.serve.wsgi import StaticApp
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Store, read_all

from .test_memory import MIB, peak_of
from .test_publish import DECODE, FAST, SITE, Dying, Killed, check_whole, made

NAMES: dict[str, str | bytes] = {
    **SITE,
    "!first.txt": "sorts before .shipfiles",
    "snö/ü.css": "p { color: green }\n" * 40,
    "deep/" + "d" * 120 + "/" + "n" * 90 + ".txt": "no ustar header holds this name",
    "large.bin": bytes(range(256)) * 4096 * 3 + b"!",
}
META = (MANIFESTS_PREFIX, RELEASES_PREFIX)


def contents(store: Store) -> dict[str, bytes]:
    return {stored.key: read_all(store, stored.key) or b"" for stored in store.list()}


def released(store: Store, build: Build, release: str = "r1") -> Store:
    publish(build, store, FAST, release=release)
    return store


def exported(store: Store, path: Path, release: str = "r1") -> bytes:
    export_release(store, release, str(path))
    return path.read_bytes()


def members(archive: bytes) -> dict[str, bytes]:
    """What Python's own reader finds."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as file:
        return {member.name: file.extractfile(member).read() for member in file}  # type: ignore[union-attr]


def manifest_of(store: Store, release: str = "r1") -> Manifest:
    found = read_release(partial(read_all, store), release)
    assert found is not None
    return found


def files_of_archive(manifest: Manifest) -> set[str]:
    """The keys of a release, less those of plain names that are not hashed names too."""
    plain = {e.logical for e in manifest.entries.values() if not e.kept}
    plain |= {logical + end for logical in plain for end in (".br", ".gz")} - {
        e.name for e in manifest.entries.values()
    }
    return set(manifest.keys()) - plain


@pytest.fixture
def store(write) -> Store:
    return released(MemoryStore(), made(write(NAMES)))


@pytest.fixture
def archive(store: Store, tmp_path: Path) -> bytes:
    return exported(store, tmp_path / "r1.tar")


class TestExport:
    def test_the_archive_has_record_and_manifest_first_then_all_that_does_not_change_sorted(self, store, archive):
        manifest = manifest_of(store)
        found = list(members(archive))
        assert found[0] == record_key("r1")
        assert found[1].startswith(MANIFESTS_PREFIX)
        assert found[2:] == sorted(found[2:])
        assert set(found[2:]) == files_of_archive(manifest)
        assert plain_key(digest_bytes(str(SITE["css/app.css"]).encode())) in found
        for key, body in members(archive).items():
            assert body == read_all(store, key) or key == record_key("r1")

    def test_no_member_says_when_where_or_by_whom(self, archive):
        with tarfile.open(fileobj=io.BytesIO(archive)) as file:
            for member in file:
                assert (member.mtime, member.uid, member.gid, member.uname, member.gname) == (0, 0, 0, "", "")
                assert member.mode == 0o644
                assert member.isreg()
        assert len(archive) % 10240 == 0  # POSIX.1-2017, pax, -b: twenty blocks a record

    def test_two_stores_with_other_histories_give_the_same_bytes(self, tmp_path, write):
        root = write({**NAMES, "css/app.css": "p{}"})
        first = LocalStore(str(tmp_path / "first"))
        publish(made(root), first, FAST, release="r0")
        write(NAMES)
        released(first, made(root))
        moved = shutil.copytree(root, tmp_path / "elsewhere")
        second = released(MemoryStore(), made(moved))
        records = [read_record(partial(read_all, store), "r1") for store in (first, second)]
        assert records[0] is not None
        assert records[1] is not None
        assert records[0].new_bytes != records[1].new_bytes
        for name in ("r1.tar", "r1.tar.gz"):
            assert exported(first, tmp_path / "a" / name) == exported(second, tmp_path / "b" / name)
        for folder, store in (("c", first), ("d", second)):
            export_release(store, "r1", str(tmp_path / folder))
        assert contents(LocalStore(str(tmp_path / "c"))) == contents(LocalStore(str(tmp_path / "d")))

    def test_the_archive_is_the_same_after_an_import(self, archive, tmp_path):
        other = MemoryStore()
        import_release(other, str(tmp_path / "r1.tar"))
        assert exported(other, tmp_path / "again.tar") == archive

    def test_compressed_it_is_the_same_archive_without_a_time_in_it(self, store, archive, tmp_path):
        compressed = exported(store, tmp_path / "r1.tar.gz")
        assert gzip.decompress(compressed) == archive
        assert compressed[4:8] == bytes(4)  # RFC 1952, section 2.3: MTIME
        assert compressed[3] == 0  # FLG: no name
        assert members(compressed) == members(archive)
        assert subprocess.run(["gzip", "-t", str(tmp_path / "r1.tar.gz")], check=False).returncode == 0

    @pytest.mark.parametrize("name", ["r1.tar", "r1.tar.gz"])
    def test_other_programs_unpack_it(self, store, tmp_path, name):
        exported(store, tmp_path / name)
        (tmp_path / "out").mkdir()
        subprocess.run(["tar", "-xf", str(tmp_path / name), "-C", str(tmp_path / "out")], check=True)
        unpacked = contents(LocalStore(str(tmp_path / "out")))
        assert unpacked == members((tmp_path / name).read_bytes())

    def test_a_folder_is_a_store_in_which_it_is_current(self, store, tmp_path):
        export_release(store, "r1", str(tmp_path / "out"))
        folder = LocalStore(str(tmp_path / "out"))
        pointer = read_pointer(partial(read_all, folder))
        assert pointer is not None
        assert pointer.release == "r1"
        check_whole(folder, manifest_of(store))
        theirs, ours = contents(store), contents(folder)
        assert theirs.keys() == ours.keys()
        assert {key for key in ours if ours[key] != theirs[key]} == {POINTER_KEY, record_key("r1")}
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".shipfiles")] == []

    def test_a_source_has_the_name_that_a_variant_would_have(self, tmp_path, write):
        sources = {"js/taken.js": "f()\n" * 200, "js/taken.js.gz": b"not gzip at all"}
        store = released(MemoryStore(), made(write({**SITE, **sources})))
        export_release(store, "r1", str(tmp_path / "out"))
        assert read_all(LocalStore(str(tmp_path / "out")), "js/taken.js.gz") == b"not gzip at all"

    def test_an_empty_folder_is_taken_another_is_left_alone(self, store, tmp_path):
        (tmp_path / "out").mkdir()
        export_release(store, "r1", str(tmp_path / "out"))
        before = contents(LocalStore(str(tmp_path / "out")))
        with pytest.raises(ReleaseError, match="is there already"):
            export_release(store, "r1", str(tmp_path / "out"))
        assert contents(LocalStore(str(tmp_path / "out"))) == before

    @pytest.mark.parametrize("name", ["r1.tar", "r1.tar.gz"])
    def test_an_archive_of_the_same_release_is_replaced(self, store, tmp_path, name):
        whole = exported(store, tmp_path / name)
        cut = tmp_path / "cut" / name
        cut.parent.mkdir()
        cut.write_bytes(whole[:-9000] if name.endswith("tar") else whole[: len(whole) * 9 // 10])
        assert exported(store, cut) == whole

    @pytest.mark.parametrize("to", ["x.tar", "x.tar.gz"])
    @pytest.mark.parametrize("what", ["notes", "nothing", "other release", "folder", "link to nothing", "other tar"])
    def test_whatever_else_is_there_stays(self, store, tmp_path, write, to, what):
        path = tmp_path / "to" / to
        path.parent.mkdir()
        why = f"{to} is there already and is no archive of the release r1: it was left as it is"
        if what in ("notes", "nothing"):
            path.write_bytes(b"the only copy of something" if what == "notes" else b"")
        elif what == "other release":
            released(store, made(write({"css/app.css": "q{}"})), "r2")
            export_release(store, "r2", str(path))
            why = f"{to} is there already and holds the release r2: it was left as it is"
        elif what == "folder":
            path.mkdir()
        elif what == "link to nothing":
            path.symlink_to(tmp_path / "nothing.tar")
        else:
            with tarfile.open(path, "w") as file:
                file.add(tmp_path / "src" / "css")
        before = path.read_bytes() if path.is_file() else None
        with pytest.raises(ReleaseError, match=re.escape(why)):
            export_release(store, "r1", str(path))
        assert (path.read_bytes() if path.is_file() else None) == before
        assert list(path.parent.iterdir()) == [path]

    def test_a_file_that_comes_while_the_archive_is_written_stays(self, store, tmp_path):
        path = tmp_path / "r1.tar"

        class Slow(MemoryStore):
            def read(self, key: str) -> Iterator[bytes]:
                path.write_bytes(b"theirs")
                return store.read(key)

            head, list = store.head, store.list

        with pytest.raises(ReleaseError, match="is there already"):
            export_release(Slow(), "r1", str(path))
        assert path.read_bytes() == b"theirs"
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".shipfiles")] == []

    def test_names_of_archives(self, store, tmp_path):
        assert exported(store, tmp_path / "r1.tgz") == exported(store, tmp_path / "r1.tar.gz")
        for name in ("r1.zip", "r1.tar.xz", "r1.GZ", ""):
            with pytest.raises(ReleaseError, match=r"ends as an archive of another kind|is empty"):
                export_release(store, "r1", name and str(tmp_path / name))
        assert {path.name for path in tmp_path.iterdir()} == {"r1.tgz", "r1.tar.gz", "src"}

    @pytest.mark.parametrize("to", ["r1.tar", "r1.tar.gz", "out"])
    @pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
    def test_a_damaged_release_is_not_exported(self, store, tmp_path, to, damage):
        name = manifest_of(store).entries["large.bin"].name
        body = read_all(store, name) or b""
        store.delete([name])
        if damage != "gone":
            store.put(name, body[:-1] if damage == "cut" else body[:-1] + b"?")
        with pytest.raises(StoreError, match=r"large\."):
            export_release(store, "r1", str(tmp_path / "to" / to))
        assert list((tmp_path / "to").iterdir()) == []

    def test_an_unknown_release(self, store, tmp_path):
        with pytest.raises(UnknownRelease):
            export_release(store, "r2", str(tmp_path / "r2.tar"))
        assert not (tmp_path / "r2.tar").exists()

    def test_where_nothing_can_be_written(self, store, tmp_path):
        (tmp_path / "file").write_text("")
        for name in ("file/r1.tar", "file/out"):
            with pytest.raises(ReleaseError, match=r"file/.*: cannot be written"):
                export_release(store, "r1", str(tmp_path / name))

    def test_plain_names_that_are_links_stay_behind(self, tmp_path, write):
        store = LocalStore(str(tmp_path / "root"))
        publish(made(write(SITE)), store, FAST, release="r1", link=True)
        said: list[Notice] = []
        export_release(store, "r1", str(tmp_path / "r1.tar"), listener=said.append)
        assert "links to sources" in said[0].text
        other = MemoryStore()
        import_release(other, str(tmp_path / "r1.tar"))
        check_whole(other, manifest_of(store), plain=False)

    def test_no_file_is_held_whole(self, tmp_path):
        import tracemalloc

        source = tmp_path / "src"
        source.mkdir()
        with (source / "large.bin").open("wb") as file:
            for number in range(48):
                file.write(bytes([number]) * (1 << 20))
        store = released(LocalStore(str(tmp_path / "root")), made(source))
        other = LocalStore(str(tmp_path / "other"))
        tracemalloc.start()
        try:
            export_release(store, "r1", str(tmp_path / "r1.tar.gz"))
            import_release(other, str(tmp_path / "r1.tar.gz"))
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert most < 16 << 20
        check_whole(other, manifest_of(store), plain=False)


class TestImport:
    @pytest.mark.parametrize("name", ["r1.tar", "r1.tar.gz", "out"])
    @pytest.mark.parametrize("kind", ["memory", "local"])
    def test_into_an_empty_store(self, store, tmp_path, name, kind):
        export_release(store, "r1", str(tmp_path / name))
        other: Store = MemoryStore() if kind == "memory" else LocalStore(str(tmp_path / "other"))
        before = now()
        done = import_release(other, str(tmp_path / name))
        assert done.new
        assert done.written == done.files == len(files_of_archive(manifest_of(store)))
        check_whole(other, manifest_of(store), plain=False)
        record = read_record(partial(read_all, other), "r1")
        assert record is not None
        # It is as old as its import: a prune must not take it before anybody could activate it.
        assert before <= record.made <= now()
        assert record.new_bytes == done.bytes_written
        assert read_pointer(partial(read_all, other)) is None
        ours = set(contents(other)) - {".shipfiles/lock"}
        assert ours == {*files_of_archive(manifest_of(store)), record_key("r1"), manifest_key(record.manifest)}

    def test_then_current_it_is_served(self, store, archive, tmp_path):
        other = LocalStore(str(tmp_path / "other"))
        import_release(other, str(tmp_path / "r1.tar"))
        Pointing(other, "", lambda change: None, lambda event: None).point("r1", digest_bytes(b""))
        app = StaticApp(lambda environ, start: start("404 Not Found", []) or [], root=str(tmp_path / "other"))
        for entry in manifest_of(store).entries.values():
            for coding in ("", *entry.codings):
                status, headers, body = fetched(app, f"/static/{entry.name}", coding)
                assert status == "200 OK"
                assert headers.get("Content-Encoding", "") == coding
                assert (DECODE[coding](body) if coding else body) == read_all(store, entry.name)

    def test_again_there_is_nothing_to_do(self, store, archive, tmp_path):
        before = contents(store)
        done = import_release(store, str(tmp_path / "r1.tar"))
        assert (done.new, done.written) == (False, 0)
        assert contents(store) == before

    def test_files_that_are_there_are_not_written_again(self, store, archive, tmp_path, write):
        root = write({**NAMES, "css/app.css": "p{}"})
        other = released(MemoryStore(), made(root), "r0")
        before = contents(other)
        done = import_release(other, str(tmp_path / "r1.tar"))
        assert 0 < done.written < done.files
        after = contents(other)
        assert {key: after[key] for key in before} == before
        check_whole(other, manifest_of(store), plain=False)

    def test_an_id_that_has_other_files(self, archive, tmp_path, write):
        other = released(MemoryStore(), made(write({**NAMES, "logo.png": b"another"})))
        before = contents(other)
        with pytest.raises(ReleaseTaken, match=r"logo\.png"):
            import_release(other, str(tmp_path / "r1.tar"))
        assert contents(other) == before

    def test_an_id_that_has_the_same_files_in_other_encodings(self, archive, tmp_path, write):
        other = MemoryStore()
        publish(made(write(NAMES)), other, CompressConfig(codings=()), release="r1")
        before, said = contents(other), list[Notice]()
        assert not import_release(other, str(tmp_path / "r1.tar"), listener=said.append).new
        assert contents(other) == before
        assert "other encodings" in said[0].text

    def test_variants_that_were_made_otherwise_stay(self, archive, store, tmp_path, write):
        other = MemoryStore()
        weak = CompressConfig(brotli_quality=0, gzip_level=1)
        publish(made(write({**NAMES, "more.txt": "1"})), other, weak, release="r0")
        before, said = contents(other), list[Notice]()
        assert import_release(other, str(tmp_path / "r1.tar"), listener=said.append).new
        after = contents(other)
        assert {key: after[key] for key in before} == before
        assert "other settings" in said[-1].text

    def test_other_bytes_under_a_hashed_name(self, archive, store, tmp_path):
        other = MemoryStore()
        name = manifest_of(store).entries["logo.png"].name
        other.put(name, b"not ours")
        with pytest.raises(StoreError, match="other bytes"):
            import_release(other, str(tmp_path / "r1.tar"))
        assert contents(other) == {name: b"not ours"}

    def test_a_damaged_record_is_made_anew_but_not_the_current_ones(self, archive, store, tmp_path, write):
        damaged = store.put(record_key("r1"), b"{}")
        with pytest.raises(ReleaseTaken, match="verify r1 --repair --from") as told:
            import_release(store, str(tmp_path / "r1.tar"))
        assert str(told.value).count("--repair") == 1
        assert store.head(record_key("r1")) == damaged
        released(store, made(write({"a.css": "a{}"})), "r2")
        assert import_release(store, str(tmp_path / "r1.tar")).new
        assert read_record(partial(read_all, store), "r1") is not None

    @pytest.mark.parametrize("same", [True, False])
    def test_a_manifest_that_is_missing_is_put_back_by_none_but_itself(self, archive, store, tmp_path, write, same):
        record = read_record(partial(read_all, store), "r1")
        store.delete([manifest_key(record.manifest)])
        if same:
            assert import_release(store, str(tmp_path / "r1.tar")).new
            check_whole(store, manifest_of(store))
            assert read_record(partial(read_all, store), "r1") == record
            return
        before = contents(store)
        other = released(MemoryStore(), made(write({"evil.js": "x()"})))
        exported(other, tmp_path / "other.tar")
        with pytest.raises(ReleaseTaken, match="verify r1 --repair --from") as told:
            import_release(store, str(tmp_path / "other.tar"))
        assert str(told.value).count("--repair") == 1
        assert contents(store) == before

    def test_an_id_that_differs_only_in_case(self, archive, tmp_path, write):
        other = released(MemoryStore(), made(write({"a.css": "a{}"})), "R1")
        with pytest.raises(ReleaseTaken, match="release R1"):
            import_release(other, str(tmp_path / "r1.tar"))

    def test_a_pipe(self, archive):
        reading, writing = os.pipe()
        os.close(writing)
        with pytest.raises(ArchiveError, match="write the archive to a file first"):
            import_release(MemoryStore(), f"/dev/fd/{reading}")
        os.close(reading)

    def test_a_folder_with_several_releases(self, tmp_path, write):
        root = LocalStore(str(tmp_path / "root"))
        released(root, made(write(SITE)), "r1")
        released(root, made(write({**SITE, "logo.png": b"2"})), "r2")
        other = MemoryStore()
        assert import_release(other, root.root).release == "r2"
        assert import_release(other, root.root, release="r1").release == "r1"
        root.delete([POINTER_KEY])
        with pytest.raises(ArchiveError, match="say which with --release"):
            import_release(other, root.root)

    def test_which_release_of_a_folder_is_meant(self, tmp_path, write):
        """As for every verb, but told of the folder, whose releases 'ship releases' does not list."""
        root = LocalStore(str(tmp_path / "root"))
        for number, name in enumerate(("release-1", "release-2", "other")):
            released(root, made(write({"logo.png": str(number)})), name)
        known = ", ".join(records_of(root))
        for text, release in (("othe", "other"), ("current~2", "release-1"), ("current", "other")):
            assert import_release(MemoryStore(), root.root, release=text).release == release
        for text, why in (
            ("release", "'release' is ambiguous: 2 releases begin so: release-1, release-2. Write more of it."),
            ("oth", "'oth' is the beginning of an id, but too little of it: write four characters or more."),
            ("r3", f"{root}: it has no release 'r3', but {known}. Nothing was imported."),
            ("current~7", f"{root}: it has no release 'current~7', but {known}. "),
        ):
            with pytest.raises(ReleaseError) as told:
                import_release(MemoryStore(), root.root, release=text)
            assert str(told.value).startswith(why)
            assert "ship releases" not in str(told.value)
        root.delete([POINTER_KEY])
        for text in ("current", "current~1"):
            with pytest.raises(ArchiveError, match=f"no release '{text}', but .*; none is current"):
                import_release(MemoryStore(), root.root, release=text)
        root.delete([record_key(name) for name in ("release-1", "release-2", "other")])
        with pytest.raises(ArchiveError, match="no release 'othe', but none at all; none is current"):
            import_release(MemoryStore(), root.root, release="othe")

    def test_which_release_an_archive_must_hold(self, tmp_path, write):
        store = released(MemoryStore(), made(write(SITE)), "release-1")
        exported(store, tmp_path / "x.tar", "release-1")
        for text in ("release-1", "rele"):
            assert import_release(MemoryStore(), str(tmp_path / "x.tar"), release=text).release == "release-1"
        for text in ("rel", "release-2", "release-11", "current"):
            with pytest.raises(ArchiveError, match=f"it holds the release release-1, not {text}. Nothing was imported"):
                import_release(MemoryStore(), str(tmp_path / "x.tar"), release=text)

    def test_a_folder_with_links(self, store, tmp_path):
        export_release(store, "r1", str(tmp_path / "out"))
        path = tmp_path / "out" / manifest_of(store).entries["logo.png"].name
        body = path.read_bytes()
        path.unlink()
        (tmp_path / "elsewhere").write_bytes(body)
        path.symlink_to(tmp_path / "elsewhere")
        refused(tmp_path / "out", r"lacks logo\.")

    @settings(max_examples=80, deadline=None)
    @given(steps=st.integers(1, 40), after=st.booleans())
    def test_killed_at_any_write(self, steps, after, tmp_path_factory):
        folder = tmp_path_factory.mktemp("killed")
        for name, body in SITE.items():
            path = folder / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body if isinstance(body, bytes) else body.encode())
        source = released(MemoryStore(), made(folder / "src"))
        archive = exported(source, folder / "r1.tar")
        (folder / "src/logo.png").write_bytes(b"old")
        store = released(MemoryStore(), made(folder / "src"), "r0")
        before = contents(store)
        with suppress(Killed):
            import_release(Dying(store, steps, after=after), str(folder / "r1.tar"))
        left = contents(store)
        assert {key: left[key] for key in before} == before
        if record_key("r1") in left:
            check_whole(store, manifest_of(store), plain=False)
        import_release(store, str(folder / "r1.tar"))
        check_whole(store, manifest_of(store), plain=False)
        check_whole(store, manifest_of(store, "r0"))
        assert exported(store, folder / "again.tar") == archive


def fetched(app: StaticApp, path: str, coding: str) -> tuple[str, dict[str, str], bytes]:
    found: list[tuple[str, dict[str, str]]] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path.encode().decode("latin-1"),
        "HTTP_ACCEPT_ENCODING": coding or "identity",
    }
    answer = app(environ, lambda status, headers, *_: found.append((status, dict(headers))))  # type: ignore[arg-type,return-value]
    body = b"".join(answer)
    if hasattr(answer, "close"):
        answer.close()
    return (*found[0], body)


def refused(path: Path, why: str) -> None:
    """The import fails for that reason and leaves an empty store empty."""
    for store in (MemoryStore(), LocalStore(str(path.parent / "refusing"))):
        with pytest.raises(ArchiveError, match=why):
            import_release(store, str(path))
        assert set(contents(store)) <= {".shipfiles/lock"}


def packed(files: list[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.USTAR_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for member, body in files:
            member.size = len(body) if member.isreg() else 0
            archive.addfile(member, io.BytesIO(body))
    return out.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, linkname
    return made


def claimed(*entries: Entry, release: str = "r1") -> list[tuple[tarfile.TarInfo, bytes]]:
    """Record and manifest of a release with ``entries``, as a forger makes them: all digests are right."""
    body = dump(Manifest({entry.logical: entry for entry in entries}))
    record = Record(release, NO_TIME, digest_bytes(body), len(entries))
    return [(member(record_key(release)), dump_record(record)), (member(manifest_key(record.manifest)), body)]


def entry(logical: str, name: str, body: bytes) -> Entry:
    return Entry(logical, name, len(body), digest_bytes(body), "text/plain")


A = entry("a.txt", "a.0123456789ab.txt", b"a")


class TestHostileArchives:
    """What a forger who knows the format can write: record, manifest and digests agree unless said otherwise."""

    def test_what_the_others_start_from_is_imported(self, tmp_path):
        (tmp_path / "x.tar").write_bytes(packed([*claimed(A), (member(A.name), b"a")]))
        store = MemoryStore()
        import_release(store, str(tmp_path / "x.tar"))
        assert read_all(store, A.name) == b"a"

    @pytest.mark.parametrize(
        "name",
        ["../out", "/etc/passwd", "a/../../out", ".", "", "a//b", "a\\..\\b", ".shipfiles/current.json",
         ".SHIPFILES/current.json", "SHIPFI~1/current.json", ".ship\u200cfiles/lock", "css/.shipfiles-1a-0", "a\nb",
         "a\0b"],
    )  # fmt: skip
    def test_names_that_lead_elsewhere(self, tmp_path, name):
        for bad in (entry(name, "a.0123456789ab.txt", b"a"), entry("a.txt", name, b"a")):
            (tmp_path / "x.tar").write_bytes(packed(claimed(bad)))
            refused(tmp_path / "x.tar", "damaged: .*is no path")
        if name and "\0" not in name:
            (tmp_path / "x.tar").write_bytes(packed([*claimed(A), (member(name), b"a")]))
            refused(tmp_path / "x.tar", "which its manifest does not name")

    @pytest.mark.parametrize("release", ["../x", "current", "a/b", "con", ".x", "x" * 101])
    def test_ids_that_lead_elsewhere(self, tmp_path, release):
        (tmp_path / "x.tar").write_bytes(
            packed([*claimed(A, release=release), (member(A.name), b"a")], tarfile.PAX_FORMAT)
        )
        refused(tmp_path / "x.tar", "cannot be the id of a release")

    @pytest.mark.parametrize(
        ("kind", "what"),
        [(tarfile.SYMTYPE, "a symbolic link"), (tarfile.LNKTYPE, "a hard link"), (tarfile.CHRTYPE, "a device"),
         (tarfile.BLKTYPE, "a device"), (tarfile.FIFOTYPE, "a pipe"), (tarfile.DIRTYPE, "a folder"),
         (tarfile.GNUTYPE_SPARSE, "a sparse file"), (b"Z", "something of the type")],
    )  # fmt: skip
    def test_what_is_no_plain_file(self, tmp_path, kind, what):
        for place in (0, 1, 2):
            files = [*claimed(A), (member(A.name), b"a")]
            files[place] = (member(files[place][0].name, kind, "/etc/passwd"), b"")
            (tmp_path / "x.tar").write_bytes(packed(files))
            refused(tmp_path / "x.tar", what)

    def test_a_member_twice(self, tmp_path):
        (tmp_path / "x.tar").write_bytes(packed([*claimed(A), (member(A.name), b"a"), (member(A.name), b"a")]))
        refused(tmp_path / "x.tar", "twice")

    def test_a_member_too_many_and_one_too_few(self, tmp_path):
        (tmp_path / "x.tar").write_bytes(packed([*claimed(A), (member(A.name), b"a"), (member("b"), b"a")]))
        refused(tmp_path / "x.tar", "holds b, which its manifest does not name")
        (tmp_path / "x.tar").write_bytes(packed(claimed(A)))
        refused(tmp_path / "x.tar", "lacks a.0123456789ab.txt")

    def test_other_bytes_than_the_manifest_says(self, tmp_path):
        (tmp_path / "x.tar").write_bytes(packed([*claimed(A), (member(A.name), b"b")]))
        refused(tmp_path / "x.tar", "other bytes than its manifest says")
        (tmp_path / "x.tar").write_bytes(packed([*claimed(A), (member(A.name), b"ab")]))
        refused(tmp_path / "x.tar", "has 2 bytes, and the manifest says 1")

    def test_another_manifest_than_the_record_says(self, tmp_path):
        (record, body), _ = claimed(A)
        other = claimed(entry("b.txt", "b.0123456789ab.txt", b"a"))[1]
        (tmp_path / "x.tar").write_bytes(packed([(record, body), other]))
        refused(tmp_path / "x.tar", "not the digest that its record says")
        (tmp_path / "x.tar").write_bytes(packed([(member(record_key("r2")), body), claimed(A)[1]]))
        refused(tmp_path / "x.tar", "it is the record of 'r1'")

    def test_newer_formats(self, tmp_path):
        (record, body), manifest = claimed(A)
        (tmp_path / "x.tar").write_bytes(packed([(record, body.replace(b'"schema": 1', b'"schema": 2')), manifest]))
        refused(tmp_path / "x.tar", "written by a newer Shipfiles")

    def test_files_that_claim_one_place(self, tmp_path):
        b = entry("b.txt", A.name, b"b")
        c = entry(A.name, "c.0123456789ab.txt", b"c")
        for other in (b, c):
            (tmp_path / "x.tar").write_bytes(packed(claimed(A, other)))
            refused(tmp_path / "x.tar", "two files of one release claim this place")

    def test_the_place_of_djangos_manifest(self, tmp_path):
        for name in ("staticfiles.json", "staticfiles.json/x"):
            for bad in (entry(name, "a.txt", b"a"), entry("a.txt", name, b"a")):
                (tmp_path / "x.tar").write_bytes(packed(claimed(bad)))
                refused(tmp_path / "x.tar", "Django's manifest")

    def test_sizes_are_refused_before_anything_is_read(self, tmp_path):
        """Headers that announce more than there is: nothing of that size is asked for or waited for."""
        for place, most in ((0, "65,536"), (1, r"1,[0-9]{3},[0-9]{3} which are plausible")):
            files = [*claimed(A), (member(A.name), b"a")]
            body = packed(files[:place])[: sum(512 + -(-len(b) // 512) * 512 for _, b in files[:place])]
            huge = files[place][0]
            huge.size = 8**11 - 1
            (tmp_path / "x.tar").write_bytes(body + huge.tobuf(tarfile.USTAR_FORMAT))
            refused(tmp_path / "x.tar", f"more than {most}")

    @pytest.mark.parametrize("inside", [False, True])
    def test_a_manifest_that_becomes_much_more_than_its_bytes_costs_no_memory(self, tmp_path, inside):
        """Values of which each takes up 20 times the bytes that it is written with, in a line of their own or in that
        of a file; in an archive that is not compressed, so that its size says nothing."""
        whole = dump(Manifest({A.logical: A}))
        many = b'"x":[' + b"[]," * (8 * MIB // 3) + b"0],"
        body = (
            whole.replace(b'{"name":', b"{" + many + b'"name":')
            if inside
            else whole.replace(b'"files"', many + b'"files"')
        )
        record = Record("r1", NO_TIME, digest_bytes(body), 1)
        files = [(member(record_key("r1")), dump_record(record)), (member(manifest_key(record.manifest)), body)]
        (tmp_path / "x.tar").write_bytes(packed(files))
        del whole, many
        # The manifest itself, a few times.
        assert peak_of(lambda: refused(tmp_path / "x.tar", "in one line|not laid out"))[1] < 5 * len(body)

    def test_a_compressed_manifest_that_no_release_has(self, tmp_path):
        many = (replace(entry(f"{n}.txt", f"{n}.0123456789ab.txt", b""), references=("a" * 9000,)) for n in range(300))
        (_, record), (name, body) = claimed(*many)
        files = [(member(record_key("r1")), record), (name, body)]
        (tmp_path / "x.tar.gz").write_bytes(gzip.compress(packed(files)))
        refused(tmp_path / "x.tar.gz", "more than .* which are plausible")

    @pytest.mark.parametrize("name", ["backup/db.tar", "a.css", "a.0123456789ab/x"])
    def test_a_name_that_is_neither_hashed_nor_a_bundlers(self, tmp_path, name):
        """Who names a file of somebody else has it deleted by the next prune."""
        (tmp_path / "x.tar").write_bytes(packed(claimed(entry("z.txt", name, b"x"))))
        refused(tmp_path / "x.tar", "no hashed name, nor its own")

    def test_a_variant_in_the_place_of_somebody_elses_file(self, tmp_path):
        bad = replace(entry("db.tar", "db.tar", b"x"), codings={"gzip": Variant(1, digest_bytes(b"y"))})
        store = MemoryStore()
        store.put("db.tar.gz", b"precious")
        files = [*claimed(bad), (member("db.tar"), b"x"), (member("db.tar.gz"), b"y")]
        (tmp_path / "x.tar").write_bytes(packed(files))
        with pytest.raises(StoreError, match=r"db\.tar\.gz: the store has other bytes"):
            import_release(store, str(tmp_path / "x.tar"))
        assert contents(store) == {"db.tar.gz": b"precious"}

    def test_a_bomb_costs_no_memory(self, tmp_path):
        import tracemalloc

        for kind, why in (
            (b"x", "bytes of its own name"),
            (b"L", "a long name of GNU tar"),
            (b"g", "a global pax header"),
        ):
            bomb = member("bomb", kind)
            bomb.size = 1 << 28
            with gzip.open(tmp_path / "x.tar.gz", "wb", compresslevel=1) as file:
                file.write(bomb.tobuf(tarfile.USTAR_FORMAT))
                for _ in range(256):
                    file.write(bytes(1 << 20))
            tracemalloc.start()
            try:
                refused(tmp_path / "x.tar.gz", why)
                assert tracemalloc.get_traced_memory()[1] < 8 << 20
            finally:
                tracemalloc.stop()

    def test_extended_headers_of_others(self, tmp_path):
        odd = member(record_key("r1"))
        odd.pax_headers = {"GNU.sparse.realsize": "1"}
        (tmp_path / "x.tar").write_bytes(packed([(odd, b"x")], tarfile.PAX_FORMAT))
        refused(tmp_path / "x.tar", "extended header GNU.sparse.realsize is none")

    @pytest.mark.parametrize("body", [b"", b"not a tar" * 100, b"PK\x03\x04" + bytes(1000), b"\x1f\x8b", bytes(10240)])
    def test_what_is_no_archive(self, tmp_path, body):
        (tmp_path / "x.tar").write_bytes(body)
        refused(tmp_path / "x.tar", r"cut off|no archive of 'ship export'|damaged")

    def test_what_is_not_there(self, tmp_path):
        refused(tmp_path / "x.tar", "no such file")
        (tmp_path / "empty").mkdir()
        refused(tmp_path / "empty", "no release in this folder")

    @pytest.mark.parametrize("name", ["r1.tar", "r1.tar.gz"])
    def test_cut_anywhere(self, tmp_path, write, name):
        body = exported(released(MemoryStore(), made(write(SITE))), tmp_path / name)
        cuts = {*range(0, len(body), 997), len(body) - 1, *(range(0, len(body), 512) if name == "r1.tar" else ())}
        # An archive is at its end after two blocks of zeros; what fills the record may be missing.
        whole = next(n for n in range(len(body) - 1024, 0, -512) if any(body[n - 512 : n])) + 1024
        for cut in sorted(cut for cut in cuts if name != "r1.tar" or cut < whole):
            (tmp_path / name).write_bytes(body[:cut])
            store = MemoryStore()
            with pytest.raises(ArchiveError, match=r"cut off|damaged"):
                import_release(store, str(tmp_path / name))
            assert contents(store) == {}, cut

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_any_change_is_found_or_means_nothing(self, data, tmp_path_factory):
        folder = tmp_path_factory.mktemp("changed")
        (folder / "src").mkdir()
        (folder / "src/a.css").write_text("a { b: url(b.txt) }")
        (folder / "src/b.txt").write_text("b")
        source = released(MemoryStore(), made(folder / "src"))
        body = bytearray(exported(source, folder / "r1.tar"))
        for _ in range(data.draw(st.integers(1, 3))):
            body[data.draw(st.integers(0, len(body) - 1))] ^= data.draw(st.integers(1, 255))
        (folder / "r1.tar").write_bytes(body)
        store = MemoryStore()
        try:
            import_release(store, str(folder / "r1.tar"))
        except ShipfilesError:
            assert contents(store) == {}
        else:
            check_whole(store, manifest_of(store), plain=False)
            assert dump(manifest_of(store)) == dump(manifest_of(source))

    def test_two_imports_at_once(self, archive, store, tmp_path):
        other = LocalStore(str(tmp_path / "other"))
        errors: list[Exception] = []

        def work() -> None:
            try:
                import_release(LocalStore(other.root), str(tmp_path / "r1.tar"))
            except Exception as error:  # noqa: BLE001 - told below
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        check_whole(other, manifest_of(store), plain=False)


NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\\/"), min_size=1, max_size=200)


class TestTheFormat:
    @settings(max_examples=100, deadline=None)
    @given(
        files=st.dictionaries(NAME.filter(lambda name: name not in (".", "..")), st.binary(max_size=2000), max_size=6),
        compressed=st.booleans(),
    )
    def test_tarfile_and_we_read_what_was_written(self, files, compressed):
        out = io.BytesIO()
        writer = Writer(out, compressed=compressed)
        for name, body in files.items():
            writer.begin(name, len(body))
            if body:
                writer.write(body)
        writer.end()
        if files:
            assert members(out.getvalue()) == files
        reader, found = Reader(io.BytesIO(out.getvalue()), "x"), {}
        while (one := reader.next()) is not None:
            found[one.name] = b"".join(reader.chunks())
            assert len(found[one.name]) == one.size
        assert found == files

    def test_a_size_that_needs_an_extended_header(self):
        """POSIX.1-2017, pax: eleven octal digits; what is larger has the keyword "size"."""
        out = io.BytesIO()
        Writer(out, compressed=False).begin("large", 8**11)
        assert tarfile.TarInfo.frombuf(out.getvalue()[1024:1536], "utf-8", "strict").name == "large"
        out.seek(0)
        with tarfile.open(fileobj=io.BytesIO(out.getvalue() + bytes(1024)), mode="r") as file:
            assert file.next().size == 8**11  # type: ignore[union-attr]
        assert Reader(io.BytesIO(out.getvalue()), "x").next().size == 8**11  # type: ignore[union-attr]


def test_files_of_a_release_that_claim_one_place_are_not_exported(tmp_path):
    store = MemoryStore()
    for info, body in claimed(A, entry("b.txt", A.name, b"b")):
        store.put(info.name, body)
    with pytest.raises(ManifestError, match="claim this place"):
        export_release(store, "r1", str(tmp_path / "x.tar"))
