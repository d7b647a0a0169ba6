"""``ship prune`` and pruning after ``collectstatic``, as people run them."""

from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.django.storage import StaticStorage
from shipfiles.manifest import reader_of
from shipfiles.records import (
    POINTER_KEY,
    RELEASES_PREFIX,
    Activation,
    Pointer,
    dump_pointer,
    dump_record,
    now,
    read_pointer,
    record_key,
)
from shipfiles.release import retention
from shipfiles.release.catalog import records_of
from shipfiles.stores.local import LocalStore
from shipfiles.stores.store import Store, read_all

from .test_collectstatic import collect


def with_options(**options: object) -> override_settings:
    given = settings.STORAGES["staticfiles"]
    changed = {**given, "OPTIONS": {**given.get("OPTIONS", {}), **options}}
    return override_settings(STORAGES={**settings.STORAGES, "staticfiles": changed})


def ship(*arguments: str, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    call_command("ship", "prune", *arguments, stdout=out, stderr=out, no_color=True)
    return out.getvalue()


def age(project: Path, days: float) -> None:
    """Let all that was published so far be so much older."""
    age_in(LocalStore(str(project / "root")), days)


def age_in(store: Store, days: float) -> None:
    """The same for any store."""
    by = timedelta(days=days)
    for record in records_of(store).values():
        store.put(record_key(record.release), dump_record(replace(record, made=record.made - by)))
    pointer = read_pointer(lambda key: read_all(store, key))
    assert pointer is not None
    moved = tuple(Activation(known.release, known.at - by) for known in pointer.history)
    store.put(POINTER_KEY, dump_pointer(Pointer(moved)))


@pytest.fixture
def four(project: Path, write, monkeypatch) -> list[str]:
    """Four releases, the last of today, the others made and replaced weeks ago; their ids, oldest first.

    No file counts as put a moment ago: a test cannot set the time at which an inode changed.
    """
    monkeypatch.setattr("shipfiles.release.prune.GRACE", timedelta(0))
    monkeypatch.setattr(plan_defaults(), "__kwdefaults__", {**plan_defaults().__kwdefaults__, "grace": timedelta(-1)})
    ids = []
    for number in (1, 2, 3, 4):
        write({"app.css": f"p {{ top: {number}px }}", "same.txt": "same"})
        if number > 1:
            (project / f"src/only{number - 1}.txt").unlink()
        write({f"only{number}.txt": str(number)})
        collect()
        pointer = read_pointer(reader_of(str(project / "root")))
        assert pointer is not None
        ids.append(pointer.release)
        if number < 4:
            age(project, 20)
    return ids


def plan_defaults():  # type: ignore[no-untyped-def]
    from shipfiles.release.prune import plan_prune

    return plan_prune


def releases(project: Path) -> set[str]:
    return set(records_of(LocalStore(str(project / "root"))))


def test_it_says_what_goes_before_it_goes(project: Path, four: list[str]) -> None:
    out = ship("--keep", "1", "--dry-run")
    assert releases(project) == set(four)
    for release in four[:2]:
        assert release in out
    assert "To be deleted: 2 releases, 6 files" in out
    assert f"Kept: {four[3]}, current\n" in out
    assert f"Kept: {four[2]}, current before this one\n" in out
    before = out.rindex("To be deleted")
    out = ship("--keep", "1")
    assert out.index("To be deleted") <= before < out.index("Deleted 2 releases, 6 files")
    assert releases(project) == set(four[2:])
    assert not (project / "root/only1.txt").exists()
    assert (project / "root/only4.txt").exists()
    assert ship("--keep", "1").splitlines()[-1] == "There is nothing to be deleted."
    # What was asked for is done.
    assert json.loads(ship("--keep", "1", "--json"))["done"]


def test_the_options_are_the_defaults(project: Path, four: list[str]) -> None:
    assert "There is nothing to be deleted." in ship("--dry-run")
    with with_options(retain={"keep": 3, "younger_than": "1d"}):
        assert "To be deleted: 1 release," in ship("--dry-run")
        assert "To be deleted: 2 releases," in ship("--dry-run", "--keep", "0")
        # The first was replaced by the second 40 days ago, that by the third 20 days ago.
        assert "To be deleted: 1 release," in ship("--dry-run", "--keep", "0", "--younger-than", "39d")
        assert "There is nothing" in ship("--dry-run", "--keep", "0", "--younger-than", "41d")
        assert "To be deleted: 1 release," in ship("--dry-run", "--keep", "0", "--protect", four[0][:6])


def test_json(project: Path, four: list[str]) -> None:
    said = json.loads(ship("--keep", "1", "--dry-run", "--json"))
    assert (said["dry_run"], said["done"], said["files"]) == (True, False, 6)
    assert [part["release"] for part in said["dropped"]] == [four[1], four[0]]
    assert said["bytes"] == sum(part["bytes"] for part in said["dropped"]) > 0
    assert {kept["release"] for kept in said["kept"]} == set(four[2:])
    done = json.loads(ship("--keep", "1", "--json"))
    assert {**done, "dry_run": True, "done": False} == said
    assert done["done"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_asks(project: Path, four: list[str], monkeypatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "n")
    with pytest.raises(CommandError, match="Nothing was deleted"):
        ship("--keep", "1", out=Terminal())
    assert releases(project) == set(four)
    monkeypatch.setattr("builtins.input", lambda _: pytest.fail("asked"))
    ship("--keep", "1", "--dry-run", out=Terminal())
    assert releases(project) == set(four)
    ship("--keep", "1", "--noinput", out=Terminal())
    assert releases(project) == set(four[2:])


def test_ids_of_commits_do_not_break_over_two_lines(project: Path, write, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    ids = [digit * 40 for digit in "abc"] + ["a" * 11 + "b" * 29]
    for number, release in enumerate(ids):
        write({"app.css": f"p {{ top: {number}px }}"})
        with with_options(release_id=release):
            collect()
        age(project, 20)
    monkeypatch.setattr(plan_defaults(), "__kwdefaults__", {**plan_defaults().__kwdefaults__, "grace": timedelta(-1)})
    table = [line for line in ship("--keep", "0", "--dry-run", out=Terminal()).splitlines() if "Kept:" not in line]
    assert [line.split()[0] for line in table[1:3]] == ["bbbbbbbbbbbb", "aaaaaaaaaaaa"]
    assert max(map(len, table[1:])) <= 80


def test_a_yes(project: Path, four: list[str], monkeypatch) -> None:
    monkeypatch.setattr("builtins.input", lambda _: "Y")
    assert "Deleted 2 releases" in ship("--keep", "1", out=Terminal())


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--younger-than", "7 days"], "no length of time: write 7d"),
        (["--keep", "-1"], "'-1' is no number of releases: write 0 or more"),
        (["--keep", "two"], "'two' is no number of releases"),
        (["--protect", "nonesuch"], "no release 'nonesuch'"),
    ],
)
def test_what_cannot_be_meant(four: list[str], arguments: list[str], text: str) -> None:
    with pytest.raises(CommandError, match=text):
        ship(*arguments)


def test_damage_is_a_clear_error(project: Path, four: list[str]) -> None:
    (project / "root" / record_key(four[0])).write_text("{")
    with pytest.raises(CommandError, match=f"(?s){four[0]}.*nothing was deleted"):
        ship("--keep", "1")
    out = io.StringIO()
    with pytest.raises(CommandError):
        ship("--keep", "1", "--json", out=out)
    assert "nothing was deleted" in json.loads(out.getvalue())["error"]
    assert len(list((project / "root" / RELEASES_PREFIX).iterdir())) == 4


def test_no_release_at_all(project: Path) -> None:
    with pytest.raises(CommandError, match="There is no current release"):
        ship()


def test_another_storage(project: Path) -> None:
    other = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    with (
        override_settings(STORAGES={**settings.STORAGES, "staticfiles": other}),
        pytest.raises(CommandError, match="only where STORAGES"),
    ):
        ship()


def test_after_a_prune_the_next_run_need_not_look_at_everything(project: Path, four: list[str]) -> None:
    assert "Deleted 2 releases" in ship("--keep", "1")
    assert json.loads(collect("--json")[0])["built"] == 0


def test_after_collectstatic(project: Path, write, four: list[str]) -> None:
    age(project, 20)
    with with_options(retain={"keep": 1, "on_collect": True}):
        # No release is made, so nothing is pruned either.
        collect()
        assert releases(project) == set(four)
        write({"app.css": "changed"})
        out, _ = collect()
    assert "Pruned: 3 releases, 9 files" in out
    assert len(releases(project)) == 2


def test_what_waits_is_told_each_time(project: Path, write) -> None:
    """Nothing is told as pruned, or as left by others, that only waits for an hour."""
    for number in (1, 2, 3):
        write({"app.css": f"p {{ top: {number}px }}"})
        collect()
        age(project, 20)
    for _ in range(2):
        out = ship("--keep", "1")
        assert "Left for the next time: 1 file put there less than 1h ago" in out
        assert out.splitlines()[-1] == "There is nothing to be deleted."
        said = json.loads(ship("--keep", "1", "--json"))
        assert (said["dropped"], said["waiting"], len(said["held"]), said["files"]) == ([], 1, 1, 0)
    write({"app.css": "changed"})
    with with_options(retain={"keep": 1, "on_collect": True}):
        out, _ = collect()
    assert "Pruned: 0 releases, 0 files, 0 bytes; 2 files put there less than 1h ago left for the next time" in out
    assert "Delete:" not in out
    assert len(releases(project)) == 4


def test_a_prune_that_fails_after_collectstatic_is_told_and_undoes_nothing(project: Path, write, four) -> None:
    (project / "root" / record_key(four[0])).write_text("{")
    write({"app.css": "changed"})
    with with_options(retain={"keep": 1, "on_collect": True}):
        out, err = collect()
        assert f"is live in {project / 'root'}, but old ones could not be pruned" in err
        assert "Pruned: failed" in out
        write({"app.css": "changed again"})
        said = io.StringIO()
        call_command("collectstatic", "--noinput", "--json", stdout=said, stderr=io.StringIO())
    facts = json.loads(said.getvalue())
    assert "nothing was deleted" in facts["pruned"]["error"]
    pointer = read_pointer(partial(reader_of(str(project / "root"))))
    assert pointer is not None
    assert pointer.release == facts["release"] not in four


def test_wrong_options() -> None:
    with pytest.raises(ImproperlyConfigured, match=r"\['younger_than'\]: '7' is no length of time: write 7d"):
        StaticStorage(location="/x", retain={"younger_than": "7"})
    with pytest.raises(ImproperlyConfigured, match=r"retain.*keep.*negative"):
        StaticStorage(location="/x", retain={"keep": -1})
    assert timedelta(hours=1) == retention.GRACE
    assert os.path.isabs("/x")
    assert now().tzinfo is not None
