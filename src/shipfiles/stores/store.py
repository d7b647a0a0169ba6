"""The seam between a release and the place where it lives: flat keys, six verbs, and abilities that a store may have.

A store knows nothing of releases, assets or HTTP. A team may bring its own: `shipfiles.testing.StoreContract` says
what it must do.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from ..digest import Digest, Digester
from ..errors import KeyNotFound, OtherBytes, StoreError, os_reason, printable
from ..regular import open_regular
from ..work import given_up
from .permissions import Verb

Body = bytes | str
"""What is put: the bytes themselves, or the path of a file on this machine that is streamed and never held whole."""

PutMode = Literal["create", "overwrite"]
"""``create`` fails on a key that is taken; ``overwrite`` replaces what is there, at one instant."""


_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store holds under a key."""

    key: str
    size: int
    modified: float = field(default=0.0, compare=False)
    """When it was put there, by the store's own clock, as far as `Store.head` and `Store.list` tell. Seconds since the
    epoch."""
    place: str = field(default="", compare=False)
    """Equal for keys that take up one space together, as hard links do; empty if the store cannot tell."""
    sharing: int = field(default=1, compare=False)
    """How many keys, or names outside of the store, have that place."""
    fields: Mapping[str, str] = field(default_factory=dict, compare=False)
    """The header fields that it is answered with, as far as `Store.head` tells."""


class Store(Protocol):
    """Flat keys with ``/`` in them, made of logical paths; no folders that could exist or be empty.

    Of the errors that its verbs raise, `NoAnswer` says that to ask again may help, whether or not it was done: no
    connection, no answer in time, an error of the store's own. `Busy`, which is one, says that it was not done since
    the store wants fewer requests. Any other `StoreError` says that to ask again is of no use.
    """

    def put(
        self,
        key: str,
        body: Body,
        *,
        mode: PutMode = "overwrite",
        digest: Digest | None = None,
        fields: Mapping[str, str] = {},
    ) -> Stored:
        """Make ``body`` readable under ``key``, whole or not at all.

        A store that answers requests itself, as a bucket does, answers with the header ``fields``; another, such as a
        folder, does not look at them.
        With a ``digest``, bytes that do not have it are refused with `StoreError` and nothing is changed: a file that
        changes while it is read cannot be published under a name that belongs to other bytes.
        Raises `KeyExists` in mode ``create``, `StoreError` if the store cannot take it.
        """
        ...

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        """Make ``body`` readable under ``key`` if ``expected`` is there now, at one instant; whether it was.

        ``None`` expects nothing to be there. Of several who expect the same at once, one succeeds. For small bodies.
        """
        ...

    def head(self, key: str) -> Stored | None:
        """What is under ``key``, ``None`` if nothing."""
        ...

    def read(self, key: str) -> Iterator[bytes]:
        """The bytes under ``key`` in chunks of at most 1 MiB. Raises `KeyNotFound` before the first chunk."""
        ...

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Every key that begins with ``prefix``, in no promised order."""
        ...

    def delete(self, keys: Iterable[str]) -> None:
        """Remove ``keys``; those that are not there are no error."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of what a store holds under a key, as they are asked for."""

    stored: Stored
    """All of it: the size is that of the whole, and the time when it was put there."""
    version: str
    """What tells these bytes from others that may be under the key later; empty if the store cannot tell."""
    body: Iterator[bytes]
    """The bytes, in chunks of at most 1 MiB. Who does not read to the end closes it, if it has a ``close``."""


@runtime_checkable
class Parts(Protocol):
    """The store can give a part of a body without the rest."""

    def read_part(self, key: str, start: int = 0, stop: int | None = None, *, version: str = "") -> Part:
        """The bytes of ``key`` from ``start`` to ``stop``, that one not included; to the end without ``stop``.

        Neither is negative. With one request, in which no more is asked for; what is not read of the body need not
        travel. What lies behind the end is left out: a part that begins there has no bytes, and to find that out may
        take a second request. Given a ``version``, that of a part read before, raises `Replaced` if other bytes are
        there now, as far as the store can tell, and that or `KeyNotFound` if none are; so does a body that has to be
        asked for again on its way. Raises `KeyNotFound` at once.
        """
        ...


