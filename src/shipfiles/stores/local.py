"""A folder as a store: every file whole or absent, through a temporary name in the same folder and a rename."""

from __future__ import annotations

import errno
import math
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from ..digest import Digest
from ..errors import KeyExists, KeyNotFound, Replaced, StoreError, os_reason, printable
from ..paths import RESERVED, TEMPORARY, is_temporary
from ..regular import open_regular
from .file_lock import lock_file
from .fill import fill
from .flush import flush
from .parts import Pieces
from .store import Body, Listing, Part, PutMode, Stored, check_digest, check_folder, check_key, read_all

_T = TypeVar("_T")

_CHUNK = 1 << 20
_TRIES = 1000  # to make something in a folder that others remove, whenever they find it empty; 20 µs each
_MOST_KNOWN = 10_000  # folders, in a process that lives for long
_LOCK_KEY = f"{RESERVED}/lock"
_SWAP_KEY = f"{RESERVED}/swap"
# What the first of these says.
_HELD, _FREE = b"+", b"-"
# Errors with which a file system says that it has no hard links, or not here. ENOTSUP is another number than EOPNOTSUPP
# on macOS; EINVAL is what Windows makes of FAT's answer.
_NO_LINKS = frozenset({
    errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS, errno.EMLINK, errno.EXDEV, errno.EACCES,
})  # fmt: skip


