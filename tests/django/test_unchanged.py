"""What a run takes for unchanged: what the file system says is a hint, never a truth that outlives a doubt."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

import shipfiles
from shipfiles.events import ignore
from shipfiles.records import POINTER_KEY
from shipfiles.release.state import STATE_KEY, read_state, write_state
from shipfiles.stores.local import LocalStore

from .test_collectstatic import collect, manage, tree

FILES: dict[str, str | bytes] = {
    "app.css": "@import 'theme.css';\n" + "p { color: red }\n" * 40,
    "theme.css": "b { color: blue }\n" * 40,
    **{f"{n}.js": f"f({n});\n" * 60 for n in range(20)},
}
YEAR = 31_556_952
LONG_AGO = 1_500_000_000


def facts(*arguments: str) -> dict[str, Any]:
    out, err = collect("--json", *arguments)
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found


def age(project: Path, seconds: int = LONG_AGO) -> None:
    """As if all sources had been written then."""
    for path in (project / "src").rglob("*"):
        os.utime(path, (seconds, seconds))


def published(project: Path) -> dict[str, tuple[int, int]]:
    """Inode and time of everything in STATIC_ROOT but what is remembered of the sources, and the lock."""
    found = {}
    for path in (project / "root").rglob("*"):
        status = path.stat()
        found[str(path.relative_to(project / "root"))] = (status.st_ino, status.st_mtime_ns)
    for restless in (STATE_KEY, os.path.dirname(STATE_KEY), f"{os.path.dirname(STATE_KEY)}/lock"):
        del found[restless]
    return found


def check_as_in_an_empty_place(project: Path, name: str) -> None:
    """The live release is the one that a first run makes."""
    root = tree(project / "root")
    with override_settings(STATIC_ROOT=str(project / name)):
        collect()
    fresh = tree(project / name)
    assert {key: root.get(key) for key in fresh} == fresh


@pytest.fixture
def site(project: Path, write) -> Path:
    """A project that was collected, of files that were written long ago."""
    write(FILES)
    age(project)
    assert facts()["written"] > 0
    looked_later(project)
    return project


def looked_later(project: Path, seconds: int = 10) -> None:
    """As if the last run had been so much later: when files really were written, nobody can set."""
    store = LocalStore(str(project / "root"))
    state = read_state(store)
    assert state is not None
    write_state(store, replace(state, looked=state.looked + seconds * 10**9), ignore)


def test_what_did_not_change_is_not_read(site: Path) -> None:
    assert facts()["sources_read"] == 0


@pytest.mark.parametrize("names", [["theme.css"], [*FILES]])
@pytest.mark.parametrize("seconds", [LONG_AGO - YEAR, LONG_AGO + YEAR, None])
def test_touched_but_unchanged(site: Path, names: list[str], seconds: int | None) -> None:
    """One file or all of them, to an older time, a newer one, or now: nothing is written."""
    before, there = tree(site / "root"), published(site)
    for name in names:
        os.utime(site / "src" / name, None if seconds is None else (seconds, seconds))
    found = facts()
    assert (found["written"], found["variants_made"], found["deleted"]) == (0, 0, 0)
    assert tree(site / "root") == before
    assert published(site) == there


def test_written_anew_with_the_same_bytes(site: Path) -> None:
    """As a version control system does that changes branches and back: another inode and another time."""
    there = published(site)
    for name in ("theme.css", "0.js"):
        path = site / "src" / name
        body = path.read_bytes()
        path.unlink()
        path.write_bytes(body)
    assert facts()["written"] == 0
    assert published(site) == there


def overwrite(path: Path, body: bytes) -> None:
    """Other bytes, of the same size, in the same inode, at the same time."""
    before = path.stat()
    with path.open("r+b") as file:
        file.write(body)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns, after.st_ino) == (before.st_size, before.st_mtime_ns, before.st_ino)


def test_size_time_and_inode_preserved(site: Path) -> None:
    """As who overwrites a file and sets its time back: the file system notes when that was done (POSIX, 4.12)."""
    body = b"b { color: lime }\n" * 40
    overwrite(site / "src/theme.css", body)
    assert facts()["written"] > 0
    assert (site / "root/theme.css").read_bytes() == body
    check_as_in_an_empty_place(site, "fresh")


def test_all_that_the_file_system_says_preserved(site: Path) -> None:
    """The limit of the hint, where a file system notes nothing: only reading tells, which is what --verify is for."""
    before = tree(site / "root")
    body = b"b { color: lime }\n" * 40
    overwrite(site / "src/theme.css", body)
    store = LocalStore(str(site / "root"))
    state = read_state(store)
    assert state is not None
    *rest, _, own = state.sources["theme.css"]
    noted = (site / "src/theme.css").stat().st_ctime_ns
    write_state(store, replace(state, sources={**state.sources, "theme.css": [*rest, noted, own]}), ignore)
    assert facts()["written"] == 0
    assert tree(site / "root") == before
    assert facts("--verify")["written"] > 0
    assert (site / "root/theme.css").read_bytes() == body
    check_as_in_an_empty_place(site, "fresh")
    # And the run after it knows.
    assert facts()["written"] == 0
    assert (site / "root/theme.css").read_bytes() == body


def test_a_published_file_with_size_time_and_inode_preserved(site: Path) -> None:
    before = tree(site / "root")
    overwrite(site / "root/theme.css", b"X")
    assert facts()["written"] == 0
    assert facts("--verify")["written"] > 0
    assert tree(site / "root") == before


def test_an_older_file_of_the_same_size_is_put_back(site: Path) -> None:
    """A rollback that restores times: the new file has the older time."""
    first = tree(site / "root")
    path = site / "src/theme.css"
    path.write_bytes(b"b { color: lime }\n" * 40)
    os.utime(path, (LONG_AGO + YEAR, LONG_AGO + YEAR))
    facts()
    assert json.loads((site / "root" / POINTER_KEY).read_text()) != json.loads(first[POINTER_KEY])
    path.write_text(str(FILES["theme.css"]))
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert facts()["variants_made"] == 0
    assert {key: body for key, body in tree(site / "root").items() if key in first} == first
    check_as_in_an_empty_place(site, "fresh")


def test_two_files_that_change_places(site: Path) -> None:
    """Of one size and one time: only the inodes tell."""
    one, two = site / "src/0.js", site / "src/1.js"
    assert one.stat().st_size == two.stat().st_size
    one.rename(site / "other")
    two.rename(one)
    (site / "other").rename(two)
    assert facts()["written"] > 0
    assert (site / "root/0.js").read_text() == FILES["1.js"]
    check_as_in_an_empty_place(site, "fresh")


def test_files_from_the_future_are_not_trusted(project: Path, write) -> None:
    """The clock was set back, or another machine's is ahead: a time that is still to come says nothing."""
    write(FILES)
    age(project)
    future = int(time.time()) + YEAR
    os.utime(project / "src/theme.css", (future, future))
    facts()
    body = b"b { color: lime }\n" * 40
    overwrite(project / "src/theme.css", body)
    assert facts()["written"] > 0
    assert (project / "root/theme.css").read_bytes() == body
    check_as_in_an_empty_place(project, "fresh")