Listing = tuple[list[str], list[str]]
"""The names of the folders in a folder, and of the keys. A name of its own: a class with `Store.list` knows no other
``list``."""


@runtime_checkable
class Folders(Protocol):
    """The store can tell what is directly below a prefix, without what is below that."""

    def folder(self, prefix: str) -> Listing:
        """The names that stand between ``prefix``, empty or with a closing slash, and the next slash; and those of the
        keys that have no further one. Both sorted, and without repetition; the bare names, without slashes.

        With one request for each thousand names, where the store is asked for folders. Where folders exist, one without
        any key may have a name here, too, as it has unfinished files or is about to go.
        """
        ...


@dataclass(frozen=True, slots=True)
class Grant:
    """What a signed URL allows."""

    expires: int
    """Until when. Seconds since the epoch."""
    starts: int
    """The time at which it is as if signed: the same grant gives the same URL. Seconds since the epoch."""
    method: Literal["GET", "HEAD", "PUT", "DELETE"] = "GET"
    content_disposition: str = ""
    """The Content-Disposition of the answer, instead of that of the object; empty: the object's own."""
    content_type: str = ""
    """The same for Content-Type."""


@runtime_checkable
class Signs(Protocol):
    """The store can let somebody have an object for a while."""

    def signed_url(self, key: str, grant: Grant) -> str:
        """A URL at which the store answers for ``key`` as ``grant`` says, to whoever has it. Asks nobody.

        Raises `ConfigError` if there is nothing to sign with, and says what is needed.
        """
        ...


@runtime_checkable
class Copies(Protocol):
    """The store can copy within itself, cheaper than a read and a put."""

    def copy(self, source: str, target: str, *, fields: Mapping[str, str] = {}) -> bool:
        """Make ``target`` hold the bytes of ``source``, at one instant, and be answered with ``fields``.

        Without any it is answered as ``source`` is. False if all was so already; a store for which to look costs as
        much as to copy need not look. Raises `KeyNotFound` for ``source``.
        """
        ...


@runtime_checkable
class Repeats(Protocol):
    """The store by itself repeats what fails in passing; who repeats and paces requests must hear of it at once."""

    def unrepeated(self, within: float = ...) -> Store:
        """The same place with the same abilities, where `NoAnswer` and `Busy` are raised at once.

        An answer has to be there ``within`` so many seconds, or earlier if the store's own limit says so.
        """
        ...


@runtime_checkable
class Hurries(Protocol):
    """The store can be asked by who does not wait long for an answer."""

    def hurried(self) -> Store:
        """The same place with the same abilities, where `NoAnswer` is raised after some ten seconds."""
        ...


@runtime_checkable
class Refields(Protocol):
    """The store answers requests itself, and can answer for an object with other header fields."""

    def refield(self, key: str, fields: Mapping[str, str]) -> None:
        """Answer for ``key`` with ``fields`` and no others that a put could have given; its bytes stay as they are.

        As after a put with these: with those, too, that the store gives to all objects. Raises `KeyNotFound`.
        """
        ...


@runtime_checkable
class Versions(Protocol):
    """The store can tell, without reading them, whether objects are the same as before."""

    def versions(self) -> Mapping[str, str]:
        """Every key → a text that is another whenever its bytes may be others."""
        ...

    def version(self, key: str) -> str | None:
        """The same for one key, ``None`` if there is nothing."""
        ...


@runtime_checkable
class Conditions(Protocol):
    """The store passes conditions on to somebody else, who may not heed them."""

    @property
    def relies_on_conditions(self) -> bool:
        """Whether conditions alone keep two publishers apart; else one looks as well."""
        ...

    def heeds_conditions(self, key: str) -> bool:
        """Whether what arrives there on a condition that does not hold is refused; else ``key`` is overwritten.

        ``key`` is taken. Asked are both: to create it, and to replace what is not there.
        """
        ...


@runtime_checkable
class Permissions(Protocol):
    """The store is a provider's, who has names for what one may do there."""

    def permission(self, verb: Verb) -> str:
        """What must be granted for ``verb``, in the provider's words."""
        ...


