"""Two instances of a site that takes uploads: on one bucket, on one disk, and on a disk each."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.oracles.corpora import ROOT, missing

from .media_places import body, s3_options
from .sent_sites import BUCKET
from .servers import free_port, wait_until_listening

pytestmark = pytest.mark.services

DISK = "shipfiles.django.storage.MediaStorage"


@dataclass(frozen=True)
class Instance:
    """A running one, and one of its storages."""

    port: int
    alias: str = "default"

    def upload(self, name: str, content: bytes) -> str:
        """Send a file as a browser does; the name under which it was kept."""
        # https://www.rfc-editor.org/rfc/rfc7578
        edge = secrets.token_hex(16)
        head = (
            f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: image/jpeg\r\n\r\n"
        )
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/upload/{self.alias}",
            data=head.encode() + content + f"\r\n--{edge}--\r\n".encode(),
            headers={"Content-Type": f"multipart/form-data; boundary={edge}"},
        )
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return str(json.load(answer)["name"])

    def read(self, name: str) -> bytes | None:
        """What it has under this name."""
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/there/{self.alias}/{name}", timeout=30
            ) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            return None

    def names(self) -> set[str]:
        """All that it has."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/names/{self.alias}", timeout=30) as answer:
            return set(json.load(answer)["names"])


@contextmanager
def running(folder: Path, *storages: dict[str, Any]) -> Iterator[list[int]]:
    """The ports of instances that have these STORAGES, each."""
    if importlib.util.find_spec("gunicorn") is None:
        missing("gunicorn is not installed")
    with ExitStack() as stack:
        begun = []
        for number, entry in enumerate(storages):
            port, log = free_port(), folder / f"log{number}.txt"
            command = [
                sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--threads", "4", "--log-level",
                "warning", "tests.services.upload_site:wsgi",
            ]  # fmt: skip
            out = stack.enter_context(log.open("wb"))
            process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=out, env=environment(entry))
            stack.callback(process.wait)
            stack.callback(process.kill)
            stack.callback(process.wait, 10)
            stack.callback(process.terminate)
            begun.append((port, process, log))
        for port, process, log in begun:
            wait_until_listening(port, process, log)
        yield [port for port, _, _ in begun]


def environment(entry: dict[str, Any]) -> dict[str, str]:
    """What an instance needs to know."""
    return {**os.environ, "MEDIA_STORAGES": json.dumps(entry), "DJANGO_SETTINGS_MODULE": ""}


def checked(storages: dict[str, Any]) -> str:
    """What ``manage.py check --deploy`` says of an instance."""
    program = (
        "import tests.services.upload_site; from django.core.management import call_command;"
        "call_command('check', deploy=True)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(storages), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def in_bucket(seaweed: str) -> dict[str, Any]:
    options = {"store": f"s3://{BUCKET}/{secrets.token_hex(8)}", "store_options": s3_options(seaweed)}
    return {"BACKEND": DISK, "OPTIONS": options}


def on_disk(folder: Path, **options: Any) -> dict[str, Any]:
    return {"BACKEND": DISK, "OPTIONS": {"location": str(folder), **options}}


def test_instances(seaweed: str, tmp_path: Path) -> None:
    both = {"bucket": in_bucket(seaweed), "shared": on_disk(tmp_path / "shared", shared=True)}
    own = [{**both, "default": on_disk(tmp_path / name)} for name in ("one", "two")]
    # Of the three, the check tells of the one that is there for one instance alone.
    told = [line for line in checked(own[0]).splitlines() if "W038" in line]
    assert len(told) == 1
    assert str(tmp_path / "one") in told[0]
    with running(tmp_path, *own) as ports:
        check_one_place(*(Instance(port, "bucket") for port in ports))
        check_one_place(*(Instance(port, "shared") for port in ports))
        check_a_disk_each(*map(Instance, ports))


def check_one_place(first: Instance, second: Instance) -> None:
    """What came in through one is there in the other at once; of those that come in at a time, all are kept."""
    for number, size in enumerate((10, 300_000, 6 << 20)):
        name = first.upload(f"{number}.jpg", body(number, size))
        assert name == f"{number}.jpg"
        assert second.read(name) == body(number, size)
        assert second.read("other.jpg") is None
    bodies = [body(i, 1000) for i in range(16)]
    with ThreadPoolExecutor(16) as pool:
        names = list(pool.map(lambda i: (first, second)[i % 2].upload("same.jpg", bodies[i]), range(16)))
    assert len(set(names)) == 16
    for i, name in enumerate(names):
        assert (second, first)[i % 2].read(name) == bodies[i]
    assert first.names() == second.names() == {"0.jpg", "1.jpg", "2.jpg", *names}


def check_a_disk_each(first: Instance, second: Instance) -> None:
    """An upload is there for those alone whom the same instance serves, and two files have one name."""
    name = first.upload("photo.jpg", b"one")
    assert second.read(name) is None
    assert second.upload("photo.jpg", b"two") == name
    assert (first.read(name), second.read(name)) == (b"one", b"two")
