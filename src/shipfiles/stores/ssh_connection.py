"""One SSH connection, over which all threads of a process ask at once: the one place that knows asyncssh.

Requests are sent as they come and answered in turn; nobody waits for another's answer. That takes an event loop, which
runs in a thread of its own. Nothing is opened before the first use, nor kept over a fork: a child opens its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar

from ..errors import ConfigError, ShipfilesError
from .ssh import Ssh
from .ssh_faults import Stalled, Unusable, fault, is_lost
from .ssh_hosts import Witness, known_hosts, readable

_T = TypeVar("_T")

_MOST_HOPS = 8
_LARGE_AT_ONCE = 4
_KEEPALIVE = 15.0  # seconds; after three without an answer the connection is lost
_CONFIG = ("~/.ssh/config", "/etc/ssh/ssh_config")


def load() -> Any:
    """asyncssh. Raises `ConfigError` if it is not installed."""
    try:
        return import_module("asyncssh")
    except ImportError as error:
        raise ConfigError(
            f"A store at ssh:// needs asyncssh, which cannot be imported: {error}. Run: pip install 'shipfiles[ssh]'."
        ) from None


def _usual_ciphers(module: Any) -> Sequence[bytes]:
    """The names that asyncssh offers where no configuration says others."""
    options = module.SSHClientConnectionOptions(config=[], client_keys=None, agent_path=None, known_hosts=None)
    names: Sequence[bytes] = options.encryption_algs
    return names


def _quickest_first(names: Sequence[bytes]) -> list[str]:
    """AES-GCM first: of asyncssh's they take the least time in Python, of which a small file costs little else."""
    return sorted((name.decode() for name in names), key=lambda name: not name.endswith("-gcm@openssh.com"))


class Line:
    """An open connection. ``sftp`` is asyncssh's client; used in the event loop alone."""

    def __init__(self, module: Any, hops: list[Any], sftp: Any, behind: set[asyncio.Task[None]]) -> None:
        self.module = module
        self.sftp = sftp
        self.lost = False
        self.hops = hops
        self._behind = behind
        self.note()

    def note(self) -> None:
        """The server has just answered."""
        self.heard = asyncio.get_running_loop().time()

    def later(self, work: Coroutine[Any, Any, object]) -> None:
        """Do ``work``, for which nobody waits; errors are of no interest."""

        async def quiet() -> None:
            with suppress(Exception):
                await work

        task = asyncio.ensure_future(quiet())
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    def drop(self) -> None:
        """Let go of the connection."""
        self.lost = True
        for hop in reversed(self.hops):
            hop.abort()

    async def gone(self) -> None:
        """Return when nothing of the connection is left."""
        for hop in reversed(self.hops):
            await hop.wait_closed()


async def in_turn(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    """What each of ``work`` gives. All begin in this order, and none waits for the one before it.

    Requests on one file are done in the order in which they were sent (draft-ietf-secsh-filexfer-02 section 4.1). The
    first error is raised when all have ended.
    """
    found = await asyncio.gather(*map(asyncio.ensure_future, work), return_exceptions=True)
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return found


class _Process:
    """What one process has open."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.guard = threading.Lock()
        self.large = threading.BoundedSemaphore(_LARGE_AT_ONCE)
        self.loop: asyncio.AbstractEventLoop | None = None
        self.thread: threading.Thread | None = None
        self.line: Line | None = None
        self.opening: asyncio.Task[Line] | None = None
        self.behind: set[asyncio.Task[None]] = set()
        """What nobody waits for until the end; a connection that broke may be forgotten before."""

    def started(self) -> asyncio.AbstractEventLoop:
        """The event loop, which runs."""
        with self.guard:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                self.thread = threading.Thread(target=self.loop.run_forever, name="shipfiles-ssh", daemon=True)
                self.thread.start()
            return self.loop

    def end(self) -> None:
        """End the connection and the loop, if they are this process's own."""
        if self.pid != os.getpid():
            return
        with self.guard:
            loop, thread, self.loop = self.loop, self.thread, None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._ended(loop)))
        if thread is not threading.current_thread():
            thread.join()
            loop.close()

    async def _ended(self, loop: asyncio.AbstractEventLoop) -> None:
        line, self.line, self.opening = self.line, None, None
        if line is not None:
            line.drop()
            with suppress(Exception):
                await asyncio.wait_for(line.gone(), 1)
        if self.behind:
            await asyncio.wait(self.behind, timeout=1)
        loop.stop()


