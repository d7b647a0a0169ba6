"""Old pages on new processes and new pages on old ones: every release that is on the disk is served."""

from __future__ import annotations

import dataclasses
import errno
import json
import logging
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.management import call_command

from shipfiles.digest import digest_bytes, hashed_name
from shipfiles.manifest import Manifest, dump, load, reader_of
from shipfiles.model import Entry, Variant
from shipfiles.records import POINTER_KEY, read_current
from shipfiles.serve import releases
from shipfiles.serve.respond import Request, Response, respond
from shipfiles.serve.table import FileTable, read_table


def ask(table: FileTable, name: str, **fields: str) -> Response:
    response = respond(table, Request("GET", "/static/" + name, lambda field: fields.get(field.replace("-", "_"))))
    assert response is not None
    return response


@pytest.fixture
def deploy(project: Path, write):
    """Publish a release in which a.css is ``text``, and give the hashed name of that file and the release's table."""

    def publish(text: str, *options: str) -> tuple[str, FileTable]:
        write({"a.css": text, "same.js": "let unchanged"})
        call_command("collectstatic", "--noinput", *options, verbosity=0)
        current = read_current(reader_of(str(project / "root")))
        assert current is not None
        return current[1].entries["a.css"].name, read_table(str(project / "root"), "/static/")

    return publish


def settle(project: Path, moment: float = 1e9) -> Path:
    """Make the folder of the manifests as old as it is when nobody deploys."""
    folder = project / "root" / ".shipfiles" / "manifests"
    os.utime(folder, (moment, moment))
    return folder


LONG = "a { color: red }\n" * 50


def test_either_process_serves_the_names_of_the_other(deploy) -> None:
    first, old = deploy(LONG)
    assert ask(old, "a.0123456789ab.css").status == 404
    second, new = deploy(LONG.replace("red", "blue"))
    for table, name, colour in ((new, first, b"red"), (old, second, b"blue"), (old, first, b"red")):
        response = ask(table, name)
        assert (response.status, response.body) == (200, LONG.replace("red", colour.decode()).encode())
        assert "immutable" in dict(response.headers)["Cache-Control"]
        assert dict(ask(table, name, accept_encoding="gzip").headers)["Content-Encoding"] == "gzip"
    # Plain names stay what they were: those of the process's own release.
    assert b"red" in (ask(old, "a.css").body or b"")
    third, _ = deploy(LONG.replace("red", "green"))
    assert ask(old, third).status == ask(new, third).status == 200


def test_a_name_that_is_gone_from_the_disk_is_lost(deploy, caplog: pytest.LogCaptureFixture) -> None:
    first, _ = deploy("one")
    _, new = deploy("two")
    assert ask(new, first).status == 200
    third, newest = deploy("three", "--clear")
    for table in (new, newest):
        response = ask(table, first)
        assert response.status == 404
        assert dict(response.headers)["Cache-Control"] == "no-store"
        assert ask(table, third).status == 200
    # It was removed on purpose: nothing to warn of.
    assert caplog.messages == []


def test_a_name_whose_file_alone_is_gone_is_a_404(deploy, project: Path) -> None:
    first, _ = deploy("one")
    _, new = deploy("two")
    (project / "root" / first).unlink()
    response = ask(new, first)
    assert (response.status, dict(response.headers)["Cache-Control"]) == (404, "no-store")


def test_a_thousand_misses_look_at_the_folder_once(deploy, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = deploy("one")
    _, table = deploy("two")
    settle(project)
    looks: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looks.append(path) or scandir(path))
    ask(table, "a.css")
    ask(table, "same.js")
    assert looks == []
    for i in range(1000):
        assert ask(table, f"{i}.0123456789ab.css").status == 404
    assert ask(table, first).status == 200
    assert len(looks) == 1


def test_a_manifest_is_read_once_even_while_the_folder_is_new(deploy, monkeypatch: pytest.MonkeyPatch) -> None:
    _, table = deploy("one")
    deploy("two")
    read: list[str] = []
    search = releases._Search.names

    def slow(self: releases._Search, body: bytes) -> dict[str, int] | None:
        read.append(digest_bytes(body))
        time.sleep(0.02)
        return search(self, body)

    monkeypatch.setattr(releases._Search, "names", slow)
    with ThreadPoolExecutor(8) as pool:
        start = threading.Barrier(8)

        def miss(_: int) -> int:
            start.wait(5)
            return ask(table, "x.0123456789ab.css").status

        assert set(pool.map(miss, range(8))) == {404}
    assert len(read) == len(set(read)) == 2


