"""A run over what changed gives what a whole run would; and whatever is not as it was left takes a whole run."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shipfiles.build.cache import NO_CACHE
from shipfiles.build.find import Found, Stat, ignore_matcher, select, walk
from shipfiles.build.pipeline import build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.digest import digest_bytes
from shipfiles.errors import BrokenReferences, StoreError
from shipfiles.events import Event, Notice, ignore
from shipfiles.manifest import load, suffix
from shipfiles.model import SourceFile
from shipfiles.records import POINTER_KEY, manifest_key, read_current, read_record, record_key
from shipfiles.release import renew as module
from shipfiles.release.publish import publish
from shipfiles.release.renew import Making, Renewed, renew
from shipfiles.release.state import STATE_KEY, State, read_state, state_of, write_state
from shipfiles.stores.local import LocalStore
from shipfiles.stores.store import Body, Stored, read_all
from tests.stored import timeless

MAKING = Making(
    RewriteConfig(own_missing="warning"), CompressConfig(brotli_quality=1), "/static/", {}, "staticfiles.json", 2
)


class Site:
    """A folder of sources, all written long ago, and a store."""

    def __init__(self, folder: Path) -> None:
        self.src = folder / "src"
        self.src.mkdir()
        self.store = LocalStore(str(folder / "root"))
        self.time = 1_000_000_000

    def write(self, name: str, body: str, *, time: int | None = None) -> None:
        path = self.src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)
        self.time += 1
        os.utime(path, (time or self.time, time or self.time))

    def found(self) -> Found:
        found = select(SourceFile(logical, path) for logical, path in walk(str(self.src), ignore_matcher([])))
        # When they really were written, nobody can set; so the look at them is what comes long after.
        found.looked += 10**10
        return found

    def whole(self, store: LocalStore | None = None) -> State:
        """A whole run, which remembers itself."""
        store = store or self.store
        found = self.found()
        built = build(found.sources, MAKING.rewrite)
        published = publish(built, store, MAKING.compress)
        state = state_of("settings", found, built, published, store)
        write_state(store, state, ignore)
        return state

    def renew(self) -> Renewed | None:
        """A run over what changed."""
        state = read_state(self.store)
        assert state is not None
        return renew(self.found(), state, self.store, MAKING, NO_CACHE, ignore)


def release(store: LocalStore) -> dict[str, bytes]:
    """All that the current release consists of."""
    current = read_current(partial(read_all, store))
    assert current is not None
    record = read_record(partial(read_all, store), current[0])
    assert record is not None
    keys = [*current[1].keys(), manifest_key(record.manifest), "staticfiles.json"]
    found = {key: read_all(store, key) or b"" for key in keys}
    apart = {key: read_all(store, key) or b"" for key in (POINTER_KEY, record_key(current[0]))}
    return {**found, **timeless(apart)}


def facts(state: State) -> dict[str, Any]:
    """What does not depend on the place."""
    return {
        "release": state.release, "links": dict(state.links), "kept": state.kept, "totals": state.totals,
        "warnings": state.warnings, "notes": state.notes,
    }  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    # Sites of a handful of files, of which most change.
    monkeypatch.setattr(module, "MOST", 1.0)
    return Site(tmp_path)


@pytest.fixture
def shop(site: Site) -> Site:
    site.write("css/app.css", "@import 'theme.css'; a { background: url(../img/lost.png) }\n" * 20)
    site.write("css/theme.css", "body { background: url(../img/x.png) }\n" * 20)
    site.write("img/x.png", "x")
    site.write("js/a.js", "import './b.js';\n" + "a();\n" * 60)
    site.write("js/b.js", "import './a.js';\n" + "b();\n" * 60)
    site.write("js/c.js", "c();\n" * 60 + "//# sourceMappingURL=c.js.map\n")
    site.write("page.html", "<!doctype html><script src=js/c.js integrity=sha384-x></script><img src=img/x.png>")
    site.whole()
    return site


def check(site: Site, folder: Path) -> Renewed:
    """What a run over the changes leaves is what a whole run leaves in an empty place."""
    renewed = site.renew()
    assert renewed is not None
    fresh = LocalStore(str(folder))
    whole = site.whole(fresh)
    assert release(site.store) == release(fresh)
    kept = read_state(site.store)
    assert kept is not None
    assert facts(kept) == facts(whole) == facts(renewed.state)
    again = site.renew()
    assert again is not None
    assert (again.published.changed, again.built) == ([], frozenset())
    return renewed


def test_nothing_changed(shop: Site) -> None:
    before = release(shop.store)
    renewed = shop.renew()
    assert renewed is not None
    assert renewed.published.changed == []
    assert sorted(renewed.published.unchanged) == sorted(s.logical for s in shop.found().sources)
    assert release(shop.store) == before


@pytest.mark.parametrize(
    ("name", "body", "built"),
    [
        ("img/x.png", "other", {"img/x.png", "css/theme.css", "css/app.css", "page.html"}),
        ("css/app.css", "a { color: red }\n" * 30, {"css/app.css"}),
        ("css/app.css", "@import 'gone.css'; /* */ a { background: url(../page.html) }\n" * 9, {"css/app.css"}),
        ("css/theme.css", "", {"css/theme.css", "css/app.css"}),
        ("js/a.js", "import './b.js';\n" + "A();\n" * 60, {"js/a.js", "js/b.js"}),
        ("js/b.js", "b();\n" * 60, {"js/a.js", "js/b.js"}),
        ("js/c.js", "import './a.js';\n", {"js/c.js", "page.html"}),
        ("page.html", "<!doctype html><script src=js/a.js integrity=sha384-x></script>", {"page.html"}),
    ],
)
def test_a_change_reaches_what_refers_to_it(shop: Site, tmp_path: Path, name: str, body: str, built: set[str]) -> None:
    shop.write(name, body)
    assert check(shop, tmp_path / "fresh").built == built


def test_files_that_change_back(shop: Site, tmp_path: Path) -> None:
    before = release(shop.store)
    old = (shop.src / "css/theme.css").read_text()
    shop.write("css/theme.css", "body { color: red }")
    check(shop, tmp_path / "one")
    shop.write("css/theme.css", old)
    check(shop, tmp_path / "two")
    assert release(shop.store) == before


def test_touched_files_are_read_once(shop: Site) -> None:
    shop.write("img/x.png", "x")
    renewed = shop.renew()
    assert renewed is not None
    assert renewed.built == frozenset()
    state = read_state(shop.store)
    assert state is not None
    assert state.suspects(shop.found()) == set()


@pytest.mark.parametrize("field", Stat._fields)
def test_another_file_of_the_same_name(shop: Site, field: str) -> None:
    """Of the same size, time and inode on another file system, or overwritten with the time set back."""
    state = read_state(shop.store)
    assert state is not None
    found = shop.found()
    assert state.suspects(found) == set()
    stat = found.stats["img/x.png"]
    found.stats["img/x.png"] = stat._replace(**{field: getattr(stat, field) - 1})
    assert state.suspects(found) == {"img/x.png"}


def test_times_that_are_still_to_come(shop: Site) -> None:
    """As an image has them whose maker's clock is ahead: all is read each time, and nothing is built."""
    sources = shop.found().sources
    for _ in range(2):
        for source in sources:
            os.utime(source.path, (4_000_000_000, 4_000_000_000))
        renewed = shop.renew()
        assert renewed is not None
        assert (renewed.read, renewed.built) == (len(sources), frozenset())


