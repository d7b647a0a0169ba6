"""What the options of a server over SSH mean, what is refused, and how its faults are told. No server is asked."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

import asyncssh
import pytest

from shipfiles.errors import ConfigError, NoAnswer, StoreError
from shipfiles.stores.opening import open_store
from shipfiles.stores.ssh import Ssh
from shipfiles.stores.ssh_faults import Broken, fault
from shipfiles.stores.ssh_store import SshStore


def opened(place: str, **options: Any) -> Ssh:
    store = open_store(place, "STORE", options)
    assert isinstance(store, SshStore)
    return store._way


@pytest.mark.parametrize(
    ("place", "user", "host", "port", "root"),
    [
        ("ssh://deploy@static.example.com:2222/srv/static", "deploy", "static.example.com", 2222, "/srv/static"),
        ("ssh://static.example.com/srv/static/", None, "static.example.com", None, "/srv/static"),
        ("ssh://Static-Host/srv", None, "Static-Host", None, "/srv"),
        ("ssh://web/~/static", None, "web", None, "static"),
        ("ssh://a@[::1]:22/srv/a%20b", "a", "::1", 22, "/srv/a b"),
        ("SSH://web/srv", None, "web", None, "/srv"),
    ],
)
def test_places(place: str, user: str | None, host: str, port: int | None, root: str) -> None:
    way = opened(place)
    assert (way.user, way.host, way.port, way.root) == (user, host, port, root)


def test_a_place_in_options_alone() -> None:
    way = opened("ssh://", host="web", root_path="/srv/static", file_mode=0o644, limits={"lease": 5.0})
    assert (way.host, way.root, way.file_mode, way.limits.lease) == ("web", "/srv/static", 0o644, 5.0)


def test_names() -> None:
    store = open_store("ssh://a@[::1]:2222/~/static", "STORE")
    assert str(store) == "ssh://a@[::1]:2222/~/static"
    assert repr(store) == "SshStore('ssh://a@[::1]:2222/~/static')"
    assert Ssh("web", "/a", user="me", port=2222).login == "-p 2222 me@web"


@pytest.mark.parametrize(
    ("place", "options", "text"),
    [
        ("ssh://web", {}, "needs the key 'root_path'"),
        ("ssh://web/", {}, "root_path must be the path of a folder"),
        ("ssh://web/srv/../etc", {}, "root_path must be the path of a folder"),
        ("ssh://web/srv//static", {}, "root_path must be the path of a folder"),
        ("ssh://web", {"root_path": "~other/static"}, "root_path must be the path of a folder"),
        ("ssh://web", {"root_path": "static"}, "root_path must be the path of a folder"),
        ("ssh://web/srv%00", {}, "root_path has a NUL"),
        ("ssh:///srv", {}, "needs the key 'host'"),
        ("ssh://-oProxyCommand=x/srv", {}, "cannot be the name of a server"),
        ("ssh://web;id/srv", {}, "cannot be the name of a server"),
        ("ssh://$(id)@web/srv", {}, "cannot be the name of a user"),
        ("ssh://-l@web/srv", {}, "cannot be the name of a user"),
        ("ssh://web:port/srv", {}, "the host or the port"),
        ("ssh://web:0/srv", {}, "port must be a number"),
        ("ssh://web/srv?x", {}, "options are given besides"),
        ("ssh://web/srv", {"host": "other"}, "host is 'other' in the options and 'web' in"),
        ("ssh://web/srv", {"dir_mode": 0o10000}, "dir_mode must be permissions"),
        ("ssh://web/srv", {"known_hosts": "x"}, "is not an option. Did you mean 'known_host_file'"),
    ],
)
def test_what_is_refused(place: str, options: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        open_store(place, "STORE", options)


def test_a_password_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError, match="a password does not belong in a URL") as caught:
        open_store("ssh://me:not-to-be-shown@web/srv", "STORE")
    assert "not-to-be-shown" not in str(caught.value)


def test_nothing_is_loaded_before_the_first_use(tmp_path: Path) -> None:
    code = (
        "import sys; from shipfiles.stores.opening import open_store; open_store('ssh://web/srv', 'STORE'); "
        "raise SystemExit('asyncssh' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_asyncssh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncssh", None)
    store = open_store("ssh://web/srv", "STORE")
    with pytest.raises(ConfigError, match=re.escape("Run: pip install 'shipfiles[ssh]'.")):
        store.head("a")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (asyncssh.PermissionDenied("secret"), "access denied: the server accepts none of the keys"),
        (asyncssh.KeyExchangeFailed("secret"), "no algorithm in common"),
        (asyncssh.HostKeyNotVerifiable("secret"), "revoked"),
        (asyncssh.KeyImportError("secret"), "a private key cannot be read"),
        (asyncssh.KeyEncryptionError("secret"), "a private key has a passphrase"),
        (asyncssh.SFTPPermissionDenied("secret"), "permission denied on the server"),
        (asyncssh.SFTPFailure("secret"), "disk or quota full"),
        (asyncssh.SFTPOpUnsupported("secret"), "cannot do that over SFTP"),
        (asyncssh.ConnectionLost("secret"), "the connection to the server broke"),
        (asyncssh.DisconnectError(2, "secret"), "the server ended the connection"),
        (ConnectionResetError(104, "secret"), "the connection to the server broke"),
        (ConnectionRefusedError(111, "secret"), "refuses the connection"),
        (socket.gaierror(-2, "secret"), "no server of that name"),
        (TimeoutError("secret"), "did not answer in time"),
        (PermissionError(13, "secret", "/home/me/.ssh/id"), "/home/me/.ssh/id cannot be read: permission denied"),
        (UnicodeEncodeError("utf-8", "secret", 0, 1, "secret"), "not valid UTF-8"),
        (ValueError("secret"), "ValueError"),
    ],
)
def test_faults(error: Exception, text: str) -> None:
    found = fault(error, "css/app.css", "ssh://web/srv", asyncssh)
    assert text in str(found)
    assert str(found).startswith("css/app.css: ")
    assert str(found).endswith("(ssh://web/srv)")
    assert "secret" not in str(found)
    assert isinstance(found, Broken) == ("broke" in text)
    # To ask again helps where there was no answer.
    passing = ("broke", "refuses the connection", "no server of that name", "did not answer in time")
    assert isinstance(found, NoAnswer) == any(words in text for words in passing)


@pytest.mark.parametrize(
    ("number", "reached", "passes"),
    [
        (socket.EAI_NONAME, False, False),
        (socket.EAI_NONAME, True, True),
        # RFC 3493 section 6.1: the name could not be resolved at this time; future attempts may succeed.
        (socket.EAI_AGAIN, False, True),
    ],
)
def test_a_name_that_nobody_has(number: int, reached: bool, passes: bool) -> None:
    """Where the server has never been reached it is a slip of the pen, which is not asked for over minutes."""
    found = fault(socket.gaierror(number, "secret"), "a", "ssh://web/srv", asyncssh, reached=reached)
    assert isinstance(found, NoAnswer) == passes
    assert "no server of that name" in str(found)


def test_a_server_whose_name_nobody_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("")

    def unknown(*_: object, **__: object) -> NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    store = open_store("ssh://me@web.invalid/srv", "STORE", {"config_file": str(tmp_path / "config")})
    assert isinstance(store, SshStore)
    with pytest.raises(StoreError, match="no server of that name") as raised:
        store.head("a")
    assert not isinstance(raised.value, NoAnswer)
    store.close()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    """Whatever this machine's own configuration is: the one here is empty."""
    (tmp_path / "config").write_text("")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        place = f"ssh://me@127.0.0.1:{taken.getsockname()[1]}/srv"
        store = open_store(place, "STORE", {"config_file": str(tmp_path / "config")})
        assert isinstance(store, SshStore)
        with pytest.raises(StoreError, match="refuses the connection"):
            store.put("a", b"")
        store.close()
