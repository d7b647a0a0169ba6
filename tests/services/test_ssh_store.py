"""The contract of stores over OpenSSH's server, and what only a server can show."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from shipfiles.digest import digest_bytes
from shipfiles.errors import NoAnswer, OtherBytes, Replaced, StoreError
from shipfiles.events import Event, Retried
from shipfiles.release.pace import in_pace
from shipfiles.stores import ssh_swap
from shipfiles.stores.opening import open_store
from shipfiles.stores.ssh_store import SshStore
from shipfiles.stores.store import Store, read_all
from shipfiles.testing.store import StoreContract
from tests.spans import check_folders, check_parts

from .ssh_server import SshServer, started

pytestmark = pytest.mark.services


@pytest.fixture(scope="session")
def server() -> Iterator[SshServer]:
    with started() as running:
        yield running


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def ssh_store(server: SshServer, root: Path | str, **options: Any) -> SshStore:
    given = {"config_file": str(server.folder / "config"), **options}
    store = open_store(f"ssh://server{root}", "tests", given)
    assert isinstance(store, SshStore)
    return store


@pytest.fixture
def root(server: SshServer) -> Path:
    return server.root(secrets.token_hex(4))


@pytest.fixture
def store(server: SshServer, root: Path) -> Iterator[SshStore]:
    found = ssh_store(server, root / "static")
    yield found
    found.close()


class TestSsh(StoreContract):
    keeps_fields = False
    looks_before_it_copies = False
    tells_versions_apart = False

    @pytest.fixture
    def store(self, store: SshStore) -> Store:
        return store

    @pytest.fixture
    def other(self, server: SshServer, root: Path) -> Iterator[Store]:
        found = ssh_store(server, root / "static")
        yield found
        found.close()


@pytest.fixture
def pair(server: SshServer, root: Path) -> Iterator[tuple[SshStore, SshStore]]:
    """Two clients of one folder."""
    found = ssh_store(server, root), ssh_store(server, root)
    yield found
    for store in found:
        store.close()


def all_at_once(*work: Any) -> None:
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def cut(store: SshStore) -> None:
    """Break the connection under ``store``, as a network does."""
    line, loop = store._connection.line, store._connection._this.loop
    assert line is not None
    assert loop is not None
    loop.call_soon_threadsafe(lambda: line.hops[-1]._transport.abort())


def test_what_is_put_is_all_that_is_there_and_deleted_nothing_is(store: SshStore, root: Path) -> None:
    keys = [f"many/{i % 7}/{i}" for i in range(50)]
    all_at_once(*(lambda key=key: store.put(key, key.encode()) for key in keys))
    files = {str(path.relative_to(root / "static")): path for path in (root / "static").rglob("*") if path.is_file()}
    assert {key: path.read_text() for key, path in files.items()} == {key: key for key in keys}
    store.delete([*keys, "many/unknown"])
    # No empty folder either.
    assert list((root / "static").iterdir()) == []


def test_a_large_file_that_is_another_changes_nothing(store: SshStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "film").write_bytes(bytes(3 << 20))
    with pytest.raises(OtherBytes, match="changed while it was read"):
        store.put("film", str(tmp_path / "film"), digest=digest_bytes(b"other"))
    assert list((root / "static").iterdir()) == []


def test_modes(server: SshServer, root: Path) -> None:
    store = ssh_store(server, root, file_mode=0o640, dir_mode=0o2750)
    store.put("a/b/c", b"")
    assert stat.S_IMODE((root / "a/b/c").stat().st_mode) == 0o640
    assert {stat.S_IMODE((root / path).stat().st_mode) for path in ("a", "a/b")} == {0o2750}
    store.close()


def test_links_are_not_followed(server: SshServer, store: SshStore, root: Path) -> None:
    store.put("inside", b"one")
    (root / "outside").mkdir()
    (root / "outside" / "file").write_text("not ours")
    (root / "static" / "folder").symlink_to(root / "outside")
    (root / "static" / "link").symlink_to(root / "outside" / "file")
    assert [stored.key for stored in store.list()] == ["inside"]
    assert store.head("link") is None


def test_hostile_names_run_no_command(store: SshStore, root: Path) -> None:
    keys = ["$(touch x)", "`touch x`", "; touch x", "-rf", "a\nb", "*", "'", '"', "a\\b", "~", "%h", "|x", "\x1b[0m"]
    for key in keys:
        store.put(key, key.encode())
    assert sorted(os.listdir(root / "static")) == sorted(keys)
    store.put("a", b"")
    store.delete(["*"])
    assert (root / "static" / "a").exists()


def test_unfinished_files_are_not_listed_and_swept_when_old(server: SshServer, store: SshStore, root: Path) -> None:
    store.put("a/b", b"")
    names = {age: root / "static" / "a" / f".shipfiles-{age:x}-0" for age in (60, 7200)}
    for age, path in names.items():
        path.write_bytes(b"half")
        server.own(path)
        os.utime(path, (time.time() - age, time.time() - age))
    assert [stored.key for stored in store.list()] == ["a/b"]
    assert store.sweep() == 1
    assert [age for age, path in names.items() if path.exists()] == [60]


def test_puts_beside_deletes_that_empty_the_folder(store: SshStore) -> None:
    def work(name: str) -> None:
        for number in range(100):
            key = f"2026/11/{name}"
            store.put(key, b"%d" % number, mode="create")
            assert b"".join(store.read(key)) == b"%d" % number
            store.delete([key])

    with ThreadPoolExecutor(6) as pool:
        for done in [pool.submit(work, name) for name in "abcdef"]:
            done.result()


def test_a_folder_outlives_what_was_swept_from_it(server: SshServer, store: SshStore, root: Path) -> None:
    store.put("a/b", b"")
    path = root / "static" / "a" / "c" / ".shipfiles-1-0"
    path.parent.mkdir()
    path.write_bytes(b"half")
    for there in (path.parent, path):
        server.own(there)
    os.utime(path, (1, 1))
    assert store.sweep() == 1
    assert [*path.parent.iterdir()] == []


# Parts


def test_a_file_that_is_replaced_within_a_second_is_another_version(
    server: SshServer, store: SshStore, root: Path
) -> None:
    path = root / "static" / "a"

    def put(body: bytes) -> None:
        store.put("a", body)
        os.utime(path, (1_700_000_000, 1_700_000_000))  # one second, and one size

    put(b"1" * 100_000)
    part = store.read_part("a", 0, 10)
    assert b"".join(part.body) == b"1" * 10
    same = [(0, 10), (0, None), (50_000, 50_010), (5_000, None), (99_999, 200_000), (200_000, 200_001), (3, 3)]
    assert {store.read_part("a", start, stop, version=part.version).version for start, stop in same} == {part.version}
    put(b"2" * 100_000)
    for start, stop in same:
        with pytest.raises(Replaced):
            store.read_part("a", start, stop, version=part.version)


def test_any_part_and_folder(store: SshStore) -> None:
    check_parts(store, 60)
    check_folders(store, 30)


def test_a_part_over_a_connection_that_breaks(store: SshStore) -> None:
    body = os.urandom(3 << 20)
    store.put("film", body)
    part = store.read_part("film", 5)
    assert body[5:].startswith(next(part.body))
    cut(store)
    with pytest.raises(NoAnswer):
        list(part.body)
    # It could be another file by then; whoever asks again says which it was.
    assert b"".join(store.read_part("film", 5 + (1 << 20), version=part.version).body) == body[5 + (1 << 20) :]


def test_parts_that_nobody_reads_on_are_let_go_of(store: SshStore) -> None:
    """More than a server lets one have open at once."""
    store.put("film", bytes(2 << 20))
    for number in range(150):
        part = store.read_part("film", number)
        if number % 2:
            next(part.body)
        del part
    assert len(b"".join(store.read_part("film", 1).body)) == (2 << 20) - 1


# Swap


def lease(server: SshServer, root: Path) -> Path:
    """A right to swap that somebody has taken and not given back."""
    for path in (root / "static", root / "static/.shipfiles", root / "static/.shipfiles/swap-lease"):
        if not path.exists():
            path.mkdir()
            server.own(path)
    token = path / ".shipfiles-dead-0"
    token.write_bytes(b"of another")
    return server.own(token)


def test_a_swap_that_another_left_is_broken_off(server: SshServer, root: Path) -> None:
    token = lease(server, root)
    store = ssh_store(server, root / "static", limits={"lease": 0.5})
    begun = time.monotonic()
    assert store.swap("a", None, b"one")
    assert time.monotonic() - begun >= 0.5
    assert not token.exists()
    assert read_all(store, "a") == b"one"
    store.close()


def test_a_swap_waits_for_another(server: SshServer, root: Path, store: SshStore) -> None:
    token = lease(server, root)
    done: list[bool] = []
    thread = threading.Thread(target=lambda: done.append(store.swap("a", b"of another", b"two")))
    thread.start()
    time.sleep(0.3)
    assert not done
    # The other one uses its right.
    token.rename(root / "static" / "a")
    thread.join()
    assert done == [True]
    assert read_all(store, "a") == b"two"


def test_who_was_broken_off_changes_nothing_and_begins_again(pair: tuple[SshStore, SshStore], root: Path) -> None:
    """The body of a slow holder is removed between its look and its rename."""
    slow, _ = pair
    slow.put("a", b"one")
    held = root / ".shipfiles" / "swap-lease"
    taken: list[bytes] = []
    looked = ssh_swap.read_small

    async def breaking(line: Any, path: str, key: str) -> bytes | None:
        found = await looked(line, path, key)
        if not taken:
            (token,) = held.iterdir()
            taken.append(token.read_bytes())
            token.unlink()
            (root / "a").write_bytes(b"of another")
        return found

    ssh_swap.read_small = breaking
    try:
        assert slow.swap("a", b"one", b"two") is False
    finally:
        ssh_swap.read_small = looked
    assert taken == [b"two"]
    assert (root / "a").read_bytes() == b"of another"
    assert list(held.iterdir()) == []


# The connection


def test_a_broken_connection_is_made_anew(store: SshStore, root: Path) -> None:
    store.put("a", b"one")
    cut(store)
    store.put("b", b"two")
    assert sorted(stored.key for stored in store.list()) == ["a", "b"]
    # In the middle of much.
    keys = [f"many/{i}" for i in range(64)]
    all_at_once(lambda: cut(store), *(lambda key=key: store.put(key, b"x" * 9000, mode="create") for key in keys))
    assert {stored.key for stored in store.list("many/")} == set(keys)
    assert {stored.size for stored in store.list("many/")} == {9000}


@pytest.mark.parametrize("done", [True, False])
@pytest.mark.parametrize(
    ("verb", "at"),
    [("open", 1), ("rename", 1), ("mkdir", 1), ("posix_rename", 1), ("posix_rename", 2), ("lstat", 1), ("scandir", 1)],
)
def test_an_answer_is_lost(server: SshServer, root: Path, verb: str, at: int, done: bool) -> None:
    """The connection breaks at a request, which the server has done or has not."""
    store = ssh_store(server, root)
    assert store.head("a") is None
    line = store._connection.line
    assert line is not None
    real, asked = getattr(line.sftp, verb), []

    async def lost(*arguments: Any, **options: Any) -> Any:
        asked.append(arguments)
        if len(asked) < at:
            return await real(*arguments, **options)
        if done:
            with suppress(asyncssh.SFTPError):
                await real(*arguments, **options)
        line.drop()
        raise asyncssh.SFTPConnectionLost("")

    setattr(line.sftp, verb, lost)
    if verb == "lstat":
        assert store.head("a") is None
    if verb == "scandir":
        line.sftp.scandir = lambda path: Ending(lost)
        done = False
        assert list(store.list()) == []
    store.put("new", b"one", mode="create")
    assert store.swap("a", None, b"two")
    assert line.lost
    assert (root / "new").read_bytes() == b"one"
    assert (root / "a").read_bytes() == b"two"
    assert sorted(stored.key for stored in store.list()) == ["a", "new"]
    store.close()
    leftovers = [path for path in root.rglob(".shipfiles-*") if path.is_file()]
    # What was not told of, nobody can remove.
    assert len(leftovers) <= (verb == "open" and done)


class Ending:
    """An asynchronous iterator that ends as ``end`` does."""

    def __init__(self, end: Any) -> None:
        self.end = end

    def __aiter__(self) -> Ending:
        return self

    async def __anext__(self) -> Any:
        return await self.end()


def test_many_threads_ask_at_once(store: SshStore) -> None:
    """None of a hundred is answered before all have asked."""
    store.put("a", b"one")
    asked: list[int] = []
    all_asked = asyncio.Event()
    found: list[Any] = []

    async def work(line: Any) -> Any:
        answer = asyncio.ensure_future(line.sftp.lstat(store._path("a")))
        asked.append(1)
        if len(asked) == 100:
            all_asked.set()
        await all_asked.wait()
        return await answer

    all_at_once(*[lambda: found.append(store._connection.ask("a", work).size)] * 100)
    assert all_asked.is_set()
    assert found == [3] * 100


def test_a_connection_that_breaks_again_and_again(store: SshStore, root: Path) -> None:
    """All that was to be put is, and what was to be put again is told."""
    done, told = 0, list[Event]()
    for number, _ in in_pace(
        lambda number: store.put(f"{number}", b"%d" % number), range(150), told.append, at_once=16
    ):
        done += 1
        assert (root / "static" / str(number)).read_bytes() == b"%d" % number
        if done % 50 == 0 and (line := store._connection.line):
            line.drop()
    assert done == 150
    assert all(isinstance(event, Retried) and "connection to the server broke" in event.why for event in told)
    assert sum(1 for _ in store.list()) == 150


def test_a_server_that_is_gone() -> None:
    with started() as server:
        store = ssh_store(server, server.root("gone"))
        store.put("a", b"one")
        server.process.terminate()
        server.process.wait(10)
        cut(store)
        with pytest.raises(StoreError, match="the server refuses the connection"):
            store.put("b", b"two")
        store.close()


def test_a_server_that_stands_still() -> None:
    with started() as server:
        store = ssh_store(server, server.root("still"), limits={"answer": 0.5})
        store.put("a", b"one")
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        everyone = [server.process.pid, *map(int, children)]
        for pid in everyone[1:]:
            everyone += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(StoreError, match="does not answer any more"):
                store.put("b", b"two")
        finally:
            for pid in everyone:
                os.kill(pid, signal.SIGCONT)
        store.close()


def test_a_child_has_a_connection_of_its_own(store: SshStore) -> None:
    store.put("a", b"one")
    child = os.fork()
    if not child:
        status = 1
        try:
            if read_all(store, "a") == b"one":
                store.put("b", b"two")
                status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    assert read_all(store, "b") == b"two"


def test_a_folder_that_one_may_not_write(store: SshStore, root: Path) -> None:
    (root / "static").mkdir()
    (root / "static").chmod(0o755)
    if os.getuid() != 0:
        pytest.skip("the folder is this user's own")
    for work in (lambda: store.put("a", b""), lambda: store.swap("a", None, b"")):
        with pytest.raises(StoreError, match="permission denied on the server"):
            work()


# Who it is


def refused(server: SshServer, root: Path, **options: Any) -> str:
    store = ssh_store(server, root, **options)
    with pytest.raises(StoreError) as caught:
        store.put("a", b"")
    store.close()
    assert list(root.iterdir()) == []
    return str(caught.value)


def test_an_unknown_server(server: SshServer, root: Path, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_text("")
    text = refused(server, root, known_host_file=str(tmp_path / "known_hosts"))
    told = subprocess.run(
        ["ssh-keygen", "-lf", str(server.folder / "host.pub")], check=True, capture_output=True, text=True
    )
    fingerprint = told.stdout.split()[1]
    assert f"the server is not known: its key ssh-ed25519 {fingerprint} is not in {tmp_path}/known_hosts" in text
    assert "Run 'ssh server' once" in text


def test_a_server_with_another_key(server: SshServer, root: Path, tmp_path: Path) -> None:
    other = (server.folder / "other.pub").read_text()
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {other}")
    text = refused(server, root, known_host_file=str(tmp_path / "known_hosts"))
    assert "the server shows another key" in text
    assert f"ssh-keygen -R [127.0.0.1]:{server.port}" in text


def test_a_server_that_is_known_by_its_address_alone(server: SshServer, root: Path, tmp_path: Path) -> None:
    """Who answers for a name chooses the address."""
    config = (server.folder / "config").read_text().replace("HostName 127.0.0.1", "HostName localhost")
    (tmp_path / "config").write_text(config.replace("HostKeyAlias", "# HostKeyAlias"))
    assert "the server is not known" in refused(server, root, config_file=str(tmp_path / "config"))


def test_a_configuration_that_turns_the_check_off(server: SshServer, root: Path, tmp_path: Path) -> None:
    config = (server.folder / "config").read_text().replace(str(server.folder / "known_hosts"), "none")
    (tmp_path / "config").write_text(config)
    assert "turns off the check of the server's key" in refused(server, root, config_file=str(tmp_path / "config"))


def test_a_key_that_is_not_accepted(server: SshServer, root: Path) -> None:
    text = refused(server, root, identity_file=str(server.folder / "other"))
    assert "access denied: the server accepts none of the keys" in text


def test_over_another_server(server: SshServer, root: Path, tmp_path: Path) -> None:
    config = (server.folder / "config").read_text()
    (tmp_path / "config").write_text(
        config.replace("Host server\n", "Host behind\n  ProxyJump server\nHost server behind\n")
    )
    store = open_store(f"ssh://behind{root}", "tests", {"config_file": str(tmp_path / "config")})
    assert isinstance(store, SshStore)
    store.put("a", b"one")
    assert (root / "a").read_bytes() == b"one"
    assert store._connection.line is not None
    assert len(store._connection.line.hops) == 2
    store.close()


def test_a_server_on_the_way_must_be_known_too(server: SshServer, root: Path, tmp_path: Path) -> None:
    config = (server.folder / "config").read_text()
    hop = config.replace("Host server\n", "Host hop\n").replace("HostKeyAlias [127.0.0.1]", "HostKeyAlias other")
    (tmp_path / "config").write_text(config.replace("Host server\n", "Host server\n  ProxyJump hop\n") + hop)
    assert "the server is not known" in refused(server, root, config_file=str(tmp_path / "config"))


@pytest.mark.parametrize(
    ("ciphers", "chosen"),
    [("", r".*-gcm@openssh\.com"), ("  Ciphers aes256-ctr,aes256-gcm@openssh.com\n", "aes256-ctr")],
)
def test_the_cipher(server: SshServer, root: Path, tmp_path: Path, ciphers: str, chosen: str) -> None:
    """The quickest, unless OpenSSH's configuration orders them."""
    config = (server.folder / "config").read_text()
    (tmp_path / "config").write_text(config.replace("Host server\n", f"Host server\n{ciphers}"))
    store = ssh_store(server, root, config_file=str(tmp_path / "config"))
    store.put("a", b"one")
    line = store._connection.line
    assert line is not None
    assert re.fullmatch(chosen, line.hops[-1].get_extra_info("send_cipher"))
    store.close()


