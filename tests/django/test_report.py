"""What people see: bars and a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError
from django.test import override_settings

from shipfiles.django.bars import BarProgress, print_table
from shipfiles.django.progress import PlainProgress, Spent, count, duration, human
from shipfiles.events import Notice, PhaseEnded, PhaseStarted, Progress
from shipfiles.records import POINTER_KEY
from shipfiles.stores.local import LocalStore

from .test_collectstatic import MANAGE, SETTINGS, collect, manage, start
from .test_unchanged import looked_later

CSS = "body { background: url(img/x.png) }\n" + "p { color: red }\n" * 40
SITE: dict[str, str | bytes] = {"css/app.css": CSS, "css/img/x.png": b"\x89PNG", "a.txt": "x\n" * 300}


def on_a_terminal(project: Path, *arguments: str, columns: int = 250, status: int = 0) -> str:
    """What the command prints on a terminal, without the codes that colour and move."""
    pty = pytest.importorskip("pty")
    (project / "project_settings.py").write_text(SETTINGS)
    path = os.pathsep.join([str(project), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project_settings", "PYTHONPATH": path}
    environment |= {"TERM": "xterm-256color", "COLUMNS": str(columns)}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", MANAGE, "collectstatic", "--noinput", *arguments]
    run = subprocess.Popen(command, env=environment, cwd=project, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # Linux's way to say that the other side has closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(ours)
    assert run.wait(timeout=60) == status, shown
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r\n", "\n").replace("\r", "\n")


def test_a_terminal_gets_bars_and_a_table(project: Path, write) -> None:
    write(SITE)
    (project / "src/[odd].css").write_text("a { color: red }")
    os.mkfifo(project / "src/[pipe]")
    shown = on_a_terminal(project)
    for phase, files in {"Read and scan": 4, "Rewrite": 1, "Compress and publish": 4, "Copy plain names": 4}.items():
        assert re.search(rf"{phase} +━+ +{files}/{files} files +\d\S* (bytes|kB) .* s", shown), phase
    assert re.search(r"Find +━+ +4 files", shown)
    assert re.search(r"^Files +4, ", shown, re.MULTILINE)
    assert re.search(r"^As br +.*2 files compressed", shown, re.MULTILINE)
    assert re.search(r"^Rewritten +1 file, 1 reference", shown, re.MULTILINE)
    # Names are text, whatever a library for colours would make of brackets.
    assert re.search(r"^Not collected +.*/src/\[pipe\]: a pipe, not a file", shown, re.MULTILINE)
    assert re.search(r"^Release +[0-9a-f]{16}", shown, re.MULTILINE)
    assert shown.rstrip().endswith(f"4 static files copied to '{project / 'root'}', 4 post-processed.")


def test_a_log_gets_a_line_for_each_phase(project: Path, write) -> None:
    write(SITE)
    out, _ = collect()
    assert re.search(r"^Find: 3 files, \d+\.\d\d s$", out, re.MULTILINE)
    assert re.search(r"^Read and scan: 3 files, 1\.3 kB, \d+\.\d+ s(, .*/s)?$", out, re.MULTILINE)
    assert re.search(r"^Time: \d\S* s$", out, re.MULTILINE)
    assert "━" not in out
    assert "\x1b" not in out


@pytest.mark.parametrize("changed", [["a.txt"], [*SITE]], ids=["one", "all"])
def test_each_phase_is_told_once(project: Path, write, changed: list[str]) -> None:
    """Also where what may have changed is read first, to see what has, and then what takes part is built."""
    write(SITE)
    collect()
    write(dict.fromkeys(changed, b"/**/"))
    out, _ = collect()
    titles = re.findall(r"^(\w[\w ]+): .*\d\.\d+ s", out, re.MULTILINE)
    assert {"Look for changes", "Read and scan"} <= {*titles}
    assert len(titles) == len({*titles})


@pytest.mark.parametrize("columns", [40, 60, 80, 99, 100])
def test_a_narrow_terminal_gets_whole_numbers(project: Path, write, columns: int) -> None:
    write({**SITE, **{f"{i}.txt": f"{i}\n" * 200 for i in range(1200)}})
    shown = on_a_terminal(project, columns=columns)
    bars = [line for line in shown.splitlines() if re.match("(Find|Read|Publish|Compress|Copy) ", line)]
    assert {len(line.rstrip()) <= columns for line in bars} == {True}
    assert re.search(r"^(Publish|Compress and publish) .*1,203/1,203 ", shown, re.MULTILINE)
    assert ("━" in shown) == (columns >= 60)
    assert "…" not in shown


def test_what_is_said_meanwhile_stands_above_the_bars(project: Path, write) -> None:
    write(SITE)
    shown = on_a_terminal(project, "-v2")
    assert re.search(r"^Copying '[^']*/src/a\.txt'$", shown, re.MULTILINE)
    write({"b.css": "a { background: url(no.png) }"})
    shown = on_a_terminal(project, status=1)
    assert re.search(r"^Post-processing 'b\.css' failed!$", shown, re.MULTILINE)


def drawn(*events: PhaseStarted | Progress | PhaseEnded, pause: float = 0.0) -> str:
    """The last picture of the bars after ``events``. Where nothing is coloured, a bar is as long as what is done."""
    stream = io.StringIO()
    with BarProgress(stream, plain=False) as bars:
        for event in events:
            bars(event)
            time.sleep(pause)
    return stream.getvalue()


def test_a_bar_grows_by_bytes_where_they_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    half = drawn(PhaseStarted("publish", 10, 1000), Progress("publish", 1, 500))
    assert (half.count("━"), "1/10 files" in half, "500 bytes" in half) == (15, True, True)
    tenth = drawn(PhaseStarted("publish", 10), Progress("publish", 1, 500))
    assert tenth.count("━") == 3


def test_a_bar_tells_what_is_left_and_then_what_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    begun = [PhaseStarted("read", 4, 4000), Progress("read", 1, 1000), Progress("read", 1, 1000)]
    assert re.search(r" s left$", drawn(*begun, pause=0.06).rstrip())
    ended = drawn(*begun, PhaseEnded("read", 125.0))
    assert re.search(r"2/4 files +2\.0 kB +16 bytes/s +2:05 min$", ended.rstrip())
    # It is over, though two files of those that were expected are gone.
    assert ended.count("━") == 30


def test_a_phase_without_files_or_of_empty_files_ends_too() -> None:
    assert "Wait" in drawn(PhaseStarted("wait"), PhaseEnded("wait", 1.0))
    assert "2/2" in drawn(PhaseStarted("read", 2), Progress("read", 2, 0), PhaseEnded("read", 0.0))


def test_a_phase_that_comes_twice_has_two_lines() -> None:
    lines: list[str] = []
    progress = PlainProgress(lines.append)
    for files, seconds in ((5, 2.0), (1, 0.01)):
        for event in (PhaseStarted("read", files), Progress("read", files, 1_000_000), PhaseEnded("read", seconds)):
            progress(event)
    # A rate over a hundredth of a second would be one of the clock.
    assert lines == ["Read and scan: 5 files, 1.0 MB, 2.0 s, 500.0 kB/s", "Read and scan: 1 file, 1.0 MB, 0.01 s"]


def facts_of(*arguments: str) -> dict[str, Any]:
    out, err = collect("--json", *arguments)
    assert err == ""
    found: dict[str, Any] = json.loads(out)
    return found


def counts(facts: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(facts[name] for name in names)


READ = ("sources_read", "sources_not_read", "built", "taken_over")
CACHE = ("scans_found", "scans_made", "variants_found", "variants_made", "variants_in_place")


def test_json(project: Path, write) -> None:
    """One style sheet is scanned. It, as it was written and as it is rewritten, and a text are worth compressing."""
    root = write(SITE)
    for name in SITE:
        # So old that what the file system says can be trusted.
        os.utime(root / name, (1_000_000_000, 1_000_000_000))
    cold = facts_of()
    assert counts(cold, "files", "rewritten", "references", "dry_run") == (3, 1, 1, False)
    assert cold["release"] == json.loads((project / "root" / POINTER_KEY).read_text())["release"]
    assert counts(cold, *READ) == (3, 0, 3, 0)
    assert counts(cold, *CACHE) == (0, 1, 0, 3 * 2, 0)
    assert list(cold["phases"]) == ["find", "prove", "read", "rewrite", "publish", "copy"]
    assert 0 < sum(cold["phases"].values()) <= cold["seconds"] + 0.01
    assert cold["encoder_seconds"] >= 0
    assert cold["bytes_per_second"].keys() <= cold["phases"].keys()
    # The process that calls this has done other things before.
    assert cold["start_seconds"] is None

    looked_later(project)
    same = facts_of()
    assert counts(same, *READ) == (0, 3, 0, 3)
    assert counts(same, *CACHE) == (0, 0, 0, 0, 0)
    assert list(same["phases"]) == ["find", "prove"]

    whole = facts_of("--verify")
    assert counts(whole, *READ) == (3, 0, 3, 0)
    assert counts(whole, *CACHE) == (1, 0, 0, 0, 3 * 2)

    shutil.rmtree(project / "root")
    fresh = facts_of()
    assert counts(fresh, *CACHE) == (1, 0, 3 * 2, 0, 0)
    assert fresh["release"] == cold["release"]

    shutil.rmtree(project / "root")
    out, _ = collect()
    assert "From the cache: 1 of 1 scans, 6 of 6 variants" in out


def test_json_without_a_cache(project: Path, write) -> None:
    write(SITE)
    storage = {"BACKEND": "shipfiles.django.storage.StaticStorage", "OPTIONS": {"cache": {"enabled": False}}}
    with override_settings(STORAGES={"staticfiles": storage}):
        assert counts(facts_of(), *CACHE) == (0, 1, 0, 3 * 2, 0)


def test_json_of_one_file_that_changed(project: Path, write) -> None:
    root = write({**SITE, **{f"{i}.txt": f"{i}" for i in range(20)}})
    for path in root.rglob("*.*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    facts_of()
    looked_later(project)
    write({"css/app.css": CSS + "b { color: blue }"})
    assert counts(facts_of(), *READ, *CACHE) == (1, 22, 1, 22, 0, 1, 0, 4, 0)


def test_the_start_is_told_on_the_command_line(project: Path, write) -> None:
    write(SITE)
    run = manage(project, "collectstatic", "--noinput", "--json")
    assert json.loads(run.stdout)["start_seconds"] > 0
    run = manage(project, "collectstatic", "--noinput")
    assert re.search(r"^Time: \S+ s, after \S+ s of CPU to start Python and Django$", run.stdout, re.MULTILINE)


def test_waiting_for_another_run_is_a_phase(project: Path, write) -> None:
    write(SITE)
    with LocalStore(str(project / "root")).lock(lambda: None):
        run = start(project, "collectstatic", "--noinput", "--json")
        assert run.stderr is not None
        assert run.stderr.readline() == "Another run is publishing to the same place; waiting for it to end.\n"
        time.sleep(0.1)
    out, _ = run.communicate(timeout=60)
    assert list(json.loads(out)["phases"]) == ["find", "prove", "read", "rewrite", "wait", "publish", "copy"]


@pytest.mark.parametrize(
    ("settings", "message", "checks"),
    [
        ('{"OPTIONS": {"comprss": {}}}', r"OPTIONS\['comprss'\] is not an option.*'compress'", []),
        ('{"OPTIONS": {"comprss": {}}}', r"OPTIONS\['comprss'\] is not an option.*'compress'", ["--skip-checks"]),
        ('{"OPTIONS": ["secret"]}', r"\['OPTIONS'\] must be a dict of options, not list", []),
        ("{}; STATIC_ROOT = None", "without having set the STATIC_ROOT setting", []),
    ],
)
def test_wrong_settings_end_in_a_line(project: Path, write, settings: str, message: str, checks: list[str]) -> None:
    write(SITE)
    more = f'STORAGES["staticfiles"] |= {settings}'
    run = manage(project, "collectstatic", "--noinput", *checks, more_settings=more)
    assert run.returncode == 1
    assert re.search(message, run.stderr)
    assert "Traceback" not in run.stderr
    assert "secret" not in run.stderr
    assert not (project / "root").exists()
    run = manage(project, "collectstatic", "--noinput", *checks, "--traceback", more_settings=more)
    assert run.returncode == 1
    assert "Traceback" in run.stderr


def test_wrong_settings_raise_what_django_raises_where_code_calls_the_command(project: Path) -> None:
    with override_settings(STATIC_ROOT=None), pytest.raises(ImproperlyConfigured):
        collect()


def test_verbosity_0_says_nothing(project: Path, write) -> None:
    write(SITE)
    assert collect("-v0") == ("", "")


def test_many_warnings_are_counted(project: Path, write) -> None:
    write({f"node_modules/{i}.css": f"a {{ background: url(missing{i}.png) }}" for i in range(30)})
    _, err = collect()
    assert err.count("warning: ") == 20
    assert "... and 10 more; --verbosity 2 shows them all" in err
    _, err = collect("-v2")
    assert err.count("warning: ") == 30


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2e9, "2.0 GB")],
)
def test_sizes(size: float, text: str) -> None:
    assert human(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"), (0.994, "0.99 s"), (0.996, "1.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"),
        (59.6, "1:00 min"), (125, "2:05 min"), (3599.6, "1:00:00 h"), (3725, "1:02:05 h"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_rates() -> None:
    assert (Spent(1, 1000, 2.0).rate, Spent(1, 1000, 0.0).rate) == (500.0, 0.0)


def test_counts() -> None:
    assert [count(n, "file") for n in (0, 1, 2, 12345)] == ["0 files", "1 file", "2 files", "12,345 files"]
    assert count(2, "copy", "copies") == "2 copies"


def test_clearing_leaves_what_only_a_damaged_manifest_names(project: Path, write) -> None:
    write(SITE)
    collect()
    (first,) = (project / "root/.shipfiles/manifests").iterdir()
    kept = next((project / "root").glob("a.*.txt"))
    write({"a.txt": "second\n" * 300})
    collect()
    second = next(path for path in (project / "root").glob("a.*.txt") if path != kept)
    first.write_text("{half")
    write({"a.txt": "third\n" * 300})
    _, err = collect("--clear")
    assert "Left in place what only this manifest names" in err
    assert kept.exists()
    assert first.exists()
    assert not second.exists()


@pytest.mark.parametrize("folder", [b"c\x1b[31m", b"c\xff"])
@pytest.mark.parametrize("arguments", [("-v2",), ("-v2", "--dry-run"), ("-v2", "--clear"), ("--json",)])
def test_no_name_commands_a_terminal_or_cannot_be_written(
    project: Path, write, folder: bytes, arguments: tuple[str, ...]
) -> None:
    """ECMA-48: what follows an escape character may be a command. UTF-8 has no form for half a character."""
    write({**SITE, "css/app.css": CSS + "a { background: url(no.png) }"})
    source = (project / "src").rename(project / os.fsdecode(folder))
    first = project / "first"
    (first / "css").mkdir(parents=True)
    (first / "css/app.css").write_text("a {}")
    os.mkfifo(source / "pipe")
    backend = "shipfiles.django.storage.StaticStorage"
    storages = {"staticfiles": {"BACKEND": backend, "OPTIONS": {"rewrite": {"own_missing": "warning"}}}}
    root = os.path.join(source, "root")
    for dirs in ([source], [first, source]):
        with override_settings(STATICFILES_DIRS=dirs, STORAGES=storages, STATIC_ROOT=root):
            for text in collect(*arguments):
                text.encode()
                assert "\x1b" not in text
    with override_settings(STATICFILES_DIRS=[source], STATIC_ROOT=root), pytest.raises(CommandError) as failure:
        collect()
    str(failure.value).encode()
    assert "\x1b" not in str(failure.value)


def test_no_name_commands_the_terminal_that_has_bars() -> None:
    stream = io.StringIO()
    with BarProgress(stream, plain=False) as bars:
        bars.print("Copying 'c\x1b[31m/a.css'")
        bars(Notice("c\x1b[32m"))
    print_table(stream, [("Not collected", "c\x1b[33m\udcff/pipe")], plain=False)
    shown = stream.getvalue()
    shown.encode()
    for number in (31, 32, 33):
        assert f"c\\x1b[{number}m" in shown
        assert f"\x1b[{number}m" not in shown


@pytest.mark.parametrize("columns", [0, 1, 7])
def test_a_terminal_that_says_it_has_no_width(project: Path, write, columns: int) -> None:
    write(SITE)
    shown = on_a_terminal(project, "-v2", columns=columns)
    if not columns:
        assert re.search(r"^Read +━+ +3/3 ", shown, re.MULTILINE)
        assert re.search(r"^Release +[0-9a-f]{16}", shown, re.MULTILINE)
