"""Swap a file on a server on which nothing can be locked.

The right to swap is a folder, ``.shipfiles/swap-lease``, in which lies the new body of who has it, under a name that
nobody else ever uses. All of it rests on three steps of rename(2) that are at one instant (POSIX.1-2017, rename):

- **To get it**, a folder that is ready, with the body in it, is renamed to that name. That succeeds if there is no such
  folder or an empty one, and fails if it has a file.
- **To use it**, the body is renamed out of the folder to the key. The folder is empty then: the right is free.
- **To break off** what another has begun and not ended, its body is removed by its name. Who still wanted to use it
  finds no body to rename, has changed nothing, and begins again. So a holder that only was slow does no harm, nor does
  it if several break off the same one.

A right is broken off when the same body has lain there for a lease, by the clock of who watches it; no two clocks are
compared.
"""

from __future__ import annotations

import asyncio
import posixpath
import random
from collections.abc import Callable
from contextlib import suppress

from ..errors import StoreError
from ..paths import RESERVED
from .ssh import Ssh
from .ssh_connection import Line
from .ssh_files import create, in_folder, kind_of, read_small, remove

_LEASE = f"{RESERVED}/swap-lease"
_PATIENCE = 6  # leases
_PAUSE = 0.05  # seconds


class Swap:
    """One swap of ``key``. ``fresh`` gives temporary names that nobody else ever uses."""

    def __init__(self, way: Ssh, key: str, fresh: Callable[[], str], expected: bytes | None, body: bytes) -> None:
        self._way, self._key, self._fresh, self._expected, self._body = way, key, fresh, expected, body
        self._path = posixpath.join(way.root, key)
        self._lease = posixpath.join(way.root, _LEASE)
        self._name = ""
        self._using = False

    @property
    def _folder(self) -> str:
        return posixpath.join(self._way.root, RESERVED, self._name)

    @property
    def _held(self) -> str:
        return posixpath.join(self._lease, self._name)

    async def done(self, line: Line) -> bool:
        """Whether the key was as expected, and is swapped now. May be asked once more after the connection broke."""
        if self._using and await kind_of(line, self._held) is None:
            if await read_small(line, self._path, self._key) == self._body:
                return True
            raise StoreError(
                self._key,
                "the connection broke while it was swapped, and whether that was done cannot be told; run again",
            )
        while not self._using:
            await self._get(line)
            if await read_small(line, self._path, self._key) != self._expected:
                with suppress(line.module.SFTPNoSuchFile):
                    await line.sftp.remove(self._held)
                return False
            if await self._use(line):
                return True
        if await self._use(line):
            return True
        return await self.done(line)

    async def _use(self, line: Line) -> bool:
        """Whether the right was still there, and has been used."""
        self._using = True
        try:
            await in_folder(line, self._way, self._path, lambda: line.sftp.posix_rename(self._held, self._path))
        except line.module.SFTPNoSuchFile:
            self._using = False
            return False
        return True

    async def _get(self, line: Line) -> None:
        """Return with the right. Raises `StoreError` if others have it for too long."""
        if self._name:
            await self._clean(line)
        self._name = self._fresh()
        try:
            await self._prepare(line)
            taken = await self._wait(line)
        except BaseException:
            line.later(self._clean(line))
            raise
        if not taken:
            await self._clean(line)
            raise StoreError(self._key, "others keep swapping; run again")

    async def _wait(self, line: Line) -> bool:
        """Whether the right has been got, before it took too long."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._way.limits.lease * _PATIENCE
        seen: dict[str, float] = {}
        while loop.time() < end:
            try:
                await line.sftp.posix_rename(self._folder, self._lease)
            except line.module.SFTPFailure:
                seen = await self._watched(line, seen)
                await asyncio.sleep(_PAUSE * (0.5 + random.random()))  # noqa: S311
            else:
                return True
        return False

    async def _prepare(self, line: Line) -> None:
        """The folder that is to become the right, with the body in it."""
        await in_folder(line, self._way, self._folder, lambda: line.sftp.mkdir(self._folder))
        await create(line, self._way, posixpath.join(self._folder, self._name), self._body)

    async def _clean(self, line: Line) -> None:
        """Remove what an attempt has left, wherever it came to."""
        await remove(line, [self._held, posixpath.join(self._folder, self._name)])
        with suppress(line.module.SFTPError):
            await line.sftp.rmdir(self._folder)

    async def _watched(self, line: Line, seen: dict[str, float]) -> dict[str, float]:
        """The bodies of others in the folder, and since when they have been seen; those of long ago are removed."""
        now = asyncio.get_running_loop().time()
        try:
            names = [name for name in await line.sftp.listdir(self._lease) if name not in (".", "..")]
        except line.module.SFTPNoSuchFile:
            return {}
        line.note()
        since = {name: seen.get(name, now) for name in names}
        for name, first in since.items():
            if now - first >= self._way.limits.lease:
                with suppress(line.module.SFTPNoSuchFile):
                    await line.sftp.remove(posixpath.join(self._lease, name))
        return since
