"""Child processes that scan: the same references as here, whatever becomes of the children. All processes are real."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

import shipfiles
from shipfiles.build.find import ignore_matcher, walk
from shipfiles.build.lane import ANSWER, ANSWERED
from shipfiles.build.lanes import AFTER, LARGE, Lanes, useful_lanes
from shipfiles.build.pipeline import build
from shipfiles.build.rewrite import REWRITERS, css, javascript, splice
from shipfiles.config import RewriteConfig
from shipfiles.model import Reference, SourceFile
from shipfiles.work import processors

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="looks at processes through /proc")

STYLE = b"@import 'b.css'; a{background:url(\\6c ogo.png)}\n" * 3000
FOUND = list(css.references(STYLE))
SCRIPT = """
import os, sys
from shipfiles.build.lanes import Lanes
from shipfiles.build.rewrite import css
body = open(sys.argv[1], "rb").read()
def children():
    count = 0
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                stat = open(f"/proc/{name}/stat").read()
            except OSError:
                continue
            count += stat.rpartition(")")[2].split()[1] == str(os.getpid())
    return count
with Lanes(2, large=0, after=0) as lanes:
    found = lanes.references(css, body)
    with open(sys.argv[2], "w") as file:
        file.write(f"{len(found)} {children()}")
    while "forever" in sys.argv:
        lanes.references(css, body)