def test_sources_that_were_moved(shop: Site) -> None:
    """What is said of them names their places."""
    assert shop.renew() is not None
    shop.src = shop.src.rename(shop.src.with_name("moved"))
    assert shop.renew() is None
    assert {p.path for p in shop.whole().warnings} == {str(shop.src / "css/app.css")}


@pytest.mark.parametrize("field", ["changed", "noted"])
def test_a_file_written_a_moment_before_it_was_looked_at_is_read_again(shop: Site, field: str) -> None:
    """It may have been written again within the same tick of a coarse clock."""
    state = read_state(shop.store)
    assert state is not None
    found = shop.found()
    for seconds, suspects in ((1, {"img/x.png"}), (3, set())):
        stat = found.stats["img/x.png"]._replace(**{field: state.looked - seconds * 10**9})
        found.stats["img/x.png"] = stat
        assert replace(state, sources={**state.sources, "img/x.png": [*stat, True]}).suspects(found) == suspects


class Forgetful(LocalStore):
    """A folder that has no room left for what a run remembers."""

    def put(self, key: str, body: Body, **options: Any) -> Stored:
        if key == STATE_KEY:
            raise StoreError(key, "no space")
        return super().put(key, body, **options)


@pytest.mark.parametrize("body", ["x", "y"])
def test_what_was_published_stays_published_when_it_cannot_be_remembered(shop: Site, body: str) -> None:
    shop.write("img/x.png", body)
    state = read_state(shop.store)
    assert state is not None
    told: list[Event] = []
    store = Forgetful(shop.store.root)
    renewed = renew(shop.found(), state, store, MAKING, NO_CACHE, told.append)
    assert renewed is not None
    (notice,) = (event for event in told if isinstance(event, Notice))
    assert notice.text.startswith(f"{STATE_KEY}: no space. The release is whole and live")
    assert (Path(store.root) / "img/x.png").read_text() == body
    if body == "y":
        assert shop.renew() is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda site: site.write("new.css", "a{}"),
        lambda site: (site.src / "js/c.js").unlink(),
        lambda site: (Path(site.store.root) / "css/app.css").write_text("damaged"),
        lambda site: (Path(site.store.root) / "css/app.css").unlink(),
        lambda site: (Path(site.store.root) / "foreign.txt").write_text("x"),
        lambda site: site.store.put(POINTER_KEY, b'{"release": "other"}'),
        lambda site: site.store.put(POINTER_KEY, b""),
        lambda site: [p.write_text("{}") for p in (Path(site.store.root) / ".shipfiles/releases").iterdir()],
        lambda site: [p.write_text("{}") for p in (Path(site.store.root) / ".shipfiles/manifests").iterdir()],
        lambda site: site.write("img/logo-BWx3k2_9.png", "x"),
        lambda site: shutil.rmtree(site.store.root + "/css"),
    ],
)
def test_what_takes_a_whole_run(shop: Site, spoil) -> None:
    spoil(shop)
    assert shop.renew() is None


