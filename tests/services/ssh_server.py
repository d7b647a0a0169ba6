"""OpenSSH's server for the tests: without root, on a free port, with keys of its own."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.oracles.corpora import missing

from .servers import free_port

_NOBODY = "nobody"


@dataclass(frozen=True)
class SshServer:
    """A running sshd, its user's key and what a client must know."""

    port: int
    user: str
    folder: Path
    """Where the user may write. There are ``known_hosts``, ``config`` and the key ``id``, too."""
    process: subprocess.Popen[bytes]

    def own(self, path: Path) -> Path:
        """``path``, which the user owns now."""
        entry = pwd.getpwnam(self.user)
        if os.getuid() == 0:
            os.chown(path, entry.pw_uid, entry.pw_gid)
        return path

    def root(self, name: str) -> Path:
        """A new folder that the user owns."""
        path = self.folder / name
        path.mkdir()
        return self.own(path)


@contextmanager
def started(subsystem: str = "internal-sftp") -> Iterator[SshServer]:
    """sshd as the user who runs the tests; as ``nobody`` where that is root."""
    program = shutil.which("sshd") or shutil.which("sshd", path="/usr/sbin:/sbin:/usr/local/sbin")
    if program is None or shutil.which("ssh-keygen") is None:
        missing("OpenSSH's server is not installed (Debian: apt-get install openssh-server)")
    root = os.getuid() == 0
    # PAM, because without root nobody can read whether an account is locked, and sshd then takes it for locked.
    user = _NOBODY if root else getpass.getuser()
    # Not in pytest's folder: that is its user's alone.
    folder = Path(tempfile.mkdtemp(prefix="sshd-"))
    port = free_port()
    server = None
    try:
        for name in ("host", "id", "other"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(folder / name)], check=True
            )
        (folder / "authorized").write_text((folder / "id.pub").read_text())
        public = (folder / "host.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {public}")
        lines = [
            f"Port {port}", "ListenAddress 127.0.0.1", f"HostKey {folder}/host", f"Subsystem sftp {subsystem}",
            f"AuthorizedKeysFile {folder}/authorized", "UsePAM yes", "StrictModes no", "PidFile none",
            "PasswordAuthentication no",
        ]  # fmt: skip
        (folder / "sshd_config").write_text("\n".join(lines) + "\n")
        command = [program, "-D", "-e", "-f", str(folder / "sshd_config")]
        if root:
            for path in (folder, folder / "host"):
                shutil.chown(path, user)
            command = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", *command]
        config = (
            f"Host server\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  HostKeyAlias [127.0.0.1]:{port}\n"
            f"Host *\n  IdentityFile {folder}/id\n  IdentityAgent none\n  UserKnownHostsFile {folder}/known_hosts\n"
        )
        (folder / "config").write_text(config)
        log = folder / "log.txt"
        with log.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out)
        server = SshServer(port, user, folder, process)
        _wait(server, log)
        yield server
    finally:
        if server is not None:
            server.process.terminate()
            server.process.wait(10)
        shutil.rmtree(folder)


def _wait(server: SshServer, log: Path) -> None:
    for _ in range(200):
        if "Server listening" in log.read_text(errors="replace"):
            return
        if server.process.poll() is not None:
            break
        time.sleep(0.05)
    pytest.fail(f"sshd is not ready:\n{log.read_text(errors='replace')[-2000:]}")
