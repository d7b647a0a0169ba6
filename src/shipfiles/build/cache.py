"""What earlier runs found out about contents: a folder that may be kept, shared between branches, or deleted.

Everything in it is found by the digest of a content and is checked when it is read, so that a damaged, foreign or old
file costs time, never a wrong byte. (Who can write into it on purpose can do no less than who can write the sources.)
What cannot be read or written is told once and done without.
"""

from __future__ import annotations

import codecs
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Protocol, Self

from ..digest import Digest, hex_prefix
from ..errors import os_reason, printable
from ..events import Listener, Notice, ignore
from ..model import Fault, Scan
from ..own_code import code_id
from ..regular import open_regular, read_regular
from .cache_table import CacheTable, checksum
from .plain import plain, references_of

_MOST = 200_000
_DAY = 86_400.0
_STALE = 14 * _DAY
_TAG = "Signature: 8a477f597d28d172789f06886806bc55\n# See https://bford.info/cachedir/\n"
# With what `Cache._write` puts behind a name until the file is whole: a run that was killed leaves it.
_SCANS = re.compile(r"scans-[0-9a-f]{16}\.json(?:\.[0-9a-f]+-[0-9a-f]+)?|findings\.json\.[0-9a-f]+-[0-9a-f]+")
_VARIANT = re.compile(r"[0-9a-f]{64}\.[A-Za-z0-9.\-]+")
_SLUG = re.compile(r"[^A-Za-z0-9.]+")


class Coding(Protocol):
    """What the cache needs to know of a compressor."""

    settings: str


