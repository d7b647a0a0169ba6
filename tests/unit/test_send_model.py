"""The life of a store that releases are sent to, driven at random.

Builds, sends in every form, sends that are killed at any write, two at once, prunes that come between, others who put
files of their own into the bucket: after each step every release that must be there is whole and answered rightly,
plain names are those of the current release unless the pointer says that they may not be, and what is not ours is
untouched.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import build
from shipfiles.config import RewriteConfig, ServeConfig
from shipfiles.decode import decoded
from shipfiles.digest import Digest, digest_bytes
from shipfiles.manifest import Manifest, load
from shipfiles.model import SourceFile
from shipfiles.records import MANIFESTS_PREFIX
from shipfiles.release import pointing, unsettled
from shipfiles.release import publish as publishing
from shipfiles.release import send as sending
from shipfiles.release.activate import activate, rollback
from shipfiles.release.catalog import manifest_of, pointer_of, records_of
from shipfiles.release.fields import fields_of
from shipfiles.release.items import Item, Shape, items_of, sent_manifest
from shipfiles.release.prune import plan_prune, prune
from shipfiles.release.publish import publish
from shipfiles.release.send import Sent, planned, send
from shipfiles.release.target import Target
from shipfiles.release.verify import verify
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Copies, Store, read_all

from .test_publish import Dying, Killed
from .test_release_model import CHOICES, FAST, HOUR, Between, Clock, Model, life_settings
from .test_send import Copying

BIG = 20_000  # so often is written what is in a large file: such a one is copied rather than sent a second time
OURS: dict[str, tuple[str | None, ...]] = {
    **CHOICES,
    "img/big.png": ("one ", None, "two "),
    "pictures/big.png": (None, "one "),
    "vendor.Ck7dE5gH1234.js": ("a bundler's\n" * 20, None),
}
sites = st.fixed_dictionaries({name: st.sampled_from(bodies) for name, bodies in OURS.items()})
SHAPES = (Shape(), Shape(variants=True), Shape(hashed_only=True), Shape(coding="gzip"), Shape(True, True))
# Names that no release has, some of which look as if one had.
THEIRS = ("media/a.png", "css/app.css.bak", "css/app.0123456789ab.css", "note.txt.0", ".shipfiles/theirs")
SERVE = ServeConfig()


class BetweenWithCopies(Between):
    """The same with a copy, which is a write."""

    def __init__(self, store: Store, at: int, then: Callable[[], object]) -> None:
        super().__init__(store, at, then)
        if isinstance(store, Copies):
            self.copy = self._copy_of(store)

    def _copy_of(self, store: Copies) -> Callable[..., bool]:
        def copy(source: str, target: str, **options: Any) -> bool:
            self._count()
            return store.copy(source, target, **options)

        return copy


class Sending(RuleBasedStateMachine):
    """A folder that releases are built in, and a store that they are sent to."""

    keeps_fields = True

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.clock = Clock()
        self.patched = pytest.MonkeyPatch()
        for module in (pointing, publishing, sending, unsettled):
            self.patched.setattr(module, "now", self.clock)
        self.source = LocalStore(self.folder + "/local")
        self.there = self.new_store()
        self.shape = Shape()
        self.model = Model()
        self.number = 0
        self.whole = True  # whether the last step that sent has come to its end
        self.theirs: dict[str, bytes] = {}

    def new_store(self) -> Store:
        """An empty store."""
        raise NotImplementedError

    def teardown(self) -> None:
        self.patched.undo()
        shutil.rmtree(self.folder, ignore_errors=True)

    # What happens.

    @initialize(site=sites, shape=st.sampled_from(SHAPES))
    def first(self, site: dict[str, str | None], shape: Shape) -> None:
        self.shape = shape
        self.builds(site, False)
        self.sends(self.built()[0], False, False)

    @rule(site=sites, named=st.booleans())
    def builds(self, site: dict[str, str | None], named: bool) -> None:
        self.number += 1
        root = Path(self.folder, f"src{self.number}")
        for name, body in {**site, "js/b.js": site["js/b.js"] if site["js/a.js"] else "alone"}.items():
            if body is not None:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(body * BIG if path.stem == "big" else body)
        files = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
        built = build(files, RewriteConfig(bundled_names=("vendor.*",)), workers=1)
        publish(built, self.source, FAST, release=f"v{self.number}" if named else "", workers=1)

    @rule(data=st.data(), verify=st.booleans(), clear=st.sampled_from([False, False, False, True]))
    def is_sent(self, data: st.DataObject, verify: bool, clear: bool) -> None:
        self.sends(self.drawn(data), verify, clear)

    @rule(shape=st.sampled_from(SHAPES))
    def the_options_change(self, shape: Shape) -> None:
        # In a folder nothing tells in which coding a file is stored.
        if self.keeps_fields or shape.coding == self.shape.coding:
            self.shape = shape

    @rule(site=sites)
    def is_deployed(self, site: dict[str, str | None]) -> None:
        self.builds(site, True)
        self.sends(f"v{self.number}", False, False)

    def sends(self, release: str, verify: bool, clear: bool) -> None:
        before = self.named()
        plan = planned(self.source, release, self.target(), clear=clear, verify=verify)
        sent = self.send(release, clear=clear, verify=verify)
        self.ended(release)
        assert clear or plan.nothing == (sent.changed == [])
        if clear:
            # A name that a release of ours has is ours to clear, whoever has put something there since.
            self.theirs = {key: body for key, body in self.theirs.items() if key not in before}
            self.model.made = {release: self.model.made[release]}
            assert records_of(self.there).keys() == {release}
        pointer = pointer_of(self.there)
        assert pointer is not None
        # While a run may be under way, names are put again that it may put.
        assert pointer.unsettled or self.send(release).changed == []

    @rule(data=st.data(), steps=st.integers(1, 60), after=st.booleans(), clear=st.just(False))
    def is_killed_while_it_is_sent(self, data: st.DataObject, steps: int, after: bool, clear: bool) -> None:
        release = self.drawn(data)
        try:
            self.send(release, Dying(self.there, steps, after=after), clear=clear)
        except Killed:
            self.whole = False
            self.learn()
        else:
            self.ended(release)

    @rule(data=st.data(), at=st.integers(1, 40))
    def two_are_sent_at_once(self, data: st.DataObject, at: int) -> None:
        first, second = self.drawn(data), self.drawn(data)
        ended: list[str] = []

        def other() -> None:
            self.send(second, BetweenWithCopies(self.there, 0, str))
            ended.append(second)

        self.send(first, BetweenWithCopies(self.there, at, other))
        self.learn()
        assert self.model.current in (first, *ended)
        self.ended(self.model.current)
        history = [release for release, _ in self.model.history]
        assert {first, *ended} <= {*history}

    @rule(data=st.data())
    def is_activated(self, data: st.DataObject) -> None:
        release = self.drawn_there(data)
        assert activate(self.there, release, manifest_name="").release == release
        self.ended(release)

    @precondition(lambda self: len({release for release, _ in self.model.history} & self.model.made.keys()) > 1)
    @rule()
    def is_rolled_back(self) -> None:
        earlier = [release for release, _ in self.model.history if release in self.model.made]
        wanted = [release for release in earlier if release != self.model.current][-1]
        self.freed(wanted)
        assert rollback(self.there, manifest_name="").release == wanted
        self.ended(wanted)

    @rule(data=st.data(), steps=st.integers(1, 15), after=st.booleans())
    def is_killed_while_it_is_activated(self, data: st.DataObject, steps: int, after: bool) -> None:
        release = self.drawn_there(data)
        with suppress(Killed):
            activate(Dying(self.there, steps, after=after), release, manifest_name="", at_once=1)
        self.whole = False
        self.learn()

    @rule()
    def is_verified(self) -> None:
        found = verify(self.there, manifest_name="", workers=1)
        assert {*found.releases} == self.model.made.keys()
        assert not self.whole or found.left == []

    @rule(keep=st.integers(1, 3), hours=st.integers(0, 20), steps=st.none() | st.integers(1, 30))
    def is_pruned(self, keep: int, hours: int, steps: int | None) -> None:
        at = self.clock()
        plan = plan_prune(self.there, keep=keep, younger_than=hours * HOUR, at=at, grace=timedelta())
        assert plan.kept.keys() == self.model.must_stay(keep, hours * HOUR, at)
        with suppress(Killed):
            prune(self.there if steps is None else Dying(self.there, steps, after=False), plan)
        self.model.made = {release: made for release, made in self.model.made.items() if release in plan.kept}

    @rule(hours=st.integers(1, 30))
    def time_goes_by(self, hours: int) -> None:
        self.clock.moment += hours * HOUR

    @rule(key=st.sampled_from(THEIRS), body=st.binary(max_size=20))
    def others_put_something(self, key: str, body: bytes) -> None:
        self.there.put(key, body)
        self.theirs[key] = body

    @rule(data=st.data(), body=st.binary(min_size=1, max_size=20))
    def others_take_a_name_that_is_free(self, data: st.DataObject, body: bytes) -> None:
        """Which an earlier release may have had."""
        taken = {item.key for item in items_of(self.manifest_of(self.model.current))}
        free = sorted(OURS.keys() - taken - {"vendor.Ck7dE5gH1234.js"})
        if free and self.whole:
            self.others_put_something(data.draw(st.sampled_from(free)), body)

    # What is so.

    @invariant()
    def every_release_that_must_be_there_is_whole(self) -> None:
        records = records_of(self.there)
        assert records.keys() >= self.model.made.keys()
        for release in self.model.made:
            self.check(item for item in items_of(manifest_of(self.there, records[release])) if item.hashed)

    @invariant()
    def the_pointer_is_where_it_should_be(self) -> None:
        pointer = pointer_of(self.there)
        assert (pointer.release if pointer else "") == self.model.current
        if pointer is not None:
            assert pointer.release in self.model.made
            # The same release in another form is recorded before the pointer tells of it.
            if self.whole:
                assert pointer.manifest == records_of(self.there)[pointer.release].manifest

    @invariant()
    def plain_names_are_those_of_the_current_release(self) -> None:
        pointer = pointer_of(self.there)
        if pointer is not None and (self.whole or not pointer.unsettled):
            self.check(item for item in items_of(self.manifest_of(pointer.release)) if not item.hashed)

    @invariant()
    def what_is_not_ours_is_untouched(self) -> None:
        assert {key: read_all(self.there, key) for key in self.theirs} == self.theirs

    # What that takes.

    def target(self, store: Store | None = None) -> Target:
        # One at a time, or nobody could say which write is the n-th.
        return Target(store or self.there, self.shape, SERVE, at_once=1 if store else 8)

    def send(self, release: str, store: Store | None = None, **options: Any) -> Sent:
        self.claimed(sent_manifest(manifest_of(self.source, records_of(self.source)[release]), self.shape))
        return send(self.source, release, self.target(store), **options)

    def built(self) -> list[str]:
        return sorted(records_of(self.source))

    def drawn(self, data: st.DataObject) -> str:
        return data.draw(st.sampled_from(self.built()))

    def drawn_there(self, data: st.DataObject) -> str:
        """A release that is to be activated."""
        release = data.draw(st.sampled_from(sorted(self.model.made)))
        self.freed(release)
        return release

    def freed(self, release: str) -> None:
        """Others take away what they have under names of ``release``: to activate it would leave that, and say so."""
        manifest = self.manifest_of(release)
        self.there.delete([item.key for item in items_of(manifest) if item.key in self.theirs])
        self.claimed(manifest)

    def claimed(self, manifest: Manifest) -> None:
        """These names are ours now, whoever has put something there before."""
        keys = {item.key for item in items_of(manifest)}
        self.theirs = {key: body for key, body in self.theirs.items() if key not in keys}

    def named(self) -> set[str]:
        """Every key that a manifest of the store names."""
        keys = [stored.key for stored in self.there.list(MANIFESTS_PREFIX)]
        return set().union(*(load(read_all(self.there, key) or b"", key).keys() for key in keys))

    def check(self, items: Iterable[Item]) -> None:
        """Each is there, with its bytes and fields."""
        for item in items:
            body = read_all(self.there, item.key)
            assert body is not None, f"{item.key} is gone"
            found = self.there.head(item.key)
            assert found is not None
            if digest_bytes(body) != item.digest and item.hashed and self.keeps_fields:
                # A later release has put the same file in another form.
                coding = found.fields.get("Content-Encoding", "")
                assert coding != item.coding, item.key
                whole = b"".join(decoded([body], coding)) if coding else body
                assert digest_bytes(whole) == self.content_of(item), item.key
                item = replace(item, coding=coding)
            else:
                assert digest_bytes(body) == item.digest, item.key
            if self.keeps_fields:
                assert found.fields == fields_of(item, SERVE), item.key

    def content_of(self, item: Item) -> Digest:
        """The digest of the file itself, as a manifest has it that names this object."""
        found = {
            entry.digest
            for stored in self.there.list(MANIFESTS_PREFIX)
            for entry in load(read_all(self.there, stored.key) or b"", stored.key).entries.values()
            if entry.name == item.key
        }
        (digest,) = found
        return digest

    def manifest_of(self, release: str) -> Manifest:
        return manifest_of(self.there, records_of(self.there)[release])

    def learn(self) -> None:
        """Take over what a step has done that may or may not have come to its end."""
        for release, record in records_of(self.there).items():
            self.model.made.setdefault(release, record.made)
        pointer = pointer_of(self.there)
        if pointer is not None:
            known = [(activation.release, activation.at) for activation in pointer.history]
            assert known[: len(self.model.history)] == self.model.history
            assert len(known) - len(self.model.history) <= 2
            self.model.history = known

    def ended(self, release: str) -> None:
        """A step has ended well, and this release is current."""
        self.learn()
        assert self.model.current == release
        self.whole = True


class InMemory(Sending):
    """A store that keeps a second publisher waiting."""

    def new_store(self) -> Store:
        return MemoryStore()


class LikeABucket(Sending):
    """One that does not."""

    def new_store(self) -> Store:
        return Copying(MemoryStore())


class OnDisk(Sending):
    """A folder elsewhere."""

    keeps_fields = False

    def new_store(self) -> Store:
        return LocalStore(self.folder + "/there")


TestInMemory = InMemory.TestCase
TestInMemory.settings = life_settings(max_examples=8, stateful_step_count=20)
TestLikeABucket = LikeABucket.TestCase
TestLikeABucket.settings = life_settings(max_examples=15, stateful_step_count=20)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = life_settings(max_examples=5, stateful_step_count=20)
