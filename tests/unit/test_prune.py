"""What a prune keeps, what it deletes and frees, and what a kill leaves of it."""

from __future__ import annotations

import gzip
import itertools
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.find import ignore_matcher, select, walk
from shipfiles.build.pipeline import Build, build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.digest import digest_bytes
from shipfiles.durations import duration_text, parse_duration
from shipfiles.errors import ReleaseError, StoreError, UnknownRelease
from shipfiles.events import Changed, Notice, ignore
from shipfiles.manifest import Manifest, dump, load
from shipfiles.model import Entry, SourceFile, Variant
from shipfiles.records import (
    POINTER_KEY,
    Activation,
    Pointer,
    Record,
    dump_pointer,
    dump_record,
    manifest_key,
    read_pointer,
    record_key,
)
from shipfiles.release.activate import activate
from shipfiles.release.catalog import manifest_of, record_of_release, records_of
from shipfiles.release.clocks import check_clocks
from shipfiles.release.listed import listed
from shipfiles.release.prune import PrunePlan, plan_prune, prune
from shipfiles.release.publish import publish, publish_plain
from shipfiles.release.retention import Terms, ends_of, kept_releases
from shipfiles.release.verify import verify
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Store, read_all

from .test_publish import Dying, Folding, Killed, check_whole

FAST = CompressConfig(codings=("gzip",), gzip_level=1)
DAY = timedelta(days=1)
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
BUT_LOCKS = {".shipfiles/lock", ".shipfiles/swap"}


def made(root: Path) -> Build:
    files = [SourceFile(logical, path) for logical, path in walk(str(root), ignore_matcher([]))]
    return build(select(files).sources, RewriteConfig())


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return MemoryStore() if request.param == "memory" else LocalStore(str(tmp_path / "root"))


def site(number: int) -> dict[str, str | bytes]:
    """The files of release r<number>: some change with each, one is of one alone, one never changes."""
    return {
        "app.css": f"@import 'part.css';\n/* {number} */\n" + "p { color: red }\n" * 40,
        "part.css": f"q {{ top: {number}px }}\n" + "p { color: red }\n" * 40,
        f"only{number}.txt": f"{number}",
        "logo.png": b"\x89PNG" * 100,
    }


def deploy(store: Store, root: Path, number: int, *, link: bool = False) -> None:
    root.mkdir(exist_ok=True)
    for old in root.iterdir():
        old.unlink()
    for name, body in site(number).items():
        (root / name).write_bytes(body if isinstance(body, bytes) else body.encode())
    publish(made(root), store, FAST, release=f"r{number}", link=link, workers=1)


def backdate(store: Store, days: Iterable[float], at: datetime) -> None:
    """Let r1, r2, ... have been made, and have become current, so many days before ``at``."""
    times = {f"r{number}": (at - age * DAY).replace(microsecond=0) for number, age in enumerate(days, start=1)}
    for record in records_of(store).values():
        store.put(record_key(record.release), dump_record(replace(record, made=times[record.release])))
    store.put(POINTER_KEY, dump_pointer(Pointer(tuple(Activation(release, when) for release, when in times.items()))))


def later() -> datetime:
    """A time at which all that was put before is old."""
    return datetime.now(tz=UTC) + 100 * DAY


def keys(store: Store) -> set[str]:
    return {stored.key for stored in store.list()} - BUT_LOCKS


def planned(store: Store, *, keep: int = 1, days: float = 0, at: datetime | None = None, **more) -> PrunePlan:
    return plan_prune(store, keep=keep, younger_than=days * DAY, at=at or later(), **more)


def expected(store: Store, releases: Iterable[str]) -> set[str]:
    """All keys of these releases and what tells of them, by the manifests and the layout alone."""
    found = {POINTER_KEY, "staticfiles.json"}
    for release in releases:
        record = record_of_release(store, release)
        found |= {*manifest_of(store, record).keys(), record_key(release), manifest_key(record.manifest)}
    return found


def test_only_what_no_kept_release_has_is_deleted(store: Store, tmp_path: Path) -> None:
    store.put("upload.txt", b"not ours")
    for number in (1, 2, 3, 4):
        deploy(store, tmp_path / "src", number)
    wanted = expected(store, ["r3", "r4"])
    before = keys(store)
    plan = planned(store)
    assert keys(store) == before
    assert plan.dropped == ["r2", "r1"]
    assert plan.kept == {"r4": "current", "r3": "current before this one"}
    done = prune(store, plan)
    assert done.sweep == plan.sweep
    assert keys(store) == {*wanted, "upload.txt"}
    for release in ("r3", "r4"):
        check_whole(store, manifest_of(store, record_of_release(store, release)), plain=release == "r4")
    assert "only2.txt" not in keys(store)
    assert planned(store).is_empty


