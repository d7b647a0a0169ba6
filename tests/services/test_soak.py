"""The soak of the benches, a few seconds of it; and that it sees what it looks for."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from shipfiles.testing import Answer
from tests.oracles.corpora import ROOT, missing
from tests.soak.known import Known
from tests.soak.questions import Question, Questions
from tests.soak.tally import Trouble
from tests.soak.verdict import Sample, faults

pytestmark = pytest.mark.services

NEEDED = ("gunicorn", "uvicorn", "uvloop", "httptools", "granian", "brotli")
KINDS = ("200", "206", "304", "404", "HEAD", "pages", "root", "plain", "pipelined", "slow", "left", "half")


def test_some_seconds(tmp_path: Path) -> None:
    """All servers at once, while releases are collected, rolled back and pruned."""
    if lacking := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        missing(f"not installed: {', '.join(lacking)}")
    figures = tmp_path / "figures.json"
    command = [sys.executable, "bench/soak.py", "--quick", "--folder", str(tmp_path), "--json", str(figures)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(figures.read_bytes())
    # Whether a release is old enough to be pruned by then depends on the machine.
    assert {"collect", "rollback"} <= set(found["done"])
    assert len(found["servers"]) == 6
    for server in found["servers"]:
        counts = server["counts"]
        assert not [kind for kind in KINDS if not counts.get(kind)], server["name"]


# It would see it --------------------------------------------------------------------------------------------------

OLD, NEW = ({"page.css": f"a{n}{{}}".encode() * 500, "robots.txt": f"# {n}".encode() * 500} for n in (1, 2))
IMMUTABLE = ("Cache-Control", "max-age=31536000, immutable")


@pytest.fixture
def known(tmp_path: Path) -> Known:
    """Two releases; the second is the current one."""
    known = Known(tmp_path)
    known.LAG = 0.0
    known.hear({"do": "site", "pages": [["page.css"]], "root_files": {"/robots.txt": "robots.txt"}})
    for number, files in enumerate((OLD, NEW)):
        told = {}
        for logical, body in files.items():
            digest = hashlib.sha256(body).hexdigest()
            (tmp_path / digest).write_bytes(body)
            stem, _, extension = logical.partition(".")
            told[logical] = (f"/static/{stem}.{digest[:12]}.{extension}", digest, digest)
        known.hear({"do": "switching", "to": number})
        known.hear({"do": "switched", "to": number, "files": told})
    return known


@pytest.fixture
def questions(known: Known) -> Questions:
    return Questions(known, random.Random(1))


def trouble(question: Question, status: int, body: bytes, *fields: tuple[str, str]) -> str:
    """What kind of trouble an answer is; empty for none."""
    try:
        question.check(Answer(status, fields, body))
    except Trouble as error:
        return error.kind
    return ""


def body_at(known: Known, url: str) -> bytes:
    return next(file.body for file in known.small if file.url == url)


def test_whole_bodies(known: Known, questions: Questions) -> None:
    question = next(
        q for q in iter(questions._whole, None) if "gzip" in q.fields.get("Accept-Encoding", "").split(", ")
    )
    body = body_at(known, question.target)
    fields = (IMMUTABLE, ("ETag", '"1"'), ("Content-Length", str(len(body))))
    zipped = (IMMUTABLE, ("ETag", '"2"'), ("Content-Encoding", "gzip"))
    assert trouble(question, 200, body, *fields) == ""
    assert trouble(question, 200, gzip.compress(body, mtime=0), *zipped) == ""
    for status, wrong, told, kind in (
        (200, b"b" + body[1:], fields, "wrong"),
        (200, body[:-1], fields, "wrong"),
        (200, gzip.compress(body[:-1]), zipped, "wrong"),
        (200, gzip.compress(body)[:-1], zipped, "wrong"),
        (200, body, zipped, "wrong"),
        (200, body, fields[1:], "wrong"),
        (200, body, (IMMUTABLE, ("ETag", '"3"'), fields[2]), "wrong"),
        (404, b"", (("Cache-Control", "no-store"),), "missing"),
        (500, b"", (), "5xx"),
        (302, b"", (), "status"),
    ):
        assert trouble(question, status, wrong, *told) == kind, (status, wrong[:20], told)


def test_what_may_be_gone(known: Known, questions: Questions) -> None:
    known.hear({"do": "retire", "generations": [0]})
    question = questions._retired()
    assert question.kind == "retired"
    assert trouble(question, 404, b"", ("Cache-Control", "no-store")) == ""
    assert trouble(question, 404, b"", ("Cache-Control", "max-age=60")) == "status"
    assert trouble(question, 200, b"other", IMMUTABLE, ("Content-Length", "5")) == "wrong"


def test_parts(known: Known, questions: Questions) -> None:
    question = next(q for q in iter(questions._part, None) if q.fields["Range"][-1] == "-")
    body = body_at(known, question.target)
    first, size = int(question.fields["Range"][6:-1]), len(body)
    right = ("Content-Range", f"bytes {first}-{size - 1}/{size}")
    assert trouble(question, 206, body[first:], right) == ""
    assert trouble(question, 206, body[first:-1] + b"?", right) == "wrong"
    assert trouble(question, 206, body[first:], ("Content-Range", f"bytes {first}-{size - 1}/{size + 1}")) == "wrong"
    assert trouble(question, 206, body[first:]) == "wrong"
    assert trouble(question, 416, b"", ("Content-Range", f"bytes */{size}")) == "status"


def test_several_parts(known: Known, questions: Questions) -> None:
    """RFC 9110 section 14.6."""
    question = questions._parts()
    body = body_at(known, question.target)
    several = ("Content-Type", "multipart/byteranges; boundary=X")

    def parts(first: bytes, last: bytes) -> bytes:
        made = b""
        for at, part in ((0, first), (len(body) - 5, last)):
            range_ = f"bytes {at}-{at + len(part) - 1}/{len(body)}".encode()
            made += b"\r\n--X\r\nContent-Type: text/css\r\nContent-Range: " + range_ + b"\r\n\r\n" + part
        return made + b"\r\n--X--\r\n"

    assert trouble(question, 206, parts(body[:10], body[-5:]), several) == ""
    assert trouble(question, 206, parts(body[:10], b"wrong"), several) == "wrong"
    assert trouble(question, 206, parts(body[:10], body[-5:]).removesuffix(b"--\r\n"), several) == "wrong"


def test_what_belongs_to_a_release_that_is_over(questions: Questions, known: Known) -> None:
    page, root = questions._page(), questions._root()
    for files, kind in ((OLD, "stale"), (NEW, "")):
        digest = hashlib.sha256(files["page.css"]).hexdigest()
        assert trouble(page, 200, f'<link href="/static/page.{digest[:12]}.css">'.encode()) == kind
        assert trouble(root, 200, files["robots.txt"]) == kind
    assert trouble(root, 404, b"") == "missing"


def test_conditions(known: Known, questions: Questions) -> None:
    for file in known.small:
        for coding in ("", "gzip", "br"):
            known.check_tag(file, coding, f'"{coding}"', 1)
    question = questions._unchanged()
    coding = question.fields["Accept-Encoding"].replace("identity", "")
    assert trouble(question, 304, b"", ("ETag", f'"{coding}"')) == ""
    assert trouble(question, 304, b"", ("ETag", '"other"')) == "wrong"
    assert trouble(question, 200, b"") == "status"


REST = Sample(0, 40, 20, 10)


def soaked(**late: float) -> list[str]:
    """What is wrong with ten minutes of 50 MB, 30 descriptors and 15 threads that end with ``late``."""
    usual = {"memory_mb": 50.0, "descriptors": 30, "threads": 15}
    samples = [Sample(at, **(usual if at < 400 else usual | late)) for at in range(0, 605, 5)]
    return faults(samples, REST, REST, {"requests": 1000})


def test_growth() -> None:
    assert soaked() == []
    assert soaked(memory_mb=56.4, descriptors=38, threads=23) == []
    assert soaked(memory_mb=10, descriptors=5, threads=1) == []
    assert soaked(memory_mb=56.6) == ["memory grew from 50.0 MB to 56.6 MB"]
    assert soaked(descriptors=39) == ["open descriptors grew from 30 to 39"]
    assert soaked(threads=24) == ["threads grew from 15 to 24"]


def test_rest_and_troubles() -> None:
    samples = [Sample(at, 50, 30, 15) for at in range(20)]
    assert faults(samples, REST, Sample(20, 90, 22, 10), {}) == []
    (fault,) = faults(samples, REST, Sample(20, 40, 23, 10), {})
    assert "23 descriptors" in fault
    (fault,) = faults(samples, REST, REST, {"requests": 100, "hang": 1})
    assert fault.startswith("1 times hang")
