"""The contract of stores on SeaweedFS and Azurite, and what only servers and clients of others can show."""

from __future__ import annotations

import importlib.util
import os
import secrets
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shipfiles.digest import digest_bytes
from shipfiles.errors import ConfigError, KeyExists, OtherBytes, StoreError
from shipfiles.stores.opening import open_store
from shipfiles.stores.store import Copies, Store, read_all
from shipfiles.testing.store import StoreContract
from tests.bucket import running
from tests.oracles.corpora import missing

from .asked import BREAK, CUT, LOSE, REFUSE, Fault, Next
from .object_servers import ACCOUNT, ACCOUNT_KEY, S3_KEY, azure_store, s3_store
from .proxy import proxied

pytestmark = pytest.mark.services

MIB = 1 << 20


@pytest.fixture
def location() -> str:
    """A folder that nobody else has."""
    return secrets.token_hex(8)


class TestSeaweed(StoreContract):
    looks_before_it_copies = False

    @pytest.fixture
    def store(self, seaweed: str, location: str) -> Store:
        return s3_store(seaweed, location)

    @pytest.fixture
    def other(self, seaweed: str, location: str) -> Store:
        return s3_store(seaweed, location)


class TestAzurite(StoreContract):
    @pytest.fixture
    def store(self, azurite: str, location: str) -> Store:
        return azure_store(azurite, location)

    @pytest.fixture
    def other(self, azurite: str, location: str) -> Store:
        return azure_store(azurite, location)

    def test_it_does_not_copy(self, store: Store) -> None:
        assert not isinstance(store, Copies)


@pytest.fixture(params=["s3", "azure"])
def lossy_store(request: pytest.FixtureRequest) -> Iterator[tuple[Next, Store, Store]]:
    """What loses answers, a store behind it, and the same store without it."""
    location = secrets.token_hex(8)
    opened = s3_store if request.param == "s3" else azure_store
    url = request.getfixturevalue("seaweed" if request.param == "s3" else "azurite")
    with proxied(url) as way:
        way.plan = lost = Next(LOSE)
        yield lost, opened(way.url, location), opened(url, location)


def test_answers_that_get_lost(lossy_store: tuple[Next, Store, Store]) -> None:
    lost, store, direct = lossy_store
    for i in range(5):
        lost.left = 1
        store.put(f"created/{i}", b"one", mode="create")
        lost.left = 1
        assert store.swap(f"created/{i}", b"one", b"two")
        assert lost.left < 0
        assert read_all(direct, f"created/{i}") == b"two"
        assert direct.swap(f"created/{i}", b"two", b"three")
        lost.left = 1
        assert not store.swap(f"created/{i}", b"two", b"four")
        with pytest.raises(KeyExists):
            store.put(f"created/{i}", b"three", mode="create")
        assert read_all(direct, f"created/{i}") == b"three"


@pytest.mark.parametrize("fault", [REFUSE, BREAK, CUT], ids=lambda fault: fault.kind)
def test_connections_that_are_reset(lossy_store: tuple[Next, Store, Store], fault: Fault) -> None:
    lost, store, direct = lossy_store
    lost.fault = fault
    for i in range(3):
        lost.left = 1
        store.put(f"created/{i}", b"one" * 1000, mode="create")
        lost.left = 1
        with pytest.raises(KeyExists):
            store.put(f"created/{i}", b"two" * 1000, mode="create")
        lost.left = 1
        assert store.swap(f"created/{i}", b"one" * 1000, b"two")
        assert lost.left < 0
        assert read_all(direct, f"created/{i}") == b"two"