def test_damage_of_one_size_and_time_is_found_by_its_inode_or_not_at_all(shop: Site) -> None:
    # What --verify is for: nothing but reading tells.
    path = Path(shop.store.root) / "css/app.css"
    before = path.stat()
    with path.open("r+b") as file:
        file.write(b"X")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert shop.renew() is not None


def test_the_manifest_of_a_bundler_that_no_finder_lists(site: Site) -> None:
    site.write("dist/app-BWx3k2_9.js", "1")
    hidden = site.src.parent / "manifest.json"
    hidden.write_text("{}")
    site.whole()
    for seconds in (1_000_000_000, 4_000_000_000):
        os.utime(hidden, (seconds, seconds))
        assert site.renew() is not None
    hidden.write_text("[]")
    os.utime(hidden, (1_000_000_000, 1_000_000_000))
    assert site.renew() is None


def test_a_changed_file_of_a_bundler_takes_a_whole_run(site: Site) -> None:
    site.write("dist/app-BWx3k2_9.js", "1")
    site.write("dist/manifest.json", json.dumps({"app.js": {"file": "app-BWx3k2_9.js", "isEntry": True}}))
    site.whole()
    assert site.renew() is not None
    site.write("dist/manifest.json", "{}")
    assert site.renew() is None


def test_most_files_changed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    for i in range(10):
        site.write(f"{i}.css", f"a{i} {{ color: red }}")
    site.whole()
    for i in range(10):
        site.write(f"{i}.css", f"a{i} {{ color: red }}")
    assert site.renew() is not None
    site.write("0.css", "a{}")
    assert site.renew() is not None
    for i in range(3):
        site.write(f"{i}.css", "b{}")
    assert site.renew() is None


