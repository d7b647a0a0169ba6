"""What is done with the files of a server, over one connection: the steps that a `SshStore` is made of."""

from __future__ import annotations

import asyncio
import posixpath
import stat
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from ..errors import KeyExists, StoreError
from ..paths import is_temporary
from .ssh import Ssh
from .ssh_connection import Line, in_turn
from .ssh_faults import Unusable
from .store import Listing, PutMode

CHUNK = 1 << 20
_PIECE = 1 << 15  # every server takes packets of 34,000 bytes (draft-ietf-secsh-filexfer-02 section 3)
_FOLDERS_AT_ONCE = 16
_DELETES_AT_ONCE = 256
_TRIES = 10  # to make something in a folder that others remove, whenever they find it empty
_SAMPLE = 4096


class Moving:
    """How far a put has come, if the connection breaks: whether its last step has been asked for."""

    def __init__(self) -> None:
        self.begun = False


async def kind_of(line: Line, path: str) -> Any:
    """asyncssh's attributes of ``path``, not followed if it is a link; ``None`` if there is nothing."""
    try:
        found = await line.sftp.lstat(path)
    except line.module.SFTPNoSuchFile:
        return None
    if found.permissions is None:
        raise Unusable("the server does not tell files from folders")
    return found


async def make_folder(line: Line, way: Ssh, folder: str) -> None:
    """Make ``folder`` and those that it is in; they may be gone again when it returns."""
    errors = line.module
    for _ in range(_TRIES):
        try:
            await line.sftp.mkdir(folder)
        except errors.SFTPNoSuchFile:
            parent = posixpath.dirname(folder)
            if parent in ("", "/", folder):
                raise
            await make_folder(line, way, parent)
        except errors.SFTPFailure:
            try:
                found = await line.sftp.stat(folder)
            except errors.SFTPNoSuchFile:
                continue  # it is gone again, or a link that leads nowhere
            if stat.S_ISDIR(found.permissions or 0):
                return
            break
        else:
            if way.dir_mode is not None:
                with suppress(errors.SFTPNoSuchFile):
                    await line.sftp.chmod(folder, way.dir_mode)
            return
    raise Unusable("a part of the path is a file, not a folder") from None


async def in_folder(line: Line, way: Ssh, path: str, step: Callable[[], Any]) -> Any:
    """What ``step`` gives, which makes ``path``; its folder is made if there is none, also if it goes away again."""
    folder = posixpath.dirname(path)
    for _ in range(_TRIES if folder else 0):
        try:
            return await step()
        except line.module.SFTPNoSuchFile:
            await make_folder(line, way, folder)
    return await step()


async def open_new(line: Line, way: Ssh, path: str) -> Any:
    """The new file ``path``, open for `write` and `finish`."""
    return await in_folder(line, way, path, lambda: line.sftp.open(path, "xb", block_size=0))


async def write(file: Any, offset: int, data: bytes) -> None:
    """Write ``data`` at ``offset``."""
    view = memoryview(data)
    await in_turn(*(file.write(bytes(view[at : at + _PIECE]), offset + at) for at in range(0, len(view), _PIECE)))


async def finish(line: Line, way: Ssh, file: Any, data: bytes = b"") -> None:
    """Write ``data`` into the empty ``file``, flush it to the server's disk if the server can, and close it."""
    pieces = [data[at : at + _PIECE] for at in range(0, len(data), _PIECE)]
    steps = [file.write(piece, number * _PIECE) for number, piece in enumerate(pieces)]
    if way.file_mode is not None:
        steps.append(file.chmod(way.file_mode))

    async def flush() -> None:
        with suppress(line.module.SFTPOpUnsupported):
            await file.fsync()

    await in_turn(*steps, flush(), file.close())


async def create(line: Line, way: Ssh, path: str, data: bytes) -> None:
    """Make the new file ``path`` with ``data``; it is removed if that fails."""
    file = await open_new(line, way, path)
    try:
        await finish(line, way, file, data)
    except BaseException:
        line.later(line.sftp.remove(path))
        raise


async def move(line: Line, temporary: str, path: str, key: str, mode: PutMode, moving: Moving) -> None:
    """Give the file ``temporary`` its name. In mode ``create`` it fails with `KeyExists` if that is taken.

    Where an earlier attempt lost its answer, ``temporary`` is looked for: nobody else renames it, so that it is gone if
    the attempt came through.
    """
    if moving.begun and await kind_of(line, temporary) is None:
        return
    moving.begun = True
    errors = line.module
    try:
        if mode == "overwrite":
            await line.sftp.posix_rename(temporary, path)
        else:
            # Without the extension a rename never replaces (draft-ietf-secsh-filexfer-02 section 6.5); OpenSSH does it
            # with a hard link, at one instant.
            await line.sftp.rename(temporary, path)
    except (errors.SFTPFailure, errors.SFTPPermissionDenied, errors.SFTPNoSuchFile):
        line.later(line.sftp.remove(temporary))
        if mode == "create" and await kind_of(line, path) is not None:
            raise KeyExists(key) from None
        raise
    except errors.SFTPOpUnsupported:
        line.later(line.sftp.remove(temporary))
        raise Unusable(
            "the server cannot replace a file at one instant: its SFTP lacks posix-rename@openssh.com. OpenSSH has it"
        ) from None


