"""Manifests that are left in their file: what is found there is what a dictionary would have, or a clear error."""

from __future__ import annotations

import copy
import logging
import os
import pickle
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.digest import digest_bytes
from shipfiles.errors import ManifestError
from shipfiles.lines import Lines
from shipfiles.manifest import Manifest, dump, load
from shipfiles.model import Entry
from shipfiles.serve.table import FileTable

DIGEST = digest_bytes(b"")
NUMBERS: list[Callable[[str], int]] = [hash, len, lambda name: -len(name) << 44, lambda _: 0, lambda _: (1 << 64) - 1]


def entry(logical: str, name: str, references: tuple[str, ...] = ()) -> Entry:
    return Entry(logical, name, 7, DIGEST, "text/css", references=references)


def lazily(manifest: Manifest, path: Path, before: bytes = b"") -> Manifest:
    """``manifest``, read from the file at ``path`` and left there."""
    path.write_bytes(before + dump(manifest))
    lazy = load(dump(manifest), str(path), lazily=True)
    assert isinstance(lazy.entries, Lines)
    lazy.rest_in("", len(before))
    return lazy


MANIFEST = Manifest({f"{n}.css": entry(f"{n}.css", f"{n}.0.css") for n in range(100)})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.json"


def descriptors(path: Path) -> list[int]:
    """The descriptors of this process that are of the file at ``path``."""
    found = []
    for fd in range(3, 512):
        with suppress(OSError):
            if os.path.samestat(os.fstat(fd), path.stat()):
                found.append(fd)
    return found


NAMES = st.dictionaries(st.text(max_size=6), st.text(max_size=3), min_size=1, max_size=12)


@settings(deadline=None)
@given(NAMES, st.lists(st.text(max_size=6)), st.data())
def test_it_is_what_dictionaries_say(names: dict[str, str], others: list[str], data: st.DataObject) -> None:
    """For whatever names, several of which may have one hashed name, and numbers of names that tell few apart."""
    body = dump(Manifest({logical: entry(logical, name) for logical, name in names.items()}))
    by_name = {names[logical]: logical for logical in sorted(names)}
    lines = Lines(body, "m", lambda logical, raw: entry(logical, raw["name"]), data.draw(st.sampled_from(NUMBERS)))
    assert dict(lines.names.items()) == names
    assert (list(lines), list(lines.names), len(lines)) == (sorted(names), sorted(names), len(names))
    for asked in {*names, *names.values(), *others}:
        assert lines.names.get(asked) == names.get(asked)
        assert lines.logicals.get(asked) == by_name.get(asked)
        assert (asked in lines.names, asked in lines.logicals) == (asked in names, asked in by_name)
        assert lines.get(asked) == (entry(asked, names[asked]) if asked in names else None)


def test_lines_in_another_order_are_read_at_once() -> None:
    first, second, third, *rest = dump(Manifest({n: entry(n, n) for n in "abc"})).splitlines(keepends=True)
    body = b"".join([first, third, second, *rest])
    assert dict(load(body, "m", lazily=True).entries) == {n: entry(n, n) for n in "abc"}


def test_a_removed_file_is_read_on(path: Path) -> None:
    long = entry("long.css", "long.0.css", tuple(f"{n}.css" for n in range(5000)))
    manifest = Manifest({**MANIFEST.entries, "long.css": long})
    lazy = lazily(manifest, path, b"head\n")
    path.unlink()
    assert lazy.entries["7.css"] == MANIFEST.entries["7.css"]
    assert lazy.entries["long.css"] == long
    assert lazy.names() == manifest.names()
    assert lazy == manifest


@pytest.mark.parametrize("reused", [False, True])
def test_closed_behind_our_back_it_is_opened_again(path: Path, reused: bool) -> None:
    """As python-daemon and other programs do it with all descriptors that they do not know."""
    lazy = lazily(MANIFEST, path)
    other = path.with_name("other")
    other.write_bytes(b"something else\n" * 1000)
    (fd,) = descriptors(path)
    os.close(fd)
    if reused:
        with other.open("rb") as file:
            os.dup2(file.fileno(), fd)
    assert lazy.by_name()["5.0.css"] == "5.css"
    assert lazy.entries["6.css"] == MANIFEST.entries["6.css"]
    assert len(descriptors(path)) == 1
    del lazy
    assert (descriptors(path), len(descriptors(other))) == ([], reused)
    if reused:
        os.close(fd)