def test_of_several_whose_answers_get_lost_one_succeeds(lossy_store: tuple[Next, Store, Store]) -> None:
    lost, store, direct = lossy_store
    lost.left = 6

    def count_on() -> None:
        # An object knows the last sixteen puts.
        for _ in range(4):
            while True:
                before = read_all(store, "count")
                if store.swap("count", before, str(int(before or b"0") + 1).encode()):
                    break

    threads = [threading.Thread(target=count_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lost.left < 0
    assert read_all(direct, "count") == b"16"


# Uploads that are broken off

UPLOAD = """
    import sys
    from tests.services.object_servers import s3_store
    s3_store(sys.argv[1], sys.argv[2]).put("film", sys.argv[3], mode="create")
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_large_create_that_is_broken_off(seaweed: str, location: str, tmp_path: Path, end: signal.Signals) -> None:
    """It leaves nothing; killed outright, nothing that anybody could take for the file."""
    if importlib.util.find_spec("boto3") is None:
        missing("boto3 is not installed")
    import boto3

    keys = {"aws_access_key_id": S3_KEY["access_key"], "aws_secret_access_key": S3_KEY["secret_key"]}
    client = boto3.client("s3", endpoint_url=seaweed, region_name="us-east-1", **keys)

    def uploads() -> list[Any]:
        return list(client.list_multipart_uploads(Bucket="bucket", Prefix=location).get("Uploads", []))

    source = tmp_path / "film"
    with source.open("wb") as file:
        file.truncate(300 * MIB)
    command = [sys.executable, "-c", textwrap.dedent(UPLOAD), seaweed, location, str(source)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while process.poll() is None and not uploads():
        time.sleep(0.02)
    process.send_signal(end)
    process.communicate(timeout=30)
    assert process.returncode == -end
    store = s3_store(seaweed, location)
    assert store.head("film") is None
    assert [stored.key for stored in store.list()] == []
    if end == signal.SIGKILL:
        (left,) = uploads()
        assert left["Key"].startswith(f"{location}/.shipfiles/uploads/")
        client.abort_multipart_upload(Bucket="bucket", Key=left["Key"], UploadId=left["UploadId"])
    assert uploads() == []
    store.put("film", b"x" * 6 * MIB, mode="create")
    with pytest.raises(StoreError, match="gone"):
        store.put("other", str(tmp_path / "gone"), mode="create")
    with pytest.raises(OtherBytes):
        store.put("other", b"x" * 11 * MIB, mode="create", digest=digest_bytes(b""))
    assert [stored.key for stored in store.list()] == ["film"]
    assert uploads() == []


# Who may not


def test_a_wrong_secret(seaweed: str) -> None:
    store = s3_store(seaweed, secret_key="wrong")
    with pytest.raises(StoreError, match="access denied: the store does not accept the signature") as caught:
        store.put("a", b"")
    assert S3_KEY["access_key"] not in str(caught.value).replace("s3://bucket", "")


def test_an_unknown_key(seaweed: str) -> None:
    with pytest.raises(StoreError, match="access denied: the store does not know this access key"):
        read_all(s3_store(seaweed, access_key="unknown"), "a")


def test_who_may_only_read(seaweed: str) -> None:
    s3_store(seaweed, "rights").put("a", b"one")
    reader = s3_store(seaweed, "rights", access_key="reader", secret_key="reads only")
    assert read_all(reader, "a") == b"one"
    for write in (lambda: reader.put("a", b""), lambda: reader.swap("b", None, b""), lambda: reader.delete(["a"])):
        with pytest.raises(StoreError, match="access denied: these credentials may not do that"):
            write()
    assert read_all(reader, "a") == b"one"


def test_a_wrong_account_key_and_a_missing_container(azurite: str) -> None:
    with pytest.raises(StoreError, match="access denied"):
        azure_store(azurite, account_key="d3Jvbmc=").put("a", b"")
    given = {"account_name": ACCOUNT, "account_key": ACCOUNT_KEY, "endpoint_url": azurite}
    missing_container = open_store("az://nowhere", "tests", given)
    for work in (lambda: missing_container.put("a", b""), lambda: list(missing_container.list())):
        with pytest.raises(StoreError, match="there is no such container"):
            work()


# Profiles, greenlets, forks


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two profiles of AWS's tools: one with keys, one whose keys a program tells."""
    if importlib.util.find_spec("boto3") is None:
        missing("boto3 is not installed")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    told = f'{{"Version": 1, "AccessKeyId": "{S3_KEY["access_key"]}", "SecretAccessKey": "{S3_KEY["secret_key"]}"}}'
    (tmp_path / "program.py").write_text(f"print({told!r})")
    (tmp_path / "config").write_text(
        f"[profile program]\ncredential_process = {sys.executable} {tmp_path}/program.py\n"
    )
    keys = f"aws_access_key_id = {S3_KEY['access_key']}\naws_secret_access_key = {S3_KEY['secret_key']}\n"
    (tmp_path / "credentials").write_text(f"[keys]\n{keys}")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.mark.parametrize("profile", ["keys", "program"])
@pytest.mark.parametrize("named_by", ["option", "environment"])
@pytest.mark.usefixtures("profiles")
def test_a_profile(seaweed: str, monkeypatch: pytest.MonkeyPatch, profile: str, named_by: str) -> None:
    options: dict[str, Any] = {"endpoint_url": seaweed}
    if named_by == "option":
        options["session_profile"] = profile
    else:
        monkeypatch.setenv("AWS_PROFILE", profile)
    store = open_store(f"s3://bucket/{secrets.token_hex(8)}", "tests", options)
    store.put("a", b"one")
    assert read_all(store, "a") == b"one"


@pytest.mark.usefixtures("profiles")
def test_a_profile_that_is_none(seaweed: str) -> None:
    store = open_store("s3://bucket/a", "tests", {"endpoint_url": seaweed, "session_profile": "other"})
    with pytest.raises(ConfigError, match=r"The AWS profile 'other' cannot be used: .*could not be found"):
        store.head("a")


@pytest.mark.usefixtures("profiles")
def test_a_profile_whose_program_fails(seaweed: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("raise SystemExit('no')")
    store = open_store("s3://bucket/a", "tests", {"endpoint_url": seaweed, "session_profile": "program"})
    with pytest.raises((ConfigError, StoreError), match="program"):
        store.put("a", b"")


# Encryption


def test_certificates(certificates: tuple[Path, Path]) -> None:
    own, root = certificates
    with running(own) as bucket:
        options = {**S3_KEY, "endpoint_url": bucket.url, "limits": {"retries": 0}}
        with pytest.raises(StoreError, match="cannot be reached: its certificate is not trusted"):
            open_store("s3://bucket", "tests", options).put("a", b"one")
        open_store("s3://bucket", "tests", {**options, "verify": str(root)}).put("a", b"one")
        open_store("s3://bucket", "tests", {**options, "verify": False}).put("b", b"one")
        assert bucket.objects.keys() == {"a", "b"}


def test_encryption_after_a_fork(certificates: tuple[Path, Path]) -> None:
    own, root = certificates
    program = f"""
        import signal
        store = opened({{"verify": {str(root)!r}}})
        store.put("a", b"one")
        pid = os.fork()
        if pid == 0:
            signal.alarm(60)
            store.put("b", b"two")
            sys.exit(0)
        assert os.waitpid(pid, 0)[1] == 0
        assert sorted(stored.key for stored in store.list()) == ["a", "b"]
    """
    with running(own) as bucket:
        run(OPEN + textwrap.dedent(program), bucket.url)


def run(program: str, url: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program), url],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "SECRET": S3_KEY["secret_key"], "ID": S3_KEY["access_key"]},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


OPEN = """
import os, secrets, sys
from shipfiles.stores.opening import open_store
def opened(options={}):
    keys = {"access_key": os.environ["ID"], "secret_key": os.environ["SECRET"], "endpoint_url": sys.argv[1], **options}
    return open_store("s3://bucket/" + secrets.token_hex(8), "tests", keys)
"""


def test_other_greenlets_run_meanwhile(seaweed: str) -> None:
    if importlib.util.find_spec("gevent") is None:
        missing("gevent is not installed")
    program = """
        store, turns = opened(), []
        def turn():
            while True:
                turns.append(1)
                gevent.sleep(0)
        ticking = gevent.spawn(turn)
        before = len(turns)
        store.put("a", b"one")
        assert len(turns) > before, "no other greenlet had a turn"
        for work in lambda: list(store.read("a")), lambda: list(store.list()), lambda: store.swap("a", b"one", b"x"):
            before = len(turns)
            assert work()
            assert len(turns) > before, "no other greenlet had a turn"
        jobs = [gevent.spawn(store.put, f"many/{i}", b"x") for i in range(50)]
        gevent.joinall(jobs, raise_error=True)
        assert len(list(store.list("many/"))) == 50
        try:
            store.put("a", b"", mode="create")
        except Exception as error:
            assert type(error).__name__ == "KeyExists"
        ticking.kill()
    """
    run("from gevent import monkey; monkey.patch_all(); import gevent\n" + OPEN + textwrap.dedent(program), seaweed)


def test_workers_of_a_preloaded_application(seaweed: str) -> None:
    """As gunicorn does with ``--preload``: the store is used, then workers are forked, which use it with threads."""
    program = """
        import signal, threading
        store = opened()
        store.put("a", b"one")
        pids = []
        for number in range(3):
            pid = os.fork()
            if pid == 0:
                signal.alarm(60)
                threads = [threading.Thread(target=store.put, args=(f"{number}/{i}", b"x")) for i in range(20)]
                for thread in threads: thread.start()
                for thread in threads: thread.join()
                assert b"".join(store.read("a")) == b"one"
                sys.exit(0)
            pids.append(pid)
        store.put("b", b"two")
        assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0, 0]
        assert len(list(store.list())) == 62
    """
    run(OPEN + textwrap.dedent(program), seaweed)


def test_processes_end_well(seaweed: str) -> None:
    program = """
        store = opened()
        store.put("a", b"x" * 3_000_000)
        next(iter(store.read("a")))
    """
    for _ in range(5):
        run(OPEN + textwrap.dedent(program), seaweed)
