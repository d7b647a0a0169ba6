"""``ship activate`` and ``ship rollback``, as people call them."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import override_settings

from shipfiles.digest import digest_bytes
from shipfiles.manifest import reader_of
from shipfiles.records import dump_record, read_current, read_pointer, read_record, record_key
from shipfiles.release.pointing import Pointing
from shipfiles.stores.local import LocalStore

from .shipping import refused, ship
from .test_collectstatic import MANAGE, SETTINGS
from .test_ship_prune import with_options

ONE = "p { color: red }\n" * 40
TWO = "p { color: tan }\n" * 50


def current(root: Path) -> str:
    found = read_current(reader_of(str(root)))
    assert found is not None
    return found[0]


@pytest.fixture
def two(project: Path, write) -> tuple[str, str]:
    """The ids of two releases: one style sheet changes, one file comes, one goes; the second is current."""
    write({"app.css": ONE, "old.txt": "old", "same.txt": "same"})
    call_command("collectstatic", interactive=False, verbosity=0)
    first = current(project / "root")
    write({"app.css": TWO, "new.txt": "new"})
    (project / "src/old.txt").unlink()
    call_command("collectstatic", interactive=False, verbosity=0)
    return first, current(project / "root")


def paths(root: Path) -> set[str]:
    return set(json.loads((root / "staticfiles.json").read_text())["paths"])


def test_there_and_back(project: Path, two):
    first, second = two
    root = project / "root"
    # Of the first one app.css is another and old.txt is not in the second.
    assert ship("activate", first) == (
        f"Made {first} the current release instead of {second}. Changed or added: 2 files.", "",
    )  # fmt: skip
    assert current(root) == first
    assert (root / "app.css").read_text() == ONE
    assert paths(root) == {"app.css", "old.txt", "same.txt"}
    assert ship("activate", second[:4])[0].startswith(f"Made {second} the current release instead of {first}.")
    assert current(root) == second
    assert (root / "app.css").read_text() == TWO
    assert paths(root) == {"app.css", "new.txt", "same.txt"}
    assert ship("activate", first, "-v0") == ("", "")
    assert current(root) == first


def test_back_and_back_again(project: Path, two):
    first, second = two
    assert ship("rollback")[0].startswith(f"Made {first} the current release instead of {second}.")
    assert ship("rollback", "1")[0].startswith(f"Made {second} the current release instead of {first}.")
    pointer = read_pointer(reader_of(str(project / "root")))
    assert pointer is not None
    assert [activation.release for activation in pointer.history] == [first, second, first, second]


def test_further_back(project: Path, two, write):
    first, second = two
    write({"new.txt": "newer"})
    call_command("collectstatic", interactive=False, verbosity=0)
    third = current(project / "root")
    assert ship("rollback", "2")[0].startswith(f"Made {first} the current release instead of {third}.")
    said = refused("rollback", "3")
    assert f"only 2 that were current before and still there: {third}, {second}." in said
    assert current(project / "root") == first


def test_the_current_one_is_put_right(project: Path, two):
    _, second = two
    assert ship("activate", "current")[0] == f"The release {second} was current already."
    (project / "root/app.css").unlink()
    (project / "root/app.css").write_text("overwritten by hand")
    out, _ = ship("activate", "current")
    assert out.startswith(f"The release {second} was current already; ")
    assert out.endswith("had to be put right.")
    assert (project / "root/app.css").read_text() == TWO


class Waits(io.StringIO):
    """Standard error; ``told`` once the run says that it waits for another."""

    def __init__(self) -> None:
        super().__init__()
        self.told = threading.Event()

    def write(self, text: str) -> int:
        if "waiting for it to end" in text:
            self.told.set()
        return super().write(text)


def activated_after(store: LocalStore, meanwhile: Callable[[], object], text: str) -> str:
    """What ``ship activate`` says on standard error that waits for a run which does something ``meanwhile``."""
    err = Waits()
    options = {"stdout": io.StringIO(), "stderr": err, "no_color": True}
    run = threading.Thread(target=call_command, args=("ship", "activate", text), kwargs=options)
    with store.lock(lambda: None):
        run.start()
        assert err.told.wait(60)
        meanwhile()
    run.join(60)
    assert not run.is_alive()
    return err.getvalue()


def put_again(store: LocalStore, release: str, name: str) -> None:
    """Let there be a release called ``name``, with the files of ``release``."""
    record = read_record(reader_of(store.root), release)
    assert record is not None
    store.put(record_key(name), dump_record(replace(record, release=name)))


@pytest.mark.parametrize("text", ["current", "current~1"])
def test_which_is_current_is_asked_again_after_waiting(project: Path, two, text: str):
    first, second = two
    store = LocalStore(str(project / "root"))
    put_again(store, first, "third")
    pointing = Pointing(store, "", lambda change: None, lambda event: None)
    said = activated_after(store, lambda: pointing.point("third", digest_bytes(b"")), text)
    meant, before = ("third", second) if text == "current" else (second, first)
    assert current(project / "root") == meant
    assert f"The release third became current while this run waited: {meant} is meant now, not {before}." in said


def test_what_an_abbreviation_means_is_not_asked_again_after_waiting(project: Path, two):
    """Else a release that came meanwhile, and has the abbreviation for an id, would be made current unasked."""
    first, _ = two
    store = LocalStore(str(project / "root"))
    activated_after(store, lambda: put_again(store, first, first[:6]), first[:6])
    assert current(project / "root") == first


def test_as_json(project: Path, two):
    first, second = two
    facts = json.loads(ship("rollback", "--json")[0])
    assert facts.pop("bytes_written") > len(ONE)
    # Written: app.css and both its variants, the pointer and staticfiles.json; old.txt and its hashed name are there
    # still. Deleted before that: the variants of the other app.css.
    assert facts == {"release": first, "before": second, "differing": 2, "written": 5, "deleted": 2, "pinned": None}
    facts = json.loads(ship("activate", "current", "--json")[0])
    assert facts == {
        "release": first, "before": first, "differing": 0, "written": 0, "bytes_written": 0, "deleted": 0,
        "pinned": None,
    }  # fmt: skip


def test_what_cannot_be_done_is_said(project: Path, two):
    first, second = two
    assert "There is no release 'deadbeef'" in refused("activate", "deadbeef")
    # Three characters are too few to stand for an id.
    assert "write four characters or more" in refused("activate", first[:3])
    assert "There is no release '../x'" in refused("activate", "../x")
    assert "1 release or more, not by 0" in refused("rollback", "0")
    for key in (project / "root").glob("app.*.css"):
        key.unlink()
    said = refused("activate", first)
    assert "damaged, so it was not made current; nothing was changed" in said
    assert "missing" in said
    assert current(project / "root") == second
    assert (project / "root/app.css").read_text() == TWO


def test_an_abbreviation_of_two_ids(project: Path, two):
    first, second = two
    releases = project / "root/.shipfiles/releases"
    for name in ("abcd-1", "abcd-2"):
        record = json.loads((releases / f"{first}.json").read_text())
        (releases / f"{name}.json").write_text(json.dumps({**record, "release": name}))
    said = refused("activate", "abcd")
    assert "'abcd' is ambiguous: 2 releases begin so: abcd-1, abcd-2." in said
    assert current(project / "root") == second
    assert ship("activate", "abcd-2")[0].startswith("Made abcd-2 the current release")


def test_processes_that_stay_on_another_release_are_told_of(project: Path, two):
    first, second = two
    with with_options(release_id=second):
        out, err = ship("activate", first)
        assert out.startswith(f"Made {first} the current release")
        assert f"Processes with these settings use {second} (its own by release_id)" in err
        assert json.loads(ship("activate", first, "--json")[0])["pinned"] in err
        assert ship("activate", second)[1] == ""
    with with_options(release_id=second, serve={"follow_current": True}):
        assert ship("activate", first)[1] == ""


@pytest.mark.parametrize("arguments", [("activate", "current"), ("rollback",)])
def test_no_release_at_all(project: Path, arguments):
    assert refused(*arguments) == f"There is no release in {project / 'root'} yet. Run collectstatic."


@pytest.mark.parametrize("arguments", [("activate", "current"), ("rollback",)])
def test_a_storage_that_is_not_ours(project: Path, arguments):
    other = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"}}
    with override_settings(STORAGES=other):
        assert "There are releases only where" in refused(*arguments)


def test_status_of_the_command(project: Path, write):
    write({"app.css": ONE})
    (project / "project_settings.py").write_text(SETTINGS)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project_settings"}
    environment["PYTHONPATH"] = os.pathsep.join([str(project), os.environ.get("PYTHONPATH", "")])

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", MANAGE, *arguments]
        return subprocess.run(command, env=environment, cwd=project, capture_output=True, text=True, check=False)

    assert run("collectstatic", "--noinput").returncode == 0
    done = run("ship", "activate", "current")
    assert (done.returncode, done.stderr) == (0, "")
    assert "was current already" in done.stdout
    done = run("ship", "rollback")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("CommandError: There is no earlier release: no other that was current before")
    done = run("ship", "verify", "one", "two")
    assert (done.returncode, done.stdout) == (2, "")
    assert " ship verify [" in done.stderr
    assert done.stderr.endswith("unrecognized arguments: two\n")
    assert run("ship", "verify", "--from", "x").returncode == 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has a device that is always full")
def test_an_output_that_takes_nothing(project: Path, write):
    """full(4): writing fails with ENOSPC; what is buffered, when the program ends."""
    write({"app.css": ONE})
    (project / "project_settings.py").write_text(SETTINGS)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project_settings"}
    environment["PYTHONPATH"] = os.pathsep.join([str(project), os.environ.get("PYTHONPATH", "")])
    for arguments in (["collectstatic", "--noinput"], ["ship", "releases"]):
        command = [sys.executable, "-c", MANAGE, *arguments]
        with open("/dev/full", "wb") as full:
            done = subprocess.run(
                command, env=environment, cwd=project, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1].startswith("CommandError: The output cannot be written: no space left")
        assert "Traceback" not in done.stderr
        assert "Exception ignored" not in done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])
def test_nobody_reads_on(project: Path, write, unbuffered: str):
    """As in ``ship releases | head -2``: write() fails with EPIPE, and shells say 141 of who ends by SIGPIPE."""
    write({"app.css": ONE})
    (project / "project_settings.py").write_text(SETTINGS)
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project_settings", "PYTHONUNBUFFERED": unbuffered}
    environment["PYTHONPATH"] = os.pathsep.join([str(project), os.environ.get("PYTHONPATH", "")])
    for arguments in (["collectstatic", "--noinput"], ["ship", "releases"]):
        reader, writer = os.pipe()
        os.close(reader)
        command = [sys.executable, "-c", MANAGE, *arguments]
        done = subprocess.run(
            command, env=environment, cwd=project, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (141, "")
