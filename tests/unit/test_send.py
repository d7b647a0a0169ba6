"""Releases sent to a store elsewhere: few requests, whole at every instant, right whoever else publishes there."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.pipeline import build
from shipfiles.config import CompressConfig, RewriteConfig, ServeConfig
from shipfiles.digest import digest_bytes
from shipfiles.errors import ManifestError, ReleaseError, ReleaseTaken, StoreError, UnknownRelease
from shipfiles.events import Event, Notice
from shipfiles.manifest import Manifest
from shipfiles.records import POINTER_KEY, Unfinished, dump_pointer, now, read_current, read_pointer, record_key
from shipfiles.release.activate import activate
from shipfiles.release.catalog import manifest_of, record_of_release
from shipfiles.release.fields import fields_of
from shipfiles.release.items import Shape, items_of
from shipfiles.release.kept import Kept
from shipfiles.release.prune import PrunePlan, plan_prune, prune
from shipfiles.release.publish import publish
from shipfiles.release.refield import refield
from shipfiles.release.send import planned, send
from shipfiles.release.target import Target
from shipfiles.release.unsettled import Unsettled
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Body, Store, Stored, read_all

from .test_publish import FAST, Dying, Killed, sources
from .test_release_model import Between

SITE = {
    "css/app.css": "body { background: url(../img/x.png) }\n" + "p { color: red }\n" * 30,
    "css/plain.css": "q { color: red }\n" * 30,
    "img/x.png": "an image",
    "js/app.js": "export default 1;\n" * 20,
    "vendor.Ck7dE5gH1234.js": "a bundler's\n" * 20,
}


class Counted:
    """A store with nothing but the verbs, and a copy if wanted, that counts what it is asked."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.asked: Counter[str] = Counter()
        self.keys: list[tuple[str, str]] = []
        self._guard = threading.Lock()

    def _count(self, verb: str, key: str) -> None:
        with self._guard:
            self.asked[verb] += 1
            self.keys.append((verb, key))

    @property
    def total(self) -> int:
        return self.asked.total()

    def put(self, key: str, body: Body, **options: Any) -> Stored:
        self._count("put", key)
        return self.store.put(key, body, **options)

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        self._count("swap", key)
        return self.store.swap(key, expected, body)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._count("delete", key)
            self.store.delete([key])

    def head(self, key: str) -> Stored | None:
        self._count("head", key)
        return self.store.head(key)

    def read(self, key: str) -> Iterator[bytes]:
        self._count("read", key)
        return self.store.read(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        self._count("list", prefix)
        return self.store.list(prefix)


class Copying(Counted):
    def copy(self, source: str, target: str, *, fields: Mapping[str, str] = {}) -> bool:
        self._count("copy", target)
        assert isinstance(self.store, MemoryStore)
        return self.store.copy(source, target, fields=fields)


class Meanwhile(Counted):
    """Does ``then`` once, before the ``at``-th request that is none to do what ``but`` says."""

    def __init__(self, store: Store, at: int, then: Callable[[], object], but: str = "") -> None:
        super().__init__(store)
        self.left, self.then, self.but = at, then, but

    def _count(self, verb: str, key: str) -> None:
        super()._count(verb, key)
        self.left -= verb != self.but
        if self.left == 0 and verb != self.but:
            self.then()


class Site:
    """A project that is built into a store, and sent from there to another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source: Store = MemoryStore()
        self.there = MemoryStore()
        self.kept = Kept(str(folder / "kept"))

    def build(self, files: Mapping[str, str | None], release: str = "", config: CompressConfig = FAST) -> str:
        """Change ``files`` and build; the id of the release."""
        for name, text in files.items():
            path = self.folder / "src" / name
            if text is None:
                path.unlink()
                with suppress(OSError):
                    path.parent.rmdir()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        built = build(sources(self.folder / "src"), RewriteConfig(bundled_names=("vendor.*",)))
        return publish(built, self.source, config, release=release).release

    def target(self, store: Store | None = None, shape: Shape = Shape(), **options: Any) -> Target:  # noqa: B008
        return Target(store or Counted(self.there), shape, **options)

    def send(self, release: str, store: Store | None = None, shape: Shape = Shape(), **options: Any) -> Counted:  # noqa: B008
        """Send ``release``; what the store was asked."""
        store = store or Counted(self.there)
        send(self.source, release, self.target(store, shape), kept=self.kept, **options)
        self.check(release, shape)
        assert isinstance(store, Counted)
        return store

    def send_only(self, release: str) -> Counted:
        """The same, without a look at what is there then."""
        store = Counted(self.there)
        send(self.source, release, self.target(store), kept=self.kept)
        return store

    def check(self, release: str, shape: Shape = Shape(), *, plain: bool = True) -> Manifest:  # noqa: B008
        """``release`` is current, whole, and answered rightly."""
        current = read_current(lambda key: read_all(self.there, key))
        assert current is not None
        assert current[0] == release
        check_whole(self.there, current[1], plain=plain)
        assert current[1].hashed_only == shape.hashed_only
        return current[1]


def current_of(store: Store) -> Manifest:
    current = read_current(lambda key: read_all(store, key))
    assert current is not None
    return current[1]


def check_whole(store: Store, manifest: Manifest, *, plain: bool = True) -> None:
    for item in items_of(manifest):
        if item.hashed or plain:
            body = read_all(store, item.key)
            assert body is not None, item.key
            assert (digest_bytes(body), len(body)) == (item.digest, item.size), item.key
            found = store.head(item.key)
            assert found is not None
            assert dict(found.fields) == fields_of(item, ServeConfig())


def contents(store: Store) -> dict[str, bytes]:
    return {stored.key: read_all(store, stored.key) or b"" for stored in store.list()}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


SHAPES = [Shape(), Shape(variants=True), Shape(hashed_only=True), Shape(coding="gzip"), Shape(True, True)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
class TestRequests:
    """The least that does it, and what the plan says."""

    def count(self, site: Site, release: str, shape: Shape, **options: Any) -> Counter[str]:
        plan = planned(site.source, release, site.target(shape=shape), kept=site.kept, **options)
        sent = site.send(release, shape=shape, **options)
        assert plan.requests == sent.total
        return sent.asked

    def test_cold(self, site: Site, shape: Shape) -> None:
        release = site.build(SITE)
        asked = self.count(site, release, shape)
        objects = len([*items_of(site.check(release, shape))])
        assert asked == {"read": 1, "put": objects + 2, "swap": 1}

    def test_nothing_changed(self, site: Site, shape: Shape) -> None:
        site.send(site.build(SITE, "one"), shape=shape)
        assert self.count(site, "one", shape) == {"read": 1}
        assert self.count(site, site.build(SITE, "two"), shape) == {"read": 1, "put": 1, "swap": 1}

    def test_one_file_changed_that_another_names(self, site: Site, shape: Shape) -> None:
        site.send(site.build(SITE), shape=shape)
        asked = self.count(site, site.build({"img/x.png": "another"}), shape)
        # The image under both names; of the style sheet only the hashed copy has other bytes.
        objects = 2 if shape.hashed_only else 3
        objects += 2 * shape.variants if shape.variants else 0
        assert asked == {"read": 1, "put": objects + 2, "swap": 1 if shape.hashed_only else 2}

    def test_without_what_is_kept_here_the_manifest_is_read(self, site: Site, shape: Shape) -> None:
        site.send(site.build(SITE), shape=shape)
        site.kept = Kept()
        release = site.build({"js/app.js": "export default 2;\n" * 20})
        assert self.count(site, release, shape)["read"] == 2

    def test_what_is_there_already_is_not_sent_again(self, site: Site, shape: Shape) -> None:
        """Of a release before the current one, and of a run that was killed."""
        one = site.build(SITE, "one")
        site.send(one, shape=shape)
        site.send(site.build({"js/app.js": "export default 2;\n" * 20, "more.txt": "x"}, "two"), shape=shape)
        again = site.build({"js/app.js": SITE["js/app.js"], "more.txt": None}, "three")
        store = Counted(site.there)
        sent = send(site.source, again, site.target(store, shape), kept=site.kept)
        site.check(again, shape)
        # One try that shows that it is there, or more at once; then a list, and one more in case of a prune.
        assert store.asked["list"] == 2
        assert {change.key for change in sent.changed if change.kind in ("asset", "variant")} == set()


class TestInterrupted:
    """Killed at every write: what was current stays whole, and the next run goes on."""

    @pytest.mark.parametrize("shape", [Shape(), Shape(variants=True), Shape(hashed_only=True)], ids=str)
    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("cold", [False, True])
    def test_at_every_write(self, site: Site, shape: Shape, after: bool, cold: bool) -> None:
        one = site.build(SITE, "one")
        if not cold:
            site.send(one, shape=shape)
        two = site.build({"img/x.png": "another", "js/app.js": None, "new.txt": "new"}, "two")
        start = copy_of(site.there)
        for steps in range(1, 100):
            site.there = copy_of(start)
            dying = Dying(site.there, steps, after=after)
            with suppress(Killed):
                send(site.source, two, site.target(dying, shape, at_once=1))
            if dying.left > 0:
                assert steps > 5
                return
            current = read_current(lambda key: read_all(site.there, key))
            if current is None:
                assert cold
            else:
                assert current[0] in (one, two)
                check_whole(site.there, current[1], plain=False)
            arrived = {stored.key for stored in site.there.list()}
            store = Counted(site.there)
            sent = send(site.source, two, site.target(store, shape))
            manifest = site.check(two, shape)
            pointer = read_pointer(lambda key: read_all(site.there, key))
            assert pointer is not None
            # A run that began less than an hour ago may yet be under way.
            assert len(pointer.unsettled) <= 1
            hashed = {item.key for item in items_of(manifest) if item.hashed}
            assert not ({change.key for change in sent.changed} & hashed & arrived)
            # Folders in which something was found, before and after; never what may lie beside them.
            listed = Counter(key for verb, key in store.keys if verb == "list")
            assert set(listed) <= {"css/", "img/", "js/", ".shipfiles/releases/"}
            assert set(listed.values()) <= {1, 2}
        raise AssertionError("it does not end")

    def test_a_note_that_is_old_goes_when_all_is_right_again(self, site: Site) -> None:
        site.send(site.build(SITE, "one"))
        two = site.build({"img/x.png": "another", "new.txt": "new"}, "two")
        with suppress(Killed):
            send(site.source, two, site.target(Dying(site.there, 7, after=True), at_once=1))
        pointer = read_pointer(lambda key: read_all(site.there, key))
        assert pointer is not None
        assert len(pointer.unsettled) == 1
        old = replace(pointer, unsettled=(replace(pointer.unsettled[0], at=now() - timedelta(hours=2)),))
        site.there.put(POINTER_KEY, dump_pointer(old))
        # Another release than that of the run that died: what that put under plain names is put right.
        site.send(site.build({"img/x.png": SITE["img/x.png"], "more.txt": "more"}, "three"))
        pointer = read_pointer(lambda key: read_all(site.there, key))
        assert pointer is not None
        assert not pointer.unsettled


def copy_of(store: MemoryStore, older: float = 0.0) -> MemoryStore:
    """The same, put there at the same times, or so many seconds before."""
    at = 0.0
    made = MemoryStore(lambda: at or time.time())
    for stored in store.list():
        at = stored.modified - older
        made.put(stored.key, read_all(store, stored.key) or b"", fields=store.head(stored.key).fields)  # type: ignore[union-attr]
    at = 0.0
    return made


def _days_ago(days: int) -> datetime:
    return now() - timedelta(days=days)


class TestTwoAtOnce:
    """Two runs for one store: the one that ends later wins, with its plain names, and says so."""

    @settings(max_examples=120, deadline=None)
    @given(at=st.integers(1, 30), same=st.booleans(), cold=st.booleans(), third=st.integers(0, 20))
    def test_the_later_wins(self, at: int, same: bool, cold: bool, third: int, tmp_path_factory) -> None:
        site = Site(tmp_path_factory.mktemp("site"))
        one = site.build(SITE, "one")
        if not cold:
            site.send(one)
        two = site.build({"img/x.png": "another", "js/app.js": None, "new.txt": "new"}, "two")
        three = two if same else site.build({"img/x.png": "a third", "new.txt": "newer", "css/plain.css": "q"}, "three")
        said: list[Event] = []
        ended: list[str] = []

        def other() -> None:
            # In the middle of which the first release is sent once more.
            between = Between(site.there, third, lambda: send(site.source, one, site.target(at_once=1)))
            send(site.source, three, site.target(between, at_once=1))
            ended.append(three)

        store = Between(site.there, at, other)
        sent = send(site.source, two, site.target(store, at_once=1), listener=said.append)
        manifest = site.check(two)
        assert sent.release == two
        pointer = read_pointer(lambda key: read_all(site.there, key))
        assert pointer is not None
        assert not pointer.unsettled
        assert digest_bytes(read_all(site.there, "img/x.png") or b"") == manifest.entries["img/x.png"].digest
        history = [activation.release for activation in pointer.history]
        if ended:
            assert three in history
            if sent.before == three != two:
                assert any(isinstance(event, Notice) and three in event.text for event in said)

    def test_twenty_rounds_in_threads(self, site: Site) -> None:
        site.send(site.build(SITE, "zero"))
        releases = [site.build({"img/x.png": f"image {n}", "css/plain.css": f"q {n}"}, f"r{n}") for n in range(4)]
        for _ in range(20):
            runs = [threading.Thread(target=send, args=(site.source, r, site.target())) for r in releases]
            for run in runs:
                run.start()
            for run in runs:
                run.join()
            pointer = read_pointer(lambda key: read_all(site.there, key))
            assert pointer is not None
            assert not pointer.unsettled
            site.check(pointer.release)

    def test_one_that_clears_what_the_other_has_put(self, site: Site) -> None:
        """At every write of the one, and at every request of the one that clears, the other runs from begin to end."""
        site.send(site.build(SITE, "zero"))
        one = site.build({"js/app.js": "one", "img/x.png": "of one"}, "one")
        two = site.build({"js/app.js": "two"}, "two")
        start = site.there

        for clears in (one, two):
            for at in range(1, 200):
                site.there = copy_of(start)

                def whole(clear: bool = clears == two) -> None:
                    send(site.source, two, site.target(), clear=clear)

                store = Meanwhile(site.there, at, whole)
                send(site.source, one, site.target(store, at_once=1), clear=clears == one)
                pointer = read_pointer(lambda key: read_all(site.there, key))
                assert pointer is not None
                site.check(pointer.release)
                if store.left > 0:
                    assert (at > 10, pointer.release) == (True, one)
                    break

    def test_one_that_takes_away_all_that_the_other_has_put(self, site: Site) -> None:
        """As a run that clears does with what was put more than an hour ago."""
        site.send(site.build(SITE, "zero"))
        one = site.build({"js/app.js": "one", "img/x.png": "of one"}, "one")
        two = site.build({"js/app.js": "two"}, "two")
        start = site.there
        for at in range(1, 30):
            site.there = copy_of(start)

            def clears() -> None:
                send(site.source, two, site.target())
                found = read_current(lambda key: read_all(site.there, key))
                assert found is not None
                needed = {item.key for item in items_of(found[1])} | {POINTER_KEY, record_key("two")}
                site.there.delete([stored.key for stored in site.there.list() if stored.key not in needed])

            store = Between(site.there, at, clears)
            send(site.source, one, site.target(store, at_once=1))
            pointer = read_pointer(lambda key: read_all(site.there, key))
            assert pointer is not None
            if pointer.release == "two":
                break  # it came after the end
            site.check("one")
        assert at > 8

    def test_after_another_only_what_that_has_otherwise_is_put_again(self, site: Site) -> None:
        site.send(site.build(SITE, "one"))
        two = site.build({"img/x.png": "another", "css/plain.css": "q", "new.txt": "new"}, "two")
        three = site.build({"new.txt": "newer"}, "three")
        # The first swap of the pointer is the note, the second the end.
        swaps: list[int] = []

        class Followed(Counted):
            def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
                swaps.append(1)
                if len(swaps) == 2:
                    send(site.source, three, site.target())
                return super().swap(key, expected, body)

        store = Followed(site.there)
        send(site.source, two, site.target(store))
        site.check("two")
        plain = Counter(
            key for verb, key in store.keys if verb == "put" and key in ("img/x.png", "css/plain.css", "new.txt")
        )
        assert plain == {"img/x.png": 1, "css/plain.css": 1, "new.txt": 2}

    def test_of_a_run_that_may_be_under_way_the_note_stays(self, site: Site) -> None:
        site.send(site.build(SITE, "one"))
        Unsettled(Counted(site.there)).begin(digest_bytes(b"its manifest"))
        site.send(site.build({"new.txt": "new"}, "two"))
        pointer = read_pointer(lambda key: read_all(site.there, key))
        assert pointer is not None
        assert [note.manifest for note in pointer.unsettled] == [digest_bytes(b"its manifest")]

    @pytest.mark.parametrize("prunes", [False, True])
    @pytest.mark.parametrize("activates", [False, True])
    def test_an_old_release_that_is_wanted_again_while_others_prune(
        self, site: Site, prunes: bool, activates: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """At every request of the one, the other runs from begin to end; the prune was planned before, or then.

        But not between a prune's last look and the request that deletes, which nothing keeps apart.
        """
        for release, days in {"one": 30, "two": 20, "three": 10, "four": 0}.items():
            for module in ("send", "publish"):
                monkeypatch.setattr(f"shipfiles.release.{module}.now", partial(_days_ago, days))
            site.send_only(site.build(SITE | {"js/app.js": f"export default '{release}';\n" * 20}, release))
            site.there = copy_of(site.there, older=10 * 86400 if days else 0)
        monkeypatch.undo()
        start = site.there

        def plan() -> PrunePlan:
            there = Counted(site.there)
            return plan_prune(there, keep=1, younger_than=timedelta(0), at=now(), manifest_name="")

        def wants(store: Store) -> None:
            if activates:
                activate(store, "one", manifest_name="", at_once=1)
            else:
                send(site.source, "one", site.target(store, at_once=1))

        for early in (False, True):
            for at in range(1, 300):
                site.there = copy_of(start)
                planned_before = plan()
                assert "one" in planned_before.dropped

                def deletes(before: PrunePlan | None = planned_before if early else None) -> None:
                    prune(Counted(site.there), before or plan())

                other = (lambda: wants(Counted(site.there))) if prunes else deletes
                store = Meanwhile(site.there, at, other, but="delete" if prunes else "")
                # What is found to be gone is not made current.
                with suppress(ManifestError, ReleaseError):
                    if prunes:
                        prune(store, planned_before if early else plan())
                    else:
                        wants(store)
                if store.left > 0:
                    assert at > 10
                    break
                found = read_pointer(lambda key: read_all(site.there, key))
                assert found is not None
                assert activates or found.release == "one"
                site.check(found.release)


class TestWhatIsThere:
    """Nothing that is not ours is touched, nothing is believed that may be wrong."""

    def test_of_a_bucket_in_which_others_have_files(self, site: Site) -> None:
        others = {"robots.txt": b"theirs", "media/x.png": b"theirs", ".shipfiles/theirs": b"x", "css/app.css.gz": b"x"}
        for key, body in others.items():
            site.there.put(key, body)
        release = site.build(SITE)
        site.send(release)
        two = site.build({"css/app.css": None, "js/app.js": "x"}, "two")
        site.send(two, clear=True)
        there = contents(site.there)
        assert others.items() <= there.items()
        wanted = {item.key for item in items_of(site.check(two))}
        assert {key for key in there if not key.startswith(".shipfiles/")} == wanted | others.keys() - {
            ".shipfiles/theirs"
        }

    def test_what_others_have_put_under_an_old_plain_name_is_not_cleared(self, site: Site) -> None:
        one = site.build(SITE | {"pic.png": "a picture of ours", "other.png": "another"})
        site.send(one)
        hashed = site_manifest(site, one).entries["pic.png"].name
        site.there.put("pic.png", b"an upload")
        site.send(site.build({"pic.png": None, "other.png": None}), clear=True)
        assert read_all(site.there, "pic.png") == b"an upload"
        assert read_all(site.there, "other.png") is None
        assert read_all(site.there, hashed) is None

    def test_what_django_put_there_is_cleared_by_its_manifest(self, site: Site) -> None:
        site.there.put("staticfiles.json", json.dumps({"paths": {"a.css": "a.1.css"}, "version": "1.1"}).encode())
        site.there.put("a.css", b"a")
        site.there.put("a.1.css", b"a")
        release = site.build(SITE)
        site.send(release)
        assert read_all(site.there, "a.1.css") == b"a"
        site.send(release, clear=True)
        assert read_all(site.there, "a.1.css") is None
        assert read_all(site.there, "staticfiles.json") is None

    @pytest.mark.parametrize("prefix", [".shipfiles/manifests/", ".shipfiles/releases/"])
    def test_verify_puts_what_is_said_of_the_release(self, site: Site, prefix: str) -> None:
        release = site.build(SITE)
        site.send(release)
        gone = [stored.key for stored in site.there.list(prefix)]
        site.there.delete(gone)
        store = Counted(site.there)
        plan = planned(site.source, release, site.target(), kept=site.kept, verify=True)
        site.send(release, store, verify=True)
        assert plan.requests == store.total
        assert {key for verb, key in store.keys if verb == "put"} >= {*gone}

    def test_a_hashed_name_with_other_bytes_is_put_right(self, site: Site) -> None:
        release = site.build(SITE)
        name = site_manifest(site, release).entries["js/app.js"].name
        site.there.put(name, b"half of")
        site.send(release)

    def test_what_a_bundler_named_is_never_replaced(self, site: Site) -> None:
        release = site.build(SITE)
        there = "A" * len(SITE["vendor.Ck7dE5gH1234.js"])
        site.there.put("vendor.Ck7dE5gH1234.js", there.encode())
        with pytest.raises(StoreError, match=r"vendor\.Ck7dE5gH1234\.js: .*other bytes.*bundler"):
            site.send(release)
        assert read_all(site.there, "vendor.Ck7dE5gH1234.js") == there.encode()
        assert read_all(site.there, POINTER_KEY) is None
        # Nor when the store is listed, and has another size there.
        site.there.put("vendor.Ck7dE5gH1234.js", b"short")
        with pytest.raises(StoreError, match="bundler"):
            site.send(release, verify=True)
        assert read_all(site.there, "vendor.Ck7dE5gH1234.js") == b"short"

    def test_what_a_bundler_named_is_not_copied_over_others(self, site: Site) -> None:
        body = "x" * 100_000
        site.send(site.build({"one.txt": body}))
        site.there.put("vendor.Ck7dE5gH1234.js", b"theirs")
        with pytest.raises(StoreError, match="bundler"):
            site.send(site.build({"vendor.Ck7dE5gH1234.js": body}), Copying(site.there))
        assert read_all(site.there, "vendor.Ck7dE5gH1234.js") == b"theirs"

    def test_verify_sends_what_is_missing_or_short(self, site: Site) -> None:
        release = site.build(SITE)
        site.send(release)
        manifest = site_manifest(site, release)
        site.there.delete([manifest.entries["js/app.js"].name])
        site.there.put("img/x.png", b"short")
        site.there.put(manifest.entries["css/plain.css"].name, b"short")
        assert site.send_only(release).asked == {"read": 1}
        plan = planned(site.source, release, site.target(), kept=site.kept, verify=True)
        store = site.send(release, verify=True)
        assert store.asked["put"] == 3 + 0
        assert store.total == plan.requests

    @pytest.mark.parametrize("damage", [b"", b"{", b'{"schema": 1}'])
    def test_a_damaged_pointer_is_made_anew(self, site: Site, damage: bytes) -> None:
        site.send(site.build(SITE, "one"))
        site.there.put(POINTER_KEY, damage)
        said: list[Event] = []
        site.send(site.build({"new.txt": "new"}, "two"), listener=said.append)
        assert any(isinstance(event, Notice) and "pointer" in event.text for event in said)
        pointer = read_pointer(lambda key: read_all(site.there, key))
        assert pointer is not None
        assert pointer.lost is not None

    @pytest.mark.parametrize("damage", [None, b"", b"{}"])
    def test_a_damaged_manifest_costs_a_list_and_no_more(self, site: Site, damage: bytes | None) -> None:
        site.send(site.build(SITE, "one"))
        site.kept = Kept()
        key = next(stored.key for stored in site.there.list(".shipfiles/manifests/"))
        site.there.delete([key]) if damage is None else site.there.put(key, damage)
        said: list[Event] = []
        site.send(site.build({"new.txt": "new"}, "two"), listener=said.append)
        assert any(isinstance(event, Notice) and key in event.text for event in said)

    def test_no_old_variant_stays_beside_a_plain_name(self, site: Site) -> None:
        """A web server would send it as that file."""
        shape = Shape(variants=True)
        site.send(site.build(SITE), shape=shape)
        assert read_all(site.there, "css/plain.css.gz") is not None
        release = site.build({"css/plain.css": "q {}"})
        plan = planned(site.source, release, site.target(shape=shape), kept=site.kept)
        sent = site.send(release, shape=shape)
        # To look at each of them is a request, and so is to delete them together.
        deleted = sent.asked.pop("delete")
        assert plan.requests == sent.total + 1
        assert plan.sizes.keys() == {key for verb, key in sent.keys if verb == "delete"}
        assert len(plan.sizes) == deleted
        assert "css/plain.css.gz" in plan.sizes
        assert all(read_all(site.there, key) is None for key in plan.sizes)
        # Before that the pointer says that plain names are changing.
        assert sent.keys.index(("swap", POINTER_KEY)) < min(
            at for at, (verb, _) in enumerate(sent.keys) if verb == "delete"
        )

    def test_a_variant_that_somebody_else_has_put_there_stays(self, site: Site) -> None:
        shape = Shape(variants=True)
        site.send(site.build(SITE), shape=shape)
        site.there.put("css/plain.css.gz", b"theirs")
        said: list[Event] = []
        site.send(site.build({"css/plain.css": "q {}"}), shape=shape, listener=said.append)
        assert read_all(site.there, "css/plain.css.gz") == b"theirs"
        assert any(isinstance(event, Notice) and event.text.startswith("css/plain.css.gz: left") for event in said)

    def test_an_id_belongs_to_one_release_for_ever(self, site: Site) -> None:
        one = site.build(SITE, "one")
        site.send(one)
        other = Site(site.folder / "other")
        other.there = site.there
        other.build(SITE | {"js/app.js": "other"}, "one")
        with pytest.raises(ReleaseTaken):
            other.send("one")
        site.check("one")
        # Also where the pointer does not tell of it.
        site.there.delete([POINTER_KEY])
        with pytest.raises(ReleaseTaken):
            other.send("one")

    def test_the_same_release_in_another_shape(self, site: Site) -> None:
        release = site.build(SITE)
        site.send(release)
        site.send(release, shape=Shape(variants=True))
        site.send(release, shape=Shape(hashed_only=True))
        site.send(release)

    def test_what_is_not_there_to_be_sent(self, site: Site) -> None:
        with pytest.raises(UnknownRelease):
            site.send("none")
        release = site.build(SITE)
        name = site_manifest(site, release).entries["js/app.js"].name
        site.source.delete([name, "js/app.js"])
        with pytest.raises(StoreError, match=r"js/app.*is not in .*where the release .* was built"):
            site.send(release)
        assert read_all(site.there, POINTER_KEY) is None

    def test_a_source_that_changed_since_is_not_sent(self, site: Site) -> None:
        release = site.build(SITE)
        site.source.put(site_manifest(site, release).entries["js/app.js"].name, b"other")
        with pytest.raises(StoreError, match="is damaged: its bytes are not those of the release"):
            site.send(release)
        assert read_all(site.there, POINTER_KEY) is None

    def test_a_folder_is_not_sent_to_itself(self, site: Site, tmp_path: Path) -> None:
        site.source = LocalStore(str(tmp_path / "root"))
        release = site.build(SITE)
        (tmp_path / "link").symlink_to(tmp_path / "root")
        with pytest.raises(ReleaseError, match="not sent to itself"):
            send(site.source, release, Target(LocalStore(str(tmp_path / "link"))))

    def test_what_a_prune_takes_meanwhile_is_sent(self, site: Site) -> None:
        """A prune that has begun to delete before there was a manifest that needs the file."""
        site.send(site.build(SITE, "one"))
        site.send(site.build({"js/app.js": "export default 2;\n" * 20}, "two"))
        three = site.build({"js/app.js": SITE["js/app.js"], "new.txt": "new"}, "three")
        name = site_manifest(site, three).entries["js/app.js"].name

        class Pruned(Counted):
            def list(self, prefix: str = "") -> Iterator[Stored]:
                found = [*super().list(prefix)]
                if self.asked["list"] == 1:
                    self.store.delete([name])
                return iter(found)

        site.send(three, Pruned(site.there))


class TestCopies:
    """What is there under another name is copied there, if it is large."""

    def test_a_plain_name_from_the_hashed_one(self, site: Site) -> None:
        store = Copying(site.there)
        site.send(site.build({"img/x.png": "x" * 100_000, "css/app.css": SITE["css/app.css"]}), store)
        assert store.asked == {"read": 1, "put": 1 + 2 + 2, "copy": 1, "swap": 1}

    def test_a_file_that_has_moved(self, site: Site) -> None:
        body = "x" * 100_000
        site.send(site.build({"img/x.png": body}))
        store = Copying(site.there)
        site.send(site.build({"img/x.png": None, "pictures/x.png": body}), store)
        # A look at the one that this run has not put itself.
        assert store.asked == {"read": 1, "head": 1, "put": 2, "copy": 2, "swap": 2}

    def test_of_what_a_killed_run_has_put_in_another_form_the_bytes_are_sent(self, site: Site) -> None:
        body = "export default 1; // and more of it\n" * 4000
        site.send(site.build(SITE | {"js/app.js": body}, "one"))
        two = site.build({"css/plain.css": "q {}\n" * 100}, "two")
        three = site.build({"css/plain.css": "i {}\n" * 100, "js/new.js": body}, "three")
        start = site.there
        for steps in range(1, 100):
            site.there = copy_of(start)
            dying = Dying(site.there, steps, after=True)
            with suppress(Killed):
                send(site.source, two, Target(dying, Shape(coding="gzip"), at_once=1))
            if dying.left > 0:
                assert steps > 5
                return
            send(site.source, three, site.target(Copying(site.there)))
            for item in items_of(current_of(site.there)):
                there = site.there.head(item.key)
                assert there is not None
                found = read_all(site.there, item.key) or b""
                if there.fields.get("Content-Encoding", item.coding) == "gzip":
                    found = gzip.decompress(found)
                assert digest_bytes(found) == item.digest, item.key

    def test_of_what_is_gone_the_bytes_are_sent(self, site: Site) -> None:
        body = "x" * 100_000
        one = site.build({"img/x.png": body})
        site.send(one)
        site.there.delete([site_manifest(site, one).entries["img/x.png"].name])
        site.send(site.build({"img/x.png": None, "pictures/x.png": body}), Copying(site.there))


def test_to_a_folder_with_a_file_where_a_folder_must_be(site: Site, tmp_path: Path) -> None:
    there = LocalStore(str(tmp_path / "there"))
    for files in ({"a": "a file", "b.css": "one"}, {"a": None, "a/x.css": "in a folder"}):
        release = site.build(files)
        send(site.source, release, Target(there, Shape(variants=True)))
        current = read_current(lambda key: read_all(there, key))
        assert current is not None
        for item in items_of(current[1]):
            assert read_all(there, item.key) is not None


def test_a_manifest_that_django_can_read(site: Site) -> None:
    release = site.build(SITE, "v1")
    send(site.source, release, site.target(django_manifest="{release}/staticfiles.json"))
    stored = json.loads(read_all(site.there, "v1/staticfiles.json") or b"")
    assert stored["paths"] == site_manifest(site, release).names()


def test_a_manifest_that_django_can_read_is_put_though_the_release_is_there(site: Site) -> None:
    release = site.build(SITE, "v1")
    site.send(release)
    for pattern in ("{release}/staticfiles.json", "staticfiles.json"):
        target = site.target(django_manifest=pattern)
        assert planned(site.source, release, target).nothing is False
        send(site.source, release, target)
        assert planned(site.source, release, target).nothing is True
        stored = json.loads(read_all(site.there, pattern.replace("{release}", "v1")) or b"")
        assert stored["paths"] == site_manifest(site, release).names()


def test_a_manifest_that_django_can_read_is_that_of_the_current_release(site: Site) -> None:
    """Whenever another run comes, and wherever this one is killed, of which the next one makes an end."""
    site.send(site.build(SITE, "zero"))
    one, two = site.build({"js/app.js": "one"}, "one"), site.build({"js/app.js": "two"}, "two")
    start = site.there

    def target(store: Store | None = None) -> Target:
        return site.target(store, django_manifest="staticfiles.json", at_once=1)

    def agree() -> None:
        stored = json.loads(read_all(site.there, "staticfiles.json") or b"")
        assert stored["paths"] == current_of(site.there).names()

    for at in range(1, 100):
        site.there = copy_of(start)
        store = Meanwhile(site.there, at, lambda: send(site.source, two, target()))
        send(site.source, one, target(store))
        if store.left > 0:
            assert at > 5
            break
        if store.keys[at - 1] != ("put", "staticfiles.json"):
            agree()
    for steps in range(1, 100):
        site.there = copy_of(start)
        send(site.source, "zero", target())
        dying = Dying(site.there, steps, after=False)
        with suppress(Killed):
            send(site.source, one, target(dying))
        pointer = read_pointer(lambda key: read_all(site.there, key))
        assert pointer is not None
        if pointer.release == "zero":
            agree()
        send(site.source, one, target())
        agree()
        if dying.left > 0:
            return


def site_manifest(site: Site, release: str) -> Manifest:
    return manifest_of(site.source, record_of_release(site.source, release))


def test_notes_without_end_cost_no_requests_without_end(site: Site) -> None:
    site.send(site.build(SITE, "one"))
    pointer = read_pointer(lambda key: read_all(site.there, key))
    assert pointer is not None
    notes = tuple(Unfinished(f"{n:x}", now(), digest_bytes(b"%d" % n)) for n in range(1000))
    site.there.put(POINTER_KEY, dump_pointer(replace(pointer, unsettled=notes)))
    store = Counted(site.there)
    send(site.source, site.build({"new.txt": "new"}, "two"), site.target(store), kept=site.kept)
    assert store.asked["read"] < 40
    site.check("two")


class Refielding(Counted):
    def refield(self, key: str, fields: Mapping[str, str]) -> None:
        self._count("refield", key)
        assert isinstance(self.store, MemoryStore)
        self.store.refield(key, fields)


def test_other_options_for_header_fields_are_told_until_all_objects_have_them(site: Site) -> None:
    one = site.build(SITE, "one")
    store = Refielding(site.there)
    told: list[str] = []

    def sends(release: str, **options: Any) -> None:
        told.clear()
        target = site.target(store, serve=ServeConfig(**options))
        send(site.source, release, target, listener=lambda event: told.append(str(event)))

    def is_told() -> bool:
        return any("--metadata" in text for text in told)

    sends(one)
    sends(one)
    assert not is_told()
    sends(one, max_age=5)
    assert is_told()
    sends(site.build({"new.txt": "new"}, "two"), max_age=5)
    assert is_told()
    sends("two")
    assert not is_told()
    refield(site.target(store, serve=ServeConfig(max_age=5)))
    sends("two", max_age=5)
    assert not is_told()
    sends("two")
    assert is_told()
