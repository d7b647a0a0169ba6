"""Releases in stores that they were sent to: made current again, verified, repaired, carried on and pruned."""

from __future__ import annotations

import gzip
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from shipfiles.build.pipeline import build
from shipfiles.config import RewriteConfig
from shipfiles.digest import digest_bytes, hashed_name
from shipfiles.errors import ArchiveError, NoAnswer, ReleaseDamaged, StoreError
from shipfiles.events import Event, Notice
from shipfiles.manifest import Manifest
from shipfiles.records import now, read_release
from shipfiles.release import send as send_module
from shipfiles.release.activate import activate, rollback
from shipfiles.release.fields import fields_of
from shipfiles.release.items import Shape, items_of, sent_manifest
from shipfiles.release.prune import plan_prune, prune
from shipfiles.release.publish import publish
from shipfiles.release.repair import repair
from shipfiles.release.supply import OtherStore
from shipfiles.release.target import Target
from shipfiles.release.transfer import export_release, import_release
from shipfiles.release.unsettled import Unsettled
from shipfiles.release.verify import verify
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Locks, Store, Stored, read_all
from tests.sent import CONFIG, check_sent, send_by_hand
from tests.unit.test_publish import CSS, FAST, SITE, SVG, Folding, check_whole, current, made, sources

SHAPES = [Shape(), Shape(variants=True), Shape(hashed_only=True), Shape(coding="gzip")]
# A picture that a style sheet names; in the third the style sheet itself.
SECOND: dict[str, str | bytes] = {"css/img/x.svg": SVG + " ", "new.txt": "new\n" * 200}
THIRD: dict[str, str | bytes] = {"css/app.css": CSS + "a { color: blue }\n"}