def test_a_server_without_sftp(root: Path) -> None:
    with started("/bin/false") as plain:
        assert "the server offers this user no SFTP" in refused(plain, plain.root("plain"))


def test_a_process_ends_without_closing(server: SshServer, root: Path) -> None:
    code = (
        "from shipfiles.stores.opening import open_store; "
        f"store = open_store('ssh://server{root}', 'x', {{'config_file': '{server.folder}/config'}}); "
        "store.put('a', b'one')"
    )
    run = subprocess.run([sys.executable, "-W", "error", "-X", "dev", "-c", code], capture_output=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, b"")
    assert (root / "a").read_bytes() == b"one"


def test_without_hard_links_or_extensions(server: SshServer, root: Path) -> None:
    """A server that forbids the extensions: a copy goes through this machine, a replacement is refused."""
    with started("internal-sftp -P hardlink,fsync") as plain:
        place = plain.root("plain")
        store = ssh_store(plain, place)
        store.put("a", b"one")
        assert store.copy("a", "b")
        assert (place / "b").read_bytes() == b"one"
        store.settle()
        store.close()
    with started("internal-sftp -P posix-rename") as plain:
        store = ssh_store(plain, plain.root("plain"))
        with pytest.raises(StoreError, match="cannot replace a file at one instant"):
            store.put("a", b"one")
        store.close()


def test_settle(store: SshStore) -> None:
    store.put("a/b", b"one")
    store.settle()
    assert read_all(store, "a/b") == b"one"
