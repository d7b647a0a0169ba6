"""One object store, as this process speaks with it.

Nothing is opened before the first use, nor kept over a fork: see `engine`.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

from ..digest import Digest
from ..errors import ConfigError, os_reason, printable
from ..regular import open_regular
from .engine import call, engine
from .object_faults import Unheard, fault
from .permissions import Verb
from .signing.signer import Signer

_T = TypeVar("_T")

_HELD = 32 << 20  # of bodies at once
_REMEMBERED = 64
_CLIENTS = 32
_FIRST_PAUSE = 0.05  # seconds
_LONGEST_PAUSE = 5.0
_CHANCE = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a store is waited for. Seconds."""

    connect: float = 5.0
    """For a connection."""
    request: float = 60.0
    """For one request with its body, of at most 10 MiB, and its answer."""
    retries: int = 6
    """How often a request is repeated, after ever longer pauses."""
    total: float = 150.0
    """After which no further attempt is begun."""

    def hurried(self) -> Limits:
        """For a page that waits for a few small objects."""
        # One try may take all the time there is: a page waits no longer for a store that says nothing.
        return replace(self, request=min(self.request, 10.0), retries=min(self.retries, 3), total=min(self.total, 10.0))

    def client_options(self) -> dict[str, Any]:
        """As obstore takes the first two."""
        return {"connect_timeout": timedelta(seconds=self.connect), "timeout": timedelta(seconds=self.request)}

    def retry_config(self) -> dict[str, Any]:
        """As obstore takes the others."""
        return {
            "max_retries": self.retries,
            "retry_timeout": timedelta(seconds=self.total),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
        }


def checked_endpoint(url: str, option: str = "endpoint_url") -> None:
    """Raise `ConfigError` unless ``url`` can be the address of a store, as the ``option`` has it."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise ConfigError(f"{option} is no URL.") from None
    if parts.username or parts.password:
        raise ConfigError(f"{option} must not hold credentials: give them in options of their own.")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ConfigError(
            f"{option} must be the address of a store, https://s3.example.com, not {url.partition('?')[0]!r}"
            + (" with a query." if "?" in url else ".")
        )


def trust(verify: bool | str | None) -> dict[str, Any]:
    """The option ``verify`` as obstore takes it. Raises `ConfigError` for a file that cannot be read."""
    if not isinstance(verify, str):
        return {"allow_invalid_certificates": verify is False}
    try:
        with open_regular(verify) as file:
            return {"root_certificate": file.read()}
    except OSError as error:
        raise ConfigError(f"verify: {printable(verify)} cannot be read: {os_reason(error)}.") from None


class Service(Protocol):
    """What is different from one kind of object store to the other."""

    @property
    def name(self) -> str:
        """The store as people know it, without credentials."""
        ...

    @property
    def extra(self) -> str:
        """The extra of this package that brings what it needs."""
        ...

    @property
    def needs(self) -> Mapping[str, str]:
        """See `Needs`."""
        ...

    @property
    def prefix(self) -> str:
        """Before all keys; empty, or with a slash at its end."""
        ...

    @property
    def own(self) -> str:
        """With what the names of own metadata begin: ``x-amz-meta-``."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """What every object answers with, unless its put says otherwise."""
        ...

    @property
    def limits(self) -> Limits:
        """How long it is waited for."""
        ...

    @property
    def batch(self) -> int:
        """How many keys one request can delete."""
        ...

    @property
    def conditional(self) -> bool:
        """Whether it can be asked to put on a condition."""
        ...

    @property
    def proven(self) -> bool:
        """Whether it is known to heed conditions; else one looks first, too."""
        ...

    def write_headers(self, key: str) -> Mapping[str, str]:
        """Header fields of every request that writes ``key``."""
        ...

    @property
    def permissions(self) -> Mapping[Verb, str]:
        """What must be granted for each verb, in the provider's words."""
        ...

    def client(self, module: Any, headers: Mapping[str, str], limits: Limits) -> Any:
        """A client of obstore's ``module`` that sends ``headers`` with every request."""
        ...

    def signer(self) -> Signer:
        """What signs URLs. Raises `ConfigError` if the options cannot be for that."""
        ...


class Room:
    """As many bytes as may be held in memory at once."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until there is room for ``size`` bytes, and take it meanwhile; all of it for what is larger."""
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._taken + size <= self._size)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


