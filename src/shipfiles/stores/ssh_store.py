"""A folder of a server over SFTP, as a `Store`.

Every file is whole or absent: it is written under a temporary name beside it, flushed, and renamed. No command is run
on the server, so no name can become one. What it costs in round trips: a put 3, `head` 1, `read` and `read_part` 3 up
to 1 MiB, `copy` 2, `delete` 2 for all keys that are asked at once, `swap` 8, `list` 3 for folders side by side,
`folder` 3 for some hundred names.

What is guaranteed: an overwrite is at one instant (``posix-rename@openssh.com``, which the server must have); of
several who create one succeeds, where the server's file system has hard links; of several who swap over SSH one
succeeds, see `ssh_swap`. A process on the server itself that swaps in the same folder through a `LocalStore` is not
kept out.
"""

from __future__ import annotations

import itertools
import os
import posixpath
import secrets
import stat
import tempfile
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from ..digest import Digest, Digester, digest_bytes, hex_prefix
from ..errors import KeyNotFound, Replaced, StoreError
from ..paths import TEMPORARY
from . import ssh_files as files
from .parts import Pieces
from .ssh import Ssh
from .ssh_connection import Line, SshConnection, in_turn
from .ssh_faults import Broken
from .ssh_swap import Swap
from .store import Body, Listing, Part, PutMode, Stored, check_digest, check_folder, check_key, chunks_of

_CHUNKS_AT_ONCE = 4
_LEFT_OVER = 3600.0  # seconds: what is not whole after so long never will be


