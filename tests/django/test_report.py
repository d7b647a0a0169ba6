"""What people see: bars and a table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from shipfiles.django.report import count, human

from .test_collectstatic import MANAGE, SETTINGS, collect

CSS = "body { background: url(img/x.png) }\n" + "p { color: red }\n" * 40
SITE: dict[str, str | bytes] = {"css/app.css": CSS, "css/img/x.png": b"\x89PNG", "a.txt": "x\n" * 300}


def on_a_terminal(project: Path, *arguments: str) -> str:
    """What the command prints on a wide terminal, without the codes that colour and move."""
    pty = pytest.importorskip("pty")
    (project / "project_settings.py").write_text(SETTINGS)
    path = os.pathsep.join([str(project), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "project_settings", "PYTHONPATH": path}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "250"}
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
    assert run.wait(timeout=60) == 0, shown
    return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode()).replace("\r\n", "\n")


def test_a_terminal_gets_bars_and_a_table(project: Path, write) -> None:
    write(SITE)
    (project / "src/[odd].css").write_text("a { color: red }")
    os.mkfifo(project / "src/[pipe]")
    shown = on_a_terminal(project)
    for phase in ("Find", "Read and scan", "Rewrite", "Compress and publish"):
        assert re.search(rf"{phase} +━+ +\d+/\d+ +files", shown), phase
    assert "4/4" in shown
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
    assert re.search(r"^Read and scan: 3 files, 1\.3 kB, \d+\.\d s$", out, re.MULTILINE)
    assert "━" not in out
    assert "\x1b" not in out


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
    [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (1_500_000, "1.5 MB"), (2_000_000_000, "2.0 GB")],
)
def test_sizes(size: int, text: str) -> None:
    assert human(size) == text


def test_counts() -> None:
    assert [count(n, "file") for n in (0, 1, 2, 12345)] == ["0 files", "1 file", "2 files", "12,345 files"]
    assert count(2, "copy", "copies") == "2 copies"


def test_clearing_leaves_what_only_a_damaged_manifest_names(project: Path, write) -> None:
    write(SITE)
    collect()
    (first,) = (project / "root/.shipfiles/releases").iterdir()
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