@runtime_checkable
class Needs(Protocol):
    """The store needs packages that are not everywhere."""

    @property
    def needs(self) -> Mapping[str, str]:
        """The modules that it loads when it is first used → the extra of this package that brings each."""
        ...


@runtime_checkable
class Locks(Protocol):
    """The store can keep a second publisher waiting."""

    def lock(self, waiting: Callable[[], None]) -> AbstractContextManager[bool]:
        """Held by one process at a time, let go however the process ends.

        ``waiting`` is called once if another holds it. The value is true if the last holder did not end properly, so
        that leftovers may be there.
        """
        ...


@runtime_checkable
class Links(Protocol):
    """The store can hold a symbolic link instead of a copy."""

    def symlink(self, path: str, key: str) -> bool:
        """Make ``key`` a symbolic link to the file ``path``. False if it was one already."""
        ...

    def link_of(self, key: str) -> str | None:
        """The path that ``key`` is a symbolic link to; ``None`` if it is none."""
        ...


@runtime_checkable
class Settles(Protocol):
    """The store writes behind; what was put may yet be lost in a power cut."""

    def settle(self) -> None:
        """Return when all that was put survives a power cut."""
        ...


@runtime_checkable
class Sweeps(Protocol):
    """The store may have leftovers of a process that was killed."""

    def sweep(self, older_than: float | None = None) -> int:
        """Remove unfinished files that were begun more than ``older_than`` seconds ago; the number removed.

        ``None`` is what the store itself takes for safe; of one that `Locks`, if the lock is held.
        """
        ...


def unrepeated(store: Store, within: float = math.inf) -> Store:
    """``store`` as one who repeats requests by himself asks it, and waits for each at most ``within`` seconds."""
    return store.unrepeated(within) if isinstance(store, Repeats) else store


def hurried(store: Store) -> Store:
    """``store`` as one who has no time asks it."""
    return store.hurried() if isinstance(store, Hurries) else store


def is_key(key: str) -> bool:
    """Whether ``key`` has the form of one."""
    return "\0" not in key and not any(part in ("", ".", "..") for part in key.split("/"))


def check_key(key: str) -> None:
    """Raise `StoreError` unless ``key`` has the form of one."""
    if not is_key(key):
        raise StoreError(key, "not a key: it has an empty part, '.', '..' or a NUL")


def check_folder(prefix: str) -> None:
    """Raise `StoreError` unless ``prefix`` is empty or a key with a slash behind it."""
    if prefix:
        check_key(prefix.removesuffix("/"))
        if not prefix.endswith("/"):
            raise StoreError(prefix, "not a folder: it has no slash at its end")


def chunks_of(body: Body, key: str, size: int = _CHUNK) -> Iterator[bytes]:
    """The bytes of ``body``, a file in chunks of at most ``size``. Raises `StoreError` for a file that cannot be read.

    Only errors of the file that is read: what goes wrong where the chunks are written is told by who writes them. A
    file is not read on when nobody waits any more for the thread that has asked for it (`work.given_up`).
    """
    return iter((body,)) if isinstance(body, bytes) else _read(body, key, size, given_up())


def _read(path: str, key: str, size: int, stops: Callable[[], bool]) -> Iterator[bytes]:
    try:
        with open_regular(path) as file:
            while chunk := file.read(size):
                if stops():
                    raise StoreError(key, "broken off")
                yield chunk
    except OSError as error:
        raise StoreError(key, f"its source {printable(path)} cannot be read: {os_reason(error)}") from error


def check_digest(key: str, found: Digest, wanted: Digest | None) -> None:
    """Raise `OtherBytes` if ``found`` is not the digest that was ``wanted``, if one was."""
    if wanted is not None and found != wanted:
        raise OtherBytes(key, "the file changed while it was read; run again")


def read_all(store: Store, key: str) -> bytes | None:
    """The bytes under ``key``, ``None`` if there are none. For small objects such as manifests."""
    try:
        return b"".join(store.read(key))
    except KeyNotFound:
        return None


def digest_of(store: Store, key: str) -> tuple[Digest, int]:
    """The digest and size of the bytes under ``key``. Raises `KeyNotFound`."""
    digester = Digester()
    for chunk in store.read(key):
        digester.update(chunk)
    return digester.digest(), digester.size
