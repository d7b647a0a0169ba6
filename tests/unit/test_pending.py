"""What runs have noted that did not end: whoever comes next finds it, and takes nothing away from those under way."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shipfiles.digest import digest_bytes
from shipfiles.edge.pending import Pending, Was, was
from shipfiles.records import Activation

ONE, TWO = b"one", b"two"
BUCKET, FOLDER = Was({digest_bytes(ONE): ONE}, 3, "r1", "2026-11-22T05:00:00+00:00"), Was({digest_bytes(TWO): TWO})
STATES = {"s3://bucket": BUCKET, "/srv/static": FOLDER}
LEFT = {place: [one] for place, one in STATES.items()}
KILLED = """
import os, sys, signal
from shipfiles.digest import digest_bytes
from shipfiles.edge.pending import Pending, Was
pending = Pending(sys.argv[1])
pending.begin({"s3://bucket": Was({digest_bytes(b"one"): b"one"})})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_run_leaves(tmp_path: Path) -> None:
    folder = tmp_path / "purge"
    run = Pending(str(folder))
    assert run.left() == {}
    run.begin(STATES)
    assert run.left() == {}  # its own is no other's
    run.close()
    later = Pending(str(folder))
    assert later.left() == LEFT
    later.begin({})
    later.done()
    assert [*folder.iterdir()] == []
    assert Pending(str(folder)).left() == {}


def test_a_run_that_is_under_way_keeps_its_note(tmp_path: Path) -> None:
    """Another that ends meanwhile has read it, and may not have seen what that one is about to do."""
    first, second = Pending(str(tmp_path)), Pending(str(tmp_path))
    first.begin(STATES)
    second.begin({"s3://bucket": Was({digest_bytes(TWO): TWO})})
    assert second.left() == LEFT
    first.close()  # it has ended meanwhile: what it did last may not have been seen
    second.done()
    assert Pending(str(tmp_path)).left() == LEFT
    first.done()
    assert [*tmp_path.iterdir()] == []


def test_a_run_that_is_killed(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, env={**os.environ})
    assert done.returncode == -9
    later = Pending(str(tmp_path))
    assert later.left() == {"s3://bucket": [Was({digest_bytes(ONE): ONE})]}
    later.done()
    assert [*tmp_path.iterdir()] == []


def test_notes_that_nobody_heeds(tmp_path: Path) -> None:
    """Are not kept for ever."""
    for number in range(70):
        body = b"%d" % number
        run = Pending(str(tmp_path))
        run.begin({"s3://bucket": Was({digest_bytes(body): body})})
        os.utime(run._own_path, (number, number))
        run.close()
    left = Pending(str(tmp_path)).left()["s3://bucket"]
    assert {body for one in left for body in one.manifests.values()} == {b"%d" % number for number in range(6, 70)}


def test_stores_that_were_not_looked_at(tmp_path: Path) -> None:
    """Of those the note stays."""
    run = Pending(str(tmp_path))
    run.begin(STATES)
    run.close()
    later = Pending(str(tmp_path))
    later.left()
    later.done(["s3://bucket", "s3://other"])
    last = Pending(str(tmp_path))
    assert last.left() == {"/srv/static": [FOLDER]}
    last.done(["/srv/static"])
    assert [*tmp_path.iterdir()] == []


def test_what_came_later() -> None:
    """Releases that were current since; those that left and came back, too, and where the oldest are forgotten."""
    at = datetime(2026, 11, 22, tzinfo=UTC)
    moved = [Activation(name, at + timedelta(seconds=second)) for second, name in enumerate("aabacd")]
    moved[1] = Activation("b", at)
    for length in range(len(moved)):
        assert was(moved[:length], {}).later(moved) == moved[length:]
    assert was(moved[:4], {}).later(moved[2:]) == moved[4:]
    assert was(moved[:2], {}).later(moved[3:]) == moved[3:]  # it began anew


def test_damage(tmp_path: Path) -> None:
    """Says nothing, and does not stand in the way; nor does a folder that cannot be made."""
    run = Pending(str(tmp_path))
    run.begin(STATES)
    run.close()
    for path in tmp_path.iterdir():
        if "manifest" in path.name:
            path.write_bytes(b"other")
    told = ('"../../x"', '["../x", 1]', '[1, "r", 2, []]', '[-1, "r", "", []]', '[0, "", "", ["../x"]]')
    for number, text in enumerate(("{", "[]", "1", *(f'{{"s3://bucket": {one}}}' for one in told))):
        (tmp_path / f"{number}.note.json").write_text(text)
    later = Pending(str(tmp_path))
    assert later.left() == {}
    later.done()
    assert [*tmp_path.iterdir()] == []
    (tmp_path / "file").write_text("")
    nowhere = Pending(str(tmp_path / "file/purge"))
    nowhere.begin(STATES)
    nowhere.done()
    for none in (Pending(""), nowhere):
        none.begin(STATES)
        assert none.left() == {}
        none.done()
