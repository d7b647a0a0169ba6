"""``ship releases``, as people call it."""

from __future__ import annotations

import io
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, ManagementUtility, call_command
from django.core.management.base import BaseCommand
from django.test import override_settings

from shipfiles.digest import digest_bytes
from shipfiles.django.verbs import VERBS
from shipfiles.django.verbs.shared import notices
from shipfiles.events import Notice
from shipfiles.manifest import Manifest, dump
from shipfiles.records import (
    POINTER_KEY,
    Activation,
    Pointer,
    Record,
    dump_pointer,
    dump_record,
    manifest_key,
    record_key,
)
from shipfiles.stores.local import LocalStore

from .shipping import refused, ship
from .test_ship_prune import with_options

COMMITS = ["3f2a9c81b04d5e6f708192a3b4c5d6e7f8091a2b", "3f2a9c81b04d9e6f708192a3b4c5d6e7f8091a2b"]
EMPTY = dump(Manifest({}))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def at(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


@pytest.fixture
def store(project: Path) -> LocalStore:
    """Three releases: the first was current twice, now the second is, the third never was."""
    store = LocalStore(str(project / "root"))
    digest = digest_bytes(EMPTY)
    for record in (
        Record(COMMITS[0], at(1), digest, 24_008, 247_100_000, {"br": 61_000_000}, 247_100_000),
        Record(COMMITS[1], at(2, 9), digest, 24_009, 247_100_500, {"br": 61_000_100}, 1_500),
        Record("v3", at(3), digest, 1, 20, {}, 0),
    ):
        store.put(record_key(record.release), dump_record(record))
    store.put(manifest_key(digest), EMPTY)
    history = [(COMMITS[0], at(1)), (COMMITS[1], at(2, 9)), (COMMITS[0], at(2, 10)), (COMMITS[1], at(4, 12))]
    store.put(POINTER_KEY, dump_pointer(Pointer(tuple(Activation(*one) for one in history))))
    return store


@pytest.fixture(autouse=True)
def berlin():
    with override_settings(TIME_ZONE="Europe/Berlin"):
        yield


def test_newest_first_and_who_was_current_until_when(store):
    # Berlin is an hour ahead of UTC in November.
    assert ship("releases") == (f"""\
Release                                   Made                  Files      Size       New  Current
v3                                        2026-11-03 01:00:00       1  20 bytes   0 bytes  never
{COMMITS[1]}  2026-11-02 10:00:00  24,009  247.1 MB    1.5 kB  now
{COMMITS[0]}  2026-11-01 01:00:00  24,008  247.1 MB  247.1 MB  until 2026-11-04 13:00:00
Times are in Europe/Berlin.""", "")  # fmt: skip


def on_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> list[str]:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm-256color")
    out = Terminal()
    call_command("ship", "releases", stdout=out, no_color=True)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def test_commits_are_as_short_as_they_can_be_told_apart_on_a_terminal(store, monkeypatch):
    # The two differ in the 13th digit.
    assert on_terminal(monkeypatch, 100) == [
        "Release        Made                  Files      Size       New  Current",
        "v3             2026-11-03 01:00:00       1  20 bytes   0 bytes  never",
        "3f2a9c81b04d9  2026-11-02 10:00:00  24,009  247.1 MB    1.5 kB  now",
        "3f2a9c81b04d5  2026-11-01 01:00:00  24,008  247.1 MB  247.1 MB  until 2026-11-04 13:00:00",
        "Times are in Europe/Berlin.",
    ]
    assert ship("activate", "3f2a9c81b04d5")[0].startswith(f"Made {COMMITS[0]} the current release")


def test_a_narrow_terminal_does_without_what_is_least_needed(store, monkeypatch):
    end = "until 2026-11-04 13:00:00"
    assert on_terminal(monkeypatch, 80)[-2] == f"3f2a9c81b04d5  2026-11-01 01:00:00  24,008  247.1 MB  {end}"
    assert on_terminal(monkeypatch, 72)[-2] == f"3f2a9c81b04d5  2026-11-01 01:00:00  24,008  {end}"


@pytest.mark.parametrize(
    "arguments", [("ship", "releases"), ("ship", "show", "current"), ("ship", "verify"), ("collectstatic", "--noinput")]
)
def test_no_color_is_no_bold_text_either(project: Path, write, monkeypatch, arguments):
    """ECMA-48, SGR: what ends with "m" sets colours, and 1 is bold; the rest moves the cursor of a progress bar."""
    monkeypatch.setenv("TERM", "xterm-256color")
    write({"a.css": "p{}"})
    call_command("collectstatic", interactive=False, verbosity=0)
    plain, styled = Terminal(), Terminal()
    call_command(*arguments, stdout=plain, no_color=True)
    assert re.findall(r"\x1b\[[0-9;]*m", plain.getvalue()) == []
    call_command(*arguments, stdout=styled, force_color=True)
    assert "\x1b[1m" in styled.getvalue() or "\x1b[38" in styled.getvalue()


def test_as_json(store):
    facts = json.loads(ship("releases", "--json")[0])
    assert facts["current"] == COMMITS[1]
    assert facts["used"] == {"release": COMMITS[1], "why": facts["used"]["why"]}
    assert facts["notices"] == []
    assert [one["release"] for one in facts["releases"]] == ["v3", COMMITS[1], COMMITS[0]]
    assert [one["current"] for one in facts["releases"]] == [False, True, False]
    assert [one["current_since"] for one in facts["releases"]] == [None, "2026-11-04T12:00:00Z", None]
    assert [one["current_until"] for one in facts["releases"]] == [None, None, "2026-11-04T12:00:00Z"]
    assert facts["releases"][1] | {
        "made": "2026-11-02T09:00:00Z", "files": 24_009, "bytes": 247_100_500,
        "compressed": {"br": {"bytes": 61_000_100}}, "new_bytes": 1_500, "manifest": digest_bytes(EMPTY),
    } == facts["releases"][1]  # fmt: skip


def test_what_a_process_uses_where_that_is_not_the_current_one(store):
    with with_options(release_id="v3"):
        out, _ = ship("releases")
        assert out.splitlines()[-1] == "A process that starts with these settings uses v3: its own by release_id."
        assert json.loads(ship("releases", "--json")[0])["used"] == {"release": "v3", "why": "its own by release_id"}


def test_a_process_that_would_not_start_is_told(store):
    with with_options(release_id="v9"):
        _, err = ship("releases")
        assert "A process that starts with these settings does not start." in err
        assert "v9" in err
        assert json.loads(ship("releases", "--json")[0])["used"] is None


def test_without_a_current_release_it_says_how_to_make_one_so(store):
    store.delete([POINTER_KEY])
    advice = "is current, and 3 can be: make one so with 'ship activate ID', or run collectstatic."
    assert ship("releases")[0].splitlines()[-1].endswith(advice)
    assert advice in refused("show", "current")
    assert advice in refused("rollback")


def test_what_cannot_be_read_is_passed_over_and_said(store):
    store.put(record_key("v3"), b"{")
    out, err = ship("releases")
    assert len(out.splitlines()) == 4
    assert "Passed over: .shipfiles/releases/v3.json: damaged: " in err
    # What is to be done for a release that may be an old one: its own code is needed, not that of now.
    assert "collectstatic from the code of the release v3 makes it again" in err
    assert len(json.loads(ship("releases", "--json")[0])["notices"]) == 1
    store.delete([record_key(COMMITS[1])])
    out, err = ship("releases")
    assert out.splitlines()[-1].startswith(f"The record of the current release, {COMMITS[1]}, is missing or damaged")
    store.put(POINTER_KEY, b"{")
    out, err = ship("releases")
    assert "current.json: damaged: " in err
    assert out.splitlines()[-1].startswith("No release in ")


def test_no_name_of_a_file_reaches_a_terminal_as_an_order():
    """ECMA-48: what begins with ESC is obeyed."""
    err = io.StringIO()
    notices(BaseCommand(stderr=err, no_color=True))(Notice("Passed over: .shipfiles/releases/\x1b[2J.json"))
    assert err.getvalue() == "Passed over: .shipfiles/releases/\\x1b[2J.json\n"


def test_without_releases(project: Path):
    assert ship("releases") == (f"There is no release in {project / 'root'} yet. Run collectstatic.", "")
    assert json.loads(ship("releases", "--json")[0]) == {
        "current": None, "used": None, "releases": [], "notices": [],
    }  # fmt: skip


def test_a_storage_that_is_not_ours(project: Path):
    other = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
    with override_settings(STORAGES=other):
        said = refused("releases")
    assert "There are releases only where STORAGES['staticfiles'] is shipfiles.django.storage.StaticStorage" in said
    assert "S3-, Google-, Azure- or SFTPStaticStorage" in said


def test_the_word_for_a_release_before(project: Path, write):
    ids = []
    for text in ("one", "two", "three"):
        write({"a.txt": text})
        call_command("collectstatic", interactive=False, verbosity=0)
        ids.append(json.loads(ship("releases", "--json")[0])["current"])
    assert ship("activate", "current~2")[0].startswith(f"Made {ids[0]} the current release instead of {ids[2]}.")
    assert "There are not 3 earlier releases, only 2 " in refused("activate", "current~3")
    assert "There is no release 'current~0'" in refused("activate", "current~0")


def test_without_a_verb_the_verbs_are_listed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        ManagementUtility(["manage.py", "ship"]).execute()
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert [line.split()[1] for line in told.splitlines() if line.startswith("  ship ")] == list(VERBS)
    with pytest.raises(CommandError, match="Which verb"):
        call_command("ship")
