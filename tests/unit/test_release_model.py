"""The life of a store, driven at random, against a model of a few lines.

Deploys, deploys that are killed at any write, two at once, activations, rollbacks, prunes and clocks that jump: after
each step every release that must be there is whole, the pointer is where the model has it, and what is not ours is
untouched.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.digest import Digest, digest_bytes
from shipfiles.errors import ReleaseTaken
from shipfiles.events import Event, Notice
from shipfiles.manifest import Manifest, suffix
from shipfiles.model import SourceFile
from shipfiles.records import Record
from shipfiles.release import pointing
from shipfiles.release import publish as publishing
from shipfiles.release.activate import activate, rollback
from shipfiles.release.catalog import manifest_of, pointer_of, records_of
from shipfiles.release.prune import plan_prune, prune
from shipfiles.release.publish import publish
from shipfiles.release.verify import verify
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Body, Store, Stored, read_all

from .test_publish import Dying, Killed

FAST = CompressConfig(codings=("gzip",), gzip_level=1, min_size=0, margin=0)
FOREIGN = {"upload.txt": b"not ours", "css/theirs.0123456789ab.css": b"not ours either"}
HOUR = timedelta(hours=1)

# What a project may have: a style sheet that refers, a cycle of modules, images; some come and go.
CHOICES: dict[str, tuple[str | None, ...]] = {
    "css/app.css": ("a { background: url(../img/x.png) }" * 3, "b { background: url(../img/x.png) }" * 3),
    "img/x.png": ("one", "two"),
    "js/a.js": ("import './b.js'; 1", "import './b.js'; 2", None),
    "js/b.js": ("import './a.js'; 1",),
    "note.txt": ("hello " * 20, None, "two " * 30),
    "copy.txt": ("hello " * 20, "one"),
}
sites = st.fixed_dictionaries({name: st.sampled_from(bodies) for name, bodies in CHOICES.items()})


class Between:
    """A store with nothing but the verbs, which does ``then`` once, before the ``at``-th write."""

    def __init__(self, store: Store, at: int, then: Callable[[], object]) -> None:
        self._store, self.left, self._then = store, at, then
        self._guard = threading.Lock()

    def _count(self) -> None:
        with self._guard:
            self.left -= 1
            now = self.left == 0
        if now:
            self._then()

    def put(self, key: str, body: Body, **options: Any) -> Stored:
        self._count()
        return self._store.put(key, body, **options)

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        self._count()
        return self._store.swap(key, expected, body)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            self._count()
            self._store.delete([key])

    def head(self, key: str) -> Stored | None:
        return self._store.head(key)

    def read(self, key: str) -> Iterator[bytes]:
        return self._store.read(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        return self._store.list(prefix)


@dataclass
class Clock:
    """Goes on by a minute whenever it is asked, so that times differ."""

    moment: datetime = field(default_factory=lambda: datetime.now(tz=UTC).replace(microsecond=0))
    steady: bool = True

    def __call__(self) -> datetime:
        self.moment += timedelta(minutes=1)
        return self.moment


@dataclass
class Model:
    """What should be so."""

    made: dict[str, datetime] = field(default_factory=dict)
    """Release → when it was made, of those that must be there."""
    history: list[tuple[str, datetime]] = field(default_factory=list)
    """Which release became current when."""

    @property
    def current(self) -> str:
        return self.history[-1][0] if self.history else ""

    def must_stay(self, keep: int, younger_than: timedelta, at: datetime) -> set[str]:
        stay = {self.current}
        others = [release for release, _ in self.history if release != self.current]
        stay |= {*others[-1:]}
        newest = sorted(self.made, key=lambda release: (self.made[release], release), reverse=True)
        stay |= {*newest[:keep]}
        stay |= {release for release, made in self.made.items() if at - made < younger_than}
        for (release, _), (_, end) in zip(self.history, self.history[1:], strict=False):
            if at - end < younger_than:
                stay.add(release)
        return stay & self.made.keys()


class Life(RuleBasedStateMachine):
    """One store and all that happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.clock = Clock()
        self.patched = pytest.MonkeyPatch()
        for module in (pointing, publishing):
            self.patched.setattr(module, "now", self.clock)
        self.store = self.new_store()
        for key, body in FOREIGN.items():
            self.store.put(key, body)
        self.model = Model()
        self.number = 0
        self.named: set[str] = set()  # hashed names that a release ever had
        self.whole = True  # whether the last step was not killed

    def new_store(self) -> Store:
        """An empty store."""
        raise NotImplementedError

    def teardown(self) -> None:
        self.patched.undo()
        shutil.rmtree(self.folder, ignore_errors=True)

    def built(self, site: dict[str, str | None]) -> Build:
        self.number += 1
        root = Path(self.folder, f"src{self.number}")
        for name, body in {**site, "js/b.js": site["js/b.js"] if site["js/a.js"] else "alone"}.items():
            if body is not None:
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(body)
        sources = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
        return build(sources, RewriteConfig(), workers=1)

    def deploy(self, site: dict[str, str | None], name: str = "", store: Store | None = None, **options: Any) -> str:
        done = publish(self.built(site), store or self.store, FAST, release=name, workers=1, **options)
        return done.release

    def learn(self) -> None:
        """Take over what a step has done that may or may not have come to its end."""
        records = records_of(self.store)
        for release, record in records.items():
            self.model.made.setdefault(release, record.made)
            self.named |= immutable(self.store, record).keys()
        pointer = pointer_of(self.store)
        if pointer is not None:
            known = [(activation.release, activation.at) for activation in pointer.history]
            assert known[: len(self.model.history)] == self.model.history
            assert len(known) - len(self.model.history) <= 2
            self.model.history = known

    def became(self, release: str) -> None:
        """A step has ended well, and this release is current."""
        self.whole = True
        self.learn()
        assert self.model.current == release

    @initialize(site=sites)
    def first(self, site: dict[str, str | None]) -> None:
        self.became(self.deploy(site))

    @rule(site=sites, named=st.booleans())
    def deploys(self, site: dict[str, str | None], named: bool) -> None:
        self.became(self.deploy(site, f"v{self.number}" if named else ""))

    @rule(site=sites)
    def deploys_under_a_name_that_is_taken(self, site: dict[str, str | None]) -> None:
        before = contents(self.store)
        record = records_of(self.store)[self.model.current]
        built = self.built(site)
        names = {asset.logical: asset.name for asset in built.assets}
        if names == manifest_of(self.store, record).names():
            return
        with pytest.raises(ReleaseTaken):
            publish(built, self.store, FAST, release=self.model.current, workers=1)
        assert contents(self.store) == before

    @rule(site=sites, steps=st.integers(1, 60), after=st.booleans(), clear=st.just(False))
    def is_killed_while_it_deploys(self, site: dict[str, str | None], steps: int, after: bool, clear: bool) -> None:
        try:
            self.deploy(site, store=Dying(self.store, steps, after=after), clear=clear)
        except Killed:
            self.whole = False
        else:
            self.whole = True
        self.learn()

    @rule(site=sites, other=sites, at=st.integers(1, 60))
    def two_deploy_at_once(self, site: dict[str, str | None], other: dict[str, str | None], at: int) -> None:
        second: list[str] = []
        said: list[Event] = []
        store = Between(self.store, at, lambda: second.append(self.deploy(other, store=Between(self.store, 0, str))))
        before = self.model.current
        first = self.deploy(site, store=store, listener=said.append)
        self.whole = not second  # plain names are those of the one or the other
        self.learn()
        history = [release for release, _ in self.model.history]
        # Neither update is lost: both were current, unless they are the same; the first run is told of the second.
        assert self.model.current in (first, *second)
        assert {first, *second} <= {*history}
        # (Before its very last write it has looked for the last time.)
        if store.left < 0 and second and before not in (first, *second) and first != second[0]:
            assert any(isinstance(event, Notice) and second[0] in event.text for event in said)

    @rule(data=st.data())
    def activates(self, data: st.DataObject) -> None:
        release = data.draw(st.sampled_from(sorted(self.model.made)))
        assert activate(self.store, release).release == release
        self.became(release)

    @precondition(lambda self: len({release for release, _ in self.model.history} & self.model.made.keys()) > 1)
    @rule()
    def rolls_back(self) -> None:
        earlier = [release for release, _ in self.model.history if release in self.model.made]
        wanted = [release for release in earlier if release != self.model.current][-1]
        assert rollback(self.store).release == wanted
        self.became(wanted)

    @rule(data=st.data(), steps=st.integers(1, 15), after=st.booleans())
    def is_killed_while_it_activates(self, data: st.DataObject, steps: int, after: bool) -> None:
        release = data.draw(st.sampled_from(sorted(self.model.made)))
        with suppress(Killed):
            activate(Dying(self.store, steps, after=after), release)
        self.whole = False
        self.learn()

    @rule(keep=st.integers(1, 3), hours=st.integers(0, 20), steps=st.none() | st.integers(1, 30))
    def prunes(self, keep: int, hours: int, steps: int | None) -> None:
        at = self.clock()
        stay = self.model.must_stay(keep, hours * HOUR, at)
        plan = plan_prune(self.store, keep=keep, younger_than=hours * HOUR, at=at, grace=timedelta())
        if self.clock.steady:
            assert plan.kept.keys() == stay
        else:
            assert plan.kept.keys() >= {self.model.current}
        try:
            prune(self.store if steps is None else Dying(self.store, steps, after=False), plan)
        except Killed:
            pass
        else:
            left = records_of(self.store).keys()
            # A store without a lock keeps what the note of a run that was killed names, too.
            assert left == plan.kept.keys() if steps is None else left >= plan.kept.keys()
            needed = {key for record in records_of(self.store).values() for key in immutable(self.store, record)}
            hashed = {key for key in contents(self.store) if self.was_hashed(key)}
            # What only dropped releases had is gone, of this prune or of one that was killed. With a clock that was set
            # back, all is too young to tell; what a killed run put, and no release ever named, is never touched.
            if self.clock.steady and hours == 0:
                assert hashed & self.named <= needed
        # One that was killed may have deleted none of them yet: what still has a record is a release, and whole.
        there = records_of(self.store).keys()
        assert plan.kept.keys() <= there
        self.model.made = {release: made for release, made in self.model.made.items() if release in there}

    def was_hashed(self, key: str) -> bool:
        return key not in FOREIGN and re.search(r"\.[0-9a-f]{12}\.", key) is not None

    @rule()
    def is_verified(self) -> None:
        found = verify(self.store, workers=1)
        assert {*found.releases} == self.model.made.keys()
        assert not self.whole or found.left == []

    @rule(hours=st.integers(1, 30))
    def time_goes_by(self, hours: int) -> None:
        self.clock.moment += hours * HOUR

    @rule(hours=st.integers(-50, -1))
    def the_clock_is_set_back(self, hours: int) -> None:
        self.clock.moment += hours * HOUR
        self.clock.steady = False

    @invariant()
    def every_release_that_must_be_there_is_whole(self) -> None:
        records = records_of(self.store)
        assert records.keys() >= self.model.made.keys()
        for release in self.model.made:
            for key, digest in immutable(self.store, records[release]).items():
                body = read_all(self.store, key)
                assert body is not None, f"{key} of {release} is gone"
                assert digest_bytes(body) == digest, key

    @invariant()
    def the_pointer_is_where_it_should_be(self) -> None:
        pointer = pointer_of(self.store)
        assert (pointer.release if pointer else "") == self.model.current
        assert not self.model.current or self.model.current in self.model.made

    @invariant()
    def plain_names_are_those_of_the_current_release(self) -> None:
        if not self.whole or not self.model.current:
            return
        manifest = manifest_of(self.store, records_of(self.store)[self.model.current])
        for entry in manifest.entries.values():
            was = entry.plain or entry
            assert digest_bytes(read_all(self.store, entry.logical) or b"") == was.digest
            for token, made in was.codings.items():
                assert digest_bytes(read_all(self.store, entry.logical + suffix(token)) or b"") == made.digest

    @invariant()
    def what_is_not_ours_is_untouched(self) -> None:
        assert {key: read_all(self.store, key) for key in FOREIGN} == FOREIGN


def contents(store: Store) -> dict[str, bytes | None]:
    return {stored.key: read_all(store, stored.key) for stored in store.list()}


def immutable(store: Store, record: Record) -> dict[str, Digest]:
    """Key → digest of all that has one content for ever."""
    manifest: Manifest = manifest_of(store, record)
    found = {}
    for entry in manifest.entries.values():
        found[entry.name] = entry.digest
        for token, made in entry.codings.items():
            found[entry.name + suffix(token)] = made.digest
    return found


class InMemory(Life):
    def new_store(self) -> Store:
        return MemoryStore()


class OnDisk(Life):
    def new_store(self) -> Store:
        return LocalStore(self.folder + "/root")


life_settings = partial(
    settings,
    deadline=None,
    # To shrink a failure takes minutes and leaves much the same steps.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
few = partial(life_settings, max_examples=5, stateful_step_count=10)
TestInMemory = InMemory.TestCase
TestInMemory.settings = life_settings(max_examples=40, stateful_step_count=20)
TestOnDisk = OnDisk.TestCase
TestOnDisk.settings = life_settings(max_examples=20, stateful_step_count=20)