def test_what_it_frees_is_what_the_disk_gets_less_by(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    for number in (1, 2, 3, 4):
        deploy(store, tmp_path / "src", number)

    def used() -> int:
        return sum({(s := p.lstat()).st_ino: s.st_size for p in (tmp_path / "root").rglob("*") if p.is_file()}.values())

    plan = planned(store)
    small = sum((store.head(key) or pytest.fail(key)).size for key in [*plan.records, *plan.manifests])
    before = used()
    prune(store, plan)
    assert plan.bytes == before - used() - small
    assert plan.bytes == sum(part.bytes for part in plan.parts)
    # only1.txt, its asset; the style sheets' assets and variants, and what keeps the plain copy of one of them.
    assert [part.files for part in plan.parts] == [8, 8]
    assert all(part.bytes for part in plan.parts)


def test_a_hard_link_from_elsewhere_keeps_the_bytes(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    without = planned(store).bytes
    os.link(store.path("only1.txt"), tmp_path / "elsewhere")
    assert planned(store).bytes == without - len("1")


def test_where_nothing_is_shared_every_key_counts(tmp_path: Path) -> None:
    store = MemoryStore()
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    plan = planned(store)
    assert plan.bytes == sum(plan.sweep.values()) > 0


# What is kept.


def record(release: str, days: float) -> Record:
    return Record(release, NOW - days * DAY, record_digest)


record_digest = "sha384-" + "A" * 64


def kept(ages, history, *, keep: int = 0, days: float = 0, **more) -> set[str]:
    """What is kept of releases that were made, and became current, so many days ago."""
    pointer = Pointer(tuple(Activation(release, NOW - age * DAY) for release, age in history))
    terms = Terms(keep, days * DAY, **more)
    return set(kept_releases([record(release, age) for release, age in ages.items()], pointer, terms, NOW))


def test_the_current_release_and_the_one_before_it_stay_whatever_the_terms() -> None:
    ages = {"a": 90, "b": 80, "c": 70, "d": 60}
    assert kept(ages, [("a", 90), ("b", 80), ("c", 70), ("d", 60)]) == {"d", "c"}
    # Rolled back, from the newest to the oldest.
    assert kept(ages, [("a", 90), ("b", 80), ("d", 60), ("a", 50)]) == {"a", "d"}
    assert kept(ages, [("a", 90)]) == {"a"}


def test_the_newest_stay_also_if_they_never_were_current() -> None:
    ages = {"a": 90, "b": 80, "c": 70, "d": 60, "e": 50}
    assert kept(ages, [("a", 90), ("b", 80)], keep=2) == {"a", "b", "d", "e"}


def test_the_young_and_the_protected_stay() -> None:
    ages = {"a": 90, "b": 80, "c": 6.9, "d": 60, "e": 50}
    assert kept(ages, [("d", 60), ("e", 50)], days=7) == {"c", "d", "e"}
    assert kept(ages, [("d", 60), ("e", 50)], protected=frozenset({"a"})) == {"a", "d", "e"}


def test_what_counts_is_when_a_release_stopped_being_current() -> None:
    """Pages live on in HTML caches: a release that was current until yesterday is in them, however old it is."""
    ages = {"old": 90, "a": 5, "b": 4, "c": 3}
    assert kept(ages, [("old", 90), ("a", 5), ("b", 4), ("c", 3)], days=7) == {"old", "a", "b", "c"}
    assert kept(ages, [("old", 90), ("a", 5), ("b", 4), ("c", 3)], days=4.5) == {"a", "b", "c"}
    # Current for the second time until two days ago.
    history = [("old", 90), ("a", 80), ("old", 60), ("b", 2), ("c", 1.9), ("d", 1.8)]
    ages = {"old": 90, "a": 80, "b": 70, "c": 65, "d": 61}
    assert kept(ages, history, days=1.95) == {"b", "c", "d"}
    assert kept(ages, history, days=2.1) == {"old", "b", "c", "d"}


def test_a_clock_that_went_wrong_drops_neither_the_current_release_nor_the_one_before_it() -> None:
    ages = {"a": 90.0, "b": 60, "c": 20_000, "d": 0.001}
    # "c" was made, and "b" replaced by it, when the clock was decades behind; then it was put right. "b" was current
    # until minutes ago.
    history = [("a", 90.0), ("b", 60), ("c", 20_000), ("d", 0.001)]
    assert kept(ages, history, days=1) == {"b", "c", "d"}
    # Ahead by decades when "c" was made: that is no reason to drop or to keep "a".
    ages, history = {**ages, "c": -20_000}, [("a", 90), ("b", 60), ("c", -20_000), ("d", 0.001)]
    assert kept(ages, history, days=1) == {"b", "c", "d"}
    # The clock of the prune itself is behind, or ahead.
    for wrong in (-20_000, 20_000):
        at = NOW + wrong * DAY
        ages = {"a": 9, "b": 8, "c": 7}
        pointer = Pointer(tuple(Activation(release, NOW - age * DAY) for release, age in ages.items()))
        records = [record(release, age) for release, age in ages.items()]
        assert {"b", "c"} <= set(kept_releases(records, pointer, Terms(0, 7 * DAY), at))


@settings(max_examples=300, deadline=None)
@given(
    hours=st.lists(st.integers(-10_000, 10_000), min_size=1, max_size=8),
    order=st.lists(st.integers(0, 7), min_size=1, max_size=12),
    at=st.integers(-20_000, 20_000),
    keep=st.integers(0, 3),
    days=st.integers(0, 30),
)
def test_whatever_the_clocks_say_the_last_two_stay(hours, order, at, keep, days) -> None:
    order = [number % len(hours) for number in order]
    history = [n for i, n in enumerate(order) if i == 0 or order[i - 1] != n]
    records = [Record(f"r{n}", NOW + timedelta(hours=h), record_digest) for n, h in enumerate(hours)]
    pointer = Pointer(tuple(Activation(f"r{n}", NOW + timedelta(hours=hours[n])) for n in history))
    found = kept_releases(records, pointer, Terms(keep, days * DAY), NOW + timedelta(hours=at))
    assert {f"r{n}" for n in history[-2:]} <= found.keys()
    assert len(found) >= min(keep, len(records))
    assert ends_of(pointer, NOW)[f"r{history[-1]}"] >= NOW


def test_a_history_that_is_cut_off_keeps_all() -> None:
    """500 activations are remembered: what was before them may have been current a moment ago."""
    history = [("a" if n % 2 else "b", 0.5 - n / 10_000) for n in range(500)]
    assert kept({"a": 90, "b": 80, "z": 95}, history, days=1) == {"a", "b", "z"}
    assert kept({"a": 90, "b": 80, "z": 95}, history, days=0.1) == {"a", "b"}


def test_what_was_made_by_a_clock_that_was_ahead_takes_no_others_place() -> None:
    ages = {"f1": -9000, "f2": -9001, "f3": -9002, "a": 90, "b": 80, "c": 70, "d": 60}
    assert kept(ages, [("c", 70), ("d", 60)], keep=3) == {"f1", "f2", "f3", "b", "c", "d"}


def test_a_history_that_was_lost_keeps_what_may_have_been_current(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3, 4, 5):
        deploy(store, tmp_path / "src", number)
    backdate(store, [50, 40, 30, 20, 10], datetime.now(tz=UTC))
    store.put(POINTER_KEY, b'{"schema": 1, "rel')
    activate(store, "r3")
    soon = datetime.now(tz=UTC) + timedelta(hours=2)
    assert planned(store, at=soon, days=7, keep=0).dropped == []
    # Of those that may have been current before it at least the newest stays.
    assert planned(store, at=soon + 8 * DAY, days=7, keep=0).dropped == ["r4", "r2", "r1"]
    deploy(store, tmp_path / "src", 6)
    assert planned(store, at=soon, days=7, keep=0).dropped == []
    assert planned(store, at=soon + 8 * DAY, days=7, keep=0).dropped == ["r5", "r4", "r2", "r1"]


@pytest.mark.parametrize("others", [False, True])
def test_where_there_never_was_a_pointer_none_was_lost(store: Store, tmp_path: Path, others: bool) -> None:
    if others:
        deploy(store, tmp_path / "src", 1)
        store.delete([POINTER_KEY])
    deploy(store, tmp_path / "src", 2)
    pointer = read_pointer(partial(read_all, store))
    assert pointer is not None
    assert (pointer.lost is not None) == others


def test_clocks_that_differ_are_an_error(tmp_path: Path) -> None:
    at = datetime.now(tz=UTC)
    for hours, fits in [(0, True), (-24, False), (24, False), (0.1, True), (-0.1, True)]:
        store = MemoryStore(clock=lambda hours=hours: at.timestamp() + hours * 3600)
        if fits:
            check_clocks(store, ignore, lambda: at)
        else:
            with pytest.raises(ReleaseError, match=r"(?s)clock of this machine.*nothing was deleted"):
                check_clocks(store, ignore, lambda: at)
        assert not keys(store)
    check_clocks(LocalStore(str(tmp_path / "root")), ignore)
    # A disk that is full, or that may only be read, is no clock.
    (tmp_path / "file").touch()
    check_clocks(LocalStore(str(tmp_path / "file")), ignore)


def test_a_kill_while_clocks_are_compared_leaves_nothing(tmp_path: Path, monkeypatch) -> None:
    store = LocalStore(str(tmp_path / "root"))
    deploy(store, tmp_path / "src", 1)
    with monkeypatch.context() as patched:
        # As by kill -9: neither the temporary file nor the lock's mark is put right.
        for name in ("link", "replace", "unlink"):
            patched.setattr(os, name, dies)
        patched.setattr("shipfiles.stores.local._FREE", b"+")
        with pytest.raises(Killed):
            check_clocks(store, ignore)
    assert [*(tmp_path / "root").rglob(".shipfiles-*")]
    deploy(store, tmp_path / "src", 2)
    assert not [*(tmp_path / "root").rglob(".shipfiles-*")]


def dies(*_: object) -> None:
    raise Killed


# What is not deleted.


def test_what_was_put_a_moment_ago_waits_and_the_next_prune_finds_it(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    wanted = expected(store, ["r2", "r3"])
    backdate(store, [30, 20, 10], datetime.now(tz=UTC))
    before = keys(store)
    for _ in range(2):
        soon = planned(store, at=datetime.now(tz=UTC))
        assert (soon.dropped, soon.held, soon.waiting, soon.is_empty) == ([], ["r1"], 8, True)
        assert soon.kept["r1"] == "until none of its files was put there less than 1h ago"
        prune(store, soon)
        assert keys(store) == before
    check_whole(store, manifest_of(store, record_of_release(store, "r1")), plain=False)
    plan = planned(store)
    assert [(part.release, part.files) for part in plan.parts] == [("r1", 8)]
    prune(store, plan)
    assert keys(store) == wanted


def test_a_release_of_which_one_file_is_young_stays_whole_and_others_go(tmp_path: Path) -> None:
    moments = itertools.count(1000)
    store = MemoryStore(clock=lambda: float(next(moments)))
    for number in (1, 2, 3, 4):
        deploy(store, tmp_path / "src", number)
    name = manifest_of(store, record_of_release(store, "r2")).entries["only2.txt"].name
    before = store.head(name)
    store.put(name, b"2")
    after = store.head(name)
    assert before is not None
    assert after is not None
    backdate(store, [30, 20, 10, 5], datetime.fromtimestamp(after.modified, UTC))
    grace = timedelta(seconds=0.5)
    plan = planned(store, at=datetime.fromtimestamp(after.modified, UTC), grace=grace)
    assert (plan.dropped, plan.held, plan.waiting) == (["r1"], ["r2"], 1)
    wanted = expected(store, ["r2", "r3", "r4"])
    prune(store, plan)
    # The plain name of its own stays with it.
    assert keys(store) == wanted


def test_after_a_change_of_owner_the_next_prune_is_the_same(tmp_path: Path) -> None:
    """``chmod -R`` and ``chown -R`` make every file look new; nothing may vanish meanwhile but what is deleted."""
    store = LocalStore(str(tmp_path / "root"))
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    backdate(store, [30, 20, 10], datetime.now(tz=UTC))
    for path in (tmp_path / "root").rglob("*"):
        path.chmod(0o755)
    prune(store, planned(store, at=datetime.now(tz=UTC)))
    assert set(records_of(store)) == {"r1", "r2", "r3"}
    plan = planned(store, at=datetime.now(tz=UTC) + timedelta(hours=2))
    assert [(part.release, part.files) for part in plan.parts] == [("r1", 8)]


@pytest.mark.parametrize("folder", ["releases", "manifests"])
@pytest.mark.parametrize("name", [".DS_Store", "._r1.json", ".nfs000000001", "r1.json.bak", "r1.json~", "sub/r1.json"])
def test_a_file_that_is_none_of_ours_beside_records_and_manifests_is_left_alone(
    store: Store, tmp_path: Path, folder: str, name: str
) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    store.put(f".shipfiles/{folder}/{name}", b"theirs")
    told: list[object] = []
    assert list(records_of(store, told.append)) == ["r1", "r2", "r3"]
    wanted = expected(store, ["r2", "r3"])
    prune(store, planned(store, listener=told.append), told.append)
    assert keys(store) == {*wanted, f".shipfiles/{folder}/{name}"}
    verified = verify(store)
    assert (verified.faults, verified.notes) == ([], [])
    assert not any(isinstance(event, Notice) for event in told)


@pytest.mark.parametrize("where", ["a circle", "a name that is too long"])
def test_a_link_that_cannot_be_followed_is_no_hindrance(tmp_path: Path, where: str) -> None:
    store = LocalStore(str(tmp_path / "root"))
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    link = tmp_path / "root/link"
    link.symlink_to(link if where == "a circle" else "/" + "x" * 300)
    with pytest.raises(OSError, match=r"symbolic links|too long"):
        link.stat()
    prune(store, planned(store))
    assert list(records_of(store)) == ["r2", "r3"]
    assert link.is_symlink()


def test_what_a_file_system_may_take_for_another_is_found_when_that_is_not_needed_any_more(tmp_path: Path) -> None:
    store = MemoryStore()
    root = tmp_path / "src"
    root.mkdir()
    for number, name in enumerate(["Logo.txt", "logo.txt", "logo.txt", "x.txt", "y.txt"], start=1):
        for old in root.iterdir():
            old.unlink()
        (root / name).write_text("same")
        (root / "z.txt").write_text(str(number))
        publish(made(root), store, FAST, release=f"r{number}", workers=1)
        if number == 3:
            plan = planned(store)
            twins = {"Logo.txt", next(key for key in keys(store) if key.startswith("Logo.") and key != "Logo.txt")}
            assert (plan.dropped, {*plan.spared}) == (["r1"], twins)
            prune(store, plan)
            assert twins <= keys(store)
            assert planned(store).is_empty
    prune(store, planned(store))
    assert keys(store) == expected(store, ["r4", "r5"])


def test_what_a_run_that_has_not_ended_put_there_stays(store: Store, tmp_path: Path) -> None:
    """A manifest without a record belongs to it; also files that an old release had, too."""
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    body = read_all(store, manifest_key(record_of_release(store, "r1").manifest)) or b""
    backdate(store, [30, 20, 10], datetime.now(tz=UTC))
    # The run has the files of r1 with one more, whose manifest it has just put.
    manifest = load(body, "")
    other = dump(replace(manifest, compress="other"))
    store.put(manifest_key(digest_bytes(other)), other)
    plan = planned(store, at=datetime.now(tz=UTC), grace=timedelta(0), days=1)
    assert plan.dropped == ["r1"]
    assert not plan.sweep


def test_what_no_manifest_names_is_never_touched(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", 1)
    theirs = ["only1.txt.bak", "app.0123456789ab.css", ".shipfiles/other.json", "only1.txt.br"]
    for key in theirs:
        store.put(key, b"theirs")
    for number in (2, 3):
        deploy(store, tmp_path / "src", number)
    prune(store, planned(store))
    assert "only1.txt" not in keys(store)
    assert set(theirs) <= keys(store)


def test_a_plain_name_that_somebody_else_took_stays(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    store.put("only1.txt", b"x")
    plan = planned(store)
    assert plan.foreign == ["only1.txt"]
    prune(store, plan)
    assert read_all(store, "only1.txt") == b"x"


def test_what_stock_django_made_live_stays(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    name = manifest_of(store, record_of_release(store, "r1")).entries["only1.txt"].name
    store.put("staticfiles.json", b'{"version": "1.1", "paths": {"only1.txt": "%s"}, "hash": ""}' % name.encode())
    prune(store, planned(store))
    assert {"only1.txt", name} <= keys(store)


def test_a_name_that_differs_by_case_is_the_kept_one_on_some_systems(tmp_path: Path) -> None:
    store = Folding()
    for number, name in enumerate(["Logo.txt", "x.txt", "logo.txt"], start=1):
        root = tmp_path / str(number)
        root.mkdir()
        (root / name).write_text("same")
        publish(made(root), store, FAST, release=f"r{number}")
    manifest = manifest_of(store, record_of_release(store, "r3"))
    plan = planned(store)
    assert plan.dropped == ["r1"]
    prune(store, plan)
    check_whole(store, manifest)


def test_links_to_sources_go_but_not_the_sources(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    deploy(store, tmp_path / "one", 1, link=True)
    for number in (2, 3):
        deploy(store, tmp_path / "src", number)
    assert os.path.islink(store.path("only1.txt"))
    (tmp_path / "one" / "only1.txt").rename(tmp_path / "kept")
    prune(store, planned(store))
    assert not os.path.lexists(store.path("only1.txt"))
    assert (tmp_path / "kept").read_text() == "1"


def test_a_link_that_somebody_else_made_stays(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    os.unlink(store.path("only1.txt"))
    os.symlink(tmp_path / "src/logo.png", store.path("only1.txt"))
    plan = planned(store)
    assert plan.foreign == ["only1.txt"]
    prune(store, plan)
    assert os.path.islink(store.path("only1.txt"))


# What is not what the manifests say, or was changed after the plan was made.


def test_what_somebody_puts_there_after_the_plan_stays(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    manifest = manifest_key(record_of_release(store, "r1").manifest)
    plan = planned(store)
    assert "only1.txt" in plan.sweep
    store.put("only1.txt", b"2")  # of the same size
    told: list[object] = []
    done = prune(store, plan, told.append)
    assert read_all(store, "only1.txt") == b"2"
    assert done.changed == ["only1.txt"]
    assert done.sweep.keys() == plan.sweep.keys() - {"only1.txt"}
    assert [part.files for part in done.parts] == [7]
    assert any(isinstance(event, Notice) and "Left in place: only1.txt: changed" in event.text for event in told)
    # The manifest that names it stays for the next time, which knows better.
    assert manifest in keys(store)
    plan = planned(store)
    assert (plan.foreign, plan.manifests) == (["only1.txt"], [manifest])


def test_what_a_run_copies_after_the_plan_stays(store: Store, tmp_path: Path) -> None:
    """``collectstatic --no-post-process`` changes no release, and may put a plain name back."""
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    plan = planned(store)
    (tmp_path / "src/only1.txt").write_text("of the run")
    publish_plain(made(tmp_path / "src"), store, workers=1)
    prune(store, plan)
    assert read_all(store, "only1.txt") == b"of the run"


def test_a_file_that_was_put_anew_with_the_same_bytes_stays(tmp_path: Path) -> None:
    """It may be needed again: only what nobody has touched goes."""
    store = LocalStore(str(tmp_path / "root"))
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    plan = planned(store)
    (tmp_path / "mine").write_text("1")
    os.replace(tmp_path / "mine", store.path("only1.txt"))
    prune(store, plan)
    assert (tmp_path / "root/only1.txt").read_text() == "1"


def test_what_is_gone_after_the_plan_is_nobodys_loss(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    plan = planned(store)
    store.delete(["only1.txt"])
    told: list[object] = []
    assert prune(store, plan, told.append).changed == ()
    assert not any(isinstance(event, Changed) and event.key == "only1.txt" for event in told)
    assert keys(store) == expected(store, ["r2", "r3"])


def test_what_stock_django_makes_live_after_the_plan_stays(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    name = manifest_of(store, record_of_release(store, "r1")).entries["only1.txt"].name
    plan = planned(store)
    store.put("staticfiles.json", b'{"version": "1.1", "paths": {"only1.txt": "%s"}, "hash": ""}' % name.encode())
    prune(store, plan)
    assert {"only1.txt", name} <= keys(store)


def claim(store: Store, entry: Entry) -> None:
    """Let there be an old release that says this of a file, as an import may bring one."""
    body = dump(Manifest({entry.logical: entry}))
    store.put(manifest_key(digest_bytes(body)), body)
    store.put(record_key("evil"), dump_record(Record("evil", NOW, digest_bytes(body), 1, entry.size)))


@pytest.mark.parametrize("size", [17, 18])
@pytest.mark.parametrize("key", ["backup/db.tar", "backup/db.tar.gz", "logo.0123456789ab.png"])
def test_a_manifest_that_claims_the_files_of_others_gets_none(
    store: Store, tmp_path: Path, key: str, size: int
) -> None:
    theirs = b"not what it says!"
    assert len(theirs) == 17
    store.put(key, theirs)
    for number in (2, 3):
        deploy(store, tmp_path / "src", number)
    name, packed = key.removesuffix(".gz"), b"y" * size
    variants = {"gzip": Variant(size, digest_bytes(packed))} if key != name else {}
    body = b"x" * size
    claim(store, Entry("z.txt", name, size, digest_bytes(body), "text/plain", variants))
    plan = planned(store)
    assert plan.dropped == ["evil"]
    assert plan.foreign == [key]
    prune(store, plan)
    assert read_all(store, key) == theirs


def test_a_manifest_that_claims_the_file_by_its_own_digest_may_have_it(store: Store, tmp_path: Path) -> None:
    """As under a name that a bundler gave."""
    store.put("js/main-aB3dE5gH.js", b"bundled")
    for number in (2, 3):
        deploy(store, tmp_path / "src", number)
    name = "js/main-aB3dE5gH.js"
    claim(store, Entry(name, name, 7, digest_bytes(b"bundled"), "text/javascript"))
    prune(store, planned(store))
    assert name not in keys(store)


def test_a_variant_that_was_made_anew_with_other_settings_goes_with_its_file(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    name = manifest_of(store, record_of_release(store, "r1")).entries["app.css"].name
    body = read_all(store, name)
    assert body is not None
    store.put(name + ".gz", gzip.compress(body, 0))
    plan = planned(store)
    assert (plan.foreign, name + ".gz" in plan.sweep) == ([], True)
    store.put(name + ".gz", gzip.compress(b"something else", 0))
    assert planned(store).foreign == [name + ".gz"]


def test_a_link_of_a_persons_own_stays_where_a_release_had_one(tmp_path: Path) -> None:
    store = LocalStore(str(tmp_path / "root"))
    deploy(store, tmp_path / "one", 1, link=True)
    for number in (2, 3):
        deploy(store, tmp_path / "src", number)
    here = store.path("only1.txt")
    (tmp_path / "mine.txt").write_text("1")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/only1.txt").write_text("mine")
    for target in (tmp_path / "mine.txt", tmp_path / "gone.txt", tmp_path / "data/only1.txt"):
        os.unlink(here)
        os.symlink(target, here)
        assert planned(store).foreign == ["only1.txt"]
    os.unlink(here)
    os.symlink(tmp_path / "one/only1.txt", here)
    plan = planned(store)
    assert plan.foreign == []
    # Another link takes its place before it goes.
    os.unlink(here)
    os.symlink(tmp_path / "mine.txt", here)
    assert prune(store, plan).changed == ["only1.txt"]
    assert os.readlink(here) == str(tmp_path / "mine.txt")


# When it cannot be known.


def damages(store: Store, what: str) -> str:
    kept_manifest = manifest_key(record_of_release(store, "r2").manifest)
    known = {"pointer": POINTER_KEY, "record": record_key("r1"), "current record": record_key("r3")}
    key = known.get(what, kept_manifest)
    if what in ("missing", "current record"):
        store.delete([key])
    elif what == "other bytes":
        store.put(key, (read_all(store, key) or b"").replace(b"logo.png", b"logo.gif"))
    else:
        store.put(key, b'{"schema": 99, "files": {}}' if what == "newer" else b"{half")
    return key


@pytest.mark.parametrize("what", ["pointer", "record", "current record", "missing", "other bytes", "newer", "half"])
def test_with_anything_damaged_that_is_needed_nothing_is_deleted(store: Store, tmp_path: Path, what: str) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    good = planned(store)
    key = damages(store, what)
    before = keys(store)
    with pytest.raises(ReleaseError, match=r"nothing was deleted") as error:
        planned(store)
    assert key in str(error.value)
    with pytest.raises(ReleaseError, match=r"nothing was deleted"):
        prune(store, replace(good, basis=""))
    assert keys(store) == before


def test_without_a_pointer_nothing_is_deleted(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="There is no current release"):
        planned(store)


def test_a_damaged_manifest_of_a_dropped_release_stays_with_what_only_it_names(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        deploy(store, tmp_path / "src", number)
    manifest = manifest_key(record_of_release(store, "r1").manifest)
    store.put(manifest, b"{")
    told: list[object] = []
    plan = planned(store, listener=told.append)
    assert any(isinstance(event, Notice) and manifest in event.text for event in told)
    prune(store, plan)
    assert {manifest, "only1.txt"} <= keys(store)
    assert "only2.txt" not in keys(store)
    assert list(records_of(store)) == ["r3", "r4"]


def test_an_unknown_release_cannot_be_protected(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", 1)
    with pytest.raises(UnknownRelease, match="r9"):
        planned(store, protect=["r9"])


# Between plan and deed, and killed within.


def test_what_became_current_since_the_plan_was_made_stays(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        deploy(store, tmp_path / "src", number)
    plan = planned(store)
    assert plan.dropped == ["r2", "r1"]
    pointer = read_pointer(partial(read_all, store))
    assert pointer is not None
    store.put(POINTER_KEY, dump_pointer(pointer.moved("r1", NOW, digest_bytes(b""))))
    deploy(store, tmp_path / "src", 5)
    done = prune(store, plan)
    # Not r3 either, which nobody was asked about.
    assert done.dropped == ["r2"]
    assert set(records_of(store)) == {"r1", "r3", "r4", "r5"}


@settings(max_examples=60, deadline=None)
@given(steps=st.integers(1, 32), after=st.booleans(), again=st.integers(1, 12))
def test_killed_at_any_write_the_kept_are_whole_and_the_next_prune_finishes(steps, after, again, tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    store = MemoryStore()
    for number in (1, 2, 3, 4):
        deploy(store, folder / "src", number)
    wanted = expected(store, ["r3", "r4"])
    for count in (steps, again):
        dying = Dying(store, count, after=after)
        with suppress(Killed):
            prune(dying, planned(dying))
        assert wanted <= keys(store)
        for release in ("r3", "r4"):
            check_whole(store, manifest_of(store, record_of_release(store, release)), plain=release == "r4")
    # Whatever is left has a manifest by which the next one finds it.
    prune(store, planned(store))
    assert keys(store) == wanted


def test_a_store_that_fails_says_so_and_the_next_prune_finishes(tmp_path: Path) -> None:
    class Failing(MemoryStore):
        fails = True

        def delete(self, keys: Iterable[str]) -> None:
            for key in keys:
                if self.fails and key == "only1.txt":
                    raise StoreError(key, "cannot be deleted: the file system is read-only")
                super().delete([key])

    store = Failing()
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    wanted = expected(store, ["r2", "r3"])
    with pytest.raises(StoreError, match="read-only"):
        prune(store, planned(store))
    assert wanted <= keys(store)
    store.fails = False
    prune(store, planned(store))
    assert keys(store) == wanted


def test_a_release_that_is_published_again_is_whole(store: Store, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        deploy(store, tmp_path / "src", number)
    prune(store, planned(store))
    deploy(store, tmp_path / "src", 1)
    check_whole(store, manifest_of(store, record_of_release(store, "r1")))


def test_releases_that_share_a_manifest(store: Store, tmp_path: Path) -> None:
    deploy(store, tmp_path / "src", 1)
    deploy(store, tmp_path / "src", 2)
    for release in ("r3", "r4"):
        publish(made(tmp_path / "src"), store, FAST, release=release)
    plan = planned(store)
    assert plan.dropped == ["r2", "r1"]
    prune(store, plan)
    assert record_of_release(store, "r3").manifest == record_of_release(store, "r4").manifest
    assert keys(store) == expected(store, ["r3", "r4"])


def test_listed_gives_the_keys_of_the_manifest(store: Store, tmp_path: Path) -> None:
    for link in (False, True):
        deploy(store, tmp_path / "src", 1, link=link)
        body = read_all(store, manifest_key(record_of_release(store, "r1").manifest)) or b""
        assert {item.key for item in listed(body, "")} == set(load(body, "").keys())
        if isinstance(store, MemoryStore):
            break


def test_lengths_of_time() -> None:
    assert parse_duration("7d") == 7 * DAY
    assert parse_duration(" 1d12h ") == 1.5 * DAY
    assert parse_duration("2w30m45s") == timedelta(days=14, minutes=30, seconds=45)
    assert parse_duration("0") == timedelta(0)
    assert duration_text(timedelta(days=7)) == "7d"
    assert duration_text(timedelta(hours=36)) == "1d12h"
    assert duration_text(timedelta(0)) == "0s"
    for text in ("", "7", "d", "7 d", "-1d", "1.5d", "7y", "9999999d", "٧d"):
        with pytest.raises(ValueError, match=r"length of time|hundred years"):
            parse_duration(text)