class Session:
    """What one process has open."""

    def __init__(self, module: Any, parents: Session | None) -> None:
        self.module = module
        self.parents = parents  # kept: to close it would wait for threads that this process does not have
        self.guard = threading.Lock()
        self.room = Room(_HELD)
        self.clients: OrderedDict[tuple[tuple[str, str], ...], Any] = OrderedDict()
        self.seen: OrderedDict[str, tuple[Digest, str, tuple[str, ...]]] = OrderedDict()


class Connection:
    """What asks a ``service`` within ``limits``, and remembers the versions (ETags) of small objects.

    Safe to use from several threads.
    """

    def __init__(self, service: Service, limits: Limits) -> None:
        self._service = service
        self._limits = limits
        self._session: Session | None = None

    @property
    def module(self) -> Any:
        """obstore, as this process can use it."""
        return self._open().module

    @property
    def retries_of_reading(self) -> int:
        """How often a body is asked for again of which nothing has come; obstore itself has tried."""
        return 0

    @property
    def room(self) -> Room:
        """For the bodies that are on their way."""
        return self._open().room

    def client(self, headers: Mapping[str, str] = {}) -> Any:
        """A client that sends ``headers`` with every request."""
        session = self._open()
        wanted = tuple(sorted(headers.items()))
        with session.guard:
            client = session.clients.get(wanted)
            if client is None:
                client = session.clients[wanted] = self._made(session.module, headers, self._limits)
                if len(session.clients) > _CLIENTS:
                    session.clients.popitem(last=False)
            session.clients.move_to_end(wanted)
        return client

    def made(self, headers: Mapping[str, str], more: float) -> Any:
        """A client for one purpose, whose requests may take so many seconds ``more``."""
        return self._made(self.module, headers, replace(self._limits, request=self._limits.request + more))

    def _made(self, module: Any, headers: Mapping[str, str], limits: Limits) -> Any:
        """A new client. Raises `ConfigError` for options that obstore does not take."""
        try:
            return self._service.client(module, headers, limits)
        except (module.exceptions.BaseError, ValueError, TypeError) as error:
            said = str(error).partition("\n")[0]
            raise ConfigError(f"{self._service.name}: an option cannot be used: {said}") from None

    def ask(self, key: str, function: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
        """What ``function`` of obstore gives. Raises `StoreError` as `fault` says it."""
        errors = (self.module.exceptions.BaseError, OSError, ValueError)
        try:
            return call(function, *arguments, **options)
        except errors as error:
            # Without the cause, which shows addresses and what the store made of a signature.
            raise fault(error, key, self._service.name) from None

    def insist(self, key: str, function: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
        """The same, repeated after a connection that broke or on which nothing came.

        obstore does so of itself with what it takes to be repeatable. A delete is as well, and a put on a condition
        that knows its own object.
        """
        end = time.monotonic() + self._limits.total
        for attempt in range(self._limits.retries + 1):
            if attempt:
                time.sleep(min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**attempt) * _CHANCE.random())
            try:
                return self.ask(key, function, *arguments, **options)
            except Unheard:
                if attempt == self._limits.retries or time.monotonic() >= end:
                    raise
        raise AssertionError

    def remember(self, key: str, digest: Digest, version: str, tokens: Sequence[str]) -> None:
        """The bytes with ``digest`` are under ``key`` in this ``version``, with these ``tokens``."""
        session = self._open()
        with session.guard:
            session.seen[key] = (digest, version, tuple(tokens))
            session.seen.move_to_end(key)
            if len(session.seen) > _REMEMBERED:
                session.seen.popitem(last=False)

    def remembered(self, key: str, digest: Digest) -> tuple[str, tuple[str, ...]]:
        """The version of ``key`` and its tokens, if its bytes last had the ``digest``; else empty."""
        session = self._open()
        with session.guard:
            seen, version, tokens = session.seen.get(key, (None, "", ()))
        return (version, tokens) if seen == digest else ("", ())

    def forget(self, keys: Iterable[str]) -> None:
        """Let go of what was remembered."""
        session = self._open()
        with session.guard:
            for key in keys:
                session.seen.pop(key, None)

    def _open(self) -> Session:
        """The session of this process."""
        module = engine(self._service.extra)
        session = self._session
        if session is None or session.module is not module:
            session = self._session = Session(module, session)
        return session
