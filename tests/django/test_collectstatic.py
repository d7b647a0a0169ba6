"""The command, as people run it."""

from __future__ import annotations

import gzip
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.contrib.staticfiles.management.commands.collectstatic import Command as DjangoCommand
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.management import CommandError, call_command
from django.test import override_settings

from shipfiles.digest import digest_bytes
from shipfiles.manifest import reader_of
from shipfiles.records import read_current
from shipfiles.release.state import STATE_KEY
from tests.stored import timeless

CSS = "body { background: url(img/x.png) }\n" + "p { color: red }\n" * 40
SITE: dict[str, str | bytes] = {"css/app.css": CSS, "css/img/x.png": b"\x89PNG", "a.txt": "x\n" * 300}

# Older versions of Django count neither what was deleted nor what was skipped in the closing line.
COUNTS_ALL = hasattr(DjangoCommand(), "deleted_files")


def collect(*arguments: str, **options: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("collectstatic", "--noinput", *arguments, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def tree(root: Path) -> dict[str, bytes]:
    """What is there, without what a run remembers for the next and when it was."""
    files = (p for p in sorted(root.rglob("*")) if p.is_file() and p != root / STATE_KEY)
    return timeless({str(p.relative_to(root)): p.read_bytes() for p in files})


def test_the_closing_line_is_djangos(project: Path, write) -> None:
    write(SITE)
    out, _ = collect()
    assert out.splitlines()[-1] == f"3 static files copied to '{project / 'root'}', 3 post-processed."
    out, _ = collect()
    assert out.splitlines()[-1] == (
        # As Django counts: a style sheet is post-processed each time.
        f"0 static files copied to '{project / 'root'}', 3 unmodified, 1 post-processed."
    )


def test_names_are_known_at_once(project: Path, write) -> None:
    write(SITE)
    collect()
    name = staticfiles_storage.stored_name("css/app.css")
    assert (project / "root" / name).read_bytes() != CSS.encode()
    assert staticfiles_storage.url("css/app.css") == f"/static/{name}"
    assert staticfiles_storage.manifest_hash


def test_dry_run_names_every_file_and_writes_nothing(project: Path, write) -> None:
    write(SITE)
    out, _ = collect("--dry-run")
    assert not (project / "root").exists()
    assert not (project / ".cache").exists()
    assert f"Pretending to copy '{project / 'src/a.txt'}'" in out
    said = {line.split("'")[1] for line in out.splitlines() if line.startswith("Pretending to write")}
    collect()
    written = {name for name in tree(project / "root") if name not in (".shipfiles/lock", ".shipfiles/swap")}
    assert said == written - set(SITE)
    before = tree(project / "root")
    (project / "src/a.txt").write_text("changed\n" * 300)
    out, _ = collect("-n", "-c")
    assert tree(project / "root") == before
    assert "Pretending to delete 'a." in out


def test_clear_keeps_what_others_put_there(project: Path, write) -> None:
    write(SITE)
    collect()
    (project / "root/robots.txt").write_text("not ours")
    (project / "src/a.txt").unlink()
    out, _ = collect("--clear")
    assert (project / "root/robots.txt").exists()
    assert not list((project / "root").glob("a.*"))
    deleted = "8 static files deleted, " if COUNTS_ALL else ""
    assert out.splitlines()[-1].startswith(f"{deleted}0 static files copied")


def test_link(project: Path, write) -> None:
    write(SITE)
    out, _ = collect("--link")
    assert out.splitlines()[-1].startswith("3 static files symlinked to")
    assert os.readlink(project / "root/css/app.css") == str(project / "src/css/app.css")
    assert not (project / "root" / staticfiles_storage.stored_name("css/app.css")).is_symlink()
    collect()
    assert not (project / "root/css/app.css").is_symlink()


def test_no_post_process_copies_only(project: Path, write) -> None:
    write(SITE)
    out, _ = collect("--no-post-process")
    assert set(tree(project / "root")) == {*SITE, ".shipfiles/lock"}
    assert out.splitlines()[-1] == f"3 static files copied to '{project / 'root'}'."


def test_ignore(project: Path, write) -> None:
    write({**SITE, ".hidden": "x", "b~": "x"})
    collect("-i", "*.txt")
    assert {"a.txt", ".hidden", "b~"} & set(tree(project / "root")) == set()
    collect("--no-default-ignore")
    assert {"a.txt", ".hidden", "b~"} <= set(tree(project / "root"))


def test_the_prompt(project: Path, write, monkeypatch) -> None:
    write(SITE)
    collect()
    asked: list[str] = []

    def answer(prompt: str) -> str:
        asked.append(prompt)
        return "no"

    monkeypatch.setattr("builtins.input", answer)
    with pytest.raises(CommandError, match="cancelled"):
        call_command("collectstatic", stdout=io.StringIO())
    assert str(project / "root") in asked[0]
    assert "This will overwrite existing files!" in asked[0]


def test_a_broken_reference_stops_before_anything_is_written(project: Path, write) -> None:
    write(SITE)
    collect()
    before = tree(project / "root")
    write({"css/app.css": "a { background: url(img/y.png) }"})
    with pytest.raises(CommandError, match=r"css/app\.css:1:21: img/y\.png: no static file"):
        collect()
    assert tree(project / "root") == before


def test_a_name_that_two_folders_have(project: Path, write) -> None:
    write(SITE)
    other = project / "other"
    other.mkdir()
    (other / "a.txt").write_text("other")
    with override_settings(STATICFILES_DIRS=[str(project / "src"), str(other)]):
        out, _ = collect(verbosity=2)
    assert "Found another file with the destination path 'a.txt'" in out
    assert f"ignored:   {other / 'a.txt'}" in out
    assert not COUNTS_ALL or out.splitlines()[-1].endswith("1 skipped due to conflict.")
    assert (project / "root/a.txt").read_text() == SITE["a.txt"]


def test_prefixes(project: Path, write) -> None:
    write(SITE)
    with override_settings(STATICFILES_DIRS=[("pre/fix", str(project / "src"))]):
        collect()
    assert (project / "root/pre/fix/a.txt").exists()


def test_djangos_own_command_gives_the_same_release(project: Path, write) -> None:
    write(SITE)
    collect()
    ours = tree(project / "root")
    with override_settings(STATIC_ROOT=str(project / "other")):
        out = io.StringIO()
        call_command(DjangoCommand(), "--noinput", stdout=out)
        assert "3 static files copied" in out.getvalue()
        assert tree(project / "other") == ours


def test_odd_names(project: Path, write) -> None:
    names = ["a b.txt", "ü.txt", "100%.txt", "a%20b.txt", "q?.txt", "h#.txt", "日本.txt", "plus+.txt", "quo'te.txt"]
    write(dict.fromkeys(names, "x"))
    collect()
    for name in names:
        stored = staticfiles_storage.stored_name(name)
        assert (project / "root" / stored).read_text() == "x"
        url = staticfiles_storage.url(name)
        assert url.isascii()
        assert "?" not in url
        assert "#" not in url


def test_no_space_left(project: Path, write, small_disk: Path) -> None:
    write({"a.txt": "live"})
    with override_settings(STATIC_ROOT=str(small_disk / "root")):
        collect()
        before = tree(small_disk / "root")
        write({"big.bin": os.urandom(3_000_000)})
        with pytest.raises(CommandError, match=r"big\.[0-9a-f]{12}\.bin: .*no space left"):
            collect()
        assert {**tree(small_disk / "root"), **before} == tree(small_disk / "root")
        assert not list((small_disk / "root").rglob(".shipfiles-*"))
        assert staticfiles_storage.url("a.txt")


def test_a_read_only_root(project: Path, write, small_disk: Path) -> None:
    write({"a.txt": "x"})
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with (
        override_settings(STATIC_ROOT=str(small_disk / "root")),
        pytest.raises(CommandError, match="the file system is read-only"),
    ):
        collect()


def test_an_unreadable_file(project: Path, write) -> None:
    write(SITE)
    (project / "src/a.txt").chmod(0)
    run = manage(project, "collectstatic", "--noinput", anybody=True)
    assert run.returncode == 1
    assert "src/a.txt: cannot be read: permission denied" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (project / "root").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_large_file_takes_little_memory(project: Path, write) -> None:
    with open(project / "src/large.bin", "wb") as file:
        file.writelines(bytes([i]) * 1_000_000 for i in range(200))
    run = manage(project, "collectstatic", "--noinput", report_memory=True)
    assert run.returncode == 0, run.stderr
    assert int(run.stderr.split("peak kB:")[1]) < 150_000
    assert (project / "root/large.bin").stat().st_size == 200_000_000


def test_two_runs_at_once_come_out_as_one_after_the_other(project: Path, write) -> None:
    """Each run has its own sources; the place is one. Whoever ends last is live, and all of it is there."""
    runs = []
    for run in range(3):
        folder = project / f"site{run}"
        (folder / "src").mkdir(parents=True)
        for i in range(60):
            (folder / "src" / f"{i}.txt").write_text(f"run {run} file {i}\n" * 500)
        (folder / "root").symlink_to(project / "shared", target_is_directory=True)
        (project / "shared").mkdir(exist_ok=True)
        runs.append(start(folder, "collectstatic", "--noinput"))
    for run in runs:
        _, err = run.communicate(timeout=120)
        assert run.returncode == 0, err
    current = read_current(reader_of(str(project / "shared")))
    assert current is not None
    live = {entry.logical: (project / "shared" / entry.name).read_text() for entry in current[1].entries.values()}
    assert len(live) == 60
    # The plain copies are of the same run, every one.
    assert {(project / "shared" / name).read_text() == body for name, body in live.items()} == {True}
    assert len({body[:5] for body in live.values()}) == 1


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.06, 0.1, 0.15, 0.2, 0.3])
def test_kill_9_leaves_the_release_before_whole_and_the_next_run_heals(project: Path, write, delay: float) -> None:
    write({f"{i}.css": f"a{i} {{ color: red }}\n" * 300 for i in range(40)})
    assert manage(project, "collectstatic", "--noinput").returncode == 0
    root = project / "root"
    write({f"{i}.css": f"b{i} {{ color: red }}\n" * 300 for i in range(40)})
    run = start(project, "collectstatic", "--noinput", "-v0")
    # From the moment at which it begins to write.
    names = set(os.listdir(root))
    until = time.monotonic() + 60
    while set(os.listdir(root)) == names and run.poll() is None and time.monotonic() < until:
        time.sleep(0.002)
    time.sleep(delay)
    run.send_signal(signal.SIGKILL)
    run.communicate()
    # What a process that starts now would serve, by our pointer and by the manifest that stock Django reads.
    current = read_current(reader_of(str(root)))
    assert current is not None
    for entry in current[1].entries.values():
        body = (root / entry.name).read_bytes()
        assert (len(body), digest_bytes(body)) == (entry.size, entry.digest)
        assert gzip.decompress((root / f"{entry.name}.gz").read_bytes()) == body
    for name in json.loads((root / "staticfiles.json").read_text())["paths"].values():
        assert (root / name).exists()
    assert manage(project, "collectstatic", "--noinput").returncode == 0
    assert not list(root.rglob(".shipfiles-*"))
    for i in range(40):
        assert (root / f"{i}.css").read_text().startswith(f"b{i} ")


