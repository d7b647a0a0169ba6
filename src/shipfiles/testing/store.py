"""The contract of a store."""

from __future__ import annotations

import gzip
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

import pytest

from ..digest import digest_bytes
from ..errors import KeyExists, KeyNotFound, OtherBytes, Replaced, StoreError
from ..stores.store import Copies, Folders, Part, Parts, Refields, Store, read_all, unrepeated

_MIB = 1 << 20
# Where parts begin and end in a body of 2.5 MiB: at its ends, around those of a chunk, and behind it.
_SPANS = (
    (0, 1), (0, 10), (7, 7), (5, 3), (1, _MIB), (0, _MIB + 1), (_MIB - 1, 2 * _MIB + 1), (2 * _MIB + 5, None),
    (5 * _MIB // 2 - 1, None), (5 * _MIB // 2 - 1, 9 * _MIB), (5 * _MIB // 2, None), (9 * _MIB, None),
    (9 * _MIB, 10 * _MIB), (0, 0), (0, None),
)  # fmt: skip


class StoreContract:
    """What every store must do. Subclass it, and give a fresh store in a fixture named ``store``.

    Give a second client of the same place in a fixture named ``other``, where there can be one.
    """

    keeps_fields = True
    """Whether the store answers with the header fields that it is given; not so a folder."""
    large = 5 << 20
    """More bytes than these the store sends in parts, if it sends any so."""
    looks_before_it_copies = True
    """Whether `Copies.copy` says that there was nothing to do."""
    tells_versions_apart = True
    """Whether the versions of a store with `Parts` tell bytes apart that are as many, and put in one second."""

    @pytest.fixture
    def other(self, store: Store) -> Store:
        """Another client of the place of ``store``; ``store`` itself unless a subclass has one."""
        return store

    def check_answered(self, store: Store, key: str, fields: Mapping[str, str]) -> None:
        """Assert that ``key`` is answered with all of ``fields``, if the store keeps any."""
        stored = store.head(key)
        assert stored is not None
        assert {name: stored.fields.get(name) for name in fields} == (
            fields if self.keeps_fields else dict.fromkeys(fields)
        )

    def check_holds(self, store: Store, key: str, body: bytes) -> None:
        """Assert that ``body`` is under ``key``; for a store that gives nothing back, override it."""
        assert read_all(store, key) == body

    def test_put_head_read(self, store: Store) -> None:
        """What was put is what is read."""
        for body in (b"", b"x", bytes(range(256)) * 5000):
            stored = store.put("css/app.css", body)
            assert (stored.key, stored.size) == ("css/app.css", len(body))
            assert store.head("css/app.css") == stored
            self.check_holds(store, "css/app.css", body)

    def test_put_a_file(self, store: Store, tmp_path: Path) -> None:
        """A body may be a path."""
        source = tmp_path / "source"
        source.write_bytes(b"abc" * 500_000)
        assert store.put("a", str(source)).size == 1_500_000
        self.check_holds(store, "a", b"abc" * 500_000)

    def test_a_missing_file_is_an_error_that_names_it(self, store: Store, tmp_path: Path) -> None:
        """And nothing is put."""
        with pytest.raises(StoreError, match="gone"):
            store.put("a", str(tmp_path / "gone"))
        assert store.head("a") is None

    def test_nothing_there(self, store: Store) -> None:
        """An unknown key is told by every verb in its own way."""
        assert store.head("a") is None
        assert read_all(store, "a") is None
        with pytest.raises(KeyNotFound):
            next(iter(store.read("a")))
        store.delete(["a"])
        assert list(store.list()) == []

    def test_overwrite_and_create(self, store: Store) -> None:
        """``create`` never replaces, ``overwrite`` does."""
        store.put("a", b"one", mode="create")
        with pytest.raises(KeyExists):
            store.put("a", b"two", mode="create")
        self.check_holds(store, "a", b"one")
        store.put("a", b"two")
        self.check_holds(store, "a", b"two")

    def test_swap(self, store: Store) -> None:
        """Only what is there can be swapped for something else."""
        assert store.swap("a", b"one", b"two") is False
        assert store.head("a") is None
        assert store.swap("a", None, b"one") is True
        assert store.swap("a", None, b"two") is False
        assert store.swap("a", b"other", b"two") is False
        self.check_holds(store, "a", b"one")
        assert store.swap("a", b"one", b"two") is True
        self.check_holds(store, "a", b"two")

    def test_of_several_who_swap_one_succeeds(self, store: Store) -> None:
        """No update is lost: each counts on from what another has left."""

        def count_on() -> None:
            for _ in range(20):
                while True:
                    before = read_all(store, "count")
                    if store.swap("count", before, str(int(before or b"0") + 1).encode()):
                        break

        _all_at_once([count_on] * 4)
        self.check_holds(store, "count", b"80")

    def test_of_several_who_create_one_succeeds(self, store: Store, other: Store) -> None:
        """And its bytes are those that are there."""
        for turn in range(3):
            won: list[bytes] = []

            def create(number: int, key: str = f"key{turn}", won: list[bytes] = won) -> None:
                body = b"%d" % number
                try:
                    (store, other)[number % 2].put(key, body, mode="create")
                except KeyExists:
                    return
                won.append(body)

            _all_at_once(partial(create, number) for number in range(8))
            assert len(won) == 1
            self.check_holds(store, f"key{turn}", won[0])

    def test_of_many_who_create_bodies_of_all_sizes_one_succeeds(self, store: Store, other: Store) -> None:
        """And its bytes are whole; everybody else is told that the key is taken, and nothing else is left.

        Every other time the small ones come when the first large one is done, so that large ones meet each other; else
        while they are on their way.
        """
        for turn in range(int(os.environ.get("SHIPFILES_RACES", "3"))):
            won: list[bytes] = []
            told: list[int] = []
            done = threading.Event()

            def create(
                number: int, key: str = f"key{turn}", wait: float = turn % 2, won: list[bytes] = won,
                told: list[int] = told, done: threading.Event = done,
            ) -> None:  # fmt: skip
                large = number % 8 == 0
                body = b"%d " % number + bytes(self.large if large else 0)
                if not large:
                    done.wait(wait * number / 100 or None)
                try:
                    (store, other)[number // 8 % 2].put(key, body, mode="create")
                except KeyExists:
                    told.append(number)
                else:
                    won.append(body)
                finally:
                    if large:
                        done.set()

            _all_at_once(partial(create, number) for number in range(64))
            assert (len(won), len(told)) == (1, 63)
            self.check_holds(store, f"key{turn}", won[0])
            assert [stored.key for stored in store.list()] == [f"key{turn}"]
            store.delete([f"key{turn}"])

    def test_what_is_there_is_not_created_by_a_large_body(self, store: Store, tmp_path: Path) -> None:
        """Nor the other way round; nor is one that is refused there, or anything of it."""
        source = tmp_path / "source"
        source.write_bytes(b"large" + bytes(self.large))
        store.put("a", b"small")
        with pytest.raises(KeyExists):
            store.put("a", str(source), mode="create")
        self.check_holds(store, "a", b"small")
        with pytest.raises(OtherBytes):
            store.put("b", str(source), mode="create", digest=digest_bytes(b"other"))
        fields = {"Content-Type": "video/mp4", "Cache-Control": "private"}
        assert store.put("c", str(source), mode="create", fields=fields).size == self.large + 5
        self.check_answered(store, "c", fields)
        with pytest.raises(KeyExists):
            store.put("c", b"small", mode="create")
        self.check_holds(store, "c", source.read_bytes())
        assert sorted(stored.key for stored in store.list()) == ["a", "c"]

    def test_what_another_has_replaced_is_not_swapped(self, store: Store, other: Store) -> None:
        """Whatever a client remembers of what it has read."""
        store.put("a", b"one")
        assert read_all(store, "a") == b"one"
        assert other.swap("a", b"one", b"two")
        assert not store.swap("a", b"one", b"three")
        assert read_all(store, "a") == b"two"
        # The same bytes, put again, may be another version.
        other.put("a", b"two")
        assert store.swap("a", b"two", b"three")

    def test_unrepeated(self, store: Store) -> None:
        """What does not repeat requests is the same place, with the same abilities."""
        hasty = unrepeated(store)
        assert isinstance(hasty, Copies) == isinstance(store, Copies)
        store.put("a", b"one")
        hasty.put("a", b"two")
        hasty.put("b", b"three", mode="create")
        with pytest.raises(KeyExists):
            hasty.put("b", b"four", mode="create")
        assert not store.swap("a", b"one", b"five")
        assert store.swap("a", b"two", b"six")
        self.check_holds(store, "b", b"three")

    def test_many_and_large(self, store: Store, other: Store, tmp_path: Path) -> None:
        """More keys than one answer need list, from several threads; more bytes than one request need carry."""
        body = os.urandom(19 << 20)
        (tmp_path / "film").write_bytes(body)
        store.put("film", str(tmp_path / "film"), fields={"Content-Type": "video/mp4"})
        self.check_holds(other, "film", body)
        keys = [f"many/{number % 7}/{number}" for number in range(300)]
        for start in range(0, len(keys), 60):
            _all_at_once(partial(store.put, key, b"x") for key in keys[start : start + 60])
        assert sorted(stored.key for stored in other.list("many/")) == sorted(keys)
        other.delete([*keys, "many/unknown"])
        assert [stored.key for stored in store.list()] == ["film"]

    def test_times(self, store: Store) -> None:
        """A key is as old as what was put there last."""
        store.put("a", b"one")
        first = store.head("a")
        assert first is not None
        assert abs(first.modified - time.time()) < 60
        (listed,) = store.list()
        assert listed.modified == first.modified
        store.put("a", b"two")
        second = store.head("a")
        assert second is not None
        assert second.modified >= first.modified

    def test_a_wrong_digest_changes_nothing(self, store: Store, tmp_path: Path) -> None:
        """Bytes that are not what was said are refused, from memory and from a file."""
        source = tmp_path / "source"
        source.write_bytes(b"other")
        store.put("a", b"one")
        for body in (b"other", str(source)):
            with pytest.raises(StoreError, match="changed"):
                store.put("a", body, digest=digest_bytes(b"one"))
            with pytest.raises(StoreError, match="changed"):
                store.put("b", body, digest=digest_bytes(b"one"))
        self.check_holds(store, "a", b"one")
        assert store.head("b") is None
        store.put("a", str(source), digest=digest_bytes(b"other"))

    def test_list(self, store: Store) -> None:
        """All keys with a prefix, which need not end at a slash."""
        for key in ("a/b", "a/bc", "a-b", "a/d/e", "b"):
            store.put(key, b"12")
        assert sorted(s.key for s in store.list()) == ["a-b", "a/b", "a/bc", "a/d/e", "b"]
        assert sorted(s.key for s in store.list("a/b")) == ["a/b", "a/bc"]
        assert sorted(s.key for s in store.list("a/")) == ["a/b", "a/bc", "a/d/e"]
        assert {s.size for s in store.list()} == {2}
        assert list(store.list("c/")) == []

    def test_delete(self, store: Store) -> None:
        """Only what is named goes."""
        for key in ("a/b", "a/c", "d"):
            store.put(key, b"x")
        store.delete(["a/b", "d", "unknown"])
        assert [s.key for s in store.list()] == ["a/c"]

    @pytest.mark.parametrize("key", ["", "/a", "a//b", "a/", "../a", "a/../b", ".", "./a", "a\0b"])
    def test_hostile_keys(self, store: Store, key: str) -> None:
        """A key that could leave the store is refused by every verb."""
        with pytest.raises(StoreError):
            store.put(key, b"x")
        with pytest.raises(StoreError):
            store.head(key)
        with pytest.raises(StoreError):
            store.delete([key])
        with pytest.raises(StoreError):
            list(store.read(key))

    @pytest.mark.parametrize("key", ["ü/ö.css", "a b.css", "a%20b.css", "a?b#c.css", "a'b\"c.css", "日本.css"])
    def test_odd_keys(self, store: Store, key: str) -> None:
        """Any logical path is a key, and comes back as it was."""
        store.put(key, b"x")
        assert [s.key for s in store.list()] == [key]
        self.check_holds(store, key, b"x")

    def test_copy(self, store: Store) -> None:
        """A store that copies says whether it had to."""
        if not isinstance(store, Copies):
            pytest.skip("the store does not copy")
        store.put("a", b"one")
        store.put("c", b"two")
        assert store.copy("a", "x/b") is True
        assert store.copy("a", "x/b") is not self.looks_before_it_copies
        assert store.copy("a", "c") is True
        self.check_holds(store, "x/b", b"one")
        self.check_holds(store, "c", b"one")
        with pytest.raises(KeyNotFound):
            store.copy("unknown", "d")
        assert store.head("d") is None

    def test_fields(self, store: Store) -> None:
        """An object is answered with the fields of its last put, and its bytes are read as they were put."""
        packed = gzip.compress(b"a {}")
        fields = {"Content-Type": "text/css; charset=utf-8", "Cache-Control": "max-age=60", "Content-Encoding": "gzip"}
        store.put("a.css", packed, fields=fields)
        self.check_answered(store, "a.css", fields)
        self.check_holds(store, "a.css", packed)
        store.put("a.css", b"{}", fields={"Content-Type": "application/json"}, mode="overwrite")
        self.check_answered(store, "a.css", {"Content-Type": "application/json"})
        stored = store.head("a.css")
        assert stored is not None
        assert not stored.fields.keys() & {"Cache-Control", "Content-Encoding"}

    def test_fields_of_a_copy(self, store: Store) -> None:
        """A copy is answered as its source is, or with fields of its own."""
        if not isinstance(store, Copies):
            pytest.skip("the store does not copy")
        fields = {"Content-Type": "text/css", "Cache-Control": "max-age=60"}
        store.put("a.css", b"a {}", fields=fields)
        store.copy("a.css", "b.css")
        self.check_answered(store, "b.css", fields)
        other = {"Content-Type": "text/css", "Cache-Control": "no-cache", "Content-Disposition": "attachment"}
        store.copy("a.css", "b.css", fields=other)
        self.check_answered(store, "b.css", other)
        self.check_answered(store, "a.css", fields)
        self.check_holds(store, "b.css", b"a {}")

    def test_refield(self, store: Store) -> None:
        """A store that can do it answers for what is there with other fields, and gives the bytes as they were."""
        if not isinstance(store, Refields):
            pytest.skip("the store does not answer with other fields")
        for key, body in (("a/ü b.css", gzip.compress(b"a {}")), ("film", os.urandom(6 << 20))):
            store.put(key, body, fields={"Content-Type": "text/x-old", "Content-Encoding": "gzip"})
            fields = {"Content-Type": "text/css", "Cache-Control": "no-cache", "Content-Disposition": "attachment"}
            for _ in range(2):
                store.refield(key, fields)
                stored = store.head(key)
                assert stored is not None
                assert stored.size == len(body)
                assert {name: stored.fields.get(name) for name in fields} == fields
                assert "Content-Encoding" not in stored.fields
                self.check_holds(store, key, body)
        with pytest.raises(KeyNotFound):
            store.refield("unknown", {"Content-Type": "text/css"})
        assert store.head("unknown") is None

    def test_parts(self, store: Store) -> None:
        """A store with `Parts` gives what Python's slices do, with the size and time of the whole."""
        if not isinstance(store, Parts):
            pytest.skip("the store gives no parts")
        body = os.urandom(5 * _MIB // 2)
        store.put("film", body)
        stored = store.head("film")
        assert stored is not None
        versions = set()
        for start, stop in _SPANS:
            part = store.read_part("film", start, stop)
            chunks = list(part.body)
            assert b"".join(chunks) == body[start:stop], (start, stop)
            assert max(map(len, chunks), default=1) <= _MIB
            assert part.stored == stored
            assert abs(part.stored.modified - stored.modified) <= 1
            versions.add(part.version)
        assert len(versions) == 1
        store.put("empty", b"")
        for start, stop in ((0, None), (0, 10), (5, None), (5, 10), (0, 0)):
            part = store.read_part("empty", start, stop)
            assert (part.stored.size, list(part.body)) == (0, [])
        for key in ("unknown", "film/unknown"):
            for start, stop in ((0, None), (0, 10), (7, 7)):
                with pytest.raises(KeyNotFound):
                    store.read_part(key, start, stop)
        for key in ("", "/film", "../film", "a/../film", "film\0"):
            with pytest.raises(StoreError):
                store.read_part(key)

    def test_parts_of_what_was_replaced(self, store: Store, other: Store) -> None:
        """No bytes are mixed: who names the version that was there gets no others."""
        if not isinstance(store, Parts):
            pytest.skip("the store gives no parts")
        store.put("a", b"the first")
        part = store.read_part("a", 4, 6)
        assert list(part.body) == [b"fi"]
        spans = ((4, 9), (4, None), (0, None), (2, 2), (90, None))
        for start, stop in spans:
            again = store.read_part("a", start, stop, version=part.version)
            assert (b"".join(again.body), again.version) == (b"the first"[start:stop], part.version)
        other.put("a", b"the last one")
        if not part.version:
            pytest.skip("the store tells no versions")
        for start, stop in spans:
            with pytest.raises(Replaced):
                store.read_part("a", start, stop, version=part.version)
        assert b"".join(store.read_part("a", 4).body) == b"last one"
        store.delete(["a"])
        with pytest.raises((KeyNotFound, Replaced)):
            store.read_part("a", 4, 6, version=part.version)
        if self.tells_versions_apart:
            store.put("b", b"one")
            part = store.read_part("b", 0, 1)
            store.put("b", b"two")
            with pytest.raises(Replaced):
                store.read_part("b", 1, version=part.version)

    def test_parts_that_are_not_read_to_the_end(self, store: Store) -> None:
        """Others can be read beside them, and after them."""
        if not isinstance(store, Parts):
            pytest.skip("the store gives no parts")
        body = os.urandom(3 * _MIB)
        store.put("a", body)
        parts = [store.read_part("a", start) for start in range(8)]
        for start, part in enumerate(parts):
            if start % 2:
                begun = next(part.body)
                assert body[start:].startswith(begun)
        for part in parts:
            _close(part)
            _close(part)
        assert b"".join(store.read_part("a", 5).body) == body[5:]

    def test_parts_tell_fields(self, store: Store) -> None:
        """The type that a store answers with, it tells with a part."""
        if not isinstance(store, Parts):
            pytest.skip("the store gives no parts")
        packed = gzip.compress(b"a {}" * 9)
        fields = {"Content-Type": "text/css; charset=utf-8", "Content-Encoding": "gzip"}
        store.put("a.css", packed, fields=fields)
        part = store.read_part("a.css", 2, 11)
        assert b"".join(part.body) == packed[2:11]
        assert b"".join(store.read_part("a.css").body) == packed
        if self.keeps_fields:
            assert {name: part.stored.fields.get(name) for name in fields} == fields

    def test_folders(self, store: Store) -> None:
        """A store with `Folders` tells what is directly in one."""
        if not isinstance(store, Folders):
            pytest.skip("the store tells no folders")
        for key in ("a/b", "a/c/d", "a/c/e/f", "a/ü ö/g", "a-b/h", "a.txt", ".hidden", "Z", "a/b.d/i", "a/k#?%2F&\"'"):
            store.put(key, b"x")
        assert store.folder("") == (["a", "a-b"], [".hidden", "Z", "a.txt"])
        assert store.folder("a/") == (["b.d", "c", "ü ö"], ["b", "k#?%2F&\"'"])
        assert store.folder("a/c/") == (["e"], ["d"])
        assert store.folder("a/ü ö/") == ([], ["g"])
        for prefix in ("unknown/", "a/b/", "a/c/d/", "b/", "z/"):
            assert store.folder(prefix) == ([], []), prefix
        for prefix in ("a", "/", "/a/", "a//", "../", "a/../", "./", "a\0/"):
            with pytest.raises(StoreError):
                store.folder(prefix)
        store.delete(["a/c/d", "a/c/e/f"])
        # Where folders are, they may be a little longer than what was in them.
        assert store.folder("a/c/")[1] == store.folder("a/c/e/")[1] == []

    def test_readers_see_all_or_nothing(self, store: Store) -> None:
        """While a key is overwritten, each read gives one body or the other, whole."""
        bodies = [bytes([i]) * 300_000 for i in range(2)]
        store.put("a", bodies[0])
        stop = threading.Event()

        def overwrite() -> None:
            for i in range(60):
                store.put("a", bodies[i % 2])
            stop.set()

        thread = threading.Thread(target=overwrite)
        thread.start()
        try:
            while not stop.is_set():
                assert read_all(store, "a") in bodies
        finally:
            thread.join()


def _close(part: Part) -> None:
    close = getattr(part.body, "close", None)
    if close is not None:
        close()


def _all_at_once(work: Iterable[Callable[[], object]]) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