def test_every_name_of_many_releases_is_found_whatever_they_have_in_common(tmp_path: Path) -> None:
    """Files that change, go and come back, the first and the last of the list among them, against all entries read."""
    chance = random.Random(1)
    folder = tmp_path / "manifests"
    folder.mkdir()
    logicals = [f"{name}/{part}.css" for name in ('a"b', "d e", "ü", "x") for part in range(8)]
    versions = {logical: 0 for logical in logicals if chance.random() < 0.7}
    wanted: dict[str, Entry] = {}
    own: set[str] = set()
    found = releases.Releases(str(folder), own)
    for number in range(40):
        for logical in logicals:
            if chance.random() < 0.1:
                versions[logical] = chance.randrange(number + 1)
            elif chance.random() < 0.05:
                versions.pop(logical, None)
        entries = {}
        for logical, version in versions.items():
            digest = digest_bytes(f"{logical} {version}".encode())
            variant = {"br": Variant(chance.randrange(3), digest)} if chance.random() < 0.2 else {}
            entries[logical] = Entry(logical, hashed_name(logical, digest), version, digest, "text/css", variant)
        if number == 0:
            own |= {entry.name for entry in entries.values()}
        (folder / f"{number}.json").write_bytes(dump(Manifest(entries)))
        os.utime(folder / f"{number}.json", (number + 1, number + 1))
        wanted |= {entry.name: entry for entry in entries.values() if entry.name not in own}
        if number % 7 == 3:
            # One that was there goes, and then all is searched again; else only what is new.
            (folder / f"{number - 2}.json").unlink()
            rest = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
            kept = [load(path.read_bytes(), "x").entries.values() for path in rest]
            wanted = {entry.name: entry for entries in kept for entry in entries if entry.name not in own}
        os.utime(folder, (number * 10 + 1, number * 10 + 1))
        for name, entry in wanted.items():
            assert found.entry(name) == entry
    assert len(wanted) > 100
    assert all(found.entry(name) is None for name in own)


def test_a_release_within_the_same_tick_of_the_clock_is_not_overlooked(deploy, project: Path) -> None:
    _, table = deploy("one")
    folder = project / "root" / ".shipfiles" / "manifests"
    before = folder.stat()
    ask(table, "x.0123456789ab.css")
    second, _ = deploy("two")
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ask(table, second).status == 200


def test_damaged_manifests_are_named_once_and_passed_over(
    deploy, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = deploy("one")
    _, table = deploy("two")
    folder = settle(project)
    (folder / "damaged.json").write_text('{"schema": 1, "fil')
    (folder / "folder.json").mkdir()
    (folder / "other.txt").write_text("no manifest")
    with caplog.at_level(logging.WARNING, "shipfiles.serve"):
        for _ in range(3):
            assert ask(table, first).status == 200
            assert ask(table, "x.0123456789ab.css").status == 404
    assert len(caplog.messages) == 2
    assert any("damaged.json" in line for line in caplog.messages)
    assert any("folder.json" in line for line in caplog.messages)


def test_a_manifest_that_goes_while_it_is_read_is_no_error(deploy, project: Path) -> None:
    first, _ = deploy("one")
    _, table = deploy("two")
    (project / "root" / ".shipfiles" / "manifests" / "gone.json").symlink_to("nowhere")
    assert ask(table, first).status == 200


def test_out_of_descriptors_is_503_and_heals(deploy, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = deploy("one")
    _, table = deploy("two")
    settle(project)

    def full(path: str) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", full)
        assert ask(table, first).status == 503
    assert ask(table, first).status == 200


def failing(monkeypatch: pytest.MonkeyPatch, where: object, what: str, number: int, part: str = "") -> None:
    """Let the function ``what`` fail for paths with ``part`` in them."""
    do = getattr(where, what)

    def fail(path: str, *more: object, **named: object) -> object:
        if part in str(path):
            raise OSError(number, os.strerror(number))
        return do(path, *more, **named)

    monkeypatch.setattr(where, what, fail)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EACCES])
@pytest.mark.parametrize("what", [(os, "scandir"), (releases, "read_regular"), (os, "stat")])
def test_what_cannot_be_read_for_a_moment_is_read_again(
    deploy, project: Path, monkeypatch: pytest.MonkeyPatch, what: tuple[object, str], number: int
) -> None:
    first, _ = deploy("one")
    second, old = deploy("two")
    third, _ = deploy("three")
    _, table = deploy("four")
    settle(project)
    assert ask(old, first).status == 200
    fresh = read_table(str(project / "root"), "/static/")
    (manifests_of(project)[0].parent / "new.json").write_text(manifests_of(project)[0].read_text())
    settle(project, 1e9 + 5)
    monkeypatch.setattr(releases.Releases, "_AGAIN", 0.0)
    with monkeypatch.context() as patch:
        failing(patch, *what, number, "manifests")
        # What was known is served on.
        assert ask(old, first).status == 200
        assert ask(fresh, first).status == 404
        assert ask(table, third).status == 404
    assert {ask(t, name).status for t in (old, fresh, table) for name in (first, second, third)} == {200}


