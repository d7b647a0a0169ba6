"""Other options for serving reach the objects that are there, without a body being sent."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from shipfiles.config import ServeConfig
from shipfiles.errors import ReleaseError, StoreError, StoreErrors
from shipfiles.events import Notice
from shipfiles.manifest import Manifest
from shipfiles.records import MANIFESTS_PREFIX
from shipfiles.release.catalog import record_of_release
from shipfiles.release.fields import fields_of
from shipfiles.release.items import Shape, items_of
from shipfiles.release.pointing import Pointing, current_id
from shipfiles.release.publish import publish
from shipfiles.release.refield import refield
from shipfiles.release.send import send
from shipfiles.release.target import Target
from shipfiles.release.unsettled import Unsettled
from shipfiles.stores.local import LocalStore
from shipfiles.stores.memory import MemoryStore
from shipfiles.stores.store import Store, read_all
from tests.sent import send_by_hand
from tests.unit.test_publish import FAST, SITE, SVG, Dying, Killed, made
from tests.unit.test_sent import SHAPES

OTHER = ServeConfig(max_age=5, headers={"css/*": {"Content-Language": "de"}, "*.png": {"X-Own": "1"}})


@pytest.fixture
def built(tmp_path: Path, write) -> LocalStore:
    store = LocalStore(str(tmp_path / "built"))
    publish(made(write(SITE)), store, FAST, release="one")
    publish(made(write({"css/img/x.svg": SVG + " "})), store, FAST, release="two")
    return store


def check_fields(store: Store, manifest: Manifest, config: ServeConfig, *, plain: bool = True) -> None:
    for item in items_of(manifest):
        if item.hashed or plain:
            stored = store.head(item.key)
            assert stored is not None
            assert stored.fields == fields_of(item, config)


@pytest.mark.parametrize("shape", SHAPES)
def test_all_objects_get_what_the_options_say(built: LocalStore, shape: Shape) -> None:
    store = MemoryStore()
    sent = {release: send_by_hand(built, release, store, shape) for release in ("one", "two")}
    before = {stored.key: read_all(store, stored.key) for stored in store.list() if stored.key[0] != "."}
    told: list[str] = []
    done = refield(
        Target(store, shape, OTHER), lambda event: told.append(event.text) if isinstance(event, Notice) else None
    )
    check_fields(store, sent["two"], OTHER)
    check_fields(store, sent["one"], OTHER, plain=False)
    assert (done.release, done.releases, done.missing) == ("two", 2, [])
    keys = {item.key for item in items_of(sent["two"])}
    keys |= {item.key for item in items_of(sent["one"]) if item.hashed}
    assert done.objects == len(keys)
    assert {stored.key: read_all(store, stored.key) for stored in store.list() if stored.key[0] != "."} == before
    assert [text for text in told if "X-Own" in text]
    assert not Unsettled(store).found


def test_what_is_sent_afterwards_finds_nothing_to_do(built: LocalStore) -> None:
    store = MemoryStore()
    send(built, "two", Target(store, Shape()))
    target = Target(store, Shape(), OTHER)
    refield(target)
    assert send(built, "two", target).changed == []


def test_what_is_not_there_is_told(built: LocalStore) -> None:
    store = MemoryStore()
    sent = [send_by_hand(built, release, store, Shape()) for release in ("one", "two")]
    gone = [sent[0].entries["css/app.css"].name, sent[1].entries["js/a.js"].name, "logo.png"]
    store.delete(gone)
    done = refield(Target(store, Shape(), OTHER))
    assert done.missing == sorted(gone[1:])
    assert {stored.key for stored in store.list()}.isdisjoint(gone)


def test_a_release_that_cannot_be_read_is_told_and_the_others_are_done(built: LocalStore) -> None:
    store = MemoryStore()
    send_by_hand(built, "one", store, Shape())
    first = {stored.key for stored in store.list(MANIFESTS_PREFIX)}
    sent = send_by_hand(built, "two", store, Shape())
    for key in first:
        store.put(key, b"damaged")
    told: list[str] = []
    refield(Target(store, Shape(), OTHER), lambda event: told.append(event.text) if isinstance(event, Notice) else None)
    check_fields(store, sent, OTHER)
    assert [text for text in told if "what only this manifest names stays as it is" in text]


def test_a_folder_has_no_fields(built: LocalStore, tmp_path: Path) -> None:
    target = LocalStore(str(tmp_path / "target"))
    send_by_hand(built, "two", target, Shape())
    with pytest.raises(ReleaseError, match="keeps no header fields"):
        refield(Target(target, Shape(), OTHER))


def test_without_a_release_there_is_nothing_to_do() -> None:
    with pytest.raises(ReleaseError, match="no current release"):
        refield(Target(MemoryStore(), Shape(), OTHER))


def test_a_store_that_refuses_ends_it(built: LocalStore) -> None:
    class Refusing(MemoryStore):
        def refield(self, key: str, fields: Mapping[str, str]) -> None:
            del fields
            raise StoreError(key, "access denied")

    store = Refusing()
    send_by_hand(built, "two", store, Shape())
    with pytest.raises(StoreErrors, match="access denied"):
        refield(Target(store, Shape(), OTHER))


def test_another_run_that_publishes_meanwhile_looks_at_plain_names(built: LocalStore) -> None:
    """To copy an object onto itself may undo what another puts there at that instant: the note says so."""
    noted: list[bool] = []

    class Watched(MemoryStore):
        def refield(self, key: str, fields: Mapping[str, str]) -> None:
            super().refield(key, fields)
            if "immutable" not in fields["Cache-Control"]:
                noted.append(Unsettled(self).found)
                if len(noted) == 1:
                    pointing = Pointing(self, "two", lambda _: None, lambda _: None)
                    pointing.point("one", one)

    store = Watched()
    send_by_hand(built, "one", store, Shape())
    one = record_of_release(store, "one").manifest
    send_by_hand(built, "two", store, Shape())
    told: list[str] = []
    refield(Target(store, Shape(), OTHER), lambda event: told.append(event.text) if isinstance(event, Notice) else None)
    assert all(noted)
    assert current_id(store) == "one"
    # Whoever publishes next puts all plain names again.
    assert Unsettled(store).found
    assert [text for text in told if "became current meanwhile" in text]


@pytest.mark.parametrize("killed", [False, True])
def test_an_object_that_another_run_has_put_in_another_form_keeps_its_coding(built: LocalStore, killed: bool) -> None:
    """A Content-Encoding that the bytes do not have would stay in caches for a year."""
    store = MemoryStore()
    send(built, "two", Target(store, Shape(coding="gzip")))
    if killed:
        for steps in range(1, 40):
            with suppress(Killed):
                send(built, "one", Target(Dying(store, steps, after=True), Shape(), at_once=1))
    else:
        send(built, "one", Target(store, Shape()))
        send(built, "two", Target(store, Shape(coding="gzip")))
    refield(Target(store, Shape(), OTHER))
    packed = 0
    for stored in store.list():
        there = store.head(stored.key)
        assert there is not None
        body = read_all(store, stored.key) or b""
        is_packed = body[:2] == b"\x1f\x8b"
        assert (there.fields.get("Content-Encoding") == "gzip") == is_packed, stored.key
        packed += is_packed
    assert packed