class Cache:
    """The folder ``folder``, held to about ``max_size`` bytes. Without a folder nothing is remembered; with ``frozen``
    the folder stays as it is.

    Safe to use from several threads; several processes may share the folder.
    """

    def __init__(
        self, folder: str = "", max_size: int = 0, listener: Listener = ignore, *, frozen: bool = False
    ) -> None:
        self._folder = folder
        self._max_size = max_size
        self._keeps = bool(folder) and not frozen
        self._listener = listener
        self._told = False
        self._scans = CacheTable(lambda: self._in_folder(_scans_name()), self._write, self._tell, _MOST)
        self._findings = CacheTable(lambda: self._in_folder("findings.json"), self._write, self._tell, _MOST)
        self._new_variants = False
        self._counting = threading.Lock()
        self.scans_found = 0
        self.scans_made = 0
        """Scans that were to be kept, so that somebody must have made them; as of variants. They count without a
        folder, too."""
        self.variants_found = 0
        self.variants_made = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # Scans.

    def scan(self, key: str, size: int) -> Scan | None:
        """The scan kept under ``key`` of a content of ``size`` bytes, ``None`` if there is none."""
        raw = self._scans.get(key) if self._folder else None
        if raw is not None:
            with suppress(ValueError, LookupError):
                found = _to_scan(raw, size)
                self._scans.use(key, raw)
                with self._counting:
                    self.scans_found += 1
                return found
        return None

    def keep_scan(self, key: str, scan: Scan) -> None:
        """Keep ``scan`` under ``key``, which names the content and the language."""
        with self._counting:
            self.scans_made += 1
        if self._keeps:
            self._scans.keep(key, _from_scan(scan))

    # Findings.

    def finding(self, key: str) -> Any:
        """The JSON value kept under ``key``, to be checked by who asks; ``None`` if there is none."""
        raw = self._findings.get(key) if self._folder else None
        if raw is not None:
            self._findings.use(key, raw)
        return raw

    def keep_finding(self, key: str, raw: Any) -> None:
        """Keep the JSON value ``raw`` under ``key``, which names the content and the code that found it."""
        if self._keeps:
            self._findings.keep(key, raw)

    # Variants.

    def variant(self, digest: Digest, coding: Coding) -> bytes | None:
        """The bytes of this coding of the content with ``digest``; empty if they save nothing, ``None`` if unknown."""
        if not self._folder:
            return None
        path = self._variant_path(digest, coding)
        try:
            with open_regular(path) as file:
                found, _, encoded = file.readall().partition(b"\n")
                old = time.time() - os.fstat(file.fileno()).st_mtime > _DAY
        except OSError as error:
            if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
                self._tell(f"{printable(path)} cannot be read: {os_reason(error)}")
            return None
        if found != _variant_checksum(digest, coding, encoded):
            self._tell(f"{printable(path)} is damaged and is made anew")
            if self._keeps:
                with suppress(OSError):
                    os.unlink(path)
            return None
        if old and self._keeps:
            with suppress(OSError):
                os.utime(path)
        with self._counting:
            self.variants_found += 1
        return encoded

    def has_variant(self, digest: Digest, coding: Coding) -> bool:
        """Whether `variant` is likely to find this one."""
        return bool(self._folder) and os.path.exists(self._variant_path(digest, coding))

    def keep_variant(self, digest: Digest, coding: Coding, encoded: bytes) -> None:
        """Keep the bytes of this coding of the content with ``digest``; empty ones say that they save nothing."""
        with self._counting:
            self.variants_made += 1
        if self._keeps:
            self._new_variants = True
            body = _variant_checksum(digest, coding, encoded) + b"\n" + encoded
            self._write(self._variant_path(digest, coding), body)

    def _variant_path(self, digest: Digest, coding: Coding) -> str:
        name = hex_prefix(digest, 64)
        return os.path.join(self._folder, "variants", name[:1], f"{name}.{_SLUG.sub('-', coding.settings)}")

    # The end of a run.

    def close(self) -> None:
        """Write what was scanned, and remove the oldest variants if there are too many."""
        self._findings.close()
        if self._scans.close():
            self._remove_stale_scans()
        if self._new_variants:
            self._remove_oldest_variants()
        self._new_variants = False

    def _in_folder(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _remove_stale_scans(self) -> None:
        """Those that other versions of this package made, once they are old."""
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry in entries:
                if _SCANS.fullmatch(entry.name) and time.time() - entry.stat().st_mtime > _STALE and self._is_ours():
                    os.unlink(entry.path)

    def _is_ours(self) -> bool:
        """Whether the folder was made by this class: in another nothing is removed."""
        try:
            return read_regular(os.path.join(self._folder, "CACHEDIR.TAG")) == _TAG.encode()
        except OSError:
            return False

    def _remove_oldest_variants(self) -> None:
        if not self._is_ours():
            return
        found = sorted(self._variants())
        size = sum(entry_size for _, entry_size, _ in found)
        for _, entry_size, path in found:
            if size <= self._max_size:
                return
            with suppress(OSError):
                os.unlink(path)
            size -= entry_size

    def _variants(self) -> Iterator[tuple[float, int, str]]:
        """Time of last use, size and path of each."""
        for folder, _, names in os.walk(os.path.join(self._folder, "variants")):
            for name in filter(_VARIANT.fullmatch, names):
                path = os.path.join(folder, name)
                with suppress(OSError):
                    status = os.stat(path)
                    yield status.st_mtime, status.st_size, path

    def _write(self, path: str, body: bytes) -> None:
        """Make ``path`` hold ``body``, whole or not at all."""
        temporary = f"{path}.{os.getpid():x}-{threading.get_ident():x}"
        try:
            try:
                _write(temporary, body)
            except FileNotFoundError:
                self._make_folder(os.path.dirname(path))
                _write(temporary, body)
            os.replace(temporary, path)
        except OSError as error:
            with suppress(OSError):
                os.unlink(temporary)
            self._tell(f"{printable(self._folder)} cannot be written: {os_reason(error)}")

    def _make_folder(self, folder: str) -> None:
        new = not os.path.isdir(self._folder) or not os.listdir(self._folder)
        os.makedirs(folder, exist_ok=True)
        if new:
            # Neither backups nor version control want it.
            _write(os.path.join(self._folder, "CACHEDIR.TAG"), _TAG.encode())
            _write(os.path.join(self._folder, ".gitignore"), b"*\n")

    def _tell(self, what: str) -> None:
        if not self._told:
            self._told = True
            self._listener(Notice(f"The build cache: {what}. The run only takes longer."))


NO_CACHE = Cache()
"""Remembers nothing."""


def _scans_name() -> str:
    return f"scans-{code_id()}.json"


def _write(path: str, body: bytes) -> None:
    with open(path, "wb", buffering=0) as file:
        rest = memoryview(body)
        while rest:
            rest = rest[file.write(rest) :]


def _variant_checksum(digest: Digest, coding: Coding, encoded: bytes) -> bytes:
    """Tells these bytes from others that decode to the same: of another quality, or with a bit that decoders ignore."""
    return checksum(f"{digest} {coding.settings}\n".encode() + encoded)


def _from_scan(scan: Scan) -> Any:
    if not scan.references and not scan.codec and scan.fault is None:
        return 0
    fault = scan.fault and [scan.fault.what, scan.fault.line, scan.fault.column, scan.fault.severe]
    return [plain(scan.references), scan.codec, fault]


def _to_scan(raw: Any, size: int) -> Scan:
    """What `_from_scan` made ``raw`` of. Raises ``ValueError`` or ``LookupError`` if it cannot be that."""
    if raw == 0:
        return Scan()
    if not isinstance(raw, list) or len(raw) != 3 or not isinstance(raw[1], str):
        raise ValueError("no scan")
    references, codec, fault = raw
    if codec:
        codecs.lookup(codec)
    if fault is not None and (not isinstance(fault, list) or tuple(map(type, fault)) != (str, int, int, bool)):
        raise ValueError("no fault")
    return Scan(tuple(references_of(references, size)), codec, Fault(*fault) if fault else None)