def test_a_file_that_can_never_be_read_takes_none_away(
    deploy, project: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is tried again, and the others are not read anew for it; nor is the folder looked at for every name."""
    first, _ = deploy("one")
    _, table = deploy("two")
    (manifests_of(project)[0].parent / "loop.json").symlink_to("loop.json")
    settle(project)
    searched, looks = [], []
    search, scandir = releases._Search.names, os.scandir
    monkeypatch.setattr(releases._Search, "names", lambda *given: searched.append(1) or search(*given))
    monkeypatch.setattr(os, "scandir", lambda path: looks.append(path) or scandir(path))
    for i in range(100):
        assert ask(table, first).status == 200
        assert ask(table, f"{i}.0123456789ab.css").status == 404
    assert (len(searched), len(looks), len(caplog.messages)) == (2, 1, 1)
    assert "loop.json" in caplog.text
    assert not table.may_wait(f"/static/{first}")
    monkeypatch.setattr(releases.Releases, "_AGAIN", 0.0)
    table._others._next = 0.0  # a second later
    third, _ = deploy("three")
    for name in (first, third, first):
        assert ask(table, name).status == 200
    assert (len(searched), len(caplog.messages)) == (3, 1)


def test_one_that_cannot_be_read_when_another_goes(deploy, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = deploy("one")
    second, _ = deploy("two")
    _, table = deploy("three")
    settle(project)
    assert ask(table, first).status == ask(table, second).status == 200
    of = {load(path.read_bytes(), "m").entries["a.css"].name: path for path in manifests_of(project)}
    of[first].unlink()
    settle(project, 1e9 + 5)
    with monkeypatch.context() as patch:
        failing(patch, releases, "read_regular", errno.EIO, of[second].name)
        assert (ask(table, first).status, ask(table, second).status) == (404, 200)


def test_a_folder_of_a_time_to_come_is_looked_at_once_a_second(
    deploy, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = deploy("one")
    _, table = deploy("two")
    folder = settle(project)
    os.utime(folder, (time.time() + 1e6, time.time() + 1e6))
    looks: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: looks.append(path) or scandir(path))
    monkeypatch.setattr(releases.Releases, "_AGAIN", 1e9)
    for i in range(100):
        assert ask(table, f"{i}.0123456789ab.css").status == 404
    assert len(looks) == 1
    assert not table.may_wait("/static/x.0123456789ab.css")
    table._others._next = 0.0  # a second later
    assert ask(table, first).status == 200
    ask(table, "x.0123456789ab.css")
    assert len(looks) == 2


def test_a_folder_that_cannot_be_listed_has_no_releases(deploy, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = deploy("one")
    _, table = deploy("two")

    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    assert ask(table, first).status == 404


def test_going_back_to_an_earlier_release_is_seen_by_a_client_who_knows_dates_only(deploy, project: Path) -> None:
    deploy("one")
    for file in (project / "root").glob("a.*"):
        os.utime(file, (1.6e9, 1.6e9))
    _, table = deploy("two")
    later = dict(ask(table, "a.css").headers)["Last-Modified"]
    _, table = deploy("one")
    response = ask(table, "a.css", if_modified_since=later)
    assert (response.status, response.body) == (200, b"one")
    own = dict(response.headers)["Last-Modified"]
    assert own != later
    assert ask(table, "a.css", if_modified_since=own).status == 304


def test_a_pointer_that_moves_while_it_is_followed(deploy, project: Path) -> None:
    first, _ = deploy("one")
    read_file = reader_of(str(project / "root"))
    moved: list[str] = []

    def read(key: str) -> bytes | None:
        body = read_file(key)
        if key == POINTER_KEY and not moved:
            moved.append(deploy("two", "--clear")[0])
        return body

    current = read_current(read)
    assert current is not None
    assert current[1].entries["a.css"].name == moved[0] != first


def manifests_of(project: Path) -> list[Path]:
    """The files of all manifests, oldest first."""
    return sorted((project / "root" / ".shipfiles" / "manifests").glob("*.json"), key=lambda p: p.stat().st_mtime_ns)


@pytest.mark.parametrize("indent", [None, 1])
def test_a_manifest_that_another_program_has_laid_out_is_read_too(deploy, project: Path, indent: int | None) -> None:
    first, _ = deploy(LONG)
    old = manifests_of(project)[0]
    old.write_text(json.dumps(json.loads(old.read_bytes()), indent=indent))
    _, table = deploy("two")
    assert ask(table, first).body == LONG.encode()


def test_one_line_that_another_program_has_laid_out(deploy, project: Path, write) -> None:
    write({"b.css": LONG})
    deploy("one")
    old = manifests_of(project)[0]
    names = load(old.read_bytes(), "m").names()
    old.write_bytes(old.read_bytes().replace(b'"b.css": {"name":', b'"b.css": { "name" : '))
    write({"b.css": LONG + LONG})
    _, table = deploy("two")
    assert ask(table, names["b.css"]).body == LONG.encode()
    assert ask(table, names["a.css"]).body == b"one"


def test_names_that_json_escapes(deploy, project: Path, write) -> None:
    odd = ["ü/größe.css", 'q"uote.css', 'q"uote".css', "日本.js", "tab's.css"]
    write(dict.fromkeys(odd, "/* one */"))
    first, _ = deploy("one")
    names = read_current(reader_of(str(project / "root")))[1].names()
    write({odd[0]: "/* two */", odd[1]: "/* two */"})
    _, table = deploy("two")
    for logical in odd:
        assert ask(table, names[logical]).body == b"/* one */", logical
        assert ask(table, logical).body == (b"/* two */" if logical in odd[:2] else b"/* one */")
    assert ask(table, first).body == b"one"


def test_a_damaged_line_is_named_once_and_the_rest_is_served(
    deploy, project: Path, write, caplog: pytest.LogCaptureFixture
) -> None:
    write({"b.css": LONG})
    first, _ = deploy("one")
    old = manifests_of(project)[0]
    b = load(old.read_bytes(), "m").names()["b.css"]
    old.write_bytes(old.read_bytes().replace(f'{{"name":"{b}","size":'.encode(), f'{{"name":"{b}","size":-'.encode()))
    write({"b.css": "two"})
    _, table = deploy("two")
    for _ in range(3):
        assert ask(table, b).status == 404
        assert ask(table, first).status == 200
    assert [line for line in caplog.messages if b in line and "is no number of bytes" in line] == caplog.messages
    assert len(caplog.messages) == 1


def test_the_newest_manifest_tells_of_variants(deploy, project: Path) -> None:
    """It wrote the variants that lie beside the file."""
    first, _ = deploy(LONG)
    old = manifests_of(project)[0]
    manifest = load(old.read_bytes(), "m")
    bare = {logical: dataclasses.replace(entry, codings={}) for logical, entry in manifest.entries.items()}
    _, table = deploy("two")
    other = old.with_name("0.json")
    other.write_bytes(dump(Manifest(bare)))
    for seconds, coding in ((-9, "gzip"), (9, None), (-9, "gzip")):
        moment = old.stat().st_mtime + seconds
        os.utime(other, (moment, moment))
        os.utime(old.parent, (moment, moment))
        assert dict(ask(table, first, accept_encoding="gzip").headers).get("Content-Encoding") == coding
    other.unlink()
    assert dict(ask(table, first, accept_encoding="gzip").headers)["Content-Encoding"] == "gzip"


def test_a_name_that_an_older_manifest_has_too_survives_the_newer_one(deploy, project: Path) -> None:
    first, _ = deploy(LONG)
    old = manifests_of(project)[0]
    _, table = deploy("two")
    newer = old.with_name("0.json")
    newer.write_bytes(old.read_bytes())
    assert ask(table, first).status == 200
    newer.unlink()
    settle(project)
    assert ask(table, first).status == 200


def test_only_foreign_names_are_kept(deploy, project: Path) -> None:
    """However many releases there are, a file that did not change takes no memory for each of them."""
    foreign = {deploy(f"/* {n} */")[0] for n in range(6)}
    _, table = deploy("last")
    ask(table, "x.0123456789ab.css")
    assert set(table._others._places) == foreign
    for name in foreign:
        assert ask(table, name).status == 200


def test_a_manifest_that_is_written_over_while_it_is_in_use_is_no_exception(
    deploy, project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first, _ = deploy("one")
    second, table = deploy("two")
    for path in manifests_of(project):
        if load(path.read_bytes(), "m").entries["a.css"].name == second:
            os.truncate(path, 0)
    for name in (first, second, "a.0123456789ab.css"):
        assert ask(table, name).status == 404
    assert "Restart the process" in caplog.text
    assert len(caplog.messages) == len(set(caplog.messages))
