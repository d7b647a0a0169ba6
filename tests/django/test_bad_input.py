"""Whatever lies in the folders: a release, or one clear error that names the file; never a traceback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.finders import BaseFinder
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.files.base import ContentFile
from django.core.files.storage import InMemoryStorage, Storage
from django.core.management import CommandError
from django.test import override_settings

from shipfiles.records import POINTER_KEY

from .test_collectstatic import collect, manage, start, tree


def test_a_pipe_is_skipped_and_told(project: Path, write) -> None:
    write({"a.css": "a{}"})
    os.mkfifo(project / "src/pipe.css")
    out, _ = collect()
    assert f"{project / 'src/pipe.css'}: a pipe, not a file" in out
    assert set(staticfiles_storage.hashed_files) == {"a.css"}


@pytest.mark.parametrize("name", ["new\nline.css", "tab\t.css", "back\\slash.css"])
def test_a_name_that_cannot_be_published(project: Path, write, name: str) -> None:
    write({"a.css": "a{}"})
    collect()
    before = tree(project / "root")
    write({name: "x"})
    with pytest.raises(CommandError) as caught:
        collect()
    assert repr(str(project / "src" / name)) in str(caught.value) or str(project / "src" / name) in str(caught.value)
    assert "Rename it, or leave it out with --ignore." in str(caught.value)
    assert tree(project / "root") == before


def test_names_that_differ_only_by_case(project: Path, write) -> None:
    write({"App.css": "1{}", "app.css": "2{}"})
    _, err = collect()
    assert "App.css: 'app.css' differs only by case" in err
    assert len(staticfiles_storage.hashed_files) == 2


def test_an_empty_file_and_a_link_out_of_the_folder(project: Path, write) -> None:
    write({"empty.css": ""})
    (project / "elsewhere.txt").write_text("elsewhere")
    (project / "src/link.txt").symlink_to(project / "elsewhere.txt")
    collect()
    assert (project / "root" / staticfiles_storage.stored_name("empty.css")).read_bytes() == b""
    published = project / "root" / staticfiles_storage.stored_name("link.txt")
    assert published.read_text() == "elsewhere"
    assert not published.is_symlink()


def test_a_dead_link(project: Path) -> None:
    (project / "src/dead.css").symlink_to("nowhere")
    with pytest.raises(CommandError, match=r"src/dead\.css: a symbolic link to a file that does not exist"):
        collect()


@pytest.mark.parametrize("body", [b"", b"{half", b"[]", b'{"release": "../../etc/passwd"}', b'{"release": "gone"}'])
def test_a_corrupt_pointer_is_healed(project: Path, write, body: bytes) -> None:
    write({"a.css": "a{}"})
    collect()
    whole = tree(project / "root")
    (project / "root" / POINTER_KEY).write_bytes(body)
    _, err = collect()
    assert "cannot be read, everything is made anew" in err
    assert tree(project / "root") == whole


def test_a_corrupt_release_manifest_is_healed(project: Path, write) -> None:
    write({"a.css": "a{}"})
    collect()
    whole = tree(project / "root")
    (manifest,) = (project / "root/.shipfiles/releases").iterdir()
    manifest.write_bytes(manifest.read_bytes()[:100])
    collect()
    assert tree(project / "root") == whole


def test_a_corrupt_release_is_one_clear_error_where_it_is_served(project: Path, write) -> None:
    write({"a.css": "a{}"})
    collect()
    (project / "root" / POINTER_KEY).write_bytes(b"{half")
    with (
        override_settings(STATIC_ROOT=str(project / "root")),
        pytest.raises(ValueError, match=r"current\.json: damaged: .*ship activate ID.*collectstatic"),
    ):
        staticfiles_storage.url("a.css")


def test_no_traceback_reaches_the_terminal(project: Path, write) -> None:
    write({"a.css": "a { background: url(missing.png) }"})
    run = manage(project, "collectstatic", "--noinput")
    assert run.returncode == 1
    assert run.stderr.count("missing.png") >= 1
    assert "Traceback" not in run.stderr
    assert not (project / "root").exists()


def test_a_file_where_a_folder_must_be(project: Path, write) -> None:
    write({"css/a.css": "a{}"})
    (project / "root").mkdir()
    (project / "root/css").write_text("a file")
    with pytest.raises(CommandError, match=r"css/a\.[0-9a-f]{12}\.css: .*a part of the path is a file, not a folder"):
        collect()


REMOTE = InMemoryStorage()


class RemoteFinder(BaseFinder):
    """A finder whose files are on no disk."""

    def find(self, path: str, find_all: bool = False) -> Any:
        return [] if find_all else None

    def list(self, ignore_patterns: Any) -> Any:
        yield "remote/app.css", REMOTE
        yield "remote/img.png", REMOTE

    def check(self, **kwargs: Any) -> list[Any]:
        return []


def test_a_finder_without_a_disk(project: Path, write) -> None:
    write({"a.css": "a{}"})
    REMOTE.save("remote/app.css", ContentFile(b"b { background: url(img.png) }"))
    REMOTE.save("remote/img.png", ContentFile(b"png"))
    finders = [
        "django.contrib.staticfiles.finders.FileSystemFinder",
        "tests.django.test_bad_input.RemoteFinder",
    ]
    with override_settings(STATICFILES_FINDERS=finders):
        out, _ = collect("--json")
    assert json.loads(out)["rewritten"] == 1
    image = staticfiles_storage.stored_name("remote/img.png").rpartition("/")[2]
    css = (project / "root" / staticfiles_storage.stored_name("remote/app.css")).read_text()
    assert css == f"b {{ background: url({image}) }}"


class Bucket(Storage):
    """A storage without paths, whose names are as they come."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def open(self, name: str, mode: str = "rb") -> Any:
        return ContentFile(self.files[name])