"""


def processes(place: int, number: int) -> set[int]:
    """The processes that have this number at this place of /proc/PID/stat (proc(5)): 1 the parent, 2 the group."""
    found = set()
    for name in os.listdir("/proc"):
        try:
            fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if name.isdigit() and fields[place] == str(number):
            found.add(int(name))
    return found


# Servers that other tests have started for the whole run.
OTHERS: set[int] = set()


def children() -> set[int]:
    return processes(1, os.getpid()) - OTHERS


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    OTHERS.clear()
    OTHERS.update(processes(1, os.getpid()))
    open_before = set(os.listdir("/proc/self/fd"))
    yield
    assert not children()
    assert len(os.listdir("/proc/self/fd")) <= len(open_before)


def asked_before() -> Lanes:
    """Lanes with one child that has nothing to do."""
    lanes = Lanes(2, large=0, after=0)
    assert lanes.references(css, STYLE) == FOUND
    return lanes


@pytest.mark.parametrize("media_type", REWRITERS)
def test_a_child_finds_what_is_found_here(media_type: str) -> None:
    rewriter = REWRITERS[media_type].rewriter
    bodies = [
        STYLE,
        b"",
        b"\xff\x00'\"",
        b"import './\\u0061.js'; new URL('\\ud800x.js', import.meta.url)\n//# sourceMappingURL=m",
        b"<a href='x.png'><img srcset='a.png 1x, b.png 2x'>",
        b'{"icons": [{"src": "a.png"}], "imports": {"a": "./b.js"}}',
    ]
    before = children()
    with Lanes(2, large=0, after=0) as lanes:
        for body in bodies:
            assert list(lanes.references(rewriter, body)) == list(rewriter.references(body))
        assert len(children() - before) == 1


def test_threads_have_a_child_each_and_no_more_than_the_limit() -> None:
    before = children()
    with Lanes(2, large=0, after=0) as lanes:
        answers: list[Iterable[Reference]] = []
        barrier = threading.Barrier(4)

        def ask() -> None:
            barrier.wait()
            for _ in range(5):
                answers.append(lanes.references(css, STYLE))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert answers == [FOUND] * 20
        assert 1 <= len(children() - before) <= 2


def test_little_to_scan_starts_nothing() -> None:
    before = children()
    small, large = b" " * (LARGE - 1), b" " * LARGE
    with Lanes(2) as lanes:
        for _ in range(AFTER // LARGE - 1):
            assert lanes.references(css, small) == []
            assert lanes.references(css, large) == []
        assert children() == before
        lanes.references(css, large)
        assert len(children() - before) == 1


def test_children_are_for_more_than_one_thread_and_processor() -> None:
    assert useful_lanes(1) == 0
    gil = getattr(sys, "_is_gil_enabled", lambda: True)()
    assert useful_lanes(3) == (3 if processors() > 1 and gil else 0)
    assert useful_lanes(0) == (processors() if processors() > 1 and gil else 0)


def test_a_build_is_the_same_with_any_number_of_workers(write) -> None:
    line = "a{{background:url(img/{}.png)}} /* a comment */ b{{content:'url(no.png)'}}" + " " * 9_000 + "\n"
    files: dict[str, str | bytes] = {f"img/{n}.png": str(n) for n in range(100)}
    for n in range(16):
        files[f"{n}.css"] = "".join(line.format((k + n) % 100) for k in range(120))
    files["latin.css"] = ("@charset 'x';" + files["0.css"].replace("comment", "é")).encode("latin-1")  # type: ignore[union-attr]
    sources = [SourceFile(logical, path) for logical, path in walk(str(write(files)), ignore_matcher([]))]
    assert sum(len(body) for body in files.values() if len(body) >= LARGE) > AFTER
    most = 0
    before = children()

    def look(event: object) -> None:
        nonlocal most
        most = max(most, len(children() - before))

    one = build(sources, RewriteConfig(), workers=1, listener=look)
    assert most == 0
    for workers in (2, 5):
        most = 0
        assert build(sources, RewriteConfig(), workers=workers, listener=look) == one
        assert (most > 0) == (useful_lanes(workers) > 0)


def test_an_error_of_the_rewriter_is_the_one_that_is_raised_here() -> None:
    lanes = asked_before()
    with lanes:
        (child,) = children()
        with pytest.raises(AttributeError, match="no attribute 'references'"):
            lanes.references(splice, STYLE)  # type: ignore[arg-type]
        assert lanes.references(css, STYLE) == FOUND
        assert children() == {child}


def test_a_rewriter_that_no_child_knows_works_here() -> None:
    class Own:
        def references(self, body: bytes) -> list[Reference]:
            raise KeyError(len(body))

    before = children()
    with Lanes(2, large=0, after=0) as lanes, pytest.raises(KeyError):
        lanes.references(Own(), STYLE)
    assert children() == before


@pytest.mark.parametrize("body", [STYLE[:480], STYLE])
def test_a_child_that_is_killed_in_the_middle(body: bytes) -> None:
    with asked_before() as lanes:
        (child,) = children()
        os.kill(child, signal.SIGSTOP)
        # Until it has stopped, a read that it waits in may still take what comes (signal(7): a stop is not immediate).
        until(lambda: Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        answers: list[Iterable[Reference]] = []
        thread = threading.Thread(target=lambda: answers.append(lanes.references(css, body)))
        thread.start()
        pipe = os.open(f"/proc/{child}/fd/0", os.O_RDONLY | os.O_NONBLOCK)
        until(lambda: struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0] > 0)
        os.close(pipe)
        os.kill(child, signal.SIGKILL)
        thread.join()
        assert answers == [css.references(body)]
        assert lanes.references(css, STYLE) == FOUND
        assert not children()


def test_a_child_that_is_killed_before_it_is_asked() -> None:
    with asked_before() as lanes:
        (child,) = children()
        os.kill(child, signal.SIGKILL)
        assert lanes.references(css, STYLE) == FOUND
        assert not children()


def answer(text: bytes, length: int | None = None) -> bytes:
    return ANSWER.pack(ANSWERED, len(text) if length is None else length) + text


UNFINISHED = [b"", answer(b"[")[:5], answer(b"[]", 99)]
REFERENCE = [1, 2, "a.png", "url", True, False, ""]


@pytest.mark.parametrize(
    "said",
    [
        *UNFINISHED,
        b"Usage: python [options]\n" * 99,
        b"\0" * 10_000,
        answer(b"["),
        answer(b"\xff\xfe"),
        answer(b"[]", 2**63),
        answer(b"{}\n[]"),
        answer(b"1"),
        answer(b'"text"'),
        answer(b'{"a": 1}'),
        answer(b"[[]]"),
        answer(b"[" * 50_000),
        answer(b"[" + b"9" * 9_999 + b"]"),
        answer(json.dumps([REFERENCE[:-1]]).encode()),
        answer(json.dumps([[*REFERENCE, "more"]]).encode()),
        answer(json.dumps([[True, *REFERENCE[1:]]]).encode()),
        answer(json.dumps([[1, 2, None, *REFERENCE[3:]]]).encode()),
        answer(json.dumps([[1, 2, "a", "no such kind", *REFERENCE[4:]]]).encode()),
        answer(json.dumps([[-1, *REFERENCE[1:]]]).encode()),
        answer(json.dumps([[2, 1, *REFERENCE[2:]]]).encode()),
        answer(json.dumps([[1, len(STYLE) + 1, *REFERENCE[2:]]]).encode()),
        answer(json.dumps([REFERENCE, REFERENCE]).encode()),
    ],
    ids=range(24),
)
@pytest.mark.parametrize("then", ["cat > /dev/null", "exit 3", "exec >&-; cat > /dev/null"], ids=["on", "end", "shut"])
def test_nonsense_is_not_believed_and_not_asked_for_again(said: bytes, then: str, tmp_path, monkeypatch) -> None:
    log = tmp_path / "started"
    (tmp_path / "said").write_bytes(said)
    program = tmp_path / "python3"
    program.write_text(f"#!/bin/sh\necho >> '{log}'\ncat '{tmp_path}/said'\n{then}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    if then == "cat > /dev/null" and said in UNFINISHED:
        pytest.skip("the rest of the answer may still come")
    with Lanes(2, large=0, after=0) as lanes:
        assert lanes.references(css, STYLE) == FOUND
        assert lanes.references(css, STYLE) == FOUND
        assert not children()
    assert log.read_text().count("\n") == 1


@pytest.mark.parametrize("executable", ["/no/such/python3", "python3-not-runnable", "/", "", None, "uwsgi", "app"])
def test_no_python_to_start(executable: str | None, tmp_path, monkeypatch) -> None:
    log = tmp_path / "started"
    for name in ("uwsgi", "app", "python3-not-runnable"):
        (tmp_path / name).write_text(f"#!/bin/sh\necho >> '{log}'\n")
        (tmp_path / name).chmod(0o644 if "not" in name else 0o755)
    monkeypatch.setattr(sys, "executable", executable and os.path.join(tmp_path, executable))
    with Lanes(2, large=0, after=0) as lanes:
        assert lanes.references(css, STYLE) == FOUND
        assert not children()
    assert not log.exists()


def test_a_child_inherits_nothing() -> None:
    shared = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(shared, True)
    try:
        with asked_before():
            (child,) = children()
            assert set(os.listdir(f"/proc/{child}/fd")) == {"0", "1", "2"}
    finally:
        os.close(shared)


def test_an_answer_that_was_not_waited_for_is_not_the_next_one() -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with asked_before() as lanes:
        (child,) = children()
        os.kill(child, signal.SIGSTOP)
        before = signal.signal(signal.SIGALRM, interrupt)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(KeyboardInterrupt):
                lanes.references(css, b"a{background:url(other.png)}")
        finally:
            signal.signal(signal.SIGALRM, before)
        assert lanes.references(css, STYLE) == FOUND
        assert child not in children()


class Site:
    """A process of its own that scans in lanes."""

    def __init__(self, folder: Path) -> None:
        self.body = folder / "a.css"
        self.body.write_bytes(STYLE)
        self.said = folder / "said"
        self.script = folder / "site.py"
        self.script.write_text(SCRIPT)

    def command(self, *more: str) -> list[str]:
        return [sys.executable, str(self.script), str(self.body), str(self.said), *more]

    def start(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command("forever"), env=environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        until(lambda: self.said.exists() and self.said.read_text() == f"{len(FOUND)} 1")
        assert len(processes(2, process.pid)) == 2
        return process


def environment(root: str | None = None) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": root or os.path.dirname(shipfiles.__path__[0])}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_ctrl_c_during_a_scan_has_one_traceback_and_leaves_no_process(site: Site) -> None:
    process = site.start()
    os.killpg(process.pid, signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert told.count("Traceback (most recent call last)") == 1
    assert told.rstrip().endswith("KeyboardInterrupt")
    assert not processes(2, process.pid)


def test_children_of_a_killed_process_end(site: Site) -> None:
    process = site.start()
    process.kill()
    _, told = process.communicate(timeout=60)
    until(lambda: not processes(2, process.pid))
    assert told == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_standard_streams_may_be_closed(site: Site, closed: str) -> None:
    subprocess.run(["sh", "-c", f'exec "$@" {closed}', "sh", *site.command()], env=environment(), check=True)
    assert site.said.read_text().split()[0] == str(len(FOUND))


def test_the_package_may_be_in_a_zip_file(site: Site, tmp_path: Path) -> None:
    root = Path(shipfiles.__path__[0]).parent
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        for path in sorted(root.glob("shipfiles/**/*.py")):
            archive.write(path, path.relative_to(root))
    subprocess.run(site.command(), env=environment(str(tmp_path / "app.zip")), cwd="/", check=True)
    assert site.said.read_text() == f"{len(FOUND)} 1"


def test_modules_beside_the_package_do_not_stand_in_for_the_standard_library(site: Site, tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside/shipfiles").symlink_to(shipfiles.__path__[0])
    (tmp_path / "beside/json.py").write_text("raise SystemExit")
    command = site.command()
    command[1:2] = ["-c", f"import sys; sys.path.append('beside'); {SCRIPT}"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run([command[0], "-S", *command[1:]], env=environment, cwd=tmp_path, check=True)
    assert site.said.read_text() == f"{len(FOUND)} 1"


def test_a_script_is_found_in_a_child_too() -> None:
    body = b"import './a.js'\n" * 100
    with asked_before() as lanes:
        assert lanes.references(javascript, body) == javascript.references(body)