def test_errors_come_with_all_that_is_to_be_said(shop: Site) -> None:
    shop.write("js/c.js", "import './lost.js'")
    making = Making(RewriteConfig(), MAKING.compress, "/static/", {}, "staticfiles.json", 2)
    state = read_state(shop.store)
    assert state is not None
    before = release(shop.store)
    with pytest.raises(BrokenReferences) as caught:
        renew(shop.found(), state, shop.store, making, NO_CACHE, ignore)
    assert [p.text for p in caught.value.problems] == ["./lost.js"]
    assert {p.text for p in caught.value.warnings} == {"../img/lost.png"}
    assert caught.value.notes == ()
    assert release(shop.store) == before


@pytest.mark.parametrize("damage", [b"", b"{}", b"[]\n", b"x" * 64 + b"\n{}"])
def test_a_damaged_memory_is_none(shop: Site, damage: bytes) -> None:
    shop.store.put(STATE_KEY, damage)
    assert read_state(shop.store) is None


@given(st.integers(0, 2**31), st.binary(min_size=1, max_size=1))
def test_any_damaged_byte_of_the_memory_is_noticed(at: int, byte: bytes) -> None:
    from shipfiles.stores.memory import MemoryStore

    store = MemoryStore()
    write_state(
        store, State("s", "r", 1, "p", {"a": [1, 2, 3, 4, 5, True]}, {}, frozenset(), frozenset(), "o", {}), ignore
    )
    body = bytearray(read_all(store, STATE_KEY) or b"")
    at %= len(body)
    same = body[at : at + 1] == byte
    body[at : at + 1] = byte
    store.put(STATE_KEY, bytes(body))
    assert (read_state(store) is not None) == same


class Killed(BaseException):
    """Stands for the end of the process: nothing may catch it and go on."""


class Dying(LocalStore):
    """A store that dies at one of its writes, before or after it took effect."""

    left = 10**6
    after = False

    def _step(self, work: Any) -> Any:
        self.left -= 1
        if self.left < 0 or (self.left == 0 and not self.after):
            raise Killed
        result = work()
        if self.left == 0:
            raise Killed
        return result

    def put(self, key: str, body: Any, **options: Any) -> Any:
        return self._step(lambda: LocalStore.put(self, key, body, **options))

    def copy(self, source: str, target: str, **options: Any) -> Any:
        return self._step(lambda: LocalStore.copy(self, source, target, **options))

    def delete(self, keys: Any) -> None:
        for key in keys:
            self._step(lambda key=key: LocalStore.delete(self, [key]))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("step", range(1, 26))
def test_killed_at_any_write_the_live_release_is_whole_and_the_next_run_heals(
    shop: Site, tmp_path: Path, step: int, after: bool
) -> None:
    before = release(shop.store)
    shop.write("img/x.png", "other")
    shop.write("js/c.js", "short")
    shop.store = Dying(shop.store.root)
    shop.store.left, shop.store.after = step, after
    with suppress(Killed):
        shop.renew()
    shop.store = LocalStore(shop.store.root)
    live = release(shop.store)
    entries = load(live[next(key for key in live if "/manifests/" in key)], "").entries.values()
    for entry in entries:
        body = read_all(shop.store, entry.name) or b""
        assert (len(body), digest_bytes(body)) == (entry.size, entry.digest)
        for token in entry.codings:
            assert read_all(shop.store, entry.name + suffix(token)) is not None
    assert live[POINTER_KEY] == before[POINTER_KEY] or {e.logical for e in entries} == {*shop.found().stats}
    # What changed is found either way: by the memory, or because that does not fit what is there.
    if shop.renew() is None:
        shop.whole()
    check(shop, tmp_path / "fresh")


def check_or_whole(site: Site, folder: Path) -> None:
    """The next run, whichever way it takes, leaves what a whole run leaves in an empty place."""
    if site.renew() is None:
        site.whole()
    fresh = LocalStore(str(folder))
    whole = site.whole(fresh)
    assert release(site.store) == release(fresh)
    kept = read_state(site.store)
    assert kept is not None
    assert facts(kept) == facts(whole)