BUCKETS = [Bucket({"a.css": b"first"}), Bucket({"a.css": b"second"})]


class BucketFinder(RemoteFinder):
    def list(self, ignore_patterns: Any) -> Any:
        for bucket in BUCKETS:
            for name in bucket.files:
                yield name, bucket


@pytest.fixture
def buckets(project: Path) -> Iterator[None]:
    with override_settings(STATICFILES_FINDERS=["tests.django.test_bad_input.BucketFinder"]):
        yield


def test_of_two_files_without_a_disk_the_first_wins(project: Path, buckets) -> None:
    out, _ = collect(verbosity=2)
    assert (project / "root/a.css").read_bytes() == b"first"
    assert "Found another file with the destination path 'a.css'" in out


def test_a_file_without_a_disk_cannot_leave_the_temporary_folder(project: Path, buckets, monkeypatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(project))
    monkeypatch.setattr(BUCKETS[0], "files", {"../evil.txt": b"evil"})
    with pytest.raises(CommandError, match=r"^Bucket:\.\./evil\.txt: the name has an empty part, '\.' or '\.\.'"):
        collect()
    assert not (project / "evil.txt").exists()


@pytest.mark.parametrize("options", [[], ["--dry-run"], ["--no-post-process"]])
def test_a_file_without_a_disk_is_not_linked_to(project: Path, buckets, options: list[str]) -> None:
    with pytest.raises(CommandError, match=r"^Bucket:a\.css: not on this disk.*--link"):
        collect("--link", *options)
    assert not (project / "root").exists()


def test_a_broken_reference_in_a_file_without_a_disk_names_it(project: Path, buckets, monkeypatch) -> None:
    monkeypatch.setattr(BUCKETS[0], "files", {"a.css": b"a { background: url(gone.png) }"})
    with pytest.raises(CommandError, match=r"Bucket:a\.css:1:21: gone\.png"):
        collect()


@pytest.mark.parametrize("folder", ["node_modules", "vendor/node_modules", "bower_components"])
def test_packages_inside_a_folder_of_the_project_are_not_its_own(project: Path, write, folder: str) -> None:
    write({f"{folder}/pkg/x.css": "a { background: url(gone.png) }"})
    _, err = collect(verbosity=2)
    assert "gone.png" in err
    write({"my_node_modules/x.css": "a { background: url(lost.png) }"})
    with pytest.raises(CommandError, match=r"^1 broken reference[^$]*lost\.png"):
        collect()


def test_folders_deeper_than_python_calls(project: Path) -> None:
    deep = "d/" * 1100
    folder = str(project / "src")
    try:
        for _ in range(1100):
            folder += "/d"
            os.mkdir(folder)
        Path(folder, "x.css").write_text("a{}")
        collect()
        assert (project / "root" / deep / "x.css").read_text() == "a{}"
    finally:
        # Python's own rmtree, which clears up after the tests, recurses.
        subprocess.run(["rm", "-rf", str(project / "src"), str(project / "root")], check=True)