SETTINGS = """
import os
SECRET_KEY = "x"
INSTALLED_APPS = ["shipfiles.django", "django.contrib.staticfiles"]
STATIC_URL = "/static/"
STATIC_ROOT = os.path.join(os.path.dirname(__file__), "root")
STATICFILES_DIRS = [os.path.join(os.path.dirname(__file__), "src")]
STORAGES = {"staticfiles": {"BACKEND": "shipfiles.django.storage.StaticStorage"}}
"""
MANAGE = """
import os, sys
from django.core.management import execute_from_command_line
try:
    execute_from_command_line(["manage.py", *sys.argv[1:]])
finally:
    if os.environ.get("REPORT_MEMORY"):
        # Not getrusage: its figure outlives exec, and so knows the size of the test run that started this.
        peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM:"))
        print("peak kB:", peak.split()[1], file=sys.stderr)
"""
# Root reads and writes everything; without these two capabilities it is held to permissions like anybody.
AS_ANYBODY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--"]


def start(
    project: Path, *arguments: str, anybody: bool = False, report_memory: bool = False, more_settings: str = ""
) -> subprocess.Popen[str]:
    (project / "project_settings.py").write_text(SETTINGS + more_settings)
    path = os.pathsep.join([str(project), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project_settings", "PYTHONPATH": path}
    environment |= {"REPORT_MEMORY": "1"} if report_memory else {}
    # Compiled settings would stand for others of the same length that are written within the same second.
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    prefix = AS_ANYBODY if anybody and os.geteuid() == 0 else []
    command = [*prefix, sys.executable, "-c", MANAGE, *arguments]
    return subprocess.Popen(
        command, env=environment, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def manage(
    project: Path, *arguments: str, anybody: bool = False, report_memory: bool = False, more_settings: str = ""
) -> subprocess.CompletedProcess[str]:
    run = start(project, *arguments, anybody=anybody, report_memory=report_memory, more_settings=more_settings)
    out, err = run.communicate(timeout=300)
    return subprocess.CompletedProcess(run.args, run.returncode, out, err)