class SshStore:
    """The folder that ``way`` leads to, made when the first key is put. Header fields are its server's affair.

    Safe to use from several threads, whose requests are on their way at once over one connection.
    """

    def __init__(self, way: Ssh) -> None:
        self._way = way
        self._connection = SshConnection(way)
        self._unsettled: set[str] = set()
        self._counter = itertools.count()

    def __repr__(self) -> str:
        return f"SshStore({self._way.name!r})"

    def __str__(self) -> str:
        """As people know it."""
        return self._way.name

    @property
    def root_path(self) -> str:
        """The folder on its server, as the options say it: absolute, or with ``~/`` before it."""
        return self._way.root_path

    @property
    def needs(self) -> Mapping[str, str]:
        return {"asyncssh": "ssh"}

    def close(self) -> None:
        """End the connection. The next use opens another."""
        self._connection.close()

    def put(
        self,
        key: str,
        body: Body,
        *,
        mode: PutMode = "overwrite",
        digest: Digest | None = None,
        fields: Mapping[str, str] = {},
    ) -> Stored:
        path = self._path(key)
        chunks = chunks_of(body, key)
        held = list(itertools.islice(chunks, 2))
        if sum(map(len, held)) <= files.CHUNK:
            size = self._put_small(key, path, b"".join(held), mode, digest)
        else:
            with self._connection.large:
                try:
                    size = self._put_large(key, path, itertools.chain(held, chunks), mode, digest)
                except Broken:
                    size = self._put_large(key, path, chunks_of(body, key), mode, digest)
        self._unsettled.add(posixpath.dirname(path))
        return Stored(key, size)

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        path = self._path(key)
        swapped = self._connection.ask(key, Swap(self._way, key, self._name, expected, body).done)
        if swapped:
            self._unsettled.add(posixpath.dirname(path))
        return swapped

    def head(self, key: str) -> Stored | None:
        path = self._path(key)
        found = self._connection.ask(key, lambda line: files.kind_of(line, path))
        return _stored(key, found) if found is not None and stat.S_ISREG(found.permissions) else None

    def read(self, key: str) -> Iterator[bytes]:
        yield from self.read_part(key).body

    def read_part(self, key: str, start: int = 0, stop: int | None = None, *, version: str = "") -> Part:
        """See `Parts`. What SFTP tells of a file is its size and the second of its last change: a file that is replaced
        within that second by one of the same size is the same version if the first 4 KiB are the same, too.
        """
        path = self._path(key)

        async def begin(line: Line) -> tuple[Line, tuple[Any, Any, bytes, bytes] | None]:
            return line, await files.open_part(line, path, start, stop)

        line, found = self._connection.ask(key, begin)
        if found is None:
            raise KeyNotFound(key)
        file, attributes, data, sample = found
        stored = _stored(key, attributes)

        def read(at: int, size: int) -> bytes:
            nonlocal data
            held, data = data, b""
            # Not over another connection: it could be another file by then.
            return held or self._connection.ask(key, self._reading(file, at, size), again=False)

        def close() -> None:
            if file is not None:
                self._connection.later(line, file.close)

        end = start + len(data) if file is None else stored.size if stop is None else min(stop, stored.size)
        body = Pieces(key, start, end, read, close)
        there = f"{attributes.size} {attributes.mtime} {attributes.mtime_ns or 0} {hex_prefix(digest_bytes(sample))}"
        if version and version != there:
            body.close()
            raise Replaced(key)
        return Part(stored, there, body)

    def folder(self, prefix: str) -> Listing:
        check_folder(prefix)
        path = posixpath.join(self._way.root, prefix).rstrip("/")
        return self._connection.ask(prefix.removesuffix("/"), lambda line: files.names_in(line, path))

    def list(self, prefix: str = "") -> Iterator[Stored]:
        # Only the folder that the prefix names can have matching keys.
        folder, _, _ = prefix.rpartition("/")
        if folder:
            check_key(folder)
        for key, found in self._connection.ask(prefix, lambda line: files.files_below(line, self._way.root, folder)):
            if key.startswith(prefix):
                yield _stored(key, found)

    def delete(self, keys: Iterable[str]) -> None:
        self._remove([self._path(key) for key in keys])

    def copy(self, source: str, target: str, *, fields: Mapping[str, str] = {}) -> bool:
        """Make ``target`` a hard link to ``source``. True also if it was one: to look would cost as much as to do it.

        Both are as old as the copy then, by this machine's clock: they have one time of change.
        """
        source_path, target_path = self._path(source), self._path(target)

        async def linked(line: Line) -> bool:
            temporary, now = self._temporary(target_path), int(time.time())
            sftp, attributes = line.sftp, line.module.SFTPAttrs(atime=now, mtime=now)

            async def steps() -> None:
                # Without the link, none of the others finds its file. A rename of one name of a file to another one
                # does nothing (rename(2)); the last step removes what it leaves.
                found = await in_turn(
                    _told(sftp.link(source_path, temporary)), _told(sftp.setstat(temporary, attributes)),
                    _told(sftp.posix_rename(temporary, target_path)), _told(sftp.remove(temporary)),
                )  # fmt: skip
                for error in (*found[0], *found[2]):
                    raise error

            there = await files.kind_of(line, source_path)
            if there is None or not stat.S_ISREG(there.permissions):
                raise KeyNotFound(source)
            try:
                await files.in_folder(line, self._way, target_path, steps)
            except (line.module.SFTPFailure, line.module.SFTPOpUnsupported):
                return False  # no hard links there, or a link too many
            return True

        if not self._connection.ask(target, linked):
            with tempfile.TemporaryDirectory() as folder:
                held = os.path.join(folder, "held")
                with open(held, "wb") as file:
                    file.writelines(self.read(source))
                self.put(target, held)
        self._unsettled.add(posixpath.dirname(target_path))
        return True

    def settle(self) -> None:
        """Return when the names of what was put survive a power cut, where the server can flush folders.

        The bytes do already: each put flushes its own.
        """
        folders, self._unsettled = self._unsettled, set()
        self._connection.ask(".", lambda line: files.flush_folders(line, folders))

    def sweep(self, older_than: float | None = None) -> int:
        """Remove what is not whole and was begun long ago, by default more than an hour; the number removed."""
        root, end = self._way.root, time.time() - (_LEFT_OVER if older_than is None else older_than)
        found = self._connection.ask(".", lambda line: files.files_below(line, root, "", leftovers=True))
        old = [posixpath.join(root, path) for path, attributes in found if (attributes.mtime or 0) < end]
        if old:
            self._connection.ask(".", lambda line: files.remove(line, old))
        return len(old)

    def _put_small(self, key: str, path: str, data: bytes, mode: PutMode, digest: Digest | None) -> int:
        if digest is not None:
            check_digest(key, digest_bytes(data), digest)
        temporary, moving = "", files.Moving()

        async def work(line: Line) -> None:
            nonlocal temporary
            if not moving.begun:
                if temporary:  # what an attempt left whose connection broke
                    line.later(line.sftp.remove(temporary))
                temporary = self._temporary(path)
                await files.create(line, self._way, temporary, data)
            await files.move(line, temporary, path, key, mode, moving)

        self._connection.ask(key, work)
        return len(data)

    def _put_large(self, key: str, path: str, chunks: Iterator[bytes], mode: PutMode, digest: Digest | None) -> int:
        temporary, digester = self._temporary(path), Digester()
        connection, pending, moving = self._connection, deque[Future[None]](), files.Moving()
        file: Any = None
        try:
            file = connection.ask(key, lambda line: files.open_new(line, self._way, temporary))
            for chunk in chunks:
                if len(pending) == _CHUNKS_AT_ONCE:
                    pending.popleft().result()
                at = digester.size
                digester.update(chunk)
                pending.append(connection.begin(key, self._writing(file, at, chunk), again=False))
            while pending:
                pending.popleft().result()
            check_digest(key, digester.digest(), digest)
            connection.ask(key, lambda line: files.finish(line, self._way, file), again=False)
            connection.ask(key, lambda line: files.move(line, temporary, path, key, mode, moving))
        except BaseException:
            if not moving.begun:
                with suppress(StoreError):
                    for future in pending:
                        future.cancel()
                    connection.ask(key, lambda line: files.remove(line, [temporary]))
            raise
        return digester.size

    @staticmethod
    def _reading(file: Any, offset: int, size: int) -> Callable[[Line], Awaitable[bytes]]:
        return lambda _: file.read(size, offset)

    @staticmethod
    def _writing(file: Any, offset: int, chunk: bytes) -> Callable[[Line], Awaitable[None]]:
        return lambda _: files.write(file, offset, chunk)

    def _remove(self, paths: Sequence[str]) -> None:
        async def work(line: Line) -> None:
            await files.remove(line, paths)
            await files.remove_empty(line, map(posixpath.dirname, paths), self._way.root)

        if paths:
            self._connection.ask(".", work)

    def _path(self, key: str) -> str:
        check_key(key)
        return posixpath.join(self._way.root, key)

    def _name(self) -> str:
        """A temporary name that no other process of any machine uses."""
        return f"{TEMPORARY}{secrets.token_hex(8)}-{next(self._counter):x}"

    def _temporary(self, path: str) -> str:
        return posixpath.join(posixpath.dirname(path), self._name())


async def _told(work: Any) -> list[Exception]:
    """The error that ``work`` ends with, if it ends with one."""
    try:
        await work
    except Exception as error:  # noqa: BLE001
        return [error]
    return []


def _stored(key: str, attributes: Any) -> Stored:
    return Stored(key, attributes.size or 0, float(attributes.mtime or 0))
