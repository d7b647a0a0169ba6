"""What processes meet whose files are in stores elsewhere: forks, greenlets, large files, short lives, interrupts."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shipfiles.config import CompressConfig
from shipfiles.paths import RESERVED
from shipfiles.records import POINTER_KEY
from shipfiles.release.publish import publish
from shipfiles.stores.local import LocalStore
from shipfiles.stores.store import read_all
from tests.oracles.corpora import missing

from .object_servers import ACCOUNT, ACCOUNT_KEY, S3_KEY, s3_store
from .servers import free_port, run, wait_until_listening
from .sites import FAST, built, sent
from .ssh_server import started

pytestmark = pytest.mark.services

MIB = 1 << 20
FILES = {"css/a.css": b"a { background: url(i.png) }", "css/i.png": b"png"}


# Workers


@pytest.fixture
def storage(seaweed: str, tmp_path: Path) -> dict[str, Any]:
    """The storage of a bucket that has a release, as settings name it."""
    location = secrets.token_hex(8)
    sent(s3_store(seaweed, location), tmp_path / "site", FILES)
    options = {"bucket_name": "bucket", "location": location, "endpoint_url": seaweed, **S3_KEY}
    return {"BACKEND": "shipfiles.django.storage.S3StaticStorage", "OPTIONS": options}


@pytest.mark.parametrize("workers", ["sync", "gthread", "gevent"])
def test_workers_of_a_preloaded_application(
    storage: dict[str, Any], workers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The release is read before they are forked, and by each of them again."""
    for package in ("gunicorn", *(["gevent"] if workers == "gevent" else [])):
        if importlib.util.find_spec(package) is None:
            missing(f"{package} is not installed")
    monkeypatch.setenv("STORAGE", json.dumps(storage))
    port, log = free_port(), tmp_path / "log.txt"
    command = [
        sys.executable, "-m", "gunicorn", "--preload", "--bind", f"127.0.0.1:{port}", "--workers", "2",
        "--worker-class", workers, "--log-level", "warning",
        # Some workers with gevent do not hear of the end, whatever they run.
        "--graceful-timeout", "2", "tests.services.remote_site:application",
    ]  # fmt: skip
    with log.open("wb") as out, run(command, out, tmp_path) as process:
        wait_until_listening(port, process, log)
        pids = set()
        for _ in range(40):
            told = asked(port, "css/i.png")
            assert told["before"] == told["now"]
            assert told["bodies"] == ["png"] * 4
            pids.add(told["pid"])
            if len(pids) == 2:
                break
        css = asked(port, "css/a.css")
        image = told["now"].rpartition("/")[2]
        assert css["bodies"] == [f"a {{ background: url({image}) }}"] * 4
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    assert "Traceback" not in log.read_text()


def asked(port: int, path: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}", timeout=30) as answer:
        return dict(json.load(answer))


# Processes that publish


PROGRAM = """
import json, os, sys
from shipfiles.release.items import Shape
from shipfiles.release.send import send
from shipfiles.release.target import Target
from shipfiles.stores.local import LocalStore
from shipfiles.stores.opening import open_store
options = json.loads(os.environ["OPTIONS"])
if os.environ["STORE"].startswith("gs:"):
    from google.auth.credentials import AnonymousCredentials
    options["credentials"] = AnonymousCredentials()
store = open_store(os.environ["STORE"], "tests", options)
def sent(release):
    return send(LocalStore(os.environ["LOCAL"]), release, Target(store, Shape(hashed_only=True)))
"""


