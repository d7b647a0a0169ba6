"""A folder as a store: every file whole or absent, through a temporary name in the same folder and a rename."""

from __future__ import annotations

import errno
import itertools
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from ..digest import Digest, digest_bytes, digest_stream
from ..errors import KeyExists, KeyNotFound, StoreError, os_reason, printable
from ..paths import RESERVED
from .store import Body, PutMode, Stored

_CHUNK = 1 << 20
_TEMPORARY = ".shipfiles-"
_LOCK_KEY = f"{RESERVED}/lock"
# Errors with which a file system says that it has no hard links, or not here.
_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES})


class LocalStore:
    """The folder ``root``, made when the first key is put.

    ``file_mode`` and ``folder_mode`` are the permissions of what is made; ``None`` leaves them to the umask.
    Hard links join keys with the same bytes: a published file is replaced, never written into.
    """

    def __init__(self, root: str, *, file_mode: int | None = None, folder_mode: int | None = None) -> None:
        self.root = os.path.abspath(root)
        self._file_mode = file_mode
        self._folder_mode = folder_mode
        self._counter = itertools.count()
        self._unsettled: set[str] = set()
        self._known_folders: set[str] = set()

    def __repr__(self) -> str:
        return f"LocalStore({self.root!r})"

    def path(self, key: str) -> str:
        """Where ``key`` is on disk. Raises `StoreError` for a key that would leave the root."""
        parts = key.split("/")
        if (
            not key
            or "\0" in key
            or any(part in ("", ".", "..") for part in parts)
            or (os.sep != "/" and os.sep in key)
        ):
            raise StoreError(key, "not a key: it has an empty part, '.', '..' or a NUL")
        return os.path.join(self.root, *parts)

    def put(self, key: str, body: Body, *, mode: PutMode = "overwrite", digest: Digest | None = None) -> Stored:
        path = self.path(key)
        temporary = self._temporary(key, path)
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
            with open(descriptor, "wb", buffering=0) as file:
                if self._file_mode is not None and hasattr(os, "fchmod"):
                    os.fchmod(descriptor, self._file_mode)
                found, size = _write(file, body, key)
                if digest is not None and found != digest:
                    raise StoreError(key, "the file changed while it was read; run again")
                os.fsync(descriptor)
            self._place(key, temporary, path, mode)
        except OSError as error:
            raise StoreError(key, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
        finally:
            with suppress(OSError):
                os.unlink(temporary)
        return Stored(key, size)

    def head(self, key: str) -> Stored | None:
        try:
            # Not through a link: what it leads to is not the store's.
            status = os.lstat(self.path(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(key, os_reason(error)) from error
        return Stored(key, status.st_size) if stat.S_ISREG(status.st_mode) else None

    def read(self, key: str) -> Iterator[bytes]:
        try:
            with open(self.path(key), "rb", buffering=0) as file:
                while chunk := file.read(_CHUNK):
                    yield chunk
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyNotFound(key) from None
        except OSError as error:
            raise StoreError(key, f"cannot be read: {os_reason(error)}") from error

    def list(self, prefix: str = "") -> Iterator[Stored]:
        # Only the folder that the prefix names can have matching keys.
        folder, _, _ = prefix.rpartition("/")
        for key, entry in self._walk(folder):
            if key.startswith(prefix) and not entry.name.startswith(_TEMPORARY):
                with suppress(FileNotFoundError):
                    yield Stored(key, entry.stat().st_size)

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self.path(key)
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise StoreError(key, f"cannot be deleted: {os_reason(error)}") from error
            self._unsettled.add(os.path.dirname(path))
            self._remove_empty_folders(os.path.dirname(path))

    def copy(self, source: str, target: str) -> bool:
        """Join ``target`` to ``source`` by a hard link, where the file system has them; else copy the bytes."""
        source_path, target_path = self.path(source), self.path(target)
        try:
            status = os.stat(source_path)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyNotFound(source) from None
        with suppress(OSError):
            there = os.lstat(target_path)
            if (there.st_dev, there.st_ino) == (status.st_dev, status.st_ino):
                return False
            if (
                stat.S_ISREG(there.st_mode)
                and there.st_size == status.st_size
                and self._equal(source_path, target_path)
            ):
                return False
        temporary = self._temporary(target, target_path)
        try:
            os.link(source_path, temporary)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise StoreError(target, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
            self.put(target, source_path)
            return True
        try:
            self._place(target, temporary, target_path, "overwrite")
        except OSError as error:
            raise StoreError(target, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
        finally:
            with suppress(OSError):
                os.unlink(temporary)
        return True

    def symlink(self, path: str, key: str) -> bool:
        target = self.path(key)
        with suppress(OSError):
            if os.readlink(target) == path:
                return False
        temporary = self._temporary(key, target)
        try:
            os.symlink(path, temporary)
            self._place(key, temporary, target, "overwrite")
        except (OSError, NotImplementedError) as error:
            reason = os_reason(error) if isinstance(error, OSError) else "this system has no symbolic links"
            raise StoreError(key, f"cannot be linked in {printable(self.root)}: {reason}") from error
        finally:
            with suppress(OSError):
                os.unlink(temporary)
        return True

    @contextmanager
    def lock(self, waiting: Callable[[], None]) -> Iterator[bool]:
        path = self.path(_LOCK_KEY)
        try:
            self._make_folder(os.path.dirname(path))
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(_LOCK_KEY, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
        try:
            try:
                if not _lock_file(descriptor, wait=False):
                    waiting()
                    _lock_file(descriptor, wait=True)
                # A holder writes a byte and takes it away when it is done: what is found here is from one that died.
                died = os.fstat(descriptor).st_size > 0
                os.pwrite(descriptor, b"+", 0) if hasattr(os, "pwrite") else os.write(descriptor, b"+")
            except OSError as error:
                raise StoreError(
                    _LOCK_KEY, f"cannot be locked in {printable(self.root)}: {os_reason(error)}"
                ) from error
            yield died
        finally:
            with suppress(OSError):
                os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def settle(self) -> None:
        folders, self._unsettled = self._unsettled, set()
        if os.name != "posix":
            return  # Windows cannot open a folder for flushing; NTFS journals its renames.
        for folder in folders:
            with suppress(FileNotFoundError):
                descriptor = os.open(folder, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def sweep(self) -> int:
        leftovers = [key for key, entry in self._walk("") if entry.name.startswith(_TEMPORARY)]
        self.delete(leftovers)
        return len(leftovers)

    def _walk(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """``(key, entry)`` of every file below ``folder``; links to folders are not followed."""
        pending = [folder]
        while pending:
            current = pending.pop()
            try:
                with os.scandir(os.path.join(self.root, *current.split("/")) if current else self.root) as entries:
                    found = list(entries)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise StoreError(current or ".", f"cannot be listed: {os_reason(error)}") from error
            for entry in found:
                key = f"{current}/{entry.name}" if current else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(key)
                else:
                    yield key, entry

    def _temporary(self, key: str, path: str) -> str:
        """A fresh name beside ``path``; short, because the name itself may be as long as a file system takes."""
        folder = os.path.dirname(path)
        if folder not in self._known_folders:
            try:
                self._make_folder(folder)
            except OSError as error:
                raise StoreError(key, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
            self._known_folders.add(folder)
        return os.path.join(folder, f"{_TEMPORARY}{os.getpid():x}-{next(self._counter):x}")

    def _make_folder(self, folder: str) -> None:
        if os.path.isdir(folder):
            return
        parent = os.path.dirname(folder)
        if parent != folder:
            self._make_folder(parent)
        try:
            os.mkdir(folder)
        except FileExistsError:
            if not os.path.isdir(folder):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), folder) from None
            return
        if self._folder_mode is not None:
            os.chmod(folder, self._folder_mode)
        self._unsettled.add(parent)

    def _place(self, key: str, temporary: str, path: str, mode: PutMode) -> None:
        if mode == "create":
            try:
                os.link(temporary, path)
            except FileExistsError:
                raise KeyExists(key) from None
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                if os.path.lexists(path):
                    raise KeyExists(key) from None
                os.replace(temporary, path)
        else:
            os.replace(temporary, path)
        self._unsettled.add(os.path.dirname(path))

    def _remove_empty_folders(self, folder: str) -> None:
        while folder != self.root and folder.startswith(self.root + os.sep):
            try:
                os.rmdir(folder)
            except OSError:
                return
            self._known_folders.discard(folder)
            folder = os.path.dirname(folder)

    @staticmethod
    def _equal(first: str, second: str) -> bool:
        with open(first, "rb", buffering=0) as a, open(second, "rb", buffering=0) as b:
            while True:
                chunk = a.read(_CHUNK)
                if chunk != b.read(_CHUNK):
                    return False
                if not chunk:
                    return True


def _write(file: BinaryIO, body: Body, key: str) -> tuple[Digest, int]:
    """Write ``body`` and say what was written."""
    if isinstance(body, bytes):
        _write_all(file, body)
        return digest_bytes(body), len(body)
    try:
        descriptor = os.open(body, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise StoreError(key, f"its source {printable(body)} cannot be read: {os_reason(error)}") from error
    with open(descriptor, "rb", buffering=0) as source:
        return digest_stream(_Tee(source, file))


def _write_all(file: BinaryIO, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[file.write(view) :]


class _Tee:
    """Reads from one file and writes what it reads to another."""

    def __init__(self, source: BinaryIO, target: BinaryIO) -> None:
        self._source, self._target = source, target

    def read(self, size: int) -> bytes:
        chunk = self._source.read(size)
        _write_all(self._target, chunk)
        return chunk


if sys.platform == "win32":
    import msvcrt
    import time

    def _lock_file(descriptor: int, *, wait: bool) -> bool:
        # The locked byte lies far beyond the end, where it does not hinder the byte that marks a holder.
        while True:
            os.lseek(descriptor, 1 << 30, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            except OSError:
                if not wait:
                    return False
                time.sleep(0.1)
            else:
                os.lseek(descriptor, 0, os.SEEK_SET)
                return True
else:
    import fcntl

    def _lock_file(descriptor: int, *, wait: bool) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
