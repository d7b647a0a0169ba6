"""Parts of bodies and what is in a folder, on every store, beyond what the contract asks for."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.errors import KeyNotFound, NoAnswer, Replaced
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.opening import open_store
from shipfiles.stores.parts import CHUNK, Pieces, resumed
from shipfiles.stores.store import Folders, Parts, Store
from tests import google_bucket
from tests.bucket import running
from tests.spans import BODY, check_folders, check_parts

STORES: dict[str, Callable[[Path], Store]] = {
    "memory": lambda _: MemoryStore(),
    "local": lambda path: LocalStore(str(path / "root")),
}


@pytest.fixture(params=[*STORES, "bucket", "google"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "bucket":
        with running() as bucket:
            keys = {"access_key": "id", "secret_key": "secret", "endpoint_url": bucket.url}
            yield open_store("s3://bucket/site", "tests", keys)
    elif request.param == "google":
        credentials = pytest.importorskip("google.auth.credentials").AnonymousCredentials()
        with google_bucket.running() as bucket:
            yield open_store("gs://bucket/site", "tests", {"endpoint_url": bucket.url, "credentials": credentials})
    else:
        yield STORES[request.param](tmp_path)


def test_any_part(store: Store) -> None:
    check_parts(store)


def test_any_folder(store: Store) -> None:
    check_folders(store)


# The disk


@pytest.fixture
def disk(tmp_path: Path) -> LocalStore:
    return LocalStore(str(tmp_path / "root"))


def open_files(disk: LocalStore) -> int:
    found = 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            found += os.readlink(f"/proc/self/fd/{number}").startswith(disk.root)
    return found


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="only Linux tells so what is open")
def test_no_file_stays_open(disk: LocalStore) -> None:
    disk.put("a", bytes(3 * CHUNK))
    disk.put("b", b"")
    part = disk.read_part("a")
    assert open_files(disk) == 1
    next(part.body)
    part.body.close()  # type: ignore[attr-defined]
    assert open_files(disk) == 0
    list(disk.read_part("a", 5).body)
    for start, stop in ((5, 5), (9 * CHUNK, None), (7, 3)):
        disk.read_part("a", start, stop)
    disk.read_part("b")
    with pytest.raises(Replaced):
        disk.read_part("a", version="other")
    disk.read_part("a")  # let go of at once
    stream = disk.read("a")
    next(stream)
    del stream
    assert open_files(disk) == 0


def test_a_part_of_what_is_replaced_meanwhile_is_of_what_was_opened(disk: LocalStore) -> None:
    disk.put("a", b"one" * CHUNK)
    part = disk.read_part("a", 3)
    disk.put("a", b"two" * CHUNK)
    assert b"".join(part.body) == b"one" * (CHUNK - 1)
    disk.delete(["a"])
    with pytest.raises(KeyNotFound):
        disk.read_part("a", 3, version=part.version)


def test_a_file_that_another_program_makes_shorter(disk: LocalStore) -> None:
    disk.put("a", bytes(2 * CHUNK))
    part = disk.read_part("a")
    next(part.body)
    os.truncate(disk.path("a"), CHUNK)
    with pytest.raises(Replaced, match=r"^a: "):
        next(part.body)
    assert list(part.body) == []


def test_what_is_no_file_has_no_parts(disk: LocalStore) -> None:
    disk.put("a/b", b"one")
    os.mkfifo(disk.path("pipe"))
    with pytest.raises(KeyNotFound):
        disk.read_part("a")
    with pytest.raises(Exception, match=r"^pipe: cannot be read: a pipe or a device"):
        disk.read_part("pipe")


def test_links_in_a_folder(disk: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_bytes(b"one")
    disk.put("a/b", b"x")
    for name, target in (("file", "elsewhere/file"), ("folder", "elsewhere"), ("gone", "nowhere")):
        os.symlink(tmp_path / target, disk.path(f"a/{name}"))
    os.symlink("circle", disk.path("a/circle"))
    # The names that `list` has and behind which there is a file; a link to a folder is none.
    assert disk.folder("a/") == ([], ["b", "file"])


def test_what_is_not_whole_is_in_no_folder(disk: LocalStore) -> None:
    disk.put("a/b", b"x")
    for key in ("a/.shipfiles-1-1", "a/.shipfiles-note.txt", "c/.shipfiles-1-2"):
        path = Path(disk.path(key))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"half")
    assert disk.folder("a/") == ([], [".shipfiles-note.txt", "b"])
    # Whether a folder has a key only a look into it could tell.
    assert disk.folder("") == (["a", "c"], [])
    assert disk.folder("c/") == ([], [])


# Streams


@settings(deadline=None)
@given(
    size=st.integers(0, 50),
    start=st.integers(0, 60),
    cuts=st.lists(st.integers(0, 9), max_size=40),
    pieces=st.integers(1, 9),
)
def test_a_stream_is_resumed_where_it_broke(size: int, start: int, cuts: list[int], pieces: int) -> None:
    """As long as something comes between two breaks; never is a byte missing, or there twice."""
    body = bytes(range(size))
    left = iter(cuts)
    asked: list[int] = []

    def stream(at: int) -> Iterator[bytes]:
        asked.append(at)
        for _ in range(next(left, 100)):
            if at >= size:
                return
            yield body[at : at + pieces]
            at += pieces
        if len(asked) % 2:
            raise NoAnswer("a", "broke")

    found = b""
    try:
        for chunk in resumed(stream(start), start, size, stream, NoAnswer("a", "ended")):
            found += chunk
    except NoAnswer:
        # Twice at the same place.
        assert asked[-1] == start + len(found)
        assert body[start:].startswith(found)
        assert found != body[start:]
    else:
        assert found == body[start:]


def test_pieces_are_let_go_of_once() -> None:
    closed: list[int] = []

    def pieces(read: Callable[[int, int], bytes]) -> Pieces:
        return Pieces("a", 2, 9, read, lambda: closed.append(1))

    assert b"".join(pieces(lambda at, size: BODY[at : at + min(size, 3)])) == BODY[2:9]
    assert closed == [1]

    def fails(at: int, size: int) -> bytes:
        raise NoAnswer("a", "broke")

    broken = pieces(fails)
    with pytest.raises(NoAnswer):
        next(broken)
    assert closed == [1, 1]
    assert list(broken) == []
    broken.close()
    del broken
    unread = pieces(fails)
    del unread
    assert closed == [1, 1, 1]


def test_abilities(store: Store) -> None:
    assert isinstance(store, Parts)
    assert isinstance(store, Folders)
