"""Activating and rolling back: what is written, in which order, what a kill leaves, and what is refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shipfiles.build.pipeline import Build, build
from shipfiles.config import CompressConfig, RewriteConfig
from shipfiles.digest import Digest, digest_bytes
from shipfiles.errors import NoEarlierRelease, ReleaseDamaged, ReleaseError, UnknownRelease
from shipfiles.events import Event, Notice
from shipfiles.manifest import Manifest, dump, dump_django, plain_key
from shipfiles.model import Entry, Variant
from shipfiles.records import POINTER_KEY, Activation, Pointer, manifest_key, now, read_record, record_key
from shipfiles.release.activate import activate, earlier, rollback
from shipfiles.release.catalog import pointer_of
from shipfiles.release.pointing import current_id
from shipfiles.release.prune import plan_prune, prune
from shipfiles.release.publish import publish, publish_plain
from shipfiles.release.text import differing, text_of
from shipfiles.release.unsettled import Unsettled
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Locks, Store, read_all
from tests.stored import timeless
from tests.unit import test_bundled
from tests.unit.test_publish import CSS, FAST, SITE, SVG, Dying, Folding, Killed, check_whole, current, made, sources

AGAIN: dict[str, str | bytes] = {"css/img/x.svg": SVG + " ", "new.txt": "new", "js/b.js": "export default 22\n"}


@pytest.fixture(params=["memory", "local", "without abilities"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "without abilities":
        return Folding()
    return MemoryStore() if request.param == "memory" else LocalStore(str(tmp_path / "root"))


def two(store: Store, write, config: CompressConfig = FAST) -> tuple[Manifest, Manifest]:
    """Two releases: one of `SITE`, and one in which files changed, came and went."""
    root = write(SITE)
    first = publish(made(root), store, config, release="one").manifest
    write(AGAIN)
    (root / "logo.png").unlink()
    return first, publish(made(root), store, config, release="two").manifest


def stored(store: Store) -> dict[str, bytes]:
    return {s.key: read_all(store, s.key) or b"" for s in store.list()}


def notices(events: list[Event]) -> str:
    return "\n".join(event.text for event in events if isinstance(event, Notice))


def test_there_and_back(store: Store, write) -> None:
    first, second = two(store, write)
    before = stored(store)
    went = activate(store, "one")
    assert (went.release, went.before) == ("one", "two")
    assert current(store) == first
    check_whole(store, first)
    check_whole(store, second, plain=False)
    assert json.loads(read_all(store, "staticfiles.json") or b"")["paths"] == first.names()
    # Both style sheet and script name a file that changed.
    changed = {"css/img/x.svg", "css/app.css", "js/b.js", "js/a.js"}
    assert went.differing == len(changed | {"logo.png"})
    # The plain name of a file that only the other release has stays: its pages may ask for it.
    assert read_all(store, "new.txt") == b"new"
    back = activate(store, "two")
    assert (back.release, back.before) == ("two", "one")
    check_whole(store, second)
    assert timeless(stored(store)) == timeless(before)
    pointer = pointer_of(store)
    assert pointer is not None
    assert [activation.release for activation in pointer.history] == ["one", "two", "one", "two"]


def test_only_what_differs_is_touched(store: Store, write) -> None:
    two(store, write)
    went = activate(store, "one")
    # The bytes of the sources of these did not change, so their plain copies are those of either release.
    untouched = {"css/app.css", "js/a.js", "copy/x.svg", "empty.txt", "logo.png"}
    touched = {change.key for change in went.changed}
    assert touched >= {"css/img/x.svg", "js/b.js", "css/img/x.svg.br", POINTER_KEY, "staticfiles.json"}
    assert not {key for key in touched if key.removesuffix(".br").removesuffix(".gz") in untouched}
    assert touched <= {"css/img/x.svg", "css/img/x.svg.br", "css/img/x.svg.gz", "js/b.js", POINTER_KEY,
                       "staticfiles.json"}  # fmt: skip


def test_order_stale_variants_first_then_plain_names_then_pointer_then_djangos_manifest(store: Store, write) -> None:
    two(store, write)
    order = [(change.action, change.key) for change in activate(store, "one").changed]
    plain = order.index(("write", "css/img/x.svg"))
    assert order.index(("delete", "css/img/x.svg.br")) < plain < order.index(("write", "css/img/x.svg.br"))
    assert [key for _, key in order[-2:]] == [POINTER_KEY, "staticfiles.json"]


def test_the_source_of_a_rewritten_file_comes_back_under_its_plain_name(store: Store, write) -> None:
    root = write(SITE)
    first = publish(made(root), store, FAST, release="one").manifest
    write({"css/app.css": CSS.replace("red", "tan")})
    publish(made(root), store, FAST, release="two")
    activate(store, "one")
    assert read_all(store, "css/app.css") == CSS.encode()
    check_whole(store, first)


@settings(max_examples=120, deadline=None)
@given(steps=st.integers(1, 25), after=st.booleans(), then=st.sampled_from(["one", "two"]))
def test_killed_at_any_write_the_live_release_is_whole_and_the_next_heals(steps, after, then, tmp_path_factory) -> None:
    root = tmp_path_factory.mktemp("src")

    def write(files: dict[str, str | bytes]) -> Path:
        for name, body in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(body if isinstance(body, bytes) else body.encode())
        return root

    store = MemoryStore()
    releases = dict(zip(("one", "two"), two(store, write), strict=True))
    with suppress(Killed):
        activate(Dying(store, steps, after=after), "one")
    live = current(store)
    assert live in releases.values()
    for manifest in releases.values():
        check_whole(store, manifest, plain=False)
    # Every plain name has, whole, the bytes of the one or the other, and no variant of other bytes beside it.
    for logical in live.entries:
        entries = [m.entries[logical] for m in releases.values() if logical in m.entries]
        digest = digest_bytes(read_all(store, logical) or b"")
        found = [(e.plain or e) for e in entries if (e.plain or e).digest == digest]
        assert found
        for token, ending in (("br", ".br"), ("gzip", ".gz")):
            variant = read_all(store, logical + ending)
            assert variant is None or digest_bytes(variant) in {e.codings[token].digest for e in found}
    activate(store, then)
    assert current(store) == releases[then]
    check_whole(store, releases[then])
    assert json.loads(read_all(store, "staticfiles.json") or b"")["paths"] == releases[then].names()


@pytest.mark.parametrize("between", ["nothing", "a prune"])
def test_after_a_run_that_did_not_end_all_plain_names_are_put_right(tmp_path: Path, write, between: str) -> None:
    store = LocalStore(str(tmp_path / "root"))
    first, _ = two(store, write)
    root = write({"js/b.js": "export default 333\n"})
    publish(made(root), store, FAST, release="three")
    # Killed when it had put one plain name: between the releases three and one that one does not differ.
    write({"empty.txt": "no more"})
    for steps in range(1, 100):
        with suppress(Killed):
            publish(made(root), Dying(store, steps, after=True), FAST)
        if read_all(store, "empty.txt") == b"no more":
            break
    assert current_id(store) == "three"
    if between == "a prune":
        prune(store, plan_prune(store, keep=9, younger_than=timedelta(0), at=now()))
    assert Unsettled(store).found
    activate(store, "one")
    check_whole(store, first)


def test_what_a_killed_run_left_of_a_file_is_known_for_ours_when_the_file_comes_back(tmp_path: Path, write) -> None:
    """Killed while it put copies of a file that the release which is activated next does not have."""
    seen = 0
    for steps in range(1, 60):
        store = LocalStore(str(tmp_path / f"root{steps}"))
        root = write({"logo.svg": SVG, "app.css": CSS.replace("img/x", "logo")})
        publish(made(root), store, FAST, release="with")
        (root / "logo.svg").unlink()
        (root / "app.css").unlink()
        without = publish(made(write({"a.txt": "a" * 500})), store, FAST, release="without").manifest
        activate(store, "with")
        write({"logo.svg": SVG + "<!-- killed -->", "app.css": CSS.replace("img/x", "logo") + "/* killed */"})
        try:
            publish(made(root), Dying(store, steps, after=True), FAST)
        except Killed:
            seen += b"killed" in (read_all(store, "logo.svg") or b"")
        else:
            break
        activate(store, "without")
        check_whole(store, without)
        write({"logo.svg": SVG + "<!-- back -->", "app.css": CSS.replace("img/x", "logo") + "/* back */"})
        back = publish(made(root), store, FAST, release="back").manifest
        check_whole(store, back)
        (root / "a.txt").unlink()
    assert seen > 2


def test_files_that_are_no_release_are_put_right_by_the_next_activation(store: Store, write) -> None:
    first, _ = two(store, write)
    publish_plain(made(write({"empty.txt": "copied"})), store)
    assert read_all(store, "empty.txt") == b"copied"
    activate(store, "one")
    check_whole(store, first)


def test_a_run_that_ended_leaves_no_note(tmp_path: Path, write) -> None:
    store = LocalStore(str(tmp_path / "root"))
    two(store, write)
    Unsettled(store).begin()
    activate(store, "one")
    assert not Unsettled(store).found
    rollback(store)
    assert not Unsettled(store).found


def test_to_activate_the_current_release_puts_its_plain_names_right(store: Store, write) -> None:
    _, second = two(store, write)
    store.put("css/app.css", b"damaged")
    store.delete(["js/a.js.br", "staticfiles.json"])
    went = activate(store, "two")
    assert (went.before, went.differing) == ("two", 0)
    assert {change.key for change in went.changed if change.action == "write"} == {
        "css/app.css", "css/app.css.br", "css/app.css.gz", "js/a.js.br", "staticfiles.json"
    }  # fmt: skip
    check_whole(store, second)
    pointer = pointer_of(store)
    assert pointer is not None
    assert len(pointer.history) == 2


def test_what_somebody_else_put_beside_a_plain_name_of_the_current_release_stays(store: Store, write) -> None:
    """What is damaged is put right, and so is the plain name itself."""
    _, second = two(store, write)
    whole = stored(store)
    store.put("css/app.css", b"damaged")
    store.put("css/app.css.gz", b"a backup of theirs")
    store.put("css/app.css.br", whole["css/app.css.br"][:-1])
    told: list[Event] = []
    activate(store, "two", listener=told.append)
    assert read_all(store, "css/app.css.gz") == b"a backup of theirs"
    assert "css/app.css.gz: left as it is" in notices(told)
    store.delete(["css/app.css.gz"])
    activate(store, "two")
    check_whole(store, second)
    ours = set(second.keys())
    assert {key: stored(store)[key] for key in ours} == {key: whole[key] for key in ours}


@pytest.mark.parametrize("damage", ["asset", "size", "bytes", "kept source", "manifest", "no manifest"])
def test_a_damaged_release_is_refused_and_nothing_changes(store: Store, write, damage: str) -> None:
    first, _ = two(store, write)
    if damage == "asset":
        store.delete([first.entries["logo.png"].name])
    elif damage == "size":
        store.put(first.entries["css/img/x.svg"].name, b"short")
    elif damage == "bytes":
        name = first.entries["css/img/x.svg"].name
        store.put(name, bytes(len(read_all(store, name) or b"")))
    elif damage == "kept source":
        plain = first.entries["js/a.js"].plain
        assert plain is not None
        store.delete([plain_key(plain.digest)])
    else:
        record = read_record(partial(read_all, store), "one")
        assert record is not None
        key = manifest_key(record.manifest)
        body = (read_all(store, key) or b"").replace(b"logo", b"lego")
        store.delete([key])
        if damage == "manifest":
            store.put(key, body)
    before = stored(store)
    with pytest.raises(ValueError if "manifest" in damage else ReleaseDamaged) as caught:
        activate(store, "one")
    if isinstance(caught.value, ReleaseDamaged):
        assert "manage.py ship verify one" in str(caught.value)
        assert len(caught.value.keys) == 1
    after = stored(store)
    for lock in (".shipfiles/lock", ".shipfiles/swap"):
        before.pop(lock, None)
        after.pop(lock, None)
    assert after == before


def test_other_variants_beside_the_same_files_are_what_the_release_has_from_then_on(store: Store, write) -> None:
    """A later run with other settings has put them there; the release goes on being the same files."""
    root = write(SITE)
    first = publish(made(root), store, FAST, release="one").manifest
    write({"new.txt": "new"})
    other = CompressConfig(brotli_quality=0, gzip_level=1)
    publish(made(root), store, other, release="two")
    before = read_record(partial(read_all, store), "one")
    told: list[Event] = []
    activate(store, "one", listener=told.append)
    assert "with other settings" in notices(told)
    now = current(store)
    assert now.names() == first.names()
    assert now != first
    check_whole(store, now)
    after = read_record(partial(read_all, store), "one")
    assert before is not None
    assert after is not None
    assert (after.made, after.bytes, after.files) == (before.made, before.bytes, before.files)
    assert after.codings == {
        token: sum(entry.codings[token].size for entry in now.entries.values() if token in entry.codings)
        for token in ("br", "gzip")
    }


def test_a_lost_variant_is_told_and_does_not_stand_in_the_way(store: Store, write) -> None:
    first, _ = two(store, write)
    store.delete([first.entries["css/app.css"].name + ".br"])
    told: list[Event] = []
    activate(store, "one", listener=told.append)
    assert "css/app.css" in notices(told)
    now = current(store)
    assert set(now.entries["css/app.css"].codings) == {"gzip"}
    check_whole(store, now)


def test_what_is_not_ours_stays(store: Store, write) -> None:
    first, _ = two(store, write)
    for key in ("css/img/other.svg.br", "logo.png.gz", "new.txt.br", "upload.txt"):
        store.put(key, b"not ours")
    activate(store, "one")
    for key in ("css/img/other.svg.br", "logo.png.gz", "new.txt.br", "upload.txt"):
        assert read_all(store, key) == b"not ours", key
    check_whole(store, first)


def test_what_somebody_else_put_in_the_place_of_a_plain_name_stays(store: Store, write) -> None:
    """DESIGN section 7: a key that Shipfiles did not write is never deleted, nor overwritten."""
    two(store, write)
    theirs = {"css/img/x.svg": b"theirs", "js/b.js.gz": b"theirs, too", "logo.png": b"their logo", "js/a.js": b"!"}
    for key, body in theirs.items():
        store.put(key, body)
    told: list[Event] = []
    activate(store, "one", listener=told.append)
    # Those of the two releases differ; of the script only under the hashed name.
    for key, body in theirs.items():
        assert read_all(store, key) == body, key
    for key in ("css/img/x.svg", "logo.png"):
        assert f"{key}: left as it is: Shipfiles did not write" in notices(told)


def test_a_variants_place_beside_a_plain_name_that_somebody_else_has_taken(store: Store, write) -> None:
    root = write({"data.csv": "a,b,c\n" * 500})
    publish(made(root), store, FAST, release="one")
    write({"data.csv": "a,b,d\n" * 500})
    publish(made(root), store, FAST, release="two")
    store.put("data.csv.gz", b"a backup of theirs")
    told: list[Event] = []
    activate(store, "one", listener=told.append)
    assert read_all(store, "data.csv") == b"a,b,c\n" * 500
    assert read_all(store, "data.csv.gz") == b"a backup of theirs"
    assert "data.csv.gz: left as it is" in notices(told)


@pytest.mark.parametrize("pruned", [False, True])
def test_what_a_release_that_is_neither_left_under_a_plain_name_is_ours(store: Store, write, pruned: bool) -> None:
    """The release two lacks the file, so that the bytes of another one lie there, which may have been pruned."""
    root = write({"note.txt": "one " * 20, "a.css": "a{}"})
    first = publish(made(root), store, FAST, release="one").manifest
    write({"note.txt": "other " * 30})
    publish(made(root), store, FAST, release="other")
    (root / "note.txt").unlink()
    publish(made(root), store, FAST, release="less")
    publish(made(write({"a.css": "b{}"})), store, FAST, release="two")
    if pruned:
        at = now() + timedelta(hours=1)
        plan = plan_prune(store, keep=0, younger_than=timedelta(0), at=at, grace=timedelta(0), protect=["one"])
        assert prune(store, plan).dropped == ["other"]
    assert read_all(store, "note.txt") == b"other " * 30
    activate(store, "one")
    check_whole(store, first)
    assert not Unsettled(store).found or not isinstance(store, Locks)


def test_a_source_named_as_a_variant_wins(store: Store, write) -> None:
    root = write({"a.js": "x = 1;\n" * 100, "a.js.gz": b"theirs"})
    publish(made(root), store, FAST, release="one")
    write({"a.js": "y = 2;\n" * 100, "a.js.gz": b"theirs, too"})
    publish(made(root), store, FAST, release="two")
    activate(store, "one")
    assert read_all(store, "a.js.gz") == b"theirs"
    assert read_all(store, "a.js") == b"x = 1;\n" * 100


def test_between_links_and_copies(tmp_path: Path, write) -> None:
    store = LocalStore(str(tmp_path / "root"))
    root = write(SITE)
    first = publish(made(root), store, FAST, release="one").manifest
    linked = publish(made(root), store, FAST, release="linked", link=True).manifest
    assert linked.linked
    assert os.path.islink(tmp_path / "root/css/app.css")
    activate(store, "one")
    check_whole(store, first)
    assert not os.path.islink(tmp_path / "root/css/app.css")
    before = stored(store)
    told: list[Event] = []
    activate(store, "linked", listener=told.append)
    assert "--link" in notices(told)
    assert current(store) == linked
    check_whole(store, linked, plain=False)
    small = {POINTER_KEY, "staticfiles.json"}
    assert {k: v for k, v in stored(store).items() if k not in small} == {
        k: v for k, v in before.items() if k not in small
    }


KEPT = test_bundled.ENTRY
BUNDLED: dict[str, str | bytes] = {**test_bundled.SITE, "dist/.vite/manifest.json": json.dumps(test_bundled.VITE)}


def bundled(root: Path) -> Build:
    return test_bundled.made(root)


def test_a_name_that_a_bundler_gave_and_that_has_other_bytes_now(store: Store, write) -> None:
    """Its bytes are gone since a later release had another file of that name."""
    root = write(BUNDLED)
    first = publish(bundled(root), store, FAST, release="one").manifest
    assert first.entries[KEPT].kept
    # Of the same length, so that only the bytes tell.
    write({KEPT: str(test_bundled.SITE[KEPT]).replace("s();", "t();")})
    (root / "dist/.vite/manifest.json").unlink()
    second = publish(build(sources(root), RewriteConfig(bundled=False)), store, FAST, release="two").manifest
    assert not second.entries[KEPT].kept
    with pytest.raises(ReleaseDamaged, match="has other bytes"):
        activate(store, "one")


def test_a_plain_copy_does_not_take_the_place_of_a_bundlers_file(store: Store, write) -> None:
    """Pages of the release that was current ask for that, under that name, for ever."""
    root = write({**BUNDLED, KEPT: "console.log(2)"})
    plain = publish(build(sources(root), RewriteConfig(bundled=False)), store, FAST, release="plain").manifest
    assert not plain.entries[KEPT].kept
    write({KEPT: "console.log(1)"})
    kept = publish(bundled(root), store, FAST, release="kept").manifest
    assert kept.entries[KEPT].kept
    told: list[Event] = []
    activate(store, "plain", listener=told.append)
    assert f"{KEPT}: left as it is" in notices(told)
    assert current(store) == plain
    check_whole(store, plain, plain=False)
    check_whole(store, kept, plain=False)


def test_a_folder_where_a_plain_file_was(tmp_path: Path, write) -> None:
    store = LocalStore(str(tmp_path / "root"))
    root = write({"lib": "a file", "a.css": "a{}"})
    first = publish(made(root), store, FAST, release="one").manifest
    (root / "lib").unlink()
    write({"lib/x.js": "1"})
    second = publish(made(root), store, FAST, release="two").manifest
    told: list[Event] = []
    activate(store, "one", listener=told.append)
    assert "lib: not put under its plain name" in notices(told)
    check_whole(store, first, plain=False)
    check_whole(store, second)


def test_without_a_pointer_or_with_a_damaged_one(store: Store, write) -> None:
    first, _ = two(store, write)
    for body in (None, b"{half"):
        store.delete([POINTER_KEY])
        if body:
            store.put(POINTER_KEY, body)
        activate(store, "one")
        assert current(store) == first
        check_whole(store, first)


def test_a_manifest_that_another_program_has_formatted(store: Store, write) -> None:
    first, _ = two(store, write)
    record = read_record(partial(read_all, store), "one")
    assert record is not None
    body = json.dumps(json.loads(read_all(store, manifest_key(record.manifest)) or b""), indent=3).encode()
    raw = json.loads(read_all(store, record_key("one")) or b"")
    store.put(manifest_key(digest_bytes(body)), body)
    store.put(record_key("one"), json.dumps({**raw, "manifest": digest_bytes(body)}).encode())
    activate(store, "one")
    assert current(store) == first
    check_whole(store, first)
    assert json.loads(read_all(store, "staticfiles.json") or b"")["paths"] == first.names()


def test_a_damaged_current_manifest_does_not_stand_in_the_way(store: Store, write) -> None:
    first, _ = two(store, write)
    record = read_record(partial(read_all, store), "two")
    assert record is not None
    for body in (b"{half", (read_all(store, manifest_key(record.manifest)) or b"").replace(b'"size"', b"size")):
        store.put(manifest_key(record.manifest), body)
        activate(store, "one")
        assert current(store) == first
        check_whole(store, first)
        store.put(POINTER_KEY, (read_all(store, POINTER_KEY) or b"").replace(b'"one"', b'"two"'))


def test_no_such_release(store: Store, write) -> None:
    two(store, write)
    with pytest.raises(UnknownRelease, match="Did you mean 'one'"):
        activate(store, "onne")
    with pytest.raises(ReleaseError, match="cannot be the id"):
        activate(store, "../one")


class TestRollback:
    def test_by_one_and_back(self, store: Store, write) -> None:
        first, second = two(store, write)
        assert rollback(store).release == "one"
        check_whole(store, first)
        assert rollback(store).release == "two"
        check_whole(store, second)

    def test_further_back_than_there_is(self, store: Store, write) -> None:
        two(store, write)
        with pytest.raises(NoEarlierRelease, match=r"not 2 earlier releases, only 1 .*: one"):
            rollback(store, 2)
        store.delete([record_key("one")])
        with pytest.raises(NoEarlierRelease, match="no earlier release: no other"):
            rollback(store)
        with pytest.raises(ReleaseError, match="by 1 release or more"):
            rollback(store, 0)

    def test_one_that_waited_goes_back_from_what_is_current_then(self, tmp_path: Path, write) -> None:
        """Another run has the lock when the roll-back begins, and makes a third release current."""
        store = LocalStore(str(tmp_path / "root"))
        _, second = two(store, write)
        write({"new.txt": "newer"})
        build = made(tmp_path / "src")

        class Waiting(LocalStore):
            @contextmanager
            def lock(self, waiting: Callable[[], None]) -> Iterator[bool]:
                publish(build, store, FAST, release="three")
                with super().lock(waiting) as died:
                    yield died

        told: list[Event] = []
        went = rollback(Waiting(store.root), listener=told.append)
        assert (went.before, went.release) == ("three", "two")
        assert "three became current while this run waited" in notices(told)
        check_whole(store, second)

    def test_without_any_release(self, store: Store) -> None:
        with pytest.raises(NoEarlierRelease):
            rollback(store)

    def test_repeated_and_pruned_releases_are_passed_over(self) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        pointer = Pointer(tuple(Activation(release, at) for release in ["a", "b", "c", "b", "gone", "d", "b", "d"]))
        assert earlier(pointer, {"a", "b", "c", "d", "never"}) == ["b", "c", "a"]


NAMES = st.text(st.characters(blacklist_characters='\\/\x7f"', blacklist_categories=("Cc", "Cs")), min_size=1).map(
    lambda text: text if text.strip(".") else "x" + text
)
QUOTED = st.one_of(NAMES, NAMES.map(lambda name: f'a"{name}": {{"name":"'))


def entry(logical: str, number: int) -> Entry:
    digest = digest_bytes(str(number).encode())
    return Entry(logical, f"{logical}.{number}", number, digest, "text/css", {"br": Variant(number, Digest(digest))})


SETS = st.dictionaries(QUOTED, st.integers(0, 3), max_size=12)


@settings(deadline=None)
@given(old=SETS, new=SETS, link=st.booleans())
def test_lines_say_what_the_parsed_manifests_say(old, new, link) -> None:
    before, after = (
        Manifest({name: entry(name, number) for name, number in one.items()}, 'br="11"', link) for one in (old, new)
    )
    first, second = (text_of(dump(manifest), "where") for manifest in (before, after))
    assert second.names() == after.names()
    assert second.django_names() == dump_django(after.names())
    gone, come = differing(first, second)
    assert first.parsed(gone).entries == {name: e for name, e in before.entries.items() if after.entries.get(name) != e}
    assert second.parsed(come).entries == {
        name: e for name, e in after.entries.items() if before.entries.get(name) != e
    }
    assert second.parsed(second.files()) == after
    for name in {*old, *new, "css", "zz"}:
        assert second.has(name) == (name in new or name in after.names().values())
