"""What goes wrong with a server over SSH, in words for people.

What asyncssh says is read for its kind alone: its texts may hold what a server or a key file says.
"""

from __future__ import annotations

import socket
from typing import Any

from ..errors import Denied, NoAnswer, StoreError, os_reason, printable

_NO_NAME = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})
"""RFC 3493 section 6.1: nobody has that name, which asking again does not change, as it may with EAI_AGAIN."""
_OTHER = "the server, or what OpenSSH's configuration says of it, cannot be used: {}"


class HostKeyFault(Exception):
    """The server ``host`` is not known to be the one that is meant. ``text`` says what to do."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(text)


class Unusable(Exception):
    """The server, or the way to it, cannot be used: ``args[0]`` says why."""


class Stalled(Exception):
    """The server has answered nothing for too long."""


class Broken(NoAnswer):
    """The connection broke. What was asked last may have been done."""


def unknown_host(login: str, fingerprint: str, files: str) -> HostKeyFault:
    """The fault for a server that is in none of the ``files``."""
    return HostKeyFault(
        f"the server is not known: its key {fingerprint} is not in {files}. Run 'ssh {login}' once, compare the "
        "fingerprint that it shows with the one that the server's administrator or host tells you, and answer 'yes'; "
        "or put the server's public key into that file"
    )


def changed_host(login: str, known_as: str, fingerprint: str, files: str) -> HostKeyFault:
    """The fault for a server that shows another key than those that are known."""
    return HostKeyFault(
        f"the server shows another key ({fingerprint}) than the one in {files}: somebody may be in between, or the "
        "server was set up anew. Nothing was sent. If its administrator confirms the new fingerprint, run "
        f"'ssh-keygen -R {known_as}' and then 'ssh {login}' once"
    )


def is_lost(error: BaseException, module: Any) -> bool:
    """Whether ``error`` says that there is no connection any more."""
    return isinstance(error, (module.SFTPConnectionLost, module.SFTPNoConnection, module.ConnectionLost)) or (
        isinstance(error, ConnectionError) and not isinstance(error, ConnectionRefusedError)
    )


def fault(error: BaseException, key: str, place: str, module: Any, *, reached: bool = True) -> StoreError:
    """The error of ours for what asyncssh's ``module`` raised when the store ``place`` was asked about ``key``.

    ``reached``: whether the server has ever been. Its name is a wrong one, perhaps, where it has not.
    """
    made: type[StoreError] = Broken if is_lost(error, module) else NoAnswer if _passes(error, reached) else StoreError
    if isinstance(error, module.SFTPPermissionDenied):
        made = Denied
    return made(key or ".", f"{_meaning(error, module)} ({place})")


def _passes(error: BaseException, reached: bool) -> bool:
    """Whether the server may be reached later: it does not answer, or there is no way to it. A file is here."""
    if isinstance(error, socket.gaierror) and error.errno in _NO_NAME and not reached:
        return False
    return isinstance(error, (Stalled, OSError)) and not getattr(error, "filename", None)


def _meaning(error: BaseException, module: Any) -> str:
    if isinstance(error, HostKeyFault):
        return error.text
    if isinstance(error, Unusable):
        return str(error)
    if isinstance(error, Stalled):
        return "the server does not answer any more"
    if isinstance(error, UnicodeEncodeError):
        return "the name is not valid UTF-8"
    if isinstance(error, TimeoutError):
        return "the server did not answer in time"
    if isinstance(error, socket.gaierror):
        return "there is no server of that name, or the names of servers cannot be looked up"
    if is_lost(error, module):
        return "the connection to the server broke. Run again"
    if isinstance(error, ConnectionRefusedError):
        return "the server refuses the connection: is sshd running, and is the port right"
    if isinstance(error, OSError) and error.filename:
        return f"{printable(str(error.filename))} cannot be read: {os_reason(error)}"
    if isinstance(error, OSError):
        return f"the server cannot be reached: {os_reason(error)}"
    if isinstance(error, module.ConfigParseError):
        return f"OpenSSH's configuration cannot be read: {printable(str(error))[:300]}"
    meanings = {
        module.PermissionDenied: "access denied: the server accepts none of the keys. Is the public key in the user's "
        "authorized_keys there, and is the private key in the agent, or named by IdentityFile and without a passphrase",
        module.KeyExchangeFailed: "the server and this machine have no algorithm in common that both accept. Where "
        "known_hosts has a key of another kind only, the server's key has changed",
        module.HostKeyNotVerifiable: "the server's key is revoked, or its certificate is not valid",
        module.KeyImportError: "a private key cannot be read. One with a passphrase must be in the agent",
        module.KeyEncryptionError: "a private key has a passphrase: put it into the agent (ssh-add)",
        module.SFTPPermissionDenied: "permission denied on the server",
        module.SFTPNoSuchFile: "the server does not find its folder",
        module.SFTPOpUnsupported: "the server cannot do that over SFTP",
        # With version 3 of SFTP all that has no number of its own is this one.
        module.SFTPFailure: "the server says only that it failed. Is its disk or quota full, the name too long, or a "
        "folder where the file should be",
        module.DisconnectError: "the server ended the connection",
        module.ChannelOpenError: "a server on the way (ProxyJump) does not pass the connection on",
    }
    return next(
        (text for kind, text in meanings.items() if isinstance(error, kind)), _OTHER.format(type(error).__name__)
    )