async def open_part(line: Line, path: str, start: int, stop: int | None) -> tuple[Any, Any, bytes, bytes] | None:
    """The file ``path``, open if there is more of it up to ``stop`` than comes with it: its attributes, up to 1 MiB
    from ``start`` on, and its first 4 KiB. ``None`` if there is none.
    """
    errors = line.module
    try:
        file = await line.sftp.open(path, "rb")
    except errors.SFTPNoSuchFile:
        return None
    size = CHUNK if stop is None else min(CHUNK, stop - start)

    async def read(size: int, at: int) -> bytes:
        data: bytes = await file.read(size, at) if size > 0 else b""
        return data

    # The request for what is at the beginning, if it is another, is under way with the others.
    has_sample = not start and size >= _SAMPLE
    try:
        attributes, data, sample = await in_turn(file.stat(), read(size, start), read(0 if has_sample else _SAMPLE, 0))
    except errors.SFTPFailure:
        line.later(file.close())
        found = await kind_of(line, path)
        if found is None or stat.S_ISDIR(found.permissions):
            return None
        raise
    except BaseException:
        line.later(file.close())
        raise
    if attributes.size is None or stat.S_ISDIR(attributes.permissions or 0):
        line.later(file.close())
        if attributes.size is None:
            raise Unusable("the server does not tell the sizes of files")
        return None
    if start + len(data) >= (attributes.size if stop is None else min(stop, attributes.size)):
        line.later(file.close())
        file = None
    return file, attributes, data, data[:_SAMPLE] if has_sample else sample


async def read_small(line: Line, path: str, key: str) -> bytes | None:
    """All of the small file ``path``; ``None`` if there is none."""
    found = await open_part(line, path, 0, None)
    if found is None:
        return None
    file, _, data, _ = found
    if file is not None:
        line.later(file.close())
        raise StoreError(key, "it is too large to be swapped")
    return data


async def names_in(line: Line, folder: str) -> Listing:
    """The names of the folders and of the regular files in ``folder``; no link is followed."""
    folders, names = [], []
    try:
        async for entry in line.sftp.scandir(folder):
            line.note()
            name, mode = entry.filename, entry.attrs.permissions
            if mode is None:
                raise Unusable("the server does not tell files from folders")
            if name in (".", "..") or is_temporary(name):
                continue
            if stat.S_ISDIR(mode):
                folders.append(name)
            elif stat.S_ISREG(mode):
                names.append(name)
    except line.module.SFTPNoSuchFile:
        return [], []
    return sorted(folders), sorted(names)


async def remove(line: Line, paths: Iterable[str]) -> None:
    """Remove the files ``paths``; those that are not there are no error."""
    turn = asyncio.Semaphore(_DELETES_AT_ONCE)

    async def one(path: str) -> None:
        async with turn:
            with suppress(line.module.SFTPNoSuchFile):
                await line.sftp.remove(path)
            line.note()

    await in_turn(*map(one, paths))


async def remove_empty(line: Line, folders: Iterable[str], root: str) -> None:
    """Remove those of ``folders`` below ``root`` that are empty, and those that become so."""
    left = {folder for folder in folders if folder.startswith(f"{root}/")}
    while left:
        # The deepest first, so that those above are empty.
        depth = max(folder.count("/") for folder in left)
        now = {folder for folder in left if folder.count("/") == depth}

        async def one(folder: str) -> str:
            try:
                await line.sftp.rmdir(folder)
            except line.module.SFTPError:
                return ""
            return posixpath.dirname(folder)

        above = await in_turn(*map(one, now))
        left = (left - now) | {folder for folder in above if folder.startswith(f"{root}/")}


async def files_below(line: Line, root: str, folder: str, *, leftovers: bool = False) -> list[tuple[str, Any]]:
    """The path below ``root`` and attributes of all regular files below ``folder`` of it; no link is followed.

    Of those that are not whole nothing is told, or of them alone where ``leftovers`` are asked for.
    """
    found: list[tuple[str, Any]] = []
    turn = asyncio.Semaphore(_FOLDERS_AT_ONCE)

    async def one(current: str, within: bool) -> None:
        inner: list[tuple[str, bool]] = []
        async with turn:
            try:
                async for entry in line.sftp.scandir(posixpath.join(root, current) if current else root):
                    line.note()
                    if entry.filename in (".", ".."):
                        continue
                    mode, path = entry.attrs.permissions, posixpath.join(current, entry.filename)
                    if mode is None:
                        raise Unusable("the server does not tell files from folders")
                    unfinished = within or is_temporary(entry.filename)
                    if stat.S_ISDIR(mode):
                        if leftovers or not unfinished:
                            inner.append((path, unfinished))
                    elif stat.S_ISREG(mode) and unfinished == leftovers:
                        found.append((path, entry.attrs))
            except line.module.SFTPNoSuchFile:
                return
        await in_turn(*(one(path, unfinished) for path, unfinished in inner))

    await one(folder, False)
    return found


async def flush_folders(line: Line, folders: Iterable[str]) -> None:
    """Flush the entries of ``folders`` to the server's disk, if it can: OpenSSH on Linux opens them as files."""

    async def one(folder: str) -> None:
        with suppress(line.module.SFTPError):
            file = await line.sftp.open(folder, "rb", block_size=0)
            await in_turn(file.fsync(), file.close())

    await in_turn(*map(one, folders))
