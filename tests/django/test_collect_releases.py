"""What ``collectstatic`` says of releases: which one it took the place of, which went, and whose commit it bears."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import CommandError

from shipfiles.django.collect import collect as collected
from shipfiles.django.sources import find_sources
from shipfiles.events import Event, Notice, PhaseStarted
from shipfiles.release.activate import activate

from .shipping import ship
from .test_collectstatic import collect
from .test_ship_prune import with_options

LONG = "p { color: red }\n" * 40


def deploy(release: str, *arguments: str) -> tuple[str, str]:
    with with_options(release_id=release):
        return collect(*arguments)


def releases() -> list[str]:
    return [record["release"] for record in json.loads(ship("releases", "--json")[0])["releases"]]


def test_the_release_whose_place_it_takes(project: Path, write) -> None:
    write({"a.css": LONG})
    assert "Instead of" not in deploy("c1")[0]
    # The same files, changed files, and everything anew: three ways of publishing.
    assert "\nRelease: c2\nInstead of: c1\n" in deploy("c2")[0]
    write({"a.css": LONG + "q {}"})
    assert json.loads(deploy("c3", "--json")[0])["before"] == "c2"
    write({"b.css": LONG})
    assert "\nRelease: c4\nInstead of: c3\n" in deploy("c4")[0]
    assert "Instead of" not in deploy("c4")[0]


def test_another_run_was_faster(project: Path, write) -> None:
    """It began later and ended earlier: its release is current no longer, and somebody may think that it is."""
    write({"a.css": LONG})
    deploy("c1")
    write({"a.css": LONG + "q {}"})
    deploy("c2")
    deploy_back = ship("activate", "c1")
    assert deploy_back
    write({"b.css": LONG})
    told: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Notice):
            told.append(event.text)
        elif isinstance(event, PhaseStarted) and event.phase == "read":
            activate(staticfiles_storage.store, "c2")

    with with_options(release_id="c3"), find_sources([]) as sources:
        collected(staticfiles_storage, sources, listener=listen)
    (text,) = told
    assert text.startswith("The release c2, which another run made current meanwhile, is so no longer")


def test_what_clear_takes_is_said_before_and_after(project: Path, write, monkeypatch: pytest.MonkeyPatch) -> None:
    write({"a.css": LONG})
    for release in ("c1", "c2"):
        deploy(release)
    out, err = deploy("c3", "--clear", "--dry-run")
    assert "--clear would delete every release but the one that it makes (2 are there)" in err
    assert "ship prune" in err
    assert "Cleared: 2 releases went with it (c1, c2), so there is nothing to roll back to" in out
    said = []

    def no(prompt: str) -> str:
        said.append(prompt)
        return "no"

    monkeypatch.setattr("builtins.input", no)
    with pytest.raises(CommandError, match="cancelled"):
        collect("--clear", interactive=True)
    # Django's words.
    assert "This will DELETE ALL FILES in this location!" in said[0]
    assert releases() == ["c2", "c1"]
    facts = json.loads(deploy("c3", "--clear", "--json")[0])
    assert sorted(facts["cleared"]) == ["c1", "c2"]
    assert releases() == ["c3"]


def test_what_is_replaced_is_not_counted_as_deleted(project: Path, write) -> None:
    write({"a.css": LONG})
    collect()
    write({"a.css": LONG * 2})
    out, _ = collect()
    assert "Deleted" not in out
    assert "deleted" not in out
    write({"a.css": "p {}"})
    # Too small to be compressed: now the two variants beside the plain name go.
    assert json.loads(collect("--json")[0])["deleted"] == 2


def test_the_commit_does_not_have_what_is_published(project: Path, write) -> None:
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "-C", str(project), *identity, *arguments], check=True, capture_output=True)

    write({"a.css": LONG, "b.css": LONG})
    git("init")
    git("add", "src")
    git("commit", "-m", "all")
    with with_options(release_id_strategy="shipfiles.release.identity.git_commit"):
        assert "not committed" not in collect("--dry-run")[1]
        write({"a.css": LONG + "q {}", "new/c.css": LONG})
        (project / "notes.txt").write_text("no static file")
        out, err = collect("--json")
    assert "a.css, new/c.css have changes that are not committed: the release " in err
    assert json.loads(out)["notices"] == [err.strip()]
