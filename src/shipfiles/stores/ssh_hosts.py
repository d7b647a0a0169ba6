"""Whether a server is the one that is meant: known_hosts, and what is said of a server that is not in it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .ssh_faults import HostKeyFault, Unusable, changed_host, unknown_host

_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")


class Known:
    """What known_hosts ``files`` say, as asyncssh asks for it.

    By the server's name alone, as OpenSSH does. asyncssh's own search takes the key of its address as well, and who can
    answer for the name could give it the address of another server that is known.
    """

    def __init__(self, module: Any, files: Sequence[str]) -> None:
        self._found = module.read_known_hosts(list(files)) if files else module.import_known_hosts("")

    def __call__(self, host: str, address: str, port: int | None) -> tuple[Any, Any, Any]:
        """Keys of the server, of its certificates' authorities, and those that are revoked."""
        keys, authorities = self._found.match(host, "", port)[:2]
        return keys, authorities, self._found.match(host, address, port)[2]


class Witness:
    """In the place of asyncssh's ``client_factory``: notes the key of a server that is not known, and refuses it."""

    def __init__(self, module: Any) -> None:
        self._module = module
        self.shown: tuple[str, str, int, Any] | None = None
        """The server's name, address, port and key."""

    def __call__(self) -> Any:
        witness = self

        class Refusing(self._module.SSHClient):  # type: ignore[misc, name-defined]
            def validate_host_public_key(self, host: str, addr: str, port: int, key: Any) -> bool:
                witness.shown = (host, addr, port, key)
                return False

        return Refusing()

    def fault(self, known: Known, files: str, login: str) -> HostKeyFault:
        """What is to be said of the server that was refused: ``known`` hosts are those of ``files``."""
        assert self.shown is not None
        host, address, port, key = self.shown
        fingerprint = f"{key.get_algorithm()} {key.get_fingerprint()}"
        if any(known(host, address, None if port == 22 else port)[:2]):
            known_as = host if port == 22 or host.startswith("[") else f"[{host}]:{port}"
            return changed_host(login, known_as, fingerprint, files)
        return unknown_host(login, fingerprint, files)


def known_hosts(module: Any, options: Any) -> tuple[Known, str]:
    """The known hosts of asyncssh's ``options``, and the files that they are from, as people know them."""
    if options.known_hosts is None:
        raise Unusable(
            "OpenSSH's configuration turns off the check of the server's key (UserKnownHostsFile none). Take that out, "
            "or name a file in known_host_file"
        )
    named = [os.fspath(path) for path in options.known_hosts] or list(_KNOWN_HOSTS)
    found = readable(named)
    return Known(module, found), " or ".join(found or named[:1])


def readable(paths: Sequence[str]) -> list[str]:
    """Those of the files ``paths`` that this user can read."""
    full = (str(Path(path).expanduser()) for path in paths)
    return [path for path in full if os.access(path, os.R_OK)]