def test_the_clock_is_set_back(site: Path) -> None:
    """The last run was a year later than now. What is written now is older than it, and is published."""
    project = site
    looked_later(project, YEAR)
    body = b"b { color: lime }\n" * 40
    (project / "src/theme.css").write_bytes(body)
    assert facts()["written"] > 0
    assert (project / "root/theme.css").read_bytes() == body
    # And again within the same tick of a coarse clock: what counts is when that run looked, not the one before it.
    other = b"b { color: pink }\n" * 40
    overwrite(project / "src/theme.css", other)
    assert facts()["written"] > 0
    assert (project / "root/theme.css").read_bytes() == other
    check_as_in_an_empty_place(project, "fresh")


def test_a_run_that_cannot_be_remembered(project: Path, write) -> None:
    """What is live is live: that the next run takes longer is no failure of this one."""
    write(FILES)
    blocked = project / "root" / STATE_KEY
    blocked.mkdir(parents=True)
    (blocked / "x").write_text("")
    for arguments in ((), ("--verify",)):
        out, err = collect(*arguments)
        assert err.count("\n") == 1
        assert err.startswith(f"{STATE_KEY}: cannot be written in ")
        assert "The release is whole and live" in err
        assert "\nRelease: " in out
    shutil.rmtree(blocked)
    facts()
    assert facts()["built"] == 0


def test_other_code_of_shipfiles_trusts_nothing_that_this_one_said(project: Path, write) -> None:
    write(FILES)
    package = shutil.copytree(
        Path(shipfiles.__file__).parent, project / "shipfiles", ignore=shutil.ignore_patterns("__pycache__")
    )

    def run() -> dict[str, Any]:
        done = manage(project, "collectstatic", "--noinput", "--json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    assert run()["built"] == len(FILES)
    found = run()
    assert (found["built"], found["scans_made"]) == (0, 0)
    # One that finds no references, and one that decides on what is published.
    for name in ("paths.py", "release/outcome.py", "build/compress/__init__.py"):
        with (package / name).open("a") as file:
            file.write("# another version\n")
        found = run()
        assert (found["built"], found["scans_found"], found["scans_made"]) == (len(FILES), 0, len(FILES))
        assert found["written"] == 0
        assert run()["built"] == 0
