"""Every store against the contract, and what only a folder does."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from shipfiles.digest import digest_bytes
from shipfiles.errors import KeyNotFound, OtherBytes, StoreError
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.rehearsal import Rehearsal
from shipfiles.stores.store import Copies, Links, Locks, Settles, Store, Sweeps, read_all
from shipfiles.testing.store import StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class TestLocalStore(StoreContract):
    keeps_fields = False

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return LocalStore(str(tmp_path / "root"))

    @pytest.fixture
    def other(self, tmp_path: Path) -> Store:
        return LocalStore(str(tmp_path / "root"))

    def test_abilities(self, store: Store) -> None:
        for ability in (Copies, Locks, Links, Settles, Sweeps):
            assert isinstance(store, ability)

    def test_permissions(self, tmp_path: Path) -> None:
        store = LocalStore(str(tmp_path / "root"), file_mode=0o640, folder_mode=0o750)
        store.put("a/b", b"x")
        store.copy("a/b", "a/c")
        assert stat.S_IMODE((tmp_path / "root/a/b").stat().st_mode) == 0o640
        assert stat.S_IMODE((tmp_path / "root/a/c").stat().st_mode) == 0o640
        assert stat.S_IMODE((tmp_path / "root/a").stat().st_mode) == 0o750

    def test_a_copy_shares_storage_and_survives_an_overwrite_of_the_other(self, store: LocalStore) -> None:
        store.put("a", b"one")
        assert store.copy("a", "b")
        assert os.path.samefile(store.path("a"), store.path("b"))
        assert not store.copy("a", "b")
        store.put("a", b"two")
        assert read_all(store, "b") == b"one"

    def test_a_reader_keeps_what_it_opened(self, store: LocalStore) -> None:
        store.put("a", b"one")
        with open(store.path("a"), "rb") as file:
            store.put("a", b"two")
            assert file.read() == b"one"

    def test_leftovers_are_not_listed_and_swept(self, store: LocalStore) -> None:
        store.put("a/b", b"x")
        leftover = Path(store.path("a/.shipfiles-1-1"))
        leftover.write_bytes(b"half")
        assert [s.key for s in store.list()] == ["a/b"]
        assert store.sweep() == 1
        assert not leftover.exists()

    def test_a_folder_outlives_what_was_swept_from_it(self, store: LocalStore) -> None:
        store.put("a/b", b"x")
        folder = Path(store.path("a/c"))
        folder.mkdir()
        (folder / ".shipfiles-1-1").write_bytes(b"half")
        assert store.sweep() == 1
        assert [*folder.iterdir()] == []

    def test_puts_beside_deletes_that_empty_the_folder(self, store: LocalStore) -> None:
        def work(name: str) -> None:
            for number in range(150):
                key = f"a/b/{name}"
                store.put(key, b"%d" % number, mode="create")
                assert read_all(store, key) == b"%d" % number
                store.delete([key])

        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(work, name) for name in "abcd"]:
                done.result()

    def test_a_folder_that_another_made_and_took_away_again(
        self, store: LocalStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mkdir, made = os.mkdir, []

        def beaten(path: str, mode: int = 0o777) -> None:
            if path.endswith("/b") and not made:
                made.append(path)
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
            mkdir(path, mode)

        monkeypatch.setattr(os, "mkdir", beaten)
        store.put("a/b/c", b"x")
        assert made
        assert read_all(store, "a/b/c") == b"x"

    def test_a_link_that_leads_nowhere_is_no_folder(self, store: LocalStore) -> None:
        os.makedirs(store.root)
        os.symlink("nowhere", store.path("a"))
        with pytest.raises(StoreError, match=r"^a/b: .*is a file, not a folder"):
            store.put("a/b", b"x")

    def test_what_people_name_alike_is_no_leftover(self, store: LocalStore) -> None:
        names = {".shipfiles-note.txt", "a/.shipfiles-keep", ".shipfiles-1-1.txt", ".shipfiles-note.0123456789ab.txt"}
        for name in names:
            store.put(name, b"mine")
        assert {s.key for s in store.list()} == names
        assert store.sweep() == 0
        assert {s.key for s in store.list()} == names

    def test_empty_folders_go_with_their_last_file(self, store: LocalStore) -> None:
        store.put("a/b/c", b"x")
        store.put("a/d", b"x")
        store.delete(["a/b/c"])
        assert not os.path.exists(store.path("a/b"))
        assert os.path.exists(store.path("a/d"))

    def test_a_folder_in_the_way_is_an_error_that_names_the_key(self, store: LocalStore) -> None:
        store.put("a/b", b"x")
        with pytest.raises(StoreError, match=r"^a: .*a folder stands where"):
            store.put("a", b"x")
        with pytest.raises(StoreError, match=r"^a/b/c: .*is a file, not a folder"):
            store.put("a/b/c", b"x")

    def test_a_name_too_long_is_an_error_that_names_the_key(self, store: LocalStore) -> None:
        with pytest.raises(StoreError, match="the name is too long"):
            store.put("x" * 300, b"x")

    def test_the_lock_keeps_another_process_waiting(self, store: LocalStore) -> None:
        code = (
            "import sys;from shipfiles.stores.local import LocalStore\n"
            "with LocalStore(sys.argv[1]).lock(lambda: print('waiting', flush=True)): print('held', flush=True)"
        )
        with store.lock(lambda: None) as died:
            assert not died
            other = subprocess.Popen([sys.executable, "-c", code, store.root], stdout=subprocess.PIPE, text=True)
            assert other.stdout is not None
            assert other.stdout.readline() == "waiting\n"
        assert other.communicate(timeout=20)[0] == "held\n"

    def test_the_lock_of_a_process_that_died_is_free_and_tells(self, store: LocalStore) -> None:
        code = (
            "import os,sys;from shipfiles.stores.local import LocalStore\n"
            "with LocalStore(sys.argv[1]).lock(lambda: None): os.kill(os.getpid(), 9)"
        )
        subprocess.run([sys.executable, "-c", code, store.root], check=False)
        with store.lock(lambda: None) as died:
            assert died
        with store.lock(lambda: None) as died:
            assert not died

    def test_a_waiter_that_is_stopped_leaves_the_holders_mark(self, store: LocalStore) -> None:
        code = (
            "import os,sys;from shipfiles.stores.local import LocalStore\n"
            "with LocalStore(sys.argv[1]).lock(lambda: print('waiting', flush=True)): pass"
        )
        with store.lock(lambda: None):
            other = subprocess.Popen(
                [sys.executable, "-c", code, store.root], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
            assert other.stdout is not None
            assert other.stdout.readline() == "waiting\n"
            other.send_signal(signal.SIGINT)
            other.communicate(timeout=20)
            assert other.returncode != 0
            assert Path(store.path(".shipfiles/lock")).read_bytes() == b"+"

    def test_the_lock_of_a_store_on_a_full_disk(self, small_disk: Path) -> None:
        store = LocalStore(str(small_disk / "root"))
        store.put("a", bytes(100_000))
        with store.lock(lambda: None):
            pass
        with suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        with store.lock(lambda: None) as died:
            assert not died
            store.delete(["a"])
        store.put("b", bytes(100_000))

    def test_folders_that_went_away_are_made_again(self, store: LocalStore, tmp_path: Path) -> None:
        with store.lock(lambda: None):
            store.put("a/b", b"x")
        shutil.rmtree(store.root)
        store.put("a/b", b"y")
        shutil.rmtree(store.root)
        with store.lock(lambda: None):
            store.put("c", b"z")
            assert store.copy("c", "a/b")
        shutil.rmtree(tmp_path / "root/a")
        assert store.symlink(str(tmp_path / "elsewhere"), "a/b")

    def test_folders_too_deep_to_recurse_into(self, store: LocalStore) -> None:
        try:
            store.put("d/" * 1100 + "x", b"x")
            assert [s.key for s in store.list()] == ["d/" * 1100 + "x"]
            store.delete(["d/" * 1100 + "x"])
            assert os.listdir(store.root) == []
        finally:
            # Python's own rmtree, which clears up after the tests, recurses.
            subprocess.run(["rm", "-rf", store.root], check=True)

    @pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EINVAL, errno.EPERM])
    def test_without_hard_links_the_bytes_are_copied(self, store: LocalStore, monkeypatch, number: int) -> None:
        def link(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "link", link)
        store.put("a", b"one")
        assert store.copy("a", "b")
        assert read_all(store, "b") == b"one"

    @pytest.mark.parametrize(("number", "told"), [(errno.EINVAL, False), (errno.EBADF, False), (errno.EIO, True)])
    def test_folders_that_cannot_be_flushed(self, store: LocalStore, monkeypatch, number: int, told: bool) -> None:
        real = os.fsync

        def fsync(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, os.strerror(number))
            real(descriptor)

        store.put("css/a", b"x")
        monkeypatch.setattr(os, "fsync", fsync)
        if told:
            with pytest.raises(StoreError, match="cannot be flushed to disk"):
                store.settle()
        else:
            store.settle()

    @pytest.mark.parametrize("count", [3, 100])
    def test_files_that_cannot_be_flushed(self, store: LocalStore, monkeypatch, count: int) -> None:
        import ctypes

        def fsync(_: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        class Library:
            @staticmethod
            def syncfs(_: int) -> int:
                ctypes.set_errno(errno.EIO)
                return -1

        for i in range(count):
            store.put(f"css/{i}", b"x")
        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library)
        with pytest.raises(StoreError, match="cannot be flushed to disk"):
            store.settle()

    def test_many_files_without_syncfs(self, store: LocalStore, monkeypatch) -> None:
        import ctypes

        flushed = []
        real = os.fsync
        monkeypatch.setattr(os, "fsync", lambda number: (flushed.append(os.fstat(number).st_ino), real(number)))
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
        for i in range(100):
            store.put(f"{i}", b"x")
        store.settle()
        assert {os.stat(f"{store.root}/{i}").st_ino for i in range(100)} <= set(flushed)

    def test_a_link_can_be_told(self, store: LocalStore) -> None:
        store.put("a", b"x")
        assert store.symlink("/elsewhere", "b/c")
        assert not store.symlink("/elsewhere", "b/c")
        assert (store.link_of("a"), store.link_of("b/c"), store.link_of("d")) == (None, "/elsewhere", None)

    def test_no_space_left(self, small_disk: Path) -> None:
        store = LocalStore(str(small_disk / "root"))
        store.put("live", b"x" * 1000)
        with pytest.raises(StoreError, match="no space left"):
            store.put("large", b"x" * 4_000_000)
        assert [s.key for s in store.list()] == ["live"]
        assert not [p for p in (small_disk / "root").iterdir() if p.name.startswith(".shipfiles-")]


class TestRehearsal(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return Rehearsal(MemoryStore())

    def check_holds(self, store: Store, key: str, body: bytes) -> None:
        assert isinstance(store, Rehearsal)
        assert store.facts(key) == (digest_bytes(body), len(body))

    # Nobody reads what is only rehearsed.
    test_readers_see_all_or_nothing = None
    test_of_several_who_swap_one_succeeds = None
    test_what_another_has_replaced_is_not_swapped = None
    # Nobody else rehearses on it.
    test_of_several_who_create_one_succeeds = None
    test_of_many_who_create_bodies_of_all_sizes_one_succeeds = None
    # Nothing is put, and so at no time.
    test_times = None

    def test_nothing_reaches_the_store(self) -> None:
        real = MemoryStore()
        real.put("a", b"one")
        store = Rehearsal(real)
        store.put("b", b"two")
        store.delete(["a"])
        assert store.head("b") is not None
        assert store.head("a") is None
        assert sorted(s.key for s in store.list()) == ["b"]
        assert [s.key for s in real.list()] == ["a"]

    def test_copies_are_compared_with_what_would_be_there(self) -> None:
        real = MemoryStore()
        real.put("a", b"one")
        real.put("same", b"one")
        store = Rehearsal(real)
        assert not store.copy("a", "same")
        store.put("a", b"two", digest=digest_bytes(b"two"))
        assert store.copy("a", "same")
        assert not store.copy("a", "same")

    def test_what_was_deleted_is_no_source(self) -> None:
        real = MemoryStore()
        real.put("a", b"one")
        store = Rehearsal(real)
        store.delete(["a"])
        with pytest.raises(KeyNotFound):
            store.copy("a", "b")

    def test_links_are_compared_with_what_would_be_there(self, tmp_path: Path) -> None:
        source = tmp_path / "source"
        source.write_bytes(b"one")
        real = LocalStore(str(tmp_path / "root"))
        real.symlink(str(source), "linked")
        store = Rehearsal(real)
        assert not store.symlink(str(source), "linked")
        assert store.symlink(str(tmp_path / "other"), "linked")
        assert store.symlink(str(source), "new")
        assert not store.symlink(str(source), "new")
        assert store.head("new") is None
        assert read_all(store, "new") == b"one"
        store.delete(["linked"])
        assert store.symlink(str(source), "linked")
        assert real.link_of("linked") == str(source)
        assert real.link_of("new") is None
        with pytest.raises(StoreError):
            store.symlink(str(source), "../outside")


def test_simultaneous_creates_have_one_winner(tmp_path: Path) -> None:
    from shipfiles.errors import KeyExists

    for store in (MemoryStore(), LocalStore(str(tmp_path))):
        won: list[int] = []
        barrier = threading.Barrier(16)

        def create(i: int, store: Store = store, won: list[int] = won, barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            try:
                store.put("key", b"%d" % i, mode="create")
            except KeyExists:
                return
            won.append(i)

        threads = [threading.Thread(target=create, args=(i,)) for i in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert read_all(store, "key") == b"%d" % won[0]


@pytest.mark.parametrize("source_folder", ["/dev/shm", ""])
def test_a_large_file_is_copied_whole_from_any_file_system(tmp_path: Path, source_folder: str) -> None:
    body = os.urandom((3 << 20) + 17)
    with tempfile.TemporaryDirectory(dir=source_folder if os.path.isdir(source_folder) else None) as folder:
        source = Path(folder, "v.bin")
        source.write_bytes(body)
        store = LocalStore(str(tmp_path / "root"))
        store.put("v.bin", str(source), digest=digest_bytes(body))
        assert read_all(store, "v.bin") == body
        # A copy of its own: what becomes of the source does not become of it.
        with open(source, "r+b") as file:
            file.write(b"other")
        assert read_all(store, "v.bin") == body


def test_a_large_file_that_has_changed_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "v.bin"
    source.write_bytes(bytes(2 << 20))
    store = LocalStore(str(tmp_path / "root"))
    with pytest.raises(OtherBytes, match="changed while it was read"):
        store.put("v.bin", str(source), digest=digest_bytes(b"what it was"))
    assert [*os.listdir(tmp_path / "root")] == []


@pytest.mark.skipif(not os.path.exists("/proc/kallsyms"), reason="only Linux has such a file")
def test_a_large_file_that_the_system_does_not_copy_is_read(tmp_path: Path) -> None:
    # The kernel gives no bytes of files in /proc by copy_file_range(2), and says that they are empty.
    store = LocalStore(str(tmp_path / "root"))
    store.put("large", "/proc/kallsyms")
    assert len(read_all(store, "large") or b"") > 1 << 20


def test_a_large_file_that_the_disk_has_no_room_for(tmp_path: Path, small_disk: Path) -> None:
    source = tmp_path / "v.bin"
    source.write_bytes(bytes(4 << 20))
    with pytest.raises(StoreError, match="no space left"):
        LocalStore(str(small_disk)).put("v.bin", str(source))
    assert os.listdir(small_disk) == []
