"""A folder of one's own server, and the way to it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ..errors import ConfigError

if TYPE_CHECKING:
    from .ssh_store import SshStore

# They become words of a person's command line in errors, and of OpenSSH's configuration (%h, %r): nothing that a shell
# or ssh would take for something else.
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})|[0-9A-Fa-f:.]{2,45}")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,127}")


@dataclass(frozen=True, slots=True)
class SshLimits:
    """How long a server is waited for. Seconds."""

    connect: float = 10.0
    """For a connection, and as long again for the login."""
    answer: float = 60.0
    """After which a server that answers nothing at all is given up."""
    lease: float = 10.0
    """After which a swap that another began and did not end is broken off."""

    def hurried(self) -> SshLimits:
        """For a page that waits for a few small files."""
        return replace(self, answer=min(self.answer, 20.0))


@dataclass(frozen=True)
class Ssh:
    """A folder on a server and the way to it. What is not said here, OpenSSH's configuration says."""

    host: str
    """The server's name, or a ``Host`` of OpenSSH's configuration."""
    root_path: str
    """The folder: absolute, or with ``~/`` before it, in the user's home."""
    user: str | None = None
    """Who logs in. Default: ``User`` of OpenSSH's configuration, else who runs this."""
    port: int | None = None
    """Default: ``Port`` of OpenSSH's configuration, else 22."""
    identity_file: str | None = None
    """A private key without a passphrase. Default: the agent's keys, ``IdentityFile`` of OpenSSH's configuration, the
    usual files in ``~/.ssh``."""
    known_host_file: str | None = None
    """The servers' public keys. Default: ``UserKnownHostsFile`` and ``GlobalKnownHostsFile`` of OpenSSH's
    configuration, ``~/.ssh/known_hosts`` and ``/etc/ssh/ssh_known_hosts``."""
    config_file: str | None = None
    """OpenSSH's configuration. Default: ``~/.ssh/config``, then ``/etc/ssh/ssh_config``."""
    file_mode: int | None = None
    """The permissions of files. Default: what the server's umask leaves of 0666."""
    dir_mode: int | None = None
    """The permissions of folders. Default: what the server's umask leaves of 0777."""
    limits: SshLimits = field(default_factory=SshLimits)
    """How long the server is waited for."""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise ConfigError(f"host {self.host!r} cannot be the name of a server.")
        if self.user is not None and not _USER.fullmatch(self.user):
            raise ConfigError(f"user {self.user!r} cannot be the name of a user.")
        if self.port is not None and not 0 < self.port < 65536:
            raise ConfigError(f"port must be a number from 1 to 65535, not {self.port}.")
        inner = self.root_path.removeprefix("~").strip("/").split("/")
        if not self.root_path.startswith(("/", "~/")) or any(part in ("", ".", "..") for part in inner):
            raise ConfigError(
                f"root_path must be the path of a folder on the server, /srv/static or ~/static, not "
                f"{self.root_path!r}."
            )
        if "\0" in self.root_path:
            raise ConfigError("root_path has a NUL.")
        for name in ("file_mode", "dir_mode"):
            mode = getattr(self, name)
            if mode is not None and not 0 <= mode <= 0o7777:
                raise ConfigError(f"{name} must be permissions such as 0o644, not {mode}.")

    def store(self) -> SshStore:
        """The folder as a store. Nothing is asked yet."""
        from .ssh_store import SshStore

        return SshStore(self)

    @property
    def root(self) -> str:
        """The folder as SFTP names it: a path that is not absolute begins at home."""
        return self.root_path.removeprefix("~/").rstrip("/")

    @property
    def login(self) -> str:
        """The words that ``ssh`` takes for this server."""
        user = f"{self.user}@" if self.user else ""
        return f"{'' if self.port is None else f'-p {self.port} '}{user}{self.host}"

    @property
    def name(self) -> str:
        """The store as people know it."""
        user = f"{self.user}@" if self.user else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"ssh://{user}{host}{port}/{self.root_path.strip('/')}"