WORKER = "importScripts('../lib/a.js');" + "w();\n" * 60
CHAIN = {"app/worker.js": WORKER, "lib/a.js": "importScripts('./b.js');", "lib/b.js": "importScripts('./c.js');"}


@pytest.mark.parametrize(
    "changes",
    [
        # HTML Standard, "import scripts into worker global scope": './b.js' is then app/b.js, not lib/b.js.
        [{"app/worker.js": "w();"}, {"app/worker.js": WORKER}, {"app/worker.js": "w();"}],
        [CHAIN, {"lib/c.js": "other();"}],
        [CHAIN, {"lib/b.js": "other();"}, {"lib/b.js": CHAIN["lib/b.js"]}],
        [CHAIN, {"lib/a.js": CHAIN["lib/a.js"] + "//"}],
        [{"lib/a.js": CHAIN["lib/a.js"]}, {"lib/b.js": "other();"}, {"app/worker.js": WORKER}],
    ],
)
def test_scripts_of_workers(site: Site, tmp_path: Path, changes: list[dict[str, str]]) -> None:
    for name in (*CHAIN, "lib/c.js", "app/b.js"):
        site.write(name, CHAIN.get(name, "0;"))
    site.whole()
    for number, change in enumerate(changes):
        for name, body in change.items():
            site.write(name, body)
        check_or_whole(site, tmp_path / f"fresh{number}")


NAMES = [f"{folder}/{stem}.{kind}" for folder in "ab" for stem in "xyz" for kind in ("css", "js")]


def body_of(name: str, targets: list[str], salt: int) -> str:
    if name.endswith(".css"):
        return "".join(f"@import '/static/{t}';" for t in targets) + f"a{{order:{salt}}}\n" * 20
    return "".join(f"import '/static/{t}';" for t in targets) + f"x({salt});\n" * 40


EDIT = st.tuples(st.sampled_from(NAMES), st.lists(st.sampled_from([*NAMES, "lost.css"]), max_size=3), st.integers(0, 2))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.lists(EDIT, min_size=12, max_size=30), rounds=st.lists(st.lists(EDIT, max_size=4), min_size=1, max_size=4)
)
def test_any_changes(tmp_path_factory, monkeypatch, first, rounds) -> None:
    monkeypatch.setattr(module, "MOST", 1.0)
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder)
    for name in NAMES:
        site.write(name, body_of(name, [], 0))
    for edit in first:
        site.write(edit[0], body_of(*edit))
    site.whole()
    for number, edits in enumerate(rounds):
        for edit in edits:
            site.write(edit[0], body_of(*edit))
        check(site, folder / f"fresh{number}")


SCRIPTS = ["a/w.js", "a/x.js", "b/x.js", "b/y.js", "b/z.js"]
IMPORT = st.tuples(st.sampled_from(SCRIPTS), st.lists(st.sampled_from([*SCRIPTS, "b/lost.js"]), max_size=2))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.lists(IMPORT, max_size=6),
    rounds=st.lists(st.lists(IMPORT, min_size=1, max_size=2), min_size=1, max_size=4),
)
def test_any_changes_of_scripts_of_workers(tmp_path_factory, monkeypatch, first, rounds) -> None:
    monkeypatch.setattr(module, "MOST", 1.0)
    folder = tmp_path_factory.mktemp("site")
    site = Site(folder)

    def load(name: str, targets: list[str]) -> None:
        lines = [f"importScripts('{os.path.relpath(target, os.path.dirname(name))}');\n" for target in targets]
        site.write(name, "".join(lines) + f"{len(lines)};\n" * 40)

    for name in SCRIPTS:
        load(name, [])
    for edit in first:
        load(*edit)
    site.whole()
    for number, edits in enumerate(rounds):
        for edit in edits:
            load(*edit)
        check_or_whole(site, folder / f"fresh{number}")