@dataclass
class Elsewhere:
    """A store as a process opens it."""

    place: str
    options: dict[str, Any]

    def begun(self, program: str, local: Path) -> subprocess.Popen[str]:
        """A process that sends what was built in ``local``."""
        return subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-c", PROGRAM + textwrap.dedent(program)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "STORE": self.place, "OPTIONS": json.dumps(self.options), "LOCAL": str(local)},
        )  # fmt: skip

    def run(self, program: str, local: Path) -> str:
        """What one says that ends well."""
        process = self.begun(program, local)
        out, err = process.communicate(timeout=300)
        assert (process.returncode, err) == (0, "")
        return out


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Elsewhere]:
    location = secrets.token_hex(8)
    if request.param == "s3":
        yield Elsewhere(f"s3://bucket/{location}", {**S3_KEY, "endpoint_url": request.getfixturevalue("seaweed")})
    elif request.param == "azure":
        url = request.getfixturevalue("azurite")
        keys = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY}
        yield Elsewhere(f"az://container/{location}", {**keys, "endpoint_url": url})
    elif request.param == "google":
        yield Elsewhere(f"gs://bucket/{location}", {"endpoint_url": request.getfixturevalue("fake_gcs")})
    else:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        with started() as server:
            yield Elsewhere(f"ssh://server{server.root(location)}", {"config_file": str(server.folder / "config")})


@pytest.mark.parametrize(
    ("elsewhere", "times"), [("s3", 12), ("azure", 6), ("google", 6), ("ssh", 6)], indirect=["elsewhere"]
)
def test_short_processes_end_well(elsewhere: Elsewhere, times: int, tmp_path: Path) -> None:
    """Thirty of them, whatever threads their clients have."""
    local = tmp_path / "local"
    for number in range(3):
        files = {**FILES, "css/i.png": b"%d" % number, **{f"{i}.txt": b"%d" % i for i in range(30)}}
        publish(built(tmp_path / str(number), files), LocalStore(str(local)), FAST, release=f"v{number}", workers=1)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(lambda i: elsewhere.run(f"print(sent('v{i % 3}').release)", local), range(times)))
    assert told == [f"v{i % 3}\n" for i in range(times)]


@pytest.mark.parametrize(("elsewhere", "most"), [("s3", 110), ("ssh", 180)], indirect=["elsewhere"])
def test_large_files_are_streamed(elsewhere: Elsewhere, most: int, tmp_path: Path) -> None:
    """Ten of 24 MiB; all that the process ever has is less, in MiB."""
    local, root = tmp_path / "local", tmp_path / "site"
    root.mkdir()
    for number in range(10):
        with (root / f"{number}.bin").open("wb") as file:
            file.write(b"%d" % number)
            file.truncate(24 * MIB)
    publish(built(root, {}), LocalStore(str(local)), CompressConfig(codings=()), release="v1", workers=1)
    program = """
        assert sent("v1").bytes == 240 << 20
        # The most that this program ever had: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
        with open("/proc/self/status") as status:
            print(next(line for line in status if line.startswith("VmHWM:")).split()[1])
    """
    assert int(elsewhere.run(program, local)) < most << 10


@pytest.mark.parametrize("elsewhere", ["s3"], indirect=True)
def test_an_interrupt_leaves_nothing_of_an_upload(elsewhere: Elsewhere, seaweed: str, tmp_path: Path) -> None:
    """No object, and no parts of one, which the store would keep and bill."""
    if importlib.util.find_spec("boto3") is None:
        missing("boto3 is not installed")
    import boto3

    keys = {"aws_access_key_id": S3_KEY["access_key"], "aws_secret_access_key": S3_KEY["secret_key"]}
    client = boto3.client("s3", endpoint_url=seaweed, region_name="us-east-1", **keys)
    location = elsewhere.place.rpartition("/")[2]

    def uploads() -> list[Any]:
        found = client.list_multipart_uploads(Bucket="bucket", Prefix=location)
        return list(found.get("Uploads", []))

    local, root = tmp_path / "local", tmp_path / "site"
    root.mkdir()
    with (root / "film.bin").open("wb") as file:
        file.truncate(300 * MIB)
    publish(built(root, {}), LocalStore(str(local)), CompressConfig(codings=()), release="v1", workers=1)
    process = elsewhere.begun("sent('v1')", local)
    while process.poll() is None and not uploads():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == -signal.SIGINT
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert uploads() == []
    assert [stored.key for stored in s3_store(seaweed, location).list() if not stored.key.startswith(RESERVED)] == []
    assert read_all(s3_store(seaweed, location), POINTER_KEY) is None