@pytest.mark.parametrize("change", ["shorter", "other", "gone"])
def test_a_changed_file_is_one_clear_error(path: Path, change: str) -> None:
    lazy = lazily(MANIFEST, path)
    if change == "shorter":
        os.truncate(path, 100)
    elif change == "other":
        with path.open("r+b") as file:
            file.write(b"x" * path.stat().st_size)
    else:
        os.close(*descriptors(path))
        path.unlink()
    asks = [lambda: lazy.entries["99.css"], lambda: lazy.by_name()["99.0.css"], lambda: "99.css" in lazy.entries]
    for ask in asks if change == "other" else [*asks, lazy.names, lambda: list(lazy.keys())]:
        with pytest.raises(ManifestError, match=r"manifest\.json: changed since this process has read it"):
            ask()
    assert "nowhere.css" not in lazy.entries


def test_a_table_whose_manifest_is_changed_says_so_once(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "shipfiles")
    table = FileTable(lazily(MANIFEST, path), str(path.parent), "/static/")
    os.truncate(path, 100)
    for name in ("98.css", "98.0.css", "99.css", "99.0.css"):
        assert table.find(f"/static/{name}") is None
        assert not table.may_wait(f"/static/{name}")
    assert [record.getMessage() for record in caplog.records if "changed since" in record.getMessage()] == [
        f"{path}: changed since this process has read it. Restart the process."
    ]


@pytest.mark.parametrize("there", [b"", b"\n", b"other"])
def test_a_file_with_other_bytes_is_not_rested_on(path: Path, there: bytes) -> None:
    body = dump(MANIFEST)
    path.write_bytes(there + body[len(there) :] if there != b"\n" else body + there)
    lazy = load(body, str(path), lazily=True)
    lazy.rest_in("", 0)
    assert bool(descriptors(path)) == (there == b"")
    path.write_bytes(b"")
    if there:
        assert lazy == MANIFEST


def test_copies_and_pickles(path: Path) -> None:
    lazy = lazily(MANIFEST, path)
    entries = lazy.entries
    assert isinstance(entries, Lines)
    pickled = pickle.loads(pickle.dumps(entries))
    for other in (copy.copy(entries), copy.deepcopy(entries), pickled, copy.deepcopy(pickled)):
        assert other["7.css"] == entries["7.css"]
        assert dict(other.logicals.items()) == dict(entries.logicals.items())
    for column in (copy.copy(entries.names), copy.deepcopy(entries.names), pickle.loads(pickle.dumps(entries.names))):
        assert column["7.css"] == "7.0.css"
    assert len(descriptors(path)) == 1


def test_a_forked_worker_reads_on_its_own(path: Path) -> None:
    lazy = lazily(MANIFEST, path)
    read, write = os.pipe()
    worker = os.fork()
    if worker == 0:
        os.write(write, lazy.by_name().get("5.0.css", "none").encode())
        os._exit(0)
    assert lazy.by_name()["6.0.css"] == "6.css"
    os.waitpid(worker, 0)
    assert os.read(read, 100) == b"5.css"
    os.close(read)
    os.close(write)


def test_a_file_takes_little_before_it_is_asked_for(path: Path) -> None:
    files = 5000
    names = {
        f"packages/p{n // 100}/module{n}.js": f"packages/p{n // 100}/module{n}.0123456789ab.js" for n in range(files)
    }
    path.write_bytes(dump(Manifest({logical: entry(logical, name) for logical, name in names.items()})))
    tracemalloc.start()
    try:
        lazy = load(path.read_bytes(), str(path), lazily=True)
        lazy.rest_in("")
        table = FileTable(lazy, str(path.parent), "/static/")
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert table.find("/static/packages/p0/module7.js") is not None
    assert held < 300 * files