class LocalStore:
    """The folder ``root``, made when the first key is put. It keeps bytes alone; header fields are the server's.

    ``file_mode`` and ``folder_mode`` are the permissions of what is made; ``None`` leaves them to the umask. What is
    put survives a power cut when the put is done, if ``at_once``, else when `settle` is.
    Hard links join keys with the same bytes: a published file is replaced, never written into.
    """

    def __init__(
        self, root: str, *, file_mode: int | None = None, folder_mode: int | None = None, at_once: bool = False
    ) -> None:
        self.root = os.path.abspath(root)
        self._file_mode = file_mode
        self._folder_mode = folder_mode
        self._at_once = at_once
        self._unsettled: set[str] = set()
        self._unflushed: set[str] = set()
        self._known_folders: set[str] = set()

    def __repr__(self) -> str:
        return f"LocalStore({self.root!r})"

    def __str__(self) -> str:
        """As people know it."""
        return self.root

    def path(self, key: str) -> str:
        """Where ``key`` is on disk. Raises `StoreError` for a key that would leave the root."""
        check_key(key)
        # On Windows a part with a colon is a drive, which leaves the root, or another stream of a file.
        if os.sep != "/" and (os.sep in key or ":" in key):
            raise StoreError(key, f"not a key on this system: it has {os.sep!r} or ':'")
        return os.path.join(self.root, *key.split("/"))

    def put(
        self,
        key: str,
        body: Body,
        *,
        mode: PutMode = "overwrite",
        digest: Digest | None = None,
        fields: Mapping[str, str] = {},
    ) -> Stored:
        path = self.path(key)
        temporary = self._temporary(path)
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
        try:
            descriptor = self._made(temporary, lambda: os.open(temporary, flags, 0o666))
            with open(descriptor, "w+b", buffering=0) as file:
                if self._file_mode is not None and hasattr(os, "fchmod"):
                    os.fchmod(descriptor, self._file_mode)
                found, size = fill(file, body, key)
                check_digest(key, found, digest)
                # What nobody can have read yet may wait for `settle`, which flushes all of it in a fraction of the
                # time. Where something is replaced, a power cut must leave the one or the other.
                fresh = not os.path.lexists(path)
                if not fresh or self._at_once:
                    os.fsync(descriptor)
            self._place(key, temporary, path, mode)
            if fresh and not self._at_once:
                self._unflushed.add(path)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(temporary)
            if isinstance(error, OSError):
                raise StoreError(key, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
            raise
        return Stored(key, size)

    def swap(self, key: str, expected: bytes | None, body: bytes) -> bool:
        # Not the lock of publishers: who holds that one swaps, too.
        with self._opened(_SWAP_KEY) as descriptor:
            try:
                lock_file(descriptor, wait=True)
            except OSError as error:
                raise StoreError(key, f"cannot be locked in {printable(self.root)}: {os_reason(error)}") from error
            if read_all(self, key) != expected:
                return False
            self.put(key, body)
        return True

    def head(self, key: str) -> Stored | None:
        try:
            # Not through a link: what it leads to is not the store's.
            status = os.lstat(self.path(key))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(key, os_reason(error)) from error
        return _stored(key, status) if stat.S_ISREG(status.st_mode) else None

    def read(self, key: str) -> Iterator[bytes]:
        yield from self.read_part(key).body

    def read_part(self, key: str, start: int = 0, stop: int | None = None, *, version: str = "") -> Part:
        try:
            file = open_regular(self.path(key))
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyNotFound(key) from None
        except OSError as error:
            raise _unreadable(key, error) from error

        def read(at: int, size: int) -> bytes:
            try:
                file.seek(at)
                return file.read(size) or b""
            except OSError as error:
                raise _unreadable(key, error) from error

        status = os.fstat(file.fileno())
        end = status.st_size if stop is None else min(stop, status.st_size)
        part = Part(_stored(key, status), _version(status), body := Pieces(key, start, end, read, file.close))
        if version and version != part.version:
            body.close()
            raise Replaced(key)
        return part

    def list(self, prefix: str = "") -> Iterator[Stored]:
        # Only the folder that the prefix names can have matching keys.
        folder, _, _ = prefix.rpartition("/")
        for key, entry in self._walk(folder):
            if key.startswith(prefix) and not is_temporary(entry.name):
                try:
                    status = entry.stat()
                except FileNotFoundError:
                    continue
                except OSError as error:
                    # A link that leads in a circle, or to where this user may not look, has nothing of the store's.
                    if entry.is_symlink():
                        continue
                    raise StoreError(key, os_reason(error)) from error
                yield _stored(key, status)

    def folder(self, prefix: str) -> Listing:
        check_folder(prefix)
        if prefix:
            self.path(prefix[:-1])
        folders, names = [], []
        for entry in self._entries(prefix[:-1]):
            if entry.is_dir(follow_symlinks=False):
                folders.append(entry.name)
            elif not is_temporary(entry.name) and _leads_to_a_file(entry):
                names.append(entry.name)
        return sorted(folders), sorted(names)

    def versions(self) -> dict[str, str]:
        found = {}
        for key, entry in self._walk(""):
            if not is_temporary(entry.name):
                with suppress(FileNotFoundError):
                    found[key] = _version(entry.stat(follow_symlinks=False))
        return found

    def version(self, key: str) -> str | None:
        try:
            return _version(os.lstat(self.path(key)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StoreError(key, os_reason(error)) from error

    def delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            path = self.path(key)
            try:
                os.unlink(path)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise StoreError(key, f"cannot be deleted: {os_reason(error)}") from error
            self._changed(os.path.dirname(path))
            self._remove_empty_folders(os.path.dirname(path))

    def copy(self, source: str, target: str, *, fields: Mapping[str, str] = {}) -> bool:
        """Join ``target`` to ``source`` by a hard link, where the file system has them; else copy the bytes."""
        source_path, target_path = self.path(source), self.path(target)
        try:
            status = os.stat(source_path)
        except (FileNotFoundError, NotADirectoryError):
            raise KeyNotFound(source) from None
        except OSError as error:
            raise StoreError(source, f"cannot be read: {os_reason(error)}") from error
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
        temporary = self._temporary(target_path)
        try:
            self._made(temporary, lambda: os.link(source_path, temporary))
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise StoreError(target, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
            self.put(target, source_path)
            return True
        try:
            self._place(target, temporary, target_path, "overwrite")
        except BaseException as error:
            with suppress(OSError):
                os.unlink(temporary)
            if isinstance(error, OSError):
                raise StoreError(target, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
            raise
        return True

    def take(self, path: str, key: str, *, mode: PutMode) -> bool:
        """As a put of the file ``path``, which must not be written any more, without copying it; whether that works.

        It does on one file system that has hard links, if the permissions are given: those of ``path`` become these.
        ``path`` stays, as another name of the same file. Raises `KeyExists` and `StoreError` as `put`.
        """
        if self._file_mode is None:
            return False
        target = self.path(key)
        temporary = self._temporary(target)
        try:
            self._made(temporary, lambda: os.link(path, temporary))
        except OSError as error:
            if error.errno in _NO_LINKS:
                return False
            raise StoreError(key, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
        try:
            os.chmod(temporary, self._file_mode)
            if self._at_once:
                flush((temporary,), ())
            else:
                self._unflushed.add(target)
            self._place(key, temporary, target, mode)
        except BaseException as error:
            with suppress(OSError):
                os.unlink(temporary)
            if isinstance(error, OSError):
                raise StoreError(key, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
            raise
        return True

    def symlink(self, path: str, key: str) -> bool:
        if self.link_of(key) == path:
            return False
        target = self.path(key)
        temporary = self._temporary(target)
        try:
            self._made(temporary, lambda: os.symlink(path, temporary))
            self._place(key, temporary, target, "overwrite")
        except (OSError, NotImplementedError) as error:
            reason = os_reason(error) if isinstance(error, OSError) else "this system has no symbolic links"
            raise StoreError(key, f"cannot be linked in {printable(self.root)}: {reason}") from error
        finally:
            with suppress(OSError):
                os.unlink(temporary)
        return True

    def link_of(self, key: str) -> str | None:
        try:
            return os.readlink(self.path(key))
        except OSError:
            return None

    @contextmanager
    def lock(self, waiting: Callable[[], None]) -> Iterator[bool]:
        # What this process saw in an earlier run may be gone.
        self._known_folders.clear()
        with self._opened(_LOCK_KEY) as descriptor:
            try:
                if not lock_file(descriptor, wait=False):
                    waiting()
                    lock_file(descriptor, wait=True)
                # What a holder writes it replaces when it is done: what is found is from one that died. The file never
                # becomes empty, so that a run that frees space can lock it on a disk that is full.
                died = os.read(descriptor, 1) == _HELD
                _write_mark(descriptor, _HELD)
            except OSError as error:
                raise StoreError(
                    _LOCK_KEY, f"cannot be locked in {printable(self.root)}: {os_reason(error)}"
                ) from error
            try:
                yield died
            finally:
                with suppress(OSError):
                    _write_mark(descriptor, _FREE)

    @contextmanager
    def _opened(self, key: str) -> Iterator[int]:
        """The open file ``key``, which is made if it is not there and never removed: it is there to be locked."""
        path = self.path(key)
        try:
            self._make_folder(os.path.dirname(path))
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise StoreError(key, f"cannot be written in {printable(self.root)}: {os_reason(error)}") from error
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def settle(self) -> None:
        folders, self._unsettled = self._unsettled, set()
        files, self._unflushed = self._unflushed, set()
        try:
            flush(files, folders)
        except OSError as error:
            path = os.path.relpath(error.filename, self.root)
            raise StoreError(path, f"cannot be flushed to disk: {os_reason(error)}") from error

    def sweep(self, older_than: float | None = None) -> int:
        end = math.inf if older_than is None else time.time() - older_than
        number = 0
        for key, entry in self._walk(""):
            if not is_temporary(entry.name):
                continue
            try:
                if entry.stat(follow_symlinks=False).st_mtime >= end:
                    continue
                os.unlink(entry.path)
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StoreError(key, f"cannot be deleted: {os_reason(error)}") from error
            number += 1
            # Folders stay, of which somebody may know that they are there.
            self._changed(os.path.dirname(entry.path))
        return number

    def _walk(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """``(key, entry)`` of every file below ``folder``; links to folders are not followed."""
        pending = [folder]
        while pending:
            current = pending.pop()
            for entry in self._entries(current):
                key = f"{current}/{entry.name}" if current else entry.name
                if entry.is_dir(follow_symlinks=False):
                    pending.append(key)
                else:
                    yield key, entry

    def _entries(self, folder: str) -> Sequence[os.DirEntry[str]]:
        """What is in ``folder``, nothing if there is none."""
        try:
            with os.scandir(os.path.join(self.root, *folder.split("/")) if folder else self.root) as entries:
                return list(entries)
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except OSError as error:
            raise StoreError(folder or ".", f"cannot be listed: {os_reason(error)}") from error

    def _temporary(self, path: str) -> str:
        """A fresh name beside ``path``; short, because the name itself may be as long as a file system takes.

        At random: two stores of one process may write there at a time, or two containers, whose processes may have one
        number.
        """
        return os.path.join(os.path.dirname(path), f"{TEMPORARY}{os.getpid():x}-{os.urandom(8).hex()}")

    def _made(self, path: str, make: Callable[[], _T]) -> _T:
        """What ``make`` gives, which makes ``path``; its folder is made first, also if it was there and went away."""
        folder = os.path.dirname(path)
        if folder in self._known_folders:
            try:
                return make()
            except FileNotFoundError:
                self._known_folders.clear()
        for left in range(_TRIES - 1, -1, -1):
            try:
                self._make_folder(folder)
                if len(self._known_folders) >= _MOST_KNOWN:
                    self._known_folders.clear()
                self._known_folders.add(folder)
                return make()
            except FileNotFoundError:
                if not left:
                    raise
        raise AssertionError

    def _make_folder(self, folder: str) -> None:
        missing: list[str] = []
        while not os.path.isdir(folder) and folder not in missing[-1:]:
            missing.append(folder)
            folder = os.path.dirname(folder)
        for path in reversed(missing):
            try:
                os.mkdir(path)
            except FileExistsError:
                if _is_no_folder(path):
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
                continue
            if self._folder_mode is not None:
                os.chmod(path, self._folder_mode)
            self._changed(os.path.dirname(path))

    def _place(self, key: str, temporary: str, path: str, mode: PutMode) -> None:
        if mode == "create":
            try:
                os.link(temporary, path)
                os.unlink(temporary)
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
        self._changed(os.path.dirname(path))

    def _changed(self, folder: str) -> None:
        """See to it that the entries of ``folder`` survive a power cut."""
        if self._at_once:
            flush((), (folder,))
        else:
            self._unsettled.add(folder)

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


def _write_mark(descriptor: int, mark: bytes) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, mark)


def _is_no_folder(path: str) -> bool:
    """Whether something else is there. Not if nothing is any more: somebody made a folder, and somebody removed it."""
    try:
        return not stat.S_ISDIR(os.stat(path).st_mode)
    except FileNotFoundError:
        return os.path.islink(path)


def _unreadable(key: str, error: OSError) -> StoreError:
    return StoreError(key, f"cannot be read: {os_reason(error)}")


def _leads_to_a_file(entry: os.DirEntry[str]) -> bool:
    """Whether ``entry`` is a regular file, or a link to one."""
    try:
        return entry.is_file()
    except OSError:  # a link that leads in a circle, or to where this user may not look
        return False


def _stored(key: str, status: os.stat_result) -> Stored:
    # A hard link has the time of the file that it joins; the inode's own time of change tells when it came.
    modified = max(status.st_mtime, status.st_ctime)
    return Stored(key, status.st_size, modified, f"{status.st_dev}:{status.st_ino}", status.st_nlink)


def _version(status: os.stat_result) -> str:
    # Not the inode's own time of change: that follows hard links as they come and go.
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"