@pytest.fixture(params=["memory", "local", "without abilities"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "without abilities":
        return Folding()
    return MemoryStore() if request.param == "memory" else LocalStore(str(tmp_path / "target"))


@pytest.fixture
def built(tmp_path: Path, write) -> LocalStore:
    store = LocalStore(str(tmp_path / "built"))
    publish(made(write(SITE)), store, FAST, release="one")
    publish(made(write(SECOND)), store, FAST, release="two")
    publish(made(write(THIRD)), store, FAST, release="three")
    return store


def send(built: Store, target: Store, shape: Shape, *releases: str) -> dict[str, Manifest]:
    return {release: send_by_hand(built, release, target, shape) for release in releases}


def has_fields(store: Store) -> bool:
    return not isinstance(store, LocalStore)


@pytest.mark.parametrize("at_once", [0, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_back_where_the_sources_are_the_same(built: LocalStore, store: Store, shape: Shape, at_once: int) -> None:
    """The plain name of the style sheet has the same bytes in both, though it names another picture."""
    sent = send(built, store, shape, "one", "two")
    told: list[Event] = []
    activate(store, "one", manifest_name="", at_once=at_once, listener=told.append)
    assert current(store) == sent["one"]
    check_sent(store, sent["one"], fields=has_fields(store))
    check_sent(store, sent["two"], plain=False, fields=has_fields(store))
    assert read_all(store, "staticfiles.json") is None
    assert not any(isinstance(event, Notice) for event in told)
    rollback(store, manifest_name="", at_once=at_once)
    assert current(store) == sent["two"]
    check_sent(store, sent["two"], fields=has_fields(store))


@pytest.mark.parametrize("at_once", [0, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_back_where_a_source_is_gone(built: LocalStore, store: Store, shape: Shape, at_once: int) -> None:
    """No `.shipfiles/plain/` has it: the plain name gets what is under the hashed name, and the manifest says so."""
    sent = send(built, store, shape, "two", "three")
    told: list[str] = []
    rollback(
        store, manifest_name="", at_once=at_once,
        listener=lambda event: told.append(event.text) if isinstance(event, Notice) else None,
    )  # fmt: skip
    now = current(store)
    check_sent(store, now, fields=has_fields(store))
    assert (now.hashed_only, now.spares) == (shape.hashed_only, False)
    if shape.hashed_only:
        assert now == sent["two"]
        return
    assert now.entries["css/app.css"].plain is None
    assert read_all(store, "css/app.css") == read_all(store, now.entries["css/app.css"].name)
    assert [text for text in told if text.startswith("css/app.css: this store keeps no sources")]
    assert [text for text in told if "nothing needs to be done" in text]
    # The script, whose source is the same, has it.
    assert now.entries["js/a.js"] == sent["two"].entries["js/a.js"]
    # The same once more finds nothing to do.
    assert activate(store, "two", manifest_name="").changed == []
    # What is sent again puts the source back.
    again = send_by_hand(built, "two", store, shape)
    assert current(store) == again == sent["two"]
    check_sent(store, again, fields=has_fields(store))


def test_after_a_run_that_did_not_end_all_plain_names_are_known_before_the_release_is(
    built: LocalStore, store: Store
) -> None:
    send(built, store, Shape(), "one", "two")
    Unsettled(store).begin()
    # A plain name that is the same in both releases.
    store.put("js/a.js", b"half of another release")
    activate(store, "one", manifest_name="")
    now = current(store)
    assert now.entries["js/a.js"].plain is None
    assert now.entries["css/app.css"].plain is not None
    check_sent(store, now, fields=has_fields(store))
    # Without locks nobody can tell whether that run is under way; see `Unsettled`.
    assert Unsettled(store).found is not isinstance(store, Locks)


def test_a_hashed_name_that_is_anothers_plain_name_is_never_written(tmp_path: Path, write) -> None:
    """A file is called as another's hashed name and has its bytes; itself it is rewritten to others."""
    store, built = MemoryStore(), LocalStore(str(tmp_path / "built"))
    css = "a { background: url(x.svg) }\n"
    picture = hashed_name("x.svg", digest_bytes(SVG.encode()))
    rewritten = css.replace("x.svg", picture)
    name = hashed_name("a.css", digest_bytes(rewritten.encode()))
    files: dict[str, str | bytes] = {"x.svg": SVG, picture: SVG, "a.css": css, name: rewritten}
    manifest = publish(made(write(files)), built, FAST, release="one").manifest
    assert manifest.entries["a.css"].name == name
    assert manifest.entries[name].plain is not None
    sent = send_by_hand(built, "one", store, Shape())
    activate(store, "one", manifest_name="")
    check_sent(store, sent)
    # Not even where its bytes are not what they should be, and only their number was looked at.
    damaged = b"x" * len(rewritten)
    store.put(name, damaged)
    activate(store, "one", manifest_name="", at_once=8)
    assert read_all(store, name) == damaged


@pytest.mark.parametrize("shape", SHAPES)
def test_a_release_that_lacks_a_file_does_not_become_current(built: LocalStore, store: Store, shape: Shape) -> None:
    sent = send(built, store, shape, "one", "two")
    store.delete([sent["one"].entries["css/app.css"].name])
    for at_once in (0, 8):
        with pytest.raises(ReleaseDamaged, match=r"css/app\..*\.css"):
            activate(store, "one", manifest_name="", at_once=at_once)
    assert current(store) == sent["two"]


@pytest.mark.parametrize("at_once", [0, 8])
def test_what_is_stored_with_other_settings_is_taken_as_it_is(built: LocalStore, store: Store, at_once: int) -> None:
    """Hashed names are put once: of two runs with other compression settings the first one's bytes are there."""
    sent = send(built, store, Shape(coding="gzip"), "one", "two")
    entry = sent["one"].entries["css/app.css"]
    other = gzip.compress(gzip.decompress(read_all(store, entry.name) or b""), 0, mtime=0)
    assert len(other) != entry.codings["gzip"].size
    store.put(entry.name, other)
    activate(store, "one", manifest_name="", at_once=at_once)
    now = current(store)
    assert now.entries["css/app.css"].codings["gzip"].digest == digest_bytes(other)
    assert now.entries["css/app.css"].digest == entry.digest


def test_plain_names_are_answered_as_the_options_say(built: LocalStore) -> None:
    store = MemoryStore()
    send(built, store, Shape(), "two", "three")
    activate(store, "two", manifest_name="", fields=lambda item: {**fields_of(item, CONFIG), "Content-Language": "de"})
    stored = store.head("css/app.css")
    assert stored is not None
    assert stored.fields == {
        "Content-Type": "text/css; charset=utf-8", "Cache-Control": "max-age=60, public", "Content-Language": "de",
    }  # fmt: skip


def test_what_others_have_put_there_stays(built: LocalStore, store: Store) -> None:
    send(built, store, Shape(), "two", "three")
    store.put("css/app.css", b"theirs")
    activate(store, "two", manifest_name="")
    assert read_all(store, "css/app.css") == b"theirs"


@pytest.mark.parametrize(("first", "second"), [(Shape(), Shape(hashed_only=True)), (Shape(hashed_only=True), Shape())])
def test_between_releases_of_different_shapes(built: LocalStore, store: Store, first: Shape, second: Shape) -> None:
    one = send_by_hand(built, "one", store, first)
    send_by_hand(built, "two", store, second)
    activate(store, "one", manifest_name="")
    now = current(store)
    assert now.hashed_only == one.hashed_only
    check_sent(store, now, fields=has_fields(store))


@pytest.mark.parametrize("at_once", [0, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_sent_is_whole(built: LocalStore, store: Store, shape: Shape, at_once: int) -> None:
    """No source of a rewritten file is looked for in `.shipfiles/plain/`, nor plain names where there are none."""
    sent = send(built, store, shape, "one", "two", "three")
    found = verify(store, manifest_name="", at_once=at_once)
    assert (found.faults, found.unsettled, found.notes) == ([], [], [])
    assert found.current == ("" if shape.hashed_only else "three")
    hashed = {item.key for manifest in sent.values() for item in items_of(manifest) if item.hashed}
    assert found.objects == len(hashed) + sum(not item.hashed for item in items_of(sent["three"]))


@pytest.mark.parametrize("shape", SHAPES)
def test_damage_is_found_and_put_right_from_where_it_was_built(built: LocalStore, store: Store, shape: Shape) -> None:
    """Each object that there is, in turn."""
    sent = send(built, store, shape, "three")["three"]
    supplies = [OtherStore(built, "where it was built")]
    for item in items_of(sent):
        for body in (None, b"?" * item.size, b""):
            if body is None:
                store.delete([item.key])
            elif item.size:
                store.put(item.key, body)
            found = verify(store, manifest_name="")
            if body is None or item.size:
                assert [fault.key for fault in found.faults] == [item.key]
            fixed = repair(store, found, supplies, FAST, manifest_name="")
            # A variant whose bytes are wrong is removed first, and only put back where a key has its bytes for ever.
            assert [fault for fault in fixed.faults if not fault.repaired and not fault.why_not] == []
            assert [(fault.key, fault.why_not) for fault in fixed.left] == []
            check_sent(store, sent, fields=has_fields(store))


def test_a_rewritten_file_whose_source_nobody_has_is_told(built: LocalStore, store: Store) -> None:
    send(built, store, Shape(), "three")
    store.delete(["css/app.css"])
    (fault,) = repair(store, verify(store, manifest_name=""), (), FAST, manifest_name="").left
    assert (fault.key, fault.kind) == ("css/app.css", "missing")
    assert "publish the release again" in fault.why_not


def test_bytes_that_decode_to_the_file_are_no_fault(built: LocalStore, store: Store) -> None:
    sent = send(built, store, Shape(coding="gzip"), "one")["one"]
    name = sent.entries["css/app.css"].name
    store.put(name, gzip.compress(gzip.decompress(read_all(store, name) or b""), 0, mtime=0))
    found = verify(store, manifest_name="")
    assert found.faults == []
    assert name in "".join(found.notes)
    # What is not encoded at all is one: it would be answered with a Content-Encoding that it has not.
    store.put(name, gzip.decompress(read_all(store, name) or b""))
    (fault,) = verify(store, manifest_name="").faults
    assert (fault.key, fault.kind) == (name, "damaged")


@pytest.mark.parametrize("shape", SHAPES)
def test_prune_takes_what_no_release_needs(built: LocalStore, store: Store, shape: Shape) -> None:
    sent = send(built, store, shape, "one", "two", "three")
    store.put("theirs.css", b"not ours")
    none = timedelta(0)
    at = now() + timedelta(days=1)
    done = prune(store, plan_prune(store, keep=1, younger_than=none, at=at, grace=none, manifest_name=""))
    # The one before the current one stays whatever is asked for.
    assert [*done.dropped] == ["one"]
    check_sent(store, sent["three"], fields=has_fields(store))
    check_sent(store, sent["two"], plain=False, fields=has_fields(store))
    left = {stored.key for stored in store.list() if not stored.key.startswith(".shipfiles/")}
    needed = {item.key for name in ("two", "three") for item in items_of(sent[name])}
    assert left == needed | {"theirs.css"}
    assert {item.key for item in items_of(sent["one"])} - needed
    assert verify(store, manifest_name="").faults == []


@pytest.mark.parametrize("path", ["out.tar", "out"])
@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_sent_is_carried_on_as_it_was_built(
    built: LocalStore, store: Store, shape: Shape, path: str, tmp_path: Path
) -> None:
    """To a disk from which it is served, files as they are: nobody says there that they are stored as gzip."""
    sent = send(built, store, shape, "three")["three"]
    where = tmp_path / path
    export_release(store, "three", str(where), manifest_name="")
    into = LocalStore(str(tmp_path / "into"))
    import_release(into, str(where))
    activate(into, "three")
    now = current(into)
    check_whole(into, now, plain=not shape.hashed_only)
    assert verify(into).faults == []
    assert now.names() == sent.names()
    for logical, entry in now.entries.items():
        assert (entry.digest, entry.stored, entry.codings) == (
            sent.entries[logical].digest, "", sent.entries[logical].codings
        )  # fmt: skip
    # Sources that still lie under their plain names are carried, too.
    assert (now.entries["css/app.css"].plain is None) == shape.hashed_only
    assert now.spares


@pytest.mark.parametrize("shape", [Shape(), Shape(variants=True), Shape(coding="gzip")])
def test_a_source_that_is_gone_is_not_carried(built: LocalStore, store: Store, shape: Shape, tmp_path: Path) -> None:
    send(built, store, shape, "two", "three")
    export_release(store, "two", str(tmp_path / "out.tar"))
    into = LocalStore(str(tmp_path / "into"))
    import_release(into, str(tmp_path / "out.tar"))
    activate(into, "two")
    now = current(into)
    assert now.entries["css/app.css"].plain is None
    assert now.entries["js/a.js"].plain is not None
    check_whole(into, now)
    assert verify(into).faults == []


def test_what_does_not_decode_is_not_carried(built: LocalStore, store: Store, tmp_path: Path) -> None:
    sent = send(built, store, Shape(coding="gzip"), "one")["one"]
    store.put(sent.entries["css/app.css"].name, b"no gzip")
    with pytest.raises(StoreError, match="stored as gzip, and not to be decoded"):
        export_release(store, "one", str(tmp_path / "out.tar"))
    assert not (tmp_path / "out.tar").exists()


def test_a_folder_with_stored_codings_is_not_imported_as_it_is(built: LocalStore, tmp_path: Path) -> None:
    target = LocalStore(str(tmp_path / "target"))
    send(built, target, Shape(coding="gzip"), "one")
    with pytest.raises(ArchiveError, match="export the release from there"):
        import_release(LocalStore(str(tmp_path / "into")), str(tmp_path / "target"))


@pytest.mark.parametrize("failing", [1, 3])
def test_what_fails_in_passing_is_asked_again(built: LocalStore, failing: int) -> None:
    """And nothing is told of an object that no answer came to."""

    class Busy(MemoryStore):
        asked = 0

        def head(self, key: str) -> Stored | None:
            self.asked += 1
            if self.asked % 4 == failing:
                raise NoAnswer(key, "no answer")
            return super().head(key)

    store = Busy()
    sent = send(built, store, Shape(), "one", "two")
    assert verify(store, manifest_name="", at_once=4).faults == []
    activate(store, "one", manifest_name="", at_once=4)
    assert current(store) == sent["one"]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_was_sent_to_a_folder_can_be_built_in_afterwards(
    built: LocalStore, tmp_path: Path, write, shape: Shape
) -> None:
    """Whatever form its files had: what is there is compared with what is to be there."""
    target = LocalStore(str(tmp_path / "target"))
    send(built, target, shape, "two", "three")
    manifest = publish(made(write({})), target, FAST, release="four").manifest
    check_whole(target, manifest)
    assert verify(target, "four").faults == []
    if not shape.coding:
        # Files that are stored in a coding cannot be told apart from others where no header field says so.
        assert activate(target, "two", manifest_name="").before == "four"
        check_sent(target, current(target), fields=False)


FORMS = [Shape(), Shape(coding="gzip"), Shape(coding="br"), Shape(variants=True)]


@pytest.mark.parametrize("at_once", [0, 8])
@pytest.mark.parametrize(("first", "second"), [(a, b) for a in FORMS for b in FORMS if a != b])
def test_back_to_a_release_that_was_sent_in_another_form(
    built: LocalStore, first: Shape, second: Shape, at_once: int
) -> None:
    """Under a hashed name there is one form, that of the last release that has it: to both it is the same file."""
    store = MemoryStore()
    send_module.send(built, "two", Target(store, first))
    send_module.send(built, "three", Target(store, second))
    assert verify(store, manifest_name="").faults == []
    activate(store, "two", manifest_name="", at_once=at_once)
    assert verify(store, manifest_name="").faults == []
    now = current(store)
    check_sent(store, now)
    assert {entry.digest for entry in now.entries.values()} == {
        entry.digest for entry in read_release(partial(read_all, built), "two").entries.values()
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_to_send_a_release_again_puts_its_sources_back(built: LocalStore, store: Store, shape: Shape) -> None:
    target = Target(store, shape)
    for release in ("two", "three"):
        send_module.send(built, release, target)
    rollback(store, manifest_name="")
    sent = send_module.send(built, "two", target)
    assert {change.logical for change in sent.changed} <= {"css/app.css", ""}
    now = current(store)
    assert now == sent_manifest(read_release(partial(read_all, built), "two") or Manifest({}), shape)
    check_sent(store, now, fields=has_fields(store))
    assert verify(store, "two", manifest_name="").faults == []
    assert send_module.send(built, "two", target).changed == []


def test_a_name_that_a_bundler_gave_may_get_another_form_but_never_other_bytes(tmp_path: Path, write) -> None:
    store, name = MemoryStore(), "vendor.Ck7dE5gH1234.js"
    built = LocalStore(str(tmp_path / "built"))
    site = sources(write({name: "a bundler's\n" * 90}))
    publish(build(site, RewriteConfig(bundled_names=("vendor.*",))), built, FAST, release="one")
    for shape in (Shape(), Shape(coding="gzip"), Shape(coding="br"), Shape()):
        send_module.send(built, "one", Target(store, shape))
        check_sent(store, current(store))
        assert current(store).entries[name].stored == shape.coding
    for body in (b"other bytes", gzip.compress(b"other bytes")):
        store.put(name, body)
        with pytest.raises(StoreError, match="Let the bundler give it another name"):
            send_module.send(built, "one", Target(store, Shape(coding="gzip")))
        assert read_all(store, name) == body