class SshConnection:
    """The way to the server of ``way``. Safe to use from several threads."""

    def __init__(self, way: Ssh) -> None:
        self._way = way
        # What a parent has opened is kept: to let go of it would end it there.
        self._of_parents: list[_Process] = []
        self._reached = False
        self._begin()
        _all.add(self)

    @property
    def large(self) -> threading.BoundedSemaphore:
        """Held while a large body is on its way."""
        return self._this.large

    @property
    def line(self) -> Line | None:
        """The connection that is open, if one is."""
        return self._this.line

    def ask(self, key: str, work: Callable[[Line], Awaitable[_T]], *, again: bool = True) -> _T:
        """What ``work`` gives, with a connection given; if that breaks, once more with a new one, where ``again``.

        Raises `StoreError`.
        """
        future = self.begin(key, work, again=again)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def begin(self, key: str, work: Callable[[Line], Awaitable[_T]], *, again: bool = True) -> Future[_T]:
        """The same, without waiting."""
        load()
        loop = self._this.started()
        return asyncio.run_coroutine_threadsafe(self._done(key, work, again), loop)

    def later(self, line: Line, work: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Do ``work`` over ``line``, if that is still the connection; nobody waits for it, and errors are of no
        interest."""
        loop = self._this.loop
        if loop is not None and self._this.line is line and not line.lost:
            with suppress(RuntimeError):  # the loop has just ended
                loop.call_soon_threadsafe(lambda: line.later(work()))

    def close(self) -> None:
        """End the connection. The next question opens another."""
        self._this.end()

    def _begin(self) -> None:
        self._this = _Process()
        weakref.finalize(self, self._this.end)

    def _in_child(self) -> None:
        """Know nothing of what the parent has opened."""
        self._of_parents.append(self._this)
        self._begin()

    async def _done(self, key: str, work: Callable[[Line], Awaitable[_T]], again: bool) -> _T:
        module = load()
        try:
            line = await self._open_line()
            try:
                return await self._watched(line, work)
            except Exception as error:
                if not is_lost(error, module) or not again:
                    raise
            line.drop()
            return await self._watched(await self._open_line(), work)
        except ShipfilesError:
            raise
        except Exception as error:  # noqa: BLE001
            # Without the cause, whose text is others' and may show what they were told.
            raise fault(error, key, self._way.name, module, reached=self._reached) from None

    async def _watched(self, line: Line, work: Callable[[Line], Awaitable[_T]]) -> _T:
        """What ``work`` gives. Raises `Stalled` if no question of anybody is answered any more."""
        patience = self._way.limits.answer
        task = asyncio.ensure_future(work(line))
        try:
            while not (await asyncio.wait({task}, timeout=patience))[0]:
                if asyncio.get_running_loop().time() - line.heard >= patience:
                    line.drop()
                    raise Stalled
            line.note()
            return task.result()
        finally:
            task.cancel()

    async def _open_line(self) -> Line:
        """The connection. Those who come while it is being opened wait for the same one, and get the same error."""
        this = self._this
        if this.line is not None and not this.line.lost:
            return this.line
        if this.opening is None or this.opening.done():
            this.opening = asyncio.ensure_future(self._connected())
        this.line = await asyncio.shield(this.opening)
        return this.line

    async def _connected(self) -> Line:
        module = load()
        hops: list[Any] = []
        try:
            connection = await self._hop(self._way.host, self._way.port, self._way.user, hops)
            try:
                sftp = await asyncio.wait_for(connection.start_sftp_client(), self._way.limits.connect)
            except (module.ChannelOpenError, module.SFTPError):
                raise Unusable("the server offers this user no SFTP: see Subsystem in its sshd_config") from None
        except BaseException:
            for hop in reversed(hops):
                hop.abort()
            raise
        self._reached = True
        return Line(module, hops, sftp, self._this.behind)

    async def _hop(self, host: str, port: int | None, user: str | None, hops: list[Any]) -> Any:
        """A connection with ``host``, over the hosts that OpenSSH's ``ProxyJump`` names for it; added to ``hops``."""
        module = load()
        if len(hops) >= _MOST_HOPS:
            raise Unusable("ProxyJump of OpenSSH's configuration leads over too many servers, perhaps in a circle")
        given = self._given(host, port, user)
        # To see what OpenSSH's configuration says. All that must be checked is then said outright.
        options = module.SSHClientConnectionOptions(tunnel=hops[-1] if hops else (), **given)
        if isinstance(options.tunnel, str):
            for hop in options.tunnel.split(","):
                jump_user, _, address = hop.strip().rpartition("@")
                name, _, number = address.rpartition(":") if address.count(":") == 1 else (address, "", "")
                await self._hop(name, int(number) if number else None, jump_user or None, hops)
        if options.agent_path == "none":  # OpenSSH's word for no agent; asyncssh takes it for a path
            given["agent_path"] = None
        if options.encryption_algs == _usual_ciphers(module):
            given["encryption_algs"] = _quickest_first(options.encryption_algs)
        known, files = known_hosts(module, options)
        witness = Witness(module)
        given |= {"known_hosts": known, "client_factory": witness, "tunnel": hops[-1] if hops else None}
        try:
            connection = await module.connect(**given)
        except (module.HostKeyNotVerifiable, module.KeyExchangeFailed):
            if witness.shown is None:
                raise
            raise witness.fault(known, files, self._way.login) from None
        hops.append(connection)
        return connection

    def _given(self, host: str, port: int | None, user: str | None) -> dict[str, Any]:
        """How asyncssh is to connect with ``host``."""
        way = self._way
        given: dict[str, Any] = {
            "host": host,
            "port": () if port is None else port,
            "config": [way.config_file] if way.config_file else readable(_CONFIG),
            # Keys alone: nobody is asked for anything, and nothing of this machine is lent to the server.
            **dict.fromkeys(("password_auth", "kbdint_auth", "host_based_auth", "agent_forwarding"), False),
            "connect_timeout": way.limits.connect,
            "login_timeout": way.limits.connect,
            "keepalive_interval": _KEEPALIVE,
            "keepalive_count_max": 3,
        }
        if user is not None:
            given["username"] = user
        if way.identity_file is not None:
            given["client_keys"] = [way.identity_file]
        if way.known_host_file is not None:
            given["known_hosts"] = [way.known_host_file]
        return given


_all: weakref.WeakSet[SshConnection] = weakref.WeakSet()


def _in_child() -> None:
    for connection in list(_all):
        connection._in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