def test_a_damaged_entry_of_a_release_is_healed(project: Path, write) -> None:
    write({"a.css": "a{}"})
    collect()
    whole = tree(project / "root")
    (manifest,) = (project / "root/.shipfiles/releases").iterdir()
    for body in (b'{"schema": 1, "compress": "", "files": {"a.css": 5}}', b"[" * 200_000):
        manifest.write_bytes(body)
        collect()
        assert tree(project / "root") == whole


def test_static_root_may_go_away_between_two_runs_of_a_process(project: Path, write) -> None:
    write({"css/a.css": "a{}"})
    collect()
    whole = tree(project / "root")
    shutil.rmtree(project / "root")
    collect()
    assert tree(project / "root") == whole


def test_ctrl_c_is_told_in_a_line_and_leaves_nothing_half_written(project: Path, write) -> None:
    write({f"{i}.css": f"a{i} {{ color: red }}\n" * 4000 for i in range(60)})
    run = start(project, "collectstatic", "--noinput")
    until = time.monotonic() + 60
    while not (project / "root/.shipfiles/lock").exists() and time.monotonic() < until:
        time.sleep(0.005)
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=60)
    assert run.returncode == 130
    assert err.strip().endswith("CommandError: Interrupted. What is live is whole; run again to finish.")
    assert "Traceback" not in err
    assert not (project / "root/staticfiles.json").exists()
    assert not list((project / "root").rglob(".shipfiles-*"))


def test_all_that_cannot_be_published_is_told_at_once(project: Path, write) -> None:
    write({"a.css": "a{}"})
    collect()
    before = tree(project / "root")
    src = project / "src"
    write({"new\nline.css": "x", "back\\slash.css": "x", "deep/x.css": "x", "good.css": "x"})
    (src / "caf\udce9.css").write_text("x")
    (src / "dead.css").symlink_to("nowhere")
    (src / "loop.css").symlink_to("loop.css")
    (src / "deep/again").symlink_to(src / "deep")
    with pytest.raises(CommandError) as caught:
        collect()
    rename = "    Rename it, or leave it out with --ignore."
    mend = "    Mend or remove the link, or leave it out with --ignore."
    assert str(caught.value).split("\n") == [
        "6 source files cannot be used:",
        f"  {src}/back\\slash.css: the name has a backslash, which browsers and Windows take for a slash",
        rename,
        f"  '{src}/caf\\udce9.css': the name is not valid UTF-8",
        rename,
        f"  {src}/dead.css: a symbolic link to a file that does not exist",
        mend,
        f"  {src}/deep/again: a symbolic link makes this folder contain itself",
        mend,
        f"  {src}/loop.css: a symbolic link that cannot be followed: too many symbolic links, perhaps a loop",
        mend,
        f"  '{src}/new\\nline.css': the name has a control character",
        rename,
        "Nothing was published.",
    ]
    assert tree(project / "root") == before


def test_what_is_left_out_may_be_called_anything(project: Path, write) -> None:
    write({"a.css": "a{}", "back\\slash.css": "x", "deep/x.css": "x"})
    (project / "src/dead.css").symlink_to("nowhere")
    (project / "src/deep/again").symlink_to(project / "src/deep")
    collect("--ignore", "back*", "--ignore", "dead.css", "--ignore", "again")
    assert set(staticfiles_storage.hashed_files) == {"a.css", "deep/x.css"}


def test_all_files_without_a_disk_that_cannot_be_published(project: Path, buckets, monkeypatch) -> None:
    monkeypatch.setattr(BUCKETS[0], "files", {"../evil.txt": b"evil", "a\\b.css": b"x", "good.css": b"x"})
    with pytest.raises(CommandError) as caught:
        collect()
    told = str(caught.value).split("\n")
    assert told[0] == "2 source files cannot be used:"
    assert told[1] == "  Bucket:../evil.txt: the name has an empty part, '.' or '..'"
    assert told[3].startswith("  Bucket:a\\b.css: the name has a backslash")
    assert not (project / "evil.txt").exists()
